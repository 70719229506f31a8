// `ctx.storage.setAlarm()` and its kin, and the run of an `alarm()` handler (workers.md section 5).

import { core, primordials } from "ext:core/mod.js";
import { actorOf, instanceOf } from "ext:beryl/actor.js";

const { ops } = core;
const {
  DateNow,
  DatePrototypeGetTime,
  FunctionPrototypeCall,
  MathMax,
  MathTrunc,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  TypeError,
} = primordials;

/** The latest time, in milliseconds: what fits into 63 bits of nanoseconds. */
const TIME_MS_MAX = 9_223_372_036_854;

/** What a handler is told. */
class AlarmInvocationInfo {
  constructor(scheduledTime, retryCount, isRetry) {
    this.scheduledTime = scheduledTime;
    this.retryCount = retryCount;
    this.isRetry = isRetry;
  }
}

/** @param {number} actor @returns {Promise<number | null>} Milliseconds since 1970. */
export function readAlarm(actor) {
  return attempt(() => ops.op_alarms_read(actor));
}

/**
 * @param {number} actor
 * @param {Date | number} time
 * @returns {Promise<void>}
 */
export function setAlarm(actor, time) {
  return attempt(() => {
    const ms = timeMs(time);
    if (ms <= 0) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
    // While it is constructed there is no instance to look at.
    const instance = instanceOf(actor);
    if (instance !== undefined && typeof instance.alarm !== "function") {
      throw new TypeError(
        "Your Durable Object class must have an alarm() handler in order to call setAlarm()",
      );
    }
    ops.op_alarms_set(actor, MathMax(ms, DateNow()));
  });
}

/** @param {number} actor @returns {Promise<void>} */
export function deleteAlarm(actor) {
  return attempt(() => {
    ops.op_alarms_set(actor, -1);
  });
}

/**
 * Runs the handler of an alarm that is due.
 * @param {number} event
 * @param {number} actor
 * @param {(event: number, error: unknown) => void} fail
 */
export function runAlarm(event, actor, fail) {
  let result;
  try {
    const run = ops.op_alarms_begin(event);
    if (run === null) return;
    const { instance } = actorOf(actor);
    const { alarm } = instance;
    if (typeof alarm !== "function") return ops.op_alarms_no_handler(event);
    const info = new AlarmInvocationInfo(run[0], run[1], run[2]);
    result = FunctionPrototypeCall(alarm, instance, info);
  } catch (error) {
    return fail(event, error);
  }
  PromisePrototypeThen(PromiseResolve(result), () => {
    try {
      ops.op_alarms_end(event);
    } catch (error) {
      fail(event, error);
    }
  }, (error) => fail(event, error));
}

/** @returns {number} Whole milliseconds. */
function timeMs(time) {
  let ms = time;
  if (typeof time !== "number") {
    try {
      ms = DatePrototypeGetTime(time);
    } catch {
      throw new TypeError(
        "Failed to execute 'setAlarm' on 'DurableObjectStorage': parameter 1 is not of type " +
          "'date'.",
      );
    }
  }
  if (ms !== ms || ms === Infinity || ms === -Infinity) {
    throw new TypeError("The value cannot be converted because it is not a valid Date.");
  }
  if (ms > TIME_MS_MAX) throw new TypeError("This API doesn't support dates after 2189.");
  return MathTrunc(ms);
}

/** What fails at once fails as a promise. */
function attempt(work) {
  try {
    return PromiseResolve(work());
  } catch (error) {
    return PromiseReject(error);
  }
}
