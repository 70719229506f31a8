// Headers of the fetch standard over a flat list [name, value, ...], the form ops take and give.

import { primordials } from "ext:core/mod.js";
import { inspected } from "ext:beryl/inspect.js";

const {
  ArrayIsArray, ArrayPrototypePush, ArrayPrototypeSlice, ArrayPrototypeSort,
  ArrayPrototypeSplice, ArrayPrototypeValues, FunctionPrototypeCall, MapPrototypeGet,
  MapPrototypeGetSize, MapPrototypeSet, ObjectKeys, RegExpPrototypeExec, SafeMap, SafeRegExp,
  StringPrototypeCharCodeAt, StringPrototypeToLowerCase, Symbol, SymbolFor, SymbolIterator,
  SymbolToStringTag, TypeError,
} = primordials;

const TOKEN = new SafeRegExp(/^[!#$%&'*+\-.^_`|~A-Za-z0-9]+$/);
const PADDED_VALUE = new SafeRegExp(/^[\t\n\r ]*([^\0\n\r]*?)[\t\n\r ]*$/);

/** Spellings that were checked before, so that a header's name is checked and lowered once. */
const knownNames = new SafeMap();
const KNOWN_NAMES_MAX = 256;

const kInternal = Symbol("internal");

/** @type {(read: () => string[]) => Headers} */
export let immutableHeaders;
/** @type {(headers: Headers) => string[]} The flat list itself; callers must not change it. */
export let headerList;
/** @type {(list: string[]) => Headers} */
export let headersOfList;
/** @type {(value: unknown) => boolean} */
export let isHeaders;

export class Headers {
  /** @type {string[] | null} Names in lower case; null until `#read` was called. */
  #list = null;
  /** @type {(() => string[]) | null} Set for headers that are pulled from Rust when needed. */
  #read = null;
  #immutable = false;

  /** @param {HeadersInit} [init] */
  constructor(init = undefined) {
    if (init === kInternal) return;
    this.#list = [];
    if (init !== undefined) this.#fill(init);
  }

  static {
    immutableHeaders = (read) => {
      const headers = new Headers(kInternal);
      headers.#read = read;
      headers.#immutable = true;
      return headers;
    };
    headersOfList = (list) => {
      const headers = new Headers(kInternal);
      headers.#list = list;
      return headers;
    };
    headerList = (headers) => headers.#entries();
    isHeaders = (value) => typeof value === "object" && value !== null && #list in value;
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  append(name, value) {
    checkArguments("append", arguments.length, 2);
    name = headerName(name);
    value = headerValue(value);
    ArrayPrototypePush(this.#writable(), name, value);
  }

  /** @param {string} name */
  delete(name) {
    name = headerName(name);
    removeAll(this.#writable(), name, 0);
  }

  /**
   * @param {string} name
   * @returns {string | null}
   */
  get(name) {
    return joined(this.#entries(), headerName(name));
  }

  /**
   * The platform's older form of `getSetCookie`.
   * @param {string} name
   * @returns {string[]}
   */
  getAll(name) {
    if (headerName(name) !== "set-cookie") {
      throw new TypeError("getAll() can only be used with the header name \"Set-Cookie\".");
    }
    return this.getSetCookie();
  }

  /** @returns {string[]} */
  getSetCookie() {
    const list = this.#entries();
    const values = [];
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === "set-cookie") ArrayPrototypePush(values, list[i + 1]);
    }
    return values;
  }

  /**
   * @param {string} name
   * @returns {boolean}
   */
  has(name) {
    return find(this.#entries(), headerName(name)) >= 0;
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  set(name, value) {
    checkArguments("set", arguments.length, 2);
    name = headerName(name);
    value = headerValue(value);
    const list = this.#writable();
    const at = find(list, name);
    if (at < 0) {
      ArrayPrototypePush(list, name, value);
      return;
    }
    list[at + 1] = value;
    removeAll(list, name, at + 2);
  }

  /**
   * @param {(value: string, name: string, headers: Headers) => void} callback
   * @param {unknown} [thisArg]
   */
  forEach(callback, thisArg = undefined) {
    const pairs = sortedPairs(this.#entries());
    for (let i = 0; i < pairs.length; i++) {
      FunctionPrototypeCall(callback, thisArg, pairs[i][1], pairs[i][0], this);
    }
  }

  entries() {
    return ArrayPrototypeValues(sortedPairs(this.#entries()));
  }

  keys() {
    return ArrayPrototypeValues(column(sortedPairs(this.#entries()), 0));
  }

  values() {
    return ArrayPrototypeValues(column(sortedPairs(this.#entries()), 1));
  }

  [SymbolIterator]() {
    return this.entries();
  }

  get [SymbolToStringTag]() {
    return "Headers";
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
    return inspected("Headers", this, inspect, options, this.#immutable);
  }

  #entries() {
    if (this.#list === null) {
      this.#list = this.#read();
      this.#read = null;
    }
    return this.#list;
  }

  #writable() {
    if (this.#immutable) throw new TypeError("Can't modify immutable headers.");
    return this.#list;
  }

  #fill(init) {
    if (isHeaders(init)) {
      this.#list = ArrayPrototypeSlice(init.#entries());
    } else if (typeof init !== "object" || init === null) {
      throw new TypeError(
        "Failed to construct 'Headers': constructor parameter 1 is not of type " +
          "'Headers or Sequence or object'.",
      );
    } else if (ArrayIsArray(init) || typeof init[SymbolIterator] === "function") {
      for (const pair of init) this.#appendPair(pair);
    } else {
      const names = ObjectKeys(init);
      const list = this.#list;
      for (let i = 0; i < names.length; i++) {
        const name = names[i];
        ArrayPrototypePush(list, headerName(name), headerValue(init[name]));
      }
    }
  }

  #appendPair(pair) {
    const fields = ArrayIsArray(pair) ? pair : [...pair];
    if (fields.length !== 2) {
      throw new TypeError("To initialize a Headers object from a sequence, each inner " +
        "sequence must have exactly two elements.");
    }
    this.append(fields[0], fields[1]);
  }
}

function checkArguments(method, count, needed) {
  if (count < needed) {
    throw new TypeError(
      `Failed to execute '${method}' on 'Headers': parameter ${count + 1} is not of type ` +
        "'string'.",
    );
  }
}

/** @returns {string} The name in lower case. */
function headerName(name) {
  const known = MapPrototypeGet(knownNames, name);
  if (known !== undefined) return known;
  const text = `${name}`;
  if (RegExpPrototypeExec(TOKEN, text) === null) throw new TypeError("Invalid header name.");
  const lower = StringPrototypeToLowerCase(text);
  if (typeof name === "string" && MapPrototypeGetSize(knownNames) < KNOWN_NAMES_MAX) {
    MapPrototypeSet(knownNames, name, lower);
  }
  return lower;
}

/** @returns {string} The value without white space around it. */
function headerValue(value) {
  const text = `${value}`;
  if (isClean(text)) return text;
  const parts = RegExpPrototypeExec(PADDED_VALUE, text);
  if (parts === null) throw new TypeError("Invalid header value.");
  return parts[1];
}

/** Whether a value is printable ASCII without white space around it, as nearly all are. */
function isClean(text) {
  const last = text.length - 1;
  for (let i = 0; i <= last; i++) {
    const code = StringPrototypeCharCodeAt(text, i);
    if (code > 0x7e || code < 0x20 || (code === 0x20 && (i === 0 || i === last))) return false;
  }
  return true;
}

function find(list, name) {
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === name) return i;
  }
  return -1;
}

/** Removes every header of that name at or after index `from`. */
function removeAll(list, name, from) {
  for (let i = list.length - 2; i >= from; i -= 2) {
    if (list[i] === name) ArrayPrototypeSplice(list, i, 2);
  }
}

function joined(list, name) {
  let value = null;
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === name) value = value === null ? list[i + 1] : `${value}, ${list[i + 1]}`;
  }
  return value;
}

/** Pairs by name; values of one name are joined, except for `set-cookie`. */
function sortedPairs(list) {
  const pairs = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i];
    if (name === "set-cookie") {
      ArrayPrototypePush(pairs, [name, list[i + 1]]);
    } else if (find(list, name) === i) {
      ArrayPrototypePush(pairs, [name, joined(list, name)]);
    }
  }
  return ArrayPrototypeSort(pairs, (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
}

function column(pairs, index) {
  for (let i = 0; i < pairs.length; i++) pairs[i] = pairs[i][index];
  return pairs;
}
