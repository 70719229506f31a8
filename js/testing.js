// The way in for `test()` handlers. Only `beryl test` has them: what runs them is loaded then.

import { core, internals } from "ext:core/mod.js";
import { answered } from "ext:beryl/context.js";
import { define } from "ext:beryl/define.js";
import { entryOf } from "ext:beryl/entry.js";
import { ExecutionContext, WorkerEntrypoint } from "ext:beryl/entrypoint.js";
import { environment } from "ext:beryl/env.js";
import { exportsOf, loopbacks } from "ext:beryl/exports.js";
import { idParts } from "ext:beryl/namespace.js";
import { open, promiseOf, setCurrentEvent } from "ext:beryl/pending.js";
import { forgetTimers } from "ext:beryl/timers.js";

internals.testParts = {
  __proto__: null,
  ExecutionContext,
  WorkerEntrypoint,
  answered,
  define,
  entryOf,
  environment,
  exportsOf,
  forgetTimers,
  idParts,
  loopbacks,
  open,
  promiseOf,
  setCurrentEvent,
};

/**
 * @param {number} event 0 before the worker's code is loaded.
 * @param {boolean} isCase False asks which exports have a test.
 * @param {(event: number, error: unknown) => void} fail
 */
export function takeTest(event, isCase, fail) {
  const { listTests, prepare, runTest } = core.loadExtScript("ext:beryl/test_runner.js");
  if (event === 0) prepare();
  else if (isCase) runTest(event, fail);
  else listTests(event, fail);
}
