// "node:timers" and "node:timers/promises": the platform's timers in the shapes of Node.js.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const { nodeParts } = internals;
  const {
    Error,
    ObjectDefineProperty,
    Promise,
    PromiseReject,
    SymbolToPrimitive,
    TypeError,
  } = primordials;
  const { Immediate, Timeout } = core.loadExtScript("ext:beryl/node_timeout.js");

  function checkFunction(callback) {
    if (typeof callback === "function") return;
    const error = new TypeError('The "callback" argument must be of type function.');
    error.code = "ERR_INVALID_ARG_TYPE";
    throw error;
  }

  function setTimeout(callback, delay = 1, ...args) {
    checkFunction(callback);
    return new Timeout(() => nodeParts.setTimeout(callback, delay, ...args));
  }

  function setInterval(callback, delay = 1, ...args) {
    checkFunction(callback);
    return new Timeout(() => nodeParts.setInterval(callback, delay, ...args));
  }

  function setImmediate(callback, ...args) {
    checkFunction(callback);
    return new Immediate(() => nodeParts.setTimeout(callback, 0, ...args));
  }

  function clear(timer) {
    if (timer === undefined || timer === null) return;
    nodeParts.clearTimeout(typeof timer === "object" ? timer[SymbolToPrimitive]() : timer);
  }

  function abortError(signal) {
    const error = new Error("The operation was aborted");
    ObjectDefineProperty(error, "name", { __proto__: null, value: "AbortError" });
    error.code = "ABORT_ERR";
    error.cause = signal.reason;
    return error;
  }

  /** Throws in the words of Node.js; its checks are loaded with the first promise. */
  function check(options, delay) {
    const host = internals.nodeHost();
    const checks = host.loadExtScript("ext:deno_node/internal/validators.mjs");
    if (delay !== undefined) checks.validateNumber(delay, "delay");
    checks.validateObject(options, "options");
    const { signal, ref } = options;
    checks.validateAbortSignal(signal, "options.signal");
    if (signal === null) checks.validateObject(signal, "options.signal");
    if (ref !== undefined) checks.validateBoolean(ref, "options.ref");
    return signal;
  }

  /** A promise of `value` that a timer settles or an abort rejects. */
  function after(start, value, options, delay = undefined) {
    let signal;
    try {
      signal = check(options, delay);
    } catch (error) {
      return PromiseReject(error);
    }
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      const timer = start(() => resolve(value));
      signal?.addEventListener("abort", () => {
        clear(timer);
        reject(abortError(signal));
      }, { once: true });
    });
  }

  /** Ticks that came while nobody asked are given one after the other. */
  async function* ticks(delay, value, options) {
    const signal = check(options, undefined);
    if (signal?.aborted) throw abortError(signal);
    let waiting = 0;
    let wake = () => {};
    const timer = setInterval(() => {
      waiting++;
      wake();
    }, delay);
    const stop = () => wake();
    signal?.addEventListener("abort", stop);
    try {
      for (;;) {
        if (signal?.aborted) throw abortError(signal);
        if (waiting === 0) await new Promise((resolve) => wake = resolve);
        if (waiting === 0) continue;
        waiting--;
        yield value;
      }
    } finally {
      clear(timer);
      signal?.removeEventListener("abort", stop);
    }
  }

  const promises = {
    setTimeout: (delay = 1, value = undefined, options = {}) =>
      after((done) => setTimeout(done, delay), value, options, delay),
    setImmediate: (value = undefined, options = {}) =>
      after((done) => setImmediate(done), value, options),
    setInterval(delay = 1, value = undefined, options = {}) {
      return ticks(delay, value, options);
    },
    scheduler: {
      wait: (delay, options = undefined) => promises.setTimeout(delay, undefined, options),
      yield: () => promises.setImmediate(),
    },
  };

  /** The old interface, which the platform has not got either. */
  function obsolete(name) {
    return () => {
      const error = new Error(`Not implemented: timers.${name}`);
      error.code = "ERR_METHOD_NOT_IMPLEMENTED";
      throw error;
    };
  }

  const timers = {
    Timeout,
    active: obsolete("active"),
    clearImmediate: clear,
    clearInterval: clear,
    clearTimeout: clear,
    enroll: obsolete("enroll"),
    promises,
    setImmediate,
    setInterval,
    setTimeout,
    unenroll: obsolete("unenroll"),
  };
  return { promises, timers };
})();
