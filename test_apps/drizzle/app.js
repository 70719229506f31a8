// drizzle-orm on the SQLite of a Durable Object: migrations, relations, joins, transactions.

import { DurableObject } from "cloudflare:workers";
import { and, count, desc, eq, gt, inArray, like, relations, sql, sum } from "drizzle-orm";
import { drizzle } from "drizzle-orm/durable-sqlite";
import { migrate } from "drizzle-orm/durable-sqlite/migrator";
import { index, integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";

const users = sqliteTable("users", {
  id: integer().primaryKey({ autoIncrement: true }),
  name: text().notNull(),
  email: text().unique(),
  score: real().default(0),
  born: integer({ mode: "timestamp" }),
  isAdmin: integer({ mode: "boolean" }).notNull().default(false),
  settings: text({ mode: "json" }),
}, (table) => [index("by_name").on(table.name)]);

const posts = sqliteTable("posts", {
  id: integer().primaryKey(),
  author: integer().notNull().references(() => users.id, { onDelete: "cascade" }),
  title: text().notNull(),
});

const likes = sqliteTable("likes", {
  user: integer().notNull(),
  post: integer().notNull(),
}, (table) => [primaryKey({ columns: [table.user, table.post] })]);

const userRelations = relations(users, ({ many }) => ({ posts: many(posts) }));
const postRelations = relations(posts, ({ one }) => ({
  by: one(users, { fields: [posts.author], references: [users.id] }),
}));

const FIRST = `CREATE TABLE users (
  id integer PRIMARY KEY AUTOINCREMENT NOT NULL, name text NOT NULL, email text,
  score real DEFAULT 0, born integer, isAdmin integer DEFAULT false NOT NULL, settings text
);--> statement-breakpoint
CREATE UNIQUE INDEX users_email_unique ON users (email);--> statement-breakpoint
CREATE INDEX by_name ON users (name);`;
const SECOND = `CREATE TABLE posts (
  id integer PRIMARY KEY NOT NULL, author integer NOT NULL, title text NOT NULL,
  FOREIGN KEY (author) REFERENCES users(id) ON DELETE cascade
);--> statement-breakpoint
CREATE TABLE likes (user integer NOT NULL, post integer NOT NULL, PRIMARY KEY (user, post));`;

const entry = (idx, tag) => ({ idx, when: 1_700_000_000_000 + idx, tag, breakpoints: true });
const migrations = {
  journal: { entries: [entry(0, "first"), entry(1, "second")] },
  migrations: { m0000: FIRST, m0001: SECOND },
};

async function failure(run) {
  try {
    await run();
    return "no error";
  } catch (error) {
    return [error.message, error.cause?.message];
  }
}

export class Store extends DurableObject {
  #db;

  constructor(ctx, env) {
    super(ctx, env);
    this.#db = drizzle(ctx.storage, {
      schema: { users, posts, likes, userRelations, postRelations },
    });
    ctx.blockConcurrencyWhile(() => migrate(this.#db, migrations));
  }

  async run() {
    const db = this.#db;
    const results = {};
    results.inserted = await db.insert(users).values([
      {
        name: "Ann",
        email: "ann@a.example",
        born: new Date(86_400_000),
        isAdmin: true,
        settings: { theme: ["dark", 1] },
      },
      { name: "Bob", score: 2.5 },
      { name: "Cid", email: "cid@a.example" },
    ]).returning({ id: users.id, name: users.name });
    await db.insert(posts).values([
      { id: 1, author: 1, title: "one" },
      { id: 2, author: 1, title: "two" },
      { id: 3, author: 2, title: "three" },
    ]);
    await db.insert(likes).values([{ user: 2, post: 1 }, { user: 3, post: 1 }]);
    results.conflict = await db.insert(likes).values({ user: 2, post: 1 }).onConflictDoNothing();
    results.upserted = await db.insert(users).values({ id: 2, name: "Bobby" })
      .onConflictDoUpdate({ target: users.id, set: { name: "Bobby" } }).returning();
    results.all = await db.select().from(users).orderBy(users.id);
    results.where = await db.select({ name: users.name }).from(users)
      .where(and(like(users.name, "%b%"), gt(users.score, 1)));
    results.joined = await db.select({ title: posts.title, by: users.name }).from(posts)
      .innerJoin(users, eq(posts.author, users.id)).orderBy(desc(posts.id));
    results.grouped = await db.select({ author: posts.author, n: count(), ids: sum(posts.id) })
      .from(posts).groupBy(posts.author).having(({ n }) => gt(n, 1));
    results.related = await db.query.users.findMany({
      columns: { name: true },
      with: { posts: { columns: { title: true }, orderBy: desc(posts.id) } },
      where: inArray(users.id, [1, 3]),
    });
    results.first = await db.query.posts.findFirst({ with: { by: true }, where: eq(posts.id, 3) });
    results.raw = db.all(sql`SELECT ${1} + ${2} AS total, ${"it's"} AS text`);
    results.get = db.get(sql`SELECT count(*) AS n FROM ${posts}`);
    results.values = db.values(sql`SELECT id, title FROM ${posts} ORDER BY id`);
    results.prepared = await db.select({ n: count() }).from(posts)
      .where(eq(posts.author, sql.placeholder("author"))).prepare().execute({ author: 1 });
    results.unique = await failure(() =>
      db.insert(users).values({ name: "X", email: "ann@a.example" })
    );
    results.foreign = await failure(() => db.insert(posts).values({ author: 99, title: "lost" }));
    results.rolledBack = await failure(() =>
      db.transaction((tx) => {
        tx.insert(users).values({ name: "Gone" }).run();
        tx.rollback();
      })
    );
    results.nested = db.transaction((tx) => {
      tx.update(users).set({ score: sql`${users.score} + 1` }).where(eq(users.id, 2)).run();
      try {
        tx.transaction((inner) => {
          inner.delete(users).run();
          inner.rollback();
        });
      } catch (error) {
        results.inner = error.message;
      }
      return tx.select({ score: users.score }).from(users).where(eq(users.id, 2)).get();
    });
    results.deleted = await db.delete(users).where(eq(users.id, 1)).returning({ id: users.id });
    results.left = [await db.$count(users), await db.$count(posts)];
    results.migrations = this.ctx.storage.sql
      .exec("SELECT hash, created_at FROM __drizzle_migrations ORDER BY created_at").toArray();
    return results;
  }

  /** The migrations ran once, whatever how often the object starts. */
  async again() {
    await migrate(this.#db, migrations);
    const tables = this.ctx.storage.sql
      .exec(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1",
      );
    return [tables.toArray(), await this.#db.$count(users)];
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const stub = ctx.exports.Store.getByName("store");
    return Response.json(pathname === "/run" ? await stub.run() : await stub.again());
  },
};
