//! The client over real sockets on loopback, against servers that count their connections.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;
use worker::message::RequestId;

use super::*;

const CERTIFICATE: &[u8] = include_bytes!("localhost.cert.der");
const KEY: &[u8] = include_bytes!("localhost.key.der");

/// A server that says how it was asked.
struct Upstream {
    addr: SocketAddr,
    connections: Rc<Cell<usize>>,
}

impl Upstream {
    async fn start(tls: Option<ServerConfig>) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Rc::new(Cell::new(0));
        let counter = Rc::clone(&connections);
        let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.set(counter.get() + 1);
                let acceptor = acceptor.clone();
                spawn_local(async move {
                    match acceptor {
                        None => serve(TokioIo::new(stream)).await,
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            serve(TokioIo::new(stream)).await;
                        }
                    }
                });
            }
        });
        Upstream { addr, connections }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

async fn serve(io: impl hyper::rt::Read + hyper::rt::Write + Unpin + 'static) {
    let service = service_fn(|request: http::Request<Incoming>| async move {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = format!("{:?} {} {body:?} {:?}", parts.version, parts.uri, parts.headers);
        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(text))))
    });
    // The client may go away at any time.
    let _ = auto::Builder::new(LocalExecutor).serve_connection(io, service).await;
}

fn with_client<T: Future<Output = ()>>(egress: Egress, test: impl FnOnce(Rc<dyn Entrypoint>) -> T) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let gateway = Gateway::new(egress, [CertificateDer::from(CERTIFICATE)]).unwrap();
        test(gateway.open()).await;
    });
}

/// A server with our certificate that offers these protocols.
fn tls(protocols: Vec<Vec<u8>>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(KEY).unwrap();
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .unwrap();
    tls.alpn_protocols = protocols;
    tls
}

/// What `new WebSocket(url)` asks.
fn websocket(url: &str) -> Request {
    let mut request = Request { method: Method::GET, ..request(url) };
    request.headers.insert("upgrade", HeaderValue::from_static("websocket"));
    request
}

fn request(url: &str) -> Request {
    let (method, headers) = (Method::POST, HeaderMap::new());
    Request { id: RequestId::new(), method, url: url.into(), headers, body: Body::Empty }
}

async fn text(response: Result<Response, Error>) -> String {
    let body = response.unwrap().body.collect(1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn error(client: &Rc<dyn Entrypoint>, url: &str) -> String {
    client.fetch(request(url)).await.err().map_or_else(String::new, |error| error.to_string())
}

#[test]
fn connections_are_used_again() {
    with_client(Egress::Everywhere, |client| async move {
        let upstream = Upstream::start(None).await;
        for _ in 0..3 {
            let answer = text(client.fetch(request(&upstream.url("/a?b"))).await).await;
            assert!(answer.starts_with("HTTP/1.1 /a?b"), "{answer}");
        }
        assert_eq!(upstream.connections.get(), 1);
    });
}

#[test]
fn two_workers_share_no_connection() {
    with_client(Egress::Everywhere, |client| async move {
        let other = Gateway::new(Egress::Everywhere, []).unwrap().open();
        let upstream = Upstream::start(None).await;
        text(client.fetch(request(&upstream.url("/"))).await).await;
        text(other.fetch(request(&upstream.url("/"))).await).await;
        assert_eq!(upstream.connections.get(), 2);
    });
}

#[test]
fn https_speaks_http2_where_the_server_does() {
    for (protocols, version) in [(vec![b"h2".to_vec()], "HTTP/2.0"), (vec![], "HTTP/1.1")] {
        with_client(Egress::Everywhere, |client| async move {
            let upstream = Upstream::start(Some(tls(protocols))).await;
            let url = format!("https://localhost:{}/", upstream.addr.port());
            let answer = text(client.fetch(request(&url)).await).await;
            assert!(answer.starts_with(version), "{answer}");
            let stranger = Gateway::new(Egress::Everywhere, []).unwrap().open();
            let refused = error(&stranger, &url).await;
            assert!(refused.contains("certificate"), "{refused}");
        });
    }
}

#[test]
fn a_websocket_over_tls_looks_at_the_certificate_and_speaks_http1() {
    with_client(Egress::Everywhere, |client| async move {
        let upstream = Upstream::start(Some(tls(vec![b"h2".to_vec(), b"http/1.1".to_vec()]))).await;
        let url = format!("https://localhost:{}/", upstream.addr.port());
        let answer = text(client.fetch(websocket(&url)).await).await;
        assert!(answer.starts_with("HTTP/1.1"), "{answer}");
        assert!(answer.contains(r#""upgrade": "websocket""#), "{answer}");
        let stranger = Gateway::new(Egress::Everywhere, []).unwrap().open();
        let refused = stranger.fetch(websocket(&url)).await.err().unwrap().to_string();
        assert!(refused.contains("certificate"), "{refused}");
    });
}

#[test]
fn what_is_not_public_is_not_reached() {
    with_client(Egress::Public, |client| async move {
        let upstream = Upstream::start(None).await;
        let port = upstream.addr.port();
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "0.0.0.0",
            "169.254.169.254",
            "[64:ff9b::7f00:1]",
            "10.0.0.1",
            "u:p@127.0.0.1",
        ] {
            let refused = error(&client, &format!("http://{host}:{port}/")).await;
            assert!(refused.contains("has no public address"), "{host}: {refused}");
        }
        let refused = error(&client, &format!("http://localhost:{port}/")).await;
        assert!(refused.contains("no public host name"), "{refused}");
        for scheme in ["http", "https"] {
            let asked = websocket(&format!("{scheme}://127.0.0.1:{port}/"));
            let refused = client.fetch(asked).await.err().unwrap().to_string();
            assert!(refused.contains("has no public address"), "{scheme}: {refused}");
        }
        let refused = error(&client, &format!("http://a.localhost:{port}/")).await;
        assert!(
            refused.contains("has no public address") || refused.contains("cannot be resolved"),
            "{refused}"
        );
        assert_eq!(upstream.connections.get(), 0);
    });
}

#[test]
fn what_is_no_url_or_no_web_port_is_refused() {
    with_client(Egress::Everywhere, |client| async move {
        for url in ["ftp://example.com/", "file:///etc/passwd", "nonsense", "data:,a"] {
            assert!(error(&client, url).await.contains("Fetch API cannot load"), "{url}");
        }
        let refused = error(&client, "http://127.0.0.1:25/").await;
        assert!(refused.contains("port 25"), "{refused}");
    });
}

#[test]
fn headers_of_the_connection_are_ours() {
    with_client(Egress::Everywhere, |client| async move {
        let upstream = Upstream::start(None).await;
        let mut request = request(&format!("http://u:p@{}/#part", upstream.addr));
        for (name, value) in [
            ("host", "other"),
            ("content-length", "7"),
            ("connection", "x-named"),
            ("x-named", "1"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("upgrade", "h2c"),
            ("http2-settings", "AA"),
            ("x-own", "kept"),
        ] {
            request.headers.insert(name, HeaderValue::from_static(value));
        }
        request.body = Body::from("four".to_owned());
        let answer = text(client.fetch(request).await).await;
        let host = format!(r#""host": "{}""#, upstream.addr);
        for part in [r#""x-own": "kept""#, r#""content-length": "4""#, r#" / b"four" "#, &host] {
            assert!(answer.contains(part), "{part}: {answer}");
        }
        for part in ["connection", "x-named", "chunked", "expect", "upgrade", "http2", "auth"] {
            assert!(!answer.contains(part), "{part}: {answer}");
        }
    });
}

#[test]
fn a_server_that_hangs_up_is_a_lost_connection() {
    with_client(Egress::Everywhere, |client| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        spawn_local(async move { drop(listener.accept().await) });
        let lost = error(&client, &url).await;
        assert!(lost.starts_with("Error: Network connection lost."), "{lost}");
        // Nobody listens there any more.
        let lost = error(&client, &url).await;
        assert!(lost.contains("cannot be reached"), "{lost}");
    });
}
