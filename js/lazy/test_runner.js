// Runs exported `test()` handlers, as the platform's own test command does: which exports have
// one, when a test has passed, and what the controller of a test can do.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
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
  } = internals.testParts;
  const {
    ArrayFrom,
    ArrayPrototypePush,
    ObjectDefineProperty,
    ObjectKeys,
    ObjectPrototypeIsPrototypeOf,
    PromisePrototypeThen,
    PromiseResolve,
    RangeError,
    SafeSet,
    SetPrototypeAdd,
    SetPrototypeClear,
    SymbolFor,
    SymbolToStringTag,
    TypeError,
  } = primordials;
  const { ops } = core;

  /** What the running test used and Beryl has not; stand-ins of missing modules report it. */
  const missing = new SafeSet();

  /** What a test is handed first. */
  class TestController {
    /**
     * Moves the clock of alarms, cron triggers and eviction forward; what is due then runs.
     * @param {number} ms
     * @returns {Promise<void>}
     */
    advanceClock(ms) {
      if (typeof ms !== "number" || !(ms >= 0 && ms <= 1e15)) {
        throw new RangeError("advanceClock() needs a number of milliseconds");
      }
      const slot = open();
      const moved = promiseOf(slot);
      ops.op_testing_advance(slot, ms);
      return moved;
    }

    /**
     * Lets an object leave memory; its hibernatable WebSockets stay open.
     * @param {object} stub A stub of a Durable Object.
     * @returns {boolean} False if it is not in memory or is busy.
     */
    evict(stub) {
      const parts = idParts(stub?.id);
      if (parts === null) throw new TypeError("evict() needs a stub of a Durable Object");
      return ops.op_testing_evict(parts.key, parts.hex);
    }

    get [SymbolToStringTag]() {
      return "TestController";
    }
  }

  /** Adds what only tests find on globalThis; before the worker's code is loaded. */
  function prepare() {
    define("gc", function gc() {
      ops.op_testing_collect();
    });
    ObjectDefineProperty(globalThis, SymbolFor("beryl.missing"), {
      __proto__: null,
      value: (name) => SetPrototypeAdd(missing, name),
    });
  }

  function listTests(event, fail) {
    const exported = exportsOf();
    const objects = [];
    const classes = [];
    const names = ObjectKeys(exported);
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      const value = exported[name];
      if (typeof value === "function") {
        if (isTestClass(value)) ArrayPrototypePush(classes, name);
      } else if (typeof value !== "object" || value === null) {
        return fail(event, new TypeError(
          `Incorrect type for map entry '${name}': the provided value is not of type ` +
            "'function or ExportedHandler'.",
        ));
      } else if (typeof value.test === "function" && name !== "default") {
        ArrayPrototypePush(objects, name);
      }
    }
    const first = typeof exported.default?.test === "function" ? ["default"] : [];
    ops.op_testing_ended(event, [...first, ...objects, ...classes]);
  }

  function isTestClass(value) {
    return ObjectPrototypeIsPrototypeOf(WorkerEntrypoint.prototype, value.prototype) &&
      typeof value.prototype.test === "function";
  }

  /** @param {number} event */
  function runTest(event, fail) {
    SetPrototypeClear(missing);
    let left = 1;
    let isOver = false;
    let failure = null;
    const end = () => {
      if (isOver) return;
      isOver = true;
      setCurrentEvent(event, 0);
      forgetTimers(0);
      if (missing.size > 0) ops.op_testing_ended(event, ArrayFrom(missing));
      else if (failure === null) ops.op_testing_ended(event, []);
      else fail(event, failure.error);
      answered(event);
    };
    const settled = () => {
      left--;
      if (left === 0) end();
    };
    const waitUntil = (promise) => {
      left++;
      PromisePrototypeThen(PromiseResolve(promise), settled, (error) => {
        failure ??= { error };
        settled();
      });
    };
    const failed = (error) => {
      failure ??= { error };
      end();
    };
    let result;
    try {
      result = start(event, waitUntil);
    } catch (error) {
      return failed(error);
    }
    PromisePrototypeThen(PromiseResolve(result), settled, failed);
  }

  function start(event, waitUntil) {
    const { 0: name } = entryOf(event, 0xffff_ffff);
    const exported = exportsOf()[name];
    const controller = new TestController();
    const ctx = new ExecutionContext(loopbacks, undefined);
    ObjectDefineProperty(ctx, "waitUntil", { __proto__: null, value: waitUntil });
    if (typeof exported === "function") {
      return new exported(ctx, environment()).test(controller);
    }
    return exported.test(controller, environment(), ctx);
  }

  return { listTests, prepare, runTest };
})();
