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
    TypeError,
  } = primordials;

  const argumentError = (name, type, value) => {
    const error = new TypeError(
      `The "${name}" argument must be ${type}. Received ${value === null ? "null" : typeof value}`,
    );
    error.code = "ERR_INVALID_ARG_TYPE";
    return error;
  };

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
      this.#once.set(onCall ?? this.#calls.length, implementation);
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
    if (typeof value !== "function") throw argumentError(name, "of type function", value);
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
        run(newTarget === undefined ? target : newTarget, undefined, args, (implementation) =>
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
      if ((typeof object !== "object" && typeof object !== "function") || object === null) {
        throw argumentError("object", "of type object", object);
      }
      if (typeof implementation === "object" && implementation !== null) {
        options = implementation;
        implementation = undefined;
      }
      const { getter = false, setter = false } = options ?? {};
      const descriptor = find(object, name);
      const part = getter ? "get" : setter ? "set" : "value";
      const original = descriptor?.[part];
      if (typeof original !== "function") {
        throw argumentError("methodName", "a method", original);
      }
      const own = ObjectGetOwnPropertyDescriptor(object, name);
      const restore = () => {
        if (own === undefined) delete object[name];
        else ObjectDefineProperty(object, name, own);
      };
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
      return this.method(object, name, implementation, { ...options, getter: true });
    }

    setter(object, name, implementation = undefined, options = undefined) {
      return this.method(object, name, implementation, { ...options, setter: true });
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
