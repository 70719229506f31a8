// Promises that Rust settles, and the event whose handler runs at the moment.

import { core, primordials } from "ext:core/mod.js";
import { unpack } from "ext:beryl/capability.js";
import { hasFlag } from "ext:beryl/compatibility.js";

const { ops } = core;
const {
  MapPrototypeDelete,
  MapPrototypeForEach,
  MapPrototypeGet,
  MapPrototypeSet,
  ObjectKeys,
  Promise,
  ReflectDeleteProperty,
  SafeMap,
} = primordials;

/** The form of a value that has capabilities; as `worker::event::SettledForm`. */
const PACKED = 1;
/** The form of what another worker threw. */
const THROWN = 2;

/**
 * With the event and the actor that began to wait, which run on when the promise is settled.
 * @type {Map<number, {resolve: Function, reject: Function, wrap: Function | undefined,
 *   event: number, actor: number}>}
 */
const waits = new SafeMap();
let lastSlot = 0;
let event = 0;
let actor = 0;

/** @returns {number} A number under which Rust can settle a promise; it need not be used. */
export function open() {
  lastSlot = (lastSlot + 1) >>> 0;
  return lastSlot;
}

/**
 * @param {number} slot
 * @param {(value: any) => any} [wrap] Makes the promise's value of what Rust gives.
 * @returns {Promise<any>}
 */
export function promiseOf(slot, wrap = undefined) {
  return new Promise((resolve, reject) => {
    MapPrototypeSet(waits, slot, { resolve, reject, wrap, event, actor });
  });
}

/**
 * Rejects a promise that waits; what Rust will settle it with is dropped.
 * @param {number} slot
 * @param {unknown} reason
 */
export function abandon(slot, reason) {
  const wait = MapPrototypeGet(waits, slot);
  if (wait === undefined) return;
  MapPrototypeDelete(waits, slot);
  wait.reject(reason);
}

/**
 * Takes from Rust what a slot is settled with.
 * @param {number} slot
 * @param {number} form One of the forms below, or 0.
 */
export function settle(slot, form) {
  const wait = MapPrototypeGet(waits, slot);
  if (wait === undefined) return drop(slot);
  MapPrototypeDelete(waits, slot);
  event = wait.event;
  actor = wait.actor;
  let value;
  try {
    value = ops.op_pending_take(slot);
    if (form === PACKED) value = unpack(value);
    if (form === THROWN) throw thrownValue(unpack(value));
    if (wait.wrap !== undefined) value = wait.wrap(value);
  } catch (error) {
    markOrigin(error);
    return wait.reject(error);
  }
  wait.resolve(value);
}

/** Nobody waits for it any more. */
function drop(slot) {
  try {
    ops.op_pending_take(slot);
  } catch {
    // It failed, which nobody wants to know either.
  }
}

function thrownValue({ 0: error, 1: id }) {
  if (core.isNativeError(error) && !hasFlag("enhanced_error_serialization")) {
    // All but the message is an enumerable property of what was made anew.
    const keys = ObjectKeys(error);
    for (let i = 0; i < keys.length; i++) ReflectDeleteProperty(error, keys[i]);
  }
  if (id !== undefined) error.durableObjectId ??= id;
  return error;
}

/** Errors of other workers and resets of objects say so (DO-38). @param {any} error */
function markOrigin(error) {
  const { code, wasReset } = error;
  const isReset = code === "reset" || code === "storage" || wasReset === 1;
  if (isReset) error.durableObjectReset = true;
  if (wasReset === 1) delete error.wasReset;
  if (code === "overloaded") error.overloaded = true;
  else if (!isReset) error.remote = true;
}

/** @param {(wait: {actor: number}) => void} f Called for everything that is waited for. */
export function eachWait(f) {
  MapPrototypeForEach(waits, f);
}

/** @returns {number} The event that runs, 0 if it is not known. */
export function currentEvent() {
  return event;
}

/** @returns {number} The actor whose code runs, 0 if it is none. */
export function currentActor() {
  return actor;
}

/**
 * @param {number} id
 * @param {number} ofActor
 */
export function setCurrentEvent(id, ofActor) {
  event = id;
  actor = ofActor;
}

/** Drops what a gone actor waits for. @param {number} gone */
export function forgetWaits(gone) {
  MapPrototypeForEach(waits, (wait, slot) => {
    if (wait.actor === gone) MapPrototypeDelete(waits, slot);
  });
}
