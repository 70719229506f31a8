//! Whose code was on which shard's CPU, in memory that the keeper process shares: when a worker
//! process dies, it says which app killed it.
//!
//! Entering an isolate writes its label and leaving clears the state: a few stores, no system
//! call. A fatal signal marks the place of the thread it came to, and the watchdog marks the one
//! that cannot be stopped, so that neighbours on other shards are not blamed. What is written here
//! cannot be reached by user code; a worker process whose memory is no longer in order may lie
//! about its own apps only.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};

/// Whose code an isolate runs: the name of an app, of at most 64 bytes; empty for code of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Label([u64; WORDS]);

/// The places of all shards. Lives as long as the process.
#[derive(Clone, Copy)]
pub struct Blame(&'static [Place]);

/// What the shard of a thread shows.
#[repr(C, align(128))]
#[derive(Default)]
pub(crate) struct Place {
    state: AtomicU64,
    label: [AtomicU64; WORDS],
}

/// Who ended a worker process, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// The app.
    pub label: String,
    /// How.
    pub kind: OffenceKind,
}

/// How a worker process was ended by the code it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffenceKind {
    /// The code could not be stopped at its limit.
    Stuck,
    /// The engine gave up, or crashed.
    Crashed,
}

impl Label {
    /// The label of an app; a name that is too long is cut.
    #[must_use]
    pub fn new(name: &str) -> Label {
        let mut words = [0; WORDS];
        for (word, chunk) in words.iter_mut().zip(name.as_bytes().chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(bytes);
        }
        Label(words)
    }

    fn text(self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}

impl Blame {
    /// Places that no other process sees.
    #[must_use]
    pub fn private() -> Blame {
        Blame(Box::leak((0..SHARDS_MAX).map(|_| Place::default()).collect()))
    }

    /// Places for this process and those that inherit the descriptor.
    ///
    /// # Errors
    /// When the system has no memory for it.
    pub fn shared() -> io::Result<(Blame, OwnedFd)> {
        // SAFETY: the name is a literal that ends in zero.
        let fd = unsafe { libc::memfd_create(c"beryl".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, and owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        File::from(fd.try_clone()?).set_len(BYTES as u64)?;
        Ok((Blame::open(&fd)?, fd))
    }

    /// The places behind a descriptor that [`shared`](Self::shared) gave.
    ///
    /// # Errors
    /// When it is none.
    pub fn open(fd: &OwnedFd) -> io::Result<Blame> {
        if File::from(fd.try_clone()?).metadata()?.len() < BYTES as u64 {
            return Err(io::Error::other("the keeper's memory is too small"));
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the system's choice touches no memory of ours.
        let memory =
            unsafe { libc::mmap(null_mut(), BYTES, access, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as many places as bytes, aligned to a page, zero or written by this type; all of
        // it is atomic, and the mapping is never undone.
        Ok(Blame(unsafe { std::slice::from_raw_parts(memory.cast::<Place>(), SHARDS_MAX) }))
    }

    /// The places behind a descriptor that this process was started with; it is closed here.
    ///
    /// # Errors
    /// When it is none.
    pub fn inherit(descriptor: i32) -> io::Result<Blame> {
        // SAFETY: asks about a number, whatever is behind it.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: open, and only the keeper and this function know of it.
        Blame::open(&unsafe { OwnedFd::from_raw_fd(descriptor) })
    }

    /// Who ended the process that wrote here, if one is to blame; forgets it.
    #[must_use]
    pub fn take(&self) -> Option<Offence> {
        let mut found = None;
        for place in self.0 {
            let kind = match place.state.swap(IDLE, Ordering::AcqRel) {
                STUCK => OffenceKind::Stuck,
                CRASHED => OffenceKind::Crashed,
                _ => continue,
            };
            let label = Label(std::array::from_fn(|i| place.label[i].load(Ordering::Relaxed)));
            let label = label.text();
            if !label.is_empty() && found.is_none() {
                found = Some(Offence { label, kind });
            }
        }
        found
    }

    pub(crate) fn place(&self, shard: usize) -> &'static Place {
        &self.0[shard % SHARDS_MAX]
    }
}

impl Place {
    #[inline]
    pub fn enter(&self, label: &Label) {
        for (place, word) in self.label.iter().zip(label.0) {
            place.store(word, Ordering::Relaxed);
        }
        self.state.store(ENTERED, Ordering::Release);
    }

    #[inline]
    pub fn exit(&self) {
        self.state.store(IDLE, Ordering::Release);
    }

    /// What is entered here cannot be stopped.
    pub fn is_stuck(&self) {
        let (from, to) = (ENTERED, STUCK);
        let _ = self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The calling thread is the shard of this place: what crashes it is blamed on what it runs.
    pub fn claim(&'static self) {
        CLAIMED.set(self);
    }

    pub fn label(&self) -> String {
        Label(std::array::from_fn(|i| self.label[i].load(Ordering::Relaxed))).text()
    }
}

/// Has fatal signals mark the place of the thread they come to. Once, by the main thread.
pub(crate) fn watch_signals() {
    for signal in SIGNALS {
        // SAFETY: an action of zeros is valid; the handler only stores to an atomic and calls
        // functions that may be called in a handler.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_fatal as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND | libc::SA_NODEFER;
            libc::sigaction(signal, &raw const action, null_mut());
        }
    }
}

/// The handler is reset when it is called, so that the signal ends the process this time.
extern "C" fn on_fatal(signal: libc::c_int) {
    let place = CLAIMED.get();
    if !place.is_null() {
        // SAFETY: places live as long as the process.
        let state = unsafe { &(*place).state };
        let _ = state.compare_exchange(ENTERED, CRASHED, Ordering::AcqRel, Ordering::Relaxed);
    }
    // SAFETY: may be called in a handler; a fault would come again by itself, a trap would not.
    unsafe { libc::raise(signal) };
}

thread_local! {
    static CLAIMED: Cell<*const Place> = const { Cell::new(null()) };
}

const SIGNALS: [libc::c_int; 6] =
    [libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGTRAP];

const IDLE: u64 = 0;
const ENTERED: u64 = 1;
const STUCK: u64 = 2;
const CRASHED: u64 = 3;

const WORDS: usize = 8;
const SHARDS_MAX: usize = 256;
const BYTES: usize = SHARDS_MAX * size_of::<Place>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_entered_and_marked_is_blamed_once_and_nobody_else() {
        let (blame, fd) = Blame::shared().unwrap();
        let seen = Blame::open(&fd).unwrap();
        blame.place(0).enter(&Label::new("neighbour"));
        blame.place(3).enter(&Label::new("offender"));
        blame.place(3).is_stuck();
        let offence = Offence { label: "offender".into(), kind: OffenceKind::Stuck };
        assert_eq!(seen.take(), Some(offence));
        assert_eq!(seen.take(), None);
    }

    #[test]
    fn nobody_is_blamed_for_what_happens_between_turns_or_in_code_of_ours() {
        let blame = Blame::private();
        let place = blame.place(1);
        place.enter(&Label::new("app"));
        place.exit();
        place.is_stuck();
        assert_eq!(blame.take(), None);
        place.enter(&Label::default());
        place.is_stuck();
        assert_eq!(blame.take(), None);
    }

    #[test]
    fn labels_are_cut_at_64_bytes() {
        for length in [0, 1, 8, 63, 64, 100] {
            let name = "a".repeat(length);
            assert_eq!(Label::new(&name).text(), name[..length.min(64)]);
        }
    }
}
