// WorkerEntrypoint and RpcTarget, and the context that stateless handlers get.

import { core } from "ext:core/mod.js";
import { reportUncaught } from "ext:beryl/console.js";
import { holdUntil } from "ext:beryl/eviction.js";

export class WorkerEntrypoint {
  /**
   * @param {ExecutionContext} ctx
   * @param {object} env
   */
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class RpcTarget {}

/** `ctx` of a stateless event. */
export class ExecutionContext {
  #exports;
  #props;

  constructor(exports, props) {
    this.#exports = exports;
    this.#props = props;
  }

  /** The worker's own entrypoints and classes, as bindings. */
  get exports() {
    return this.#exports();
  }

  /** What the caller was given for us. */
  get props() {
    this.#props ??= {};
    return this.#props;
  }

  /** @param {unknown} promise Its failure is logged; the end of the process waits for it. */
  waitUntil(promise) {
    void this.#props;
    holdUntil(promise, 0, reportUncaught);
  }

  passThroughOnException() {
    void this.#props;
  }
}

/** @param {unknown} promise */
export function isPromise(promise) {
  return core.isPromise(promise);
}
