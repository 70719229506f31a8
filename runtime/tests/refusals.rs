//! What the admin API refuses before any code runs: every mistake has its stable code.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use serde_json::{Value, json};
use server::Server;
use server::client::{Answer, Ask};
use tempfile::tempdir;

const HELLO: &str = "export default { fetch() { return new Response('hello') } }";

fn put(app: &str) -> Ask {
    Ask::new("PUT", &format!("/v1/apps/{app}"))
}

fn refused(answer: &Answer, status: u16, code: &str, why: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{why}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{why}");
    assert!(answer.json()["error"]["message"].is_string(), "{why}");
}

#[test]
fn body_that_is_not_the_json_expected_is_refused() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "{\"main\": 1, \"modules\": {}}",
        "{\"main\": \"a.js\"}",
        "{\"main\": \"a.js\", \"modules\": {\"a.js\": {\"html\": \"x\"}}}",
        "{\"main\": \"a.js\", \"modules\": {\"a.js\": {\"js\": \"x\", \"text\": \"x\"}}}",
        "{\"main\": \"a.js\", \"modules\": {\"a.js\": \"\", \"b\": {\"data\": \"not base64!\"}}}",
        "{\"main\": \"a.js\", \"modules\": {\"a.js\": \"\"}, \"unknown\": 1}",
    ];
    for body in bodies {
        let ask = put("app").header("content-type", "application/json").body(body);
        refused(&server.admin(&ask), 400, "json", body);
    }
    let ask = put("app").header("content-type", "application/json").body("{\n  \"main\": ,}");
    assert_eq!(server.admin(&ask).json()["error"]["at"], json!({ "line": 2, "col": 11 }));
}

#[test]
fn main_module_must_be_there_and_be_javascript() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let refuse = |body: Value| {
        refused(&server.deploy_json("app", &body), 422, "main_missing", &body.to_string());
    };
    refuse(json!({ "main": "b.js", "modules": { "a.js": HELLO } }));
    refuse(json!({ "main": "a.js", "modules": {} }));
    refuse(json!({ "modules": { "a.js": HELLO } }));
    refuse(json!({ "main": "a.txt", "modules": { "a.txt": { "text": HELLO } } }));
}

#[test]
fn module_names_are_plain_relative_paths() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    for name in ["../a.js", "a/../b.js", "/a.js", "./a.js", "", "a//b.js", "a/", ".."] {
        let body = json!({ "main": "main.js", "modules": { "main.js": HELLO, name: "" } });
        refused(&server.deploy_json("app", &body), 422, "module_name", name);
    }
    for name in ["a/b/c.js", "..a.js", "a b.js", "☃.js"] {
        let body = json!({ "main": "main.js", "modules": { "main.js": HELLO, name: "" } });
        let answer = server.deploy_json("app", &body);
        assert!(answer.status < 300, "{name}: {}", answer.text());
    }
}

#[test]
fn code_over_64_mib_is_refused() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let modules = json!({ "a.js": HELLO, "b": { "text": "x".repeat((64 << 20) + 1) } });
    let body = json!({ "main": "a.js", "modules": modules });
    refused(&server.deploy_json("app", &body), 413, "code_too_large", "64 MiB and a byte");
}

#[test]
fn other_media_types_and_methods_are_refused() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    for kind in ["text/html", "multipart/form-data", "nonsense"] {
        let ask = put("app").header("content-type", kind).body(HELLO);
        refused(&server.admin(&ask), 415, "media_type", kind);
    }
    refused(&server.admin(&put("app").body(HELLO)), 415, "media_type", "none");
    let latin = put("app").header("content-type", "application/javascript").body([0xe9, 0x28]);
    refused(&server.admin(&latin), 415, "media_type", "not UTF-8");
    for (method, path) in [("POST", "/v1/apps/app"), ("PUT", "/v1/apps"), ("DELETE", "/v1/apps")] {
        let answer = server.admin(&Ask::new(method, path));
        refused(&answer, 405, "method_not_allowed", path);
        assert!(answer.header("allow").is_some(), "{path}");
    }
    for path in ["/", "/v1", "/v2/apps", "/v1/apps/a/b"] {
        refused(&server.admin(&Ask::get(path)), 404, "not_found", path);
    }
}

#[test]
fn app_names_are_dns_labels() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let long = "x".repeat(64);
    for name in ["Upper", "a_b", "-a", "a-", "a.b", "%2e%2e", "%C3%A9", &long] {
        let ask = put(name).header("content-type", "application/javascript").body(HELLO);
        refused(&server.admin(&ask), 400, "app_name", name);
    }
    for name in ["a", "0", "a-b", &"x".repeat(63)] {
        assert_eq!(server.deploy(name, HELLO).status, 201, "{name}");
        assert_eq!(server.text(name, "/"), "hello");
    }
}
