//! Every named limit of the runtime, with how it was chosen.

use std::time::Duration;

/// Chunks of a streamed body that may wait for their reader. Eight chunks of up to 64 KiB keep
/// a connection busy without letting a slow reader cost more than half a megabyte.
pub const BODY_CHANNEL_CHUNKS: usize = 8;

/// Redirects that are followed for one `fetch()`, as on the platform.
pub const REDIRECTS_MAX: usize = 20;

/// Bytes of all module bodies of one worker together (WL-21).
pub const CODE_BYTES_MAX: usize = 64 << 20;

/// Bytes of a worker's serialized `env` (WL-28).
pub const ENV_BYTES_MAX: usize = 1 << 20;

/// Bytes of the arguments or the result of one RPC call (RPC-10).
pub const RPC_BYTES_MAX: usize = 32 << 20;

/// Bytes of log entries in one trace for tail workers: what Cloudflare keeps of a request's logs.
pub const TRACE_LOG_BYTES_MAX: usize = 256 << 10;

/// Bytes of one TypeScript module. Its types are taken out on the shard, a few megabytes a second.
pub const TYPESCRIPT_BYTES_MAX: usize = 4 << 20;

/// Milliseconds for parsing one TypeScript module; far more than code that people wrote needs.
pub const TYPESCRIPT_MS_MAX: u64 = 2_000;

/// Bytes of a facet's name (FA-5).
pub const FACET_NAME_BYTES_MAX: usize = 256;

/// Levels of a facet tree with the root (FA-6).
pub const FACET_DEPTH_MAX: usize = 4;

/// Facet ids one root can ever hand out (FA-7).
pub const FACET_IDS_MAX: usize = 65_535;

/// Long computations of `crypto.subtle` at a time, in the whole process: one per core of a small
/// machine, since they only take the cores from the shards.
pub const OFFLOADED_MAX: usize = 2;

/// Limits an operator can set.
#[derive(Debug, Clone)]
pub struct Limits {
    /// CPU time of one turn of JavaScript, in milliseconds.
    pub cpu_ms: u64,
    /// Time that a critical section of an object may take, in milliseconds (DO-9).
    pub section_ms: u64,
    /// JavaScript heap of one isolate, in bytes.
    pub heap_bytes_max: usize,
    /// `ArrayBuffer`s of one isolate, in bytes.
    pub buffer_bytes_max: usize,
    /// Isolates of the process, blank ones included.
    pub isolates_max: usize,
    /// How long a dynamic worker may wait until one more isolate may live, in milliseconds.
    pub load_wait_ms: u64,
    /// Whether the code of loaded workers is asked for again, to see if it changed under the
    /// same name.
    pub check_loads: bool,
    /// Objects and facets in memory, per shard. Each has three open files.
    pub actors_max: usize,
    /// Bytes of a request body as a whole.
    pub request_body_bytes_max: u64,
    /// Bytes of the request line and all headers of a request.
    pub header_bytes_max: usize,
    /// Events that may wait for one actor or worker.
    pub queued_events_max: usize,
    /// Memory that SQLite may take in all databases together, in bytes.
    pub sqlite_heap_bytes_max: u64,
    /// What each database may take.
    pub storage: storage::Settings,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // Cloudflare's default for a Worker on the paid plan.
            cpu_ms: 30_000,
            // Cloudflare's limit for `blockConcurrencyWhile`.
            section_ms: 30_000,
            // Cloudflare's isolate limit.
            heap_bytes_max: 128 << 20,
            // Cloudflare counts heap and buffers together; here each has as much.
            buffer_bytes_max: 128 << 20,
            // Each has about ten memory mappings, of which Linux allows 65,530 by default.
            isolates_max: 5_000,
            // Within the patience of a client, and far more than most events take.
            load_wait_ms: 10_000,
            // The platform does not call the callback a second time.
            check_loads: false,
            // Lowered where the system allows fewer open files.
            actors_max: 100_000,
            // Cloudflare's smallest plan limit for a request body.
            request_body_bytes_max: 100 << 20,
            // Cloudflare allows 128 KiB of headers.
            header_bytes_max: 128 << 10,
            // Far beyond what one actor can work off within a client's patience.
            queued_events_max: 10_000,
            // A few hundred databases at work, each with its 2 MB of cached pages.
            sqlite_heap_bytes_max: 1 << 30,
            storage: storage::Settings::default(),
        }
    }
}

/// Resizable `ArrayBuffer`s of one isolate; each takes mappings of the process, of which Linux
/// allows 65,530 by default. `js/memory.js` counts them.
pub const GROWING_BUFFERS_MAX: u64 = 256;

/// Bytes that the resizable `ArrayBuffer`s of one isolate may grow to together.
pub const GROWN_BYTES_MAX: u64 = 128 << 20;

/// Memories and instances of WebAssembly in one isolate; `js/lazy/web_assembly.js` counts them.
pub const WASM_MAPPED_MAX: u64 = 16;

/// Bytes of one memory of WebAssembly: V8's `--wasm-max-mem-pages`.
pub const WASM_MEMORY_BYTES_MAX: u64 = 128 << 20;

/// Bytes of one line of a worker's log; the rest is cut.
pub const LOG_LINE_BYTES_MAX: usize = 16 << 10;

/// Bytes of log that one worker may write in a second; lines beyond that are dropped and counted.
pub const LOG_BYTES_PER_SECOND: usize = 256 << 10;

/// How long a client may take to send a complete head; it also ends idle keep-alive connections.
/// nginx gives a client 60 s for a head and 75 s between requests.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a body that somebody reads may stand still; what nginx and Cloudflare allow.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes that a request body must have brought in each second that its reader waited, once that
/// was longer than [`BODY_IDLE_TIMEOUT`]; slower than any modem.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 100;

/// Connections of one listener and thread: a quarter of the descriptors a service usually gets;
/// databases need the rest.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Those of them from one address. A proxy is one address, so it is a lot; connections from this
/// machine are not counted.
pub const ADDRESS_CONNECTIONS_MAX: usize = 4_096;

/// Requests in flight on one HTTP/2 connection: what browsers assume and nginx and Cloudflare
/// allow, give or take.
pub const STREAMS_MAX: u32 = 128;

/// Bytes of one WebSocket message that is received, as on the platform (NUM-26).
pub const SOCKET_MESSAGE_BYTES_MAX: usize = 32 << 20;

/// Bytes that may wait for the peer of a WebSocket: two messages of the largest size. Whoever
/// reads slower than that is disconnected.
pub const SOCKET_BUFFER_BYTES_MAX: usize = 2 * SOCKET_MESSAGE_BYTES_MAX;

/// Bytes that may wait before a connection reads no more of its peer: enough to keep it busy.
pub const SOCKET_ROOM_BYTES: usize = 64 << 10;

/// Hibernatable WebSockets of one actor, and what each may carry (NUM-27).
pub const SOCKETS_PER_ACTOR_MAX: usize = 32_768;

/// Tags of one WebSocket (NUM-27).
pub const SOCKET_TAGS_MAX: usize = 10;

/// Bytes of one tag (NUM-27).
pub const SOCKET_TAG_BYTES_MAX: usize = 256;

/// Bytes of a serialized attachment (NUM-27).
pub const SOCKET_ATTACHMENT_BYTES_MAX: usize = 16_384;

/// Bytes of the request and of the response of an automatic answer (NUM-27).
pub const SOCKET_AUTO_RESPONSE_BYTES_MAX: usize = 2_048;

/// The longest limit for the handler of a WebSocket's event: a week (DO-23).
pub const SOCKET_EVENT_TIMEOUT_MS_MAX: u32 = 604_800_000;

/// How long a WebSocket waits before it offers a message again to a worker that is overloaded.
pub const SOCKET_RETRY: Duration = Duration::from_millis(20);

/// Timers that may be pending in one worker. Far more than an app needs, far less than what
/// would hurt the shard.
pub const TIMERS_MAX: usize = 10_000;

/// The longest delay of a timer in milliseconds: what browsers allow.
pub const TIMER_MS_MAX: u64 = 0x7fff_ffff;

/// Dynamic workers that keep their isolate on a shard although nothing runs in it: about 2 MB
/// each, and a second use of one of them is warm.
pub const IDLE_WORKERS_MAX: usize = 32;

/// Dynamic workers of a shard that wait for an isolate.
pub const LOADS_WAITING_MAX: usize = 1_000;

/// Named dynamic workers whose code a loader keeps although nobody holds a stub of them.
pub const NAMED_WORKERS_MAX: usize = 1_000;

/// Turns a shard runs before it looks at its sockets again.
pub const TURNS_PER_PUMP_MAX: usize = 256;

/// Deliveries a worker gets in one turn before others have theirs.
pub const DELIVERIES_PER_TURN_MAX: usize = 64;

/// Isolates that wait to be dropped in a quiet moment; beyond that they are dropped at once.
pub const DEAD_ISOLATES_MAX: usize = 16;

/// Blank isolates a shard keeps ready: about 2 MB each, and enough for a burst of new apps.
pub const BLANK_ISOLATES: usize = 8;

/// The stack of a shard's thread: V8's own stack limit is below one megabyte, the rest is for
/// native code that it calls.
pub const SHARD_STACK_BYTES: usize = 8 << 20;

/// Events that wait while an actor starts or blocks concurrency.
pub const ACTOR_WAITING_MAX: usize = 1_000;

/// Databases a shard keeps open although nothing uses them: 400 MB and 20,000 descriptors.
pub const OPEN_DATABASES_MAX: usize = 10_000;
