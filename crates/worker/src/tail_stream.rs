//! Streaming tail workers: what a dynamic worker's event does, told while it does it
//! (`spec/workers.md` §1.3), as workerd tells it: the onset to `tailStream()`, the rest to the
//! handler that this returns.
//!
//! An event travels as JSON, as the only argument of a call: the first one of [`TAIL_STREAM`], the
//! others of the function that the first one lent.

use std::rc::Rc;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::actor::Actor;
use crate::capability::{Arrived, Capability};
use crate::entrypoint::{Call, Entrypoint, Serialized};
use crate::live::LiveStub;
use crate::shard::Shard;

/// The method by which a streaming tail handler is called.
pub const TAIL_STREAM: &str = "\0tailStream";

/// What is told about one event of a worker.
pub(crate) struct TailStream {
    /// What is told fits into the limit of a trace's logs, so the channel needs none.
    events: UnboundedSender<String>,
    trace_id: String,
    invocation_id: String,
    /// That of the invocation.
    span: String,
    /// That of the RPC call, and its method.
    call: Option<(String, String)>,
    sequence: u32,
}

impl TailStream {
    /// Begins to tell `targets`, with what the event is. What an actor does is told once what it
    /// may reveal is durable.
    pub fn begin(
        shard: &Rc<Shard>,
        targets: Vec<Capability>,
        actor: Option<Rc<Actor>>,
        (model, entrypoint): (&str, Option<&str>),
        info: &Value,
    ) -> TailStream {
        let (events, told) = unbounded_channel();
        shard.spawn(tell_all(Rc::clone(shard), targets, actor, told));
        let mut stream = TailStream {
            events,
            trace_id: random_hex(16),
            invocation_id: random_hex(16),
            span: random_hex(8),
            call: None,
            sequence: 0,
        };
        let method = info.get("rpcMethod").map(|method| method.as_str().unwrap_or_default());
        let onset = |info: Value| {
            let mut onset = json!({
                "type": "onset", "executionModel": model, "spanId": &stream.span,
                "scriptTags": [], "info": info,
            });
            if let Some(entrypoint) = entrypoint {
                onset["entrypoint"] = entrypoint.into();
            }
            onset
        };
        match method {
            None => stream.tell_plain(onset(fetch_info(&info["request"]))),
            Some(method) => {
                stream.tell_plain(onset(json!({ "type": "jsrpc" })));
                let span = random_hex(8);
                let name = "jsRpcCall";
                stream.tell(&json!({ "type": "spanOpen", "name": name, "spanId": &span }));
                stream.tell(&attributes(&[("jsrpc.method", method)]));
                stream.call = Some((span, method.to_owned()));
            }
        }
        stream
    }

    /// Something was logged.
    pub fn log(&mut self, level: &str, message: &Value) {
        self.tell(&json!({ "type": "log", "level": level, "message": message }));
    }

    /// A `fetch` failed.
    pub fn exception(&mut self, exception: &Value) {
        let part = |name: &str| exception[name].clone();
        let (name, message, stack) = (part("name"), part("message"), part("stack"));
        let kind = "exception";
        self.tell(&json!({ "type": kind, "name": name, "message": message, "stack": stack }));
    }

    /// The event has a result: a response with this status, or that of a call, of which
    /// `is_read` says that it read a property.
    pub fn answered(&mut self, status: Option<u16>, is_ok: bool, is_read: bool) {
        if let Some((_, method)) = &self.call {
            let told = attributes(&[
                ("jsrpc.method", method),
                ("jsrpc.target_kind", "entrypoint"),
                ("jsrpc.operation", if is_read { "getProperty" } else { "call" }),
            ]);
            self.tell(&told);
            self.tell(&json!({ "type": "spanClose", "outcome": "ok" }));
            self.call = None;
        }
        match status {
            Some(status) => {
                let info = json!({ "type": "fetch", "statusCode": status });
                self.tell(&json!({ "type": "return", "info": info }));
            }
            None if is_ok => self.tell(&json!({ "type": "return" })),
            None => {}
        }
    }

    /// The event is over; times are in milliseconds.
    pub fn outcome(mut self, outcome: &str, cpu_ms: u64, wall_ms: u64) {
        let kind = "outcome";
        let event =
            json!({ "type": kind, "outcome": outcome, "cpuTime": cpu_ms, "wallTime": wall_ms });
        self.tell(&event);
    }

    fn tell(&mut self, event: &Value) {
        let is_call_event = event["type"] != "spanOpen" && event["type"] != "outcome";
        let span =
            self.call.as_ref().filter(|_| is_call_event).map_or(&self.span, |(span, _)| span);
        let context = json!({ "traceId": &self.trace_id, "spanId": span });
        self.send(&context, event);
    }

    /// Without a span around it.
    fn tell_plain(&mut self, event: Value) {
        let context = json!({ "traceId": &self.trace_id });
        self.send(&context, &event);
    }

    fn send(&mut self, context: &Value, event: &Value) {
        let item = json!({
            "spanContext": context, "invocationId": &self.invocation_id,
            "timestamp": crate::trace::now_ms(), "sequence": self.sequence, "event": event,
        });
        self.sequence += 1;
        // Nobody listens any longer when the shard ends.
        let _ = self.events.send(item.to_string());
    }
}

async fn tell_all(
    shard: Rc<Shard>,
    targets: Vec<Capability>,
    actor: Option<Rc<Actor>>,
    mut events: UnboundedReceiver<String>,
) {
    let mut handlers: Option<Vec<LiveStub>> = None;
    while let Some(event) = events.recv().await {
        if let Some(durable) = actor.as_ref().and_then(|actor| actor.signal_when_durable())
            && !matches!(durable.await, Ok(Ok(())))
        {
            tracing::warn!("the rest of an event is not told because its writes are lost");
            return;
        }
        let arguments = Some(Serialized::of_text_argument(&event));
        let Some(handlers) = &handlers else {
            handlers = Some(open(&shard, &targets, arguments).await);
            continue;
        };
        for handler in handlers {
            let call = Call { arguments: arguments.clone(), ..Call::default() };
            if let Err(error) = handler.call(call).await {
                tracing::warn!(%error, "a streaming tail worker failed");
            }
        }
    }
}

/// Tells the onset; what comes back takes the rest.
async fn open(
    shard: &Rc<Shard>,
    targets: &[Capability],
    arguments: Option<Serialized>,
) -> Vec<LiveStub> {
    let mut handlers = Vec::new();
    for target in targets {
        let Arrived::Entrypoint(entrypoint) = target.arrive(shard) else { continue };
        let method = Some(TAIL_STREAM.into());
        let call = Call { method, arguments: arguments.clone(), ..Call::default() };
        match entrypoint.call(call).await {
            Ok(answer) => {
                let lent = answer.capabilities().iter().map(|capability| capability.arrive(shard));
                handlers.extend(lent.filter_map(|arrived| match arrived {
                    Arrived::Live(handler) => Some(handler),
                    _ => None,
                }));
            }
            Err(error) => tracing::warn!(%error, "a streaming tail worker failed"),
        }
    }
    handlers
}

fn fetch_info(request: &Value) -> Value {
    let headers = request["headers"].as_object().into_iter().flatten();
    let headers: Vec<Value> =
        headers.map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let (method, url) = (&request["method"], &request["url"]);
    json!({ "type": "fetch", "method": method, "url": url, "headers": headers })
}

fn attributes(list: &[(&str, &str)]) -> Value {
    let list: Vec<Value> =
        list.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "type": "attributes", "info": list })
}

fn random_hex(bytes: usize) -> String {
    let mut buffer = [0; 16];
    // Without randomness ids are not unique, which nothing here relies on.
    let _ = getrandom::fill(&mut buffer[..bytes]);
    buffer[..bytes].iter().map(|byte| format!("{byte:02x}")).collect()
}
