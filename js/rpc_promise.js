// Promises of calls and properties of what is elsewhere (RPC-1, RPC-9, RPC-17).
//
// Both are proxies of one function, because any name can be a member and each can be called. What
// is asked of a promise before it is settled waits for it here and goes on from its value, in the
// order it was asked.

import { core, primordials } from "ext:core/mod.js";
import { answerProbe, kProbe } from "ext:beryl/capability.js";
import { missing } from "ext:beryl/rpc.js";

const {
  ArrayPrototypePush, ArrayPrototypeSlice, Error, ObjectHasOwn, ObjectPrototype,
  PromisePrototypeCatch, PromisePrototypeFinally, PromisePrototypeThen, PromiseReject, Proxy,
  ReflectApply, ReflectGet, SymbolDispose, SymbolToStringTag, TypeError,
} = primordials;

/** Properties a path may go through (RPC-9). */
const DEPTH_MAX = 64;

/** What all proxies are proxies of. */
export const callable = () => {};

export class RpcPromise {
  constructor() {
    throw new TypeError("Illegal constructor");
  }

  get [SymbolToStringTag]() {
    return "JsRpcPromise";
  }
}

export class RpcProperty {
  constructor() {
    throw new TypeError("Illegal constructor");
  }

  get [SymbolToStringTag]() {
    return "JsRpcProperty";
  }
}

/** What all these proxies have in common. */
export class Traps {
  has() {
    return true;
  }

  set() {
    return false;
  }

  defineProperty() {
    return false;
  }

  deleteProperty() {
    return false;
  }

  ownKeys() {
    return [];
  }

  getOwnPropertyDescriptor() {
    return undefined;
  }
}

/** The members of a promise, which properties have too. */
function thenable(name, promise) {
  switch (name) {
    case "then":
      return (resolve, reject) => PromisePrototypeThen(promise(), resolve, reject);
    case "catch":
      return (reject) => PromisePrototypeCatch(promise(), reject);
    case "finally":
      return (done) => PromisePrototypeFinally(promise(), done);
  }
}

class PropertyTraps extends Traps {
  constructor(sender, path) {
    super();
    this.sender = sender;
    this.path = path;
  }

  apply(_target, _receiver, args) {
    return this.sender.send(this.path, args);
  }

  get(_target, name) {
    if (typeof name === "symbol") {
      if (name === kProbe) return answerProbe({ type: "RpcProperty", isFixed: true });
      return ReflectGet(RpcProperty.prototype, name);
    }
    const member = thenable(name, () => this.sender.sendNow(this.path, undefined));
    if (member !== undefined) return member;
    if (name in ObjectPrototype) return ReflectGet(RpcProperty.prototype, name);
    const path = ArrayPrototypeSlice(this.path);
    ArrayPrototypePush(path, name);
    return makeProperty(this.sender, path);
  }

  getPrototypeOf() {
    return RpcProperty.prototype;
  }
}

/**
 * @param {{send: Function, sendNow: Function}} sender `send` gives an RpcPromise, `sendNow` the
 *   promise itself.
 * @param {string[]} path
 * @returns {any}
 */
export function makeProperty(sender, path) {
  if (path.length > DEPTH_MAX + 1) {
    throw new TypeError(`RPC pipelined property path is too deep (max ${DEPTH_MAX}).`);
  }
  return new Proxy(callable, new PropertyTraps(sender, path));
}

/** @type {(slot: number, path: string[], args: unknown[] | undefined) => Sent | null} */
let sendOn;

/**
 * @typedef {{slot: number, promise: Promise<any>}} Sent The promise of a call, and the number under
 *   which others can be sent after it; 0 if none can.
 * @param {typeof sendOn} send Sends a call on a result that is not known yet; null if it must wait.
 */
export function registerPipeline(send) {
  sendOn = send;
}

class PromiseTraps extends Traps {
  constructor({ slot, promise }) {
    super();
    this.promise = promise;
    this.slot = slot;
    this.isDisposed = false;
  }

  apply(_target, _receiver, args) {
    return this.send([], args);
  }

  get(_target, name) {
    if (typeof name === "symbol") {
      if (name === kProbe) return answerProbe({ type: "RpcPromise", isFixed: true });
      if (name === SymbolDispose) return () => this.dispose();
      return ReflectGet(RpcPromise.prototype, name);
    }
    const member = thenable(name, () => this.used());
    if (member !== undefined) return member;
    if (name in ObjectPrototype) return ReflectGet(RpcPromise.prototype, name);
    return makeProperty(this, [name]);
  }

  getPrototypeOf() {
    return RpcPromise.prototype;
  }

  send(path, args) {
    return makePromise(this.sent(path, args));
  }

  sendNow(path, args) {
    return this.sent(path, args).promise;
  }

  sent(path, args) {
    const sent = this.slot === 0 || this.isDisposed ? null : sendOn(this.slot, path, args);
    if (sent !== null) {
      // Its failure is that of the call on it as well.
      PromisePrototypeThen(this.promise, undefined, () => {});
      return sent;
    }
    // What comes after a call that waits here waits as well.
    this.slot = 0;
    const promise = PromisePrototypeThen(this.used(), (value) => follow(value, path, args));
    return { slot: 0, promise };
  }

  used() {
    if (!this.isDisposed) return this.promise;
    return PromiseReject(new Error("RPC promise used after being disposed."));
  }

  dispose() {
    if (this.isDisposed) return;
    this.isDisposed = true;
    PromisePrototypeThen(this.promise, disposeValue, () => {});
  }
}

/** @param {Sent} sent @returns {any} */
export function makePromise(sent) {
  return new Proxy(callable, new PromiseTraps(sent));
}

/** Goes on from the value of a call that others wait for. */
function follow(value, path, args) {
  let at = 0;
  while (at < path.length && !core.isProxy(value)) {
    const name = path[at];
    if (typeof value !== "object" || value === null) throw missing(path[at - 1] ?? name);
    if (!ObjectHasOwn(value, name)) throw missing(name);
    value = value[name];
    at++;
  }
  // Only stubs are proxies in what arrived; the rest of the path is theirs.
  for (; at < path.length; at++) value = value[path[at]];
  if (args === undefined) return value;
  if (typeof value !== "function") {
    throw new TypeError(`"${path[path.length - 1] ?? ""}" is not a function.`);
  }
  return ReflectApply(value, undefined, args);
}

function disposeValue(value) {
  if (typeof value === "function" || (typeof value === "object" && value !== null)) {
    value[SymbolDispose]?.();
  }
}
