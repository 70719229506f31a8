//! The one shape of every error answer, and which status and code each failure has.
//!
//! `{"error":{"code","message","at":{"module","line","col"},"frame"}}`; codes are stable and
//! explained in `docs/errors.md`.

use http::StatusCode;
use http::header::{ALLOW, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use worker::body::BodyError;
use worker::error::Error;
use worker::message::Response;

use crate::host::{DeployError, Rejection};

/// An error answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    header: Option<(HeaderName, &'static str)>,
    error: Box<Value>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Refusal {
        let message: String = message.into();
        let error = json!({ "code": code, "message": message });
        Refusal { status, header: None, error: Box::new(error) }
    }

    pub(crate) fn unauthorized(message: &str) -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
            .with(WWW_AUTHENTICATE, "Bearer realm=\"beryl\"")
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn method_not_allowed(allowed: &'static str) -> Refusal {
        let message = format!("this URL takes {allowed}");
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
            .with(ALLOW, allowed)
    }

    pub(crate) fn json(error: &serde_json::Error) -> Refusal {
        let message = format!("the body is not the JSON expected here: {error}");
        let mut refusal = Refusal::new(StatusCode::BAD_REQUEST, "json", message);
        refusal.error["at"] = json!({ "line": error.line(), "col": error.column() });
        refusal
    }

    pub(crate) fn code(code: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub(crate) fn rejection(rejection: &Rejection) -> Refusal {
        let mut refusal = Refusal::code(&rejection.code, &rejection.message);
        if let Some(at) = &rejection.at {
            refusal.error["at"] = json!({ "module": at.module, "line": at.line, "col": at.column });
        }
        if let Some(frame) = &rejection.frame {
            refusal.error["frame"] = json!(frame);
        }
        refusal
    }

    /// The files of the app host failed; the operator finds the cause in the log.
    pub(crate) fn storage(error: &crate::Error) -> Refusal {
        tracing::error!(%error, "the catalogue cannot be changed");
        let message = "the app catalogue cannot be written; see the server's log";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", message)
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::json(self.status, &json!({ "error": *self.error }));
        if let Some((name, value)) = self.header {
            response.headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Refusal {
        self.header = Some((name, value));
        self
    }
}

impl From<DeployError> for Refusal {
    fn from(error: DeployError) -> Refusal {
        match error {
            DeployError::Rejected(rejection) => Refusal::rejection(&rejection),
            DeployError::Failed(error) => Refusal::from(error),
        }
    }
}

/// The one mapping of event failures to REST. An app that exceeds a limit or throws while it
/// is deployed is at fault like one that does not compile.
impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let code = error.code();
        let status = match &error {
            Error::AppStart(start) => return Refusal::rejection(&Rejection::start(code, start)),
            Error::AppThrew(thrown) if thrown.code.is_some() => passed_on(code),
            Error::AppCode(_)
            | Error::AppNoHandler(_)
            | Error::AppThrew(_)
            | Error::AppCpu(_)
            | Error::AppMemory(_)
            | Error::AppSubRequests(_)
            | Error::AppWall(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::OverloadQueue { .. }
            | Error::OverloadIsolates { .. }
            | Error::OverloadActors { .. }
            | Error::OverloadQuarantine { .. }
            | Error::OverloadShutdown
            | Error::BrokenReset(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::BrokenStorage(_) | Error::Bug(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Error::BrokenFull(_) => StatusCode::INSUFFICIENT_STORAGE,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(code, %error, "an admin request failed");
        }
        Refusal::new(status, code, error.to_string())
    }
}

/// The status of an error that a supervisor met and passed on under its code.
fn passed_on(code: &str) -> StatusCode {
    match code {
        "storage" | "internal" => StatusCode::INTERNAL_SERVER_ERROR,
        "storage_full" => StatusCode::INSUFFICIENT_STORAGE,
        "overloaded" | "quarantined" | "reset" | "shutting_down" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Refusal {
        let message = error.to_string();
        match error {
            BodyError::TooLarge { .. } => {
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
            }
            BodyError::Disconnected(_)
            | BodyError::Encoding(_)
            | BodyError::Failed(_)
            | BodyError::Aborted
            | BodyError::ReaderGone => {
                Refusal::new(StatusCode::BAD_REQUEST, "body_incomplete", message)
            }
        }
    }
}
