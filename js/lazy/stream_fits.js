// What the platform's streams have beyond those of deno_web: reads of at least so many bytes, and
// sources whose `start()` throws, which error their stream instead of its constructor.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayBufferIsView, ArrayPrototypePush, Number, ObjectDefineProperty,
    ObjectGetOwnPropertySymbols, ObjectPrototypeIsPrototypeOf, PromisePrototypeThen,
    PromiseReject, PromiseResolve, Proxy, ReflectApply, ReflectConstruct, SafeWeakSet,
    SymbolAsyncIterator, SymbolFor, SymbolIterator, SymbolPrototypeGetDescription, TypeError,
    TypedArrayPrototypeGetBuffer, TypedArrayPrototypeSet, Uint8Array,
  } = primordials;

  function method(prototype, name, value) {
    ObjectDefineProperty(prototype, name, {
      __proto__: null,
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }

  /** @returns {any} The state that deno_web keeps of an object under a symbol. */
  function slot(object, name) {
    const symbols = ObjectGetOwnPropertySymbols(object);
    for (let i = 0; i < symbols.length; i++) {
      if (SymbolPrototypeGetDescription(symbols[i]) === name) return object[symbols[i]];
    }
    return undefined;
  }

  const { readAtLeast } = {
    /**
     * @param {number} minElements
     * @param {ArrayBufferView} view
     */
    readAtLeast(minElements, view) {
      if (minElements > (view?.length ?? view?.byteLength)) {
        return PromiseReject(
          new TypeError("Minimum bytes to read may not exceed the size of the given buffer."),
        );
      }
      // The end may come before: what was read until then is no end yet.
      return PromisePrototypeThen(this.read(view, { min: minElements }), (result) => {
        const { done, value } = result;
        if (!done || value === undefined || value.byteLength === 0) return result;
        return { value, done: false };
      });
    },
  };

  /** How many bytes a request still needs. */
  function atLeast(request) {
    const controller = slot(request, "[[controller]]");
    const descriptor = controller && slot(controller, "[[pendingPullIntos]]")?.peek();
    if (!descriptor) return null;
    return descriptor.minimumFill - descriptor.bytesFilled;
  }

  const CALLBACKS = ["pull", "cancel", "write", "close", "abort", "transform", "flush", "type",
    "autoAllocateChunkSize", "readableType", "writableType"];

  /** The same source or sink, whose `start` hands what it throws to the controller. */
  function patient(source) {
    const start = source?.start;
    if (typeof start !== "function") return source;
    const fitted = {
      __proto__: null,
      start(controller) {
        try {
          return ReflectApply(start, source, [controller]);
        } catch (error) {
          controller.error(error);
        }
      },
    };
    for (let i = 0; i < CALLBACKS.length; i++) {
      const name = CALLBACKS[i];
      const value = source[name];
      if (value === undefined) continue;
      fitted[name] = typeof value !== "function"
        ? value
        : (...args) => ReflectApply(value, source, args);
    }
    return fitted;
  }

  function withPatience(stream) {
    const fitted = new Proxy(stream, {
      __proto__: null,
      construct: (target, args, newTarget) => {
        const { 0: source } = args;
        if (typeof source !== "object" || source === null) {
          return ReflectConstruct(target, args, newTarget);
        }
        args[0] = patient(source);
        const made = ReflectConstruct(target, args, newTarget);
        const { expectedLength } = source;
        if (expectedLength !== undefined) {
          internals.runtime.setLength(made.readable ?? made, Number(expectedLength));
        }
        return made;
      },
    });
    ObjectDefineProperty(stream.prototype, "constructor", {
      __proto__: null,
      value: fitted,
      writable: true,
      enumerable: false,
      configurable: true,
    });
    return fitted;
  }

  /** Bytes that a source is asked to fill where whoever reads brings no buffer. */
  const CHUNK_BYTES = 16_384;

  /** Lets the source of a byte stream fill a buffer of ours, if it has not chosen a size. */
  function autoAllocate(stream) {
    const controller = slot(stream, "[[controller]]");
    if (controller === undefined) return;
    const symbols = ObjectGetOwnPropertySymbols(controller);
    for (let i = 0; i < symbols.length; i++) {
      if (SymbolPrototypeGetDescription(symbols[i]) !== "[[autoAllocateChunkSize]]") continue;
      controller[symbols[i]] ??= CHUNK_BYTES;
    }
  }

  function beginPipe(stream, destination) {
    autoAllocate(stream);
    if (typeof destination === "object" && destination !== null) {
      piped.add(destination);
    }
  }

  /** Whoever waits for more bytes than there are gets those there are, as the stream ends. */
  function endReads(controller) {
    PromisePrototypeThen(PromiseResolve(), () => {
      try {
        controller.byobRequest?.respond(0);
      } catch {
        // Its source answered in the meantime, wrongly.
      }
    });
  }

  /** A stream of bytes of what an iterable gives. */
  function ofItems(ReadableStream, value) {
    const iterator = value[SymbolAsyncIterator]?.() ?? value[SymbolIterator]();
    return new ReadableStream({
      type: "bytes",
      async pull(controller) {
        const { done, value: item } = await iterator.next();
        if (done) {
          controller.close();
          controller.byobRequest?.respond(0);
          return;
        }
        const chunk = await item;
        const bytes = typeof chunk === "string" ? core.encode(chunk) : chunk;
        if (!ArrayBufferIsView(bytes) && !core.isAnyArrayBuffer(bytes)) {
          throw new TypeError("This ReadableStream did not return bytes.");
        }
        const view = ArrayBufferIsView(bytes) ? bytes : new Uint8Array(bytes);
        // A copy: the stream takes the buffer for itself.
        if (view.byteLength > 0) controller.enqueue(internals.runtime.viewBytes(view).slice());
      },
      async cancel(reason) {
        await iterator.return?.(reason);
      },
    }, { highWaterMark: 0 });
  }

  /** Small chunks of a byte stream are read as one, up to so many bytes. */
  const MERGED_BYTES_MAX = 65_536;

  /**
   * @param {{dequeue: Function, peek: Function, size: number}} queue Of a byte stream, not empty.
   * @returns {{buffer: ArrayBuffer, byteOffset: number, byteLength: number}} Its first bytes.
   */
  function merged(queue) {
    const first = queue.dequeue();
    let { byteLength } = first;
    if (queue.size === 0 || byteLength + queue.peek().byteLength > MERGED_BYTES_MAX) return first;
    const parts = [first];
    while (queue.size > 0 && byteLength + queue.peek().byteLength <= MERGED_BYTES_MAX) {
      const part = queue.dequeue();
      byteLength += part.byteLength;
      ArrayPrototypePush(parts, part);
    }
    const whole = new Uint8Array(byteLength);
    let at = 0;
    for (let i = 0; i < parts.length; i++) {
      const { buffer, byteOffset, byteLength: length } = parts[i];
      TypedArrayPrototypeSet(whole, new Uint8Array(buffer, byteOffset, length), at);
      at += length;
    }
    return { buffer: TypedArrayPrototypeGetBuffer(whole), byteOffset: 0, byteLength };
  }

  /** Writable ends that take bytes only. */
  const byteSinks = new SafeWeakSet();

  /** How console and `util.inspect` show a class. */
  function show(type, detailOf) {
    const { name } = type;
    ObjectDefineProperty(type.prototype, SymbolFor("Deno.privateCustomInspect"), {
      __proto__: null,
      value(inspect, options) {
        return internals.runtime.inspected(name, this, inspect, options, detailOf(this));
      },
      configurable: true,
    });
  }

  /** What streams are or were piped into: some of our sinks say other things then. */
  const piped = new SafeWeakSet();

  function wrap(prototype, name, before, after) {
    const { [name]: original } = prototype;
    method(prototype, name, {
      [name](...args) {
        before?.(this, args[0]);
        const result = ReflectApply(original, this, args);
        after?.(this);
        return result;
      },
    }[name]);
  }

  /** @param {Record<string, any>} classes What deno_web exports. */
  function fit(classes) {
    method(classes.ReadableStreamBYOBReader.prototype, "readAtLeast", readAtLeast);
    ObjectDefineProperty(classes.ReadableStreamBYOBRequest.prototype, "atLeast", {
      __proto__: null,
      get() {
        // Throws for what is no request.
        return this.view === null ? null : atLeast(this);
      },
      enumerable: true,
      configurable: true,
    });
    wrap(classes.ReadableByteStreamController.prototype, "close", undefined, endReads);
    const { prototype: bytes } = classes.ReadableByteStreamController;
    show(classes.ReadableStream, (stream) => {
      const isBytes = ObjectPrototypeIsPrototypeOf(bytes, slot(stream, "[[controller]]"));
      return { state: slot(stream, "[[state]]"), isBytes };
    });
    show(classes.WritableStream, (stream) => {
      return { state: slot(stream, "[[state]]"), isBytes: byteSinks.has(stream) };
    });
    wrap(classes.ReadableStream.prototype, "pipeTo", beginPipe);
    wrap(classes.ReadableStream.prototype, "pipeThrough", (stream, transform) => {
      beginPipe(stream, transform?.writable);
    });
    return {
      ...classes,
      autoAllocate,
      streamOfIterable: (value) => ofItems(classes.ReadableStream, value),
      ReadableStream: withPatience(classes.ReadableStream),
      TransformStream: withPatience(classes.TransformStream),
      WritableStream: withPatience(classes.WritableStream),
    };
  }

  return {
    fit,
    isPiped: (sink) => piped.has(sink),
    markBytes: (sink) => byteSinks.add(sink),
    merged,
  };
})();
