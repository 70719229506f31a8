// What console and `util.inspect` show of objects of the platform, and in which order.

(() => {
  const { internals, primordials } = __bootstrap;
  const {
    BigInt, Map, MapPrototypeSet, ObjectDefineProperty, SymbolFor,
    SymbolToStringTag,
  } = primordials;
  const { lengthOf } = internals.runtime;

  const EVENT = ["type", "eventPhase", "composed", "bubbles", "cancelable", "defaultPrevented",
    "returnValue", "currentTarget", "target", "srcElement", "timeStamp", "isTrusted",
    "cancelBubble"];
  const FIELDS = {
    __proto__: null,
    Blob: ["size", "type"],
    Event: EVENT,
    File: ["name", "lastModified", "size", "type"],
    MessageEvent: ["ports", "source", "lastEventId", "origin", "data", ...EVENT],
    Request: ["method", "url", "headers", "redirect", "fetcher", "signal", "cf", "integrity",
      "keepalive", "cache", "body", "bodyUsed"],
    Response: ["status", "statusText", "headers", "ok", "redirected", "url", "webSocket", "cf",
      "type", "body", "bodyUsed"],
    ReadableStream: ["locked"],
    TextDecoder: ["encoding", "fatal", "ignoreBOM"],
    TextEncoder: ["encoding"],
    URL: ["origin", "href", "protocol", "username", "password", "host", "hostname", "port",
      "pathname", "search", "hash", "searchParams"],
    WebSocket: ["readyState", "bufferedAmount", "url", "protocol", "extensions", "binaryType"],
    WritableStream: ["locked"],
  };
  /** Those that are shown as lists of names and values. */
  const LISTS = { __proto__: null, FormData: true, Headers: true, URLSearchParams: true };
  /** Fields that the platform has and we have not, and what they always are. */
  const ALWAYS = { __proto__: null, bufferedAmount: 0, fetcher: null, ports: [], source: null };

  const NEVER_NULL = { __proto__: null, srcElement: true, target: true };

  /** An empty map that formatters take for one of the class of this name. */
  function shape(name) {
    const type = { [name]: class extends Map {} };
    ObjectDefineProperty(type[name].prototype, SymbolToStringTag, {
      __proto__: null,
      value: name,
      configurable: true,
    });
    return new type[name]();
  }

  /** A field that is shown in brackets. */
  function hide(target, name, value) {
    ObjectDefineProperty(target, name, {
      __proto__: null,
      value,
      writable: true,
      enumerable: false,
      configurable: true,
    });
  }

  /** A key of a map that is like no other, and shown as the text it stands for. */
  function key(text, inspect) {
    const show = () => inspect(text, { quotes: ["'", '"', "`"] });
    return {
      [SymbolFor("Deno.privateCustomInspect")]: show,
      [SymbolFor("nodejs.util.inspect.custom")]: show,
    };
  }

  function fields(name, value) {
    const target = {};
    const names = FIELDS[name];
    for (let i = 0; i < names.length; i++) {
      const field = names[i];
      if (field === "cache" && !("cache" in value)) continue;
      try {
        target[field] = field in value ? value[field] : ALWAYS[field];
        if (target[field] === null && NEVER_NULL[field] === true) target[field] = undefined;
      } catch {
        // What belongs to an event that is over.
        target[field] = undefined;
      }
    }
    return target;
  }

  function list(name, value, inspect) {
    const target = shape(name);
    for (const { 0: field, 1: content } of value.entries()) {
      MapPrototypeSet(target, key(field, inspect), content);
    }
    return target;
  }

  function streamFields(target, state, length) {
    hide(target, "state", state.state);
    hide(target, "supportsBYOB", state.isBytes);
    hide(target, "length", length === undefined ? undefined : BigInt(length));
  }

  /** Constants of Event that formatters show as they show what is not enumerable. */
  const CONSTANTS = ["NONE", "CAPTURING_PHASE", "AT_TARGET", "BUBBLING_PHASE"];

  function inspected(name, value, inspect, options, detail) {
    const target = LISTS[name] === true ? list(name, value, inspect) : fields(name, value);
    if (name === "Headers") hide(target, "immutable", detail);
    else if (name === "ReadableStream") streamFields(target, detail, lengthOf(value));
    else if (name === "WritableStream") {
      hide(target, "state", detail.state);
      hide(target, "expectsBytes", detail.isBytes);
    } else if (name === "MessageEvent") {
      for (let i = 0; i < CONSTANTS.length; i++) target[CONSTANTS[i]] = i;
    }
    const isHiding = name === "Headers" || name === "ReadableStream" || name === "WritableStream" ||
      name === "MessageEvent";
    const text = inspect(target, isHiding ? { ...options, showHidden: true } : options);
    return LISTS[name] === true ? text : `${name} ${text}`;
  }

  return { inspected };
})();
