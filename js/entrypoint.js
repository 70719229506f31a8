// WorkerEntrypoint and RpcTarget, and the context that stateless handlers get.

import { core, primordials } from "ext:core/mod.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { reportUncaught } from "ext:beryl/console.js";
import { holdEvent, releaseEvent } from "ext:beryl/context.js";
import { holdUntil } from "ext:beryl/eviction.js";

const { PromisePrototypeThen, PromiseResolve } = primordials;

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
    const exports = this.#exports;
    return hasFlag("enable_ctx_exports") ? exports() : undefined;
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
    const event = holdEvent();
    if (event === 0) return;
    const ended = () => releaseEvent(event);
    PromisePrototypeThen(PromiseResolve(promise), ended, ended);
  }

  passThroughOnException() {
    void this.#props;
  }
}

/** @param {unknown} promise */
export function isPromise(promise) {
  return core.isPromise(promise);
}
