// node:test: stand-ins for functions and methods, which count their calls. Test suites are not
// run by it; the platform has no more of it either.

(() => {
  const { internals, primordials } = __bootstrap;
  const {
    ArrayPrototypePush,
    ArrayPrototypeSlice,
    Error,
    ObjectDefineProperty,
    ObjectGetOwnPropertyDescriptor,
    ObjectGetPrototypeOf,
    Proxy,
    ReflectApply,
    ReflectConstruct,
    ReflectGet,
    SafeMap,
  } = primordials;

  const script = (name) => internals.nodeHost().loadExtScript(`ext:deno_node/internal/${name}`);
  const { validateFunction, validateInteger, validateObject } = script("validators.mjs");
  const { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE } = script("errors.ts");

  /** What a stand-in knows of its calls, as `fn.mock`. */
  class MockFunctionContext {
    #calls = [];
    #implementation;
    #original;
    #once = new SafeMap();
    #restore;
    #times;

    constructor({ original, implementation, restore, times }) {
      this.#original = original;
      this.#implementation = implementation;
      this.#restore = restore;
      this.#times = times;
    }

    /** A copy of what was recorded of each call. */
    get calls() {
      return ArrayPrototypeSlice(this.#calls);
    }

    callCount() {
      return this.#calls.length;
    }

    mockImplementation(implementation) {
      checkFunction("implementation", implementation);
      this.#implementation = implementation;
    }

    mockImplementationOnce(implementation, onCall = undefined) {
      checkFunction("implementation", implementation);
      const next = this.#calls.length;
      const call = onCall ?? next;
      validateInteger(call, "onCall", next);
      this.#once.set(call, implementation);
    }

    resetCalls() {
      this.#calls = [];
    }

    restore() {
      this.#restore?.();
      this.#implementation = this.#original;
      this.#once.clear();
      this.#times = undefined;
    }

    static next(context) {
      const call = context.#calls.length;
      if (call + 1 === context.#times) {
        const last = context.#implementation;
        context.restore();
        return last;
      }
      const once = context.#once.get(call);
      if (once === undefined) return context.#implementation;
      context.#once.delete(call);
      return once;
    }

    static record(context, call) {
      ArrayPrototypePush(context.#calls, call);
    }
  }

  const { next, record } = MockFunctionContext;
  delete MockFunctionContext.next;
  delete MockFunctionContext.record;

  function checkFunction(name, value) {
    validateFunction(value, name);
  }

  function mocked(context, original) {
    const run = (target, self, args, invoke) => {
      const implementation = next(context);
      const call = {
        __proto__: null,
        arguments: args,
        error: undefined,
        result: undefined,
        stack: new Error(),
        target,
        this: self,
      };
      try {
        call.result = invoke(implementation);
        return call.result;
      } catch (error) {
        call.error = error;
        throw error;
      } finally {
        if (target !== undefined && call.result !== undefined) call.this = call.result;
        record(context, call);
      }
    };
    return new Proxy(original, {
      __proto__: null,
      apply: (_, self, args) =>
        run(undefined, self, args, (implementation) => ReflectApply(implementation, self, args)),
      construct: (target, args, newTarget) =>
        run(target, undefined, args, (implementation) =>
          ReflectConstruct(implementation, args, newTarget)),
      get: (target, key, receiver) =>
        key === "mock" ? context : ReflectGet(target, key, receiver),
    });
  }

  function find(object, name) {
    for (let at = object; at !== null && at !== undefined; at = ObjectGetPrototypeOf(at)) {
      const descriptor = ObjectGetOwnPropertyDescriptor(at, name);
      if (descriptor !== undefined) return descriptor;
    }
    return undefined;
  }

  /** Makes stand-ins, and takes back those it made. */
  class MockTracker {
    #mocks = [];

    fn(original = function () {}, implementation = original, options = undefined) {
      if (typeof original === "object" && original !== null) {
        options = original;
        original = function () {};
        implementation = original;
      } else if (typeof implementation === "object" && implementation !== null) {
        options = implementation;
        implementation = original;
      }
      checkFunction("original", original);
      checkFunction("implementation", implementation);
      return this.#add(original, implementation, undefined, options);
    }

    method(object, name, implementation = undefined, options = undefined) {
      if (typeof object !== "function") validateObject(object, "object");
      if (typeof name !== "string" && typeof name !== "symbol") {
        throw new ERR_INVALID_ARG_TYPE("methodName", ["string", "symbol"], name);
      }
      if (typeof implementation === "object" && implementation !== null) {
        options = implementation;
        implementation = undefined;
      }
      const { getter = false, setter = false } = options ?? {};
      if (getter && setter) {
        throw new ERR_INVALID_ARG_VALUE(
          "options.setter", setter, "cannot be used with 'options.getter'");
      }
      const descriptor = find(object, name);
      const part = getter ? "get" : setter ? "set" : "value";
      const original = descriptor?.[part];
      if (typeof original !== "function") {
        throw new ERR_INVALID_ARG_VALUE("methodName", original, "must be a method");
      }
      const restore = () => ObjectDefineProperty(object, name, descriptor);
      const mock = this.#add(original, implementation ?? original, restore, options);
      ObjectDefineProperty(object, name, {
        __proto__: null,
        ...descriptor,
        configurable: true,
        [part]: mock,
      });
      return mock;
    }

    getter(object, name, implementation = undefined, options = undefined) {
      return this.#accessor(object, name, implementation, options, "getter");
    }

    setter(object, name, implementation = undefined, options = undefined) {
      return this.#accessor(object, name, implementation, options, "setter");
    }

    #accessor(object, name, implementation, options, kind) {
      if (typeof implementation === "object" && implementation !== null) {
        options = implementation;
        implementation = undefined;
      }
      const value = options?.[kind] ?? true;
      if (value === false) {
        throw new ERR_INVALID_ARG_VALUE(`options.${kind}`, value, "cannot be false");
      }
      return this.method(object, name, implementation, { ...options, [kind]: true });
    }

    reset() {
      this.restoreAll();
      this.#mocks = [];
    }

    restoreAll() {
      for (let i = 0; i < this.#mocks.length; i++) this.#mocks[i].restore();
    }

    #add(original, implementation, restore, options) {
      const times = options?.times;
      if (times !== undefined) validateInteger(times, "options.times", 1);
      const context = new MockFunctionContext({ original, implementation, restore, times });
      ArrayPrototypePush(this.#mocks, context);
      return mocked(context, original);
    }
  }

  const unavailable = (name) => () => {
    throw internals.runtime.unsupported(`node:test ${name}()`);
  };

  const names = ["after", "afterEach", "before", "beforeEach", "describe", "it", "suite", "test"];
  const exports = { MockFunctionContext, MockTracker, mock: new MockTracker() };
  for (let i = 0; i < names.length; i++) exports[names[i]] = unavailable(names[i]);
  return exports;
})();
