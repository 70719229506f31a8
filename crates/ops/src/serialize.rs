//! Values between isolates and in storage: V8's structured-clone wire format.
//!
//! Instances of classes have no meaning elsewhere. Between workers they are refused, as the
//! platform does (RPC-12); in storage they are stored as the plain objects they look like.

use bytes::Bytes;
use deno_core::v8::{self, ValueDeserializerHelper, ValueSerializerHelper};
use worker::entrypoint::Serialized;

use crate::error::JsError;

/// What becomes of an instance of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// It has no clone.
    Refuse,
    /// Its own properties are cloned.
    Flatten,
}

/// Clones a value into bytes.
///
/// # Errors
/// [`JsError::DataClone`] with the platform's wording for what cannot be cloned.
pub fn serialize(
    scope: &mut v8::PinScope<'_, '_>,
    value: v8::Local<'_, v8::Value>,
    instances: Instances,
) -> Result<Bytes, JsError> {
    v8::tc_scope!(let caught, scope);
    let context = caught.get_current_context();
    let plain = plain_prototype(caught);
    let delegate = Delegate { instances, plain };
    let serializer = v8::ValueSerializer::new(caught, Box::new(delegate));
    serializer.write_header();
    match serializer.write_value(context, value) {
        Some(true) => Ok(Bytes::from(serializer.release())),
        _ => {
            let message = match caught.exception() {
                Some(exception) => error_message(caught, exception),
                None => "The value could not be cloned.".into(),
            };
            Err(JsError::DataClone(message))
        }
    }
}

/// Makes the value that was cloned into these bytes.
///
/// # Errors
/// [`JsError::DataClone`] when the bytes are none that V8 wrote.
pub fn deserialize<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: &[u8],
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let context = scope.get_current_context();
    let damaged = || JsError::DataClone("Unable to deserialize cloned data.".into());
    v8::tc_scope!(let caught, scope);
    let deserializer = v8::ValueDeserializer::new(caught, Box::new(NoHostObjects), bytes);
    if deserializer.read_header(context) != Some(true) {
        return Err(damaged());
    }
    deserializer.read_value(context).ok_or_else(damaged)
}

/// A clone as the worker room carries it.
///
/// # Errors
/// As [`serialize`].
pub fn serialized(
    scope: &mut v8::PinScope<'_, '_>,
    value: v8::Local<'_, v8::Value>,
) -> Result<Serialized, JsError> {
    serialize(scope, value, Instances::Refuse).map(Serialized)
}

struct Delegate {
    instances: Instances,
    plain: Option<v8::Global<v8::Value>>,
}

impl v8::ValueSerializerImpl for Delegate {
    fn throw_data_clone_error<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        message: v8::Local<'s, v8::String>,
    ) {
        let exception = v8::Exception::error(scope, message);
        scope.throw_exception(exception);
    }

    fn has_custom_host_object(&self, _isolate: &v8::Isolate) -> bool {
        self.instances == Instances::Refuse
    }

    fn is_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        object: v8::Local<'s, v8::Object>,
    ) -> Option<bool> {
        if object.is_native_error() {
            return Some(false);
        }
        let prototype = object.get_prototype(scope)?;
        Some(self.plain.as_ref().is_none_or(|plain| *plain != prototype))
    }

    fn write_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        object: v8::Local<'s, v8::Object>,
        _serializer: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        let name = object.get_constructor_name().to_rust_string_lossy(scope);
        let text = format!(
            "Could not serialize object of type \"{name}\". This type does not support \
             serialization."
        );
        if let Some(message) = v8::String::new(scope, &text) {
            self.throw_data_clone_error(scope, message);
        }
        None
    }
}

struct NoHostObjects;

impl v8::ValueDeserializerImpl for NoHostObjects {}

fn plain_prototype(scope: &mut v8::PinScope<'_, '_>) -> Option<v8::Global<v8::Value>> {
    let prototype = v8::Object::new(scope).get_prototype(scope)?;
    Some(v8::Global::new(scope, prototype))
}

fn error_message(scope: &mut v8::PinScope<'_, '_>, exception: v8::Local<'_, v8::Value>) -> String {
    let text = v8::Exception::create_message(scope, exception).get(scope);
    let text = text.to_rust_string_lossy(scope);
    text.strip_prefix("Uncaught Error: ").unwrap_or(&text).to_string()
}
