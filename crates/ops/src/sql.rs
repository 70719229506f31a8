//! `ctx.storage.sql`: statements on the actor's own database, and their cursors.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use storage::{Cursor, Value, ValueRef};

use crate::dispatch::instance;
use crate::error::JsError;
use crate::kv::with_database;
use crate::request::v8_text;

/// A cursor in JavaScript's hands, with the column names as V8 strings once they are needed.
pub struct CursorHandle {
    cursor: RefCell<Cursor>,
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for CursorHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"CursorHandle"
    }
}

/// The shape of rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Object,
    Array,
}

/// Runs a statement to its first row.
#[op2(reentrant)]
pub fn op_sql_exec<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    actor: u32,
    #[string] query: &str,
    bindings: v8::Local<'s, v8::Array>,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let mut values = Vec::with_capacity(bindings.length() as usize);
    for index in 0..bindings.length() {
        let value = bindings.get_index(scope, index);
        values.push(value.map_or(Ok(Value::Null), |value| binding(scope, value))?);
    }
    let values: Vec<ValueRef<'_>> = values.iter().map(Value::borrow).collect();
    let cursor = with_database(&state.borrow(), actor, |database| database.exec(query, &values))?;
    Ok(cppgc::make_cppgc_object(scope, CursorHandle { cursor: RefCell::new(cursor) }))
}

/// The row the cursor stands on, moving on to the next; undefined at the end.
#[op2]
pub fn op_sql_next<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &CursorHandle,
    raw: bool,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let shape = if raw { Shape::Array } else { Shape::Object };
    let mut cursor = handle.cursor.borrow_mut();
    if !cursor.has_row() {
        return Ok(v8::undefined(scope).into());
    }
    let names = names(scope, &cursor, shape);
    let row = row(scope, &cursor, &names, shape);
    cursor.advance()?;
    Ok(row)
}

/// All rows that are left; throws before they would end the isolate (ST-23).
#[op2]
pub fn op_sql_rows<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[cppgc] handle: &CursorHandle,
    raw: bool,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let shape = if raw { Shape::Array } else { Shape::Object };
    let mut cursor = handle.cursor.borrow_mut();
    let names = names(scope, &cursor, shape);
    let mut rows = Vec::new();
    let (mut bytes, mut looked_at) = (0, 0);
    while cursor.has_row() {
        bytes += ROW_BYTES
            + (0..cursor.column_count()).map(|at| cursor.value(at).bytes()).sum::<usize>();
        if bytes - looked_at > LOOK_AFTER_BYTES {
            looked_at = bytes;
            let bytes_max = instance(state).shard().limits().heap_bytes_max;
            let used = scope.get_heap_statistics().used_heap_size();
            if bytes > bytes_max / 4 && used > bytes_max / 4 * 3 {
                return Err(worker::error::Error::app_code("Error", TOO_LARGE).into());
            }
        }
        rows.push(row(scope, &cursor, &names, shape));
        cursor.advance()?;
    }
    Ok(v8::Array::new_with_elements(scope, &rows))
}

/// The only row that is left; throws when there is none or another one.
#[op2]
pub fn op_sql_one<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &CursorHandle,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let mut cursor = handle.cursor.borrow_mut();
    let wrong = |what: &str| {
        let text = format!("Expected exactly one result from SQL query, but got {what} results.");
        JsError::from(worker::error::Error::app_code("Error", text))
    };
    if !cursor.has_row() {
        return Err(wrong("no"));
    }
    let names = names(scope, &cursor, Shape::Object);
    let row = row(scope, &cursor, &names, Shape::Object);
    if cursor.advance()? {
        return Err(wrong("multiple"));
    }
    Ok(row)
}

/// The names of the columns, duplicates included.
#[op2]
pub fn op_sql_columns<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &CursorHandle,
) -> v8::Local<'s, v8::Array> {
    let names = handle.cursor.borrow().column_names().clone();
    let names: Vec<_> = names.iter().map(|name| v8_text(scope, name)).collect();
    v8::Array::new_with_elements(scope, &names)
}

/// Rows the statement has read so far.
#[op2(fast)]
pub fn op_sql_rows_read(#[cppgc] handle: &CursorHandle) -> f64 {
    exact(handle.cursor.borrow().rows_read())
}

/// Rows the statement has written so far.
#[op2(fast)]
pub fn op_sql_rows_written(#[cppgc] handle: &CursorHandle) -> f64 {
    exact(handle.cursor.borrow().rows_written())
}

/// Bytes of the database.
#[op2(fast)]
pub fn op_sql_database_size(state: &mut OpState, actor: u32) -> Result<f64, JsError> {
    with_database(state, actor, storage::Database::database_size).map(exact)
}

/// Opens a savepoint for `transactionSync`.
#[op2(fast)]
pub fn op_sql_savepoint(state: &mut OpState, actor: u32) -> Result<(), JsError> {
    with_database(state, actor, storage::Database::savepoint)
}

/// Ends the innermost savepoint, keeping its writes or not.
#[op2(fast)]
pub fn op_sql_release(state: &mut OpState, actor: u32, keep: bool) -> Result<(), JsError> {
    with_database(
        state,
        actor,
        |database| {
            if keep { database.release() } else { database.roll_back() }
        },
    )?;
    if !keep && let Some(actor) = instance(state).actor(actor) {
        actor.alarm_rolled_back();
    }
    Ok(())
}

/// What a row takes in JavaScript's heap besides its values, at least.
const ROW_BYTES: usize = 64;
/// Looking at the heap takes a microsecond.
const LOOK_AFTER_BYTES: usize = 1 << 20;
const TOO_LARGE: &str = "SQL query result set is too large to fit in memory. Use a streaming \
     iterator (e.g. `for (const row of cursor)` or `cursor.raw()`) or add a LIMIT clause instead \
     of calling toArray() on a very large result set.";

/// Numbers from SQLite's counters are far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn exact(count: u64) -> f64 {
    count as f64
}

fn binding(
    scope: &mut v8::PinScope<'_, '_>,
    value: v8::Local<'_, v8::Value>,
) -> Result<Value, JsError> {
    if let Ok(number) = v8::Local::<v8::Number>::try_from(value) {
        return Ok(Value::Real(number.value()));
    }
    if value.is_null_or_undefined() {
        return Ok(Value::Null);
    }
    if let Ok(view) = v8::Local::<v8::ArrayBufferView>::try_from(value) {
        let mut bytes = vec![0; view.byte_length()];
        let copied = view.copy_contents(&mut bytes);
        bytes.truncate(copied);
        return Ok(Value::Blob(bytes.into()));
    }
    if let Ok(buffer) = v8::Local::<v8::ArrayBuffer>::try_from(value) {
        let length = buffer.byte_length();
        let view = v8::Uint8Array::new(scope, buffer, 0, length)
            .ok_or_else(|| JsError::type_error("The buffer cannot be read."))?;
        return binding(scope, view.into());
    }
    if value.is_big_int() {
        return Err(JsError::type_error("Cannot convert a BigInt value to a number"));
    }
    let text = value.to_string(scope);
    let text = text.ok_or_else(|| JsError::type_error("The value has no text form."))?;
    Ok(Value::Text(text.to_rust_string_lossy(scope).into()))
}

/// Column names as keys of row objects; none are needed for arrays.
fn names<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    cursor: &Cursor,
    shape: Shape,
) -> Vec<v8::Local<'s, v8::Name>> {
    if shape == Shape::Array {
        return Vec::new();
    }
    let names: Rc<[Rc<str>]> = Rc::clone(cursor.column_names());
    let key = |scope: &mut v8::PinScope<'s, '_>, name: &str| {
        let bytes = name.as_bytes();
        let key = v8::String::new_from_utf8(scope, bytes, v8::NewStringType::Internalized);
        key.unwrap_or_else(|| v8::String::empty(scope)).into()
    };
    names.iter().map(|name| key(scope, name)).collect()
}

fn row<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    cursor: &Cursor,
    names: &[v8::Local<'s, v8::Name>],
    shape: Shape,
) -> v8::Local<'s, v8::Value> {
    let count = cursor.column_count();
    match shape {
        Shape::Array => {
            let values: Vec<_> = (0..count).map(|i| to_v8(scope, cursor.value(i))).collect();
            v8::Array::new_with_elements(scope, &values).into()
        }
        Shape::Object => {
            let object = v8::Object::new(scope);
            for (index, name) in names.iter().enumerate() {
                let value = to_v8(scope, cursor.value(index));
                // Of columns with one name the last wins, as on the platform.
                object.create_data_property(scope, *name, value);
            }
            object.into()
        }
    }
}

fn to_v8<'s>(scope: &mut v8::PinScope<'s, '_>, value: ValueRef<'_>) -> v8::Local<'s, v8::Value> {
    match value {
        ValueRef::Null => v8::null(scope).into(),
        #[allow(clippy::cast_precision_loss)] // JavaScript has no other numbers (ST-17).
        ValueRef::Integer(integer) => match i32::try_from(integer) {
            Ok(small) => v8::Integer::new(scope, small).into(),
            Err(_) => v8::Number::new(scope, integer as f64).into(),
        },
        ValueRef::Real(real) => v8::Number::new(scope, real).into(),
        ValueRef::Text(text) => v8_text(scope, text),
        ValueRef::Blob(bytes) => {
            let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes.to_vec()).make_shared();
            v8::ArrayBuffer::with_backing_store(scope, &store).into()
        }
    }
}
