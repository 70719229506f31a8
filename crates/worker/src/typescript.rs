//! TypeScript by taking its types out: what is left is JavaScript with every token where it was,
//! so that positions in errors are those of the author's file.
//!
//! Types become spaces; enums and parameter properties become code on their own lines. Imports
//! that no value uses are taken out, as TypeScript does. What would need more (namespaces with
//! values, decorators, `import =`, `export =`) is refused. The parser is one that neither hostile
//! nesting nor nonsense can harm; what it does not understand is left to V8, which then says
//! what is wrong.

mod edits;
mod enums;
mod imports;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use isolate::{SourcePosition, StartError, StartStage};
use tree_sitter::{Node, ParseOptions, Parser, Tree};

use crate::error::Error;
use crate::limits::{TYPESCRIPT_BYTES_MAX, TYPESCRIPT_MS_MAX};
use edits::Edits;
pub use imports::specifiers;

/// Takes the types out of a module.
///
/// # Errors
/// [`Error::AppStart`] with the place, for syntax that has no counterpart in JavaScript;
/// [`Error::AppCode`] for a module that is too large or takes too long.
pub fn strip(module: &str, source: &str) -> Result<String, Error> {
    let tree = parse(module, source)?;
    let mut strip = Strip {
        source,
        edits: Edits::default(),
        used: HashSet::new(),
        types: HashSet::new(),
        imports: Vec::new(),
        exported: Vec::new(),
        refused: None,
    };
    strip.walk(&tree);
    if let Some((at, what)) = strip.refused {
        return Err(refusal(module, source, at, what));
    }
    imports::take_out_unused(&mut strip);
    Ok(strip.edits.apply(source))
}

fn parse(module: &str, source: &str) -> Result<Tree, Error> {
    if source.len() > TYPESCRIPT_BYTES_MAX {
        let text = format!(
            "The TypeScript module \"{module}\" has {} bytes; at most {TYPESCRIPT_BYTES_MAX} are \
             allowed. Transpile it before it is loaded.",
            source.len()
        );
        return Err(Error::app_code("TypeError", text));
    }
    let mut parser = Parser::new();
    let language = tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into();
    parser.set_language(&language).map_err(|error| Error::bug(format!("grammar: {error}")))?;
    let deadline = Instant::now() + Duration::from_millis(TYPESCRIPT_MS_MAX);
    let mut is_late = |_: &tree_sitter::ParseState| match Instant::now() > deadline {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let options = ParseOptions::new().progress_callback(&mut is_late);
    let bytes = source.as_bytes();
    let mut read = |at: usize, _| bytes.get(at..).unwrap_or_default();
    parser.parse_with_options(&mut read, None, Some(options)).ok_or_else(|| {
        let text = format!(
            "The TypeScript module \"{module}\" took longer than {TYPESCRIPT_MS_MAX} ms to parse."
        );
        Error::app_code("TypeError", text)
    })
}

fn refusal(module: &str, source: &str, at: usize, what: &str) -> Error {
    let at = SourcePosition::at(module, source, at);
    let frame = at.frame(source);
    let message = format!("{what}; transpile the module before it is loaded");
    let (stage, name) = (StartStage::Syntax, "SyntaxError".into());
    Error::AppStart(StartError { stage, name, message, at: Some(at), frame }.into())
}

/// What one walk over the syntax tree finds.
struct Strip<'a> {
    source: &'a str,
    edits: Edits,
    /// Names that occur where a value is meant.
    used: HashSet<&'a str>,
    /// Names declared as types.
    types: HashSet<&'a str>,
    imports: Vec<Node<'a>>,
    /// Names in `export { … }` without a source.
    exported: Vec<Node<'a>>,
    /// The first thing that is not erasable, and what it is called.
    refused: Option<(usize, &'static str)>,
}

impl<'a> Strip<'a> {
    /// Visits all nodes in the order of the source. Not recursive: a tree may be as deep as its
    /// source is long.
    fn walk(&mut self, tree: &'a Tree) {
        let mut cursor = tree.walk();
        let mut parents: Vec<Node<'a>> = Vec::new();
        loop {
            let node = cursor.node();
            let descends = !self.edits.cover(node.start_byte(), node.end_byte())
                && self.visit(node, parents.last().copied());
            if descends && cursor.goto_first_child() {
                parents.push(node);
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return;
                }
                parents.pop();
            }
        }
    }

    /// True if what is inside must be visited as well.
    fn visit(&mut self, node: Node<'a>, parent: Option<Node<'a>>) -> bool {
        let around = parent.map_or("", |parent| parent.kind());
        match node.kind() {
            "type_parameters" | "type_arguments" | "implements_clause" => self.blank(node),
            "type_annotation" | "asserts_annotation" | "type_predicate_annotation" => {
                self.annotation(node, around);
            }
            "interface_declaration" | "type_alias_declaration" => {
                self.types.extend(self.name(node));
                self.statement(node);
            }
            "ambient_declaration" | "function_signature" => self.statement(node),
            "index_signature" | "abstract_method_signature" | "method_signature"
                if around == "class_body" =>
            {
                self.statement(node);
            }
            "public_field_definition" if self.has(node, &["declare", "abstract"]) => {
                self.statement(node);
            }
            "accessibility_modifier" | "override_modifier" => self.modifier(node, parent),
            "readonly" if MEMBERS.contains(&around) => self.modifier(node, parent),
            "abstract" if around == "abstract_class_declaration" => self.blank(node),
            "?" if OPTIONAL.contains(&around) => self.blank(node),
            "!" if DEFINITE.contains(&around) => self.blank(node),
            "as_expression" | "satisfies_expression" => return self.cast(node),
            "required_parameter" if self.is_this(node) => self.parameter(node),
            "method_definition" => return self.method(node),
            "enum_declaration" => enums::rewrite(self, node),
            "internal_module" | "module" => self.namespace(node),
            "import_statement" => self.import(node),
            "export_statement" => return self.export(node),
            "export_specifier" => self.export_specifier(node, parent),
            "import_alias" => self.refuse(node, "\"import … =\" is not JavaScript"),
            "decorator" => self.refuse(node, "decorators are not supported"),
            "identifier" | "shorthand_property_identifier" => {
                self.used.insert(self.text(node));
            }
            _ => return true,
        }
        false
    }

    fn blank(&mut self, node: Node<'_>) {
        self.edits.blank(node.start_byte(), node.end_byte());
    }

    /// A statement or member that is gone leaves its semicolon, lest its neighbours meet.
    fn statement(&mut self, node: Node<'_>) {
        self.edits.blank_to_semicolon(node.start_byte(), node.end_byte());
    }

    fn annotation(&mut self, node: Node<'a>, around: &str) {
        let (start, end) = (node.start_byte(), node.end_byte());
        let is_last = matches!(around, "variable_declarator" | "public_field_definition");
        if around == "arrow_function" && self.source[start..end].contains('\n') {
            // No line may end between the parameters and the arrow.
            if let Some(closing) = self.source[..start].rfind(')') {
                let last = self.source[..end].char_indices().next_back();
                let last = last.map_or(start, |(last, _)| last);
                self.edits.blank(closing, closing + 1);
                self.edits.blank(start, last);
                return self.edits.replace(last, end, ")".into());
            }
        }
        if is_last && self.meets_next_line(end) {
            return self.edits.blank_to_semicolon(start, end);
        }
        self.edits.blank(start, end);
    }

    /// True if the next line would continue an expression that ends here.
    fn meets_next_line(&self, end: usize) -> bool {
        let rest = &self.source[end..];
        let next = rest.trim_start();
        rest[..rest.len() - next.len()].contains('\n') && next.starts_with(['(', '[', '`'])
    }

    fn modifier(&mut self, node: Node<'a>, parent: Option<Node<'a>>) {
        let is_first = parent.is_some_and(|member| member.start_byte() == node.start_byte());
        let next = self.source[node.end_byte()..].trim_start();
        if is_first && next.starts_with(['[', '*']) {
            return self.statement(node);
        }
        self.blank(node);
    }

    fn cast(&mut self, node: Node<'a>) -> bool {
        let mut cursor = node.walk();
        let keyword = node.children(&mut cursor).find(|child| is_cast(child.kind()));
        let Some(keyword) = keyword else { return true };
        let (start, end) = (keyword.start_byte(), node.end_byte());
        match self.meets_next_line(end) {
            true => self.edits.blank_to_semicolon(start, end),
            false => self.edits.blank(start, end),
        }
        true
    }

    fn is_this(&self, node: Node<'a>) -> bool {
        node.child_by_field_name("pattern").is_some_and(|pattern| pattern.kind() == "this")
    }

    /// With the comma after it.
    fn parameter(&mut self, node: Node<'_>) {
        let comma = node.next_sibling().filter(|next| next.kind() == ",");
        self.edits.blank(node.start_byte(), comma.unwrap_or(node).end_byte());
    }

    /// A constructor assigns its parameter properties where TypeScript does: first, or right
    /// after the call of the parent's constructor.
    fn method(&mut self, node: Node<'a>) -> bool {
        let (Some(parameters), Some(body)) =
            (node.child_by_field_name("parameters"), node.child_by_field_name("body"))
        else {
            return true;
        };
        if self.name(node) != Some("constructor") {
            return true;
        }
        let mut cursor = parameters.walk();
        let properties = parameters.children(&mut cursor).filter(|child| {
            self.has(*child, &["accessibility_modifier", "readonly", "override_modifier"])
        });
        let patterns = properties.filter_map(|child| child.child_by_field_name("pattern"));
        let text: String =
            patterns.map(|pattern| format!(" this.{0} = {0};", self.text(pattern))).collect();
        if text.is_empty() {
            return true;
        }
        let mut cursor = body.walk();
        let parent_call =
            body.named_children(&mut cursor).find(|child| self.text(*child).starts_with("super("));
        match parent_call {
            Some(call) => self.edits.insert(call.end_byte(), format!(";{text}")),
            None => self.edits.insert(body.start_byte() + 1, text),
        }
        true
    }

    fn namespace(&mut self, node: Node<'a>) {
        let body = node.child_by_field_name("body");
        let has_values = body.is_some_and(|body| {
            let mut cursor = body.walk();
            body.named_children(&mut cursor).any(|child| !self.is_type(child))
        });
        match has_values {
            true => self.refuse(node, "namespaces with values are not supported"),
            false => self.statement(node),
        }
    }

    fn is_type(&self, node: Node<'a>) -> bool {
        match node.kind() {
            "interface_declaration"
            | "type_alias_declaration"
            | "ambient_declaration"
            | "function_signature"
            | "comment" => true,
            "export_statement" => {
                node.child_by_field_name("declaration").is_some_and(|inner| self.is_type(inner))
            }
            _ => false,
        }
    }

    fn import(&mut self, node: Node<'a>) {
        let mut cursor = node.walk();
        let kinds: Vec<&str> = node.children(&mut cursor).map(|child| child.kind()).collect();
        if kinds.contains(&"import_require_clause") {
            return self.refuse(node, "\"import … = require()\" is not JavaScript");
        }
        if kinds.contains(&"type") {
            return self.statement(node);
        }
        self.imports.push(node);
    }

    fn export(&mut self, node: Node<'a>) -> bool {
        let declaration = node.child_by_field_name("declaration");
        if let Some(declaration) = declaration.filter(|declaration| self.is_type(*declaration)) {
            self.types.extend(self.name(declaration));
            self.statement(node);
            return false;
        }
        let rest = self.text(node).strip_prefix("export").unwrap_or_default().trim_start();
        let named_types = rest.strip_prefix("type").map(str::trim_start);
        if named_types.is_some_and(|rest| rest.starts_with(['{', '*'])) {
            self.statement(node);
            return false;
        }
        if rest.starts_with('=') {
            self.refuse(node, "\"export =\" is not JavaScript");
        }
        true
    }

    fn export_specifier(&mut self, node: Node<'a>, parent: Option<Node<'a>>) {
        if self.has(node, &["type"]) {
            return self.parameter(node);
        }
        let statement = parent.and_then(|clause| clause.parent());
        if statement.is_some_and(|it| it.child_by_field_name("source").is_none()) {
            self.exported.push(node);
        }
    }

    fn refuse(&mut self, node: Node<'_>, what: &'static str) {
        self.refused.get_or_insert((node.start_byte(), what));
    }

    fn has(&self, node: Node<'a>, kinds: &[&str]) -> bool {
        let mut cursor = node.walk();
        node.children(&mut cursor).any(|child| kinds.contains(&child.kind()))
    }

    fn name(&self, node: Node<'a>) -> Option<&'a str> {
        node.child_by_field_name("name").map(|name| self.text(name))
    }

    fn text(&self, node: Node<'a>) -> &'a str {
        &self.source[node.start_byte()..node.end_byte()]
    }
}

fn is_cast(kind: &str) -> bool {
    matches!(kind, "as" | "satisfies")
}

/// Where `readonly` is a modifier.
const MEMBERS: &[&str] = &["public_field_definition", "required_parameter", "optional_parameter"];
/// Where `?` is a mark of TypeScript.
const OPTIONAL: &[&str] = &["public_field_definition", "optional_parameter", "method_definition"];
/// Where `!` is one.
const DEFINITE: &[&str] =
    &["public_field_definition", "variable_declarator", "non_null_expression"];

#[cfg(test)]
mod tests;
