// deriveBits() of crypto.subtle: ECDH, X25519, HKDF and PBKDF2.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    MathCeil, TypeError, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSlice,
  } = primordials;
  const { ops } = core;
  const { domException, open, promiseOf } = internals.runtime;
  const { bytesField, field, hashField, integer, keyOf, notSupported, operationError } = core
    .loadExtScript("ext:beryl/crypto_key.js");

  /** Iterations of PBKDF2: half a second of one core. The hosted platform allows a tenth. */
  const ITERATIONS_MAX = 1_000_000;

  /** Bytes that PBKDF2 and HKDF may be asked for: what HKDF has with the longest hash. */
  const DERIVED_BYTES_MAX = 255 * 64;

  /**
   * @param {object} algorithm With its parameters.
   * @param {object} base The parts of the base key.
   * @param {number | null} length In bits; null for as many as there are.
   * @returns {Promise<Uint8Array>}
   */
  async function derive(algorithm, base, length) {
    switch (base.name) {
      case "ECDH":
      case "X25519":
        return agree(algorithm, base, length);
      case "HKDF":
        return hkdf(algorithm, base, length);
      case "PBKDF2":
        return await pbkdf2(algorithm, base, length);
      default:
        throw notSupported(`The deriveBits operation is not implemented for "${base.name}".`);
    }
  }

  function invalidAccess(text) {
    return domException(text, "InvalidAccessError");
  }

  function agree(algorithm, base, length) {
    if (base.type !== "private") {
      throw invalidAccess(
        `The deriveBits operation is only valid for a private key, not "${base.type}".`,
      );
    }
    const other = keyOf(field(algorithm, "public", "derivedKeyParams"), "deriveBits", 1);
    if (other.type !== "public") {
      throw invalidAccess(`The provided key has type "${other.type}", not "public"`);
    }
    if (other.name !== base.name) {
      const isOther = other.params.namedCurve === undefined || base.params.namedCurve === undefined;
      throw invalidAccess(
        isOther
          ? `Base ${base.name} private key cannot be used to derive a key from a peer ` +
            `${other.name} public key`
          : `Private key for derivation is using "${base.name}" while public key is using ` +
            `"${other.name}".`,
      );
    }
    const { namedCurve } = base.params;
    if (other.params.namedCurve !== namedCurve) {
      throw invalidAccess(
        `Private key for derivation is using curve "${namedCurve}" while public key is using ` +
          `"${other.params.namedCurve}".`,
      );
    }
    const secret = ops.op_crypto_agree(base.handle, other.handle);
    if (secret === null) throw operationError("Failed to generate shared ECDH secret.");
    return cut(secret, length);
  }

  function cut(secret, length) {
    const bits = TypedArrayPrototypeGetByteLength(secret) * 8;
    const wanted = length ?? bits;
    if (wanted > bits) {
      throw operationError(
        `Derived key length (${wanted} bits) is too long (should be at most ${bits} bits).`,
      );
    }
    const size = MathCeil(wanted / 8);
    const result = TypedArrayPrototypeSlice(secret, 0, size);
    const unused = size * 8 - wanted;
    if (unused > 0) result[size - 1] &= 0xff << unused;
    return result;
  }

  function bytesToDerive(name, length) {
    if (length === null) throw operationError(`${name} cannot derive a key with null length.`);
    if (length % 8 === 0) return length / 8;
    throw operationError(
      `${name} requires a derived key length that is a multiple of eight (requested ${length}).`,
    );
  }

  function hkdf(algorithm, base, length) {
    const hash = hashField(algorithm);
    const salt = bytesField(algorithm, "salt");
    const info = bytesField(algorithm, "info");
    const size = bytesToDerive("HKDF", length);
    const bytes = size > DERIVED_BYTES_MAX
      ? null
      : ops.op_crypto_hkdf(base.handle, hash, salt, info, size);
    if (bytes === null) throw operationError("HKDF deriveBits failed.");
    return bytes;
  }

  function pbkdf2(algorithm, base, length) {
    const hash = hashField(algorithm);
    const salt = bytesField(algorithm, "salt");
    const iterations = integer(field(algorithm, "iterations"));
    const size = bytesToDerive("PBKDF2", length);
    if (iterations <= 0) {
      throw operationError(
        `PBKDF2 requires a positive iteration count (requested ${iterations}).`,
      );
    }
    if (iterations > ITERATIONS_MAX) {
      throw notSupported(
        `Pbkdf2 failed: iteration counts above ${ITERATIONS_MAX} are not supported (requested ` +
          `${iterations}).`,
      );
    }
    if (size > DERIVED_BYTES_MAX) {
      throw operationError("Pbkdf2 failed: derived key length exceeds maximum for this hash");
    }
    const slot = open();
    ops.op_crypto_pbkdf2(base.handle, hash, salt, iterations, size, slot);
    return promiseOf(slot);
  }

  return { derive };
})();
