// Which export of the worker a stateless event is for.

import { core, primordials } from "ext:core/mod.js";
import { unpack } from "ext:beryl/capability.js";
import { ExecutionContext, WorkerEntrypoint } from "ext:beryl/entrypoint.js";
import { environment } from "ext:beryl/env.js";
import { exportsOf, loopbacks } from "ext:beryl/exports.js";
import { setCurrentEvent } from "ext:beryl/pending.js";

const { ops } = core;
const { Error, ObjectPrototypeIsPrototypeOf } = primordials;

/** Stands for the actor of a stateless event whose entrypoint has a name or props. */
const NAMED = 0xffff_ffff;

/** The entrypoint of a stateless event that has neither: `[export name, props]`. */
const DEFAULT_ENTRY = ["default", undefined];

/** @param {number} actor 0 or `NAMED` where there is none. */
export function isStateless(actor) {
  return actor === 0 || actor === NAMED;
}

/** From here on JavaScript runs for this event. */
export function enter(event, actor) {
  setCurrentEvent(event, isStateless(actor) ? 0 : actor);
}

/** @returns {[string, unknown]} The export a stateless event is for, and its props. */
export function entryOf(event, actor) {
  if (actor !== NAMED) return DEFAULT_ENTRY;
  const entry = ops.op_dispatch_entry(event);
  if (entry[0] === "") entry[0] = "default";
  if (entry[2] !== undefined) entry[1] = unpack(entry[2]);
  return entry;
}

/** @returns {{handler: any, ctx: ExecutionContext}} */
export function entrypoint(name, props) {
  const handler = exportsOf()[name];
  const ctx = new ExecutionContext(loopbacks, props);
  if (typeof handler === "function") {
    if (!ObjectPrototypeIsPrototypeOf(WorkerEntrypoint.prototype, handler.prototype)) {
      throw noEntrypoint(name);
    }
    return { handler: new handler(ctx, environment()), ctx };
  }
  if (typeof handler !== "object" || handler === null) throw noEntrypoint(name);
  return { handler, ctx };
}

function noEntrypoint(name) {
  return new Error(
    name === "default"
      ? "Worker has no default entrypoint."
      : `Worker has no such entrypoint: ${name}`,
  );
}
