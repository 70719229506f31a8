// Stubs: what a worker holds to reach another entrypoint by `fetch` and by RPC.

import { core, primordials } from "ext:core/mod.js";
import { currentEvent, open, promiseOf } from "ext:beryl/pending.js";
import { requestParts } from "ext:beryl/request.js";
import { nativeResponse } from "ext:beryl/response.js";

const { ops } = core;
const {
  ObjectHasOwn,
  ObjectPrototype,
  PromisePrototypeThen,
  PromiseReject,
  Proxy,
  ReflectGet,
  SymbolToStringTag,
  TypeError,
} = primordials;

const kInternal = Symbol("internal");

/** The class of all stubs; `handle` gives the native handle at first use. */
export class Fetcher {
  #handle;

  constructor(internal, handle) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#handle = handle;
  }

  get [SymbolToStringTag]() {
    return "Fetcher";
  }

  static fetch(stub, input, init) {
    const parts = requestParts(input, init);
    const slot = open();
    const promise = promiseOf(slot, nativeResponse);
    ops.op_stub_fetch(
      stub.#handle(),
      slot,
      parts.event,
      currentEvent(),
      parts.method ?? "",
      parts.url ?? "",
      parts.headers,
      parts.body,
    );
    return promise;
  }

  static call(stub, method, args) {
    const slot = open();
    const promise = promiseOf(slot);
    ops.op_stub_call(stub.#handle(), slot, method, args);
    return promise;
  }
}

const sendFetch = Fetcher.fetch;
const sendCall = Fetcher.call;
delete Fetcher.fetch;
delete Fetcher.call;

/**
 * @param {() => object} handle Gives the native handle; called at the first use.
 * @param {object} [fields] Own properties of the stub, e.g. `id`.
 * @param {object} [prototype] A class of stubs, by its prototype.
 * @returns {any}
 */
export function makeStub(handle, fields = undefined, prototype = Fetcher.prototype) {
  let native = null;
  const target = new Fetcher(kInternal, () => native ??= handle());
  const members = {
    __proto__: null,
    ...fields,
    fetch: (input, init) => attempt(() => sendFetch(target, input, init)),
    // A stub is not a promise, although any name can be a method.
    then: undefined,
  };
  return new Proxy(target, {
    __proto__: null,
    get(_, name) {
      if (typeof name === "symbol") return ReflectGet(prototype, name);
      if (ObjectHasOwn(members, name)) return members[name];
      // What every object has is the stub's own.
      if (name in ObjectPrototype) return ReflectGet(prototype, name);
      return rpcMember(target, name);
    },
    getPrototypeOf: () => prototype,
    has: () => true,
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
  });
}

/** A method to call, or a property to await. */
function rpcMember(target, name) {
  const member = (...args) => attempt(() => sendCall(target, name, args));
  member.then = (resolve, reject) =>
    PromisePrototypeThen(attempt(() => sendCall(target, name, undefined)), resolve, reject);
  return member;
}

/** What fails at once fails as a promise too. */
function attempt(send) {
  try {
    return send();
  } catch (error) {
    return PromiseReject(error);
  }
}
