// "node:crypto": hashes, HMAC and random values; everything else names itself as missing.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const { ops } = core;
  const { Error, NumberIsSafeInteger, ObjectKeys, RangeError } = primordials;
  const { Buffer } = internals.nodeModule("buffer");
  const { nextTick } = internals.nodeHost();
  const { Hash, Hmac, KeyObject, SIZES, bytesOf, createHash, createHmac, createSecretKey, hash,
    withCode } = core.loadExtScript("ext:beryl/node_digests.js");

  function randomBytes(size, callback = undefined) {
    if (!NumberIsSafeInteger(size) || size < 0 || size > 0x7fffffff) {
      throw withCode(
        new RangeError(
          `The value of "size" is out of range. It must be >= 0 && <= 2147483647. Received ${size}`,
        ),
        "ERR_OUT_OF_RANGE",
      );
    }
    const bytes = Buffer.alloc(size);
    ops.op_crypto_random_values(bytes);
    if (callback === undefined) return bytes;
    nextTick(callback, null, bytes);
  }

  function randomFillSync(view, offset = 0, size = undefined) {
    const bytes = bytesOf(view, undefined, "buf");
    const end = size === undefined ? bytes.length : offset + size;
    if (offset < 0 || end > bytes.length) {
      throw withCode(new RangeError("The value of \"size\" is out of range."), "ERR_OUT_OF_RANGE");
    }
    ops.op_crypto_random_values(primordials.TypedArrayPrototypeSubarray(bytes, offset, end));
    return view;
  }

  function randomFill(view, ...rest) {
    const callback = rest[rest.length - 1];
    randomFillSync(view, ...rest.slice(0, -1));
    nextTick(callback, null, view);
  }

  function randomInt(min, max = undefined, callback = undefined) {
    if (max === undefined || typeof max === "function") return randomInt(0, min, max);
    const range = max - min;
    const areWhole = NumberIsSafeInteger(min) && NumberIsSafeInteger(max);
    if (!areWhole || !(range > 0 && range <= 2 ** 48)) {
      throw withCode(
        new RangeError(`The value of "max" is out of range. Received ${max}`),
        "ERR_OUT_OF_RANGE",
      );
    }
    const limit = 2 ** 48 - (2 ** 48 % range);
    let value;
    do value = randomBytes(6).readUIntBE(0, 6); while (value >= limit);
    const result = min + (value % range);
    if (callback === undefined) return result;
    nextTick(callback, undefined, result);
  }

  function timingSafeEqual(a, b) {
    const first = bytesOf(a, undefined, "buf1");
    const second = bytesOf(b, undefined, "buf2");
    if (typeof a === "string" || typeof b === "string") bytesOf(null, undefined, "buf1");
    if (first.length !== second.length) {
      throw withCode(
        new RangeError("Input buffers must have the same byte length"),
        "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH",
      );
    }
    return ops.op_node_equal(first, second);
  }

  const MISSING = ["checkPrime", "checkPrimeSync", "createCipheriv", "createDecipheriv",
    "createDiffieHellman", "createECDH", "createPrivateKey", "createPublicKey",
    "createSign", "createVerify", "diffieHellman", "generateKey", "generateKeyPair",
    "generateKeyPairSync", "generateKeySync", "generatePrime", "generatePrimeSync", "hkdf",
    "hkdfSync", "pbkdf2", "pbkdf2Sync", "privateDecrypt", "privateEncrypt", "publicDecrypt",
    "publicEncrypt", "scrypt", "scryptSync", "sign", "verify"];
  const crypto = {
    Hash,
    Hmac,
    KeyObject,
    constants: { __proto__: null },
    createHash,
    createHmac,
    createSecretKey,
    getCiphers: () => [],
    getHashes: () => ObjectKeys(SIZES),
    getRandomValues: (view) => globalThis.crypto.getRandomValues(view),
    hash,
    pseudoRandomBytes: randomBytes,
    randomBytes,
    randomFill,
    randomFillSync,
    randomInt,
    randomUUID: () => ops.op_crypto_random_uuid(),
    get subtle() {
      return globalThis.crypto.subtle;
    },
    timingSafeEqual,
    webcrypto: globalThis.crypto,
  };
  for (let i = 0; i < MISSING.length; i++) {
    const name = MISSING[i];
    crypto[name] = () => {
      throw withCode(
        new Error(`crypto.${name}() is not supported by Beryl yet`),
        "ERR_METHOD_NOT_IMPLEMENTED",
      );
    };
  }
  return { crypto };
})();
