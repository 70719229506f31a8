// IdentityTransformStream and FixedLengthStream: bytes in, the same bytes out, one at a time.
//
// A write is done once a reader took its chunk. Without a high water mark nothing is counted;
// with one, the bytes of all writes that are not done.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayBufferIsView, ArrayPrototypePush, ArrayPrototypeShift, BigInt, Error, MathMin, Number,
    NumberIsInteger, NumberIsNaN, NumberMAX_SAFE_INTEGER, ObjectDefineProperties, Promise,
    PromisePrototypeThen, PromiseReject, PromiseResolve, RangeError, Symbol, SymbolToStringTag,
    TypeError, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSlice, Uint8Array,
  } = primordials;
  const { ReadableStream, TransformStream, WritableStream } = core.loadExtScript(
    "ext:deno_web/06_streams.js",
  );
  const { isPiped, markBytes } = core.loadExtScript("ext:beryl/stream_fits.js");
  const { hasFlag, viewBytes, setLength } = internals.runtime;
  const kLength = Symbol("length");
  /** The platform's newer streams take strings, and report lengths in other ways. */
  const isStrict = hasFlag("typescript_implemented_streams");

  const NO_BYTES = "This TransformStream is being used as a byte stream, but received an object " +
    "of non-ArrayBuffer/ArrayBufferView type on its writable side.";

  /** Both ends of a pipe that carries `length` bytes, or any number for null. */
  function pipe(length, highWaterMark) {
    let source;
    let sink;
    let wanted = deferred();
    let delivered = PromiseResolve();
    let seen = 0;
    /** What was written, copied when it was: the writer may go on using its buffer. */
    const copies = [];
    const fail = (text) => {
      const error = isStrict ? new RangeError(text) : new TypeError(text);
      source.error(error);
      return PromiseReject(error);
    };
    const readable = new ReadableStream({
      __proto__: null,
      type: "bytes",
      start(controller) {
        source = controller;
      },
      pull() {
        wanted.resolve(true);
      },
      cancel(reason) {
        sink.error(reasonOf(reason));
        wanted.resolve(false);
      },
    }, { __proto__: null, highWaterMark: 0 });
    const writable = new WritableStream({
      __proto__: null,
      start(controller) {
        sink = controller;
        // A write waits for a reader; whoever aborts does not.
        controller.signal.addEventListener("abort", () => {
          const { signal: { reason } } = controller;
          source.error(reason);
          wanted.reject(reason);
        });
      },
      async write() {
        const { bytes, error } = ArrayPrototypeShift(copies);
        if (bytes === undefined) {
          if (!isPiped(writable)) throw error;
          const failure = new TypeError("This WritableStream only supports writing byte types.");
          await delivered;
          source.error(failure);
          throw failure;
        }
        const count = TypedArrayPrototypeGetByteLength(bytes);
        if (count === 0) return;
        seen += count;
        if (length !== null && seen > length) {
          return fail("Attempt to write too many bytes through a FixedLengthStream.");
        }
        if (!await wanted.promise) return;
        wanted = deferred();
        // The writer learns of it first, so that a reader sees the room that it made.
        delivered = later(() => {
          if (!sink.signal.aborted) source.enqueue(bytes);
        });
      },
      async close() {
        await delivered;
        if (length !== null && seen < length) {
          const failed = fail(
            "FixedLengthStream did not see all expected bytes before close().",
          );
          if (isStrict) return failed;
          // The writer is done all the same.
          PromisePrototypeThen(failed, undefined, () => {});
          return;
        }
        source.close();
        source.byobRequest?.respond(0);
      },
      abort(reason) {
        source.error(reason);
      },
    }, {
      __proto__: null,
      highWaterMark: highWaterMark ?? 1,
      size(chunk) {
        const copy = copyOf(chunk);
        ArrayPrototypePush(copies, copy);
        if (highWaterMark === undefined || copy.bytes === undefined) return 0;
        return typeof chunk === "string"
          ? chunk.length * 3
          : TypedArrayPrototypeGetByteLength(copy.bytes);
      },
    });
    markBytes(writable);
    return { readable, writable };
  }

  /** Why writes fail whose reader went away. */
  function reasonOf(reason) {
    if (core.isNativeError(reason)) return reason;
    return new Error(reason === undefined ? "Stream was cancelled." : `${reason}`);
  }

  function deferred() {
    let resolve;
    let reject;
    const promise = new Promise((done, failed) => {
      resolve = done;
      reject = failed;
    });
    // A failure of what nobody waits for is none.
    PromisePrototypeThen(promise, undefined, () => {});
    return { promise, resolve, reject };
  }

  /** Runs `f` a few microtasks from now. */
  async function later(f) {
    await undefined;
    await undefined;
    await undefined;
    f();
  }

  function copyOf(chunk) {
    if (typeof chunk === "string") return { bytes: core.encode(chunk) };
    if (ArrayBufferIsView(chunk)) return { bytes: TypedArrayPrototypeSlice(viewBytes(chunk)) };
    if (core.isAnyArrayBuffer(chunk)) {
      return { bytes: TypedArrayPrototypeSlice(new Uint8Array(chunk)) };
    }
    return { bytes: undefined, error: new TypeError(NO_BYTES) };
  }

  function markOf(options) {
    const mark = options?.highWaterMark;
    return mark === undefined ? undefined : Number(mark);
  }

  class IdentityTransformStream extends TransformStream {
    #pipe;

    constructor(options = undefined) {
      super();
      const length = options?.[kLength];
      this.#pipe = pipe(length === undefined ? null : length, markOf(options));
    }

    get readable() {
      return this.#pipe.readable;
    }

    get writable() {
      return this.#pipe.writable;
    }

    get [SymbolToStringTag]() {
      return "IdentityTransformStream";
    }
  }

  class FixedLengthStream extends IdentityTransformStream {
    constructor(expectedLength, options = undefined) {
      const length = lengthOf(expectedLength);
      const mark = markOf(options);
      super({
        [kLength]: length,
        highWaterMark: mark === undefined ? undefined : MathMin(mark, length),
      });
      setLength(this.readable, length);
    }

    get [SymbolToStringTag]() {
      return "FixedLengthStream";
    }
  }

  const RANGE = "The value cannot be converted because it is either negative or too large.";

  function lengthOf(expected) {
    if (isStrict) {
      if (typeof expected !== "number" && typeof expected !== "bigint") {
        throw new TypeError("FixedLengthStream requires an integer expected length.");
      }
      const length = BigInt(expected);
      if (length < 0n || length > 0xffff_ffff_ffff_ffffn) throw new RangeError(RANGE);
      return Number(length);
    }
    if (typeof expected === "bigint") {
      if (expected < 0n || expected > 0xffff_ffff_ffff_ffffn) throw new TypeError(RANGE);
      return Number(expected);
    }
    const number = Number(expected);
    if (NumberIsNaN(number)) return 0;
    const length = number - number % 1;
    if (!NumberIsInteger(length) || length < 0 || length > NumberMAX_SAFE_INTEGER) {
      throw new TypeError(RANGE);
    }
    return length;
  }

  const visible = { __proto__: null, enumerable: true };
  ObjectDefineProperties(IdentityTransformStream.prototype, {
    __proto__: null,
    readable: visible,
    writable: visible,
  });
  return { FixedLengthStream, IdentityTransformStream };
})();
