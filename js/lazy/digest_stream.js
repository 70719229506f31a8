// crypto.DigestStream: a hash of what is written, without keeping it.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayBufferIsView, BigInt, Promise, PromisePrototypeThen,
    StringPrototypeToLowerCase, SymbolDispose, TypeError,
    TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength,
  } = primordials;
  const { ops } = core;
  const { bytesOf, hasherOf } = internals.runtime;
  const { WritableStream } = core.loadExtScript("ext:deno_web/06_streams.js");

  class DigestStream extends WritableStream {
    #digest;
    #count;
    #dispose;

    /** @param {string | {name: string}} algorithm */
    constructor(algorithm) {
      const hasher = checksumOf(algorithm) ?? hasherOf(algorithm);
      let settle;
      const digest = new Promise((resolve, reject) => settle = { resolve, reject });
      // Nobody has to look at it.
      PromisePrototypeThen(digest, undefined, () => {});
      const count = { bytes: 0 };
      let sink;
      super({
        __proto__: null,
        start(controller) {
          sink = controller;
        },
        write(chunk) {
          const bytes = chunkBytes(chunk);
          count.bytes += TypedArrayPrototypeGetByteLength(bytes);
          ops.op_crypto_hasher_update(hasher, bytes);
        },
        close() {
          settle.resolve(TypedArrayPrototypeGetBuffer(ops.op_crypto_hasher_finish(hasher)));
        },
        abort(reason) {
          settle.reject(reason);
        },
      });
      this.#digest = digest;
      this.#count = count;
      this.#dispose = () => {
        const error = new TypeError("The DigestStream was disposed.");
        settle.reject(error);
        sink.error(error);
      };
    }

    /** @returns {Promise<ArrayBuffer>} */
    get digest() {
      return this.#digest;
    }

    /** @returns {bigint} */
    get bytesWritten() {
      return BigInt(this.#count.bytes);
    }

    [SymbolDispose]() {
      this.#dispose();
    }
  }

  /** Checksums are for streams only; `crypto.subtle` has none. */
  function checksumOf(algorithm) {
    const name = `${typeof algorithm === "string" ? algorithm : algorithm?.name}`;
    return ops.op_crypto_checksum(StringPrototypeToLowerCase(name));
  }

  function chunkBytes(chunk) {
    if (typeof chunk === "string") return core.encode(chunk);
    if (ArrayBufferIsView(chunk) || core.isAnyArrayBuffer(chunk)) return bytesOf(chunk);
    throw new TypeError(
      "DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/" +
        "string type on its writable side.",
    );
  }

  return { DigestStream };
})();
