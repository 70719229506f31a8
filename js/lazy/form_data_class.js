// FormData (XMLHttpRequest standard); evaluated when a worker first needs it.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayPrototypeFilter, ArrayPrototypeMap, ArrayPrototypePush, ArrayPrototypeSplice,
    ArrayPrototypeValues, FunctionPrototypeCall, ObjectGetPrototypeOf,
    ObjectPrototypeIsPrototypeOf, StringPrototypeEndsWith, StringPrototypeReplaceAll,
    StringPrototypeToWellFormed, SymbolFor, SymbolIterator, SymbolToStringTag, TypeError,
  } = primordials;
  const { Blob, BlobPrototype, File, FilePrototype } = core.loadExtScript(
    "ext:deno_web/09_file.js",
  );

  let entriesOf;
  let isFormData;

  class FormData {
    /** @type {[string, string | File][]} */
    #entries = [];

    static {
      entriesOf = (form) => form.#entries;
      isFormData = (value) => #entries in value;
    }

    append(name, value, filename = undefined) {
      check("append", arguments.length, 2);
      ArrayPrototypePush(this.#entries, entry(name, value, filename));
    }

    delete(name) {
      check("delete", arguments.length, 1);
      name = text(name);
      this.#entries = ArrayPrototypeFilter(this.#entries, (pair) => pair[0] !== name);
    }

    get(name) {
      check("get", arguments.length, 1);
      const at = indexOf(this.#entries, text(name));
      return at < 0 ? null : this.#entries[at][1];
    }

    getAll(name) {
      check("getAll", arguments.length, 1);
      name = text(name);
      const found = ArrayPrototypeFilter(this.#entries, (pair) => pair[0] === name);
      return ArrayPrototypeMap(found, (pair) => pair[1]);
    }

    has(name) {
      check("has", arguments.length, 1);
      return indexOf(this.#entries, text(name)) >= 0;
    }

    set(name, value, filename = undefined) {
      check("set", arguments.length, 2);
      const pair = entry(name, value, filename);
      const entries = this.#entries;
      const at = indexOf(entries, pair[0]);
      if (at < 0) {
        ArrayPrototypePush(entries, pair);
        return;
      }
      entries[at] = pair;
      for (let i = entries.length - 1; i > at; i--) {
        if (entries[i][0] === pair[0]) ArrayPrototypeSplice(entries, i, 1);
      }
    }

    forEach(callback, thisArg = undefined) {
      for (let i = 0; i < this.#entries.length; i++) {
        const { 0: name, 1: value } = this.#entries[i];
        FunctionPrototypeCall(callback, thisArg, value, name, this);
      }
    }

    entries() {
      return values(this, (pair) => [pair[0], pair[1]]);
    }

    keys() {
      return values(this, (pair) => pair[0]);
    }

    values() {
      return values(this, (pair) => pair[1]);
    }

    [SymbolIterator]() {
      return this.entries();
    }

    get [SymbolToStringTag]() {
      return "FormData";
    }

    [SymbolFor("Deno.privateCustomInspect")](inspect, options) {
      return internals.runtime.inspected("FormData", this, inspect, options);
    }
  }

  const IteratorPrototype = ObjectGetPrototypeOf(ObjectGetPrototypeOf(ArrayPrototypeValues([])));

  /** An iterator that sees what is added and deleted meanwhile. */
  function values(form, view) {
    let at = 0;
    return {
      __proto__: IteratorPrototype,
      next() {
        const entries = entriesOf(form);
        if (at >= entries.length) return { value: undefined, done: true };
        at++;
        return { value: view(entries[at - 1]), done: false };
      },
    };
  }

  function indexOf(entries, name) {
    for (let i = 0; i < entries.length; i++) {
      if (entries[i][0] === name) return i;
    }
    return -1;
  }

  function text(value) {
    return StringPrototypeToWellFormed(`${value}`);
  }

  function isBlob(value) {
    return typeof value === "object" && value !== null &&
      ObjectPrototypeIsPrototypeOf(BlobPrototype, value);
  }

  /** Every blob of a form is a file, with a name. */
  function entry(name, value, filename) {
    if (!isBlob(value)) return [text(name), text(value)];
    const isFile = ObjectPrototypeIsPrototypeOf(FilePrototype, value);
    if (isFile && filename === undefined) return [text(name), value];
    const own = filename === undefined ? "blob" : text(filename);
    const { type } = value;
    const lastModified = isFile ? value.lastModified : undefined;
    const options = lastModified === undefined ? { type } : { type, lastModified };
    return [text(name), new File([value], own, options)];
  }

  function check(method, count, needed) {
    if (count < needed) {
      throw new TypeError(
        `Failed to execute '${method}' on 'FormData': parameter ${count + 1} is not of type ` +
          "'string'.",
      );
    }
  }

  function escaped(name) {
    if (StringPrototypeEndsWith(name, "\\")) {
      throw new TypeError("Name or filename can't end with backslash");
    }
    name = StringPrototypeReplaceAll(name, "\\", "\\\\");
    name = StringPrototypeReplaceAll(name, "\n", "%0A");
    name = StringPrototypeReplaceAll(name, "\r", "%0D");
    return StringPrototypeReplaceAll(name, '"', "%22");
  }

  /** A form as `multipart/form-data` (RFC 7578): a string where it has no files. */
  function encode(form) {
    const boundary = StringPrototypeReplaceAll(core.ops.op_crypto_random_uuid(), "-", "");
    const parts = [];
    let plain = "";
    const entries = entriesOf(form);
    for (let i = 0; i < entries.length; i++) {
      const { 0: name, 1: value } = entries[i];
      plain += `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"`;
      if (typeof value === "string") {
        plain += `\r\n\r\n${value}\r\n`;
        continue;
      }
      const type = value.type === "" ? "application/octet-stream" : value.type;
      plain += `; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`;
      ArrayPrototypePush(parts, plain, value);
      plain = "\r\n";
    }
    plain += `--${boundary}--\r\n`;
    const type = `multipart/form-data; boundary=${boundary}`;
    if (parts.length === 0) return { content: plain, type };
    ArrayPrototypePush(parts, plain);
    return { content: new Blob(parts), type };
  }

  /** A form from `[name, file name, type, content, ...]`. */
  function decode(list) {
    const form = new FormData();
    const entries = entriesOf(form);
    for (let i = 0; i < list.length; i += 4) {
      const file = list[i + 1];
      const content = list[i + 3];
      const value = file === null ? content : new File([content], file, { type: list[i + 2] });
      ArrayPrototypePush(entries, [list[i], value]);
    }
    return form;
  }

  return { FormData, isFormData, encode, decode };
})();
