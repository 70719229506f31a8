// CommonJS modules of a bundle: `require`, and the one run of each module.

import { core, internals, primordials } from "ext:core/mod.js";

const { ops } = core;
const {
  Error,
  FunctionPrototypeCall,
  MapPrototypeDelete,
  MapPrototypeGet,
  MapPrototypeSet,
  ObjectHasOwn,
  ReflectGet,
  SafeMap,
  StringPrototypeIncludes,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
} = primordials;

/** @type {Map<string, {path: string, exports: any}>} Modules that ran or run, by name. */
const modules = new SafeMap();

/**
 * @param {string} name
 * @returns {() => unknown} Runs the module unless it ran, and gives its exports.
 */
export function prepareCommonJs(name) {
  return () => run(name);
}

// `createRequire` of node:module.
internals.createRequire = (name) => (specifier) => requireFrom(name, `${specifier}`);

function run(name) {
  const known = MapPrototypeGet(modules, name);
  if (known !== undefined) return known.exports;
  const path = `/${name}`;
  const module = { path, exports: {} };
  // Before it runs, so that modules that require each other see what is exported so far.
  MapPrototypeSet(modules, name, module);
  const require = (specifier) => requireFrom(name, specifier);
  const folder = StringPrototypeSlice(path, 0, StringPrototypeLastIndexOf(path, "/"));
  try {
    const body = ops.op_modules_compile(name);
    FunctionPrototypeCall(body, {}, module.exports, require, module, path, folder || "/");
  } catch (error) {
    MapPrototypeDelete(modules, name);
    throw error;
  }
  return module.exports;
}

function requireFrom(referrer, specifier) {
  const text = `${specifier}`;
  const { 0: name, 1: url } = ops.op_modules_find(text, referrer);
  if (url === "") {
    if (name === "") throw new Error(`No such module "${text}".`);
    return run(name);
  }
  const namespace = importNow(url);
  // As the platform since 2026-01-22: what a module exports by default is what it is.
  return ObjectHasOwn(namespace, "default") ? ReflectGet(namespace, "default") : namespace;
}

function importNow(url) {
  try {
    return ops.op_import_sync(url);
  } catch (error) {
    if (StringPrototypeIncludes(`${error?.message}`, "Top-level await is not allowed")) {
      throw new Error("Top-level await in module is not permitted at this time.");
    }
    throw error;
  }
}
