//! The limits of one app, as the REST API takes and gives them.

use http::StatusCode;
use serde_json::{Map, Value, json};
use worker::limit_table::Limit;

use crate::refusal::Refusal;

/// Checks a change: an object of limits by name, each a whole number of at least 1, or null for
/// none of its own.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let change: Value = serde_json::from_slice(body).map_err(|error| Refusal::json(&error))?;
    let Value::Object(change) = change else {
        return Err(refuse("the body must be an object like {\"cpu_ms\": 200}".into()));
    };
    for (name, value) in &change {
        if !NAMES.contains(&name.as_str()) {
            let names = NAMES.join(", ");
            return Err(refuse(format!("an app has no limit \"{name}\", but {names}")));
        }
        let is_number = value.as_u64().is_some_and(|n| (1..=u64::from(u32::MAX)).contains(&n));
        if !is_number && !value.is_null() {
            return Err(refuse(format!("{name} must be a whole number of at least 1, or null")));
        }
    }
    Ok(change)
}

/// What the process allows, for everybody who asks.
pub(crate) fn to_json(table: &[Limit]) -> Value {
    let limits: Vec<Value> = table
        .iter()
        .map(|limit| {
            json!({
                "name": limit.name,
                "value": limit.value,
                "unit": limit.unit,
                "per": limit.per,
                "breach": limit.breach,
                "raise": limit.raise,
            })
        })
        .collect();
    json!({ "limits": limits })
}

fn refuse(message: String) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "limit", message)
}

/// The limits that an app can have of its own; the lower of two holds.
const NAMES: [&str; 8] = [
    "cpu_ms",
    "wall_ms",
    "memory_mb",
    "subrequests",
    "storage_mb",
    "timers",
    "queued_events",
    "log_bytes",
];

/// Bytes of a change; far more than all limits take.
pub(crate) const BODY_BYTES_MAX: u64 = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_whole_numbers_or_null_under_known_names() {
        assert!(parse(br#"{"cpu_ms": 200, "memory_mb": null}"#).is_ok());
        assert!(parse(b"{}").is_ok());
        for body in [
            &b""[..],
            b"[]",
            b"null",
            br#"{"cpu": 1}"#,
            br#"{"cpu_ms": 0}"#,
            br#"{"cpu_ms": -1}"#,
            br#"{"cpu_ms": 1.5}"#,
            br#"{"cpu_ms": "1"}"#,
            br#"{"cpu_ms": 4294967296}"#,
        ] {
            assert!(parse(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }
}
