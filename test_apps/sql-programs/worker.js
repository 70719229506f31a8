// A thousand SQL programs from a seeded generator: rows, columns and errors must be those of
// workerd. Statements are sound, sloppy or wrong, as code that was written in a hurry is.
import { DurableObject } from "cloudflare:workers";

/** Random numbers that are the same everywhere. */
class Dice {
  constructor(seed) {
    this.state = Math.imul(seed + 1, 2654435761) >>> 0;
  }
  below(limit) {
    this.state = (Math.imul(this.state ^ (this.state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }
  chance(percent) {
    return this.below(100) < percent;
  }
  of(...choices) {
    const choice = choices[this.below(choices.length)];
    return typeof choice === "function" ? choice() : choice;
  }
  some(least, most, make) {
    return Array.from({ length: least + this.below(most - least + 1) }, make).join(", ");
  }
}

class Generator {
  constructor(seed) {
    this.dice = new Dice(seed);
    this.depth = 0;
    this.statements = 0;
    this.bindings = [];
  }

  of(...choices) {
    return this.dice.of(...choices);
  }

  table() {
    return this.of("t", "t", "u", "u", "w", "v");
  }

  column() {
    return this.of("a", "a", "b", "b", "c", "d");
  }

  number() {
    return String(this.of(0, 1, 2, 3, -1, 7, 1.5, -0.25, 1e10, "9223372036854775807", "0x1f"));
  }

  text() {
    return this.of("'x'", "'abc'", "'A'", "''", "'1'", "'1e2'", "'\u00e9'", "'it''s'", '"abc"');
  }

  literal() {
    return this.of(
      () => this.number(), () => this.number(), () => this.text(), () => this.text(),
      "NULL", "x'00ff'", "TRUE", "CURRENT_NOTHING",
      () => this.parameter(),
    );
  }

  parameter() {
    if (this.bindings.length >= 6 || this.inSchema) return "1";
    this.bindings.push(this.of(null, 1, 2.5, -3, "text", "7", true, undefined, [1, 255], 2 ** 53));
    return "?";
  }

  call() {
    const one = () => this.expression();
    return this.of(
      () => `abs(${one()})`, () => `length(${one()})`, () => `upper(${one()})`,
      () => `lower(${one()})`, () => `typeof(${one()})`, () => `hex(${one()})`,
      () => `quote(${one()})`, () => `coalesce(${one()}, ${one()})`, () => `ifnull(${one()}, 1)`,
      () => `nullif(${one()}, ${one()})`, () => `substr(${one()}, ${one()}, ${one()})`,
      () => `replace(${one()}, 'a', 'b')`, () => `instr(${one()}, 'b')`, () => `round(${one()}, 1)`,
      () => `trim(${one()})`, () => `max(${one()}, ${one()})`, () => `min(${one()}, ${one()})`,
      () => `printf('%d|%s|%.2f', ${one()}, ${one()}, ${one()})`, () => `unicode(${one()})`,
      () => `char(${one()})`, () => `iif(${one()}, ${one()}, ${one()})`, () => `sign(${one()})`,
      () => `json_extract('{"a":[1,{"b":"x"}]}', '$.a[1].b')`, () => `json_array(${one()}, 1)`,
      () => `json(${one()})`, () => `json_type(${one()})`, () => `json_object('k', ${one()})`,
      () => `'[1,2]' ->> ${one()}`, () => `sqrt(${one()})`, () => `pow(${one()}, 2)`,
      () => `floor(${one()})`, () => `concat(${one()}, ${one()})`, () => `unhex(${one()})`,
      () => `strftime('%Y', ${one()})`, () => `date(${one()})`, () => `julianday(${one()})`,
      () => `nothing(${one()})`, () => `abs()`, () => `sqlite_version()`, () => `zeroblob(3)`,
      () => `octet_length(${one()})`, () => `string_agg(${one()}, ',')`, () => `total(${one()})`,
      () => `log10(${one()})`, () => `json_pretty(${one()})`, () => `power(${one()}, 2)`,
    );
  }

  expression() {
    if (this.depth > 2) return this.of(() => this.column(), () => this.literal());
    this.depth++;
    const one = () => this.expression();
    const text = this.of(
      () => this.column(), () => this.column(), () => this.column(), () => this.literal(),
      () => this.literal(),
      () => `${one()} ${this.of("+", "-", "*", "/", "%", "||", "&")} ${one()}`,
      () => `${one()} ${this.of("=", "<>", "<", ">=", "IS", "IS NOT", "==")} ${one()}`,
      () => `(${one()} ${this.of("AND", "OR")} ${one()})`, () => `NOT ${one()}`, () => `-${one()}`,
      () => `${one()} BETWEEN ${one()} AND ${one()}`, () => `${one()} IN (1, 'x', ${one()})`,
      () => `${one()} LIKE '%a%'`, () => `${one()} GLOB 'a*'`,
      () => `CAST(${one()} AS ${this.of("INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC")})`,
      () => `CASE WHEN ${one()} THEN ${one()} ELSE ${one()} END`,
      () => `CASE ${one()} WHEN 1 THEN 'one' END`, () => `(${this.query()})`,
      () => `EXISTS (${this.query()})`, () => `${one()} COLLATE NOCASE`, () => this.call(),
      () => this.call(), () => this.call(),
    );
    this.depth--;
    return text;
  }

  source() {
    return this.of(
      () => this.table(), () => this.table(), () => this.table(),
      () => `${this.table()} AS x`, () => `t LEFT JOIN u USING (a)`, () => `t JOIN u ON t.b = u.b`,
      () => `t CROSS JOIN u`, () => `(SELECT 1 AS a, 'x' AS b)`, () => `t NATURAL JOIN w`,
      () => `json_each('[1,"a",null]')`, () => `t FULL JOIN u ON t.a = u.a`,
      () => `pragma_table_info('t')`, () => `t, u`,
    );
  }

  where() {
    return this.dice.chance(50) ? ` WHERE ${this.expression()}` : "";
  }

  tail() {
    const terms = this.of("1", "a", "b DESC, a", "2, 1", "c");
    const order = this.dice.chance(60) ? ` ORDER BY ${terms}` : "";
    return order + this.of("", "", " LIMIT 2", " LIMIT 3 OFFSET 1", " LIMIT -1", " LIMIT 'x'");
  }

  query() {
    const one = () => this.expression();
    return this.of(
      () => `SELECT * FROM ${this.source()}${this.where()}${this.tail()}`,
      () => `SELECT ${this.dice.some(1, 3, one)} FROM ${this.source()}${this.where()}` +
        this.tail(),
      () => `SELECT ${this.dice.some(1, 3, one)}`,
      () => `SELECT a, count(*), sum(b), group_concat(b), avg(c), max(d) FROM ${this.source()} ` +
        `GROUP BY a HAVING count(*) > 0${this.tail()}`,
      () => `SELECT DISTINCT ${this.column()} FROM ${this.table()}${this.tail()}`,
      () => `SELECT a FROM t ${this.of("UNION", "UNION ALL", "EXCEPT", "INTERSECT")} ` +
        `SELECT ${this.column()} FROM u${this.tail()}`,
      () => `SELECT a, ${this.of("row_number()", "rank()", "sum(c)", "lag(b)", "ntile(2)")} ` +
        `OVER (${this.of("", "PARTITION BY b ")}ORDER BY a) FROM ${this.table()}`,
      () => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n " +
        `LIMIT ${this.of(3, 5)}) SELECT i, i * ${this.number()} FROM n`,
      () => `VALUES (${one()}, ${one()}), (1, 2)`,
    );
  }

  definition() {
    const key =
      this.of("a INTEGER PRIMARY KEY", "a INTEGER", "a PRIMARY KEY", "a INT NOT NULL UNIQUE");
    const text =
      this.of("TEXT", "TEXT DEFAULT 'd'", "TEXT COLLATE NOCASE", "INTEGER", "VARCHAR(3)", "");
    return `${key}, b ${text}, ` +
      `c ${this.of("REAL", "REAL CHECK (c < 100)", "NUMERIC", "BLOB", "ANY")}, ` +
      `d ${this.of("", "NOT NULL DEFAULT 1", "UNIQUE", "AS (a + 1)", "REFERENCES t (a)", "TEXT")}`;
  }

  change() {
    const row = () => `(${this.dice.some(3, 4, () => this.expression())})`;
    const columns = () => this.of("", " (a, b, c)", " (a, b, c, d)", " (b, c, d)");
    const returning = () => this.of("", "", " RETURNING *", " RETURNING a + 1, b AS x");
    return this.of(
      () => `INSERT INTO ${this.table()}${columns()} VALUES ${row()}${returning()}`,
      () => `INSERT INTO ${this.table()} (a, b, c) VALUES ` +
        `(${this.number()}, ${this.text()}, ${this.literal()}), ` +
        `(${this.number()}, ${this.text()}, ${this.number()})${returning()}`,
      () => `INSERT OR ${this.of("REPLACE", "IGNORE", "ABORT", "FAIL")} INTO ${this.table()} ` +
        `(a, b) VALUES (${this.number()}, ${this.text()})${returning()}`,
      () => `INSERT INTO t (a, b) VALUES (${this.number()}, ${this.text()}) ` +
        `ON CONFLICT DO ${this.of("NOTHING", "UPDATE SET b = excluded.b || 'x'")}${returning()}`,
      () => `INSERT INTO ${this.table()} DEFAULT VALUES`,
      () => `INSERT INTO ${this.table()} (a, b) SELECT a + 10, b FROM ${this.table()}`,
      () => `UPDATE ${this.table()} SET ${this.column()} = ${this.expression()}${this.where()}` +
        returning(),
      () => `UPDATE ${this.table()} SET b = ${this.literal()} WHERE a > 0 ORDER BY a LIMIT 1`,
      () => `UPDATE t SET c = u.c FROM u WHERE t.a = u.a`,
      () => `DELETE FROM ${this.table()}${this.where()}${returning()}`,
      () => `DELETE FROM ${this.table()} ORDER BY a DESC LIMIT 1`,
      () => `REPLACE INTO ${this.table()} (a, b, c) VALUES (${this.number()}, ${this.text()}, 1)`,
    );
  }

  schema() {
    this.inSchema = true;
    const text = this.of(
      () => `CREATE TABLE ${this.of("", "IF NOT EXISTS ")}${this.table()} (${this.definition()})` +
        this.of("", "", " STRICT", " WITHOUT ROWID"),
      () => `CREATE ${this.of("", "UNIQUE ")}INDEX ${this.of("i", "j", "IF NOT EXISTS i")} ON ` +
        `${this.table()} (${this.of("b", "a, b", "b DESC", "lower(b)", "nope")})${this.where()}`,
      () => `CREATE VIEW v AS ${this.query()}`,
      () => `CREATE TRIGGER g ${this.of("AFTER", "BEFORE")} ` +
        `${this.of("INSERT", "UPDATE", "DELETE")} ON ` +
        `${this.table()} BEGIN ${this.of("INSERT INTO u (a, b) VALUES (100, 'g')", "DELETE FROM w",
          "SELECT RAISE(ABORT, 'no')", "UPDATE u SET c = 1")}; END`,
      () => `ALTER TABLE ${this.table()} ${this.of("RENAME TO w", "ADD COLUMN e DEFAULT 5",
        "DROP COLUMN c", "RENAME COLUMN b TO bb", "ADD COLUMN a", "RENAME TO _cf_x")}`,
      () => `DROP ${this.of("TABLE", "VIEW", "INDEX", "TRIGGER")} ${this.of("", "IF EXISTS ")}` +
        this.of("t", "u", "v", "i", "g"),
      () => `CREATE TABLE ${this.table()} AS ${this.query()}`,
      () => `CREATE VIRTUAL TABLE f USING ${this.of("fts5(x)", "rtree(a, b, c)", "nope(x)")}`,
      () => `CREATE TEMP TABLE tt (a)`,
    );
    this.inSchema = false;
    return text;
  }

  other() {
    return this.of(
      "PRAGMA table_info(t)", "PRAGMA foreign_keys", "PRAGMA index_list(t)", "PRAGMA journal_mode",
      "PRAGMA foreign_key_check", "PRAGMA quick_check", "PRAGMA user_version = 3", "ANALYZE",
      "REINDEX", "VACUUM", "BEGIN", "COMMIT", "ATTACH 'x' AS y", "SELECT * FROM _cf_KV",
      "PRAGMA case_sensitive_like = ON", "PRAGMA case_sensitive_like = OFF", "SELECT changes()",
      "PRAGMA defer_foreign_keys = OFF", "SELECT total_changes() >= 0",
      "SELECT last_insert_rowid()",
      "EXPLAIN QUERY PLAN SELECT a FROM t WHERE b = 1", "-- only a comment", "", ";",
      "SELECT name, sql FROM sqlite_master ORDER BY name", "SAVEPOINT s", "SELECT 1; -- more",
    );
  }

  statement() {
    this.bindings = [];
    let sql = this.of(
      () => this.query(), () => this.query(), () => this.query(), () => this.change(),
      () => this.change(), () => this.change(), () => this.change(), () => this.schema(),
      () => this.other(),
    );
    if (this.dice.chance(4)) sql = sql.split(" ").toSpliced(this.dice.below(6), 1).join(" ");
    if (this.dice.chance(3)) sql = `SELECT 1; ${sql}`;
    if (this.dice.chance(2)) this.bindings.pop();
    const bound = (value) => Array.isArray(value) ? new Uint8Array(value) : value;
    // No text twice: one that failed in workerd stays in use there.
    return [`/* ${this.statements++} */ ${sql}`, this.bindings.map(bound)];
  }
}

const shown = (value) =>
  value instanceof ArrayBuffer ? `x'${[...new Uint8Array(value)]}'`
    : Object.is(value, -0) ? "-0"
    : typeof value === "number" && !Number.isFinite(value) ? `${value}`
    : value;

export class Programs extends DurableObject {
  execute(sql, bindings) {
    try {
      const cursor = this.ctx.storage.sql.exec(sql, ...bindings);
      const rows = [...cursor.raw()].map((row) => row.map(shown));
      return { columns: cursor.columnNames, rows };
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  }

  program(seed) {
    const generator = new Generator(seed);
    const lines = [];
    for (const table of ["t", "u"]) {
      lines.push(this.execute(`CREATE TABLE ${table} (${generator.definition()})`, []));
      for (const row of ["1, 'x', 1.5", "2, 'abc', 2", "3, NULL, 3", "7, 'A', -1"]) {
        lines.push(this.execute(`INSERT INTO ${table} (a, b, c) VALUES (${row})`, []));
      }
    }
    if (generator.dice.chance(80)) this.execute("CREATE TABLE w (a, b INTEGER, c UNIQUE)", []);
    if (generator.dice.chance(80)) {
      this.execute("CREATE VIEW v AS SELECT a, b, c, 1 AS d FROM t", []);
    }
    for (let left = 6 + generator.dice.below(6); left > 0; left--) {
      const [sql, bindings] = generator.statement();
      lines.push([sql, this.execute(sql, bindings)]);
    }
    return lines;
  }

  /** Drops what a program left; what refers to each other needs more than one attempt. */
  async clear() {
    const { sql } = this.ctx.storage;
    const left = "SELECT type, name FROM sqlite_master " +
      "WHERE type IN ('trigger', 'view', 'table') AND name NOT GLOB '_cf_*' " +
      "AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'f_*' ORDER BY 1 DESC";
    sql.exec("PRAGMA case_sensitive_like = OFF");
    for (let attempt = 0; attempt < 3; attempt++) {
      for (const { type, name } of sql.exec(left).toArray()) {
        this.execute(`PRAGMA defer_foreign_keys = ON; DROP ${type} "${name}"`, []);
      }
    }
    if (sql.exec(left).toArray().length > 0) await this.ctx.storage.deleteAll();
  }

  async run(from, to) {
    const results = [];
    for (let seed = from; seed < to; seed++) {
      results.push(JSON.stringify([seed, this.program(seed)]));
      await this.clear();
    }
    return results.join("\n");
  }
}

export default {
  async fetch(request, _env, ctx) {
    const { searchParams } = new URL(request.url);
    const [from, to] = [Number(searchParams.get("from")), Number(searchParams.get("to"))];
    const batches = [];
    for (let start = from; start < to; start += 25) {
      const programs = ctx.exports.Programs.getByName(`from ${start}`);
      batches.push(await programs.run(start, Math.min(to, start + 25)));
    }
    return new Response(batches.join("\n"));
  },
};
