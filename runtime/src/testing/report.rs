//! What became of the cases: lines for people while they run, and files for machines.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::serve::Failure;

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// `service` for the default export, else `service:export`.
    pub case: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    pub ms: u64,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// Everything settled well.
    Pass,
    /// Something threw.
    Fail {
        /// What was thrown.
        message: String,
        /// Where.
        stack: Option<String>,
    },
    /// It used something that Beryl has not.
    Skip {
        /// What it used.
        reason: String,
    },
    /// The process died.
    Crash {
        /// How.
        message: String,
    },
    /// It did not end in time.
    Timeout {
        /// The time it had, in milliseconds.
        limit_ms: u64,
    },
}

impl Outcome {
    /// The word for it in reports.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail { .. } => "fail",
            Outcome::Skip { .. } => "skip",
            Outcome::Crash { .. } => "crash",
            Outcome::Timeout { .. } => "timeout",
        }
    }

    /// True if the whole run fails by it.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !matches!(self, Outcome::Pass | Outcome::Skip { .. })
    }

    fn detail(&self) -> String {
        match self {
            Outcome::Pass => String::new(),
            Outcome::Fail { message, stack } => stack
                .clone()
                .filter(|stack| stack.contains(message.as_str()))
                .unwrap_or_else(|| format!("{message}\n{}", stack.as_deref().unwrap_or_default())),
            Outcome::Skip { reason } => reason.clone(),
            Outcome::Crash { message } => message.clone(),
            Outcome::Timeout { limit_ms } => format!("not done after {limit_ms} ms"),
        }
    }
}

/// The line for people, with what went wrong below it.
pub fn print(result: &CaseResult) {
    let word = result.outcome.word().to_uppercase();
    let mut text = format!("{word:7} {} ({} ms)", result.case, result.ms);
    for line in result.outcome.detail().lines().filter(|line| !line.is_empty()) {
        let _ = write!(text, "\n        {line}");
    }
    eprintln!("{text}");
}

/// The last line for people.
pub fn print_sum(results: &[CaseResult]) {
    let count = |word: &str| results.iter().filter(|it| it.outcome.word() == word).count();
    let words = ["pass", "fail", "skip", "crash", "timeout"].map(|word| (word, count(word)));
    let parts = words.iter().filter(|(word, count)| *count > 0 || *word == "pass");
    let parts: Vec<String> = parts.map(|(word, count)| format!("{count} {word}")).collect();
    eprintln!("{} tests: {}", results.len(), parts.join(", "));
}

/// Writes one JSON object per line: first the run itself, then every case.
///
/// # Errors
/// When the file cannot be written.
pub fn write_lines(
    path: &Path,
    unknown_flags: &[String],
    all: &[CaseResult],
) -> Result<(), Failure> {
    let mut text = format!("{}\n", json!({ "run": "beryl test", "unknownFlags": unknown_flags }));
    for result in all {
        let line = serde_json::to_string(result)?;
        let _ = writeln!(text, "{line}");
    }
    fs::write(path, text).map_err(|error| format!("--report {}: {error}", path.display()).into())
}

/// Writes the format that most test services read.
///
/// # Errors
/// When the file cannot be written.
pub fn write_junit(path: &Path, all: &[CaseResult]) -> Result<(), Failure> {
    let failures = all.iter().filter(|it| it.outcome.is_failure()).count();
    let skipped = all.iter().filter(|it| it.outcome.word() == "skip").count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"beryl test\" \
         tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\">\n",
        all.len()
    );
    for CaseResult { case, outcome, ms } in all {
        let (service, export) = case.split_once(':').unwrap_or((case, "default"));
        let seconds = Value::from(u32::try_from(*ms).map_or(0.0, f64::from) / 1000.0);
        let _ = write!(
            text,
            "<testcase classname=\"{}\" name=\"{}\" time=\"{seconds}\">",
            escaped(service),
            escaped(export)
        );
        let detail = escaped(&outcome.detail());
        let first = detail.lines().next().unwrap_or_default();
        let _ = match outcome {
            Outcome::Pass => Ok(()),
            Outcome::Skip { .. } => write!(text, "<skipped message=\"{first}\"/>"),
            _ => write!(text, "<failure message=\"{first}\">{detail}</failure>"),
        };
        text += "</testcase>\n";
    }
    text += "</testsuite>\n</testsuites>\n";
    fs::write(path, text).map_err(|error| format!("--junit {}: {error}", path.display()).into())
}

/// Text that XML can hold.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// What one process tells the one that started it, as lines of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Message {
    /// The cases there are, in their order.
    Plan {
        /// Their names.
        cases: Vec<String>,
        /// Compatibility flags that nobody knows.
        unknown_flags: Vec<String>,
    },
    /// A case begins.
    Begin {
        /// Its name.
        case: String,
    },
    /// A case is over.
    End(CaseResult),
    /// Nothing can run.
    Failed {
        /// Why.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Vec<CaseResult> {
        let fail = Outcome::Fail { message: "a < \"b\"".into(), stack: None };
        vec![
            CaseResult { case: "w".into(), outcome: Outcome::Pass, ms: 1500 },
            CaseResult { case: "w:x".into(), outcome: fail, ms: 1 },
        ]
    }

    #[test]
    fn a_line_has_the_case_and_its_outcome() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        write_lines(&path, &["nope".into()], &results()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["unknownFlags"], json!(["nope"]));
        assert_eq!((&lines[1]["case"], &lines[1]["outcome"]), (&json!("w"), &json!("pass")));
        assert_eq!(lines[2]["message"], "a < \"b\"");
        let again: CaseResult = serde_json::from_value(lines[2].clone()).unwrap();
        assert_eq!(again, results()[1]);
    }

    #[test]
    fn junit_escapes_what_xml_cannot_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.xml");
        write_junit(&path, &results()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("tests=\"2\" failures=\"1\" skipped=\"0\""), "{text}");
        assert!(text.contains("classname=\"w\" name=\"default\" time=\"1.5\""), "{text}");
        assert!(text.contains("<failure message=\"a &lt; &quot;b&quot;\">"), "{text}");
    }
}
