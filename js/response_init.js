// The fields of a ResponseInit: what they may be.

import { primordials } from "ext:core/mod.js";
import { nullBody } from "ext:beryl/socket_arguments.js";

const { MathTrunc, Number, RangeError, RegExpPrototypeExec, SafeRegExp, TypeError } = primordials;

const REASON = new SafeRegExp(/^[\t \x21-\x7e\x80-\xff]*$/);

/** @returns {boolean} Whether the body is encoded already. */
export function isManual(encodeBody) {
  const text = `${encodeBody}`;
  if (text === "manual") return true;
  if (text === "automatic") return false;
  throw new TypeError(`encodeBody: unexpected value: ${text}`);
}

/** @returns {number} A status that a response may be made with. */
export function checkedStatus(value, body) {
  const status = MathTrunc(Number(value));
  if (!(status >= 200 && status <= 599)) {
    throw new RangeError(
      "Responses may only be constructed with status codes in the range 200 to 599, inclusive.",
    );
  }
  const isNull = body === null || body === undefined;
  if (!isNull && (status === 204 || status === 205 || status === 304)) {
    throw nullBody();
  }
  return status;
}

/** @returns {string} A text that may follow the status. */
export function checkedReason(value) {
  const text = `${value}`;
  if (RegExpPrototypeExec(REASON, text) === null) throw new TypeError("Invalid statusText");
  return text;
}
