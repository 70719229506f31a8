// What becomes of the data of facets when they are cloned, listed and deleted (FA-27 to FA-32).

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

/** A facet with a value and facets of its own. */
export class Node extends DurableObject {
  set(value) {
    this.ctx.storage.kv.put("value", value);
    return value;
  }
  read() {
    return this.ctx.storage.kv.get("value") ?? null;
  }
  child(name) {
    return this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Node }));
  }
  setChild(name, value) {
    return this.child(name).set(value);
  }
  readChild(name) {
    return this.child(name).read();
  }
  /** Runs an action of `ctx.facets` of this facet. */
  act(action, ...names) {
    return attempt(() => this.ctx.facets[action](...names));
  }
  async alarmIn(ms) {
    await this.ctx.storage.setAlarm(Date.now() + ms);
  }
  alarmAt() {
    return this.ctx.storage.getAlarm();
  }
  alarm() {}
}

export class Root extends Node {
  clones() {
    return this.#clones();
  }

  async #clones() {
    const { facets } = this.ctx;
    const [source, target] = [this.child("source"), this.child("target")];
    await source.set("one");
    await source.setChild("a", "one a");
    await target.set("old");
    await target.setChild("b", "old b");
    const answers = { "gives nothing": await attempt(() => facets.clone("source", "target")) };
    answers["an old stub"] = await attempt(() => target.read());
    answers["the data"] = await this.child("target").read();
    answers["that of its facets"] = await this.child("target").readChild("a");
    answers["nothing of before"] = await this.child("target").readChild("b");
    await this.child("target").set("two");
    answers["they part"] = [await source.read(), await this.child("target").read()];
    answers["onto itself"] = [
      await attempt(() => facets.clone("source", "source")),
      await attempt(() => source.read()),
      await this.child("source").read(),
    ];
    facets.clone("never was", "target");
    answers["of nothing"] = await this.child("target").read();
    answers["a long name"] = await attempt(() => facets.clone("x".repeat(257), "target"));
    answers["to a long name"] = await attempt(() => facets.clone("source", "x".repeat(257)));
    return answers;
  }

  /** A clone right after a write, while its commit may still be under way. */
  async writes() {
    const source = this.child("source");
    const seen = [];
    for (let value = 0; value < 20; value++) {
      await source.set(value);
      this.ctx.facets.clone("source", "target");
      seen.push(await this.child("target").read());
    }
    return seen.every((value, index) => value === index);
  }

  async nested() {
    const middle = this.child("middle");
    await middle.setChild("x", 1);
    const cloned = await middle.act("clone", "x", "y");
    const copy = await middle.readChild("y");
    const deleted = await middle.act("delete", "x");
    const left = [await middle.readChild("x"), await middle.readChild("y")];
    return { cloned, copy, deleted, left };
  }

  async listed() {
    const { facets } = this.ctx;
    const before = facets.list();
    await this.child("b").set(1);
    await this.child("a\0b").set(1);
    await this.child("c").set(1);
    facets.abort("b", new Error("stop"));
    facets.delete("c");
    return { before, after: facets.list(), below: await this.child("b").act("list") };
  }

  async alarms() {
    const source = this.child("source");
    await source.alarmIn(1e9);
    this.ctx.facets.clone("source", "target");
    return [(await source.alarmAt()) > 0, await this.child("target").alarmAt()];
  }

  async keep() {
    await this.child("source").set("kept");
    await this.child("source").setChild("a", "kept a");
    this.ctx.facets.clone("source", "target");
  }

  async kept() {
    return [await this.child("target").read(), await this.child("target").readChild("a")];
  }
}

const pages = {
  "/clone": (root) => root.clones(),
  "/writes": async (root) => ({ "every clone has the last write": await root.writes() }),
  "/nested": (root) => root.nested(),
  "/list": (root) => root.listed(),
  "/alarms": async (root) => ({ "an alarm is not cloned": await root.alarms() }),
  "/keep": async (root) => ({ done: await root.keep() ?? null }),
  "/kept": async (root) => ({ kept: await root.kept() }),
};

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    const name = pathname === "/kept" ? "/keep" : pathname;
    return Response.json(await pages[pathname](ctx.exports.Root.getByName(name)));
  },
};
