// Objects of the platform and errors in values: taken apart where they leave, made anew where
// they arrive (RPC-11 to RPC-13, DO-38).

import { core, primordials } from "ext:core/mod.js";
import {
  BODY, heldByOther, registerEncoder, registerMaker, takeArrived, unpack, VALUE,
} from "ext:beryl/capability.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { domException, isDomException } from "ext:beryl/errors.js";
import { headerList, Headers, headersOfList } from "ext:beryl/headers.js";
import { lend } from "ext:beryl/lent.js";
import { Request } from "ext:beryl/request.js";
import { Response } from "ext:beryl/response.js";
import { kept } from "ext:beryl/rpc_stub.js";
import { isLocked, isStream, pump, sourceOf, streamOf } from "ext:beryl/streams.js";
import { load } from "ext:beryl/web.js";

const { ops } = core;
const {
  AggregateError, Error, EvalError, ObjectDefineProperty, ObjectHasOwn,
  ObjectKeys, ObjectPrototypeIsPrototypeOf, PromisePrototypeThen, RangeError,
  ReferenceError, String, SymbolDispose, SymbolToStringTag, SyntaxError, TypeError, URIError,
} = primordials;

// What a value was, as the numbers travel with it.
const ERROR = 0;
const DOM_EXCEPTION = 1;
const HEADERS = 2;
const REQUEST = 3;
const RESPONSE = 4;
const WRITABLE = 5;
const SIGNAL = 6;

const ERRORS = {
  __proto__: null,
  AggregateError, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError,
};

/** Of an error these are set anew or of no meaning elsewhere. */
const NOT_OWN = { __proto__: null, message: true, remote: true, stack: true };

const ENDED = "WritableStream received over RPC was disconnected because the remote execution " +
  "context has ended.";

/**
 * @param {object} value
 * @param {boolean} isLasting Whether it goes into `env` or `props`.
 * @returns {object | null} The handle of a capability, if the value is one of these.
 */
function encode(value, isLasting) {
  if (isDomException(value)) {
    return composite(DOM_EXCEPTION, [value.message, value.name], isLasting);
  }
  if (core.isNativeError(value)) return composite(ERROR, errorContent(value), isLasting);
  // Nothing else of these may outlive a call.
  if (isLasting) return null;
  if (is(Headers, value)) return composite(HEADERS, headerList(value));
  if (is(Response, value)) return composite(RESPONSE, responseContent(value));
  if (is(Request, value)) return composite(REQUEST, requestContent(value));
  switch (value[SymbolToStringTag]) {
    case "ReadableStream":
      return isStream(value) ? readable(value) : null;
    case "WritableStream":
      return is(load("06_streams.js").WritableStream, value) ? writable(value) : null;
    case "AbortSignal":
      return is(load("03_abort_signal.js").AbortSignal, value) ? signal(value) : null;
  }
  return null;
}

registerEncoder(encode);
registerMaker(BODY, streamOf);
registerMaker(VALUE, ({ 0: kind, 1: packed }) => decode(kind, unpack(packed)));

function decode(kind, content) {
  switch (kind) {
    case ERROR:
      return madeError(content);
    case DOM_EXCEPTION:
      return domException(content[0], content[1]);
    case HEADERS:
      return headersOfList(content);
    case REQUEST:
      return madeRequest(content);
    case RESPONSE:
      return madeResponse(content);
    case WRITABLE:
      // The sink lives as long as the stream, not as long as the call.
      return madeWritable(content, takeArrived());
    case SIGNAL:
      return madeSignal(content);
  }
}

function composite(kind, content, isLasting = false) {
  return ops.op_capability_of_value(kind, heldByOther(content, isLasting));
}

function is(constructor, value) {
  return ObjectPrototypeIsPrototypeOf(constructor.prototype, value);
}

function errorContent(error) {
  const name = String(error.name);
  const own = {};
  const keys = ObjectKeys(error);
  for (let i = 0; i < keys.length; i++) {
    if (NOT_OWN[keys[i]] !== true) define(own, keys[i], error[keys[i]]);
  }
  if (ObjectHasOwn(error, "cause")) define(own, "cause", error.cause);
  if (ObjectHasOwn(error, "errors")) define(own, "errors", error.errors);
  if (ERRORS[name] === undefined) define(own, "name", name);
  return [name, String(error.message), own];
}

/** What of an error crosses without the flag that lets its properties cross, see `pending.js`. */
function bare(error) {
  const { 0: name, 1: message } = errorContent(error);
  return madeError([ERRORS[name] === undefined ? "Error" : name, message, {}]);
}

function madeError({ 0: name, 1: message, 2: own }) {
  const constructor = ERRORS[name] ?? Error;
  const error = constructor === AggregateError
    ? new AggregateError([], message)
    : new constructor(message);
  const keys = ObjectKeys(own);
  for (let i = 0; i < keys.length; i++) define(error, keys[i], own[keys[i]]);
  return error;
}

function define(object, name, value) {
  ObjectDefineProperty(object, name, {
    __proto__: null, value, configurable: true, enumerable: true, writable: true,
  });
}

function requestContent(request) {
  const { method, url, headers, redirect, body } = request;
  return [method, url, headerList(headers), redirect, body];
}

function madeRequest({ 0: method, 1: url, 2: headers, 3: redirect, 4: body }) {
  return new Request(url, { method, headers: headersOfList(headers), redirect, body });
}

function responseContent(response) {
  if (response.webSocket !== null) {
    throw domException("A Response with a WebSocket cannot be serialized.", "DataCloneError");
  }
  const { status, statusText, headers, body } = response;
  return [status, statusText, headerList(headers), body];
}

function madeResponse({ 0: status, 1: statusText, 2: headers, 3: body }) {
  if (status === 0) return Response.error();
  return new Response(body, { status, statusText, headers: headersOfList(headers) });
}

/** The stream is locked from now on; what it was made from moves without passing through here. */
function readable(stream) {
  if (isLocked(stream)) throw new TypeError("The ReadableStream has been locked to a reader.");
  return ops.op_capability_of_body(sourceOf(stream) ?? pump(stream));
}

function writable(stream) {
  if (stream.locked) throw new TypeError("This WritableStream is currently locked to a writer.");
  const writer = stream.getWriter();
  let isOver = false;
  const sink = {
    write: (chunk) => writer.write(chunk),
    close() {
      isOver = true;
      return writer.close();
    },
    abort(reason) {
      isOver = true;
      return writer.abort(reason);
    },
    [SymbolDispose]() {
      if (!isOver) PromisePrototypeThen(writer.abort(new Error(ENDED)), undefined, () => {});
    },
  };
  return composite(WRITABLE, [lend(sink)]);
}

function madeWritable({ 0: sink }, stubs) {
  const { WritableStream } = load("06_streams.js");
  const over = () => {
    for (let i = 0; i < stubs.length; i++) stubs[i][SymbolDispose]();
  };
  return new WritableStream({
    __proto__: null,
    write: (chunk) => sink.write(chunk),
    async close() {
      await sink.close();
      over();
    },
    async abort(reason) {
      await sink.abort(reason);
      over();
    },
  });
}

/** The receiver subscribes; giving the subscription up is what its disposal is for. */
function signal(value) {
  if (value.aborted) return composite(SIGNAL, [true, value.reason]);
  let listener = null;
  const tell = () => {
    if (listener !== null) void listener(value.reason);
  };
  value.addEventListener("abort", tell, { __proto__: null, once: true });
  const source = {
    subscribe(callback) {
      listener = kept(callback);
      if (value.aborted) tell();
    },
    [SymbolDispose]() {
      value.removeEventListener("abort", tell);
      listener?.[SymbolDispose]();
    },
  };
  return composite(SIGNAL, [false, lend(source)]);
}

function madeSignal({ 0: isAborted, 1: content }) {
  const { AbortController } = load("03_abort_signal.js");
  const controller = new AbortController();
  if (isAborted) controller.abort(content);
  // A sender that is gone aborts nothing.
  else content.subscribe((reason) => controller.abort(reason)).catch(() => {});
  return controller.signal;
}

/**
 * What was thrown, for another worker to throw again.
 * @param {unknown} error
 * @param {string | undefined} id Of the Durable Object that threw it.
 * @returns {object | undefined} The handle of a clone; undefined if it has none.
 */
export function thrownClone(error, id) {
  if (typeof error !== "object" || error === null) return undefined;
  try {
    const isBare = core.isNativeError(error) && !isDomException(error) &&
      !hasFlag("enhanced_error_serialization");
    return heldByOther([isBare ? bare(error) : error, id], true);
  } catch {
    return undefined;
  }
}
