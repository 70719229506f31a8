// `ctx.storage`: the actor's own database by SQL and by key, and its transactions.

import { core, primordials } from "ext:core/mod.js";
import { deleteAlarm, readAlarm, setAlarm } from "ext:beryl/alarms.js";
import {
  checkOptions,
  deleteValues,
  getValues,
  later,
  listValues,
  putValues,
  wrongType,
} from "ext:beryl/async_kv.js";
import { bookmarkForTime, currentBookmark, restoreBookmark } from "ext:beryl/bookmarks.js";
import { makeKv } from "ext:beryl/kv.js";
import { open, promiseOf } from "ext:beryl/pending.js";
import { makeSql } from "ext:beryl/sql.js";
import { transact } from "ext:beryl/transaction.js";

const { ops } = core;
const { PromiseReject, TypeError } = primordials;

const kInternal = Symbol("internal");

export class DurableObjectStorage {
  #actor;
  #owner;
  #sql = null;
  #kv = null;

  constructor(internal, actor) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#actor = actor;
    this.#owner = { actor, className: "DurableObjectStorage" };
  }

  /** @param {string | string[]} key Several keys give a `Map`. */
  get(key, options = undefined) {
    return later(() => getValues(this.#owner, key, options));
  }

  /** @returns {Promise<Map<string, any>>} */
  list(options = undefined) {
    return later(() => listValues(this.#owner, options));
  }

  /**
   * @param {string | object} key A key, or an object of keys and values.
   * @param {any} value The value, or the options where the first argument has the values.
   */
  put(key, value, options = undefined) {
    return later(() => putValues(this.#owner, key, value, options));
  }

  /** @param {string | string[]} key Several keys give a count. */
  delete(key, options = undefined) {
    return later(() => deleteValues(this.#owner, key, options));
  }

  /** Erases everything, SQL tables and the data of facets included. */
  deleteAll(options = undefined) {
    return later(() => {
      checkOptions(this.#owner, "deleteAll", 1, options, "PutOptions");
      ops.op_storage_delete_all(this.#actor);
    });
  }

  /** @returns {Promise<void>} Settled once everything written before is on disk. */
  sync() {
    const actor = this.#actor;
    try {
      const slot = open();
      return ops.op_storage_sync(actor, slot) ? later(() => {}) : promiseOf(slot);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  /**
   * Runs the callback while nothing else reaches the object; what it throws takes its writes
   * back, those of all ways to the storage.
   * @template T
   * @param {(txn: object) => T | Promise<T>} callback
   * @returns {Promise<T>}
   */
  transaction(callback) {
    try {
      this.#checkCallback("transaction", callback);
      return transact(this, this.#actor, callback);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  get sql() {
    this.#sql ??= makeSql(this.#actor);
    return this.#sql;
  }

  get kv() {
    this.#kv ??= makeKv(this.#actor);
    return this.#kv;
  }

  /** @returns {Promise<number | null>} Milliseconds since 1970. */
  getAlarm(_options = undefined) {
    return readAlarm(this.#actor);
  }

  /** @param {Date | number} time @returns {Promise<void>} */
  setAlarm(time, _options = undefined) {
    return setAlarm(this.#actor, time);
  }

  /** @returns {Promise<void>} */
  deleteAlarm(_options = undefined) {
    return deleteAlarm(this.#actor);
  }

  /** @returns {Promise<string>} */
  getCurrentBookmark() {
    return currentBookmark(this.#actor);
  }

  /**
   * @param {Date | number} time
   * @returns {Promise<string>}
   */
  getBookmarkForTime(time) {
    return bookmarkForTime(this.#actor, time);
  }

  /**
   * @param {string} bookmark
   * @returns {Promise<string>} The bookmark that undoes it.
   */
  onNextSessionRestoreBookmark(bookmark) {
    return restoreBookmark(this.#actor, bookmark);
  }

  /**
   * Runs the callback; what it throws takes its writes back.
   * @template T
   * @param {() => T} callback
   * @returns {T}
   */
  transactionSync(callback) {
    const actor = this.#actor;
    this.#checkCallback("transactionSync", callback);
    ops.op_sql_savepoint(actor);
    let result;
    try {
      result = callback();
    } catch (error) {
      ops.op_sql_release(actor, false);
      throw error;
    }
    ops.op_sql_release(actor, true);
    return result;
  }

  #checkCallback(method, callback) {
    if (typeof callback !== "function") throw wrongType(this.#owner, method, 1, "function");
  }
}

/** @returns {DurableObjectStorage} */
export function makeStorage(actor) {
  return new DurableObjectStorage(kInternal, actor);
}
