//! Reads Rust just closely enough for the rules in `tidy.rs`: no tree, only words and braces.

/// `text` with comments, strings and character literals replaced by spaces, line by line.
pub fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let literal = literal_bytes(rest, out.chars().next_back());
        let bytes = if literal == 0 { c.len_utf8() } else { literal };
        let (taken, after) = rest.split_at(bytes);
        if literal == 0 {
            out.push(c);
        } else {
            out.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    out
}

/// Length of the comment or literal that `rest` starts with; 0 if it starts with neither.
fn literal_bytes(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_bytes(rest);
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let prefix = rest.len() - rest.trim_start_matches(['b', 'r', 'c']).len();
    let raw = rest[prefix.min(2)..].trim_start_matches('#');
    if !in_word && prefix <= 2 && rest[..prefix].contains('r') && raw.starts_with('"') {
        let hashes = rest.len() - prefix - raw.len();
        let close = format!("\"{}", "#".repeat(hashes));
        let body = prefix + hashes + 1;
        return rest[body..].find(&close).map_or(rest.len(), |end| body + end + close.len());
    }
    let start = if in_word { 0 } else { prefix.min(1) };
    match rest[start..].chars().next() {
        Some('"') => quoted_bytes(rest, start, '"'),
        Some('\'') if is_char_literal(&rest[start..]) => quoted_bytes(rest, start, '\''),
        _ => 0,
    }
}

fn block_comment_bytes(rest: &str) -> usize {
    let mut depth = 0;
    for (at, _) in rest.match_indices(['/', '*']) {
        let pair = rest.get(at..at + 2);
        match pair {
            Some("/*") => depth += 1,
            Some("*/") if depth == 1 => return at + 2,
            Some("*/") => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

fn quoted_bytes(rest: &str, start: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest[start + 1..].char_indices() {
        if c == quote && !escaped {
            return start + 1 + at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// Tells `'x'` and `'\n'` from the lifetime `'x`.
fn is_char_literal(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// The words of `code` with their offsets.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let part = |c: char| !(c.is_alphanumeric() || c == '_');
    let offset = move |word: &str| word.as_ptr().addr() - code.as_ptr().addr();
    code.split(part).filter(|word| !word.is_empty()).map(move |word| (offset(word), word))
}

pub fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Lines from the start of `code`, which is a `fn`, to the end of its body; 0 if it has none.
pub fn body_lines(code: &str) -> usize {
    let (mut braces, mut brackets) = (0_u32, 0_u32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if braces == 0 && brackets == 0 => return 0,
            '{' => braces += 1,
            '}' if braces <= 1 => return line_of(code, at),
            '}' => braces -= 1,
            _ => {}
        }
    }
    0
}

/// `ActorInner` → `actor_inner`.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[test]
fn comments_and_strings_are_blanked() {
    let blank = |text| blanked(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(blank("a // b\nc /* d /* e */ f */ g"), "a c g");
    assert_eq!(blank(r##"a("b\"c", r#"d"e"#, b"f") g"##), "a( , , ) g");
    assert_eq!(blank("a('\"', '\\'', b'{') as &'static B // c"), "a( , , ) as &'static B");
}
