//! From hyper's request to ours: which requests are taken, and how their body is limited.
//!
//! Method and headers are moved, not copied. What belongs to the connection and not to the
//! message (RFC 9110 §7.6.1) stops here.

use std::net::Ipv6Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, TE, TRAILER, UPGRADE};
use http::header::{PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};
use worker::body::{Body, BodyError, BodyStream};
use worker::message::{Request, RequestId};

use crate::limits::HttpLimits;
use crate::pace::Pace;
use crate::websocket;

/// A request that is answered without an event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the request needs exactly one valid Host, like app.localhost:8787")]
    BadHost,
    #[error("the request target must be a path that starts with \"/\"")]
    BadTarget,
    #[error("the method {0} is not supported")]
    BadMethod(Method),
    #[error("the transfer encoding must be \"chunked\" and nothing else")]
    BadEncoding,
    #[error("the request body is larger than the limit of {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: u64 },
}

/// Whether a body broke off because it passed its limit.
#[derive(Default)]
pub(crate) struct Overflow(Option<Arc<AtomicBool>>);

/// A body from the network that ends with an error at `limit_bytes`.
struct Limited {
    incoming: Incoming,
    read_bytes: u64,
    limit_bytes: u64,
    overflow: Arc<AtomicBool>,
    pace: Pace,
}

/// Takes a request apart; the body is read only as its reader asks for it.
///
/// # Errors
/// What must be answered instead of delivering the request.
pub(crate) fn receive(
    request: http::Request<Incoming>,
    limits: &HttpLimits,
) -> Result<(Request, Overflow), Refusal> {
    let (mut parts, incoming) = request.into_parts();
    // `Request` in JavaScript cannot hold these (fetch standard, "forbidden method").
    if matches!(parts.method, Method::CONNECT | Method::TRACE) || parts.method == "TRACK" {
        return Err(Refusal::BadMethod(parts.method));
    }
    // Whatever else it says, a proxy in front may have read in another way.
    let mut encodings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = encodings.next().is_none_or(|encoding| encoding == "chunked");
    if !is_chunked || encodings.next().is_some() {
        return Err(Refusal::BadEncoding);
    }
    let url = url(&mut parts)?;
    let (body, overflow) = body(incoming, limits)?;
    let wants_socket = websocket::key(&parts.method, parts.version, &parts.headers).is_some();
    remove_connection_headers(&mut parts.headers);
    if wants_socket {
        // The one thing about the connection that the worker has to know.
        parts.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    let id = RequestId::new();
    Ok((Request { id, method: parts.method, url, headers: parts.headers, body }, overflow))
}

fn url(parts: &mut Parts) -> Result<String, Refusal> {
    let path = target(&parts.uri)?;
    if let Some(authority) = parts.uri.authority() {
        // HTTP/2, and absolute targets of HTTP/1, where it wins over Host (RFC 9112 §3.2.2).
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadHost)?;
        parts.headers.insert(HOST, host);
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::BadHost) };
    let host = host.as_bytes();
    if !is_host(host) {
        return Err(Refusal::BadHost);
    }
    let host = std::str::from_utf8(host).expect("a valid host is ASCII");
    let mut url = String::with_capacity(SCHEME.len() + host.len() + path.len() + 1);
    url.push_str(SCHEME);
    url.push_str(host);
    url.make_ascii_lowercase();
    if path.starts_with('?') {
        url.push('/');
    }
    url.push_str(path);
    Ok(url)
}

fn target(uri: &Uri) -> Result<&str, Refusal> {
    let path = uri.path_and_query().ok_or(Refusal::BadTarget)?.as_str();
    // `http://host?query` has no path; `*` is about the server as a whole.
    if path.starts_with('/') || (path.starts_with('?') && uri.authority().is_some()) {
        Ok(path)
    } else {
        Err(Refusal::BadTarget)
    }
}

/// A host name, an IPv4 address or a bracketed IPv6 address, with or without a port. User info
/// and percent-encoding, which RFC 3986 would allow here, have no use but deception.
fn is_host(host: &[u8]) -> bool {
    if let [b'[', rest @ ..] = host {
        let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
        let address = std::str::from_utf8(&rest[..end]).unwrap_or_default();
        return address.parse::<Ipv6Addr>().is_ok() && is_port(&rest[end + 1..]);
    }
    let end = host.iter().position(|&byte| byte == b':').unwrap_or(host.len());
    let (name, port) = host.split_at(end);
    !name.is_empty()
        && name.len() <= HOST_BYTES_MAX
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
        && is_port(port)
}

/// Nothing, or a colon and a number that fits a port.
fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit)
                && std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<u16>().is_ok())
        }
        _ => false,
    }
}

fn body(incoming: Incoming, limits: &HttpLimits) -> Result<(Body, Overflow), Refusal> {
    if incoming.is_end_stream() {
        return Ok((Body::Empty, Overflow::default()));
    }
    let limit_bytes = limits.body_bytes_max;
    let length = incoming.size_hint().exact();
    if length.is_some_and(|length| length > limit_bytes) {
        return Err(Refusal::BodyTooLarge { limit_bytes });
    }
    let overflow = Arc::new(AtomicBool::new(false));
    let pace = Pace::new(limits.body_idle_timeout);
    let overflow_of_body = overflow.clone();
    let limited =
        Limited { incoming, read_bytes: 0, limit_bytes, overflow: overflow_of_body, pace };
    Ok((Body::Stream(BodyStream::new(limited, length)), Overflow(Some(overflow))))
}

/// Removes what is between the client and us only, including what `Connection` names.
pub(crate) fn remove_connection_headers(headers: &mut HeaderMap) {
    // Most messages have none; one look at each name is cheaper than a search for each of ours.
    if !headers.keys().any(is_of_connection) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        // Nobody may take these from a message by naming them.
        .filter(|name| !matches!(*name, HOST | http::header::CONTENT_LENGTH))
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in &OF_CONNECTION {
        headers.remove(name);
    }
}

fn is_of_connection(name: &HeaderName) -> bool {
    OF_CONNECTION.contains(name)
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refusal::BadHost | Refusal::BadTarget | Refusal::BadEncoding => StatusCode::BAD_REQUEST,
            Refusal::BadMethod(_) => StatusCode::NOT_IMPLEMENTED,
            Refusal::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Refusal::BadHost => "bad_host",
            Refusal::BadTarget => "bad_target",
            Refusal::BadEncoding => "bad_encoding",
            Refusal::BadMethod(_) => "bad_method",
            Refusal::BodyTooLarge { .. } => "body_too_large",
        }
    }
}

impl Overflow {
    pub(crate) fn happened(&self) -> bool {
        self.0.as_ref().is_some_and(|overflow| overflow.load(Ordering::Relaxed))
    }
}

impl Stream for Limited {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let polled = Pin::new(&mut self.incoming).poll_frame(cx);
            if polled.is_pending() && self.pace.is_over(cx) {
                let text = "the request body stands still".to_owned();
                return Poll::Ready(Some(Err(BodyError::Disconnected(text))));
            }
            let frame = match ready!(polled) {
                None => return Poll::Ready(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(BodyError::Disconnected(error.to_string()))));
                }
            };
            // Trailers have no place in a `Request`.
            let Ok(chunk) = frame.into_data() else { continue };
            self.read_bytes += chunk.len() as u64;
            if !self.pace.goes_on(chunk.len() as u64) {
                let text = "the request body is sent too slowly".to_owned();
                return Poll::Ready(Some(Err(BodyError::Disconnected(text))));
            }
            if self.read_bytes > self.limit_bytes {
                self.overflow.store(true, Ordering::Relaxed);
                let limit_bytes = self.limit_bytes;
                return Poll::Ready(Some(Err(BodyError::TooLarge { limit_bytes })));
            }
            return Poll::Ready(Some(Ok(chunk)));
        }
    }
}

/// Headers of one connection (RFC 9110 §7.6.1), two of them from before that was said.
static OF_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

const SCHEME: &str = "http://";

/// The longest name DNS can hold (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn hosts_that_could_mislead_are_refused() {
        for host in ["a", "a.localhost:8787", "127.0.0.1:0", "[::1]", "[::1]:8787", "A_b-c."] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let long = "a".repeat(254);
        for host in [
            "", ":80", "a:", "a:x", "a:65536", "a:1:2", "a b", "u@h", "a/b", "a?b", "a#b", "a\\b",
            "%61", "é", "[::1", "[]", "[g]", "[::1]x", "::1", "a,b", "a\0", "a:+1", &long,
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
