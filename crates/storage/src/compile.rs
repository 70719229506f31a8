//! SQL text of users to statements: several in one text, texts that SQLite would take but the
//! runtime refuses, and those it takes only after a rewrite.

use std::cell::Cell;
use std::rc::Rc;

use rusqlite::ffi;

use crate::authorizer::mentions_reserved_name;
use crate::database::Open;
use crate::error::Error;
use crate::result_code::Failure;
use crate::row_limit::{self, Refused};
use crate::statement::{Prepared, Statement, Step};
use crate::statement_cache::Compiled;
use crate::value::ValueRef;

impl Open {
    /// Compiles a text, running all its statements but the last on the way: a later statement may
    /// need the tables of an earlier one.
    pub(crate) fn compile(&self, sql: &str) -> Result<Rc<Compiled>, Error> {
        let mut prelude = Vec::new();
        let mut rest = sql;
        loop {
            let (statement, behind) = self.compile_first(rest)?;
            let statement = statement.ok_or_else(|| Error::sql(NO_STATEMENT))?;
            rest = behind.trim_start_matches(is_sql_space);
            if rest.is_empty() {
                let compiled = Compiled { prelude, last: statement, busy: Cell::new(false) };
                let compiled = Rc::new(compiled);
                self.texts.borrow_mut().keep(sql, &compiled);
                return Ok(compiled);
            }
            if statement.parameters() > 0 {
                return Err(Error::sql(BINDINGS_IN_PRELUDE));
            }
            self.run(&statement)?;
            prelude.push(statement);
        }
    }

    fn compile_first<'sql>(&self, sql: &'sql str) -> Result<(Option<Statement>, &'sql str), Error> {
        let hooks = self.connection.hooks();
        hooks.forget();
        let compiled = Statement::compile(&self.connection, sql);
        let seen = hooks.seen.get();
        let (mut statement, rest) = match compiled {
            Ok(compiled) => compiled,
            Err(failure) if failure.primary() == ffi::SQLITE_AUTH && seen.transaction => {
                return Err(Error::sql(USE_TRANSACTION_API));
            }
            Err(failure) if is_about_row_limit(&failure.text) => {
                return self.compile_limited(sql, failure);
            }
            Err(failure) => return Err(self.fail(failure)),
        };
        if seen.alter && mentions_reserved_name(&sql[..sql.len() - rest.len()]) {
            let failure = Failure::new(ffi::SQLITE_AUTH, "not authorized", None);
            return Err(Error::sql(failure.text));
        }
        if let Some(statement) = statement.as_mut().filter(|_| seen.optimize) {
            statement.set_writes();
        }
        Ok((statement, rest))
    }

    /// Compiles a statement that SQLite does not take because it limits its rows.
    fn compile_limited<'sql>(
        &self,
        sql: &'sql str,
        failure: Failure,
    ) -> Result<(Option<Statement>, &'sql str), Error> {
        let limited = match row_limit::parse(sql) {
            Ok(limited) => limited,
            Err(Refused::Other) => return Err(self.fail(failure)),
            Err(Refused::OnlyOrder(verb)) => {
                let text = format!("ORDER BY without LIMIT on {verb}: SQLITE_ERROR");
                return Err(Error::sql(text));
            }
            Err(Refused::From) => return Err(Error::sql(LIMIT_WITH_FROM)),
        };
        let new = limited.rewritten(&self.row_key(&limited.table)?);
        match Statement::compile(&self.connection, &new.text) {
            Ok((statement, _)) => Ok((statement, limited.rest)),
            // Of what is not in the user's text the user is told nothing.
            Err(found) => Err(self.fail(match found.offset.map(|at| new.original(at)) {
                None => found,
                Some(None) => failure,
                Some(Some(original)) => found.at(original),
            })),
        }
    }

    /// What tells the rows of a table apart, as an expression.
    fn row_key(&self, table: &str) -> Result<String, Error> {
        let columns = Prepared::new("SELECT name, pk FROM pragma_table_xinfo(?) ORDER BY pk");
        let no_rowid =
            Prepared::new("SELECT 1 FROM pragma_table_list(?) WHERE wr AND schema = 'main'");
        let table = [ValueRef::Text(table)];
        let mut names: Vec<(String, bool)> = Vec::new();
        self.run_runtime(&columns, &table, |statement, mut step| {
            while step == Step::Row {
                // SAFETY: the values are copied before the next step.
                let row = unsafe { (statement.value(0), statement.value(1)) };
                if let (Ok(ValueRef::Text(name)), Ok(ValueRef::Integer(key))) = row {
                    names.push((name.to_owned(), key > 0));
                }
                step = statement.step()?;
            }
            Ok(())
        })?
        .map_err(|failure| self.fail(failure))?;
        let is_without = self.run_runtime(&no_rowid, &table, |_, step| step == Step::Row)?;
        if is_without {
            let keys = names.iter().filter(|(_, is_key)| *is_key);
            let keys = keys.map(|(name, _)| format!("\"{}\"", name.replace('"', "\"\"")));
            return Ok(keys.collect::<Vec<_>>().join(", "));
        }
        // A column may have taken the usual name.
        let is_taken = |alias: &str| names.iter().any(|(name, _)| name.eq_ignore_ascii_case(alias));
        let free = ["rowid", "_rowid_", "oid"].into_iter().find(|alias| !is_taken(alias));
        Ok(free.unwrap_or("rowid").to_owned())
    }
}

/// True for the errors of SQLite that [`row_limit`] may mend.
fn is_about_row_limit(text: &str) -> bool {
    let place = text.strip_prefix("near \"").unwrap_or_default();
    ["LIMIT\"", "ORDER\""]
        .iter()
        .any(|word| place.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)))
}

/// White space of SQL.
fn is_sql_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

const NO_STATEMENT: &str = "SQL code did not contain a statement.";
const BINDINGS_IN_PRELUDE: &str = "When executing multiple SQL statements in a single call, only \
     the last statement can have parameters.";
const USE_TRANSACTION_API: &str = "To execute a transaction, please use the \
     state.storage.transaction() or state.storage.transactionSync() APIs instead of the SQL BEGIN \
     TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will \
     automatically roll back on exceptions, and because it interacts correctly with Durable \
     Objects' automatic atomic write coalescing.";
const LIMIT_WITH_FROM: &str = "UPDATE ... FROM cannot be combined with LIMIT: choose the rows in \
     WHERE with a subquery that has the LIMIT: SQLITE_ERROR";
