//! How the archive reaches a bucket: HTTP/1.1 with our connector and TLS, to wherever the operator
//! said.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use tokio::sync::Semaphore;

use crate::client::Gateway;
use crate::connector::{Connector, Versions};
use crate::limits::{ANSWER_TIMEOUT, IDLE_TIMEOUT};

/// Opens clients for buckets.
pub struct BucketConnector(Connector);

/// A client with its connections; they live on the runtime that uses it.
struct Bucket(legacy::Client<Connector, HttpRequestBody>);

impl BucketConnector {
    /// A connector with the trust of a gateway, and without its rules on addresses: a bucket may
    /// well lie in a private network.
    #[must_use]
    pub fn new(gateway: &Gateway) -> BucketConnector {
        let sockets = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let tls = gateway.tls().clone();
        let everywhere = crate::Egress::Everywhere;
        BucketConnector(Connector::new(everywhere, sockets, tls, Versions::Http1))
    }
}

impl HttpConnector for BucketConnector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let pool = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(self.0.clone());
        Ok(HttpClient::new(Bucket(pool)))
    }
}

type Called<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Bucket {
    fn call<'life, 'call>(&'life self, request: HttpRequest) -> Called<'call>
    where
        'life: 'call,
        Self: 'call,
    {
        Box::pin(async move {
            let sent = tokio::time::timeout(ANSWER_TIMEOUT, self.0.request(request)).await;
            let sent = sent.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
            let answer = sent.map_err(|error| {
                let is_connect = error.is_connect();
                let kind = if is_connect { HttpErrorKind::Connect } else { HttpErrorKind::Request };
                HttpError::new(kind, error)
            })?;
            let (parts, body) = answer.into_parts();
            let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
            Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
        })
    }
}

impl fmt::Debug for BucketConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BucketConnector")
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket")
    }
}

/// One request at a time is the rule; a body that is not read to its end keeps its connection.
const CONNECTIONS_MAX: usize = 16;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use object_store::aws::AmazonS3Builder;
    use object_store::{ObjectStoreExt, PutPayload};

    use super::*;
    use crate::Egress;

    /// A bucket that keeps what is put and shows whether requests are signed.
    fn bucket() -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let mut objects = HashMap::<String, Vec<u8>>::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    reader.read_line(&mut head).unwrap();
                }
                let head = head.to_ascii_lowercase();
                let length = head
                    .split("content-length: ")
                    .nth(1)
                    .map_or(0, |rest| rest.lines().next().unwrap().parse::<usize>().unwrap());
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let mut words = head.split(' ');
                let (method, key) = (words.next().unwrap(), words.next().unwrap().to_owned());
                let is_signed = head.contains("authorization: aws4-hmac-sha256 credential=key/");
                let (status, body) = match (method, objects.get(&key)) {
                    _ if !is_signed => (403, Vec::new()),
                    ("put", _) => {
                        objects.insert(key, body);
                        (200, Vec::new())
                    }
                    (_, Some(object)) => (200, object.clone()),
                    _ => (404, Vec::new()),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\netag: \"1\"\r\n\
                     last-modified: Tue, 24 Nov 2026 12:00:00 GMT\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
            }
        });
        endpoint
    }

    #[tokio::test]
    async fn objects_go_to_a_bucket_and_come_back() {
        let gateway = Gateway::new(Egress::Public, []).unwrap();
        let store = AmazonS3Builder::new()
            .with_bucket_name("bucket")
            .with_region("here")
            .with_access_key_id("key")
            .with_secret_access_key("secret")
            .with_endpoint(bucket())
            .with_allow_http(true)
            .with_http_connector(BucketConnector::new(&gateway))
            .build()
            .unwrap();
        let key = object_store::path::Path::from("a/b.log");
        store.put(&key, PutPayload::from_static(b"history")).await.unwrap();
        let found = store.get(&key).await.unwrap().bytes().await.unwrap();
        assert_eq!(&*found, b"history");
        let missing = store.get(&object_store::path::Path::from("a/c.log")).await;
        assert!(matches!(missing, Err(object_store::Error::NotFound { .. })));
    }
}
