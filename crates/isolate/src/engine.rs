//! What every isolate of the process is made from: V8's flags and platform, the one snapshot,
//! and the extensions that were in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deno_core::snapshot::{CreateSnapshotOptions, create_snapshot};
use deno_core::{Extension, ExtensionFileSource, JsRuntime, RuntimeOptions, v8};

use crate::array_buffers::Meter;
use crate::code_cache::CodeCache;
use crate::one_module;

/// The recipe of an isolate, the same for all of them.
pub struct Engine {
    snapshot: &'static [u8],
    lazy_scripts: &'static [(&'static str, &'static str)],
    extensions: fn() -> Vec<Extension>,
    pub(crate) limits: IsolateLimits,
    pub(crate) isolates: AtomicUsize,
    pub(crate) code_cache: CodeCache,
}

/// What isolates may take.
#[derive(Debug, Clone, Copy)]
pub struct IsolateLimits {
    /// Bytes of one heap.
    pub heap_bytes_max: usize,
    /// Bytes of the `ArrayBuffer`s of one isolate, which lie outside of its heap.
    pub buffer_bytes_max: usize,
    /// Isolates of the process that may live at a time.
    pub isolates_max: usize,
}

/// A snapshot and what belongs to it.
pub struct SnapshotOutput {
    /// The blob for [`Engine::start`].
    pub blob: Box<[u8]>,
    /// Scripts that are not in the blob because nothing needed them yet, sorted by specifier.
    pub lazy_scripts: Vec<(&'static str, String)>,
    /// Files whose change makes the blob stale.
    pub sources: Vec<PathBuf>,
}

/// Runs the extensions' scripts once and freezes the heap they leave.
///
/// For a build script: no isolate may be made in the same process afterwards. `package_dir` is
/// the building package's folder.
///
/// # Errors
/// The text of what a script threw.
pub fn build_snapshot(
    package_dir: &'static str,
    mut extensions: Vec<Extension>,
) -> Result<SnapshotOutput, String> {
    extensions.iter_mut().try_for_each(join_modules)?;
    let mut lazy_scripts = Vec::new();
    for file in extensions.iter().flat_map(|extension| extension.lazy_loaded_js_files.iter()) {
        let text = file.load().map_err(|error| format!("{}: {error}", file.specifier))?;
        lazy_scripts.push((file.specifier, lazy_script(text.as_str())));
    }
    let output = create_snapshot(
        CreateSnapshotOptions {
            cargo_manifest_dir: package_dir,
            startup_snapshot: None,
            skip_op_registration: false,
            extensions,
            extension_transpiler: None,
            with_runtime_cb: None,
        },
        None,
    )
    .map_err(|error| error.to_string())?;
    let in_blob = output.consumed_lazy_specifiers;
    lazy_scripts.retain(|(specifier, _)| !in_blob.iter().any(|known| known == specifier));
    // The engine searches the table by halves.
    lazy_scripts.sort_unstable();
    Ok(SnapshotOutput {
        blob: output.output,
        lazy_scripts,
        sources: output.files_loaded_during_snapshot,
    })
}

fn join_modules(extension: &mut Extension) -> Result<(), String> {
    let Some(entry) = extension.esm_entry_point else { return Ok(()) };
    let mut sources = BTreeMap::new();
    for file in extension.esm_files.iter() {
        let text = file.load().map_err(|error| format!("{}: {error}", file.specifier))?;
        sources.insert(file.specifier.to_owned(), text.as_str().to_owned());
    }
    let text = one_module::join(entry, &sources)?;
    let module = ExtensionFileSource::new_computed(entry, text.into());
    extension.esm_files = vec![module].into();
    Ok(())
}

/// The text of a script as [`Engine::start`] wants it in its table: the engine then compiles it
/// where it lies, and no isolate holds a copy.
#[must_use]
pub fn lazy_script(text: &str) -> String {
    deno_core::wrap_lazy_ext_script(text)
}

impl Engine {
    /// True if four fifths of the isolates that may live do.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        self.isolates.load(Ordering::Relaxed) >= self.limits.isolates_max / 5 * 4
    }

    /// Initialises V8 for the process.
    ///
    /// Must be called by the main thread before it starts any other thread, since V8 hands
    /// memory protection keys down from thread to thread. `extensions` must be the list the
    /// snapshot was built from; `lazy_scripts` are those of its scripts that are not in it.
    #[must_use]
    pub fn start(
        snapshot: &'static [u8],
        lazy_scripts: &'static [(&'static str, &'static str)],
        extensions: fn() -> Vec<Extension>,
        limits: IsolateLimits,
    ) -> Engine {
        deno_core::v8_set_flags(V8_FLAGS.iter().map(ToString::to_string).collect());
        JsRuntime::init_platform(None);
        let code_cache = CodeCache::default();
        Engine {
            snapshot,
            lazy_scripts,
            extensions,
            limits,
            isolates: AtomicUsize::new(0),
            code_cache,
        }
    }

    pub(crate) fn runtime_options(&self, buffers: &Arc<Meter>) -> RuntimeOptions {
        // Atomics.wait would block a whole shard.
        let heap = v8::CreateParams::default()
            .heap_limits(0, self.limits.heap_bytes_max)
            .array_buffer_allocator(buffers.allocator())
            .allow_atomics_wait(false);
        RuntimeOptions {
            startup_snapshot: Some(self.snapshot),
            residual_lazy_js_sources: self.lazy_scripts,
            extensions: (self.extensions)(),
            skip_op_registration: true,
            create_params: Some(heap),
            ..RuntimeOptions::default()
        }
    }
}

/// The first entry stands where a command line has the program's name.
///
/// Loop unrolling is off because V8 15.0 loses termination with it: when it drops the stack check
/// of a short loop that has none (the filling of `new Array(1000)`), the check of the loop around
/// it goes instead, and neither the CPU nor the memory limit can end that loop
/// (`LoopStackCheckElisionReducer`; `runtime/tests/containment.rs` has such a loop).
///
/// A memory of WebAssembly has 128 MiB at most, since no limit of a heap counts it.
const V8_FLAGS: &[&str] =
    &["beryl", "--stack-size=984", "--no-turboshaft-loop-unrolling", "--wasm-max-mem-pages=2048"];
