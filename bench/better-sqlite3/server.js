// The loops of test_apps/sql-bench on better-sqlite3: `/inserts?n=`, `/reads?n=`, `/rows?n=`. What
// a request writes is one transaction, as in a Durable Object; its log is synced before the answer.

import { mkdirSync, openSync, fdatasyncSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import Database from "better-sqlite3";

const { values } = parseArgs({ options: { data: { type: "string" }, port: { type: "string" } } });
mkdirSync(values.data, { recursive: true });
const path = `${values.data}/bench.sqlite`;
const db = new Database(path);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = OFF");
db.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v INTEGER, w TEXT)");
const log = openSync(`${path}-wal`, "r+");

const ROWS = 1000;
const insert = db.prepare("INSERT INTO t (v, w) VALUES (?, ?)");
const count = db.prepare("SELECT count(*) AS n FROM t");
const read = db.prepare("SELECT v FROM t WHERE id = ?");
const list = db.prepare("SELECT id, v, w FROM t ORDER BY id LIMIT ?");

const loops = {
  inserts(n) {
    db.transaction(() => {
      for (let i = 0; i < n; i++) insert.run(i, "row");
    })();
    fdatasyncSync(log);
    return count.get().n;
  },
  reads(n) {
    fill();
    let sum = 0;
    for (let i = 0; i < n; i++) sum += read.get(1 + (i % ROWS)).v;
    return sum;
  },
  rows(n) {
    fill();
    let rows = 0;
    for (let i = 0; i < n; i++) rows += list.all(ROWS).length;
    return rows;
  },
};

function fill() {
  const rows = count.get().n;
  if (rows < ROWS) loops.inserts(ROWS - rows);
}

createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const loop = loops[url.pathname.slice(1)];
  const result = loop?.(Number(url.searchParams.get("n") ?? 1));
  response.writeHead(loop ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify({ result }));
}).listen(Number(values.port), "127.0.0.1");
