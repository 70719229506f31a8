// Response: made by user code, or wrapped around one that Rust holds and may never be looked at.

import { core, primordials } from "ext:core/mod.js";
import {
  Body, copyBody, isNativeBody, kInternal, markMoved, setBody, setNativeBody, takeBody, TEXT_TYPE,
} from "ext:beryl/body.js";
import { headerList, Headers, headersOfList, immutableHeaders } from "ext:beryl/headers.js";
import { inspected } from "ext:beryl/inspect.js";
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
 * @type {(handle: object, asked: Request | string, isHead: boolean) => Response}
 */
export let nativeResponse;

/** What most responses made by user code have in common; never changed. */
const PLAIN = details();

function details() {
  return {
    status: 200,
    statusText: "",
    /** @type {object | null} The native response; its status is not read yet. */
    handle: null,
    /** @type {object | null} The native response, as long as its body is untouched. */
    origin: null,
    /** @type {Request | string | null} What this is the answer to. */
    asked: null,
    /** @type {string | null} Where a redirect led. */
    place: null,
    isError: false,
    /** Whether the body is sent as it is, whatever its headers say of its encoding. */
    isEncoded: false,
    cf: undefined,
    /** @type {WebSocket | null | undefined} Undefined until a native response was asked. */
    webSocket: null,
  };
}

export class Response extends Body {
  /** @type {Headers | null} */
  #headers = null;
  /** The content type that the body brings along, if the headers do not say another. */
  #type = null;
  /** Few fields, since an object with a dozen is slow to make. */
  #details = PLAIN;

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
    nativeResponse = (handle, asked, isHead) => {
      const response = new Response(kInternal);
      const own = response.#own();
      own.asked = asked;
      own.handle = handle;
      own.origin = handle;
      own.webSocket = undefined;
      setNativeBody(response, handle, isHead);
      return response;
    };
    sendResponse = (event, response, request) => {
      const isResponse = typeof response === "object" && response !== null && #details in response;
      if (!isResponse) throw new TypeError(NO_RESPONSE);
      response.#send(event, request);
    };
  }

  /** @returns {Response} A network error, which cannot be sent. */
  static error() {
    const response = new Response(kInternal);
    const own = response.#own();
    own.status = 0;
    own.isError = true;
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
    response.#own().status = status;
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
    return this.#read().status;
  }

  get statusText() {
    return this.#read().statusText;
  }

  get ok() {
    const status = this.status;
    return status >= 200 && status <= 299;
  }

  /** @returns {Headers} */
  get headers() {
    this.#read();
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
    return this.#read().place !== null;
  }

  /** @returns {string} Where it came from; empty if it was made here. */
  get url() {
    const { place, asked } = this.#read();
    if (place !== null) return place;
    if (asked === null || typeof asked === "string") return asked ?? "";
    return asked.url;
  }

  get type() {
    return this.#details.isError ? "error" : "default";
  }

  get webSocket() {
    if (this.#details.webSocket === undefined) {
      const handle = ops.op_websocket_of_response(this.#details.origin);
      this.#details.webSocket = handle === null ? null : makeSocket(handle);
    }
    return this.#details.webSocket;
  }

  get cf() {
    return this.#details.cf;
  }

  /** @returns {Response} */
  clone() {
    if (this.status === 101) {
      throw new TypeError("Cannot clone a response to a WebSocket handshake.");
    }
    const copy = new Response(kInternal);
    copy.#details = { ...this.#details, origin: null, webSocket: null };
    copy.#headers = new Headers(this.headers);
    copyBody(this, copy);
    return copy;
  }

  get [SymbolToStringTag]() {
    return "Response";
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
    return inspected("Response", this, inspect, options);
  }

  #send(event, request) {
    const { webSocket, origin, isError, status, isEncoded } = this.#details;
    if (webSocket !== null && webSocket !== undefined) {
      // Listeners go on looking at the request.
      keepHead(request);
      return ops.op_websocket_respond(event, handleOf(webSocket), headerList(this.headers));
    }
    if (origin !== null && isNativeBody(this)) {
      ops.op_response_forward(event, origin);
      markMoved(this);
      return;
    }
    if (isError) {
      throw new TypeError(
        "Return value from serve handler must not be an error response (like Response.error())",
      );
    }
    const body = takeBody(this);
    ops.op_response_send(event, status, this.#sentHeaders(body), body, isEncoded);
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

  /** @returns {typeof PLAIN} The details, to be changed. */
  #own() {
    if (this.#details === PLAIN) this.#details = details();
    return this.#details;
  }

  /** @returns {typeof PLAIN} The details, with what Rust knows of a native response. */
  #read() {
    const own = this.#details;
    if (own.handle === null) return own;
    const head = ops.op_response_head(own.handle);
    own.handle = null;
    own.status = head[0];
    own.statusText = head[1];
    own.place = head[2];
    const list = ArrayPrototypeSlice(head, 3);
    this.#headers = immutableHeaders(() => list);
    return own;
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
      const own = this.#own();
      own.status = 101;
      own.webSocket = webSocket;
    } else if (status !== undefined) {
      const checked = checkedStatus(status, body);
      if (checked !== 200) this.#own().status = checked;
    }
    if (statusText !== undefined) this.#own().statusText = checkedReason(statusText);
    if (headers !== undefined && headers !== null) this.#headers = new Headers(headers);
    if (cf !== undefined) this.#own().cf = cf;
    if (encodeBody !== undefined) this.#own().isEncoded = isManual(encodeBody);
    else if (#details in init && init.#details.isEncoded) this.#own().isEncoded = true;
  }
}
