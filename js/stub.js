// Stubs: what a worker holds to reach another entrypoint by `fetch` and by RPC.

import { core, primordials } from "ext:core/mod.js";
import { answerProbe, ENTRYPOINT, kProbe, registerMaker } from "ext:beryl/capability.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { sendFetch } from "ext:beryl/fetch.js";
import { makeProperty } from "ext:beryl/rpc_promise.js";
import { sender } from "ext:beryl/rpc_stub.js";

const { ops } = core;
const {
  ObjectHasOwn,
  ObjectPrototype,
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
    return sendFetch(stub.#handle, input, init);
  }
}

const fetchThrough = Fetcher.fetch;
delete Fetcher.fetch;

/**
 * @param {() => object} handle Gives the native handle; called at the first use.
 * @param {object} [fields] Own properties of the stub, e.g. `id`.
 * @param {object} [prototype] A class of stubs, by its prototype.
 * @returns {any}
 */
export function makeStub(handle, fields = undefined, prototype = Fetcher.prototype) {
  let native = null;
  const ready = () => native ??= handle();
  const target = new Fetcher(kInternal, ready);
  const reference = { type: "Fetcher", native: ready, isFixed: false };
  const rpc = sender(ready);
  const members = {
    __proto__: null,
    ...fields,
    fetch: (input, init) => attempt(() => fetchThrough(target, input, init)),
    // A stub is not a promise, although any name can be a method.
    then: undefined,
  };
  return new Proxy(target, {
    __proto__: null,
    get(_, name) {
      if (typeof name === "symbol") {
        if (name === kProbe) return answerProbe(reference);
        return ReflectGet(prototype, name);
      }
      if (ObjectHasOwn(members, name)) return members[name];
      // What every object has is the stub's own.
      if (name in ObjectPrototype) return ReflectGet(prototype, name);
      return hasFlag("rpc") ? makeProperty(rpc, [name]) : undefined;
    },
    getPrototypeOf: () => prototype,
    // Any name can be a method, a symbol cannot.
    has: (_, name) => (typeof name !== "symbol" && hasFlag("rpc")) || name in prototype,
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
  });
}

registerMaker(ENTRYPOINT, (handle) => makeStub(() => handle));

/** What fails at once fails as a promise too. */
function attempt(send) {
  try {
    return send();
  } catch (error) {
    return PromiseReject(error);
  }
}
