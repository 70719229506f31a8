// Answers with what the web globals do, one entry per behaviour; expect.json says what it must be.

const cases = {
  // Headers
  "headers: names are lower case, sorted and joined": () =>
    [...new Headers([["B", "1"], ["a", " 2 "], ["b", "3"]])],
  "headers: from a record": () => [...new Headers({ "X-One": 1, "x-two": "b" })],
  "headers: set replaces, append adds": () => {
    const headers = new Headers({ a: "1" });
    headers.append("a", "2");
    headers.append("b", "3");
    headers.set("A", "4");
    headers.delete("b");
    return [[...headers], headers.has("B"), headers.get("A"), headers.get("none")];
  },
  "headers: cookies stay apart": () => {
    const headers = new Headers();
    headers.append("set-cookie", "a=1");
    headers.append("Set-Cookie", "b=2");
    headers.set("vary", "x");
    return [[...headers], headers.getSetCookie(), headers.getAll("Set-Cookie"),
      headers.get("set-cookie")];
  },
  "headers: forEach, keys, values": () => {
    const seen = [];
    const headers = new Headers({ b: "2", a: "1" });
    headers.forEach((value, name) => seen.push(name + "=" + value));
    return [seen, [...headers.keys()], [...headers.values()], [...headers.entries()]];
  },
  "headers: copy is independent": () => {
    const first = new Headers({ a: "1" });
    const second = new Headers(first);
    second.set("a", "2");
    return [first.get("a"), second.get("a")];
  },
  "headers: bad name": () => new Headers().set("a b", "c"),
  "headers: bad value": () => new Headers().set("a", "c\nd"),
  "headers: bad pair": () => new Headers([["a"]]),
  "headers: incoming are immutable": ({ request }) => request.headers.set("a", "b"),
  "headers: copy of incoming is not": ({ request }) => {
    const headers = new Headers(request.headers);
    headers.set("a", "b");
    return headers.get("a");
  },
  "headers: text tag": () => Object.prototype.toString.call(new Headers()),

  // Request
  "request: incoming": ({ request }) => [request.method, new URL(request.url).pathname,
    request.body, request.bodyUsed, request instanceof Request],
  "request: url is normalised": () => new Request("HTTP://Example.com").url,
  "request: relative url": () => new Request("/path"),
  "request: method": () => [
    new Request("http://a/", { method: "post" }).method,
    new Request("http://a/", { method: "PATCH" }).method,
    new Request("http://a/").method,
  ],
  "request: unknown method": () => new Request("http://a/", { method: "NOPE" }),
  "request: get with body": () => new Request("http://a/", { body: "x" }),
  "request: from request": async () => {
    const first = new Request("http://a/", { method: "PUT", body: "text", headers: { a: "b" } });
    const second = new Request(first);
    return [second.method, second.headers.get("a"), await second.text(), first.bodyUsed];
  },
  "request: from url and request": async () => {
    const first = new Request("http://a/", { method: "PUT", body: "text", headers: { a: "b" } });
    const second = new Request("http://b/", first);
    return [second.url, second.method, second.headers.get("a"), await second.text()];
  },
  "request: override": async () => {
    const first = new Request("http://a/", { method: "PUT", body: "text" });
    const second = new Request(first, { method: "POST", body: "other" });
    return [second.method, await second.text()];
  },
  "request: clone": async () => {
    const first = new Request("http://a/", { method: "PUT", body: "text" });
    const second = first.clone();
    return [await first.text(), await second.text()];
  },
  "request: content types": () => [
    new Request("http://a/", { method: "PUT", body: "t" }).headers.get("content-type"),
    new Request("http://a/", { method: "PUT", body: new URLSearchParams("a=b") }).headers
      .get("content-type"),
    new Request("http://a/", { method: "PUT", body: new Uint8Array(1) }).headers
      .get("content-type"),
    new Request("http://a/", { method: "PUT", body: "t", headers: { "content-type": "x/y" } })
      .headers.get("content-type"),
  ],
  "request: signal": () => {
    const request = new Request("http://a/");
    return [request.signal.aborted, request.signal instanceof AbortSignal];
  },
  "request: redirect": () => [new Request("http://a/").redirect,
    new Request("http://a/", { redirect: "manual" }).redirect],
  "request: bad redirect": () => new Request("http://a/", { redirect: "maybe" }),
  "request: text tag": () => Object.prototype.toString.call(new Request("http://a/")),

  // Response
  "response: defaults": () => {
    const response = new Response();
    return [response.status, response.statusText, response.ok, response.body, response.type,
      response.url, response.redirected, [...response.headers]];
  },
  "response: init": () => {
    const response = new Response("x", { status: 404, statusText: "Gone", headers: { a: "b" } });
    return [response.status, response.statusText, response.ok, [...response.headers]];
  },
  "response: from response": async () => {
    const first = new Response("text", { status: 201, headers: { a: "b" } });
    const second = new Response(first.body, first);
    return [second.status, second.headers.get("a"), await second.text()];
  },
  "response: json": async () => {
    const response = Response.json({ a: [1] }, { status: 201 });
    return [response.status, response.headers.get("content-type"), await response.text()];
  },
  "response: json with type": () =>
    Response.json(1, { headers: { "content-type": "x/y" } }).headers.get("content-type"),
  "response: redirect": () => {
    const response = Response.redirect("http://a/b", 303);
    return [response.status, response.headers.get("location")];
  },
  "response: bad redirect": () => Response.redirect("http://a/", 200),
  "response: error": () => {
    const response = Response.error();
    return [response.type, response.status];
  },
  "response: status range": () => new Response("", { status: 199 }),
  "response: null body status": () => new Response("x", { status: 204 }),
  "response: no content": () => new Response(null, { status: 204 }).status,
  "response: clone": async () => {
    const first = new Response("text", { headers: { a: "b" } });
    const second = first.clone();
    return [await first.text(), await second.text(), second.headers.get("a")];
  },

  // URL and encoding
  "url": () => {
    const url = new URL("/p?q=1#h", "https://user@example.com:8080");
    url.searchParams.append("r", "a b");
    return [url.href, url.host, url.pathname, url.search, url.hash];
  },
  "url: canParse": () => [URL.canParse("x"), URL.canParse("http://x")],
  "search params": () => [...new URLSearchParams({ a: "1", b: "2" })].join(";"),
  "url pattern": () =>
    new URLPattern({ pathname: "/a/:id" }).exec("http://x/a/7").pathname.groups.id,
  "base64": () => [btoa("hello"), atob("aGVsbG8=")],
  "base64: bad input": () => atob("*"),
  "text encoder": () => [...new TextEncoder().encode("h\u00e9")],
  "text decoder": () => new TextDecoder().decode(new Uint8Array([104, 195, 169])),

  // Events and abort
  "event target": () => {
    const seen = [];
    const target = new EventTarget();
    target.addEventListener("x", (event) => seen.push(event.type), { once: true });
    target.dispatchEvent(new Event("x"));
    target.dispatchEvent(new Event("x"));
    return seen;
  },
  "event target: a listener that throws does not reach the caller": () => {
    const target = new EventTarget();
    let isCalled = false;
    target.addEventListener("x", () => {
      isCalled = true;
    });
    target.dispatchEvent(new CustomEvent("x", { detail: 1 }));
    return isCalled;
  },
  "abort": () => {
    const controller = new AbortController();
    let reason;
    controller.signal.addEventListener("abort", () => {
      reason = controller.signal.reason;
    });
    controller.abort(new Error("stop"));
    return [controller.signal.aborted, reason.message];
  },
  "abort: default reason": () => {
    const { reason } = AbortSignal.abort();
    return [reason.name, reason instanceof DOMException];
  },
  "abort: throwIfAborted": () => AbortSignal.abort(new RangeError("x")).throwIfAborted(),
  "abort: timeout": async () => {
    const signal = AbortSignal.timeout(1);
    await scheduler.wait(20);
    return [signal.aborted, signal.reason.name];
  },
  "dom exception": () => {
    const error = new DOMException("m", "DataCloneError");
    return [error.name, error.message, error.code, error instanceof Error];
  },

  // Timers
  "timers: order": () =>
    new Promise((resolve) => {
      const seen = [];
      setTimeout(() => resolve(seen), 30);
      setTimeout((a, b) => seen.push(a + b), 10, "x", "y");
      setTimeout(() => seen.push("first"), 1);
      clearTimeout(setTimeout(() => seen.push("never"), 5));
      queueMicrotask(() => seen.push("microtask"));
    }),
  "timers: interval": () =>
    new Promise((resolve) => {
      let count = 0;
      const id = setInterval(() => {
        count++;
        if (count === 3) {
          clearInterval(id);
          setTimeout(() => resolve(count), 10);
        }
      }, 1);
    }),
  "timers: no function": () => setTimeout("alert(1)", 1),
  "timers: ids": () => {
    const id = setTimeout(() => {}, 0);
    clearTimeout(id);
    clearTimeout(undefined);
    return typeof Number(id);
  },
  "scheduler: wait": async () => typeof (await scheduler.wait(1)),

  // Crypto
  "crypto: uuid": () =>
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
      .test(crypto.randomUUID()),
  "crypto: random values": () => {
    const array = new Uint32Array(8);
    const same = crypto.getRandomValues(array) === array;
    return [same, array.some((value) => value !== 0)];
  },
  "crypto: quota": () => crypto.getRandomValues(new Uint8Array(65537)),
  "crypto: floats": () => crypto.getRandomValues(new Float64Array(1)),

  // The rest
  "structured clone": () => {
    const clone = structuredClone({ a: new Date(0), b: new Map([[1, { c: 2 }]]) });
    return [clone.a instanceof Date, clone.b.get(1).c];
  },
  "structured clone: function": () => structuredClone(() => {}),
  "structured clone: transfer": () => {
    const buffer = new ArrayBuffer(4);
    const clone = structuredClone(buffer, { transfer: [buffer] });
    return [clone.byteLength, buffer.byteLength];
  },
  "performance": () => [performance.timeOrigin, Math.abs(performance.now() - Date.now()) < 1000],
  "navigator": () => navigator.userAgent,
  "self": () => self === globalThis,
  "nothing of the engine": () => [typeof Deno, typeof __bootstrap],
  "console": () => {
    console.log("plain", 1, true);
    console.info({ a: [1, 2, { b: new Map([[1, 2]]) }] });
    console.warn("%s is %d", "x", 1);
    console.error(new Error("shown"));
    console.table([{ a: 1 }]);
    console.count();
    console.group("group");
    console.debug("inner");
    console.groupEnd();
    console.assert(false, "assertion");
    return Object.prototype.toString.call(console);
  },
  "globals are not enumerable": () =>
    Object.keys(globalThis).filter((name) => ["Request", "URL", "fetch"].includes(name)),
};

export default {
  async fetch(request) {
    const report = {};
    for (const [name, run] of Object.entries(cases)) {
      try {
        report[name] = (await run({ request })) ?? null;
      } catch (error) {
        report[name] = `${error.name}: ${error.message}`;
      }
    }
    return new Response(JSON.stringify(report, null, 1) + "\n");
  },
};
