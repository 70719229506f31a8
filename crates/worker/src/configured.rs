//! The configured workers of a process and the namespaces of their classes.
//!
//! The first worker is the one that is served. A namespace is known by its unique key, of which
//! the ids of its objects and the folder of their data are made; which worker and class that is
//! may change from one start to the next.

use std::collections::HashMap;

use crate::code::WorkerCode;

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
}

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
        home.unwrap_or_else(|| Home { worker: 0, class: key.into() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::bindings::{Bindings, Service};
    use crate::code::{Env, Module, check_bundle};
    use crate::outbound::Outbound;

    fn worker(bindings: Bindings) -> WorkerCode {
        let modules = BTreeMap::from([("a.js".to_owned(), Module::Js("".into()))]);
        let bundle = Arc::new(check_bundle("a.js".into(), modules).unwrap());
        let env = Env::Configured(Arc::new(bindings));
        WorkerCode { bundle, env, outbound: Outbound::Denied, name: "a".into() }
    }

    #[test]
    fn a_key_that_nobody_configured_is_a_class_of_the_first_worker() {
        let home = Home { worker: 1, class: "Room".into() };
        let namespaces = HashMap::from([("chat-Room".to_owned(), home.clone())]);
        let workers = vec![worker(Bindings::default()), worker(Bindings::default())];
        let configured = Configured::new(workers, namespaces);
        assert_eq!(configured.home("chat-Room"), home);
        assert_eq!(configured.home("Room"), Home { worker: 0, class: "Room".into() });
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
