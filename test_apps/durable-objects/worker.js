// Ids, namespaces and lives of Durable Objects; each path answers with one JSON object of results.
import { DurableObject } from "cloudflare:workers";

/** Counts in memory and in storage, so that it shows which of the two a request still finds. */
export class Counter extends DurableObject {
  #inMemory = 0;

  identity() {
    const { id } = this.ctx;
    return { hex: id.toString(), name: id.name ?? "none" };
  }

  count() {
    const stored = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", stored);
    return stored;
  }

  countInMemory() {
    return ++this.#inMemory;
  }

  fetch(request) {
    const { pathname, search } = new URL(request.url);
    return new Response(`${request.method} ${pathname}${search} for ${this.ctx.id.name}`);
  }
}

export class Other extends DurableObject {
  identity() {
    return { hex: this.ctx.id.toString(), name: this.ctx.id.name ?? "none" };
  }
}

/** Is not ready before its constructor's work is done. */
export class Prepared extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.log = ["constructor"];
    ctx.blockConcurrencyWhile(async () => {
      await scheduler.wait(5);
      this.log.push("prepared");
    });
  }

  steps() {
    this.log.push("event");
    return this.log;
  }
}

/** Throws in the constructor of one of its objects. */
export class Fragile extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    if (ctx.id.name === "broken") throw new RangeError("not me");
  }

  works() {
    return "works";
  }
}

/** Takes one event at a time while it blocks concurrency. */
export class Serial extends DurableObject {
  #running = 0;

  async step() {
    return await this.ctx.blockConcurrencyWhile(async () => {
      const before = ++this.#running;
      await scheduler.wait(2);
      this.#running--;
      return before;
    });
  }

  async fail() {
    await this.ctx.blockConcurrencyWhile(async () => {
      throw new Error("cannot go on");
    });
  }

  abort() {
    this.ctx.abort(new Error("stopped on purpose"));
  }

  running() {
    return this.#running;
  }

  /** Starts work that the answer does not wait for. */
  later() {
    this.ctx.waitUntil(scheduler.wait(2).then(() => this.ctx.storage.kv.put("later", "done")));
    return "soon";
  }

  async laterDone() {
    while (this.ctx.storage.kv.get("later") === undefined) await scheduler.wait(1);
    return this.ctx.storage.kv.get("later");
  }
}

/** Has no methods that could be called, because it does not extend DurableObject. */
export class Plain {
  fetch() {
    return new Response("plain");
  }
}

async function outcome(run) {
  try {
    return await run();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const routes = {
  "/ids": ({ Counter, Other }) => ({
    "a name's id is always the same": () =>
      Counter.idFromName("a").toString() === Counter.idFromName("a").toString(),
    "a name's id has the name": () => Counter.idFromName("a").name,
    "an id is 64 digits": () => /^[0-9a-f]{64}$/.test(Counter.idFromName("a").toString()),
    "ids of classes differ": () =>
      Counter.idFromName("a").toString() !== Other.idFromName("a").toString(),
    "unique ids differ": () =>
      Counter.newUniqueId().toString() !== Counter.newUniqueId().toString(),
    "unique ids have no name": () => Counter.newUniqueId().name ?? "none",
    "from a string": () => {
      const id = Counter.newUniqueId();
      return Counter.idFromString(id.toString()).equals(id);
    },
    "from a string there is no name": () =>
      Counter.idFromString(Counter.idFromName("a").toString()).name ?? "none",
    "equals": () => [
      Counter.idFromName("a").equals(Counter.idFromName("a")),
      Counter.idFromName("a").equals(Counter.idFromName("b")),
    ],
    "too short": () => Counter.idFromString("abc"),
    "no digits": () => Counter.idFromString("x".repeat(64)),
    "no id of anything": () => Counter.idFromString("0".repeat(64)),
    "id of another class": () => Counter.idFromString(Other.newUniqueId().toString()),
    "stub has id and name": () => {
      const stub = Counter.getByName("a");
      return [stub.name, stub.id.name, stub.id.equals(Counter.idFromName("a"))];
    },
    "upper case": () => {
      const id = Counter.newUniqueId();
      return Counter.idFromString(id.toString().toUpperCase()).equals(id);
    },
    "empty name": () => Counter.idFromName("").name,
    "any text is a name": () => Counter.idFromName("ä/\u0000 ☃").name,
    "numbers become names": () => Counter.idFromName(12).name,
  }),

  "/objects": ({ Counter, Other }) => ({
    "by name": () => Counter.getByName("a").identity().then(({ name }) => name),
    "by id": async () => {
      const id = Counter.idFromName("a");
      const { hex, name } = await Counter.get(id).identity();
      return [hex === id.toString(), name];
    },
    "by unique id": async () => {
      const id = Counter.newUniqueId();
      const { hex, name } = await Counter.get(id).identity();
      return [hex === id.toString(), name];
    },
    "the id's text finds the object": async () => {
      const id = Counter.newUniqueId();
      await Counter.get(id).count();
      return await Counter.get(Counter.idFromString(id.toString())).count();
    },
    "other class, other object": async () => (await Other.getByName("a").identity()).name,
    "memory is the object's own": async () => [
      await Counter.getByName("m1").countInMemory(),
      await Counter.getByName("m1").countInMemory(),
      await Counter.getByName("m2").countInMemory(),
    ],
    "fetch": async () => await (await Counter.getByName("f").fetch("http://x/p?q=1")).text(),
    "fetch with a request": async () => {
      const request = new Request("http://x/p", { method: "DELETE" });
      return await (await Counter.getByName("f").fetch(request)).text();
    },
    "fetch without host": async () => await Counter.getByName("f").fetch("/p"),
  }),

  "/lives": ({ Prepared, Fragile, Serial }) => ({
    "events wait for the constructor": () => Prepared.getByName("p").steps(),
    "constructor throws": () => Fragile.getByName("broken").works(),
    "constructor throws again": () => Fragile.getByName("broken").fetch("http://x/"),
    "another object works": () => Fragile.getByName("whole").works(),
    "one event at a time": () => {
      const stub = Serial.getByName("s");
      return Promise.all([stub.step(), stub.step(), stub.step()]);
    },
    "failing while blocked": () => Serial.getByName("s").fail(),
    "a new object after a reset": () => Serial.getByName("s").running(),
    "abort": () => Serial.getByName("a").abort(),
    "a new object after abort": () => Serial.getByName("a").running(),
    "waitUntil": async () => [
      await Serial.getByName("w").later(),
      await Serial.getByName("w").laterDone(),
    ],
  }),

  "/stubs": ({ Counter, Serial }) => ({
    "a stub is over after a reset": async () => {
      const stub = Serial.getByName("stub");
      const first = await outcome(() => stub.abort());
      const second = await outcome(() => stub.running());
      return [first, second, await Serial.getByName("stub").running()];
    },
    "a stub lives on after an exception": async () => {
      const stub = Counter.getByName("stub");
      return [await outcome(() => stub.missing()), (await stub.identity()).name];
    },
    "location hints": async () => {
      const id = Counter.newUniqueId();
      const stub = Counter.get(id, { locationHint: "weur" });
      return [(await stub.identity()).hex === id.toString(),
        (await Counter.getByName("a", { locationHint: "me" }).identity()).name];
    },
    "routing": async () => [
      (await Counter.getByName("a", { routingMode: "primary-only" }).identity()).name,
      await outcome(() => Counter.getByName("a", { routingMode: "any" })),
      await outcome(() => Counter.get(Counter.newUniqueId(), { routingMode: "any" })),
    ],
  }),

  "/foreign": ({ Counter, Other }) => ({
    "stub of another class's id": () => Counter.get(Other.idFromName("a")).identity(),
  }),

  "/count": ({ Counter }) => ({
    "stored": () => Counter.getByName("kept").count(),
    "in memory": () => Counter.getByName("kept").countInMemory(),
  }),
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
