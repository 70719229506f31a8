//! Imports and exports: which of them are types only, and what a module imports at all.

use tree_sitter::Node;

use super::{Strip, parse};
use crate::error::Error;

/// Takes out imports that no value uses, and exports of what was only a type.
pub(super) fn take_out_unused(strip: &mut Strip<'_>) {
    let exported = std::mem::take(&mut strip.exported);
    let imports = std::mem::take(&mut strip.imports);
    for node in exported {
        let Some(name) = strip.name(node) else { continue };
        match strip.types.contains(name) && !strip.used.contains(name) {
            true => strip.parameter(node),
            false => drop(strip.used.insert(name)),
        }
    }
    for node in imports {
        import(strip, node);
    }
}

fn import<'a>(strip: &mut Strip<'a>, statement: Node<'a>) {
    let mut cursor = statement.walk();
    let clause = statement.children(&mut cursor).find(|child| child.kind() == "import_clause");
    // An import for its effects only.
    let Some(clause) = clause else { return };
    let mut unused = Vec::new();
    let mut kept = 0;
    let mut cursor = clause.walk();
    for binding in clause.named_children(&mut cursor) {
        match binding.kind() {
            "named_imports" => {
                let mut cursor = binding.walk();
                for specifier in binding.named_children(&mut cursor) {
                    match is_used(strip, specifier) {
                        true => kept += 1,
                        false => unused.push(specifier),
                    }
                }
            }
            "identifier" | "namespace_import" => match is_used(strip, binding) {
                true => kept += 1,
                false => unused.push(binding),
            },
            _ => kept += 1,
        }
    }
    match kept {
        // `import {} from` is there for its effects.
        0 if !unused.is_empty() => strip.statement(statement),
        _ => unused.into_iter().for_each(|node| strip.parameter(node)),
    }
}

fn is_used<'a>(strip: &Strip<'a>, binding: Node<'a>) -> bool {
    if strip.has(binding, &["type", "typeof"]) {
        return false;
    }
    let name = match binding.kind() {
        "namespace_import" => {
            let mut cursor = binding.walk();
            binding.named_children(&mut cursor).find(|child| child.kind() == "identifier")
        }
        "identifier" => Some(binding),
        _ => {
            let alias = binding.child_by_field_name("alias");
            alias.or_else(|| binding.child_by_field_name("name"))
        }
    };
    name.is_none_or(|name| strip.used.contains(strip.text(name)))
}

/// What a JavaScript module names by literal text in `import`, `export … from`, `import()` and
/// `require()`, with the byte where each stands.
///
/// # Errors
/// [`Error::AppCode`] for a module that is too large or takes too long.
pub fn specifiers(module: &str, source: &str) -> Result<Vec<(usize, String)>, Error> {
    let tree = parse(module, source)?;
    let mut found = Vec::new();
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        let literal = match node.kind() {
            "import_statement" | "export_statement" => node.child_by_field_name("source"),
            "call_expression" => called(node, source),
            _ => None,
        };
        if let Some(literal) = literal.filter(|literal| literal.kind() == "string") {
            let text = &source[literal.start_byte()..literal.end_byte()];
            found.push((literal.start_byte(), text.trim_matches(['"', '\'']).to_owned()));
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return Ok(found);
            }
        }
    }
}

fn called<'a>(node: Node<'a>, source: &str) -> Option<Node<'a>> {
    let function = node.child_by_field_name("function")?;
    let name = &source[function.start_byte()..function.end_byte()];
    if !matches!(name, "import" | "require") {
        return None;
    }
    node.child_by_field_name("arguments")?.named_child(0)
}
