// Critical sections of actors: `blockConcurrencyWhile`, and transactions on top of it (DO-9).

import { core, primordials } from "ext:core/mod.js";
import { reportUncaught } from "ext:beryl/console.js";
import { currentEvent, setCurrentEvent } from "ext:beryl/pending.js";
import { errorParts } from "ext:beryl/thrown.js";

const { ops } = core;
const {
  MapPrototypeDelete,
  MapPrototypeForEach,
  MapPrototypeGet,
  MapPrototypeSet,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  SafeMap,
} = primordials;

/**
 * Sections that wait for their begin or are running, by their numbers.
 * @type {Map<number, {actor: number, event: number, callback: Function, resolve: Function,
 *   value: any}>}
 */
const sections = new SafeMap();

/**
 * Runs the callback once the turn is over, with everything held back that it did not start;
 * what it throws resets the actor.
 * @template T
 * @param {number} actor
 * @param {() => T | Promise<T>} callback
 * @returns {Promise<T>} Settles only if the callback succeeds.
 */
export function inSection(actor, callback) {
  const section = ops.op_actor_section(actor);
  return new Promise((resolve) => {
    const event = currentEvent();
    MapPrototypeSet(sections, section, { actor, event, callback, resolve, value: undefined });
  });
}

/** @param {number} section */
export function enterSection(section) {
  const entry = MapPrototypeGet(sections, section);
  if (entry === undefined) return;
  const { actor, event, callback } = entry;
  setCurrentEvent(event, actor);
  const failed = (error) => {
    MapPrototypeDelete(sections, section);
    reportUncaught(error);
    breakActor(actor, error);
  };
  try {
    PromisePrototypeThen(PromiseResolve(callback()), (value) => {
      entry.value = value;
      ops.op_actor_section_end(actor, section);
    }, failed);
  } catch (error) {
    failed(error);
  }
}

/** @param {number} section */
export function leaveSection(section) {
  const entry = MapPrototypeGet(sections, section);
  if (entry === undefined) return;
  MapPrototypeDelete(sections, section);
  setCurrentEvent(entry.event, entry.actor);
  entry.resolve(entry.value);
}

/** Drops the sections of a gone actor. @param {number} gone */
export function forgetSections(gone) {
  MapPrototypeForEach(sections, ({ actor }, section) => {
    if (actor === gone) MapPrototypeDelete(sections, section);
  });
}

function breakActor(actor, error) {
  const { name, message } = errorParts(error);
  ops.op_actor_break(actor, name, message);
}
