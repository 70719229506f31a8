// crypto.subtle, as far as it goes: digests and comparisons. Loaded at first use.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ObjectDefineProperty, PromiseReject, Symbol, SymbolToStringTag, TypeError,
    TypedArrayPrototypeGetBuffer,
  } = primordials;
  const { ops } = core;
  const { bytesOf, hasherOf, unsupported } = internals.runtime;

  const kInternal = Symbol("internal");

  /** Methods that only say that they are missing. */
  const MISSING = [
    "decrypt", "deriveBits", "deriveKey", "encrypt", "exportKey", "generateKey", "importKey",
    "sign", "unwrapKey", "verify", "wrapKey",
  ];

  class SubtleCrypto {
    constructor(token) {
      if (token !== kInternal) throw new TypeError("Illegal constructor");
    }

    /**
     * @param {string | {name: string}} algorithm
     * @param {BufferSource} data
     * @returns {Promise<ArrayBuffer>}
     */
    async digest(algorithm, data) {
      const hasher = hasherOf(algorithm);
      ops.op_crypto_hasher_update(hasher, bytesOf(data));
      return TypedArrayPrototypeGetBuffer(ops.op_crypto_hasher_finish(hasher));
    }

    /**
     * @param {BufferSource} a
     * @param {BufferSource} b
     * @returns {boolean}
     */
    timingSafeEqual(a, b) {
      return ops.op_crypto_timing_safe_equal(bytesOf(a), bytesOf(b));
    }

    get [SymbolToStringTag]() {
      return "SubtleCrypto";
    }
  }

  for (let i = 0; i < MISSING.length; i++) {
    const name = MISSING[i];
    ObjectDefineProperty(SubtleCrypto.prototype, name, {
      __proto__: null,
      value: { [name]: () => PromiseReject(unsupported(`crypto.subtle.${name}()`)) }[name],
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }

  return { SubtleCrypto, subtle: new SubtleCrypto(kInternal) };
})();
