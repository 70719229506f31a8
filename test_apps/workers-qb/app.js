// workers-qb on the SQLite of a Durable Object: its queries, migrations and errors.

import { DurableObject } from "cloudflare:workers";
import { ConflictTypes, DOQB, JoinTypes, OrderTypes, Raw } from "workers-qb";

const migrations = [
  {
    name: "0001_first.sql",
    sql:
      "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE, role TEXT, level INTEGER);",
  },
  {
    name: "0002_second.sql",
    sql: "CREATE TABLE tasks (id INTEGER PRIMARY KEY, person INTEGER, title TEXT);",
  },
];

function failure(run) {
  try {
    run();
    return "no error";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

export class Store extends DurableObject {
  #qb;

  constructor(ctx, env) {
    super(ctx, env);
    this.#qb = new DOQB(ctx.storage.sql);
    const runner = this.#qb.migrations({ migrations });
    runner.initialize();
    this.applied = runner.apply().map(({ name }) => name);
  }

  run() {
    const qb = this.#qb;
    const results = { applied: this.applied };
    results.insert = qb.insert({
      tableName: "people",
      data: [
        { name: "Ann", role: "admin", level: 3 },
        { name: "Bob", role: "user", level: 1 },
        { name: "Cid", role: "user", level: 2 },
      ],
      returning: ["id", "name"],
    }).execute().results;
    qb.insert({
      tableName: "tasks",
      data: [{ person: 1, title: "a" }, { person: 1, title: "b" }, { person: 3, title: "c" }],
    }).execute();
    results.one = qb.fetchOne({ tableName: "people", fields: "count(*) as n" }).execute().results;
    results.where = qb.fetchAll({
      tableName: "people",
      fields: ["name", "level"],
      where: { conditions: ["role = ?1", "level > ?2"], params: ["user", 1] },
    }).execute().results;
    results.ordered = qb.fetchAll({
      tableName: "people",
      fields: "name",
      orderBy: { level: OrderTypes.DESC },
      limit: 2,
      offset: 1,
    }).execute().results;
    results.joined = qb.fetchAll({
      tableName: "people",
      fields: ["people.name", "count(tasks.id) as n"],
      join: { type: JoinTypes.LEFT, table: "tasks", on: "tasks.person = people.id" },
      groupBy: "people.id",
      having: "n >= 0",
      orderBy: "people.id",
    }).execute().results;
    results.chained = qb.select("people").fields(["name"]).where("level >= ?", 2)
      .orderBy("name").all().results;
    results.counted = qb.select("people").where("role = ?", "user").count().results;
    results.update = qb.update({
      tableName: "people",
      data: { level: new Raw("level + 10") },
      where: { conditions: "name = ?1", params: ["Bob"] },
      returning: "*",
    }).execute().results;
    results.ignored = qb.insert({
      tableName: "people",
      data: { name: "Ann", role: "x" },
      onConflict: ConflictTypes.IGNORE,
      returning: "*",
    }).execute().results;
    results.upsert = qb.insert({
      tableName: "people",
      data: { name: "Ann", role: "owner", level: 9 },
      returning: ["name", "role"],
      onConflict: { column: "name", data: { role: new Raw("excluded.role") } },
    }).execute().results;
    results.removed = qb.delete({
      tableName: "tasks",
      where: { conditions: "person = ?1", params: [3] },
      returning: ["title"],
    }).execute().results;
    results.raw =
      qb.raw({ query: "SELECT ? AS a, ? AS b", args: [1, null], fetchType: "ALL" }).execute()
        .results;
    results.unique = failure(() =>
      qb.insert({ tableName: "people", data: { name: "Bob" } }).execute()
    );
    results.table = failure(() => qb.fetchAll({ tableName: "nowhere", fields: "*" }).execute());
    results.created = failure(() =>
      qb.createTable({ tableName: "people", schema: "id INTEGER" }).execute()
    );
    qb.dropTable({ tableName: "tasks", ifExists: true }).execute();
    results.dropped = failure(() => qb.select("tasks").all());
    return results;
  }

  again() {
    const runner = this.#qb.migrations({ migrations });
    return [runner.getApplied().map(({ name }) => name), runner.getUnapplied()];
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const stub = ctx.exports.Store.getByName("store");
    return Response.json(pathname === "/run" ? await stub.run() : await stub.again());
  },
};
