// Where events of the platform differ from those of browsers.

(() => {
  const { primordials } = __bootstrap;
  const {
    ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectApply,
    StringPrototypeToWellFormed,
  } = primordials;

  function getter(prototype, name, get) {
    ObjectDefineProperty(prototype, name, {
      __proto__: null,
      get,
      enumerable: true,
      configurable: true,
    });
  }

  /** @param {{Event: Function}} classes What deno_web exports. */
  function fit({ CloseEvent, Event }) {
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
