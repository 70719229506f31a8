// The bootstrap: runs once, while the snapshot is made, and leaves only what workers may see.

import { core, internals } from "ext:core/mod.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { hasherOf } from "ext:beryl/crypto.js";
import { dispatch, start } from "ext:beryl/dispatch.js";
import { environment } from "ext:beryl/env.js";
import { domException, unsupported } from "ext:beryl/errors.js";
import { fetch } from "ext:beryl/fetch.js";
import { transfer } from "ext:beryl/given.js";
import { reportRejection } from "ext:beryl/global_events.js";
import { installGlobals } from "ext:beryl/globals.js";
import { boundMappings } from "ext:beryl/memory.js";
import { inspected } from "ext:beryl/inspect.js";
import { prepareCommonJs } from "ext:beryl/modules.js";
import { open, promiseOf } from "ext:beryl/pending.js";
import {
  bytesOf, isDisturbed, isLocked, lengthOf, setLength, viewBytes,
} from "ext:beryl/streams.js";
import { neverClone } from "ext:beryl/structured_clone.js";
import { installNodeGlobals } from "ext:beryl/node.js";
import { DurableObject } from "ext:beryl/actor.js";
import { RpcTarget, WorkerEntrypoint } from "ext:beryl/entrypoint.js";
import { rehearse } from "ext:beryl/rehearsal.js";
import { Request } from "ext:beryl/request.js";
import { Response } from "ext:beryl/response.js";
import { RpcPromise, RpcProperty } from "ext:beryl/rpc_promise.js";
import { RpcStub } from "ext:beryl/rpc_stub.js";
import { Fetcher } from "ext:beryl/stub.js";

installGlobals();

/** @param {string} [reason] Ends the isolate with all that runs in it (WL-42). */
function abortIsolate(reason = "") {
  core.ops.op_loader_abort_isolate(`${reason}`);
}

// The module "cloudflare:workers" is made per isolate, when a worker imports it.
internals.workersModule = () => ({
  __proto__: null,
  DurableObject,
  RpcPromise,
  RpcProperty,
  RpcStub,
  RpcTarget,
  ServiceStub: Fetcher,
  WorkerEntrypoint,
  abortIsolate,
  env: hasFlag("disallow_importable_env") ? {} : environment(),
  transfer,
});

// What scripts that are loaded later need of the modules here.
internals.runtime = {
  __proto__: null,
  Response,
  bytesOf,
  domException,
  fetch,
  hasFlag,
  hasherOf,
  inspected,
  isDisturbed,
  isLocked,
  lengthOf,
  neverClone,
  open,
  promiseOf,
  setLength,
  unsupported,
  viewBytes,
};

core.setUnhandledPromiseRejectionHandler(() => true);

// Rust takes these five and removes them, `Deno` and `__bootstrap` before any worker runs: the
// engine itself looks for `Deno.core` when it makes an isolate of the snapshot.
globalThis.__dispatch = dispatch;
globalThis.__start = (namespace) => {
  if (namespace === undefined) return installNodeGlobals();
  if (!hasFlag("cache_option_enabled")) delete Request.prototype.cache;
  return start(namespace);
};
globalThis.__report = reportRejection;
globalThis.__commonJs = prepareCommonJs;
globalThis.__bound = boundMappings;

rehearse();
