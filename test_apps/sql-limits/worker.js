// What SQL may do and what it may not: statements, names, pragmas, functions and limits.
import { DurableObject } from "cloudflare:workers";

function outcome(sql, query, bindings = []) {
  try {
    return sql.exec(query, ...bindings).raw().toArray().flat().slice(0, 4)
      .map((value) => value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value);
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const STATEMENTS = [
  "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REAL AS (id * 2) STORED, c)",
  "INSERT INTO t (a) VALUES ('x'), ('y'), ('z') RETURNING id",
  "INSERT INTO t (id, a) VALUES (1, 'new') ON CONFLICT (id) DO UPDATE SET a = excluded.a",
  "UPDATE t SET c = 1 ORDER BY id DESC LIMIT 1", "SELECT id FROM t WHERE c = 1",
  "DELETE FROM t WHERE c IS NULL LIMIT 1", "SELECT count(*) FROM t",
  "CREATE TABLE s (a INT, b ANY) STRICT", "INSERT INTO s VALUES ('no', 1)",
  "CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID", "CREATE INDEX i ON t (a) WHERE c > 0",
  "CREATE UNIQUE INDEX u ON t (lower(a))", "CREATE VIEW v AS SELECT id, a FROM t",
  "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO w VALUES (new.id, new.a); END",
  "INSERT INTO t (a) VALUES ('triggered')", "SELECT * FROM w", "INSERT INTO v VALUES (1, 2)",
  "ALTER TABLE t RENAME COLUMN c TO d", "ALTER TABLE t ADD COLUMN e DEFAULT 5",
  "ALTER TABLE t DROP COLUMN e", "ALTER TABLE w RENAME TO ww", "REINDEX", "ANALYZE",
  "SELECT \"not a column\"", "CREATE VIRTUAL TABLE f USING fts5(x)", "INSERT INTO f VALUES ('a b')",
  "CREATE VIRTUAL TABLE fv USING fts5vocab(f, row)", "SELECT term FROM fv",
  "SELECT highlight(f, 0, '<', '>'), snippet(f, 0, '', '', '', 3) FROM f WHERE f MATCH 'b'",
  "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)", "INSERT INTO r VALUES (1, 0, 1)",
  "SELECT rtreecheck('r')", "CREATE VIRTUAL TABLE ri USING rtree_i32(id, x0, x1)",
  "EXPLAIN QUERY PLAN SELECT * FROM t WHERE id = 1", "SELECT value FROM json_each('[1,2]')",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 3",
  "DROP TRIGGER g", "DROP VIEW v", "DROP INDEX i", "DROP TABLE ww",
];

const DENIED = [
  "CREATE TABLE _cf_mine (a)", "CREATE TABLE _CF_MINE (a)", "CREATE VIEW _cf_v AS SELECT 1",
  "CREATE INDEX _cf_i ON t (a)", "CREATE TRIGGER _cf_g AFTER INSERT ON t BEGIN SELECT 1; END",
  "ALTER TABLE t RENAME TO _cf_t", "SELECT * FROM _cf_KV", "SELECT value FROM _cf_METADATA",
  "DROP TABLE _cf_KV", "DELETE FROM _cf_KV", "INSERT INTO _cf_KV VALUES ('a', 1)",
  "UPDATE _cf_KV SET value = 1", "CREATE TRIGGER g AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
  "ALTER TABLE _cf_KV RENAME TO mine", "CREATE TEMP TABLE tt (a)",
  "CREATE TEMP VIEW tv AS SELECT 1", "CREATE TABLE temp.tt (a)",
  "CREATE TEMP TRIGGER tg AFTER INSERT ON t BEGIN SELECT 1; END", "ATTACH 'x.db' AS x",
  "DETACH main", "VACUUM", "VACUUM INTO 'x'", "BEGIN", "BEGIN IMMEDIATE", "COMMIT", "END",
  "ROLLBACK", "SAVEPOINT s", "RELEASE s", "ROLLBACK TO s", "CREATE VIRTUAL TABLE d USING dbstat",
  "CREATE VIRTUAL TABLE d USING fts4(x)",
  "CREATE VIRTUAL TABLE d USING csv(filename='/etc/passwd')", "SELECT * FROM dbstat",
  "SELECT * FROM bytecode('SELECT 1')", "SELECT * FROM tables_used('SELECT 1')",
  "SELECT * FROM sqlite_stmt", "SELECT * FROM pragma_database_list",
  "SELECT readfile('/etc/passwd')", "UPDATE sqlite_master SET sql = ''",
  "DELETE FROM sqlite_master", "INSERT INTO sqlite_master VALUES (1,1,1,1,1)",
  "DROP TABLE sqlite_master", "CREATE TABLE sqlite_mine (a)",
];

const PRAGMAS = [
  "data_version = 1", "page_size", "page_size = 512", "table_list", "case_sensitive_like",
  "case_sensitive_like = on", "case_sensitive_like = off", "foreign_keys", "foreign_keys = 'no'",
  "foreign_keys = yes", "foreign_keys = maybe", "defer_foreign_keys", "defer_foreign_keys = 1",
  "defer_foreign_keys = 0", "ignore_check_constraints", "ignore_check_constraints = false",
  "legacy_alter_table", "recursive_triggers", "recursive_triggers = TRUE", "recursive_triggers = 0",
  "reverse_unordered_selects", "table_info(t)", "table_info", "table_info(_cf_KV)",
  "table_xinfo('t')", "foreign_key_list(t)", "index_info(u)", "index_list(t)", "index_xinfo(u)",
  "foreign_key_check", "foreign_key_check(t)", "quick_check", "quick_check(1)", "quick_check(t)",
  "optimize", "optimize(0x10002)", "optimize(x)", "integrity_check", "user_version",
  "user_version = 1", "journal_mode", "journal_mode = DELETE", "synchronous = OFF", "cache_size",
  "cache_size = 1", "max_page_count", "page_count", "freelist_count", "auto_vacuum", "encoding",
  "application_id", "schema_version", "writable_schema = ON", "mmap_size", "temp_store = FILE",
  "wal_checkpoint", "locking_mode", "secure_delete", "database_list", "compile_options",
  "function_list", "module_list", "pragma_list", "collation_list", "shrink_memory",
  "trusted_schema", "hard_heap_limit = 1", "soft_heap_limit = 1", "threads = 4", "busy_timeout = 1",
  "nonsense",
];

const CALLS = [
  "abs(-1)", "changes()", "char(65)", "coalesce(NULL, 1)", "concat('a', 1)", "concat_ws('-', 1, 2)",
  "format('%d', 1)", "glob('a*', 'ab')", "hex('a')", "ifnull(NULL, 1)", "iif(1, 2, 3)", "if(1, 2)",
  "instr('ab', 'b')", "typeof(last_insert_rowid())", "length('a')", "like('a%', 'ab')",
  "likelihood(1, 0.5)", "likely(1)", "unlikely(1)", "lower('A')", "ltrim(' a')", "max(1, 2)",
  "min(1, 2)", "nullif(1, 1)", "octet_length('\u00e9')", "printf('%05.1f', 1.25)", "quote('a')",
  "typeof(random())", "length(randomblob(3))", "replace('a', 'a', 'b')", "round(1.25, 1)",
  "rtrim('a ')", "sign(-2)", "substr('abc', 2)", "substring('abc', 2)",
  "typeof(total_changes())", "trim(' a ')", "unhex('41')", "unicode('A')", "upper('a')",
  "hex(zeroblob(2))", "unistr('\\u0041')", "date('2020-01-01')", "time('12:00')",
  "datetime(0, 'unixepoch')", "julianday('2020-01-01')", "unixepoch('2020-01-01')",
  "strftime('%j', '2020-01-02')", "timediff('2020-01-02', '2020-01-01')", "length(current_date)",
  "length(current_timestamp)", "avg(1)", "count(*)", "group_concat('a')", "string_agg('a', ',')",
  "sum(1)", "total(1)", "median(1)", "percentile(1, 50)", "acos(1)", "atan2(1, 1)", "ceil(1.2)",
  "ceiling(1.2)", "cos(0)", "degrees(pi())", "exp(0)", "floor(1.5)", "ln(1)", "log(10)",
  "log10(10)", "log2(8)", "mod(5, 3)", "pi()", "pow(2, 3)", "power(2, 3)", "radians(0)", "sin(0)",
  "sinh(0)", "sqrt(4)", "tan(0)", "trunc(1.5)", "json('[1]')", "hex(jsonb('1'))", "json_array(1)",
  "json_array_length('[1]')", "json_extract('[1]', '$[0]')", "'[1]' -> 0", "'[1]' ->> 0",
  "json_insert('{}', '$.a', 1)", "json_object('a', 1)", "json_patch('{}', '{}')",
  "json_pretty('[1]')", "json_remove('[1]', '$[0]')", "json_replace('[1]', '$[0]', 2)",
  "json_set('[1]', '$[0]', 2)", "json_type('1')", "json_valid('x')", "json_quote('a')",
  "json_group_array(1)", "json_error_position('x')", "json_group_object('a', 1)",
  "sqlite_version()", "sqlite_source_id()", "sqlite_compileoption_get(0)",
  "sqlite_compileoption_used('x')", "sqlite_offset(1)", "fts5_source_id()", "fts5(1)",
  "rtreenode(1, 1)", "rtreedepth(1)", "geopoly_blob(1)", "edit('x')", "sqlite_log(1, 'x')",
  "subtype(1)", "decimal('1')", "regexp('a', 'a')", "ieee754(1)", "sha1('a')",
  "nothing()",
];

const repeat = (text, count, between = ", ") => Array(count).fill(text).join(between);

/** Each at its limit and one beyond. */
const LIMITS = {
  "columns": (n) => `CREATE TABLE c${n} (${Array.from({ length: 99 + n }, (_, i) => `a${i}`)})`,
  "variables": (n) => [`SELECT ${repeat("?", 99 + n)}`, Array(99 + n).fill(1)],
  "numbered variable": (n) => [`SELECT ?${99 + n}`, Array(99 + n).fill(1)],
  "compound terms": (n) => repeat("SELECT 1", 4 + n, " UNION ALL "),
  "arguments": (n) => `SELECT length(concat(${repeat("1", 126 + n)}))`,
  "depth of expressions": (n) => {
    const depth = n === 1 ? 40 : 120;
    return `SELECT ${"(1+".repeat(depth)}1${")".repeat(depth)}`;
  },
  "like pattern": (n) => ["SELECT 'a' LIKE ?", ["a".repeat(49 + n)]],
  "text of SQL": (n) => `SELECT 1 /*${"x".repeat(100_000 - 14 + n)}*/`,
  "trigger depth": (n) => n === 1
    ? "CREATE TABLE d (n); CREATE TRIGGER dd AFTER INSERT ON d WHEN new.n > 0 BEGIN " +
      "INSERT INTO d VALUES (new.n - 1); END; PRAGMA recursive_triggers = on; " +
      "INSERT INTO d VALUES (5)"
    : "INSERT INTO d VALUES (20)",
  "printf width": (n) => `SELECT length(printf('%${n === 1 ? 1000 : 200_000}d', 1))`,
};

export class Database extends DurableObject {
  run(path) {
    const { sql, kv } = this.ctx.storage;
    const all = (queries) => Object.fromEntries(queries.map((text) => [text, outcome(sql, text)]));
    if (path === "/statements") return all(STATEMENTS);
    if (path === "/denied") {
      kv.put("a", 1);
      sql.exec("CREATE TABLE t (a)");
      return all(DENIED);
    }
    if (path === "/pragmas") {
      sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE); CREATE INDEX u ON t (a)");
      return Object.fromEntries(PRAGMAS.map((text) => [text, outcome(sql, `PRAGMA ${text}`)]));
    }
    if (path === "/functions") {
      return Object.fromEntries(CALLS.map((text) => [text, outcome(sql, `SELECT ${text}`)]));
    }
    const results = {};
    for (const [name, make] of Object.entries(LIMITS)) {
      results[name] = [1, 2].map((n) => {
        const [query, bindings] = [make(n)].flat(1).length > 1 ? make(n) : [make(n), []];
        const found = outcome(sql, query, bindings);
        return Array.isArray(found) ? "works" : found.slice(0, 200);
      });
    }
    return results;
  }
}

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    return Response.json(await ctx.exports.Database.getByName(pathname).run(pathname));
  },
};
