// Where message ports of the platform differ from those of browsers: nothing can be transferred.

(() => {
  const { primordials } = __bootstrap;
  const { ArrayIsArray, Error, ObjectDefineProperty, ReflectApply } = primordials;

  /** @param {Record<string, any>} script What deno_web exports. */
  function fit({ MessagePort: { prototype }, isUncloneable, structuredClone }) {
    const { postMessage } = prototype;
    const methods = {
      postMessage(message, options = undefined) {
        const transfer = ArrayIsArray(options) ? options : options?.transfer;
        if (transfer?.length > 0) throw new Error("Transfer list is not supported");
        // Throws for what has no clone.
        if (isUncloneable(message)) structuredClone(message);
        return ReflectApply(postMessage, this, [message]);
      },
    };
    ObjectDefineProperty(prototype, "postMessage", {
      __proto__: null,
      value: methods.postMessage,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }

  return { fit };
})();
