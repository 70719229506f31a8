// URLSearchParams, alone or as the live query of a URL.

import { core, primordials } from "ext:core/mod.js";
import { inspected } from "ext:beryl/inspect.js";

const { ops } = core;
const {
  ArrayIsArray, ArrayIteratorPrototype, ArrayPrototypePush, ArrayPrototypeSort,
  ArrayPrototypeSplice, FunctionPrototypeCall, ObjectKeys, ObjectSetPrototypeOf,
  ReflectGetPrototypeOf, StringPrototypeSlice, StringPrototypeStartsWith,
  StringPrototypeToWellFormed, SymbolFor, SymbolIterator, SymbolToStringTag, TypeError,
} = primordials;

/**
 * The query of a URL; `changed` is told the new text after each change.
 * @type {(query: string, changed: (query: string) => void) => URLSearchParams}
 */
export let queryOf;
/** Replaces all entries without telling anybody. @type {(params, query: string) => void} */
export let resetQuery;
/** @type {(value: object) => boolean} */
export let isSearchParams;

export class URLSearchParams {
  /** @type {[string, string][]} */
  #list = [];
  /** @type {((query: string) => void) | null} */
  #changed = null;

  /** @param {string | [string, string][] | Record<string, string>} [init] */
  constructor(init = "") {
    const isObject = typeof init === "object" || typeof init === "function";
    if (isObject && init !== null) this.#fill(init);
    else if (init !== "") this.#list = parsed(`${init}`);
  }

  static {
    queryOf = (query, changed) => {
      const params = new URLSearchParams(query);
      params.#changed = changed;
      return params;
    };
    isSearchParams = (value) => #changed in value;
    resetQuery = (params, query) => {
      params.#list = parsed(query);
    };
  }

  /** @returns {number} */
  get size() {
    return this.#list.length;
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  append(name, value) {
    checkArguments("append", arguments.length, 2);
    ArrayPrototypePush(this.#list, [wellFormed(name), wellFormed(value)]);
    this.#update();
  }

  /**
   * @param {string} name
   * @param {string} [value]
   */
  delete(name, value = undefined) {
    checkArguments("delete", arguments.length, 1);
    name = wellFormed(name);
    if (value !== undefined) value = wellFormed(value);
    for (let i = this.#list.length - 1; i >= 0; i--) {
      if (isMatch(this.#list[i], name, value)) ArrayPrototypeSplice(this.#list, i, 1);
    }
    this.#update();
  }

  /**
   * @param {string} name
   * @returns {string | null}
   */
  get(name) {
    checkArguments("get", arguments.length, 1);
    name = wellFormed(name);
    for (let i = 0; i < this.#list.length; i++) {
      if (this.#list[i][0] === name) return this.#list[i][1];
    }
    return null;
  }

  /**
   * @param {string} name
   * @returns {string[]}
   */
  getAll(name) {
    checkArguments("getAll", arguments.length, 1);
    name = wellFormed(name);
    const values = [];
    for (let i = 0; i < this.#list.length; i++) {
      if (this.#list[i][0] === name) ArrayPrototypePush(values, this.#list[i][1]);
    }
    return values;
  }

  /**
   * @param {string} name
   * @param {string} [value]
   * @returns {boolean}
   */
  has(name, value = undefined) {
    checkArguments("has", arguments.length, 1);
    name = wellFormed(name);
    if (value !== undefined) value = wellFormed(value);
    for (let i = 0; i < this.#list.length; i++) {
      if (isMatch(this.#list[i], name, value)) return true;
    }
    return false;
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  set(name, value) {
    checkArguments("set", arguments.length, 2);
    name = wellFormed(name);
    value = wellFormed(value);
    let isSet = false;
    for (let i = 0; i < this.#list.length; i++) {
      if (this.#list[i][0] !== name) continue;
      if (isSet) ArrayPrototypeSplice(this.#list, i--, 1);
      else this.#list[i][1] = value;
      isSet = true;
    }
    if (!isSet) ArrayPrototypePush(this.#list, [name, value]);
    this.#update();
  }

  sort() {
    ArrayPrototypeSort(this.#list, (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#update();
  }

  /**
   * @param {(value: string, name: string, params: URLSearchParams) => void} callback
   * @param {unknown} [thisArg]
   */
  forEach(callback, thisArg = undefined) {
    for (let i = 0; i < this.#list.length; i++) {
      FunctionPrototypeCall(callback, thisArg, this.#list[i][1], this.#list[i][0], this);
    }
  }

  entries() {
    return new Entries(() => this.#list, (pair) => [pair[0], pair[1]]);
  }

  keys() {
    return new Entries(() => this.#list, (pair) => pair[0]);
  }

  values() {
    return new Entries(() => this.#list, (pair) => pair[1]);
  }

  [SymbolIterator]() {
    return this.entries();
  }

  /** @returns {string} */
  toString() {
    return ops.op_url_stringify_search_params(this.#list);
  }

  get [SymbolToStringTag]() {
    return "URLSearchParams";
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
    return inspected("URLSearchParams", this, inspect, options);
  }

  #fill(init) {
    if (typeof init[SymbolIterator] === "function") {
      for (const pair of init) {
        const fields = ArrayIsArray(pair) ? pair : [...pair];
        if (fields.length !== 2) throw new TypeError(NO_PAIR);
        ArrayPrototypePush(this.#list, [wellFormed(fields[0]), wellFormed(fields[1])]);
      }
      return;
    }
    const names = ObjectKeys(init);
    for (let i = 0; i < names.length; i++) {
      ArrayPrototypePush(this.#list, [wellFormed(names[i]), wellFormed(init[names[i]])]);
    }
  }

  #update() {
    this.#changed?.(this.toString());
  }
}

const NO_PAIR = "Invalid URL search params sequence.";

/** An iterator that sees changes made while it runs, as the standard asks. */
class Entries {
  #list;
  #view;
  #next = 0;

  constructor(list, view) {
    this.#list = list;
    this.#view = view;
  }

  next() {
    const list = this.#list();
    if (this.#next >= list.length) return { value: undefined, done: true };
    return { value: this.#view(list[this.#next++]), done: false };
  }

  get [SymbolToStringTag]() {
    return "URLSearchParams Iterator";
  }
}

delete Entries.prototype.constructor;
ObjectSetPrototypeOf(Entries.prototype, ReflectGetPrototypeOf(ArrayIteratorPrototype));

function parsed(query) {
  const text = StringPrototypeStartsWith(query, "?") ? StringPrototypeSlice(query, 1) : query;
  return text === "" ? [] : ops.op_url_parse_search_params(text);
}

function isMatch(pair, name, value) {
  return pair[0] === name && (value === undefined || pair[1] === value);
}

function wellFormed(value) {
  return StringPrototypeToWellFormed(`${value}`);
}

function checkArguments(method, count, needed) {
  if (count < needed) {
    throw new TypeError(
      `Failed to execute '${method}' on 'URLSearchParams': parameter ${count + 1} is not of ` +
        "type 'USVString'.",
    );
  }
}
