// The receiving side of RPC: which members of an entrypoint a caller can reach (RPC-4 to RPC-8).

import { primordials } from "ext:core/mod.js";
import { DurableObject } from "ext:beryl/actor.js";
import { isStub } from "ext:beryl/capability.js";
import { WorkerEntrypoint } from "ext:beryl/entrypoint.js";
import { callTail, isTail } from "ext:beryl/tail.js";
import { isTarget } from "ext:beryl/lent.js";

const {
  ArrayPrototypeSlice,
  FunctionPrototypeCall,
  ObjectHasOwn,
  ObjectPrototype,
  ObjectPrototypeIsPrototypeOf,
  ReflectApply,
  TypeError,
} = primordials;

/** Members of an entrypoint that are no methods. */
const RESERVED = {
  __proto__: null,
  alarm: true,
  connect: true,
  constructor: true,
  dup: true,
  fetch: true,
  webSocketClose: true,
  webSocketError: true,
  webSocketMessage: true,
};

/**
 * @param {any} receiver
 * @param {string} method
 * @param {unknown[] | undefined} args Undefined to read a property.
 * @param {{env: object, ctx: object} | null} context What a plain handler object gets besides.
 */
export function callMethod(receiver, method, args, context) {
  if (isTail(method)) return callTail(receiver, method, args, context);
  if (RESERVED[method] === true) {
    throw new TypeError(`'${method}' is a reserved method and cannot be called over RPC.`);
  }
  const isEntrypoint = ObjectPrototypeIsPrototypeOf(WorkerEntrypoint.prototype, receiver);
  const isActor = ObjectPrototypeIsPrototypeOf(DurableObject.prototype, receiver);
  if (!isEntrypoint && !isActor) return callPlain(receiver, method, args, context);
  if (isHidden(receiver, method)) throw missing(method);
  const member = receiver[method];
  if (args === undefined) return member;
  if (typeof member !== "function") throw new TypeError(`"${method}" is not a function.`);
  return ReflectApply(member, receiver, args);
}

/**
 * A call through a path that begins at an entrypoint.
 * @param {any} receiver
 * @param {string[]} path
 * @param {unknown[] | undefined} args
 * @param {{env: object, ctx: object} | null} context As for `callMethod`.
 */
export function invokeEntry(receiver, path, args, context) {
  const member = callMethod(receiver, path[0], undefined, context);
  return invoke(member, ArrayPrototypeSlice(path, 1), args);
}

/**
 * A call through a path that begins at something that is used by reference (RPC-9).
 * @param {any} target
 * @param {string[]} path Empty to call the target itself.
 * @param {unknown[] | undefined} args Undefined to read a property.
 */
export function invoke(target, path, args) {
  let object;
  let member = target;
  for (let i = 0; i < path.length; i++) {
    object = member;
    member = memberOf(object, path[i], path[i - 1]);
  }
  if (args === undefined) return member;
  if (typeof member !== "function") {
    throw new TypeError(`"${path[path.length - 1] ?? ""}" is not a function.`);
  }
  return ReflectApply(member, object, args);
}

const USE_CLASS = "use class-based syntax (extending WorkerEntrypoint) instead.";

/** What a caller may see of an object that is no entrypoint (RPC-4, RPC-5). */
function memberOf(object, name, nameOfObject) {
  // A stub of ours answers for itself.
  if (isStub(object)) return object[name];
  if (typeof object !== "function" && (typeof object !== "object" || object === null)) {
    throw missing(nameOfObject ?? name);
  }
  if (!isTarget(object)) {
    if (!ObjectHasOwn(object, name)) throw missing(name);
    return object[name];
  }
  if (name === "dup" || name === "constructor") {
    throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  }
  if (isHidden(object, name)) throw missing(name);
  return object[name];
}

/** What the instance holds itself is private; only the class is the interface. */
function isHidden(object, name) {
  return ObjectHasOwn(object, name) || !(name in object) ||
    (name in ObjectPrototype && object[name] === ObjectPrototype[name]);
}

function callPlain(receiver, method, args, context) {
  if (context === null) {
    throw new TypeError(
      "The receiving Durable Object does not support RPC, because its class was not declared " +
        "with `extends DurableObject`. In order to enable RPC, make sure your class extends " +
        "the special class `DurableObject`, which can be imported from the module " +
        '"cloudflare:workers".',
    );
  }
  if (!ObjectHasOwn(receiver, method)) throw missing(method);
  const member = receiver[method];
  if (args === undefined) return member;
  if (typeof member !== "function") throw new TypeError(`"${method}" is not a function.`);
  if (member.length > 3) {
    throw new TypeError(
      `Cannot call handler function "${method}" over RPC because it has the wrong number of ` +
        "arguments. A simple function handler can only be called over RPC if it has exactly " +
        "the arguments (arg, env, ctx), where only the first argument comes from the client. " +
        `To support multi-argument RPC functions, ${USE_CLASS}`,
    );
  }
  if (args.length !== 1) {
    throw new TypeError(
      `Attempted to call RPC function "${method}" with the wrong number of arguments. When ` +
        "calling a top-level handler function that is not declared as part of a class, you " +
        "must always send exactly one argument. In order to support variable numbers of " +
        `arguments, the server must ${USE_CLASS}`,
    );
  }
  return FunctionPrototypeCall(member, receiver, args[0], context.env, context.ctx);
}

/** @param {string} name @returns {TypeError} */
export function missing(name) {
  return new TypeError(`The RPC receiver does not implement the method "${name}".`);
}
