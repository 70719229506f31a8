// The bindings of a configured worker: its `env`, and which of its classes have namespaces.

import { core, primordials } from "ext:core/mod.js";
import { cloneOf } from "ext:beryl/capability.js";
import { unsupported } from "ext:beryl/errors.js";
import { DurableObjectClass } from "ext:beryl/facets.js";
import { WorkerLoader } from "ext:beryl/loader.js";
import { makeBinding } from "ext:beryl/namespace.js";
import { makeStub } from "ext:beryl/stub.js";

const { ops } = core;
const { JSONParse, ObjectDefineProperty, ObjectHasOwn, ObjectKeys } = primordials;

/** Unique keys by class; null if every class has a namespace, undefined if none has. */
let classes = undefined;

/**
 * @param {string} description What Rust says about the bindings.
 * @returns {object} The worker's `env`.
 */
export function makeBindings(description) {
  const described = JSONParse(description);
  const env = described.values;
  classes = described.classes;
  each(described.loaders, (_, name) => env[name] = new WorkerLoader());
  each(described.namespaces, (name, key) => env[name] = makeBinding(key));
  each(described.services, (name, props) => {
    env[name] = makeStub(() => ops.op_bindings_service(name, cloneOf(props)));
  });
  each(described.actorClasses, (name, props) => {
    env[name] = DurableObjectClass.bound(name, props ?? undefined);
  });
  each(described.data, (name, text) => env[name] = ops.op_base64_decode(text).buffer);
  each(described.unsupported, (name, kind) => {
    ObjectDefineProperty(env, name, {
      __proto__: null,
      get() {
        throw unsupported(`the ${kind} binding ${name}`);
      },
      enumerable: true,
      configurable: true,
    });
  });
  return env;
}

/**
 * @param {string} className A class of this worker.
 * @returns {string | undefined} The unique key of its namespace, if it has one.
 */
export function namespaceKey(className) {
  if (classes === undefined) return undefined;
  if (classes === null) return className;
  return ObjectHasOwn(classes, className) ? classes[className] : undefined;
}

function each(object, take) {
  const names = ObjectKeys(object);
  for (let i = 0; i < names.length; i++) take(names[i], object[names[i]]);
}
