// `ctx.facets`: named child actors with their own databases (workers.md section 2).

import { core, primordials } from "ext:core/mod.js";
import { CLASS, cloneOf, registerMaker } from "ext:beryl/capability.js";
import { classHandle, markClass } from "ext:beryl/class_mark.js";
import { actorOf } from "ext:beryl/actor.js";
import { idParts } from "ext:beryl/namespace.js";
import { makeStub } from "ext:beryl/stub.js";
import { errorParts } from "ext:beryl/thrown.js";

const { ops } = core;
const {
  FunctionPrototypeCall,
  ObjectSetPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
  String,
  TypeError,
} = primordials;

const kInternal = Symbol("internal");

/** A class token: good for nothing but being a facet's class. */
export class DurableObjectClass {
  constructor(internal) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
  }

  /** A class that the worker itself exports, with props. */
  static own(name, props = undefined) {
    const clone = props === undefined ? undefined : cloneOf(props);
    return makeClass(() => ops.op_facets_own_class(name, clone));
  }

  /** A class that the configuration binds. */
  static bound(name, props) {
    const clone = props === undefined ? undefined : cloneOf(props);
    return makeClass(() => ops.op_bindings_class(name, clone));
  }

  /** A class of a dynamic worker. */
  static loaded(worker, name, props, limits) {
    const clone = props === undefined ? undefined : cloneOf(props);
    return makeClass(() => ops.op_facets_loaded_class(worker, name, clone, limits));
  }

  /** Lets a namespace stand for its class. */
  static mark(namespace, name) {
    const handle = () => ops.op_facets_own_class(name, undefined);
    markClass(namespace, handle, "LoopbackDurableObjectNamespace");
  }

  /** A class that the worker itself exports; callable to give it props. */
  static loopback(name) {
    const call = (options) => DurableObjectClass.own(name, options?.props ?? {});
    ObjectSetPrototypeOf(call, DurableObjectClass.prototype);
    const handle = () => ops.op_facets_own_class(name, undefined);
    markClass(call, handle, "LoopbackDurableObjectClass");
    return call;
  }
}

function makeClass(handle) {
  const token = new DurableObjectClass(kInternal);
  let native = null;
  markClass(token, () => native ??= handle());
  return token;
}

registerMaker(CLASS, (handle) => makeClass(() => handle));

export class DurableObjectFacets {
  #actor;

  constructor(internal, actor) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#actor = actor;
  }

  /**
   * @param {string} name
   * @param {() => object | Promise<object>} getStartupOptions Called when the facet must start.
   */
  get(name, getStartupOptions) {
    const text = String(name);
    if (typeof getStartupOptions !== "function") {
      throw new TypeError(
        "Failed to execute 'get' on 'DurableObjectFacets': parameter 2 is not of type 'function'.",
      );
    }
    const actor = this.#actor;
    ops.op_facets_check(actor, text);
    return makeStub(() => {
      const { 0: stub, 1: slot } = ops.op_facets_bind(actor, text);
      if (slot !== null) startFacet(slot, getStartupOptions);
      return stub;
    });
  }

  /**
   * @param {string} name
   * @param {unknown} reason What whoever uses the facet's stubs gets.
   */
  abort(name, reason) {
    const { name: errorName, message } = errorParts(reason);
    ops.op_facets_abort(this.#actor, String(name), errorName, message);
  }

  /**
   * Gives `to` the data of `from` and of the facets below it, in place of its own.
   * @param {string} from
   * @param {string} to
   */
  clone(from, to) {
    ops.op_facets_clone(this.#actor, String(from), String(to));
  }

  /** @returns {string[]} The facets that run or have data; an extension of the platform. */
  list() {
    return ops.op_facets_list(this.#actor);
  }

  /** @param {string} name */
  delete(name) {
    ops.op_facets_delete(this.#actor, String(name));
  }
}

/** @returns {DurableObjectFacets} */
export function makeFacets(actor) {
  return new DurableObjectFacets(kInternal, actor);
}

/**
 * A facet's alarm is due, but nobody started the facet yet: the supervisor is asked for its class
 * as `facets.get()` would ask.
 * @param {number} event
 * @param {number} actor
 * @param {(event: number, error: unknown) => void} fail
 */
export function wakeFacet(event, actor, fail) {
  try {
    const name = ops.op_facets_to_wake(event);
    const { instance } = actorOf(actor);
    const { getFacetStartupOptions: ask } = instance;
    if (typeof ask !== "function") return ops.op_facets_woken(event, false);
    const { 1: slot } = ops.op_facets_bind(actor, name);
    if (slot !== null) startFacet(slot, () => FunctionPrototypeCall(ask, instance, name));
    ops.op_facets_woken(event, true);
  } catch (error) {
    fail(event, error);
  }
}

function startFacet(slot, getStartupOptions) {
  const fail = (error) => {
    const { name, message } = errorParts(error);
    ops.op_facets_fail(slot, name, message);
  };
  let options;
  try {
    options = getStartupOptions();
  } catch (error) {
    return fail(error);
  }
  PromisePrototypeThen(PromiseResolve(options), (options) => {
    try {
      start(slot, options);
    } catch (error) {
      fail(error);
    }
  }, fail);
}

function start(slot, options) {
  const handle = typeof options === "object" && options !== null
    ? classHandle(options.class)
    : undefined;
  if (handle === undefined) {
    throw new TypeError(
      "Incorrect type for the 'class' field on 'StartupOptions': the provided value is not of " +
        "type 'DurableObjectClass'.",
    );
  }
  const { id } = options;
  if (id === undefined) return ops.op_facets_start(slot, handle(), null, null, null);
  const parts = idParts(id);
  if (parts === null) return ops.op_facets_start(slot, handle(), String(id), null, null);
  ops.op_facets_start(slot, handle(), parts.hex, id.name ?? null, parts.key);
}
