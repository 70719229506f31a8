// What was thrown, in the words that cross isolates.

import { core, primordials } from "ext:core/mod.js";

const { String } = primordials;

/**
 * @param {unknown} error
 * @returns {{name: string, message: string}}
 */
export function errorParts(error) {
  try {
    if (core.isNativeError(error)) {
      return { name: String(error.name), message: String(error.message) };
    }
    return { name: "Error", message: String(error) };
  } catch {
    return { name: "Error", message: "The thrown value cannot be read." };
  }
}
