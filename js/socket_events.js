// What a WebSocket heard, on its way to listeners or to the class of its actor.

import { core } from "ext:core/mod.js";
import { actorOf } from "ext:beryl/actor.js";
import { reportUncaught } from "ext:beryl/console.js";
import { tellInstance } from "ext:beryl/hibernation.js";
import { setCurrentEvent } from "ext:beryl/pending.js";
import { tellListeners } from "ext:beryl/websocket.js";

const { ops } = core;

/** Added to what a socket heard that belongs to an actor's class. */
const HIBERNATABLE = 8;

/**
 * @param {number} event
 * @param {number} actor 0 for a stateless worker.
 */
export function takeSocketEvent(event, actor) {
  setCurrentEvent(event, actor);
  const heard = ops.op_websocket_event(event);
  if (heard === null) return;
  const { 0: id, 1: kind, 2: a, 3: b } = heard;
  const done = () => ops.op_websocket_done(event);
  if (kind < HIBERNATABLE) {
    tellListeners(actor, id, kind, a, b);
    return done();
  }
  try {
    const { instance } = actorOf(actor);
    tellInstance(instance, actor, { id, kind: kind - HIBERNATABLE, a, b }, done);
  } catch (error) {
    reportUncaught(error);
    done();
  }
}
