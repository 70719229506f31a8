//! Libraries that the runtime carries, so that a worker can import them without bundling them.
//!
//! They are ordinary modules of the worker that imports them: they see what it sees and run within
//! its limits. A worker's own module of the same name wins.

use std::sync::{Arc, OnceLock};

/// The module that a specifier means, by the URL under which the engine knows it.
pub(crate) fn url(specifier: &str) -> Option<&'static str> {
    (specifier == "capnweb").then_some(CAPNWEB)
}

/// The source of the module at a URL.
pub(crate) fn source(url: &str) -> Option<Arc<str>> {
    static CAPNWEB_SOURCE: OnceLock<Arc<str>> = OnceLock::new();
    let source = || include_str!("../../../third_party/capnweb/capnweb.js").into();
    (url == CAPNWEB).then(|| Arc::clone(CAPNWEB_SOURCE.get_or_init(source)))
}

/// RPC with clients outside, as JSON over HTTP or a WebSocket (`spec/workers.md` §6.10).
const CAPNWEB: &str = "provided:capnweb";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_has_a_source_and_nothing_else_has() {
        let found = url("capnweb").and_then(source).unwrap();
        assert!(found.is_ascii() && found.contains("newWorkersRpcResponse"));
        assert_eq!(url("capnweb/other"), None);
        assert!(source("provided:other").is_none());
    }
}
