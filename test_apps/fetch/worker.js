// fetch() to a server elsewhere: what is sent, what comes back, redirects, streams, giving up.

/** What a failed promise says; the place of the server is not part of it. */
async function failure(promise) {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

function stream(...texts) {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller) {
      const text = texts.shift();
      if (text === undefined) controller.close();
      else controller.enqueue(encoder.encode(text));
    },
  });
}

const tests = {
  async basics(at) {
    const response = await fetch(at("/text"));
    const { status, statusText, ok, redirected, type, headers } = response;
    return {
      status, statusText, ok, redirected, type,
      url: response.url === at("/text"),
      own: headers.get("x-own"),
      kind: headers.get("content-type"),
      length: headers.get("content-length"),
      frozen: await failure((async () => headers.set("a", "b"))()),
      body: await response.text(),
    };
  },

  async sent(at) {
    const ask = async (to, init) =>
      (await fetch(typeof to === "string" ? at(to) : to, init)).json();
    return {
      get: await ask("/echo"),
      names: await ask("/names"),
      post: await ask("/echo", { method: "POST", body: "text" }),
      empty: await ask("/echo", { method: "POST" }),
      put: await ask("/echo", {
        method: "PUT",
        body: new Uint8Array([104, 105]),
        headers: { "x-own": "1", "content-type": "text/x" },
      }),
      form: await ask("/echo", { method: "POST", body: new URLSearchParams({ a: "b c" }) }),
      remove: await ask("/echo", { method: "DELETE", headers: { authorization: "secret" } }),
      url: await ask(new URL(at("/echo"))),
      request: await ask(new Request(at("/echo"), { method: "PATCH", body: "patched" })),
      fragment: await (await fetch(at("/query?a=%20b#c"))).text(),
      wrongLength: await ask("/echo", {
        method: "POST",
        body: "text",
        headers: { "content-length": "2" },
      }),
    };
  },

  async redirects(at) {
    const to = (place, status = 302) =>
      at(`/redirect?status=${status}&to=${encodeURIComponent(place)}`);
    const follow = async (url, init) => {
      const response = await fetch(url, init);
      const { status, redirected } = response;
      const end = new URL(response.url).pathname;
      return { status, redirected, end, body: await response.text() };
    };
    const results = {};
    for (const status of [301, 302, 303, 307, 308]) {
      results[status] = await follow(to("/echo", status), { method: "POST", body: "data" });
    }
    results.put = await follow(to("/echo", 302), { method: "PUT", body: "data" });
    results.chain = await follow(to("/redirect?to=/text"));
    results.nowhere = await follow(at("/redirect"));
    results.manual = await follow(to("/text"), { redirect: "manual" });
    const manual = await fetch(to("/text"), { redirect: "manual" });
    results.location = manual.headers.get("location");
    // What follows is a list of every place on the way.
    results.loop = (await failure(fetch(at("/loop")))).split("http")[0];
    results.bad = await failure(fetch(to("http://[")));
    results.stream = await failure(fetch(to("/echo", 307), { method: "POST", body: stream("a") }));
    results.streamGet = await follow(to("/echo", 303), { method: "POST", body: stream("a") });
    return results;
  },

  async answers(at) {
    const cookies = await fetch(at("/cookies"));
    const results = { cookies: cookies.headers.getSetCookie(), empty: await cookies.text() };
    for (const status of [200, 204, 304, 404, 500]) {
      const response = await fetch(at(`/status?status=${status}`));
      results[status] = [response.status, response.body === null, await response.text()];
    }
    const head = await fetch(at("/text"), { method: "HEAD" });
    results.head = [head.status, head.body === null, await head.text()];
    const copy = (await fetch(at("/text"))).clone();
    results.clone = [copy.url === at("/text"), await copy.text()];
    return results;
  },

  async streams(at) {
    const parts = await fetch(at("/parts"));
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of parts.body) text += decoder.decode(chunk);
    const sent = await fetch(at("/sink"), { method: "POST", body: stream("ab", "cd", "e") });
    const open = await fetch(at("/open"));
    const reader = open.body.getReader();
    const first = decoder.decode((await reader.read()).value);
    await reader.cancel();
    return { text, sent: await sent.json(), first };
  },

  async giving_up(at) {
    const early = new AbortController();
    early.abort();
    const waiting = new AbortController();
    const never = failure(fetch(at("/never"), { signal: waiting.signal }));
    setTimeout(() => waiting.abort(), 5);
    const reading = new AbortController();
    const response = await fetch(at("/open"), { signal: reading.signal });
    const body = failure(response.text());
    setTimeout(() => reading.abort(), 5);
    const own = new AbortController();
    const reason = failure(fetch(at("/never"), { signal: own.signal }));
    setTimeout(() => own.abort(new Error("own reason")), 5);
    const late = new AbortController();
    const done = await fetch(at("/text"), { signal: late.signal });
    const text = await done.text();
    late.abort();
    return {
      early: await failure(fetch(at("/text"), { signal: early.signal })),
      never: await never,
      body: await body,
      reason: await reason,
      timeout: await failure(fetch(at("/never"), { signal: AbortSignal.timeout(5) })),
      text,
    };
  },

  async refused() {
    return {
      relative: await failure(fetch("/path")),
      scheme: await failure(fetch("ftp://example.com/")),
      method: await failure(fetch("http://example.com/", { method: "A B" })),
      body: await failure(fetch("http://example.com/", { body: "x" })),
    };
  },

  async many(at) {
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => fetch(at(`/query?${i}`))));
    const texts = await Promise.all(all.map((response) => response.text()));
    return texts.every((text, i) => text === `?${i}`);
  },
};

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const at = (path) => `${env.UPSTREAM}${path}`;
    if (pathname === "/through") return fetch(at("/parts"));
    if (pathname === "/touched") {
      const response = await fetch(at("/text"));
      return new Response(response.body, response);
    }
    if (pathname === "/on") return fetch(at("/echo"), request);
    const test = tests[pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test(at));
  },
};
