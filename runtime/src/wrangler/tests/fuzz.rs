//! Mutated configuration files: each is understood or refused with a line that it has.
//!
//! The seed is fixed, so that a finding comes again; `BERYL_TORTURE` runs a million of each format.

use super::*;

const JSONC: &str = r#"{ "name": "w", "main": "index.js", // what it is
  "compatibility_date": "2026-04-01", "compatibility_flags": ["nodejs_compat"],
  "vars": { "A": "text", "B": { "a": [1, true, null] }, "N": -2.5e3 },
  "durable_objects": { "bindings": [{ "name": "R", "class_name": "Room", "script_name": "b" }] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] },
    { "tag": "v2", "renamed_classes": [{ "from": "Room", "to": "Place" }] }],
  "services": [{ "binding": "S", "service": "b", "entrypoint": "Api", "props": { "u": 1 } }],
  "limits": { "cpu_ms": 50 }, "triggers": { "crons": ["*/5 * * * *"] },
  "rules": [{ "type": "Text", "globs": ["**/*.txt"], "fallthrough": true }],
  "env": { "test": { "vars": { "A": "\u00e9\n" } } }, /* the end */ }"#;

const TOML: &str = r#"
name = "w"
main = "index.js"
compatibility_date = 2026-04-01
vars = { A = "text", N = 0x1f, F = 1e3 }
[[durable_objects.bindings]]
name = "R"
class_name = "Room"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
[[services]]
binding = "S"
service = '''b'''
[triggers]
crons = ["0 0 1 * *"] # monthly
[env.test.vars]
A = "\u00e9"
"#;

#[test]
fn mutated_jsonc_is_understood_or_refused_with_a_line() {
    check(JSONC, Setting::from_jsonc);
}

#[test]
fn mutated_toml_is_understood_or_refused_with_a_line() {
    check(TOML, Setting::from_toml);
}

fn check(seed: &str, parse: fn(&str) -> Result<Setting, Problem>) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.js"), "export default {}").unwrap();
    let file = dir.path().join("wrangler");
    let rounds = if std::env::var_os("BERYL_TORTURE").is_some() { 1_000_000 } else { 1_500 };
    let mut chance = Chance(0x2545_f491);
    let (mut understood, mut refused) = (0, 0);
    for round in 0..rounds {
        let text = mutate(seed, &mut chance);
        let environment = (round % 3 == 0).then_some("test");
        let choice = Choice { environment, bundle: None };
        let read = || {
            let setting = keys::choose(parse(&text)?, environment)?;
            Project::of(&file, &setting, choice)
        };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
        match caught.unwrap_or_else(|_| panic!("round {round}: {text}")) {
            Ok(_) => understood += 1,
            Err(Problem { line, text: problem }) => {
                refused += 1;
                let lines = text.split('\n').count();
                assert!((1..=lines + 1).contains(&line) && !problem.is_empty(), "{line}: {text}");
            }
        }
    }
    assert!(understood > 0 && refused > 0, "{understood} understood, {refused} refused");
}

/// Some characters changed, moved, repeated or left out.
fn mutate(seed: &str, chance: &mut Chance) -> String {
    let mut text: Vec<char> = seed.chars().collect();
    for _ in 0..=chance.below(3) {
        let at = chance.below(text.len() + 1);
        let end = (at + chance.below(12)).min(text.len());
        match chance.below(5) {
            0 if at < text.len() => text[at] = ODD[chance.below(ODD.len())],
            1 => drop(text.drain(at..end)),
            2 => {
                let piece = text[at..end].repeat(1 + chance.below(60));
                text.splice(at..at, piece);
            }
            3 => text.truncate(at),
            _ => {
                let piece = text[at..end].to_vec();
                let to = chance.below(text.len() + 1);
                text.splice(to..to, piece);
            }
        }
    }
    text.into_iter().collect()
}

/// Numbers that look random and come again (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

const ODD: [char; 16] = [
    '{',
    '}',
    '[',
    ']',
    '"',
    '\'',
    '\\',
    ',',
    ':',
    '=',
    '\n',
    '\0',
    '\u{feff}',
    '\u{10ffff}',
    '-',
    '9',
];
