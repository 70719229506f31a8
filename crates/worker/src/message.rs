//! HTTP requests and responses as they travel between entrypoints.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use crate::body::Body;

/// A request on its way to an entrypoint.
pub struct Request {
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
    /// The status code, 200 to 599.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, not read yet.
    pub body: Body,
}

impl Response {
    /// A response with a JSON body.
    #[must_use]
    pub fn json(status: StatusCode, value: &serde_json::Value) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Response { status, headers, body: Body::from(value.to_string()) }
    }
}
