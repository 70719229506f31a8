// The supervisor of an app: keeps its code, and runs it as a facet with a database of its own.
// Written against the public API only; see docs/rest.md for what an app is.

import { DurableObject } from "cloudflare:workers";

/** Bytes of code per stored value; SQLite's rows are limited. */
const CHUNK = 1 << 20;
const FACET = "app";
const WRAPPER = "__beryl_host__.js";
const DATE = "2026-08-03";

export class AppRunner extends DurableObject {
  #current = this.ctx.storage.kv.get("current");
  /** How often they were changed, and those the app has of its own by their names in REST. */
  #limits = this.ctx.storage.kv.get("limits") ?? { changes: 0, own: {} };

  fetch(request) {
    if (this.#current === undefined) {
      return Response.json(
        { error: { code: "not_found", message: "nothing is deployed under this name" } },
        { status: 404 },
      );
    }
    return this.#facet().fetch(request);
  }

  #facet() {
    return this.ctx.facets.get(FACET, () => this.#startup(this.#current));
  }

  /** The app's alarm is due. @param {string} _name */
  getFacetStartupOptions(_name) {
    if (this.#current === undefined) throw new Error("nothing is deployed under this name");
    return this.#startup(this.#current);
  }

  /** A cron pattern of the app fits. @param {string} text Its pattern and time as JSON. */
  async runScheduled(text) {
    if (this.#current === undefined) return;
    const { cron, scheduledTime } = JSON.parse(text);
    if (this.#current.scheduled === "class") {
      const controller = { cron, scheduledTime, noRetry() {} };
      await this.#facet().scheduled(controller);
    } else {
      const worker = this.#load(this.#current, undefined);
      await worker.getEntrypoint("__BerylScheduled").run(cron, scheduledTime);
    }
  }

  /** @param {string} text A deployment as JSON. @returns {Promise<string>} */
  async deploy(text) {
    const deployment = JSON.parse(text);
    const before = this.#current;
    if (before?.hash === deployment.hash) return JSON.stringify({ version: before.version });
    const next = { ...deployment, version: (before?.version ?? 0) + 1 };
    try {
      Object.assign(next, await this.#inspect(next));
    } catch (error) {
      return JSON.stringify({ error: describe(error) });
    }
    this.#store(next, before);
    this.ctx.facets.abort(FACET, new Error(`The app was updated to version ${next.version}.`));
    return JSON.stringify({ version: next.version });
  }

  /** @param {string} text A change of the limits as JSON, or null. @returns {string} All. */
  limit(text) {
    const change = JSON.parse(text);
    if (change !== null) {
      const own = { ...this.#limits.own, ...change };
      for (const name of Object.keys(own)) if (own[name] === null) delete own[name];
      this.#limits = { changes: this.#limits.changes + 1, own };
      this.ctx.storage.kv.put("limits", this.#limits);
      this.ctx.facets.abort(FACET, new Error("The limits of the app were changed."));
    }
    return JSON.stringify(this.#limits.own);
  }

  /** @returns {string} What is deployed, as JSON; null if nothing is. */
  describe() {
    if (this.#current === undefined) return "null";
    const { version, hash, files } = this.#current;
    return JSON.stringify({ version, hash, modules: files.map((file) => file.name) });
  }

  /** Starts the code once without touching the app's data, to see that it runs and what it has. */
  async #inspect(deployment) {
    const modules = Object.entries(deployment.modules).map(([name, module]) => {
      const [kind, content] = Object.entries(module)[0];
      return [name, toModule(kind, content)];
    });
    const worker = this.#load(deployment, Object.fromEntries(modules));
    const found = await worker.getEntrypoint("__BerylInspect").inspect();
    const { classes, target } = found;
    if (target === null) {
      const some = classes.length === 0 ? "neither" : `the classes ${classes.join(", ")}, and none`;
      throw noHandler(
        `the main module exports ${some} of what an app can be: a class App that extends ` +
          "DurableObject, or a default export with fetch()",
      );
    }
    if (deployment.crons?.length > 0 && found.scheduled === null) {
      throw noHandler(
        "the deployment has crons, and neither its class nor the default export has scheduled()",
      );
    }
    if (!deployment.rpc) return { target, scheduled: found.scheduled };
    if (!found.hasMethods) {
      throw noHandler(
        "the deployment has an rpc path, and the app is no class that extends DurableObject or " +
          "WorkerEntrypoint",
      );
    }
    return { target: "__BerylRpc", scheduled: found.scheduled };
  }

  #startup(current) {
    const worker = this.#load(current, undefined);
    return { class: worker.getDurableObjectClass(current.target) };
  }

  #load(deployment, modules) {
    const { version, hash, main, vars, rpc } = deployment;
    const host = { js: wrapper(main, rpc ?? null) };
    const { changes, own } = this.#limits;
    const mark = changes === 0 ? "" : `.${changes}`;
    const name = `${this.ctx.id.name}@${version}+${hash.slice(0, 12)}${mark}`;
    return this.env.LOADER.get(name, () => ({
      compatibilityDate: DATE,
      mainModule: WRAPPER,
      modules: { ...(modules ?? this.#stored(deployment)), [WRAPPER]: host },
      env: vars,
      globalOutbound: null,
      limits: {
        cpuMs: own.cpu_ms,
        wallMs: own.wall_ms,
        memoryMb: own.memory_mb,
        subRequests: own.subrequests,
        storageMb: own.storage_mb,
        timers: own.timers,
        queuedEvents: own.queued_events,
        logBytes: own.log_bytes,
      },
    }));
  }

  #store({ version, hash, main, vars, rpc, modules, target, scheduled }, before) {
    const { kv } = this.ctx.storage;
    const files = Object.entries(modules).map(([name, module], number) => {
      const [kind, content] = Object.entries(module)[0];
      const chunks = Math.max(1, Math.ceil(content.length / CHUNK));
      for (let chunk = 0; chunk < chunks; chunk++) {
        const part = content.slice(chunk * CHUNK, (chunk + 1) * CHUNK);
        kv.put(`code/${version}/${number}/${chunk}`, part);
      }
      return { name, kind, chunks };
    });
    this.#current = { version, hash, main, vars, rpc, target, scheduled, files };
    kv.put("current", this.#current);
    if (before === undefined) return;
    for (const [key] of [...kv.list({ prefix: `code/${before.version}/` })]) kv.delete(key);
  }

  #stored({ version, files }) {
    const { kv } = this.ctx.storage;
    return Object.fromEntries(files.map(({ name, kind, chunks }, number) => {
      let content = "";
      for (let chunk = 0; chunk < chunks; chunk++) {
        content += kv.get(`code/${version}/${number}/${chunk}`);
      }
      return [name, toModule(kind, content)];
    }));
  }
}

function noHandler(message) {
  return Object.assign(new Error(message), { code: "no_handler", name: "Error" });
}

/** Bytes are kept as base64, everything else as text. */
function toModule(kind, content) {
  switch (kind) {
    case "data":
    case "wasm":
      return { [kind]: Uint8Array.from(atob(content), (char) => char.charCodeAt(0)) };
    case "json":
      return { json: JSON.parse(content) };
    default:
      return { [kind]: content };
  }
}

function describe(error) {
  const { name, message, module, line, column, frame } = error;
  const at = module === undefined ? undefined : { module, line, col: column };
  return { code: error.code ?? "startup", message: `${name}: ${message}`, at, frame };
}

/** The main module that is really loaded: the app's own, with a way to look at its exports. */
function wrapper(main, rpc) {
  const app = JSON.stringify(`./${main}`);
  return `import * as app from ${app};
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
export * from ${app};
const extendsClass = (value, base) =>
  typeof value === "function" && value.prototype instanceof base;
const has = (value, method) => typeof value?.[method] === "function";
const handler = app.default;
const isEntrypoint = extendsClass(handler, WorkerEntrypoint);
const handles = (method) => has(isEntrypoint ? handler.prototype : handler, method);
const made = (ctx, env) => isEntrypoint ? new handler(ctx, env) : handler;
const names = Object.keys(app).filter((name) => name !== "default");
const classes = names.filter((name) => extendsClass(app[name], DurableObject));
export class __BerylAdapter extends DurableObject {
  fetch(request) {
    return isEntrypoint
      ? made(this.ctx, this.env).fetch(request)
      : handler.fetch(request, this.env, this.ctx);
  }
}
const target = classes.includes("App")
  ? "App"
  : handles("fetch")
  ? "__BerylAdapter"
  : classes.length === 1
  ? classes[0]
  : null;
export class __BerylInspect extends WorkerEntrypoint {
  inspect() {
    const ofClass = target !== null && has(app[target]?.prototype, "scheduled");
    const scheduled = ofClass ? "class" : handles("scheduled") ? "default" : null;
    return { classes, target, scheduled, hasMethods: target !== "__BerylAdapter" || isEntrypoint };
  }
}
export class __BerylScheduled extends WorkerEntrypoint {
  run(cron, scheduledTime) {
    const controller = { cron, scheduledTime, noRetry() {} };
    return isEntrypoint
      ? made(this.ctx, this.env).scheduled(controller)
      : handler.scheduled(controller, this.env, this.ctx);
  }
}
${rpc === null ? "" : rpcWrapper(rpc)}`;
}

/** Answers Cap'n Web at the path of the deployment with the methods of the app. */
function rpcWrapper(path) {
  return `
import { newWorkersRpcResponse } from "capnweb";
import { RpcTarget } from "cloudflare:workers";
const RESERVED = ["alarm", "connect", "constructor", "dup", "fetch", "scheduled", "tail", "trace",
  "webSocketClose", "webSocketError", "webSocketMessage"];
const isOpen = (object, name) =>
  typeof name === "string" && !RESERVED.includes(name) && !Object.hasOwn(object, name) &&
  !(name in Object.prototype) && name in object;
const facade = (object) => new Proxy(new RpcTarget(), {
  get(target, name) {
    if (!isOpen(object, name)) return target[name];
    const member = object[name];
    return typeof member === "function" ? member.bind(object) : member;
  },
  has: (target, name) => name in target || isOpen(object, name),
});
export class __BerylRpc extends (target === "__BerylAdapter" ? __BerylAdapter : app[target]) {
  fetch(request) {
    if (new URL(request.url).pathname !== ${JSON.stringify(path)}) return super.fetch(request);
    const object = target === "__BerylAdapter" ? made(this.ctx, this.env) : this;
    return newWorkersRpcResponse(request, facade(object));
  }
}
`;
}
