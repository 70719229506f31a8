// Stubs of live objects, and the calls that all stubs send (RPC-3, RPC-20).

import { core, primordials } from "ext:core/mod.js";
import {
  answerProbe, kProbe, LIVE, pack, registerMaker, takeArrived,
} from "ext:beryl/capability.js";
import { lend, lendable } from "ext:beryl/lent.js";
import { open, promiseOf } from "ext:beryl/pending.js";
import { callable, makePromise, makeProperty, Traps } from "ext:beryl/rpc_promise.js";

const { ops } = core;
const {
  Error, ObjectPrototype, PromiseReject, Proxy, ReflectDefineProperty, ReflectGet, SymbolDispose,
  SymbolToStringTag, TypeError,
} = primordials;

export class RpcStub {
  /** @param {object | Function} target A plain object, a function or an RpcTarget. */
  constructor(target) {
    if (typeof target !== "function" && (typeof target !== "object" || target === null)) {
      throw new TypeError(
        "Failed to construct 'JsRpcStub': constructor parameter 1 is not of type 'Object'.",
      );
    }
    if (!lendable(target)) {
      throw new TypeError(
        "RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.",
      );
    }
    return makeLiveStub(ops.op_capability_stub(lend(target)));
  }

  get [SymbolToStringTag]() {
    return "JsRpcStub";
  }
}

class LiveTraps extends Traps {
  constructor(handle) {
    super();
    this.handle = handle;
  }

  apply(_target, _receiver, args) {
    return this.send([], args);
  }

  get(_target, name) {
    if (typeof name === "symbol") {
      if (name === kProbe) return answerProbe(this.reference());
      if (name === SymbolDispose) return () => this.dispose();
      return ReflectGet(RpcStub.prototype, name);
    }
    // A stub is not a promise, although any name can be a method.
    if (name === "then") return undefined;
    if (name === "dup") return () => makeLiveStub(ops.op_stub_dup(this.native()));
    if (name in ObjectPrototype) return ReflectGet(RpcStub.prototype, name);
    return makeProperty(this, [name]);
  }

  getPrototypeOf() {
    return RpcStub.prototype;
  }

  reference() {
    const native = () => this.native();
    return { type: "RpcStub", native, isFixed: false, dispose: () => this.dispose() };
  }

  native() {
    if (this.handle === null) throw new Error("RPC stub used after being disposed.");
    return this.handle;
  }

  send(path, args) {
    return makePromise(this.sendNow(path, args));
  }

  sendNow(path, args) {
    return call(() => this.native(), path, args);
  }

  dispose() {
    if (this.handle === null) return;
    ops.op_stub_dispose(this.handle);
    this.handle = null;
  }
}

function makeLiveStub(handle) {
  return new Proxy(callable, new LiveTraps(handle));
}

registerMaker(LIVE, makeLiveStub);

/**
 * Sends a call; what is wrong with it fails as a promise too (RPC-3).
 * @param {() => object} native
 * @param {string[]} path
 * @param {unknown[] | undefined} args Undefined to read a property.
 * @returns {Promise<any>}
 */
export function call(native, path, args) {
  try {
    const handle = native();
    const slot = open();
    if (path.length === 1) {
      const { 0: method } = path;
      if (!ops.op_stub_call(handle, slot, method, args, false)) {
        ops.op_stub_call(handle, slot, method, pack(args), true);
      }
    } else if (!ops.op_stub_call_path(handle, slot, path, args, false)) {
      ops.op_stub_call_path(handle, slot, path, pack(args), true);
    }
    return promiseOf(slot, resultOf);
  } catch (error) {
    return PromiseReject(error);
  }
}

/** @param {() => object} native */
export function sender(native) {
  return {
    send: (path, args) => makePromise(call(native, path, args)),
    sendNow: (path, args) => call(native, path, args),
  };
}

/** Gives a result the disposer of all that came with it (RPC-20). */
function resultOf(value) {
  const arrived = takeArrived();
  if (typeof value !== "object" || value === null || core.isProxy(value)) return value;
  ReflectDefineProperty(value, SymbolDispose, {
    __proto__: null,
    value: () => disposeAll(arrived),
    configurable: true,
    enumerable: false,
    writable: true,
  });
  return value;
}

/** @param {any[] | null} stubs */
export function disposeAll(stubs) {
  if (stubs === null) return;
  for (let i = 0; i < stubs.length; i++) stubs[i][SymbolDispose]();
}
