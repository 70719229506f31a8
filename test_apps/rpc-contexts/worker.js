// RPC and loaded workers across contexts: what of one request can be used in another, who owns what
// is passed, and when callbacks of a loader still run.

import { DurableObject, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

class Counter extends RpcTarget {
  #count = 0;
  #onDispose;

  constructor(onDispose = () => {}) {
    super();
    this.#onDispose = onDispose;
  }

  add(by = 1) {
    return this.#count += by;
  }

  [Symbol.dispose]() {
    this.#onDispose();
  }
}

class Dupable extends RpcTarget {
  constructor(log) {
    super();
    this.log = log;
  }

  dup() {
    this.log.push("dup");
    return new Dupable(this.log);
  }

  hello() {
    return "hello";
  }

  [Symbol.dispose]() {
    this.log.push("disposed");
  }
}

class BadDup extends RpcTarget {
  dup() {
    return 5;
  }
}

/** What requests leave for each other. */
const kept = {};

export class Service extends WorkerEntrypoint {
  counter() {
    return new Counter();
  }

  hello(target) {
    return target.hello();
  }

  add(counter) {
    return counter.add();
  }

  throwingDisposer() {
    return new Counter(() => {
      throw new Error("nobody hears this");
    });
  }

  echo(value) {
    return value;
  }

  fail() {
    throw new RangeError("as asked");
  }

  slow(value) {
    return scheduler.wait(5).then(() => value);
  }

  async keepOwn(stub) {
    kept.given = stub.dup();
    kept.counter = await this.ctx.exports.Service.counter();
    kept.property = kept.counter.add;
    kept.entrypoint = this.ctx.exports.Service;
    return kept.counter.add();
  }

  useKept(name) {
    return outcome(() => kept[name].add()).then(head);
  }

  useProperty() {
    return outcome(() => kept.property()).then(head);
  }

  useEntrypoint() {
    return kept.entrypoint.echo("fine");
  }
}

export const plain = {
  async four(arg, more, env, ctx) {
    return [arg, more, typeof env, typeof ctx];
  },

  async three(arg, env, ctx) {
    return [arg, typeof env, typeof ctx.waitUntil];
  },

  async two(arg, env) {
    return [arg, typeof env];
  },
};

export class Keeper extends DurableObject {
  keep(stub) {
    this.stub = stub.dup();
    return this.stub.add();
  }

  use() {
    return this.stub.add();
  }

  counter() {
    this.given ??= new Counter();
    return this.given;
  }

  stop() {
    this.ctx.abort("stopped");
  }
}

const DATE = { compatibilityDate: "2026-04-01", mainModule: "main.js" };
const SAYS = (text) =>
  `export default { fetch() { return new Response(${JSON.stringify(text)}); } }`;
const text = async (worker) => (await worker.getEntrypoint().fetch("http://x/")).text();

export class Loads extends DurableObject {
  async codeFromStorage() {
    this.ctx.storage.kv.put("code", SAYS("from storage"));
    const worker = this.env.LOADER.get("stored", async () => ({
      ...DATE,
      modules: { "main.js": await this.ctx.storage.get("code") },
    }));
    return text(worker);
  }
}

const routes = {
  "/ownership": ({ service }) => ({
    "a target with dup() is duplicated": async () => {
      const log = [];
      const answer = await service.hello(new Dupable(log));
      await scheduler.wait(5);
      return [answer, log];
    },
    "dup() must give the same kind": async () =>
      (await outcome(() => service.echo(new BadDup()))).split(":")[0],
    "a stub that is passed stays usable": async () => {
      const counter = await service.counter();
      return [await service.add(counter), await service.add(counter), await counter.add()];
    },
    "a promise that nobody awaits may fail": async () => {
      const failed = service.fail();
      return [await outcome(() => failed.more()), await outcome(() => failed.other.most())];
    },
    "a promise is disposed of after a call on it": async () => {
      const counter = service.counter();
      const count = counter.add(5);
      counter[Symbol.dispose]();
      return count;
    },
    "a disposer that throws": async () => {
      const counter = await service.throwingDisposer();
      await counter.add();
      counter[Symbol.dispose]();
      return outcome(() => service.echo("still here"));
    },
    "methods can be detached": async () => {
      const { echo } = service;
      return echo("detached");
    },
    "calls never throw at once": () => {
      const promise = service.echo(Symbol("x"));
      return outcome(() => promise).then((text) => text.split(":")[0]);
    },
    "the next call does not wait": async () => {
      const order = [];
      const slow = service.slow("slow").then((value) => order.push(value));
      const fast = service.echo("fast").then((value) => order.push(value));
      await Promise.all([slow, fast]);
      return order;
    },
    "disposal of entrypoints is nothing": async () => {
      const own = service({ props: {} });
      const kinds = [typeof service[Symbol.dispose], typeof own[Symbol.dispose]];
      own[Symbol.dispose]?.();
      return [kinds, await own.echo("lives on")];
    },
  }),

  "/given-back": ({ service }) => ({
    "what is given back can be called at once": async () => [
      await service.echo(new Counter()).add(2),
      await service.echo({ a: { counter: new Counter() } }).a.counter.add(3),
      await service.echo((value) => value + 1)(4),
      await service.echo({ text: "t" }).text,
    ],
  }),

  "/handlers": ({ exports }) => ({
    "three arguments": () => exports.plain.three("a"),
    "two arguments": () => outcome(() => exports.plain.two("a")),
    "four arguments": () => outcome(() => exports.plain.four("a")),
    "two of the client": () => outcome(() => exports.plain.three("a", "b")),
    "none of the client": () => outcome(() => exports.plain.three()),
  }),

  "/objects": ({ exports }) => {
    const keeper = (name) => exports.Keeper.getByName(name);
    return {
      "an object keeps a stub": async () => {
        const counter = new Counter();
        const first = await keeper("a").keep(counter);
        return [first, await keeper("a").use()];
      },
      "a stub of an object outlives calls": async () => {
        const counter = await keeper("b").counter();
        const again = async () => (await keeper("b").counter()).add();
        return [await counter.add(), await counter.add(), await again()];
      },
      "a stub of an object that was reset": async () => {
        const counter = await keeper("c").counter();
        await counter.add();
        await outcome(() => keeper("c").stop());
        return (await outcome(() => counter.add())) !== 2;
      },
    };
  },

  "/loads": ({ exports, loader }) => ({
    "the callback may do I/O": () => exports.Loads.getByName("a").codeFromStorage(),
    "bytes are copied before anything else": async () => {
      const bytes = new TextEncoder().encode("data");
      const worker = loader.load({
        ...DATE,
        modules: {
          "main.js": `import data from "data.bin";
            export default { fetch() { return new Response(data); } }`,
          "data.bin": { data: bytes.buffer },
        },
      });
      bytes.fill(120);
      return text(worker);
    },
    "too much code": () =>
      outcome(() =>
        loader.load({
          ...DATE,
          modules: { "main.js": SAYS("x"), "big.txt": { text: "x".repeat(64 << 20) } },
        })
      ),
    "a worker belongs to the request that asked": async () => {
      const worker = loader.get("mine", () => ({ ...DATE, modules: { "main.js": SAYS("mine") } }));
      return [await text(worker), await text(worker)];
    },
  }),

  "/requests": ({ service }) => ({
    "own stub": () => service.keepOwn(new Counter()),
    "a stub of another request": () => service.useKept("counter"),
    "a property of one": () => service.useProperty(),
    "a stub that another request was given": () => service.useKept("given"),
    "an entrypoint of another request": () => service.useEntrypoint(),
  }),
};

/** The beginning of a long text. */
function head(value) {
  return typeof value === "string" ? value.slice(0, 62) : value;
}

export default {
  async fetch(request, env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("not found", { status: 404 });
    const given = { service: ctx.exports.Service, exports: ctx.exports, loader: env.LOADER };
    const results = {};
    for (const [name, run] of Object.entries(route(given))) results[name] = await outcome(run);
    return Response.json(results);
  },
};
