//! The tables are found, and code runs as before without them.

use deno_core::{JsRuntime, RuntimeOptions};

use super::*;

/// Uses the tables: one access sees more shapes than it remembers by itself, and errors are made.
const MEGAMORPHIC: &str = "{
  const read = (object) => object.wanted;
  const write = (object, value) => { object.wanted = value; };
  let sum = 0;
  for (let round = 0; round < 3; round++) {
    for (let shape = 0; shape < 400; shape++) {
      const object = { [`before${shape}`]: 1, wanted: 0, [`after${shape}`]: 2 };
      write(object, shape);
      sum += read(object);
      try { null.wanted } catch (error) { sum += error.stack.length > 0 ? 1 : 0 }
    }
  }
  if (sum !== 3 * (400 * 399 / 2 + 400)) throw new Error(`the sum is ${sum}`);
}";

fn raw(runtime: &mut JsRuntime) -> RawIsolate {
    // SAFETY: as in `drop_pages`; the runtime lives as long as the test.
    unsafe { std::mem::transmute(runtime.v8_isolate().as_raw_isolate_ptr()) }
}

/// The engine posts its tasks to a loop.
fn in_an_engine(test: impl FnOnce(&mut JsRuntime)) {
    let shard = tokio::runtime::Builder::new_current_thread().enable_time().build();
    shard.expect("a loop").block_on(async { test(&mut JsRuntime::new(RuntimeOptions::default())) });
}

/// Pages that are in memory, of the tables whose pages are all dropped.
fn resident(isolate: RawIsolate) -> usize {
    let mut peek = Peek::new().expect("a pipe");
    let mut sum = 0;
    for at in WORDS.get().expect("they were found") {
        // SAFETY: as in `drop_pages`.
        let word = unsafe { isolate.add(*at).read() };
        let table = Table::find(&mut peek, isolate, word).expect("a table");
        let start = word.next_multiple_of(PAGE_BYTES);
        let mut pages = vec![0_u8; (word + table.entries.end * WORD - start) / PAGE_BYTES];
        let bytes = pages.len() * PAGE_BYTES;
        // SAFETY: the vector has a byte for each page.
        let done = unsafe { libc::mincore(start as *mut c_void, bytes, pages.as_mut_ptr()) };
        assert_eq!(done, 0);
        let is_resident = |page: &&u8| table.is_free && **page & 1 == 1;
        sum += pages.iter().filter(is_resident).count();
    }
    sum
}

#[test]
fn the_tables_are_found_in_this_version_of_the_engine() {
    in_an_engine(|runtime| {
        let isolate = raw(runtime);
        let mut peek = Peek::new().expect("a pipe");
        let mut table = |at: usize| {
            // SAFETY: as in `drop_pages`.
            let word = unsafe { isolate.add(at).read() };
            Table::find(&mut peek, isolate, word).expect("a table").words
        };
        let found = words_with_tables(&mut Peek::new().expect("a pipe"), isolate);
        let mut sizes: Vec<_> = found.into_iter().map(&mut table).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [6144, 8193, 15_361, 15_361, 15_361]);
    });
}

#[test]
fn their_pages_are_gone_until_they_are_used_and_code_runs_as_before() {
    in_an_engine(|runtime| {
        let caches = LookupCaches::new(runtime.v8_isolate());
        let isolate = raw(runtime);
        for _ in 0..20 {
            caches.is_filled.set(true);
            assert!(caches.drop_pages(runtime.v8_isolate()));
            assert_eq!(resident(isolate), 0);
            runtime.execute_script("megamorphic.js", MEGAMORPHIC).expect("it runs as before");
            assert!(resident(isolate) > 0, "the tables were used");
        }
    });
}

#[test]
fn there_is_something_to_drop_again_after_a_full_collection_only() {
    in_an_engine(|runtime| {
        let caches = LookupCaches::new(runtime.v8_isolate());
        assert!(caches.drop_pages(runtime.v8_isolate()));
        assert!(!caches.drop_pages(runtime.v8_isolate()));
        runtime.v8_isolate().low_memory_notification();
        assert!(caches.drop_pages(runtime.v8_isolate()));
        runtime.execute_script("megamorphic.js", MEGAMORPHIC).expect("it runs as before");
    });
}
