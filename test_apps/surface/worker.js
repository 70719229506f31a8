// Walks everything a worker can reach by name, for the table in docs/compat.md: globals with the
// members of their classes and objects, and what the modules of the runtime export.

/** What the engine brings along, or what is no API. */
const ENGINE = new Set(
  ("Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String " +
    "Symbol Date Promise RegExp Error AggregateError EvalError RangeError ReferenceError " +
    "SyntaxError TypeError URIError SuppressedError globalThis JSON Math Intl ArrayBuffer " +
    "Atomics Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float16Array " +
    "Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map " +
    "BigInt Set Iterator WeakMap WeakSet WeakRef Proxy Reflect FinalizationRegistry " +
    "DisposableStack AsyncDisposableStack decodeURI decodeURIComponent encodeURI " +
    "encodeURIComponent escape unescape eval isFinite isNaN SharedArrayBuffer Temporal console " +
    "WebAssembly ShadowRealm").split(" "),
);

const NODE = (
  "assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram " +
  "diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector " +
  "inspector/promises module net os path path/posix path/win32 perf_hooks process punycode " +
  "querystring readline readline/promises repl sqlite stream stream/consumers stream/promises " +
  "stream/web string_decoder sys test timers timers/promises tls trace_events tty url util " +
  "util/types v8 vm wasi worker_threads zlib"
).split(" ").map((name) => `node:${name}`);

const PLATFORM = ["workers", "sockets", "email", "workflows", "node"]
  .map((name) => `cloudflare:${name}`);

/** Objects whose members count, by how they are reached. */
const OBJECTS = {
  "crypto.subtle": () => crypto.subtle,
  "caches.default": () => caches.default,
  console: () => console,
  WebAssembly: () => WebAssembly,
};

const IGNORED = new Set([
  "constructor",
  "length",
  "name",
  "prototype",
  "caller",
  "arguments",
  "__proto__",
]);

function own(value) {
  return Object.getOwnPropertyNames(value).filter((name) => !IGNORED.has(name));
}

function isStub(Class) {
  try {
    new Class();
  } catch (error) {
    return String(error?.message).includes("is not supported by Beryl");
  }
  return false;
}

/** Names of the members of a class or an object; null for what is not really there. */
function members(value) {
  if (typeof value === "function") {
    if (value.prototype === undefined) return [];
    if (isStub(value)) return null;
    return [...own(value).map((name) => `static ${name}`), ...own(value.prototype)].sort();
  }
  if (typeof value !== "object" || value === null) return [];
  const names = new Set(own(value));
  let prototype = Object.getPrototypeOf(value);
  while (prototype !== null && prototype !== Object.prototype) {
    for (const name of own(prototype)) names.add(name);
    prototype = Object.getPrototypeOf(prototype);
  }
  return [...names].sort();
}

function membersOf(reach) {
  try {
    return members(reach());
  } catch {
    return null;
  }
}

function globals() {
  const found = {};
  const names = own(globalThis).filter((name) => !ENGINE.has(name));
  for (const name of names) {
    // The global scope refers to itself by several names.
    found[name] = membersOf(() => globalThis[name] === globalThis ? 0 : globalThis[name]);
  }
  let scope = Object.getPrototypeOf(globalThis);
  while (scope !== null && scope !== Object.prototype) {
    for (const name of own(scope)) found[name] ??= membersOf(() => globalThis[name]);
    scope = Object.getPrototypeOf(scope);
  }
  for (const name in OBJECTS) found[name] = membersOf(OBJECTS[name]);
  return found;
}

async function modules(names) {
  const found = {};
  for (const name of names) {
    try {
      const namespace = await import(name);
      found[name] = Object.keys(namespace).filter((key) => key !== "default").sort();
    } catch {
      found[name] = null;
    }
  }
  return found;
}

export default {
  async fetch() {
    return Response.json({
      globals: globals(),
      node: await modules(NODE),
      platform: await modules(PLATFORM),
    });
  },
};
