// Everything that a configuration binds: variables, namespaces of this and of another worker,
// entrypoints with props, a loader, and modules by rules.
import { DurableObject, env as imported, WorkerEntrypoint } from "cloudflare:workers";
import about from "./lib/about.md";
import bytes from "./lib/bytes.bin";
import facts from "./lib/facts.json";
import { greet } from "./lib/greet.js";

export class Room extends DurableObject {
  count() {
    const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", count);
    return count;
  }

  sql() {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS visits (at INTEGER)");
    sql.exec("INSERT INTO visits VALUES (?)", 1);
    return sql.exec("SELECT count(*) AS n FROM visits").one().n;
  }

  identity() {
    const { id } = this.ctx;
    return {
      "id": id.toString(),
      "name": id.name ?? null,
      "equal": id.equals(this.env.ROOMS.idFromString(id.toString())),
      "props": this.ctx.props ?? null,
    };
  }

  async neighbour(name) {
    return await this.env.ROOMS.getByName(name).count();
  }
}

/** Exported, but neither bound nor in a migration. */
export class Unlisted extends DurableObject {}

export class Inner extends WorkerEntrypoint {
  shout(text) {
    return `${text.toUpperCase()}!`;
  }
}

const routes = {
  "/env": ({ env }) => ({
    "TEXT": env.TEXT,
    "JSON": env.JSON,
    "imported": imported.TEXT,
    "names": Object.keys(env).sort(),
    "kinds": [env.ROOMS, env.LOADER].map((binding) => binding.constructor.name),
  }),

  "/modules": () => ({
    "text": about,
    "bytes": [...new Uint8Array(bytes)],
    "json": facts,
    "js": greet("world"),
  }),

  "/room": async ({ env, url }) => ({
    "count": await env.ROOMS.getByName(url.searchParams.get("name")).count(),
  }),

  "/room-sql": async ({ env }) => ({ "rows": await env.ROOMS.getByName("sql").sql() }),

  "/ids": async ({ env }) => {
    const byName = env.ROOMS.idFromName("a");
    const unique = env.ROOMS.newUniqueId();
    const parsed = env.ROOMS.idFromString(byName.toString());
    return {
      "hex": byName.toString(),
      "name": byName.name,
      "same": byName.equals(parsed),
      "parsedName": parsed.name ?? null,
      "uniqueLength": unique.toString().length,
      "uniqueDiffers": !unique.equals(env.ROOMS.newUniqueId()),
      "uniqueWorks": await env.ROOMS.get(unique).count(),
      "inside": await env.ROOMS.get(byName).identity(),
      "jurisdiction": await env.ROOMS.jurisdiction(undefined).get(byName).count() > 0,
    };
  },

  "/bad-ids": ({ env }) => {
    const text = (run) => {
      try {
        return String(run());
      } catch (error) {
        return `${error.name}: ${error.message}`;
      }
    };
    return {
      "short": text(() => env.ROOMS.idFromString("abc")),
      "foreign": text(() => env.ROOMS.idFromString(env.LEDGERS.idFromName("a").toString())),
    };
  },

  "/neighbour": async ({ env }) => ({
    "count": await env.ROOMS.getByName("x").neighbour("y"),
  }),

  "/script-name": async ({ env }) => ({
    "here": await env.LEDGERS.getByName("cash").add(2),
    "there": await env.API.ledger("cash", 3),
  }),

  "/service": async ({ env }) => {
    const answer = await env.AUTH.fetch("http://auth.example/path", { method: "POST", body: "b" });
    return { "status": answer.status, ...await answer.json() };
  },

  "/entrypoint": async ({ env }) => ({
    "api": await env.API.whoami(),
    "bare": await env.BARE.whoami(),
    "fetched": await (await env.API.fetch("http://x/y", { method: "PUT" })).text(),
    "callBack": await env.API.callBack("there and back"),
    "self": await env.SELF.shout("self"),
  }),

  "/exports": async ({ ctx }) => ({
    "room": await ctx.exports.Room.getByName("exported").count(),
    "inner": await ctx.exports.Inner.shout("loop"),
    "unlisted": typeof ctx.exports.Unlisted.getByName,
  }),

  "/loader": async ({ env }) => {
    const code = {
      compatibilityDate: "2026-04-01",
      mainModule: "a.js",
      modules: { "a.js": "export default { fetch: (_, env) => Response.json(env) }" },
      env: { "given": 1 },
      globalOutbound: null,
    };
    const answer = await env.LOADER.load(code).getEntrypoint().fetch("http://x/");
    return await answer.json();
  },
};

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const route = routes[url.pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await route({ env, ctx, url }));
  },
};
