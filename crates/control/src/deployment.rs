//! From a request body to a checked [`Deployment`].

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use worker::code::{self, Module, is_module_name, is_typescript};
use worker::cron::CronTrigger;
use worker::limits::CODE_BYTES_MAX;
use worker::typescript;

use crate::host::Deployment;
use crate::refusal::Refusal;

/// What kind of body a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `{"main":…,"modules":{…},"vars":{…}}`.
    Json,
    /// The source of the one module `app.js`.
    JavaScript,
}

/// The JSON body as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDeployment {
    main: Option<String>,
    modules: RawModules,
    #[serde(default)]
    vars: Map<String, Value>,
    #[serde(default)]
    crons: Vec<String>,
    rpc: Option<RawRpc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRpc {
    path: String,
}

struct RawModules(BTreeMap<String, RawModule>);

enum RawModule {
    /// A string; its name says whether it is TypeScript.
    Source(String),
    Typed(Module),
}

/// Reads `Content-Type`.
pub(crate) fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let full = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Ok(Format::Json),
        "application/javascript" | "text/javascript" => Ok(Format::JavaScript),
        _ => Err(media_type(&format!(
            "the content type \"{full}\" is not supported; send application/json or \
             application/javascript"
        ))),
    }
}

/// Parses and checks a whole body.
pub(crate) fn parse(format: Format, body: &Bytes) -> Result<Deployment, Refusal> {
    let raw = match format {
        Format::Json => serde_json::from_slice(body).map_err(|error| Refusal::json(&error))?,
        Format::JavaScript => {
            let source = std::str::from_utf8(body)
                .map_err(|error| media_type(&format!("the source is not UTF-8: {error}")))?;
            let module = RawModule::Source(source.into());
            RawDeployment {
                main: Some(BARE_MODULE.into()),
                modules: RawModules(BTreeMap::from([(BARE_MODULE.into(), module)])),
                vars: Map::new(),
                crons: Vec::new(),
                rpc: None,
            }
        }
    };
    check(raw)
}

fn check(raw: RawDeployment) -> Result<Deployment, Refusal> {
    if let Some(name) = raw.modules.0.keys().find(|name| !is_module_name(name)) {
        let message = format!(
            "the module name {name:?} is not a relative path without empty, \".\" and \"..\" parts"
        );
        return Err(Refusal::code("module_name", message));
    }
    let modules = raw.modules.0.into_iter().map(|(name, module)| {
        let module = match module {
            RawModule::Source(source) if is_typescript(&name) => {
                Module::Js(typescript::strip(&name, &source)?.into())
            }
            RawModule::Source(source) => Module::Js(source.into()),
            RawModule::Typed(module) => module,
        };
        Ok((name, module))
    });
    let modules = modules.collect::<Result<BTreeMap<_, _>, Refusal>>()?;
    let main = raw.main.ok_or_else(|| {
        Refusal::code("main_missing", "\"main\" is missing; it names the module to start with")
    })?;
    match modules.get(&main) {
        Some(Module::Js(_)) => {}
        Some(_) => {
            let message = format!("the main module {main:?} must be JavaScript");
            return Err(Refusal::code("main_missing", message));
        }
        None => {
            let message = format!("the main module {main:?} is not among \"modules\"");
            return Err(Refusal::code("main_missing", message));
        }
    }
    let bytes: usize = modules.values().map(|module| module.bytes().len()).sum();
    if bytes > CODE_BYTES_MAX {
        let message =
            format!("the modules have {bytes} bytes; at most {CODE_BYTES_MAX} are allowed");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "code_too_large", message));
    }
    let bundle = code::check_bundle(main, modules)?;
    let RawDeployment { vars, crons, rpc, .. } = raw;
    crons.iter().try_for_each(|pattern| check_cron(pattern))?;
    let rpc = rpc.map(|rpc| check_path(rpc.path)).transpose()?;
    let mut hash = code::hash(&bundle);
    if !vars.is_empty() {
        // In a sorted map, so that the order in which a client writes them does not matter.
        hash = with(&hash, &vars.iter().collect::<BTreeMap<_, _>>());
    }
    if !crons.is_empty() || rpc.is_some() {
        hash = with(&hash, &(&crons, &rpc));
    }
    let (main, modules) = (bundle.main_module, bundle.modules);
    Ok(Deployment { main, modules, vars, crons, rpc, hash })
}

fn check_cron(pattern: &str) -> Result<(), Refusal> {
    let wrong = |error| Refusal::code("cron", format!("the cron pattern {pattern:?}: {error}"));
    CronTrigger::parse(pattern).map(drop).map_err(wrong)
}

/// A path as it stands in a URL, so that a request's path can be compared with it.
fn check_path(path: String) -> Result<String, Refusal> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#%\\\"<>`{}".contains(&byte);
    let has_dots = path.split('/').any(|part| matches!(part, "." | ".."));
    if path.starts_with('/') && path.bytes().all(is_plain) && !has_dots {
        return Ok(path);
    }
    let message = format!("{path:?} is no path for \"rpc\"; give one like \"/rpc\"");
    Err(Refusal::code("rpc_path", message))
}

/// The hash of what has this hash together with more.
fn with(hash: &str, more: &impl Serialize) -> String {
    let more = serde_json::to_vec(more).expect("JSON values can be written as JSON");
    let both = Sha256::new().chain_update(hash).chain_update(more).finalize();
    both.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn media_type(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", message)
}

impl<'de> Deserialize<'de> for RawModules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ModulesVisitor;

        impl<'de> Visitor<'de> for ModulesVisitor {
            type Value = RawModules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of modules by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawModules, A::Error> {
                let mut modules = BTreeMap::new();
                while let Some((name, module)) = map.next_entry::<String, RawModule>()? {
                    // Serde would keep the last one; which one was meant is anyone's guess.
                    if modules.contains_key(&name) {
                        return Err(A::Error::custom(format!("the module {name:?} comes twice")));
                    }
                    modules.insert(name, module);
                }
                Ok(RawModules(modules))
            }
        }

        deserializer.deserialize_map(ModulesVisitor)
    }
}

impl<'de> Deserialize<'de> for RawModule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ModuleVisitor;

        impl<'de> Visitor<'de> for ModuleVisitor {
            type Value = RawModule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "source text, or an object with one of {}", KINDS.join(", "))
            }

            fn visit_str<E: serde::de::Error>(self, source: &str) -> Result<RawModule, E> {
                Ok(RawModule::Source(source.into()))
            }

            fn visit_string<E: serde::de::Error>(self, source: String) -> Result<RawModule, E> {
                Ok(RawModule::Source(source))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawModule, A::Error> {
                let Some(kind) = map.next_key::<String>()? else {
                    let kinds = KINDS.join(", ");
                    return Err(A::Error::custom(format!("a module needs one of {kinds}")));
                };
                let bytes = |text: String| STANDARD.decode(text).map_err(A::Error::custom);
                let module = match kind.as_str() {
                    "js" => Module::Js(map.next_value::<String>()?.into()),
                    "text" => Module::Text(map.next_value::<String>()?.into()),
                    "json" => Module::Json(map.next_value::<Value>()?.to_string().into()),
                    "cjs" => Module::Cjs(map.next_value::<String>()?.into()),
                    "data" => Module::Data(bytes(map.next_value()?)?.into()),
                    "wasm" => Module::Wasm(bytes(map.next_value()?)?.into()),
                    _ => return Err(A::Error::unknown_field(&kind, &KINDS)),
                };
                match map.next_key::<String>()? {
                    None => Ok(RawModule::Typed(module)),
                    Some(_) => Err(A::Error::custom("a module has exactly one kind")),
                }
            }
        }

        deserializer.deserialize_any(ModuleVisitor)
    }
}

/// What the module of a bare JavaScript body is called.
const BARE_MODULE: &str = "app.js";

const KINDS: [&str; 6] = ["js", "cjs", "text", "json", "data", "wasm"];
