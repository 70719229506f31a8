//! The apps in `test_apps/` and what `expect.json` says they answer.
//!
//! `{"about", "vars"?, "workers"?, "bundle"?, "steps"}`; `workers` are configuration files to run
//! instead of `worker.js`, the served one first; `bundle` is a module that is made into `worker.js`
//! with the packages it imports, see [`super::bundle`]; a step is `{"restart": true}` or a
//! `request` with the `response` it must get, or something done with a WebSocket, see
//! [`super::socket`]. `body` is compared as text, `json` as JSON, and of `headers` those that are
//! named. `rules` names what the step shows, for `docs/conformance.md`. `differs` says why workerd
//! does not give the same response; a step without it holds there too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bundle::bundle;
use super::client::{Answer, Ask};

/// One folder of `test_apps/`.
pub struct App {
    /// The folder's name.
    pub name: String,
    /// The folder its files are run from.
    pub folder: PathBuf,
    expect: Value,
}

/// One step.
pub enum Step<'a> {
    /// The server is stopped and started again on the same data.
    Restart,
    /// A request and what it must get.
    Exchange(&'a Value),
    /// Something done with a WebSocket.
    Socket(&'a Value),
}

impl App {
    /// Every app; one without `expect.json` is an error.
    pub fn all() -> Vec<App> {
        let apps = root().join("test_apps");
        let mut all: Vec<App> = fs::read_dir(&apps)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            // The catalogue of attacks is run by `hostile.rs`.
            .filter(|path| !path.ends_with("hostile") && !path.ends_with("node_modules"))
            .map(App::read)
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(!all.is_empty(), "no apps in {}", apps.display());
        all
    }

    fn read(folder: PathBuf) -> App {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let path = folder.join("expect.json");
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; say what it must do", path.display()));
        let expect: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(expect["steps"].is_array(), "{}: no steps", path.display());
        let folder = match expect["bundle"].as_str() {
            Some(module) => bundle(&name, &folder.join(module)),
            None => folder,
        };
        App { name, folder, expect }
    }

    /// The worker script, or the configuration of the worker that is served.
    pub fn script(&self) -> PathBuf {
        self.workers().next().unwrap_or_else(|| self.folder.join("worker.js"))
    }

    /// The other configurations, and its variables as flags of `beryl run`.
    pub fn arguments(&self) -> Vec<String> {
        let others = self.workers().skip(1).map(|file| file.to_str().unwrap().to_owned());
        let vars = self.expect["vars"].as_object().into_iter().flatten();
        let var =
            |(key, value): (&String, &Value)| format!("--var={key}={}", value.as_str().unwrap());
        let flags = self.expect["compatibilityFlags"].as_array().into_iter().flatten();
        let flag = |flag: &Value| format!("--compatibility-flag={}", flag.as_str().unwrap());
        others.chain(vars.map(var)).chain(flags.map(flag)).collect()
    }

    fn workers(&self) -> impl Iterator<Item = PathBuf> {
        let files = self.expect["workers"].as_array().into_iter().flatten();
        files.map(|file| self.folder.join(file.as_str().unwrap()))
    }

    /// The script of the server that its worker fetches from, if it has one.
    pub fn upstream(&self) -> Option<PathBuf> {
        Some(self.folder.join("upstream.js")).filter(|script| script.is_file())
    }

    /// What to do, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.expect["steps"].as_array().unwrap().iter().map(|step| match step {
            step if step["restart"] == true => Step::Restart,
            step if step["open"].is_string() || step["on"].is_string() => Step::Socket(step),
            step => Step::Exchange(step),
        })
    }
}

/// The request of a step.
pub fn ask(step: &Value) -> Ask {
    let request = &step["request"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let method = text(&request["method"]).expect("a request has a method");
    let path = text(&request["path"]).expect("a request has a path");
    let mut ask = Ask::new(&method, &path).host("app.example");
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        ask = ask.header(name, value.as_str().unwrap());
    }
    match text(&request["body"]) {
        Some(body) => ask.body(body),
        None => ask,
    }
}

/// How a step is named in findings.
pub fn title(step: &Value) -> String {
    format!("{} {}", step["request"]["method"], step["request"]["path"]).replace('"', "")
}

/// What is wrong with an answer.
pub fn differences(step: &Value, answer: &Answer) -> Vec<String> {
    let response = &step["response"];
    let mut found = Vec::new();
    let mut check = |what: &str, expected: &Value, got: Value| {
        if !expected.is_null() && *expected != got {
            found.push(format!("{what} is {got}, must be {expected}"));
        }
    };
    check("status", &response["status"], answer.status.into());
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        check(name, value, answer.header(name).into());
    }
    check("body", &response["body"], answer.text().into());
    if let Some(expected) = response["json"].as_object() {
        let got: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
        let keys: BTreeSet<&String> =
            expected.keys().chain(got.as_object().into_iter().flat_map(|map| map.keys())).collect();
        for key in keys.into_iter().filter(|key| expected.get(*key) != got.get(key)) {
            let wanted = expected.get(key).map_or("absent".to_owned(), Value::to_string);
            found.push(format!("{key:?} is {}, must be {wanted}", got[key]));
        }
    }
    found
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
