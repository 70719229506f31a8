// Buffers that their owner gives away with the next call or result they are in: `transfer()` of
// "cloudflare:workers".

import { core, primordials } from "ext:core/mod.js";

const {
  ArrayBuffer, ArrayBufferIsView, ArrayPrototypeIncludes, ArrayPrototypePush,
  DataViewPrototypeGetBuffer, ObjectGetOwnPropertyDescriptor, ReflectApply, SafeWeakSet,
  TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetSymbolToStringTag,
  WeakSetPrototypeAdd, WeakSetPrototypeDelete, WeakSetPrototypeHas,
} = primordials;

const isResizable = ObjectGetOwnPropertyDescriptor(ArrayBuffer.prototype, "resizable").get;

const given = new SafeWeakSet();
let count = 0;

/** @returns {boolean} Whether a buffer may be on its way, so that values must be searched. */
export function hasGiven() {
  return count > 0;
}

/** Adds the buffer that goes with a value to a list, if it was given away. */
export function noteGiven(value, list) {
  const buffer = count === 0 ? null : bufferOf(value);
  if (buffer === null || !WeakSetPrototypeHas(given, buffer)) return;
  if (!ArrayPrototypeIncludes(list, buffer)) ArrayPrototypePush(list, buffer);
}

/** A buffer is gone. */
export function forgetGiven(buffer) {
  if (WeakSetPrototypeDelete(given, buffer)) count--;
}

/**
 * Gives a buffer away with the next call or result it is in: its memory is not copied then, and
 * the sender's buffer is detached.
 * @template {ArrayBuffer | ArrayBufferView} T
 * @param {T} value
 * @returns {T} The same.
 */
export function transfer(value) {
  const buffer = bufferOf(value);
  if (buffer === null) {
    throw new TypeError("transfer() takes an ArrayBuffer or a view of one.");
  }
  if (ReflectApply(isResizable, buffer, [])) {
    throw new TypeError("transfer() does not take resizable buffers.");
  }
  if (!WeakSetPrototypeHas(given, buffer)) {
    WeakSetPrototypeAdd(given, buffer);
    count++;
  }
  return value;
}

function bufferOf(value) {
  if (core.isArrayBuffer(value)) return value;
  if (!ArrayBufferIsView(value)) return null;
  const isTyped = TypedArrayPrototypeGetSymbolToStringTag(value) !== undefined;
  const buffer = isTyped ? TypedArrayPrototypeGetBuffer(value) : DataViewPrototypeGetBuffer(value);
  return core.isArrayBuffer(buffer) ? buffer : null;
}
