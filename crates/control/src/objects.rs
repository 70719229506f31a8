//! `GET /v1/objects`, what lives in memory, and the listener of tests that move the clock
//! and hold the disk.

use std::rc::Rc;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use storage::Brake;
use worker::census::Census;
use worker::entrypoint::{Call, Entrypoint, Reply, Serialized};
use worker::error::Error;
use worker::message::{Request, Response};
use worker::shard::Shard;

/// The JSON of `GET /v1/objects`.
#[must_use]
pub fn to_json(census: &Census) -> Value {
    let objects: Vec<Value> = census
        .objects
        .iter()
        .map(|object| {
            json!({
                "namespace": object.namespace,
                "id": object.id,
                "name": object.name,
                "facet": object.facet,
                "state": object.presence.word(),
                "shard": object.shard,
                "alarm": object.alarm_ms,
            })
        })
        .collect();
    json!({ "objects": objects, "workers": census.workers })
}

/// The entrypoint of `--debug-port`: what tests need to see and to move.
pub struct Debug {
    shard: Rc<Shard>,
    brake: Arc<Brake>,
}

impl Debug {
    /// The entrypoint, on any shard; `brake` is before the sink of all.
    #[must_use]
    pub fn new(shard: Rc<Shard>, brake: Arc<Brake>) -> Debug {
        Debug { shard, brake }
    }
}

impl Entrypoint for Debug {
    fn fetch(&self, request: Request) -> Reply<Response> {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        let (shard, brake) = (Rc::clone(&self.shard), Arc::clone(&self.brake));
        Box::pin(async move {
            let advance = path.strip_prefix("advance/").and_then(|ms| ms.parse().ok());
            let value = match (&request.method, path.as_str(), advance) {
                (&Method::GET, "objects", _) => to_json(&shard.census().await?),
                (&Method::POST, _, Some(ms)) => {
                    shard.advance_clock(ms).await?;
                    json!({})
                }
                (&Method::GET, "syncs", _) => json!({ "waiting": brake.waiting() }),
                (&Method::POST, what @ ("syncs/hold" | "syncs/release" | "syncs/fail"), _) => {
                    match what {
                        "syncs/hold" => brake.hold(),
                        "syncs/release" => brake.release(),
                        _ => brake.fail(),
                    }
                    json!({})
                }
                _ => return Ok(Response::json(StatusCode::NOT_FOUND, &json!({}))),
            };
            Ok(Response::json(StatusCode::OK, &value))
        })
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        Box::pin(async { Err(Error::AppNoHandler("the debug listener has no methods".into())) })
    }
}
