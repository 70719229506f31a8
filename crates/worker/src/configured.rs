//! The configured workers of a process and the namespaces of their classes.
//!
//! The first worker is the one that is served. A namespace is known by its unique key, of which
//! the ids of its objects and the folder of their data are made; which worker and class that is
//! may change from one start to the next.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::bindings::Classes;
use crate::code::{Env, WorkerCode};
use crate::error::Error;
use crate::instance::{ExportKind, Instance};
use crate::shard::Shard;
use crate::worker::Worker;

/// All workers that the process was started with; the same on every shard.
pub struct Configured {
    workers: Vec<WorkerCode>,
    namespaces: HashMap<String, Home>,
}

/// Where the objects of a namespace get their code from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The worker's place in the list.
    pub worker: usize,
    /// The exported class.
    pub class: String,
    /// Earlier states of its objects are kept, where the process keeps any.
    pub keeps_history: bool,
}

/// The configured workers that run on a shard, by their places.
#[derive(Default)]
pub(crate) struct Running(RefCell<Vec<Option<Rc<Worker>>>>);

impl Configured {
    /// One worker without configuration: each of its classes has a namespace, whose unique key
    /// is the class name.
    #[must_use]
    pub fn single(code: WorkerCode) -> Configured {
        Configured { workers: vec![code], namespaces: HashMap::new() }
    }

    /// Several workers, and the namespaces by unique key.
    #[must_use]
    pub fn new(workers: Vec<WorkerCode>, namespaces: HashMap<String, Home>) -> Configured {
        Configured { workers, namespaces }
    }

    /// The same workers, with what only tests have.
    #[must_use]
    pub fn tested(mut self) -> Configured {
        for worker in &mut self.workers {
            if let Env::Configured(bindings) = &mut worker.env {
                Arc::make_mut(bindings).is_tested = true;
            }
        }
        self
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.workers.len()
    }

    /// The worker at a place.
    #[must_use]
    pub fn worker(&self, place: usize) -> Option<&WorkerCode> {
        self.workers.get(place)
    }

    /// The classes that must be exported by the worker at a place.
    pub fn classes_of(&self, place: usize) -> impl Iterator<Item = &str> {
        let own = self.namespaces.values().filter(move |home| home.worker == place);
        own.map(|home| home.class.as_str())
    }

    /// The named entrypoints that workers expect of the one at a place.
    pub fn entrypoints_of(&self, place: usize) -> impl Iterator<Item = &str> {
        let bindings = self.workers.iter().filter_map(|worker| worker.env.bindings());
        let services = bindings.flat_map(|bindings| bindings.services.values());
        services
            .filter(move |service| service.worker == place && !service.entrypoint.is_empty())
            .map(|service| service.entrypoint.as_str())
    }

    /// The worker and class of a namespace.
    #[must_use]
    pub fn home(&self, key: &str) -> Home {
        let home = self.namespaces.get(key).cloned();
        home.unwrap_or_else(|| Home { worker: 0, class: key.into(), keeps_history: true })
    }
}

impl Running {
    /// The worker at a place, if it runs.
    fn find(&self, place: usize) -> Option<Rc<Worker>> {
        let running = self.0.borrow().get(place).cloned().flatten();
        running.filter(|worker| worker.is_alive())
    }

    fn put(&self, place: usize, worker: Rc<Worker>) {
        let mut workers = self.0.borrow_mut();
        if workers.len() <= place {
            workers.resize(place + 1, None);
        }
        workers[place] = Some(worker);
    }

    /// Lets all of them go.
    pub(crate) fn take(&self) {
        self.0.take();
    }
}

impl Shard {
    /// A configured worker of the process on this shard, by its place; the first is served.
    ///
    /// # Errors
    /// When it does not start.
    pub fn configured_worker(self: &Rc<Self>, place: usize) -> Result<Rc<Worker>, Error> {
        if self.is_stopping() {
            return Err(Error::OverloadShutdown);
        }
        if let Some(worker) = self.running_worker(place) {
            return Ok(worker);
        }
        let (workers, running) = self.workers();
        let code = workers.worker(place).ok_or_else(|| Error::bug("no such worker"))?;
        let worker = Worker::start(self, code)?;
        running.put(place, Rc::clone(&worker));
        Ok(worker)
    }

    /// A configured worker, if it runs.
    pub(crate) fn running_worker(&self, place: usize) -> Option<Rc<Worker>> {
        self.workers().1.find(place)
    }

    /// Starts the configured workers before the first event needs them, and checks that they
    /// export what is bound.
    ///
    /// # Errors
    /// As [`configured_worker`](Self::configured_worker), and [`Error::AppNoHandler`] for an
    /// export that is missing.
    pub fn start_configured(self: &Rc<Self>) -> Result<(), Error> {
        let mut started = Ok(());
        self.inside(|shard| {
            let (workers, _) = shard.workers();
            started = (0..workers.count()).try_for_each(|place| {
                let worker = shard.configured_worker(place)?;
                worker.instance.check_exports(workers, place)
            });
        });
        self.pump();
        started
    }
}

impl Instance {
    /// True for an export that actors can be made of. Old classes extend nothing; only a
    /// configuration can say that they are meant.
    pub(crate) fn is_actor_class(&self, name: &str) -> bool {
        let is_bound = || match self.code.env.bindings().map(|bindings| &bindings.classes) {
            Some(Classes::Listed(keys)) => keys.contains_key(name),
            _ => false,
        };
        match self.export(name) {
            Some(ExportKind::ActorClass) => true,
            Some(ExportKind::Function) => is_bound(),
            Some(ExportKind::Entrypoint) | None => false,
        }
    }

    /// Checks that the worker at this place exports what the configuration binds.
    fn check_exports(&self, all: &Configured, place: usize) -> Result<(), Error> {
        let missing = |what: &str, name: &str| {
            let text = format!("Worker \"{}\" has no such {what}: {name}", self.code.name);
            Err(Error::AppNoHandler(text.into()))
        };
        let is = |name: &str, kind| self.export(name) == Some(kind);
        if let Some(class) = all.classes_of(place).find(|name| !self.is_actor_class(name)) {
            return missing("Durable Object class", class);
        }
        let mut entries = all.entrypoints_of(place);
        match entries.find(|name| !is(name, ExportKind::Entrypoint)) {
            Some(entry) => missing("entrypoint", entry),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bindings::{Bindings, Service};
    use crate::code::{Module, NodeCompat, check_bundle};
    use crate::outbound::Outbound;

    fn worker(bindings: Bindings) -> WorkerCode {
        let modules = BTreeMap::from([("a.js".to_owned(), Module::Js("".into()))]);
        let bundle = Arc::new(check_bundle("a.js".into(), modules).unwrap());
        let env = Env::Configured(Arc::new(bindings));
        let code = WorkerCode::new(bundle, env, Outbound::Denied, "a".into());
        WorkerCode { node: NodeCompat::None, ..code }
    }

    #[test]
    fn a_key_that_nobody_configured_is_a_class_of_the_first_worker() {
        let home = Home { worker: 1, class: "Room".into(), keeps_history: true };
        let namespaces = HashMap::from([("chat-Room".to_owned(), home.clone())]);
        let workers = vec![worker(Bindings::default()), worker(Bindings::default())];
        let configured = Configured::new(workers, namespaces);
        assert_eq!(configured.home("chat-Room"), home);
        assert_eq!(
            configured.home("Room"),
            Home { worker: 0, class: "Room".into(), keeps_history: true }
        );
        assert_eq!(configured.classes_of(1).collect::<Vec<_>>(), ["Room"]);
        assert_eq!(configured.classes_of(0).count(), 0);
    }

    #[test]
    fn a_worker_must_export_what_others_bind() {
        let service = |worker, entrypoint: &str| Service {
            worker,
            entrypoint: entrypoint.into(),
            props: None,
        };
        let services = [("A", service(1, "Api")), ("B", service(1, "")), ("C", service(0, "X"))];
        let services = services.map(|(name, service)| (name.to_owned(), service)).into();
        let first = worker(Bindings { services, ..Bindings::default() });
        let configured = Configured::new(vec![first, worker(Bindings::default())], HashMap::new());
        assert_eq!(configured.entrypoints_of(1).collect::<Vec<_>>(), ["Api"]);
    }
}
