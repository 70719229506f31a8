// The modules of a WorkerCode: their forms and the platform's errors for them (WL-14 to WL-18).

import { core, primordials } from "ext:core/mod.js";
import { unsupported } from "ext:beryl/errors.js";

const { ops } = core;
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeSlice,
  ArrayPrototypePush,
  JSONStringify,
  ObjectKeys,
  ObjectPrototypeIsPrototypeOf,
  String,
  StringPrototypeEndsWith,
  TypedArrayPrototypeSet,
  TypeError,
  Uint8Array,
  ArrayBufferPrototype,
} = primordials;

const FIELDS = ["js", "cjs", "text", "data", "json", "py", "wasm"];

/**
 * @param {Record<string, unknown>} modules
 * @param {string} main
 * @returns {unknown[]} `[name, kind, content, ...]`
 */
export function moduleList(modules, main) {
  if (typeof modules !== "object" || modules === null) {
    throw new TypeError(
      "Incorrect type for the 'modules' field on 'WorkerCode': the provided value is not of " +
        "type 'object'.",
    );
  }
  const list = [];
  const names = ObjectKeys(modules);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const value = modules[name];
    const { 0: kind, 1: content } = typeof value === "string"
      ? ofString(name, value)
      : ofObject(name, value);
    if (kind === "py") refusePython(name, main);
    ArrayPrototypePush(list, name, kind, content);
  }
  return list;
}

function ofString(name, text) {
  if (StringPrototypeEndsWith(name, ".js")) return ["js", text];
  if (StringPrototypeEndsWith(name, ".py")) return ["py", text];
  // The platform refuses TypeScript; here its types are taken out.
  if (StringPrototypeEndsWith(name, ".ts") || StringPrototypeEndsWith(name, ".mts")) {
    return ["ts", text];
  }
  let message = "Module name must end with '.js' or '.py' (or the content must be an object " +
    `indicating the type explicitly). Got: ${name}`;
  if (StringPrototypeEndsWith(name, ".tsx") || StringPrototypeEndsWith(name, ".jsx")) {
    message += ". If you're trying to load TypeScript, bundle it first with " +
      "'@cloudflare/worker-bundler' and pass the generated JavaScript modules.";
  }
  throw new TypeError(message);
}

function refusePython(name, main) {
  if (StringPrototypeEndsWith(main, ".py")) throw unsupported(`Python (module '${name}')`);
  throw new TypeError(
    `Module "${name}" is a Python module, but the main module isn't a Python module.`,
  );
}

function ofObject(name, value) {
  if (isWasmModule(value)) return ["wasm", wasmBytes(name, value)];
  const fields = [];
  if (typeof value === "object" && value !== null) {
    for (let i = 0; i < FIELDS.length; i++) {
      if (value[FIELDS[i]] !== undefined) ArrayPrototypePush(fields, FIELDS[i]);
    }
  }
  if (fields.length !== 1) {
    throw new TypeError(
      "Each module must contain exactly one of 'js', 'cjs', 'text', 'data', 'json', 'py', or " +
        `'wasm'. Module '${name}' contained ${fields.length} properties.`,
    );
  }
  const kind = fields[0];
  const content = value[kind];
  switch (kind) {
    case "js":
    case "cjs":
    case "py":
    case "text":
      return [kind, String(content)];
    case "json":
      return [kind, JSONStringify(content) ?? "undefined"];
    case "wasm":
      return [kind, wasmBytes(name, content)];
    default:
      return [kind, copyBytes(name, kind, content)];
  }
}

function isWasmModule(value) {
  return typeof value === "object" && value !== null && ops.op_loader_wasm_bytes(value) !== null;
}

/** V8 finds the code that it compiled from the same bytes, so they are all that is passed on. */
function wasmBytes(name, content) {
  const bytes = typeof content === "object" && content !== null
    ? ops.op_loader_wasm_bytes(content)
    : null;
  return bytes ?? copyBytes(name, "wasm", content);
}

/** A copy, so that the caller can do with the buffer what it likes (WL-17). */
function copyBytes(name, kind, content) {
  if (ArrayBufferIsView(content)) {
    const source = new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
    const copy = new Uint8Array(source.length);
    TypedArrayPrototypeSet(copy, source);
    return copy;
  }
  if (ObjectPrototypeIsPrototypeOf(ArrayBufferPrototype, content)) {
    return new Uint8Array(ArrayBufferPrototypeSlice(content, 0));
  }
  throw new TypeError(
    `Incorrect type for the '${kind}' field on 'Module' ('${name}'): the provided value is not ` +
      "an ArrayBuffer or a view of one.",
  );
}
