//! Values that SQLite hands to functions and tables, and the place where a result goes.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::rc::Rc;
use std::slice;

use super::api::{Api, call, transient};
use super::bindings::*;
use super::connection::Connection;
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

    /// The name that SQL's typeof() gives, in capitals: for error messages.
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

    /// The content as it is stored, nothing converted.
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

    /// A whole number, as LIMIT takes one: an INTEGER, or a REAL or TEXT that is one, since some hosts bind every number
    /// as the one or the other. None for anything else.
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

    /// Whether it may be a number of numpy's, of which Python's sqlite3 binds the bytes.
    pub fn is_maybe_numpy(self) -> bool {
        matches!(self.content(), Content::Blob(bytes) if matches!(bytes.len(), 1 | 2 | 4 | 8))
    }

    /// A value that is no whole number, for an error message.
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
fn whole(number: f64) -> Option<i64> {
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

/// The walk over an IN list. Not an Iterator: each member is valid only until the next is asked for.
pub struct InList<'a> {
    list: Value<'a>,
    begun: bool,
}

impl InList<'_> {
    /// The next member, in SQLite's order and without duplicates; None at the end.
    #[expect(clippy::should_implement_trait, reason = "a member lives only until the next call")]
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

    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// The value at `position` (from 0), or None past the end.
    #[inline]
    pub fn get(self, position: usize) -> Option<Value<'a>> {
        // SAFETY: `new`'s promise.
        self.raw.get(position).map(|raw| unsafe { Value::new(self.api, *raw) })
    }

    /// As `get`, for an argument that is always there: its absence is a fault of ours.
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

/// Where the result of a function, or the value of a column, goes. What is set last counts; nothing set is NULL.
pub struct Context<'a> {
    api: Api,
    raw: *mut sqlite3_context,
    lent: PhantomData<&'a sqlite3_context>,
}

impl Context<'_> {
    /// # Safety
    /// `raw` is the context that SQLite gave to the callback under way, and `'a` ends with the callback.
    pub(super) unsafe fn new<'a>(api: Api, raw: *mut sqlite3_context) -> Context<'a> {
        Context { api, raw, lent: PhantomData }
    }

    /// The connection that runs the statement.
    pub fn connection(&self) -> Connection {
        // SAFETY: the context is live, so its connection is.
        unsafe { Connection::new(self.api, call!(self.api, context_db_handle(self.raw))) }
    }

    pub fn null(&self) {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, result_null(self.raw)) }
    }

    #[inline]
    pub fn i64(&self, value: i64) {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, result_int64(self.raw, value)) }
    }

    /// NaN becomes NULL, as everywhere in SQLite.
    #[inline]
    pub fn f64(&self, value: f64) {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, result_double(self.raw, value)) }
    }

    /// SQLite copies the text.
    pub fn text(&self, value: &str) {
        // SAFETY: `new`'s promise; transient() has SQLite copy the bytes before it returns.
        unsafe {
            let (start, length) = (value.as_ptr().cast(), value.len() as u64);
            call!(self.api, result_text64(self.raw, start, length, transient(), SQLITE_UTF8 as u8));
        }
    }

    /// SQLite copies the bytes.
    pub fn blob(&self, value: &[u8]) {
        // SAFETY: `new`'s promise; transient() has SQLite copy the bytes before it returns.
        unsafe {
            call!(self.api, result_blob64(self.raw, value.as_ptr().cast(), value.len() as u64, transient()));
        }
    }

    /// A copy of another value, subtype and all.
    pub fn value(&self, value: Value<'_>) {
        // SAFETY: both are live; SQLite copies.
        unsafe { call!(self.api, result_value(self.raw, value.raw)) }
    }

    /// The stored content of a value that was read before.
    pub fn content(&self, content: Content<'_>) {
        match content {
            Content::Null => self.null(),
            Content::Integer(value) => self.i64(value),
            Content::Real(value) => self.f64(value),
            // SAFETY: as in `text`; the bytes come from a TEXT and need be no better UTF-8 than they were there.
            Content::Text(bytes) => unsafe {
                let (start, length) = (bytes.as_ptr().cast(), bytes.len() as u64);
                call!(self.api, result_text64(self.raw, start, length, transient(), SQLITE_UTF8 as u8));
            },
            Content::Blob(bytes) => self.blob(bytes),
        }
    }

    /// Marks the result that was set before (74, 'J': JSON). The function needs the flag RESULT_SUBTYPE.
    pub fn subtype(&self, subtype: u32) {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, result_subtype(self.raw, subtype)) }
    }

    /// In a cursor's `column`: true if an UPDATE asks for a column that it does not change. Giving nothing then lets
    /// `Value::is_no_change` tell `update` of it.
    pub fn is_no_change(&self) -> bool {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, vtab_nochange(self.raw)) != 0 }
    }

    /// What `set_auxiliary` kept for argument `position` of this call's place in the statement, if SQLite still has it
    /// and it is a `T`. SQLite keeps it only while that argument is a constant.
    pub fn auxiliary<T: 'static>(&self, position: usize) -> Option<Rc<T>> {
        let position = c_int::try_from(position).ok()?;
        // SAFETY: only `set_auxiliary` sets auxiliary data of our functions, always an Auxiliary.
        let kept = unsafe { call!(self.api, get_auxdata(self.raw, position)).cast::<Auxiliary>().as_ref() }?;
        kept.0.clone().downcast::<T>().ok()
    }

    /// Keeps `data` (a parsed constant argument, say) for the next row. It may be dropped at once.
    pub fn set_auxiliary<T: 'static>(&self, position: usize, data: Rc<T>) {
        let Ok(position) = c_int::try_from(position) else { return };
        let kept = Box::into_raw(Box::new(Auxiliary(data)));
        // SAFETY: the destructor fits the box, and SQLite calls it once, whatever happens.
        unsafe { call!(self.api, set_auxdata(self.raw, position, kept.cast(), Some(drop_box::<Auxiliary>))) }
    }
}

struct Auxiliary(Rc<dyn Any>);

/// The destructor that SQLite calls for a `Box<T>` that it was given. A panic in T's drop stays inside.
pub(super) unsafe extern "C" fn drop_box<T>(data: *mut c_void) {
    let _ = super::guard::caught(|| {
        // SAFETY: registered only together with a pointer of Box::<T>::into_raw, and called once.
        drop(unsafe { Box::from_raw(data.cast::<T>()) });
        Ok(())
    });
}
