// Calls between a worker and a Durable Object: what crosses, what does not, and how errors come
// back. Each path answers with one JSON object of results.
import { DurableObject, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

class Point {
  constructor(x, y) {
    this.x = x;
    this.y = y;
  }
}

export class Server extends DurableObject {
  own = "instance member";

  echo(value) {
    return value;
  }

  kind(value) {
    const text = Object.prototype.toString.call(value).slice(8, -1);
    return typeof value === "object" && value !== null ? text : typeof value;
  }

  count(...args) {
    return args.length;
  }

  get label() {
    return "a property";
  }

  get later() {
    return Promise.resolve("a promised property");
  }

  change(object) {
    object.changed = true;
    return object;
  }

  same(first, second) {
    return first === second;
  }

  cycle(value) {
    return value.self === value;
  }

  mapped(map) {
    return [...map.entries()].map(([key, value]) => `${key}:${[...value]}`);
  }

  point() {
    return new Point(1, 2);
  }

  throws(kind, message) {
    throw new globalThis[kind](message);
  }

  throwsOwn() {
    class Unknown extends Error {
      name = "Unknown";
      detail = 1;
    }
    throw new Unknown("own type");
  }

  throwsText() {
    throw "just text";
  }

  throwsObject() {
    throw { code: 1 };
  }

  async throwsLater() {
    await scheduler.wait(1);
    throw new RangeError("later");
  }

  throwsDom() {
    throw new DOMException("dom", "AbortError");
  }

  nothing() {}

  #hidden() {
    return "hidden";
  }

  reveal() {
    return this.#hidden();
  }

  alarm() {}

  fetch(request) {
    if (new URL(request.url).pathname === "/throw") throw new RangeError("in fetch");
    return new Response(request.headers.get("x-name"), { status: 201, headers: { "x-out": "1" } });
  }
}

export class Entry extends WorkerEntrypoint {
  hello(name) {
    return `hello ${name} from ${this.ctx.props.from ?? "nobody"}`;
  }

  fetch(request) {
    return new Response(`entry ${new URL(request.url).pathname}`);
  }
}

const described = (error) => `${error.name}: ${error.message}`;

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    if (error instanceof Error) return described(error);
    const durableObjectId = typeof error.durableObjectId;
    return `thrown ${JSON.stringify({ ...error, durableObjectId })}`;
  }
}

const routes = {
  "/values": (stub) => ({
    "number": () => stub.echo(1.5),
    "not a number": async () => Number.isNaN(await stub.echo(NaN)),
    "minus zero": async () => Object.is(await stub.echo(-0), -0),
    "bigint": async () => (await stub.echo(2n ** 70n)).toString(),
    "undefined": () => stub.echo(undefined),
    "null": () => stub.echo(null),
    "text": () => stub.echo("h\u00e9 \u2603 \ud83d\ude00"),
    "nested": () => stub.echo({ a: [1, { b: [null, "c"] }], d: {} }),
    "undefined inside": async () => Object.keys(await stub.echo({ a: undefined, b: 1 })),
    "hole": async () => 1 in await stub.echo([1, , 3]),
    "date": async () => (await stub.echo(new Date(0))).toISOString(),
    "pattern": async () => String(await stub.echo(/a+/gi)),
    "map": () => stub.mapped(new Map([["k", new Set([1, 2])]])),
    "map comes back": async () => (await stub.echo(new Map([["k", 1]]))).get("k"),
    "set": async () => [...await stub.echo(new Set(["a", "b"]))],
    "bytes": async () => [...await stub.echo(new Uint8Array([1, 2, 255]))],
    "part of a buffer": async () =>
      [...await stub.echo(new Uint8Array(new Uint8Array([1, 2, 3]).buffer, 1, 1))],
    "buffer": async () => (await stub.echo(new ArrayBuffer(4))).byteLength,
    "floats": async () => [...await stub.echo(new Float64Array([0.5]))],
    "error value": async () => described(await stub.echo(new RangeError("as a value"))),
    "kinds": async () => [
      await stub.kind(new Map()),
      await stub.kind(new Date()),
      await stub.kind([]),
      await stub.kind(1n),
      await stub.kind(new Uint8Array()),
      await stub.kind(new TypeError("x")),
    ],
    "identity is kept": () => {
      const shared = {};
      return stub.same(shared, shared);
    },
    "cycle": () => {
      const value = {};
      value.self = value;
      return stub.cycle(value);
    },
    "arguments are copies": async () => {
      const object = {};
      const back = await stub.change(object);
      return [object.changed ?? "unchanged", back.changed];
    },
    "no arguments": () => stub.count(),
    "many arguments": () => stub.count(1, undefined, null, 4),
    "large": async () => (await stub.echo("x".repeat(1 << 20))).length,
  }),

  "/members": (stub) => ({
    "property": () => stub.label,
    "promised property": () => stub.later,
    "no result": () => stub.nothing(),
    "missing method": () => stub.missing(),
    "missing property": () => stub.missing,
    "property is no method": () => stub.label(),
    "instance member": () => stub.own(),
    "instance member read": () => stub.own,
    "private method inside": () => stub.reveal(),
    "hasOwnProperty": () => stub.hasOwnProperty("x"),
    "toString": () => stub.toString(),
        "alarm": () => stub.alarm(),
    "webSocketMessage": () => stub.webSocketMessage(),
    "stub is no promise": async () => (await stub) === stub,
    "many at once": () => Promise.all([1, 2, 3, 4].map((n) => stub.echo(n))),
    "order is kept": async () => {
      const seen = [];
      await Promise.all([1, 2, 3].map((n) => stub.echo(n).then((value) => seen.push(value))));
      return seen;
    },
  }),

  "/errors": (stub) => ({
    ...Object.fromEntries(
      ["Error", "TypeError", "RangeError", "SyntaxError", "ReferenceError", "EvalError", "URIError"]
        .map((name) => [name, async () => await stub.throws(name, "with text")]),
    ),
    "the type is real": async () => {
      try {
        await stub.throws("RangeError", "x");
      } catch (error) {
        return [error instanceof RangeError, error instanceof Error, error.remote];
      }
    },
    "own type": () => stub.throwsOwn(),
    "text": () => stub.throwsText(),
    "object": () => stub.throwsObject(),
    "later": () => stub.throwsLater(),
    "dom": () => stub.throwsDom(),
    "in fetch": () => stub.fetch("http://x/throw"),
    "the object lives on": () => stub.echo("alive"),
  }),

  "/not-clonable": (stub) => ({
    "class instance": () => stub.echo(new Point(1, 2)),
    "class instance as result": () => stub.point(),
    "symbol": () => stub.echo(Symbol("s")),
    "weak map": () => stub.echo(new WeakMap()),
    "nested instance": () => stub.echo({ a: [new Point(1, 2)] }),
    "null prototype": async () => Object.keys(await stub.echo({ __proto__: null, a: 1 })),
  }),

  "/entrypoints": (_stub, { Entry }) => ({
    "method": () => Entry.hello("you"),
    "method with props": () => Entry({ props: { from: "me" } }).hello("you"),
    "fetch": async () => await (await Entry.fetch("http://x/path")).text(),
    "missing": () => Entry.missing(),
    "reserved": () => Entry.alarm(),
  }),

  "/fetch": (stub) => ({
    "status, headers, body": async () => {
      const response = await stub.fetch("http://x/", { headers: { "x-name": "named" } });
      return [response.status, response.headers.get("x-out"), await response.text()];
    },
    "target class exists": () => typeof RpcTarget,
  }),
};

export default {
  async fetch(request, _env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    const results = {};
    const cases = route(ctx.exports.Server.getByName("server"), ctx.exports);
    for (const [name, run] of Object.entries(cases)) results[name] = await outcome(run);
    return Response.json(results);
  },
};
