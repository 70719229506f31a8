// WebSocket and WebSocketPair, and how what a socket hears reaches its listeners.

import { core, primordials } from "ext:core/mod.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { inspected } from "ext:beryl/inspect.js";
import { currentActor } from "ext:beryl/pending.js";
import {
  checkedCode, checkedCloseReason, checkProtocols, socketUrl,
} from "ext:beryl/socket_arguments.js";
import { fail, fire, forgetSocket, keepSocket, keptSocket } from "ext:beryl/sockets.js";
import { viewBytes } from "ext:beryl/streams.js";
import { load } from "ext:beryl/web.js";

const { ops } = core;
const {
  ArrayBufferIsView, Boolean, Error, ObjectDefineProperty, ObjectSetPrototypeOf,
  SafeArrayIterator, Symbol, SymbolFor, SymbolIterator, SymbolToStringTag, TypeError, Uint8Array,
} = primordials;

const kInternal = Symbol("internal");
const CONNECTING = 0;
const CLOSED = 3;

/** What a socket heard; the numbers are those of `op_websocket_event`. */
export const MESSAGE = 0;
export const CLOSE = 1;
export const FAILURE = 2;

/** The code of a close frame without one, and of a connection that is lost. */
const NO_STATUS = 1005;
const LOST = 1006;
export const LOST_TEXT = "WebSocket disconnected without sending Close frame.";
const NOT_ESTABLISHED = "Failed to establish websocket connection";

/** @type {(handle: object) => WebSocket} A socket that Rust holds. */
export let makeSocket;
/** @type {(value: unknown) => object | null} Its native handle; null if it is no WebSocket. */
export let handleOf;
/** @type {(socket: WebSocket, kind: number, a: any, b: any) => void} */
let hear;

export class WebSocket {
  /** @type {object | null} null while it connects, and if that failed. */
  #handle = null;
  #url = null;
  #binaryType = hasFlag("websocket_standard_binary_type") ? "blob" : "arraybuffer";
  #isHalfOpen = false;
  /** @type {(() => void) | null} Gives up the connection that is being made. */
  #giveUp = null;
  /** What the server chose; null if nothing. @type {string | null} */
  #protocol = "";
  /** @type {string | null} */
  #extensions = "";

  /**
   * @param {string} url
   * @param {string | string[]} [protocols]
   */
  constructor(url, protocols = undefined) {
    if (url === kInternal) {
      this.#handle = protocols;
      return;
    }
    if (arguments.length === 0) throw wrongType("constructor parameter 1", "string");
    this.#url = socketUrl(`${url}`);
    checkProtocols(protocols);
    const { connect } = core.loadExtScript("ext:beryl/socket_client.js");
    this.#giveUp = connect(this.#url, protocols, (made) => this.#open(made), (error) => {
      this.#giveUp = null;
      fail(this, error);
      const init = { code: LOST, reason: NOT_ESTABLISHED, wasClean: false };
      fire(this, null, new (load("02_event.js").CloseEvent)("close", init));
    });
  }

  /** The server answered with a socket that is as good as accepted. */
  #open({ socket, protocol }) {
    this.#giveUp = null;
    this.#handle = socket.#handle;
    this.#protocol = protocol;
    this.#extensions = null;
    this.#listen();
    fire(this, this.#handle, new (load("02_event.js").Event)("open"));
  }

  static {
    makeSocket = (handle) => {
      becomeEventTarget();
      return new WebSocket(kInternal, handle);
    };
    handleOf = (value) =>
      typeof value === "object" && value !== null && #handle in value ? value.#handle : null;
    hear = (socket, kind, a, b) => {
      const { MessageEvent, CloseEvent } = load("02_event.js");
      if (kind === MESSAGE) {
        const data = typeof a === "string" || socket.#binaryType === "arraybuffer"
          ? a
          : new (load("09_file.js").Blob)([a]);
        return fire(socket, socket.#handle, new MessageEvent("message", { data }));
      }
      if (kind === FAILURE) return fail(socket, new Error(a));
      if (kind === CLOSE && !socket.#isHalfOpen && hasFlag("web_socket_auto_reply_to_close")) {
        ops.op_websocket_close(socket.#handle, a === NO_STATUS ? 0 : a, b);
      }
      const init = kind === CLOSE
        ? { code: a, reason: b, wasClean: true }
        : { code: LOST, reason: LOST_TEXT, wasClean: false };
      fire(socket, socket.#handle, new CloseEvent("close", init));
    };
  }

  /** @param {{allowHalfOpen?: boolean}} [options] */
  accept(options = undefined) {
    if (this.#giveUp !== null) {
      throw new TypeError(
        "Websockets obtained from the 'new WebSocket()' constructor cannot call accept",
      );
    }
    const isHalfOpen = Boolean(options?.allowHalfOpen);
    if (this.#listen()) this.#isHalfOpen = isHalfOpen;
  }

  /** @returns {boolean} False if it was accepted before. */
  #listen() {
    const actor = currentActor();
    if (!ops.op_websocket_accept(this.#handle, actor)) return false;
    keepSocket(actor, ops.op_websocket_id(this.#handle), this);
    return true;
  }

  /** @param {string | ArrayBuffer | ArrayBufferView} message */
  send(message) {
    const handle = this.#handle;
    if (arguments.length === 0) {
      throw wrongType("parameter 1", "ArrayBuffer or ArrayBufferView or string", "send");
    }
    if (handle === null) throw notAccepted();
    if (typeof message === "string") return ops.op_websocket_send_text(handle, message);
    if (ArrayBufferIsView(message)) {
      ops.op_websocket_send_bytes(handle, viewBytes(message));
    } else if (core.isAnyArrayBuffer(message)) {
      ops.op_websocket_send_bytes(handle, new Uint8Array(message));
    } else {
      ops.op_websocket_send_text(handle, `${message}`);
    }
  }

  /**
   * @param {number} [code]
   * @param {string} [reason]
   */
  close(code = undefined, reason = undefined) {
    const giveUp = this.#giveUp;
    const number = checkedCode(code, reason);
    const text = checkedCloseReason(reason);
    if (giveUp !== null) return giveUp();
    if (this.#handle === null) return;
    ops.op_websocket_close(this.#handle, number, text);
  }

  /** @param {unknown} value Kept with the socket while its object hibernates. */
  serializeAttachment(value) {
    if (arguments.length === 0) throw wrongType("parameter 1", "Value", "serializeAttachment");
    ops.op_websocket_attach(this.#handle, value);
  }

  /** @returns {any} */
  deserializeAttachment() {
    return ops.op_websocket_attachment(this.#handle);
  }

  get readyState() {
    if (this.#handle !== null) return ops.op_websocket_ready_state(this.#handle);
    return this.#giveUp === null ? CLOSED : CONNECTING;
  }

  get bufferedAmount() {
    return this.#handle === null ? 0 : ops.op_websocket_waiting(this.#handle);
  }

  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(type) {
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  get url() {
    return this.#url;
  }

  get protocol() {
    return this.#protocol;
  }

  get extensions() {
    return this.#extensions;
  }

  get [SymbolToStringTag]() {
    return "WebSocket";
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
    return inspected("WebSocket", this, inspect, options);
  }
}

for (const target of new SafeArrayIterator([WebSocket, WebSocket.prototype])) {
  for (const prefix of new SafeArrayIterator(["", "READY_STATE_"])) {
    const states = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
    for (let value = 0; value < states.length; value++) {
      const name = `${prefix}${states[value]}`;
      ObjectDefineProperty(target, name, { __proto__: null, value, enumerable: true });
    }
  }
}

export class WebSocketPair {
  constructor() {
    const handles = ops.op_websocket_pair();
    this[0] = makeSocket(handles[0]);
    this[1] = makeSocket(handles[1]);
  }

  *[SymbolIterator]() {
    yield this[0];
    yield this[1];
  }

  get [SymbolToStringTag]() {
    return "WebSocketPair";
  }
}

let isEventTarget = false;

/** The class as user code sees it: an EventTarget, whose script is loaded when first needed. */
export function becomeEventTarget() {
  if (isEventTarget) return WebSocket;
  isEventTarget = true;
  const { EventTarget } = load("02_event.js");
  const { brand } = core.loadExtScript("ext:deno_webidl/00_webidl.js");
  ObjectSetPrototypeOf(WebSocket, EventTarget);
  ObjectSetPrototypeOf(WebSocket.prototype, EventTarget.prototype);
  ObjectDefineProperty(WebSocket.prototype, brand, { __proto__: null, value: brand });
  return WebSocket;
}

/** Tells the listeners of an accepted socket. */
export function tellListeners(actor, id, kind, a, b) {
  const socket = keptSocket(actor, id);
  if (socket === undefined) return;
  if (kind !== MESSAGE) forgetSocket(actor, id);
  hear(socket, kind, a, b);
}

function notAccepted() {
  return new TypeError(
    "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending " +
      "messages.",
  );
}

function wrongType(what, type, method = undefined) {
  const where = method === undefined ? "construct" : `execute '${method}' on`;
  return new TypeError(`Failed to ${where} 'WebSocket': ${what} is not of type '${type}'.`);
}
