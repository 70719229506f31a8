//! What SQL text of users may do: the platform's allow lists (`spec/storage.md` 1.2, ST-26..ST-30).
//!
//! The decision is a pure function of what SQLite asks; [`crate::database`] installs it. Two
//! questions SQLite does not ask are answered from the text of the statement: a rename's target,
//! and which of the refusals concern transactions.

use std::ffi::c_int;

use rusqlite::ffi;

/// One question of SQLite while it compiles a statement.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// `SQLITE_CREATE_TABLE`, `SQLITE_READ` …
    pub action: c_int,
    /// The first detail; what it names depends on the action.
    pub first: Option<&'a [u8]>,
    /// The second detail.
    pub second: Option<&'a [u8]>,
    /// `main`, `temp` or the name of an attached database.
    pub database: Option<&'a [u8]>,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The statement may do this.
    Allow,
    /// The statement does not compile.
    Deny,
}

/// Decides one request of a user's statement.
#[must_use]
pub fn decide(request: &Request<'_>) -> Decision {
    // Here the first detail is the database, the second the table; in the database's place is the
    // column of `DROP COLUMN`.
    if request.action == ffi::SQLITE_ALTER_TABLE {
        let is_main = request.first.is_none_or(|database| database == b"main");
        let allowed = is_main && name_is_free(request.second);
        return if allowed { Decision::Allow } else { Decision::Deny };
    }
    let allowed = match request.database {
        None | Some(b"main") => allowed_in_main(request),
        Some(b"temp") => allowed_in_temp(request),
        Some(_) => false,
    };
    if allowed { Decision::Allow } else { Decision::Deny }
}

/// True when the text of an `ALTER TABLE` mentions a name it might rename to and must not.
///
/// Identifiers have no escapes that could hide the prefix. The trailing underscore is left out
/// because the shadow tables of a virtual table named `_cf` would get it.
#[must_use]
pub fn mentions_reserved_name(sql: &str) -> bool {
    sql.as_bytes().windows(3).any(|part| part.eq_ignore_ascii_case(&RESERVED_PREFIX[..3]))
}

fn allowed_in_main(request: &Request<'_>) -> bool {
    let (first, second) = (request.first, request.second);
    match request.action {
        ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE | ffi::SQLITE_ANALYZE => true,
        ffi::SQLITE_CREATE_TABLE
        | ffi::SQLITE_DELETE
        | ffi::SQLITE_DROP_TABLE
        | ffi::SQLITE_INSERT
        | ffi::SQLITE_CREATE_VIEW
        | ffi::SQLITE_DROP_VIEW
        | ffi::SQLITE_REINDEX
        | ffi::SQLITE_READ
        | ffi::SQLITE_UPDATE => name_is_free(first),
        ffi::SQLITE_CREATE_INDEX
        | ffi::SQLITE_DROP_INDEX
        | ffi::SQLITE_CREATE_TRIGGER
        | ffi::SQLITE_DROP_TRIGGER => name_is_free(first) && name_is_free(second),
        ffi::SQLITE_CREATE_VTABLE | ffi::SQLITE_DROP_VTABLE => {
            name_is_free(first) && second.is_some_and(|module| is_one_of(module, MODULES))
        }
        ffi::SQLITE_FUNCTION => second.is_some_and(function_is_known),
        ffi::SQLITE_PRAGMA => first.is_some_and(|pragma| pragma_is_allowed(pragma, second)),
        _ => false,
    }
}

fn allowed_in_temp(request: &Request<'_>) -> bool {
    matches!(request.action, ffi::SQLITE_READ | ffi::SQLITE_UPDATE) && name_is_free(request.first)
}

fn name_is_free(name: Option<&[u8]>) -> bool {
    let start = name.and_then(|name| name.get(..RESERVED_PREFIX.len()));
    !start.is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_PREFIX))
}

fn function_is_known(function: &[u8]) -> bool {
    let is_listed = FUNCTIONS.binary_search_by(|known| known.as_bytes().cmp(function)).is_ok();
    is_listed || is_one_of(function, KEYWORDS)
}

fn pragma_is_allowed(pragma: &[u8], argument: Option<&[u8]>) -> bool {
    let known = PRAGMAS.iter().find(|(name, _)| pragma.eq_ignore_ascii_case(name.as_bytes()));
    known.is_some_and(|(_, expected)| match expected {
        Argument::Any => true,
        Argument::Absent => argument.is_none(),
        Argument::Boolean => argument.is_none_or(|text| is_one_of(unquoted(text), BOOLEANS)),
        Argument::Name => argument.is_some() && name_is_free(argument),
        Argument::NameOrAbsent => name_is_free(argument),
        Argument::NumberOrAbsent => argument.is_none_or(is_number),
    })
}

fn is_one_of(text: &[u8], list: &[&str]) -> bool {
    list.iter().any(|known| text.eq_ignore_ascii_case(known.as_bytes()))
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'\'', inside @ .., b'\''] | [b'"', inside @ .., b'"'] => inside,
        _ => text,
    }
}

fn is_number(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).is_ok(),
        None => text.parse::<i32>().is_ok(),
    })
}

/// What a pragma may be called with.
enum Argument {
    Any,
    Absent,
    Boolean,
    Name,
    /// Also covers `quick_check`'s row limit: a number is a free name.
    NameOrAbsent,
    NumberOrAbsent,
}

const RESERVED_PREFIX: &[u8] = b"_cf_";

const MODULES: &[&str] = &["fts5", "fts5vocab", "rtree", "rtree_i32"];

const BOOLEANS: &[&str] = &["true", "false", "yes", "no", "on", "off", "1", "0"];

const PRAGMAS: &[(&str, Argument)] = &[
    ("table_list", Argument::Any),
    ("table_info", Argument::Name),
    ("table_xinfo", Argument::Name),
    ("data_version", Argument::Absent),
    ("page_size", Argument::Absent),
    ("case_sensitive_like", Argument::Boolean),
    ("foreign_keys", Argument::Boolean),
    ("defer_foreign_keys", Argument::Boolean),
    ("ignore_check_constraints", Argument::Boolean),
    ("legacy_alter_table", Argument::Boolean),
    ("recursive_triggers", Argument::Boolean),
    ("reverse_unordered_selects", Argument::Boolean),
    ("foreign_key_list", Argument::Name),
    ("index_info", Argument::Name),
    ("index_list", Argument::Name),
    ("index_xinfo", Argument::Name),
    ("foreign_key_check", Argument::NameOrAbsent),
    ("quick_check", Argument::NameOrAbsent),
    ("optimize", Argument::NumberOrAbsent),
];

/// Functions without parentheses, which are named as the statement writes them.
const KEYWORDS: &[&str] = &["current_date", "current_time", "current_timestamp"];

/// Sorted by byte, for binary search.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "->", "->>", "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg",
    "bm25", "ceil", "changes", "char", "coalesce", "concat", "concat_ws", "cos", "cosh",
    "count", "cume_dist", "current_date", "current_time", "current_timestamp", "date",
    "datetime", "degrees", "dense_rank", "exp", "first_value", "floor", "format", "glob",
    "group_concat", "hex", "highlight", "ifnull", "iif", "instr", "json", "json_array",
    "json_array_length", "json_each", "json_extract", "json_group_array", "json_group_object",
    "json_insert", "json_object", "json_patch", "json_quote", "json_remove", "json_replace",
    "json_set", "json_tree", "json_type", "json_valid", "jsonb", "jsonb_array", "jsonb_extract",
    "jsonb_group_array", "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch",
    "jsonb_remove", "jsonb_replace", "jsonb_set", "julianday", "lag", "last_insert_rowid",
    "last_value", "lead", "length", "like", "likelihood", "likely", "ln", "load_extension",
    "log", "log2", "lower", "ltrim", "match", "max", "max_scalar", "min", "min_scalar", "mod",
    "nth_value", "ntile", "nullif", "octet_length", "percent_rank", "pi", "pow", "printf",
    "quote", "radians", "random", "randomblob", "rank", "replace", "round", "row_number",
    "rtreecheck", "rtrim", "sign", "sin", "sinh", "snippet", "soundex", "sqlite_drop_column",
    "sqlite_rename_column", "sqlite_rename_quotefix", "sqlite_rename_table",
    "sqlite_rename_test", "sqrt", "strftime", "string_agg", "substr", "substring", "sum", "tan",
    "tanh", "time", "timediff", "total", "total_changes", "trim", "trunc", "typeof", "unhex",
    "unicode", "unixepoch", "unlikely", "upper", "zeroblob",
];

#[cfg(test)]
mod tests;
