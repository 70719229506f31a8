// What this worker lent to others: functions and objects by number, until nobody holds them.

import { core, primordials } from "ext:core/mod.js";
import { reportUncaught } from "ext:beryl/console.js";
import { RpcTarget } from "ext:beryl/entrypoint.js";
import { currentActor } from "ext:beryl/pending.js";

const { ops } = core;
const {
  Error, FunctionPrototypeCall, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet,
  ObjectGetPrototypeOf, ObjectPrototype, ObjectPrototypeIsPrototypeOf, PromisePrototypeThen,
  SafeMap, SymbolDispose,
} = primordials;

/** @type {Map<number, any>} */
const lent = new SafeMap();
let lastNumber = 0;

/** @returns {boolean} Whether a value can be used by reference. */
export function lendable(value) {
  if (typeof value === "function") return true;
  if (typeof value !== "object" || value === null) return false;
  return isTarget(value) || ObjectGetPrototypeOf(value) === ObjectPrototype;
}

/** @returns {boolean} */
export function isTarget(value) {
  return ObjectPrototypeIsPrototypeOf(RpcTarget.prototype, value);
}

/**
 * @param {object | Function} target
 * @returns {object} The handle of a capability.
 */
export function lend(target) {
  do {
    lastNumber = (lastNumber + 1) >>> 0;
  } while (lastNumber === 0 || MapPrototypeGet(lent, lastNumber) !== undefined);
  MapPrototypeSet(lent, lastNumber, target);
  return ops.op_capability_lend(lastNumber, currentActor());
}

/** Lends nothing but the disposer of a result (RPC-20). */
export function lendDisposer(value) {
  return lend({ __proto__: null, [SymbolDispose]: () => value[SymbolDispose]() });
}

/** @param {number} number */
export function borrowed(number) {
  const target = MapPrototypeGet(lent, number);
  if (target === undefined) throw new Error("The object of this call is gone.");
  return target;
}

/** Nobody holds it any longer: its disposer runs, and its failure is nobody else's (RPC-24). */
export function returned(number) {
  const target = MapPrototypeGet(lent, number);
  MapPrototypeDelete(lent, number);
  try {
    const dispose = target?.[SymbolDispose];
    if (typeof dispose !== "function") return;
    const result = FunctionPrototypeCall(dispose, target);
    if (core.isPromise(result)) PromisePrototypeThen(result, undefined, reportUncaught);
  } catch (error) {
    reportUncaught(error);
  }
}
