// ResourceLimits: what a supervisor lets its workers use, checked as the platform checks it.

import { primordials } from "ext:core/mod.js";

const { MathTrunc, Number, NumberIsFinite, TypeError } = primordials;

/** Those of the platform first, then ours. */
const FIELDS = [
  "cpuMs",
  "subRequests",
  "memoryMb",
  "wallMs",
  "storageMb",
  "timers",
  "queuedEvents",
  "logBytes",
];
const MAX = 0xffff_ffff;

/**
 * @param {unknown} limits
 * @param {string} owner The type that has them, for messages.
 * @returns {Record<string, number>}
 */
export function limitsOf(limits, owner) {
  const result = {};
  if (limits === undefined || limits === null) return result;
  if (typeof limits !== "object") {
    throw new TypeError(
      `Incorrect type for the 'limits' field on '${owner}': the provided value is not of type ` +
        "'ResourceLimits'.",
    );
  }
  for (let i = 0; i < FIELDS.length; i++) {
    const value = limits[FIELDS[i]];
    if (value !== undefined) result[FIELDS[i]] = whole(Number(value));
  }
  return result;
}

function whole(value) {
  if (!NumberIsFinite(value)) {
    throw new TypeError("The value cannot be converted because it is not an integer.");
  }
  if (value < 0) {
    throw new TypeError(
      "The value cannot be converted because it is negative and this API expects a positive " +
        "number.",
    );
  }
  if (value > MAX) {
    throw new TypeError(`Value out of range. Must be less than or equal to ${MAX}.`);
  }
  return MathTrunc(value);
}
