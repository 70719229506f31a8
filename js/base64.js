// atob and btoa, with the platform's words for what they cannot do.

import { core } from "ext:core/mod.js";
import { domException } from "ext:beryl/errors.js";

const { ops } = core;

const NOT_BASE64 = "atob() called with invalid base64-encoded data. (Only whitespace, '+', '/', " +
  "alphanumeric ASCII, and up to two terminal '=' signs when the input data length is divisible " +
  "by 4 are allowed.)";
const NOT_LATIN1 = "btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range.";

/**
 * @param {string} data
 * @returns {string} One code unit per byte.
 */
export function atob(data) {
  const text = `${data}`;
  try {
    return ops.op_base64_atob(text);
  } catch {
    throw domException(NOT_BASE64, "InvalidCharacterError");
  }
}

/**
 * @param {string} data One code unit per byte.
 * @returns {string}
 */
export function btoa(data) {
  const text = `${data}`;
  try {
    return ops.op_base64_btoa(text);
  } catch {
    throw domException(NOT_LATIN1, "InvalidCharacterError");
  }
}
