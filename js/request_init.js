// The fields of a RequestInit: what they may be.

import { primordials } from "ext:core/mod.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { Headers } from "ext:beryl/headers.js";
import { load } from "ext:beryl/web.js";

const {
  Error, ObjectPrototypeIsPrototypeOf, StringPrototypeToUpperCase, TypeError,
} = primordials;

const METHODS = {
  __proto__: null,
  GET: true, HEAD: true, POST: true, PUT: true, DELETE: true, OPTIONS: true, PATCH: true,
  CONNECT: true, TRACE: true, PROPFIND: true, PROPPATCH: true, MKCOL: true, COPY: true,
  MOVE: true, LOCK: true, UNLOCK: true, ACL: true, REPORT: true, SEARCH: true, PURGE: true,
  SUBSCRIBE: true, UNSUBSCRIBE: true, MKACTIVITY: true, CHECKOUT: true, MERGE: true,
  NOTIFY: true, BIND: true, REBIND: true, UNBIND: true, "M-SEARCH": true, LINK: true,
  UNLINK: true, QUERY: true,
};

/** @returns {string} The method as it is sent. */
export function checkedMethod(method) {
  const text = `${method}`;
  if (METHODS[text] === true) return text;
  const upper = StringPrototypeToUpperCase(text);
  if (METHODS[upper] !== true) throw new TypeError(`Invalid HTTP method string: ${text}`);
  return upper;
}

/** @returns {"follow" | "manual"} */
export function checkedRedirect(redirect) {
  const text = `${redirect}`;
  if (text === "follow" || text === "manual") return text;
  throw new TypeError(
    `Invalid redirect value, must be one of "follow" or "manual" ("error" won't be implemented ` +
      "since it does not make sense at the edge; use \"manual\" and check the response status " +
      "code).",
  );
}

/** The flag that allows each mode there is. */
const CACHE_MODES = {
  __proto__: null,
  "no-store": "cache_option_enabled",
  "no-cache": "cache_no_cache_enabled",
  "reload": "cache_reload_enabled",
};

/** @returns {string | undefined} How caches may be used. */
export function checkedCache(cache) {
  if (cache === undefined || cache === null) return undefined;
  if (!hasFlag("cache_option_enabled")) {
    throw new Error("The 'cache' field on 'RequestInitializerDict' is not implemented.");
  }
  const text = `${cache}`;
  const flag = CACHE_MODES[text];
  if (flag === undefined || !hasFlag(flag)) throw new TypeError(`Unsupported cache mode: ${text}`);
  return text;
}

/** The headers that tell caches on the way of the mode. */
export function withCacheHeaders(headers) {
  const all = new Headers(headers);
  if (!all.has("cache-control")) all.append("cache-control", "no-cache");
  if (!all.has("pragma")) all.append("pragma", "no-cache");
  return all;
}

/** Throws for a time to live that contradicts the mode. */
export function checkCacheTtl(cache, cf) {
  if (cache !== "no-store") return;
  const ttl = cf?.cacheTtl;
  if (ttl === undefined || ttl === -1) return;
  throw new TypeError(`CacheTtl: ${ttl}, is not compatible with cache: no-store header.`);
}

/** @returns {AbortSignal | null} */
export function checkedSignal(signal) {
  if (signal === null) return null;
  const { AbortSignalPrototype } = load("03_abort_signal.js");
  if (ObjectPrototypeIsPrototypeOf(AbortSignalPrototype, signal)) return signal;
  throw new TypeError(
    "Incorrect type for the 'signal' field on 'RequestInitializerDict': the provided value is " +
      "not of type 'AbortSignal'.",
  );
}
