// WorkerLoader and WorkerStub: code from a supervisor becomes a worker (workers.md section 1).

import { core, primordials } from "ext:core/mod.js";
import { cloneOf, cloneOfProps, stubHandle } from "ext:beryl/capability.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { DurableObjectClass } from "ext:beryl/facets.js";
import { limitsOf } from "ext:beryl/limits.js";
import { makeStub } from "ext:beryl/stub.js";
import { errorParts } from "ext:beryl/thrown.js";
import { moduleList } from "ext:beryl/worker_code.js";

const { ops } = core;
const {
  ArrayIsArray,
  ArrayPrototypePush,
  Error,
  JSONStringify,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  String,
  TypeError,
} = primordials;

const kInternal = Symbol("internal");

// What to do with a worker that was found.
const NEW = 1;
const TO_CHECK = 2;

export class WorkerLoader {
  /**
   * @param {string | null | undefined} name
   * @param {() => object | Promise<object>} getCode Called if no worker of this name is known.
   * @returns {WorkerStub}
   */
  get(name, getCode) {
    if (arguments.length === 0) {
      throw new TypeError(
        "Failed to execute 'get' on 'WorkerLoader': parameter 1 is not of type 'string'.",
      );
    }
    if (typeof getCode !== "function") {
      throw new TypeError(
        "Failed to execute 'get' on 'WorkerLoader': parameter 2 is not of type 'function'.",
      );
    }
    const key = name === undefined || name === null ? null : String(name);
    const { 0: handle, 1: what } = ops.op_loader_find(key);
    if (what === NEW) giveCode(handle, key ?? "dynamic", getCode);
    else if (what === TO_CHECK) compareCode(handle, getCode);
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
   * @param {{props?: object, limits?: object}} [options]
   */
  getEntrypoint(name = undefined, options = undefined) {
    const limits = JSONStringify(limitsOf(options?.limits, "EntrypointOptions"));
    const props = cloneOfProps(options);
    const handle = ops.op_loader_entrypoint(this.#handle, exportName(name, ""), props, limits);
    return makeStub(() => handle);
  }

  /**
   * @param {string | null} [name]
   * @param {{props?: object, limits?: object}} [options]
   * @returns {DurableObjectClass}
   */
  getDurableObjectClass(name = undefined, options = undefined) {
    const limits = JSONStringify(limitsOf(options?.limits, "EntrypointOptions"));
    const text = exportName(name, "default");
    return DurableObjectClass.loaded(this.#handle, text, options?.props, limits);
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

/** Sees whether a callback still gives the code that was loaded; what goes wrong is no matter. */
function compareCode(handle, getCode) {
  const compare = ({ mainModule, modules }) => {
    const main = String(mainModule);
    ops.op_loader_compare(handle, main, moduleList(modules, main));
  };
  const code = new Promise((resolve) => resolve(getCode()));
  PromisePrototypeThen(PromisePrototypeThen(code, compare), undefined, () => {});
}

function define(handle, name, code) {
  if (typeof code !== "object" || code === null) {
    throw new TypeError("The worker code must be an object with mainModule and modules.");
  }
  if (code.mainModule === undefined) {
    throw new TypeError("Missing field 'mainModule' on 'WorkerCode'.");
  }
  if (code.env !== undefined && (typeof code.env !== "object" || code.env === null)) {
    throw wrongType("env", "Object");
  }
  const main = String(code.mainModule);
  const kind = outboundKind(code.globalOutbound);
  const wiring = [];
  if (kind === "stub") ArrayPrototypePush(wiring, outboundOf(code.globalOutbound));
  tailList(code.tails, "tails", wiring);
  const experimental = mayExperiment(code.allowExperimental);
  const streaming = streamingList(code.streamingTails, experimental, wiring);
  const given = JSONStringify({
    name,
    main,
    date: String(code.compatibilityDate),
    flags: flagList(code.compatibilityFlags),
    outbound: kind,
    experimental,
    limits: limitsOf(code.limits, "WorkerCode"),
    streaming,
  });
  const modules = moduleList(code.modules, main);
  const env = cloneOf(code.env ?? {});
  ops.op_loader_define(handle, modules, env, given, wiring);
}

function outboundKind(outbound) {
  if (outbound === undefined) return "inherit";
  return outbound === null ? "none" : "stub";
}

function outboundOf(outbound) {
  const native = stubHandle(outbound);
  if (native === null) throw wrongType("globalOutbound", "Fetcher");
  return ops.op_capability_of_stub(native);
}

/** Adds the capabilities of tail workers to a list. */
function tailList(tails, field, list) {
  if (tails === undefined) return;
  if (!ArrayIsArray(tails)) throw wrongType(field, "Array");
  for (let i = 0; i < tails.length; i++) {
    const native = stubHandle(tails[i]);
    if (native === null) {
      throw new TypeError(
        `Incorrect type for array element ${i}: the provided value is not of type 'Fetcher'.`,
      );
    }
    ArrayPrototypePush(list, ops.op_capability_of_stub(native));
  }
}

/** As `tailList`, for those that hear of everything at once. @returns {number} How many. */
function streamingList(tails, mayHave, list) {
  if (tails === undefined) return 0;
  const before = list.length;
  tailList(tails, "streamingTails", list);
  if (mayHave) return list.length - before;
  throw new Error(
    "Streaming tail workers are experimental. You must pass the option 'allowExperimental: " +
      "true' to the worker loader to use them",
  );
}

function wrongType(field, type) {
  return new TypeError(
    `Incorrect type for the '${field}' field on 'WorkerCode': the provided value is not of type ` +
      `'${type}'.`,
  );
}

function flagList(flags) {
  if (flags === undefined) return [];
  if (!ArrayIsArray(flags)) throw wrongType("compatibilityFlags", "Array");
  const list = [];
  for (let i = 0; i < flags.length; i++) ArrayPrototypePush(list, String(flags[i]));
  return list;
}

function mayExperiment(allow) {
  if (!allow) return false;
  if (hasFlag("experimental")) return true;
  throw new Error(
    "'allowExperimental' is only allowed when the calling worker has the 'experimental' compat " +
      "flag set.",
  );
}
