// crypto.subtle (Web Cryptography API). Loaded at first use, with the parts it is made of.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayPrototypeIncludes, JSONParse, JSONStringify, StringPrototypeToUpperCase, Symbol,
    SymbolToStringTag, TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeSlice,
  } = primordials;
  const { ops } = core;
  const { bytesOf, domException, hasherOf } = internals.runtime;
  const {
    CryptoKey, algorithmOf, dataError, isSource, keyOf, mismatch, notSupported, sourceOf, usagesOf,
  } = core.loadExtScript("ext:beryl/crypto_key.js");
  const symmetric = core.loadExtScript("ext:beryl/crypto_symmetric.js");
  const asymmetric = core.loadExtScript("ext:beryl/crypto_asymmetric.js");
  const { derive } = core.loadExtScript("ext:beryl/crypto_derive.js");
  const { cipher, sign, verify } = core.loadExtScript("ext:beryl/crypto_operations.js");

  const kInternal = Symbol("internal");

  const BINARY_FORMATS = ["raw", "pkcs8", "spki"];
  const MODERN_FORMATS = ["raw-public", "raw-secret"];

  /** @returns {string} The format, if it is one of those without a compatibility flag. */
  function formatOf(format) {
    const text = `${format}`;
    if (!ArrayPrototypeIncludes(MODERN_FORMATS, text)) return text;
    throw notSupported(`Key format "${text}" requires the webcrypto_modern_algorithms flag.`);
  }

  /** What can be done with each algorithm, by its name in upper case. */
  const ALGORITHMS = { __proto__: null };

  function register(names, importKey, generate = undefined) {
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      ALGORITHMS[StringPrototypeToUpperCase(name)] = { name, importKey, generate };
    }
  }

  register(
    ["AES-CTR", "AES-CBC", "AES-GCM", "AES-KW"],
    symmetric.importAes,
    symmetric.generateAes,
  );
  register(["HMAC"], symmetric.importHmac, symmetric.generateHmac);
  register(["HKDF", "PBKDF2"], symmetric.importSecret);
  register(
    [
      "RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP", "ECDSA", "ECDH", "Ed25519", "NODE-ED25519",
      "X25519",
    ],
    asymmetric.importKey,
    asymmetric.generate,
  );

  function lookUp(algorithm) {
    return ALGORITHMS[StringPrototypeToUpperCase(`${algorithm.name}`)];
  }

  /** Checks that a key is for an algorithm and may be used so. */
  function check(key, { name }, usage) {
    if (StringPrototypeToUpperCase(`${name}`) !== StringPrototypeToUpperCase(key.name)) {
      throw domException(
        `Requested algorithm "${name}" does not match this CryptoKey's algorithm "${key.name}".`,
        "InvalidAccessError",
      );
    }
    if (ArrayPrototypeIncludes(key.usages, usage)) return;
    throw domException(
      `Requested key usage "${usage}" does not match any usage listed in this CryptoKey.`,
      "InvalidAccessError",
    );
  }

  /** Keys that are no public ones must be good for something. */
  function checkUseful(key) {
    const { type, usages } = keyOf(key);
    if (type === "public" || usages.length > 0) return;
    throw domException("Secret/private CryptoKeys must have at least one usage.", "SyntaxError");
  }

  function importSync(format, keyData, algorithm, { extractable, list }) {
    let data = keyData;
    if (ArrayPrototypeIncludes(BINARY_FORMATS, format)) {
      if (!isSource(keyData)) {
        throw new TypeError(
          "Import data provided for buffer-based import formats must be a buffer source.",
        );
      }
      data = TypedArrayPrototypeSlice(bytesOf(keyData));
    } else if (format === "jwk") {
      if (typeof keyData !== "object" || keyData === null || isSource(keyData)) {
        throw new TypeError(
          'Import data provided for "jwk" import format must be a JsonWebKey.',
        );
      }
      if (keyData.ext === false && extractable) {
        throw dataError(
          `JWK ext field for "${algorithm.name}" is set to false but extractable is true`,
        );
      }
    } else {
      throw notSupported(`Unrecognized key import format "${format}".`);
    }
    const known = lookUp(algorithm);
    if (known === undefined) {
      throw notSupported(`Unrecognized key import algorithm "${algorithm.name}" requested.`);
    }
    const key = known.importKey(known.name, format, data, { algorithm, extractable, list });
    checkUseful(key);
    return key;
  }

  function exportSync(format, key) {
    if (!key.extractable) {
      throw domException(
        `Attempt to export non-extractable ${key.name} key.`,
        "InvalidAccessError",
      );
    }
    return key.type === "secret"
      ? symmetric.exportKey(format, key)
      : asymmetric.exportKey(format, key);
  }

  function buffer(bytes) {
    return TypedArrayPrototypeGetBuffer(bytes);
  }

  class SubtleCrypto {
    constructor(token) {
      if (token !== kInternal) throw new TypeError("Illegal constructor");
    }

    async encrypt(algorithm, key, data) {
      const params = algorithmOf(algorithm, "encrypt", 1);
      const parts = keyOf(key, "encrypt", 2);
      check(parts, params, "encrypt");
      return buffer(cipher(params, parts, sourceOf(data, "encrypt", 3), false));
    }

    async decrypt(algorithm, key, data) {
      const params = algorithmOf(algorithm, "decrypt", 1);
      const parts = keyOf(key, "decrypt", 2);
      check(parts, params, "decrypt");
      return buffer(cipher(params, parts, sourceOf(data, "decrypt", 3), true));
    }

    async sign(algorithm, key, data) {
      const params = algorithmOf(algorithm, "sign", 1);
      const parts = keyOf(key, "sign", 2);
      check(parts, params, "sign");
      return buffer(sign(params, parts, sourceOf(data, "sign", 3)));
    }

    async verify(algorithm, key, signature, data) {
      const params = algorithmOf(algorithm, "verify", 1);
      const parts = keyOf(key, "verify", 2);
      check(parts, params, "verify");
      const bytes = sourceOf(signature, "verify", 3);
      return verify(params, parts, bytes, sourceOf(data, "verify", 4));
    }

    async digest(algorithm, data) {
      const hasher = hasherOf(algorithmOf(algorithm, "digest", 1));
      ops.op_crypto_hasher_update(hasher, sourceOf(data, "digest", 2));
      return buffer(ops.op_crypto_hasher_finish(hasher));
    }

    async generateKey(algorithm, extractable, keyUsages) {
      const params = algorithmOf(algorithm, "generateKey", 1);
      const list = usagesOf(keyUsages, "generateKey", 3);
      const known = lookUp(params);
      if (known?.generate === undefined) {
        throw notSupported(`Unrecognized key generation algorithm "${params.name}" requested.`);
      }
      const made = await known.generate(known.name, params, !!extractable, list);
      if (made.privateKey === undefined) {
        checkUseful(made);
      } else if (keyOf(made.privateKey).usages.length === 0) {
        throw domException(
          "Attempt to generate asymmetric keys with no valid private key usages.",
          "SyntaxError",
        );
      }
      return made;
    }

    async deriveKey(algorithm, baseKey, derivedKeyType, extractable, keyUsages) {
      const params = algorithmOf(algorithm, "deriveKey", 1);
      const base = keyOf(baseKey, "deriveKey", 2);
      const type = algorithmOf(derivedKeyType, "deriveKey", 3);
      const list = usagesOf(keyUsages, "deriveKey", 5);
      check(base, params, "deriveKey");
      const known = lookUp(type);
      if (known === undefined || known.importKey === asymmetric.importKey) {
        throw notSupported(`Unrecognized derived key type "${type.name}" requested.`);
      }
      const bytes = await derive(params, base, symmetric.lengthOf(known.name, type));
      return importSync("raw", bytes, type, { extractable: !!extractable, list });
    }

    async deriveBits(algorithm, baseKey, length = null) {
      const params = algorithmOf(algorithm, "deriveBits", 1);
      const base = keyOf(baseKey, "deriveBits", 2);
      const bits = length === null ? null : length >> 0;
      if (bits < 0) throw new TypeError("deriveBits length must be an unsigned long integer.");
      check(base, params, "deriveBits");
      return buffer(await derive(params, base, bits));
    }

    async importKey(format, keyData, algorithm, extractable, keyUsages) {
      const params = algorithmOf(algorithm, "importKey", 3);
      const list = usagesOf(keyUsages, "importKey", 5);
      return importSync(formatOf(format), keyData, params, { extractable: !!extractable, list });
    }

    async exportKey(format, key) {
      const exported = exportSync(formatOf(format), keyOf(key, "exportKey", 2));
      return isSource(exported) ? buffer(exported) : exported;
    }

    async wrapKey(format, key, wrappingKey, wrapAlgorithm) {
      const parts = keyOf(key, "wrapKey", 2);
      const wrapping = keyOf(wrappingKey, "wrapKey", 3);
      const params = algorithmOf(wrapAlgorithm, "wrapKey", 4);
      check(wrapping, params, "wrapKey");
      const exported = exportSync(formatOf(format), parts);
      const bytes = isSource(exported) ? exported : core.encode(JSONStringify(exported));
      return buffer(cipher(params, wrapping, bytes, false));
    }

    async unwrapKey(
      format,
      wrappedKey,
      unwrappingKey,
      unwrapAlgorithm,
      unwrappedKeyAlgorithm,
      extractable,
      keyUsages,
    ) {
      const bytes = sourceOf(wrappedKey, "unwrapKey", 2);
      const unwrapping = keyOf(unwrappingKey, "unwrapKey", 3);
      const params = algorithmOf(unwrapAlgorithm, "unwrapKey", 4);
      const type = algorithmOf(unwrappedKeyAlgorithm, "unwrapKey", 5);
      const list = usagesOf(keyUsages, "unwrapKey", 7);
      check(unwrapping, params, "unwrapKey");
      const exported = cipher(params, unwrapping, bytes, true);
      const data = `${format}` === "jwk" ? parsed(exported) : exported;
      return importSync(formatOf(format), data, type, { extractable: !!extractable, list });
    }

    /**
     * @param {BufferSource} a
     * @param {BufferSource} b
     * @returns {boolean}
     */
    timingSafeEqual(a, b) {
      return ops.op_crypto_timing_safe_equal(
        sourceOf(a, "timingSafeEqual", 1),
        sourceOf(b, "timingSafeEqual", 2),
      );
    }

    get [SymbolToStringTag]() {
      return "SubtleCrypto";
    }
  }

  function parsed(bytes) {
    const jwk = JSONParse(core.decode(bytes));
    if (typeof jwk?.kty === "string") return jwk;
    throw dataError('Missing "kty" field or corrupt JSON unwrapping key?');
  }

  return { CryptoKey, SubtleCrypto, subtle: new SubtleCrypto(kInternal) };
})();
