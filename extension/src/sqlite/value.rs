//! Values that SQLite hands to functions and tables.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::slice;

use super::api::{Api, call};
use super::bindings::*;
use crate::error::{Error, Result};

/// The storage class of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Integer,
    Real,
    Text,
    Blob,
}

impl Kind {
    pub(super) fn from_code(code: c_int) -> Kind {
        match code {
            SQLITE_INTEGER => Kind::Integer,
            SQLITE_FLOAT => Kind::Real,
            SQLITE_TEXT => Kind::Text,
            SQLITE_BLOB => Kind::Blob,
            _ => Kind::Null,
        }
    }

    /// The name that SQL's typeof() returns, in capitals: for error messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "NULL",
            Kind::Integer => "INTEGER",
            Kind::Real => "REAL",
            Kind::Text => "TEXT",
            Kind::Blob => "BLOB",
        }
    }
}

/// A value with its content. Text is bytes: nothing keeps invalid UTF-8 out of a database.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl Content<'_> {
    pub fn kind(self) -> Kind {
        match self {
            Content::Null => Kind::Null,
            Content::Integer(_) => Kind::Integer,
            Content::Real(_) => Kind::Real,
            Content::Text(_) => Kind::Text,
            Content::Blob(_) => Kind::Blob,
        }
    }
}

/// A value that SQLite lends for the time of a callback (or, from a column, until the next step).
#[derive(Clone, Copy)]
pub struct Value<'a> {
    api: Api,
    raw: *mut sqlite3_value,
    lent: PhantomData<&'a sqlite3_value>,
}

impl<'a> Value<'a> {
    /// # Safety
    /// `raw` is a value of the library of `api`, valid for `'a`, and used by this thread alone meanwhile.
    pub(super) unsafe fn new(api: Api, raw: *mut sqlite3_value) -> Value<'a> {
        Value { api, raw, lent: PhantomData }
    }

    pub(super) fn raw(self) -> *mut sqlite3_value {
        self.raw
    }

    #[inline]
    pub fn kind(self) -> Kind {
        // SAFETY: `new`'s promise.
        Kind::from_code(unsafe { call!(self.api, value_type(self.raw)) })
    }

    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The stored content, without conversion.
    #[inline]
    pub fn content(self) -> Content<'a> {
        match self.kind() {
            Kind::Null => Content::Null,
            Kind::Integer => Content::Integer(self.as_i64()),
            Kind::Real => Content::Real(self.as_f64()),
            Kind::Text => Content::Text(self.bytes()),
            Kind::Blob => Content::Blob(self.bytes()),
        }
    }

    /// The content as a column of numeric affinity compares it: a TEXT that is a number is that number.
    pub fn numeric_content(self) -> Content<'a> {
        if self.kind() == Kind::Text {
            // SAFETY: `new`'s promise; the value becomes a number only if nothing is lost.
            unsafe { call!(self.api, value_numeric_type(self.raw)) };
        }
        self.content()
    }

    /// As an integer, by SQLite's rules of CAST (text that is no number gives 0).
    #[inline]
    pub fn as_i64(self) -> i64 {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, value_int64(self.raw)) }
    }

    /// As a floating-point number, by SQLite's rules of CAST (text that is no number gives 0.0).
    #[inline]
    pub fn as_f64(self) -> f64 {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, value_double(self.raw)) }
    }

    /// A whole number, as LIMIT takes one: an INTEGER, or a REAL or TEXT that is one, since some hosts bind every
    /// number as the one or the other. None for anything else.
    pub fn whole(self) -> Option<i64> {
        match self.content() {
            Content::Integer(number) => Some(number),
            Content::Real(number) => whole(number),
            Content::Text(text) => {
                let text = str::from_utf8(text).ok()?.trim_ascii();
                text.parse().ok().or_else(|| text.parse().ok().and_then(whole))
            }
            Content::Null | Content::Blob(_) => None,
        }
    }

    /// Whether the value may be a numpy number, which Python's sqlite3 binds as bytes.
    pub fn is_maybe_numpy(self) -> bool {
        matches!(self.content(), Content::Blob(bytes) if matches!(bytes.len(), 1 | 2 | 4 | 8))
    }

    /// Shows a value that is no whole number, for an error message.
    pub fn shown(self) -> String {
        match self.content() {
            Content::Integer(number) => number.to_string(),
            Content::Real(number) => number.to_string(),
            Content::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
            Content::Blob(_) if self.is_maybe_numpy() => "BLOB (a numpy integer? use int())".to_string(),
            Content::Null | Content::Blob(_) => self.kind().name().to_string(),
        }
    }

    /// The bytes of a BLOB or, as UTF-8, of a TEXT; empty for any other kind.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        // SAFETY: `new`'s promise. Each kind is read by one function alone, for another one may move the bytes while
        // they are lent; and the pointer is asked for before the length, as sqlite3.h demands.
        unsafe {
            let start: *const u8 = match self.kind() {
                Kind::Text => call!(self.api, value_text(self.raw)),
                Kind::Blob => call!(self.api, value_blob(self.raw)).cast(),
                _ => std::ptr::null(),
            };
            lent_bytes(start, || call!(self.api, value_bytes(self.raw)))
        }
    }

    /// The text of a TEXT. Any other kind, or bytes that are not UTF-8, is an error that begins with `what`.
    pub fn text(self, what: &str) -> Result<&'a str> {
        match self.content() {
            Content::Text(bytes) => {
                str::from_utf8(bytes).map_err(|_| Error::invalid(format!("{what}: the text is not valid UTF-8")))
            }
            _ => Err(Error::invalid(format!("{what}: expected TEXT, got {}", self.kind().name()))),
        }
    }

    /// True for a column that an UPDATE leaves alone, if the cursor's `column` gave nothing because
    /// `Context::is_no_change` said so. Such a value reads as NULL.
    pub fn is_no_change(self) -> bool {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, value_nochange(self.raw)) != 0 }
    }

    /// The subtype that a function put on the value (74, 'J', for JSON text), or 0.
    pub fn subtype(self) -> u32 {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, value_subtype(self.raw)) }
    }

    /// The members of an IN operator's right side. Only for an argument of `Cursor::filter` whose constraint the plan
    /// took with `IndexInfo::set_in_list`; SQLite reports anything else as an error.
    pub fn in_list(self) -> InList<'a> {
        InList { list: self, begun: false }
    }
}

/// The integer that `number` is, if it is one.
pub fn whole(number: f64) -> Option<i64> {
    // 2^63 is the least whole number that is too large; the cast of what is left loses nothing.
    let limit = 2.0_f64.powi(63);
    (number.fract() == 0.0 && (-limit..limit).contains(&number)).then_some(number as i64)
}

/// `start` null or the first of `length()` bytes.
///
/// # Safety
/// As for `slice::from_raw_parts`, for as long as the caller uses the slice.
#[inline]
pub(super) unsafe fn lent_bytes<'a>(start: *const u8, length: impl FnOnce() -> c_int) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(start, usize::try_from(length()).unwrap_or(0)) }
}

/// Iterates over an IN list. Not an Iterator, because each member is valid only until the next call.
pub struct InList<'a> {
    list: Value<'a>,
    begun: bool,
}

impl InList<'_> {
    /// The next member, in SQLite's order and without duplicates; None at the end.
    pub fn next(&mut self) -> Result<Option<Value<'_>>> {
        let api = self.list.api;
        let mut member: *mut sqlite3_value = std::ptr::null_mut();
        // SAFETY: the list is a live value; SQLite checks that it stands for an IN list.
        let status = unsafe {
            match std::mem::replace(&mut self.begun, true) {
                false => call!(api, vtab_in_first(self.list.raw, &mut member)),
                true => call!(api, vtab_in_next(self.list.raw, &mut member)),
            }
        };
        match status {
            // SAFETY: SQLite keeps the member until the next call, which needs `&mut self`.
            SQLITE_OK if !member.is_null() => Ok(Some(unsafe { Value::new(api, member) })),
            SQLITE_OK | SQLITE_DONE => Ok(None),
            code => Err(Error::Sqlite { code, message: "the members of an IN list cannot be read".into() }),
        }
    }
}

/// The arguments of a function, of `filter` or of a changed row.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    api: Api,
    raw: &'a [*mut sqlite3_value],
}

impl<'a> Values<'a> {
    /// # Safety
    /// `raw` points to `count` values (it may be null if there are none) that are valid for `'a`.
    pub(super) unsafe fn new(api: Api, count: c_int, raw: *mut *mut sqlite3_value) -> Values<'a> {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: as the caller promises.
        let raw = if count == 0 || raw.is_null() { &[] } else { unsafe { slice::from_raw_parts(raw, count) } };
        Values { api, raw }
    }

    pub fn len(self) -> usize {
        self.raw.len()
    }

    /// The value at `position` (from 0), or None past the end.
    #[inline]
    pub fn get(self, position: usize) -> Option<Value<'a>> {
        // SAFETY: `new`'s promise.
        self.raw.get(position).map(|raw| unsafe { Value::new(self.api, *raw) })
    }

    /// As `get`, for an argument that must exist: without it the error is an internal one.
    #[inline]
    pub fn at(self, position: usize) -> Result<Value<'a>> {
        self.get(position).ok_or_else(|| Error::internal(format!("argument {position} of {} is missing", self.len())))
    }

    /// All but the first `count` values.
    pub fn skip(self, count: usize) -> Values<'a> {
        Values { api: self.api, raw: self.raw.get(count..).unwrap_or_default() }
    }

    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        // SAFETY: `new`'s promise.
        self.raw.iter().map(move |raw| unsafe { Value::new(self.api, *raw) })
    }
}
