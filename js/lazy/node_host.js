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
    ReflectApply,
    ReflectOwnKeys,
    SafeMap,
    SafeRegExp,
    RegExpPrototypeTest,
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
    op_node_idna_domain_to_unicode: unavailable("url.domainToUnicode"),
    op_node_idna_to_ascii: hostName,
    op_node_parse_env: unavailable("util.parseEnv"),
    op_node_sys_to_uv_error: () => "UNKNOWN",
    op_node_view_has_buffer: () => true,
    op_transcode: unavailable("buffer.transcode"),
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
