// Promises that Rust settles, and the event whose handler runs at the moment.

import { core, primordials } from "ext:core/mod.js";

const { ops } = core;
const { Promise, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, SafeMap } = primordials;

/**
 * With the event that began to wait, which runs on when the promise is settled.
 * @type {Map<number, {resolve: Function, reject: Function, wrap: Function | undefined,
 *   event: number}>}
 */
const waits = new SafeMap();
let lastSlot = 0;
let event = 0;

/** @returns {number} A number under which Rust can settle a promise. */
export function open() {
  lastSlot = (lastSlot + 1) >>> 0;
  return lastSlot;
}

/** The slot is not needed: the op had its result at once. @param {number} _slot */
export function close(_slot) {}

/**
 * @param {number} slot
 * @param {(value: any) => any} [wrap] Makes the promise's value of what Rust gives.
 * @returns {Promise<any>}
 */
export function promiseOf(slot, wrap = undefined) {
  return new Promise((resolve, reject) => {
    MapPrototypeSet(waits, slot, { resolve, reject, wrap, event });
  });
}

/** Takes from Rust what a slot is settled with. @param {number} slot */
export function settle(slot) {
  const wait = MapPrototypeGet(waits, slot);
  if (wait === undefined) return;
  MapPrototypeDelete(waits, slot);
  event = wait.event;
  let value;
  try {
    value = ops.op_pending_take(slot);
    if (wait.wrap !== undefined) value = wait.wrap(value);
  } catch (error) {
    markRemote(error);
    return wait.reject(error);
  }
  wait.resolve(value);
}

/** Errors of other workers say so (DO-38). @param {any} error */
function markRemote(error) {
  error.remote = true;
}

/** @returns {number} The event that runs, 0 if it is not known. */
export function currentEvent() {
  return event;
}

/** @param {number} id */
export function setCurrentEvent(id) {
  event = id;
}
