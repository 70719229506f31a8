// RPC with an object of 1 KB as argument and as result, awaited call by call inside one request:
// `/entrypoint?n=N`, `/object?n=N` and `/loaded?n=N` say how many calls were answered.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

export class Entrypoint extends WorkerEntrypoint {
  echo(value) {
    return { ...value, seen: value.items.length };
  }
}

export class Actor extends DurableObject {
  echo(value) {
    return { ...value, seen: value.items.length };
  }
}

const LOADED = `
import { WorkerEntrypoint } from "cloudflare:workers";
export default class extends WorkerEntrypoint {
  echo(value) {
    return { ...value, seen: value.items.length };
  }
}
`;

/** About 1 KB when it is cloned. */
const VALUE = {
  id: 12345,
  name: "an order of a shop",
  paid: true,
  total: 99.5,
  items: Array.from({ length: 12 }, (_, i) => ({ sku: `article ${i}`, count: i, price: i * 1.5 })),
  note: "x".repeat(250),
};

function callee(kind, env, ctx) {
  if (kind === "/object") return ctx.exports.Actor.getByName("one");
  if (kind !== "/loaded") return ctx.exports.Entrypoint;
  const worker = env.LOADER.get("rpc", () => ({
    compatibilityDate: "2026-04-01",
    mainModule: "worker.js",
    modules: { "worker.js": LOADED },
  }));
  return worker.getEntrypoint();
}

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const stub = callee(pathname, env, ctx);
    const n = Number(searchParams.get("n"));
    let answered = 0;
    for (let i = 0; i < n; i++) {
      const { seen } = await stub.echo(VALUE);
      if (seen === VALUE.items.length) answered++;
    }
    if (answered !== n) throw new Error(`${answered} of ${n} answers`);
    return new Response(String(answered));
  },
};
