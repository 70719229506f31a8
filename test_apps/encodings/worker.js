// Bodies in gzip and brotli: read, handed on, made here; and requests looked at after the answer.

const TEXT = "some text, some more text, and some text again";

async function outcome(response) {
  const { headers } = response;
  const head = [headers.get("content-encoding"), headers.get("content-length")];
  try {
    return [...head, await response.text()];
  } catch (error) {
    return [...head, `${error.name}: ${error.message}`];
  }
}

async function bytesOf(stream) {
  let length = 0;
  for await (const chunk of stream) length += chunk.length;
  return length;
}

const failure = (run) => {
  try {
    run();
    return "no error";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

async function packed(text, format) {
  return new Response(new Response(text).body.pipeThrough(new CompressionStream(format))).bytes();
}

const kept = [];

const tests = {
  async read(at) {
    const results = { asked: await (await fetch(at("/asked"))).json() };
    const names = ["plain", "gzip", "br", "deflate", "upper", "list", "broken", "cut", "cut-br"];
    for (const name of names) results[name] = await outcome(await fetch(at(`/${name}`)));
    const gzip = () => fetch(at("/gzip"));
    results.stream = await bytesOf((await gzip()).body);
    results.copied = await outcome(new Response((await gzip()).body, await gzip()));
    const original = await gzip();
    const clone = original.clone();
    results.cloned = [await original.text(), await clone.text()];
    results.json = failure(() => new Response("", { encodeBody: "both" }));
    const reader = (await gzip()).body.getReader({ mode: "byob" });
    const { value } = await reader.read(new Uint8Array(9));
    results.byob = new TextDecoder().decode(value);
    return results;
  },

  async streams() {
    const results = {};
    for (const format of ["gzip", "deflate", "deflate-raw"]) {
      const bytes = await packed(TEXT, format);
      const back = new Response(bytes).body.pipeThrough(new DecompressionStream(format));
      results[format] = [bytes.length < TEXT.length + 20, await new Response(back).text()];
      const wrong = new Response("no such thing").body.pipeThrough(new DecompressionStream(format));
      results[`${format} wrong`] = await new Response(wrong).text().catch(({ name }) => name);
    }
    results.unknown = failure(() => new CompressionStream("zip")).split(":")[0];
    return results;
  },

  cf(at, request) {
    const made = new Request("http://a.example/", { cf: { a: 1 } });
    return {
      incoming: typeof request.cf,
      made: made.cf,
      copied: new Request(made).cf,
      replaced: new Request(made, { cf: { b: 2 } }).cf,
      cloned: made.clone().cf,
      response: new Response("", { cf: { c: 3 } }).cf,
      without: typeof new Request("http://a.example/").cf,
    };
  },

  keep(at, request, ctx) {
    kept.push(request);
    ctx.waitUntil(
      new Promise((resolve) =>
        setTimeout(() => {
          kept.push([request.method, request.url, request.headers.get("x-own")]);
          resolve();
        }, 5)
      ),
    );
    return "kept";
  },

  /** Both requests reach one isolate, which the answer of the first leaves with its request. */
  async late(at, outer, ctx) {
    const headers = { "x-own": "mine" };
    const answer = await ctx.exports.default.fetch("http://app.example/keep", { headers });
    await answer.text();
    while (kept.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const [request, late] = kept.splice(0);
    return {
      late,
      now: [request.method, request.url, request.headers.get("x-own")],
      body: await request.text().catch(({ message }) => message),
    };
  },
};

async function made(path) {
  const headers = (encoding) => ({ "content-type": "text/plain", "content-encoding": encoding });
  switch (path) {
    case "/made/gzip":
      return new Response(TEXT, { headers: headers("gzip") });
    case "/made/br":
      return new Response(TEXT, { headers: headers("br") });
    case "/made/deflate":
      return new Response(TEXT, { headers: headers("deflate") });
    case "/made/manual":
      return new Response(await packed(TEXT, "gzip"), {
        headers: headers("gzip"),
        encodeBody: "manual",
      });
    case "/made/streamed":
      return new Response(new Response(TEXT).body.pipeThrough(new TransformStream()), {
        headers: headers("gzip"),
      });
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const at = (path) => `${env.UPSTREAM}${path}`;
    if (pathname.startsWith("/made/")) return made(pathname);
    if (pathname.startsWith("/through/")) return fetch(at(pathname.slice(8)));
    if (pathname.startsWith("/changed/")) {
      const response = await fetch(at(pathname.slice(8)));
      const changed = new Response(response.body, response);
      changed.headers.set("x-changed", "yes");
      return changed;
    }
    if (pathname.startsWith("/decoded/")) {
      const response = await fetch(at(pathname.slice(8)));
      const decoded = new Response(response.body, response);
      decoded.headers.delete("content-encoding");
      return decoded;
    }
    if (pathname.startsWith("/self/")) {
      return Response.json(
        await outcome(
          await ctx.exports.default.fetch(
            `http://app.example/made/${pathname.slice(6)}`,
          ),
        ),
      );
    }
    const test = tests[pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test(at, request, ctx));
  },
};
