//! `structuredClone()` and messages between ports, in place of the engine's own ops, which hostile
//! values can make abort the process (`spec/security.md` §2.6c).
//!
//! An object with the engine's brand is cloned by a function of its own, and made again by the
//! function registered for its `type`. The brand is a registered symbol, so user code can claim it
//! for anything: what the first function returns is taken as data, and a type that is not
//! registered is an error. While V8 reads a clone it must not run JavaScript, so only own data
//! properties are looked at then.

use deno_core::v8::{self, ValueDeserializerHelper, ValueSerializerHelper};
use deno_core::{JsBuffer, op2};

use crate::error::JsError;

/// As `core.structuredClone(value, deserializers)`.
#[op2(reentrant)]
pub fn op_structured_clone_value<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
    deserializers: Option<v8::Local<'s, v8::Object>>,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let Some(bytes) = write(scope, value) else { return Ok(v8::undefined(scope).into()) };
    read(scope, &bytes, Clone { deserializers, host_objects: None })
}

/// As `core.deserialize(bytes, options)`.
#[op2(reentrant)]
pub fn op_structured_clone_read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[buffer] bytes: JsBuffer,
    host_objects: Option<v8::Local<'s, v8::Value>>,
    _transferred: Option<v8::Local<'s, v8::Value>>,
    deserializers: Option<v8::Local<'s, v8::Value>>,
    _is_for_storage: bool,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let host_objects = host_objects.and_then(|list| v8::Local::<v8::Array>::try_from(list).ok());
    let deserializers =
        deserializers.and_then(|object| v8::Local::<v8::Object>::try_from(object).ok());
    read(scope, &bytes, Clone { deserializers, host_objects })
}

/// `None` if something was thrown, which is left for JavaScript to see.
fn write(scope: &mut v8::PinScope<'_, '_>, value: v8::Local<'_, v8::Value>) -> Option<Vec<u8>> {
    let context = scope.get_current_context();
    let brand = brand(scope).map(|brand| v8::Global::new(scope, brand));
    let serializer = v8::ValueSerializer::new(scope, Box::new(Original { brand }));
    serializer.write_header();
    v8::tc_scope!(let caught, scope);
    match serializer.write_value(context, value) {
        Some(true) if !caught.has_caught() => Some(serializer.release()),
        _ => {
            if !caught.has_caught() {
                throw(caught, "The value could not be cloned.");
            }
            caught.rethrow();
            None
        }
    }
}

fn read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: &[u8],
    clone: Clone<'s>,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let damaged = || JsError::range("could not deserialize value".into());
    let context = scope.get_current_context();
    let deserializer = v8::ValueDeserializer::new(scope, Box::new(clone), bytes);
    if deserializer.read_header(context) != Some(true) {
        return Err(damaged());
    }
    v8::tc_scope!(let caught, scope);
    match deserializer.read_value(context) {
        Some(value) => Ok(value),
        None if caught.has_caught() => {
            caught.rethrow();
            Ok(v8::undefined(caught).into())
        }
        None => Err(damaged()),
    }
}

/// Writes a value.
struct Original {
    brand: Option<v8::Global<v8::Symbol>>,
}

impl v8::ValueSerializerImpl for Original {
    fn throw_data_clone_error<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        message: v8::Local<'s, v8::String>,
    ) {
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
    }

    fn has_custom_host_object(&self, _isolate: &v8::Isolate) -> bool {
        true
    }

    fn is_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        object: v8::Local<'s, v8::Object>,
    ) -> Option<bool> {
        let brand = v8::Local::new(scope, self.brand.as_ref()?);
        object.has(scope, brand.into())
    }

    fn write_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        object: v8::Local<'s, v8::Object>,
        serializer: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        let brand = v8::Local::new(scope, self.brand.as_ref()?);
        let own = object.get(scope, brand.into())?;
        let Ok(own) = v8::Local::<v8::Function>::try_from(own) else {
            throw(scope, "Unsupported object type");
            return None;
        };
        let data = own.call(scope, object.into(), &[])?;
        serializer.write_uint32(BY_TYPE);
        let context = scope.get_current_context();
        serializer.write_value(context, data)
    }
}

/// Reads a value.
struct Clone<'a> {
    deserializers: Option<v8::Local<'a, v8::Object>>,
    host_objects: Option<v8::Local<'a, v8::Array>>,
}

impl v8::ValueDeserializerImpl for Clone<'_> {
    fn read_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<v8::Local<'s, v8::Object>> {
        let mut kind = 0;
        let made = match deserializer.read_uint32(&mut kind) {
            true if kind == BY_TYPE => self.by_type(scope, deserializer),
            true => host_object(scope, self.host_objects?, kind),
            false => None,
        };
        if made.is_none() {
            throw(scope, "Failed to deserialize host object");
        }
        made
    }
}

impl Clone<'_> {
    fn by_type<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<v8::Local<'s, v8::Object>> {
        let context = scope.get_current_context();
        let data = deserializer.read_value(context)?;
        // Not converted: a primitive's prototype may have getters.
        let object =
            v8::Local::<v8::Object>::try_from(data).ok().filter(|data| !data.is_proxy())?;
        let key = v8::String::new(scope, "type")?;
        if object.has_own_property(scope, key.into()) != Some(true) {
            return None;
        }
        let kind = object.get(scope, key.into())?;
        let kind = v8::Local::<v8::String>::try_from(kind).ok()?;
        let make = v8::Local::new(scope, self.deserializers?).get(scope, kind.into())?;
        let make = v8::Local::<v8::Function>::try_from(make).ok()?;
        let nobody = v8::null(scope).into();
        let scope = std::pin::pin!(v8::AllowJavascriptExecutionScope::new(scope));
        let scope = &mut scope.init();
        let made = make.call(scope, nobody, &[data])?;
        v8::Local::<v8::Object>::try_from(made).ok()
    }
}

/// What stands for the object that a clone refers to by this number.
pub(crate) fn host_object<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    objects: impl v8::Handle<Data = v8::Array>,
    number: u32,
) -> Option<v8::Local<'s, v8::Object>> {
    let objects = v8::Local::new(scope, objects);
    let object = objects.get_index(scope, number)?;
    v8::Local::<v8::Object>::try_from(object).ok()
}

/// The symbol that marks what is cloned by a function of its own.
fn brand<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Symbol>> {
    let name = v8::String::new(scope, "Deno.core.hostObject")?;
    Some(v8::Symbol::for_key(scope, name))
}

fn throw(scope: &mut v8::PinScope<'_, '_>, message: &str) {
    let Some(message) = v8::String::new(scope, message) else { return };
    let error = v8::Exception::type_error(scope, message);
    scope.throw_exception(error);
}

/// In front of data for a function that is registered by type, instead of an object's number.
const BY_TYPE: u32 = u32::MAX;
