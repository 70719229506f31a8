//! Large `ArrayBuffer`s beside the bytes of a message: their memory is handed over where the sender
//! gave it away, and copied once where it did not.

use deno_core::v8::{self, ValueDeserializerHelper, ValueSerializerHelper};
use isolate::{MovedBuffer, is_movable};
use worker::capability::Capability;

use crate::error::JsError;

/// The buffers of a value that do not go into its bytes. Their numbers come before those of its
/// other capabilities.
#[derive(Default)]
pub struct Buffers<'s> {
    kept: Vec<v8::Local<'s, v8::ArrayBuffer>>,
    given: Vec<v8::Local<'s, v8::ArrayBuffer>>,
}

impl<'s> Buffers<'s> {
    /// None: the value is kept, and may be read more than once.
    #[must_use]
    pub fn inside() -> Buffers<'s> {
        Buffers::default()
    }

    /// Those a message is likely made for: the value itself, or what is in a list.
    pub fn of(scope: &mut v8::PinScope<'s, '_>, value: v8::Local<'s, v8::Value>) -> Buffers<'s> {
        let mut buffers = Buffers::default();
        match v8::Local::<v8::Array>::try_from(value) {
            Ok(list) => {
                for at in 0..list.length().min(LOOKED_AT_MAX) {
                    if let Some(item) = list.get_index(scope, at) {
                        buffers.find(scope, item);
                    }
                }
            }
            Err(_) => buffers.find(scope, value),
        }
        buffers
    }

    fn find(&mut self, scope: &mut v8::PinScope<'s, '_>, value: v8::Local<'s, v8::Value>) {
        let buffer = if let Ok(view) = v8::Local::<v8::ArrayBufferView>::try_from(value) {
            view.buffer(scope)
        } else {
            value.try_into().ok()
        };
        if let Some(buffer) = buffer.filter(|buffer| is_movable(*buffer))
            && !self.kept.contains(&buffer)
        {
            self.kept.push(buffer);
        }
    }

    /// Notes what the sender gives away. Small buffers are copied all the same.
    pub(super) fn give(&mut self, given: Vec<v8::Local<'s, v8::ArrayBuffer>>) {
        self.kept.retain(|buffer| !given.contains(buffer));
        self.given = given;
    }

    /// Tells V8 which buffers it need not write, by number.
    pub(super) fn announce(&self, serializer: &v8::ValueSerializer) {
        for (number, buffer) in (0..).zip(self.beside()) {
            serializer.transfer_array_buffer(number, buffer);
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.beside().count()
    }

    /// How much longer the message would be with their contents in it.
    pub(super) fn added_bytes(&self) -> usize {
        let added = |bytes: usize| {
            // Their length is written too, in seven bits a byte, instead of their number.
            let digits = (usize::BITS - bytes.leading_zeros()).div_ceil(7) as usize;
            bytes + digits.saturating_sub(1)
        };
        self.beside().map(|buffer| added(buffer.byte_length())).sum()
    }

    /// Takes their memory. What was given away is detached.
    pub(super) fn leave(
        self,
        scope: &mut v8::PinScope<'s, '_>,
    ) -> Result<Vec<Capability>, JsError> {
        let mut left = Vec::with_capacity(self.count());
        for buffer in self.beside() {
            let moved = match self.given.contains(&buffer) {
                true => MovedBuffer::take(scope, buffer),
                false => MovedBuffer::copy(buffer),
            };
            // Something detached it while the value was written.
            let moved = moved.ok_or_else(|| {
                JsError::DataClone("An ArrayBuffer is detached and could not be cloned.".into())
            })?;
            left.push(Capability::of_buffer(moved));
        }
        for buffer in self.given {
            // Only small ones are left.
            let _ = buffer.detach(None);
        }
        Ok(left)
    }

    fn beside(&self) -> impl Iterator<Item = v8::Local<'s, v8::ArrayBuffer>> {
        let given = self.given.iter().filter(|buffer| is_movable(**buffer));
        given.chain(&self.kept).copied()
    }
}

/// Has V8 put arrived buffers in their places; `objects` are what became of the capabilities.
pub(super) fn announce_arrived(
    scope: &mut v8::PinScope<'_, '_>,
    deserializer: &v8::ValueDeserializer,
    objects: &v8::Global<v8::Array>,
) {
    let objects = v8::Local::new(scope, objects);
    for number in 0..objects.length() {
        let object = objects.get_index(scope, number);
        if let Some(Ok(buffer)) = object.map(v8::Local::<v8::ArrayBuffer>::try_from) {
            deserializer.transfer_array_buffer(number, buffer);
        }
    }
}

/// Items of a list in which buffers are looked for.
const LOOKED_AT_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use deno_core::{JsRuntime, RuntimeOptions};
    use worker::entrypoint::Serialized;

    use super::*;
    use crate::serialize::{Packing, serialized};

    /// Clones the value of an expression; `given` evaluates to buffers in it that are given away.
    fn sent(runtime: &mut JsRuntime, source: &'static str, given: &'static str) -> Serialized {
        let value = runtime.execute_script("test", source).unwrap();
        let given = runtime.execute_script("test", given).unwrap();
        deno_core::scope!(scope, runtime);
        let (value, given) = (v8::Local::new(scope, value), v8::Local::new(scope, given));
        let packing = Packing::of(scope, given);
        let buffers = Buffers::of(scope, value);
        serialized(scope, value, packing, buffers).unwrap().unwrap()
    }

    #[test]
    fn large_buffers_are_beside_the_bytes_of_a_message() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = tokio.enter();
        let mut runtime = JsRuntime::new(RuntimeOptions::default());
        let mut check = |source, given, beside, bytes_max| {
            let value = sent(&mut runtime, source, given);
            assert_eq!(value.capabilities().len(), beside, "{source}");
            assert!(value.bytes.len() < bytes_max, "{source}: {} bytes", value.bytes.len());
        };
        check("new ArrayBuffer(10 << 20)", "false", 1, 32);
        check("[new Uint8Array(10 << 20), 'text']", "false", 1, 64);
        check("globalThis.b = new Uint8Array(10 << 20); [b, b.buffer, b]", "false", 1, 64);
        check("[new Uint8Array(1000)]", "false", 0, 2000);
        // Deeper down only what is given away is found.
        check("[{ a: [new Uint8Array(1 << 20)] }]", "false", 0, (1 << 20) + 100);
        check("[{ a: [globalThis.g = new Uint8Array(10 << 20)] }]", "[g.buffer]", 1, 64);
        check("[globalThis.g = new Uint8Array(10 << 20)]", "[g.buffer]", 1, 64);
        check("[globalThis.g = new Uint8Array(10)]", "[g.buffer]", 0, 64);
        check("[g.length]", "false", 0, 64);
    }
}
