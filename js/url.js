// URL: the text as the URL standard writes it, and the places of its parts, which a parser in
// Rust finds.

import { core, primordials } from "ext:core/mod.js";
import { inspected } from "ext:beryl/inspect.js";
import { queryOf, resetQuery, URLSearchParams } from "ext:beryl/search_params.js";

const { ops } = core;
const {
  StringPrototypeCharCodeAt, StringPrototypeSlice, StringPrototypeStartsWith, SymbolFor,
  SymbolToStringTag, TypeError, Uint32Array,
} = primordials;

const INVALID = "Invalid URL string.";

// What the parsing ops return.
const UNCHANGED = 0;
const SERIALIZED = 1;

// The setters of op_url_reparse.
const HASH = 0;
const HOST = 1;
const HOSTNAME = 2;
const PASSWORD = 3;
const PATHNAME = 4;
const PORT = 5;
const PROTOCOL = 6;
const SEARCH = 7;
const USERNAME = 8;

const COLON = 0x3a;

/**
 * Where the parser writes: ends of scheme and user name, start and end of the host, the port,
 * starts of path, query and fragment. The last two are 0 where there is none.
 */
const parts = new Uint32Array(8);

export class URL {
  #href;
  #schemeEnd;
  #usernameEnd;
  #hostStart;
  #hostEnd;
  #pathStart;
  #queryStart;
  #fragmentStart;
  /** @type {URLSearchParams | null} */
  #query = null;

  /**
   * @param {string | URL} url
   * @param {string | URL} [base]
   */
  constructor(url, base = undefined) {
    if (arguments.length === 0) {
      throw new TypeError(
        "Failed to construct 'URL': constructor parameter 1 is not of type 'USVString'.",
      );
    }
    const href = parse(`${url}`, base === undefined ? undefined : `${base}`);
    if (href === null) throw new TypeError(INVALID);
    this.#adopt(href);
  }

  /**
   * @param {string | URL} url
   * @param {string | URL} [base]
   * @returns {boolean}
   */
  static canParse(url, base = undefined) {
    return parse(`${url}`, base === undefined ? undefined : `${base}`) !== null;
  }

  /**
   * @param {string | URL} url
   * @param {string | URL} [base]
   * @returns {URL | null}
   */
  static parse(url, base = undefined) {
    const href = parse(`${url}`, base === undefined ? undefined : `${base}`);
    return href === null ? null : new URL(href);
  }

  get href() {
    return this.#href;
  }

  set href(value) {
    const href = parse(`${value}`, undefined);
    if (href === null) {
      throw new TypeError(
        "Failed to set the 'href' property on 'URL': the provided value is not of type 'valid " +
          "URL string'.",
      );
    }
    this.#adopt(href);
    this.#resetQuery();
  }

  get origin() {
    const scheme = this.#slice(0, this.#schemeEnd);
    switch (scheme) {
      case "http":
      case "https":
      case "ws":
      case "wss":
      case "ftp":
        return `${scheme}://${this.host}`;
      case "blob": {
        const inner = URL.parse(this.pathname);
        const isWeb = inner !== null && StringPrototypeStartsWith(inner.#href, "http");
        return isWeb ? inner.origin : "null";
      }
      default:
        return "null";
    }
  }

  get protocol() {
    return this.#slice(0, this.#schemeEnd + 1);
  }

  set protocol(value) {
    this.#change(PROTOCOL, value);
  }

  get username() {
    const start = this.#schemeEnd + 3;
    return this.#hasAuthority() && this.#usernameEnd > start
      ? this.#slice(start, this.#usernameEnd)
      : "";
  }

  set username(value) {
    this.#change(USERNAME, value);
  }

  get password() {
    return this.#usernameEnd !== this.#hostStart && this.#isColon(this.#usernameEnd)
      ? this.#slice(this.#usernameEnd + 1, this.#hostStart - 1)
      : "";
  }

  set password(value) {
    this.#change(PASSWORD, value);
  }

  get host() {
    return this.#hasAuthority() ? this.#slice(this.#hostStart, this.#pathStart) : "";
  }

  set host(value) {
    this.#change(HOST, value);
  }

  get hostname() {
    return this.#slice(this.#hostStart, this.#hostEnd);
  }

  set hostname(value) {
    this.#change(HOSTNAME, value);
  }

  get port() {
    return this.#hasAuthority() && this.#isColon(this.#hostEnd)
      ? this.#slice(this.#hostEnd + 1, this.#pathStart)
      : "";
  }

  set port(value) {
    this.#change(PORT, value);
  }

  get pathname() {
    return this.#slice(this.#pathStart, this.#queryStart || this.#end());
  }

  set pathname(value) {
    this.#change(PATHNAME, value);
  }

  get search() {
    const start = this.#queryStart;
    const end = this.#end();
    return start === 0 || end - start < 2 ? "" : this.#slice(start, end);
  }

  set search(value) {
    this.#change(SEARCH, value);
    this.#resetQuery();
  }

  /** @returns {URLSearchParams} */
  get searchParams() {
    this.#query ??= queryOf(this.search, (query) => this.#change(SEARCH, query));
    return this.#query;
  }

  get hash() {
    const start = this.#fragmentStart;
    return start === 0 || this.#href.length - start < 2 ? "" : this.#slice(start);
  }

  set hash(value) {
    this.#change(HASH, value);
  }

  toString() {
    return this.#href;
  }

  toJSON() {
    return this.#href;
  }

  get [SymbolToStringTag]() {
    return "URL";
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
    return inspected("URL", this, inspect, options);
  }

  /** Takes a text that was just parsed, with the places of its parts. */
  #adopt(href) {
    this.#href = href;
    this.#schemeEnd = parts[0];
    this.#usernameEnd = parts[1];
    this.#hostStart = parts[2];
    this.#hostEnd = parts[3];
    this.#pathStart = parts[5];
    this.#queryStart = parts[6];
    this.#fragmentStart = parts[7];
  }

  /** Sets a part; a value that does not fit leaves the URL as it is. */
  #change(setter, value) {
    const status = ops.op_url_reparse(this.#href, setter, `${value}`, parts);
    const href = serialization(status, this.#href);
    if (href !== null) this.#adopt(href);
  }

  #resetQuery() {
    if (this.#query !== null) resetQuery(this.#query, this.search);
  }

  #hasAuthority() {
    return StringPrototypeStartsWith(this.#href, "://", this.#schemeEnd);
  }

  #isColon(at) {
    return StringPrototypeCharCodeAt(this.#href, at) === COLON;
  }

  /** Where path and query end. */
  #end() {
    return this.#fragmentStart || this.#href.length;
  }

  #slice(start, end = undefined) {
    return StringPrototypeSlice(this.#href, start, end);
  }
}

/**
 * Leaves the places of the parts in `parts`.
 * @param {string} url
 * @param {string | undefined} base
 * @returns {string | null} The URL as the standard writes it, null if it is none.
 */
function parse(url, base) {
  const status = base === undefined
    ? ops.op_url_parse(url, parts)
    : ops.op_url_parse_with_base(url, base, parts);
  return serialization(status, url);
}

function serialization(status, unchanged) {
  if (status === UNCHANGED) return unchanged;
  return status === SERIALIZED ? ops.op_url_get_serialization() : null;
}

/**
 * @param {string} text An absolute URL.
 * @returns {string | null} The URL as the standard writes it, null if it is none.
 */
export function parseUrl(text) {
  return parse(text, undefined);
}
