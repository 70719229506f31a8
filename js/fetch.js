// fetch(): the global function, and how requests leave through any stub.

import { core, primordials } from "ext:core/mod.js";
import { abandon, currentEvent, open, promiseOf } from "ext:beryl/pending.js";
import { requestParts } from "ext:beryl/request.js";
import { nativeResponse } from "ext:beryl/response.js";
import { load } from "ext:beryl/web.js";

const { ops } = core;
const { PromiseReject, PromiseResolve, StringPrototypeStartsWith } = primordials;

/** The handle of what the global function reaches. */
let outbound = null;

/**
 * @param {Request | string | URL} input
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export function fetch(input, init = undefined) {
  try {
    return sendFetch(() => outbound ??= ops.op_fetch_outbound(), input, init);
  } catch (error) {
    return PromiseReject(error);
  }
}

/**
 * Sends a request; throws where it cannot even be made.
 * @param {() => object} target Gives the native handle of where it goes.
 * @param {unknown} input
 * @param {object} [init]
 * @returns {Promise<Response>}
 */
export function sendFetch(target, input, init) {
  const parts = requestParts(input, init);
  const { event, asked, signal, line } = parts;
  if (line !== null && StringPrototypeStartsWith(line[1], "data:")) {
    return PromiseResolve(core.loadExtScript("ext:beryl/data_url.js").respond(line[1]));
  }
  const handle = target();
  const aborter = signal === null ? null : ops.op_fetch_aborter();
  const slot = open();
  const isHead = line !== null && line[0] === "HEAD";
  const promise = promiseOf(slot, (native) => nativeResponse(native, asked, isHead));
  ops.op_fetch_send(
    handle,
    slot,
    event,
    currentEvent(),
    line,
    parts.headers,
    parts.body,
    aborter,
  );
  if (signal !== null) {
    const { add } = load("03_abort_signal.js");
    signal[add](() => {
      ops.op_fetch_abort(aborter);
      abandon(slot, signal.reason);
    });
  }
  return promise;
}
