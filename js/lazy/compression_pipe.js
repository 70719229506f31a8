// Both ends of a CompressionStream or DecompressionStream: bytes in, bytes out.
//
// The writer runs ahead of the reader by BUFFERED_BYTES, so that one may write, close and then
// read, and chunks that wait are read as one.

(() => {
  const { core, primordials } = __bootstrap;
  const { ArrayPrototypeIncludes, Promise, TypeError } = primordials;
  const { ReadableStream, WritableStream } = core.loadExtScript("ext:deno_web/06_streams.js");

  const { markBytes } = core.loadExtScript("ext:beryl/stream_fits.js");

  const BUFFERED_BYTES = 1 << 20;
  const FORMATS = ["deflate", "deflate-raw", "gzip", "brotli"];

  /** What goes wrong with compressed data, by the words of the libraries that read it. */
  const TEXTS = {
    __proto__: null,
    "failed to write whole buffer": "Trailing bytes after end of compressed data",
    "incomplete deflate stream":
      "Called close() on a decompression stream with incomplete data",
    "corrupt gzip stream does not have a matching checksum":
      "Called close() on a decompression stream with incomplete data",
  };

  function fitted(error, fallback) {
    if (!core.isNativeError(error) || error.code !== undefined) return error;
    return new TypeError(TEXTS[error.message] ?? fallback);
  }

  /** @returns {string} */
  function checkFormat(format) {
    const name = `${format}`;
    if (ArrayPrototypeIncludes(FORMATS, name)) return name;
    throw new TypeError(
      "The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.",
    );
  }

  /** @param {{transform: Function, flush: Function, cancel: Function}} coder */
  function pipe(coder) {
    let source;
    let sink;
    /** Lets a writer go on that ran too far ahead. */
    let goOn;
    const failed = (error) => {
      source.error(error);
      goOn?.();
      throw error;
    };
    const readable = new ReadableStream({
      __proto__: null,
      type: "bytes",
      start(controller) {
        source = controller;
      },
      pull() {
        goOn?.();
      },
      cancel(reason) {
        coder.cancel(reason);
        sink.error(reason);
        goOn?.();
      },
    }, { __proto__: null, highWaterMark: BUFFERED_BYTES });
    const writable = new WritableStream({
      __proto__: null,
      start(controller) {
        sink = controller;
        controller.signal.addEventListener("abort", () => goOn?.());
      },
      write(chunk) {
        try {
          coder.transform(chunk, source);
        } catch (error) {
          failed(fitted(error, "Decompression failed."));
        }
        if (source.desiredSize > 0) return;
        return new Promise((done) => goOn = done);
      },
      close() {
        try {
          coder.flush(source);
        } catch (error) {
          failed(fitted(error, "Decompression failed."));
        }
        source.close();
        source.byobRequest?.respond(0);
      },
      abort(reason) {
        coder.cancel(reason);
        source.error(reason);
      },
    });
    markBytes(writable);
    return { readable, writable };
  }

  return { checkFormat, pipe };
})();
