// What holds an actor in memory besides its events (DO-14): promises of Rust, timers, and what was
// held by name, such as `waitUntil()` and open streams.

import { core, primordials } from "ext:core/mod.js";
import { eachWait } from "ext:beryl/pending.js";
import { eachTimer } from "ext:beryl/timers.js";

const { ops } = core;
const {
  ArrayPrototypePush,
  MapPrototypeDelete,
  MapPrototypeForEach,
  MapPrototypeGet,
  MapPrototypeSet,
  PromisePrototypeThen,
  PromiseResolve,
  SafeMap,
} = primordials;

/** @type {Map<number, number>} How often an actor is held; 0 stands for stateless events. */
const holds = new SafeMap();

/** Keeps an actor in memory until `release`. @param {number} actor */
export function hold(actor) {
  MapPrototypeSet(holds, actor, (MapPrototypeGet(holds, actor) ?? 0) + 1);
  ops.op_eviction_hold(1);
}

/** Ends one `hold`. @param {number} actor */
export function release(actor) {
  const count = MapPrototypeGet(holds, actor);
  if (count === undefined) return;
  if (count > 1) MapPrototypeSet(holds, actor, count - 1);
  else MapPrototypeDelete(holds, actor);
  ops.op_eviction_hold(-1);
}

/**
 * Keeps an actor in memory until the promise is settled.
 * @param {unknown} promise
 * @param {number} actor
 * @param {(error: unknown) => void} failed
 */
export function holdUntil(promise, actor, failed) {
  hold(actor);
  PromisePrototypeThen(PromiseResolve(promise), () => release(actor), (error) => {
    release(actor);
    failed(error);
  });
}

/** Drops what holds a gone actor. @param {number} gone */
export function forgetHolds(gone) {
  const count = MapPrototypeGet(holds, gone);
  if (count === undefined) return;
  MapPrototypeDelete(holds, gone);
  ops.op_eviction_hold(-count);
}

/** Tells Rust which actors are held. */
export function survey() {
  const seen = new SafeMap();
  const held = [];
  const note = (actor) => {
    if (actor === 0 || MapPrototypeGet(seen, actor) === true) return;
    MapPrototypeSet(seen, actor, true);
    ArrayPrototypePush(held, actor);
  };
  eachWait((wait) => note(wait.actor));
  eachTimer((timer) => note(timer.actor));
  MapPrototypeForEach(holds, (_, actor) => note(actor));
  ops.op_eviction_surveyed(held);
}
