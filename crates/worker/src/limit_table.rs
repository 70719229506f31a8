//! Every limit that an app can meet, as one table: what `GET /v1/limits` answers and what
//! `docs/limits.md` is made of. A limit that is not in it is a defect of the table.

use std::time::Duration;

use crate::limits as l;
use crate::limits::Limits;

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// A stable name.
    pub name: &'static str,
    /// How much; `None` where nothing is limited unless somebody says so.
    pub value: Option<u64>,
    /// Of what: `ms`, `bytes`, or what is counted.
    pub unit: &'static str,
    /// What has so much each.
    pub per: &'static str,
    /// What a breach ends in: a code of `docs/errors.md`, or the name of an exception.
    pub breach: &'static str,
    /// How to have another one; empty where it is fixed.
    pub raise: &'static str,
}

impl Limits {
    /// The limits of this process.
    #[must_use]
    pub fn table(&self) -> Vec<Limit> {
        let groups =
            [self.time(), self.memory(), self.storage(), requests(), self.numbers(), code()];
        groups.concat()
    }

    fn time(&self) -> Vec<Limit> {
        vec![
            limit("cpu_ms", self.cpu_ms, "ms", "event").ends("cpu_limit", RAISE_CPU),
            limit("startup_cpu_ms", self.cpu_ms, "ms", "start of a worker")
                .ends("cpu_limit", RAISE_CPU),
            unset("wall_ms", "ms", "event").ends("wall_limit", RAISE_WALL),
            limit("section_ms", self.section_ms, "ms", "blockConcurrencyWhile() or transaction()")
                .ends("overloaded", "`--block-ms`"),
            limit("typescript_ms", l::TYPESCRIPT_MS_MAX, "ms", "TypeScript module")
                .ends("syntax", ""),
        ]
    }

    fn memory(&self) -> Vec<Limit> {
        vec![
            limit("heap_bytes", self.heap_bytes_max as u64, "bytes", "isolate")
                .ends("memory_limit", RAISE_MEMORY),
            limit("buffer_bytes", self.buffer_bytes_max as u64, "bytes", "isolate")
                .ends("RangeError", ""),
            limit("growing_buffers", l::GROWING_BUFFERS_MAX, "resizable ArrayBuffers", "isolate")
                .ends("RangeError", ""),
            limit("growing_buffer_bytes", l::GROWN_BYTES_MAX, "bytes", "resizable ArrayBuffer")
                .ends("RangeError", ""),
            limit("wasm_mapped", l::WASM_MAPPED_MAX, "memories and instances", "isolate")
                .ends("RangeError", ""),
            limit("wasm_memory_bytes", l::WASM_MEMORY_BYTES_MAX, "bytes", "WebAssembly.Memory")
                .ends("RangeError", ""),
            limit("isolates", self.isolates_max as u64, "isolates", "process")
                .ends("overloaded", "`--isolates`"),
            limit("idle_isolates", l::IDLE_WORKERS_MAX as u64, "isolates without work", "thread")
                .ends("eviction", ""),
            limit("objects", self.actors_max as u64, "objects and facets in memory", "thread")
                .ends("overloaded", "raise the limit of open files (`ulimit -n`)"),
            limit("sqlite_heap_bytes", self.sqlite_heap_bytes_max, "bytes", "process")
                .ends("storage", ""),
        ]
    }

    fn storage(&self) -> Vec<Limit> {
        let storage = &self.storage;
        vec![
            limit("database_bytes", storage.database_bytes_max, "bytes", "object or facet")
                .ends("storage_full", RAISE_STORAGE),
            limit("wal_bytes", storage.wal_bytes_max, "bytes", "object or facet")
                .ends("checkpoint", ""),
            limit("value_bytes", 4 << 20, "bytes", "value or row").ends("Error", ""),
            limit("sql_text_bytes", 100_000, "bytes", "statement").ends("Error", ""),
            limit("facet_name_bytes", l::FACET_NAME_BYTES_MAX as u64, "bytes", "facet name")
                .ends("TypeError", ""),
            limit("facet_depth", l::FACET_DEPTH_MAX as u64, "levels", "tree of facets")
                .ends("Error", ""),
            limit("facets", l::FACET_IDS_MAX as u64, "facets ever", "tree of facets")
                .ends("Error", ""),
        ]
    }

    fn numbers(&self) -> Vec<Limit> {
        vec![
            unset("subrequests", "requests and calls", "event")
                .ends("subrequest_limit", RAISE_SUB_REQUESTS),
            limit("queued_events", self.queued_events_max as u64, "events", "isolate").ends(
                "overloaded",
                "fixed; `limits.queuedEvents`, `queued_events` of an app lower it",
            ),
            limit("waiting_events", l::ACTOR_WAITING_MAX as u64, "events", "object that starts")
                .ends("overloaded", ""),
            limit("timers", l::TIMERS_MAX as u64, "timers", "isolate")
                .ends("QuotaExceededError", "fixed; `limits.timers`, `timers` of an app lower it"),
            limit("sockets", l::SOCKETS_PER_ACTOR_MAX as u64, "WebSockets", "object")
                .ends("Error", ""),
            limit("socket_message_bytes", l::SOCKET_MESSAGE_BYTES_MAX as u64, "bytes", "message")
                .ends("close code 1009", ""),
            limit("socket_buffer_bytes", l::SOCKET_BUFFER_BYTES_MAX as u64, "bytes", "WebSocket")
                .ends("disconnection", ""),
            limit("rpc_bytes", l::RPC_BYTES_MAX as u64, "bytes", "call or answer")
                .ends("Error", ""),
            limit("redirects", l::REDIRECTS_MAX as u64, "redirects", "fetch()")
                .ends("TypeError", ""),
            limit("trace_log_bytes", l::TRACE_LOG_BYTES_MAX as u64, "bytes of log", "tailed event")
                .ends("truncation", ""),
            limit("log_bytes", l::LOG_BYTES_PER_SECOND as u64, "bytes of log", "worker and second")
                .ends("truncation", "fixed; `limits.logBytes`, `log_bytes` of an app lower it"),
            limit("log_line_bytes", l::LOG_LINE_BYTES_MAX as u64, "bytes", "line of log")
                .ends("truncation", ""),
        ]
    }
}

fn requests() -> Vec<Limit> {
    let limits = Limits::default();
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    vec![
        limit("request_body_bytes", limits.request_body_bytes_max, "bytes", "request")
            .ends("body_too_large", ""),
        limit("header_bytes", limits.header_bytes_max as u64, "bytes", "request").ends("431", ""),
        limit("head_ms", ms(l::HEAD_TIMEOUT), "ms", "request").ends("disconnection", ""),
        limit("body_idle_ms", ms(l::BODY_IDLE_TIMEOUT), "ms without a byte", "request body")
            .ends("disconnection", ""),
        limit("connections", l::CONNECTIONS_MAX as u64, "connections", "thread")
            .ends("waiting", ""),
        limit(
            "address_connections",
            l::ADDRESS_CONNECTIONS_MAX as u64,
            "connections",
            "address and thread",
        )
        .ends("disconnection", ""),
        limit("streams", l::STREAMS_MAX.into(), "requests", "HTTP/2 connection")
            .ends("waiting", ""),
    ]
}

fn code() -> Vec<Limit> {
    vec![
        limit("code_bytes", l::CODE_BYTES_MAX as u64, "bytes", "worker").ends("code_too_large", ""),
        limit("env_bytes", l::ENV_BYTES_MAX as u64, "bytes", "worker").ends("Error", ""),
        limit("typescript_bytes", l::TYPESCRIPT_BYTES_MAX as u64, "bytes", "TypeScript module")
            .ends("syntax", ""),
    ]
}

impl Limit {
    fn ends(self, breach: &'static str, raise: &'static str) -> Limit {
        Limit { breach, raise, ..self }
    }
}

fn limit(name: &'static str, value: u64, unit: &'static str, per: &'static str) -> Limit {
    Limit { name, value: Some(value), unit, per, breach: "", raise: "" }
}

fn unset(name: &'static str, unit: &'static str, per: &'static str) -> Limit {
    Limit { name, value: None, unit, per, breach: "", raise: "" }
}

/// How to raise the limit behind the code of an error; `None` for codes of no limit.
#[must_use]
pub fn raise(code: &str) -> Option<&'static str> {
    Some(match code {
        "cpu_limit" => RAISE_CPU,
        "wall_limit" => RAISE_WALL,
        "memory_limit" => RAISE_MEMORY,
        "subrequest_limit" => RAISE_SUB_REQUESTS,
        "storage_full" => RAISE_STORAGE,
        _ => return None,
    })
}

const RAISE_CPU: &str = "`--cpu-ms`; `limits.cpuMs`, `cpu_ms` of an app can only lower it";
const RAISE_WALL: &str = "`limits.wallMs`, `wall_ms` of an app";
const RAISE_MEMORY: &str = "fixed; `limits.memoryMb`, `memory_mb` of an app can only lower it";
const RAISE_SUB_REQUESTS: &str = "`limits.subRequests`, `subrequests` of an app";
const RAISE_STORAGE: &str =
    "`--storage-bytes`; `limits.storageMb`, `storage_mb` of an app can only lower it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_limit_says_how_it_ends() {
        let table = Limits::default().table();
        for (index, limit) in table.iter().enumerate() {
            assert!(!limit.breach.is_empty(), "{}", limit.name);
            assert!(table[..index].iter().all(|other| other.name != limit.name), "{}", limit.name);
        }
    }

    #[test]
    fn what_javascript_bounds_by_itself_has_the_same_numbers() {
        let memory = include_str!("../../../js/memory.js");
        assert!(memory.contains(&format!("GROWING_MAX = {};", l::GROWING_BUFFERS_MAX)));
        assert!(memory.contains(&format!("= {} * 1024 * 1024;", l::GROWN_BYTES_MAX >> 20)));
        let wasm = include_str!("../../../js/lazy/web_assembly.js");
        assert!(wasm.contains(&format!("MAPPED_MAX = {};", l::WASM_MAPPED_MAX)));
        let timers = include_str!("../../../js/timers.js");
        assert!(timers.contains("TIMERS_MAX = 10_000;") && l::TIMERS_MAX == 10_000);
    }
}
