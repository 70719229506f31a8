//! `docs/compat.md` says of every API that workerd has whether Beryl has it too. It is made of what
//! `test_apps/surface` finds on both, so that it cannot say what is not there.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::Workerd;
use super::server::Server;
use super::server::app::{App, root};
use super::server::client::Ask;

/// Set to write the file instead of comparing it.
const WRITE: &str = "BERYL_WRITE_COMPAT";

/// How many names of what is missing are listed before the rest is counted.
const LISTED: usize = 12;

#[test]
fn the_table_of_apis_says_what_both_runtimes_have() {
    let app = App::all().into_iter().find(|app| app.name == "surface").unwrap();
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let beryl = Server::run(&app.script(), ours.path(), 1, &[]);
    let workerd = Workerd::start(&app, theirs.path(), None);
    let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let ours = read(beryl.ask(&Ask::get("/")).text());
    let theirs = read(workerd.ask(&Ask::get("/")).text());
    let path = root().join("docs/compat.md");
    let page = page(&ours, &theirs);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let mend = format!("{WRITE}=1 cargo nextest run -p runtime --test workerd table_of_apis");
    assert!(written == page, "docs/compat.md is not up to date; write it: {mend}");
}

fn page(ours: &Value, theirs: &Value) -> String {
    let mut text =
        "# Which APIs of Workers there are\n\nMade by `runtime/tests/workerd/compat.rs` \
        of what [`test_apps/surface`](../test_apps/surface/worker.js)\nfinds on Beryl and on \
        workerd; not kept by hand. It compares names: how they behave is shown by the\nother \
        tests, see [status.md](status.md).\n"
            .to_owned();
    for (key, title) in
        [("globals", "Globals"), ("platform", "Modules of the platform"), ("node", "Node.js")]
    {
        text += &section(title, &names(&ours[key]), &names(&theirs[key]));
    }
    text
}

/// Members by name; `None` where there is only the name, or not even that.
type Names = BTreeMap<String, Option<Vec<String>>>;

fn names(found: &Value) -> Names {
    let members = |value: &Value| {
        let list = value.as_array()?;
        Some(list.iter().map(|name| name.as_str().unwrap().to_owned()).collect())
    };
    found.as_object().unwrap().iter().map(|(name, v)| (name.clone(), members(v))).collect()
}

fn section(title: &str, ours: &Names, theirs: &Names) -> String {
    let mut rows = String::new();
    let (mut complete, mut all) = (0, 0);
    for (name, members) in theirs {
        // What workerd itself has by name only is no API.
        let Some(members) = members else { continue };
        all += 1;
        let status = match ours.get(name) {
            None | Some(None) => "missing".to_owned(),
            Some(Some(own)) => {
                let lacks: Vec<&String> = members.iter().filter(|m| !own.contains(m)).collect();
                if lacks.is_empty() {
                    complete += 1
                }
                lacking(&lacks)
            }
        };
        rows += &format!("| `{name}` | {status} |\n");
    }
    format!("\n## {title}: {complete} of {all} complete\n\n| name | state |\n|---|---|\n{rows}")
}

fn lacking(lacks: &[&String]) -> String {
    if lacks.is_empty() {
        return "there".to_owned();
    }
    let listed: Vec<String> = lacks.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let rest = lacks.len() - listed.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("lacks {}{more}", listed.join(", "))
}

#[test]
fn a_name_without_its_members_is_missing() {
    let read = |text| names(&serde_json::from_str(text).unwrap());
    let ours = read(r#"{"A": ["b"], "C": null, "D": ["x"]}"#);
    let theirs = read(r#"{"A": ["b"], "C": ["d"], "D": ["x", "y"], "E": [], "F": null}"#);
    let section = section("T", &ours, &theirs);
    assert!(section.contains("T: 1 of 4 complete"), "{section}");
    let rows = ["| `A` | there |", "| `C` | missing |", "| `D` | lacks `y` |", "| `E` | missing |"];
    assert!(rows.iter().all(|row| section.contains(row)), "{section}");
}
