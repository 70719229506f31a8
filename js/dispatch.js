// The way in: Rust calls `dispatch` for every event, and `start` once the worker's modules ran.

import { core, primordials } from "ext:core/mod.js";
import { actorOf, constructActor, forgetActor } from "ext:beryl/actor.js";
import { ExecutionContext, WorkerEntrypoint } from "ext:beryl/entrypoint.js";
import { environment } from "ext:beryl/env.js";
import { exportsOf, loopbacks, setExports } from "ext:beryl/exports.js";
import { setCurrentEvent, settle } from "ext:beryl/pending.js";
import { incomingRequest } from "ext:beryl/request.js";
import { sendResponse } from "ext:beryl/response.js";
import { callMethod } from "ext:beryl/rpc.js";
import { errorParts } from "ext:beryl/thrown.js";
import { fireTimer } from "ext:beryl/timers.js";

const { ops } = core;
const {
  Error,
  FunctionPrototypeCall,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
} = primordials;

// What happened; the numbers are those of `worker::event::Delivery`.
const FETCH = 0;
const CALL = 1;
const CONSTRUCT = 2;
const SETTLE = 3;
const TIMER = 4;
const FORGET = 5;

/** A stateless event whose entrypoint has a name or props. */
const NAMED = 0xffff_ffff;

/** The entrypoint of a stateless event that has neither: `[export name, props]`. */
const DEFAULT_ENTRY = ["default", undefined];

/** @param {number} actor 0 or `NAMED` where there is none. */
function isStateless(actor) {
  return actor === 0 || actor === NAMED;
}

/**
 * Takes one event.
 * @param {number} kind
 * @param {number} a
 * @param {number} b
 */
export function dispatch(kind, a, b) {
  switch (kind) {
    case FETCH:
      return takeFetch(a, b);
    case CALL:
      return takeCall(a, b);
    case CONSTRUCT:
      setCurrentEvent(a);
      return constructActor(a, b, fail);
    case SETTLE:
      return settle(a);
    case TIMER:
      return fireTimer(a);
    case FORGET:
      return forgetActor(a);
  }
}

/** @param {object} namespace The main module's exports. */
export function start(namespace) {
  setExports(namespace);
}

function takeFetch(event, actor) {
  setCurrentEvent(event);
  let result;
  try {
    result = isStateless(actor) ? fetchStateless(event, actor) : fetchActor(event, actor);
    if (!core.isPromise(result)) return sendResponse(event, result);
  } catch (error) {
    return fail(event, error);
  }
  PromisePrototypeThen(
    result,
    (response) => {
      try {
        sendResponse(event, response);
      } catch (error) {
        fail(event, error);
      }
    },
    (error) => fail(event, error),
  );
}

function fetchStateless(event, actor) {
  const { 0: name, 1: props } = entryOf(event, actor);
  return fetchEntrypoint(event, name, props);
}

/** The export a stateless event is for, with its props. */
function entryOf(event, actor) {
  if (actor !== NAMED) return DEFAULT_ENTRY;
  const entry = ops.op_dispatch_entry(event);
  if (entry[0] === "") entry[0] = "default";
  return entry;
}

function fetchEntrypoint(event, name, props) {
  const { handler, ctx } = entrypoint(name, props);
  const { fetch } = handler;
  if (typeof fetch !== "function") {
    throw new Error("Handler does not export a fetch() function.");
  }
  const request = incomingRequest(event);
  return FunctionPrototypeCall(fetch, handler, request, environment(), ctx);
}

/** @returns {{handler: any, ctx: ExecutionContext}} */
function entrypoint(name, props) {
  const handler = exportsOf()[name];
  const ctx = new ExecutionContext(loopbacks, props);
  if (typeof handler === "function") {
    if (!ObjectPrototypeIsPrototypeOf(WorkerEntrypoint.prototype, handler.prototype)) {
      throw noEntrypoint(name);
    }
    return { handler: new handler(ctx, environment()), ctx };
  }
  if (typeof handler !== "object" || handler === null) throw noEntrypoint(name);
  return { handler, ctx };
}

function noEntrypoint(name) {
  return new Error(
    name === "default"
      ? "Worker has no default entrypoint."
      : `Worker has no such entrypoint: ${name}`,
  );
}

function fetchActor(event, actor) {
  const { instance } = actorOf(actor);
  const { fetch } = instance;
  if (typeof fetch !== "function") {
    throw new Error("Handler does not export a fetch() function.");
  }
  return FunctionPrototypeCall(fetch, instance, incomingRequest(event));
}

function takeCall(event, actor) {
  setCurrentEvent(event);
  let result;
  try {
    const { 0: method, 1: args } = ops.op_dispatch_call(event);
    if (isStateless(actor)) {
      const { 0: name, 1: props } = entryOf(event, actor);
      const { handler, ctx } = entrypoint(name, props);
      result = callMethod(handler, method, args, { env: environment(), ctx });
    } else {
      result = callMethod(actorOf(actor).instance, method, args, null);
    }
  } catch (error) {
    return fail(event, error);
  }
  PromisePrototypeThen(
    PromiseResolve(result),
    (value) => {
      try {
        ops.op_dispatch_return(event, value);
      } catch (error) {
        fail(event, error);
      }
    },
    (error) => fail(event, error),
  );
}

/** Answers an event with what its handler threw. */
function fail(event, error) {
  const { name, message, stack, code, isRemote } = errorParts(error);
  ops.op_dispatch_fail(event, name, message, stack, code, isRemote);
}
