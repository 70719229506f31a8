// Functions, RpcTargets and stubs in calls: lending, nesting, pipelining, disposal. Each path
// answers with one JSON object of results.
import {
  DurableObject, RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub, WorkerEntrypoint,
} from "cloudflare:workers";

const disposed = [];

class Counter extends RpcTarget {
  #count = 0;
  own = "own";

  constructor(name) {
    super();
    this.name = name;
  }

  add(by = 1) {
    this.#count += by;
    return this.#count;
  }

  get count() {
    return this.#count;
  }

  get nested() {
    return { deep: { add: (by) => this.add(by), text: "text" } };
  }

  child() {
    return new Counter(`${this.name}.child`);
  }

  fail() {
    throw new RangeError("failed");
  }

  [Symbol.dispose]() {
    if (this.name !== undefined) disposed.push(this.name);
  }
}

export class Server extends WorkerEntrypoint {
  call(callback, ...args) {
    return callback(...args);
  }

  async callTwice(callback) {
    return [await callback(1), await callback(2)];
  }

  async callNested({ list, map, set, deep }) {
    const [inSet] = set;
    return [await list[0](1), await map.get("f")(2), await inSet(3), await deep.er.f(4)];
  }

  counter(name) {
    return new Counter(name);
  }

  adder(n) {
    return (m) => n + m;
  }

  both(name) {
    return { a: new Counter(`${name}.a`), b: { c: [new Counter(`${name}.b`)] }, plain: 1 };
  }

  withDisposer(name) {
    return { value: 1, [Symbol.dispose]: () => disposed.push(name) };
  }

  echo(value) {
    return value;
  }

  plain() {
    return { x: { y: { z: 3 } }, text: "text" };
  }

  async kind(value) {
    return [Object.prototype.toString.call(value), typeof value];
  }

  async useCounter(counter) {
    return [await counter.add(2), await counter.add(3), await counter.count];
  }

  async fails(callback) {
    try {
      return await callback();
    } catch (error) {
      return `caught ${error.name}: ${error.message}`;
    }
  }

  async keep(counter) {
    return counter.dup();
  }

  async giveBack(stub) {
    return stub;
  }

  get namespace() {
    return { adder: (n) => (m) => n + m, constant: 7, inner: { f: () => "inner f" } };
  }

  later() {
    return new Promise((resolve) => setTimeout(() => resolve(new Counter()), 5));
  }

  failing() {
    throw new TypeError("the first call failed");
  }

  proxied(what) {
    if (what === "function") return new Proxy((a) => a + 1, {});
    if (what === "target") return new Proxy(new Counter(), {});
    return new Proxy({ f: () => "proxied f" }, {});
  }
}

export class Actor extends DurableObject {
  async collect(callback) {
    this.ctx.storage.kv.put("seen", await callback("from actor"));
    return this.ctx.storage.kv.get("seen");
  }

  counter() {
    return this.target ??= new Counter();
  }

  adder(n) {
    return (m) => {
      const total = (this.ctx.storage.kv.get("total") ?? 0) + n + m;
      this.ctx.storage.kv.put("total", total);
      return total;
    };
  }
}

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const settled = () => scheduler.wait(20);

/** What was disposed of by `run`, after a while. */
async function disposals(run) {
  disposed.length = 0;
  await run();
  await settled();
  return [...disposed].sort();
}

const routes = {
  "/functions": ({ Server }) => ({
    "a function as argument": () => Server.call((a, b) => a + b, 1, 2),
    "called twice": () => Server.callTwice((n) => n * 10),
    "an async function": () => Server.call(async (a) => {
      await scheduler.wait(1);
      return a;
    }, "later"),
    "nested anywhere": () => {
      const f = (n) => n + 0.5;
      return Server.callNested({
        list: [f], map: new Map([["f", f]]), set: new Set([f]), deep: { er: { f } },
      });
    },
    "a function as result": async () => (await Server.adder(1))(2),
    "there and back": async () => (await Server.echo((x) => `${x}!`))("hey"),
    "a function that throws": () => Server.fails(() => {
      throw new RangeError("thrown");
    }),
    "a function that gives a function": async () =>
      (await Server.call(() => (x) => x * 2))(21),
    "a class": async () => typeof await Server.echo(class {}),
    "it keeps its closure": async () => {
      let count = 0;
      await Server.callTwice((n) => count += n);
      return count;
    },
  }),

  "/targets": ({ Server }) => ({
    "a target as result": async () => {
      const counter = await Server.counter();
      return [await counter.add(1), await counter.add(2), await counter.count];
    },
    "a target as argument": () => Server.useCounter(new Counter()),
    "own members are hidden": async () => (await Server.counter()).own,
    "own members cannot be called": async () => (await Server.counter()).own(),
    "missing": async () => (await Server.counter()).missing(),
    "constructor": async () => typeof (await Server.counter()).constructor,
    "hasOwnProperty": async () => (await Server.counter()).hasOwnProperty("x"),
    "nested members": async () => {
      const counter = await Server.counter();
      return [await counter.nested.deep.text, await counter.nested.deep.add(4)];
    },
    "an own RpcStub": async () => {
      const stub = new RpcStub(new Counter());
      return [await stub.add(1), await stub.count];
    },
    "an own stub of a function": async () => await new RpcStub((a) => a + 1)(1),
    "an own stub of an object": async () => await new RpcStub({ f: () => "f" }).f(),
    "an own stub of a string": () => new RpcStub("text"),
    "an own stub of a Map": () => new RpcStub(new Map()),
    "stub of a stub": async () => {
      const stub = new RpcStub(new Counter());
      return await Server.useCounter(stub);
    },
    "it comes back as a stub": async () =>
      Object.prototype.toString.call(await Server.echo(new Counter())),
    "kinds": async () => [
      await Server.kind(new Counter()),
      await Server.kind(() => 1),
      await Server.kind(new RpcStub(new Counter())),
    ],
    "classes": async () => {
      const stub = await Server.counter();
      const promise = Server.counter();
      return [
        stub instanceof RpcStub, typeof stub, promise instanceof RpcPromise, typeof promise,
        promise.x instanceof RpcProperty, typeof promise.x, promise instanceof Promise,
        typeof ServiceStub, Object.prototype.toString.call(promise),
        Object.prototype.toString.call(promise.x),
      ];
    },
    "awaited stub": async () => {
      const stub = await Server.counter();
      return (await stub) === stub;
    },
    "proxy of a function": async () => (await Server.proxied("function"))(1),
    "proxy of a target": async () => (await Server.proxied("target")).add(1),
    "proxy of an object": async () => (await Server.proxied("object")).f(),
  }),

  "/pipelining": ({ Server }) => ({
    "a method of a result": () => Server.counter().add(5),
    "a chain": () => Server.counter().child().child().add(1),
    "a property of a result": () => Server.plain().x.y.z,
    "a result that comes later": () => Server.later().add(7),
    "a function result": () => Server.adder(1)(2),
    "an object of functions": () => Server.namespace.inner.f(),
    "a property path": () => Server.namespace.constant,
    "a call through a property": async () => await Server.namespace.adder(1)(5),
    "the first call fails": () => Server.failing().x.y(),
    "a missing member": () => Server.plain().missing,
    "a missing method": () => Server.plain().missing(),
    "a method of a string": () => Server.plain().text.length,
    "no object": () => Server.echo(1).x,
    "no object called": () => Server.echo(1).x(),
    "null": () => Server.echo(null).x(),
    "no function": () => Server.plain().text(),
    "many at once": () => {
      const counter = Server.counter();
      return Promise.all([counter.add(1), counter.add(1), counter.add(1)]);
    },
    "then the value": async () => {
      const promise = Server.counter();
      const first = promise.add(1);
      const counter = await promise;
      const second = counter.add(1);
      return [await first, await second];
    },
    "64 deep": () => {
      let member = Server.plain();
      for (let i = 0; i < 64; i++) member = member.x;
      return member;
    },
    "65 deep": () => {
      let member = Server.plain();
      for (let i = 0; i < 65; i++) member = member.x;
      return member;
    },
    "66 deep": () => {
      let member = Server.plain();
      for (let i = 0; i < 66; i++) member = member.x;
      return member;
    },
    "66 deep, of the entrypoint": () => {
      let member = Server;
      for (let i = 0; i < 66; i++) member = member.x;
      return member();
    },
    "detached": async () => {
      const { counter } = Server;
      return await counter().add(3);
    },
    "catch and finally": async () => {
      let done = 0;
      const text = await Server.failing().catch((error) => error.message).finally(() => done++);
      return [text, done];
    },
    "a promise in a value": () => Server.echo({ p: Server.plain() }),
    "a property in a value": () => Server.echo([Server.plain().x]),
    "a stub inside a result": () => Server.both().b.c,
  }),

  "/disposal": ({ Server }) => ({
    "an object of stubs": () => disposals(async () => {
      using result = await Server.both("object");
      await result.a.add();
    }),
    "a plain result has a disposer": async () => {
      const result = await Server.plain();
      return [typeof result[Symbol.dispose], Object.getOwnPropertySymbols(result).length,
        Object.keys(result)];
    },
    "an argument after the call": () => disposals(async () => {
      await Server.useCounter(new Counter("argument"));
    }),
    "an argument that was kept": () => disposals(async () => {
      const kept = await Server.keep(new Counter("kept"));
      await settled();
      disposed.push(`alive ${await kept.add()}`);
      kept[Symbol.dispose]();
    }),
    "used after disposal": async () => {
      const counter = await Server.counter();
      counter[Symbol.dispose]();
      return await counter.add();
    },
    "promise used after disposal": async () => {
      const promise = Server.counter();
      promise[Symbol.dispose]();
      return await promise.add();
    },
    "a call in flight": () => disposals(async () => {
      const counter = await Server.counter("flight");
      const call = counter.add(4);
      counter[Symbol.dispose]();
      disposed.push(`result ${await call}`);
    }),
    "an own stub": () => disposals(async () => {
      using stub = new RpcStub(new Counter("own stub"));
      await stub.add();
    }),
    "a stub passed on stays ours": () => disposals(async () => {
      const stub = new RpcStub(new Counter("passed on"));
      await Server.useCounter(stub);
      await settled();
      disposed.push(`alive ${await stub.add()}`);
      stub[Symbol.dispose]();
    }),
    "a stub that is given back": () => disposals(async () => {
      const back = await Server.giveBack(new Counter("given back"));
      disposed.push(`alive ${await back.add()}`);
      back[Symbol.dispose]();
    }),
  }),

  "/disposal-of-lone-results": ({ Server }) => ({
    "a lone stub": () => disposals(async () => {
      using counter = await Server.counter("lone");
      await counter.add();
    }),
    "a result with a disposer": () => disposals(async () => {
      using _ = await Server.withDisposer("own disposer");
    }),
    "an unresolved promise": () => disposals(async () => {
      const promise = Server.counter("promised");
      promise[Symbol.dispose]();
    }),
    "dup keeps it alive": () => disposals(async () => {
      const counter = await Server.counter("dup");
      const other = counter.dup();
      counter[Symbol.dispose]();
      await settled();
      disposed.push(`alive ${await other.add()}`);
      other[Symbol.dispose]();
    }),
    "disposed twice": () => disposals(async () => {
      const counter = await Server.counter("twice");
      counter[Symbol.dispose]();
      counter[Symbol.dispose]();
    }),
  }),

  "/actors": ({ Actor }) => {
    const actor = Actor.getByName("actor");
    return {
      "calls back": () => actor.collect((text) => `${text}, answered`),
      "gives a target": async () => {
        const counter = await actor.counter();
        return [await counter.add(1), await (await actor.counter()).add(1)];
      },
      "gives a function that writes": async () => {
        const adder = await actor.adder(1);
        return [await adder(1), await adder(1)];
      },
      "another actor's function": async () => {
        const adder = await actor.adder(10);
        return await Actor.getByName("other").collect(adder).catch((error) => error.message);
      },
      "pipelined": () => actor.adder(0)(0),
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
