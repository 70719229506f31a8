// EventSource: over a stream, through a stub, and what it refuses.

/** The events of a source until it closes or has told as many as asked for. */
function events(source, count) {
  const told = [];
  return new Promise((resolve) => {
    const tell = (event) => {
      const { type, data, lastEventId, origin, error } = event;
      told.push(
        type === "error"
          ? [type, error?.name, error?.message, source.readyState]
          : type === "open"
          ? [type, source.readyState]
          : [type, data, lastEventId, origin ?? ""],
      );
      if (told.length === count) {
        source.close();
        resolve([...told, source.readyState]);
      }
    };
    for (const type of ["open", "message", "error", "own"]) source.addEventListener(type, tell);
  });
}

function stream(...texts) {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const text of texts) controller.enqueue(encoder.encode(text));
      controller.close();
    },
  });
}

const failure = (run) => {
  try {
    run();
    return "no error";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

const EVENTS = { "content-type": "text/event-stream; charset=utf-8" };

const answers = {
  "/events": () => new Response("id: 7\nevent: own\ndata: a\ndata: b\n\n", { headers: EVENTS }),
  "/asked": ({ headers }) =>
    new Response(`data: ${headers.get("accept")} ${headers.get("cache-control")}\n\n`, {
      headers: EVENTS,
    }),
  "/status": () => new Response("no", { status: 404, headers: EVENTS }),
  "/type": () => new Response("data: a\n\n"),
  "/untyped": () => new Response(new Uint8Array([1])),
};

const tests = {
  async from() {
    const texts = [
      ": comment\n\nda", "ta: one\n\ndata: two\r\ndata:three\r\r", "event: own\ndata\ndata: x\n\n",
      "id: 5\n\ndata: after\n\nunknown: y\ndata: last\n\n",
    ];
    const source = EventSource.from(stream(...texts));
    return {
      start: [source.readyState, source.url, source.withCredentials, source instanceof EventTarget],
      told: await events(source, 6),
    };
  },

  async handlers() {
    const source = EventSource.from(stream("data: a\n\n"));
    const told = [];
    source.onopen = ({ type }) => told.push(type);
    await new Promise((resolve) => {
      source.onmessage = ({ data }) => {
        told.push(data);
        source.close();
        resolve();
      };
    });
    return [told, typeof source.onopen, source.onerror, source.readyState];
  },

  async fetched(fetcher) {
    const open = (path) => new EventSource(`http://app.example${path}`, { fetcher });
    return {
      events: await events(open("/events"), 2),
      asked: await events(open("/asked"), 2),
      status: await events(open("/status"), 1),
      type: await events(open("/type"), 1),
      untyped: await events(open("/untyped"), 1),
    };
  },

  refused() {
    const used = stream("a");
    used.getReader();
    return {
      url: failure(() => new EventSource("no url")),
      credentials: failure(() => new EventSource("http://a.example", { withCredentials: true })),
      locked: failure(() => EventSource.from(used)),
      states: [EventSource.CONNECTING, EventSource.OPEN, EventSource.CLOSED],
    };
  },
};

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (answers[pathname] !== undefined) return answers[pathname](request);
    const test = tests[pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test(ctx.exports.default));
  },
};
