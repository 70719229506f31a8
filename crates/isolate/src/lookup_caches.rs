//! Memory of V8's lookup caches that a small app never uses, given back to the system.
//!
//! An isolate fills five tables when it is made, 470 KB together: three say how megamorphic
//! property accesses go on, two which code an address belongs to. V8 has no call to do without
//! them, so their pages are dropped behind its back; the system gives zeros in their place.
//!
//! Why V8 does not notice:
//! - An entry of zeros is a miss. A megamorphic access compares the name and the map of an entry
//!   with its own, and neither is zero; a store into the table retires an old entry only if its
//!   map is no small integer, which zero is (`StubCache::Set` in `src/ic/stub-cache.cc`).
//! - What code an address belongs to is dropped page by page, and only where it is zero anyway.
//! - Only the isolate's own thread uses the tables, and it does this here, outside of JavaScript.
//!
//! Where the tables are is found once per process, in the first isolate that asks: a word of V8's
//! `Isolate` points to each, and the C library says that its size is the table's. What does not
//! look like that, in another V8 or with another C library, is left alone. Each isolate's own
//! pointers are checked again.

use std::cell::Cell;
use std::ffi::c_void;
use std::io::{PipeReader, PipeWriter, Read as _};
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::ptr;
use std::sync::OnceLock;

use deno_core::v8;

/// Whether an isolate's tables may hold pages that are worth dropping.
pub(crate) struct LookupCaches {
    is_filled: Box<Cell<bool>>,
}

impl LookupCaches {
    /// Watches the isolate: a full collection of garbage fills three of the tables again.
    pub(crate) fn new(isolate: &mut v8::Isolate) -> LookupCaches {
        let is_filled = Box::new(Cell::new(true));
        let data = ptr::from_ref(&*is_filled).cast_mut().cast();
        isolate.add_gc_epilogue_callback(note_filled, data, v8::GCType::kGCTypeMarkSweepCompact);
        LookupCaches { is_filled }
    }

    /// Drops the pages of the tables unless that was done since they were filled; true if there
    /// was something to do. `isolate` is the one that was watched, and no JavaScript of it runs.
    pub(crate) fn drop_pages(&self, isolate: &mut v8::Isolate) -> bool {
        if !self.is_filled.replace(false) {
            return false;
        }
        // SAFETY: a transparent wrapper of a pointer, used while the isolate is borrowed.
        let isolate: RawIsolate = unsafe { std::mem::transmute(isolate.as_raw_isolate_ptr()) };
        let Ok(mut peek) = Peek::new() else { return false };
        for at in WORDS.get_or_init(|| words_with_tables(&mut peek, isolate)) {
            // SAFETY: an isolate has this word, as the first one had.
            let word = unsafe { isolate.add(*at).read() };
            if let Some(table) = Table::find(&mut peek, isolate, word) {
                table.drop_pages(word);
            }
        }
        true
    }
}

/// Called at the end of a full collection, on the isolate's thread.
///
/// # Safety
/// `is_filled` is the cell that was handed over with this callback.
unsafe extern "C" fn note_filled(
    _: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    is_filled: *mut c_void,
) {
    // SAFETY: the box is dropped after the isolate, and neither leaves the thread.
    unsafe { &*is_filled.cast::<Cell<bool>>() }.set(true);
}

/// V8's own object behind an isolate, of which nothing is known but some words.
type RawIsolate = *const usize;

/// The layout of a table, in words.
struct Table {
    words: usize,
    entries: Range<usize>,
    /// Where the pointer to the isolate is, if the table has one.
    back: Option<usize>,
    /// Any page may be zero, not only those that are.
    is_free: bool,
}

static TABLES: [Table; 3] = [
    // `StubCache` of src/ic/stub-cache.h: 4,096 and 1,024 entries of name, handler and map.
    Table { words: 15_361, entries: 0..15_360, back: Some(15_360), is_free: true },
    // `InnerPointerToCodeCache` of src/execution/frames.h: 1,024 entries.
    Table { words: 8193, entries: 1..8193, back: Some(0), is_free: false },
    // `WasmCodeLookupCache` of src/wasm/wasm-code-manager.h: 1,024 entries.
    Table { words: 6144, entries: 0..6144, back: None, is_free: false },
];

/// The words of an isolate that point to tables, the same in all isolates of the process.
static WORDS: OnceLock<Vec<usize>> = OnceLock::new();

fn words_with_tables(peek: &mut Peek, isolate: RawIsolate) -> Vec<usize> {
    let bytes = peek.allocation(isolate).unwrap_or(0).min(ISOLATE_BYTES_MAX);
    let words = peek.words(isolate, (bytes / WORD).saturating_sub(1));
    // Some tables are named twice.
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if Table::find(peek, isolate, *word).is_some() && !words[..at].contains(word) {
            found.push(at);
        }
    }
    found
}

impl Table {
    /// What `word` points to, if it does.
    fn find(peek: &mut Peek, isolate: RawIsolate, word: usize) -> Option<&'static Table> {
        if word < PAGE_BYTES || !word.is_multiple_of(2 * WORD) {
            return None;
        }
        let address = word as *const usize;
        let bytes = peek.allocation(address)?;
        let table = TABLES.iter().find(|table| table.fits(bytes))?;
        let is_back = |at| peek.word(address.wrapping_add(at)) == Some(isolate.addr());
        table.back.is_none_or(is_back).then_some(table)
    }

    /// True for what the C library takes for it: with a word of its own, in steps of two, and
    /// without leaving a rest that is too small for another.
    fn fits(&self, bytes: usize) -> bool {
        let least = ((self.words + 1) * WORD).next_multiple_of(2 * WORD);
        bytes == least || bytes == least + 2 * WORD
    }

    /// `address`: where such a table is.
    fn drop_pages(&self, address: usize) {
        let start = (address + self.entries.start * WORD).next_multiple_of(PAGE_BYTES);
        let end = address + self.entries.end * WORD;
        let is_zero = |page: &usize| {
            let mut words = (*page..page + PAGE_BYTES).step_by(WORD);
            // SAFETY: the page lies in the table.
            words.all(|word| unsafe { (word as *const usize).read_volatile() } == 0)
        };
        let pages = (start..end).step_by(PAGE_BYTES).filter(|page| page + PAGE_BYTES <= end);
        let mut run = start..start;
        for page in pages.filter(|page| self.is_free || is_zero(page)) {
            if page != run.end {
                give_back(&run);
                run.start = page;
            }
            run.end = page + PAGE_BYTES;
        }
        give_back(&run);
    }
}

/// Has the system put pages of zeros in the place of these, which it does when one is used.
fn give_back(pages: &Range<usize>) {
    if !pages.is_empty() {
        // SAFETY: whole pages of a table, for which zeros are as good (see the module).
        unsafe { libc::madvise(pages.start as *mut c_void, pages.len(), libc::MADV_DONTNEED) };
    }
}

/// Reads memory that may not be there: the system copies it, and says when it cannot.
struct Peek {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Peek {
    fn new() -> std::io::Result<Peek> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Peek { reader, writer })
    }

    /// The size that the C library keeps before an allocation, without the flags in it.
    fn allocation(&mut self, address: *const usize) -> Option<usize> {
        Some(self.word(address.wrapping_sub(1))? & !7)
    }

    fn word(&mut self, address: *const usize) -> Option<usize> {
        self.words(address, 1).pop()
    }

    /// As many words as there are, `count` at most.
    fn words(&mut self, address: *const usize, count: usize) -> Vec<usize> {
        let mut words = Vec::with_capacity(count);
        while words.len() < count {
            let bytes = PAGE_BYTES.min((count - words.len()) * WORD);
            let from = address.wrapping_add(words.len()).cast();
            // SAFETY: the system checks the address; a pipe takes a page without waiting.
            let taken = unsafe { libc::write(self.writer.as_raw_fd(), from, bytes) };
            let mut copy = vec![0; usize::try_from(taken).unwrap_or(0)];
            if copy.is_empty() || self.reader.read_exact(&mut copy).is_err() {
                break;
            }
            words.extend(
                copy.chunks_exact(WORD).map(|word| word.try_into().map_or(0, usize::from_ne_bytes)),
            );
            if copy.len() < bytes {
                break;
            }
        }
        words
    }
}

const WORD: usize = size_of::<usize>();
/// Or more, on systems where dropping less than a page then fails and nothing is dropped.
const PAGE_BYTES: usize = 4096;
/// More than V8's isolate has.
const ISOLATE_BYTES_MAX: usize = 1 << 18;

#[cfg(test)]
mod tests;
