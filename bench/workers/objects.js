// Many objects that do nothing: `/touch?from=N&to=N` calls each of them once.

import { DurableObject } from "cloudflare:workers";

export class One extends DurableObject {
  touch() {
    return 1;
  }
}

export default {
  async fetch(request, _env, ctx) {
    const { searchParams } = new URL(request.url);
    const [from, to] = ["from", "to"].map((name) => Number(searchParams.get(name)));
    const touched = [];
    for (let object = from; object < to; object++) {
      touched.push(ctx.exports.One.getByName(`object ${object}`).touch());
    }
    return new Response(`${(await Promise.all(touched)).length}`);
  },
};
