// crypto: random values and identifiers; `subtle` and `DigestStream` are loaded at first use.

import { core, primordials } from "ext:core/mod.js";
import { domException } from "ext:beryl/errors.js";
import { viewBytes } from "ext:beryl/streams.js";
import { load } from "ext:beryl/web.js";

const { ops } = core;
const {
  ArrayBufferIsView,
  String,
  StringPrototypeToUpperCase,
  Symbol,
  SymbolToStringTag,
  TypeError,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetSymbolToStringTag,
} = primordials;

/** Bytes one call may ask for (Web Cryptography API, getRandomValues). */
const RANDOM_BYTES_MAX = 65_536;
const kInternal = Symbol("internal");
const ILLEGAL = "Illegal invocation: function called with incorrect `this` reference. See " +
  "https://developers.cloudflare.com/workers/observability/errors/" +
  "#illegal-invocation-errors for details.";
/** @type {(value: unknown) => boolean} */
let isCrypto;

/** @returns {{SubtleCrypto: Function, subtle: SubtleCrypto}} */
export function loadSubtle() {
  return core.loadExtScript("ext:beryl/subtle_crypto.js");
}

/**
 * @param {string | {name: string}} algorithm
 * @returns {object} What the bytes of a digest go into.
 */
export function hasherOf(algorithm) {
  const name = typeof algorithm === "string" ? algorithm : String(algorithm?.name);
  const hasher = ops.op_crypto_hasher(StringPrototypeToUpperCase(name));
  if (hasher === null) {
    throw domException(
      "Unrecognized or unimplemented digest algorithm requested.",
      "NotSupportedError",
    );
  }
  return hasher;
}

export class Crypto {
  #brand = true;

  constructor(token) {
    if (token !== kInternal) throw new TypeError("Illegal constructor");
  }

  /**
   * @template {ArrayBufferView} T
   * @param {T} array An array of integers, filled in place.
   * @returns {T}
   */
  getRandomValues(array) {
    if (!isCrypto(this)) throw new TypeError(ILLEGAL);
    if (!isIntegerArray(array)) {
      throw domException(
        "ArrayBufferView argument to getRandomValues() must be an integer-typed view.",
        "TypeMismatchError",
      );
    }
    const length = TypedArrayPrototypeGetByteLength(array);
    if (length > RANDOM_BYTES_MAX) {
      throw domException(
        "getRandomValues() only accepts buffers of size <= 64K but provided " +
          `${length} bytes.`,
        "QuotaExceededError",
      );
    }
    ops.op_crypto_random_values(viewBytes(array));
    return array;
  }

  /** @returns {string} A version 4 UUID. */
  randomUUID() {
    if (!isCrypto(this)) throw new TypeError(ILLEGAL);
    return ops.op_crypto_random_uuid();
  }

  static {
    isCrypto = (value) => typeof value === "object" && value !== null && #brand in value;
  }

  /** @returns {SubtleCrypto} */
  get subtle() {
    return loadSubtle().subtle;
  }

  /** @returns {Function} The class of streams that hash what is written. */
  get DigestStream() {
    load("06_streams.js");
    return core.loadExtScript("ext:beryl/digest_stream.js").DigestStream;
  }

  get [SymbolToStringTag]() {
    return "Crypto";
  }
}

/** @returns {Crypto} The object for `globalThis.crypto`. */
export function createCrypto() {
  return new Crypto(kInternal);
}

function isIntegerArray(value) {
  if (!ArrayBufferIsView(value)) return false;
  switch (TypedArrayPrototypeGetSymbolToStringTag(value)) {
    case "Int8Array":
    case "Uint8Array":
    case "Uint8ClampedArray":
    case "Int16Array":
    case "Uint16Array":
    case "Int32Array":
    case "Uint32Array":
    case "BigInt64Array":
    case "BigUint64Array":
      return true;
    default:
      return false;
  }
}

