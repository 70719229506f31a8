// The bridge between streams of the web platform and bodies that live in Rust.
//
// The stream classes are large and most workers never touch them, so nothing here loads them
// before a stream is really needed.

import { core, primordials } from "ext:core/mod.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { holdEvent, releaseEvent } from "ext:beryl/context.js";
import { hold, release } from "ext:beryl/eviction.js";
import { currentActor, open, promiseOf } from "ext:beryl/pending.js";
import { load } from "ext:beryl/web.js";

const { ops } = core;
const {
  ArrayBufferIsView, ArrayPrototype, ArrayPrototypePush, DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength, DataViewPrototypeGetByteOffset, Error, PromisePrototypeThen,
  ObjectPrototype, SafeWeakMap, SymbolAsyncIterator, SymbolIterator, SymbolToPrimitive,
  SymbolToStringTag, TypeError, TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag, TypedArrayPrototypeSet, Uint8Array,
  WeakMapPrototypeGet, WeakMapPrototypeHas, WeakMapPrototypeSet,
} = primordials;

/** Bytes one body may have when it is read as a whole. */
const COLLECT_BYTES_MAX = 128 * 1024 * 1024;

/** What a stream was made from, so that an untouched stream can be turned back into it. */
const sources = new SafeWeakMap();

/** How many bytes a stream will give, where that is known. */
const lengths = new SafeWeakMap();

/**
 * @param {ReadableStream} stream
 * @param {number} length Bytes it will give, no more and no less.
 */
export function setLength(stream, length) {
  WeakMapPrototypeSet(lengths, stream, length);
}

/** @returns {number | undefined} How many bytes a stream will give, if anybody knows. */
export function lengthOf(stream) {
  const content = WeakMapPrototypeGet(sources, stream);
  if (typeof content === "string") return core.byteLength(content);
  if (ArrayBufferIsView(content)) return TypedArrayPrototypeGetByteLength(content);
  return WeakMapPrototypeGet(lengths, stream);
}

function classes() {
  return load("06_streams.js");
}

/**
 * Whether a value is a ReadableStream; loads the classes only for what claims to be one.
 * @param {any} value
 * @returns {boolean}
 */
export function isStream(value) {
  return value[SymbolToStringTag] === "ReadableStream" && classes().isReadableStream(value);
}

/**
 * Whether a value is a body by its items: what has a text of its own is that text.
 * @param {object} value
 */
export function isIterable(value) {
  // Who iterates asynchronously means it, whatever its text.
  if (typeof value[SymbolAsyncIterator] === "function") {
    return hasFlag("fetch_iterable_type_support");
  }
  const isOne = typeof value[SymbolIterator] === "function";
  const { toString } = value;
  const isPlain = toString === ObjectPrototype.toString || toString === ArrayPrototype.toString;
  return isOne && isPlain && value[SymbolToPrimitive] === undefined &&
    hasFlag("fetch_iterable_type_support");
}

/** @returns {ReadableStream} Of the items, which must be strings or bytes. */
export function streamOfIterable(value) {
  return classes().streamOfIterable(value);
}

/** @returns {boolean} Whether a reader holds the stream. */
export function isLocked(stream) {
  return classes().isReadableStreamLocked(stream);
}

/** @returns {boolean} Whether something was read from the stream, or it was cancelled. */
export function isDisturbed(stream) {
  return classes().isReadableStreamDisturbed(stream);
}

/**
 * A stream over a string, bytes or a body handle.
 * @param {string | Uint8Array | object} content
 * @returns {ReadableStream<Uint8Array>}
 */
export function streamOf(content) {
  const { ReadableStream } = classes();
  const isBytes = typeof content === "string" || ArrayBufferIsView(content);
  const source = isBytes ? bytesSource(content) : handleSource(content);
  const stream = new ReadableStream(source, { __proto__: null, highWaterMark: 0 });
  WeakMapPrototypeSet(sources, stream, content);
  return stream;
}

/**
 * Takes a stream apart: locks it and gives back what it was made from, so that nothing of it
 * has to pass through JavaScript.
 * @param {ReadableStream} stream Neither locked nor disturbed.
 * @returns {string | Uint8Array | object | undefined} undefined if user code made the stream.
 */
export function sourceOf(stream) {
  const content = WeakMapPrototypeGet(sources, stream);
  if (content === undefined) return undefined;
  const { acquireReadableStreamDefaultReader, readableStreamDisturb } = classes();
  acquireReadableStreamDefaultReader(stream);
  readableStreamDisturb(stream);
  return content;
}

/** @returns {[ReadableStream, ReadableStream]} */
export function tee(stream) {
  return classes().readableStreamTee(stream, true);
}

/**
 * Reads a stream to its end.
 * @param {ReadableStream} stream
 * @returns {Promise<Uint8Array>}
 */
export async function collect(stream) {
  const { acquireReadableStreamDefaultReader, autoAllocate } = classes();
  if (!WeakMapPrototypeHas(sources, stream)) autoAllocate(stream);
  const reader = acquireReadableStreamDefaultReader(stream);
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const bytes = chunkBytes(value);
    length += TypedArrayPrototypeGetByteLength(bytes);
    if (length > COLLECT_BYTES_MAX) {
      const error = new TypeError(
        `Memory limit exceeded: a body that is read as a whole may have ${COLLECT_BYTES_MAX} bytes`,
      );
      ignore(reader.cancel(error));
      throw error;
    }
    ArrayPrototypePush(chunks, bytes);
  }
  return concatenated(chunks, length);
}

/**
 * Feeds a stream into a body that Rust reads, at the reader's pace.
 * @param {ReadableStream} stream
 * @returns {object} The handle of the body.
 */
export function pump(stream) {
  const { 0: writer, 1: body } = ops.op_body_channel(WeakMapPrototypeGet(lengths, stream) ?? -1);
  ignore(feed(stream, writer));
  return body;
}

async function feed(stream, writer) {
  const actor = currentActor();
  hold(actor);
  const event = holdEvent();
  const { acquireReadableStreamDefaultReader, autoAllocate } = classes();
  if (!WeakMapPrototypeHas(sources, stream)) autoAllocate(stream);
  const reader = acquireReadableStreamDefaultReader(stream);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const bytes = chunkBytes(value);
      const slot = open();
      if (!ops.op_body_write(writer, bytes, slot)) await promiseOf(slot);
    }
    ops.op_body_close(writer);
  } catch (error) {
    ignore(reader.cancel(error));
    const slot = open();
    if (!ops.op_body_fail(writer, describe(error), slot)) await promiseOf(slot);
  } finally {
    release(actor);
    releaseEvent(event);
  }
}

function handleSource(handle) {
  return {
    __proto__: null,
    type: "bytes",
    pull(controller) {
      const slot = open();
      const chunk = ops.op_body_read(handle, slot);
      if (chunk === undefined) {
        return PromisePrototypeThen(promiseOf(slot), (late) => deliver(controller, late));
      }
      deliver(controller, chunk);
    },
    cancel() {
      ops.op_body_cancel(handle);
    },
  };
}

function bytesSource(content) {
  return {
    __proto__: null,
    type: "bytes",
    pull(controller) {
      const bytes = typeof content === "string"
        ? core.encode(content)
        : new Uint8Array(content);
      if (TypedArrayPrototypeGetByteLength(bytes) > 0) controller.enqueue(bytes);
      deliver(controller, null);
    },
  };
}

/** Hands a chunk, or for null the end, to whoever reads. */
function deliver(controller, chunk) {
  if (chunk !== null) {
    controller.enqueue(chunk);
    return;
  }
  controller.close();
  // A reader that brought its own buffer learns of the end only by an empty answer.
  controller.byobRequest?.respond(0);
}

/** @returns {Uint8Array} A view of the chunk's bytes, not a copy. */
function chunkBytes(chunk) {
  if (ArrayBufferIsView(chunk)) return viewBytes(chunk);
  if (core.isAnyArrayBuffer(chunk)) return new Uint8Array(chunk);
  throw new TypeError("This ReadableStream did not return bytes.");
}

/**
 * @param {BufferSource} source
 * @returns {Uint8Array} The same memory as bytes.
 */
export function bytesOf(source) {
  return core.isAnyArrayBuffer(source) ? new Uint8Array(source) : viewBytes(source);
}

/**
 * @param {ArrayBufferView} view
 * @returns {Uint8Array} The same memory as bytes.
 */
export function viewBytes(view) {
  const tag = TypedArrayPrototypeGetSymbolToStringTag(view);
  if (tag === "Uint8Array") return view;
  if (tag === undefined) {
    return new Uint8Array(
      DataViewPrototypeGetBuffer(view),
      DataViewPrototypeGetByteOffset(view),
      DataViewPrototypeGetByteLength(view),
    );
  }
  return new Uint8Array(
    TypedArrayPrototypeGetBuffer(view),
    TypedArrayPrototypeGetByteOffset(view),
    TypedArrayPrototypeGetByteLength(view),
  );
}

function concatenated(chunks, length) {
  if (chunks.length === 1) return chunks[0];
  const whole = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < chunks.length; i++) {
    TypedArrayPrototypeSet(whole, chunks[i], at);
    at += TypedArrayPrototypeGetByteLength(chunks[i]);
  }
  return whole;
}

function describe(error) {
  return error instanceof Error ? error.message : `${error}`;
}

/** Marks a promise's failure as seen; whoever reads the body learns of it there. */
function ignore(promise) {
  PromisePrototypeThen(promise, undefined, () => {});
}
