// What the platform's streams have beyond those of deno_web: reads of at least so many bytes, and
// sources whose `start()` throws, which error their stream instead of its constructor.

(() => {
  const { primordials } = __bootstrap;
  const {
    ObjectDefineProperty, ObjectGetOwnPropertySymbols, PromisePrototypeThen, Proxy, ReflectApply,
    ReflectConstruct, SymbolPrototypeGetDescription,
  } = primordials;

  function method(prototype, name, value) {
    ObjectDefineProperty(prototype, name, {
      __proto__: null,
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }

  /** @returns {any} The state that deno_web keeps of an object under a symbol. */
  function slot(object, name) {
    const symbols = ObjectGetOwnPropertySymbols(object);
    for (let i = 0; i < symbols.length; i++) {
      if (SymbolPrototypeGetDescription(symbols[i]) === name) return object[symbols[i]];
    }
    return undefined;
  }

  const { readAtLeast } = {
    /**
     * @param {number} minElements
     * @param {ArrayBufferView} view
     */
    readAtLeast(minElements, view) {
      // The end may come before: what was read until then is no end yet.
      return PromisePrototypeThen(this.read(view, { min: minElements }), (result) => {
        const { done, value } = result;
        if (!done || value === undefined || value.byteLength === 0) return result;
        return { value, done: false };
      });
    },
  };

  /** How many bytes a request still needs. */
  function atLeast(request) {
    const controller = slot(request, "[[controller]]");
    const first = controller === undefined ? undefined : slot(controller, "[[pendingPullIntos]]");
    const descriptor = first?.[0];
    if (descriptor === undefined) return null;
    return descriptor.minimumFill - descriptor.bytesFilled;
  }

  const CALLBACKS = ["pull", "cancel", "write", "close", "abort", "transform", "flush", "type",
    "autoAllocateChunkSize", "readableType", "writableType"];

  /** The same source or sink, whose `start` hands what it throws to the controller. */
  function patient(source) {
    const start = source?.start;
    if (typeof start !== "function") return source;
    const fitted = {
      __proto__: null,
      start(controller) {
        try {
          return ReflectApply(start, source, [controller]);
        } catch (error) {
          controller.error(error);
        }
      },
    };
    for (let i = 0; i < CALLBACKS.length; i++) {
      const name = CALLBACKS[i];
      const value = source[name];
      if (value === undefined) continue;
      fitted[name] = typeof value !== "function"
        ? value
        : (...args) => ReflectApply(value, source, args);
    }
    return fitted;
  }

  function withPatience(stream) {
    const fitted = new Proxy(stream, {
      __proto__: null,
      construct: (target, args, newTarget) => {
        const { 0: source } = args;
        if (typeof source === "object" && source !== null) args[0] = patient(source);
        return ReflectConstruct(target, args, newTarget);
      },
    });
    ObjectDefineProperty(stream.prototype, "constructor", {
      __proto__: null,
      value: fitted,
      writable: true,
      enumerable: false,
      configurable: true,
    });
    return fitted;
  }

  /** @param {Record<string, any>} classes What deno_web exports. */
  function fit(classes) {
    method(classes.ReadableStreamBYOBReader.prototype, "readAtLeast", readAtLeast);
    ObjectDefineProperty(classes.ReadableStreamBYOBRequest.prototype, "atLeast", {
      __proto__: null,
      get() {
        // Throws for what is no request.
        return this.view === null ? null : atLeast(this);
      },
      enumerable: true,
      configurable: true,
    });
    return {
      ...classes,
      ReadableStream: withPatience(classes.ReadableStream),
      TransformStream: withPatience(classes.TransformStream),
      WritableStream: withPatience(classes.WritableStream),
    };
  }

  return { fit };
})();
