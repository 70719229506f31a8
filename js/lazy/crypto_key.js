// CryptoKey, and what all algorithms of crypto.subtle share.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayBufferIsView, ArrayPrototypeFilter, ArrayPrototypeIncludes, ArrayPrototypePush, Number,
    SafeArrayIterator, String, StringPrototypeToUpperCase, Symbol, SymbolToStringTag, TypeError,
    TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSlice,
  } = primordials;
  const { ops } = core;
  const { bytesOf, domException, neverClone } = internals.runtime;

  const kInternal = Symbol("internal");

  /** All usages, in the order keys list them. */
  const USAGES = [
    "encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey",
  ];

  /** Usages a public key may have, and those of a private one. */
  const PUBLIC = ["encrypt", "verify", "wrapKey"];
  const PRIVATE = ["decrypt", "sign", "unwrapKey", "deriveKey", "deriveBits"];

  const HASHES = { __proto__: null, "SHA-1": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128 };

  /** What the platform calls the dictionaries of some fields, in errors. */
  const DICTIONARIES = {
    __proto__: null,
    info: "DeriveKeyAlgorithm",
    publicExponent: "GenerateKeyAlgorithm",
    salt: "DeriveKeyAlgorithm",
  };

  let partsOf;

  class CryptoKey {
    #parts;

    static {
      partsOf = (value) => typeof value === "object" && value !== null && #parts in value
        ? value.#parts
        : undefined;
    }

    constructor(token, parts) {
      if (token !== kInternal) throw new TypeError("Illegal constructor");
      this.#parts = parts;
    }

    /** @returns {"secret" | "public" | "private"} */
    get type() {
      return this.#parts.type;
    }

    /** @returns {boolean} */
    get extractable() {
      return this.#parts.extractable;
    }

    /** @returns {object} Name and parameters, a copy each time. */
    get algorithm() {
      const { name, params } = this.#parts;
      const { hash, length, modulusLength, publicExponent, namedCurve } = params;
      const result = { name };
      if (modulusLength !== undefined) {
        result.modulusLength = modulusLength;
        result.publicExponent = TypedArrayPrototypeSlice(publicExponent);
      }
      if (hash !== undefined) result.hash = { name: hash };
      if (length !== undefined) result.length = length;
      if (namedCurve !== undefined) result.namedCurve = namedCurve;
      return result;
    }

    /** @returns {string[]} */
    get usages() {
      return ordered(this.#parts.usages);
    }

    get [SymbolToStringTag]() {
      return "CryptoKey";
    }
  }

  neverClone(CryptoKey);

  /**
   * @param {{handle: object, type: string, extractable: boolean, name: string, params: object,
   *   usages: string[]}} parts
   */
  function makeKey(parts) {
    return new CryptoKey(kInternal, parts);
  }

  /** The parts of a key that was passed to a method. */
  function keyOf(value, method, position) {
    const parts = partsOf(value);
    if (parts !== undefined) return parts;
    throw mismatch(method, position, "CryptoKey");
  }

  function mismatch(method, position, type) {
    return new TypeError(
      `Failed to execute '${method}' on 'SubtleCrypto': parameter ${position} is not of type ` +
        `'${type}'.`,
    );
  }

  /** Bytes of a BufferSource that was passed to a method. */
  function sourceOf(value, method, position) {
    if (isSource(value)) return bytesOf(value);
    throw mismatch(method, position, "BufferSource");
  }

  function isSource(value) {
    return ArrayBufferIsView(value) || core.isAnyArrayBuffer(value);
  }

  /** An algorithm as an object with a name. */
  function algorithmOf(value, method, position) {
    if (typeof value === "string") return { __proto__: null, name: value };
    if (typeof value === "object" && value !== null && value.name !== undefined) return value;
    throw mismatch(method, position, "string or Algorithm");
  }

  /** A field that must be there. */
  function field(algorithm, name, of = "algorithm") {
    const value = algorithm[name];
    if (value === undefined) throw new TypeError(`Missing field "${name}" in "${of}".`);
    return value;
  }

  /** A field of bytes; no bytes where it is optional and missing. */
  function bytesField(algorithm, name, isOptional = false) {
    const value = isOptional ? algorithm[name] : field(algorithm, name);
    if (value === undefined) return core.encode("");
    if (isSource(value)) return bytesOf(value);
    const of = DICTIONARIES[name] ?? "EncryptAlgorithm";
    throw new TypeError(
      `Incorrect type for the '${name}' field on '${of}': the provided value is not of type ` +
        "'BufferSource'.",
    );
  }

  /** The hash of an algorithm by its usual name. */
  function hashField(algorithm, of = "algorithm") {
    return hashName(field(algorithm, "hash", of));
  }

  function hashName(hash) {
    const text = typeof hash === "string" ? hash : String(hash?.name);
    const name = StringPrototypeToUpperCase(text);
    if (HASHES[name] !== undefined) return name;
    throw domException(
      "Unrecognized or unimplemented digest algorithm requested.",
      "NotSupportedError",
    );
  }

  /**
   * Checks usages against those that are allowed.
   * @returns {string[]} Without doubles.
   */
  function checkUsages(name, operation, usages, allowed) {
    const found = [];
    for (let i = 0; i < usages.length; i++) {
      const usage = usages[i];
      if (!ArrayPrototypeIncludes(allowed, usage)) {
        throw domException(
          `Attempt to ${operation} ${name} key with invalid usage "${usage}".`,
          "SyntaxError",
        );
      }
      if (!ArrayPrototypeIncludes(found, usage)) ArrayPrototypePush(found, usage);
    }
    return found;
  }

  /** Those of `usages` that are in `mask`. */
  function masked(usages, mask) {
    return ArrayPrototypeFilter(usages, (usage) => ArrayPrototypeIncludes(mask, usage));
  }

  function ordered(usages) {
    return masked(USAGES, usages);
  }

  /** A list of usages that was passed to a method. */
  function usagesOf(value, method, position) {
    if (typeof value !== "object" || value === null) throw mismatch(method, position, "Array");
    const usages = [];
    for (const usage of new SafeArrayIterator(value)) ArrayPrototypePush(usages, String(usage));
    return usages;
  }

  /** The bytes of a part of a JSON Web Key. */
  function decoded(text, error) {
    if (typeof text === "string") {
      try {
        return ops.op_base64url_decode(text);
      } catch {
        // The error below says which part it is.
      }
    }
    throw domException(error, "DataError");
  }

  function encoded(bytes) {
    return ops.op_base64url_encode_from_buffer(bytes, 0, TypedArrayPrototypeGetByteLength(bytes));
  }

  /** A number as Web IDL converts it. */
  function integer(value) {
    return Number(value) >> 0;
  }

  function dataError(text) {
    return domException(text, "DataError");
  }

  function operationError(text) {
    return domException(text, "OperationError");
  }

  function notSupported(text) {
    return domException(text, "NotSupportedError");
  }

  return {
    CryptoKey, HASHES, PRIVATE, PUBLIC, algorithmOf, bytesField, checkUsages, dataError, decoded,
    encoded, field, hashField, hashName, integer, isSource, keyOf, makeKey, masked, mismatch,
    notSupported, operationError, ordered, sourceOf, usagesOf,
  };
})();
