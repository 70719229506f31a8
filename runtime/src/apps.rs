//! The app host's link to the supervisors: deployments go to the app's Durable Object by RPC,
//! as one JSON text each way.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control::host::{AppHost, DeployError, Deployed, Deployment, Rejection};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use worker::actor_id::ActorId;
use worker::census::Census;
use worker::code::Module;
use worker::cron::CronTrigger;
use worker::entrypoint::{Call, Entrypoint, Serialized};
use worker::error::{Error, SourcePosition};
use worker::shard::Shard;
use worker::stub::ActorStub;

/// The supervisors, reached from one shard.
pub struct Supervisors {
    shard: Rc<Shard>,
}

impl Supervisors {
    /// The supervisors as seen from `shard`.
    pub fn new(shard: Rc<Shard>) -> Supervisors {
        Supervisors { shard }
    }

    /// The supervisor of an app, wherever it lives.
    pub fn of(&self, app: &str) -> ActorStub {
        let id = ActorId::from_name(CLASS, app);
        ActorStub::new(Rc::clone(&self.shard), CLASS.into(), id)
    }

    fn ask(
        &self,
        app: &str,
        method: &str,
        argument: &Value,
    ) -> LocalBoxFuture<'static, Result<Value, Error>> {
        let arguments = Some(Serialized::of_text_argument(&argument.to_string()));
        let reply =
            self.of(app).call(Call { method: Some(method.into()), arguments, ..Call::default() });
        Box::pin(async move {
            let answer = reply.await?.as_text();
            let answer = answer.and_then(|text| serde_json::from_str(&text).ok());
            answer.ok_or_else(|| Error::bug("a supervisor answered no JSON"))
        })
    }
}

impl AppHost for Supervisors {
    fn deploy(
        &self,
        app: &str,
        deployment: Deployment,
    ) -> LocalBoxFuture<'static, Result<Deployed, DeployError>> {
        // It may be what mends it.
        self.shard.quarantine().pardon(app);
        let modules: serde_json::Map<String, Value> = deployment
            .modules
            .into_iter()
            .map(|(name, module)| (name, module_to_json(&module)))
            .collect();
        let argument = json!({
            "main": deployment.main,
            "hash": deployment.hash,
            "vars": deployment.vars,
            "crons": deployment.crons,
            "rpc": deployment.rpc,
            "modules": modules,
        });
        let answer = self.ask(app, "deploy", &argument);
        Box::pin(async move {
            let answer = answer.await?;
            match answer["version"].as_u64() {
                Some(version) => Ok(Deployed { version }),
                None => Err(DeployError::Rejected(Box::new(rejection(&answer["error"])))),
            }
        })
    }

    fn describe(&self, app: &str) -> LocalBoxFuture<'static, Result<Option<Value>, Error>> {
        let answer = self.ask(app, "describe", &Value::Null);
        Box::pin(async move { Ok(Some(answer.await?).filter(|answer| !answer.is_null())) })
    }

    fn limit(
        &self,
        app: &str,
        change: Option<serde_json::Map<String, Value>>,
    ) -> LocalBoxFuture<'static, Result<Value, Error>> {
        self.ask(app, "limit", &change.map_or(Value::Null, Value::Object))
    }

    fn remove(&self, app: &str) -> LocalBoxFuture<'static, Result<(), Error>> {
        // Not by asking the supervisor: what is to be erased may be damaged.
        self.of(app).erase()
    }

    fn schedule(&self, crons: Vec<(String, Vec<String>)>) {
        let triggers = crons.iter().flat_map(|(app, patterns)| {
            let parsed = patterns.iter().filter_map(|pattern| CronTrigger::parse(pattern).ok());
            parsed.map(|trigger| trigger.of_actor(CLASS, app))
        });
        self.shard.set_actor_crons(triggers.collect());
    }

    fn census(&self) -> LocalBoxFuture<'static, Result<Census, Error>> {
        self.shard.census()
    }
}

fn module_to_json(module: &Module) -> Value {
    match module {
        Module::Js(text) => json!({ "js": &**text }),
        Module::Text(text) => json!({ "text": &**text }),
        Module::Json(text) => json!({ "json": &**text }),
        Module::Cjs(text) => json!({ "cjs": &**text }),
        Module::Data(bytes) => json!({ "data": STANDARD.encode(bytes) }),
        Module::Wasm(bytes) => json!({ "wasm": STANDARD.encode(bytes) }),
    }
}

fn rejection(error: &Value) -> Rejection {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let at = &error["at"];
    let position = || {
        Some(SourcePosition {
            module: text(&at["module"])?,
            line: number(&at["line"])?,
            column: number(&at["col"])?,
        })
    };
    Rejection {
        code: text(&error["code"]).unwrap_or_else(|| "startup".into()),
        message: text(&error["message"]).unwrap_or_default(),
        at: position(),
        frame: text(&error["frame"]),
    }
}

/// The class of `js/host/app_runner.js`.
const CLASS: &str = "AppRunner";
