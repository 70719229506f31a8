//! The REST API of the admin listener (`docs/rest.md`).
//!
//! Changes to one app happen one after the other; apps do not wait for each other. A
//! deployment is recorded in the catalogue after it runs, a removal after the data is gone: a
//! client that got no answer asks again and gets the same result.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::lock::Mutex;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use worker::body::Body;
use worker::entrypoint::{Call, Entrypoint, Reply, Serialized};
use worker::error::Error;
use worker::limit_table::Limit;
use worker::message::{Request, Response};

use crate::access::Access;
use crate::app_limits;
use crate::catalogue::{App, Catalogue};
use crate::clock::rfc3339;
use crate::deployment;
use crate::host::{AppHost, Deployment};
use crate::name::AppName;
use crate::objects;
use crate::refusal::Refusal;
use crate::token::Token;

/// The entrypoint of the admin listener.
pub struct Admin {
    state: Rc<State>,
}

/// What an [`Admin`] is made of.
pub struct AdminConfig {
    /// The apps there are; the public listener reads the same catalogue.
    pub catalogue: Catalogue,
    /// Runs the apps.
    pub host: Rc<dyn AppHost>,
    /// What clients must send; `None` lets every client in.
    pub token: Option<Token>,
    /// Host names or addresses that the admin listener is reached by besides loopback; an IPv6
    /// address in brackets.
    pub admin_hosts: Vec<String>,
    /// What stands after `<app>.` in the URL of an app, e.g. `localhost:8787`.
    pub public_authority: String,
    /// The limits of the process.
    pub limits: Vec<Limit>,
    /// The clock, in milliseconds since 1970.
    pub now_ms: fn() -> u64,
}

struct State {
    access: Access,
    catalogue: Catalogue,
    host: Rc<dyn AppHost>,
    public_authority: String,
    limits: Vec<Limit>,
    now_ms: fn() -> u64,
    /// One lock per app that is being changed.
    changing: RefCell<BTreeMap<AppName, Rc<Mutex<()>>>>,
}

/// What a path names.
enum Resource<'a> {
    Health,
    Apps,
    Objects,
    Limits,
    App(&'a str),
    AppLimits(&'a str),
}

impl Admin {
    /// An admin entrypoint over `config`.
    #[must_use]
    pub fn new(config: AdminConfig) -> Admin {
        let hosts = config.admin_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let state = State {
            access: Access { token: config.token, hosts },
            catalogue: config.catalogue,
            host: config.host,
            public_authority: config.public_authority,
            limits: config.limits,
            now_ms: config.now_ms,
            changing: RefCell::default(),
        };
        state.schedule();
        Admin { state: Rc::new(state) }
    }
}

impl Entrypoint for Admin {
    fn fetch(&self, request: Request) -> Reply<Response> {
        let state = self.state.clone();
        Box::pin(async move {
            let answer = state.answer(request).await;
            Ok(answer.unwrap_or_else(Refusal::into_response))
        })
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        let error = Error::AppNoHandler("the admin listener takes requests only".into());
        Box::pin(std::future::ready(Err(error)))
    }
}

impl State {
    async fn answer(&self, request: Request) -> Result<Response, Refusal> {
        self.access.check_source(&request.headers)?;
        let resource = resource(path(&request.url));
        if !matches!(resource, Some(Resource::Health)) {
            self.access.check_token(&request.headers)?;
        }
        let no_such_url = || Refusal::not_found("there is nothing at this URL; see docs/rest.md");
        match (resource.ok_or_else(no_such_url)?, &request.method) {
            (Resource::Health, &Method::GET | &Method::HEAD) => Ok(health()),
            (Resource::Apps, &Method::GET | &Method::HEAD) => Ok(self.list()),
            (Resource::Objects, &Method::GET | &Method::HEAD) => {
                let census = self.host.census().await?;
                Ok(Response::json(StatusCode::OK, &objects::to_json(&census)))
            }
            (Resource::Limits, &Method::GET | &Method::HEAD) => {
                Ok(Response::json(StatusCode::OK, &app_limits::to_json(&self.limits)))
            }
            (Resource::Health | Resource::Apps | Resource::Objects | Resource::Limits, _) => {
                Err(Refusal::method_not_allowed("GET, HEAD"))
            }
            (Resource::App(name), method) => {
                let name = app_name(name)?;
                match *method {
                    Method::GET | Method::HEAD => self.describe(&name).await,
                    Method::PUT => self.deploy(&name, &request.headers, request.body).await,
                    Method::DELETE => self.remove(&name).await,
                    _ => Err(Refusal::method_not_allowed("GET, HEAD, PUT, DELETE")),
                }
            }
            (Resource::AppLimits(name), method) => {
                let name = app_name(name)?;
                match *method {
                    Method::GET | Method::HEAD => self.limit(&name, None).await,
                    Method::PATCH => self.limit(&name, Some(request.body)).await,
                    _ => Err(Refusal::method_not_allowed("GET, HEAD, PATCH")),
                }
            }
        }
    }

    /// Changes the limits of an app, if there is a change; answers with those it has.
    async fn limit(&self, name: &AppName, change: Option<Body>) -> Result<Response, Refusal> {
        let change = match change {
            Some(body) => {
                Some(app_limits::parse(&body.collect(app_limits::BODY_BYTES_MAX).await?)?)
            }
            None => None,
        };
        let lock = self.lock(name);
        let _turn = lock.lock().await;
        self.known(name)?;
        let limits = self.host.limit(name.as_str(), change).await?;
        Ok(Response::json(StatusCode::OK, &json!({ "app": name.as_str(), "limits": limits })))
    }

    fn list(&self) -> Response {
        let apps = self.catalogue.apps();
        let apps: Vec<Value> = apps.iter().map(|(name, app)| self.summary(name, app)).collect();
        Response::json(StatusCode::OK, &json!({ "apps": apps }))
    }

    async fn describe(&self, name: &AppName) -> Result<Response, Refusal> {
        let app = self.known(name)?;
        let described = self.host.describe(name.as_str()).await?;
        let mut answer = self.summary(name.as_str(), &app);
        answer["modules"] = described
            .and_then(|mut described| described.get_mut("modules").map(Value::take))
            .unwrap_or_else(|| json!([]));
        Ok(Response::json(StatusCode::OK, &answer))
    }

    async fn deploy(
        &self,
        name: &AppName,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, Refusal> {
        let format = deployment::format(headers)?;
        let body = body.collect(BODY_BYTES_MAX).await?;
        let deployment = deployment::parse(format, &body)?;
        drop(body);
        let lock = self.lock(name);
        let _turn = lock.lock().await;
        let before = self.catalogue.app(name.as_str());
        let (hash, crons) = (deployment.hash.clone(), deployment.crons.clone());
        let version = match self.running(name, &before, &hash).await? {
            Some(version) => version,
            None => self.start(name, deployment).await?,
        };
        let now_ms = (self.now_ms)();
        let (created_ms, updated_ms) = match &before {
            Some(app) if app.version == version => (app.created_ms, app.updated_ms),
            Some(app) => (app.created_ms, now_ms),
            None => (now_ms, now_ms),
        };
        let app = App { version, hash, created_ms, updated_ms, crons };
        if before.as_ref() != Some(&app) {
            self.catalogue.put(name, app.clone()).map_err(|error| Refusal::storage(&error))?;
            self.schedule();
        }
        let status = if before.is_none() { StatusCode::CREATED } else { StatusCode::OK };
        let answer = json!({
            "app": name.as_str(),
            "version": app.version,
            "hash": app.hash,
            "url": self.url(name.as_str()),
        });
        Ok(Response::json(status, &answer))
    }

    /// The version of the current deployment, if that is already the one with `hash`. The
    /// supervisor is asked, not the catalogue: an earlier deployment may have started without
    /// being recorded.
    async fn running(
        &self,
        name: &AppName,
        before: &Option<App>,
        hash: &str,
    ) -> Result<Option<u64>, Refusal> {
        if before.as_ref().is_none_or(|app| app.hash != hash) {
            return Ok(None);
        }
        let described = self.host.describe(name.as_str()).await?;
        Ok(described
            .filter(|described| described["hash"] == hash)
            .and_then(|described| described["version"].as_u64()))
    }

    async fn start(&self, name: &AppName, deployment: Deployment) -> Result<u64, Refusal> {
        let deployed = self.host.deploy(name.as_str(), deployment).await?;
        tracing::info!(app = name.as_str(), version = deployed.version, "deployed");
        Ok(deployed.version)
    }

    async fn remove(&self, name: &AppName) -> Result<Response, Refusal> {
        let lock = self.lock(name);
        let _turn = lock.lock().await;
        self.known(name)?;
        self.host.remove(name.as_str()).await?;
        self.catalogue.remove(name).map_err(|error| Refusal::storage(&error))?;
        self.schedule();
        tracing::info!(app = name.as_str(), "removed");
        let (headers, body) = (HeaderMap::new(), Body::Empty);
        Ok(Response { status: StatusCode::NO_CONTENT, headers, body, url: None, socket: None })
    }

    /// Tells the host when `scheduled()` of all apps runs.
    fn schedule(&self) {
        let apps = self.catalogue.apps().into_iter();
        let crons = apps.filter(|(_, app)| !app.crons.is_empty());
        self.host.schedule(crons.map(|(name, app)| (name, app.crons)).collect());
    }

    fn known(&self, name: &AppName) -> Result<App, Refusal> {
        self.catalogue.app(name.as_str()).ok_or_else(|| {
            Refusal::not_found(format!("there is no app named \"{name}\"; PUT it first"))
        })
    }

    fn summary(&self, name: &str, app: &App) -> Value {
        json!({
            "app": name,
            "version": app.version,
            "hash": app.hash,
            "url": self.url(name),
            "created": rfc3339(app.created_ms),
            "updated": rfc3339(app.updated_ms),
            "crons": app.crons,
        })
    }

    fn url(&self, name: &str) -> String {
        format!("http://{name}.{}/", self.public_authority)
    }

    /// The lock of one app; locks nobody holds are forgotten here.
    fn lock(&self, name: &AppName) -> Rc<Mutex<()>> {
        let mut changing = self.changing.borrow_mut();
        changing.retain(|_, lock| Rc::strong_count(lock) > 1);
        changing.entry(name.clone()).or_default().clone()
    }
}

fn resource(path: &str) -> Option<Resource<'_>> {
    match path {
        "/v1/healthz" => Some(Resource::Health),
        "/v1/apps" => Some(Resource::Apps),
        "/v1/objects" => Some(Resource::Objects),
        "/v1/limits" => Some(Resource::Limits),
        _ => {
            let name = path.strip_prefix("/v1/apps/")?;
            let resource = match name.strip_suffix("/limits") {
                Some(name) => Resource::AppLimits(name),
                None => Resource::App(name),
            };
            let (Resource::App(name) | Resource::AppLimits(name)) = resource else { return None };
            Some(resource).filter(|_| !name.contains('/'))
        }
    }
}

fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |start| &rest[start..]);
    path.split(['?', '#']).next().unwrap_or_default()
}

fn app_name(name: &str) -> Result<AppName, Refusal> {
    AppName::new(name).ok_or_else(|| {
        let message = format!(
            "{name:?} is no app name: 1 to 63 of a-z, 0-9 and \"-\", not starting or ending \
             with \"-\""
        );
        Refusal::new(StatusCode::BAD_REQUEST, "app_name", message)
    })
}

fn health() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    Response::json(StatusCode::OK, &json!({ "status": "ok", "version": version }))
}

/// Bytes of a request body that the admin listener has to let through: twice what code may have,
/// because escapes in JSON and base64 make it longer.
pub const BODY_BYTES_MAX: u64 = 2 * worker::limits::CODE_BYTES_MAX as u64;

#[cfg(test)]
mod tests;
