//! Why an isolate could not do what it was asked.

use std::fmt;

use crate::breach::Breach;

/// A failure of an isolate as a whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The worker's code did not start; the isolate must be dropped.
    #[error("{0}")]
    AppStart(Box<StartError>),
    /// The isolate may not run again; the next event needs a new one.
    #[error("{0}")]
    BrokenCondemned(Condemned),
    /// As many isolates live as may; try again when some are gone.
    #[error("{isolates_max} isolates live already")]
    OverloadIsolates {
        /// The limit.
        isolates_max: usize,
    },
    /// The code that drives an isolate from within threw: a defect of ours.
    #[error("dispatch threw: {0}")]
    Bug(String),
}

/// Why an isolate was condemned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Condemned {
    /// A turn passed the CPU limit, in milliseconds.
    #[error("CPU limit of {} ms exceeded", .0.limit)]
    Cpu(Breach),
    /// The heap reached its limit, in bytes.
    #[error("memory limit exceeded")]
    Memory(Breach),
    /// It was terminated from outside, or an earlier defect made it unsafe to go on.
    #[error("the isolate was terminated")]
    Terminated,
}

/// Why a worker did not start, with the place in its source.
#[derive(Debug, Clone, Default)]
pub struct StartError {
    /// Which step failed.
    pub stage: StartStage,
    /// The JavaScript error's name, e.g. `SyntaxError`.
    pub name: String,
    /// The message without the name.
    pub message: String,
    /// Where, if the engine could say.
    pub at: Option<SourcePosition>,
    /// The source line with a caret under the column, ready to print.
    pub frame: Option<String>,
}

/// The step of a start-up that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartStage {
    /// Parsing a module.
    Syntax,
    /// Resolving and linking imports.
    Link,
    /// Evaluating the modules' top level.
    #[default]
    Startup,
}

/// A place in a module of the worker, both numbers counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePosition {
    /// The module's name as the worker's author wrote it.
    pub module: String,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl SourcePosition {
    /// The place of a byte of a module's source.
    #[must_use]
    pub fn at(module: &str, source: &str, byte: usize) -> SourcePosition {
        let before = &source[..byte.min(source.len())];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        SourcePosition {
            module: module.into(),
            line: count(before.matches('\n').count()),
            column: count(before[line_start..].chars().count()),
        }
    }

    /// The source line with line number, and a caret under the column.
    #[must_use]
    pub fn frame(&self, source: &str) -> Option<String> {
        let line = source.lines().nth(self.line.checked_sub(1)? as usize)?;
        let column = self.column.saturating_sub(1) as usize;
        // A minified line would drown the message: show the part around the column.
        let start = column.saturating_sub(FRAME_COLUMNS_BEFORE);
        let shown: String = line.chars().skip(start).take(FRAME_COLUMNS).collect();
        let number = self.line.to_string();
        let caret = " ".repeat(number.len() + 3 + column - start);
        Some(format!("{number} | {shown}\n{caret}^"))
    }
}

const FRAME_COLUMNS: usize = 100;
const FRAME_COLUMNS_BEFORE: usize = 60;

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)?;
        match &self.at {
            Some(at) => write!(f, " ({}:{}:{})", at.module, at.line, at.column),
            None => Ok(()),
        }
    }
}
