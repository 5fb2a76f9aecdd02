//! The result of an SQL function, or the value of a column, that a callback sets.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::rc::Rc;

use super::api::{Api, call, transient};
use super::bindings::*;
use super::value::{Content, Value};

/// Receives the result of a function or the value of a column. The last value set counts; without one it is NULL.
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

    /// Sets a copy of another value, with its subtype.
    pub fn value(&self, value: Value<'_>) {
        // SAFETY: both are live; SQLite copies.
        unsafe { call!(self.api, result_value(self.raw, value.raw())) }
    }

    /// Sets the content of a value that was read before.
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

    /// Sets the subtype of the result (74, 'J': JSON). The function needs the flag RESULT_SUBTYPE.
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

    /// Returns the data that `set_auxiliary` kept for argument `position` of this call, if SQLite still has it and it
    /// is a `T`. SQLite keeps it only while the argument is a constant.
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
