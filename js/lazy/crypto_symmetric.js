// Symmetric keys of crypto.subtle: AES, HMAC, and the secrets of HKDF and PBKDF2.

(() => {
  const { core, primordials } = __bootstrap;
  const {
    ArrayPrototypeIncludes, MathCeil, StringPrototypeSlice, StringPrototypeStartsWith, TypeError,
    TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSlice, Uint8Array,
  } = primordials;
  const { ops } = core;
  const {
    HASHES, checkUsages, dataError, decoded, encoded, field, hashField, integer, makeKey,
    notSupported, operationError, ordered,
  } = core.loadExtScript("ext:beryl/crypto_key.js");

  const SIGN = ["sign", "verify"];
  const DERIVE = ["deriveKey", "deriveBits"];

  function aesUsages(name) {
    return name === "AES-KW"
      ? ["wrapKey", "unwrapKey"]
      : ["encrypt", "decrypt", "wrapKey", "unwrapKey"];
  }

  function secretKey({ name, params, extractable, usages, bytes }) {
    const handle = ops.op_crypto_secret(bytes);
    return makeKey({ handle, type: "secret", extractable, name, params, usages });
  }

  function random(length) {
    const bytes = new Uint8Array(length);
    ops.op_crypto_random_values(bytes);
    return bytes;
  }

  function generateAes(name, algorithm, extractable, list) {
    const usages = checkUsages(name, "generate", list, aesUsages(name));
    const length = integer(field(algorithm, "length"));
    if (!isAesLength(length)) {
      throw operationError(
        `Generated AES key length must be 128, 192, or 256 bits but requested ${length}.`,
      );
    }
    return secretKey({ name, params: { length }, extractable, usages, bytes: random(length / 8) });
  }

  function generateHmac(name, algorithm, extractable, list) {
    const hash = hashField(algorithm);
    const usages = checkUsages(name, "generate", list, SIGN);
    const length = algorithm.length === undefined ? HASHES[hash] * 8 : integer(algorithm.length);
    if (length <= 0) {
      throw operationError(
        `HMAC key length must be a non-zero unsigned long integer (requested ${length}).`,
      );
    }
    const bytes = random(MathCeil(length / 8));
    clearTrailingBits(bytes, length);
    return secretKey({ name, params: { hash, length }, extractable, usages, bytes });
  }

  function isAesLength(bits) {
    return bits === 128 || bits === 192 || bits === 256;
  }

  function clearTrailingBits(bytes, length) {
    const last = TypedArrayPrototypeGetByteLength(bytes) - 1;
    const unused = (last + 1) * 8 - length;
    if (unused > 0) bytes[last] &= 0xff << unused;
  }

  function importAes(name, format, data, { extractable, list }) {
    const usages = checkUsages(name, "import secret", list, aesUsages(name));
    let bytes;
    if (format === "raw") {
      bytes = data;
      checkAes(bytes);
    } else if (format === "jwk") {
      bytes = aesOfJwk(name, data);
      checkJwk(data, extractable, list);
    } else {
      throw notSupported(`Unrecognized key import format "${format}".`);
    }
    const length = TypedArrayPrototypeGetByteLength(bytes) * 8;
    return secretKey({ name, params: { length }, extractable, usages, bytes });
  }

  function checkAes(bytes) {
    const length = TypedArrayPrototypeGetByteLength(bytes) * 8;
    if (isAesLength(length)) return;
    throw dataError(
      `Imported AES key length must be 128, 192, or 256 bits but provided ${length}.`,
    );
  }

  function aesOfJwk(name, jwk) {
    if (jwk.kty !== "oct") {
      throw dataError(
        'Symmetric "jwk" key import requires a JSON Web Key with Key Type parameter "kty" equal ' +
          `to "oct" (encountered "${jwk.kty}").`,
      );
    }
    const bytes = decoded(
      jwk.k,
      'Symmetric "jwk" key import requires a base64Url encoding of the key.',
    );
    checkAes(bytes);
    const length = TypedArrayPrototypeGetByteLength(bytes) * 8;
    const expected = `A${length}${StringPrototypeSlice(name, 4)}`;
    if (jwk.alg !== undefined && jwk.alg !== expected) {
      throw dataError(
        `Symmetric "jwk" key contains invalid "alg" value "${jwk.alg}", expected "${expected}".`,
      );
    }
    return bytes;
  }

  function checkJwk(jwk, extractable, list) {
    if (list.length > 0 && jwk.use !== undefined && jwk.use !== "enc") {
      throw dataError(`Symmetric "jwk" key must have a "use" of "enc", not "${jwk.use}".`);
    }
    if (jwk.key_ops !== undefined) {
      for (let i = 0; i < list.length; i++) {
        if (!ArrayPrototypeIncludes(jwk.key_ops, list[i])) {
          throw dataError(`"jwk" key missing usage "${list[i]}", in "key_ops".`);
        }
      }
    }
    if (jwk.ext === false && extractable) {
      throw dataError(
        '"jwk" key has value "false", for "ext" that is incompatible with import extractability ' +
          'value "true".',
      );
    }
  }

  function importHmac(name, format, data, { algorithm, extractable, list }) {
    const usages = checkUsages(name, "import secret", list, SIGN);
    const hash = hashField(algorithm);
    let bytes;
    if (format === "raw") bytes = TypedArrayPrototypeSlice(data);
    else if (format === "jwk") bytes = hmacOfJwk(data, hash);
    else throw notSupported(`Unrecognized key import format "${format}".`);
    const size = TypedArrayPrototypeGetByteLength(bytes) * 8;
    const length = algorithm.length === undefined ? size : integer(algorithm.length);
    if (length === 0 || length > size || length <= size - 8) {
      throw dataError(
        `Imported HMAC key length (${length}) must be a non-zero value up to 7 bits less than, ` +
          `and no greater than, the bit length of the raw key data (${size}).`,
      );
    }
    clearTrailingBits(bytes, length);
    return secretKey({ name, params: { hash, length }, extractable, usages, bytes });
  }

  function hmacOfJwk(jwk, hash) {
    if (jwk.kty !== "oct") {
      throw dataError(
        'HMAC "jwk" key import requires a JSON Web Key with Key Type parameter ("kty") equal to ' +
          `"oct" (encountered "${jwk.kty}").`,
      );
    }
    const expected = `HS${StringPrototypeSlice(hash, 4)}`;
    const bytes = decoded(
      jwk.k,
      'HMAC "jwk" key import requires a base64Url encoding of the key',
    );
    if (jwk.alg !== undefined && jwk.alg !== expected) {
      throw dataError(
        'HMAC "jwk" key import specifies "alg" that is incompatible with the hash name ' +
          `(encountered "${jwk.alg}", expected "${expected}").`,
      );
    }
    return bytes;
  }

  function importSecret(name, format, data, { extractable, list }) {
    const usages = checkUsages(name, "import secret", list, DERIVE);
    if (extractable) throw syntaxError(`${name} key cannot be extractable.`);
    if (format !== "raw") {
      const end = name === "HKDF" ? "" : ".";
      throw notSupported(
        `${name} key must be imported in "raw" format (requested "${format}")${end}`,
      );
    }
    return secretKey({ name, params: {}, extractable, usages, bytes: data });
  }

  function syntaxError(text) {
    const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
    return new DOMException(text, "SyntaxError");
  }

  /** @returns {object | Uint8Array} A JSON Web Key or bytes. */
  function exportKey(format, { handle, name, params, usages }) {
    const isAes = StringPrototypeStartsWith(name, "AES-");
    if (!isAes && name !== "HMAC") throw notSupported(`Unrecognized key export algorithm ${name}.`);
    if (format === "raw") return ops.op_crypto_export(handle, true);
    if (format !== "jwk") {
      throw notSupported(
        isAes
          ? `${name} key only supports exporting "raw", "raw-secret" & "jwk", not "${format}".`
          : `Unimplemented key export format "${format}".`,
      );
    }
    const alg = isAes
      ? `A${params.length}${StringPrototypeSlice(name, 4)}`
      : `HS${StringPrototypeSlice(params.hash, 4)}`;
    return {
      kty: "oct",
      key_ops: ordered(usages),
      alg,
      ext: true,
      k: encoded(ops.op_crypto_export(handle, true)),
    };
  }

  /** Bits a derived key of this algorithm has; null for those that take any number. */
  function lengthOf(name, algorithm) {
    const of = "derivedKeyParams";
    if (StringPrototypeStartsWith(name, "AES-")) {
      const length = integer(field(algorithm, "length", of));
      if (isAesLength(length)) return length;
      throw operationError(
        `Derived AES key must be 128, 192, or 256 bits in length but provided ${length}.`,
      );
    }
    if (name !== "HMAC") return null;
    if (algorithm.length === undefined) return HASHES[hashField(algorithm, of)] * 8;
    const length = integer(algorithm.length);
    if (length > 0) return length;
    throw new TypeError("HMAC key length must be a non-zero unsigned long integer.");
  }

  return { exportKey, generateAes, generateHmac, importAes, importHmac, importSecret, lengthOf };
})();
