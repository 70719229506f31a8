// Stubs of live objects, and the calls that all stubs send (RPC-3, RPC-20).

import { core, primordials } from "ext:core/mod.js";
import {
  answerProbe, kProbe, LIVE, pack, registerMaker, stubHandle, takeArrived,
} from "ext:beryl/capability.js";
import { adopt, letGo } from "ext:beryl/context.js";
import { hasGiven } from "ext:beryl/given.js";
import { lend, lendable } from "ext:beryl/lent.js";
import { open, promiseOf } from "ext:beryl/pending.js";
import {
  callable, makePromise, makeProperty, registerPipeline, Traps,
} from "ext:beryl/rpc_promise.js";

const { ops } = core;
const {
  Error, ObjectPrototype, PromiseReject, Proxy, ReflectDefineProperty, ReflectGet, SymbolDispose,
  SymbolToStringTag, TypeError,
} = primordials;

const OTHER_REQUEST = "Cannot perform I/O on behalf of a different request. I/O objects (such as " +
  "streams, request/response bodies, and others) created in the context of one request handler " +
  "cannot be accessed from a different request's handler. This is a limitation of Cloudflare " +
  "Workers which allows us to improve overall performance. (I/O type: JsRpcStub)";

// What op_stub_pipeline says.
const SENT = 1;
const TO_PACK = 2;

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
  constructor(handle, isTied) {
    super();
    this.handle = handle;
    this.event = isTied ? adopt(this) : 0;
    this.isLost = false;
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
    if (this.isLost) throw new Error(OTHER_REQUEST);
    if (this.handle === null) throw new Error("RPC stub used after being disposed.");
    return this.handle;
  }

  send(path, args) {
    return makePromise(call(() => this.native(), path, args));
  }

  sendNow(path, args) {
    return call(() => this.native(), path, args).promise;
  }

  dispose() {
    if (this.handle === null) return;
    if (this.event !== 0) letGo(this.event, this);
    ops.op_stub_dispose(this.handle);
    this.handle = null;
  }

  /** Its event is over. */
  lose() {
    this.event = 0;
    this.dispose();
    this.isLost = true;
  }
}

function makeLiveStub(handle, isTied = true) {
  return new Proxy(callable, new LiveTraps(handle, isTied));
}

registerMaker(LIVE, (handle) => makeLiveStub(handle));

/**
 * A duplicate that outlives the event.
 * @param {any} stub A live stub.
 */
export function kept(stub) {
  return makeLiveStub(ops.op_stub_dup(stubHandle(stub)), false);
}

/**
 * Sends a call; what is wrong with it fails as a promise too (RPC-3).
 * @param {() => object} native
 * @param {string[]} path
 * @param {unknown[] | undefined} args Undefined to read a property.
 * @returns {import("./rpc_promise.js").Sent}
 */
export function call(native, path, args) {
  try {
    const handle = native();
    const slot = open();
    if (path.length === 1) {
      const { 0: method } = path;
      if (hasGiven() || !ops.op_stub_call(handle, slot, method, args, false)) {
        pack(args, (copy, is) => ops.op_stub_call(handle, slot, method, copy, is));
      }
    } else if (hasGiven() || !ops.op_stub_call_path(handle, slot, path, args, false)) {
      pack(args, (copy, is) => ops.op_stub_call_path(handle, slot, path, copy, is));
    }
    return { slot, promise: promiseOf(slot, resultOf) };
  } catch (error) {
    return { slot: 0, promise: PromiseReject(error) };
  }
}

registerPipeline((before, path, args) => {
  // What is refused here is sent later, so nothing may be given away.
  if (hasGiven()) return null;
  try {
    const slot = open();
    let done = ops.op_stub_pipeline(before, slot, path, args, false);
    if (done === TO_PACK) {
      done = pack(args, (copy) => ops.op_stub_pipeline(before, slot, path, copy, true));
    }
    return done === SENT ? { slot, promise: promiseOf(slot, resultOf) } : null;
  } catch (error) {
    return { slot: 0, promise: PromiseReject(error) };
  }
});

/** @param {() => object} native */
export function sender(native) {
  return {
    send: (path, args) => makePromise(call(native, path, args)),
    sendNow: (path, args) => call(native, path, args).promise,
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
