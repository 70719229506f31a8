//! `UPDATE … LIMIT` and `DELETE … LIMIT`, which the SQLite we build does not parse.
//!
//! What SQLite does with them where it is built for them is a rewrite: the rows are chosen by a
//! subquery, `WHERE rowid IN (SELECT rowid FROM t WHERE … ORDER BY … LIMIT …)`. The same is done
//! here with the text, once SQLite has refused it.

use std::ops::Range;

/// A statement that limits its rows, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limited<'a> {
    sql: &'a str,
    /// Everything up to the table: `WITH …`, `DELETE FROM` or `UPDATE OR …`.
    verb: Range<usize>,
    /// The table with alias and index hint, and without the hint.
    source: Range<usize>,
    target: Range<usize>,
    /// The table's own name, unquoted.
    pub(crate) table: String,
    set: Range<usize>,
    condition: Range<usize>,
    returning: Range<usize>,
    order: Range<usize>,
    limit: Range<usize>,
    /// The text behind the statement.
    pub(crate) rest: &'a str,
    parameters: Vec<(Range<usize>, u32)>,
}

/// Why a statement cannot be rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is none of these statements: SQLite's own error stands.
    Other,
    /// `ORDER BY` without `LIMIT`, which SQLite refuses too.
    OnlyOrder(&'static str),
    /// `UPDATE … FROM … LIMIT`.
    From,
}

/// Takes the first statement of a text apart.
pub(crate) fn parse(sql: &str) -> Result<Limited<'_>, Refused> {
    let tokens = Tokens::of(sql);
    let end = tokens.find(0, &[";"]).unwrap_or(tokens.list.len());
    let verb =
        tokens.find(0, &["DELETE", "UPDATE"]).filter(|at| *at < end).ok_or(Refused::Other)?;
    let is_delete = tokens.is(verb, "DELETE");
    let starts_well = verb == 0 || tokens.is(0, "WITH");
    let from = if is_delete { tokens.find(verb, &["FROM"]) } else { Some(verb) };
    let mut first = from.filter(|_| starts_well).ok_or(Refused::Other)? + 1;
    if tokens.is(first, "OR") && !is_delete {
        first += 2;
    }
    let clause = |names: &[&str]| tokens.find(first, names).filter(|at| *at < end).unwrap_or(end);
    let limit = clause(&["LIMIT"]);
    let order = clause(&["ORDER"]).min(limit);
    let returning = clause(&["RETURNING"]).min(order);
    let condition = clause(&["WHERE"]).min(returning);
    let set = if is_delete { condition } else { clause(&["SET"]) };
    match () {
        () if limit == end && order == end => return Err(Refused::Other),
        () if limit == end => {
            return Err(Refused::OnlyOrder(if is_delete { "DELETE" } else { "UPDATE" }));
        }
        () if set >= condition && !is_delete => return Err(Refused::Other),
        () if clause(&["FROM"]) < condition && !is_delete => return Err(Refused::From),
        () => {}
    }
    let hint = clause(&["INDEXED", "NOT"]).min(set);
    let name = if tokens.is(first + 1, ".") { first + 2 } else { first };
    Ok(Limited {
        sql,
        verb: tokens.text(0, first),
        source: tokens.text(first, set),
        target: tokens.text(first, hint),
        table: unquoted(tokens.list.get(name).map_or("", |token| &sql[token.range.clone()])),
        set: tokens.text(set, condition),
        condition: tokens.text((condition + 1).min(returning), returning),
        returning: tokens.text(returning, order),
        order: tokens.text(order, limit),
        limit: tokens.text(limit, end),
        rest: tokens.list.get(end).map_or("", |token| &sql[token.range.end..]),
        parameters: tokens.parameters(),
    })
}

/// The text that SQLite takes, and where its parts were.
pub(crate) struct Rewritten {
    pub(crate) text: String,
    /// Where a part begins here and in the original, and its bytes.
    parts: Vec<(usize, usize, usize)>,
}

impl Limited<'_> {
    /// The text that SQLite takes; `key` names what tells rows of the table apart.
    pub(crate) fn rewritten(&self, key: &str) -> Rewritten {
        let mut new = Rewritten { text: String::new(), parts: Vec::new() };
        let mut add = |before: &str, range: &Range<usize>| {
            new.text.push_str(before);
            self.numbered(range, &mut new);
        };
        add("", &self.verb);
        add(" ", &self.target);
        add(" ", &self.set);
        add(&format!(" WHERE ({key}) IN (SELECT {key} FROM "), &self.source);
        add(if self.condition.is_empty() { "" } else { " WHERE " }, &self.condition);
        add(" ", &self.order);
        add(" ", &self.limit);
        add(") ", &self.returning);
        new
    }

    /// Adds a part of the text, its parameters with the numbers they have: their order changes.
    fn numbered(&self, range: &Range<usize>, new: &mut Rewritten) {
        let mut at = range.start;
        let add = |new: &mut Rewritten, piece: Range<usize>| {
            new.parts.push((new.text.len(), piece.start, piece.len()));
            new.text.push_str(&self.sql[piece]);
        };
        for (place, number) in &self.parameters {
            if range.contains(&place.start) {
                add(new, at..place.start);
                new.parts.push((new.text.len(), place.start, 1));
                new.text.push_str(&format!("?{number}"));
                at = place.end;
            }
        }
        add(new, at..range.end.max(at));
    }
}

impl Rewritten {
    /// Where a byte of the text was; `None` if it is new.
    pub(crate) fn original(&self, offset: usize) -> Option<usize> {
        let part = self.parts.iter().find(|(at, _, bytes)| (*at..at + bytes).contains(&offset));
        part.map(|(at, from, _)| from + offset - at)
    }
}

/// The tokens of a text, white space and comments left out.
struct Tokens<'a> {
    sql: &'a str,
    list: Vec<Token>,
}

struct Token {
    range: Range<usize>,
    depth: usize,
}

impl<'a> Tokens<'a> {
    fn of(sql: &'a str) -> Tokens<'a> {
        let (mut list, mut depth, mut at) = (Vec::new(), 0_usize, 0);
        while at < sql.len() {
            let length = token_bytes(&sql.as_bytes()[at..]);
            let range = at..at + length;
            at += length;
            let bytes = &sql.as_bytes()[range.clone()];
            if bytes[0].is_ascii_whitespace()
                || bytes.starts_with(b"--")
                || bytes.starts_with(b"/*")
            {
                continue;
            }
            if bytes == b")" {
                depth = depth.saturating_sub(1);
            }
            list.push(Token { range, depth });
            if bytes == b"(" {
                depth += 1;
            }
        }
        Tokens { sql, list }
    }

    fn is(&self, index: usize, word: &str) -> bool {
        let token = self.list.get(index).filter(|token| token.depth == 0);
        token.is_some_and(|token| self.sql[token.range.clone()].eq_ignore_ascii_case(word))
    }

    /// The first of these words outside of parentheses.
    fn find(&self, from: usize, words: &[&str]) -> Option<usize> {
        (from..self.list.len()).find(|index| words.iter().any(|word| self.is(*index, word)))
    }

    /// The text of some tokens.
    fn text(&self, from: usize, to: usize) -> Range<usize> {
        let start = self.list.get(from).map_or(self.sql.len(), |token| token.range.start);
        let end = to.checked_sub(1).and_then(|last| self.list.get(last));
        start..end.map_or(start, |token| token.range.end).max(start)
    }

    /// The parameters with the numbers SQLite gives them.
    fn parameters(&self) -> Vec<(Range<usize>, u32)> {
        let (mut found, mut names, mut newest) = (Vec::new(), Vec::<(&str, u32)>::new(), 0);
        for token in &self.list {
            let text = &self.sql[token.range.clone()];
            let number = match text.as_bytes()[0] {
                b'?' if text.len() > 1 => text[1..].parse().unwrap_or(u32::MAX),
                b'?' => newest + 1,
                b':' | b'@' | b'$' => {
                    let known = names.iter().find(|(name, _)| *name == text);
                    known.map_or(newest + 1, |(_, number)| *number)
                }
                _ => continue,
            };
            newest = newest.max(number);
            names.push((text, number));
            found.push((token.range.clone(), number));
        }
        found
    }
}

/// How many bytes the token takes that a text begins with; white space counts as one.
fn token_bytes(text: &[u8]) -> usize {
    let until = |end: &[u8], from: usize| {
        let found = text[from..].windows(end.len()).position(|part| part == end);
        found.map_or(text.len(), |at| from + at + end.len())
    };
    let while_ = |is: fn(u8) -> bool| {
        1 + text[1..].iter().position(|byte| !is(*byte)).unwrap_or(text.len() - 1)
    };
    match text[0] {
        quote @ (b'\'' | b'"' | b'`') => {
            let mut at = 1;
            loop {
                at = match text[at..].iter().position(|byte| *byte == quote) {
                    None => return text.len(),
                    Some(found) => at + found + 1,
                };
                // A doubled quote stands for itself.
                if text.get(at) != Some(&quote) {
                    return at;
                }
                at += 1;
            }
        }
        b'[' => until(b"]", 1),
        b'-' if text.starts_with(b"--") => until(b"\n", 2),
        b'/' if text.starts_with(b"/*") => until(b"*/", 2),
        b'?' => while_(|byte| byte.is_ascii_digit()),
        byte if byte.is_ascii_whitespace() => while_(|byte| byte.is_ascii_whitespace()),
        byte if is_word(byte) || matches!(byte, b':' | b'@' | b'$') => while_(is_word),
        _ => 1,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// A name without its quotes.
fn unquoted(name: &str) -> String {
    match name.as_bytes() {
        [quote @ (b'"' | b'`' | b'\''), .., last] if quote == last && name.len() > 1 => {
            let quote = char::from(*quote);
            name[1..name.len() - 1].replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        [b'[', .., b']'] => name[1..name.len() - 1].to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(sql: &str) -> String {
        let text = parse(sql).unwrap().rewritten("rowid").text;
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn rows_are_chosen_by_a_subquery() {
        let check = |sql: &str, expect: &str| assert_eq!(rewritten(sql), expect);
        check(
            "DELETE FROM t LIMIT 1",
            "DELETE FROM t WHERE (rowid) IN (SELECT rowid FROM t LIMIT 1)",
        );
        check(
            "update or ignore t as x indexed by i set a = (select 1 limit 1) where a > ':?' \
             order by a desc limit 2 offset 3;",
            "update or ignore t as x set a = (select 1 limit 1) WHERE (rowid) IN (SELECT rowid \
             FROM t as x indexed by i WHERE a > ':?' order by a desc limit 2 offset 3)",
        );
        check(
            "WITH c AS (SELECT 1) DELETE FROM main.[t x] WHERE a IN c LIMIT 1",
            "WITH c AS (SELECT 1) DELETE FROM main.[t x] WHERE (rowid) IN (SELECT rowid FROM \
             main.[t x] WHERE a IN c LIMIT 1)",
        );
    }

    #[test]
    fn places_are_found_again() {
        let sql = "DELETE FROM t WHERE a = ? LIMIT nope";
        let new = parse(sql).unwrap().rewritten("rowid");
        for word in ["t WHERE", "a =", "LIMIT", "nope"] {
            let place = new.text.rfind(word).unwrap();
            let place = if word == "t WHERE" { new.text.find("t WHERE").unwrap() } else { place };
            assert_eq!(new.original(place), sql.find(word), "{word}");
        }
        assert_eq!(new.original(new.text.find("IN (").unwrap()), None);
    }

    #[test]
    fn parameters_keep_their_numbers() {
        assert_eq!(
            rewritten("DELETE FROM t WHERE a = ? RETURNING a + ?, :x LIMIT ?"),
            "DELETE FROM t WHERE (rowid) IN (SELECT rowid FROM t WHERE a = ?1 LIMIT ?4) \
             RETURNING a + ?2, ?3"
        );
    }

    #[test]
    fn other_statements_are_left_alone() {
        assert_eq!(parse("SELECT 1 LIMIT 1"), Err(Refused::Other));
        assert_eq!(
            parse("INSERT INTO t DEFAULT VALUES; DELETE FROM t LIMIT 1"),
            Err(Refused::Other)
        );
        assert_eq!(parse("DELETE FROM t"), Err(Refused::Other));
        assert_eq!(parse("UPDATE t SET a = 1 ORDER BY a"), Err(Refused::OnlyOrder("UPDATE")));
        assert_eq!(parse("UPDATE t SET a = 1 FROM u LIMIT 1"), Err(Refused::From));
        assert_eq!(parse("DELETE FROM t LIMIT 1; x").unwrap().rest, " x");
        assert_eq!(parse("DELETE FROM \"a\"\"b\" LIMIT 1").unwrap().table, "a\"b");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None, ..Default::default()
        })]

        #[test]
        fn no_text_is_too_odd(
            text in "(DELETE FROM t|UPDATE t SET a=|LIMIT|'|\"|\\[|--|/\\*|\\(|\\)|\\?|;| ){0,9}",
        ) {
            let _ = parse(&text).map(|limited| limited.rewritten("rowid"));
        }
    }
}
