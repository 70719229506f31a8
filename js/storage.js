// `ctx.storage`: the actor's own database by SQL and by key.

import { core, primordials } from "ext:core/mod.js";
import { deleteAlarm, readAlarm, setAlarm } from "ext:beryl/alarms.js";
import { bookmarkForTime, currentBookmark, restoreBookmark } from "ext:beryl/bookmarks.js";
import { unsupported } from "ext:beryl/errors.js";
import { makeKv } from "ext:beryl/kv.js";
import { makeSql } from "ext:beryl/sql.js";

const { ops } = core;
const { TypeError } = primordials;

const kInternal = Symbol("internal");

/** Members of the platform's storage that Beryl has not got yet. */
const MISSING = [
  "delete",
  "deleteAll",
  "get",
  "list",
  "put",
  "sync",
  "transaction",
];

export class DurableObjectStorage {
  #actor;
  #sql = null;
  #kv = null;

  constructor(internal, actor) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#actor = actor;
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
}

for (let i = 0; i < MISSING.length; i++) {
  const name = MISSING[i];
  DurableObjectStorage.prototype[name] = {
    [name]() {
      throw unsupported(`ctx.storage.${name}()`);
    },
  }[name];
}

/** @returns {DurableObjectStorage} */
export function makeStorage(actor) {
  return new DurableObjectStorage(kInternal, actor);
}
