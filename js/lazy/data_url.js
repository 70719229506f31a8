// What `fetch()` gives for data: URLs (Fetch standard, section 6).

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    RegExpPrototypeTest, SafeRegExp, StringPrototypeEndsWith, StringPrototypeIndexOf,
    StringPrototypeReplace, StringPrototypeSlice, StringPrototypeStartsWith,
    StringPrototypeToLowerCase, StringPrototypeTrim, TypeError, Uint8Array, NumberParseInt,
  } = primordials;
  const { ops } = core;
  const BASE64 = new SafeRegExp(";\\u0020*base64$", "i");
  const HEX = new SafeRegExp("^[0-9a-fA-F]{2}$");

  /** @returns {Uint8Array} The bytes that a percent-encoded text stands for. */
  function decoded(text) {
    const bytes = core.encode(text);
    const result = new Uint8Array(bytes.length);
    let length = 0;
    for (let i = 0; i < bytes.length; i++) {
      let byte = bytes[i];
      if (byte === 0x25 && i + 2 < bytes.length) {
        const pair = core.decode(bytes.subarray(i + 1, i + 3));
        if (RegExpPrototypeTest(HEX, pair)) {
          byte = NumberParseInt(pair, 16);
          i += 2;
        }
      }
      result[length++] = byte;
    }
    return result.slice(0, length);
  }

  /** @param {string} url Serialised. @returns {Response} */
  function respond(url) {
    const comma = StringPrototypeIndexOf(url, ",");
    if (comma < 0) throw new TypeError(`Fetch API cannot load: ${url}`);
    const hash = StringPrototypeIndexOf(url, "#");
    const data = StringPrototypeSlice(url, comma + 1, hash < 0 ? undefined : hash);
    let type = StringPrototypeTrim(StringPrototypeSlice(url, 5, comma));
    let body = decoded(data);
    if (RegExpPrototypeTest(BASE64, type)) {
      type = StringPrototypeReplace(type, BASE64, "");
      try {
        body = ops.op_base64_decode(core.decode(body));
      } catch {
        throw new TypeError(`Fetch API cannot load: ${url}`);
      }
    }
    if (StringPrototypeStartsWith(type, ";")) type = `text/plain${type}`;
    const headers = { "content-type": plainType(type) };
    return new internals.runtime.Response(body, { status: 200, statusText: "OK", headers });
  }

  const QUOTED = new SafeRegExp('="([!#$%&\'*+.^_`|~0-9A-Za-z-]+)"', "g");

  /** Parameters lose quotes that they do not need. */
  function plainType(type) {
    if (StringPrototypeIndexOf(type, "/") <= 0 || StringPrototypeEndsWith(type, "/")) {
      return "text/plain;charset=US-ASCII";
    }
    const semicolon = StringPrototypeIndexOf(type, ";");
    if (semicolon < 0) return StringPrototypeToLowerCase(type);
    const essence = StringPrototypeToLowerCase(StringPrototypeSlice(type, 0, semicolon));
    return essence + StringPrototypeReplace(StringPrototypeSlice(type, semicolon), QUOTED, "=$1");
  }

  return { respond };
})();
