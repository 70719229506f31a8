//! Bindings of configured workers: stubs to the entrypoints that a configuration names.

use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use worker::error::Error;
use worker::event::Entry;
use worker::loader::WorkerSource;
use worker::meter::InvocationLimits;
use worker::stub::WorkerStub;

use crate::capability::SerializedHandle;
use crate::dispatch::instance;
use crate::error::JsError;
use crate::facets;
use crate::stub;

/// A handle to the entrypoint that the service binding `name` means; `props` are the clone of
/// those that the configuration gives it.
#[op2]
pub fn op_bindings_service<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[string] name: &str,
    #[cppgc] props: &SerializedHandle,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let instance = instance(state);
    let service = instance.code.env.bindings().and_then(|all| all.services.get(name));
    let service = service.ok_or_else(|| Error::bug("no such service binding"))?;
    let source = WorkerSource::Configured(Rc::clone(instance.shard()), service.worker);
    let entry =
        Entry { name: service.entrypoint.clone(), props: Some(props.value()), ..Entry::default() };
    Ok(stub::handle(scope, Rc::new(WorkerStub::new(source, entry))))
}

/// The class that the binding `name` means, for facets.
#[op2]
pub fn op_bindings_class<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[string] name: &str,
    #[cppgc] props: Option<&SerializedHandle>,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let instance = instance(state);
    let class = instance.code.env.bindings().and_then(|all| all.actor_classes.get(name));
    let class = class.ok_or_else(|| Error::bug("no such class binding"))?;
    let source = WorkerSource::Configured(Rc::clone(instance.shard()), class.worker);
    let named = (source, class.entrypoint.clone());
    Ok(facets::class(scope, named, props, InvocationLimits::default()))
}
