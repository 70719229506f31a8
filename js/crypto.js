// crypto: random values and identifiers; `subtle` only says that it is missing.

import { core, primordials } from "ext:core/mod.js";
import { domException, unsupported } from "ext:beryl/errors.js";
import { viewBytes } from "ext:beryl/streams.js";

const { ops } = core;
const {
  ArrayBufferIsView,
  Proxy,
  Symbol,
  SymbolToStringTag,
  TypeError,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetSymbolToStringTag,
} = primordials;

/** Bytes one call may ask for (Web Cryptography API, getRandomValues). */
const RANDOM_BYTES_MAX = 65_536;
const kInternal = Symbol("internal");

/** @type {SubtleCrypto | null} */
let subtle = null;

/** Names what is missing at the first touch of any method. */
export class SubtleCrypto {
  constructor(token) {
    if (token !== kInternal) throw new TypeError("Illegal constructor");
  }

  get [SymbolToStringTag]() {
    return "SubtleCrypto";
  }
}

export class Crypto {
  constructor(token) {
    if (token !== kInternal) throw new TypeError("Illegal constructor");
  }

  /**
   * @template {ArrayBufferView} T
   * @param {T} array An array of integers, filled in place.
   * @returns {T}
   */
  getRandomValues(array) {
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
    return ops.op_crypto_random_uuid();
  }

  get subtle() {
    subtle ??= new Proxy(new SubtleCrypto(kInternal), {
      __proto__: null,
      get(target, name) {
        if (typeof name === "symbol" || name === "constructor") return target[name];
        throw unsupported(`crypto.subtle.${name}()`);
      },
    });
    return subtle;
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

