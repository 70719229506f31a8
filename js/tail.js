// The receiving side of tail workers: what other workers did arrives as a call of its own name.

import { primordials } from "ext:core/mod.js";

const { Error, FunctionPrototypeCall, JSONParse } = primordials;

/** The method by which traces arrive; see `worker::trace`. */
export const TAIL = "\0tail";

/**
 * @param {any} receiver
 * @param {unknown[]} args The events as one JSON text.
 * @param {{env: object, ctx: object} | null} context
 */
export function callTail(receiver, args, context) {
  const { tail } = receiver;
  if (typeof tail !== "function") throw new Error("Handler does not export a tail() function.");
  const events = JSONParse(args[0]);
  return FunctionPrototypeCall(tail, receiver, events, context?.env, context?.ctx);
}
