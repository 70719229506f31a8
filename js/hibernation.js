// WebSockets of an actor that outlive its instance: what `ctx` has for them, and their events.

import { core, primordials } from "ext:core/mod.js";
import { reportUncaught } from "ext:beryl/console.js";
import { forgetSocket, keepSocket, keptSocket } from "ext:beryl/sockets.js";
import { CLOSE, FAILURE, handleOf, LOST_TEXT, makeSocket, MESSAGE } from "ext:beryl/websocket.js";

const { ops } = core;
const {
  ArrayIsArray, ArrayPrototypeMap, ArrayPrototypePush, Date, Error, FunctionPrototypeCall, Number,
  NumberIsFinite, PromisePrototypeThen, String, SymbolToStringTag, TypeError,
} = primordials;

const LOST = 1006;
const UINT32_MAX = 0xffff_ffff;

/** @type {(value: unknown) => value is WebSocketRequestResponsePair} */
let isPair;

/** What is sent back without waking the object when a text is received. */
export class WebSocketRequestResponsePair {
  #request;
  #response;

  /**
   * @param {string} request
   * @param {string} response
   */
  constructor(request, response) {
    if (arguments.length < 2) {
      throw new TypeError(
        "Failed to construct 'WebSocketRequestResponsePair': constructor parameter " +
          `${arguments.length + 1} is not of type 'string'.`,
      );
    }
    this.#request = String(request);
    this.#response = String(response);
  }

  static {
    isPair = (value) => typeof value === "object" && value !== null && #request in value;
  }

  get request() {
    return this.#request;
  }

  get response() {
    return this.#response;
  }

  get [SymbolToStringTag]() {
    return "WebSocketRequestResponsePair";
  }
}

/**
 * @param {number} actor
 * @param {WebSocket} socket
 * @param {string[]} [tags]
 */
export function acceptWebSocket(actor, socket, tags = undefined) {
  const handle = checkedHandle(socket, "acceptWebSocket");
  if (tags !== undefined && !ArrayIsArray(tags)) {
    throw wrongType("acceptWebSocket", 2, "Array");
  }
  const texts = tags === undefined ? [] : ArrayPrototypeMap(tags, (tag) => String(tag));
  ops.op_hibernation_accept(actor, handle, texts);
  keepSocket(actor, ops.op_websocket_id(handle), socket);
}

/**
 * @param {number} actor
 * @param {string} [tag]
 * @returns {WebSocket[]} Newest first.
 */
export function webSockets(actor, tag = undefined) {
  const text = tag === undefined ? null : String(tag);
  const ids = ops.op_hibernation_sockets(actor, text);
  const sockets = [];
  for (let i = 0; i < ids.length; i++) {
    const socket = socketOf(actor, ids[i]);
    if (socket !== null) ArrayPrototypePush(sockets, socket);
  }
  return sockets;
}

/** @param {WebSocket} socket @returns {string[]} */
export function webSocketTags(socket) {
  return ops.op_hibernation_tags(checkedHandle(socket, "getTags"));
}

/**
 * @param {number} actor
 * @param {WebSocketRequestResponsePair} [pair]
 */
export function setAutoResponse(actor, pair = undefined) {
  if (pair === undefined || pair === null) {
    return ops.op_hibernation_set_auto_response(actor, null, null);
  }
  if (!isPair(pair)) {
    throw wrongType("setWebSocketAutoResponse", 1, "WebSocketRequestResponsePair");
  }
  ops.op_hibernation_set_auto_response(actor, pair.request, pair.response);
}

/** @param {number} actor @returns {WebSocketRequestResponsePair | null} */
export function autoResponse(actor) {
  const parts = ops.op_hibernation_auto_response(actor);
  return parts === null ? null : new WebSocketRequestResponsePair(parts[0], parts[1]);
}

/** @param {WebSocket} socket @returns {Date | null} */
export function autoResponseTime(socket) {
  const handle = checkedHandle(socket, "getWebSocketAutoResponseTimestamp");
  const time = ops.op_hibernation_answered(handle);
  return time < 0 ? null : new Date(time);
}

/** @param {number} actor @param {number} [timeout] Milliseconds; none and 0 lift the limit. */
export function setEventTimeout(actor, timeout = undefined) {
  const ms = timeout === undefined ? 0 : Number(timeout);
  if (ms < 0) {
    throw new TypeError(
      "The value cannot be converted because it is negative and this API expects a positive " +
        "number.",
    );
  }
  ops.op_hibernation_set_timeout(actor, NumberIsFinite(ms) && ms <= UINT32_MAX ? ms : UINT32_MAX);
}

/** @param {number} actor @returns {number | null} Milliseconds. */
export function eventTimeout(actor) {
  const ms = ops.op_hibernation_timeout(actor);
  return ms === 0 ? null : ms;
}

/** Hands to an instance what one of its sockets heard; `done` is called once it is handled. */
export function tellInstance(instance, actor, { id, kind, a, b }, done) {
  const socket = socketOf(actor, id);
  if (socket === null) return done();
  const isLast = kind !== MESSAGE;
  const finish = () => {
    if (isLast) forgetSocket(actor, id);
    done();
  };
  let result;
  try {
    result = callHandler(instance, socket, kind, a, b);
  } catch (error) {
    reportUncaught(error);
  }
  if (!core.isPromise(result)) return finish();
  PromisePrototypeThen(result, finish, (error) => {
    reportUncaught(error);
    finish();
  });
}

function callHandler(instance, socket, kind, a, b) {
  switch (kind) {
    case MESSAGE: {
      const { webSocketMessage } = instance;
      if (typeof webSocketMessage !== "function") return;
      return FunctionPrototypeCall(webSocketMessage, instance, socket, a);
    }
    case FAILURE: {
      const { webSocketError } = instance;
      if (typeof webSocketError !== "function") return;
      return FunctionPrototypeCall(webSocketError, instance, socket, new Error(a));
    }
    default: {
      const { webSocketClose } = instance;
      if (typeof webSocketClose !== "function") return;
      const isClean = kind === CLOSE;
      const code = isClean ? a : LOST;
      const reason = isClean ? b : LOST_TEXT;
      return FunctionPrototypeCall(webSocketClose, instance, socket, code, reason, isClean);
    }
  }
}

/** The same object for a socket as long as the instance lives (DO-18). */
function socketOf(actor, id) {
  const kept = keptSocket(actor, id);
  if (kept !== undefined) return kept;
  const handle = ops.op_hibernation_socket(actor, id);
  if (handle === null) return null;
  const socket = makeSocket(handle);
  keepSocket(actor, id, socket);
  return socket;
}

function checkedHandle(socket, method) {
  const handle = handleOf(socket);
  if (handle === null) throw wrongType(method, 1, "WebSocket");
  return handle;
}

function wrongType(method, parameter, type) {
  return new TypeError(
    `Failed to execute '${method}' on 'DurableObjectState': parameter ${parameter} is not of ` +
      `type '${type}'.`,
  );
}
