// `ctx.storage.kv`: synchronous values by key (ST-11 to ST-13).

import { core, primordials } from "ext:core/mod.js";

const { ops } = core;
const { String, SymbolIterator, TypeError } = primordials;

const kInternal = Symbol("internal");

export class SyncKvStorage {
  #actor;

  constructor(internal, actor) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#actor = actor;
  }

  get(key) {
    return ops.op_kv_get(this.#actor, String(key));
  }

  put(key, value) {
    if (arguments.length < 2) throw new TypeError("put() needs a key and a value.");
    ops.op_kv_put(this.#actor, String(key), value, false);
  }

  delete(key) {
    return ops.op_kv_delete(this.#actor, String(key), false);
  }

  /**
   * @param {{start?: string, startAfter?: string, end?: string, prefix?: string,
   *   reverse?: boolean, limit?: number}} [options]
   * @returns {Iterator<[string, any]>}
   */
  list(options = undefined) {
    const { start, startAfter, end, prefix, reverse, limit } = kvRange(options);
    const handle = ops.op_kv_list(this.#actor, start, startAfter, end, prefix, reverse, limit);
    return {
      next() {
        const value = ops.op_kv_next(handle);
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      [SymbolIterator]() {
        return this;
      },
    };
  }
}

/** @returns {SyncKvStorage} */
export function makeKv(actor) {
  return new SyncKvStorage(kInternal, actor);
}

/**
 * The options of a list as ops take them: null for an open bound, -1 for no limit.
 * @param {any} options
 */
export function kvRange(options) {
  const { start, startAfter, end, prefix, reverse, limit } = options ?? {};
  if (start !== undefined && startAfter !== undefined) {
    throw new TypeError("list() cannot be called with both start and startAfter values.");
  }
  const range = {
    start: bound(start),
    startAfter: bound(startAfter),
    end: bound(end),
    prefix: bound(prefix),
    reverse: !!reverse,
    limit: limit === undefined ? -1 : limit | 0,
  };
  if (limit !== undefined && range.limit <= 0) throw new TypeError("List limit must be positive.");
  return range;
}

function bound(value) {
  return value === undefined ? null : `${value}`;
}
