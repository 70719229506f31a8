// How objects of the platform are shown by console and `util.inspect`; loaded when one is.

import { core } from "ext:core/mod.js";

/**
 * @param {string} name The class.
 * @param {object} value
 * @param {Function} inspect Of whoever shows it, with its options.
 * @returns {string}
 */
export function inspected(name, value, inspect, options, detail = undefined) {
  return core.loadExtScript("ext:beryl/inspected.js").inspected(
    name,
    value,
    inspect,
    options,
    detail,
  );
}
