// The hashes and HMACs of "node:crypto", and secret keys as objects.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const { ops } = core;
  const {
    ArrayBufferIsView, ArrayBufferPrototype, Error, ObjectPrototypeIsPrototypeOf, Proxy,
    ReflectConstruct, String, StringPrototypeReplace, StringPrototypeToLowerCase, TypeError,
    Uint8Array,
  } = primordials;
  const { Buffer } = internals.nodeModule("buffer");
  const { Transform } = internals.nodeModule("stream");
  const host = internals.nodeHost();
  const checks = () => host.loadExtScript("ext:deno_node/internal/validators.mjs");

  /** Bytes of the digests there are. */
  const SIZES = {
    "md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64, "sha512-256": 32,
  };

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
    #result = null;
    #isFinal = false;

    constructor(handle, options) {
      super(options);
      this.#handle = handle;
    }

    update(data, encoding = undefined) {
      const bytes = bytesOf(data, encoding);
      if (this.#isFinal || !ops.op_node_hash_update(this.#handle, bytes)) throw finalized();
      return this;
    }

    /** True from the first time on. */
    finish() {
      const was = this.#isFinal;
      this.#isFinal = true;
      return was;
    }

    result() {
      return this.#result ??= ops.op_node_hash_digest(this.#handle);
    }

    copyHandle() {
      const handle = this.#isFinal ? null : ops.op_node_hash_copy(this.#handle);
      if (handle !== null) return handle;
      throw finalized();
    }

    _transform(chunk, encoding, callback) {
      this.update(chunk, encoding);
      callback();
    }

    _flush(callback) {
      this.push(encoded(this.result()));
      callback();
    }
  }

  function finalized() {
    return withCode(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
  }

  function encoded(bytes, encoding = undefined) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const name = encoding === undefined ? "buffer" : `${encoding}`;
    return name === "buffer" ? buffer : buffer.toString(name);
  }

  class Hash extends Digester {
    constructor(name, options = undefined, handle = undefined) {
      super(handle ?? begin(name, options), options);
    }

    digest(encoding = undefined) {
      if (this.finish()) throw finalized();
      return encoded(this.result(), encoding);
    }

    copy(options = undefined) {
      return new Hash("", options, this.copyHandle());
    }
  }

  class Hmac extends Digester {
    constructor(name, key, options = undefined) {
      checkString("hmac", name);
      const handle = ops.op_node_hmac(algorithmName(name), keyBytes(key));
      if (handle === null) throw unknownDigest();
      super(handle, options);
    }

    /** Empty from the second time on. */
    digest(encoding = undefined) {
      return encoded(this.finish() ? new Uint8Array(0) : this.result(), encoding);
    }
  }

  function checkString(name, value) {
    checks().validateString(value, name);
  }

  function unknownDigest() {
    return withCode(new Error("Digest method not supported"), "ERR_CRYPTO_INVALID_DIGEST");
  }

  function begin(name, options = undefined) {
    checkString("algorithm", name);
    const length = options?.outputLength;
    if (length !== undefined) checks().validateUint32(length, "options.outputLength");
    const handle = ops.op_node_hash(algorithmName(name));
    if (handle === null) throw unknownDigest();
    if (length !== undefined && length !== SIZES[algorithmName(name)]) {
      throw withCode(
        new Error("Unsupported state or unable to change the length of the digest"),
        "ERR_CRYPTO_INVALID_DIGEST",
      );
    }
    return handle;
  }

  /** A secret key as an object; keys of pairs are not there. */
  class KeyObject {
    #bytes;

    constructor(type, bytes) {
      if (type !== "secret") {
        throw withCode(new TypeError(`Invalid KeyObject type: ${type}`), "ERR_INVALID_ARG_VALUE");
      }
      this.#bytes = bytes;
    }

    static isSecret(value) {
      return typeof value === "object" && value !== null && #bytes in value;
    }

    get type() {
      return "secret";
    }

    get symmetricKeySize() {
      return this.#bytes.length;
    }

    export(options = undefined) {
      if (options?.format !== "jwk") return Buffer.from(this.#bytes);
      return { kty: "oct", k: Buffer.from(this.#bytes).toString("base64url") };
    }

    equals(other) {
      if (!KeyObject.isSecret(other) || other.#bytes.length !== this.#bytes.length) return false;
      return ops.op_node_equal(this.#bytes, other.#bytes);
    }
  }

  const { isSecret } = KeyObject;
  delete KeyObject.isSecret;

  function keyBytes(key) {
    return isSecret(key) ? key.export() : bytesOf(key, "utf8", "key");
  }

  function createSecretKey(key, encoding = undefined) {
    return new KeyObject("secret", Uint8Array.from(bytesOf(key, encoding, "key")));
  }

  const createHash = (name, options = undefined) => new Hash(name, options);
  const createHmac = (name, key, options = undefined) => new Hmac(name, key, options);

  /** A class that may be called like a function, as the old ones of Node.js. */
  function callable(type) {
    return new Proxy(type, {
      __proto__: null,
      apply: (target, _, args) => ReflectConstruct(target, args),
    });
  }

  function hash(name, data, encoding = "hex") {
    const handle = begin(name);
    const bytes = bytesOf(data, "utf8");
    checkString("outputEncoding", encoding);
    ops.op_node_hash_update(handle, bytes);
    return encoded(ops.op_node_hash_digest(handle), encoding);
  }

  return {
    Hash: callable(Hash),
    Hmac: callable(Hmac),
    KeyObject,
    SIZES,
    bytesOf,
    createHash,
    createHmac,
    createSecretKey,
    hash,
    withCode,
  };
})();
