// JSON Web Keys (RFC 7517) of asymmetric keys: what crypto.subtle reads from them and writes.

(() => {
  const { core, primordials } = __bootstrap;
  const {
    ArrayPrototypeIncludes, ArrayPrototypeMap, ArrayPrototypePush, SafeSet, StringPrototypeSlice,
    TypedArrayPrototypeGetByteLength,
  } = primordials;
  const { ops } = core;
  const { dataError, decoded, encoded, notSupported, operationError, ordered } = core
    .loadExtScript("ext:beryl/crypto_key.js");

  /** Parts of a private RSA key beside `n` and `e`, in the order the ops have them. */
  const RSA_PRIVATE = ["d", "p", "q", "dp", "dq", "qi"];

  /** JSON Web Algorithms (RFC 7518) of RSA keys by what they are for, without the hash's bits. */
  const RSA_ALGS = { __proto__: null, "RSASSA-PKCS1-v1_5": "RS", "RSA-PSS": "PS" };

  const RSA_NAMES = ["RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP"];
  const HASH_NAMES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];
  const EC_ALGS = { __proto__: null, ES256: "P-256", ES384: "P-384", ES512: "P-521" };

  function isRsa(name) {
    return name === "RSA-OAEP" || RSA_ALGS[name] !== undefined;
  }

  function invalidJwk(kind, jwk) {
    if (kind === "RSA") return dataError("Invalid RSA key in JSON Web Key.");
    if (jwk.kty === "OKP") return dataError(`Invalid ${kind} key in JSON Web Key.`);
    const text = 'Invalid EC key; public key coordinates "x" and "y" are invalid.';
    if (jwk.d === undefined) return operationError(text);
    return dataError("Invalid EC key in JSON Web Key.");
  }

  /** Checks `use`, `key_ops` and `ext` of a JSON Web Key. */
  function checkUse(name, isForSigning, { use, key_ops: keyOps, ext }, { extractable, list }) {
    const expected = isForSigning ? "sig" : "enc";
    if (list.length > 0 && use !== undefined && use !== expected) {
      throw dataError(
        'Asymmetric "jwk" key import with usages requires a JSON Web Key with Public Key Use ' +
          `parameter "use" ("${use}") equal to "sig".`,
      );
    }
    if (keyOps !== undefined) {
      if (new SafeSet(keyOps).size !== keyOps.length) {
        throw dataError(
          'A JSON Web Key\'s Key Operations parameter ("key_ops") must not contain duplicates.',
        );
      }
      for (let i = 0; i < list.length; i++) {
        if (ArrayPrototypeIncludes(keyOps, list[i])) continue;
        throw dataError(
          "All specified key usages must be present in the JSON Web Key's Key Operations " +
            'parameter ("key_ops").',
        );
      }
    }
    if (extractable && ext === false) {
      throw dataError(
        "Cannot create an extractable CryptoKey from an unextractable JSON Web Key.",
      );
    }
  }

  /** The numbers of a JSON Web Key, in the order the ops have them. */
  function partsOf(name, kind, params, jwk) {
    if (kind === "RSA") return rsaParts(name, params, jwk);
    if (kind === "Ed25519" || kind === "X25519") return okpParts(kind, jwk);
    if (jwk.kty !== "EC") {
      throw dataError(
        'Elliptic curve "jwk" key import requires a JSON Web Key with Key Type parameter "kty" ' +
          `("${jwk.kty}") equal to "EC".`,
      );
    }
    if (name === "ECDSA" && jwk.alg !== undefined) {
      if (EC_ALGS[jwk.alg] === undefined) throw unknownAlg(jwk.alg);
      if (EC_ALGS[jwk.alg] !== kind) {
        throw dataError(
          `JSON Web Key Algorithm parameter "alg" ("${jwk.alg}") does not match requested curve.`,
        );
      }
    }
    if (jwk.crv !== undefined && jwk.crv !== kind) {
      throw dataError(
        `"algorithm.namedCurve" "${kind}" does not match the curve specified by the input key data`,
      );
    }
    const missing = (part) => `Invalid EC key in JSON Web Key; missing "${part}".`;
    const parts = [decoded(jwk.x, missing("x")), decoded(jwk.y, missing("y"))];
    if (jwk.d === undefined) return parts;
    const text = "Invalid EC key in JSON Web Key; missing or invalid private key component " +
      '("d").';
    return [parts[0], parts[1], decoded(jwk.d, text)];
  }

  function unknownAlg(alg) {
    return notSupported(
      `Unrecognized or unimplemented algorithm "${alg}" listed in JSON Web Key Algorithm ` +
        "parameter.",
    );
  }

  function okpParts(kind, jwk) {
    if (jwk.kty !== "OKP") {
      throw dataError(
        `${kind} "jwk" key imports requires a JSON Web Key with Key Type parameter "kty" ` +
          `("${jwk.kty}") equal to "OKP".`,
      );
    }
    if (jwk.crv === undefined) throw dataError(`Missing field "crv" for ${kind} key.`);
    if (jwk.crv !== kind) {
      throw notSupported(`Only ${kind} is supported but "${jwk.crv}" was requested.`);
    }
    if (kind === "Ed25519" && jwk.alg !== undefined && jwk.alg !== "EdDSA") {
      throw dataError(
        `JSON Web Key Algorithm parameter "alg" ("${jwk.alg}") does not match requested Ed25519 ` +
          "curve.",
      );
    }
    const parts = [decoded(
      jwk.x,
      `Invalid ${kind} key in JSON WebKey; missing or invalid public key component ("x").`,
    )];
    if (jwk.d !== undefined) {
      parts[1] = decoded(
        jwk.d,
        `Invalid ${kind} key in JSON Web Key; missing or invalid private key component ("d").`,
      );
    }
    for (let i = 0; i < parts.length; i++) {
      const length = TypedArrayPrototypeGetByteLength(parts[i]);
      const half = i === 0 ? "public" : "private";
      if (length !== 32) throw dataError(`Invalid length ${length} for ${half} key`);
    }
    return parts;
  }

  function rsaAlg(name, hash) {
    const bits = StringPrototypeSlice(hash, 4);
    if (name !== "RSA-OAEP") return RSA_ALGS[name] + bits;
    return bits === "1" ? name : `${name}-${bits}`;
  }

  function rsaParts(name, { hash }, jwk) {
    if (jwk.kty !== "RSA") {
      throw dataError(
        'RSASSA-PKCS1-v1_5 "jwk" key import requires a JSON Web Key with Key Type parameter ' +
          `"kty" ("${jwk.kty}") equal to "RSA".`,
      );
    }
    if (jwk.alg !== undefined) checkRsaAlg(`${jwk.alg}`, hash);
    if (jwk.oth !== undefined) throw notSupported("Multi-prime private keys not supported.");
    const text = (part) => `Invalid RSA key in JSON Web Key; missing or invalid ${part}.`;
    const n = decoded(jwk.n, text('Modulus parameter ("n")'));
    const e = decoded(jwk.e, text('Exponent parameter ("e")'));
    if (jwk.d === undefined) return [n, e];
    if (jwk.p === undefined) {
      throw notSupported("RSA private keys without their prime factors are not supported by Beryl");
    }
    const parts = [n, e];
    for (let i = 0; i < RSA_PRIVATE.length; i++) {
      const part = RSA_PRIVATE[i];
      ArrayPrototypePush(parts, decoded(jwk[part], text(`parameter ("${part}")`)));
    }
    return parts;
  }

  /** Any scheme's name of the hash will do: so it is on the platform. */
  function checkRsaAlg(alg, hash) {
    for (let i = 0; i < HASH_NAMES.length; i++) {
      for (let j = 0; j < RSA_NAMES.length; j++) {
        if (rsaAlg(RSA_NAMES[j], HASH_NAMES[i]) !== alg) continue;
        if (HASH_NAMES[i] === hash) return;
        throw dataError(
          `JSON Web Key Algorithm parameter "alg" ("${alg}") does not match requested hash ` +
            `algorithm "${alg}".`,
        );
      }
    }
    throw unknownAlg(alg);
  }

  /** A key with its fields in the platform's order. */
  function jwkOf(handle, kind, { name, params, usages }) {
    const parts = ArrayPrototypeMap(ops.op_crypto_parts(handle), encoded);
    const isOkp = kind === "Ed25519" || kind === "X25519";
    const jwk = { kty: kind === "RSA" ? "RSA" : isOkp ? "OKP" : "EC", key_ops: ordered(usages) };
    if (kind === "RSA") jwk.alg = rsaAlg(name, params.hash);
    if (name === "Ed25519") jwk.alg = "EdDSA";
    jwk.ext = true;
    if (kind === "RSA") {
      if (parts.length > 2) jwk.d = parts[2];
      jwk.n = parts[0];
      jwk.e = parts[1];
      for (let i = 3; i < parts.length; i++) jwk[RSA_PRIVATE[i - 2]] = parts[i];
      return jwk;
    }
    jwk.crv = kind;
    jwk.x = parts[0];
    if (!isOkp) jwk.y = parts[1];
    const d = parts[isOkp ? 1 : 2];
    if (d !== undefined) jwk.d = d;
    return jwk;
  }

  return { checkUse, invalidJwk, isRsa, jwkOf, partsOf };
})();
