//! The failure of one SQLite call, and SQLite's result codes by name.
//!
//! User code sees `<message>[ at offset N]: SQLITE_X[ (extended: SQLITE_X_Y)]`
//! (`spec/workers.md` ST-18), so the names are part of the platform.

use std::ffi::c_int;
use std::fmt::Write;

use rusqlite::ffi;

/// A failed call, captured before a later call can overwrite what SQLite remembers of it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The extended result code.
    pub(crate) code: c_int,
    /// The text as the platform shows it.
    pub(crate) text: String,
    message: String,
    /// The byte in the SQL text, if it is known.
    pub(crate) offset: Option<usize>,
}

impl Failure {
    /// Puts the platform's text together; `offset` is the byte in the SQL text, if it is known.
    pub(crate) fn new(code: c_int, message: &str, offset: Option<usize>) -> Failure {
        let mut text = String::from(message);
        // Writing to a string cannot fail.
        if let Some(offset) = offset {
            let _ = write!(text, " at offset {offset}");
        }
        let _ = write!(text, ": {}", name(code & 0xff));
        if code > 0xff {
            let _ = write!(text, " (extended: {})", name(code));
        }
        Failure { code, text, message: message.to_owned(), offset }
    }

    /// The same failure at another place.
    pub(crate) fn at(&self, offset: usize) -> Failure {
        Failure::new(self.code, &self.message, Some(offset))
    }

    /// The result code without its extension.
    pub(crate) fn primary(&self) -> c_int {
        self.code & 0xff
    }
}

/// The name of a primary or extended result code.
pub(crate) fn name(code: c_int) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == code).map_or("SQLITE_UNKNOWN", |(_, name)| name)
}

macro_rules! names {
    ($($name:ident),* $(,)?) => { &[$((ffi::$name, stringify!($name))),*] };
}

#[rustfmt::skip]
const NAMES: &[(c_int, &str)] = names![
    SQLITE_OK, SQLITE_ERROR, SQLITE_INTERNAL, SQLITE_PERM, SQLITE_ABORT, SQLITE_BUSY,
    SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_READONLY, SQLITE_INTERRUPT, SQLITE_IOERR,
    SQLITE_CORRUPT, SQLITE_NOTFOUND, SQLITE_FULL, SQLITE_CANTOPEN, SQLITE_PROTOCOL,
    SQLITE_EMPTY, SQLITE_SCHEMA, SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH,
    SQLITE_MISUSE, SQLITE_NOLFS, SQLITE_AUTH, SQLITE_FORMAT, SQLITE_RANGE, SQLITE_NOTADB,
    SQLITE_NOTICE, SQLITE_WARNING, SQLITE_ROW, SQLITE_DONE, SQLITE_ERROR_MISSING_COLLSEQ,
    SQLITE_ERROR_RETRY, SQLITE_ERROR_SNAPSHOT, SQLITE_ERROR_RESERVESIZE, SQLITE_ERROR_KEY,
    SQLITE_ERROR_UNABLE, SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_WRITE,
    SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_FSTAT,
    SQLITE_IOERR_UNLOCK, SQLITE_IOERR_RDLOCK, SQLITE_IOERR_DELETE, SQLITE_IOERR_BLOCKED,
    SQLITE_IOERR_NOMEM, SQLITE_IOERR_ACCESS, SQLITE_IOERR_CHECKRESERVEDLOCK, SQLITE_IOERR_LOCK,
    SQLITE_IOERR_CLOSE, SQLITE_IOERR_DIR_CLOSE, SQLITE_IOERR_SHMOPEN, SQLITE_IOERR_SHMSIZE,
    SQLITE_IOERR_SHMLOCK, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SEEK, SQLITE_IOERR_DELETE_NOENT,
    SQLITE_IOERR_MMAP, SQLITE_IOERR_GETTEMPPATH, SQLITE_IOERR_CONVPATH, SQLITE_IOERR_VNODE,
    SQLITE_IOERR_AUTH, SQLITE_IOERR_BEGIN_ATOMIC, SQLITE_IOERR_COMMIT_ATOMIC,
    SQLITE_IOERR_ROLLBACK_ATOMIC, SQLITE_IOERR_DATA, SQLITE_IOERR_CORRUPTFS,
    SQLITE_IOERR_IN_PAGE, SQLITE_IOERR_BADKEY, SQLITE_IOERR_CODEC, SQLITE_LOCKED_SHAREDCACHE,
    SQLITE_LOCKED_VTAB, SQLITE_BUSY_RECOVERY, SQLITE_BUSY_SNAPSHOT, SQLITE_BUSY_TIMEOUT,
    SQLITE_CANTOPEN_NOTEMPDIR, SQLITE_CANTOPEN_ISDIR, SQLITE_CANTOPEN_FULLPATH,
    SQLITE_CANTOPEN_CONVPATH, SQLITE_CANTOPEN_DIRTYWAL, SQLITE_CANTOPEN_SYMLINK,
    SQLITE_CORRUPT_VTAB, SQLITE_CORRUPT_SEQUENCE, SQLITE_CORRUPT_INDEX,
    SQLITE_READONLY_RECOVERY, SQLITE_READONLY_CANTLOCK, SQLITE_READONLY_ROLLBACK,
    SQLITE_READONLY_DBMOVED, SQLITE_READONLY_CANTINIT, SQLITE_READONLY_DIRECTORY,
    SQLITE_ABORT_ROLLBACK, SQLITE_CONSTRAINT_CHECK, SQLITE_CONSTRAINT_COMMITHOOK,
    SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_FUNCTION, SQLITE_CONSTRAINT_NOTNULL,
    SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_TRIGGER, SQLITE_CONSTRAINT_UNIQUE,
    SQLITE_CONSTRAINT_VTAB, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_PINNED,
    SQLITE_CONSTRAINT_DATATYPE, SQLITE_NOTICE_RECOVER_WAL, SQLITE_NOTICE_RECOVER_ROLLBACK,
    SQLITE_NOTICE_RBU, SQLITE_WARNING_AUTOINDEX, SQLITE_AUTH_USER, SQLITE_OK_LOAD_PERMANENTLY,
    SQLITE_OK_SYMLINK,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_offset_and_codes() {
        let check = |code, offset, expect: &str| {
            assert_eq!(Failure::new(code, "m", offset).text, expect);
        };
        check(ffi::SQLITE_ERROR, None, "m: SQLITE_ERROR");
        check(ffi::SQLITE_ERROR, Some(9), "m at offset 9: SQLITE_ERROR");
        let unique = "m: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)";
        check(ffi::SQLITE_CONSTRAINT_UNIQUE, None, unique);
        check(ffi::SQLITE_IOERR_FSYNC, None, "m: SQLITE_IOERR (extended: SQLITE_IOERR_FSYNC)");
        check(255, None, "m: SQLITE_UNKNOWN");
    }
}
