//! The REST API against an app host that only remembers what it was asked.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, WWW_AUTHENTICATE};
use worker::census::{Census, ObjectState, Presence};
use worker::code::Module;
use worker::error::{SourcePosition, StartError, StartStage, Thrown};

use super::*;
use crate::host::{DeployError, Deployed, Rejection};

/// Keeps the current deployment of each app; code with `@code` in it is rejected with it.
#[derive(Default)]
struct FakeHost {
    apps: RefCell<BTreeMap<String, (u64, Deployment)>>,
    crons: RefCell<Vec<(String, Vec<String>)>>,
}

struct Fixture {
    dir: tempfile::TempDir,
    host: Rc<FakeHost>,
    admin: Admin,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl AppHost for FakeHost {
    fn schedule(&self, crons: Vec<(String, Vec<String>)>) {
        *self.crons.borrow_mut() = crons;
    }

    fn deploy(
        &self,
        app: &str,
        deployment: Deployment,
    ) -> LocalBoxFuture<'static, Result<Deployed, DeployError>> {
        let Module::Js(source) = &deployment.modules[&deployment.main] else {
            panic!("the main module is JavaScript");
        };
        let at = SourcePosition { module: "app.js".into(), line: 3, column: 7 };
        let failure = match source.as_ref() {
            "@no_handler" => Some(DeployError::Rejected(Box::new(Rejection {
                code: "no_handler".into(),
                message: "nothing to call".into(),
                ..Rejection::default()
            }))),
            "@syntax" => Some(DeployError::Failed(Error::AppStart(
                StartError {
                    stage: StartStage::Syntax,
                    name: "SyntaxError".into(),
                    message: "Unexpected token".into(),
                    at: Some(at),
                    frame: Some("let =\n    ^".into()),
                }
                .into(),
            ))),
            "@overloaded" => Some(DeployError::Failed(Error::OverloadQueue { queued_max: 1 })),
            "@bug" => Some(DeployError::Failed(Error::bug("here"))),
            "@passed_on" => Some(DeployError::Failed(Error::AppThrew(
                Thrown::new("Error", "disk error").caused_by("storage").into(),
            ))),
            _ => None,
        };
        let result = match failure {
            Some(failure) => Err(failure),
            None => {
                let mut apps = self.apps.borrow_mut();
                let version = apps.get(app).map_or(1, |(version, _)| version + 1);
                apps.insert(app.to_owned(), (version, deployment));
                Ok(Deployed { version })
            }
        };
        std::future::ready(result).boxed_local()
    }

    fn describe(&self, app: &str) -> LocalBoxFuture<'static, Result<Option<Value>, Error>> {
        let described = self.apps.borrow().get(app).map(|(version, deployment)| {
            let modules: Vec<_> = deployment.modules.keys().collect();
            json!({ "version": version, "hash": deployment.hash, "modules": modules })
        });
        std::future::ready(Ok(described)).boxed_local()
    }

    fn limit(
        &self,
        _app: &str,
        change: Option<serde_json::Map<String, Value>>,
    ) -> LocalBoxFuture<'static, Result<Value, Error>> {
        std::future::ready(Ok(change.unwrap_or_default().into())).boxed_local()
    }

    fn remove(&self, app: &str) -> LocalBoxFuture<'static, Result<(), Error>> {
        self.apps.borrow_mut().remove(app);
        std::future::ready(Ok(())).boxed_local()
    }

    fn census(&self) -> LocalBoxFuture<'static, Result<Census, Error>> {
        let names = self.apps.borrow().keys().cloned().collect::<Vec<_>>();
        let objects = names.into_iter().map(|name| ObjectState {
            namespace: "AppRunner".into(),
            id: "00".into(),
            name: Some(name),
            facet: vec!["app".into()],
            presence: Presence::Running,
            shard: 0,
            alarm_ms: Some(5),
        });
        let census = Census { objects: objects.collect(), workers: 2 };
        std::future::ready(Ok(census)).boxed_local()
    }
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let host = Rc::new(FakeHost::default());
        let admin = Admin::new(AdminConfig {
            catalogue: Catalogue::open(dir.path()).unwrap(),
            host: host.clone(),
            token: Some(Token::new("secret")),
            admin_hosts: vec!["Admin.example".into()],
            public_authority: "localhost:8787".into(),
            limits: worker::limits::Limits::default().table(),
            now_ms: || 1_000,
        });
        Fixture { dir, host, admin }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        map.insert(HOST, "localhost:7070".parse().unwrap());
        map.insert(AUTHORIZATION, "Bearer secret".parse().unwrap());
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            match *value {
                "" => drop(map.remove(name)),
                value => drop(map.insert(name, value.parse().unwrap())),
            }
        }
        let request = Request {
            id: Default::default(),
            method: method.parse().unwrap(),
            url: format!("http://localhost:7070{path}"),
            headers: map,
            body: Body::from(body.to_owned()),
        };
        let response = self.admin.fetch(request).now_or_never().unwrap().unwrap();
        let body = response.body.collect(u64::MAX).now_or_never().unwrap().unwrap();
        Answer {
            status: response.status.as_u16(),
            headers: response.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    fn put_json(&self, app: &str, body: &str) -> Answer {
        let headers = [(CONTENT_TYPE.as_str(), "application/json; charset=utf-8")];
        self.send("PUT", &format!("/v1/apps/{app}"), &headers, body)
    }

    fn put_js(&self, app: &str, source: &str) -> Answer {
        let headers = [(CONTENT_TYPE.as_str(), "text/javascript")];
        self.send("PUT", &format!("/v1/apps/{app}"), &headers, source)
    }
}

impl Answer {
    #[track_caller]
    fn is_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, &self.body["error"]["code"]), (status, &json!(code)));
        assert!(self.body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
}

#[test]
fn an_app_lives_from_put_to_delete() {
    let fixture = Fixture::new();
    let created = fixture.put_js("blog", "export default 1");
    assert_eq!(created.status, 201);
    assert_eq!(created.body["app"], "blog");
    assert_eq!(created.body["version"], 1);
    assert_eq!(created.body["url"], "http://blog.localhost:8787/");
    assert_eq!(created.body["hash"].as_str().unwrap().len(), 64);

    let updated = fixture.put_js("blog", "export default 2");
    assert_eq!((updated.status, &updated.body["version"]), (200, &json!(2)));
    assert_ne!(updated.body["hash"], created.body["hash"]);

    let described = fixture.send("GET", "/v1/apps/blog", &[], "");
    assert_eq!(described.status, 200);
    assert_eq!(described.body["modules"], json!(["app.js"]));
    assert_eq!(described.body["created"], "1970-01-01T00:00:01.000Z");
    let listed = fixture.send("GET", "/v1/apps?x", &[], "");
    assert_eq!(listed.body["apps"][0]["app"], "blog");
    assert!(Catalogue::open(fixture.dir.path()).unwrap().contains("blog"));

    assert_eq!(fixture.send("DELETE", "/v1/apps/blog", &[], "").status, 204);
    fixture.send("DELETE", "/v1/apps/blog", &[], "").is_error(404, "not_found");
    fixture.send("GET", "/v1/apps/blog", &[], "").is_error(404, "not_found");
    assert!(!Catalogue::open(fixture.dir.path()).unwrap().contains("blog"));
}

#[test]
fn the_same_submission_again_keeps_its_version() {
    let fixture = Fixture::new();
    let body = |vars| format!(r#"{{"main":"a.js","modules":{{"a.js":"1"}},"vars":{vars}}}"#);
    assert_eq!(fixture.put_json("a", &body(r#"{"A":1,"B":2}"#)).status, 201);
    let again = fixture.put_json("a", &body(r#"{"B":2,"A":1}"#));
    assert_eq!((again.status, &again.body["version"]), (200, &json!(1)));
    let changed = fixture.put_json("a", &body(r#"{"A":1}"#));
    assert_eq!((changed.status, &changed.body["version"]), (200, &json!(2)));
}

#[test]
fn a_deployment_that_was_never_recorded_is_not_taken_for_the_recorded_one() {
    // The process ended between the start of version 2 and its entry in the catalogue.
    let fixture = Fixture::new();
    fixture.put_js("a", "one");
    let recorded = fixture.admin.state.catalogue.app("a").unwrap();
    fixture.put_js("a", "two");
    fixture.admin.state.catalogue.put(&AppName::new("a").unwrap(), recorded).unwrap();
    assert_eq!(fixture.put_js("a", "one").body["version"], 3);
}

#[test]
fn every_kind_of_module_arrives_as_what_it_is() {
    let fixture = Fixture::new();
    let answer = fixture.put_json(
        "a",
        r#"{"main":"a.js","modules":{"a.js":{"js":"1"},"t/t.txt":{"text":"é"},
            "j.json":{"json":{"k":[1]}},"d.bin":{"data":"AAH/"}}}"#,
    );
    assert_eq!(answer.status, 201);
    let apps = fixture.host.apps.borrow();
    let modules = &apps["a"].1.modules;
    assert!(matches!(&modules["t/t.txt"], Module::Text(text) if **text == *"é"));
    assert!(matches!(&modules["j.json"], Module::Json(text) if **text == *r#"{"k":[1]}"#));
    assert!(matches!(&modules["d.bin"], Module::Data(bytes) if bytes[..] == [0, 1, 255]));
}

#[test]
fn bodies_that_are_not_the_expected_json_say_where() {
    let fixture = Fixture::new();
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"main":"a.js"}"#,
        r#"{"main":1,"modules":{}}"#,
        r#"{"modules":{"a.js":1}}"#,
        r#"{"modules":{"a.js":{}}}"#,
        r#"{"modules":{"a.js":{"py":""}}}"#,
        r#"{"modules":{"a.js":{"js":"","text":""}}}"#,
        r#"{"modules":{"a.js":"","a.js":""}}"#,
        r#"{"modules":{"a.js":{"data":"*"}}}"#,
        r#"{"main":"a.js","modules":{"a.js":""},"vars":[]}"#,
        r#"{"main":"a.js","modules":{"a.js":""},"extra":1}"#,
    ] {
        let answer = fixture.put_json("a", body);
        answer.is_error(400, "json");
        assert!(answer.body["error"]["at"]["line"].is_u64(), "{body}");
    }
}

#[test]
fn code_that_cannot_run_is_refused_before_it_is_deployed() {
    let fixture = Fixture::new();
    for (code, body) in [
        ("main_missing", r#"{"modules":{}}"#),
        ("main_missing", r#"{"modules":{"a.js":""}}"#),
        ("main_missing", r#"{"main":"b.js","modules":{"a.js":""}}"#),
        ("main_missing", r#"{"main":"a","modules":{"a":{"text":""}}}"#),
        ("module_name", r#"{"main":"../a.js","modules":{"../a.js":""}}"#),
        ("module_name", r#"{"main":"a.js","modules":{"a.js":"","/etc/passwd":""}}"#),
        ("module_name", r#"{"main":"a.js","modules":{"a.js":"","":""}}"#),
    ] {
        fixture.put_json("a", body).is_error(422, code);
    }
    fixture.put_js("a", &"a".repeat((64 << 20) + 1)).is_error(413, "code_too_large");
    fixture.put_js("a", &"a".repeat((128 << 20) + 1)).is_error(413, "body_too_large");
    fixture.send("PUT", "/v1/apps/a", &[], "x").is_error(415, "media_type");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    fixture.send("PUT", "/v1/apps/a", &form, "x").is_error(415, "media_type");
    assert!(fixture.host.apps.borrow().is_empty());
}

#[test]
fn failures_of_a_deployment_keep_their_code_and_place() {
    let fixture = Fixture::new();
    let syntax = fixture.put_js("a", "@syntax");
    syntax.is_error(422, "syntax");
    let error = &syntax.body["error"];
    assert_eq!(error["message"], "SyntaxError: Unexpected token");
    assert_eq!(error["at"], json!({ "module": "app.js", "line": 3, "col": 7 }));
    assert_eq!(error["frame"], "let =\n    ^");
    fixture.put_js("a", "@no_handler").is_error(422, "no_handler");
    fixture.put_js("a", "@overloaded").is_error(503, "overloaded");
    fixture.put_js("a", "@bug").is_error(500, "internal");
    fixture.put_js("a", "@passed_on").is_error(500, "storage");
    assert!(!fixture.admin.state.catalogue.contains("a"));
}

#[test]
fn names_methods_and_paths_are_checked() {
    let fixture = Fixture::new();
    for name in ["A", "-a", "a.b", "%2e%2e", "", &"a".repeat(64)] {
        fixture.put_js(name, "1").is_error(400, "app_name");
    }
    let post = fixture.send("POST", "/v1/apps/a", &[], "");
    post.is_error(405, "method_not_allowed");
    assert_eq!(post.headers[ALLOW], "GET, HEAD, PUT, DELETE");
    fixture.send("PUT", "/v1/apps", &[], "").is_error(405, "method_not_allowed");
    for path in ["/", "/v1", "/v1/apps/a/b", "/v2/apps", "//v1/apps"] {
        fixture.send("GET", path, &[], "").is_error(404, "not_found");
    }
}

#[test]
fn only_the_token_opens_the_api() {
    let fixture = Fixture::new();
    for sent in ["", "secret", "Basic secret", "Bearer", "Bearer Secret", "Bearer secret2"] {
        let answer = fixture.send("GET", "/v1/apps", &[("authorization", sent)], "");
        answer.is_error(401, "unauthorized");
        assert!(answer.headers.contains_key(WWW_AUTHENTICATE));
        let unknown = fixture.send("GET", "/nowhere", &[("authorization", sent)], "");
        unknown.is_error(401, "unauthorized");
    }
    let lower = [("authorization", "bearer secret")];
    assert_eq!(fixture.send("GET", "/v1/apps", &lower, "").status, 200);
    let none = [("authorization", "")];
    assert_eq!(fixture.send("GET", "/v1/healthz", &none, "").status, 200);
}

#[test]
fn other_hosts_and_origins_are_refused_even_with_the_token() {
    let fixture = Fixture::new();
    for host in ["127.0.0.1", "[::1]:7070", "LOCALHOST:1", "admin.example:7070"] {
        assert_eq!(fixture.send("GET", "/v1/apps", &[(HOST.as_str(), host)], "").status, 200);
    }
    for host in ["", "evil.com", "localhost.evil.com", "evil.com:7070", "[::2]", "[::1"] {
        for path in ["/v1/apps", "/v1/healthz"] {
            fixture.send("GET", path, &[(HOST.as_str(), host)], "").is_error(403, "forbidden_host");
        }
    }
    let own = [(ORIGIN.as_str(), "http://localhost:7070")];
    assert_eq!(fixture.send("GET", "/v1/apps", &own, "").status, 200);
    for origin in ["null", "http://localhost:8787", "https://localhost:7070", "http://evil.com"] {
        let origin = [(ORIGIN.as_str(), origin)];
        fixture.send("GET", "/v1/apps", &origin, "").is_error(403, "forbidden_origin");
    }
}

#[test]
fn crons_are_those_of_the_apps_there_are() {
    let fixture = Fixture::new();
    let json = [("content-type", "application/json")];
    let put = |app: &str, more: &str| {
        let body = format!(r#"{{"main":"a.js","modules":{{"a.js":"1"}}{more}}}"#);
        fixture.send("PUT", &format!("/v1/apps/{app}"), &json, &body)
    };
    let scheduled = || fixture.host.crons.borrow().clone();
    let every = |minutes: u32| vec![format!("*/{minutes} * * * *")];
    assert_eq!(put("a", r#","crons":["*/5 * * * *"]"#).status, 201);
    assert_eq!(put("b", "").status, 201);
    assert_eq!(scheduled(), [("a".to_owned(), every(5))]);
    let described = fixture.send("GET", "/v1/apps/a", &[], "");
    assert_eq!(described.body["crons"], json!(["*/5 * * * *"]));
    let hash = described.body["hash"].clone();
    assert_ne!(put("a", r#","crons":["*/6 * * * *"]"#).body["hash"], hash);
    assert_eq!(scheduled(), [("a".to_owned(), every(6))]);
    put("c", r#","crons":["soon"]"#).is_error(422, "cron");
    put("c", r#","rpc":{"path":"rpc"}"#).is_error(422, "rpc_path");
    put("c", r#","rpc":{"path":"/a/../b"}"#).is_error(422, "rpc_path");
    put("c", r#","rpc":"/rpc""#).is_error(400, "json");
    assert_eq!(put("c", r#","rpc":{"path":"/rpc"}"#).status, 201);
    assert_eq!(fixture.send("DELETE", "/v1/apps/a", &[], "").status, 204);
    assert!(scheduled().is_empty());
}
