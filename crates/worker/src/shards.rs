//! The threads of a process: starting all shards, and ending them in an order that loses
//! nothing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use isolate::Watchdog;
use tokio::sync::{Barrier, mpsc, watch};

use crate::limits::SHARD_STACK_BYTES;
use crate::shard::{Config, Shard};
use crate::wake::WakeQueue;

/// What a shard serves until it is told to stop: its listeners.
pub type Service = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// Makes the service of a shard. The receiver turns true when the process should stop.
pub type MakeService = Arc<dyn Fn(Rc<Shard>, watch::Receiver<bool>) -> Service + Send + Sync>;

/// The running shards of the process.
pub struct Shards {
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    failures: mpsc::UnboundedReceiver<String>,
    // Ends its thread when dropped.
    _watchdog: Watchdog,
}

impl Shards {
    /// Starts `count` threads, each with a shard and its service.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(count: usize, config: Config, service: MakeService) -> io::Result<Shards> {
        let cpu = std::time::Duration::from_millis(config.limits.cpu_ms);
        let watchdog = Watchdog::start(cpu, config.blame)?;
        let watchdog_slots = watchdog.slots();
        let config = Arc::new(config);
        let peers: Arc<[Arc<WakeQueue>]> = (0..count).map(|_| Arc::default()).collect();
        let (stop, stopping) = watch::channel(false);
        let (failed, failures) = mpsc::unbounded_channel();
        // A request that drains on one shard may still need an actor on another.
        let drained = Arc::new(Barrier::new(count));
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let (config, peers) = (Arc::clone(&config), Arc::clone(&peers));
            let (service, stopping) = (Arc::clone(&service), stopping.clone());
            let (failed, drained) = (failed.clone(), Arc::clone(&drained));
            let slots = watchdog_slots.clone();
            let run = move || {
                let outcome = slots.register(index).and_then(|watch| {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build_local(tokio::runtime::LocalOptions::default())?;
                    runtime.block_on(async {
                        let shard = Shard::new(index, config, peers, watch);
                        let serving = service(Rc::clone(&shard), stopping);
                        let serve = async {
                            if let Err(error) = serving.await {
                                drop(failed.send(error));
                            }
                            drained.wait().await;
                            shard.drained().await;
                            shard.stop();
                        };
                        tokio::join!(Rc::clone(&shard).run(), serve);
                    });
                    Ok(())
                });
                if let Err(error) = outcome {
                    drop(failed.send(format!("shard {index} cannot run: {error}")));
                }
            };
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .stack_size(SHARD_STACK_BYTES)
                .spawn(run)?;
            threads.push(thread);
        }
        Ok(Shards { threads, stop, failures, _watchdog: watchdog })
    }

    /// Waits for the first shard that cannot go on, with the reason. Never returns while all
    /// is well.
    pub async fn failure(&mut self) -> String {
        self.failures.recv().await.unwrap_or_else(|| "all shards ended".into())
    }

    /// Lets all services drain, then ends the shards; returns when their threads are gone.
    pub fn stop(self) {
        // Without receivers the shards have ended already.
        let _ = self.stop.send(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a shard's thread panicked");
            }
        }
    }
}
