//! The listener over real sockets, in front of an entrypoint that does what the path says.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use worker::body::{Body, BodyStream};
use worker::entrypoint::{Call, Entrypoint, Reply, Serialized};
use worker::error::{Error, Thrown};
use worker::message::{Request, Response};

use crate::{HttpLimits, Listener};

#[derive(Default)]
struct Fake {
    /// Lets `/wait` answer.
    release: Notify,
    /// Told when `/wait` has begun.
    waiting: Notify,
    /// Bytes that `/endless` has produced.
    produced_bytes: Arc<AtomicUsize>,
    fetched: Cell<usize>,
}

struct Running {
    addr: SocketAddr,
    shutdown: Rc<Notify>,
    served: JoinHandle<Result<(), crate::Error>>,
}

#[derive(Clone)]
struct Shared(Rc<Fake>);

impl Entrypoint for Shared {
    fn fetch(&self, request: Request) -> Reply<Response> {
        let fake = self.0.clone();
        fake.fetched.set(fake.fetched.get() + 1);
        Box::pin(async move { fake.answer(request).await })
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        Box::pin(std::future::ready(Err(Error::bug("no calls here"))))
    }
}

impl Fake {
    async fn answer(&self, request: Request) -> Result<Response, Error> {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        match path {
            "echo" => Ok(ok(request.body)),
            "read" => {
                let body = request.body.collect(u64::MAX).await.map_err(|error| {
                    Error::AppThrew(Thrown::new("Error", error.to_string()).into())
                })?;
                Ok(ok(Body::from(body.len().to_string())))
            }
            "headers" => Ok(ok(Body::from(format!("{:?}", request.headers)))),
            "wait" => {
                self.waiting.notify_one();
                self.release.notified().await;
                Ok(ok(Body::from("released".to_owned())))
            }
            "endless" => Ok(ok(self.endless())),
            "nothing" => {
                let mut response = ok(Body::from("lost".to_owned()));
                response.status = StatusCode::NO_CONTENT;
                Ok(response)
            }
            "liar" => {
                let mut response = ok(Body::from("four".to_owned()));
                response.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("9"));
                response.headers.insert("connection", HeaderValue::from_static("x-secret"));
                response.headers.insert("x-secret", HeaderValue::from_static("1"));
                Ok(response)
            }
            "panic" => panic!("a defect"),
            "reset" => Err(Error::reset("gone")),
            "passed-on" => {
                Err(Error::AppThrew(Thrown::new("Error", "late").caused_by("cpu_limit").into()))
            }
            _ => Ok(ok(Body::from(format!("{} {}", request.method, request.url)))),
        }
    }

    fn endless(&self) -> Body {
        let chunk = Bytes::from(vec![b'x'; 64 << 10]);
        let produced_bytes = self.produced_bytes.clone();
        Body::Stream(BodyStream::new(
            stream::repeat_with(move || {
                produced_bytes.fetch_add(chunk.len(), Ordering::Relaxed);
                Ok(chunk.clone())
            }),
            None,
        ))
    }
}

fn ok(body: Body) -> Response {
    Response { status: StatusCode::OK, headers: HeaderMap::new(), body, url: None, socket: None }
}

fn limits() -> HttpLimits {
    HttpLimits { header_bytes_max: 16 << 10, body_bytes_max: 1000, ..HttpLimits::default() }
}

/// Runs a test against a listener; the clock is paused, so timers fire as soon as nothing else
/// can happen.
fn with_server<T: Future<Output = ()>>(test: impl FnOnce(Rc<Fake>, Running) -> T) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    LocalSet::new().block_on(&runtime.unwrap(), async {
        let fake = Rc::new(Fake::default());
        let entrypoint = Rc::new(Shared(fake.clone()));
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr();
        let shutdown = Rc::new(Notify::new());
        let stop = shutdown.clone();
        let served =
            spawn_local(
                async move { listener.serve(entrypoint, &limits(), stop.notified()).await },
            );
        test(fake, Running { addr, shutdown, served }).await;
    });
}

/// Sends bytes and reads until the server closes.
async fn exchange(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request).await.unwrap();
    read_all(stream).await
}

async fn read_all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is one way for the server to close.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn request(line: &str, more: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: App.localhost:1\r\nconnection: close\r\n{more}\r\n").into()
}

#[track_caller]
fn check(answer: &str, start: &str, end: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {start}")), "{answer}");
    assert!(answer.ends_with(end), "{answer}");
}

#[test]
fn a_request_becomes_an_event_with_a_full_url() {
    with_server(async |_, server| {
        let answer = exchange(server.addr, &request("GET /a?b=c", "")).await;
        check(&answer, "200", "\r\n\r\nGET http://app.localhost:1/a?b=c");
        assert!(answer.contains("\r\ndate: ") && answer.contains("\r\ncontent-length: "));
        let absolute = request("GET http://Other.example?q", "");
        check(&exchange(server.addr, &absolute).await, "200", "GET http://other.example/?q");
    });
}

#[test]
fn headers_of_the_connection_stop_here() {
    with_server(async |_, server| {
        let more = "te: trailers\r\nkeep-alive: 1\r\nupgrade: x\r\nx-mine: 2\r\n";
        let answer = exchange(server.addr, &request("GET /headers", more)).await;
        check(&answer, "200", r#"{"host": "App.localhost:1", "x-mine": "2"}"#);
        let answer = exchange(server.addr, &request("GET /liar", "")).await;
        check(&answer, "200", "\r\n\r\nfour");
        assert!(answer.contains("content-length: 4") && !answer.contains("x-secret"), "{answer}");
    });
}

#[test]
fn bodies_are_passed_on_with_and_without_a_length() {
    with_server(async |_, server| {
        let known = request("POST /echo", "content-length: 3\r\n");
        check(&exchange(server.addr, &[&known, &b"abc"[..]].concat()).await, "200", "abc");
        let chunked = request("POST /echo", "transfer-encoding: chunked\r\n");
        let chunks = b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
        let answer = exchange(server.addr, &[&chunked, &chunks[..]].concat()).await;
        check(&answer, "200", "0\r\n\r\n");
        assert!(answer.contains("1\r\na\r\n") && answer.contains("2\r\nbc\r\n"), "{answer}");
    });
}

#[test]
fn answers_without_a_body_have_none() {
    with_server(async |_, server| {
        let head = exchange(server.addr, &request("HEAD /x", "")).await;
        check(&head, "200", "\r\n\r\n");
        assert!(head.contains("content-length: 29\r\n"), "{head}");
        let nothing = exchange(server.addr, &request("GET /nothing", "")).await;
        check(&nothing, "204", "\r\n\r\n");
        assert!(!nothing.contains("content-length"), "{nothing}");
    });
}

#[test]
fn requests_that_break_the_rules_are_refused() {
    with_server(async |fake, server| {
        let send = async |bytes: &[u8]| exchange(server.addr, bytes).await;
        for host in ["", "Host: \r\n", "Host: a\r\nHost: a\r\n", "Host: u@a\r\n", "Host: a b\r\n"] {
            let bytes = format!("GET / HTTP/1.1\r\nconnection: close\r\n{host}\r\n");
            let answer = send(bytes.as_bytes()).await;
            check(&answer, "400", "}}");
            assert!(answer.contains(r#""code":"bad_host""#), "{answer}");
        }
        check(&send(&request("OPTIONS *", "")).await, "400", "}}");
        check(&send(&request("CONNECT a:1", "")).await, "501", "}}");
        check(&send(&request("TRACE /", "")).await, "501", "}}");
        check(
            &send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n").await,
            "400",
            "",
        );
        check(&send(b"G\0T / HTTP/1.1\r\n\r\n").await, "400", "");
        check(&send(&request(&format!("GET /{}", "a".repeat(70_000)), "")).await, "4", "");
        let large = format!("x: {}\r\n", "a".repeat(20_000));
        check(&send(&request("GET /", &large)).await, "431", "");
        check(&send(&request("GET /", &"x: y\r\n".repeat(101))).await, "431", "");
        assert_eq!(fake.fetched.get(), 0);
    });
}

#[test]
fn bodies_beyond_the_limit_are_refused_before_or_while_they_are_read() {
    with_server(async |fake, server| {
        let announced = request("POST /read", "content-length: 1001\r\n");
        let answer = exchange(server.addr, &announced).await;
        check(&answer, "413", "}}");
        assert_eq!(fake.fetched.get(), 0);
        let chunked = request("POST /read", "transfer-encoding: chunked\r\n");
        let chunk = format!("1f5\r\n{}\r\n", "x".repeat(0x1f5));
        let body = [&chunked[..], chunk.as_bytes(), chunk.as_bytes()].concat();
        let answer = exchange(server.addr, &body).await;
        check(&answer, "413", "}}");
        assert!(answer.contains(r#""code":"body_too_large""#), "{answer}");
        let fits = request("POST /read", "content-length: 1000\r\n");
        let body = [&fits[..], &[b'x'; 1000]].concat();
        check(&exchange(server.addr, &body).await, "200", "1000");
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    with_server(async |_, server| {
        let first = b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\n".repeat(20);
        let last = request("GET /last", "");
        let answer = exchange(server.addr, &[&first[..], &last].concat()).await;
        assert_eq!(answer.matches("GET http://a/1").count(), 20);
        check(&answer, "200", "GET http://app.localhost:1/last");
    });
}

#[test]
fn a_failed_event_is_an_error_answer_and_a_panic_ends_one_connection() {
    with_server(async |_, server| {
        let answer = exchange(server.addr, &request("GET /reset", "")).await;
        check(&answer, "503", r#"{"error":{"code":"reset","message":"Error: gone"}}"#);
        let answer = exchange(server.addr, &request("GET /passed-on", "")).await;
        let raise = worker::limit_table::raise("cpu_limit").unwrap();
        let expect = r#"{"error":{"code":"cpu_limit","message":"Error: late","raise":"#;
        check(&answer, "503", &format!("{expect}\"{raise}\"}}}}"));
        assert_eq!(exchange(server.addr, &request("GET /panic", "")).await, "");
        check(&exchange(server.addr, &request("GET /", "")).await, "200", "");
    });
}

#[test]
fn a_slow_reader_slows_the_producer_down() {
    with_server(async |fake, server| {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(&request("GET /endless", "")).await.unwrap();
        let mut buffer = vec![0; 256 << 10];
        let mut read_bytes = 0;
        while read_bytes < 64 << 20 {
            read_bytes += stream.read(&mut buffer).await.unwrap();
            // What two socket buffers can hold at most, by Linux' defaults.
            let ahead_bytes =
                fake.produced_bytes.load(Ordering::Relaxed).saturating_sub(read_bytes);
            assert!(ahead_bytes < 12 << 20, "{ahead_bytes} bytes ahead of the reader");
        }
    });
}

#[test]
fn http2_is_understood_on_the_same_port() {
    with_server(async |_, server| {
        let io = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(crate::listener::LocalExecutor, io)
                .await
                .unwrap();
        spawn_local(connection);
        for (method, path, body, expect) in [
            ("GET", "/a", "", "GET http://app.localhost/a"),
            ("POST", "/echo", "abc", "abc"),
            ("HEAD", "/a", "", ""),
            ("GET", "/nothing", "", ""),
        ] {
            let request = http::Request::builder()
                .method(method)
                .uri(format!("http://app.localhost{path}"))
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            let answer = client.send_request(request).await.unwrap();
            assert!(answer.status().is_success());
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), expect, "{path}");
        }
        let headers = http::Request::get("http://app.localhost/headers");
        let answer = client.send_request(headers.body(Full::default()).unwrap()).await.unwrap();
        let seen = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(seen, r#"{"host": "app.localhost"}"#);
    });
}

#[test]
fn clients_that_never_finish_a_head_are_cut_off() {
    with_server(async |fake, server| {
        for start in ["", "PRI", "GET / HT", "GET / HTTP/1.1\r\nhost: a\r\n"] {
            assert_eq!(exchange(server.addr, start.as_bytes()).await, "", "{start}");
        }
        let kept = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        check(&exchange(server.addr, kept).await, "200", "GET http://a/");
        assert_eq!(fake.fetched.get(), 1);
    });
}

#[test]
fn shutdown_answers_what_is_in_flight_and_closes_the_rest() {
    with_server(async |fake, server| {
        let untouched = TcpStream::connect(server.addr).await.unwrap();
        let mut idle = TcpStream::connect(server.addr).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        assert!(idle.read(&mut answer).await.unwrap() > 0);
        let mut busy = TcpStream::connect(server.addr).await.unwrap();
        busy.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        fake.waiting.notified().await;

        server.shutdown.notify_one();
        assert_eq!(read_all(idle).await, "");
        assert_eq!(read_all(untouched).await, "");
        assert!(TcpStream::connect(server.addr).await.is_err());
        assert!(!server.served.is_finished());

        fake.release.notify_one();
        check(&read_all(busy).await, "200", "released");
        server.served.await.unwrap().unwrap();
    });
}

#[test]
fn shutdown_does_not_wait_forever() {
    with_server(async |fake, server| {
        let mut busy = TcpStream::connect(server.addr).await.unwrap();
        busy.write_all(&request("GET /wait", "")).await.unwrap();
        fake.waiting.notified().await;
        server.shutdown.notify_one();
        server.served.await.unwrap().unwrap();
        assert_eq!(read_all(busy).await, "");
    });
}

#[test]
fn a_taken_port_is_an_error_but_siblings_share_it() {
    let first = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let sibling = first.sibling().unwrap();
    assert_eq!(sibling.local_addr(), first.local_addr());
    let again = Listener::bind(first.local_addr());
    assert!(
        matches!(again, Err(crate::Error::ConfigPortInUse { addr }) if addr == first.local_addr())
    );
    let foreign = Listener::bind("192.0.2.1:0".parse().unwrap());
    assert!(matches!(foreign, Err(crate::Error::ConfigAddress { .. })));
}

#[test]
fn a_lasting_accept_error_pauses_the_loop() {
    let pause = |kind: std::io::ErrorKind| {
        let error = kind.into();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        crate::listener::after_accept_error(&error).now_or_never().is_none()
    };
    assert!(!pause(std::io::ErrorKind::ConnectionAborted));
    assert!(pause(std::io::ErrorKind::OutOfMemory));
}
