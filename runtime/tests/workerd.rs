//! Every app in `test_apps/` with a `workerd.capnp` answers on Beryl as it does on workerd.
//!
//! The same files run on both. Status, content type and body are compared step by step, and
//! workerd's answers with `expect.json`, which therefore says what the platform does. A step with
//! `differs` is left out; it says why.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

#[path = "workerd/compat.rs"]
mod compat;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use server::app::{App, Step, ask, differences, root, title};
use server::client::{self, Answer};
use server::socket::{self, Sockets};
use server::upstream::Upstream;
use server::{Output, Server, signal, spawn, wait_for};

#[test]
fn apps_answer_as_on_workerd() {
    let mut findings = Vec::new();
    let mut compared = 0;
    for app in App::all().iter().filter(|app| app.folder.join("workerd.capnp").is_file()) {
        findings.extend(compare(app));
        compared += 1;
    }
    assert!(compared > 0, "no app has a workerd.capnp");
    assert!(findings.is_empty(), "{} to mend\n{}", findings.len(), findings.join("\n"));
}

/// What one runtime wrote the other reads, goes on with, and gives back.
#[test]
fn folders_of_objects_and_facets_are_exchanged_with_workerd() {
    let app = App::all().into_iter().find(|app| app.name == "layout").unwrap();
    for beryl_begins in [false, true] {
        let data = tempfile::tempdir().unwrap();
        let objects = data.path().join("do");
        std::fs::create_dir_all(&objects).unwrap();
        let on_workerd = |path: &str| {
            let workerd = Workerd::start(&app, &objects, None);
            let answer = workerd.ask(&client::Ask::new("GET", path).host("app.example"));
            workerd.stop();
            answer.text()
        };
        let on_beryl = |path: &str| {
            let beryl = Server::run(&app.script(), data.path(), 1, &[]);
            let ask = client::Ask::new("GET", path).host("app.example");
            let answer = beryl.try_ask(&ask).unwrap().text();
            beryl.stop();
            answer
        };
        let sides: [&dyn Fn(&str) -> String; 2] = [&on_workerd, &on_beryl];
        let first = sides[usize::from(beryl_begins)];
        let second = sides[usize::from(!beryl_begins)];
        first("/write");
        let written = first("/write");
        assert!(written.contains("\"count\":2"), "{written}");
        assert_eq!(second("/read"), written, "Beryl begins: {beryl_begins}");
        let written = second("/write");
        assert!(written.contains("\"count\":3"), "{written}");
        assert_eq!(first("/read"), written, "Beryl begins: {beryl_begins}");
    }
}

#[test]
fn data_that_workerd_wrote_is_gone_on_with() {
    let apps = App::all();
    let app = apps.iter().find(|app| app.name == "bindings").unwrap();
    let data = tempfile::tempdir().unwrap();
    let theirs = data.path().join("do");
    std::fs::create_dir(&theirs).unwrap();
    let workerd = Workerd::start(app, &theirs, None);
    let paths = ["/room?name=a", "/room-sql", "/script-name"];
    let first = paths.map(|path| workerd.ask(&client::Ask::get(path)).text());
    assert_eq!(first[..2], ["{\"count\":1}", "{\"rows\":1}"]);
    workerd.stop();
    let more = app.arguments();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let beryl = Server::run(&app.script(), data.path(), 2, &more);
    let second = paths.map(|path| beryl.ask(&client::Ask::get(path)).text());
    assert_eq!(second[..2], ["{\"count\":2}", "{\"rows\":2}"]);
    assert!(second[2].contains("\"sum\":7"), "{}", second[2]);
}

fn compare(app: &App) -> Vec<String> {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let upstream = app.upstream().map(Upstream::start);
    let mut more = app.arguments();
    more.extend(upstream.iter().flat_map(Upstream::flags));
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let start = || {
        let beryl = Server::run(&app.script(), ours.path(), 2, &more);
        (beryl, Workerd::start(app, theirs.path(), upstream.as_ref()))
    };
    let (mut beryl, mut workerd) = start();
    let mut findings = Vec::new();
    let mut sockets = [Sockets::default(), Sockets::default()];
    for step in app.steps() {
        let step = match step {
            Step::Exchange(step) => step,
            Step::Socket(step) => {
                if !step["differs"].is_string() {
                    findings.extend(on_both(app, &mut sockets, [beryl.port, workerd.port], step));
                }
                continue;
            }
            Step::Restart => {
                sockets = [Sockets::default(), Sockets::default()];
                beryl.stop();
                workerd.stop();
                (beryl, workerd) = start();
                continue;
            }
        };
        if step["differs"].is_string() {
            continue;
        }
        let ask = ask(step);
        let theirs = workerd.ask(&ask);
        let place = format!("{}: {}", app.name, title(step));
        let ours = match beryl.try_ask(&ask) {
            Ok(ours) => ours,
            Err(error) => {
                findings.push(format!("{place}: no answer, {error}"));
                return findings;
            }
        };
        let found = differences(step, &theirs);
        findings.extend(found.iter().map(|finding| format!("{place}: on workerd {finding}")));
        findings.extend(unequal(&ours, &theirs).map(|finding| format!("{place}: {finding}")));
    }
    findings
}

fn on_both(
    app: &App,
    sockets: &mut [Sockets; 2],
    ports: [u16; 2],
    step: &serde_json::Value,
) -> Vec<String> {
    let place = format!("{}: {}", app.name, socket::title(step));
    let mut found = Vec::new();
    for ((sockets, port), name) in sockets.iter_mut().zip(ports).zip(["Beryl", "workerd"]) {
        let wrong = sockets.run(port, step);
        found.extend(wrong.iter().map(|finding| format!("{place}: on {name} {finding}")));
    }
    found
}

/// What of Beryl's answer is not as workerd's.
fn unequal(ours: &Answer, theirs: &Answer) -> impl Iterator<Item = String> {
    let parts = |answer: &Answer| {
        let kind = answer.header("content-type").unwrap_or("none").to_owned();
        [("status", answer.status.to_string()), ("content-type", kind), ("body", answer.text())]
    };
    let pairs = parts(ours).into_iter().zip(parts(theirs));
    pairs.filter(|(ours, theirs)| ours != theirs).map(|((part, ours), (_, theirs))| {
        let (ours, theirs) = first_difference(&ours, &theirs);
        format!("{part}: Beryl has {ours:?}, workerd {theirs:?}")
    })
}

/// Long texts from shortly before the place where they part.
fn first_difference<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let start = (0..=same.saturating_sub(40)).rev().find(|at| a.is_char_boundary(*at)).unwrap();
    let cut = |text: &'a str| {
        let end = (start + 160..text.len()).find(|at| text.is_char_boundary(*at));
        &text[start..end.unwrap_or(text.len())]
    };
    (cut(a), cut(b))
}

/// A workerd process; it ends when dropped.
struct Workerd {
    child: Child,
    output: Output,
    port: u16,
}

impl Workerd {
    fn start(app: &App, data: &Path, upstream: Option<&Upstream>) -> Workerd {
        let config = app.folder.join("workerd.capnp");
        let mut command = Command::new(binary());
        command.args(["serve", "--experimental", "--control-fd=1"]).arg(&config);
        command.arg("--socket-addr=http=127.0.0.1:0");
        if std::fs::read_to_string(&config).unwrap().contains("disk =") {
            command.arg(format!("--directory-path=data={}", data.display()));
        }
        if let Some(upstream) = upstream {
            command.env("UPSTREAM", upstream.url());
        }
        let output = Output::default();
        let mut child = spawn(&mut command, &output);
        let port = wait_for("workerd to serve", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "workerd ended with {ended:?}:\n{}", output.text());
            listening(&output.text())
        });
        Workerd { child, output, port }
    }

    fn ask(&self, ask: &client::Ask) -> Answer {
        client::send(self.port, ask)
            .unwrap_or_else(|error| panic!("workerd: {ask:?}: {error}\n{}", self.output.text()))
    }

    fn stop(mut self) {
        signal(&self.child, "TERM");
        wait_for("workerd to end", || self.child.try_wait().unwrap());
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port that workerd reports, one JSON object a line.
fn listening(text: &str) -> Option<u16> {
    let events = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let port = |event: serde_json::Value| u16::try_from(event["port"].as_u64()?).ok();
    events.filter(|event: &serde_json::Value| event["event"] == "listen").find_map(port)
}

fn binary() -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
    let package = format!("node_modules/@cloudflare/workerd-linux-{arch}/bin/workerd");
    let binary = root().join("bench").join(package);
    let mend = "install it: cargo run -q -p xtask -- node";
    assert!(binary.is_file(), "workerd is missing at {}; {mend}", binary.display());
    binary
}
