//! The limits of one listener, with how each was chosen.

use std::time::Duration;

use worker::limits::{
    ADDRESS_CONNECTIONS_MAX, BODY_IDLE_TIMEOUT, CONNECTIONS_MAX, HEAD_TIMEOUT, Limits, STREAMS_MAX,
};

/// What one listener takes from its clients. Exceeding a limit is answered with the status
/// given at it, or ends the connection where no answer is possible any more.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Bytes of the request line and all headers (431); hyper needs at least 8 KiB.
    pub header_bytes_max: usize,
    /// Bytes of a request body (413).
    pub body_bytes_max: u64,
    /// How long a client may take to send a complete head, counted from when the connection
    /// waits for one; it also ends idle keep-alive connections.
    pub header_read_timeout: Duration,
    /// How long a request body may stand still while somebody waits for it, and over how long it
    /// must keep up a minimum rate.
    pub body_idle_timeout: Duration,
    /// Connections open at once on this listener; more wait in the backlog.
    pub connections_max: usize,
    /// Those of them from one address, unless it is this machine's; more are closed at once.
    pub address_connections_max: usize,
    /// Requests in flight at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// How long requests in flight may take to finish after a shutdown was asked for.
    pub drain_timeout: Duration,
}

impl HttpLimits {
    /// The limits of a listener within the limits of the runtime.
    #[must_use]
    pub fn new(limits: &Limits) -> HttpLimits {
        HttpLimits {
            header_bytes_max: limits.header_bytes_max.max(HYPER_BUFFER_BYTES_MIN),
            body_bytes_max: limits.request_body_bytes_max,
            header_read_timeout: HEAD_TIMEOUT,
            body_idle_timeout: BODY_IDLE_TIMEOUT,
            connections_max: CONNECTIONS_MAX,
            address_connections_max: ADDRESS_CONNECTIONS_MAX,
            streams_max: STREAMS_MAX,
            // Within what Kubernetes and systemd grant before they kill.
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits::new(&Limits::default())
    }
}

/// Sockets one worker may have open at a time on a shard.
pub(crate) const SOCKETS_MAX: usize = 64;

/// Idle connections one worker keeps to one host; six are what browsers open.
pub(crate) const IDLE_PER_HOST_MAX: usize = 6;

/// How long an idle connection is kept; most servers close theirs after 60 to 75 seconds.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// How long resolving, connecting and the TLS handshake may take together.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the head of an answer may take; what Cloudflare waits for an origin.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// After this time without an answer a worker that has all its sockets open closes idle ones.
pub(crate) const STARVED_AFTER: Duration = Duration::from_secs(1);

/// Bytes of the status line and all headers of an answer.
pub(crate) const ANSWER_HEAD_BYTES_MAX: usize = 64 << 10;

/// Headers of an answer.
pub(crate) const ANSWER_HEADERS_MAX: usize = 128;

/// Streams of an HTTP/2 connection that its client reset before they were taken; a client that does
/// so on purpose is disconnected (CVE-2023-44487).
pub(crate) const PENDING_RESETS_MAX: usize = 20;

/// Streams of an HTTP/2 connection that we reset because of what the client sent.
pub(crate) const LOCAL_RESETS_MAX: usize = 128;

/// Bytes that an HTTP/2 client may send on a stream, and on all, before somebody reads them.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 256 << 10;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// Bytes of answers that wait for an HTTP/2 client, on each stream.
pub(crate) const STREAM_SEND_BYTES_MAX: usize = 64 << 10;

/// The smallest buffer hyper accepts for a connection.
const HYPER_BUFFER_BYTES_MIN: usize = 8 << 10;

/// How long a connection for another process may wait until it is handed over: the other one may be
/// restarting.
pub const HANDOVER_TIMEOUT: Duration = Duration::from_secs(10);
