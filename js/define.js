// How globals are put on globalThis.

import { primordials } from "ext:core/mod.js";

const { ObjectDefineProperty } = primordials;

/** A global like those of the platform: not enumerable. */
export function define(name, value) {
  ObjectDefineProperty(globalThis, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

export function defineGetter(name, get) {
  ObjectDefineProperty(globalThis, name, {
    __proto__: null,
    get,
    enumerable: false,
    configurable: true,
  });
}

/** A global that is made when it is first read and is an ordinary property from then on. */
export function defineLazy(name, make) {
  ObjectDefineProperty(globalThis, name, {
    __proto__: null,
    get() {
      const value = make();
      define(name, value);
      return value;
    },
    set(value) {
      define(name, value);
    },
    enumerable: false,
    configurable: true,
  });
}
