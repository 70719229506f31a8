// Compatibility flags that change what calls and sockets do: the same loaded worker with a date
// before and after each, and with the flag by name.

import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

class Counter extends RpcTarget {
  #count = 0;

  add(by = 1) {
    return this.#count += by;
  }
}

/** What loaded workers may call. */
export class Service extends WorkerEntrypoint {
  counter() {
    return new Counter();
  }

  add(counter) {
    return counter.add();
  }

  hello(target) {
    return target.hello();
  }

  fail() {
    const cause = new TypeError("why");
    throw Object.assign(new RangeError("as asked", { cause }), { detail: [1] });
  }

  failInDom() {
    throw new DOMException("not found", "NotFoundError");
  }
}

const CODE = `
import { RpcTarget } from "cloudflare:workers";

class Dupable extends RpcTarget {
  log = [];
  dup() {
    this.log.push("dup");
    return this;
  }
  hello() {
    return "hello";
  }
}

async function outcome(run) {
  try {
    return await run() ?? "undefined";
  } catch (error) {
    return error.name + ": " + error.message;
  }
}

const routes = {
  async arguments({ service }) {
    const counter = await service.counter();
    const first = await service.add(counter);
    return [first, await outcome(() => service.add(counter))];
  },
  async dup({ service }) {
    const target = new Dupable();
    return [await service.hello(target), target.log];
  },
  members({ service }) {
    const names = ["counter", "anything", "fetch"];
    return [names.map((name) => typeof service[name]), "counter" in service];
  },
  async errors({ service }) {
    const seen = [];
    for (const method of ["fail", "failInDom"]) {
      try {
        await service[method]();
      } catch (error) {
        const { name, message, detail, cause, remote } = error;
        seen.push([error.constructor.name, name, message, detail ?? null, \`\${cause}\`, remote]);
      }
    }
    return seen;
  },
  async binary() {
    const [one, other] = Object.values(new WebSocketPair());
    one.accept();
    other.accept();
    const kind = one.binaryType;
    const message = new Promise((resolve) => one.addEventListener("message", resolve));
    other.send(new Uint8Array([1, 2]));
    const { data } = await message;
    return [kind ?? "undefined", data.constructor.name];
  },
  async closing() {
    const [one, other] = Object.values(new WebSocketPair());
    one.accept();
    other.accept();
    const closed = new Promise((resolve) => one.addEventListener("close", resolve));
    one.close(4000, "bye");
    const event = await Promise.race([closed, scheduler.wait(50)]);
    return event === undefined ? "open" : [event.code, event.reason, event.wasClean];
  },
};

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    return Response.json(await outcome(() => routes[pathname.slice(1)](env)));
  },
};`;

/** By the flag, a name to run and dates around the one from which it is on. */
const FLAGS = {
  rpc: ["members", "2024-04-02", "2024-04-03"],
  rpc_params_dup_stubs: [["arguments", "dup"], "2026-01-19", "2026-01-20"],
  enhanced_error_serialization: ["errors", "2026-04-20", "2026-04-21"],
  websocket_standard_binary_type: ["binary", "2026-03-16", "2026-03-17"],
  web_socket_auto_reply_to_close: ["closing", "2026-04-06", "2026-04-07"],
};

export default {
  async fetch(request, env, ctx) {
    const flag = new URL(request.url).pathname.slice(1);
    if (FLAGS[flag] === undefined) return new Response("no such path", { status: 404 });
    const [names, before, after] = FLAGS[flag];
    const results = {};
    for (const name of [names].flat()) {
      const ask = async (compatibilityDate, ...compatibilityFlags) => {
        const worker = env.LOADER.load({
          compatibilityDate,
          compatibilityFlags,
          mainModule: "main.js",
          modules: { "main.js": CODE },
          env: { service: ctx.exports.Service({ props: {} }) },
        });
        try {
          return await (await worker.getEntrypoint().fetch(`http://x/${name}`)).json();
        } catch (error) {
          return `${error.name}: ${error.message}`;
        }
      };
      results[name] = {
        before: await ask(before),
        after: await ask(after),
        "by name": await ask(before, flag),
      };
    }
    return Response.json(results);
  },
};
