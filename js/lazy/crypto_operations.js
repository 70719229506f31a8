// Encrypting, signing and verifying with the keys of crypto.subtle.

(() => {
  const { core, primordials } = __bootstrap;
  const { ArrayPrototypeIncludes, TypeError, TypedArrayPrototypeGetByteLength } = primordials;
  const { ops } = core;
  const {
    bytesField, dataError, field, hashField, integer, notSupported, operationError,
  } = core.loadExtScript("ext:beryl/crypto_key.js");
  const { domException } = __bootstrap.internals.runtime;

  const TAG_BITS = [32, 64, 96, 104, 112, 120, 128];

  /** Bytes of IVs of AES-GCM that can be had; as in `ops::crypto::cipher`. */
  const GCM_IV_BYTES = [8, 12, 16, 24, 32];

  const NO_BYTES = core.encode("");

  function sizeOf(bytes) {
    return TypedArrayPrototypeGetByteLength(bytes);
  }

  /** Encrypts, wraps, decrypts or unwraps. @returns {Uint8Array} */
  function cipher(algorithm, key, data, isDecryption) {
    switch (key.name) {
      case "AES-GCM":
        return gcm(algorithm, key, data, isDecryption);
      case "AES-CBC":
        return cbc(algorithm, key, data, isDecryption);
      case "AES-CTR":
        return ctr(algorithm, key, data);
      case "AES-KW":
        return keyWrap(key, data, isDecryption);
      case "RSA-OAEP":
        return oaep(algorithm, key, data, isDecryption);
      default:
        throw notSupported(`The operation is not implemented for "${key.name}".`);
    }
  }

  function failed(key, data, expected) {
    return operationError(
      "Decryption failed. This could be due to a ciphertext authentication failure, bad padding, " +
        "incorrect CryptoKey, or another algorithm-specific reason. Input length was " +
        `${sizeOf(data)}, output length expected to be ${expected} for ${key.name}`,
    );
  }

  function gcm(algorithm, key, data, isDecryption) {
    const iv = bytesField(algorithm, "iv");
    const length = sizeOf(iv);
    if (length === 0) throw operationError("AES-GCM IV must not be empty.");
    const extra = bytesField(algorithm, "additionalData", true);
    const bits = algorithm.tagLength === undefined ? 128 : integer(algorithm.tagLength);
    if (!ArrayPrototypeIncludes(TAG_BITS, bits)) {
      throw operationError(`Invalid AES-GCM tag length ${bits}.`);
    }
    if (!ArrayPrototypeIncludes(GCM_IV_BYTES, length)) {
      throw notSupported(
        `AES-GCM IVs of ${length} bytes are not supported by Beryl; use 12, or 8, 16, 24 or 32`,
      );
    }
    if (isDecryption && sizeOf(data) < bits / 8) {
      throw operationError(
        `Ciphertext length of ${sizeOf(data) * 8} bits must be greater than or equal to the size ` +
          `of the AES-GCM tag length of ${bits} bits.`,
      );
    }
    const text = ops.op_crypto_cipher(
      key.handle, key.name, isDecryption, iv, extra, bits / 8, data,
    );
    if (text === null) {
      const expected = sizeOf(data) - bits / 8;
      throw operationError(
        "Decryption failed. This could be due to a ciphertext authentication failure, bad " +
          "padding, incorrect CryptoKey, or another algorithm-specific reason. Input length was " +
          `${expected}, output length expected to be ${expected} for ${key.name}`,
      );
    }
    return text;
  }

  function cbc(algorithm, key, data, isDecryption) {
    const iv = bytesField(algorithm, "iv");
    const length = sizeOf(iv);
    if (length !== 16) {
      const unit = isDecryption ? "" : " bytes";
      throw operationError(`AES-CBC IV must be 16 bytes long (provided ${length}${unit}).`);
    }
    const text = ops.op_crypto_cipher(key.handle, key.name, isDecryption, iv, NO_BYTES, 0, data);
    // The last block is not out yet when the padding turns out to be wrong.
    if (text === null) throw failed(key, data, sizeOf(data) < 16 ? 0 : sizeOf(data) - 16);
    return text;
  }

  function ctr(algorithm, key, data) {
    if (algorithm.counter === undefined) {
      throw new TypeError('Missing "counter" member in "algorithm".');
    }
    const counter = bytesField(algorithm, "counter");
    if (sizeOf(counter) !== 16) {
      throw operationError(
        `Counter must have length of 16 bytes (provided ${sizeOf(counter)}).`,
      );
    }
    if (algorithm.length === undefined) {
      throw new TypeError('Missing "length" member in "algorithm".');
    }
    const bits = integer(algorithm.length);
    if (bits <= 0 || bits > 128) {
      throw operationError(`Invalid counter of ${bits} bits length provided.`);
    }
    const text = ops.op_crypto_cipher(key.handle, key.name, false, counter, NO_BYTES, bits, data);
    if (text === null) throw operationError("Counter block values will repeat.");
    return text;
  }

  function keyWrap(key, data, isDecryption) {
    const length = sizeOf(data);
    if (isDecryption) {
      if (length % 8 !== 0) {
        throw operationError(
          `Provided a wrapped key to unwrap that is ${length * 8} bits which isn't a multiple of ` +
            "64 bits.",
        );
      }
      if (length < 24) {
        throw operationError(
          `Provided a wrapped key to unwrap this is ${length * 8} bits that is less than the ` +
            "minimal length of 192 bits.",
        );
      }
    } else if (length % 8 !== 0) {
      throw operationError(
        "Unwrapped key bit length must be a multiple of 64 bits but unwrapped key has a length " +
          `of ${length * 8} bits.`,
      );
    } else if (length < 16) {
      throw operationError(
        `Unwrapped key has length ${length} bytes but it should be greater than or equal to 16 ` +
          "and less than or equal to 18446744073709551607",
      );
    }
    const text = ops.op_crypto_cipher(
      key.handle, key.name, isDecryption, NO_BYTES, NO_BYTES, 0, data,
    );
    if (text === null) {
      throw operationError(`AES-KW key ${isDecryption ? "un" : ""}wrapping failed.`);
    }
    return text;
  }

  function oaep(algorithm, key, data, isDecryption) {
    const needed = isDecryption ? "private" : "public";
    if (key.type !== needed) {
      throw domException(
        `${isDecryption ? "Decryption" : "Encryption"}/key ${isDecryption ? "un" : ""}wrapping ` +
          `only works with ${needed} keys, not "${key.type}".`,
        "InvalidAccessError",
      );
    }
    const label = bytesField(algorithm, "label", true);
    const text = ops.op_crypto_oaep(key.handle, key.params.hash, label, data);
    if (text === null) throw operationError("RSA-OAEP failed encrypt/decrypt.");
    return text;
  }

  /** @returns {Uint8Array} */
  function sign(algorithm, key, data) {
    requireType(key, "private", "signing");
    const { hash, salt } = scheme(algorithm, key);
    const signature = ops.op_crypto_sign(key.handle, hash, salt, data);
    if (signature === undefined) throw missing(key, hash, salt);
    if (signature === null) throw operationError(`Signing with ${key.name} failed.`);
    return signature;
  }

  /** @returns {boolean} */
  function verify(algorithm, key, signature, data) {
    requireType(key, "public", "verification");
    const { hash, salt } = scheme(algorithm, key);
    const length = sizeOf(signature);
    if (hash === "" && length !== 64) {
      throw operationError(`Invalid ${key.name} signature length ${length}`);
    }
    const holds = ops.op_crypto_verify(key.handle, hash, salt, signature, data);
    if (holds === undefined) throw missing(key, hash, salt);
    if (holds === null) throw operationError(`Verifying with ${key.name} failed.`);
    return holds;
  }

  function requireType(key, type, what) {
    if (key.type === type || key.type === "secret") return;
    throw domException(`Asymmetric ${what} requires a ${type} key.`, "InvalidAccessError");
  }

  /** Hash and length of the salt, -1 where there is no salt. */
  function scheme(algorithm, key) {
    switch (key.name) {
      case "HMAC":
      case "RSASSA-PKCS1-v1_5":
        return { hash: key.params.hash, salt: -1 };
      case "RSA-PSS":
        return { hash: key.params.hash, salt: saltOf(algorithm) };
      case "Ed25519":
      case "NODE-ED25519":
        return { hash: "", salt: -1 };
      case "ECDSA":
        if (algorithm.hash === undefined) {
          throw new TypeError(
            'Missing "hash" in AlgorithmIdentifier. (ECDSA requires that the hash algorithm be ' +
              "specified at call time rather than on the key. This differs from other WebCrypto " +
              "algorithms for historical reasons.)",
          );
        }
        return { hash: hashField(algorithm), salt: -1 };
      default:
        throw notSupported(
          `The sign and verify operations are not implemented for "${key.name}".`,
        );
    }
  }

  function saltOf(algorithm) {
    if (algorithm.saltLength === undefined) {
      throw dataError("Failed to provide salt for RSA-PSS key operation which requires a salt");
    }
    const salt = integer(field(algorithm, "saltLength"));
    if (salt >= 0) return salt;
    throw dataError(`SaltLength for RSA-PSS must be non-negative (provided ${salt}).`);
  }

  function missing(key, hash, salt) {
    const of = key.params.namedCurve === undefined ? "" : ` on ${key.params.namedCurve}`;
    const salted = salt < 0 ? "" : ` and a salt of ${salt} bytes`;
    return notSupported(`${key.name}${of} with ${hash}${salted} is not supported by Beryl`);
  }

  return { cipher, sign, verify };
})();
