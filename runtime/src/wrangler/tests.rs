//! Configuration files and what they mean.

mod fuzz;

use super::*;

/// What a file with this text means, beside an empty `index.js`, or the error's text.
fn read_as(name: &str, text: &str, environment: Option<&str>) -> Result<Project, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.js"), "export default {}").unwrap();
    fs::write(dir.path().join(".dev.vars"), "# secrets\nSECRET=\"a b\"\nPLAIN=over\n").unwrap();
    let file = dir.path().join(name);
    fs::write(&file, text).unwrap();
    let choice = Choice { environment, bundle: None };
    Project::read(&file, choice).map_err(|error| {
        let text = error.to_string();
        text.replace(dir.path().to_str().unwrap(), "DIR")
    })
}

fn read(text: &str) -> Result<Project, String> {
    read_as("wrangler.jsonc", text, None)
}

/// A file with a name, a main module and `more`.
fn with(more: &str) -> String {
    format!("{{\n\"name\": \"w\", \"main\": \"index.js\",\n{more}\n}}")
}

#[track_caller]
fn refused(more: &str, text: &str) {
    let error = read(&with(more)).unwrap_err();
    assert!(error.contains(text), "{error}");
}

#[test]
fn all_that_is_supported_is_understood() {
    let project = read(&with(
        r#"
        "$schema": "node_modules/wrangler/config-schema.json",
        "compatibility_date": "2026-04-01", // today
        "compatibility_flags": ["nodejs_compat"],
        "vars": { "PLAIN": "text", "JSON": { "a": [1, true, null] }, "N": 2 },
        "durable_objects": { "bindings": [
          { "name": "ROOMS", "class_name": "Room" },
          { "name": "OTHERS", "class_name": "Other", "script_name": "b" },
          { "name": "SAME", "class_name": "Room", "script_name": "w" },
        ] },
        "migrations": [
          { "tag": "v1", "new_sqlite_classes": ["Old"], "new_classes": ["Gone"] },
          { "tag": "v2", "renamed_classes": [{ "from": "Old", "to": "Room" }],
            "deleted_classes": ["Gone"] },
        ],
        "worker_loaders": [{ "binding": "LOADER" }],
        "services": [
          { "binding": "A", "service": "b" },
          { "binding": "B", "service": "b", "entrypoint": "Api", "props": { "user": 1 } },
        ],
        "limits": { "cpu_ms": 50 },
        "triggers": { "crons": ["*/5 * * * *"] },
        "observability": { "enabled": true },
        "kv_namespaces": [],
        "#,
    ))
    .unwrap();
    let json = serde_json::json!({
        "PLAIN": "over", "JSON": { "a": [1, true, null] }, "N": 2, "SECRET": "a b",
    });
    assert_eq!(Value::Object(project.values.clone()), json);
    let scripts: Vec<_> = project.namespaces.iter().map(|b| b.script.as_deref()).collect();
    assert_eq!(scripts, [None, Some("b"), None]);
    assert_eq!(project.bound_classes(), ["Room", "Room"]);
    assert_eq!(project.migrations[0].created, ["Old", "Gone"]);
    assert_eq!(project.migrations[1].renamed, [("Old".to_owned(), "Room".to_owned())]);
    assert_eq!(project.loaders, ["LOADER"]);
    assert_eq!(project.services[0].entrypoint, "");
    assert_eq!(project.services[1].props, Some(serde_json::json!({ "user": 1 })));
    assert_eq!(project.crons, [CronTrigger::parse("*/5 * * * *").unwrap()]);
    assert_eq!(project.node, NodeCompat::All);
    assert_eq!((project.cpu_ms, project.main.as_str()), (Some(50), "index.js"));
}

#[test]
fn toml_means_the_same() {
    let text = "name = \"w\"\nmain = \"index.js\"\n[vars]\nA = \"1\"\n\
                [[durable_objects.bindings]]\nname = \"ROOMS\"\nclass_name = \"Room\"\n\
                [[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"Room\"]\n";
    let project = read_as("wrangler.toml", text, None).unwrap();
    assert_eq!((project.name.as_str(), &project.values["A"]), ("w", &Value::from("1")));
    assert_eq!((project.namespaces[0].line, project.migrations[0].tag.as_str()), (5, "v1"));
}

#[test]
fn an_environment_has_its_own_bindings_and_takes_the_rest_from_the_top() {
    let text = with(
        r#""vars": { "TOP": "1" }, "compatibility_date": "2026-04-01",
           "env": { "staging": { "vars": { "OWN": "2" } } }"#,
    );
    let project = read_as("wrangler.jsonc", &text, Some("staging")).unwrap();
    assert_eq!(project.name, "w-staging");
    assert!(project.values.contains_key("OWN") && !project.values.contains_key("TOP"));
    let error = read_as("wrangler.jsonc", &text, Some("live")).unwrap_err();
    assert!(error.contains("env.live"), "{error}");
}

#[test]
fn what_is_not_supported_is_named_with_its_line() {
    refused("\"kv_namespaces\": [{ \"binding\": \"KV\" }]", "DIR/wrangler.jsonc:3: kv_namespaces");
    refused("\"d1_databases\": [{}]", "Beryl has no D1 yet");
    refused("\"queues\": { \"producers\": [] }", "queues");
    refused("\n\"nmae\": 1", "wrangler.jsonc:4: configuration.nmae");
    refused("\"nmae\": 1", "did you mean \"name\"?");
    refused(
        "\"services\": [{ \"binding\": \"A\", \"service\": \"b\", \"remote\": true }]",
        "remote",
    );
    refused("\"define\": { \"A\": \"1\" }", "--bundle dist");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    refused("\"vars\": [1]", "vars: must be an object");
    refused("\"vars\": { \"a-b\": \"1\" }", "\"a-b\" is no name for a binding");
    refused("\"vars\": { \"__proto__\": \"1\" }", "__proto__");
    refused(
        "\"vars\": { \"A\": 1 }, \"worker_loaders\": [{ \"binding\": \"A\" }]",
        "another binding",
    );
    refused("\"durable_objects\": { \"bindings\": [{ \"name\": \"A\" }] }", "class_name: missing");
    refused("\"migrations\": [{ \"tag\": \"a\" }, { \"tag\": \"a\" }]", "another migration");
    refused("\"migrations\": [{ \"tag\": \"a\", \"new_classes\": [\"../A\"] }]", "no class name");
    refused("\"compatibility_date\": \"today\"", "2026-04-01");
    refused("\"limits\": { \"cpu_ms\": 0 }", "limits.cpu_ms");
    refused("\"rules\": [{ \"type\": \"PythonModule\", \"globs\": [] }]", "rules.type");
    refused("\"triggers\": { \"crons\": [\"soon\"] }", "triggers.crons");
    refused("\"base_dir\": \"elsewhere\"", "below base_dir");
    let check = |text: &str, expected: &str| {
        let error = read(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check("{ \"main\": \"index.js\" }", "configuration.name: missing");
    check("{ \"name\": \"../w\", \"main\": \"index.js\" }", "letters");
    check("{ \"name\": \"w\" }", "configuration.main: missing");
    check("{ \"name\": \"w\",\n\"main\": \"no.js\" }", ":2: configuration.main: there is no file");
    check("{ \"name\": \"w\", \"main\": \"wrangler.jsonc\" }", "--bundle dist");
    check("{ \"name\": ", "no JSON");
    check("[]", "must be an object");
}

#[test]
fn a_folder_means_the_configuration_in_it() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(find(dir.path()), None);
    for name in ["wrangler.toml", "wrangler.jsonc", "wrangler.json"] {
        fs::write(dir.path().join(name), "").unwrap();
        assert_eq!(find(dir.path()), Some(dir.path().join(name)));
    }
    assert_eq!(find(Path::new("a/worker.js")), None);
    assert_eq!(find(Path::new("a/other.toml")), Some("a/other.toml".into()));
}
