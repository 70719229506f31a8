//! Changes to a source that leave every other character in its line and column.

use std::collections::BTreeMap;

/// Ranges to blank or replace; they never overlap.
#[derive(Default)]
pub(super) struct Edits {
    /// By start; an insertion goes before what is changed at the same place.
    by_start: BTreeMap<(usize, bool), Edit>,
}

struct Edit {
    end: usize,
    /// What the range becomes; `None` for spaces.
    text: Option<String>,
}

impl Edits {
    /// Turns a range into spaces; lines stay.
    pub fn blank(&mut self, start: usize, end: usize) {
        self.by_start.insert((start, true), Edit { end, text: None });
    }

    /// As [`blank`](Self::blank), with a semicolon for the first character.
    pub fn blank_to_semicolon(&mut self, start: usize, end: usize) {
        self.replace(start, start + 1, ";".into());
        self.blank(start + 1, end);
    }

    /// Puts another text in place of a range.
    pub fn replace(&mut self, start: usize, end: usize, text: String) {
        self.by_start.insert((start, true), Edit { end, text: Some(text) });
    }

    /// Adds a text before the character at `at`.
    pub fn insert(&mut self, at: usize, text: String) {
        self.by_start.insert((at, false), Edit { end: at, text: Some(text) });
    }

    /// True if all of a range is changed already.
    pub fn cover(&self, start: usize, end: usize) -> bool {
        let before = self.by_start.range(..=(start, true)).next_back();
        before.is_some_and(|(_, edit)| end <= edit.end && edit.end > start)
    }

    /// The source with all changes.
    pub fn apply(self, source: &str) -> String {
        let mut result = String::with_capacity(source.len() + 64);
        let mut at = 0;
        for ((start, _), edit) in self.by_start {
            if start < at {
                continue;
            }
            result.push_str(&source[at..start]);
            match edit.text {
                Some(text) => {
                    result.push_str(&text);
                    let lines = |text: &str| text.matches('\n').count();
                    let lost = lines(&source[start..edit.end]).saturating_sub(lines(&text));
                    result.push_str(&"\n".repeat(lost));
                }
                None => source[start..edit.end].chars().for_each(|c| blank(c, &mut result)),
            }
            at = edit.end;
        }
        result.push_str(&source[at..]);
        result
    }
}

/// As many spaces as the character has columns; the ends of lines stay.
fn blank(character: char, result: &mut String) {
    match character {
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => result.push(character),
        other => (0..other.len_utf16()).for_each(|_| result.push(' ')),
    }
}
