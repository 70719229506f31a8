// IdentityTransformStream and FixedLengthStream: bytes in, the same bytes out, one at a time.
//
// A write is done once a reader took its chunk, so nothing is ever buffered.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayBufferIsView, BigInt, Number, Promise, PromiseReject, Symbol,
    TypeError, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSlice, Uint8Array,
  } = primordials;
  const { ReadableStream, TransformStream, WritableStream } = core.loadExtScript(
    "ext:deno_web/06_streams.js",
  );
  const { viewBytes, setLength } = internals.runtime;
  const kLength = Symbol("length");

  const NO_BYTES = "This TransformStream is being used as a byte stream, but received ";
  const STRING = "a string on its writable side. If you wish to write a string, you'll probably " +
    "want to explicitly UTF-8-encode it with TextEncoder.";
  const OBJECT = "an object of non-ArrayBuffer/ArrayBufferView type on its writable side.";

  /** Both ends of a pipe that carries `length` bytes, or any number for null. */
  function pipe(length) {
    let source;
    let sink;
    let wanted = deferred();
    let seen = 0;
    const fail = (error) => {
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
        sink.error(reason);
        wanted.resolve(false);
      },
    }, { __proto__: null, highWaterMark: 0 });
    const writable = new WritableStream({
      __proto__: null,
      start(controller) {
        sink = controller;
      },
      async write(chunk) {
        const bytes = bytesOf(chunk);
        const count = TypedArrayPrototypeGetByteLength(bytes);
        if (count === 0) return;
        seen += count;
        if (length !== null && seen > length) {
          const text = "Attempt to write too many bytes through a FixedLengthStream.";
          return fail(new TypeError(text));
        }
        if (!await wanted.promise) return;
        wanted = deferred();
        source.enqueue(bytes);
      },
      close() {
        if (length !== null && seen < length) {
          // The writer is done all the same, as on the platform.
          const text = "FixedLengthStream did not see all expected bytes before close().";
          source.error(new TypeError(text));
          return;
        }
        source.close();
        source.byobRequest?.respond(0);
      },
      abort(reason) {
        source.error(reason);
      },
    }, { __proto__: null, highWaterMark: 0 });
    return { readable, writable };
  }

  function deferred() {
    let resolve;
    const promise = new Promise((done) => resolve = done);
    return { promise, resolve };
  }

  /** A copy: the writer may go on using its buffer. */
  function bytesOf(chunk) {
    if (ArrayBufferIsView(chunk)) return TypedArrayPrototypeSlice(viewBytes(chunk));
    if (core.isAnyArrayBuffer(chunk)) return TypedArrayPrototypeSlice(new Uint8Array(chunk));
    throw new TypeError(NO_BYTES + (typeof chunk === "string" ? STRING : OBJECT));
  }

  class IdentityTransformStream extends TransformStream {
    #pipe;

    constructor(options = undefined) {
      super();
      const length = options?.[kLength];
      this.#pipe = pipe(length === undefined ? null : length);
    }

    get readable() {
      return this.#pipe.readable;
    }

    get writable() {
      return this.#pipe.writable;
    }
  }

  class FixedLengthStream extends IdentityTransformStream {
    constructor(expectedLength) {
      const length = Number(BigInt(expectedLength));
      if (length < 0) throw new TypeError("FixedLengthStream needs a length of at least 0.");
      super({ [kLength]: length });
      setLength(this.readable, length);
    }
  }

  return { FixedLengthStream, IdentityTransformStream };
})();
