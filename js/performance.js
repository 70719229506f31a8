// performance: the platform's clock. Marks and measures are loaded when they are first used.

import { core, primordials } from "ext:core/mod.js";
import { load } from "ext:beryl/web.js";

const { DateNow, ObjectDefineProperty, Symbol, SymbolToStringTag, TypeError } = primordials;

const kInternal = Symbol("internal");

/** Methods of the timeline. */
const LATER = [
  "clearMarks", "clearMeasures", "getEntries", "getEntriesByName", "getEntriesByType", "mark",
  "measure",
];

export class Performance {
  constructor(token) {
    if (token !== kInternal) throw new TypeError("Illegal constructor");
  }

  /** The origin is the epoch, as on the platform, so that both clocks agree. */
  get timeOrigin() {
    return 0;
  }

  /** @returns {number} Milliseconds. */
  now() {
    return DateNow();
  }

  toJSON() {
    return { timeOrigin: 0 };
  }

  get [SymbolToStringTag]() {
    return "Performance";
  }
}

for (let i = 0; i < LATER.length; i++) {
  const name = LATER[i];
  ObjectDefineProperty(Performance.prototype, name, {
    __proto__: null,
    value: { [name]: (...args) => timeline()[name](...args) }[name],
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

function timeline() {
  load("15_performance.js");
  return core.loadExtScript("ext:beryl/performance_entries.js").timeline;
}

export const performance = new Performance(kInternal);
