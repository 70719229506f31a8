//! Every app in `test_apps/` does over real HTTP what its `expect.json` says.
//!
//! Once on two threads, where stateless workers, actors and connections meet across threads, and
//! once on one.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use server::Server;
use server::app::{App, Step, ask, differences, title};
use server::socket::{self, Sockets};
use server::upstream::Upstream;

#[test]
fn apps_answer_as_expected_on_two_threads() {
    check(2);
}

#[test]
fn apps_answer_as_expected_on_one_thread() {
    check(1);
}

fn check(shards: usize) {
    let findings: Vec<String> = App::all().iter().flat_map(|app| run(app, shards)).collect();
    assert!(findings.is_empty(), "{} to mend\n{}", findings.len(), findings.join("\n"));
}

fn run(app: &App, shards: usize) -> Vec<String> {
    let data = tempfile::tempdir().unwrap();
    let upstream = app.upstream().map(Upstream::start);
    let mut more = app.arguments();
    more.extend(upstream.iter().flat_map(Upstream::flags));
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let start = || Server::run(&app.script(), data.path(), shards, &more);
    let mut server = start();
    let mut findings = Vec::new();
    let mut sockets = Sockets::default();
    for step in app.steps() {
        match step {
            Step::Socket(step) => {
                let place = format!("{}: {}", app.name, socket::title(step));
                let found = sockets.run(server.port, step);
                findings.extend(found.iter().map(|finding| format!("{place}: {finding}")));
            }
            Step::Restart => {
                sockets = Sockets::default();
                assert_eq!(server.stop().code(), Some(0), "{}: an orderly stop", app.name);
                server = start();
            }
            Step::Exchange(step) => {
                let place = format!("{}: {}", app.name, title(step));
                match server.try_ask(&ask(step)) {
                    Ok(answer) => {
                        let found = differences(step, &answer);
                        findings.extend(found.iter().map(|finding| format!("{place}: {finding}")));
                    }
                    // The steps after it would only wait as well.
                    Err(error) => {
                        findings.push(format!("{place}: no answer, {error}"));
                        return findings;
                    }
                }
            }
        }
    }
    findings
}
