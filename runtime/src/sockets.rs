//! The sockets of a process: bound, or taken over from its keeper.

use std::os::unix::net::UnixDatagram;

use network::listener::Listener;

use crate::config::{Config, Mode};
use crate::cordon::Cordon;
use crate::serve::Failure;

/// The sockets of the process.
pub struct Sockets {
    /// One for every shard, on the same port.
    pub public: Vec<Listener>,
    /// Of the admin API, where there is one.
    pub admin: Option<Listener>,
    /// Between the two cordons, in a process that a keeper started.
    pub channel: Option<UnixDatagram>,
    /// Which process it is.
    pub cordon: Cordon,
}

impl Sockets {
    /// Listens where `config` says.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub fn bind(config: &Config) -> Result<Sockets, Failure> {
        let mut public = vec![Listener::bind(config.listen)?];
        while public.len() < config.shards.get() {
            public.push(public[0].sibling()?);
        }
        Listener::spread(&mut public);
        let admin = match &config.mode {
            Mode::Serve(settings) => Some(Listener::bind(settings.admin)?),
            Mode::Run(_) | Mode::Configured(_) => None,
        };
        Ok(Sockets { public, admin, channel: None, cordon: Cordon::Main })
    }

    /// Takes what a keeper bound from the same `config`; `listeners` are in the order of
    /// [`all`](Self::all).
    ///
    /// # Errors
    /// When their number is another one.
    pub fn inherit(
        config: &Config,
        cordon: Cordon,
        mut listeners: Vec<Listener>,
        channel: UnixDatagram,
    ) -> Result<Sockets, Failure> {
        let is_main = cordon == Cordon::Main;
        let wanted = if is_main { config.shards.get() } else { 0 };
        let has_admin = is_main && matches!(config.mode, Mode::Serve(_));
        if listeners.len() != wanted + usize::from(has_admin) {
            return Err(format!("the keeper passed {} sockets on", listeners.len()).into());
        }
        let admin = listeners.split_off(wanted).pop();
        Listener::spread(&mut listeners);
        Ok(Sockets { public: listeners, admin, channel: Some(channel), cordon })
    }

    /// The public ones first.
    pub fn all(&self) -> impl Iterator<Item = &Listener> {
        self.public.iter().chain(&self.admin)
    }
}
