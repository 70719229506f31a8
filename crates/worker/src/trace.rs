//! What tail workers hear of a dynamic worker's events (`spec/workers.md` WL-44): one item for
//! each, once it is over.
//!
//! Only workers that were given `tails` or `streamingTails` are traced. An item travels as JSON, as
//! the only argument of the call [`TAIL`].

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::actor::Actor;
use crate::capability::Arrived;
use crate::code::Tail;
use crate::entrypoint::{Call, Serialized};
use crate::error::Error;
use crate::event::{Event, EventKind};
use crate::instance::Instance;
use crate::limits::TRACE_LOG_BYTES_MAX;
use crate::message::{Request, Response};
use crate::shard::Shard;
use crate::tail_stream::TailStream;

/// The method by which a tail handler is called; no property of an object that code writes by
/// accident.
pub const TAIL: &str = "\0tail";

/// Where the items of one worker go.
pub(crate) struct Tails {
    pub shard: Rc<Shard>,
    pub targets: Arc<[Tail]>,
}

/// One event that is being traced.
pub(crate) struct Trace {
    tails: Rc<Tails>,
    actor: Option<Rc<Actor>>,
    entrypoint: Option<String>,
    model: &'static str,
    event: Value,
    began: Instant,
    began_ms: u64,
    logs: Vec<Value>,
    log_bytes: usize,
    is_truncated: bool,
    exceptions: Vec<Value>,
    outcome: Option<&'static str>,
    stream: Option<TailStream>,
    /// It is a call that reads a property.
    is_read: bool,
}

impl Tails {
    /// Begins a trace, if anybody wants to hear of the event.
    pub fn begin(self: &Rc<Self>, event: &Event) -> Option<Box<Trace>> {
        if self.targets.is_empty() {
            return None;
        }
        let info = match &event.kind {
            EventKind::Fetch(Some(request), _) => json!({ "request": describe(request) }),
            EventKind::Call(Some(call), _) => json!({ "rpcMethod": call.method }),
            _ => return None,
        };
        let entrypoint = match &event.actor {
            Some(actor) => Some(actor.identity.class.clone()),
            None => Some(event.entry.name.clone()).filter(|name| !name.is_empty()),
        };
        let model = if event.actor.is_some() { "durableObject" } else { "stateless" };
        let streams = self.targets.iter().filter(|tail| tail.is_streaming);
        let streams: Vec<_> = streams.map(|tail| tail.target.clone()).collect();
        let stream = (!streams.is_empty()).then(|| {
            TailStream::begin(
                &self.shard,
                streams,
                event.actor.clone(),
                (model, entrypoint.as_deref()),
                &info,
            )
        });
        let is_read =
            matches!(&event.kind, EventKind::Call(Some(call), _) if call.arguments.is_none());
        Some(Box::new(Trace {
            tails: Rc::clone(self),
            actor: event.actor.clone(),
            entrypoint,
            model,
            event: info,
            began: Instant::now(),
            began_ms: now_ms(),
            logs: Vec::new(),
            log_bytes: 0,
            is_truncated: false,
            exceptions: Vec::new(),
            outcome: None,
            stream,
            is_read,
        }))
    }

    fn send(&self, item: &Value) {
        let text = Value::Array(vec![item.clone()]).to_string();
        for tail in self.targets.iter().filter(|tail| !tail.is_streaming) {
            let arrived = tail.target.arrive(&self.shard);
            let Arrived::Entrypoint(entrypoint) = arrived else { continue };
            let call = Call {
                method: Some(TAIL.into()),
                arguments: Some(Serialized::of_text_argument(&text)),
                ..Call::default()
            };
            let reply = entrypoint.call(call);
            self.shard.spawn(async move {
                if let Err(error) = reply.await {
                    tracing::warn!(%error, "a tail worker failed");
                }
            });
        }
    }
}

impl Trace {
    /// Adds a log entry; beyond the limit it is only noted that some are missing.
    pub fn log(&mut self, level: &str, message: Value, errors: Option<Value>) {
        let mut entry = json!({ "message": message, "level": level, "timestamp": now_ms() });
        if let (Some(errors), Some(entry)) = (errors, entry.as_object_mut()) {
            entry.insert("errorInfo".into(), errors);
        }
        self.log_bytes += entry.to_string().len();
        match self.log_bytes <= TRACE_LOG_BYTES_MAX {
            true => {
                if let Some(stream) = &mut self.stream {
                    stream.log(level, &entry["message"]);
                }
                self.logs.push(entry);
            }
            false => self.is_truncated = true,
        }
    }

    /// The event was answered. What it threw is an exception of a `fetch`; that of a call is its
    /// caller's to report, as on the platform.
    pub fn answered(&mut self, failure: Option<&Error>, response: Option<&Response>) {
        let is_fetch = self.event.get("request").is_some();
        self.outcome = Some(match failure {
            Some(Error::AppCpu(_)) => "exceededCpu",
            Some(Error::AppMemory(_)) => "exceededMemory",
            Some(error) if is_fetch => {
                self.exceptions.push(exception(error));
                "exception"
            }
            _ => "ok",
        });
        if let Some(stream) = &mut self.stream {
            let status = response.map(|response| response.status.as_u16());
            self.exceptions.iter().for_each(|exception| stream.exception(exception));
            stream.answered(status, failure.is_none(), self.is_read);
        }
        if let (Some(response), Some(event)) = (response, self.event.as_object_mut()) {
            event.insert("response".into(), json!({ "status": response.status.as_u16() }));
        }
    }

    /// True once it was answered.
    pub fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// Tells the tail workers, once what the event wrote is durable: the item may reveal it.
    pub fn send(mut self, cpu: Duration) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if let Some(stream) = self.stream.take() {
            let outcome = self.outcome.unwrap_or("canceled");
            stream.outcome(outcome, millis(cpu), millis(self.began.elapsed()));
        }
        if self.tails.targets.iter().all(|tail| tail.is_streaming) {
            return;
        }
        let mut item = Map::new();
        let mut put = |name: &str, value: Value| drop(item.insert(name.into(), value));
        put("wallTime", millis(self.began.elapsed()).into());
        put("cpuTime", millis(cpu).into());
        put("truncated", self.is_truncated.into());
        put("executionModel", self.model.into());
        put("outcome", self.outcome.unwrap_or("canceled").into());
        if let Some(entrypoint) = self.entrypoint {
            put("entrypoint", entrypoint.into());
        }
        put("scriptName", Value::Null);
        put("diagnosticsChannelEvents", Value::Array(Vec::new()));
        put("exceptions", self.exceptions.into());
        put("logs", self.logs.into());
        put("eventTimestamp", self.began_ms.into());
        put("event", self.event);
        let item = Value::Object(item);
        let Some(durable) = self.actor.and_then(|actor| actor.signal_when_durable()) else {
            return self.tails.send(&item);
        };
        let tails = self.tails;
        Rc::clone(&tails.shard).spawn(async move {
            match durable.await {
                Ok(Ok(())) => tails.send(&item),
                _ => tracing::warn!("an event is not traced because its writes are lost"),
            }
        });
    }
}

impl Instance {
    /// True if what the worker logs is for tail workers too.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        !self.code.tails.is_empty()
    }

    /// Adds a log entry to the trace of an event: what was logged, and the errors among it, as
    /// JSON arrays.
    pub fn trace_log(&self, event: u32, level: &str, message: &str, errors: &str) {
        let message = serde_json::from_str(message).unwrap_or_default();
        let errors = serde_json::from_str(errors).ok();
        self.meters.with_trace(event, |trace| trace.log(level, message, errors));
    }
}

fn describe(request: &Request) -> Value {
    let headers = request.headers.keys().map(|name| {
        let values = request.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        let value = if is_secret(name.as_str()) { "REDACTED".into() } else { values.join(", ") };
        (name.as_str().to_owned(), Value::from(value))
    });
    let headers: Map<String, Value> = headers.collect();
    json!({ "url": request.url, "method": request.method.as_str(), "headers": headers })
}

/// Headers whose values nobody but their receiver should see.
fn is_secret(name: &str) -> bool {
    name == "cookie"
        || name == "set-cookie"
        || ["auth", "key", "secret", "token", "jwt"].iter().any(|part| name.contains(part))
}

fn exception(error: &Error) -> Value {
    let (name, message, stack) = match error {
        Error::AppThrew(thrown) | Error::AppCode(thrown) | Error::BrokenReset(thrown) => {
            (thrown.name.as_str(), thrown.message.clone(), thrown.stack.as_deref())
        }
        other => ("Error", other.to_string(), None),
    };
    let frames = stack.and_then(|stack| stack.find("\n    at ").map(|at| &stack[at + 1..]));
    let frames = frames.unwrap_or_default().replace("worker:///", "");
    json!({ "name": name, "message": message, "stack": frames, "timestamp": now_ms() })
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
