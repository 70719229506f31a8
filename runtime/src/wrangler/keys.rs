//! The top level of a configuration file: which keys mean something here, which only matter on
//! Cloudflare, and which name what Beryl does not have. Environments are folded in first.

use serde_json::Value;
use worker::code::NodeCompat;

use super::fields::Fields;
use super::setting::{Content, Problem, Setting};

/// The settings of an environment: its own where it has them; what is not inherited must be its
/// own.
///
/// # Errors
/// When there is no such environment.
pub fn choose(setting: Setting, environment: Option<&str>) -> Result<Setting, Problem> {
    let Some(name) = environment else { return Ok(setting) };
    let chosen = setting.find("env").and_then(|env| env.find(name));
    let Some(Content::Table(own)) = chosen.map(|chosen| &chosen.content) else {
        return Err(setting.problem(format!("env.{name}: there is no such environment")));
    };
    let Content::Table(top) = &setting.content else { return Ok(setting) };
    let is_own = |key: &str| own.iter().any(|(known, _)| known == key);
    let inherited = top.iter().filter(|(key, _)| !is_own(key) && !NOT_INHERITED.contains(&&**key));
    let mut entries: Vec<(String, Setting)> = own.iter().chain(inherited).cloned().collect();
    if !is_own("name") {
        for (key, value) in &mut entries {
            if let ("name", Content::Plain(Value::String(text))) = (&**key, &mut value.content) {
                *text = format!("{text}-{name}");
            }
        }
    }
    Ok(Setting { line: setting.line, content: Content::Table(entries) })
}

/// Refuses what is not supported. `is_bundled` says that a bundler has done its part.
///
/// # Errors
/// The first key that cannot be honoured.
pub fn check(setting: &Setting, is_bundled: bool) -> Result<Fields<'_>, Problem> {
    let Content::Table(entries) = &setting.content else {
        return Err(setting.problem("the configuration must be an object"));
    };
    for (key, value) in entries {
        if is_empty(value) {
            continue;
        }
        if let Some((_, what)) = ABSENT.iter().find(|(known, _)| known == key) {
            let text = format!("{key}: Beryl has no {what} yet; remove it to run the worker here");
            return Err(value.problem(text));
        }
        if BUNDLING.contains(&key.as_str()) && !is_bundled {
            let text = format!(
                "{key}: Beryl does not bundle; run `wrangler deploy --dry-run --outdir dist` and \
                 give --bundle dist"
            );
            return Err(value.problem(text));
        }
    }
    let absent = ABSENT.iter().map(|(key, _)| key);
    let all: Vec<&str> =
        HONOURED.iter().chain(DEPLOYING).chain(BUNDLING).chain(absent).copied().collect();
    Fields::new(setting, "configuration", &all)
}

/// What `compatibility_date` and `compatibility_flags` give of Node.js; a missing date is a
/// current one.
///
/// # Errors
/// When they have another form.
pub fn node_compat(fields: &Fields) -> Result<NodeCompat, Problem> {
    let date = fields.text("compatibility_date")?.unwrap_or("9999-12-31");
    let fits = |(at, c): (usize, char)| match at {
        4 | 7 => c == '-',
        _ => c.is_ascii_digit(),
    };
    if date.len() != 10 || !date.char_indices().all(fits) {
        return Err(fields.problem("compatibility_date", "must be like \"2026-04-01\""));
    }
    Ok(NodeCompat::new(date, fields.texts("compatibility_flags")?))
}

/// `limits.cpu_ms`.
///
/// # Errors
/// When it is no whole number above zero, or another limit is set.
pub fn cpu_ms(fields: &Fields) -> Result<Option<u64>, Problem> {
    let Some(limits) = fields.find("limits") else { return Ok(None) };
    let limits = Fields::new(limits, "limits", &["cpu_ms"])?;
    let Some(cpu_ms) = limits.find("cpu_ms") else { return Ok(None) };
    match cpu_ms.to_json().as_u64().filter(|ms| *ms > 0) {
        Some(ms) => Ok(Some(ms)),
        None => Err(limits.problem("cpu_ms", "must be a whole number of milliseconds above 0")),
    }
}

fn is_empty(setting: &Setting) -> bool {
    match &setting.content {
        Content::Plain(value) => matches!(value, Value::Null | Value::Bool(false)),
        Content::List(items) => items.is_empty(),
        Content::Table(entries) => entries.is_empty(),
    }
}

/// Keys that mean here what they mean to `wrangler`.
const HONOURED: &[&str] = &[
    "name",
    "main",
    "compatibility_date",
    "compatibility_flags",
    "vars",
    "durable_objects",
    "migrations",
    "worker_loaders",
    "services",
    "triggers",
    "rules",
    "base_dir",
    "limits",
    "env",
];
/// Keys about deploying, watching and developing on Cloudflare. No worker can notice them.
const DEPLOYING: &[&str] = &[
    "$schema",
    "account_id",
    "compliance_region",
    "dev",
    "find_additional_modules",
    "first_party_worker",
    "keep_vars",
    "legacy_env",
    "logpush",
    "no_bundle",
    "observability",
    "placement",
    "preserve_file_names",
    "preview_urls",
    "route",
    "routes",
    "send_metrics",
    "upload_source_maps",
    "workers_dev",
];
/// Keys about bundling, which another program must have done.
const BUNDLING: &[&str] = &[
    "alias",
    "build",
    "define",
    "jsx_factory",
    "jsx_fragment",
    "keep_names",
    "minify",
    "tsconfig",
];
/// Keys that an environment does not take from the top.
const NOT_INHERITED: &[&str] = &[
    "env",
    "vars",
    "durable_objects",
    "services",
    "worker_loaders",
    "define",
    "kv_namespaces",
    "r2_buckets",
    "d1_databases",
    "queues",
    "ai",
    "vectorize",
    "hyperdrive",
    "workflows",
];
/// Keys that name something Beryl does not have.
const ABSENT: &[(&str, &str)] = &[
    ("ai", "Workers AI"),
    ("ai_search", "AI Search"),
    ("analytics_engine_datasets", "Analytics Engine"),
    ("assets", "static assets"),
    ("browser", "Browser Rendering"),
    ("cloudchamber", "containers"),
    ("containers", "containers"),
    ("d1_databases", "D1"),
    ("data_blobs", "data blobs; import the file as a module"),
    ("dispatch_namespaces", "dispatch namespaces"),
    ("hyperdrive", "Hyperdrive"),
    ("images", "Images"),
    ("kv_namespaces", "Workers KV"),
    ("logfwdr", "logfwdr"),
    ("media", "Media Transformations"),
    ("mtls_certificates", "mTLS certificates"),
    ("pipelines", "Pipelines"),
    ("python_modules", "Python"),
    ("queues", "Queues"),
    ("r2_buckets", "R2"),
    ("ratelimits", "rate limiting"),
    ("secrets_store_secrets", "Secrets Store"),
    ("send_email", "Email"),
    ("site", "Workers Sites"),
    ("streaming_tail_consumers", "tail workers in a configuration"),
    ("tail_consumers", "tail workers in a configuration"),
    ("text_blobs", "text blobs; import the file as a module"),
    ("unsafe", "unsafe bindings"),
    ("vectorize", "Vectorize"),
    ("version_metadata", "version metadata"),
    ("vpc_services", "VPC services"),
    ("wasm_modules", "service-worker syntax; import the module"),
    ("workflows", "Workflows"),
];
