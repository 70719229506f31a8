// The way in: Rust calls `dispatch` for every event, and `start` once the worker's modules ran.

import { core, primordials } from "ext:core/mod.js";
import { runAlarm } from "ext:beryl/alarms.js";
import { actorHex, actorOf, constructActor, forgetActor } from "ext:beryl/actor.js";
import { packResult, takeArrived, unpack } from "ext:beryl/capability.js";
import { answered } from "ext:beryl/context.js";
import { enter, entryOf, entrypoint, isStateless } from "ext:beryl/entry.js";
import { environment } from "ext:beryl/env.js";
import { forgetHolds, survey } from "ext:beryl/eviction.js";
import { setExports } from "ext:beryl/exports.js";
import { borrowed, forgetLent, isTarget, lend, lendDisposer, returned } from "ext:beryl/lent.js";
import { wakeFacet } from "ext:beryl/facets.js";
import { hasGiven } from "ext:beryl/given.js";
import { currentActor, forgetWaits, setCurrentEvent, settle } from "ext:beryl/pending.js";
import { incomingRequest } from "ext:beryl/request.js";
import { sendResponse } from "ext:beryl/response.js";
import { callMethod, invoke, invokeEntry } from "ext:beryl/rpc.js";
import { disposeAll } from "ext:beryl/rpc_stub.js";
import { thrownClone } from "ext:beryl/rpc_values.js";
import { runScheduled } from "ext:beryl/scheduled.js";
import { enterSection, forgetSections, leaveSection } from "ext:beryl/section.js";
import { takeTest } from "ext:beryl/testing.js";
import { takeSocketEvent } from "ext:beryl/socket_events.js";
import { errorParts } from "ext:beryl/thrown.js";
import { fireTimer, forgetTimers } from "ext:beryl/timers.js";

const { ops } = core;
const {
  ArrayPrototypePush, Error, FunctionPrototypeCall, PromisePrototypeThen, PromiseResolve,
  SymbolDispose,
} = primordials;

// What happened; the numbers are those of `worker::event::Delivery`.
export const FETCH = 0;
export const CALL = 1;
export const CONSTRUCT = 2;
const SETTLE = 3;
const TIMER = 4;
export const FORGET = 5;
const INVOKE = 6;
const RETURNED = 7;
const SOCKET = 8;
const ALARM = 10;
const WAKE_FACET = 11;
const SURVEY = 12;
const SCHEDULED = 13;
const ENTER = 14;
const LEAVE = 15;
const TEST = 16;

// What op_dispatch_return says; 1 if nothing is left to do.
const TO_PACK = 0;
const WAITED_FOR = 2;

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
      setCurrentEvent(a, b);
      return constructActor(a, b, fail);
    case SETTLE:
      return settle(a, b);
    case TIMER:
      return fireTimer(a);
    case FORGET:
      return forget(a);
    case INVOKE:
      return takeInvoke(a, b);
    case RETURNED:
      return returned(a);
    case ENTER:
      return enterSection(a);
    case LEAVE:
      return leaveSection(a);
    case ALARM:
      setCurrentEvent(a, b);
      return runAlarm(a, b, fail);
    case WAKE_FACET:
      setCurrentEvent(a, b);
      return wakeFacet(a, b, fail);
    case SURVEY:
      return survey();
    case SCHEDULED:
      enter(a, b);
      return runScheduled(a, () => entrypoint("default", undefined), fail);
    case TEST:
      enter(a, b);
      return takeTest(a, isStateless(b) && b !== 0, fail);
    case SOCKET:
      return takeSocketEvent(a, isStateless(b) ? 0 : b);
  }
}

/** Lets go of everything an actor that is gone still has here. @param {number} actor */
function forget(actor) {
  forgetActor(actor);
  forgetHolds(actor);
  forgetLent(actor);
  forgetSections(actor);
  forgetTimers(actor);
  forgetWaits(actor);
}

/** @param {object} namespace The main module's exports. */
export function start(namespace) {
  setExports(namespace);
}

function takeFetch(event, actor) {
  enter(event, actor);
  const request = incomingRequest(event);
  let result;
  try {
    result = isStateless(actor)
      ? fetchStateless(event, actor, request)
      : fetchActor(actor, request);
    // The promise of a call is a function.
    if (typeof result === "function") result = PromiseResolve(result);
    if (!core.isPromise(result)) {
      sendResponse(event, result, request);
      return answered(event);
    }
  } catch (error) {
    fail(event, error);
    return answered(event);
  }
  PromisePrototypeThen(
    result,
    (response) => {
      try {
        sendResponse(event, response, request);
      } catch (error) {
        fail(event, error);
      }
      answered(event);
    },
    (error) => {
      fail(event, error);
      answered(event);
    },
  );
}

function fetchStateless(event, actor, request) {
  const { 0: name, 1: props } = entryOf(event, actor);
  return fetchEntrypoint(request, name, props);
}

function fetchEntrypoint(request, name, props) {
  const { handler, ctx } = entrypoint(name, props);
  const { fetch } = handler;
  if (typeof fetch !== "function") {
    throw new Error("Handler does not export a fetch() function.");
  }
  return FunctionPrototypeCall(fetch, handler, request, environment(), ctx);
}

function fetchActor(actor, request) {
  const { instance } = actorOf(actor);
  const { fetch } = instance;
  if (typeof fetch !== "function") {
    throw new Error("Handler does not export a fetch() function.");
  }
  return FunctionPrototypeCall(fetch, instance, request);
}

function takeCall(event, actor) {
  enter(event, actor);
  let result;
  let stubs = null;
  try {
    const { 0: method, 1: plain, 2: packed } = ops.op_dispatch_call(event);
    let args = plain;
    if (packed !== undefined) {
      args = unpack(packed);
      stubs = takeArrived();
    }
    if (isStateless(actor)) {
      const { 0: name, 1: props } = entryOf(event, actor);
      const { handler, ctx } = entrypoint(name, props);
      result = callMethod(handler, method, args, { env: environment(), ctx });
    } else {
      result = callMethod(actorOf(actor).instance, method, args, null);
    }
  } catch (error) {
    fail(event, error);
    return over(event, stubs);
  }
  answerLater({ event, context: event, actor }, result, stubs);
}

/** A call through a path, or of something that was lent. */
function takeInvoke(event, actor) {
  enter(event, actor);
  let context = event;
  let result;
  let stubs = null;
  try {
    const { 0: target, 1: path, 2: plain, 3: packed } = ops.op_dispatch_invoke(event);
    const lent = target === 0 ? null : borrowed(target);
    if (lent !== null && lent.event !== 0) {
      context = lent.event;
      enter(context, actor);
    }
    let args = plain;
    if (packed !== undefined) {
      args = unpack(packed);
      stubs = takeArrived();
    }
    result = lent === null ? invokeOwn(event, actor, path, args) : invoke(lent.target, path, args);
  } catch (error) {
    fail(event, error);
    return over(event, stubs);
  }
  answerLater({ event, context, actor }, result, stubs);
}

/** A call through a path that begins at an entrypoint or an actor. */
function invokeOwn(event, actor, path, args) {
  if (!isStateless(actor)) return invokeEntry(actorOf(actor).instance, path, args, null);
  const { 0: name, 1: props } = entryOf(event, actor);
  const { handler, ctx } = entrypoint(name, props);
  return invokeEntry(handler, path, args, { env: environment(), ctx });
}

/** Answers a call once its result is known; then the stubs among its arguments are over. */
function answerLater({ event, context, actor }, result, stubs) {
  PromisePrototypeThen(
    PromiseResolve(result),
    (value) => {
      // Another event may have settled the result.
      enter(context, actor);
      let isWaitedFor = false;
      try {
        isWaitedFor = answerCall(event, value, () => over(event, stubs));
      } catch (error) {
        fail(event, error);
      }
      if (!isWaitedFor) over(event, stubs);
    },
    (error) => {
      enter(context, actor);
      fail(event, error);
      over(event, stubs);
    },
  );
}

/** A call is answered: what came with it is over, and so is its event. */
function over(event, stubs) {
  disposeAll(stubs);
  answered(event);
}

/**
 * @param {() => void} ended Called after the calls that waited for the value.
 * @returns {boolean} Whether there are such calls.
 */
function answerCall(event, value, ended) {
  const hasDisposer = typeof value === "object" && value !== null && !core.isProxy(value) &&
    !isTarget(value) && typeof value[SymbolDispose] === "function";
  const disposer = hasDisposer ? lendDisposer(value) : undefined;
  if (!hasDisposer && !hasGiven()) {
    const done = ops.op_dispatch_return(event, value, undefined, false);
    if (done !== TO_PACK) return runWaiting(done, value, [ended]);
  }
  const send = (copy, is) => ops.op_dispatch_return(event, copy, disposer, is);
  const { sent, moved } = packResult(value, send);
  if (sent !== WAITED_FOR) {
    for (let i = 0; i < moved.length; i++) moved[i]();
    return false;
  }
  ArrayPrototypePush(moved, ended);
  return runWaiting(sent, value, moved);
}

/** Those who waited for a value get it as a loan that disposes of nothing. */
function runWaiting(done, value, moved) {
  if (done !== WAITED_FOR) return false;
  ops.op_dispatch_run_waiting(lend(value, true, moved));
  return true;
}

/** Answers an event with what its handler threw. */
function fail(event, error) {
  const { name, message, stack, code, limit, used, place, isRemote } = errorParts(error);
  const value = thrownClone(error, actorHex(currentActor()));
  ops.op_dispatch_fail(event, name, message, stack, code, limit, used, place, isRemote, value);
}
