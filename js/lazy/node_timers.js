// "node:timers" and "node:timers/promises": the platform's timers in the shapes of Node.js.

(() => {
  const { internals, primordials } = __bootstrap;
  const { nodeParts } = internals;
  const {
    ObjectDefineProperty,
    Promise,
    ReflectApply,
    Symbol,
    SymbolAsyncIterator,
    SymbolDispose,
    SymbolToPrimitive,
    TypeError,
  } = primordials;

  function checkFunction(callback) {
    if (typeof callback === "function") return;
    const error = new TypeError('The "callback" argument must be of type function.');
    error.code = "ERR_INVALID_ARG_TYPE";
    throw error;
  }

  /** A timer as an object; as a number it is the platform's timer. */
  class Timeout {
    #start;
    #id;
    #isReferenced = true;

    constructor(start) {
      this.#start = start;
      this.#id = start();
    }

    ref() {
      this.#isReferenced = true;
      return this;
    }

    unref() {
      this.#isReferenced = false;
      return this;
    }

    hasRef() {
      return this.#isReferenced;
    }

    refresh() {
      nodeParts.clearTimeout(this.#id);
      this.#id = this.#start();
      return this;
    }

    close() {
      nodeParts.clearTimeout(this.#id);
      return this;
    }

    [SymbolToPrimitive]() {
      return this.#id;
    }

    [SymbolDispose ?? Symbol.dispose]() {
      nodeParts.clearTimeout(this.#id);
    }
  }

  class Immediate extends Timeout {}

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
    const error = new primordials.Error("The operation was aborted");
    ObjectDefineProperty(error, "name", { __proto__: null, value: "AbortError" });
    error.code = "ABORT_ERR";
    error.cause = signal.reason;
    return error;
  }

  /** A promise of `value` that a timer settles or an abort rejects. */
  function after(start, value, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      const timer = start(() => resolve(value));
      signal?.addEventListener("abort", () => {
        clear(timer);
        reject(abortError(signal));
      }, { once: true });
    });
  }

  const promises = {
    setTimeout: (delay = 1, value = undefined, options = undefined) =>
      after((done) => setTimeout(done, delay), value, options?.signal),
    setImmediate: (value = undefined, options = undefined) =>
      after((done) => setImmediate(done), value, options?.signal),
    setInterval(delay = 1, value = undefined, options = undefined) {
      const wait = () => promises.setTimeout(delay, undefined, options);
      let isDone = false;
      return {
        async next() {
          if (isDone) return { done: true, value: undefined };
          await wait();
          return { done: false, value };
        },
        return() {
          isDone = true;
          return primordials.PromiseResolve({ done: true, value: undefined });
        },
        [SymbolAsyncIterator]() {
          return this;
        },
      };
    },
    scheduler: {
      wait: (delay, options = undefined) => promises.setTimeout(delay, undefined, options),
      yield: () => promises.setImmediate(),
    },
  };

  /** The old interface, which does nothing on the platform either. */
  function obsolete(item) {
    return ReflectApply(() => item, undefined, []);
  }

  const timers = {
    Timeout,
    active: obsolete,
    clearImmediate: clear,
    clearInterval: clear,
    clearTimeout: clear,
    enroll: obsolete,
    promises,
    setImmediate,
    setInterval,
    setTimeout,
    unenroll: clear,
  };
  return { promises, timers };
})();
