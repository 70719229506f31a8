// The streams of `process`: what is written goes to the log by lines, and there is no input.
//
// node:stream is large and most of those who read `process.stdout` only ask whether it is a
// terminal, or write; so each stream is made when more is asked of it.

(() => {
  const { internals, primordials } = __bootstrap;
  const {
    ArrayBufferIsView, Proxy, ReflectDefineProperty, ReflectDeleteProperty, ReflectGet,
    ReflectGetOwnPropertyDescriptor, ReflectGetPrototypeOf, ReflectHas, ReflectOwnKeys, ReflectSet,
    ReflectSetPrototypeOf, StringPrototypeIndexOf, StringPrototypeSlice,
  } = primordials;
  const { TextDecoder, createConsole, setTimeout } = internals.nodeParts;

  /** Characters that wait for the end of their line, at most. */
  const LINE_MAX = 4096;
  /** Not the global one, which may write to these streams. */
  const console = createConsole();

  /** Text that becomes lines of the log; what has no end of line waits for the next moment. */
  function lines(print) {
    const decoder = new TextDecoder();
    let rest = "";
    let isFlushing = false;
    const flush = () => {
      isFlushing = false;
      if (rest !== "") print(rest);
      rest = "";
    };
    return (bytes) => {
      rest += decoder.decode(bytes, { stream: true });
      for (;;) {
        const end = StringPrototypeIndexOf(rest, "\n");
        if (end < 0) break;
        print(StringPrototypeSlice(rest, 0, end));
        rest = StringPrototypeSlice(rest, end + 1);
      }
      if (rest.length >= LINE_MAX) flush();
      if (rest === "" || isFlushing) return;
      isFlushing = true;
      setTimeout(flush, 0);
    };
  }

  function output(fd, print) {
    const { Writable } = internals.nodeModule("stream");
    const write = lines(print);
    const stream = new Writable({
      decodeStrings: true,
      write(chunk, _encoding, done) {
        if (ArrayBufferIsView(chunk)) write(chunk);
        done();
      },
    });
    // Nobody can close them, in Node.js either.
    stream.destroy = () => stream;
    stream._destroy = (error, done) => done(error);
    return described(stream, { fd, readable: false });
  }

  function input() {
    const { Readable } = internals.nodeModule("stream");
    const stream = new Readable({
      read() {
        this.push(null);
      },
    });
    return described(stream, { fd: 0 });
  }

  function described(stream, own) {
    const all = { ...own, _isStdio: true, _type: "fs" };
    for (const name in all) {
      ReflectDefineProperty(stream, name, {
        __proto__: null,
        value: all[name],
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return stream;
  }

  /** Stands for an object that is made when it is first used. */
  function later(make) {
    let object = null;
    const made = () => object ??= make();
    return new Proxy({}, {
      __proto__: null,
      defineProperty: (_, name, descriptor) => ReflectDefineProperty(made(), name, descriptor),
      deleteProperty: (_, name) => ReflectDeleteProperty(made(), name),
      get: (_, name) =>
        name === "isTTY" && object === null ? undefined : ReflectGet(made(), name),
      getOwnPropertyDescriptor: (_, name) => {
        const descriptor = ReflectGetOwnPropertyDescriptor(made(), name);
        // The target has no such property of its own, so it cannot be a fixed one.
        if (descriptor !== undefined) descriptor.configurable = true;
        return descriptor;
      },
      getPrototypeOf: () => ReflectGetPrototypeOf(made()),
      has: (_, name) => ReflectHas(made(), name),
      ownKeys: () => ReflectOwnKeys(made()),
      set: (_, name, value) => ReflectSet(made(), name, value),
      setPrototypeOf: (_, prototype) => ReflectSetPrototypeOf(made(), prototype),
    });
  }

  return {
    stderr: later(() => output(2, (line) => console.error(line))),
    stdin: later(input),
    stdout: later(() => output(1, (line) => console.log(line))),
  };
})();
