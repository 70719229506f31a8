// EventSource (HTML standard, server-sent events), with the platform's `fetcher` and `from()`.

(() => {
  const { internals, primordials } = __bootstrap;
  const {
    ArrayPrototypeJoin, ArrayPrototypePush, Error, MathMax, MathMin, Number, ObjectDefineProperty,
    PromisePrototypeThen, PromiseResolve, ReflectApply, RegExpPrototypeExec, SafeRegExp,
    StringPrototypeCharCodeAt, StringPrototypeIndexOf, StringPrototypeSlice,
    StringPrototypeSplit, StringPrototypeStartsWith, StringPrototypeToLowerCase,
    StringPrototypeTrim, Symbol, SymbolDispose, SymbolToStringTag, TypeError,
  } = primordials;
  const { domException, fetch, isDisturbed, isLocked } = internals.runtime;
  const { TextDecoder, URL, load, reportUncaught, setTimeout } = internals.nodeParts;
  const { ErrorEvent, Event, EventTarget, MessageEvent } = load("02_event.js");

  const CONNECTING = 0;
  const OPEN = 1;
  const CLOSED = 2;

  /** Milliseconds until it connects again, and what a server may set. */
  const RETRY_MS = 2_000;
  const RETRY_MS_MIN = 1_000;
  const RETRY_MS_MAX = 10_000;

  /** Answers without content until it gives up. */
  const EMPTY_MAX = 2;

  const kFrom = Symbol("from");
  const DIGITS = new SafeRegExp(/^[0-9]+$/);

  class EventSource extends EventTarget {
    #url = "";
    #fetcher = undefined;
    #state = CONNECTING;
    #lastEventId = "";
    #retryMs = RETRY_MS;
    /** Answers without content in a row. */
    #empty = 0;
    #reader = null;
    #handlers = { __proto__: null, open: null, message: null, error: null };

    constructor(url, init = undefined) {
      super();
      if (url === kFrom) return;
      if (init?.withCredentials) {
        throw domException(
          "The init.withCredentials option is not supported. It must be false or undefined.",
          "NotSupportedError",
        );
      }
      try {
        this.#url = new URL(`${url}`).href;
      } catch {
        throw domException(
          `Cannot open an EventSource to '${url}'. The URL is invalid.`,
          "SyntaxError",
        );
      }
      this.#fetcher = init?.fetcher;
      this.#connect();
    }

    /** @param {ReadableStream} stream What would be the body of the answer. */
    static from(stream) {
      if (isLocked(stream)) throw new TypeError("This ReadableStream is locked.");
      if (isDisturbed(stream)) {
        throw new TypeError("This ReadableStream has already been read from.");
      }
      const source = new EventSource(kFrom);
      source.#run(stream, false);
      return source;
    }

    get url() {
      return this.#url;
    }

    get withCredentials() {
      return false;
    }

    get readyState() {
      return this.#state;
    }

    get onopen() {
      return this.#handlers.open;
    }

    set onopen(handler) {
      this.#handle("open", handler);
    }

    get onmessage() {
      return this.#handlers.message;
    }

    set onmessage(handler) {
      this.#handle("message", handler);
    }

    get onerror() {
      return this.#handlers.error;
    }

    set onerror(handler) {
      this.#handle("error", handler);
    }

    close() {
      this.#state = CLOSED;
      const reader = this.#reader;
      this.#reader = null;
      if (reader !== null) ignore(reader.cancel());
    }

    [SymbolDispose]() {
      this.close();
    }

    get [SymbolToStringTag]() {
      return "EventSource";
    }

    #handle(type, handler) {
      const before = this.#handlers[type];
      if (before !== null) this.removeEventListener(type, before);
      this.#handlers[type] = typeof handler === "function" ? handler : null;
      if (this.#handlers[type] !== null) this.addEventListener(type, handler);
    }

    #connect() {
      if (this.#state === CLOSED) return;
      const headers = { accept: "text/event-stream", "cache-control": "no-cache" };
      if (this.#lastEventId !== "") headers["last-event-id"] = this.#lastEventId;
      const fetcher = this.#fetcher;
      const init = { headers };
      const answer = fetcher === undefined
        ? fetch(this.#url, init)
        : fetcher.fetch(this.#url, init);
      PromisePrototypeThen(
        PromiseResolve(answer),
        (response) => this.#answered(response),
        (error) => this.#failed(error, false),
      );
    }

    #answered(response) {
      if (this.#state === CLOSED) return;
      if (!response.ok) return this.#refuse(`The response status code was ${response.status}.`);
      const type = response.headers.get("content-type");
      if (type === null) return this.#refuse("No content type header was present in the response.");
      const essence = StringPrototypeTrim(StringPrototypeSplit(type, ";")[0]);
      if (StringPrototypeToLowerCase(essence) !== "text/event-stream") {
        return this.#refuse(`The content type '${type}' is invalid.`);
      }
      if (response.redirected) this.#url = response.url;
      const { body } = response;
      if (body !== null && response.status !== 204) {
        this.#empty = 0;
        return this.#run(body, true);
      }
      if (++this.#empty >= EMPTY_MAX) return this.#refuse("The server provided no content.");
      this.#failed(new Error("The server provided no content. Will try reconnecting."), true);
      this.#reconnect();
    }

    #refuse(text) {
      this.#failed(domException(text, "AbortError"), false);
    }

    #failed(error, isReconnecting) {
      if (this.#state === CLOSED) return;
      this.#state = isReconnecting ? CONNECTING : CLOSED;
      this.dispatchEvent(new ErrorEvent("error", { error, message: error.message }));
      reportUncaught(error);
    }

    #reconnect() {
      if (this.#state === CLOSED) return;
      setTimeout(() => this.#connect(), this.#retryMs);
    }

    async #run(stream, isReconnecting) {
      const lines = new Lines();
      const message = new Pending();
      try {
        const reader = stream.getReader();
        this.#reader = reader;
        this.#state = OPEN;
        this.dispatchEvent(new Event("open"));
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          lines.add(value);
          for (let line = lines.next(); line !== null; line = lines.next()) {
            this.#take(line, message);
            if (this.#state === CLOSED) return;
          }
        }
      } catch (error) {
        return this.#failed(error, false);
      }
      this.#failed(new Error("The server disconnected."), isReconnecting);
      if (isReconnecting) this.#reconnect();
    }

    #take(line, message) {
      if (line === "") return this.#tell(message);
      const colon = StringPrototypeIndexOf(line, ":");
      if (colon === 0) return;
      const name = colon < 0 ? line : StringPrototypeSlice(line, 0, colon);
      let value = colon < 0 ? "" : StringPrototypeSlice(line, colon + 1);
      if (StringPrototypeStartsWith(value, " ")) value = StringPrototypeSlice(value, 1);
      if (name === "data") ArrayPrototypePush(message.data, value);
      else if (name === "event") message.type = value;
      else if (name === "id") this.#lastEventId = value;
      else if (name === "retry" && RegExpPrototypeExec(DIGITS, value) !== null) {
        this.#retryMs = MathMax(MathMin(Number(value), RETRY_MS_MAX), RETRY_MS_MIN);
      }
    }

    #tell(message) {
      const { data, type } = message;
      message.data = [];
      message.type = "message";
      const text = ArrayPrototypeJoin(data, "\n");
      if (text === "") return;
      const origin = this.#url === "" ? "" : new URL(this.#url).origin;
      const lastEventId = this.#lastEventId;
      const event = new MessageEvent(type, { data: text, lastEventId, origin });
      this.dispatchEvent(event);
      // Messages of other types have handlers too, on the platform.
      const handler = type in this.#handlers ? undefined : this[`on${type}`];
      if (typeof handler === "function") ReflectApply(handler, this, [event]);
    }
  }

  /** A message that is being read. */
  class Pending {
    data = [];
    type = "message";
  }

  /** Text in pieces, cut into lines that end with CR, LF or both. */
  class Lines {
    #decoder = new TextDecoder();
    #text = "";
    #endedWithReturn = false;

    add(bytes) {
      this.#text += this.#decoder.decode(bytes, { stream: true });
    }

    /** @returns {string | null} Null until a line is complete. */
    next() {
      if (this.#endedWithReturn && this.#text !== "") {
        this.#endedWithReturn = false;
        if (this.#text[0] === "\n") this.#text = StringPrototypeSlice(this.#text, 1);
      }
      const text = this.#text;
      for (let at = 0; at < text.length; at++) {
        const code = StringPrototypeCharCodeAt(text, at);
        if (code !== 10 && code !== 13) continue;
        this.#endedWithReturn = code === 13;
        this.#text = StringPrototypeSlice(text, at + 1);
        return StringPrototypeSlice(text, 0, at);
      }
      return null;
    }
  }

  const states = { CONNECTING, OPEN, CLOSED };
  for (const name in states) {
    const constant = { __proto__: null, value: states[name], enumerable: true };
    ObjectDefineProperty(EventSource, name, constant);
    ObjectDefineProperty(EventSource.prototype, name, constant);
  }

  function ignore(promise) {
    PromisePrototypeThen(promise, undefined, () => {});
  }

  return { EventSource };
})();
