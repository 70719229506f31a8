// "node:crypto": hashes, HMAC and random values; everything else names itself as missing.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const { ops } = core;
  const {
    ArrayBufferIsView,
    Error,
    NumberIsSafeInteger,
    ObjectPrototypeIsPrototypeOf,
    RangeError,
    String,
    StringPrototypeReplace,
    StringPrototypeToLowerCase,
    TypeError,
    Uint8Array,
    ArrayBufferPrototype,
  } = primordials;
  const { Buffer } = internals.nodeModule("buffer");
  const { Transform } = internals.nodeModule("stream");
  const { nextTick } = internals.nodeHost();

  const ALGORITHMS = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512-256"];

  /** "SHA-256", "sha256" and "RSA-SHA256" mean the same. */
  function algorithmName(name) {
    let text = StringPrototypeToLowerCase(String(name));
    text = StringPrototypeReplace(text, "rsa-", "");
    return StringPrototypeReplace(text, "sha-", "sha");
  }

  function withCode(error, code) {
    error.code = code;
    return error;
  }

  function bytesOf(data, encoding, name = "data") {
    if (typeof data === "string") {
      return Buffer.from(data, encoding === "buffer" ? "utf8" : encoding);
    }
    if (ArrayBufferIsView(data)) {
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    }
    if (ObjectPrototypeIsPrototypeOf(ArrayBufferPrototype, data)) return new Uint8Array(data);
    throw withCode(
      new TypeError(
        `The "${name}" argument must be of type string or an instance of Buffer, TypedArray, or ` +
          "DataView.",
      ),
      "ERR_INVALID_ARG_TYPE",
    );
  }

  /** What `Hash` and `Hmac` share: a stream that gives one chunk, the digest. */
  class Digester extends Transform {
    #handle;

    constructor(handle, options) {
      super(options);
      this.#handle = handle;
    }

    update(data, encoding = undefined) {
      if (!ops.op_node_hash_update(this.#handle, bytesOf(data, encoding))) {
        throw withCode(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
      }
      return this;
    }

    digest(encoding = undefined) {
      let bytes;
      try {
        bytes = ops.op_node_hash_digest(this.#handle);
      } catch {
        throw withCode(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
      }
      return encoded(bytes, encoding);
    }

    copyHandle() {
      const handle = ops.op_node_hash_copy(this.#handle);
      if (handle !== null) return handle;
      throw withCode(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
    }

    _transform(chunk, encoding, callback) {
      this.update(chunk, encoding);
      callback();
    }

    _flush(callback) {
      this.push(this.digest());
      callback();
    }
  }

  function encoded(bytes, encoding) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return encoding === undefined || encoding === "buffer" ? buffer : buffer.toString(encoding);
  }

  class Hash extends Digester {
    copy(options = undefined) {
      return new Hash(this.copyHandle(), options);
    }
  }

  class Hmac extends Digester {}

  function begin(name, key) {
    const algorithm = algorithmName(name);
    const handle = key === undefined
      ? ops.op_node_hash(algorithm)
      : ops.op_node_hmac(algorithm, key);
    if (handle !== null) return handle;
    throw key === undefined
      ? withCode(new Error("Digest method not supported"), "ERR_CRYPTO_INVALID_DIGEST")
      : withCode(new Error(`Invalid digest: ${name}`), "ERR_CRYPTO_INVALID_DIGEST");
  }

  const createHash = (name, options = undefined) => new Hash(begin(name, undefined), options);

  function createHmac(name, key, options = undefined) {
    return new Hmac(begin(name, bytesOf(key, "utf8", "key")), options);
  }

  function hash(name, data, encoding = "hex") {
    const handle = begin(name, undefined);
    ops.op_node_hash_update(handle, bytesOf(data, "utf8"));
    return encoded(ops.op_node_hash_digest(handle), encoding);
  }

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
    "createDiffieHellman", "createECDH", "createPrivateKey", "createPublicKey", "createSecretKey",
    "createSign", "createVerify", "diffieHellman", "generateKey", "generateKeyPair",
    "generateKeyPairSync", "generateKeySync", "generatePrime", "generatePrimeSync", "hkdf",
    "hkdfSync", "pbkdf2", "pbkdf2Sync", "privateDecrypt", "privateEncrypt", "publicDecrypt",
    "publicEncrypt", "scrypt", "scryptSync", "sign", "verify"];
  const crypto = {
    Hash,
    Hmac,
    constants: { __proto__: null },
    createHash,
    createHmac,
    getCiphers: () => [],
    getHashes: () => ALGORITHMS.slice(),
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
