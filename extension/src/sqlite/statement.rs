//! Prepared statements and BLOB handles. Both are on the path of every query: no call here allocates unless it fails.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use super::api::{call, transient};
use super::bindings::*;
use super::connection::{Connection, utf8};
use super::value::{Content, Kind, Value, lent_bytes};
use crate::error::{Error, Result, code};

/// A value to bind to a parameter (`?1`, ...).
#[derive(Clone, Copy)]
pub enum Parameter<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
    Blob(&'a [u8]),
    /// A value as SQLite handed it over, unchanged.
    Value(Value<'a>),
}

/// A prepared statement. Parameters and columns are numbered as SQL does: parameters from 1, columns from 0.
///
/// A statement that was stepped and not reset keeps its read transaction open.
pub struct Statement {
    connection: Connection,
    raw: NonNull<sqlite3_stmt>,
    /// It reads and writes shadow tables.
    is_shadow: bool,
}

impl Statement {
    /// None for the null statement (SQL without content).
    ///
    /// # Safety
    /// `raw` is null or a statement of `connection` that nobody else finalizes.
    pub(super) unsafe fn new(connection: Connection, raw: *mut sqlite3_stmt, is_shadow: bool) -> Option<Statement> {
        NonNull::new(raw).map(|raw| Statement { connection, raw, is_shadow })
    }

    #[inline]
    fn raw(&self) -> *mut sqlite3_stmt {
        self.raw.as_ptr()
    }

    pub fn bind_null(&mut self, parameter: usize) -> Result<()> {
        // SAFETY: the statement is live.
        let status = unsafe { call!(self.connection.api(), bind_null(self.raw(), number(parameter))) };
        self.connection.check(status)
    }

    #[inline]
    pub fn bind_i64(&mut self, parameter: usize, value: i64) -> Result<()> {
        // SAFETY: the statement is live.
        let status = unsafe { call!(self.connection.api(), bind_int64(self.raw(), number(parameter), value)) };
        self.connection.check(status)
    }

    #[inline]
    pub fn bind_f64(&mut self, parameter: usize, value: f64) -> Result<()> {
        // SAFETY: the statement is live.
        let status = unsafe { call!(self.connection.api(), bind_double(self.raw(), number(parameter), value)) };
        self.connection.check(status)
    }

    /// SQLite copies the bytes (`run` does without the copy).
    pub fn bind_blob(&mut self, parameter: usize, value: &[u8]) -> Result<()> {
        // SAFETY: SQLite copies the bytes before it returns.
        unsafe { self.bind_bytes(parameter, value, BytesAs::Blob, transient()) }
    }

    /// Binds a value as SQLite handed it over.
    pub fn bind_value(&mut self, parameter: usize, value: Value<'_>) -> Result<()> {
        // SAFETY: both are live; SQLite copies the value.
        let status = unsafe { call!(self.connection.api(), bind_value(self.raw(), number(parameter), value.raw())) };
        self.connection.check(status)
    }

    /// Binds a value that was kept; SQLite copies the bytes, which need be no better UTF-8 than where they came from.
    pub fn bind_content(&mut self, parameter: usize, content: Content<'_>) -> Result<()> {
        match content {
            Content::Null => self.bind_null(parameter),
            Content::Integer(value) => self.bind_i64(parameter, value),
            Content::Real(value) => self.bind_f64(parameter, value),
            // SAFETY: SQLite copies the bytes before it returns.
            Content::Text(bytes) => unsafe { self.bind_bytes(parameter, bytes, BytesAs::Text, transient()) },
            Content::Blob(bytes) => self.bind_blob(parameter, bytes),
        }
    }

    /// # Safety
    /// `destructor` is `transient()`, or None and the bytes live until the parameter is bound anew or cleared.
    unsafe fn bind_bytes(
        &mut self,
        parameter: usize,
        value: &[u8],
        as_: BytesAs,
        destructor: Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> Result<()> {
        let (api, parameter, length) = (self.connection.api(), number(parameter), value.len() as u64);
        // An empty slice's pointer is never null, so that SQLite binds an empty value and not NULL.
        let start = value.as_ptr();
        // SAFETY: the statement is live, and the bytes as the caller promises.
        let status = unsafe {
            match as_ {
                BytesAs::Text => {
                    let encoding = SQLITE_UTF8 as u8;
                    call!(api, bind_text64(self.raw(), parameter, start.cast(), length, destructor, encoding))
                }
                BytesAs::Blob => call!(api, bind_blob64(self.raw(), parameter, start.cast(), length, destructor)),
            }
        };
        self.connection.check(status)
    }

    /// Binds parameters 1, 2, ... without copying them.
    ///
    /// # Safety
    /// The statement is reset and cleared before the parameters' bytes are freed.
    unsafe fn bind_all(&mut self, parameters: &[Parameter<'_>]) -> Result<()> {
        for (index, parameter) in parameters.iter().enumerate() {
            let position = index + 1;
            match *parameter {
                Parameter::Null => self.bind_null(position),
                Parameter::Integer(value) => self.bind_i64(position, value),
                // SAFETY: as the caller promises.
                Parameter::Text(text) => unsafe { self.bind_bytes(position, text.as_bytes(), BytesAs::Text, None) },
                // SAFETY: as the caller promises.
                Parameter::Blob(bytes) => unsafe { self.bind_bytes(position, bytes, BytesAs::Blob, None) },
                Parameter::Value(value) => self.bind_value(position, value),
            }?;
        }
        Ok(())
    }

    /// Binds the parameters, runs a statement that writes to its end, resets and clears. An UPDATE may end with
    /// RETURNING and a term that holds for the row as it must be by then.
    ///
    /// # Errors
    /// `Error::Invalid` too if an authorizer of the host's says SQLITE_IGNORE: SQLite then leaves out the statement, or
    /// a column that it sets, and reports nothing.
    pub fn run(&mut self, parameters: &[Parameter<'_>]) -> Result<()> {
        let mut is_written = true;
        self.query(parameters, |row| {
            is_written &= row.column_i64(0) == 1;
            Ok(())
        })?;
        // SAFETY: the statement is live.
        let is_empty = unsafe { call!(self.connection.api(), stmt_readonly(self.raw())) != 0 };
        if is_written && !is_empty { Ok(()) } else { Err(self.ignored()) }
    }

    #[cold]
    fn ignored(&self) -> Error {
        // SAFETY: the statement is live, and its text as long as it is.
        let sql = unsafe { utf8(call!(self.connection.api(), sql(self.raw())), "the statement") }.unwrap_or_default();
        let what = sql.split(['(', '=']).next().unwrap_or_default();
        Error::invalid(format!(
            "the host's authorizer ignores {what}: it must allow or deny what is done to shadow tables"
        ))
    }

    /// Binds the parameters and returns what `read` makes of the first row; None without a row. Then resets and clears.
    pub fn query_one<T>(
        &mut self,
        parameters: &[Parameter<'_>],
        read: impl FnOnce(&Statement) -> Result<T>,
    ) -> Result<Option<T>> {
        self.with_parameters(
            parameters,
            |statement| if statement.step()? { read(statement).map(Some) } else { Ok(None) },
        )
    }

    /// Binds the parameters and calls `read` for every row; then resets and clears.
    pub fn query(
        &mut self,
        parameters: &[Parameter<'_>],
        mut read: impl FnMut(&Statement) -> Result<()>,
    ) -> Result<()> {
        self.with_parameters(parameters, |statement| {
            while statement.step()? {
                read(statement)?;
            }
            Ok(())
        })
    }

    fn with_parameters<T>(
        &mut self,
        parameters: &[Parameter<'_>],
        body: impl FnOnce(&mut Statement) -> Result<T>,
    ) -> Result<T> {
        /// Clears also when `body` panics: the parameters are bound without a copy.
        struct Cleared<'s>(&'s mut Statement);
        impl Drop for Cleared<'_> {
            fn drop(&mut self) {
                self.0.reset();
                self.0.clear();
            }
        }
        let cleared = Cleared(self);
        // SAFETY: `cleared` resets and clears before this function returns, and the parameters outlive it.
        unsafe { cleared.0.bind_all(parameters) }?;
        body(cleared.0)
    }

    /// Runs to the next row: true if there is one, false at the end.
    #[inline]
    pub fn step(&mut self) -> Result<bool> {
        // SAFETY: the statement is live.
        match unsafe { call!(self.connection.api(), step(self.raw())) } {
            SQLITE_ROW => Ok(true),
            SQLITE_DONE => Ok(false),
            status => Err(self.error(status)),
        }
    }

    /// The error of a step. SQLite prepares a statement again after a change of the schema, which may lack a shadow
    /// table.
    #[cold]
    fn error(&self, status: c_int) -> Error {
        let error = self.connection.error(status);
        if self.is_shadow { missing_is_damage(error) } else { error }
    }

    /// Resets the statement and keeps its bindings. (SQLite's result would only repeat the error of the last step.)
    #[inline]
    pub fn reset(&mut self) {
        // SAFETY: the statement is live.
        unsafe { call!(self.connection.api(), reset(self.raw())) };
    }

    /// Sets all parameters to NULL.
    pub fn clear(&mut self) {
        // SAFETY: the statement is live.
        unsafe { call!(self.connection.api(), clear_bindings(self.raw())) };
    }

    #[inline]
    pub fn column_kind(&self, column: usize) -> Kind {
        // SAFETY: the statement is live; a column out of range is NULL.
        Kind::from_code(unsafe { call!(self.connection.api(), column_type(self.raw(), number(column))) })
    }

    /// The column as an integer, by SQLite's rules of CAST.
    #[inline]
    pub fn column_i64(&self, column: usize) -> i64 {
        // SAFETY: the statement is live; a column out of range is NULL.
        unsafe { call!(self.connection.api(), column_int64(self.raw(), number(column))) }
    }

    /// The column as a floating-point number, by SQLite's rules of CAST.
    #[inline]
    pub fn column_f64(&self, column: usize) -> f64 {
        // SAFETY: the statement is live; a column out of range is NULL.
        unsafe { call!(self.connection.api(), column_double(self.raw(), number(column))) }
    }

    /// The bytes of a BLOB or, as UTF-8, of a TEXT, until the next step; empty for any other kind.
    #[inline]
    pub fn column_bytes(&self, column: usize) -> &[u8] {
        let (api, statement, column_) = (self.connection.api(), self.raw(), number(column));
        // SAFETY: the statement is live. Each kind is read by one function alone, for another one may move the bytes
        // while they are lent; stepping, which frees them, needs `&mut self`.
        unsafe {
            let start: *const u8 = match self.column_kind(column) {
                Kind::Text => call!(api, column_text(statement, column_)),
                Kind::Blob => call!(api, column_blob(statement, column_)).cast(),
                _ => std::ptr::null(),
            };
            lent_bytes(start, || call!(api, column_bytes(statement, column_)))
        }
    }

    /// The text of a TEXT column. Any other kind, or bytes that are not UTF-8, is an error that begins with `what`.
    pub fn column_text(&self, column: usize, what: &str) -> Result<&str> {
        match self.column_kind(column) {
            Kind::Text => str::from_utf8(self.column_bytes(column))
                .map_err(|_| Error::invalid(format!("{what}: the text is not valid UTF-8"))),
            kind => Err(Error::invalid(format!("{what}: expected TEXT, got {}", kind.name()))),
        }
    }

    /// The content as it is stored, nothing converted, until the next step.
    #[inline]
    pub fn column_content(&self, column: usize) -> Content<'_> {
        match self.column_kind(column) {
            Kind::Null => Content::Null,
            Kind::Integer => Content::Integer(self.column_i64(column)),
            Kind::Real => Content::Real(self.column_f64(column)),
            Kind::Text => Content::Text(self.column_bytes(column)),
            Kind::Blob => Content::Blob(self.column_bytes(column)),
        }
    }

    /// The column as a value, to be a result or bound elsewhere, until the next step.
    #[inline]
    pub fn column_value(&self, column: usize) -> Value<'_> {
        // SAFETY: the statement is live, and stepping needs `&mut self`. SQLite calls such a value unprotected, because
        // another thread might use the connection: inside a callback this thread holds the connection's mutex.
        unsafe {
            Value::new(self.connection.api(), call!(self.connection.api(), column_value(self.raw(), number(column))))
        }
    }
}

/// Turns the error of a missing shadow table or column into one of damage: the SQL itself is right.
pub(super) fn missing_is_damage(error: Error) -> Error {
    match error {
        Error::Sqlite { code: code::ERROR, message } if message.starts_with("no such ") => {
            Error::corrupt("a shadow table", message)
        }
        error => error,
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the statement is live and finalized once.
        unsafe { call!(self.connection.api(), finalize(self.raw())) };
    }
}

#[derive(Clone, Copy)]
enum BytesAs {
    Text,
    Blob,
}

/// Numbers past the range of C's int do not occur in SQL; SQLite refuses this one.
#[inline]
fn number(position: usize) -> c_int {
    c_int::try_from(position).unwrap_or(c_int::MAX)
}

/// A handle on the bytes of one BLOB, which can move from row to row. Several times faster than a SELECT by rowid.
///
/// An open handle keeps a read transaction open: drop it when the statement that needed it ends. A write to the row
/// makes it fail (SQLITE_ABORT) until it is moved again.
pub struct Blob {
    connection: Connection,
    raw: NonNull<sqlite3_blob>,
    length: usize,
}

impl Blob {
    /// # Safety
    /// `raw` is an open handle of `connection` that nobody else closes.
    pub(super) unsafe fn new(connection: Connection, raw: *mut sqlite3_blob) -> Result<Blob> {
        let raw = NonNull::new(raw).ok_or_else(|| Error::internal("SQLite opened a BLOB and gave no handle"))?;
        let mut blob = Blob { connection, raw, length: 0 };
        blob.measure();
        Ok(blob)
    }

    #[inline]
    fn measure(&mut self) {
        // SAFETY: the handle is open.
        self.length = unsafe { call!(self.connection.api(), blob_bytes(self.raw.as_ptr())) as usize };
    }

    /// Moves the handle to another row of the same table. If it fails (no such row, or no BLOB in it) the handle cannot
    /// be used again: drop it and open another.
    #[inline]
    pub fn reopen(&mut self, rowid: i64) -> Result<()> {
        self.length = 0;
        // SAFETY: the handle is open.
        let status = unsafe { call!(self.connection.api(), blob_reopen(self.raw.as_ptr(), rowid)) };
        self.connection.check(status)?;
        self.measure();
        Ok(())
    }

    /// Bytes in the BLOB.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Fills `buffer` from `offset` on; reaching past the end is an error.
    #[inline]
    pub fn read(&self, buffer: &mut [u8], offset: usize) -> Result<()> {
        let (length, start) = (number(buffer.len()), number(offset));
        // SAFETY: the buffer has room for its length; SQLite checks both against the BLOB's size.
        let status = unsafe {
            call!(self.connection.api(), blob_read(self.raw.as_ptr(), buffer.as_mut_ptr().cast(), length, start))
        };
        self.connection.check(status)
    }
}

impl Blob {
    /// Writes `bytes` over those from `offset` on; reaching past the end is an error. The handle was opened to write.
    pub fn write(&mut self, bytes: &[u8], offset: usize) -> Result<()> {
        let (length, start) = (number(bytes.len()), number(offset));
        // SAFETY: the bytes are readable for their length; SQLite checks both against the BLOB's size.
        let status = unsafe {
            call!(self.connection.api(), blob_write(self.raw.as_ptr(), bytes.as_ptr().cast(), length, start))
        };
        self.connection.check(status)
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        // SAFETY: the handle is open and closed once.
        unsafe { call!(self.connection.api(), blob_close(self.raw.as_ptr())) };
    }
}
