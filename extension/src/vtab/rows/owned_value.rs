//! Owned SQLite values.

use crate::filter::predicate::Class;
use crate::sqlite::Content;

/// An SQLite value that outlives the call in which SQLite passed it.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnedValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl OwnedValue {
    /// Copies a value.
    pub fn of(content: Content<'_>) -> OwnedValue {
        match content {
            Content::Null => OwnedValue::Null,
            Content::Integer(value) => OwnedValue::Integer(value),
            Content::Real(value) => OwnedValue::Real(value),
            Content::Text(bytes) => OwnedValue::Text(bytes.to_vec()),
            Content::Blob(bytes) => OwnedValue::Blob(bytes.to_vec()),
        }
    }

    /// A count as an INTEGER.
    pub fn of_count(count: u64) -> OwnedValue {
        OwnedValue::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// The value, borrowed.
    pub fn content(&self) -> Content<'_> {
        match self {
            OwnedValue::Null => Content::Null,
            OwnedValue::Integer(value) => Content::Integer(*value),
            OwnedValue::Real(value) => Content::Real(*value),
            OwnedValue::Text(bytes) => Content::Text(bytes),
            OwnedValue::Blob(bytes) => Content::Blob(bytes),
        }
    }

    /// The bytes of its text or BLOB.
    pub fn bytes(&self) -> usize {
        match self {
            OwnedValue::Text(bytes) | OwnedValue::Blob(bytes) => bytes.len(),
            OwnedValue::Null | OwnedValue::Integer(_) | OwnedValue::Real(_) => 0,
        }
    }

    /// The storage class, as far as comparisons distinguish it.
    pub fn class(&self) -> Class {
        match self {
            OwnedValue::Null => Class::Null,
            OwnedValue::Integer(_) | OwnedValue::Real(_) => Class::Number,
            OwnedValue::Text(_) | OwnedValue::Blob(_) => Class::Bytes,
        }
    }
}
