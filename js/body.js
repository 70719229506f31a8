// What Request and Response share: a body that stays in Rust, or a string, until it is read.

import { core, primordials } from "ext:core/mod.js";
import { open, promiseOf } from "ext:beryl/pending.js";
import { asBlob, checkFormType, formBody, readForm } from "ext:beryl/form_data.js";
import { isSearchParams } from "ext:beryl/search_params.js";
import {
  collect, isDisturbed, isIterable, isLocked, isStream, pump, setLength, sourceOf, streamOf,
  streamOfIterable, tee, viewBytes,
} from "ext:beryl/streams.js";
import { withoutMark } from "ext:beryl/text_encoding.js";
import { load } from "ext:beryl/web.js";

const { ops } = core;
const {
  ArrayBufferIsView, ArrayBufferPrototypeSlice, JSONParse,
  StringPrototypeLastIndexOf, StringPrototypeSlice, StringPrototypeToWellFormed,
  StringPrototypeTrim, Symbol, TypeError, TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeSlice,
  Uint8Array,
} = primordials;

export const TEXT_TYPE = "text/plain;charset=UTF-8";
const FORM_TYPE = "application/x-www-form-urlencoded;charset=UTF-8";
const USED = "Body has already been used. It can only be used once. Use tee() first if you " +
  "need to read it twice.";
const LOCKED = "This ReadableStream is currently locked to a reader.";

/** Answers that have no body at all (Fetch standard, null body status). */
const NULL_BODY = { __proto__: null, 101: true, 204: true, 205: true, 304: true };

/** Proves to the constructors that the runtime itself calls them. */
export const kInternal = Symbol("internal");

// What #content is. NATIVE: Rust has it and was not asked yet, under the event's id or by the
// handle of a response.
const NONE = 0;
const TEXT = 1;
const BYTES = 2;
const HANDLE = 3;
const STREAM = 4;
const NATIVE = 5;
const NATIVE_HEAD = 6; // The same of an answer to HEAD, which has no body.

/** @type {(body: Body, origin: number | object, isHead?: boolean) => void} */
export let setNativeBody;
/**
 * Gives a fresh body its content and says the content type that goes with it.
 * @type {(body: Body, init: unknown) => string | null}
 */
export let setBody;
/**
 * Takes the content out for sending; the body counts as used.
 * @type {(body: Body) => null | string | Uint8Array | object}
 */
export let takeBody;
/** Moves the content of `from` into the fresh body `to`. @type {(from: Body, to: Body) => void} */
export let moveBody;
/** Gives the fresh body `to` a copy of the content of `from`. @type {(from, to) => void} */
export let copyBody;
/** @type {(body: Body) => boolean} Whether Rust still has the body, untouched. */
export let isNativeBody;
/** @type {(body: Body) => boolean} Whether there is no body at all. */
export let isNullBody;
/** Marks a body that Rust moved on by itself. @type {(body: Body) => void} */
export let markMoved;

export class Body {
  #kind = NONE;
  #content = null;
  #used = false;

  constructor(token) {
    if (token !== kInternal) throw new TypeError("Illegal constructor");
  }

  static {
    setNativeBody = (body, origin, isHead = false) => {
      body.#kind = isHead ? NATIVE_HEAD : NATIVE;
      body.#content = origin;
    };
    setBody = (body, init) => {
      if (typeof init === "string") {
        body.#kind = TEXT;
        body.#content = init;
        return TEXT_TYPE;
      }
      return init === null || init === undefined ? null : body.#extract(init);
    };
    takeBody = (body) => body.#take();
    moveBody = (from, to) => from.#moveTo(to);
    copyBody = (from, to) => from.#copyTo(to);
    isNativeBody = (body) => body.#kind >= NATIVE && !body.#used;
    isNullBody = (body) => body.#pull() === NONE;
    markMoved = (body) => {
      body.#used = true;
    };
  }

  /** @returns {ReadableStream<Uint8Array> | null} */
  get body() {
    const kind = this.#pull();
    if (kind === NONE) return null;
    if (kind !== STREAM) {
      this.#content = streamOf(this.#content);
      this.#kind = STREAM;
      // The stream of a used body must be closed to further readers as well.
      if (this.#used) sourceOf(this.#content);
    }
    return this.#content;
  }

  /** @returns {boolean} */
  get bodyUsed() {
    return this.#isUsed();
  }

  /** @returns {Promise<string>} */
  async text() {
    const content = this.#use();
    if (content === null) return "";
    if (typeof content === "string") return withoutMark(StringPrototypeToWellFormed(content));
    if (this.#kind === HANDLE) {
      const slot = open();
      return ops.op_body_read_text(content, slot) ?? core.decode(await promiseOf(slot));
    }
    return core.decode(this.#kind === BYTES ? content : await collect(content));
  }

  /** @returns {Promise<any>} */
  async json() {
    return JSONParse(await this.text());
  }

  /** @returns {Promise<Uint8Array>} */
  async bytes() {
    const content = this.#use();
    if (content === null) return new Uint8Array(0);
    if (typeof content === "string") return core.encode(content);
    if (this.#kind === BYTES) return TypedArrayPrototypeSlice(content);
    if (this.#kind === STREAM) return await collect(content);
    const slot = open();
    const bytes = ops.op_body_read_all(content, slot);
    return bytes === undefined ? await promiseOf(slot) : bytes;
  }

  /** @returns {Promise<ArrayBuffer>} */
  async arrayBuffer() {
    const bytes = await bytesOf(this);
    const buffer = TypedArrayPrototypeGetBuffer(bytes);
    const start = TypedArrayPrototypeGetByteOffset(bytes);
    const length = TypedArrayPrototypeGetByteLength(bytes);
    if (start === 0 && buffer.byteLength === length) return buffer;
    return ArrayBufferPrototypeSlice(buffer, start, start + length);
  }

  /** @returns {Promise<Blob>} */
  async blob() {
    // Of several types the last counts.
    const types = this.headers.get("content-type") ?? "";
    const type = StringPrototypeSlice(types, StringPrototypeLastIndexOf(types, ", ") + 1);
    const bytes = await bytesOf(this);
    const { Blob } = load("09_file.js");
    return new Blob([bytes], { type: StringPrototypeTrim(type) });
  }

  /** @returns {Promise<FormData>} */
  async formData() {
    this.#checkUnused();
    const type = this.headers.get("content-type");
    checkFormType(type);
    return readForm(await bytesOf(this), type);
  }

  /** Asks Rust for the body if nobody has yet. @returns {number} The kind of content. */
  #pull() {
    if (this.#kind < NATIVE) return this.#kind;
    const origin = this.#content;
    const isRequest = typeof origin === "number";
    const handle = isRequest ? ops.op_request_body(origin) : ops.op_response_body(origin);
    // An answer that was received has a body, if an empty one.
    const isEmpty = handle === null && !isRequest && this.#kind === NATIVE &&
      !NULL_BODY[this.status];
    this.#content = isEmpty ? "" : handle;
    return this.#kind = isEmpty ? TEXT : handle === null ? NONE : HANDLE;
  }

  #isUsed() {
    return this.#used || (this.#kind === STREAM && isDisturbed(this.#content));
  }

  #checkUnused() {
    if (this.#isUsed()) throw new TypeError(USED);
    if (this.#kind === STREAM && isLocked(this.#content)) throw new TypeError(LOCKED);
  }

  /** @returns {null | string | Uint8Array | object} The content, for the one reader it has. */
  #use() {
    this.#checkUnused();
    if (this.#pull() === NONE) return null;
    this.#used = true;
    if (this.#kind === STREAM) {
      const source = sourceOf(this.#content);
      if (source !== undefined) this.#become(source);
    }
    return this.#content;
  }

  #become(content) {
    this.#content = content;
    if (typeof content === "string") this.#kind = TEXT;
    else this.#kind = ArrayBufferIsView(content) ? BYTES : HANDLE;
  }

  #take() {
    const content = this.#use();
    return this.#kind === STREAM ? pump(content) : content;
  }

  #moveTo(to) {
    const content = this.#use();
    to.#kind = this.#kind;
    to.#content = content;
  }

  #copyTo(to) {
    this.#checkUnused();
    if (this.#pull() === HANDLE) {
      // Rust can share what it holds in memory; what still flows is split here.
      const copy = ops.op_body_share(this.#content);
      if (copy !== null) {
        to.#kind = HANDLE;
        to.#content = copy;
        return;
      }
    }
    to.#kind = this.#kind;
    if (this.#kind === HANDLE || this.#kind === STREAM) {
      const { 0: mine, 1: theirs } = tee(this.body);
      this.#content = mine;
      to.#kind = STREAM;
      to.#content = theirs;
      return;
    }
    to.#content = this.#content;
  }

  /** @returns {string | null} The content type of a body that is not a plain string. */
  #extract(init) {
    if (typeof init === "object") {
      if (ArrayBufferIsView(init) || core.isAnyArrayBuffer(init)) {
        this.#kind = BYTES;
        this.#content = ArrayBufferIsView(init)
          ? TypedArrayPrototypeSlice(viewBytes(init))
          : new Uint8Array(ArrayBufferPrototypeSlice(init));
        return null;
      }
      if (isStream(init)) return this.#adopt(init);
      const blob = asBlob(init);
      if (blob !== null) return this.#extractBlob(blob);
      const form = formBody(init);
      if (form !== null) {
        this.#extract(form.content);
        return form.type;
      }
      if (isIterable(init)) return this.#adopt(streamOfIterable(init));
    }
    this.#kind = TEXT;
    this.#content = `${init}`;
    return typeof init === "object" && isSearchParams(init) ? FORM_TYPE : TEXT_TYPE;
  }

  #extractBlob(blob) {
    this.#kind = STREAM;
    this.#content = blob.stream();
    setLength(this.#content, blob.size);
    return blob.type === "" ? null : blob.type;
  }

  #adopt(stream) {
    if (isDisturbed(stream)) {
      throw new TypeError(
        "This ReadableStream is disturbed (has already been read from), and cannot be used " +
          "as a body.",
      );
    }
    if (isLocked(stream)) {
      throw new TypeError(
        "This ReadableStream is locked to a reader, and cannot be used as a body.",
      );
    }
    this.#kind = STREAM;
    this.#content = stream;
    return null;
  }
}

const bytesOf = primordials.uncurryThis(Body.prototype.bytes);
