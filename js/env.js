// `env`: the variables and bindings of the worker, made when something first needs it.

import { core, primordials } from "ext:core/mod.js";
import { unpack } from "ext:beryl/capability.js";
import { WorkerLoader } from "ext:beryl/loader.js";

const { ops } = core;
const { JSONParse } = primordials;

let env = null;

/** @returns {object} The same object at every call. */
export function environment() {
  env ??= make();
  return env;
}

function make() {
  const given = ops.op_loader_env();
  if (typeof given !== "string") return unpack(given);
  const configured = JSONParse(given);
  configured.LOADER = new WorkerLoader();
  return configured;
}
