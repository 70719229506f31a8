//! The app host's link to the supervisors: deployments go to the app's Durable Object by RPC,
//! as one JSON text each way.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control::host::{AppHost, DeployError, Deployed, Deployment, Rejection};
use control::rest::BODY_BYTES_MAX;
use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, Method, StatusCode};
use network::handover::Handover;
use serde_json::{Value, json};
use worker::actor_id::ActorId;
use worker::body::Body;
use worker::census::Census;
use worker::code::Module;
use worker::cron::CronTrigger;
use worker::entrypoint::{Call, Entrypoint, Refused, Reply, Serialized};
use worker::error::{Error, SourcePosition, Thrown};
use worker::message::{Request, RequestId, Response};
use worker::shard::Shard;
use worker::stub::ActorStub;

/// The supervisors, reached from one shard.
#[derive(Clone)]
pub struct Supervisors {
    shard: Rc<Shard>,
    /// The way to those that live in the quarantine.
    handover: Option<Handover>,
}

impl Supervisors {
    /// The supervisors as seen from `shard`.
    pub fn new(shard: Rc<Shard>, handover: Option<Handover>) -> Supervisors {
        Supervisors { shard, handover }
    }

    /// What takes the requests for an app, wherever it lives, unless it is refused for a while.
    pub fn entrypoint(&self, app: &str) -> Rc<dyn Entrypoint> {
        match (self.shard.quarantine().check(app, self.shard.clock().now_ms()), self.away(app)) {
            (Err(error), _) => Rc::new(Refused(error)),
            (Ok(()), Some(handover)) => handover.entrypoint(&format!("{REQUESTS}{app}")),
            (Ok(()), None) => Rc::new(self.of(app)),
        }
    }

    /// What the main cordon finds in the quarantine for a purpose of a connection.
    pub fn serve(&self, purpose: &str) -> Rc<dyn Entrypoint> {
        match (purpose.strip_prefix(REQUESTS), purpose.strip_prefix(QUESTIONS)) {
            (Some(app), _) => self.entrypoint(app),
            (None, Some(app)) => {
                Rc::new(Questions { supervisors: self.clone(), app: app.to_owned() })
            }
            (None, None) => Rc::new(Refused(Error::bug("a connection without a purpose"))),
        }
    }

    /// The way to an app that lives elsewhere.
    fn away(&self, app: &str) -> Option<&Handover> {
        let id = ActorId::from_name(CLASS, app).bytes();
        self.handover.as_ref().filter(|_| self.shard.quarantine().is_away(&id))
    }

    /// The supervisor of an app, wherever it lives.
    pub fn of(&self, app: &str) -> ActorStub {
        let id = ActorId::from_name(CLASS, app);
        ActorStub::new(Rc::clone(&self.shard), CLASS.into(), id)
    }

    fn ask(
        &self,
        app: &str,
        method: &str,
        argument: &Value,
    ) -> LocalBoxFuture<'static, Result<Value, Error>> {
        if let Some(handover) = self.away(app) {
            return ask_elsewhere(handover, app, method, argument);
        }
        let arguments = Some(Serialized::of_text_argument(&argument.to_string()));
        let reply =
            self.of(app).call(Call { method: Some(method.into()), arguments, ..Call::default() });
        Box::pin(async move {
            let answer = reply.await?.as_text();
            let answer = answer.and_then(|text| serde_json::from_str(&text).ok());
            answer.ok_or_else(|| Error::bug("a supervisor answered no JSON"))
        })
    }
}

impl AppHost for Supervisors {
    fn deploy(
        &self,
        app: &str,
        deployment: Deployment,
    ) -> LocalBoxFuture<'static, Result<Deployed, DeployError>> {
        // It may be what mends it.
        self.shard.quarantine().pardon(app);
        let modules: serde_json::Map<String, Value> = deployment
            .modules
            .into_iter()
            .map(|(name, module)| (name, module_to_json(&module)))
            .collect();
        let argument = json!({
            "main": deployment.main,
            "hash": deployment.hash,
            "vars": deployment.vars,
            "crons": deployment.crons,
            "rpc": deployment.rpc,
            "modules": modules,
        });
        let answer = self.ask(app, "deploy", &argument);
        Box::pin(async move {
            let answer = answer.await?;
            match answer["version"].as_u64() {
                Some(version) => Ok(Deployed { version }),
                None => Err(DeployError::Rejected(Box::new(rejection(&answer["error"])))),
            }
        })
    }

    fn describe(&self, app: &str) -> LocalBoxFuture<'static, Result<Option<Value>, Error>> {
        let answer = self.ask(app, "describe", &Value::Null);
        Box::pin(async move { Ok(Some(answer.await?).filter(|answer| !answer.is_null())) })
    }

    fn limit(
        &self,
        app: &str,
        change: Option<serde_json::Map<String, Value>>,
    ) -> LocalBoxFuture<'static, Result<Value, Error>> {
        self.ask(app, "limit", &change.map_or(Value::Null, Value::Object))
    }

    fn remove(&self, app: &str) -> LocalBoxFuture<'static, Result<(), Error>> {
        // Not by asking the supervisor: what is to be erased may be damaged.
        match self.away(app) {
            None => self.of(app).erase(),
            Some(handover) => {
                let answer = ask_elsewhere(handover, app, ERASE, &Value::Null);
                Box::pin(async move { answer.await.map(drop) })
            }
        }
    }

    fn schedule(&self, crons: Vec<(String, Vec<String>)>) {
        let triggers = crons.iter().flat_map(|(app, patterns)| {
            let parsed = patterns.iter().filter_map(|pattern| CronTrigger::parse(pattern).ok());
            parsed.map(|trigger| trigger.of_actor(CLASS, app))
        });
        self.shard.set_actor_crons(triggers.collect());
    }

    fn census(&self) -> LocalBoxFuture<'static, Result<Census, Error>> {
        self.shard.census()
    }
}

/// Answers what the main cordon asks of an app in the quarantine: the path is the method, the body
/// its argument.
struct Questions {
    supervisors: Supervisors,
    app: String,
}

impl Entrypoint for Questions {
    fn fetch(&self, request: Request) -> Reply<Response> {
        let (supervisors, app) = (self.supervisors.clone(), self.app.clone());
        let method = request.url.rsplit('/').next().unwrap_or_default().to_owned();
        Box::pin(async move {
            let body = request.body.collect(BODY_BYTES_MAX).await;
            let body = body.map_err(|error| Error::bug(error.to_string()))?;
            let argument: Value = serde_json::from_slice(&body).unwrap_or_default();
            if method == ERASE {
                supervisors.of(&app).erase().await?;
                return Ok(Response::json(StatusCode::OK, &Value::Null));
            }
            if method == "deploy" {
                // It may be what mends it.
                supervisors.shard.quarantine().pardon(&app);
            }
            let answer = supervisors.ask(&app, &method, &argument).await?;
            Ok(Response::json(StatusCode::OK, &answer))
        })
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        Box::pin(std::future::ready(Err(Error::bug("a call of the quarantine"))))
    }
}

/// As [`Supervisors::ask`], of a supervisor in the quarantine.
fn ask_elsewhere(
    handover: &Handover,
    app: &str,
    method: &str,
    argument: &Value,
) -> LocalBoxFuture<'static, Result<Value, Error>> {
    let request = Request {
        id: RequestId::new(),
        method: Method::POST,
        url: format!("http://quarantine/{method}"),
        headers: HeaderMap::new(),
        body: Body::Full(argument.to_string().into()),
    };
    let answer = handover.entrypoint(&format!("{QUESTIONS}{app}")).fetch(request);
    Box::pin(async move {
        let answer = answer.await?;
        let status = answer.status;
        let body = answer.body.collect(BODY_BYTES_MAX).await;
        let body = body.map_err(|error| Error::reset(error.to_string()))?;
        let value: Value = serde_json::from_slice(&body)
            .map_err(|_| Error::bug("the quarantine answered no JSON"))?;
        if status == StatusCode::OK {
            return Ok(value);
        }
        let text = |name: &str| value["error"][name].as_str().unwrap_or_default();
        let thrown = Thrown::new("Error", text("message")).caused_by(text("code"));
        Err(Error::AppThrew(thrown.into()))
    })
}

fn module_to_json(module: &Module) -> Value {
    match module {
        Module::Js(text) => json!({ "js": &**text }),
        Module::Text(text) => json!({ "text": &**text }),
        Module::Json(text) => json!({ "json": &**text }),
        Module::Cjs(text) => json!({ "cjs": &**text }),
        Module::Data(bytes) => json!({ "data": STANDARD.encode(bytes) }),
        Module::Wasm(bytes) => json!({ "wasm": STANDARD.encode(bytes) }),
    }
}

fn rejection(error: &Value) -> Rejection {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let at = &error["at"];
    let position = || {
        Some(SourcePosition {
            module: text(&at["module"])?,
            line: number(&at["line"])?,
            column: number(&at["col"])?,
        })
    };
    Rejection {
        code: text(&error["code"]).unwrap_or_else(|| "startup".into()),
        message: text(&error["message"]).unwrap_or_default(),
        at: position(),
        frame: text(&error["frame"]),
    }
}

/// What connections to the quarantine are for, followed by the name of an app.
const REQUESTS: &str = "requests ";
const QUESTIONS: &str = "questions ";

/// The question that is none: to erase all that an app stored.
const ERASE: &str = "erase";

/// The class of `js/host/app_runner.js`.
pub const CLASS: &str = "AppRunner";
