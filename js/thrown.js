// What was thrown, in the words that cross isolates (DO-38).

import { core, primordials } from "ext:core/mod.js";
import { isDomException } from "ext:beryl/errors.js";

const { String } = primordials;

/** Types that are made anew on the other side; the name of any other goes into the message. */
const TYPES = {
  __proto__: null,
  Error: true,
  EvalError: true,
  RangeError: true,
  ReferenceError: true,
  SyntaxError: true,
  TypeError: true,
  URIError: true,
};

/**
 * @param {any} error
 * @returns {{name: string, message: string, stack: string, code: string, limit: number,
 *   used: number, place: string, isRemote: boolean}}
 */
export function errorParts(error) {
  const parts = {
    name: "Error",
    message: "",
    stack: "",
    code: "",
    limit: 0,
    used: 0,
    place: "",
    isRemote: false,
  };
  try {
    const isDom = isDomException(error);
    if (!isDom && !core.isNativeError(error)) {
      parts.message = typeof error === "object" && error !== null
        ? `#<${error.constructor?.name ?? "Object"}>`
        : String(error);
      return parts;
    }
    const name = String(error.name);
    const message = String(error.message);
    const isKnown = isDom || TYPES[name] === true;
    parts.name = isKnown ? name : "Error";
    parts.message = isKnown ? message : `${name}: ${message}`;
    parts.stack = String(error.stack);
    parts.isRemote = error.remote === true;
    // Only codes of ours mean anything to Rust.
    if (typeof error.code === "string") parts.code = error.code;
    if (parts.code !== "" && typeof error.limit === "number") {
      parts.limit = error.limit;
      if (typeof error.used === "number") parts.used = error.used;
      if (typeof error.where === "string") parts.place = error.where;
      else if (!parts.isRemote) parts.place = parts.stack;
    }
  } catch {
    parts.message = "The thrown value cannot be read.";
  }
  return parts;
}
