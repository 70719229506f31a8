//! `beryl serve` as its documents say: who may use the admin API, what it answers, how apps are
//! reached, and what becomes of their data. `docs/rest.md` and `docs/errors.md` are the contract.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use server::client::{Answer, Ask};
use server::{Server, beryl, ended, serve, wait_for};
use tempfile::tempdir;

/// Counts its requests and says of which version it is.
fn counter(version: &str) -> String {
    format!(
        "import {{ DurableObject }} from 'cloudflare:workers';
        export class App extends DurableObject {{
          fetch() {{
            const count = (this.ctx.storage.kv.get('count') ?? 0) + 1;
            this.ctx.storage.kv.put('count', count);
            return new Response('{version} ' + count);
          }}
        }}"
    )
}

const HELLO: &str = "export default { fetch() { return new Response('hello') } }";

#[test]
fn token_is_private_printed_once_and_required() {
    let data = tempdir().unwrap();
    let file = data.path().join("admin-token");
    let server = Server::start(&mut serve(data.path()));
    let token = fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(token.len() >= 32, "a token of {} characters", token.len());
    assert!(server.output().contains(&token), "printed at the first start");

    let with = |token: &str| Ask::get("/v1/apps").header("authorization", token);
    for ask in [Ask::get("/v1/apps"), with("Bearer nonsense"), with(&token), with("Bearer ")] {
        let answer = server.admin(&ask);
        assert_eq!((answer.status, answer.code()), (401, "unauthorized".to_owned()), "{ask:?}");
    }
    assert_eq!(server.admin(&with(&format!("Bearer {token}"))).status, 200);
    let health = server.admin(&Ask::get("/v1/healthz"));
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("ok")));

    server.stop();
    let again = Server::start(&mut serve(data.path()));
    assert!(!again.output().contains(&token), "printed a second time");
    assert_eq!(again.admin(&with(&format!("Bearer {token}"))).status, 200);
}

#[test]
fn web_pages_of_others_cannot_use_the_admin_api() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let rebound = server.admin(&Ask::get("/v1/apps").host("evil.example"));
    assert_eq!((rebound.status, rebound.code()), (403, "forbidden_host".to_owned()));
    let foreign = Ask::get("/v1/apps").header("origin", "https://evil.example");
    let foreign = server.admin(&foreign);
    assert_eq!((foreign.status, foreign.code()), (403, "forbidden_origin".to_owned()));
    for host in ["localhost", "127.0.0.1", "localhost:7070"] {
        assert_eq!(server.admin(&Ask::get("/v1/apps").host(host)).status, 200, "{host}");
    }
}

#[test]
fn no_auth_is_for_loopback_only() {
    let data = tempdir().unwrap();
    let args = ["--no-auth", "--host", "0.0.0.0", "--port", "0", "--admin-port", "0"];
    let refused = ended(beryl("serve").arg("--data").arg(data.path()).args(args));
    assert_eq!(refused.code, Some(2), "{}", refused.output);
    assert!(refused.output.contains("--no-auth"), "{}", refused.output);
}

#[test]
fn app_is_deployed_listed_and_deleted() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let answer = server.deploy("counter", &counter("one"));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let deployed = answer.json();
    assert_eq!((&deployed["app"], &deployed["version"]), (&json!("counter"), &json!(1)));
    assert_eq!(deployed["hash"].as_str().unwrap().len(), 64);
    assert_eq!(deployed["url"], format!("http://counter.localhost:{}/", server.port));

    let shown = server.admin(&Ask::get("/v1/apps/counter")).json();
    assert_eq!(shown["modules"], json!(["app.js"]));
    for key in ["app", "version", "hash", "url"] {
        assert_eq!(shown[key], deployed[key], "{key}");
    }
    let list = server.admin(&Ask::get("/v1/apps")).json();
    assert_eq!(list["apps"].as_array().unwrap().len(), 1);
    for key in ["app", "version", "hash", "url"] {
        assert_eq!(list["apps"][0][key], deployed[key], "{key}");
    }
    for time in [&shown["created"], &list["apps"][0]["updated"]] {
        let time = time.as_str().unwrap();
        assert!(time.len() >= 20 && time.ends_with('Z') && time.contains('T'), "{time}");
    }

    assert_eq!(server.admin(&Ask::new("DELETE", "/v1/apps/counter")).status, 204);
    assert_eq!(server.admin(&Ask::get("/v1/apps")).json(), json!({ "apps": [] }));
    for ask in [Ask::get("/v1/apps/counter"), Ask::new("DELETE", "/v1/apps/counter")] {
        let answer = server.admin(&ask);
        assert_eq!((answer.status, answer.code()), (404, "not_found".to_owned()), "{ask:?}");
    }
    let gone = server.ask(&Ask::get("/").host("counter.localhost"));
    assert_eq!((gone.status, gone.code()), (404, "not_found".to_owned()));
}

#[test]
fn delete_erases_the_data() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.deploy("counter", &counter("one"));
    assert_eq!(server.text("counter", "/"), "one 1");
    assert_eq!(server.text("counter", "/"), "one 2");
    server.admin(&Ask::new("DELETE", "/v1/apps/counter"));
    let again = server.deploy("counter", &counter("one"));
    assert_eq!(again.status, 201, "{}", again.text());
    assert_eq!(server.text("counter", "/"), "one 1");
}

#[test]
fn update_takes_over_and_keeps_the_data() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.deploy("counter", &counter("one"));
    assert_eq!(server.text("counter", "/"), "one 1");
    let answer = server.deploy("counter", &counter("two"));
    assert_eq!((answer.status, &answer.json()["version"]), (200, &json!(2)));
    assert_eq!(server.text("counter", "/"), "two 2");
    let same = server.deploy("counter", &counter("two"));
    assert_eq!((same.status, &same.json()["version"]), (200, &json!(2)), "nothing new");
    assert_eq!(server.text("counter", "/"), "two 3");

    server.stop();
    let server = Server::serve(data.path(), &[]);
    assert_eq!(server.text("counter", "/"), "two 4");
    let shown = server.admin(&Ask::get("/v1/apps/counter")).json();
    assert_eq!(shown["version"], 2);
}

#[test]
fn broken_version_leaves_the_old_one_serving() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.deploy("counter", &counter("one"));
    assert_eq!(server.text("counter", "/"), "one 1");
    for broken in ["export class App {", "throw new Error('x')", "import './none.js'", "0"] {
        let answer = server.deploy("counter", broken);
        assert_eq!(answer.status, 422, "{broken}: {}", answer.text());
    }
    assert_eq!(server.text("counter", "/"), "one 2");
    assert_eq!(server.admin(&Ask::get("/v1/apps/counter")).json()["version"], 1);
    let answer = server.deploy("counter", &counter("two"));
    assert_eq!((answer.status, &answer.json()["version"]), (200, &json!(2)));
    assert_eq!(server.text("counter", "/"), "two 3");
}

#[test]
fn app_may_be_a_plain_fetch_handler_or_any_one_class() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let put = Ask::new("PUT", "/v1/apps/plain");
    let script = put.header("content-type", "application/javascript").body(HELLO);
    assert_eq!(server.admin(&script).status, 201);
    assert_eq!(server.text("plain", "/"), "hello");

    let renamed = counter("named").replace("class App", "class Counter");
    assert_eq!(server.deploy("named", &renamed).status, 201);
    assert_eq!(server.text("named", "/"), "named 1");
    let entrypoint = "import { WorkerEntrypoint } from 'cloudflare:workers';
        export default class extends WorkerEntrypoint {
          fetch() { return new Response('entrypoint ' + this.env.NAME) } }";
    let body = json!({
        "main": "app.js", "modules": { "app.js": entrypoint }, "vars": { "NAME": "one" } });
    assert_eq!(server.deploy_json("entrypoint", &body).status, 201);
    assert_eq!(server.text("entrypoint", "/"), "entrypoint one");
}

#[test]
fn app_has_modules_of_every_kind_and_its_vars() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let main = "import who from './lib/who.js'; import text from './a.txt';
        import value from './a.json'; import bytes from './a.bin';
        export default { fetch(_, env) { return Response.json(
          [who, text, value, [...new Uint8Array(bytes)], env.GREETING, env.N]) } }";
    let body = json!({
        "main": "main.js",
        "modules": {
            "main.js": { "js": main },
            "lib/who.js": "export { default } from '../who.js'",
            "who.js": "export default 'who'",
            "a.txt": { "text": "text ☃" },
            "a.json": { "json": { "a": [1, null] } },
            "a.bin": { "data": "AQL/" },
        },
        "vars": { "GREETING": "hello", "N": { "deep": [1] } },
    });
    let answer = server.deploy_json("kinds", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let expected =
        json!(["who", "text ☃", { "a": [1, null] }, [1, 2, 255], "hello", { "deep": [1] }]);
    let got: Value = serde_json::from_str(&server.text("kinds", "/")).unwrap();
    assert_eq!(got, expected);
}

#[test]
fn app_is_reached_by_host_and_by_path() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--base-domain", "apps.example.com"]);
    let source = "export default { fetch(request) { return new Response(request.url) } }";
    server.deploy("where", source);
    let ask = |host: &str, path: &str| server.ask(&Ask::get(path).host(host));
    for host in ["where.localhost:8787", "where.apps.example.com", "WHERE.localhost"] {
        let answer = ask(host, "/a?b=1");
        assert_eq!(answer.status, 200, "{host}: {}", answer.text());
        assert!(answer.text().ends_with("/a?b=1"), "{host}: {}", answer.text());
    }
    let by_path = ask("localhost:8787", "/apps/where/a?b=1");
    assert!(by_path.text().ends_with("/a?b=1"), "{}", by_path.text());
    assert!(!by_path.text().contains("/apps/where"), "{}", by_path.text());
    for (host, path) in [
        ("absent.localhost", "/"),
        ("localhost", "/"),
        ("localhost", "/apps/absent/"),
        ("other.example", "/"),
    ] {
        let answer = ask(host, path);
        assert_eq!((answer.status, answer.code()), (404, "not_found".to_owned()), "{host}{path}");
    }
}

#[test]
fn code_that_does_not_start_is_refused_with_its_place() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let syntax = server.deploy("broken", "const a = 1;\nexport default { a b }");
    refusal(&syntax, "syntax", json!({ "module": "app.js", "line": 2, "col": 20 }));
    let error = syntax.json()["error"].clone();
    assert_eq!(error["message"], "SyntaxError: Unexpected identifier 'b'");
    let frame = error["frame"].as_str().unwrap();
    let (line, mark) = frame.split_once('\n').unwrap();
    assert!(line.ends_with("export default { a b }"), "{frame}");
    assert_eq!(mark.find('^'), line.rfind('b'), "{frame}");

    let absent = server.deploy("broken", "export default {};\nimport './absent.js';");
    refusal(&absent, "link", json!({ "module": "app.js", "line": 2 }));
    let export = server.deploy("broken", "import { DurableThing } from 'cloudflare:workers';");
    refusal(&export, "link", json!({ "module": "app.js", "line": 1 }));
    let startup = server.deploy("broken", "\nthrow new RangeError('too early')");
    refusal(&startup, "startup", json!({ "module": "app.js", "line": 2 }));
    assert_eq!(startup.json()["error"]["message"], "RangeError: too early");

    for nothing in ["export const a = 1", "export default {}", "export class App {}", ""] {
        let answer = server.deploy("broken", nothing);
        assert_eq!((answer.status, answer.code()), (422, "no_handler".to_owned()), "{nothing:?}");
    }
    assert_eq!(server.admin(&Ask::get("/v1/apps/broken")).status, 404);
    assert_eq!(server.ask(&Ask::get("/").host("broken.localhost")).status, 404);
}

/// Asserts the code, a message, a frame and the named fields of the place.
fn refusal(answer: &Answer, code: &str, place: Value) {
    assert_eq!((answer.status, answer.code().as_str()), (422, code), "{}", answer.text());
    let error = &answer.json()["error"];
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    for (key, value) in place.as_object().unwrap() {
        assert_eq!(error["at"][key], *value, "{key} in {error}");
    }
    assert!(error["at"]["col"].as_u64().is_some_and(|col| col > 0), "{error}");
    assert!(error["frame"].as_str().is_some_and(|frame| frame.contains('^')), "{error}");
}

#[test]
fn console_output_names_app_version_and_request() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--log-format", "json"]);
    let source = "export default { async fetch(request) {
        console.warn('written by', new URL(request.url).pathname);
        await scheduler.wait(1);
        console.log('written', { later: true });
        return new Response('done');
      } }";
    server.deploy("talker", source);
    assert_eq!(server.text("talker", "/here"), "done");
    let line = |text: &str| {
        wait_for("the line in the log", || {
            let output = server.output();
            let lines = output.lines().filter_map(|line| serde_json::from_str(line).ok());
            let mut lines = lines.filter(|line: &Value| line["target"] == "app");
            lines.find(|line| line["fields"]["message"].as_str().unwrap().contains(text))
        })
    };
    let (first, second) = (line("written by /here"), line("later"));
    assert_eq!((&first["level"], &second["level"]), (&json!("WARN"), &json!("INFO")));
    for line in [&first, &second] {
        assert_eq!(line["fields"]["app"], "talker", "{line}");
        assert!(line["fields"]["version"].as_str().unwrap().starts_with('1'), "{line}");
        assert!(!line["fields"]["request"].as_str().unwrap().is_empty(), "{line}");
    }
    assert_eq!(first["fields"]["request"], second["fields"]["request"]);
}
