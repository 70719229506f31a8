//! From errors of the rooms below to JavaScript exceptions, in one place.
//!
//! What user code threw comes back with its type and message; errors of ours keep their stable
//! code as a property, and start errors say where in the source they are.

use std::borrow::Cow;

use deno_error::{JsErrorClass, PropertyValue};
use worker::error::{Error, StartError, Thrown};

/// An exception that an op throws.
#[derive(Debug, thiserror::Error)]
pub enum JsError {
    /// A failure of a worker, actor or event.
    #[error("{}", message(.0))]
    Worker(#[from] Error),
    /// A failure of an actor's storage.
    #[error("{}", .0.message())]
    Storage(#[from] storage::Error),
    /// The caller passed something that cannot be used.
    #[error("{0}")]
    Type(Cow<'static, str>),
    /// The caller passed a value outside of what is allowed.
    #[error("{0}")]
    Range(String),
    /// A use that the platform refuses with a plain `Error`.
    #[error("{0}")]
    Plain(String),
    /// A value has no structured clone.
    #[error("{0}")]
    DataClone(String),
}

impl JsError {
    /// A `TypeError`.
    pub fn type_error(message: impl Into<Cow<'static, str>>) -> JsError {
        JsError::Type(message.into())
    }

    /// A `RangeError`.
    #[must_use]
    pub fn range(message: String) -> JsError {
        JsError::Range(message)
    }

    /// An `Error`.
    #[must_use]
    pub fn plain(message: String) -> JsError {
        JsError::Plain(message)
    }

    /// What an op throws when the actor it is for is gone.
    #[must_use]
    pub fn actor_gone() -> JsError {
        Error::reset("Durable Object storage is no longer accessible.").into()
    }
}

impl JsErrorClass for JsError {
    fn get_class(&self) -> Cow<'static, str> {
        match self {
            JsError::Worker(error) => class(error),
            JsError::Storage(_) => "Error".into(),
            JsError::Plain(_) => "Error".into(),
            JsError::Range(_) => "RangeError".into(),
            JsError::Type(_) => "TypeError".into(),
            JsError::DataClone(_) => "DOMExceptionDataCloneError".into(),
        }
    }

    fn get_message(&self) -> Cow<'static, str> {
        self.to_string().into()
    }

    fn get_additional_properties(&self) -> deno_error::AdditionalProperties {
        let mut properties: Vec<(Cow<'static, str>, PropertyValue)> = Vec::new();
        if let JsError::Storage(error) = self
            && error.breaks_actor()
        {
            properties.push(("code".into(), "storage".into()));
        }
        if let JsError::Worker(error) = self {
            if let Some(breach) = error.breach() {
                properties.push(("limit".into(), (breach.limit as f64).into()));
                properties.push(("used".into(), (breach.used as f64).into()));
                let place = breach.place.as_ref().map(|place| place.to_string().into());
                properties.extend(place.map(|place| ("where".into(), place)));
            }
            if let Error::AppThrew(thrown) | Error::BrokenReset(thrown) = error
                && thrown.resets_actor
            {
                // `js/pending.js` makes `durableObjectReset` of it.
                properties.push(("wasReset".into(), 1_f64.into()));
            }
            match error {
                Error::AppThrew(thrown) => {
                    properties.extend(thrown.code.map(|code| ("code".into(), code.into())));
                }
                Error::AppCode(_) => {}
                Error::AppStart(start) => place(start, &mut properties),
                Error::AppNoHandler(_)
                | Error::AppCpu(_)
                | Error::AppMemory(_)
                | Error::AppSubRequests(_)
                | Error::AppWall(_)
                | Error::OverloadQueue { .. }
                | Error::OverloadIsolates { .. }
                | Error::OverloadActors { .. }
                | Error::OverloadQuarantine { .. }
                | Error::OverloadShutdown
                | Error::BrokenReset(_)
                | Error::BrokenStorage(_)
                | Error::BrokenFull(_)
                | Error::Bug(_) => {
                    properties.push(("code".into(), error.code().into()));
                }
            }
        }
        Box::new(properties.into_iter())
    }

    fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
}

/// An event's error as user code described what it threw.
#[must_use]
pub fn thrown(name: String, message: String) -> Error {
    Error::AppThrew(Thrown::new(name, message).into())
}

fn message(error: &Error) -> String {
    match error {
        Error::AppThrew(thrown) | Error::AppCode(thrown) | Error::BrokenReset(thrown) => {
            thrown.message.clone()
        }
        Error::AppStart(start) => start.message.clone(),
        other => other.to_string(),
    }
}

fn class(error: &Error) -> Cow<'static, str> {
    let name = match error {
        Error::AppThrew(thrown) | Error::AppCode(thrown) | Error::BrokenReset(thrown) => {
            &thrown.name
        }
        Error::AppStart(start) => &start.name,
        _ => return "Error".into(),
    };
    if let Some(class) = CLASSES.iter().find(|class| *class == name) {
        return (*class).into();
    }
    match DOM_EXCEPTIONS.contains(&name.as_str()) {
        true => format!("DOMException{name}").into(),
        false => "Error".into(),
    }
}

fn place(start: &StartError, properties: &mut Vec<(Cow<'static, str>, PropertyValue)>) {
    use worker::error::StartStage;
    let code = match start.stage {
        StartStage::Syntax => "syntax",
        StartStage::Link => "link",
        StartStage::Startup => "startup",
    };
    properties.push(("code".into(), code.into()));
    if let Some(at) = &start.at {
        properties.push(("module".into(), at.module.clone().into()));
        properties.push(("line".into(), f64::from(at.line).into()));
        properties.push(("column".into(), f64::from(at.column).into()));
    }
    if let Some(frame) = &start.frame {
        properties.push(("frame".into(), frame.clone().into()));
    }
}

/// DOMException names that survive; `js/errors.js` has a builder for each.
const DOM_EXCEPTIONS: &[&str] = &[
    "AbortError",
    "DataCloneError",
    "IndexSizeError",
    "InvalidCharacterError",
    "InvalidStateError",
    "NotSupportedError",
    "OperationError",
    "QuotaExceededError",
    "TimeoutError",
    "TypeMismatchError",
];

/// Types that survive the way between isolates (DO-38).
const CLASSES: &[&str] =
    &["Error", "RangeError", "TypeError", "SyntaxError", "ReferenceError", "EvalError", "URIError"];
