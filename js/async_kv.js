// Values by key with promises, of `ctx.storage` and of transactions (ST-3 to ST-10). Everything
// happens at the call; only its outcome comes later.

import { core, primordials } from "ext:core/mod.js";
import { kvRange } from "ext:beryl/kv.js";

const { ops } = core;
const {
  ArrayIsArray,
  ArrayPrototypePush,
  Map,
  MapPrototypeSet,
  ObjectKeys,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  TypeError,
} = primordials;

const PUT_FORMS = "put() may only be called with a single key-value pair and optional options as " +
  "put(key, value, options) or with multiple key-value pairs and optional options as " +
  "put(entries, options)";

/**
 * The promise of what the call gives or throws.
 * @template T
 * @param {() => T} call
 * @returns {Promise<T>}
 */
export function later(call) {
  let value;
  try {
    value = call();
  } catch (error) {
    return PromiseReject(error);
  }
  // Settled one microtask later than a resolved promise, as on the platform.
  return PromisePrototypeThen(PromiseResolve(), () => value);
}

/**
 * What values are read from and written to.
 * @typedef {{actor: number, className: string}} Owner
 */

/** @param {Owner} owner */
export function getValues(owner, key, options) {
  const keys = checkedKey(owner, "get", key);
  checkOptions(owner, "get", 2, options, "GetOptions");
  if (typeof keys === "string") return ops.op_kv_get(owner.actor, keys);
  return mapOf(ops.op_kv_get_many(owner.actor, keys));
}

/** @param {Owner} owner */
export function listValues(owner, options) {
  checkOptions(owner, "list", 1, options, "ListOptions");
  const { start, startAfter, end, prefix, reverse, limit } = kvRange(options);
  return mapOf(
    ops.op_kv_entries(owner.actor, start, startAfter, end, prefix, reverse, limit),
  );
}

/** @param {Owner} owner */
export function putValues(owner, key, value, options) {
  if (typeof key !== "object" || key === null || ArrayIsArray(key)) {
    if (key === undefined) throw wrongType(owner, "put", 1, "string or object");
    const text = `${key}`;
    checkOptions(owner, "put", 3, options, "PutOptions");
    if (value === undefined) throw new TypeError("put() called with undefined value.");
    ops.op_kv_put(owner.actor, text, value, isUnconfirmed(options));
    return;
  }
  checkOptions(owner, "put", 3, options, "PutOptions");
  if (!isOptions(value)) throw new TypeError(PUT_FORMS);
  const entries = [];
  const keys = ObjectKeys(key);
  for (let i = 0; i < keys.length; i++) {
    const entry = key[keys[i]];
    if (entry !== undefined) ArrayPrototypePush(entries, keys[i], entry);
  }
  ops.op_kv_put_many(owner.actor, entries, isUnconfirmed(value));
}

/** @param {Owner} owner */
export function deleteValues(owner, key, options) {
  const keys = checkedKey(owner, "delete", key);
  checkOptions(owner, "delete", 2, options, "PutOptions");
  const unconfirmed = isUnconfirmed(options);
  if (typeof keys === "string") return ops.op_kv_delete(owner.actor, keys, unconfirmed);
  return ops.op_kv_delete_many(owner.actor, keys, unconfirmed);
}

/** Options are an object or left out. @param {Owner} owner */
export function checkOptions(owner, method, position, options, type) {
  if (!isOptions(options)) throw wrongType(owner, method, position, type);
}

/** @param {Owner} owner */
export function wrongType({ className }, method, position, type) {
  return new TypeError(
    `Failed to execute '${method}' on '${className}': parameter ${position} is not of type ` +
      `'${type}'.`,
  );
}

function isOptions(options) {
  return options === undefined || typeof options === "object" || typeof options === "function";
}

function isUnconfirmed(options) {
  return !!options?.allowUnconfirmed;
}

/** @returns {string | string[]} */
function checkedKey(owner, method, key) {
  if (key === undefined) throw wrongType(owner, method, 1, "string or Array");
  if (!ArrayIsArray(key)) return `${key}`;
  const keys = [];
  for (let i = 0; i < key.length; i++) ArrayPrototypePush(keys, `${key[i]}`);
  return keys;
}

/** @param {any[]} entries Key, value, key, value ... */
function mapOf(entries) {
  const map = new Map();
  for (let i = 0; i < entries.length; i += 2) MapPrototypeSet(map, entries[i], entries[i + 1]);
  return map;
}
