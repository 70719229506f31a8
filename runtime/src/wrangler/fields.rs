//! One object of a configuration file, read field by field: what is not known or of the wrong
//! kind is an error that names it.

use serde_json::Value;

use super::setting::{Content, Problem, Setting};

/// An object whose keys are all known.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    setting: &'a Setting,
    path: &'a str,
}

impl<'a> Fields<'a> {
    /// Checks that this is an object and that its keys are known. `path` says what it is.
    ///
    /// # Errors
    /// When it is none, and the first key that is not known.
    pub fn new(setting: &'a Setting, path: &'a str, known: &[&str]) -> Result<Self, Problem> {
        let Content::Table(entries) = &setting.content else {
            return Err(setting.problem(format!("{path}: must be an object")));
        };
        for (key, value) in entries {
            if !known.contains(&key.as_str()) {
                let nearest = nearest(key, known);
                let hint = nearest.map_or_else(
                    || format!("known are {}", known.join(", ")),
                    |known| format!("did you mean {known:?}?"),
                );
                return Err(value.problem(format!("{path}.{key}: not supported by Beryl; {hint}")));
            }
        }
        Ok(Fields { setting, path })
    }

    /// Complains about one of the fields, or about the object where it is missing.
    pub fn problem(&self, key: &str, text: &str) -> Problem {
        let at = self.setting.find(key).unwrap_or(self.setting);
        at.problem(format!("{}.{key}: {text}", self.path))
    }

    /// A field as it is.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&'a Setting> {
        self.setting.find(key).filter(|value| value.content != Content::Plain(Value::Null))
    }

    /// A string.
    ///
    /// # Errors
    /// When it is none.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, Problem> {
        match self.find(key).map(|value| &value.content) {
            None => Ok(None),
            Some(Content::Plain(Value::String(text))) => Ok(Some(text)),
            Some(_) => Err(self.problem(key, "must be a string")),
        }
    }

    /// A string that must be there.
    ///
    /// # Errors
    /// When it is missing, empty or no string.
    pub fn required_text(&self, key: &str) -> Result<&'a str, Problem> {
        let text = self.text(key)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.problem(key, "missing; it must be a string"))
    }

    /// An array; one that is missing is empty.
    ///
    /// # Errors
    /// When it is none.
    pub fn list(&self, key: &str) -> Result<&'a [Setting], Problem> {
        match self.find(key).map(|value| &value.content) {
            None => Ok(&[]),
            Some(Content::List(items)) => Ok(items),
            Some(_) => Err(self.problem(key, "must be an array")),
        }
    }

    /// An array of strings.
    ///
    /// # Errors
    /// When it is none, or holds something else.
    pub fn texts(&self, key: &str) -> Result<Vec<&'a str>, Problem> {
        let text = |item: &'a Setting| match &item.content {
            Content::Plain(Value::String(text)) => Ok(text.as_str()),
            _ => Err(item.problem(format!("{}.{key}: must hold strings only", self.path))),
        };
        self.list(key)?.iter().map(text).collect()
    }

    /// A boolean; one that is missing is false.
    ///
    /// # Errors
    /// When it is none.
    pub fn is_set(&self, key: &str) -> Result<bool, Problem> {
        match self.find(key).map(|value| &value.content) {
            None => Ok(false),
            Some(Content::Plain(Value::Bool(value))) => Ok(*value),
            Some(_) => Err(self.problem(key, "must be true or false")),
        }
    }
}

/// The known key that was probably meant.
fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = |known: &&str| strsim::damerau_levenshtein(key, known);
    known.iter().copied().min_by_key(near).filter(|known| near(known) <= 1 + key.len() / 4)
}
