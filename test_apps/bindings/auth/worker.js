// The worker behind the service bindings of the app, with a class that the other worker binds.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

export class Ledger extends DurableObject {
  add(amount) {
    const sum = (this.ctx.storage.kv.get("sum") ?? 0) + amount;
    this.ctx.storage.kv.put("sum", sum);
    return { sum, "issuer": this.env.ISSUER };
  }
}

export class Api extends WorkerEntrypoint {
  whoami() {
    return { "props": this.ctx.props, "issuer": this.env.ISSUER };
  }

  ledger(name, amount) {
    return this.env.OWN.getByName(name).add(amount);
  }

  callBack(text) {
    return this.env.FRONT.shout(text);
  }

  fetch(request) {
    return new Response(`Api ${request.method} ${new URL(request.url).pathname}`);
  }
}

export default {
  async fetch(request, env) {
    const names = Object.keys(env).sort();
    return Response.json({
      "url": request.url,
      "body": await request.text(),
      names,
      "issuer": env.ISSUER,
    });
  },
};
