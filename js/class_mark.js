// Objects that stand for classes which facets can be made of.

import { primordials } from "ext:core/mod.js";

const { SafeWeakMap, WeakMapPrototypeGet, WeakMapPrototypeSet } = primordials;

/** @type {WeakMap<object, {handle: () => object, fixed: string | null}>} */
const classes = new SafeWeakMap();

/**
 * Lets `object` stand for a class.
 * @param {() => object} handle
 * @param {string | null} fixed The type of an object that cannot be sent.
 */
export function markClass(object, handle, fixed = null) {
  WeakMapPrototypeSet(classes, object, { handle, fixed });
}

/** @returns {{handle: () => object, fixed: string | null} | undefined} */
export function classMark(object) {
  return WeakMapPrototypeGet(classes, object);
}

/** @returns {(() => object) | undefined} */
export function classHandle(object) {
  return classMark(object)?.handle;
}
