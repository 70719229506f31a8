//! Prints how many SQL calls one thread makes per second: `cargo run --release --example rates`.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use storage::{Database, Durability, SyncPool, ValueRef};

const ROWS: i64 = 200_000;
/// Writes between two commits; a turn of JavaScript rarely makes more.
const BATCH: i64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("beryl-rates-{}", std::process::id()));
    let sink = SyncPool::start(4)?;
    let durability = Durability { sink, token: 0, counted: 0, on_durable: Arc::new(|_, _| ()) };
    let database = Database::open(&folder.join("rates.sqlite"), &durability)?;
    database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)", &[])?;
    measure("insert", &mut |index| {
        let values =
            [ValueRef::Integer(index), ValueRef::Text("a short name"), ValueRef::Integer(7)];
        database.exec("INSERT INTO t VALUES (?, ?, ?)", &values)?;
        commit_now_and_then(&database, index)
    })?;
    measure("point select", &mut |index| {
        let key = [ValueRef::Integer(index * 7919 % ROWS)];
        let mut cursor = database.exec("SELECT id, name, n FROM t WHERE id = ?", &key)?;
        while cursor.has_row() {
            (0..cursor.column_count()).for_each(|column| _ = black_box(cursor.value(column)));
            cursor.advance()?;
        }
        Ok(())
    })?;
    let mut scan = database.exec("SELECT id, name, n FROM t", &[])?;
    measure("row of a scan", &mut |_| {
        (0..scan.column_count()).for_each(|column| _ = black_box(scan.value(column)));
        scan.advance()?;
        Ok(())
    })?;
    drop(scan);
    measure("kv put", &mut |index| {
        database.kv_put(&format!("{index:08}"), b"a short value")?;
        commit_now_and_then(&database, index)
    })?;
    measure("kv get", &mut |index| {
        black_box(database.kv_get(&format!("{:08}", index * 7919 % ROWS))?);
        Ok(())
    })?;
    measure("insert and commit", &mut |index| {
        database.exec("INSERT INTO t (name) VALUES (?)", &[ValueRef::Integer(index)])?;
        database.commit()?;
        Ok(database.checkpoint_if_large()?)
    })?;
    measure_opening(&folder, &durability)?;
    database.close()?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn commit_now_and_then(database: &Database, index: i64) -> Result<(), Box<dyn Error>> {
    if index % BATCH == 0 {
        database.commit()?;
        database.checkpoint_if_large()?;
    }
    Ok(())
}

fn measure(
    what: &str,
    call: &mut dyn FnMut(i64) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    for index in 0..ROWS {
        call(index)?;
    }
    report(what, ROWS, start);
    Ok(())
}

fn measure_opening(
    folder: &std::path::Path,
    durability: &Durability,
) -> Result<(), Box<dyn Error>> {
    const FILES: i64 = 500;
    let open = |index| Database::open(&folder.join(format!("open/{index}.sqlite")), durability);
    let start = Instant::now();
    let databases = (0..FILES).map(open).collect::<Result<Vec<_>, _>>()?;
    report("create a database", FILES, start);
    let start = Instant::now();
    drop(databases);
    report("drop a database", FILES, start);
    let start = Instant::now();
    (0..FILES).try_for_each(|index| open(index).map(|_| ()))?;
    report("open and drop a database", FILES, start);
    Ok(())
}

fn report(what: &str, count: i64, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what:>26}: {:>10.0}/s", count as f64 / seconds);
}
