//! Rows read and written by a statement, as the platform counts them (`spec/workers.md` ST-22).
//!
//! workerd's SQLite has counters inside of its instructions. Stock SQLite can say how often each
//! instruction of a program ran (scan status) and show the program (the table `bytecode`), from
//! which the same numbers follow: all but one for instructions that always count, and an estimate
//! where only the way they went decides. That is exact apart from lookups of absent keys in the
//! inner loop of a join. Walking a program takes microseconds, so it is done when somebody asks.

use std::cell::OnceCell;
use std::collections::HashSet;

use rusqlite::Connection;

use crate::statement::Statement;

/// What a run of a statement read and wrote so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RowCount {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// What only the database knows.
pub(crate) trait Counted {
    /// Rows of the table or index with this root page.
    fn rows_of(&self, root: i64) -> u64;
    /// Rows that the run inserted, updated and deleted.
    fn changes(&self) -> u64;
}

/// The instructions of one statement: its main program, then those of its triggers.
pub(crate) struct Programs {
    main: Program,
    triggers: Vec<Program>,
}

#[derive(Default)]
struct Program(Vec<Instruction>);

struct Instruction {
    code: String,
    p1: i64,
    p2: i64,
    p3: i64,
    flags: i64,
    ran: u64,
}

impl Programs {
    /// Reads how often the instructions of `statement` ran; `None` where SQLite does not tell.
    pub(crate) fn of(statement: &Statement) -> Option<Programs> {
        thread_local! {
            // A database of its own, so that user SQL cannot reach the table.
            static VIEWER: OnceCell<Option<Connection>> = const { OnceCell::new() };
        }
        VIEWER.with(|viewer| {
            let viewer = viewer.get_or_init(|| Connection::open_in_memory().ok()).as_ref()?;
            read(viewer, statement).ok()
        })
    }

    /// Rows of the run that is under way or was the last.
    pub(crate) fn main(&self, counted: &dyn Counted) -> RowCount {
        self.main.count(counted)
    }

    /// Rows of triggers and foreign keys, of all runs since the statement was compiled.
    pub(crate) fn triggers(&self, counted: &dyn Counted) -> RowCount {
        self.triggers.iter().map(|program| program.count(counted)).fold(
            RowCount::default(),
            |sum, part| RowCount {
                read: sum.read + part.read,
                written: sum.written + part.written,
            },
        )
    }
}

fn read(viewer: &Connection, statement: &Statement) -> rusqlite::Result<Programs> {
    let mut query = viewer.prepare_cached(PROGRAM)?;
    // The statement outlives the call, which only reads its instructions.
    query.raw_bind_parameter(1, statement)?;
    let mut rows = query.raw_query();
    let mut programs = Vec::<Program>::new();
    while let Some(row) = rows.next()? {
        let number = |column| row.get::<_, i64>(column);
        if number(0)? == 0 {
            programs.push(Program::default());
        }
        let instruction = Instruction {
            code: row.get(1)?,
            p1: number(2)?,
            p2: number(3)?,
            p3: number(4)?,
            flags: number(5)?,
            ran: number(6)?.try_into().unwrap_or(0),
        };
        if let Some(program) = programs.last_mut() {
            program.0.push(instruction);
        }
    }
    let mut programs = programs.into_iter();
    Ok(Programs { main: programs.next().unwrap_or_default(), triggers: programs.collect() })
}

impl Program {
    fn count(&self, counted: &dyn Counted) -> RowCount {
        let passing = self.cursors(&["OpenEphemeral", "OpenAutoindex", "OpenDup"]);
        let mut count = RowCount::default();
        for (at, instruction) in self.0.iter().enumerate() {
            let stays = !passing.contains(&instruction.p1);
            match instruction.code.as_str() {
                "Rewind" | "Sort" | "SorterSort" | "Last" | "NotExists" | "SeekRowid" | "VNext" => {
                    count.read += instruction.ran;
                }
                "SeekLT" | "SeekLE" | "SeekGE" | "SeekGT" => count.read += self.found(at),
                "Next" | "Prev" | "SorterNext" => count.read += self.moved(at),
                "Count" if instruction.p3 == 0 && instruction.ran > 0 => {
                    let root = self.root_of(instruction.p1);
                    count.read += instruction.ran * root.map_or(0, |root| counted.rows_of(root));
                }
                "Insert" | "IdxInsert" if stays => count.written += instruction.ran,
                "Delete" if stays && instruction.p2 & COUNTS_CHANGES != 0 => {
                    count.written += instruction.ran;
                }
                "VUpdate" => count.written += instruction.ran,
                "Clear" if instruction.p3 != 0 && instruction.ran > 0 => {
                    count.written += counted.changes();
                }
                _ => {}
            }
        }
        count
    }

    /// How often a search found a place. One for an equal key counts only where there is one; it
    /// then skips the instruction that would end the loop.
    fn found(&self, at: usize) -> u64 {
        let ran = self.0[at].ran;
        if !self.is_for_equal(at) {
            return ran;
        }
        ran.min(self.ran(at + 2))
    }

    /// How often a move to the next row found one: the entries of the loop's body less those that
    /// came into it from above.
    fn moved(&self, at: usize) -> u64 {
        let Ok(body) = usize::try_from(self.0[at].p2) else { return 0 };
        let entered = self.ran(body);
        let from_above = match body.checked_sub(1).map(|above| (above, &self.0[above])) {
            Some((above, _)) if self.is_for_equal(above) => 0,
            Some((_, above)) if LEAVES.contains(&above.code.as_str()) => 0,
            Some((_, above)) => above.ran.min(entered),
            None => 0,
        };
        let jumps = self.0.iter().filter(|other| other.code == "Goto" && other.p2 == self.0[at].p2);
        let jumped: u64 = jumps.map(|other| other.ran).sum();
        let ran = self.0[at].ran;
        let at_least = ran.saturating_sub(self.ran(at + 1));
        entered.saturating_sub(from_above + jumped).max(at_least).min(ran)
    }

    fn is_for_equal(&self, at: usize) -> bool {
        let (Some(seek), Some(next)) = (self.0.get(at), self.0.get(at + 1)) else { return false };
        let is_pair = matches!(
            (seek.code.as_str(), next.code.as_str()),
            ("SeekGE", "IdxGT") | ("SeekLE", "IdxLT")
        );
        let opens = |other: &Instruction| {
            other.p1 == seek.p1
                && matches!(other.code.as_str(), "OpenRead" | "OpenWrite" | "ReopenIdx")
                && other.flags & SEEKS_EQUAL != 0
        };
        is_pair
            && (seek.p1, seek.p2, seek.p3) == (next.p1, next.p2, next.p3)
            && self.0.iter().any(opens)
    }

    fn ran(&self, at: usize) -> u64 {
        self.0.get(at).map_or(0, |instruction| instruction.ran)
    }

    fn cursors(&self, openers: &[&str]) -> HashSet<i64> {
        let opened = self.0.iter().filter(|one| openers.contains(&one.code.as_str()));
        opened.map(|one| one.p1).collect()
    }

    fn root_of(&self, cursor: i64) -> Option<i64> {
        let opener = self.0.iter().find(|one| one.code.starts_with("Open") && one.p1 == cursor);
        opener.map(|one| one.p2)
    }
}

/// Instructions that never go on to the one below.
const LEAVES: [&str; 3] = ["Goto", "Halt", "Return"];

/// Of `Delete`: rows count as changes.
const COUNTS_CHANGES: i64 = 1;
/// Of opened cursors: only equal keys are of use.
const SEEKS_EQUAL: i64 = 2;

const PROGRAM: &str = "SELECT addr, opcode, p1, p2, p3, p5, nexec FROM bytecode(?)";
