// Request: an incoming one is only an event's id until user code looks at it.

import { core, primordials } from "ext:core/mod.js";
import {
  Body, copyBody, isNativeBody, isNullBody, kInternal, markMoved, moveBody, setBody,
  setNativeBody, takeBody,
} from "ext:beryl/body.js";
import { headerList, Headers, immutableHeaders } from "ext:beryl/headers.js";
import {
  checkCacheTtl, checkedCache, checkedMethod, checkedRedirect, checkedSignal, withCacheHeaders,
} from "ext:beryl/request_init.js";
import { inspected } from "ext:beryl/inspect.js";
import { parseUrl } from "ext:beryl/url.js";
import { load } from "ext:beryl/web.js";

const { ops } = core;
const {
  StringPrototypeIndexOf, StringPrototypeSlice, SymbolFor, SymbolToStringTag, TypeError,
} = primordials;

const USED = "Cannot reconstruct a Request with a used body.";

/** @type {(event: number) => Request} The request of an event; nothing is fetched for it yet. */
export let incomingRequest;
/**
 * What a stub's `fetch(input, init)` sends. `event` is the id of an incoming request that
 * Rust can move on as it is, with the other fields unset, or -1.
 * @type {(input: unknown, init?: object) => Parts}
 * `asked` is what the answer's URL is read from, `line` what op_fetch_send takes.
 * @typedef {{event: number, asked: Request | string, line: unknown[] | null,
 *   headers: string[] | null, body: null | string | Uint8Array | object,
 *   signal: AbortSignal | null}} Parts
 */
export let requestParts;
/** @type {(request: Request) => void} Takes line and headers before the event is over. */
export let keepHead;
/** @type {(value: unknown) => Request | null} */
let asRequest;

export class Request extends Body {
  /** The event that has the request's line and headers, -1 for a request made here. */
  #event = -1;
  #method = undefined;
  #url = undefined;
  /** @type {Headers | null} */
  #headers = null;
  #signal = null;
  #redirect = "follow";
  #cf = undefined;
  #cache = undefined;

  /**
   * @param {string | URL | Request} input
   * @param {RequestInit} [init]
   */
  constructor(input, init = undefined) {
    super(kInternal);
    if (input === kInternal) return;
    if (arguments.length === 0) {
      throw new TypeError(
        "Failed to construct 'Request': constructor parameter 1 is not of type " +
          "'Request or string'.",
      );
    }
    const source = asRequest(input);
    if (source === null) {
      this.#method = "GET";
      this.#url = parsedUrl(input);
    } else {
      this.#copyHead(source);
    }
    if (init === undefined || init === null) {
      if (source === null) this.#headers = new Headers();
      else moveRequestBody(source, this);
      return;
    }
    this.#applyInit(init, source);
  }

  static {
    asRequest = (value) =>
      typeof value === "object" && value !== null && #event in value ? value : null;
    incomingRequest = (event) => {
      const request = new Request(kInternal);
      request.#event = event;
      request.#redirect = "manual";
      setNativeBody(request, event);
      return request;
    };
    keepHead = (request) => void [request.url, headerList(request.headers)];
    requestParts = (input, init = undefined) => {
      if (init === undefined || init === null) {
        if (typeof input === "string") return plainParts(parsedUrl(input));
        const incoming = asRequest(input);
        if (incoming !== null) return incoming.#parts();
      }
      return new Request(input, init).#parts();
    };
  }

  get method() {
    if (this.#method === undefined) this.#readLine();
    return this.#method;
  }

  get url() {
    if (this.#url === undefined) this.#readLine();
    return this.#url;
  }

  /** @returns {Headers} */
  get headers() {
    if (this.#headers === null) {
      const event = this.#event;
      this.#headers = immutableHeaders(() => ops.op_request_headers(event));
    }
    return this.#headers;
  }

  get redirect() {
    void this.#event;
    return this.#redirect;
  }

  /** @returns {AbortSignal} */
  get signal() {
    this.#signal ??= new (load("03_abort_signal.js").AbortController)().signal;
    return this.#signal;
  }

  /** What the platform knows of the client: nothing here, but code looks for it. */
  get cf() {
    if (this.#cf === undefined && this.#event >= 0) this.#cf = {};
    return this.#cf;
  }

  /** Gone where the flag `cache_option_enabled` is off. */
  get cache() {
    void this.#event;
    return this.#cache;
  }

  get integrity() {
    void this.#event;
    return "";
  }

  get keepalive() {
    void this.#event;
    return false;
  }

  /** @returns {Request} */
  clone() {
    if (this.bodyUsed) throw new TypeError(USED);
    const copy = new Request(kInternal);
    copy.#copyHead(this);
    copyBody(this, copy);
    return copy;
  }

  get [SymbolToStringTag]() {
    return "Request";
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
    return inspected("Request", this, inspect, options);
  }

  #readLine() {
    const line = ops.op_request_line(this.#event);
    this.#method = line[0];
    this.#url = line[1];
  }

  #copyHead(source) {
    this.#method = source.method;
    this.#url = source.url;
    this.#headers = new Headers(source.headers);
    this.#redirect = source.#redirect;
    this.#signal = source.#signal;
    this.#cf = source.cf;
    this.#cache = source.#cache;
  }

  #applyInit(init, source) {
    if (typeof init !== "object") {
      throw new TypeError("Failed to construct 'Request': init must be an object.");
    }
    const { method, headers, signal, redirect, cf, cache } = init;
    if (method !== undefined) this.#method = checkedMethod(method);
    if (headers !== undefined && headers !== null) this.#headers = new Headers(headers);
    else this.#headers ??= new Headers();
    if (signal !== undefined) this.#signal = checkedSignal(signal);
    if (redirect !== undefined) this.#redirect = checkedRedirect(redirect);
    if (cf !== undefined) this.#cf = cf;
    if (cache !== undefined) this.#cache = checkedCache(cache);
    const template = asRequest(init);
    if (template !== null) this.#takeBodyOf(template, source);
    else this.#setBody(init.body, source);
  }

  /** The init is itself a request: its body moves over without becoming a stream. */
  #takeBodyOf(template, source) {
    if (!isNullBody(template)) {
      this.#checkMethodForBody();
      moveRequestBody(template, this);
    } else if (source !== null) {
      moveRequestBody(source, this);
    }
  }

  #setBody(body, source) {
    if (body === undefined || body === null) {
      if (source !== null && body === undefined) moveRequestBody(source, this);
      return;
    }
    this.#checkMethodForBody();
    const type = setBody(this, body);
    if (type !== null && !this.#headers.has("content-type")) {
      this.#headers.append("content-type", type);
    }
  }

  #checkMethodForBody() {
    if (this.#method === "GET" || this.#method === "HEAD") {
      throw new TypeError("Request with a GET or HEAD method cannot have a body.");
    }
  }

  #parts() {
    this.#signal?.throwIfAborted();
    if (this.#cache !== undefined) checkCacheTtl(this.#cache, this.#cf);
    if (this.bodyUsed) throw new TypeError(USED);
    const event = this.#event;
    if (event >= 0 && isNativeBody(this)) {
      if (ops.op_request_has_body(event)) markMoved(this);
      return { event, asked: this, line: null, headers: null, body: null, signal: this.#signal };
    }
    const { headers } = this;
    const list = headerList(this.#cache === undefined ? headers : withCacheHeaders(headers));
    const url = withoutFragment(this.url);
    return {
      event: -1,
      asked: url,
      line: [this.method, url, this.#redirect === "follow"],
      headers: list.length === 0 ? null : list,
      body: takeBody(this),
      signal: this.#signal,
    };
  }
}

function moveRequestBody(from, to) {
  if (from.bodyUsed) throw new TypeError(USED);
  moveBody(from, to);
}

function plainParts(url) {
  const asked = withoutFragment(url);
  const line = ["GET", asked, true];
  return { event: -1, asked, line, headers: null, body: null, signal: null };
}

const abortClasses = () => load("03_abort_signal.js");

/**
 * @param {unknown} input A string, or an object whose text is the URL.
 * @returns {string} The URL as the URL standard writes it.
 */
function parsedUrl(input) {
  const text = `${input}`;
  const url = parseUrl(text);
  if (url === null) throw new TypeError(`Invalid URL: ${text}`);
  return url;
}

/** The URL as it is sent: what follows a `#` stays with the caller. */
function withoutFragment(url) {
  const at = StringPrototypeIndexOf(url, "#");
  return at < 0 ? url : StringPrototypeSlice(url, 0, at);
}
