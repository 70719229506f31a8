//! Migrations, step by step.

use super::*;

fn list(classes: &[&str]) -> Vec<String> {
    classes.iter().map(|class| (*class).to_owned()).collect()
}

fn migration(tag: &str, created: &[&str], renamed: &[(&str, &str)], deleted: &[&str]) -> Migration {
    let renamed = renamed.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect();
    Migration { tag: tag.into(), created: list(created), renamed, deleted: list(deleted) }
}

fn keys(classes: &Classes) -> Vec<(&str, &str)> {
    classes.keys.iter().map(|(class, key)| (class.as_str(), key.as_str())).collect()
}

#[test]
fn a_renamed_class_keeps_its_data() {
    let mut migrations = vec![migration("v1", &["Room"], &[], &[])];
    let first = Classes::default().migrate("chat", &migrations, &[], |_| false).unwrap();
    assert_eq!(keys(&first.classes), [("Room", "chat-Room")]);
    migrations.push(migration("v2", &[], &[("Room", "Channel")], &[]));
    let second = first.classes.migrate("chat", &migrations, &[], |_| true).unwrap();
    assert_eq!(keys(&second.classes), [("Channel", "chat-Room")]);
    assert_eq!(second.classes.tag.as_deref(), Some("v2"));
    // A new class of the old name must not find the data of the renamed one.
    migrations.push(migration("v3", &["Room"], &[], &[]));
    let third = second.classes.migrate("chat", &migrations, &[], |_| true).unwrap();
    assert_eq!(keys(&third.classes), [("Channel", "chat-Room"), ("Room", "chat-Room.2")]);
    assert!(third.erased.is_empty());
}

#[test]
fn a_rename_without_data_gives_the_key_of_the_new_name() {
    let migrations =
        [migration("v1", &["Room"], &[], &[]), migration("v2", &[], &[("Room", "Channel")], &[])];
    let fresh = Classes::default().migrate("chat", &migrations, &[], |_| false).unwrap();
    assert_eq!(keys(&fresh.classes), [("Channel", "chat-Channel")]);
}

#[test]
fn a_deleted_class_is_erased_once() {
    let migrations = [migration("v1", &["A", "B"], &[], &[]), migration("v2", &[], &[], &["A"])];
    let first = Classes::default().migrate("w", &migrations[..1], &[], |_| true).unwrap();
    let second = first.classes.migrate("w", &migrations, &[], |_| true).unwrap();
    assert_eq!((keys(&second.classes), second.erased), (vec![("B", "w-B")], list(&["w-A"])));
    let again = second.classes.migrate("w", &migrations, &[], |_| true).unwrap();
    assert!(again.erased.is_empty());
}

#[test]
fn a_bound_class_exists_without_migration() {
    let bound = list(&["Room"]);
    let migrated = Classes::default().migrate("chat", &[], &bound, |_| false).unwrap();
    assert_eq!(keys(&migrated.classes), [("Room", "chat-Room")]);
    assert_eq!(migrated.classes.tag, None);
}

#[test]
fn a_class_that_was_mistyped_can_be_mended_in_place() {
    let wrong = [migration("v1", &["Romo"], &[], &[])];
    let failed = Classes::default().migrate("chat", &wrong, &[], |_| false).unwrap();
    let right = [migration("v1", &["Room"], &[], &[])];
    let mended = failed.classes.migrate("chat", &right, &[], |_| false).unwrap();
    let keys = BTreeMap::from([("Room".to_owned(), "chat-Room".to_owned())]);
    assert_eq!(mended.keys, keys);
}

#[test]
fn what_cannot_be_applied_is_refused() {
    let check = |migrations: &[Migration], text: &str| {
        let error = Classes::default().migrate("w", migrations, &[], |_| false).unwrap_err();
        assert!(error.contains(text), "{error}");
    };
    check(&[migration("v1", &[], &[("A", "B")], &[])], "no such class");
    check(&[migration("v1", &["A", "B"], &[("A", "B")], &[])], "that class exists");
    check(&[migration("v1", &[], &[], &["A"])], "no such class");
    let known = Classes { tag: Some("v9".into()), keys: BTreeMap::new() };
    let error = known.migrate("w", &[], &[], |_| false).unwrap_err();
    assert!(error.contains("\"v9\"") && error.contains("--data"), "{error}");
}

#[test]
fn the_record_is_read_back() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(Record::read(data.path()).unwrap(), Record::default());
    let keys = BTreeMap::from([("Room".to_owned(), "chat-Room".to_owned())]);
    let classes = Classes { tag: Some("v1".into()), keys };
    let record = Record(BTreeMap::from([("chat".to_owned(), classes)]));
    record.write(data.path()).unwrap();
    assert_eq!(Record::read(data.path()).unwrap(), record);
    fs::write(data.path().join(FILE_NAME), "{").unwrap();
    assert!(Record::read(data.path()).is_err());
}
