//! One worker as its `wrangler.jsonc`, `wrangler.json` or `wrangler.toml` describes it.
//!
//! A file is checked on its own here, with the place of everything that is wrong; how several
//! workers refer to each other is for [`crate::linked`]. Settings that only matter for deploying
//! to Cloudflare are accepted; what a worker could notice and Beryl does not have is an error.

mod fields;
mod keys;
pub mod modules;
pub mod namespaces;
mod secrets;
pub mod setting;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use worker::code::{Module, NodeCompat, is_typescript};
use worker::cron::CronTrigger;

use self::fields::Fields;
use self::modules::Rules;
use self::namespaces::Migration;
use self::setting::{Content, Problem, Setting};
use crate::config::Error;

/// A configured worker with its code.
#[derive(Debug)]
pub struct Project {
    /// The configuration file.
    pub file: PathBuf,
    /// The worker's name.
    pub name: String,
    /// The name of its main module.
    pub main: String,
    /// Its modules.
    pub modules: BTreeMap<String, Module>,
    /// What it may use of Node.js.
    pub node: NodeCompat,
    /// Variables and secrets.
    pub values: Map<String, Value>,
    /// Worker loaders.
    pub loaders: Vec<String>,
    /// Namespaces of Durable Objects.
    pub namespaces: Vec<NamespaceBinding>,
    /// Entrypoints of other workers.
    pub services: Vec<ServiceBinding>,
    /// What became of its classes.
    pub migrations: Vec<Migration>,
    /// When its `scheduled()` runs.
    pub crons: Vec<CronTrigger>,
    /// CPU time per turn, where the file limits it.
    pub cpu_ms: Option<u64>,
}

/// An entry of `durable_objects.bindings`.
#[derive(Debug, Clone)]
pub struct NamespaceBinding {
    /// Its name in `env`.
    pub name: String,
    /// The class.
    pub class: String,
    /// The worker that exports it, if it is another one.
    pub script: Option<String>,
    /// Earlier states of its objects are kept; `history` is a setting of Beryl's own.
    pub history: bool,
    /// Where it stands.
    pub line: usize,
}

/// An entry of `services`.
#[derive(Debug, Clone)]
pub struct ServiceBinding {
    /// Its name in `env`.
    pub name: String,
    /// The worker.
    pub service: String,
    /// The export; empty for the default export.
    pub entrypoint: String,
    /// `ctx.props` of its events.
    pub props: Option<Value>,
    /// Where it stands.
    pub line: usize,
}

/// How a configuration file is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The environment, of those under `env`.
    pub environment: Option<&'a str>,
    /// The folder with the bundled code, instead of what `main` names.
    pub bundle: Option<&'a Path>,
}

/// The configuration file that a path means: itself, or the one in that folder.
#[must_use]
pub fn find(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        let in_folder = FILE_NAMES.iter().map(|name| path.join(name));
        return in_folder.into_iter().find(|file| file.is_file());
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ["jsonc", "json", "toml"].contains(&ending).then(|| path.to_owned())
}

impl Project {
    /// Reads a configuration file and the code it names.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(file: &Path, choice: Choice) -> Result<Project, Error> {
        let at = |problem: Problem| Error::AppConfiguration {
            path: file.to_owned(),
            line: problem.line,
            problem: problem.text,
        };
        let text = fs::read_to_string(file).map_err(|cause| Error::ConfigPath {
            what: "configuration",
            path: file.to_owned(),
            cause,
            mend: "give the path of a wrangler.jsonc, wrangler.json or wrangler.toml",
        })?;
        let is_toml = file.extension().is_some_and(|ending| ending == "toml");
        let parse = if is_toml { Setting::from_toml } else { Setting::from_jsonc };
        let setting = parse(&text).and_then(|setting| keys::choose(setting, choice.environment));
        let setting = setting.map_err(at)?;
        Project::of(file, &setting, choice).map_err(at)
    }

    fn of(file: &Path, setting: &Setting, choice: Choice) -> Result<Project, Problem> {
        let fields = keys::check(setting, choice.bundle.is_some())?;
        let name = fields.required_text("name")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !name.chars().all(is_name) {
            return Err(fields.problem("name", "must be letters, digits, \"-\" and \"_\""));
        }
        let node = keys::node_compat(&fields)?;
        let mut names = Names::default();
        let values = values(file, &fields, choice.environment, &mut names)?;
        let loaders = loaders(&fields, &mut names)?;
        let namespaces = namespaces(&fields, name, &mut names)?;
        let services = services(&fields, &mut names)?;
        let migrations = migrations(&fields)?;
        let (main, modules) = code(file, &fields, choice.bundle)?;
        let file = file.to_owned();
        let name = name.to_owned();
        let cpu_ms = keys::cpu_ms(&fields)?;
        let crons = crons(&fields)?;
        let project = Project {
            file,
            name,
            main,
            modules,
            node,
            values,
            loaders,
            namespaces,
            services,
            migrations,
            crons,
            cpu_ms,
        };
        Ok(project)
    }

    /// The classes of its own that it binds.
    #[must_use]
    pub fn bound_classes(&self) -> Vec<String> {
        let own = |binding: &&NamespaceBinding| binding.script.is_none();
        self.namespaces.iter().filter(own).map(|binding| binding.class.clone()).collect()
    }

    /// False where a binding of the class says so.
    #[must_use]
    pub fn keeps_history(&self, class: &str) -> bool {
        let own = |binding: &&NamespaceBinding| binding.script.is_none() && binding.class == class;
        self.namespaces.iter().filter(own).all(|binding| binding.history)
    }

    /// Complains about a line of the configuration file.
    pub fn problem(&self, line: usize, problem: String) -> Error {
        Error::AppConfiguration { path: self.file.clone(), line, problem }
    }
}

/// The names in `env` so far.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    /// Takes a name, which must be one that code can write and nobody else may have.
    fn take(&mut self, name: &str, at: &Setting) -> Result<String, Problem> {
        if !is_identifier(name) || name == "__proto__" {
            let problem = "is no name for a binding; use letters, digits and \"_\"";
            return Err(at.problem(format!("{name:?} {problem}")));
        }
        if self.0.iter().any(|known| known == name) {
            return Err(at.problem(format!("{name}: another binding has this name")));
        }
        self.0.push(name.to_owned());
        Ok(name.to_owned())
    }
}

fn values(
    file: &Path,
    fields: &Fields,
    environment: Option<&str>,
    names: &mut Names,
) -> Result<Map<String, Value>, Problem> {
    let mut values = Map::new();
    let secrets = secrets::read(file, environment)?;
    match fields.find("vars").map(|vars| (&vars.content, vars)) {
        None => {}
        Some((Content::Table(entries), _)) => {
            for (name, value) in entries {
                values.insert(names.take(name, value)?, value.to_json());
            }
        }
        Some((_, vars)) => return Err(vars.problem("vars: must be an object")),
    }
    for (name, secret) in secrets {
        if values.insert(name.clone(), secret.into()).is_none() {
            names.0.push(name);
        }
    }
    Ok(values)
}

fn loaders(fields: &Fields, names: &mut Names) -> Result<Vec<String>, Problem> {
    let loader = |setting: &Setting| {
        let fields = Fields::new(setting, "worker_loaders", &["binding"])?;
        names.take(fields.required_text("binding")?, setting)
    };
    fields.list("worker_loaders")?.iter().map(loader).collect()
}

fn namespaces(
    fields: &Fields,
    own: &str,
    names: &mut Names,
) -> Result<Vec<NamespaceBinding>, Problem> {
    let Some(objects) = fields.find("durable_objects") else { return Ok(Vec::new()) };
    let objects = Fields::new(objects, "durable_objects", &["bindings"])?;
    let binding = |setting: &Setting| {
        let known = ["name", "class_name", "script_name", "history"];
        let fields = Fields::new(setting, "durable_objects.bindings", &known)?;
        let name = names.take(fields.required_text("name")?, setting)?;
        let class = class_name(fields.required_text("class_name")?, setting)?;
        let script = fields.text("script_name")?.filter(|script| *script != own);
        let script = script.map(str::to_owned);
        let history = fields.find("history").is_none() || fields.is_set("history")?;
        if script.is_some() && !history {
            let problem = "belongs to the configuration of the worker that exports the class";
            return Err(fields.problem("history", problem));
        }
        Ok(NamespaceBinding { name, class, script, history, line: setting.line })
    };
    objects.list("bindings")?.iter().map(binding).collect()
}

fn services(fields: &Fields, names: &mut Names) -> Result<Vec<ServiceBinding>, Problem> {
    let service = |setting: &Setting| {
        let known = ["binding", "service", "entrypoint", "props"];
        let fields = Fields::new(setting, "services", &known)?;
        let name = names.take(fields.required_text("binding")?, setting)?;
        let entrypoint = fields.text("entrypoint")?.filter(|name| *name != "default");
        let props = fields.find("props").map(Setting::to_json);
        if props.as_ref().is_some_and(|props| !props.is_object()) {
            return Err(fields.problem("props", "must be an object"));
        }
        Ok(ServiceBinding {
            name,
            service: fields.required_text("service")?.to_owned(),
            entrypoint: entrypoint.unwrap_or_default().to_owned(),
            props,
            line: setting.line,
        })
    };
    fields.list("services")?.iter().map(service).collect()
}

fn migrations(fields: &Fields) -> Result<Vec<Migration>, Problem> {
    let mut list: Vec<Migration> = Vec::new();
    for setting in fields.list("migrations")? {
        let known =
            ["tag", "new_sqlite_classes", "new_classes", "renamed_classes", "deleted_classes"];
        let fields = Fields::new(setting, "migrations", &known)?;
        let classes = |key: &str| -> Result<Vec<String>, Problem> {
            fields.texts(key)?.into_iter().map(|class| class_name(class, setting)).collect()
        };
        let mut renamed = Vec::new();
        for setting in fields.list("renamed_classes")? {
            let fields = Fields::new(setting, "migrations.renamed_classes", &["from", "to"])?;
            let class = |key: &str| class_name(fields.required_text(key)?, setting);
            renamed.push((class("from")?, class("to")?));
        }
        let tag = fields.required_text("tag")?.to_owned();
        if list.iter().any(|migration| migration.tag == tag) {
            return Err(fields.problem("tag", "another migration has this tag"));
        }
        let mut created = classes("new_sqlite_classes")?;
        created.extend(classes("new_classes")?);
        list.push(Migration { tag, created, renamed, deleted: classes("deleted_classes")? });
    }
    Ok(list)
}

fn crons(fields: &Fields) -> Result<Vec<CronTrigger>, Problem> {
    let Some(triggers) = fields.find("triggers") else { return Ok(Vec::new()) };
    let triggers = Fields::new(triggers, "triggers", &["crons"])?;
    let parse = |text: &str| {
        let problem = |text: String| triggers.problem("crons", &text);
        CronTrigger::parse(text).map_err(problem)
    };
    triggers.texts("crons")?.into_iter().map(parse).collect()
}

/// The main module's name and all modules.
fn code(
    file: &Path,
    fields: &Fields,
    bundle: Option<&Path>,
) -> Result<(String, BTreeMap<String, Module>), Problem> {
    let beside = file.parent().unwrap_or(Path::new(""));
    let main = fields.required_text("main")?;
    let (folder, main) = match (bundle, fields.text("base_dir")?) {
        // A bundler writes one script, named after the main module.
        (Some(bundle), _) => {
            let stem = Path::new(main).file_stem().unwrap_or_default();
            (bundle.to_owned(), bundle.join(stem).with_extension("js"))
        }
        (None, Some(folder)) => (beside.join(folder), beside.join(main)),
        (None, None) => {
            let main = beside.join(main);
            (main.parent().unwrap_or(beside).to_owned(), main)
        }
    };
    if !main.is_file() {
        let problem = format!("there is no file {}", main.display());
        return Err(fields.problem("main", &problem));
    }
    if main.to_str().is_some_and(is_typescript) {
        return typescript(&main, fields);
    }
    let rules = Rules::read(fields.list("rules")?)?;
    let name = modules::name_in(&folder, &main);
    let name = name.ok_or_else(|| fields.problem("main", "must be a file below base_dir"))?;
    let all = modules::collect(&folder, &rules).map_err(|text| fields.problem("main", &text))?;
    if !all.contains_key(&name) {
        let problem = "is no JavaScript module (.js or .mjs) nor TypeScript (.ts); bundle the \
                       worker first: `wrangler deploy --dry-run --outdir dist`, then run it with \
                       --bundle dist";
        return Err(fields.problem("main", problem));
    }
    Ok((name, all))
}

/// What a script in TypeScript imports tells which files belong to it: others beside it, like its
/// tests, may be of a kind that no worker can have.
fn typescript(main: &Path, fields: &Fields) -> Result<(String, BTreeMap<String, Module>), Problem> {
    if !fields.list("rules")?.is_empty() {
        let problem = "cannot be used with a main module in TypeScript; bundle the worker first: \
                       `wrangler deploy --dry-run --outdir dist`, then run it with --bundle dist";
        return Err(fields.problem("rules", problem));
    }
    crate::modules::read(main).map_err(|error| fields.problem("main", &error.to_string()))
}

fn class_name(name: &str, at: &Setting) -> Result<String, Problem> {
    if is_identifier(name) {
        return Ok(name.to_owned());
    }
    Err(at.problem(format!("{name:?} is no class name")))
}

fn is_identifier(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// What `wrangler` looks for in a folder, in its order.
const FILE_NAMES: &[&str] = &["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

#[cfg(test)]
mod tests;
