//! A configuration file as a tree in which everything knows its line, read from JSONC or TOML.
//!
//! Nothing here knows what a setting means; it only tells apart what was written and where.

use jsonc_parser::ast;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One value of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Where it begins, counted from 1.
    pub line: usize,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A string, number, boolean or null.
    Plain(Value),
    /// An array.
    List(Vec<Setting>),
    /// An object, by key in the order of the file.
    Table(Vec<(String, Setting)>),
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub text: String,
}

impl Setting {
    /// Reads JSON with comments and trailing commas.
    ///
    /// # Errors
    /// The first place that is no JSONC.
    pub fn from_jsonc(text: &str) -> Result<Setting, Problem> {
        let strict = jsonc_parser::ParseOptions {
            allow_comments: true,
            allow_trailing_commas: true,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            ..jsonc_parser::ParseOptions::default()
        };
        let parsed = jsonc_parser::parse_to_ast(text, &Default::default(), &strict);
        let parsed = parsed.map_err(|error| Problem {
            line: line_of(text, error.range().start),
            text: format!("this is no JSON: {}", error.kind()),
        })?;
        let empty = || Problem { line: 1, text: "the file is empty".into() };
        of_jsonc(text, &parsed.value.ok_or_else(empty)?)
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// The first place that is no TOML.
    pub fn from_toml(text: &str) -> Result<Setting, Problem> {
        let table = DeTable::parse(text).map_err(|error| Problem {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            text: format!("this is no TOML: {}", error.message()),
        })?;
        of_table(text, &table, 1)
    }

    /// Complains about this value.
    pub fn problem(&self, text: impl Into<String>) -> Problem {
        Problem { line: self.line, text: text.into() }
    }

    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Plain(value) => value.clone(),
            Content::List(items) => items.iter().map(Setting::to_json).collect(),
            Content::Table(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), value.to_json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// The value of a key, if this is an object that has it.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Setting> {
        let Content::Table(entries) = &self.content else { return None };
        entries.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }
}

fn of_jsonc(text: &str, value: &ast::Value) -> Result<Setting, Problem> {
    let at = |start: usize| line_of(text, start);
    let (start, content) = match value {
        ast::Value::StringLit(lit) => {
            (lit.range.start, Content::Plain(lit.value.clone().into_owned().into()))
        }
        ast::Value::NumberLit(lit) => {
            let number: Result<Number, _> = serde_json::from_str(lit.value);
            let bad = |_| Problem {
                line: at(lit.range.start),
                text: format!("{} is no number", lit.value),
            };
            (lit.range.start, Content::Plain(Value::Number(number.map_err(bad)?)))
        }
        ast::Value::BooleanLit(lit) => (lit.range.start, Content::Plain(lit.value.into())),
        ast::Value::NullKeyword(lit) => (lit.range.start, Content::Plain(Value::Null)),
        ast::Value::Array(list) => {
            let items = list.elements.iter().map(|item| of_jsonc(text, item));
            (list.range.start, Content::List(items.collect::<Result<_, _>>()?))
        }
        ast::Value::Object(object) => {
            let mut entries: Vec<(String, Setting)> = Vec::new();
            for property in &object.properties {
                let key = property.name.as_str().to_owned();
                let line = at(property.range.start);
                if entries.iter().any(|(known, _)| *known == key) {
                    return Err(Problem { line, text: format!("{key}: given twice") });
                }
                let value = of_jsonc(text, &property.value)?;
                entries.push((key, Setting { line, ..value }));
            }
            (object.range.start, Content::Table(entries))
        }
    };
    Ok(Setting { line: at(start), content })
}

fn of_table(text: &str, table: &Spanned<DeTable>, line: usize) -> Result<Setting, Problem> {
    let mut entries = Vec::new();
    for (key, value) in table.get_ref().iter() {
        let line = line_of(text, key.span().start);
        let value = of_toml(text, value)?;
        entries.push((key.get_ref().to_string(), Setting { line, ..value }));
    }
    Ok(Setting { line, content: Content::Table(entries) })
}

fn of_toml(text: &str, value: &Spanned<DeValue>) -> Result<Setting, Problem> {
    let line = line_of(text, value.span().start);
    let plain = |value: Value| Ok(Setting { line, content: Content::Plain(value) });
    let bad = |what: &str| Problem { line, text: format!("{what} is no number JSON has") };
    match value.get_ref() {
        DeValue::String(text) => plain(text.to_string().into()),
        DeValue::Integer(number) => {
            let value = i64::from_str_radix(number.as_str(), number.radix());
            plain(value.map_err(|_| bad(number.as_str()))?.into())
        }
        DeValue::Float(number) => {
            let value = number.as_str().parse().ok().and_then(Number::from_f64);
            plain(Value::Number(value.ok_or_else(|| bad(number.as_str()))?))
        }
        DeValue::Boolean(value) => plain((*value).into()),
        DeValue::Datetime(time) => plain(time.to_string().into()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| of_toml(text, item));
            Ok(Setting { line, content: Content::List(items.collect::<Result<_, _>>()?) })
        }
        DeValue::Table(table) => of_table(text, &Spanned::new(value.span(), table.clone()), line),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_give_the_same_tree_with_lines() {
        let jsonc = "{ // a comment\n \"name\": \"a\",\n \"vars\": { \"N\": 1.5,\n\
                     \"L\": [true, null,], }\n}";
        let toml = "name = \"a\"\n\n[vars]\nN = 1.5\nL = [true]\n[[migrations]]\ntag = \"v1\"\n";
        let jsonc = Setting::from_jsonc(jsonc).unwrap();
        let toml = Setting::from_toml(toml).unwrap();
        assert_eq!(jsonc.find("name").unwrap().line, 2);
        assert_eq!(jsonc.find("vars").unwrap().find("L").unwrap().line, 4);
        let n = Setting { line: 3, content: Content::Plain(serde_json::json!(1.5)) };
        assert_eq!(jsonc.find("vars").unwrap().find("N"), Some(&n));
        assert_eq!(toml.find("vars").unwrap().find("N").unwrap().line, 4);
        assert_eq!(toml.find("vars").unwrap().to_json()["L"], serde_json::json!([true]));
        assert_eq!(toml.to_json()["migrations"][0]["tag"], "v1");
    }

    #[test]
    fn what_is_neither_is_refused_with_its_line() {
        for (text, line) in [("{\n\"a\": 1\n\"b\": 2}", 2), ("{\n'a': 1}", 2), ("{\"a\":\n}", 2)] {
            assert_eq!(Setting::from_jsonc(text).unwrap_err().line, line, "{text}");
        }
        assert_eq!(Setting::from_jsonc("{\"a\": 1,\n\"a\": 2}").unwrap_err().line, 2);
        assert_eq!(Setting::from_jsonc("").unwrap_err().line, 1);
        assert_eq!(Setting::from_toml("a = 1\nb = \n").unwrap_err().line, 2);
        assert_eq!(Setting::from_toml("a = 1\na = 2\n").unwrap_err().line, 2);
    }
}
