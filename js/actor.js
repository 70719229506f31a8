// DurableObject, its `ctx`, and the instances that live in this isolate.

import { core, primordials } from "ext:core/mod.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { reportUncaught } from "ext:beryl/console.js";
import { unpack } from "ext:beryl/capability.js";
import { environment } from "ext:beryl/env.js";
import { holdUntil } from "ext:beryl/eviction.js";
import { exportsOf, loopbacks } from "ext:beryl/exports.js";
import { makeFacets } from "ext:beryl/facets.js";
import {
  acceptWebSocket,
  autoResponse,
  autoResponseTime,
  eventTimeout,
  setAutoResponse,
  setEventTimeout,
  webSocketTags,
  webSockets,
} from "ext:beryl/hibernation.js";
import { idParts, makeId } from "ext:beryl/namespace.js";
import { inSection } from "ext:beryl/section.js";
import { forgetSockets } from "ext:beryl/sockets.js";
import { makeStorage } from "ext:beryl/storage.js";

const { ops } = core;
const {
  Error,
  MapPrototypeDelete,
  MapPrototypeGet,
  MapPrototypeSet,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  SafeMap,
  String,
  TypeError,
} = primordials;

const kInternal = Symbol("internal");

/** @type {Map<number, {instance: any, ctx: DurableObjectState}>} */
const actors = new SafeMap();

export class DurableObject {
  /**
   * @param {DurableObjectState} ctx
   * @param {object} env
   */
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class DurableObjectState {
  #actor;
  #storage = null;
  #facets = null;

  constructor(internal, actor, id, props) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#actor = actor;
    this.id = id;
    this.props = props;
  }

  get storage() {
    this.#storage ??= makeStorage(this.#actor);
    return this.#storage;
  }

  get facets() {
    this.#facets ??= makeFacets(this.#actor);
    return this.#facets;
  }

  get exports() {
    void this.#actor;
    return hasFlag("enable_ctx_exports") ? loopbacks() : undefined;
  }

  /** @param {unknown} promise Its failure is logged. */
  waitUntil(promise) {
    holdUntil(promise, this.#actor, reportUncaught);
  }

  /**
   * Holds other events back until the callback is done; what it throws resets the object.
   * @template T
   * @param {() => T | Promise<T>} callback
   * @returns {Promise<T>}
   */
  blockConcurrencyWhile(callback) {
    const actor = this.#actor;
    if (typeof callback !== "function") {
      return PromiseReject(
        new TypeError(
          "Failed to execute 'blockConcurrencyWhile' on 'DurableObjectState': parameter 1 is not " +
            "of type 'function'.",
        ),
      );
    }
    try {
      return inSection(actor, callback);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  /**
   * Resets the object: what is not committed is lost, and no code of it runs on.
   * @param {unknown} [reason]
   * @param {{retryAlarm?: boolean}} [options]
   */
  abort(reason = undefined, options = undefined) {
    if (options?.retryAlarm === false) ops.op_alarms_give_up(this.#actor);
    const message = reason === undefined
      ? "Application called abort() to reset Durable Object."
      : String(reason);
    ops.op_actor_abort(this.#actor, message);
    // The engine ends this loop; the caller never runs on.
    for (;;);
  }

  /** @param {WebSocket} socket @param {string[]} [tags] */
  acceptWebSocket(socket, tags = undefined) {
    acceptWebSocket(this.#actor, socket, tags);
  }

  /** @param {string} [tag] @returns {WebSocket[]} */
  getWebSockets(tag = undefined) {
    return webSockets(this.#actor, tag);
  }

  /** @param {WebSocket} socket @returns {string[]} */
  getTags(socket) {
    void this.#actor;
    return webSocketTags(socket);
  }

  /** @param {WebSocketRequestResponsePair} [pair] */
  setWebSocketAutoResponse(pair = undefined) {
    setAutoResponse(this.#actor, pair);
  }

  /** @returns {WebSocketRequestResponsePair | null} */
  getWebSocketAutoResponse() {
    return autoResponse(this.#actor);
  }

  /** @param {WebSocket} socket @returns {Date | null} */
  getWebSocketAutoResponseTimestamp(socket) {
    void this.#actor;
    return autoResponseTime(socket);
  }

  /** @param {number} [timeout] Milliseconds. */
  setHibernatableWebSocketEventTimeout(timeout = undefined) {
    setEventTimeout(this.#actor, timeout);
  }

  /** @returns {number | null} Milliseconds. */
  getHibernatableWebSocketEventTimeout() {
    return eventTimeout(this.#actor);
  }
}

/**
 * @param {number} event
 * @param {number} actor
 * @param {(event: number, error: unknown) => void} fail
 */
export function constructActor(event, actor, fail) {
  try {
    const { 0: className, 1: props, 2: id, 3: name, 4: packed, 5: key } =
      ops.op_actor_describe(actor);
    const identity = name === undefined ? id : makeId(key, id, name ?? undefined);
    const given = packed === undefined ? props : unpack(packed);
    const ctx = new DurableObjectState(kInternal, actor, identity, given);
    const instance = new (exportsOf()[className])(ctx, environment());
    MapPrototypeSet(actors, actor, { instance, ctx });
  } catch (error) {
    return fail(event, error);
  }
  ops.op_dispatch_constructed(event);
}

/** @param {number} actor */
export function actorOf(actor) {
  const entry = MapPrototypeGet(actors, actor);
  if (entry === undefined) throw new Error("The Durable Object's instance is gone.");
  return entry;
}

/** @param {number} actor @returns {any} Undefined while it is constructed. */
export function instanceOf(actor) {
  return MapPrototypeGet(actors, actor)?.instance;
}

/**
 * @param {number} actor 0 for none.
 * @returns {string | undefined} The digits of its id, if that is one of a namespace.
 */
export function actorHex(actor) {
  const entry = MapPrototypeGet(actors, actor);
  return entry === undefined ? undefined : idParts(entry.ctx.id)?.hex;
}

/** @param {number} actor */
export function forgetActor(actor) {
  forgetSockets(actor);
  MapPrototypeDelete(actors, actor);
}
