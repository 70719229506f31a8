// The host that the scripts in third_party/node/ see: ops and scripts that we stand in for, and
// everything else as it is. They read it as `__bootstrap.internals.node`.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const { TextDecoder, TextEncoder, URL, URLSearchParams, atob, btoa, load } = internals.nodeParts;
  const {
    ArrayBufferIsView,
    Error,
    ObjectGetOwnPropertyDescriptor,
    PromisePrototypeThen,
    PromiseResolve,
    RangeError,
    ReflectApply,
    ReflectOwnKeys,
    SafeMap,
    SafeRegExp,
    RegExpPrototypeTest,
    StringPrototypeCharCodeAt,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
    TypedArrayPrototypeSubarray,
    Uint8Array,
  } = primordials;
  const native = core.ops;

  /** The bytes of any view. */
  function bytesOf(view) {
    if (!ArrayBufferIsView(view)) return new Uint8Array(view);
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }

  function hostName(name) {
    if (name === "") return "";
    try {
      return new URL(`http://${name}/`).hostname;
    } catch {
      return "";
    }
  }

  function unavailable(name) {
    return () => {
      throw new Error(`${name} is not supported by Beryl yet`);
    };
  }

  function punycode(result) {
    if (result === null) throw new RangeError("Invalid input");
    return result;
  }

  const ENCODINGS = { __proto__: null, "utf8": 0, "latin1": 1, "binary": 1, "ascii": 2 };

  /** The same text in another encoding; what that has not got becomes a question mark. */
  function transcode(source, from, to) {
    if (from === "utf8" && !native.op_node_is_utf8(source)) {
      throw new Error("Unable to transcode Buffer");
    }
    if (ENCODINGS[from] === undefined && source.length % 2 !== 0) {
      throw new Error("Unable to transcode Buffer");
    }
    const text = native.op_node_text(source, ENCODINGS[from] ?? 3);
    if (to === "utf8") return core.encode(text);
    const limit = to === "ascii" ? 0x7f : to === "latin1" || to === "binary" ? 0xff : 0xffff;
    const width = limit === 0xffff ? 2 : 1;
    const bytes = new Uint8Array(text.length * width);
    let at = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = StringPrototypeCharCodeAt(text, i);
      // Two units that are one character have one question mark.
      if (width === 1 && unit >= 0xdc00 && unit <= 0xdfff) continue;
      bytes[at++] = unit > limit ? 0x3f : unit;
      if (width === 2) bytes[at++] = unit >> 8;
    }
    return TypedArrayPrototypeSubarray(bytes, 0, at);
  }

  const INDEX = new SafeRegExp("^(0|[1-9][0-9]*)$");

  const ops = {
    __proto__: native,
    op_is_ascii: (view) => {
      const bytes = bytesOf(view);
      for (let i = 0; i < bytes.length; i++) if (bytes[i] > 127) return false;
      return true;
    },
    op_is_utf8: (view) => native.op_node_is_utf8(bytesOf(view)),
    op_mark_as_untransferable() {},
    op_node_buffer_compare: (a, b) => native.op_node_compare(bytesOf(a), bytesOf(b)),
    op_node_buffer_compare_offset: (a, b, aStart, bStart, aEnd, bEnd) =>
      native.op_node_compare(
        TypedArrayPrototypeSubarray(bytesOf(a), aStart, aEnd),
        TypedArrayPrototypeSubarray(bytesOf(b), bStart, bEnd),
      ),
    op_node_call_is_from_dependency: () => false,
    op_node_encoding_slice: (view, start, end, encoding) =>
      native.op_node_text(TypedArrayPrototypeSubarray(bytesOf(view), start, end), encoding),
    op_node_get_first_expression: () => "",
    op_node_get_own_non_index_properties: (object, filter) => {
      const keys = [];
      const all = ReflectOwnKeys(object);
      for (let i = 0; i < all.length; i++) {
        const key = all[i];
        if (typeof key === "string" && RegExpPrototypeTest(INDEX, key)) continue;
        if (filter === 2 && !ObjectGetOwnPropertyDescriptor(object, key)?.enumerable) continue;
        keys[keys.length] = key;
      }
      return keys;
    },
    op_node_guess_handle_type: () => "UNKNOWN",
    op_node_idna_domain_to_ascii: hostName,
    op_node_idna_domain_to_unicode: (name) => native.op_node_domain_to_unicode(hostName(name)),
    op_node_idna_punycode_decode: (text) => punycode(native.op_node_punycode_decode(text)),
    op_node_idna_punycode_encode: (text) => punycode(native.op_node_punycode(text)),
    op_node_idna_punycode_to_ascii: hostName,
    op_node_idna_punycode_to_unicode: (name) => native.op_node_domain_to_unicode(name),
    op_node_idna_to_ascii: hostName,
    op_node_parse_env: unavailable("util.parseEnv"),
    op_node_sys_to_uv_error: () => "UNKNOWN",
    op_node_view_has_buffer: () => true,
    op_transcode: transcode,
  };

  /** What it throws is reported as an unhandled rejection. */
  function nextTick(callback, ...args) {
    PromisePrototypeThen(PromiseResolve(), () => ReflectApply(callback, undefined, args));
  }

  const process = () => internals.nodeModule("process");
  const noTerminal = { isTerminal: () => false };
  const noConstants = { os: { signals: {}, errno: {} } };

  /** Instead of scripts that would need a host of their own. */
  const STAND_INS = {
    __proto__: null,
    "ext:deno_io/12_io.js": () => ({ stderr: noTerminal, stdin: noTerminal, stdout: noTerminal }),
    "ext:deno_node/_next_tick.ts": () => ({ nextTick }),
    "ext:deno_node/_process/process.ts": () => ({ nextTick }),
    "ext:deno_node/_util/os.ts": () => ({ isWindows: false, osType: "linux" }),
    "ext:deno_node/internal/options.ts": () => ({ getOptionValue: () => undefined }),
    "ext:deno_node/internal_binding/constants.ts": () => noConstants,
    "ext:deno_web/00_infra.js": () => ({ forgivingBase64Decode: native.op_base64_decode }),
    "ext:deno_web/00_url.js": () => ({ URL, URLSearchParams }),
    "ext:deno_web/05_base64.js": () => ({ atob, btoa }),
    "ext:deno_web/08_text_encoding.js": () => ({ TextDecoder, TextEncoder }),
  };

  const loaded = new SafeMap();

  function loadExtScript(specifier) {
    if (loaded.has(specifier)) return loaded.get(specifier);
    const exports = loadOnce(specifier);
    loaded.set(specifier, exports);
    return exports;
  }

  function loadOnce(specifier) {
    if (specifier === "ext:deno_node/stream/web.js") return internals.nodeModule("stream/web");
    if (specifier in STAND_INS) return STAND_INS[specifier]();
    if (StringPrototypeStartsWith(specifier, "ext:deno_web/")) {
      return load(StringPrototypeSlice(specifier, 13));
    }
    if (specifier === "node:process") return process();
    if (StringPrototypeStartsWith(specifier, "node:")) {
      return internals.nodeModule(StringPrototypeSlice(specifier, 5));
    }
    return core.loadExtScript(specifier);
  }

  internals.node = {
    core: {
      __proto__: core,
      createLazyLoader: (specifier) => () => loadExtScript(specifier),
      loadExtScript,
      ops,
    },
    internals: { __proto__: null },
    primordials,
  };
  return { loadExtScript, nextTick };
})();
