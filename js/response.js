// Response: made by user code, or wrapped around one that Rust holds and may never be looked at.

import { core, primordials } from "ext:core/mod.js";
import {
  Body, copyBody, isNativeBody, kInternal, markMoved, setBody, setNativeBody, takeBody, TEXT_TYPE,
} from "ext:beryl/body.js";
import { headerList, Headers, headersOfList, immutableHeaders } from "ext:beryl/headers.js";
import { keepHead } from "ext:beryl/request.js";
import { checkedReason, checkedStatus, isManual } from "ext:beryl/response_init.js";
import { checkSocketInit } from "ext:beryl/socket_arguments.js";
import { parseUrl } from "ext:beryl/url.js";
import { handleOf, makeSocket } from "ext:beryl/websocket.js";

const { ops } = core;
const {
  ArrayPrototypeSlice, JSONStringify, Number, RangeError, SymbolFor, SymbolToStringTag, TypeError,
} = primordials;

const NO_RESPONSE = "Incorrect type for Promise: the Promise did not resolve to 'Response'.";

/**
 * Answers an event. Throws a TypeError if the value is no Response or its body is used.
 * @type {(event: number, response: unknown, request: Request) => void}
 */
export let sendResponse;
/**
 * A response that Rust holds, to what was asked: a URL, or a request that has one.
 * @type {(handle: object, asked: Request | string) => Response}
 */
export let nativeResponse;

export class Response extends Body {
  #status = 200;
  #statusText = "";
  /** @type {Headers | null} */
  #headers = null;
  /** The content type that the body brings along, if the headers do not say another. */
  #type = null;
  /** @type {object | null} The native response; its status is not read yet. */
  #handle = null;
  /** @type {object | null} The native response, as long as its body is untouched. */
  #origin = null;
  /** @type {Request | string | null} What this is the answer to. */
  #asked = null;
  /** @type {string | null} Where a redirect led. */
  #place = null;
  #isError = false;
  /** Whether the body is sent as it is, whatever its headers say of its encoding. */
  #isEncoded = false;
  #cf = undefined;
  /** @type {WebSocket | null | undefined} Undefined until a native response was asked. */
  #webSocket = null;

  /**
   * @param {BodyInit | null} [body]
   * @param {ResponseInit | Response} [init]
   */
  constructor(body = null, init = undefined) {
    super(kInternal);
    if (body === kInternal) return;
    if (init !== undefined && init !== null) this.#applyInit(init, body);
    this.#type = setBody(this, body);
  }

  static {
    nativeResponse = (handle, asked) => {
      const response = new Response(kInternal);
      response.#asked = asked;
      response.#handle = handle;
      response.#origin = handle;
      response.#webSocket = undefined;
      setNativeBody(response, handle);
      return response;
    };
    sendResponse = (event, response, request) => {
      const isResponse = typeof response === "object" && response !== null && #status in response;
      if (!isResponse) throw new TypeError(NO_RESPONSE);
      response.#send(event, request);
    };
  }

  /** @returns {Response} A network error, which cannot be sent. */
  static error() {
    const response = new Response(kInternal);
    response.#status = 0;
    response.#isError = true;
    return response;
  }

  /**
   * @param {string | URL} url
   * @param {number} [status]
   */
  static redirect(url, status = 302) {
    const location = parseUrl(`${url}`);
    if (location === null) throw new TypeError(`Unable to parse URL: ${url}`);
    status = Number(status);
    if (status !== 301 && status !== 302 && status !== 303 && status !== 307 && status !== 308) {
      throw new RangeError(
        `${status} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.`,
      );
    }
    const response = new Response(kInternal);
    response.#status = status;
    response.#headers = headersOfList(["location", location]);
    return response;
  }

  /**
   * @param {unknown} data
   * @param {ResponseInit} [init]
   */
  static json(data, init = undefined) {
    const text = `${JSONStringify(data)}`;
    const response = new Response(kInternal);
    if (init !== undefined && init !== null) response.#applyInit(init, text);
    setBody(response, text);
    response.#type = "application/json";
    return response;
  }

  get status() {
    if (this.#handle !== null) this.#readHead();
    return this.#status;
  }

  get statusText() {
    if (this.#handle !== null) this.#readHead();
    return this.#statusText;
  }

  get ok() {
    const status = this.status;
    return status >= 200 && status <= 299;
  }

  /** @returns {Headers} */
  get headers() {
    if (this.#handle !== null) this.#readHead();
    if (this.#headers === null) {
      this.#headers = this.#type === null
        ? new Headers()
        : headersOfList(["content-type", this.#type]);
    } else {
      this.#addType();
    }
    return this.#headers;
  }

  get redirected() {
    if (this.#handle !== null) this.#readHead();
    return this.#place !== null;
  }

  /** @returns {string} Where it came from; empty if it was made here. */
  get url() {
    if (this.#handle !== null) this.#readHead();
    if (this.#place !== null) return this.#place;
    const asked = this.#asked;
    if (asked === null || typeof asked === "string") return asked ?? "";
    return asked.url;
  }

  get type() {
    return this.#isError ? "error" : "default";
  }

  get webSocket() {
    if (this.#webSocket === undefined) {
      const handle = ops.op_websocket_of_response(this.#origin);
      this.#webSocket = handle === null ? null : makeSocket(handle);
    }
    return this.#webSocket;
  }

  get cf() {
    return this.#cf;
  }

  /** @returns {Response} */
  clone() {
    if (this.status === 101) {
      throw new TypeError("Cannot clone a response to a WebSocket handshake.");
    }
    const copy = new Response(kInternal);
    copy.#status = this.status;
    copy.#statusText = this.#statusText;
    copy.#headers = new Headers(this.headers);
    copy.#asked = this.#asked;
    copy.#place = this.#place;
    copy.#isError = this.#isError;
    copy.#isEncoded = this.#isEncoded;
    copy.#cf = this.#cf;
    copyBody(this, copy);
    return copy;
  }

  get [SymbolToStringTag]() {
    return "Response";
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
    const { status, statusText, headers, ok, bodyUsed } = this;
    return `Response ${inspect({ status, statusText, headers, ok, bodyUsed }, options)}`;
  }

  #send(event, request) {
    const socket = this.#webSocket;
    if (socket !== null && socket !== undefined) {
      // Listeners go on looking at the request.
      keepHead(request);
      return ops.op_websocket_respond(event, handleOf(socket), headerList(this.headers));
    }
    if (this.#origin !== null && isNativeBody(this)) {
      ops.op_response_forward(event, this.#origin);
      markMoved(this);
      return;
    }
    if (this.#isError) {
      throw new TypeError(
        "Return value from serve handler must not be an error response (like Response.error())",
      );
    }
    const body = takeBody(this);
    ops.op_response_send(event, this.#status, this.#sentHeaders(body), body, this.#isEncoded);
  }

  /** @returns {string[] | null} null where the body's type is the one Rust adds by itself. */
  #sentHeaders(body) {
    if (this.#headers !== null) {
      this.#addType();
      return headerList(this.#headers);
    }
    const type = this.#type;
    if (type === null || (type === TEXT_TYPE && typeof body === "string")) return null;
    return ["content-type", type];
  }

  /** Writes down the body's own type once there is a Headers object to write it to. */
  #addType() {
    const type = this.#type;
    if (type === null) return;
    this.#type = null;
    if (!this.#headers.has("content-type")) this.#headers.append("content-type", type);
  }

  #readHead() {
    const head = ops.op_response_head(this.#handle);
    this.#handle = null;
    this.#status = head[0];
    this.#statusText = head[1];
    this.#place = head[2];
    const list = ArrayPrototypeSlice(head, 3);
    this.#headers = immutableHeaders(() => list);
  }

  #applyInit(init, body) {
    if (typeof init !== "object") {
      throw new TypeError(
        "Failed to construct 'Response': constructor parameter 2 is not of type " +
          "'InitializerDict or Response'.",
      );
    }
    const { status, statusText, headers, webSocket, cf, encodeBody } = init;
    if (webSocket !== undefined && webSocket !== null) {
      checkSocketInit(handleOf(webSocket), status, body);
      this.#status = 101;
      this.#webSocket = webSocket;
    } else if (status !== undefined) {
      this.#status = checkedStatus(status, body);
    }
    if (statusText !== undefined) this.#statusText = checkedReason(statusText);
    if (headers !== undefined && headers !== null) this.#headers = new Headers(headers);
    if (cf !== undefined) this.#cf = cf;
    if (encodeBody !== undefined) this.#isEncoded = isManual(encodeBody);
    else if (#isEncoded in init) this.#isEncoded = init.#isEncoded;
  }
}
