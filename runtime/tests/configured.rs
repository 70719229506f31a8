//! `beryl run` with configuration files: where data lies, what migrations do to it, and which
//! configurations do not start.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use server::client::Ask;
use server::{Ended, Server, beryl, ended};

/// A worker that counts in an object of class `Room`, or of the class that `CLASS` names.
const COUNTER: &str = r#"
import { DurableObject } from "cloudflare:workers";
class Counter extends DurableObject {
  next() {
    const n = (this.ctx.storage.kv.get("n") ?? 0) + 1;
    this.ctx.storage.kv.put("n", n);
    return n;
  }
}
export class Room extends Counter {}
export class Channel extends Counter {}
export default {
  async fetch(request, env) {
    const answer = {};
    for (const name of Object.keys(env)) answer[name] = await env[name].getByName("a").next();
    return Response.json(answer);
  },
};
"#;

/// A scratch project whose configuration can be rewritten between runs.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new(source: &str) -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("index.js"), source).unwrap();
        Scratch(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn configure(&self, more: &Value) {
        let mut all = json!({ "name": "chat", "main": "index.js" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fs::write(self.path("wrangler.jsonc"), format!("// chat\n{all}")).unwrap();
    }

    /// Starts, asks once and stops: what was answered.
    fn answer(&self) -> Value {
        let server = Server::run(self.0.path(), &self.path("data"), 1, &[]);
        let answer = server.ask(&Ask::get("/"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(server.stop().code(), Some(0));
        serde_json::from_str(&answer.text()).unwrap()
    }

    /// A start that fails.
    fn refused(&self, more: &[&str]) -> Ended {
        let mut command = beryl("run");
        command.arg(self.0.path()).arg("--data").arg(self.path("data")).args(["--port", "0"]);
        ended(command.args(more))
    }
}

fn bindings(classes: &[(&str, &str)]) -> Value {
    let binding = |(name, class): &(&str, &str)| json!({ "name": name, "class_name": class });
    json!({ "bindings": classes.iter().map(binding).collect::<Vec<_>>() })
}

#[track_caller]
fn says(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.output);
    for text in texts {
        assert!(ended.output.contains(text), "{text:?} is not in: {}", ended.output);
    }
}

fn databases(folder: &Path) -> usize {
    let files = fs::read_dir(folder).into_iter().flatten();
    files.filter(|file| file.as_ref().unwrap().path().extension().unwrap() == "sqlite").count()
}

#[test]
fn objects_survive_the_renaming_of_their_class_and_end_with_its_deletion() {
    let scratch = Scratch::new(COUNTER);
    let created = json!({ "tag": "v1", "new_sqlite_classes": ["Room"] });
    scratch.configure(&json!({
        "durable_objects": bindings(&[("ROOMS", "Room")]),
        "migrations": [created],
    }));
    assert_eq!(scratch.answer(), json!({ "ROOMS": 1 }));
    assert_eq!(scratch.answer(), json!({ "ROOMS": 2 }));
    let folder = scratch.path("data").join("do/chat-Room");
    assert_eq!(databases(&folder), 1);

    let renamed = json!({ "tag": "v2", "renamed_classes": [{ "from": "Room", "to": "Channel" }] });
    scratch.configure(&json!({
        "durable_objects": bindings(&[("CHANNELS", "Channel")]),
        "migrations": [created, renamed],
    }));
    assert_eq!(scratch.answer(), json!({ "CHANNELS": 3 }));

    let again = json!({ "tag": "v3", "new_sqlite_classes": ["Room"] });
    let both = bindings(&[("CHANNELS", "Channel"), ("ROOMS", "Room")]);
    scratch.configure(&json!({ "durable_objects": both, "migrations": [created, renamed, again] }));
    assert_eq!(scratch.answer(), json!({ "CHANNELS": 4, "ROOMS": 1 }));

    let deleted = json!({ "tag": "v4", "deleted_classes": ["Channel"] });
    scratch.configure(&json!({
        "durable_objects": bindings(&[("ROOMS", "Room")]),
        "migrations": [created, renamed, again, deleted],
    }));
    assert_eq!(scratch.answer(), json!({ "ROOMS": 2 }));
    assert!(!folder.exists(), "the data of the deleted class is gone");

    scratch.configure(&json!({ "migrations": [created] }));
    says(&scratch.refused(&[]), 1, &["\"v4\"", "--data"]);
}

#[test]
fn a_main_module_in_typescript_brings_what_it_imports_and_nothing_else() {
    let scratch = Scratch::new("");
    scratch.configure(&json!({ "main": "src/index.ts", "vars": { "NAME": "types" } }));
    fs::create_dir_all(scratch.path("src/parts")).unwrap();
    let main = r#"import { greet, type Greeting } from "./parts/greet";
        import text from "./note.txt";
        interface Env { NAME: string }
        export default {
          fetch(_request: Request, env: Env): Response {
            const greeting: Greeting = greet(env.NAME);
            return Response.json({ greeting, text } satisfies object);
          },
        };"#;
    fs::write(scratch.path("src/index.ts"), main).unwrap();
    let part = "export type Greeting = string;
        export const greet = (name: string): Greeting => `hello ${name}`;";
    fs::write(scratch.path("src/parts/greet.ts"), part).unwrap();
    fs::write(scratch.path("src/note.txt"), "note").unwrap();
    fs::write(scratch.path("src/unused.ts"), "this is no TypeScript").unwrap();
    assert_eq!(scratch.answer(), json!({ "greeting": "hello types", "text": "note" }));
}

#[test]
fn variables_typed_win_over_secrets_and_those_over_the_configuration() {
    let source = "export default { fetch: (_, env) => Response.json(env) }";
    let scratch = Scratch::new(source);
    scratch.configure(&json!({ "vars": { "A": "file", "B": "file", "C": { "d": 1 } } }));
    fs::write(scratch.path(".dev.vars"), "A=secret\nB=secret\n").unwrap();
    let server = Server::run(scratch.0.path(), &scratch.path("data"), 1, &["--var", "B=typed"]);
    let answer: Value = serde_json::from_str(&server.ask(&Ask::get("/")).text()).unwrap();
    assert_eq!(answer, json!({ "A": "secret", "B": "typed", "C": { "d": 1 } }));
}

#[test]
fn bundled_code_takes_the_place_of_the_source() {
    let scratch = Scratch::new("import { gone } from \"a-package\"; export default {}");
    scratch.configure(&json!({ "main": "index.js", "define": { "DEBUG": "false" } }));
    fs::create_dir(scratch.path("dist")).unwrap();
    let bundled = "export default { fetch: () => new Response(\"bundled\") }";
    fs::write(scratch.path("dist/index.js"), bundled).unwrap();
    says(&scratch.refused(&[]), 2, &["define", "--bundle dist"]);
    let dist = scratch.path("dist").to_str().unwrap().to_owned();
    let server = Server::run(scratch.0.path(), &scratch.path("data"), 1, &["--bundle", &dist]);
    assert_eq!(server.ask(&Ask::get("/")).text(), "bundled");
}

#[test]
fn a_configuration_that_cannot_be_honoured_does_not_start() {
    let scratch = Scratch::new(COUNTER);
    let refused = |more: Value, code: i32, texts: &[&str]| {
        scratch.configure(&more);
        says(&scratch.refused(&[]), code, texts);
    };
    refused(
        json!({ "kv_namespaces": [{ "binding": "KV" }] }),
        2,
        &["wrangler.jsonc:2", "kv_names"],
    );
    let missing = bindings(&[("A", "Absent")]);
    refused(json!({ "durable_objects": missing }), 1, &["\"chat\"", "class: Absent"]);
    let service = json!([{ "binding": "A", "service": "auth" }]);
    refused(json!({ "services": service }), 2, &["\"auth\"", "configuration file as well"]);
    let service = json!([{ "binding": "A", "service": "chat", "entrypoint": "Nobody" }]);
    refused(json!({ "services": service }), 1, &["no such entrypoint: Nobody"]);
    fs::write(scratch.path("index.js"), "import \"hono\"; export default {}").unwrap();
    refused(json!({}), 1, &["No such module \"hono\"", "wrangler deploy --dry-run"]);
}
