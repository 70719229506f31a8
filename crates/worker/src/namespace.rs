//! Namespaces: all actors of one class, and for each the tree of facets below it with its
//! files (`spec/workers.md` §2.9, §3.5).
//!
//! Layout: `<data>/do/<unique key>/<64 hex>.sqlite` for the root, `<64 hex>.<n>.sqlite` for
//! facet n, `<64 hex>.facets` for the index that gives facets their numbers, `<64 hex>.unfinished`
//! while several of them are deleted or cloned.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use storage::append_log::AppendLog;

use crate::actor::Actor;
use crate::actor_id::ActorId;
use crate::error::Error;
use crate::facet_index::{FacetIndex, MAGIC};
use crate::position::RootSlot;

/// The places of roots on a shard, by class and id.
#[derive(Default)]
pub struct Namespaces {
    classes: RefCell<HashMap<Box<str>, ById>>,
}

type ById = HashMap<[u8; 32], Rc<RootSlot>>;

/// The tree of facets below one actor of a namespace, the root of the tree.
pub struct Root {
    /// The class of the namespace, which is its unique key.
    pub class: Arc<str>,
    /// The root's id.
    pub id: ActorId,
    /// When an event last came to the tree, as far as sweeps saw.
    pub(crate) used_ms: Cell<u64>,
    name: OnceCell<String>,
    folder: PathBuf,
    hex: String,
    index: RefCell<Option<(FacetIndex, AppendLog)>>,
}

impl Namespaces {
    /// The running actor of this id.
    #[must_use]
    pub fn find(&self, class: &str, id: &ActorId) -> Option<Rc<Actor>> {
        self.classes.borrow().get(class)?.get(&id.bytes())?.actor()
    }

    /// The place of this id, if it is known.
    #[must_use]
    pub fn slot(&self, class: &str, id: &ActorId) -> Option<Rc<RootSlot>> {
        self.classes.borrow().get(class)?.get(&id.bytes()).cloned()
    }

    /// Adds a place.
    pub fn add(&self, class: &str, id: &ActorId, slot: Rc<RootSlot>) {
        let mut classes = self.classes.borrow_mut();
        classes.entry(class.into()).or_default().insert(id.bytes(), slot);
    }

    /// Removes the place of this id if `which` picks it.
    pub fn remove(&self, class: &str, id: &ActorId, which: impl Fn(&RootSlot) -> bool) {
        let mut classes = self.classes.borrow_mut();
        let Some(slots) = classes.get_mut(class) else { return };
        if slots.get(&id.bytes()).is_some_and(|slot| which(slot)) {
            slots.remove(&id.bytes());
        }
    }

    /// All places.
    #[must_use]
    pub fn slots(&self) -> Vec<Rc<RootSlot>> {
        self.classes.borrow().values().flat_map(HashMap::values).cloned().collect()
    }

    /// Takes all places out.
    pub fn take(&self) -> Vec<Rc<RootSlot>> {
        self.classes.take().into_values().flat_map(HashMap::into_values).collect()
    }
}

/// A change of several databases that is under way.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// The change is through.
    fn end(self) -> Result<(), Error> {
        Ok(storage::delete_database(&self.path)?)
    }
}

impl Root {
    /// The tree of actor `id` of `class`, kept below `data`.
    #[must_use]
    pub fn new(data: &Path, class: &str, id: &ActorId) -> Root {
        let folder = data.join("do").join(class);
        let (class, hex) = (class.into(), id.hex());
        Root {
            class,
            id: id.clone(),
            used_ms: Cell::new(0),
            name: OnceCell::new(),
            folder,
            hex,
            index: RefCell::new(None),
        }
    }

    /// The name its id was made from, if a caller knew it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.get().map(String::as_str)
    }

    /// A caller knows the root by this id, maybe with its name.
    pub(crate) fn called(&self, id: &ActorId) {
        if let Some(name) = id.name() {
            self.name.get_or_init(|| name.to_owned());
        }
    }

    /// The database file of facet `number`, 0 for the root itself.
    #[must_use]
    pub fn database_path(&self, number: u16) -> PathBuf {
        match number {
            0 => self.folder.join(format!("{}.sqlite", self.hex)),
            n => self.folder.join(format!("{}.{n}.sqlite", self.hex)),
        }
    }

    /// The number of a facet, which is given to it durably at the first call.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when the index cannot be read or written,
    /// [`Error::OverloadQueue`]'s kin when all numbers are taken.
    pub fn facet_number(&self, parent: u16, name: &str) -> Result<u16, Error> {
        self.with_index(|index, log| {
            if let Some(number) = index.find(parent, name) {
                return Ok(number);
            }
            let (number, bytes) = index.add(parent, name).ok_or_else(|| {
                Error::app_code("Error", "This Durable Object has had too many facets.")
            })?;
            log.append(&bytes)?;
            Ok(number)
        })
    }

    /// The names from the root to a facet; `None` for a number that was not given yet.
    ///
    /// # Errors
    /// As [`facet_number`](Self::facet_number).
    pub fn path_of(&self, number: u16) -> Result<Option<Vec<String>>, Error> {
        self.with_index(|index, _| Ok(index.path(number)))
    }

    /// Erases the databases of a facet and of all facets below it, and gives their numbers; one
    /// that never was is no error. A crash in between leaves all of them or none.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when a file cannot be removed.
    pub fn delete_facet(&self, parent: u16, name: &str) -> Result<Vec<u16>, Error> {
        let numbers = self.with_index(|index, _| Ok(index.subtree(parent, name)))?;
        self.erase_databases(&numbers)?;
        Ok(numbers)
    }

    /// Copies the databases of a facet and of all facets below it to another facet, which has
    /// none; gives both numbers of each pair. What is not committed is not copied. A crash in
    /// between leaves all copies or none.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when a file cannot be copied; then there are no copies.
    pub fn copy_facet(&self, parent: u16, from: &str, to: &str) -> Result<Vec<(u16, u16)>, Error> {
        let Some(from) = self.with_index(|index, _| Ok(index.find(parent, from)))? else {
            return Ok(Vec::new());
        };
        let mut pairs = vec![(from, self.facet_number(parent, to)?)];
        let mut next = 0;
        while let Some((from, to)) = pairs.get(next).copied() {
            let named = |index: &FacetIndex| -> Vec<(String, u16)> {
                index.named(from).map(|(name, number)| (name.to_owned(), number)).collect()
            };
            for (name, number) in self.with_index(|index, _| Ok(named(index)))? {
                pairs.push((number, self.facet_number(to, &name)?));
            }
            next += 1;
        }
        let copies: Vec<u16> = pairs.iter().map(|(_, to)| *to).collect();
        let unfinished = self.begin_change(&copies)?;
        for (from, to) in &pairs {
            let copied =
                storage::copy_database(&self.database_path(*from), &self.database_path(*to));
            if let Err(error) = copied {
                self.erase_each(&copies)?;
                unfinished.end()?;
                return Err(error.into());
            }
        }
        unfinished.end()?;
        Ok(pairs)
    }

    /// Names of the facets directly below `parent` that have a database.
    ///
    /// # Errors
    /// As [`facet_number`](Self::facet_number).
    pub fn stored_facets(&self, parent: u16) -> Result<Vec<String>, Error> {
        self.with_index(|index, _| {
            let named = index.named(parent);
            let stored = named.filter(|(_, number)| self.database_path(*number).exists());
            Ok(stored.map(|(name, _)| name.to_owned()).collect())
        })
    }

    /// The numbers of all facets there ever were below facet `number`, parents first.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when the index cannot be read.
    pub fn below(&self, number: u16) -> Result<Vec<u16>, Error> {
        if self.index.borrow().is_none() && !self.index_path().exists() {
            return Ok(Vec::new());
        }
        self.with_index(|index, _| {
            let mut numbers = vec![number];
            let mut next = 0;
            while let Some(number) = numbers.get(next) {
                let children: Vec<u16> = index.named(*number).map(|(_, child)| child).collect();
                numbers.extend(children);
                next += 1;
            }
            Ok(numbers.split_off(1))
        })
    }

    /// Erases the databases of all facets below facet `number`, and what is in its own, as one
    /// step: a crash leaves all of it or none. `reset` empties its own; durably, if it is told so.
    /// Gives the numbers of the facets below.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when a file cannot be removed, and those of `reset`.
    pub fn erase_below(
        &self,
        number: u16,
        reset: impl FnOnce(bool) -> Result<(), Error>,
    ) -> Result<Vec<u16>, Error> {
        let below = self.below(number)?;
        if !below.iter().any(|number| self.database_path(*number).exists()) {
            reset(false)?;
            return Ok(below);
        }
        // At the next start its own database may go as a whole.
        let all: Vec<u16> = std::iter::once(number).chain(below.iter().copied()).collect();
        let unfinished = self.begin_change(&all)?;
        let erased = self.erase_each(&below).and_then(|()| reset(true));
        if let Err(error) = erased {
            // Read anew, the index finishes the change.
            self.index.take();
            return Err(error);
        }
        unfinished.end()?;
        Ok(below)
    }

    /// Before a database of the tree is opened: finishes a change that a crash cut off.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when a file cannot be removed.
    pub(crate) fn finish_cut_off(&self) -> Result<(), Error> {
        if self.index.borrow().is_none() && self.unfinished_path().exists() {
            self.with_index(|_, _| Ok(()))?;
        }
        Ok(())
    }

    fn erase_databases(&self, numbers: &[u16]) -> Result<(), Error> {
        let stored = numbers.iter().filter(|number| self.database_path(**number).exists());
        if stored.count() < 2 {
            // Of a single database, the file's removal decides.
            return self.erase_each(numbers);
        }
        let unfinished = self.begin_change(numbers)?;
        self.erase_each(numbers)?;
        unfinished.end()
    }

    fn erase_each(&self, numbers: &[u16]) -> Result<(), Error> {
        for number in numbers.iter().rev() {
            storage::delete_database(&self.database_path(*number))?;
        }
        Ok(())
    }

    /// Notes on disk that these databases are to be erased if the process ends before the change
    /// is through.
    fn begin_change(&self, numbers: &[u16]) -> Result<Unfinished, Error> {
        let path = self.unfinished_path();
        storage::delete_database(&path)?;
        let (mut log, _) = AppendLog::open(&path, &UNFINISHED)?;
        let count = u16::try_from(numbers.len()).unwrap_or(u16::MAX);
        let words = std::iter::once(&count).chain(numbers);
        let bytes: Vec<u8> = words.flat_map(|number| number.to_le_bytes()).collect();
        log.append(&bytes)?;
        Ok(Unfinished { path })
    }

    /// Finishes a change of facets that a crash cut off.
    fn finish_change(&self) -> Result<(), Error> {
        let path = self.unfinished_path();
        if !path.exists() {
            return Ok(());
        }
        let (_, bytes) = AppendLog::open(&path, &UNFINISHED)?;
        let mut numbers = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let count = numbers.next().map_or(usize::MAX, usize::from);
        let numbers: Vec<u16> = numbers.collect();
        // A shorter list was cut off itself, before the change began.
        if numbers.len() == count {
            self.erase_each(&numbers)?;
        }
        Unfinished { path }.end()
    }

    fn unfinished_path(&self) -> PathBuf {
        self.folder.join(format!("{}.unfinished", self.hex))
    }

    fn index_path(&self) -> PathBuf {
        self.folder.join(format!("{}.facets", self.hex))
    }

    /// Removes all files of the tree, also those that the index does not name.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when a file cannot be removed.
    pub fn erase(&self) -> Result<(), Error> {
        let failed = |error| self.inaccessible(&error);
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_ours = name.strip_prefix(&self.hex).is_some_and(|rest| rest.starts_with('.'));
            if is_ours && name.ends_with(".sqlite") {
                storage::delete_database(&path)?;
            } else if is_ours && (name.ends_with(".facets") || name.ends_with(".unfinished")) {
                std::fs::remove_file(&path).map_err(failed)?;
            }
        }
        // Side files whose database was gone already, and the removals themselves.
        Ok(storage::delete_database(&self.database_path(0))?)
    }

    /// The platform's words; what exactly failed is the operator's to know.
    fn inaccessible(&self, error: &std::io::Error) -> Error {
        tracing::error!(folder = %self.folder.display(), %error, "the folder cannot be used");
        Error::BrokenStorage("Durable Object storage is no longer accessible.".into())
    }

    fn with_index<R>(
        &self,
        f: impl FnOnce(&mut FacetIndex, &mut AppendLog) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut slot = self.index.borrow_mut();
        if slot.is_none() {
            // The root may never have written, and then it has no folder yet.
            std::fs::create_dir_all(&self.folder).map_err(|error| self.inaccessible(&error))?;
            self.finish_change()?;
            let (mut log, bytes) = AppendLog::open(&self.index_path(), &MAGIC)?;
            let (index, sound) = FacetIndex::parse(&bytes);
            if sound < bytes.len() {
                log.truncate(sound as u64)?;
            }
            *slot = Some((index, log));
        }
        match &mut *slot {
            Some((index, log)) => f(index, log),
            None => Err(Error::bug("facet index")),
        }
    }
}

/// The first bytes of the note of an unfinished change; then a count and so many numbers follow.
const UNFINISHED: [u8; 8] = *b"beryl-u1";
