//! Following redirects, the same way for the internet and for any other entrypoint
//! (fetch standard §4.4; `spec/security.md` §3.2).
//!
//! Every hop is a request of its own to the same target, so whatever the target checks about a
//! request it checks again.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, LOCATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::body::Body;
use crate::entrypoint::{Entrypoint, Reply};
use crate::error::{Error, Thrown};
use crate::limits::REDIRECTS_MAX;
use crate::message::{Request, RequestId, Response};

/// What becomes of an answer that points elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// It is followed.
    Follow,
    /// It is the answer.
    Manual,
}

/// What the next request is made of.
struct Next {
    id: RequestId,
    method: Method,
    url: String,
    headers: HeaderMap,
    /// `None` for a body that was a stream and is gone.
    body: Option<Bytes>,
}

/// Sends a request, at once, and follows where its answers point.
///
/// # Errors
/// A `TypeError` for more than [`REDIRECTS_MAX`] redirects, a place that is no URL, and a stream
/// that would have to be sent twice; else what a request failed with. Cancelling drops the
/// request that is running. A fragment never goes anywhere.
pub fn follow(target: Rc<dyn Entrypoint>, request: Request) -> Reply<Response> {
    let mut next = Next {
        id: request.id,
        method: request.method.clone(),
        url: request.url.clone(),
        headers: request.headers.clone(),
        body: match &request.body {
            Body::Empty => Some(Bytes::new()),
            Body::Full(bytes) => Some(bytes.clone()),
            Body::Stream(_) => None,
        },
    };
    let first = target.fetch(request);
    Box::pin(async move {
        let mut response = first.await?;
        for _ in 0..REDIRECTS_MAX {
            let Some(place) = location(&response)? else { return Ok(response) };
            next.redirect(response.status, &place)?;
            response = target.fetch(next.request()).await?;
            response.url = Some(next.url.as_str().into());
        }
        match location(&response)? {
            None => Ok(response),
            Some(_) => Err(type_error("Too many redirects.")),
        }
    })
}

/// Where an answer points, if its status says that it does.
fn location(response: &Response) -> Result<Option<String>, Error> {
    let redirects = matches!(
        response.status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(place) = response.headers.get(LOCATION).filter(|_| redirects) else {
        return Ok(None);
    };
    match std::str::from_utf8(place.as_bytes()) {
        Ok(place) => Ok(Some(place.to_owned())),
        Err(_) => Err(bad_location()),
    }
}

impl Next {
    fn redirect(&mut self, status: StatusCode, place: &str) -> Result<(), Error> {
        let from = Url::parse(&self.url).map_err(|_| bad_location())?;
        let mut url = from.join(place).map_err(|_| bad_location())?;
        url.set_fragment(None);
        if url.origin() != from.origin() {
            CREDENTIALS.iter().for_each(|name| drop(self.headers.remove(name)));
        }
        let becomes_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => self.method != Method::GET && self.method != Method::HEAD,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Some(Bytes::new());
        }
        if self.body.is_none() {
            return Err(type_error(
                "A request with a one-time-use body (it was initialized from a stream, not a \
                 buffer) encountered a redirect requiring the body to be retransmitted. To \
                 avoid this error in the future, construct this request from a buffer-like \
                 body initializer.",
            ));
        }
        self.url = url.into();
        Ok(())
    }

    fn request(&self) -> Request {
        let body = self.body.clone().unwrap_or_default();
        Request {
            id: self.id,
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: if body.is_empty() { Body::Empty } else { Body::Full(body) },
        }
    }
}

fn bad_location() -> Error {
    type_error("Invalid Location header; unable to follow redirect.")
}

fn type_error(message: &str) -> Error {
    Error::AppThrew(Thrown::new("TypeError", message).into())
}

/// What one origin was given is not for another.
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

#[cfg(test)]
mod tests;
