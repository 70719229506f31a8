// EventSource (HTML standard), also over a stream that somebody else opened.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayPrototypeJoin, ArrayPrototypePush, MathMax, Number, ObjectDefineProperties, Promise,
    PromisePrototypeThen, RegExpPrototypeTest, SafeRegExp, StringPrototypeIncludes,
    StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith, Symbol,
    SymbolDispose, SymbolToStringTag,
  } = primordials;
  const { domException } = internals.runtime;
  const { TextDecoder, URL, load, setTimeout, clearTimeout } = internals.nodeParts;
  const { Event, EventTarget, MessageEvent } = load("02_event.js");

  const CONNECTING = 0;
  const OPEN = 1;
  const CLOSED = 2;
  const RETRY_MS = 2_000;
  const RETRY_MS_MIN = 1_000;
  /** Answers without content in a row before it gives up. */
  const EMPTY_MAX = 2;
  const DIGITS = new SafeRegExp("^[0-9]+$");
  const kStream = Symbol("stream");

  class EventSource extends EventTarget {
    #url = "";
    #origin = "";
    #fetcher;
    #state = CONNECTING;
    #lastEventId = "";
    #retryMs = RETRY_MS;
    #empty = 0;
    #timer = 0;
    #reader = null;
    onopen = null;
    onmessage = null;
    onerror = null;

    constructor(url, init = undefined) {
      super();
      if (url === kStream) {
        this.#state = OPEN;
        this.#follow(init);
        return;
      }
      let parsed;
      try {
        parsed = new URL(`${url}`);
      } catch {
        throw domException(
          `Cannot open an EventSource to '${url}'. The URL is invalid.`,
          "SyntaxError",
        );
      }
      if (init?.withCredentials) {
        throw domException(
          "The init.withCredentials option is not supported. It must be false or undefined.",
          "NotSupportedError",
        );
      }
      this.#url = parsed.href;
      this.#origin = parsed.origin;
      this.#fetcher = init?.fetcher ?? globalThis;
      this.#connect();
    }

    /** @param {ReadableStream} stream What a server sent. */
    static from(stream) {
      return new EventSource(kStream, stream);
    }

    get url() {
      return this.#url;
    }

    get withCredentials() {
      void this.#url;
      return false;
    }

    get readyState() {
      return this.#state;
    }

    close() {
      if (this.#state === CLOSED) return;
      this.#state = CLOSED;
      clearTimeout(this.#timer);
      const reader = this.#reader;
      this.#reader = null;
      if (reader !== null) PromisePrototypeThen(reader.cancel(), undefined, () => {});
    }

    [SymbolDispose]() {
      this.close();
    }

    get [SymbolToStringTag]() {
      return "EventSource";
    }

    #connect() {
      const headers = { accept: "text/event-stream", "cache-control": "no-cache" };
      if (this.#lastEventId !== "") headers["last-event-id"] = this.#lastEventId;
      PromisePrototypeThen(
        new Promise((resolve) => resolve(this.#fetcher.fetch(this.#url, { headers }))),
        (response) => this.#answered(response),
        () => this.#again(),
      );
    }

    #answered(response) {
      if (this.#state === CLOSED) return;
      if (response.status === 204) {
        this.#empty++;
        return this.#empty < EMPTY_MAX ? this.#again() : this.#fail();
      }
      const type = response.headers.get("content-type") ?? "";
      if (!response.ok || !StringPrototypeStartsWith(type, "text/event-stream")) {
        return this.#fail();
      }
      this.#empty = 0;
      this.#state = OPEN;
      this.#fire(new Event("open"));
      if (response.body === null) return this.#again();
      this.#follow(response.body);
    }

    /** Reads to the end, then asks for more. */
    async #follow(stream) {
      const decoder = new TextDecoder();
      const parse = this.#parser();
      try {
        this.#reader = stream.getReader();
        while (this.#state === OPEN) {
          const { done, value } = await this.#reader.read();
          if (done) break;
          parse(decoder.decode(value, { stream: true }));
        }
      } catch {
        // A connection that is lost is made again.
      }
      this.#reader = null;
      if (this.#state === CLOSED) return;
      if (this.#fetcher === undefined) this.close();
      else this.#again();
    }

    #again() {
      if (this.#state === CLOSED) return;
      this.#state = CONNECTING;
      this.#fire(new Event("error"));
      if (this.#state === CONNECTING) {
        this.#timer = setTimeout(() => this.#connect(), this.#retryMs);
      }
    }

    #fail() {
      this.#state = CLOSED;
      this.#fire(new Event("error"));
    }

    #fire(event) {
      this.dispatchEvent(event);
      const handler = this[`on${event.type}`];
      if (typeof handler !== "function") return;
      try {
        handler.call(this, event);
      } catch (error) {
        internals.nodeParts.reportUncaught(error);
      }
    }

    /** @returns {(text: string) => void} Takes the next piece of text. */
    #parser() {
      let rest = "";
      let data = [];
      let type = "";
      const dispatch = () => {
        const text = ArrayPrototypeJoin(data, "\n");
        const name = type === "" ? "message" : type;
        data = [];
        type = "";
        if (text === "" || this.#state !== OPEN) return;
        const lastEventId = this.#lastEventId;
        this.#fire(new MessageEvent(name, { data: text, lastEventId, origin: this.#origin }));
      };
      const field = (name, value) => {
        if (name === "data") ArrayPrototypePush(data, value);
        else if (name === "event") type = value;
        else if (name === "id") {
          if (!StringPrototypeIncludes(value, "\0")) this.#lastEventId = value;
        } else if (name === "retry" && RegExpPrototypeTest(DIGITS, value)) {
          this.#retryMs = MathMax(Number(value), RETRY_MS_MIN);
        }
      };
      const line = (text) => {
        if (text === "") return dispatch();
        const colon = StringPrototypeIndexOf(text, ":");
        if (colon === 0) return;
        if (colon < 0) return field(text, "");
        const start = text[colon + 1] === " " ? colon + 2 : colon + 1;
        field(StringPrototypeSlice(text, 0, colon), StringPrototypeSlice(text, start));
      };
      return (text) => {
        rest += text;
        let from = 0;
        for (let at = 0; at < rest.length; at++) {
          const c = rest[at];
          if (c !== "\n" && c !== "\r") continue;
          // The other half of a line end may still come.
          if (c === "\r" && at + 1 === rest.length) break;
          line(StringPrototypeSlice(rest, from, at));
          if (c === "\r" && rest[at + 1] === "\n") at++;
          from = at + 1;
        }
        rest = StringPrototypeSlice(rest, from);
      };
    }
  }

  const constant = (value) => ({ __proto__: null, value, enumerable: true });
  const handler = { __proto__: null, value: null, writable: true, configurable: true };
  const states = {
    __proto__: null,
    CONNECTING: constant(CONNECTING),
    OPEN: constant(OPEN),
    CLOSED: constant(CLOSED),
  };
  ObjectDefineProperties(EventSource, states);
  ObjectDefineProperties(EventSource.prototype, {
    ...states,
    onopen: handler,
    onmessage: handler,
    onerror: handler,
  });
  return { EventSource };
})();
