//! An app whose code ends the worker process is found, named and refused for a while; nobody else
//! is.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use server::client::Ask;
use server::{Server, wait_for};
use tempfile::tempdir;

/// Cannot be stopped, or crashes the engine, or neither.
const BAD: &str = r#"
export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/stuck") Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
    if (pathname === "/crash") "a".repeat(2 ** 28).split("");
    return new Response("fine");
  },
};"#;

const CALM: &str = "export default { fetch() { return new Response('hello') } }";

#[test]
fn an_app_that_ends_the_process_is_refused_and_its_neighbours_are_not() {
    for (path, how) in [
        ("/stuck", "its code could not be stopped"),
        ("/crash", "the engine crashed while its code ran"),
    ] {
        let data = tempdir().unwrap();
        let server = Server::serve(data.path(), &["--cpu-ms", "200", "--shards", "2"]);
        assert_eq!(server.deploy("bad", BAD).status, 201);
        assert_eq!(server.deploy("calm", CALM).status, 201);
        let worker = server.worker_process();

        assert!(server.try_ask(&Ask::get(path).host("bad.localhost")).is_err());
        let refused = server.ask(&Ask::get("/").host("bad.localhost"));
        assert_eq!((refused.status, refused.code()), (503, "quarantined".to_owned()), "{path}");
        let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=2).contains(&seconds), "{seconds}");
        assert_eq!(server.text("calm", "/"), "hello");
        assert_ne!(server.worker_process(), worker);
        wait_for("the keeper's word", || {
            let output = server.output();
            (output.contains("\"bad\"") && output.contains(how)).then_some(())
        });

        assert!(server.deploy("bad", &format!("// mended\n{BAD}")).status < 300);
        assert_eq!(server.text("bad", "/"), "fine", "a new version is let in at once");
    }
}

#[test]
fn a_process_that_is_killed_from_outside_is_nobodys_fault() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "1"]);
    assert_eq!(server.deploy("calm", CALM).status, 201);
    assert_eq!(server.text("calm", "/"), "hello");
    server::signal_process(server.worker_process(), "KILL");
    let back = || server.try_ask(&Ask::get("/").host("calm.localhost")).ok();
    let answer = wait_for("an answer of the next worker process", back);
    assert_eq!(answer.text(), "hello");
    assert!(!server.output().contains("an app ended the worker process"), "{}", server.output());
}
