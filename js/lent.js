// What this worker lent to others: functions and objects by number, until nobody holds them.

import { core, primordials } from "ext:core/mod.js";
import { reportUncaught } from "ext:beryl/console.js";
import { holdForLoan, releaseEvent } from "ext:beryl/context.js";
import { RpcTarget } from "ext:beryl/entrypoint.js";
import { hold, release } from "ext:beryl/eviction.js";
import { currentActor, currentEvent } from "ext:beryl/pending.js";

const { ops } = core;
const {
  Error, FunctionPrototypeCall, MapPrototypeDelete, MapPrototypeForEach, MapPrototypeGet,
  MapPrototypeSet, ObjectGetPrototypeOf, ObjectPrototype, ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen, SafeMap, SymbolDispose,
} = primordials;

/**
 * With the event in whose context it is called, and the one that is not over before it is back.
 * @type {Map<number, {target: any, actor: number, event: number, held: number,
 *   moved: (() => void)[] | null}>}
 */
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
 * @param {boolean} isResult Whether the call that gives it away lasts until it is back.
 * @param {(() => void)[] | null} moved What is done once it is back, instead of its disposal, where
 *   it is lent to nobody but calls that waited for it.
 * @returns {object} The handle of a capability.
 */
export function lend(target, isResult = false, moved = null) {
  do {
    lastNumber = (lastNumber + 1) >>> 0;
  } while (lastNumber === 0 || MapPrototypeGet(lent, lastNumber) !== undefined);
  const actor = currentActor();
  const event = actor === 0 ? currentEvent() : 0;
  const held = isResult ? holdForLoan() : 0;
  MapPrototypeSet(lent, lastNumber, { target, actor, event, held, moved });
  // Who holds an object holds its actor in memory.
  if (actor !== 0) hold(actor);
  return ops.op_capability_lend(lastNumber, actor);
}

/** Lends nothing but the disposer of a result (RPC-20). */
export function lendDisposer(value) {
  return lend({ __proto__: null, [SymbolDispose]: () => value[SymbolDispose]() }, true);
}

/**
 * @param {number} number
 * @returns {{target: any, event: number}}
 */
export function borrowed(number) {
  const entry = MapPrototypeGet(lent, number);
  if (entry === undefined) throw new Error("The object of this call is gone.");
  return entry;
}

/** Nobody holds it any longer: its disposer runs, and its failure is nobody else's (RPC-24). */
export function returned(number) {
  const entry = MapPrototypeGet(lent, number);
  if (entry === undefined) return;
  MapPrototypeDelete(lent, number);
  if (entry.moved === null) runDisposer(entry.target);
  else for (let i = 0; i < entry.moved.length; i++) entry.moved[i]();
  if (entry.held !== 0) releaseEvent(entry.held);
  if (entry.actor !== 0) release(entry.actor);
}

/** An actor is gone, and what it lent with it. @param {number} gone */
export function forgetLent(gone) {
  MapPrototypeForEach(lent, ({ actor }, number) => {
    if (actor === gone) MapPrototypeDelete(lent, number);
  });
}

function runDisposer(target) {
  try {
    const dispose = target[SymbolDispose];
    if (typeof dispose !== "function") return;
    const result = FunctionPrototypeCall(dispose, target);
    if (core.isPromise(result)) PromisePrototypeThen(result, undefined, reportUncaught);
  } catch (error) {
    reportUncaught(error);
  }
}
