// setTimeout and its kin: the callbacks live here, the clock runs in Rust.

import { core, primordials } from "ext:core/mod.js";
import { domException } from "ext:beryl/errors.js";
import { reportThrown } from "ext:beryl/global_events.js";
import { currentActor, currentEvent, setCurrentEvent } from "ext:beryl/pending.js";

const { ops } = core;
const {
  FunctionPrototypeApply,
  MapPrototypeDelete,
  MapPrototypeForEach,
  MapPrototypeGet,
  MapPrototypeGetSize,
  MapPrototypeHas,
  MapPrototypeSet,
  MathMin,
  Number,
  Promise,
  PromiseReject,
  SafeMap,
  SymbolToStringTag,
  TypeError,
} = primordials;

/** Timers one isolate may have at a time, as on the platform. */
const TIMERS_MAX = 10_000;
/** A hundred years, the longest delay that is told apart from "never". */
const DELAY_MS_MAX = 3_153_600_000_000;

/**
 * @type {Map<number, {callback: Function, args: unknown[], every: number, event: number,
 *   actor: number}>}
 */
const timers = new SafeMap();
/** Binds callbacks to what follows asynchronous work, once something wants that. */
let wrap = null;
let lastId = 0;
let finished = 0;

/**
 * @param {Function} callback
 * @param {number} [delay] Milliseconds.
 * @returns {number}
 */
export function setTimeout(callback, delay = 0, ...args) {
  return start("setTimeout", callback, delay, args, false);
}

/**
 * @param {Function} callback
 * @param {number} [delay] Milliseconds.
 * @returns {number}
 */
export function setInterval(callback, delay = 0, ...args) {
  return start("setInterval", callback, delay, args, true);
}

/** @param {(callback: Function) => Function} wrapper For the callbacks from now on. */
export function wrapCallbacks(wrapper) {
  wrap = wrapper;
}

/** @param {number} [id] Serves both kinds, as on the web. */
export function clearTimeout(id = undefined) {
  const key = typeof id === "number" ? id : Number(id);
  if (!MapPrototypeDelete(timers, key)) return;
  ops.op_timers_stop(key);
}

/** @param {number} [id] */
export function clearInterval(id = undefined) {
  clearTimeout(id);
}

/**
 * Runs the callback of a timer that is due; what it throws is reported and goes no further.
 * @param {number} id
 */
export function fireTimer(id) {
  const timer = MapPrototypeGet(timers, id);
  if (timer === undefined) return;
  if (timer.every >= 0) {
    // Its place may have been taken meanwhile; then it was its last time.
    if (ops.op_timers_start(id, timer.every)) MapPrototypeDelete(timers, id);
  } else {
    MapPrototypeDelete(timers, id);
    finished++;
  }
  setCurrentEvent(timer.event, timer.actor);
  try {
    FunctionPrototypeApply(timer.callback, globalThis, timer.args);
  } catch (error) {
    reportThrown(error);
  }
}

/** @param {(timer: {actor: number}) => void} f Called for every timer that runs. */
export function eachTimer(f) {
  MapPrototypeForEach(timers, f);
}

/** Stops the timers of a gone actor. @param {number} gone */
export function forgetTimers(gone) {
  MapPrototypeForEach(timers, (timer, id) => {
    if (timer.actor === gone) clearTimeout(id);
  });
}

export const scheduler = {
  /**
   * @param {number} delay Milliseconds.
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<void>}
   */
  wait(delay, options = undefined) {
    const signal = options?.signal;
    if (signal === undefined || signal === null) {
      return new Promise((resolve) => setTimeout(resolve, delay));
    }
    if (signal.aborted) return PromiseReject(signal.reason);
    return new Promise((resolve, reject) => {
      const id = setTimeout(resolve, delay);
      signal.addEventListener("abort", () => {
        clearTimeout(id);
        reject(signal.reason);
      }, { once: true });
    });
  },
  get [SymbolToStringTag]() {
    return "Scheduler";
  },
};

function start(name, callback, delay, args, isRepeated) {
  if (typeof callback !== "function") {
    throw new TypeError(
      `Failed to execute '${name}' on 'ServiceWorkerGlobalScope': parameter 1 is not of type ` +
        "'function'.",
    );
  }
  const count = MapPrototypeGetSize(timers);
  if (count >= TIMERS_MAX) {
    throw quotaExceeded(TIMERS_MAX, count);
  }
  const ms = delayMs(delay);
  const id = nextId();
  MapPrototypeSet(timers, id, {
    callback: wrap === null ? callback : wrap(callback),
    args,
    every: isRepeated ? ms : -1,
    event: currentEvent(),
    actor: currentActor(),
  });
  if (ops.op_timers_start(id, ms)) {
    MapPrototypeDelete(timers, id);
    throw quotaExceeded(count, count);
  }
  return id;
}

function quotaExceeded(max, count) {
  return domException(
    "You have exceeded the number of active timeouts you may set. max active timeouts: " +
      `${max}, current active timeouts: ${count}, finished timeouts: ${finished}`,
    "QuotaExceededError",
  );
}

/** @returns {number} An id above zero that no running timer has. */
function nextId() {
  do {
    lastId = lastId === 0x7fffffff ? 1 : lastId + 1;
  } while (MapPrototypeHas(timers, lastId));
  return lastId;
}

/** @returns {number} Whole milliseconds; what is no positive number is no delay. */
function delayMs(delay) {
  const ms = Number(delay);
  return ms >= 1 ? MathMin(ms - (ms % 1), DELAY_MS_MAX) : 0;
}
