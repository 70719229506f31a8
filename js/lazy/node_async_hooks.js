// "node:async_hooks": values that follow asynchronous work, kept by the engine in each promise
// reaction and by us in each timer.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const { AsyncVariable, getAsyncContext, setAsyncContext } = core;
  const {
    Error,
    FunctionPrototypeBind,
    ObjectDefineProperty,
    ObjectFreeze,
    ReflectApply,
    Symbol,
    TypeError,
  } = primordials;

  /** What `exit` leaves: no store, whatever the default. */
  const kNone = Symbol("none");

  /** Calls a function with the context that was current when it was wrapped. */
  function inContext(context, fn, receiver, args) {
    const before = getAsyncContext();
    setAsyncContext(context);
    try {
      return ReflectApply(fn, receiver, args);
    } finally {
      setAsyncContext(before);
    }
  }

  internals.nodeParts.wrapCallbacks((callback) => {
    const context = getAsyncContext();
    if (context === undefined || context === null) return callback;
    return function (...args) {
      return inContext(context, callback, this, args);
    };
  });

  function checkFunction(fn) {
    if (typeof fn === "function") return;
    const error = new TypeError('The "fn" argument must be of type function.');
    error.code = "ERR_INVALID_ARG_TYPE";
    throw error;
  }

  function notImplemented(name) {
    const error = new Error(`The ${name} method is not implemented`);
    error.code = "ERR_METHOD_NOT_IMPLEMENTED";
    return error;
  }

  class AsyncLocalStorage {
    #variable = new AsyncVariable();
    #defaultValue;
    #name;

    constructor(options = undefined) {
      this.#defaultValue = options?.defaultValue;
      this.#name = options?.name ?? "";
    }

    /** Binds a function to the context of now. */
    static bind(fn) {
      checkFunction(fn);
      const context = getAsyncContext();
      return function (...args) {
        return inContext(context, fn, this, args);
      };
    }

    /** A function that calls others in the context of now. */
    static snapshot() {
      const context = getAsyncContext();
      return (fn, ...args) => inContext(context, fn, undefined, args);
    }

    get name() {
      return this.#name;
    }

    run(store, fn, ...args) {
      const before = this.#variable.enter({ store });
      try {
        return ReflectApply(fn, undefined, args);
      } finally {
        setAsyncContext(before);
      }
    }

    exit(fn, ...args) {
      const before = this.#variable.enter({ store: kNone });
      try {
        return ReflectApply(fn, undefined, args);
      } finally {
        setAsyncContext(before);
      }
    }

    getStore() {
      const entry = this.#variable.get();
      if (entry === undefined) return this.#defaultValue;
      return entry.store === kNone ? undefined : entry.store;
    }

    enterWith() {
      throw notImplemented("asyncLocalStorage.enterWith()");
    }

    disable() {
      throw notImplemented("asyncLocalStorage.disable()");
    }
  }

  class AsyncResource {
    #context = getAsyncContext();

    constructor(type) {
      if (typeof type !== "string") {
        const error = new TypeError('The "type" argument must be of type string.');
        error.code = "ERR_INVALID_ARG_TYPE";
        throw error;
      }
    }

    static bind(fn, type = undefined, thisArg = undefined) {
      checkFunction(fn);
      return new AsyncResource(type ?? (fn.name || "bound-anonymous-fn")).bind(fn, thisArg);
    }

    bind(fn, thisArg = undefined) {
      checkFunction(fn);
      const resource = this;
      const bound = thisArg === undefined
        ? function (...args) {
          return resource.runInAsyncScope(fn, this, ...args);
        }
        : FunctionPrototypeBind(this.runInAsyncScope, this, fn, thisArg);
      return ObjectDefineProperty(bound, "length", {
        __proto__: null,
        configurable: true,
        value: fn.length,
      });
    }

    runInAsyncScope(fn, thisArg = undefined, ...args) {
      return inContext(this.#context, fn, thisArg, args);
    }

    asyncId() {
      return 0;
    }

    triggerAsyncId() {
      return 0;
    }

    emitDestroy() {
      return this;
    }
  }

  // The platform has no hooks and no ids of asynchronous work either.
  const hooks = {
    asyncWrapProviders: ObjectFreeze({ __proto__: null }),
    createHook: () => ({
      enable() {
        return this;
      },
      disable() {
        return this;
      },
    }),
    executionAsyncId: () => 0,
    executionAsyncResource: () => ({ __proto__: null }),
    triggerAsyncId: () => 0,
  };
  return { AsyncLocalStorage, AsyncResource, ...hooks };
})();
