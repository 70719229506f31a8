//! The archive: where history lies besides the disk of the database, in an object store.
//!
//! Everything here happens on a thread of its own and never on the path of a commit. What is to be
//! sent is found in the folders of histories, next to notes of how far it was sent
//! ([`transfer`]), so nothing is lost when the process ends: a database's history goes on where it
//! stopped once the database keeps history again. A failure is logged and tried again, ever later.
//! A generation that has no room on the disk leaves it once it is in the archive; it comes back
//! when a bookmark asks for it.

mod transfer;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use object_store::ObjectStore;
use tokio::sync::Notify;

use crate::error::Error;
use crate::history::Generation;

pub(crate) use transfer::Sent;

/// The history of all databases below a folder, in an object store. One per folder; dropping it
/// gives what is under way a few seconds.
pub struct Archive {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What is called, on the archive's thread, when a generation came back. It must not block.
pub type OnFetched = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// What the thread and the databases share.
pub(crate) struct Shared {
    root: PathBuf,
    store: Arc<dyn ObjectStore>,
    queue: Mutex<Queue>,
    changed: Notify,
    /// Somebody waits, or the end has come: no pause between attempts.
    urgent: Notify,
    closing: Notify,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Databases with a job that sends: one each is enough.
    sends: HashSet<PathBuf>,
    closing: bool,
    is_working: bool,
}

enum Job {
    /// Sends what the history of a database has and the archive has not.
    Send(PathBuf),
    /// Removes everything below a key.
    Forget(String),
    /// Brings a generation back.
    Fetch(PathBuf, u128, Generation, OnFetched),
}

/// The archives of this process: a database finds its own by its path.
static ARCHIVES: RwLock<Vec<(PathBuf, Weak<Shared>)>> = RwLock::new(Vec::new());

/// The archive of a database, if it has one.
pub(crate) fn archive_of(database: &Path) -> Option<Arc<Shared>> {
    let archives = ARCHIVES.read().unwrap_or_else(PoisonError::into_inner);
    let (_, found) = archives.iter().find(|(root, _)| database.starts_with(root))?;
    found.upgrade()
}

impl Archive {
    /// Keeps the histories of the databases below `root` in `store` from now on.
    ///
    /// # Errors
    /// [`Error::ConfigThreads`] when there is no thread for it.
    pub fn start(store: Arc<dyn ObjectStore>, root: &Path) -> Result<Archive, Error> {
        let shared = Arc::new(Shared {
            root: root.into(),
            store,
            queue: Mutex::default(),
            changed: Notify::new(),
            urgent: Notify::new(),
            closing: Notify::new(),
        });
        let problem =
            |cause: std::io::Error| Error::ConfigThreads { problem: cause.to_string().into() };
        let clocked =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(problem)?;
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("archive".into())
            .spawn(move || {
                clocked.block_on(async {
                    tokio::select! { () = worker.work() => {}, () = worker.end() => {} }
                });
            })
            .map_err(problem)?;
        let mut archives = ARCHIVES.write().unwrap_or_else(PoisonError::into_inner);
        archives.retain(|(_, archive)| archive.strong_count() > 0);
        archives.push((root.into(), Arc::downgrade(&shared)));
        Ok(Archive { shared, thread: Some(thread) })
    }
}

#[cfg(test)]
impl Archive {
    /// True once nothing is left to do.
    pub(crate) fn is_idle(&self) -> bool {
        let queue = self.shared.lock();
        queue.jobs.is_empty() && !queue.is_working
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_one();
        self.shared.urgent.notify_one();
        self.shared.closing.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the archive panicked");
        }
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.store.fmt(f)
    }
}

impl Shared {
    /// Has the history of a database sent, soon.
    pub(crate) fn send(&self, database: &Path) {
        let mut queue = self.lock();
        if queue.closing || queue.sends.contains(database) {
            return;
        }
        if queue.sends.len() >= WAITING_MAX {
            // It is found again when the database keeps its next log.
            return tracing::warn!("the archive is far behind: {WAITING_MAX} databases wait");
        }
        queue.sends.insert(database.into());
        queue.jobs.push_back(Job::Send(database.into()));
        self.changed.notify_one();
    }

    /// Has everything of a database removed, or of one of its generations.
    pub(crate) fn forget(&self, database: &Path, generation: Option<(u128, Generation)>) {
        let Some(mut key) = self.key_of(database) else { return };
        if let Some((history, generation)) = generation {
            key = format!("{key}/{history:032x}/{}", generation.name());
        }
        self.lock().jobs.push_back(Job::Forget(key));
        self.changed.notify_one();
    }

    /// Brings a generation back into the folder of the history.
    pub(crate) fn fetch(
        &self,
        database: &Path,
        history: u128,
        generation: Generation,
        on_fetched: OnFetched,
    ) {
        // Somebody waits for it.
        let job = Job::Fetch(database.into(), history, generation, on_fetched);
        self.lock().jobs.push_front(job);
        self.changed.notify_one();
        self.urgent.notify_one();
    }

    /// The key below which a database's history lies.
    fn key_of(&self, database: &Path) -> Option<String> {
        let below = database.strip_prefix(&self.root).ok()?;
        Some(below.to_string_lossy().into_owned())
    }

    async fn work(&self) {
        let mut pause = PAUSE_MIN;
        while let Some(job) = self.next().await {
            let Err(error) = self.run(job).await else {
                pause = PAUSE_MIN;
                continue;
            };
            tracing::warn!(error, "the archive failed; it is tried again");
            if self.lock().closing {
                return;
            }
            let urgent = self.urgent.notified();
            tokio::select! { () = tokio::time::sleep(pause) => {}, () = urgent => {} }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// When what is under way at the end must be given up.
    async fn end(&self) {
        self.closing.notified().await;
        tokio::time::sleep(PATIENCE_AT_END).await;
    }

    /// The next job; `None` at the end.
    async fn next(&self) -> Option<Job> {
        loop {
            let woken = self.changed.notified();
            {
                let mut queue = self.lock();
                queue.is_working = !queue.jobs.is_empty();
                if let Some(job) = queue.jobs.pop_front() {
                    if let Job::Send(database) = &job {
                        queue.sends.remove(database);
                    }
                    return Some(job);
                }
                if queue.closing {
                    return None;
                }
            }
            woken.await;
        }
    }

    /// Does a job, or puts it back.
    async fn run(&self, job: Job) -> Result<(), String> {
        match job {
            Job::Send(database) => {
                let sent = tokio::time::timeout(PATIENCE, self.send_history(&database)).await;
                sent.unwrap_or_else(|_| Err("it takes too long".into())).inspect_err(|_| {
                    self.send(&database);
                })
            }
            Job::Forget(key) => {
                let forgotten = tokio::time::timeout(PATIENCE, self.remove(&key)).await;
                forgotten.unwrap_or_else(|_| Err("it takes too long".into())).inspect_err(|_| {
                    let mut queue = self.lock();
                    if !queue.closing && queue.jobs.len() < 2 * WAITING_MAX {
                        queue.jobs.push_back(Job::Forget(key));
                    }
                })
            }
            Job::Fetch(database, history, generation, on_fetched) => {
                let fetching = self.fetch_generation(&database, history, generation);
                let fetched = tokio::time::timeout(PATIENCE, fetching).await;
                let fetched = fetched.unwrap_or_else(|_| Err("it takes too long".into()));
                on_fetched(fetched.map_err(|problem| {
                    Error::sql(format!("The archive with this state cannot be read: {problem}"))
                }));
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Databases whose history may wait to be sent; each takes the length of its path.
const WAITING_MAX: usize = 100_000;

/// Between a failure and the next attempt.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// For all that one job moves: the history of one database.
const PATIENCE: Duration = Duration::from_secs(600);
const PATIENCE_AT_END: Duration = Duration::from_secs(5);
