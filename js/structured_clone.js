// structuredClone().

import { core, primordials } from "ext:core/mod.js";
import { RpcTarget } from "ext:beryl/entrypoint.js";
import { Headers } from "ext:beryl/headers.js";
import { Request } from "ext:beryl/request.js";
import { Response } from "ext:beryl/response.js";
import { URLSearchParams } from "ext:beryl/search_params.js";
import { URL } from "ext:beryl/url.js";
import { load } from "ext:beryl/web.js";
import { WebSocket } from "ext:beryl/websocket.js";

const {
  ArrayBufferPrototypeTransfer, ArrayPrototypePush, SafeArrayIterator, TypeError,
} = primordials;

/**
 * @template T
 * @param {T} value
 * @param {{transfer?: Transferable[]}} [options]
 * @returns {T}
 */
export function structuredClone(value, options = undefined) {
  if (arguments.length === 0) throw new TypeError("structuredClone needs an argument");
  const clone = cloner().structuredClone(value, options);
  const transfer = options?.transfer;
  if (transfer === undefined || transfer === null) return clone;
  // The clone got a copy, since deno_core hands no memory over; the original is gone all the same.
  for (const item of new SafeArrayIterator(transfer)) {
    if (core.isArrayBuffer(item)) ArrayBufferPrototypeTransfer(item, 0);
  }
  return clone;
}

/** Classes that have no structured clone, null once the cloning function knows them. */
let uncloneable = [RpcTarget, Headers, Request, Response, URL, URLSearchParams, WebSocket];

/** @returns {Record<string, any>} What clones, and knows which of our classes have no clone. */
export function cloner() {
  const script = load("13_message_port.js");
  if (uncloneable === null) return script;
  const classes = uncloneable;
  uncloneable = null;
  core.loadExtScript("ext:beryl/message_port_fits.js").fit(script);
  for (let i = 0; i < classes.length; i++) script.markNotSerializable(classes[i].prototype);
  return script;
}

/** @param {Function} classOf A class loaded later whose objects have no structured clone. */
export function neverClone(classOf) {
  if (uncloneable === null) load("13_message_port.js").markNotSerializable(classOf.prototype);
  else ArrayPrototypePush(uncloneable, classOf);
}
