// The modules of a WorkerCode: their forms and the platform's errors for them (WL-14 to WL-18).

import { primordials } from "ext:core/mod.js";
import { unsupported } from "ext:beryl/errors.js";

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
    throw new TypeError("Missing field 'modules' on 'WorkerCode'.");
  }
  const list = [];
  const names = ObjectKeys(modules);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const value = modules[name];
    const { 0: kind, 1: content } = typeof value === "string"
      ? ofString(name, value)
      : ofObject(name, value, main);
    ArrayPrototypePush(list, name, kind, content);
  }
  return list;
}

function ofString(name, text) {
  if (StringPrototypeEndsWith(name, ".js")) return ["js", text];
  if (StringPrototypeEndsWith(name, ".py")) throw unsupported("Python");
  let message = "Module name must end with '.js' or '.py' (or the content must be an object " +
    `indicating the type explicitly). Got: ${name}`;
  if (
    StringPrototypeEndsWith(name, ".ts") || StringPrototypeEndsWith(name, ".tsx") ||
    StringPrototypeEndsWith(name, ".jsx")
  ) {
    message += ". If you're trying to load TypeScript, bundle it first with " +
      "'@cloudflare/worker-bundler' and pass the generated JavaScript modules.";
  }
  throw new TypeError(message);
}

function ofObject(name, value, _main) {
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
    case "text":
      return [kind, String(content)];
    case "json":
      return [kind, JSONStringify(content)];
    case "data":
      return [kind, copyBytes(name, content)];
    default:
      throw unsupported(`A module of type '${kind}' ('${name}')`);
  }
}

/** A copy, so that the caller can do with the buffer what it likes (WL-17). */
function copyBytes(name, content) {
  if (ArrayBufferIsView(content)) {
    const source = new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
    const copy = new Uint8Array(source.length);
    TypedArrayPrototypeSet(copy, source);
    return copy;
  }
  if (ObjectPrototypeIsPrototypeOf(ArrayBufferPrototype, content)) {
    return new Uint8Array(ArrayBufferPrototypeSlice(content, 0));
  }
  throw new TypeError(`Module '${name}': 'data' must be an ArrayBuffer or a view of one.`);
}
