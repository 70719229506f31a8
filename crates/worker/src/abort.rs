//! Giving up a request: the sender keeps a handle, the request's answer and the body of that
//! answer carry the other end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::oneshot;

use crate::body::{Body, BodyError, BodyStream};
use crate::entrypoint::Reply;
use crate::error::{Error, Thrown};
use crate::message::Response;

/// Gives up what its [`Aborted`] belongs to; dropping it never does.
pub struct Aborter(oneshot::Sender<()>);

/// Is ready once the other end gives up, else never.
pub struct Aborted(Option<oneshot::Receiver<()>>);

/// Opens both ends.
#[must_use]
pub fn pair() -> (Aborter, Aborted) {
    let (sender, receiver) = oneshot::channel();
    (Aborter(sender), Aborted(Some(receiver)))
}

impl Aborter {
    /// Gives up. An answer that is complete already is not affected.
    pub fn abort(self) {
        // Nobody listens once the answer is complete.
        let _ = self.0.send(());
    }
}

impl Future for Aborted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(receiver) = &mut self.0 else { return Poll::Pending };
        match Pin::new(receiver).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) => {
                self.0 = None;
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Waits for an answer until it is given up; from then on the same holds for its body.
///
/// # Errors
/// An `AbortError` when it was given up, else what the answer failed with.
pub async fn abortable(reply: Reply<Response>, mut aborted: Aborted) -> Result<Response, Error> {
    let mut response = tokio::select! {
        biased;
        () = &mut aborted => return Err(abort_error()),
        response = reply => response?,
    };
    if let Body::Stream(stream) = response.body {
        let length = stream.length();
        let stream = AbortableStream { stream: Some(stream), aborted };
        response.body = Body::Stream(BodyStream::new(stream, length));
    }
    Ok(response)
}

fn abort_error() -> Error {
    let text = BodyError::Aborted.to_string();
    Error::AppThrew(Thrown::new("AbortError", text).into())
}

/// A body that ends with an error once it is given up; its producer is dropped then.
struct AbortableStream {
    stream: Option<BodyStream>,
    aborted: Aborted,
}

impl Stream for AbortableStream {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.stream.is_some() && Pin::new(&mut self.aborted).poll(cx).is_ready() {
            self.stream = None;
            return Poll::Ready(Some(Err(BodyError::Aborted)));
        }
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http::{HeaderMap, StatusCode};

    use super::*;

    fn answer(body: Body) -> Reply<Response> {
        let headers = HeaderMap::new();
        let response = Response { status: StatusCode::OK, headers, body, url: None, socket: None };
        Box::pin(std::future::ready(Ok(response)))
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_answer_that_is_given_up_fails_with_an_abort_error() {
        let (aborter, aborted) = pair();
        let mut waiting = std::pin::pin!(abortable(Box::pin(std::future::pending()), aborted));
        assert!(poll(waiting.as_mut()).is_pending());
        aborter.abort();
        let Poll::Ready(Err(Error::AppThrew(thrown))) = poll(waiting.as_mut()) else {
            panic!("it was given up");
        };
        assert_eq!(thrown.name, "AbortError");
    }

    #[test]
    fn a_body_that_is_given_up_ends_with_an_error_and_then_for_good() {
        let (aborter, aborted) = pair();
        let (_writer, body) = Body::channel();
        let mut waiting = std::pin::pin!(abortable(answer(body), aborted));
        let Poll::Ready(Ok(response)) = poll(waiting.as_mut()) else { panic!("it is there") };
        let Body::Stream(mut stream) = response.body else { panic!("it streams") };
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut stream).poll_next(&mut cx).is_pending());
        aborter.abort();
        let ended = Pin::new(&mut stream).poll_next(&mut cx);
        assert!(matches!(ended, Poll::Ready(Some(Err(BodyError::Aborted)))));
        assert!(matches!(Pin::new(&mut stream).poll_next(&mut cx), Poll::Ready(None)));
    }

    #[test]
    fn a_lost_handle_gives_up_nothing() {
        let (aborter, aborted) = pair();
        drop(aborter);
        let mut waiting = std::pin::pin!(abortable(answer(Body::Empty), aborted));
        assert!(matches!(poll(waiting.as_mut()), Poll::Ready(Ok(_))));
    }
}
