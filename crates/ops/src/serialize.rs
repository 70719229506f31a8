//! Values between isolates and in storage: V8's structured-clone wire format.
//!
//! Instances of classes have no meaning elsewhere. Between workers they are refused, as the
//! platform does (RPC-12); in storage they are stored as the plain objects they look like.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::cppgc;
use deno_core::v8::{self, ValueDeserializerHelper, ValueSerializerHelper};
use worker::capability::Capability;
use worker::entrypoint::Serialized;
use worker::error::Error;
use worker::limits::RPC_BYTES_MAX;

use crate::capability::CapabilityHandle;
use crate::clone_format;
use crate::error::JsError;
use crate::structured_clone::host_object;

pub use buffers::Buffers;

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
    let plain = plain_prototype(scope);
    let delegate = Delegate { instances, plain, capabilities: None, first: 0 };
    write(scope, value, delegate, &Buffers::inside())
}

fn write(
    scope: &mut v8::PinScope<'_, '_>,
    value: v8::Local<'_, v8::Value>,
    delegate: Delegate,
    buffers: &Buffers<'_>,
) -> Result<Bytes, JsError> {
    v8::tc_scope!(let caught, scope);
    let context = caught.get_current_context();
    let serializer = v8::ValueSerializer::new(caught, Box::new(delegate));
    serializer.write_header();
    buffers.announce(&serializer);
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
    read(scope, bytes, None)
}

/// As [`deserialize`], with the objects that stand for the capabilities of the value.
///
/// # Errors
/// As [`deserialize`], and when the value refers to an object that is not there.
pub fn deserialize_with<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: &[u8],
    objects: v8::Local<'s, v8::Array>,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let objects = Some(v8::Global::new(scope, objects));
    read(scope, bytes, objects)
}

fn read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: &[u8],
    objects: Option<v8::Global<v8::Array>>,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let context = scope.get_current_context();
    let damaged = || JsError::DataClone("Unable to deserialize cloned data.".into());
    v8::tc_scope!(let caught, scope);
    let arrived = Arrived { objects: objects.clone() };
    let deserializer = v8::ValueDeserializer::new(caught, Box::new(arrived), bytes);
    if deserializer.read_header(context) != Some(true) {
        return Err(damaged());
    }
    if let Some(objects) = &objects {
        buffers::announce_arrived(caught, &deserializer, objects);
    }
    deserializer.read_value(context).ok_or_else(damaged)
}

/// What was done to a value before it is cloned.
pub enum Packing<'s> {
    /// Nothing yet: most values need nothing.
    Plain,
    /// Handles of capabilities stand for what bytes cannot carry, and these buffers in it are given
    /// away.
    Packed(Vec<v8::Local<'s, v8::ArrayBuffer>>),
}

impl<'s> Packing<'s> {
    /// As JavaScript says it: false, true, or true with a list of buffers in its place.
    pub fn of(scope: &mut v8::PinScope<'s, '_>, said: v8::Local<'s, v8::Value>) -> Packing<'s> {
        if said.is_false() {
            return Packing::Plain;
        }
        let Ok(list) = v8::Local::<v8::Array>::try_from(said) else {
            return Packing::Packed(Vec::new());
        };
        let items = (0..list.length()).filter_map(|at| list.get_index(scope, at));
        Packing::Packed(items.filter_map(|item| item.try_into().ok()).collect())
    }
}

/// A clone as the worker room carries it; `None` if the value must be packed first.
///
/// # Errors
/// As [`serialize`], for a packed value; and for one that is too large (RPC-10).
pub fn serialized<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
    packing: Packing<'s>,
    mut buffers: Buffers<'s>,
) -> Result<Option<Serialized>, JsError> {
    let (found, bytes) = match packing {
        Packing::Plain => match write_beside(scope, value, None, &buffers) {
            // V8 clones errors, with their stacks and without their properties.
            Ok(bytes) if !clone_format::may_have_error(&bytes) => (Vec::new(), bytes),
            _ => return Ok(None),
        },
        Packing::Packed(given) => {
            buffers.give(given);
            let found = Rc::new(RefCell::new(Vec::new()));
            let bytes = write_beside(scope, value, Some(Rc::clone(&found)), &buffers)?;
            (found.take(), bytes)
        }
    };
    let size = bytes.len() + buffers.added_bytes();
    if size > RPC_BYTES_MAX {
        let message = format!(
            "Serialized RPC arguments or return values are limited to 32MiB, but the size of \
             this value was: {size} bytes."
        );
        return Err(Error::app_code("Error", message).into());
    }
    let mut capabilities = buffers.leave(scope)?;
    capabilities.extend(found);
    Ok(Some(Serialized::new(bytes, capabilities)))
}

fn write_beside(
    scope: &mut v8::PinScope<'_, '_>,
    value: v8::Local<'_, v8::Value>,
    capabilities: Option<Rc<RefCell<Vec<Capability>>>>,
    buffers: &Buffers<'_>,
) -> Result<Bytes, JsError> {
    let plain = plain_prototype(scope);
    let first = buffers.count();
    let delegate = Delegate { instances: Instances::Refuse, plain, capabilities, first };
    write(scope, value, delegate, buffers)
}

struct Delegate {
    instances: Instances,
    plain: Option<v8::Global<v8::Value>>,
    /// Where capabilities go; `None` where there can be none.
    capabilities: Option<Rc<RefCell<Vec<Capability>>>>,
    /// The number of the first one.
    first: usize,
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
        serializer: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        if let Some(found) = &self.capabilities
            && let Some(handle) =
                cppgc::try_unwrap_cppgc_object::<CapabilityHandle>(scope, object.into())
        {
            let mut found = found.borrow_mut();
            serializer.write_uint32(u32::try_from(self.first + found.len()).ok()?);
            found.push(handle.take().ok()?);
            return Some(true);
        }
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

/// What became of the capabilities of a value, by their numbers.
struct Arrived {
    objects: Option<v8::Global<v8::Array>>,
}

impl v8::ValueDeserializerImpl for Arrived {
    fn read_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<v8::Local<'s, v8::Object>> {
        let mut number = 0;
        let objects = self.objects.as_ref().filter(|_| deserializer.read_uint32(&mut number));
        let object = objects.and_then(|objects| host_object(scope, objects, number));
        if object.is_none()
            && let Some(message) = v8::String::new(scope, "Unable to deserialize cloned data.")
        {
            let exception = v8::Exception::error(scope, message);
            scope.throw_exception(exception);
        }
        object
    }
}

fn plain_prototype(scope: &mut v8::PinScope<'_, '_>) -> Option<v8::Global<v8::Value>> {
    let prototype = v8::Object::new(scope).get_prototype(scope)?;
    Some(v8::Global::new(scope, prototype))
}

fn error_message(scope: &mut v8::PinScope<'_, '_>, exception: v8::Local<'_, v8::Value>) -> String {
    let text = v8::Exception::create_message(scope, exception).get(scope);
    let text = text.to_rust_string_lossy(scope);
    text.strip_prefix("Uncaught Error: ").unwrap_or(&text).to_string()
}

mod buffers;
#[cfg(test)]
mod tests;
