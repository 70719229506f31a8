//! Enums as the functions that TypeScript makes of them, line by line.

use tree_sitter::Node;

use super::Strip;

/// What is known of a member's value.
enum Value {
    Number(f64),
    Text,
    Unknown,
}

/// Rewrites `enum A { B, C = "c" }`.
pub(super) fn rewrite<'a>(strip: &mut Strip<'a>, node: Node<'a>) {
    let (Some(name), Some(body)) = (strip.name(node), node.child_by_field_name("body")) else {
        return;
    };
    strip.used.insert(name);
    let head = format!("var {name} = (({name}) => {{");
    strip.edits.replace(node.start_byte(), body.start_byte() + 1, head);
    let mut members: Vec<&'a str> = Vec::new();
    let mut last = Value::Number(-1.0);
    let mut cursor = body.walk();
    for child in body.children(&mut cursor) {
        let key = match child.kind() {
            "enum_assignment" => child.child_by_field_name("name"),
            "property_identifier" | "string" => Some(child),
            "," => {
                strip.edits.replace(child.start_byte(), child.end_byte(), ";".into());
                None
            }
            _ => None,
        };
        let Some(key) = key else { continue };
        let quoted = quoted(strip.text(key));
        let given = child.child_by_field_name("value");
        let (value, code) = match given {
            Some(given) => (value(strip, given), expression(strip, given, name, &members)),
            None => next(&last, name, members.last()),
        };
        let code = match value {
            Value::Text => format!("{name}[{quoted}] = {code}"),
            _ => format!("{name}[{name}[{quoted}] = {code}] = {quoted}"),
        };
        strip.edits.replace(child.start_byte(), child.end_byte(), code);
        members.push(strip.text(key));
        last = value;
    }
    let tail = format!("; return {name}; }})({name} || {{}});");
    strip.edits.replace(body.end_byte() - 1, body.end_byte(), tail);
}

fn quoted(key: &str) -> String {
    if key.starts_with(['"', '\'']) { key.into() } else { format!("\"{key}\"") }
}

fn next(last: &Value, name: &str, before: Option<&&str>) -> (Value, String) {
    match (last, before) {
        (Value::Number(last), _) => (Value::Number(last + 1.0), (last + 1.0).to_string()),
        (_, Some(before)) => (Value::Unknown, format!("{name}[{}] + 1", quoted(before))),
        (_, None) => (Value::Number(0.0), "0".into()),
    }
}

fn value(strip: &Strip<'_>, given: Node<'_>) -> Value {
    let text = &strip.source[given.start_byte()..given.end_byte()];
    if matches!(given.kind(), "string" | "template_string") || text.contains(['"', '\'', '`']) {
        return Value::Text;
    }
    text.replace('_', "").parse().map_or(Value::Unknown, Value::Number)
}

/// The initializer, with members of the enum as such.
fn expression<'a>(
    strip: &mut Strip<'a>,
    given: Node<'a>,
    name: &str,
    members: &[&'a str],
) -> String {
    let mut code = String::new();
    let mut at = given.start_byte();
    let mut cursor = given.walk();
    let mut is_done = false;
    while !is_done {
        let node = cursor.node();
        if node.kind() == "identifier" {
            let text = strip.text(node);
            strip.used.insert(text);
            if members.contains(&text) {
                code.push_str(&strip.source[at..node.start_byte()]);
                code.push_str(&format!("{name}."));
                at = node.start_byte();
            }
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                is_done = true;
                break;
            }
        }
    }
    code.push_str(&strip.source[at..given.end_byte()]);
    code
}
