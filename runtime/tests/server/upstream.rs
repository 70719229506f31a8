//! The server that an app under test fetches from: another worker, the folder's `upstream.js`.
//!
//! The app finds its address in the variable `UPSTREAM`, and is allowed to reach loopback.

use std::path::PathBuf;

use super::Server;

/// A running upstream; it ends when dropped.
pub struct Upstream {
    server: Server,
    _data: tempfile::TempDir,
}

impl Upstream {
    /// Runs a script on one thread.
    pub fn start(script: PathBuf) -> Upstream {
        let data = tempfile::tempdir().unwrap();
        Upstream { server: Server::run(&script, data.path(), 1, &[]), _data: data }
    }

    /// Where it serves, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// What `beryl run` must be told about it.
    pub fn flags(&self) -> Vec<String> {
        vec![format!("--var=UPSTREAM={}", self.url()), "--allow-private-network".to_owned()]
    }
}
