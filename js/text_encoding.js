// TextEncoder and TextDecoder: UTF-8 by the engine, other encodings by a decoder in Rust.

import { core, primordials } from "ext:core/mod.js";

const { ops } = core;
const {
  ArrayBufferIsView,
  MathFloor,
  RangeError,
  StringPrototypeCharCodeAt,
  StringPrototypeSlice,
  SymbolToStringTag,
  TypeError,
  TypedArrayPrototypeGetSymbolToStringTag,
  Uint32Array,
  Uint8Array,
} = primordials;

/** How op_encoding_encode_into packs both counts into one number. */
const READ_UNIT = 2 ** 32;

export class TextEncoder {
  get encoding() {
    return "utf-8";
  }

  /**
   * @param {string} [input]
   * @returns {Uint8Array}
   */
  encode(input = "") {
    return core.encode(`${input}`);
  }

  /**
   * @param {string} source
   * @param {Uint8Array} destination
   * @returns {{read: number, written: number}} Code units read, bytes written.
   */
  encodeInto(source, destination) {
    const isBytes = ArrayBufferIsView(destination) &&
      TypedArrayPrototypeGetSymbolToStringTag(destination) === "Uint8Array";
    if (!isBytes) {
      throw new TypeError(
        "Failed to execute 'encodeInto' on 'TextEncoder': parameter 2 is not of type " +
          "'Uint8Array'.",
      );
    }
    const text = `${source}`;
    const packed = ops.op_encoding_encode_into(text, destination);
    if (packed >= 0) return { read: MathFloor(packed / READ_UNIT), written: packed % READ_UNIT };
    const counts = new Uint32Array(2);
    ops.op_encoding_encode_into_fallback(text, destination, counts);
    return { read: counts[0], written: counts[1] };
  }

  get [SymbolToStringTag]() {
    return "TextEncoder";
  }
}

export class TextDecoder {
  #encoding;
  #isFatal;
  #ignoresMark;
  /** The decoder of a text that comes in pieces, null between texts. */
  #decoder = null;

  /**
   * @param {string} [label]
   * @param {{fatal?: boolean, ignoreBOM?: boolean}} [options]
   */
  constructor(label = "utf-8", options = undefined) {
    this.#encoding = label === "utf-8" ? label : encodingOf(`${label}`);
    this.#isFatal = !!options?.fatal;
    this.#ignoresMark = !!options?.ignoreBOM;
  }

  get encoding() {
    return this.#encoding;
  }

  get fatal() {
    return this.#isFatal;
  }

  get ignoreBOM() {
    return this.#ignoresMark;
  }

  /**
   * @param {ArrayBuffer | ArrayBufferView} [input]
   * @param {{stream?: boolean}} [options] With `stream` the text goes on with the next call.
   * @returns {string}
   */
  decode(input = new Uint8Array(0), options = undefined) {
    if (!ArrayBufferIsView(input) && !core.isAnyArrayBuffer(input)) {
      throw new TypeError(
        "Failed to execute 'decode' on 'TextDecoder': parameter 1 is not of type 'Array'.",
      );
    }
    const isPart = !!options?.stream;
    if (this.#encoding === "utf-8" && !isPart && this.#decoder === null && !this.#isFatal) {
      return ops.op_encoding_decode_utf8(input, this.#ignoresMark);
    }
    this.#decoder ??= ops.op_encoding_new_decoder(
      this.#encoding,
      this.#isFatal,
      this.#ignoresMark,
    );
    const decoder = this.#decoder;
    if (!isPart) this.#decoder = null;
    try {
      return ops.op_encoding_decode(input, decoder, isPart);
    } catch {
      this.#decoder = null;
      throw new TypeError("Failed to decode input.");
    }
  }

  get [SymbolToStringTag]() {
    return "TextDecoder";
  }
}

/** @returns {string} The encoding's name in the Encoding standard, in lower case. */
function encodingOf(label) {
  try {
    return ops.op_encoding_normalize_label(label);
  } catch {
    throw new RangeError(`"${label}" is not a valid encoding.`);
  }
}

/** A byte order mark at the start is no part of the text. */
export function withoutMark(text) {
  return StringPrototypeCharCodeAt(text, 0) === 0xfeff ? StringPrototypeSlice(text, 1) : text;
}
