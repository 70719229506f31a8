//! The services of a document made workers: names become places, contents are read, and what
//! Beryl has not is named.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use worker::bindings::{Bindings, Classes, Service};
use worker::capability::Capability;
use worker::code::{Env, Module, Tail, WorkerCode, check_bundle};
use worker::compatibility::Compatibility;
use worker::configured::{Configured, Home};
use worker::event::Entry;
use worker::outbound::Outbound;
use worker::typescript;

use super::document::{BindingEntry, Content, Designator, Document, ModuleEntry, WorkerEntry};
use super::stand_in;
use crate::serve::Failure;

/// What a document describes.
pub struct Services {
    /// The workers.
    pub workers: Configured,
    /// Their names, by place.
    pub names: Vec<String>,
    /// Compatibility flags that nobody knows.
    pub unknown_flags: Vec<String>,
    /// True if a network of private addresses is among the services.
    pub reaches_private: bool,
}

/// Reads a document and all it names.
///
/// # Errors
/// The first thing that cannot be read or made a worker.
pub fn read(path: &Path, date: &str) -> Result<Services, Failure> {
    let unreadable = |error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let document: Document =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let workers = document.services.iter().filter_map(|service| match service.kind.as_str() {
        "worker" => Some((service.name.as_str(), service.worker.as_ref()?)),
        _ => None,
    });
    let workers: Vec<_> = workers.collect();
    let places = workers.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut reading =
        Reading { folder, date, workers: &workers, places, unknown_flags: Vec::new() };
    let mut codes = Vec::new();
    for (place, (name, worker)) in workers.iter().enumerate() {
        codes.push(reading.code(place, name, worker).map_err(|error| format!("{name}: {error}"))?);
    }
    let unknown_flags = std::mem::take(&mut reading.unknown_flags);
    let networks = document.services.iter().filter_map(|service| service.network.as_ref());
    Ok(Services {
        workers: Configured::new(codes, reading.homes()),
        names: workers.iter().map(|(name, _)| (*name).to_owned()).collect(),
        unknown_flags,
        reaches_private: networks.flat_map(|network| &network.allow).any(|kind| kind == "private"),
    })
}

/// A document that is being read.
struct Reading<'a> {
    folder: &'a Path,
    date: &'a str,
    workers: &'a [(&'a str, &'a WorkerEntry)],
    places: HashMap<&'a str, usize>,
    unknown_flags: Vec<String>,
}

impl Reading<'_> {
    /// The workers and classes of the namespaces, by unique key.
    fn homes(&self) -> HashMap<String, Home> {
        let all = self.workers.iter().enumerate().flat_map(|(worker, (_, entry))| {
            entry.durable_object_namespaces.iter().filter_map(move |namespace| {
                let key = namespace.unique_key.clone()?;
                let class = namespace.class_name.clone();
                Some((key, Home { worker, class, keeps_history: true }))
            })
        });
        all.collect()
    }

    fn code(
        &mut self,
        place: usize,
        name: &str,
        entry: &WorkerEntry,
    ) -> Result<WorkerCode, Failure> {
        let mut modules = BTreeMap::new();
        let mut main = None;
        for module in &entry.modules {
            let Some(name) = &module.name else { continue };
            main.get_or_insert_with(|| name.clone());
            let content = self.module(name, module)?;
            if module.named_exports.is_empty() {
                modules.insert(name.clone(), content);
            } else {
                let inside = format!("{name}.cjs");
                let names = module.named_exports.join(", ");
                let shim = format!(
                    "import c from {inside:?};\nexport default c;\nexport const {{ {names} }} = c;"
                );
                modules.insert(name.clone(), Module::Js(shim.into()));
                modules.insert(inside, content);
            }
        }
        stand_in::add(&mut modules);
        let bundle = check_bundle(main.ok_or("it has no modules")?, modules)?;
        let date = entry.compatibility_date.as_deref().unwrap_or(self.date);
        let flags = entry.compatibility_flags.iter().filter_map(Value::as_str);
        let (compatibility, unknown) = Compatibility::lenient(date, flags);
        self.unknown_flags.extend(unknown);
        let env = Env::Configured(Arc::new(self.bindings(place, entry)?));
        let outbound = match &entry.global_outbound {
            Some(target) => match self.capability(target)? {
                Some(capability) => Outbound::Stub(capability),
                None => Outbound::Internet,
            },
            None => Outbound::Internet,
        };
        let tails = entry.tails.iter().filter_map(|tail| self.capability(tail).transpose());
        let tails = tails.map(|target| Ok(Tail { target: target?, is_streaming: false }));
        let tails = tails.collect::<Result<_, Failure>>()?;
        let node = compatibility.node();
        let code = WorkerCode::new(Arc::new(bundle), env, outbound, name.into());
        Ok(WorkerCode { compatibility, node, tails, ..code })
    }

    fn module(&self, name: &str, module: &ModuleEntry) -> Result<Module, Failure> {
        let kind = module.kind.as_deref().unwrap_or_default();
        let content = &module.content;
        Ok(match kind {
            "esModule" => Module::Js(self.script(name, content)?.into()),
            "commonJsModule" => Module::Cjs(self.script(name, content)?.into()),
            "text" => Module::Text(self.text(content)?.into()),
            "json" => Module::Json(self.text(content)?.into()),
            "data" => Module::Data(self.bytes(content)?.into()),
            "wasm" => Module::Wasm(self.bytes(content)?.into()),
            other => return Err(format!("module {name:?} is of a kind {other:?}").into()),
        })
    }

    fn script(&self, name: &str, content: &Content) -> Result<String, Failure> {
        let text = self.text(content)?;
        let file = content.path.as_deref().unwrap_or_default();
        if file.ends_with(".ts") || file.ends_with(".mts") || name.ends_with(".ts") {
            return Ok(typescript::strip(name, &text)?);
        }
        Ok(text)
    }

    fn text(&self, content: &Content) -> Result<String, Failure> {
        match &content.text {
            Some(text) => Ok(text.clone()),
            None => Ok(String::from_utf8(self.bytes(content)?)?),
        }
    }

    fn bytes(&self, content: &Content) -> Result<Vec<u8>, Failure> {
        match content {
            Content { base64: Some(text), .. } => Ok(STANDARD.decode(text)?),
            Content { text: Some(text), .. } => Ok(text.clone().into_bytes()),
            Content { path: Some(path), .. } => {
                let path: PathBuf = self.folder.join(path);
                Ok(fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?)
            }
            Content { .. } => Err("has neither path nor content".into()),
        }
    }

    fn bindings(&self, place: usize, entry: &WorkerEntry) -> Result<Bindings, Failure> {
        let classes = entry.durable_object_namespaces.iter();
        let classes = classes.filter_map(|namespace| {
            Some((namespace.class_name.clone(), namespace.unique_key.clone()?))
        });
        let classes = Classes::Listed(classes.collect());
        let mut bindings = Bindings { place, classes, ..Bindings::default() };
        for binding in &entry.bindings {
            self.bind(&mut bindings, place, binding)?;
        }
        Ok(bindings)
    }

    fn bind(&self, to: &mut Bindings, place: usize, entry: &BindingEntry) -> Result<(), Failure> {
        let name = entry.name.clone();
        match entry.kind.as_str() {
            "text" => {
                to.values.insert(name, self.text(&entry.content)?.into());
            }
            "json" => {
                to.values.insert(name, entry.value.clone().unwrap_or_default());
            }
            "fromEnvironment" => {
                let value = entry.variable.as_ref().and_then(|name| env::var(name).ok());
                to.values.insert(name, value.map_or(Value::Null, Value::from));
            }
            "data" => {
                to.data.insert(name, STANDARD.encode(self.bytes(&entry.content)?));
            }
            "workerLoader" => to.loaders.push(name),
            "service" => match self.service(entry) {
                Some(service) => drop(to.services.insert(name, service)),
                None => drop(to.unsupported.insert(name, "network or disk".into())),
            },
            "durableObjectClass" if self.service(entry).is_some() => {
                to.actor_classes.extend(self.service(entry).map(|class| (name, class)));
            }
            "durableObjectNamespace" => match self.key(place, entry) {
                Some(key) => drop(to.namespaces.insert(name, key)),
                None => drop(to.unsupported.insert(name, "ephemeral Durable Object".into())),
            },
            other => drop(to.unsupported.insert(name, other.into())),
        }
        Ok(())
    }

    /// The unique key of a namespace; none for one without storage.
    fn key(&self, place: usize, entry: &BindingEntry) -> Option<String> {
        let place = match &entry.service_name {
            Some(service) => *self.places.get(service.as_str())?,
            None => place,
        };
        let class = entry.class_name.as_deref()?;
        let namespaces = &self.workers.get(place)?.1.durable_object_namespaces;
        namespaces.iter().find(|namespace| namespace.class_name == class)?.unique_key.clone()
    }

    fn service(&self, entry: &BindingEntry) -> Option<Service> {
        let target = entry.service.as_ref()?;
        let worker = *self.places.get(target.name.as_str())?;
        let entrypoint = target.entrypoint.clone().unwrap_or_default();
        Some(Service { worker, entrypoint, props: target.props.clone() })
    }

    /// What refers to an entrypoint of a worker; none for other services.
    fn capability(&self, target: &Designator) -> Result<Option<Capability>, Failure> {
        let Some(worker) = self.places.get(target.name.as_str()) else { return Ok(None) };
        if target.props.is_some() {
            return Err("props of globalOutbound and tails are not supported".into());
        }
        let name = target.entrypoint.clone().unwrap_or_default();
        Ok(Some(Capability::Service(*worker, Entry { name, ..Entry::default() })))
    }
}
