// The modules of Node.js and the globals that come with them; nothing is loaded until it is used.

import { core, internals } from "ext:core/mod.js";
import { atob, btoa } from "ext:beryl/base64.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { createConsole, reportUncaught } from "ext:beryl/console.js";
import { define, defineLazy } from "ext:beryl/define.js";
import { environment } from "ext:beryl/env.js";
import { TextDecoder, TextEncoder } from "ext:beryl/text_encoding.js";
import {
  clearInterval,
  clearTimeout,
  scheduler,
  setInterval,
  setTimeout,
  wrapCallbacks,
} from "ext:beryl/timers.js";
import { URL } from "ext:beryl/url.js";
import { URLSearchParams } from "ext:beryl/search_params.js";
import { load } from "ext:beryl/web.js";

// What the scripts in js/lazy/ need of the modules in the snapshot, which they cannot import.
internals.nodeParts = {
  __proto__: null,
  TextDecoder,
  TextEncoder,
  URL,
  URLSearchParams,
  atob,
  btoa,
  clearInterval,
  clearTimeout,
  createConsole,
  environment,
  load,
  reportUncaught,
  scheduler,
  setInterval,
  setTimeout,
  wrapCallbacks,
};

// "node:<name>" is made per isolate, when a worker imports it.
internals.nodeModule = nodeModule;

/** @param {string} name Without "node:". @returns {Record<string, any>} */
function nodeModule(name) {
  return core.loadExtScript("ext:beryl/node_modules.js").exportsOf(name);
}

/** Adds what `nodejs_compat` adds to globalThis; called before the worker's modules run. */
export function installNodeGlobals() {
  defineLazy("Buffer", () => nodeModule("buffer").Buffer);
  defineLazy("process", () => nodeModule("process").default);
  defineLazy("setImmediate", () => nodeModule("timers").setImmediate);
  defineLazy("clearImmediate", () => nodeModule("timers").clearImmediate);
  define("global", globalThis);
  if (!hasFlag("enable_nodejs_global_timers")) return;
  const timeouts = () => core.loadExtScript("ext:beryl/node_timeout.js");
  defineLazy("setInterval", () => timeouts().setInterval);
  defineLazy("setTimeout", () => timeouts().setTimeout);
}
