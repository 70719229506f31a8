// Scripts of deno_web, loaded when needed and fitted to a runtime that has its own loop.

import { core, primordials } from "ext:core/mod.js";
import { reportUncaught } from "ext:beryl/console.js";
import { domException } from "ext:beryl/errors.js";
import { setTimeout } from "ext:beryl/timers.js";

const { FunctionPrototypeCall, ObjectDefineProperty } = primordials;

/** Scripts that use events and abort signals and may be the first to load them. */
const USES_SIGNALS = {
  __proto__: null,
  "03_abort_signal.js": true,
  "06_streams.js": true,
  "13_message_port.js": true,
  "14_compression.js": true,
};

/** The same of events only. */
const USES_EVENTS = { __proto__: null, "02_event.js": true, "15_performance.js": true };

let areEventsFitted = false;
let areSignalsFitted = false;

/**
 * @param {string} script The file's name in deno_web.
 * @returns {Record<string, any>} What the script exports.
 */
export function load(script) {
  const exports = core.loadExtScript(`ext:deno_web/${script}`);
  const usesSignals = USES_SIGNALS[script] === true;
  if (usesSignals || USES_EVENTS[script] === true) fitEvents();
  if (usesSignals) fitSignals();
  return script === "06_streams.js" ? fitStreams(exports) : exports;
}

let streams = null;

function fitStreams(exports) {
  streams ??= core.loadExtScript("ext:beryl/stream_fits.js").fit(exports);
  return streams;
}

/** Where the errors of listeners go at the moment; null to report them. */
let failures = null;

/**
 * @param {() => void} dispatch Calls listeners.
 * @returns {{error: unknown} | null} What one of them threw first.
 */
export function failureOfListeners(dispatch) {
  const outer = failures;
  const mine = { error: undefined, isEmpty: true };
  failures = mine;
  try {
    dispatch();
  } catch (error) {
    if (mine.isEmpty) {
      mine.error = error;
      mine.isEmpty = false;
    }
  } finally {
    failures = outer;
  }
  return mine.isEmpty ? null : mine;
}

/** A listener that throws is reported to us, not to deno_core, which would end the isolate. */
function fitEvents() {
  if (areEventsFitted) return;
  areEventsFitted = true;
  const classes = core.loadExtScript("ext:deno_web/02_event.js");
  core.loadExtScript("ext:beryl/event_fits.js").fit(classes);
  classes.saveGlobalThisReference({
    __proto__: null,
    dispatchEvent(event) {
      if (failures === null) {
        reportUncaught(event.error);
      } else if (failures.isEmpty) {
        failures.error = event.error;
        failures.isEmpty = false;
      }
      return false;
    },
  });
}

/** Abort signals run on our timers, since nobody turns deno_core's, and say what workerd says. */
function fitSignals() {
  if (areSignalsFitted) return;
  areSignalsFitted = true;
  const { AbortController, AbortSignal } = core.loadExtScript("ext:deno_web/03_abort_signal.js");
  const { abort } = AbortController.prototype;
  const controllerMethods = {
    /** @param {unknown} [reason] */
    abort(reason = aborted()) {
      FunctionPrototypeCall(abort, this, reason);
    },
  };
  const signalMethods = {
    /** @param {unknown} [reason] */
    abort(reason = aborted()) {
      const controller = new AbortController();
      FunctionPrototypeCall(abort, controller, reason);
      return controller.signal;
    },
    /** @param {number} delay Milliseconds. */
    timeout(delay) {
      const controller = new AbortController();
      const text = "The operation was aborted due to timeout";
      setTimeout(
        () => FunctionPrototypeCall(abort, controller, domException(text, "TimeoutError")),
        delay,
      );
      return controller.signal;
    },
  };
  replace(AbortController.prototype, "abort", controllerMethods.abort);
  replace(AbortSignal, "abort", signalMethods.abort);
  replace(AbortSignal, "timeout", signalMethods.timeout);
}

function aborted() {
  return domException("The operation was aborted", "AbortError");
}

function replace(target, name, value) {
  ObjectDefineProperty(target, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
