//! What a SQL value is: borrowed from a row or an argument, or owned.

/// A SQL value that borrows its text or bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// `NULL`.
    Null,
    /// `INTEGER`.
    Integer(i64),
    /// `REAL`.
    Real(f64),
    /// `TEXT`. SQLite may hold text that is not UTF-8; such bytes read as U+FFFD.
    Text(&'a str),
    /// `BLOB`.
    Blob(&'a [u8]),
}

/// A SQL value that owns its text or bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `NULL`.
    Null,
    /// `INTEGER`.
    Integer(i64),
    /// `REAL`.
    Real(f64),
    /// `TEXT`.
    Text(Box<str>),
    /// `BLOB`.
    Blob(Box<[u8]>),
}

impl ValueRef<'_> {
    /// A copy that outlives the row.
    #[must_use]
    pub fn to_owned(&self) -> Value {
        match *self {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(text.into()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
        }
    }

    /// Bytes of memory an owned copy takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let beyond = match self {
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
            ValueRef::Text(text) => text.len(),
            ValueRef::Blob(bytes) => bytes.len(),
        };
        size_of::<Value>() + beyond
    }
}

impl Value {
    /// The value, borrowed.
    #[must_use]
    pub fn borrow(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}
