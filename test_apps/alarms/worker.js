// Alarms of Durable Objects (AL-1 to AL-13): times, delivery, retries, transactions.

import { DurableObject } from "cloudflare:workers";

/** @returns {Promise<unknown>} The result, or what was thrown as text. */
async function attempt(work) {
  try {
    const value = await work();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

export class Clock extends DurableObject {
  #runs = [];
  #handler = () => {};

  async times() {
    const { storage } = this.ctx;
    const set = (value) =>
      attempt(async () => {
        await storage.setAlarm(value);
        return await storage.getAlarm();
      });
    const answers = {
      "a time": await set(4e12),
      "a Date": await set(new Date(4e12)),
      "a fraction": await set(4e12 + 0.7),
      "zero": await set(0),
      "negative": await set(-5),
      "no number": await set(NaN),
      "endless": await set(Infinity),
      "an invalid Date": await set(new Date(NaN)),
      "text": await set("4000000000000"),
      "null": await set(null),
      "an object": await set({}),
      "nothing": await attempt(() => storage.setAlarm()),
      "the last years": await set(9.2e12),
      "too late": await set(9.3e12),
    };
    const past = await set(1000);
    answers["a past time is now"] = Math.abs(past - Date.now()) < 10_000;
    answers["promises"] = [
      storage.setAlarm(4e12) instanceof Promise,
      storage.getAlarm() instanceof Promise,
      await storage.setAlarm(4e12, { allowUnconfirmed: true, allowConcurrency: true }) ===
      undefined,
      await storage.getAlarm({ allowConcurrency: true }),
      await storage.deleteAlarm({ allowUnconfirmed: true }) === undefined,
      await storage.getAlarm(),
      await attempt(() => storage.deleteAlarm()),
    ];
    return answers;
  }

  async transactions() {
    const { storage } = this.ctx;
    const read = () => storage.getAlarm();
    storage.transactionSync(() => void storage.setAlarm(4e12));
    const kept = await read();
    const back = () => {
      storage.transactionSync(() => {
        storage.setAlarm(5e12);
        throw new Error("take it back");
      });
    };
    const thrown = await attempt(back);
    const after = await read();
    await storage.deleteAlarm();
    return { kept, thrown, after, deleted: await read() };
  }

  /** Runs the alarm with a handler of this name and gives what it saw. */
  async run(name, count = 1) {
    this.#runs = [];
    this.#handler = handlers[name];
    await this.ctx.storage.setAlarm(Date.now());
    while (this.#runs.length < count) await scheduler.wait(5);
    // The last run may still have to end.
    await scheduler.wait(20);
    return { runs: this.#runs, left: await this.ctx.storage.getAlarm() };
  }

  async alarm(info) {
    const { storage } = this.ctx;
    this.#runs.push({
      info: Object.keys(info),
      class: info.constructor.name,
      retries: [info.retryCount, info.isRetry],
      early: Date.now() < info.scheduledTime,
      name: this.ctx.id.name,
      seen: await storage.getAlarm(),
      arguments: arguments.length,
    });
    await this.#handler(storage, this.#runs.length, this.ctx);
  }

  async soon() {
    await this.ctx.storage.setAlarm(Date.now() + 1);
  }

  runs() {
    return this.#runs.length;
  }

  async later(ms) {
    await this.ctx.storage.setAlarm(Date.now() + ms);
  }
}

const handlers = {
  nothing() {},
  async again(storage, run) {
    if (run < 3) await storage.setAlarm(Date.now() + 10);
  },
  async "far away"(storage) {
    await storage.setAlarm(4e12);
  },
  "fails once"(_storage, run) {
    if (run === 1) throw new Error("the first time");
  },
  async "sets another and fails"(storage, run) {
    if (run > 1) return;
    await storage.setAlarm(Date.now() + 10);
    throw new Error("after setting another");
  },
  async "deletes itself and fails"(storage) {
    await storage.deleteAlarm();
    throw new Error("after deleting");
  },
  async "takes back another"(storage) {
    try {
      storage.transactionSync(() => {
        storage.setAlarm(4e12);
        throw new Error("take it back");
      });
    } catch {
      // That was the point.
    }
  },
};

export class Handless extends DurableObject {
  times() {
    const { storage } = this.ctx;
    return Promise.all([
      attempt(() => storage.setAlarm(4e12)),
      attempt(() => storage.getAlarm()),
      attempt(() => storage.deleteAlarm()),
    ]);
  }
}

export class Early extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.set = attempt(() => ctx.storage.setAlarm(4e12));
  }

  async times() {
    const answers = [await this.set, await this.ctx.storage.getAlarm()];
    await this.ctx.storage.deleteAlarm();
    return answers;
  }
}

/** Remembers in its database what became of its alarm. */
export class Keeper extends DurableObject {
  async later(ms) {
    this.ctx.storage.kv.delete("ran");
    await this.ctx.storage.setAlarm(Date.now() + ms);
  }

  alarm() {
    this.ctx.storage.kv.put("ran", this.ctx.id.name);
  }

  async ran() {
    while (this.ctx.storage.kv.get("ran") === undefined) await scheduler.wait(5);
    return [this.ctx.storage.kv.get("ran"), await this.ctx.storage.getAlarm()];
  }
}

const pages = {
  "/times": async ({ Clock, Handless, Early }) => ({
    ...await Clock.getByName("times").times(),
    "without a handler": await Handless.getByName("times").times(),
    "in the constructor": await Early.getByName("times").times(),
    "by RPC": await attempt(() => Clock.getByName("times").alarm()),
  }),
  "/transactions": ({ Clock }) => Clock.getByName("transactions").transactions(),
  "/run": async ({ Clock }) => {
    const clock = Clock.getByName("run");
    const far = await clock.run("far away");
    return {
      "once": await clock.run("nothing"),
      "again": (await clock.run("again", 3)).runs.map(({ retries }) => retries),
      "set by the handler": [far.runs.length, far.left],
      "deleted by the handler": (await clock.run("deletes itself and fails")).left,
    };
  },
  "/rollback": async ({ Clock }) => ({
    left: (await Clock.getByName("rollback").run("takes back another")).left,
  }),
  "/retry": async ({ Clock }) => {
    const [once, other] = await Promise.all([
      Clock.getByName("retry").run("fails once", 2),
      Clock.getByName("retry 2").run("sets another and fails", 2),
    ]);
    return {
      "fails once": [once.runs.map(({ retries }) => retries), once.left],
      "sets another and fails": [other.runs.map(({ retries }) => retries), other.left],
    };
  },
  "/later": async ({ Keeper }) => {
    await Keeper.getByName("kept").later(50);
    await Keeper.getByName("far").later(1e9);
    return {};
  },
  "/ran": async ({ Keeper }) => ({ ran: await Keeper.getByName("kept").ran() }),
};

export default {
  async fetch(request, _env, ctx) {
    return Response.json(await pages[new URL(request.url).pathname](ctx.exports));
  },
};
