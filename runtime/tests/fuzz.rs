//! Mutated bytes at every way in: whatever comes, the process lives, answers in its one shape, and
//! keeps what it must keep.
//!
//! The seed is fixed, so that a finding comes again; `BERYL_TORTURE` runs a million mutations of
//! each.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use server::Server;
use server::client::Ask;
use tempfile::tempdir;

/// Runs what it is sent as SQL; `/kept` tells whether what no SQL may reach is still there.
const SQL: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  async fetch(request) {
    const { kv, sql } = this.ctx.storage;
    if (request.url.endsWith("/kept")) return new Response(String(kv.get("kept")));
    if (request.url.endsWith("/keep")) kv.put("kept", "kept");
    try {
      return new Response(`rows ${sql.exec(await request.text()).toArray().length}`);
    } catch (error) {
      return new Response(`${error.name}`);
    }
  }
}"#;

#[test]
fn the_public_listener_survives_every_head() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let heads: &[&str] = &[
        "GET / HTTP/1.1\r\nHost: a.localhost\r\nAccept: */*\r\n\r\n",
        "POST /apps/a/?b=c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
        "PUT / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\n\r\n",
        "GET /s HTTP/1.1\r\nHost: a.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d",
    ];
    send_mutations(&server, server.port, heads, "http://");
    assert_eq!(server.ask(&Ask::get("/")).status, 404);
}

#[test]
fn the_admin_listener_survives_every_request_and_keeps_its_catalogue() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    assert_eq!(server.deploy("keep", "export default { fetch() {} }").status, 201);
    let requests: &[&str] = &[
        "GET /v1/apps HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/limits HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PATCH /v1/apps/keep/limits HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n\
         {\"cpu_ms\": 200}",
        "PUT /v1/apps/fuzz HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 67\r\n\r\n\
         {\"main\":\"a.js\",\"modules\":{\"a.js\":\"export default { fetch() {} }\"}}",
    ];
    send_mutations(&server, server.admin_port, requests, "");
    let apps = server.admin(&Ask::get("/v1/apps")).json();
    let names = apps["apps"].as_array().unwrap().iter().map(|app| app["app"].as_str().unwrap());
    assert!(names.into_iter().any(|name| name == "keep"), "{apps}");
}

#[test]
fn sql_text_reaches_nothing_but_its_own_tables() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--cpu-ms", "500"]);
    assert_eq!(server.deploy("sql", SQL).status, 201);
    let app = |path: &str| Ask::new("POST", path).host("sql.localhost");
    server.ask(&app("/keep").body("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)"));
    let statements: &[&str] = &[
        "INSERT INTO t (b) VALUES ('x'), (NULL), (zeroblob(10))",
        "SELECT a, b FROM t WHERE a > 1 AND b LIKE '%x%' ORDER BY a DESC LIMIT 2",
        "DROP TABLE _cf_KV; DELETE FROM \"_cf_KV\"; ALTER TABLE t RENAME TO _cf_x",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5) SELECT * FROM n",
        "UPDATE t SET b = json_object('a', a) WHERE a IN (SELECT max(a) FROM t) RETURNING *",
        "ATTACH DATABASE 'x.db' AS y; PRAGMA writable_schema = 1; VACUUM INTO 'z.db'",
    ];
    let mut chance = Chance(0x9e37_79b9);
    for _ in 0..rounds() / 4 {
        let statement = mutate(chance.pick(statements).as_bytes(), &mut chance);
        let answer = server.ask(&app("/").body(statement));
        assert!([200, 503, 507].contains(&answer.status), "{}", answer.text());
    }
    assert_eq!(server.text("sql", "/kept"), "kept");
    let files: Vec<_> = std::fs::read_dir(data.path()).unwrap().collect();
    assert!(files.iter().all(|file| {
        let name = file.as_ref().unwrap().file_name().into_string().unwrap();
        name != "x.db" && name != "z.db"
    }));
}

/// Sends mutations of requests; whatever is answered is HTTP, and nothing ends the process.
fn send_mutations(server: &Server, port: u16, requests: &[&str], dictionary: &str) {
    let worker = server.worker_process();
    let mut chance = Chance(0x2545_f491);
    for _ in 0..rounds() {
        let mut bytes = mutate(chance.pick(requests).as_bytes(), &mut chance);
        if chance.below(8) == 0 {
            let at = chance.below(bytes.len() + 1);
            bytes.splice(at..at, dictionary.bytes());
        }
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The server may have had enough already.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let is_http1 = answer.is_empty() || answer.starts_with(b"HTTP/1.");
        let is_http2 = answer.starts_with(b"\0\0");
        assert!(is_http1 || is_http2, "{bytes:?} is answered with {answer:?}");
    }
    assert_eq!(server.worker_process(), worker, "{}", server.output());
}

/// Some bytes changed, moved, repeated or left out.
fn mutate(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len().max(1)).min(bytes.len());
        let end = (at + chance.below(8)).min(bytes.len());
        match chance.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = chance.pick(&ODD_BYTES),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].repeat(1 + chance.below(40));
                bytes.splice(at..at, piece);
            }
            4 => bytes.truncate(at),
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = chance.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

/// Numbers that look random and come again (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

fn rounds() -> usize {
    if std::env::var_os("BERYL_TORTURE").is_some() { 1_000_000 } else { 400 }
}

const ODD_BYTES: [u8; 12] = *b"\0\r\n\t :;'\"\\\x80\xff";
