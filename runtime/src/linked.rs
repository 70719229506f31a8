//! Several configured workers made one: names become places, classes get their unique keys, and
//! migrations are applied to the data.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use worker::bindings::{Bindings, Classes, Service};
use worker::code::{Env, WorkerCode, check_bundle};
use worker::configured::{Configured, Home};
use worker::cron::CronTrigger;
use worker::outbound::Outbound;

use crate::config::Error;
use crate::wrangler::Project;
use crate::wrangler::namespaces::{FILE_NAME, Record};

type Failure = Box<dyn std::error::Error>;

/// Unique keys by worker and class.
type Keys = BTreeMap<String, BTreeMap<String, String>>;

/// Links the workers; the first is the one that is served. The data directory must be locked.
///
/// # Errors
/// A reference to a worker or class that is not there, a migration that cannot be applied, and
/// code that cannot be a worker.
pub fn link(projects: &[Project], data: &Path) -> Result<Configured, Failure> {
    let keys = migrate(projects, data)?;
    let namespaces = projects.iter().enumerate().flat_map(|(worker, project)| {
        let keys = keys.get(&project.name).into_iter().flatten();
        keys.map(move |(class, key)| {
            let keeps_history = project.keeps_history(class);
            (key.clone(), Home { worker, class: class.clone(), keeps_history })
        })
    });
    let namespaces: HashMap<String, Home> = namespaces.collect();
    let places = 0..projects.len();
    let workers = places.map(|place| worker(place, projects, &keys));
    Ok(Configured::new(workers.collect::<Result<_, _>>()?, namespaces))
}

/// Checks that the workers have different names and find each other; needs no data.
///
/// # Errors
/// The first reference that leads nowhere.
pub fn check(projects: &[Project]) -> Result<(), Error> {
    for (place, project) in projects.iter().enumerate() {
        if projects[..place].iter().any(|other| other.name == project.name) {
            let problem = format!("name: another of the workers is called {:?}", project.name);
            return Err(project.problem(1, problem));
        }
        let is_known = |name: &str| projects.iter().any(|other| other.name == name);
        let absent = |what: &str, name: &str| {
            format!(
                "{what}: there is no worker {name:?}; give its configuration file as well: beryl \
                 run {} …/wrangler.jsonc",
                project.file.display()
            )
        };
        for service in &project.services {
            if !is_known(&service.service) {
                return Err(project.problem(service.line, absent("services", &service.service)));
            }
        }
        for binding in &project.namespaces {
            if let Some(script) = binding.script.as_deref().filter(|name| !is_known(name)) {
                let problem = absent("durable_objects.bindings.script_name", script);
                return Err(project.problem(binding.line, problem));
            }
        }
    }
    Ok(())
}

/// When the `scheduled()` handlers of all workers run.
#[must_use]
pub fn crons(projects: &[Project]) -> Vec<CronTrigger> {
    let all = projects.iter().enumerate().flat_map(|(place, project)| {
        project.crons.iter().map(move |cron| cron.clone().of_worker(place))
    });
    all.collect()
}

/// Applies what is new in the migrations of all workers, erases what they delete, and records
/// that.
fn migrate(projects: &[Project], data: &Path) -> Result<Keys, Failure> {
    let unreadable = |error: io::Error| format!("{}: {error}", data.join(FILE_NAME).display());
    let known = Record::read(data).map_err(unreadable)?;
    let folder = |key: &str| data.join("do").join(key);
    let mut record = known.clone();
    let mut keys = Keys::new();
    for project in projects {
        let classes = record.0.get(&project.name).cloned().unwrap_or_default();
        let bound = project.bound_classes();
        let migrated = classes
            .migrate(&project.name, &project.migrations, &bound, |key| folder(key).is_dir())
            .map_err(|problem| project.problem(1, problem))?;
        for key in migrated.erased {
            tracing::info!(worker = project.name, key, "erasing the objects of a deleted class");
            fs::remove_dir_all(folder(&key))
                .map_err(|error| format!("{}: {error}", folder(&key).display()))?;
        }
        record.0.insert(project.name.clone(), migrated.classes);
        keys.insert(project.name.clone(), migrated.keys);
    }
    if record != known {
        record.write(data).map_err(unreadable)?;
    }
    Ok(keys)
}

fn worker(place: usize, all: &[Project], keys: &Keys) -> Result<WorkerCode, Failure> {
    let project = &all[place];
    let bundle = check_bundle(project.main.clone(), project.modules.clone())?;
    let bindings = Bindings {
        place,
        values: project.values.clone(),
        loaders: project.loaders.clone(),
        namespaces: namespaces(project, keys)?,
        services: services(project, all),
        classes: Classes::Listed(keys.get(&project.name).cloned().unwrap_or_default()),
        ..Bindings::default()
    };
    let env = Env::Configured(Arc::new(bindings));
    let (bundle, node) = (Arc::new(bundle), project.node);
    let (outbound, name) = (Outbound::Internet, project.name.as_str().into());
    Ok(WorkerCode { node, ..WorkerCode::new(bundle, env, outbound, name) })
}

/// Unique keys by binding.
fn namespaces(project: &Project, keys: &Keys) -> Result<BTreeMap<String, String>, Error> {
    let mut namespaces = BTreeMap::new();
    for binding in &project.namespaces {
        let script = binding.script.as_ref().unwrap_or(&project.name);
        let key = keys.get(script).and_then(|keys| keys.get(&binding.class)).ok_or_else(|| {
            let problem = format!(
                "durable_objects.bindings: worker {script:?} has no class {:?} in its migrations",
                binding.class
            );
            project.problem(binding.line, problem)
        })?;
        namespaces.insert(binding.name.clone(), key.clone());
    }
    Ok(namespaces)
}

fn services(project: &Project, all: &[Project]) -> BTreeMap<String, Service> {
    let place = |name: &str| all.iter().position(|other| other.name == name);
    let service = |binding: &crate::wrangler::ServiceBinding| {
        // `check` has seen that it is there.
        let worker = place(&binding.service)?;
        let (entrypoint, props) = (binding.entrypoint.clone(), binding.props.clone());
        Some((binding.name.clone(), Service { worker, entrypoint, props }))
    };
    project.services.iter().filter_map(service).collect()
}
