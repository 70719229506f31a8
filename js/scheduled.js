// `scheduled()` handlers: what cron triggers run (workers.md section 7.1).

import { core, primordials } from "ext:core/mod.js";
import { WorkerEntrypoint } from "ext:beryl/entrypoint.js";
import { environment } from "ext:beryl/env.js";

const { ops } = core;
const {
  Error,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
  ReflectApply,
} = primordials;

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
 * @param {() => {handler: any, ctx: object}} entrypoint Makes the default entrypoint.
 * @param {(event: number, error: unknown) => void} fail
 */
export function runScheduled(event, entrypoint, fail) {
  let result;
  try {
    const { handler, ctx } = entrypoint();
    const { 0: cron, 1: time } = ops.op_scheduled_take(event);
    const { scheduled } = handler;
    if (typeof scheduled !== "function") {
      throw new Error("Handler does not export a scheduled() function.");
    }
    const isClass = ObjectPrototypeIsPrototypeOf(WorkerEntrypoint.prototype, handler);
    const controller = new ScheduledController(time, cron);
    const args = isClass ? [controller] : [controller, environment(), ctx];
    result = ReflectApply(scheduled, handler, args);
  } catch (error) {
    return fail(event, error);
  }
  PromisePrototypeThen(
    PromiseResolve(result),
    () => ops.op_scheduled_end(event),
    (error) => fail(event, error),
  );
}
