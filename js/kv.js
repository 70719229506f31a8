// `ctx.storage.kv`: synchronous values by key (ST-11 to ST-13).

import { core, primordials } from "ext:core/mod.js";

const { ops } = core;
const { Number, RangeError, String, SymbolIterator, TypeError } = primordials;

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
    ops.op_kv_put(this.#actor, String(key), value);
  }

  delete(key) {
    return ops.op_kv_delete(this.#actor, String(key));
  }

  /**
   * @param {{start?: string, startAfter?: string, end?: string, prefix?: string,
   *   reverse?: boolean, limit?: number}} [options]
   * @returns {Iterator<[string, any]>}
   */
  list(options = undefined) {
    const { start, startAfter, end, prefix, reverse, limit } = options ?? {};
    if (start !== undefined && startAfter !== undefined) {
      throw new TypeError("list() cannot be called with both start and startAfter values.");
    }
    if (limit !== undefined && !(Number(limit) > 0)) {
      throw new TypeError("List limit must be positive.");
    }
    const handle = ops.op_kv_list(
      this.#actor,
      text(start),
      text(startAfter),
      text(end),
      text(prefix),
      !!reverse,
      limit === undefined ? -1 : checkedLimit(limit),
    );
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

function text(value) {
  return value === undefined || value === null ? null : String(value);
}

function checkedLimit(limit) {
  const number = Number(limit);
  if (number % 1 !== 0) throw new RangeError("List limit must be a whole number.");
  return number;
}
