// Where events of the platform differ from those of browsers.

(() => {
  const { internals, primordials } = __bootstrap;
  const {
    ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectApply,
    StringPrototypeToWellFormed, SymbolFor, TypeError,
  } = primordials;

  function getter(prototype, name, get) {
    ObjectDefineProperty(prototype, name, {
      __proto__: null,
      get,
      set: undefined,
      enumerable: true,
      configurable: true,
    });
  }

  /** How console and `util.inspect` show a class. */
  function show(type) {
    const { name } = type;
    ObjectDefineProperty(type.prototype, SymbolFor("Deno.privateCustomInspect"), {
      __proto__: null,
      value(inspect, options) {
        return internals.runtime.inspected(name, this, inspect, options);
      },
      configurable: true,
    });
  }

  /** A listener that can never be called is refused at once. */
  function fitListeners({ prototype }) {
    const { addEventListener } = prototype;
    const methods = {
      addEventListener(type, listener, options) {
        check(listener);
        return ReflectApply(addEventListener, this, [type, listener, options]);
      },
    };
    ObjectDefineProperty(prototype, "addEventListener", {
      __proto__: null,
      value: methods.addEventListener,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }

  function check(listener) {
    if (typeof listener === "function" || listener === null || listener === undefined) return;
    if (typeof listener !== "object") {
      throw new TypeError(
        "Failed to execute 'addEventListener' on 'EventTarget': parameter 2 is not of type " +
          "'function or HandlerObject'.",
      );
    }
    if (typeof listener.handleEvent === "function") return;
    throw new TypeError(
      "Incorrect type for the 'handleEvent' field on 'HandlerObject': the provided value is not " +
        "of type 'function'.",
    );
  }

  /** @param {{Event: Function}} classes What deno_web exports. */
  function fit({ CloseEvent, Event, EventTarget, MessageEvent }) {
    show(Event);
    show(MessageEvent);
    fitListeners(EventTarget);
    const { get } = ObjectGetOwnPropertyDescriptor(Event.prototype, "currentTarget");
    getter(Event.prototype, "currentTarget", function currentTarget() {
      return ReflectApply(get, this, []) ?? undefined;
    });
    const reason = ObjectGetOwnPropertyDescriptor(CloseEvent.prototype, "reason").get;
    getter(CloseEvent.prototype, "reason", function () {
      return StringPrototypeToWellFormed(ReflectApply(reason, this, []));
    });
    // Nobody can set it.
    const { get: returnValue } = ObjectGetOwnPropertyDescriptor(Event.prototype, "returnValue");
    getter(Event.prototype, "returnValue", returnValue);
    getter(Event.prototype, "timeStamp", function timeStamp() {
      return 0;
    });
  }

  return { fit };
})();
