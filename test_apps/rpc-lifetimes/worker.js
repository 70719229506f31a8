// How long what was lent stays lent: sessions that outlive the call that made them, and a soak of
// all ways to get hold of something and to give it up. Each path answers with one JSON object.
import { RpcStub, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

/** How many of these are lent at the moment. */
let lentNow = 0;

class Tracked extends RpcTarget {
  constructor() {
    super();
    lentNow++;
  }

  self() {
    return new Tracked();
  }

  [Symbol.dispose]() {
    lentNow--;
  }
}

/** Keeps a callback of its client after the call that made it. */
class Session extends Tracked {
  #callback;

  constructor(callback) {
    super();
    this.#callback = callback;
  }

  ask(question) {
    return this.#callback(question);
  }

  [Symbol.dispose]() {
    super[Symbol.dispose]();
    this.#callback[Symbol.dispose]();
  }
}

export class Keeper extends WorkerEntrypoint {
  make() {
    return new Tracked();
  }

  makeMany(count) {
    return { list: Array.from({ length: count }, () => new Tracked()), f: tracked(() => 1) };
  }

  take(..._values) {}

  takeAndFail(_value) {
    throw new Error("taken and failed");
  }

  giveBack(value) {
    return value;
  }

  session(callback) {
    const kept = callback.dup();
    return new Session(kept);
  }

  async useAll(value) {
    await value.self();
    using copy = value.dup();
    return typeof await copy.self();
  }

  makeUnsendable() {
    return { first: new Tracked(), then: undefined, last: new Map([[Symbol("s"), 1]]) };
  }
}

function tracked(f) {
  lentNow++;
  f[Symbol.dispose] = () => void lentNow--;
  return f;
}

/** The ways to get hold of something and to give it up again; each leaves nothing behind. */
const ways = [
  async ({ Keeper }) => {
    using _ = await Keeper.make();
  },
  async ({ Keeper }) => {
    const result = await Keeper.makeMany(3);
    result.list[1][Symbol.dispose]();
    result[Symbol.dispose]();
  },
  async ({ Keeper }) => {
    const stub = await Keeper.make();
    const copies = [stub.dup(), stub.dup()];
    copies[1][Symbol.dispose]();
    stub[Symbol.dispose]();
    copies[0][Symbol.dispose]();
  },
  ({ Keeper }) => Keeper.take(new Tracked(), [tracked(() => 2)]),
  ({ Keeper }) => Keeper.takeAndFail({ deep: new Tracked() }).catch(() => {}),
  async ({ Keeper }) => {
    using _ = await Keeper.giveBack(tracked(() => 3));
  },
  ({ Keeper }) => Keeper.useAll(new Tracked()),
  async ({ Keeper }) => {
    using promise = Keeper.make();
    using _ = await promise.self().self();
  },
  ({ Keeper }) => void Keeper.make()[Symbol.dispose](),
  async ({ Keeper }) => {
    const stub = await Keeper.make();
    const call = stub.self();
    stub[Symbol.dispose]();
    (await call)[Symbol.dispose]();
  },
  ({ Keeper }) => Keeper.makeUnsendable().catch(() => {}),
  ({ Keeper }) => Keeper.take(new Tracked(), Symbol("no clone")).catch(() => {}),
  async ({ Keeper }) => {
    using session = await Keeper.session(tracked((n) => n));
    await session.ask(1);
  },
  ({ Keeper }) => Keeper.session(tracked((n) => n)).ask(2),
  async () => {
    using stub = new RpcStub(new Tracked());
    using _ = await stub.self();
  },
  // Nothing is given up here: the end of the event has to do.
  ({ Keeper }) => Keeper.make(),
  ({ Keeper }) => Keeper.makeMany(2),
];

export class Soak extends WorkerEntrypoint {
  /** Goes some of the ways, in an order that `seed` decides, some of them at once. */
  async go(seed, count) {
    let state = seed;
    const next = (below) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    let running = [];
    for (let i = 0; i < count; i++) {
      running.push(ways[next(ways.length)](this.ctx.exports));
      if (next(3) > 0) continue;
      await Promise.all(running);
      running = [];
    }
    await Promise.all(running);
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

const routes = {
  "/sessions": ({ Keeper }) => ({
    "a session keeps a callback": async () => {
      using session = await Keeper.session((text) => `${text}!`);
      return [await session.ask("a"), await session.ask("b")];
    },
    "without its client's disposal": async () => {
      const session = await Keeper.session(async (text) => `${text}?`);
      return await session.ask("c");
    },
  }),

  "/soak": ({ Soak }) => ({
    "nothing is left": async () => {
      for (let seed = 1; seed <= 20; seed++) await Soak.go(seed, 50);
      for (let i = 0; lentNow > 0 && i < 100; i++) await scheduler.wait(5);
      return lentNow;
    },
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
