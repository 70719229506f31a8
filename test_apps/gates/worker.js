// Which event may reach an object when: `blockConcurrencyWhile`, constructors, `abort`, resets.
import { DurableObject } from "cloudflare:workers";

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const turn = () => wait(0);

const described = (error) => ({
  error: `${error.name}: ${error.message}`,
  reset: error.durableObjectReset ?? "none",
  remote: error.remote ?? "none",
});

/** Takes a name for an answer, whenever it is asked. */
export class Echo extends DurableObject {
  echo(value) {
    return value;
  }

  async slowly(value) {
    await wait(30);
    return value;
  }
}

export class Gate extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.order = [];
    this.starts = ctx.storage.kv.get("starts") ?? 0;
  }

  note(text) {
    this.order.push(text);
    return text;
  }

  take() {
    const order = this.order;
    this.order = [];
    return order.join();
  }

  /** When the callback runs, and what runs while it waits. */
  async block() {
    setTimeout(() => this.note("timer from before"), 1);
    const done = this.ctx.blockConcurrencyWhile(async () => {
      this.note("in");
      setTimeout(() => this.note("timer from inside"), 1);
      await wait(20);
      this.note("out");
      return "value";
    });
    this.note("after the call");
    await Promise.resolve();
    this.note("microtask");
    const value = await done;
    this.note("resumed");
    await wait(5);
    return [value, this.take()];
  }

  async blockFor(name) {
    return this.ctx.blockConcurrencyWhile(async () => {
      this.note(`${name} begins`);
      await wait(10);
      this.note(`${name} ends`);
      return name;
    });
  }

  /** An answer that was asked for before waits until the section ends. */
  async answers() {
    const echo = this.ctx.exports.Echo.getByName("echo");
    const before = echo.echo("asked before").then((text) => this.note(text));
    await this.ctx.blockConcurrencyWhile(async () => {
      this.note(await echo.slowly("asked inside"));
      await wait(10);
      this.note("out");
    });
    await before;
    return this.take();
  }

  /** Work that a section started goes on after it. */
  async stragglers() {
    let straggler;
    await this.ctx.blockConcurrencyWhile(async () => {
      straggler = wait(5).then(() => this.note("straggler"));
    });
    this.note("out");
    await straggler;
    return this.take();
  }

  async nested() {
    const values = await this.ctx.blockConcurrencyWhile(async () => {
      this.note("outer begins");
      const inner = this.ctx.blockConcurrencyWhile(async () => {
        this.note("inner begins");
        await wait(5);
        this.note("inner ends");
        return "inner";
      });
      setTimeout(() => this.note("timer of outer"), 0);
      const value = await inner;
      await wait(2);
      this.note("outer ends");
      return [value, "outer"];
    });
    return [values, this.take()];
  }

  async kinds() {
    const { ctx } = this;
    return [
      await ctx.blockConcurrencyWhile(() => "no promise"),
      await ctx.blockConcurrencyWhile(() => {}) ?? "undefined",
      await ctx.blockConcurrencyWhile(() => ({ then: (done) => done("thenable") })),
    ];
  }

  async arguments() {
    const calls = [
      () => this.ctx.blockConcurrencyWhile(),
      () => this.ctx.blockConcurrencyWhile(5),
    ];
    const results = [];
    for (const call of calls) {
      try {
        const promise = call();
        results.push("no throw");
        await promise.catch((error) => results.push(`rejects ${error.message}`));
      } catch (error) {
        results.push(`throws ${error.name}: ${error.message}`);
      }
    }
    return results;
  }

  async deep(depth) {
    if (depth === 0) return "bottom";
    return this.ctx.blockConcurrencyWhile(() => this.deep(depth - 1));
  }

  async tooDeep() {
    const probe = (depth) => depth === 0
      ? this.ctx.blockConcurrencyWhile(() => "entered").catch((error) => `${error}`)
      : this.ctx.blockConcurrencyWhile(() => probe(depth - 1));
    try {
      return [await probe(63), await probe(64)];
    } catch (error) {
      return `${error}`;
    }
  }

  /** Throws inside of a section. */
  async fails(how) {
    this.ctx.storage.kv.put("starts", this.starts + 1);
    await turn();
    this.ctx.storage.kv.put("kept", 1);
    const done = this.ctx.blockConcurrencyWhile(async () => {
      this.ctx.storage.kv.put("lost", 1);
      if (how === "late") await turn();
      throw new RangeError(`thrown ${how}`);
    });
    await done.catch(() => {});
    return "never seen";
  }

  waits() {
    return wait(1000);
  }

  state() {
    return {
      starts: this.ctx.storage.kv.get("starts") ?? 0,
      kept: this.ctx.storage.kv.get("kept") ?? "none",
      lost: this.ctx.storage.kv.get("lost") ?? "none",
      fresh: this.order.length === 0,
    };
  }

  abort(...reason) {
    this.note("not fresh");
    this.ctx.storage.kv.put("lost", 1);
    try {
      this.ctx.abort(...reason);
    } catch {
      return "caught";
    } finally {
      if (reason[0] === "finally") return "finally";
    }
    return "went on";
  }

  async abortLater() {
    this.note("not fresh");
    await turn();
    this.ctx.abort("later");
    return "went on";
  }

  background() {
    this.ctx.waitUntil(Promise.reject(new Error("in the background")));
    this.ctx.waitUntil(wait(5).then(() => this.note("done in the background")));
    return "answered";
  }
}

/** Is not there before its constructor is done, slow parts included. */
export class Slow extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.order = ["constructed"];
    ctx.blockConcurrencyWhile(async () => {
      await wait(10);
      this.order.push("first");
    });
    ctx.blockConcurrencyWhile(async () => {
      await wait(1);
      this.order.push("second");
    });
    Promise.resolve().then(() => this.order.push("microtask"));
  }

  take() {
    return this.order.join();
  }
}

/** Fails at its first starts. */
export class Failing extends DurableObject {
  static starts = 0;

  constructor(ctx, env) {
    super(ctx, env);
    const start = ++Failing.starts;
    ctx.storage.kv.put(`start ${start}`, true);
    if (start === 1) throw new RangeError("at the start");
    if (start === 2) {
      ctx.blockConcurrencyWhile(async () => {
        await turn();
        throw new TypeError("in the section");
      });
    }
  }

  starts() {
    return [Failing.starts, ...[...this.ctx.storage.kv.list()].map(([key]) => key)];
  }
}

const results = (promises) =>
  Promise.all(promises.map((promise) => promise.then((value) => value ?? "undefined", described)));

const routes = {
  "/block": (gate) => gate.block(),
  "/events": async (gate) => {
    const first = gate.blockFor("first");
    const second = gate.note("event");
    const third = gate.blockFor("second");
    return [await results([first, second, third]), await gate.take()];
  },
  "/answers": (gate) => gate.answers(),
  "/stragglers": (gate) => gate.stragglers(),
  "/nested": (gate) => gate.nested(),
  "/kinds": (gate) => gate.kinds(),
  "/arguments": (gate) => gate.arguments(),
  "/deep": (gate) => gate.deep(64),
  "/too-deep": (gate) => gate.tooDeep(),
  "/fails": async (gate, get) => {
    const waiting = gate.waits();
    const answers = await results([gate.fails("at once"), waiting]);
    return [answers, await get().state()];
  },
  "/fails-late": async (gate, get) => {
    const answers = await results([gate.fails("late")]);
    return [answers, await get().state()];
  },
  "/abort": async (gate, get) => [
    await results([gate.waits(), gate.abort()]),
    await get().state(),
    await results([get().abort("a reason")]),
    await results([get().abort(undefined)]),
    await results([get().abort(null)]),
    await results([get().abort(new TypeError("an error"))]),
    await results([get().abort("finally")]),
    await results([get().abortLater()]),
    await get().state(),
  ],
  "/background": async (gate) => {
    const answer = await gate.background();
    await wait(20);
    return [answer, await gate.take()];
  },
};

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    const { Gate, Slow, Failing } = ctx.exports;
    if (routes[pathname] !== undefined) {
      const get = () => Gate.getByName(pathname);
      return Response.json(await routes[pathname](get(), get));
    }
    if (pathname === "/constructor") {
      const slow = Slow.getByName("slow");
      return Response.json(await Promise.all([slow.take(), slow.take()]));
    }
    if (pathname === "/failing") {
      const starts = () => Failing.getByName("failing").starts().catch(described);
      return Response.json([await starts(), await starts(), await starts()]);
    }
    return new Response("no such path", { status: 404 });
  },
};
