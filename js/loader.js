// WorkerLoader and WorkerStub: code from a supervisor becomes a worker (workers.md section 1).

import { core, primordials } from "ext:core/mod.js";
import { cloneOf, cloneOfProps } from "ext:beryl/capability.js";
import { unsupported } from "ext:beryl/errors.js";
import { DurableObjectClass } from "ext:beryl/facets.js";
import { makeStub } from "ext:beryl/stub.js";
import { errorParts } from "ext:beryl/thrown.js";
import { moduleList } from "ext:beryl/worker_code.js";

const { ops } = core;
const { ArrayIsArray, PromisePrototypeThen, PromiseResolve, String, TypeError } = primordials;

const kInternal = Symbol("internal");

export class WorkerLoader {
  /**
   * @param {string | null | undefined} name
   * @param {() => object | Promise<object>} getCode Called if no worker of this name is known.
   * @returns {WorkerStub}
   */
  get(name, getCode) {
    if (typeof getCode !== "function") {
      throw new TypeError(
        "Failed to execute 'get' on 'WorkerLoader': parameter 2 is not of type 'function'.",
      );
    }
    const key = name === undefined || name === null ? null : String(name);
    const { 0: handle, 1: isNew } = ops.op_loader_find(key);
    if (isNew) giveCode(handle, key ?? "dynamic", getCode);
    return new WorkerStub(kInternal, handle);
  }

  /**
   * @param {object} code What is wrong with it is thrown here, except errors of its modules.
   * @returns {WorkerStub}
   */
  load(code) {
    const { 0: handle } = ops.op_loader_find(null);
    define(handle, "dynamic", code);
    return new WorkerStub(kInternal, handle);
  }
}

export class WorkerStub {
  #handle;

  constructor(internal, handle) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#handle = handle;
  }

  /**
   * @param {string | null} [name]
   * @param {{props?: object}} [options]
   */
  getEntrypoint(name = undefined, options = undefined) {
    const props = cloneOfProps(options);
    const handle = ops.op_loader_entrypoint(this.#handle, exportName(name, ""), props);
    return makeStub(() => handle);
  }

  /**
   * @param {string | null} [name]
   * @param {{props?: object}} [options]
   * @returns {DurableObjectClass}
   */
  getDurableObjectClass(name = undefined, options = undefined) {
    return DurableObjectClass.loaded(this.#handle, exportName(name, "default"), options?.props);
  }
}

function exportName(name, byDefault) {
  if (name === undefined || name === null || name === "default") return byDefault;
  return String(name);
}

function giveCode(handle, name, getCode) {
  const fail = (error) => {
    const parts = errorParts(error);
    ops.op_loader_fail(handle, parts.name, parts.message);
  };
  let code;
  try {
    code = getCode();
  } catch (error) {
    return fail(error);
  }
  PromisePrototypeThen(PromiseResolve(code), (code) => {
    try {
      define(handle, name, code);
    } catch (error) {
      fail(error);
    }
  }, fail);
}

/** @returns {string} The compatibility date and flags, separated by commas. */
function compatibility({ compatibilityDate, compatibilityFlags }) {
  const flags = compatibilityFlags ?? [];
  if (!ArrayIsArray(flags)) {
    throw new TypeError("Field 'compatibilityFlags' on 'WorkerCode' must be an array of strings.");
  }
  let text = String(compatibilityDate);
  for (let i = 0; i < flags.length; i++) text += `,${flags[i]}`;
  return text;
}

function define(handle, name, code) {
  if (typeof code !== "object" || code === null) {
    throw new TypeError("The worker code must be an object with mainModule and modules.");
  }
  if (code.compatibilityDate === undefined) {
    throw new TypeError("Missing field 'compatibilityDate' on 'WorkerCode'.");
  }
  if (code.mainModule === undefined) {
    throw new TypeError("Missing field 'mainModule' on 'WorkerCode'.");
  }
  if (code.globalOutbound !== undefined && code.globalOutbound !== null) {
    throw unsupported("globalOutbound other than null");
  }
  if ((code.tails?.length ?? 0) > 0) throw unsupported("tails");
  if ((code.streamingTails?.length ?? 0) > 0) throw unsupported("streamingTails");
  const main = String(code.mainModule);
  const modules = moduleList(code.modules, main);
  const env = cloneOf(code.env ?? {});
  ops.op_loader_define(handle, name, main, modules, env, compatibility(code));
}
