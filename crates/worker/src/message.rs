//! HTTP requests and responses as they travel between entrypoints.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{CONTENT_TYPE, HeaderValue, UPGRADE};
use http::{HeaderMap, Method, StatusCode};

use crate::body::Body;
use crate::error::{Error, Thrown};
use crate::link::SocketEnd;

/// Tells requests apart in logs; passed on with a request from hop to hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestId(u64);

impl RequestId {
    /// An id that no other request of this process has, and hardly one of another.
    #[must_use]
    pub fn new() -> RequestId {
        static NEXT: OnceLock<AtomicU64> = OnceLock::new();
        let start = || {
            let mut bytes = [0; 8];
            // Without randomness the ids still differ within the process.
            let _ = getrandom::fill(&mut bytes);
            AtomicU64::new(u64::from_le_bytes(bytes))
        };
        RequestId(NEXT.get_or_init(start).fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A request on its way to an entrypoint.
pub struct Request {
    /// What its log lines have in common.
    pub id: RequestId,
    /// The method as the client wrote it.
    pub method: Method,
    /// The full URL, e.g. `http://app.localhost:8787/path?query`.
    pub url: String,
    /// All headers in the order they came.
    pub headers: HeaderMap,
    /// The body, not read yet.
    pub body: Body,
}

/// An answer on its way back.
pub struct Response {
    /// The status code, 200 to 599, or 101 with a socket.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, not read yet.
    pub body: Body,
    /// Where it came from, if a redirect led to another place than was asked.
    pub url: Option<Box<str>>,
    /// The WebSocket that begins with this response, whose status is then 101.
    pub socket: Option<SocketEnd>,
}

impl Request {
    /// True if the client asks for a WebSocket.
    #[must_use]
    pub fn asks_for_socket(&self) -> bool {
        let upgrade = self.headers.get(UPGRADE);
        upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
    }
}

impl Response {
    /// Checks that a WebSocket is the answer to a request for one.
    ///
    /// # Errors
    /// With the platform's wording.
    pub(crate) fn fit_for(self, request: Option<&Request>) -> Result<Response, Error> {
        if self.socket.is_none() || request.is_none_or(Request::asks_for_socket) {
            return Ok(self);
        }
        let text = "Worker tried to return a WebSocket in a response to a request which did not \
                    contain the header \"Upgrade: websocket\".";
        Err(Error::AppThrew(Thrown::new("TypeError", text).into()))
    }

    /// A response with a JSON body.
    #[must_use]
    pub fn json(status: StatusCode, value: &serde_json::Value) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Response { status, headers, body: Body::from(value.to_string()), url: None, socket: None }
    }
}
