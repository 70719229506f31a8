// What WebSocket's constructor and close() take, and a response that begins with a socket.

import { core, primordials } from "ext:core/mod.js";
import { domException } from "ext:beryl/errors.js";
import { parseUrl } from "ext:beryl/url.js";

const {
  ArrayIsArray, MathTrunc, Number, RangeError, RegExpPrototypeExec, SafeRegExp,
  StringPrototypeIncludes, TypeError, TypedArrayPrototypeGetByteLength,
} = primordials;

const SCHEME = new SafeRegExp(/^wss?:/);
const TOKEN = new SafeRegExp(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/);
const REASON_BYTES_MAX = 123;

/** Codes that are never on the wire. */
const RESERVED = { __proto__: null, 1004: true, 1005: true, 1006: true, 1015: true };

/** @returns {string} The URL as the URL standard writes it. */
export function socketUrl(text) {
  const url = parseUrl(text);
  const wrong = (what) => domException(`WebSocket Constructor: ${what}`, "SyntaxError");
  if (url === null) throw wrong("The url is invalid.");
  if (RegExpPrototypeExec(SCHEME, url) === null) {
    throw wrong("The url scheme must be ws or wss.");
  }
  if (StringPrototypeIncludes(url, "#")) throw wrong("The url fragment must be empty.");
  return url;
}

/** @param {string | string[]} [protocols] */
export function checkProtocols(protocols) {
  if (protocols === undefined) return;
  const list = ArrayIsArray(protocols) ? protocols : [protocols];
  const seen = { __proto__: null };
  for (let i = 0; i < list.length; i++) {
    const protocol = `${list[i]}`;
    if (RegExpPrototypeExec(TOKEN, protocol) === null) {
      throw domException(
        "WebSocket Constructor: The protocol header token is invalid.",
        "SyntaxError",
      );
    }
    if (seen[protocol]) {
      throw domException(
        "WebSocket Constructor: The protocols header cannot have repeating values.",
        "SyntaxError",
      );
    }
    seen[protocol] = true;
  }
}

/** @returns {number} 0 for none. */
export function checkedCode(code, reason) {
  if (code === undefined) {
    if (reason === undefined) return 0;
    throw invalid("If you specify a WebSocket close reason, you must also specify a code.");
  }
  const number = code | 0;
  if (number < 1000 || number > 4999 || RESERVED[number] === true) {
    throw invalid(`Invalid WebSocket close code: ${number}.`);
  }
  return number;
}

/** @returns {string} */
export function checkedCloseReason(reason) {
  if (reason === undefined) return "";
  const text = `${reason}`;
  if (TypedArrayPrototypeGetByteLength(core.encode(text)) > REASON_BYTES_MAX) {
    throw domException(
      "WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded.",
      "SyntaxError",
    );
  }
  return text;
}

function invalid(message) {
  return domException(message, "InvalidAccessError");
}

/**
 * @param {object | null} handle Of what was given as `webSocket`.
 * @param {unknown} status
 * @param {unknown} body
 */
export function checkSocketInit(handle, status, body) {
  if (handle === null) {
    throw new TypeError(
      "Incorrect type for the 'webSocket' field on 'InitializerDict': the provided value is " +
        "not of type 'WebSocket'.",
    );
  }
  if (MathTrunc(Number(status)) !== 101) {
    throw new RangeError("Responses with a WebSocket must have status code 101.");
  }
  if (body !== null && body !== undefined) throw nullBody();
}

export function nullBody() {
  return new TypeError(
    "Response with null body status (101, 204, 205, or 304) cannot have a body.",
  );
}
