// DOMException for ops and for our own classes, loaded when the first one is thrown.

import { core, primordials } from "ext:core/mod.js";

const { SymbolToStringTag } = primordials;

/** The names under which ops throw a DOMException: `DOMException` + name. */
const NAMES = [
  "AbortError",
  "DataCloneError",
  "IndexSizeError",
  "InvalidAccessError",
  "InvalidCharacterError",
  "InvalidStateError",
  "NotSupportedError",
  "OperationError",
  "QuotaExceededError",
  "SyntaxError",
  "TimeoutError",
  "TypeMismatchError",
];

/**
 * @param {string} message
 * @param {string} name One of the DOMException names, e.g. `DataCloneError`.
 * @returns {Error}
 */
export function domException(message, name) {
  const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
  return new DOMException(message, name);
}

/** @param {any} value */
export function isDomException(value) {
  if (typeof value !== "object" || value?.[SymbolToStringTag] !== "DOMException") return false;
  const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
  return value instanceof DOMException;
}

/** Lets ops throw every DOMException of the list by its class. */
export function registerErrors() {
  core.registerErrorClass("EvalError", EvalError);
  for (let i = 0; i < NAMES.length; i++) {
    const name = NAMES[i];
    core.registerErrorBuilder(`DOMException${name}`, (message) => domException(message, name));
  }
}

/**
 * @param {string} what The API as user code names it.
 * @returns {Error}
 */
export function unsupported(what) {
  return new Error(`${what} is not supported by Beryl yet`);
}
