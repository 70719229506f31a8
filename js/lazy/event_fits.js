// Where events of the platform differ from those of browsers.

(() => {
  const { primordials } = __bootstrap;
  const { ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectApply } = primordials;

  function getter(prototype, name, get) {
    ObjectDefineProperty(prototype, name, {
      __proto__: null,
      get,
      enumerable: true,
      configurable: true,
    });
  }

  /** @param {{Event: Function}} classes What deno_web exports. */
  function fit({ Event }) {
    const { get } = ObjectGetOwnPropertyDescriptor(Event.prototype, "currentTarget");
    getter(Event.prototype, "currentTarget", function currentTarget() {
      return ReflectApply(get, this, []) ?? undefined;
    });
    getter(Event.prototype, "timeStamp", function timeStamp() {
      return 0;
    });
  }

  return { fit };
})();
