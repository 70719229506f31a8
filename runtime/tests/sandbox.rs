//! The worker process of `beryl serve` says which layers of the sandbox are active, and serves
//! inside of them.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use server::client::Ask;
use server::{Server, ended, serve, wait_for};
use tempfile::tempdir;

const APP: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  fetch() {
    const { kv, sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS t (a)");
    sql.exec("INSERT INTO t VALUES (randomblob(100000))");
    kv.put("count", (kv.get("count") ?? 0) + 1);
    return new Response(`${kv.get("count")} ${new Date(0).toLocaleString("de-DE")}`);
  }
}"#;

#[test]
fn the_worker_process_serves_in_a_sandbox_and_says_which_layers_it_has() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let line = wait_for("the layers", || {
        server.output().lines().find(|line| line.contains("no_new_privs")).map(str::to_owned)
    });
    // The kernel may lack the others; these two every one has.
    assert!(line.contains("no_new_privs active") && line.contains("core dumps active"), "{line}");
    assert_eq!(server.deploy("app", APP).status, 201);
    for count in 1..4 {
        assert_eq!(server.text("app", "/"), format!("{count} 1.1.1970, 00:00:00"));
    }
    let status = format!("/proc/{}/status", server.worker_process());
    let status = std::fs::read_to_string(status).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
    };
    assert_eq!(field("NoNewPrivs:"), "1");
    if line.contains("capabilities active") {
        assert_eq!(field("CapEff:"), "0000000000000000");
    }
    if line.contains("seccomp active") {
        assert_eq!(field("Seccomp:"), "2");
    }
    assert_eq!(server.admin(&Ask::new("DELETE", "/v1/apps/app")).status, 204);
    assert!(server.stop().success());
}

#[test]
fn a_required_sandbox_is_complete_or_the_server_does_not_start() {
    let data = tempdir().unwrap();
    let probe = Server::serve(data.path(), &[]);
    let line = wait_for("the layers", || {
        probe.output().lines().find(|line| line.contains("no_new_privs")).map(str::to_owned)
    });
    probe.stop();
    if line.contains("missing") {
        let refused = ended(serve(data.path()).args(["--no-auth", "--require-sandbox"]));
        assert_eq!(refused.code, Some(1));
        assert!(refused.output.contains("--require-sandbox: missing"), "{}", refused.output);
    } else {
        let server = Server::serve(data.path(), &["--require-sandbox"]);
        assert_eq!(server.admin(&Ask::get("/v1/healthz")).status, 200);
    }
}

#[test]
fn a_sandbox_can_be_left_out_for_debuggers() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--no-sandbox"]);
    assert_eq!(server.deploy("app", APP).status, 201);
    assert!(!server.output().contains("no_new_privs"), "{}", server.output());
}
