//! What a worker process takes over from its keeper: sockets, memory, and what it is told.

use std::collections::HashMap;
use std::env;
use std::io;
use std::os::unix::net::UnixDatagram;

use isolate::Blame;
use listenfd::ListenFd;
use network::listener::Listener;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::cordon::Cordon;
use crate::strikes::Strikes;

/// What a worker process knows of its keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    keeper: i32,
    /// Which one it is.
    pub cordon: Cordon,
    /// How many worker processes there were before this one.
    pub restarts: u32,
    /// The apps that are refused, and until when in milliseconds since 1970.
    pub refused: HashMap<String, u64>,
    /// The apps that live in the quarantine.
    pub away: Vec<String>,
}

/// What a worker process takes over from its keeper.
pub struct Inheritance {
    /// What it is told.
    pub kept: Kept,
    /// The sockets to serve on.
    pub listeners: Vec<Listener>,
    /// Its end of the channel between the main cordon and the quarantine.
    pub channel: UnixDatagram,
    /// Where it shows whose code runs.
    pub blame: Blame,
}

impl Kept {
    /// What the environment says, and the sockets that came along; `None` in a process that no
    /// keeper started. Before any other thread exists.
    ///
    /// # Errors
    /// When the keeper is gone already, or a socket is none.
    pub fn from_env() -> io::Result<Option<Inheritance>> {
        let Some(kept) = env::var(KEPT).ok().as_deref().and_then(Kept::parse) else {
            return Ok(None);
        };
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended before the line above could see it.
        if getppid().map(Pid::as_raw_pid) != Some(kept.keeper) {
            return Err(io::Error::other("the keeper process has ended"));
        }
        let mut inherited = ListenFd::from_env();
        let last = inherited.len().saturating_sub(1);
        let mut listeners = Vec::with_capacity(last);
        for index in 0..last {
            let socket = inherited.take_tcp_listener(index)?;
            listeners.extend(socket.map(Listener::inherited).transpose()?);
        }
        let channel = inherited.take_unix_datagram(last)?;
        let channel = channel.ok_or_else(|| io::Error::other("the keeper passed no channel on"))?;
        channel.set_nonblocking(true)?;
        let memory = FIRST_DESCRIPTOR + i32::try_from(inherited.len()).unwrap_or(i32::MAX);
        let blame = Blame::inherit(memory)?;
        Ok(Some(Inheritance { kept, listeners, channel, blame }))
    }

    fn parse(text: &str) -> Option<Kept> {
        let parts: Vec<&str> = text.split(':').collect();
        let [keeper, cordon, restarts, refused, away] = parts[..] else { return None };
        Some(Kept {
            keeper: keeper.parse().ok()?,
            cordon: Cordon::parse(cordon)?,
            restarts: restarts.parse().ok()?,
            refused: Strikes::parse(refused),
            away: away.split(',').filter(|app| !app.is_empty()).map(str::to_owned).collect(),
        })
    }
}

/// How a worker process knows that it is one:
/// `<process id of the keeper>:<cordon>:<restarts>:<refused>:<away>`.
pub const KEPT: &str = "BERYL_KEPT";

/// After standard input, output and error.
pub const FIRST_DESCRIPTOR: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_keeper_wrote_is_not_understood() {
        let refused = [("bad".to_owned(), 5)].into();
        let away = vec!["bad".to_owned(), "worse".to_owned()];
        let (keeper, cordon, restarts) = (12, Cordon::Main, 3);
        let kept = Kept { keeper, cordon, restarts, refused, away };
        assert_eq!(Kept::parse("12:main:3:bad=5:bad,worse"), Some(kept));
        for text in ["", "12", ":", "12:", "a:main:1::", "12:main:-1::", "12:main:3", "12:x:3::"] {
            assert_eq!(Kept::parse(text), None, "{text}");
        }
    }
}
