// `ctx.storage.sql`: statements and their cursors (ST-14 to ST-25).

import { core, primordials } from "ext:core/mod.js";

const { ops } = core;
const { String, SymbolIterator, TypeError } = primordials;

const kInternal = Symbol("internal");

class SqlStorageCursor {
  #handle;
  #columns = null;

  constructor(internal, handle) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#handle = handle;
  }

  /** @returns {IteratorResult<Record<string, any>>} */
  next() {
    const value = ops.op_sql_next(this.#handle, false);
    return value === undefined ? { done: true } : { done: false, value };
  }

  /** @returns {Record<string, any>[]} */
  toArray() {
    return ops.op_sql_rows(this.#handle, false);
  }

  /** @returns {Record<string, any>} */
  one() {
    return ops.op_sql_one(this.#handle);
  }

  /** @returns {IterableIterator<any[]> & {toArray(): any[][]}} */
  raw() {
    const handle = this.#handle;
    return {
      next() {
        const value = ops.op_sql_next(handle, true);
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      toArray: () => ops.op_sql_rows(handle, true),
      [SymbolIterator]() {
        return this;
      },
    };
  }

  /** @returns {string[]} */
  get columnNames() {
    this.#columns ??= ops.op_sql_columns(this.#handle);
    return this.#columns;
  }

  /** @returns {number} */
  get rowsRead() {
    return ops.op_sql_rows_read(this.#handle);
  }

  /** @returns {number} */
  get rowsWritten() {
    return ops.op_sql_rows_written(this.#handle);
  }

  [SymbolIterator]() {
    void this.#handle;
    return this;
  }
}

class SqlStorageStatement {
  constructor() {
    throw new TypeError("Illegal constructor");
  }
}

export class SqlStorage {
  #actor;

  constructor(internal, actor) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#actor = actor;
  }

  /**
   * @param {string} query One or more statements; parameters belong to the last.
   * @param {...(null | number | string | ArrayBuffer | ArrayBufferView)} bindings
   * @returns {SqlStorageCursor}
   */
  exec(query, ...bindings) {
    const handle = ops.op_sql_exec(this.#actor, String(query), bindings);
    return new SqlStorageCursor(kInternal, handle);
  }

  /** @returns {number} Bytes. */
  get databaseSize() {
    return ops.op_sql_database_size(this.#actor);
  }

  get Cursor() {
    void this.#actor;
    return SqlStorageCursor;
  }

  get Statement() {
    void this.#actor;
    return SqlStorageStatement;
  }
}

/** @returns {SqlStorage} */
export function makeSql(actor) {
  return new SqlStorage(kInternal, actor);
}
