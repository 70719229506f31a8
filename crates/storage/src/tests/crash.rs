//! A crash at any byte of the WAL leaves a prefix of the commits.

use std::fs;

use super::{Fixture, number};
use crate::database_file::wal_of;

#[test]
fn st_32_a_wal_cut_at_any_place_holds_a_prefix_of_whole_commits() {
    let (fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
    database.commit().unwrap();
    let wal = wal_of(&fixture.path);
    let mut ends = vec![fs::metadata(&wal).unwrap().len()];
    for _ in 0..8 {
        // Two rows per commit, one of them over several pages.
        database.exec("INSERT INTO t (b) VALUES (1), (zeroblob(9000))", &[]).unwrap();
        database.commit().unwrap();
        ends.push(fs::metadata(&wal).unwrap().len());
    }
    drop(database);
    let (whole, image) = (fs::read(&fixture.path).unwrap(), fs::read(&wal).unwrap());
    for length in (0..=image.len()).step_by(1777).chain([image.len()]) {
        fs::write(&fixture.path, &whole).unwrap();
        fs::write(&wal, &image[..length]).unwrap();
        let complete = ends.iter().filter(|end| **end <= length as u64).count() as i64;
        let database = fixture.open();
        let tables = number(&database, "SELECT count(*) FROM sqlite_schema");
        assert_eq!(tables, i64::from(complete > 0), "cut at {length}");
        if complete > 0 {
            let rows = number(&database, "SELECT count(*) FROM t");
            assert_eq!(rows, (complete - 1) * 2, "cut at {length}");
        }
    }
}

#[test]
fn a_wal_left_by_a_deleted_database_is_not_replayed() {
    let (fixture, database) = Fixture::new();
    database.kv_put("old", b"1").unwrap();
    database.commit().unwrap();
    drop(database);
    // A crash in the middle of a deletion.
    fs::remove_file(&fixture.path).unwrap();
    assert!(wal_of(&fixture.path).exists());
    assert_eq!(fixture.open().kv_get("old").unwrap(), None);
}
