// `ctx.exports`: the worker's own entrypoints and classes, as bindings (DO-36).

import { core, primordials } from "ext:core/mod.js";
import { DurableObject } from "ext:beryl/actor.js";
import { answerProbe, cloneOf, kProbe } from "ext:beryl/capability.js";
import { DurableObjectClass } from "ext:beryl/facets.js";
import { WorkerEntrypoint } from "ext:beryl/entrypoint.js";
import { namespaceKey } from "ext:beryl/bindings.js";
import { environment } from "ext:beryl/env.js";
import { makeNamespace } from "ext:beryl/namespace.js";
import { makeStub } from "ext:beryl/stub.js";

const { ops } = core;
const {
  ArrayPrototypePush,
  ObjectFreeze,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototypeIsPrototypeOf,
  Proxy,
} = primordials;

let exported = { __proto__: null };
let bindings = null;

/** @returns {Record<string, any>} The main module's exports. */
export function exportsOf() {
  return exported;
}

/** @param {object} namespace The main module's namespace. */
export function setExports(namespace) {
  exported = namespace;
  const classes = [];
  const entrypoints = [];
  const others = [];
  const names = ObjectKeys(namespace);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    if (isActorClass(namespace[name])) ArrayPrototypePush(classes, name);
    else if (isEntrypoint(namespace[name])) ArrayPrototypePush(entrypoints, name);
    else if (typeof namespace[name] === "function") ArrayPrototypePush(others, name);
  }
  ops.op_actor_exports(classes, entrypoints, others);
}

/** @returns {object} The same object at every call. */
export function loopbacks() {
  bindings ??= makeLoopbacks();
  return bindings;
}

function makeLoopbacks() {
  const result = {};
  // The bindings say which classes have namespaces; those of a dynamic worker have none.
  environment();
  const names = ObjectKeys(exported);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const value = exported[name];
    if (isActorClass(value)) {
      const key = namespaceKey(name);
      result[name] = key === undefined
        ? DurableObjectClass.loopback(name)
        : makeNamespace(name, key);
    } else if (isEntrypoint(value)) {
      result[name] = makeLoopback(name);
    }
  }
  return ObjectFreeze(result);
}

/** A stub that can be called to give it props. */
function makeLoopback(name) {
  const entry = name === "default" ? "" : name;
  const native = () => ops.op_stub_own(entry, undefined);
  const stub = makeStub(native);
  const call = (options) => {
    const props = cloneOf(options?.props ?? {});
    return makeStub(() => ops.op_stub_own(entry, props));
  };
  return new Proxy(call, {
    __proto__: null,
    get(_, property) {
      if (property !== kProbe) return stub[property];
      return answerProbe({ type: "LoopbackServiceStub", native, isFixed: true });
    },
    getPrototypeOf: () => ObjectGetPrototypeOf(stub),
    has: (_, name) => name in stub,
  });
}

function isActorClass(value) {
  return typeof value === "function" &&
    ObjectPrototypeIsPrototypeOf(DurableObject.prototype, value.prototype);
}

function isEntrypoint(value) {
  if (typeof value === "object") return value !== null;
  return typeof value === "function" &&
    ObjectPrototypeIsPrototypeOf(WorkerEntrypoint.prototype, value.prototype);
}
