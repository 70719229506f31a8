// The receiving side of tail workers: what other workers did arrives as a call of its own name.

import { core, primordials } from "ext:core/mod.js";

const { Error, FunctionPrototypeCall, JSONParse } = primordials;

/** The method by which traces arrive; see `worker::trace`. */
const TAIL = "\0tail";

/** The same while they happen; see `worker::tail_stream`. */
const TAIL_STREAM = "\0tailStream";

/** @returns {boolean} */
export function isTail(method) {
  return method === TAIL || method === TAIL_STREAM;
}

/**
 * @param {any} receiver
 * @param {string} method
 * @param {unknown[]} args The events as one JSON text.
 * @param {{env: object, ctx: object} | null} context
 */
export function callTail(receiver, method, args, context) {
  if (method === TAIL_STREAM) {
    return core.loadExtScript("ext:beryl/tail_stream.js").open(receiver, args[0], context);
  }
  const { tail } = receiver;
  if (typeof tail !== "function") throw new Error("Handler does not export a tail() function.");
  const events = JSONParse(args[0]);
  return FunctionPrototypeCall(tail, receiver, events, context?.env, context?.ctx);
}
