// Asymmetric keys of crypto.subtle: RSA, the NIST curves and Curve25519.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayPrototypeIncludes, StringPrototypeToUpperCase, TypedArrayPrototypeGetByteLength,
  } = primordials;
  const { ops } = core;
  const { domException, open, promiseOf } = internals.runtime;
  const {
    PRIVATE, PUBLIC, bytesField, checkUsages, dataError, field, hashField, integer, makeKey, masked,
    notSupported, operationError,
  } = core.loadExtScript("ext:beryl/crypto_key.js");
  const { checkUse, invalidJwk, isRsa, jwkOf, partsOf } = core.loadExtScript(
    "ext:beryl/crypto_jwk.js",
  );

  const SIGN = ["sign", "verify"];
  const DERIVE = ["deriveKey", "deriveBits"];
  const ENCRYPT = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];

  /** Sizes of RSA keys that can be generated. */
  const RSA_BITS = [2048, 3072, 4096, 8192];

  function usagesFor(name) {
    if (name === "RSA-OAEP") return ENCRYPT;
    return name === "ECDH" || name === "X25519" ? DERIVE : SIGN;
  }

  /** What a public key may be used for. */
  function publicUsages(name) {
    return masked(usagesFor(name), PUBLIC);
  }

  function privateUsages(name) {
    return masked(usagesFor(name), PRIVATE);
  }

  /** The kind of key that ops know: RSA or a curve. */
  function kindOf(name, params) {
    if (isRsa(name)) return "RSA";
    if (name === "NODE-ED25519") return "Ed25519";
    return params.namedCurve ?? name;
  }

  /** Parameters that tell which keys are meant. */
  function paramsOf(name, algorithm) {
    if (isRsa(name)) return { hash: hashField(algorithm) };
    if (name === "NODE-ED25519") return { namedCurve: "NODE-ED25519" };
    if (name === "Ed25519" || name === "X25519") return {};
    const curve = `${field(algorithm, "namedCurve")}`;
    const namedCurve = StringPrototypeToUpperCase(curve);
    if (namedCurve !== "P-256" && namedCurve !== "P-384" && namedCurve !== "P-521") {
      throw notSupported(`Unrecognized or unimplemented EC curve "${curve}" requested.`);
    }
    return { namedCurve };
  }

  async function generate(name, algorithm, extractable, list) {
    const handle = isRsa(name)
      ? await generateRsa(name, algorithm, list)
      : generateCurve(name, algorithm, list);
    const params = withRsa(name, paramsOf(name, algorithm), handle);
    const usages = checkUsages(name, "generate", list, usagesFor(name));
    const publicKey = makeKey({
      handle: ops.op_crypto_public(handle),
      type: "public",
      extractable: true,
      name,
      params,
      usages: masked(usages, publicUsages(name)),
    });
    const privateKey = makeKey({
      handle,
      type: "private",
      extractable,
      name,
      params,
      usages: masked(usages, PRIVATE),
    });
    return { publicKey, privateKey };
  }

  function generateCurve(name, algorithm, list) {
    const params = paramsOf(name, algorithm);
    checkUsages(name, "generate", list, usagesFor(name));
    return ops.op_crypto_generate(kindOf(name, params));
  }

  async function generateRsa(name, algorithm, list) {
    const exponent = bytesField(algorithm, "publicExponent");
    hashField(algorithm);
    const bits = integer(field(algorithm, "modulusLength"));
    if (bits <= 0) {
      throw operationError(`modulusLength must be greater than zero (requested ${bits}).`);
    }
    checkUsages(name, "generate", list, usagesFor(name));
    if (bits % 8 !== 0 || bits < 256 || bits > 16384) {
      throw operationError(
        `The modulus length must be a multiple of 8 and between 256 and 16k, but ${bits} was ` +
          "requested.",
      );
    }
    let number = 0;
    for (let i = 0; i < TypedArrayPrototypeGetByteLength(exponent); i++) {
      number = number * 256 + exponent[i];
    }
    if (number !== 3 && number !== 65537) {
      throw operationError(`The "publicExponent" must be either 3 or 65537, but got ${number}.`);
    }
    if (number === 3 || !ArrayPrototypeIncludes(RSA_BITS, bits)) {
      throw notSupported(
        `RSA keys are generated with 2048, 3072, 4096 or 8192 bits and the exponent 65537 only, ` +
          `not with ${bits} bits and ${number}`,
      );
    }
    const slot = open();
    ops.op_crypto_generate_rsa(bits, slot);
    return ops.op_crypto_import("RSA", "pkcs8", await promiseOf(slot));
  }

  function withRsa(name, params, handle) {
    if (!isRsa(name)) return params;
    const { 0: n, 1: publicExponent } = ops.op_crypto_parts(handle);
    const modulusLength = TypedArrayPrototypeGetByteLength(n) * 8;
    return { modulusLength, publicExponent, hash: params.hash };
  }

  function importKey(name, format, data, { algorithm, extractable, list }) {
    const params = paramsOf(name, algorithm);
    const kind = kindOf(name, params);
    const isPrivate = format === "pkcs8" || (format === "jwk" && data.d !== undefined);
    const allowed = isPrivate
      ? privateUsages(name)
      : name === "ECDH" && format !== "spki"
      ? []
      : publicUsages(name);
    const operation = isPrivate ? "import private" : "import public";
    const usages = checkUsages(name, operation, list, allowed);
    let handle;
    if (format === "jwk") {
      checkUse(name, usagesFor(name) === SIGN, data, { extractable, list });
      handle = ops.op_crypto_import_parts(kind, partsOf(name, kind, params, data));
      if (handle === null) throw invalidJwk(kind, data);
    } else {
      if (format === "raw" && kind === "RSA") {
        throw notSupported(`Unrecognized key import format "${format}".`);
      }
      handle = ops.op_crypto_import(kind, format, data);
      if (handle === null) throw invalid(format, kind, data);
    }
    const type = isPrivate ? "private" : "public";
    return makeKey({
      handle, type, extractable, name, params: withRsa(name, params, handle), usages,
    });
  }

  function invalid(format, kind, data) {
    if (format === "spki") return dataError("Invalid SPKI input.");
    if (format === "pkcs8") return dataError("Invalid PKCS8 input.");
    if (kind === "Ed25519" || kind === "X25519") {
      const length = TypedArrayPrototypeGetByteLength(data);
      return dataError(`${kind} raw keys must be exactly 32-bytes (provided ${length}).`);
    }
    return dataError("Failed to import raw EC key data.");
  }

  /** @returns {object | Uint8Array} A JSON Web Key or bytes. */
  function exportKey(format, { handle, type, name, params, usages }) {
    if (format === "jwk") return jwkOf(handle, kindOf(name, params), { name, params, usages });
    const needed = { __proto__: null, pkcs8: "private", spki: "public" }[format];
    if (needed !== undefined && type !== needed) {
      throw domException(
        `Asymmetric ${format} export requires ${needed} key (not "${type}").`,
        "InvalidAccessError",
      );
    }
    if (format === "raw" && !isRsa(name)) {
      if (type !== "public") {
        throw domException(
          "Raw export of elliptic curve keys is only allowed for public keys.",
          "InvalidAccessError",
        );
      }
    } else if (needed === undefined) {
      throw domException(`Cannot export "${name}" in "${format}" format.`, "InvalidAccessError");
    }
    return ops.op_crypto_export(handle, format === "raw");
  }

  return { exportKey, generate, importKey };
})();
