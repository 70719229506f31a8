//! What is refused before any app sees it: bad requests on the public listener, and command lines
//! that cannot be carried out.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use server::client::{Answer, Ask, Connection};
use server::{Ended, Server, beryl, ended};
use tempfile::{TempDir, tempdir};

const HELLO: &str = "export default { fetch() { return new Response('hello') } }";

fn start() -> (TempDir, Server) {
    let data = tempdir().unwrap();
    let script = script(data.path());
    let server = Server::run(&script, &data.path().join("data"), 2, &[]);
    (data, server)
}

fn script(folder: &Path) -> PathBuf {
    let path = folder.join("worker.js");
    fs::write(&path, HELLO).unwrap();
    path
}

/// Sends bytes as they are; afterwards the server must still serve.
fn raw(server: &Server, request: &str) -> Answer {
    let mut connection = Connection::open(server.port).unwrap();
    connection.write(request).unwrap();
    let answer = connection.answer().unwrap_or_else(|error| panic!("{request:?}: {error}"));
    assert_eq!(server.ask(&Ask::get("/")).text(), "hello", "after {request:?}");
    answer
}

#[test]
fn host_must_be_there_once_and_be_a_name() {
    let (_data, server) = start();
    for hosts in [
        "",
        "Host: \r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: user@a\r\n",
        "Host: a:port\r\n",
    ] {
        let answer = raw(&server, &format!("GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"));
        assert_eq!((answer.status, answer.code()), (400, "bad_host".to_owned()), "{hosts:?}");
    }
}

#[test]
fn tunnels_and_traces_are_refused() {
    let (_data, server) = start();
    for line in ["CONNECT a:443", "TRACE /", "TRACK /"] {
        let answer =
            raw(&server, &format!("{line} HTTP/1.1\r\nHost: a:443\r\nConnection: close\r\n\r\n"));
        assert_eq!((answer.status, answer.code()), (501, "bad_method".to_owned()), "{line}");
    }
}

#[test]
fn what_is_no_http_is_refused() {
    let (_data, server) = start();
    for request in ["nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        assert_eq!(raw(&server, request).status, 400, "{request:?}");
    }
}

#[test]
fn large_heads_are_refused() {
    let (_data, server) = start();
    let head = |more: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    let long = format!("X-Long: {}\r\n", "x".repeat(256 << 10));
    assert_eq!(raw(&server, &head(&long)).status, 431, "a long header");
    let many: String = (0..101).map(|n| format!("X-{n}: a\r\n")).collect();
    assert_eq!(raw(&server, &head(&many)).status, 431, "many headers");
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(65 << 10));
    assert_eq!(raw(&server, &target).status, 414, "a long target");
    let much = format!("X-Long: {}\r\nConnection: close\r\n", "x".repeat(60 << 10));
    assert_eq!(raw(&server, &head(&much)).text(), "hello", "below the limit");
}

#[test]
fn large_bodies_are_refused() {
    let (_data, server) = start();
    let length = (100u64 << 20) + 1;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    let answer = raw(&server, &head);
    assert_eq!((answer.status, answer.code()), (413, "body_too_large".to_owned()));
    for length in ["-1", "abc", "1, 2"] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(raw(&server, &head).status, 400, "{length}");
    }
    let both = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\
                Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n";
    let answer = raw(&server, both);
    assert!([200, 400].contains(&answer.status), "two lengths: {answer:?}");
}

fn run(folder: &TempDir, port: u16, data: &str) -> Ended {
    let script = script(folder.path());
    let mut command = beryl("run");
    command.arg(script).arg("--data").arg(folder.path().join(data));
    ended(command.args(["--shards", "1", "--port", &port.to_string()]))
}

#[test]
fn port_in_use_is_said() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempdir().unwrap();
    let refused = run(&folder, port, "data");
    assert_eq!(refused.code, Some(1), "{}", refused.output);
    assert!(refused.output.contains(&port.to_string()), "{}", refused.output);
    assert!(!refused.output.contains("panicked"), "{}", refused.output);
}

#[test]
fn two_servers_do_not_share_a_port() {
    let (folder, server) = start();
    let refused = run(&folder, server.port, "other");
    assert_eq!(refused.code, Some(1), "{}", refused.output);
    assert!(refused.output.contains(&server.port.to_string()), "{}", refused.output);
}

#[test]
fn data_directory_belongs_to_one_process() {
    let (folder, server) = start();
    let refused = run(&folder, 0, "data");
    assert_eq!(refused.code, Some(1), "{}", refused.output);
    let path = folder.path().join("data");
    assert!(refused.output.contains(path.to_str().unwrap()), "{}", refused.output);
    server.kill();
    let script = script(folder.path());
    let again = Server::run(&script, &path, 1, &[]);
    assert_eq!(again.ask(&Ask::get("/")).text(), "hello", "the lock ends with its process");
}

#[test]
fn data_directory_must_be_writable() {
    let folder = tempdir().unwrap();
    // A file where the directory should be; root, too, cannot make a directory there.
    fs::write(folder.path().join("data"), "a file").unwrap();
    let refused = run(&folder, 0, "data");
    assert_eq!(refused.code, Some(2), "{}", refused.output);
    assert!(refused.output.contains("--data"), "{}", refused.output);
    let refused = run(&folder, 0, "data/below");
    assert_eq!(refused.code, Some(2), "{}", refused.output);
}

#[test]
fn command_line_that_makes_no_sense_is_said() {
    let folder = tempdir().unwrap();
    let script = script(folder.path());
    let script = script.to_str().unwrap();
    let data = folder.path().join("data");
    let cases: [(&[&str], &str); 8] = [
        (&["run", "/absent/worker.js"], "/absent/worker.js"),
        (&["run", script, "--var", "NOVALUE"], "--var"),
        (&["run", script, "--host", "nonsense"], "--host"),
        (&["run", script, "--shards", "0"], "--shards"),
        (&["run", script, "--cpu-ms", "0"], "--cpu-ms"),
        (&["run", script, "--block-ms", "0"], "--block-ms"),
        (&["serve", "--base-domain", "a b"], "--base-domain"),
        (&["serve", "--nonsense"], "--nonsense"),
    ];
    for (args, flag) in cases {
        let refused = ended(beryl(args[0]).args(&args[1..]).arg("--data").arg(&data));
        assert_eq!(refused.code, Some(2), "{args:?}: {}", refused.output);
        assert!(refused.output.contains(flag), "{args:?}: {}", refused.output);
    }
}

#[test]
fn script_that_does_not_start_is_said_with_its_place() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("broken.js");
    for (source, message) in [
        ("export default { a b }", "Unexpected identifier"),
        ("throw new RangeError('at start')", "at start"),
        ("import './absent.js'", "absent.js"),
    ] {
        fs::write(&path, source).unwrap();
        let mut command = beryl("run");
        command.arg(&path).arg("--data").arg(folder.path().join("data"));
        let refused = ended(command.args(["--port", "0", "--shards", "1"]));
        assert_eq!(refused.code, Some(1), "{source}: {}", refused.output);
        for part in [message, "broken.js"] {
            assert!(refused.output.contains(part), "{source}: {}", refused.output);
        }
    }
}
