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

  fetch(request) {
    if (this.#current === undefined) {
      return Response.json(
        { error: { code: "not_found", message: "nothing is deployed under this name" } },
        { status: 404 },
      );
    }
    return this.ctx.facets.get(FACET, () => this.#startup(this.#current)).fetch(request);
  }

  /** The app's alarm is due. @param {string} _name */
  getFacetStartupOptions(_name) {
    if (this.#current === undefined) throw new Error("nothing is deployed under this name");
    return this.#startup(this.#current);
  }

  /** @param {string} text A deployment as JSON. @returns {Promise<string>} */
  async deploy(text) {
    const deployment = JSON.parse(text);
    const before = this.#current;
    if (before?.hash === deployment.hash) return JSON.stringify({ version: before.version });
    const next = { ...deployment, version: (before?.version ?? 0) + 1 };
    try {
      next.target = await this.#inspect(next);
    } catch (error) {
      return JSON.stringify({ error: describe(error) });
    }
    this.#store(next, before);
    this.ctx.facets.abort(FACET, new Error(`The app was updated to version ${next.version}.`));
    return JSON.stringify({ version: next.version });
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
    const { classes, hasFetch } = await worker.getEntrypoint("__BerylInspect").inspect();
    if (classes.includes("App")) return "App";
    if (hasFetch) return "__BerylAdapter";
    if (classes.length === 1) return classes[0];
    const found = classes.length === 0 ? "neither" : `the classes ${classes.join(", ")}, and none`;
    throw Object.assign(
      new Error(
        `the main module exports ${found} of what an app can be: a class App that extends ` +
          "DurableObject, or a default export with fetch()",
      ),
      { code: "no_handler", name: "Error" },
    );
  }

  #startup(current) {
    const worker = this.#load(current, undefined);
    return { class: worker.getDurableObjectClass(current.target) };
  }

  #load(deployment, modules) {
    const { version, hash, main, vars } = deployment;
    const name = `${this.ctx.id.name}@${version}+${hash.slice(0, 12)}`;
    return this.env.LOADER.get(name, () => ({
      compatibilityDate: DATE,
      mainModule: WRAPPER,
      modules: { ...(modules ?? this.#stored(deployment)), [WRAPPER]: { js: wrapper(main) } },
      env: vars,
      globalOutbound: null,
    }));
  }

  #store({ version, hash, main, vars, modules, target }, before) {
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
    this.#current = { version, hash, main, vars, target, files };
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
function wrapper(main) {
  const app = JSON.stringify(`./${main}`);
  return `import * as app from ${app};
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
export * from ${app};
const extendsClass = (value, base) =>
  typeof value === "function" && value.prototype instanceof base;
export class __BerylInspect extends WorkerEntrypoint {
  inspect() {
    const names = Object.keys(app).filter((name) => name !== "default");
    const handler = app.default;
    return {
      classes: names.filter((name) => extendsClass(app[name], DurableObject)),
      hasFetch: typeof handler?.fetch === "function" ||
        (extendsClass(handler, WorkerEntrypoint) && typeof handler.prototype.fetch === "function"),
    };
  }
}
export class __BerylAdapter extends DurableObject {
  fetch(request) {
    const handler = app.default;
    if (typeof handler === "function") return new handler(this.ctx, this.env).fetch(request);
    return handler.fetch(request, this.env, this.ctx);
  }
}
`;
}
