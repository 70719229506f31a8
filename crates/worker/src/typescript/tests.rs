//! What is left of TypeScript, and what is refused.

use proptest::prelude::*;

use super::{specifiers, strip};
use crate::error::Error;

/// `expect` with the blanks at the ends of lines and double blanks taken out of what is left.
fn check(source: &str, expect: &str) {
    let stripped = strip("a.ts", source).unwrap();
    let lines = |text: &str| text.lines().count();
    assert_eq!(lines(&stripped), lines(source), "{source}: lines move");
    let words: Vec<&str> = stripped.split_whitespace().collect();
    assert_eq!(words.join(" "), expect, "{source}");
}

#[test]
fn types_become_spaces_of_the_same_width() {
    let source = "const a: number = 1; function f<T>(b?: T): b is T { return b!; }";
    let expect = "const a         = 1; function f   (b    )         { return b ; }";
    assert_eq!(strip("a.ts", source).unwrap(), expect);
    let wide = "let a: \"\u{1f600}\u{e9}\" = 1;";
    assert_eq!(strip("a.ts", wide).unwrap(), "let a        = 1;");
}

#[test]
fn declarations_of_types_leave_a_semicolon() {
    check("interface A { a: 1 }\nlet a", "; let a");
    check("a\ntype B = 1\n(c)", "a ; (c)");
    check("declare const a: 1; declare module 'x' {}\nexport declare function f(): void;", "; ; ;");
    check("export interface A {}\nexport default interface B {}", "; ;");
    check("function f(a: 1): void;\nfunction f(a: any) {}", "; function f(a ) {}");
    check("namespace A { export type B = 1; interface C {} }", ";");
}

#[test]
fn expressions_lose_their_casts() {
    check("a as B; a as const; a satisfies B as C", "a ; a ; a");
    check("<B>a; f<B>(c); new D<E>(f); const g = h<I>;", "a; f (c); new D (f); const g = h ;");
    check("let a = b as C\n(d)", "let a = b ; (d)");
    check("let a: B\n[c] = d", "let a; [c] = d");
    check("const f = async <T,>(a: T): Promise<T> => a", "const f = async (a ) => a");
    check("if (a < b && c > (d)) {}", "if (a < b && c > (d)) {}");
    let arrow = strip("a.ts", "const f = (a): {\n  b: C\n} => a").unwrap();
    assert_eq!(arrow, "const f = (a    \n      \n) => a");
}

#[test]
fn classes_keep_fields_and_lose_the_rest() {
    check(
        "abstract class A<T> extends B<T> implements C {\n  private readonly a: T = 1;\n  b?: 1\n  \
         c!: 1; declare d: 1; [k: string]: 1; abstract e(): void; f(a: 1): void; f(a) {}\n  \
         static #g: 1; override get h(): 1 { return 1 }\n}",
        "class A extends B { a = 1; b c ; ; ; ; ; ; ; ; ; f(a) {} static #g ; \
         get h() { return 1 } }",
    );
    check("class A { private [b] = 1; public *c() {} }", "class A { ; [b] = 1; ; *c() {} }");
    check("class A { f(this: A, a: 1) {} }", "class A { f( a ) {} }");
}

#[test]
fn parameter_properties_are_assigned_first_or_after_the_parents_constructor() {
    check(
        "class A { constructor(private a: 1, readonly b = 2, c: 3) { d() } }",
        "class A { constructor( a , b = 2, c ) { this.a = a; this.b = b; d() } }",
    );
    check(
        "class A extends B { constructor(public a) { super(a); c() } }",
        "class A extends B { constructor( a) { super(a);; this.a = a; c() } }",
    );
}

#[test]
fn enums_become_functions_on_their_lines() {
    check(
        "export enum A { B, C = 5, D, 'e-f' = 'x' }",
        "export var A = ((A) => { A[A[\"B\"] = 0] = \"B\"; A[A[\"C\"] = 5] = \"C\"; \
         A[A[\"D\"] = 6] = \"D\"; A['e-f'] = 'x' ; return A; })(A || {});",
    );
    check(
        "const enum A {\n  B = 1 << 2,\n  C = B | d,\n  E,\n}",
        "var A = ((A) => { A[A[\"B\"] = 1 << 2] = \"B\"; A[A[\"C\"] = A.B | d] = \"C\"; \
         A[A[\"E\"] = A[\"C\"] + 1] = \"E\"; ; return A; })(A || {});",
    );
}

#[test]
fn imports_that_only_types_use_are_taken_out() {
    check(
        "import type { A } from 'a'; import { type B, C } from 'b'; C",
        "; import { C } from 'b'; C",
    );
    check("import { A } from 'a'; let b: A", "; let b");
    check("import A, { B } from 'a'; A", "import A, { } from 'a'; A");
    check("import A, { B } from 'a'; B", "import { B } from 'a'; B");
    check(
        "import * as A from 'a'; import 'b'; import {} from 'c'",
        "; import 'b'; import {} from 'c'",
    );
    check("import { A } from 'a'; export { A }", "import { A } from 'a'; export { A }");
    check("import { A as B } from 'a'; ({ B })", "import { A as B } from 'a'; ({ B })");
    check(
        "import { A } from 'a'; class B extends A {}",
        "import { A } from 'a'; class B extends A {}",
    );
    check(
        "type A = 1; const b = 2; export { A, b }; export type { A }",
        "; const b = 2; export { b }; ;",
    );
    check("export type * from 'a'; export * from 'b'", "; export * from 'b'");
}

#[test]
fn what_is_not_erasable_is_refused_with_its_place() {
    for (source, what) in [
        ("a;\nnamespace B { export const c = 1 }", "namespaces with values are not supported"),
        ("a;\nexport = b", "\"export =\" is not JavaScript"),
        ("a;\nimport b = require('b')", "\"import … = require()\" is not JavaScript"),
        ("a;\n@b class C {}", "decorators are not supported"),
    ] {
        let Err(Error::AppStart(error)) = strip("dir/a.ts", source) else { panic!("{source}") };
        assert!(error.message.starts_with(what), "{}", error.message);
        let at = error.at.as_ref().unwrap();
        assert_eq!((at.module.as_str(), at.line, at.column), ("dir/a.ts", 2, 1));
        assert!(error.frame.as_deref().unwrap().starts_with("2 | "), "{:?}", error.frame);
    }
}

#[test]
fn deep_nesting_and_nonsense_do_no_harm() {
    let deep = format!("let a: {}1{} = 2", "(".repeat(50_000), ")".repeat(50_000));
    assert!(strip("a.ts", &deep).unwrap().ends_with(" = 2"));
    let sum = format!("a{} as B", " + a".repeat(50_000));
    assert!(strip("a.ts", &sum).unwrap().trim_end().ends_with("+ a"));
    assert!(strip("a.ts", "class { ( <").is_ok());
}

#[test]
fn specifiers_are_found_wherever_they_are_literal() {
    let source = "import a from './a'; export * from \"b\"; import('./c'); require('d'); import(e)";
    let found: Vec<String> =
        specifiers("a.js", source).unwrap().into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, ["./a", "b", "./c", "d"]);
}

proptest! {
    #[test]
    fn any_text_is_stripped_or_refused(source in "[ -~\n\u{e9}\u{1f600}]{0,120}") {
        let _ = strip("a.ts", &source);
    }

    #[test]
    fn any_tokens_are_stripped_or_refused(tokens in proptest::collection::vec(
        prop_oneof![
            Just("import"), Just("export"), Just("type"), Just("enum"), Just("class"), Just("{"),
            Just("}"), Just("("), Just(")"), Just(":"), Just("a"), Just("b"), Just("<"), Just(">"),
            Just("as"), Just("=>"), Just("="), Just(";"), Just("\n"), Just("private"),
            Just("constructor"), Just("from"), Just("'x'"), Just(","), Just("!"), Just("?"),
        ],
        0..40,
    )) {
        let _ = strip("a.ts", &tokens.join(" "));
    }
}
