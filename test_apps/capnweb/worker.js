// Cap'n Web: RPC with clients outside. This worker is both: it serves /rpc, /room and /greeter, and
// /client/... speaks to another instance of it as any client would.

import { DurableObject, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
import { newHttpBatchRpcSession, newWebSocketRpcSession, newWorkersRpcResponse } from "capnweb";

class Counter extends RpcTarget {
  #count = 0;
  #onDispose;

  constructor(onDispose = () => {}) {
    super();
    this.#onDispose = onDispose;
  }

  add(by) {
    return this.#count += by;
  }

  get count() {
    return this.#count;
  }

  [Symbol.dispose]() {
    this.#onDispose();
  }
}

class Api extends RpcTarget {
  #ctx;
  #disposed = 0;

  constructor(ctx) {
    super();
    this.#ctx = ctx;
  }

  hello(name) {
    return `hello ${name}`;
  }

  echo(value) {
    return value;
  }

  counter() {
    return new Counter(() => this.#disposed++);
  }

  disposed() {
    return this.#disposed;
  }

  async call(f, value) {
    return (await f(value)) + 1;
  }

  fail() {
    throw new TypeError("no way");
  }

  user(id) {
    return { id, name: `user ${id}`, tags: ["a", "b"] };
  }

  room(name) {
    return this.#ctx.exports.Room.getByName(name);
  }

  greeter() {
    return this.#ctx.exports.Greeter;
  }

  stream() {
    return new Response("streamed").body;
  }
}

export class Greeter extends WorkerEntrypoint {
  hello(name) {
    return `${this.ctx.props.greeting ?? "hi"} ${name}`;
  }
}

export class Room extends DurableObject {
  count() {
    const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", count);
    return count;
  }

  counter() {
    return new Counter();
  }
}

async function failure(promise) {
  try {
    return await promise;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

/** What both transports can do; `open` gives a session for one use. */
async function conversation(open) {
  const date = new Date(86_400_000);
  const bytes = new Uint8Array([1]);
  const values = await open().echo({ a: [1, null, "x"], date, big: 10n, bytes });
  const room = crypto.randomUUID();
  return {
    call: await open().hello("you"),
    values: { ...values, bytes: [...values.bytes], big: typeof values.big },
    pipelined: await open().counter().add(4),
    property: await open().user(3).name,
    mapped: await open().user(3).tags.map((tag) => tag),
    failed: await failure(open().fail()),
    missing: await failure(open().missing()),
    object: [await open().room(room).count(), await open().room(room).count()],
    inObject: await open().room(room).counter().add(7),
    entrypoint: await open().greeter().hello("you"),
  };
}

const clients = {
  async batch(at) {
    const open = () => newHttpBatchRpcSession(at("/rpc"));
    const session = open();
    const together = await Promise.all([session.hello("a"), session.hello("b")]);
    return { ...await conversation(open), together };
  },

  async socket(at) {
    const session = newWebSocketRpcSession(at("/rpc").replace("http", "ws"));
    const counter = await session.counter();
    const counts = [await counter.add(2), await counter.add(3), await counter.count];
    counter[Symbol.dispose]();
    const result = {
      ...await conversation(() => session),
      counts,
      disposed: await session.disposed() > 0,
      callback: await session.call((value) => value * 2, 5),
      lent: await session.call(new Counter().add, 1).catch(() => "not bound"),
      stream: await new Response(await session.stream()).text(),
    };
    session[Symbol.dispose]();
    return result;
  },

  async stubs(at) {
    const open = (path) => newHttpBatchRpcSession(at(path));
    return {
      room: await open("/room").counter().add(3),
      greeter: await open("/greeter").hello("you"),
      plain: await failure(open("/plain").hello("you")),
    };
  },
};

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/rpc":
        return newWorkersRpcResponse(request, new Api(ctx));
      case "/room":
        return newWorkersRpcResponse(request, ctx.exports.Room.getByName("main"));
      case "/greeter":
        return newWorkersRpcResponse(request, ctx.exports.Greeter({ props: { greeting: "hey" } }));
    }
    const client = clients[pathname.slice("/client/".length)];
    if (client === undefined) return new Response("not found", { status: 404 });
    const answer = await client((path) => `${env.UPSTREAM}${path}`);
    return Response.json(answer);
  },
};
