//! Command lines and what they mean.

use clap::Parser;

use super::*;
use crate::cli::Cli;

/// The configuration for arguments in which `DIR` stands for a scratch directory that holds
/// `worker.js`, or the error's text.
fn config(typed: &str) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("worker.js"), "export default {}").unwrap();
    let typed = typed.replace("DIR", dir.path().to_str().unwrap());
    let typed = ["beryl"].into_iter().chain(typed.split_whitespace());
    Config::new(Cli::try_parse_from(typed).unwrap().command).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(typed: &str, flag: &str, mend: &str) {
    let error = config(typed).unwrap_err();
    assert!(error.contains(flag) && error.contains(mend), "{error}");
}

#[test]
fn serve_means_two_listeners_and_a_token() {
    let config = config("serve --data DIR/new/data --host ::1 --base-domain Apps.Example.com.");
    let config = config.unwrap();
    assert_eq!(config.listen, "[::1]:8787".parse().unwrap());
    let Mode::Serve(serve) = config.mode else { panic!("serve was typed") };
    assert_eq!(serve.admin, "[::1]:7070".parse().unwrap());
    assert_eq!((serve.auth, serve.base_domain.as_str()), (Auth::Token, "apps.example.com"));
}

#[test]
fn run_means_one_script_with_variables() {
    let config = config(
        "run DIR/worker.js --data DIR/d --port 0 --cpu-ms 50 --shards 3 --var A=b=c --var B=",
    );
    let config = config.unwrap();
    assert_eq!((config.limits.cpu_ms, config.shards.get(), config.listen.port()), (50, 3, 0));
    let Mode::Run(run) = config.mode else { panic!("run was typed") };
    assert_eq!(run.main, "worker.js");
    assert_eq!(run.modules["worker.js"].bytes(), b"export default {}");
    let vars = [("A".to_owned(), "b=c".to_owned()), ("B".to_owned(), String::new())];
    assert_eq!(run.vars, BTreeMap::from(vars));
}

#[test]
fn an_open_admin_api_needs_loopback() {
    for host in ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"] {
        let config = config(&format!("serve --data DIR --no-auth --host {host}")).unwrap();
        assert!(matches!(config.mode, Mode::Serve(Serve { auth: Auth::Open, .. })));
    }
    for host in ["0.0.0.0", "::", "192.168.0.1"] {
        let typed = format!("serve --data DIR --no-auth --host {host}");
        refused(&typed, "--no-auth", "--host 127.0.0.1");
    }
}

#[test]
fn wrong_values_name_their_flag_and_what_would_be_right() {
    refused("serve --data DIR --host example.com", "--host", "IP address");
    refused("serve --data DIR --admin-port 8787", "--admin-port", "different");
    refused("serve --data DIR --base-domain a..b", "--base-domain", "apps.example.com");
    refused("serve --data DIR --base-domain a:80", "--base-domain", "without port");
    refused("serve --data DIR --shards 0", "--shards", "1 to");
    refused("serve --data DIR --cpu-ms 0", "--cpu-ms", "at least 1");
    refused("serve --data DIR/worker.js", "data directory", "--data");
    refused("run DIR/none.js --data DIR", "none.js", "readable");
    refused("run DIR --data DIR", "script", "readable");
    refused("run DIR/worker.js --data DIR --compatibility-flag x", "flag", "No such");
    refused("run DIR/worker.js --data DIR --compatibility-date x", "date", "Invalid");
    refused("run DIR/worker.js --data DIR --var A", "--var", "KEY=VALUE");
    refused("run DIR/worker.js --data DIR --var =1", "--var", "letters");
    refused("run DIR/worker.js --data DIR --var A-B=1", "--var", "letters");
    refused("run DIR/worker.js --data DIR --var A=1 --var A=2", "--var", "once");
}
