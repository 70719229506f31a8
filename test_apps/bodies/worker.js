// Reads and makes bodies in every way there is; the path says which.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Collects how something ends: its value, or the error's name and message. */
async function outcome(run) {
  try {
    return await run();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

function counted(count) {
  let next = 0;
  return new ReadableStream({
    async pull(controller) {
      await scheduler.wait(1);
      if (next === count) controller.close();
      else controller.enqueue(encoder.encode(`part${next++};`));
    },
  });
}

async function readParts(stream) {
  const parts = [];
  for await (const chunk of stream) parts.push(decoder.decode(chunk));
  return parts.join("");
}

/** Bodies that need no request. */
const cases = {
  "string": () => new Response("h\u00e9").text(),
  "string as bytes": async () => [...await new Response("h\u00e9").bytes()],
  "string as buffer": async () => (await new Response("abc").arrayBuffer()).byteLength,
  "string as blob": async () => {
    const blob = await new Response("abc", { headers: { "content-type": "a/b" } }).blob();
    return [blob.size, blob.type, await blob.text()];
  },
  "json": () => new Response('{"a":1}').json(),
  "bad json": async () => (await outcome(() => new Response("{").json())).split(":")[0],
  "null": async () => [await new Response(null).text(), new Response(null).body],
  "bytes": () => new Response(encoder.encode("abc")).text(),
  "bytes are copied": async () => {
    const bytes = encoder.encode("abc");
    const response = new Response(bytes);
    bytes[0] = 120;
    return response.text();
  },
  "part of a buffer": () =>
    new Response(new Uint8Array(encoder.encode("abcd").buffer, 1, 2)).text(),
  "wide view": () => new Response(new Uint16Array([0x6261])).text(),
  "buffer": () => new Response(encoder.encode("abc").buffer).text(),
  "search params": async () => {
    const response = new Response(new URLSearchParams({ a: "1 2" }));
    return [response.headers.get("content-type"), await response.text()];
  },
  "blob": async () => {
    const response = new Response(new Blob(["a", "b"], { type: "x/y" }));
    return [response.headers.get("content-type"), await response.text()];
  },
  "number": () => new Response(12).text(),
  "stream": () => new Response(counted(3)).text(),
  "stream of strings": () =>
    new Response(new ReadableStream({
      start(controller) {
        controller.enqueue("text");
        controller.close();
      },
    })).text(),
  "body is a stream": async () => {
    const response = new Response("abc");
    const isStream = response.body instanceof ReadableStream;
    return [isStream, response.bodyUsed, await response.text(), response.bodyUsed];
  },
  "body read by hand": async () => {
    const response = new Response("abc");
    const reader = response.body.getReader();
    const first = await reader.read();
    const second = await reader.read();
    return [decoder.decode(first.value), second.done, response.bodyUsed];
  },
  "body of a body": async () => {
    const first = new Response("abc");
    const second = new Response(first.body);
    return [await second.text(), first.bodyUsed];
  },
  "used twice": async () => {
    const response = new Response("abc");
    await response.text();
    return response.text();
  },
  "locked": () => {
    const response = new Response("abc");
    response.body.getReader();
    return response.text();
  },
  "locked stream as body": () => {
    const stream = counted(1);
    stream.getReader();
    return new Response(stream);
  },
  "clone of a stream": async () => {
    const first = new Response(counted(3));
    const second = first.clone();
    return [await first.text(), await second.text()];
  },
  "tee": async () => {
    const [first, second] = new Response("abc").body.tee();
    return [await readParts(first), await readParts(second)];
  },
  "transform": () =>
    new Response(
      counted(2).pipeThrough(
        new TransformStream({
          transform(chunk, controller) {
            controller.enqueue(encoder.encode(decoder.decode(chunk).toUpperCase()));
          },
        }),
      ),
    ).text(),
  "compression": async () => {
    const packed = new Blob(["a".repeat(1000)]).stream()
      .pipeThrough(new CompressionStream("gzip"));
    const bytes = await new Response(packed).bytes();
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return [bytes.length < 100, (await new Response(unpacked).text()).length];
  },
  "text streams": async () => {
    const text = counted(2).pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextEncoderStream());
    return new Response(text).text();
  },
  "cancel": async () => {
    let reason;
    const stream = new ReadableStream({
      cancel(why) {
        reason = why;
      },
    });
    await new Response(stream).body.cancel("enough");
    return reason;
  },
  "failing stream": () =>
    new Response(new ReadableStream({
      pull() {
        throw new RangeError("broken source");
      },
    })).text(),
};

const routes = {
  "/text": async (request) => new Response(await request.text()),
  "/json": async (request) => Response.json(await request.json()),
  "/bytes": async (request) => new Response(`${(await request.bytes()).length}`),
  "/buffer": async (request) => new Response(await request.arrayBuffer()),
  "/blob": async (request) => new Response(await request.blob()),
  "/echo": (request) => new Response(request.body),
  "/copy": (request) => new Response(new Request("http://x/", request).body),
  "/through": (request) => new Response(request.body.pipeThrough(new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(encoder.encode(decoder.decode(chunk).toUpperCase()));
    },
  }))),
  "/clone": async (request) => {
    const copy = request.clone();
    return new Response(await request.text() + await copy.text());
  },
  "/twice": async (request) => {
    await request.text();
    return new Response(await outcome(() => request.text()));
  },
  "/byob": async (request) => {
    const reader = request.body.getReader({ mode: "byob" });
    let text = "";
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(4));
      if (done) return new Response(text);
      text += decoder.decode(value);
    }
  },
  "/parts": async (request) => new Response(await readParts(request.body)),
  "/cancel": async (request) => {
    const reader = request.body.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return new Response(value);
  },
  "/stream": () => new Response(counted(5)),
  "/fail": () => {
    let isFirst = true;
    return new Response(new ReadableStream({
      pull(controller) {
        if (!isFirst) throw new Error("broken source");
        isFirst = false;
        controller.enqueue(encoder.encode("first;"));
      },
    }));
  },
  "/used": async () => {
    const response = new Response("abc");
    await response.text();
    return response;
  },
  "/none": () => new Response(null, { status: 204 }),
  "/": async () => {
    const report = {};
    for (const [name, run] of Object.entries(cases)) {
      report[name] = (await outcome(run)) ?? null;
    }
    return new Response(JSON.stringify(report, null, 1) + "\n");
  },
};

export default {
  async fetch(request) {
    const route = routes[new URL(request.url).pathname];
    return route === undefined ? new Response("no such path", { status: 404 }) : route(request);
  },
};
