//! Redirects over a site that answers by path and notes what it was asked.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::entrypoint::{Call, Reply, Serialized};

/// Answers by path and notes what it was asked.
struct Site {
    seen: RefCell<Vec<String>>,
}

impl Entrypoint for Site {
    fn fetch(&self, request: Request) -> Reply<Response> {
        let authorization = if request.headers.contains_key(AUTHORIZATION) { " auth" } else { "" };
        let body = match &request.body {
            Body::Full(bytes) => format!(" {}", String::from_utf8_lossy(bytes)),
            _ => String::new(),
        };
        let line = format!("{} {}{authorization}{body}", request.method, request.url);
        self.seen.borrow_mut().push(line);
        let url = Url::parse(&request.url).unwrap();
        let (status, place) = match url.path().split_once("/to/") {
            Some((status, place)) => (status.trim_start_matches('/').parse().unwrap(), place),
            None if url.path() == "/loop" => (302, "!loop"),
            None => (200, ""),
        };
        let mut headers = HeaderMap::new();
        if !place.is_empty() {
            headers.insert(LOCATION, place.replace('!', "/").parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let response = Response { status, headers, body: Body::Empty, url: None, socket: None };
        Box::pin(std::future::ready(Ok(response)))
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        Box::pin(std::future::pending())
    }
}

fn send(method: Method, url: &str, body: Body) -> (Result<Response, Error>, Vec<String>) {
    let site = Rc::new(Site { seen: RefCell::default() });
    let headers = HeaderMap::from_iter([(AUTHORIZATION, "secret".parse().unwrap())]);
    let request = Request { id: RequestId::new(), method, url: url.into(), headers, body };
    let mut following = pin!(follow(site.clone(), request));
    let Poll::Ready(outcome) = following.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("nothing waits here");
    };
    let seen = site.seen.take();
    (outcome, seen)
}

fn text(text: &str) -> Body {
    Body::Full(text.to_owned().into())
}

#[test]
fn a_chain_is_followed_to_its_end_and_the_answer_knows_where_that_is() {
    let (response, seen) = send(Method::GET, "http://a/301/to/!307!to!!end#part", Body::Empty);
    let response = response.unwrap();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.url.as_deref(), Some("http://a/end"));
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_post_becomes_a_get_where_the_standard_says_so() {
    for (status, next) in [
        (301, "GET http://a/x auth"),
        (302, "GET http://a/x auth"),
        (303, "GET http://a/x auth"),
        (307, "POST http://a/x auth data"),
        (308, "POST http://a/x auth data"),
    ] {
        let url = format!("http://a/{status}/to/!x");
        let (_, seen) = send(Method::POST, &url, text("data"));
        assert_eq!(seen.last().unwrap(), next, "{status}");
    }
    let (_, seen) = send(Method::PUT, "http://a/302/to/!x", text("data"));
    assert_eq!(seen.last().unwrap(), "PUT http://a/x auth data");
}

#[test]
fn credentials_stay_with_the_origin_they_are_for() {
    let (_, seen) = send(Method::GET, "http://a/302/to/http:!!b!x", Body::Empty);
    assert_eq!(seen.last().unwrap(), "GET http://b/x");
    let (_, seen) = send(Method::GET, "http://a/302/to/http:!!a:81!x", Body::Empty);
    assert_eq!(seen.last().unwrap(), "GET http://a:81/x");
}

#[test]
fn a_stream_cannot_be_sent_twice() {
    let (_writer, body) = Body::channel();
    let (response, seen) = send(Method::POST, "http://a/307/to/!x", body);
    assert!(response.err().unwrap().to_string().contains("one-time-use body"));
    assert_eq!(seen.len(), 1);
    let (_writer, body) = Body::channel();
    assert!(send(Method::POST, "http://a/303/to/!x", body).0.is_ok());
}

#[test]
fn a_loop_ends() {
    let (response, seen) = send(Method::GET, "http://a/loop", Body::Empty);
    assert!(response.err().unwrap().to_string().contains("Too many redirects."));
    assert_eq!(seen.len(), REDIRECTS_MAX + 1);
}

#[test]
fn what_points_nowhere_is_the_answer_and_a_bad_place_an_error() {
    let (response, seen) = send(Method::GET, "http://a/302/to/", Body::Empty);
    assert_eq!((response.unwrap().status, seen.len()), (StatusCode::FOUND, 1));
    let (response, _) = send(Method::GET, "http://a/302/to/http:!!a:99999!", Body::Empty);
    assert!(response.err().unwrap().to_string().contains("Invalid Location"));
}
