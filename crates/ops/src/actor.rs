//! Actors as their instances see them: identity, concurrency, ids of namespaces.

use deno_core::{OpState, op2, v8};
use worker::actor::Name;
use worker::actor_id::ActorId;
use worker::error::{Error, Thrown};
use worker::input_gate::SectionId;
use worker::instance::ExportKind;

use crate::capability::received;
use crate::dispatch::instance;
use crate::error::JsError;
use crate::request::v8_text;

/// What an actor is: `[class, props, id, name, packed props, key]` with the unique key of its
/// namespace; `name` is null for an id without one and undefined where the id is a plain string.
#[op2]
pub fn op_actor_describe<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let actor = instance(state).actor(actor).ok_or_else(JsError::actor_gone)?;
    let class = v8_text(scope, &actor.identity.class);
    let [props, packed] = match &actor.identity.props {
        Some(props) => received(scope, props)?,
        None => [v8::Object::new(scope).into(), v8::undefined(scope).into()],
    };
    let (id, name) = match &actor.identity.id {
        Name::Text(text) => (v8_text(scope, text), v8::undefined(scope).into()),
        Name::Id(id) => {
            let name = match id.name() {
                Some(name) => v8_text(scope, name),
                None => v8::null(scope).into(),
            };
            (v8_text(scope, &id.hex()), name)
        }
    };
    let key = v8_text(scope, &actor.identity.position.root.class);
    Ok(v8::Array::new_with_elements(scope, &[class, props, id, name, packed, key]))
}

/// Asks for a critical section; its number is delivered when it begins.
#[op2(fast)]
pub fn op_actor_section(state: &mut OpState, actor: u32) -> Result<u32, JsError> {
    let actor = instance(state).actor(actor).ok_or_else(JsError::actor_gone)?;
    Ok(actor.begin_section()?.number())
}

/// A critical section succeeded; its number is delivered once more, for whoever waits for it.
#[op2(fast)]
pub fn op_actor_section_end(state: &mut OpState, actor: u32, section: u32) {
    if let Some(actor) = instance(state).actor(actor) {
        actor.end_section(SectionId::new(section));
    }
}

/// Resets the actor and ends the running JavaScript, which cannot catch that: `ctx.abort()`.
#[op2(nofast)]
pub fn op_actor_abort(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    actor: u32,
    #[string] message: String,
) {
    if let Some(actor) = instance(state).actor(actor) {
        actor.break_with(&reason("Error".into(), message));
    }
    isolate::end_turn(scope);
}

/// Resets the actor because of an exception.
#[op2(fast)]
pub fn op_actor_break(
    state: &mut OpState,
    actor: u32,
    #[string] name: String,
    #[string] message: String,
) {
    if let Some(actor) = instance(state).actor(actor) {
        actor.break_with(&reason(name, message));
    }
}

/// The id of a name: 64 hex digits.
#[op2]
#[string]
pub fn op_actor_id_of_name(#[string] key: &str, #[string] name: &str) -> String {
    ActorId::from_name(key, name).hex()
}

/// A new id: 64 hex digits.
#[op2]
#[string]
pub fn op_actor_id_unique(#[string] key: &str) -> Result<String, JsError> {
    Ok(ActorId::unique(key)?.hex())
}

/// Checks that an id belongs to a namespace; gives it in lower case.
#[op2]
#[string]
pub fn op_actor_id_check(#[string] key: &str, #[string] hex: &str) -> Result<String, JsError> {
    Ok(ActorId::parse(key, hex)?.hex())
}

/// Tells the host what the main module exports: three lists, of classes for actors, of entrypoints
/// and of other functions.
#[op2(nofast)]
pub fn op_actor_exports(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    classes: v8::Local<'_, v8::Array>,
    entrypoints: v8::Local<'_, v8::Array>,
    others: v8::Local<'_, v8::Array>,
) {
    let instance = instance(state);
    let lists = [
        (classes, ExportKind::ActorClass),
        (entrypoints, ExportKind::Entrypoint),
        (others, ExportKind::Function),
    ];
    for (names, kind) in lists {
        for index in 0..names.length() {
            let Some(name) = names.get_index(scope, index) else { continue };
            instance.set_exports([(name.to_rust_string_lossy(scope), kind)]);
        }
    }
}

/// The reason of a reset as JavaScript describes it.
pub(crate) fn reason(name: String, message: String) -> Error {
    Error::BrokenReset(Thrown::new(name, message).into())
}
