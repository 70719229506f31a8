//! The listener of `--debug-port`: tests see there what is in memory, move the clock,
//! and hold or fail the syncs of databases.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use control::objects::Debug;
use network::limits::HttpLimits;
use network::listener::Listener;
use storage::Brake;
use worker::shards::MakeService;

use crate::serve::{Failure, stopped};

/// Serves on `port` of loopback beside `service`, on the first shard.
///
/// # Errors
/// When the port cannot be had.
pub fn beside(
    service: MakeService,
    port: u16,
    http: HttpLimits,
    brake: Arc<Brake>,
) -> Result<MakeService, Failure> {
    let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    println!("debug on http://{}", listener.local_addr());
    let listener = Mutex::new(Some(listener));
    Ok(Arc::new(move |shard, stopping| {
        let serving = service(Rc::clone(&shard), stopping.clone());
        let mut slot = listener.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listener) = slot.take_if(|_| shard.index() == 0) else { return serving };
        let (http, brake) = (http.clone(), Arc::clone(&brake));
        Box::pin(async move {
            let debug = Rc::new(Debug::new(shard, brake));
            let debugging = listener.serve(debug, &http, stopped(stopping));
            let (served, debugged) = tokio::join!(serving, debugging);
            served.and(debugged.map_err(|error| error.to_string()))
        })
    }))
}
