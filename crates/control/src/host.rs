//! What the app host asks of the runtime: to run apps. The runtime answers by talking to each
//! app's supervisor.

use std::collections::BTreeMap;

use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value};
use worker::census::Census;
use worker::code::Module;
use worker::error::{Error, SourcePosition, StartError};

/// Runs apps. Every method that takes an app speaks about one by its checked name.
///
/// Dropping a future stops waiting, not the work.
pub trait AppHost {
    /// Starts a deployment and makes it the app's current one; the app keeps its data. Where it
    /// does not start, the version before goes on serving.
    fn deploy(
        &self,
        app: &str,
        deployment: Deployment,
    ) -> LocalBoxFuture<'static, Result<Deployed, DeployError>>;

    /// What the supervisor keeps about the app, without starting the app: an object with
    /// `version`, `hash` and `modules` (names) of the current deployment. `None` where nothing
    /// was ever deployed.
    fn describe(&self, app: &str) -> LocalBoxFuture<'static, Result<Option<Value>, Error>>;

    /// Changes the limits of an app, if there is a change, and stops it, so that they hold; gives
    /// those it has of its own, by name. A limit that is null in the change is none of its own.
    fn limit(
        &self,
        app: &str,
        change: Option<Map<String, Value>>,
    ) -> LocalBoxFuture<'static, Result<Value, Error>>;

    /// Stops the app and erases its code and data. Erasing what is not there succeeds.
    fn remove(&self, app: &str) -> LocalBoxFuture<'static, Result<(), Error>>;

    /// Runs `scheduled()` of apps when these patterns, which were checked, say so; replaces those
    /// before.
    fn schedule(&self, crons: Vec<(String, Vec<String>)>);

    /// What of all apps is in memory.
    fn census(&self) -> LocalBoxFuture<'static, Result<Census, Error>>;
}

/// Code and settings that a client submitted, checked.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The main module; always a JavaScript module of `modules`.
    pub main: String,
    /// All modules by name.
    pub modules: BTreeMap<String, Module>,
    /// The variables in the app's `env`.
    pub vars: Map<String, Value>,
    /// When its `scheduled()` runs.
    pub crons: Vec<String>,
    /// The path at which outside clients speak Cap'n Web to it, if they may.
    pub rpc: Option<String>,
    /// SHA-256 of all of this as 64 hex digits: equal deployment, equal hash.
    pub hash: String,
}

/// A deployment that is now current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployed {
    /// Counts the app's deployments from 1.
    pub version: u64,
}

/// Why a deployment did not become current.
#[derive(Debug, Clone)]
pub enum DeployError {
    /// The code is at fault, as the supervisor reported it.
    Rejected(Box<Rejection>),
    /// The event failed on its way.
    Failed(Error),
}

/// What is wrong with the code of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejection {
    /// A stable code of `docs/errors.md`: `syntax`, `link`, `startup`, `no_handler` …
    pub code: String,
    /// What happened, with the JavaScript error's name.
    pub message: String,
    /// Where, if the engine could say.
    pub at: Option<SourcePosition>,
    /// The source line with a caret under the column.
    pub frame: Option<String>,
}

impl Rejection {
    /// The rejection of code that does not start.
    #[must_use]
    pub fn start(code: &str, start: &StartError) -> Rejection {
        Rejection {
            code: code.to_owned(),
            message: format!("{}: {}", start.name, start.message),
            at: start.at.clone(),
            frame: start.frame.clone(),
        }
    }
}

impl From<Error> for DeployError {
    fn from(error: Error) -> DeployError {
        DeployError::Failed(error)
    }
}
