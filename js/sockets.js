// The sockets that hear something in this isolate, and how their listeners are called.

import { core, primordials } from "ext:core/mod.js";
import { reportUncaught } from "ext:beryl/console.js";
import { failureOfListeners, load } from "ext:beryl/web.js";

const { ops } = core;
const {
  FunctionPrototypeCall, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, SafeMap,
} = primordials;

/** Sockets by the number of their actor, 0 for none, and their own. */
const actors = new SafeMap();

/**
 * @param {number} actor
 * @param {number} id
 * @param {WebSocket} socket
 */
export function keepSocket(actor, id, socket) {
  let sockets = MapPrototypeGet(actors, actor);
  if (sockets === undefined) {
    sockets = new SafeMap();
    MapPrototypeSet(actors, actor, sockets);
  }
  MapPrototypeSet(sockets, id, socket);
}

/**
 * @param {number} actor
 * @param {number} id
 * @returns {WebSocket | undefined}
 */
export function keptSocket(actor, id) {
  const sockets = MapPrototypeGet(actors, actor);
  return sockets === undefined ? undefined : MapPrototypeGet(sockets, id);
}

/** @param {number} actor @param {number} id */
export function forgetSocket(actor, id) {
  const sockets = MapPrototypeGet(actors, actor);
  if (sockets !== undefined) MapPrototypeDelete(sockets, id);
}

/** @param {number} actor It is gone, and its sockets are no longer heard here. */
export function forgetSockets(actor) {
  MapPrototypeDelete(actors, actor);
}

/** A listener that throws ends the connection, as on the platform. */
export function fire(socket, handle, event) {
  const failure = dispatchTo(socket, event);
  if (failure === null) return;
  if (handle !== null) ops.op_websocket_drop(handle);
  fail(socket, failure.error);
}

/** @param {WebSocket} socket @param {unknown} error */
export function fail(socket, error) {
  const { ErrorEvent } = load("02_event.js");
  const message = `Uncaught ${error}`;
  const failure = dispatchTo(socket, new ErrorEvent("error", { error, message }));
  if (failure !== null) reportUncaught(failure.error);
}

/** @returns {{error: unknown} | null} What a listener threw first. */
function dispatchTo(socket, event) {
  const { EventTarget, setTarget } = load("02_event.js");
  const on = socket[`on${event.type}`];
  return failureOfListeners(() => {
    if (typeof on === "function") {
      setTarget(event, socket);
      FunctionPrototypeCall(on, socket, event);
    }
    FunctionPrototypeCall(EventTarget.prototype.dispatchEvent, socket, event);
  });
}
