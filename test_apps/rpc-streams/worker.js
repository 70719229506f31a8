// What calls carry besides plain values and references: streams, requests, responses, headers,
// signals and errors. Each path answers with one JSON object of results.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

const text = (stream) => new Response(stream).text();

const bytes = (...parts) => new ReadableStream({
  start(controller) {
    for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
    controller.close();
  },
});

export class Server extends WorkerEntrypoint {
  echo(value) {
    return value;
  }

  kind(value) {
    return Object.prototype.toString.call(value);
  }

  read(stream) {
    return text(stream);
  }

  async readPart(stream) {
    const reader = stream.getReader();
    const { value } = await reader.read();
    await reader.cancel("enough");
    return new TextDecoder().decode(value).startsWith("part");
  }

  stream(...parts) {
    return bytes(...parts);
  }

  nested(...parts) {
    return { list: [bytes(...parts)], map: new Map([["s", bytes("in a map")]]) };
  }

  slow() {
    let count = 0;
    return new ReadableStream({
      async pull(controller) {
        await scheduler.wait(1);
        if (++count > 3) controller.close();
        else controller.enqueue(new TextEncoder().encode(`${count};`));
      },
    });
  }

  failing() {
    let isFirst = true;
    return new ReadableStream({
      pull(controller) {
        if (!isFirst) throw new RangeError("the source failed");
        isFirst = false;
        controller.enqueue(new TextEncoder().encode("first"));
      },
    });
  }

  strings() {
    return new ReadableStream({
      start(controller) {
        controller.enqueue("text");
        controller.close();
      },
    });
  }

  async write(writable, ...parts) {
    const writer = writable.getWriter();
    for (const part of parts) await writer.write(new TextEncoder().encode(part));
    await writer.close();
    return "written";
  }

  async writeAndFail(writable) {
    const writer = writable.getWriter();
    try {
      await writer.write(new TextEncoder().encode("x"));
      await writer.write(new TextEncoder().encode("y"));
      await writer.close();
      return "written";
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  }

  async pipe(readable, writable) {
    await readable.pipeTo(writable);
    return "piped";
  }

  async describeRequest(request) {
    return [request.method, request.url, request.headers.get("x-name"), await request.text()];
  }

  request() {
    return new Request("http://x/made", { method: "PUT", body: "a body", headers: { a: "1" } });
  }

  response() {
    return new Response("body", { status: 201, statusText: "Made", headers: { "x-out": "1" } });
  }

  streamed() {
    return new Response(bytes("a", "b"), { headers: { "content-type": "text/x" } });
  }

  empty() {
    return new Response(null, { status: 204 });
  }

  async describeResponse(response) {
    return [response.status, response.statusText, [...response.headers], await response.text()];
  }

  headers(headers) {
    return [[...headers], headers instanceof Headers];
  }

  async waitFor(signal) {
    if (signal.aborted) return `aborted before: ${signal.reason}`;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return `aborted: ${signal.reason}`;
  }

  describeError(error) {
    return describe(error);
  }

  throwCustom() {
    class Custom extends TypeError {
      name = "Custom";
    }
    const error = new Custom("custom", { cause: new RangeError("the cause") });
    error.code = 42;
    error.details = { list: [1, 2] };
    throw error;
  }

  throwDom() {
    throw new DOMException("dom", "NotFoundError");
  }

  throwAggregate() {
    throw new AggregateError([new Error("one"), new TypeError("two")], "many");
  }

  throwUncloneable() {
    const error = new Error("with a function");
    error.f = () => 1;
    error.fine = "fine";
    throw error;
  }

  throwValue(value) {
    throw value;
  }
}

export class Actor extends DurableObject {
  stream(...parts) {
    this.ctx.storage.kv.put("parts", parts.length);
    return bytes(...parts);
  }

  read(stream) {
    return text(stream);
  }

  response() {
    return new Response("from an actor");
  }

  giveBack(stream) {
    return stream;
  }
}

function describe(error) {
  const own = Object.keys(error).sort().map((key) => `${key}=${JSON.stringify(error[key])}`);
  const cause = error.cause === undefined ? [] : [describe(error.cause)];
  return [
    error.name, error.message, error.constructor.name, error instanceof Error,
    Object.prototype.toString.call(error), own, ...cause,
  ];
}

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error?.name}: ${error?.message}`;
  }
}

const thrown = async (run) => {
  try {
    await run();
    return "nothing thrown";
  } catch (error) {
    return typeof error === "object" && error !== null ? describe(error) : [typeof error, error];
  }
};

const routes = {
  "/readable": ({ Server }) => ({
    "as a result": async () => text(await Server.stream("a", "b", "c")),
    "as an argument": () => Server.read(bytes("x", "y")),
    "there and back": async () => text(await Server.echo(bytes("round"))),
    "nested": async () => {
      const { list, map } = await Server.nested("one", "two");
      return [await text(list[0]), await text(map.get("s"))];
    },
    "slow": async () => text(await Server.slow()),
    "read in part": () => Server.readPart(bytes("part", "rest")),
    "kind": () => Server.kind(bytes("x")),
    "the source is locked": async () => {
      const stream = bytes("x");
      await Server.read(stream);
      return stream.locked;
    },
    "locked before": () => {
      const stream = bytes("x");
      stream.getReader();
      return Server.read(stream);
    },
    "a body": async () => Server.read(new Response("a body").body),
    "empty": async () => text(await Server.stream()),
    "a source that fails": async () => {
      const reader = (await Server.failing()).getReader();
      await reader.read();
      return await reader.read();
    },
    "many": async () => {
      const streams = await Promise.all([1, 2, 3].map((n) => Server.stream(`${n}`)));
      return await Promise.all(streams.map(text));
    },
    "large": async () => (await text(await Server.echo(bytes("x".repeat(300_000))))).length,
  }),

  "/writable": ({ Server }) => ({
    "a transform stream": async () => {
      const { readable, writable } = new TransformStream();
      const written = Server.write(writable, "a", "b");
      return [await text(readable), await written];
    },
    "an own sink": async () => {
      const parts = [];
      const writable = new WritableStream({
        write: (chunk) => void parts.push(new TextDecoder().decode(chunk)),
        close: () => void parts.push("closed"),
      });
      return [await Server.write(writable, "a", "b"), parts];
    },
    "a sink that fails": () =>
      Server.writeAndFail(new WritableStream({
        write() {
          throw new RangeError("the sink failed");
        },
      })),
    "piped": async () => {
      const { readable, writable } = new TransformStream();
      const piped = Server.pipe(bytes("p", "q"), writable);
      return [await text(readable), await piped];
    },
    "locked before": () => {
      const { writable } = new TransformStream();
      writable.getWriter();
      return Server.write(writable);
    },
    "kind": () => Server.kind(new TransformStream().writable),
  }),

  "/messages": ({ Server }) => ({
    "a request": () =>
      Server.describeRequest(new Request("http://x/path", {
        method: "POST", body: "body", headers: { "x-name": "named" },
      })),
    "a request without a body": () => Server.describeRequest(new Request("http://x/")),
    "a request with a stream": () =>
      Server.describeRequest(new Request("http://x/", { method: "POST", body: bytes("s") })),
    "a request as a result": async () => {
      const request = await Server.request();
      return [request.method, request.url, request.headers.get("a"), await request.text()];
    },
    "a response": () => Server.describeResponse(new Response("out", { status: 404 })),
    "a response as a result": async () => {
      const response = await Server.response();
      return [response.status, response.statusText, response.headers.get("x-out"),
        response.headers.get("content-type"), await response.text(), response instanceof Response];
    },
    "a streamed response": async () => {
      const response = await Server.streamed();
      return [response.headers.get("content-type"), await response.text()];
    },
    "an empty response": async () => {
      const response = await Server.empty();
      return [response.status, response.body];
    },
    "a used response": async () => {
      const response = new Response("used");
      await response.text();
      return await Server.describeResponse(response);
    },
    "nested": async () => {
      const { list } = await Server.echo({ list: [new Response("nested")] });
      return await list[0].text();
    },
    "headers": () => Server.headers(new Headers([["b", "2"], ["a", "1"], ["a", "3"]])),
    "headers as a result": async () => [...await Server.echo(new Headers({ x: "y" }))],
    "pipelined": () => Server.response().status,
  }),

  "/signals": ({ Server }) => ({
    "aborted before": () => Server.waitFor(AbortSignal.abort("early")),
    "aborted later": async () => {
      const controller = new AbortController();
      const waiting = Server.waitFor(controller.signal);
      await scheduler.wait(5);
      controller.abort("late");
      return await waiting;
    },
  }),

  "/errors": ({ Server }) => ({
    "an error": () => Server.describeError(new Error("plain")),
    "a type error": () => Server.describeError(new TypeError("typed")),
    "a cause": () => Server.describeError(new Error("outer", { cause: new RangeError("inner") })),
    "own properties": () => Server.describeError(Object.assign(new Error("own"), { code: 1 })),
    "a name of its own": () =>
      Server.describeError(Object.assign(new Error("named"), { name: "Mine" })),
    "as a result": async () => describe(await Server.echo(new RangeError("back"))),
    "nested": async () => describe((await Server.echo([{ e: new Error("deep") }]))[0].e),
    "thrown with properties": () => thrown(() => Server.throwCustom()),
    "thrown DOMException": async () => {
      try {
        await Server.throwDom();
      } catch (error) {
        return [error.name, error.message, error instanceof DOMException, error.remote];
      }
    },
    "thrown aggregate": async () =>
      (await thrown(() => Server.throwAggregate())).slice(0, 4),
    "thrown with a function": () => thrown(() => Server.throwUncloneable()),
    "thrown text": () => thrown(() => Server.throwValue("text")),
    "thrown number": () => thrown(() => Server.throwValue(5)),
    "thrown undefined": () => thrown(() => Server.throwValue(undefined)),
    "thrown object": () => thrown(() => Server.throwValue({ a: 1 })),
    "no remote stack": async () => {
      try {
        await Server.throwCustom();
      } catch (error) {
        return error.stack.includes("throwCustom");
      }
    },
    "no stack in a value": async () => {
      function here() {
        return new Error("x");
      }
      return (await Server.echo(here())).stack.includes("here");
    },
  }),

  "/others": ({ Server }) => ({
    "url": () => Server.kind(new URL("http://x/")),
    "search params": () => Server.kind(new URLSearchParams("a=1")),
    "dom exception": async () => {
      const error = await Server.echo(new DOMException("message", "AbortError"));
      return [error.name, error.message, error instanceof DOMException];
    },
    "32 MiB": async () => (await Server.echo(new Uint8Array((32 << 20) - 100))).length,
    "more than 32 MiB": () => Server.echo(new Uint8Array(33 << 20)),
    "more than 32 MiB in a stream": async () => {
      const chunk = new Uint8Array(1 << 20);
      let count = 0;
      const stream = new ReadableStream({
        pull(controller) {
          if (++count > 33) controller.close();
          else controller.enqueue(chunk.slice());
        },
      });
      return (await new Response(await Server.echo(stream)).arrayBuffer()).byteLength;
    },
    "the buffer stays": async () => {
      const buffer = new Uint8Array([1, 2, 3]);
      await Server.echo(buffer);
      return buffer.length;
    },
  }),

  "/actors": ({ Actor }) => {
    const actor = Actor.getByName("actor");
    return {
      "a stream of an actor": async () => text(await actor.stream("a", "b")),
      "a stream to an actor": () => actor.read(bytes("to")),
      "a response of an actor": async () => (await actor.response()).text(),
      "through an actor": async () => text(await actor.giveBack(bytes("through"))),
      "from actor to actor": async () =>
        Actor.getByName("other").read(await actor.stream("x", "y")),
    };
  },
};

export default {
  async fetch(request, _env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    const results = {};
    for (const [name, run] of Object.entries(route(ctx.exports))) {
      results[name] = await outcome(run);
    }
    return Response.json(results);
  },
};
