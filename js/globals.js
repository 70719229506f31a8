// What a worker finds on globalThis: ours at once, deno_web's classes when they are first used.

import { core, primordials } from "ext:core/mod.js";
import { atob, btoa } from "ext:beryl/base64.js";
import { Body } from "ext:beryl/body.js";
import { makeCloudflare } from "ext:beryl/compatibility.js";
import { createConsole } from "ext:beryl/console.js";
import { createCrypto, Crypto, loadSubtle } from "ext:beryl/crypto.js";
import { define, defineGetter, defineLazy } from "ext:beryl/define.js";
import { registerErrors, unsupported } from "ext:beryl/errors.js";
import { fetch } from "ext:beryl/fetch.js";
import { loadForms } from "ext:beryl/form_data.js";
import { defineEventTarget, reportError, reportThrown } from "ext:beryl/global_events.js";
import { Headers } from "ext:beryl/headers.js";
import { WebSocketRequestResponsePair } from "ext:beryl/hibernation.js";
import { boundBuffers } from "ext:beryl/memory.js";
import { Navigator, navigator } from "ext:beryl/navigator.js";
import { Performance, performance } from "ext:beryl/performance.js";
import { Request } from "ext:beryl/request.js";
import { Response } from "ext:beryl/response.js";
import { URLSearchParams } from "ext:beryl/search_params.js";
import { cloner, structuredClone } from "ext:beryl/structured_clone.js";
import { TextDecoder, TextEncoder } from "ext:beryl/text_encoding.js";
import {
  clearInterval,
  clearTimeout,
  scheduler,
  setInterval,
  setTimeout,
} from "ext:beryl/timers.js";
import { URL } from "ext:beryl/url.js";
import { load } from "ext:beryl/web.js";
import { becomeEventTarget, WebSocket, WebSocketPair } from "ext:beryl/websocket.js";

const {
  ObjectDefineProperty,
  SymbolToStringTag,
  TypeError,
} = primordials;

/** Classes and functions by the script of deno_web that has them. */
const LAZY = {
  __proto__: null,
  "01_dom_exception.js": ["DOMException", "QuotaExceededError"],
  "01_urlpattern.js": ["URLPattern"],
  "02_event.js": [
    "CloseEvent",
    "CustomEvent",
    "ErrorEvent",
    "Event",
    "EventTarget",
    "MessageEvent",
    "PromiseRejectionEvent",
  ],
  "03_abort_signal.js": ["AbortController", "AbortSignal"],
  "06_streams.js": [
    "ByteLengthQueuingStrategy",
    "CountQueuingStrategy",
    "ReadableByteStreamController",
    "ReadableStream",
    "ReadableStreamBYOBReader",
    "ReadableStreamBYOBRequest",
    "ReadableStreamDefaultController",
    "ReadableStreamDefaultReader",
    "TransformStream",
    "TransformStreamDefaultController",
    "WritableStream",
    "WritableStreamDefaultController",
    "WritableStreamDefaultWriter",
  ],
  "08_text_encoding.js": ["TextDecoderStream", "TextEncoderStream"],
  "09_file.js": ["Blob", "File"],
  "14_compression.js": ["CompressionStream", "DecompressionStream"],
  "15_performance.js": [
    "PerformanceEntry",
    "PerformanceMark",
    "PerformanceMeasure",
    "PerformanceObserver",
    "PerformanceObserverEntryList",
  ],
};

/** Classes of the platform that Beryl has not got yet. */
const MISSING = [
  "Cache",
  "CacheStorage",
  "HTMLRewriter",
];

/** Fills globalThis; called once, while the snapshot is made. */
export function installGlobals() {
  registerErrors();
  core.setReportExceptionCallback(reportThrown);
  for (const script in LAZY) {
    for (let i = 0; i < LAZY[script].length; i++) {
      const name = LAZY[script][i];
      defineLazy(name, () => load(script)[name]);
    }
  }
  defineLazy("Cloudflare", makeCloudflare);
  for (let i = 0; i < MISSING.length; i++) define(MISSING[i], missingClass(MISSING[i]));
  define("ArrayBuffer", boundBuffers());
  define("TextDecoder", TextDecoder);
  define("TextEncoder", TextEncoder);
  define("URL", URL);
  define("URLSearchParams", URLSearchParams);
  defineLazy("WebSocket", becomeEventTarget);
  define("WebSocketPair", WebSocketPair);
  define("WebSocketRequestResponsePair", WebSocketRequestResponsePair);
  define("atob", atob);
  define("btoa", btoa);
  define("Body", Body);
  define("Crypto", Crypto);
  define("Headers", Headers);
  define("Navigator", Navigator);
  define("Performance", Performance);
  define("Request", Request);
  define("Response", Response);
  defineLazy("EventSource", () => core.loadExtScript("ext:beryl/event_source.js").EventSource);
  defineLazy("CryptoKey", () => loadSubtle().CryptoKey);
  defineLazy("FixedLengthStream", () => loadIdentityStreams().FixedLengthStream);
  defineLazy("FormData", () => loadForms().FormData);
  defineLazy("IdentityTransformStream", () => loadIdentityStreams().IdentityTransformStream);
  defineLazy("MessageChannel", () => cloner().MessageChannel);
  defineLazy("MessagePort", () => cloner().MessagePort);
  defineLazy("SubtleCrypto", () => loadSubtle().SubtleCrypto);
  define("clearInterval", clearInterval);
  define("clearTimeout", clearTimeout);
  define("console", createConsole());
  define("crypto", createCrypto());
  defineLazy("ExtendableEvent", extendableEvent);
  define("fetch", fetch);
  define("navigator", navigator);
  define("origin", "null");
  define("performance", performance);
  define("queueMicrotask", checkedMicrotask(globalThis.queueMicrotask));
  define("reportError", reportError);
  define("scheduler", scheduler);
  define("self", globalThis);
  define("setInterval", setInterval);
  define("setTimeout", setTimeout);
  define("structuredClone", structuredClone);
  defineGetter("caches", () => {
    throw unsupported("caches");
  });
  ObjectDefineProperty(globalThis, SymbolToStringTag, {
    __proto__: null,
    value: "ServiceWorkerGlobalScope",
    configurable: true,
  });
  defineEventTarget(() => load("02_event.js"));
}

/** Only the platform makes such events. */
function extendableEvent() {
  return class ExtendableEvent extends load("02_event.js").Event {
    constructor() {
      throw new TypeError("Illegal constructor");
    }
  };
}

/** @param {Function} queue deno_core's. */
function checkedMicrotask(queue) {
  return function queueMicrotask(callback) {
    if (typeof callback !== "function") {
      throw new TypeError(
        "Failed to execute 'queueMicrotask' on 'ServiceWorkerGlobalScope': parameter 1 is not " +
          "of type 'function'.",
      );
    }
    queue(callback);
  };
}

function loadIdentityStreams() {
  load("06_streams.js");
  return core.loadExtScript("ext:beryl/identity_streams.js");
}

function missingClass(name) {
  const missing = {
    [name]: class {
      constructor() {
        throw unsupported(name);
      }
    },
  };
  return missing[name];
}
