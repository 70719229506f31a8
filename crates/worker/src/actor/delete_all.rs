//! `deleteAll()`: an actor's database is emptied and its facets are erased, as one step.
//!
//! Emptying the database is one commit. Where facets have files, the tree notes on disk first
//! what is to be erased; after a crash that is finished before any of it is opened again. The
//! calls wait for the disk then; they are rare.

use std::rc::Rc;

use super::Actor;
use crate::error::Error;

impl Actor {
    /// Erases everything that the actor and its facets stored, what is not committed included.
    /// Running facets are aborted. Messages wait until the deletion is durable.
    ///
    /// # Errors
    /// [`Error::AppCode`] within a transaction; [`Error::BrokenStorage`] when files cannot be
    /// removed, which resets the actor: the deletion is finished at its next start.
    pub fn delete_all(self: &Rc<Self>) -> Result<(), Error> {
        if self.is_in_transaction() {
            return Err(Error::app_code("Error", IN_TRANSACTION));
        }
        let position = &self.identity.position;
        position.break_facets(&Error::reset("Facet was deleted."));
        let database = self.open_database()?;
        let erased = position.root.erase_below(position.number, |durably| {
            database.reset()?;
            if durably { Ok(database.sync_now()?) } else { Ok(()) }
        });
        match erased {
            Ok(facets) => self.shard().forget_alarms(&position.root, &facets),
            Err(error) => {
                self.break_with(&error);
                return Err(error);
            }
        }
        self.writes.committed_up_to(database.committed());
        self.alarm_erased(&database);
        Ok(())
    }
}

const IN_TRANSACTION: &str = "Cannot call deleteAll() within a transaction";
