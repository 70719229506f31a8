//! From a bundle to its evaluated main module, or to an error that says where and why.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use deno_core::error::{CoreError, CoreErrorKind, JsError};
use deno_core::{JsRuntime, PollEventLoopOptions, v8};
use deno_error::JsErrorClass;

use crate::error::{SourcePosition, StartError, StartStage};
use crate::loader::{BundleLoader, module_name, module_url};

/// Loads, links and evaluates; gives the main module's namespace.
pub(crate) fn evaluate(
    runtime: &mut JsRuntime,
    loader: &BundleLoader,
    waker: &Waker,
) -> Result<v8::Global<v8::Object>, StartError> {
    let Some(url) = loader.main_url() else {
        return Err(StartError::plain(StartStage::Link, "the main module's name is not a path"));
    };
    let main = run_to_end(runtime.load_main_es_module(&url))
        .ok_or_else(|| StartError::plain(StartStage::Link, "loading the modules did not end"))?
        .map_err(|error| StartError::from_core(&error, StartStage::Link, loader))?;
    let mut evaluation = pin!(runtime.mod_evaluate(main));
    let mut cx = Context::from_waker(waker);
    // Top-level code has no I/O, so an await settles by microtasks and the engine's own work
    // (dynamic imports) or never.
    for _ in 0..TOP_LEVEL_ROUNDS_MAX {
        let polled = runtime.poll_event_loop(&mut cx, PollEventLoopOptions::default());
        match evaluation.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(())) => {
                return runtime
                    .get_module_namespace(main)
                    .map_err(|error| StartError::from_core(&error, StartStage::Startup, loader));
            }
            Poll::Ready(Err(error)) => {
                return Err(StartError::from_core(&error, StartStage::Startup, loader));
            }
            Poll::Pending => {}
        }
        match polled {
            Poll::Ready(Err(error)) => {
                return Err(StartError::from_core(&error, StartStage::Startup, loader));
            }
            Poll::Ready(Ok(())) => break,
            Poll::Pending => {}
        }
    }
    Err(StartError::plain(StartStage::Startup, "top-level await never settles at start-up"))
}

impl StartError {
    fn plain(stage: StartStage, message: &str) -> StartError {
        StartError { stage, name: "Error".into(), message: message.into(), ..StartError::default() }
    }

    fn from_core(error: &CoreError, stage: StartStage, loader: &BundleLoader) -> StartError {
        match error.as_kind() {
            CoreErrorKind::Js(error) => StartError::from_js(error, stage, loader),
            kind => {
                let at = loader.missing_import();
                let frame = at.as_ref().and_then(|at| frame(at, loader));
                let name = kind.get_class().to_string();
                StartError { stage, name, message: readable(&kind.to_string()), at, frame }
            }
        }
    }

    fn from_js(error: &JsError, stage: StartStage, loader: &BundleLoader) -> StartError {
        let name = error.name.clone().unwrap_or_else(|| "Error".into());
        let message = match &error.message {
            Some(message) => readable(message),
            None => readable(&error.exception_message),
        };
        let at = error.frames.iter().find_map(|frame| {
            Some(SourcePosition {
                module: module_name(frame.file_name.as_deref()?)?.into_owned(),
                line: u32::try_from(frame.line_number?).ok()?,
                column: u32::try_from(frame.column_number?).ok()?,
            })
        });
        let is_link = LINK_MESSAGES.iter().any(|text| message.contains(text));
        let stage = match stage {
            StartStage::Link if name == "SyntaxError" && !is_link => StartStage::Syntax,
            stage => stage,
        };
        let frame = at.as_ref().and_then(|at| frame(at, loader));
        StartError { stage, name, message, at, frame }
    }
}

/// Polls a future whose every step is ready at once; `None` if it waits for something else.
fn run_to_end<T>(future: impl Future<Output = T>) -> Option<T> {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    while woken.0.swap(false, Ordering::Relaxed) {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return Some(value);
        }
    }
    None
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Names modules as their author did.
fn readable(message: &str) -> String {
    message.replace("worker:///", "").replace("content:///", "")
}

fn frame(at: &SourcePosition, loader: &BundleLoader) -> Option<String> {
    at.frame(&loader.source(module_url(&at.module)?.as_str())?)
}

/// Rounds of the engine's loop that top-level code may take.
const TOP_LEVEL_ROUNDS_MAX: usize = 1000;
/// What V8 says when linking fails; it is a `SyntaxError` to JavaScript.
const LINK_MESSAGES: &[&str] =
    &["does not provide an export named", "contains conflicting star exports", "Ambiguous"];
