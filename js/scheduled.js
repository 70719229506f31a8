// `scheduled()` handlers: what cron triggers run (workers.md section 7.1).

import { core, primordials } from "ext:core/mod.js";

const { ops } = core;
const { Error, PromisePrototypeThen, PromiseResolve, ReflectApply, SafeArrayIterator } =
  primordials;

/** What a handler is told. */
class ScheduledController {
  constructor(scheduledTime, cron) {
    this.scheduledTime = scheduledTime;
    this.cron = cron;
  }

  /** Failed runs are not tried again anyway. */
  noRetry() {
    void this.cron;
  }
}

/**
 * @param {number} event
 * @param {any} handler The entrypoint.
 * @param {unknown[]} context What a handler object gets besides: `env` and `ctx`.
 * @param {(event: number, error: unknown) => void} fail
 */
export function runScheduled(event, handler, context, fail) {
  const { 0: cron, 1: time } = ops.op_scheduled_take(event);
  const { scheduled } = handler;
  if (typeof scheduled !== "function") {
    throw new Error("Handler does not export a scheduled() function.");
  }
  const controller = new ScheduledController(time, cron);
  const result = ReflectApply(scheduled, handler, [controller, ...new SafeArrayIterator(context)]);
  PromisePrototypeThen(
    PromiseResolve(result),
    () => ops.op_scheduled_end(event),
    (error) => fail(event, error),
  );
}
