// What a stateless event holds, and gives up when it is over: its answer is sent, and nothing
// that `waitUntil` or a streamed body still does is left (RPC-19, RPC-20).

import { core, primordials } from "ext:core/mod.js";
import { currentActor, currentEvent } from "ext:beryl/pending.js";

const { ops } = core;
const {
  MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, SafeMap, SafeSet, SetPrototypeAdd,
  SetPrototypeDelete, SetPrototypeForEach,
} = primordials;

// The kinds of op_dispatch_kind.
const OVER = 0;
const CALL = 1;

/**
 * Only of events that hold something.
 * @type {Map<number, {pending: number, isAnswered: boolean, isCall: boolean,
 *   held: Set<{lose: () => void}>}>}
 */
const contexts = new SafeMap();
let count = 0;

/**
 * Ties something to the event whose code runs; an actor's lives as long as the actor.
 * @param {{lose: () => void}} thing Its `lose` is called when the event is over.
 * @returns {number} What to tell `letGo`; 0 if it is tied to nothing.
 */
export function adopt(thing) {
  const event = currentEvent();
  const context = contextOf(event);
  if (context === null) return 0;
  SetPrototypeAdd(context.held, thing);
  return event;
}

/** The thing is over by itself. */
export function letGo(event, thing) {
  const context = MapPrototypeGet(contexts, event);
  if (context !== undefined) SetPrototypeDelete(context.held, thing);
}

/**
 * Something of the running event goes on after its answer.
 * @returns {number} For `releaseEvent`.
 */
export function holdEvent() {
  const event = currentEvent();
  const context = contextOf(event);
  if (context === null) return 0;
  context.pending++;
  return event;
}

/**
 * The result of the running call lends something: the call is not over before it is given back.
 * @returns {number} For `releaseEvent`.
 */
export function holdForLoan() {
  const event = currentEvent();
  const context = contextOf(event);
  if (context === null || !context.isCall) return 0;
  context.pending++;
  return event;
}

/** @param {number} event What `holdEvent` or `holdForLoan` gave. */
export function releaseEvent(event) {
  const context = MapPrototypeGet(contexts, event);
  if (context === undefined) return;
  context.pending--;
  endIfOver(event, context);
}

/** An event is answered. @param {number} event */
export function answered(event) {
  if (count === 0) return;
  const context = MapPrototypeGet(contexts, event);
  if (context === undefined) return;
  context.isAnswered = true;
  endIfOver(event, context);
}

/** @returns {object | null} null where nobody would ever end it. */
function contextOf(event) {
  if (event === 0 || currentActor() !== 0) return null;
  let context = MapPrototypeGet(contexts, event);
  if (context === undefined) {
    const kind = ops.op_dispatch_kind(event);
    // Code that runs on after its event has nothing to tie things to.
    if (kind === OVER) return null;
    context = { pending: 0, isAnswered: false, isCall: kind === CALL, held: new SafeSet() };
    MapPrototypeSet(contexts, event, context);
    count++;
  }
  return context;
}

function endIfOver(event, context) {
  if (!context.isAnswered || context.pending > 0) return;
  MapPrototypeDelete(contexts, event);
  count--;
  SetPrototypeForEach(context.held, (thing) => thing.lose());
}
