// `env`: the variables and bindings of the worker, made when something first needs it.

import { core } from "ext:core/mod.js";
import { makeBindings } from "ext:beryl/bindings.js";
import { unpack } from "ext:beryl/capability.js";

const { ops } = core;

let env = null;

/** @returns {object} The same object at every call. */
export function environment() {
  env ??= make();
  return env;
}

/** For the rehearsal, whose environment is nobody's. */
export function forgetEnvironment() {
  env = null;
}

function make() {
  const given = ops.op_loader_env();
  return typeof given === "string" ? makeBindings(given) : unpack(given);
}
