// Plays a few events before the snapshot is taken, so that the functions which nearly every worker
// runs are compiled in it: each isolate would spend most of its first event on compiling them.
//
// Ops are answered from here meanwhile. Nothing of the play may be left: what modules remember
// (`environment()`, exports, actors, the running event) is forgotten at the end.

import { core, primordials } from "ext:core/mod.js";
import { DurableObject } from "ext:beryl/actor.js";
import { CALL, CONSTRUCT, dispatch, FETCH, FORGET, start } from "ext:beryl/dispatch.js";
import { forgetEnvironment } from "ext:beryl/env.js";
import { setCurrentEvent } from "ext:beryl/pending.js";

const { ops } = core;
const { Error, ObjectKeys } = primordials;

const ACTOR = 1;
const BINDINGS = '{"values":{},"loaders":{},"namespaces":{},"services":{},"actorClasses":{},' +
  '"data":{},"unsupported":{}}';

let sent = 0;

/** What ops say in the play. An op that is missing here fails it, and the build with it. */
const LINES = {
  __proto__: null,
  op_actor_describe: () => ["App", undefined, "id", undefined, undefined, undefined],
  op_actor_exports() {},
  op_dispatch_call: () => ["ping", ["argument"], undefined],
  op_dispatch_constructed() {},
  op_dispatch_fail(_event, name, message) {
    throw new Error(`The rehearsal failed: ${name}: ${message}`);
  },
  op_dispatch_return() {
    sent++;
    return 1;
  },
  op_kv_get: () => 1,
  op_kv_put() {},
  op_loader_env: () => BINDINGS,
  op_request_body: () => null,
  op_request_headers: () => ["host", "app.localhost", "accept", "*/*"],
  op_request_line: () => ["GET", "http://app.localhost/path?query=1"],
  op_response_send() {
    sent++;
  },
  op_sql_exec: () => ({}),
  op_sql_one: () => ({}),
  op_sql_rows: () => [],
};

class App extends DurableObject {
  async fetch(request) {
    const { kv, sql } = this.ctx.storage;
    kv.put("count", (kv.get("count") ?? 0) + 1);
    sql.exec("SELECT 1").toArray();
    sql.exec("SELECT 1").one();
    await request.text();
    return new Response("text", { status: 201, headers: { "content-type": "text/plain" } });
  }

  ping(argument) {
    return argument;
  }
}

const handler = {
  fetch(request) {
    const url = new URL(request.url);
    const name = url.searchParams.get("query");
    if (request.method !== "GET" || url.pathname === "/" || name === null) throw request;
    request.headers.get("accept");
    return Response.json({ name });
  },
};

const plain = {
  async fetch() {
    return new Response("text");
  },
};

/** Called once, when everything else is in place. */
export function rehearse() {
  const names = ObjectKeys(LINES);
  const real = { __proto__: null };
  for (let i = 0; i < names.length; i++) {
    real[names[i]] = ops[names[i]];
    ops[names[i]] = LINES[names[i]];
  }
  start({ __proto__: null, default: handler, App });
  dispatch(FETCH, 1, 0);
  dispatch(CONSTRUCT, 2, ACTOR);
  dispatch(FETCH, 3, ACTOR);
  dispatch(CALL, 4, ACTOR);
  core.runMicrotasks();
  start({ __proto__: null, default: plain });
  dispatch(FETCH, 5, 0);
  core.runMicrotasks();
  if (sent !== 4) throw new Error(`The rehearsal failed: ${sent} of 4 answers were sent`);
  dispatch(FORGET, ACTOR, 0);
  start({ __proto__: null });
  forgetEnvironment();
  setCurrentEvent(0, 0);
  for (let i = 0; i < names.length; i++) ops[names[i]] = real[names[i]];
}
