//! Bodies stream: a part is there before the next one is sent, in both directions.
//!
//! That the bytes are right is checked by `test_apps/streams`; here it matters when they come.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use server::Server;
use server::app::root;
use server::client::{Ask, Connection};
use tempfile::{TempDir, tempdir};

fn start() -> (TempDir, Server) {
    let data = tempdir().unwrap();
    let server = Server::run(&root().join("test_apps/streams/worker.js"), data.path(), 2, &[]);
    (data, server)
}

/// Begins a request whose body comes in chunks.
fn post(server: &Server, path: &str) -> Connection {
    let mut connection = Connection::open(server.port).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.write(head).unwrap();
    connection
}

fn text_of_chunk(connection: &mut Connection) -> String {
    String::from_utf8(connection.chunk().unwrap()).unwrap()
}

#[test]
fn answer_to_each_part_comes_before_the_next_part_is_sent() {
    let (_data, server) = start();
    for path in ["/echo", "/facet/echo"] {
        let mut connection = post(&server, path);
        connection.write_chunk("one").unwrap();
        assert_eq!(connection.head().unwrap().status, 200, "{path}");
        assert_eq!(text_of_chunk(&mut connection), "one", "{path}");
        for part in ["two", "three"] {
            connection.write_chunk(part).unwrap();
            assert_eq!(text_of_chunk(&mut connection), part, "{path}");
        }
        connection.write_chunk("").unwrap();
        assert_eq!(text_of_chunk(&mut connection), "", "{path}: the end");
    }
}

#[test]
fn transformed_parts_come_one_by_one() {
    let (_data, server) = start();
    let mut connection = post(&server, "/facet/upper");
    connection.write_chunk("one").unwrap();
    assert_eq!(connection.head().unwrap().status, 200);
    assert_eq!(text_of_chunk(&mut connection), "ONE");
    connection.write_chunk("two").unwrap();
    assert_eq!(text_of_chunk(&mut connection), "TWO");
    connection.write_chunk("").unwrap();
    assert_eq!(text_of_chunk(&mut connection), "");
}

#[test]
fn connection_is_kept_for_the_next_request() {
    let (_data, server) = start();
    let mut connection = Connection::open(server.port).unwrap();
    for _ in 0..3 {
        connection.write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        assert_eq!(connection.answer().unwrap().text(), "hi");
    }
}

#[test]
fn large_bodies_arrive_whole() {
    let (_data, server) = start();
    let large = server.ask(&Ask::get("/large"));
    assert_eq!(large.text().len(), 4 << 20);
    for path in ["/echo", "/facet/echo"] {
        let body: Vec<u8> = (0..5_000_000u32).map(|n| b'a' + (n % 23) as u8).collect();
        let answer = server.ask(&Ask::new("POST", path).body(body.clone()));
        assert!(answer.text().as_bytes() == body, "{path}: {} bytes", answer.text().len());
    }
    let counted = server.ask(&Ask::new("POST", "/facet/length").body(vec![0; 3_000_000]));
    assert_eq!(counted.text(), "{\"length\":3000000}");
}

#[test]
fn client_that_leaves_does_not_disturb_others() {
    let (_data, server) = start();
    for path in ["/echo", "/facet/echo", "/progress"] {
        let mut connection = post(&server, path);
        connection.write_chunk("one").unwrap();
        assert_eq!(connection.head().unwrap().status, 200, "{path}");
        drop(connection);
        let mut connection = Connection::open(server.port).unwrap();
        connection.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        connection.head().unwrap();
        drop(connection);
        let answer = server.ask(&Ask::new("POST", path).body("two"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
}

#[test]
fn stream_that_fails_ends_the_connection_and_not_the_worker() {
    let (_data, server) = start();
    // The head is out already, so that the client can only see that the body breaks off.
    match server.try_ask(&Ask::get("/error")) {
        Ok(answer) => assert_eq!((answer.status, answer.text().as_str()), (500, ""), "{answer:?}"),
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
    }
    assert_eq!(server.ask(&Ask::new("POST", "/echo").body("on")).text(), "on");
}
