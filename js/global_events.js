// The global scope as an event target, and what nobody caught as its events. Hardly any worker
// listens; without a listener everything goes to the log.

import { core, primordials } from "ext:core/mod.js";
import { reportUncaught } from "ext:beryl/console.js";
import { define } from "ext:beryl/define.js";

const { SafeMap, MapPrototypeGet, MapPrototypeSet, TypeError } = primordials;

/** What tells the listeners, once there was one; null until then. */
let tell = null;
let target = null;
/** @type {Map<string, number>} How often a listener was added, by type. */
const added = new SafeMap();

/** @param {() => {EventTarget: Function}} events Loads the classes. */
export function defineEventTarget(events) {
  const call = (name, args) => {
    target ??= new (events().EventTarget)();
    return target[name](...args);
  };
  define("addEventListener", function addEventListener(...args) {
    const type = `${args[0]}`;
    MapPrototypeSet(added, type, (MapPrototypeGet(added, type) ?? 0) + 1);
    call("addEventListener", args);
  });
  define("removeEventListener", function removeEventListener(...args) {
    call("removeEventListener", args);
  });
  define("dispatchEvent", function dispatchEvent(...args) {
    return call("dispatchEvent", args);
  });
}

function hasListener(type) {
  return MapPrototypeGet(added, type) !== undefined;
}

function told() {
  return tell ??= core.loadExtScript("ext:beryl/uncaught_events.js").teller(target);
}

/** What user code threw where nobody could catch it. @param {unknown} error */
export function reportThrown(error) {
  if (hasListener("error") && told().error(error)) return;
  reportUncaught(error);
}

/** `reportError()`. @param {unknown} error */
export function reportError(error) {
  if (arguments.length === 0) {
    throw new TypeError(
      "Failed to execute 'reportError' on 'ServiceWorkerGlobalScope': parameter 1 is not of " +
        "type 'Value'.",
    );
  }
  reportThrown(error);
}

/**
 * A promise was rejected with nobody listening, or one that was has a listener now.
 * @param {unknown} reason
 * @param {Promise<unknown>} promise
 * @param {boolean} [isHandled]
 */
export function reportRejection(reason, promise, isHandled = false) {
  const type = isHandled ? "rejectionhandled" : "unhandledrejection";
  if (hasListener(type) && told().rejection(type, reason, promise)) return;
  if (!isHandled) reportUncaught(reason);
}
