// `storage.transaction()`: a critical section with a savepoint in it (ST-40, ST-41).

import { core, primordials } from "ext:core/mod.js";
import {
  deleteValues,
  getValues,
  later,
  listValues,
  putValues,
} from "ext:beryl/async_kv.js";
import { open, promiseOf } from "ext:beryl/pending.js";
import { inSection } from "ext:beryl/section.js";

const { ops } = core;
const {
  Error,
  FunctionPrototypeCall,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  TypeError,
} = primordials;

const kInternal = Symbol("internal");

const OPEN = 0;
const COMMITTED = 1;
const ROLLED_BACK = 2;

export class DurableObjectTransaction {
  #owner;
  #storage;
  #depth;
  #state = OPEN;

  constructor(internal, storage, actor, depth) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#owner = { actor, className: "DurableObjectTransaction" };
    this.#storage = storage;
    this.#depth = depth;
  }

  get(key, options = undefined) {
    return later(() => getValues(this.#at("get"), key, options));
  }

  list(options = undefined) {
    return later(() => listValues(this.#at("list"), options));
  }

  put(key, value, options = undefined) {
    return later(() => putValues(this.#at("put"), key, value, options));
  }

  delete(key, options = undefined) {
    return later(() => deleteValues(this.#at("delete"), key, options));
  }

  deleteAll() {
    return later(() => {
      void this.#owner;
      throw new Error("Cannot call deleteAll() within a transaction");
    });
  }

  getAlarm(options = undefined) {
    return this.#alarm("getAlarm", (storage) => storage.getAlarm(options));
  }

  setAlarm(time, options = undefined) {
    return this.#alarm("setAlarm", (storage) => storage.setAlarm(time, options));
  }

  deleteAlarm(options = undefined) {
    return this.#alarm("deleteAlarm", (storage) => storage.deleteAlarm(options));
  }

  /** Takes back what the transaction did; doing so twice is no error. */
  rollback() {
    if (this.#state === ROLLED_BACK) return;
    const { actor } = this.#at("rollback");
    ops.op_storage_roll_back(actor, this.#depth);
    this.#state = ROLLED_BACK;
  }

  /** The alarm belongs to the transaction as any write does. */
  #alarm(method, call) {
    try {
      this.#at(method);
      return call(this.#storage);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  /** The storage the transaction is on, while it is open. */
  #at(method) {
    if (this.#state === ROLLED_BACK) {
      throw new Error(`Cannot ${method}() on rolled back transaction`);
    }
    if (this.#state === COMMITTED) {
      throw new Error(
        `Cannot call ${method}() on transaction that has already committed: did you move \`txn\` ` +
          "outside of the closure?",
      );
    }
    return this.#owner;
  }

  static commit(txn) {
    if (txn.#state !== OPEN) return;
    txn.#state = COMMITTED;
    ops.op_storage_commit(txn.#owner.actor, txn.#depth);
  }
}

const { commit, prototype: { rollback } } = DurableObjectTransaction;
delete DurableObjectTransaction.commit;

/**
 * Runs the callback in a transaction: what it throws takes its writes back.
 * @template T
 * @param {object} storage
 * @param {number} actor
 * @param {(txn: DurableObjectTransaction) => T | Promise<T>} callback
 * @returns {Promise<T>}
 */
export function transact(storage, actor, callback) {
  const run = (depth) => {
    const txn = new DurableObjectTransaction(kInternal, storage, actor, depth);
    return PromisePrototypeThen(
      PromisePrototypeThen(PromiseResolve(txn), callback),
      (value) => {
        // If this fails, it resets the object.
        commit(txn);
        return { value, isError: false };
      },
      (error) => {
        FunctionPrototypeCall(rollback, txn);
        return { value: error, isError: true };
      },
    );
  };
  const done = inSection(actor, () => {
    const depth = begin(actor);
    return typeof depth === "number" ? run(depth) : PromisePrototypeThen(depth, run);
  });
  return PromisePrototypeThen(done, ({ value, isError }) => {
    if (isError) throw value;
    return value;
  });
}

/** @returns {number | Promise<number>} The depth of a new transaction. */
function begin(actor) {
  const slot = open();
  const depth = ops.op_storage_begin(actor, slot);
  // What was written before may have to wait for the schedule of alarms.
  return depth > 0 ? depth : PromisePrototypeThen(promiseOf(slot), () => begin(actor));
}
