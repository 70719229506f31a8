// Many alarms that are due within one second. `/arm?from=N&to=N&at=MS` sets those of objects N to
// N at times spread over the second after MS; `/late` says how late each came, in milliseconds.

import { DurableObject } from "cloudflare:workers";

/** What came, in this isolate. */
const late = [];
const counts = new Map();

export class Sleeper extends DurableObject {
  async arm(time) {
    await this.ctx.storage.setAlarm(time);
  }

  alarm() {
    const { name } = this.ctx.id;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    late.push(Date.now() - due.get(name));
  }
}

/** When each is due: what a handler is told differs between versions of runtimes. */
const due = new Map();

export default {
  async fetch(request, _env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const number = (name) => Number(searchParams.get(name));
    if (pathname === "/arm") {
      const armed = [];
      for (let object = number("from"); object < number("to"); object++) {
        const name = `object ${object}`;
        const time = number("at") + Math.floor(object * 1000 / number("of"));
        due.set(name, time);
        armed.push(ctx.exports.Sleeper.getByName(name).arm(time));
      }
      await Promise.all(armed);
      return new Response("armed");
    }
    const twice = [...counts.values()].filter((count) => count > 1).length;
    return Response.json({ late, twice });
  },
};
