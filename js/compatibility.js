// Compatibility flags: those that change what our own code does, and `Cloudflare`.

import { core, primordials } from "ext:core/mod.js";

const { ops } = core;
const { MapPrototypeGet, MapPrototypeSet, ObjectFreeze, SafeMap } = primordials;

/** @type {Map<string, boolean>} */
const known = new SafeMap();

/**
 * @param {string} name The name that enables the flag.
 * @returns {boolean}
 */
export function hasFlag(name) {
  let isOn = MapPrototypeGet(known, name);
  if (isOn === undefined) {
    isOn = ops.op_compatibility_has(name);
    MapPrototypeSet(known, name, isOn);
  }
  return isOn;
}

/** @returns {object} `globalThis.Cloudflare`. */
export function makeCloudflare() {
  const list = ops.op_compatibility_all();
  const compatibilityFlags = {};
  for (let i = 0; i < list.length; i += 2) compatibilityFlags[list[i]] = list[i + 1];
  return ObjectFreeze({ compatibilityFlags: ObjectFreeze(compatibilityFlags) });
}
