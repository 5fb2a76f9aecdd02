//! A database connection, for use inside the extension's callbacks.

use std::ffi::{CString, c_char, c_int};

use super::api::{Api, HAS_IS_INTERRUPTED, c_string, call};
use super::bindings::*;
use super::statement::{Blob, Parameter, Statement, missing_is_damage};
use crate::error::{Error, Result, code};

/// The use of a prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Once,
    Kept,
    Shadow,
}

/// The conflict mode of the INSERT or UPDATE under way: `INSERT OR REPLACE`, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    Abort,
    Rollback,
    Fail,
    Ignore,
    Replace,
}

/// A property that a table declares in `create` and `connect` (sqlite3_vtab_config).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableOption {
    /// An `update` that fails with SQLITE_CONSTRAINT has changed nothing, and honours `Conflict::Replace` by itself.
    /// Without it SQLite turns every OR clause into ABORT.
    ConstraintSupport,
    /// The table is harmless in triggers and views, even those of an untrusted schema.
    Innocuous,
}

/// A database connection. It is valid until the host closes it, which is after the last table, cursor and callback: do
/// not keep it elsewhere.
#[derive(Clone, Copy)]
pub struct Connection {
    api: Api,
    raw: *mut sqlite3,
}

impl Connection {
    /// # Safety
    /// `raw` is an open connection of the library of `api`. Whoever keeps the copy drops it before the connection
    /// closes.
    pub(super) unsafe fn new(api: Api, raw: *mut sqlite3) -> Connection {
        Connection { api, raw }
    }

    pub(super) fn api(&self) -> Api {
        self.api
    }

    pub(super) fn raw(&self) -> *mut sqlite3 {
        self.raw
    }

    /// Returns the connection's last error unless `status` is SQLITE_OK.
    #[inline]
    pub(super) fn check(&self, status: c_int) -> Result<()> {
        if status == code::OK { Ok(()) } else { Err(self.error(status)) }
    }

    #[cold]
    pub(super) fn error(&self, status: c_int) -> Error {
        // SAFETY: `new`'s promise.
        unsafe { self.api.error(self.raw, status) }
    }

    /// Runs one statement with parameters to its end and discards its rows.
    pub fn run(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<()> {
        self.prepare(sql)?.run(parameters)
    }

    /// Returns what `read` makes of the first row of a query; None without a row.
    pub fn query_one<T>(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        read: impl FnOnce(&Statement) -> Result<T>,
    ) -> Result<Option<T>> {
        self.prepare(sql)?.query_one(parameters, read)
    }

    /// Prepares a statement for a single use.
    pub fn prepare(&self, sql: &str) -> Result<Statement> {
        self.prepare_for(sql, Use::Once)
    }

    /// Prepares a statement for many uses.
    pub fn prepare_kept(&self, sql: &str) -> Result<Statement> {
        self.prepare_for(sql, Use::Kept)
    }

    /// As `prepare_kept`, for shadow tables: fails if the SQL reaches a virtual table, which a damaged or hostile
    /// schema may have put under a shadow table's name (triggers on the table count as well).
    pub fn prepare_shadow(&self, sql: &str) -> Result<Statement> {
        self.prepare_for(sql, Use::Shadow)
    }

    fn prepare_for(&self, sql: &str, use_: Use) -> Result<Statement> {
        let flags = match use_ {
            Use::Once => 0,
            Use::Kept => SQLITE_PREPARE_PERSISTENT,
            Use::Shadow => SQLITE_PREPARE_PERSISTENT | SQLITE_PREPARE_NO_VTAB,
        };
        let text = c_string(sql)?;
        let length = c_int::try_from(text.as_bytes_with_nul().len())
            .map_err(|_| Error::invalid("an SQL statement is longer than 2 GB"))?;
        let mut statement = std::ptr::null_mut();
        // SAFETY: the connection is open; the length counts the NUL.
        let status = unsafe {
            let (start, rest) = (text.as_ptr(), std::ptr::null_mut());
            call!(self.api, prepare_v3(self.raw, start, length, flags as u32, &mut statement, rest))
        };
        let is_shadow = use_ == Use::Shadow;
        self.check(status).map_err(|error| if is_shadow { missing_is_damage(error) } else { error })?;
        // SAFETY: the connection prepared it just now.
        unsafe { Statement::new(*self, statement, is_shadow) }.ok_or_else(|| Error::internal("an empty SQL statement"))
    }

    /// Opens the BLOB (or TEXT) of one row for reading.
    pub fn open_blob(&self, column: &BlobColumn<'_>, rowid: i64) -> Result<Blob> {
        self.open_blob_as(column, rowid, false)
    }

    /// As `open_blob`, for writing too: `Blob::write` changes part of a row without rewriting the rest.
    pub fn open_blob_to_write(&self, column: &BlobColumn<'_>, rowid: i64) -> Result<Blob> {
        self.open_blob_as(column, rowid, true)
    }

    fn open_blob_as(&self, column: &BlobColumn<'_>, rowid: i64, is_writable: bool) -> Result<Blob> {
        let (schema, table, column) = (c_string(column.schema)?, c_string(column.table)?, c_string(column.column)?);
        let mut blob = std::ptr::null_mut();
        // SAFETY: the connection is open and the names end with NUL.
        self.check(unsafe {
            let (schema, table, column) = (schema.as_ptr(), table.as_ptr(), column.as_ptr());
            call!(self.api, blob_open(self.raw, schema, table, column, rowid, c_int::from(is_writable), &mut blob))
        })?;
        // SAFETY: the connection opened it just now.
        unsafe { Blob::new(*self, blob) }
    }

    /// The collation that the columns of an ordinary table are compared by; None if there is no such column.
    pub fn collation_of(&self, column: &BlobColumn<'_>) -> Result<Option<String>> {
        let (schema, table, name) = (c_string(column.schema)?, c_string(column.table)?, c_string(column.column)?);
        let mut collation = std::ptr::null();
        let unused = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the connection is open, the names end with NUL, and SQLite passes over null outputs. The collation's
        // name lives as long as the schema, which nothing changes before it is copied.
        unsafe {
            let (schema, table, name) = (schema.as_ptr(), table.as_ptr(), name.as_ptr());
            let (type_name, not_null, key, increment) = unused;
            let collation_out = &raw mut collation;
            match call!(
                self.api,
                table_column_metadata(
                    self.raw,
                    schema,
                    table,
                    name,
                    type_name,
                    collation_out,
                    not_null,
                    key,
                    increment
                )
            ) {
                code::OK => Ok(Some(utf8(collation, "the name of a collation")?.to_string())),
                code::ERROR => Ok(None),
                status => Err(self.error(status)),
            }
        }
    }

    /// Declares the columns of a table: `CREATE TABLE x(...)`. Only in `create` and `connect`.
    pub(super) fn declare_vtab(&self, schema: &str) -> Result<()> {
        let schema = c_string(schema)?;
        // SAFETY: the connection is open and the text ends with NUL.
        self.check(unsafe { call!(self.api, declare_vtab(self.raw, schema.as_ptr())) })
    }

    /// Only in `create` and `connect`.
    pub fn set_table_option(&self, option: TableOption) -> Result<()> {
        // SAFETY: the connection is open; CONSTRAINT_SUPPORT takes one more int, the others take nothing.
        self.check(unsafe {
            match option {
                TableOption::ConstraintSupport => {
                    call!(self.api, vtab_config(self.raw, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1 as c_int))
                }
                TableOption::Innocuous => call!(self.api, vtab_config(self.raw, SQLITE_VTAB_INNOCUOUS)),
            }
        })
    }

    /// Only in `update`.
    pub(super) fn conflict(&self) -> Conflict {
        // SAFETY: `new`'s promise.
        match unsafe { call!(self.api, vtab_on_conflict(self.raw)) } {
            SQLITE_ROLLBACK => Conflict::Rollback,
            SQLITE_FAIL => Conflict::Fail,
            SQLITE_IGNORE => Conflict::Ignore,
            SQLITE_REPLACE => Conflict::Replace,
            _ => Conflict::Abort,
        }
    }

    /// Rows that the last INSERT, UPDATE or DELETE of this connection changed.
    pub fn changes(&self) -> i64 {
        // SAFETY: `new`'s promise. The 64-bit form is newer (3.37) but below the floor.
        unsafe { call!(self.api, changes64(self.raw)) }
    }

    /// Rows that this connection has changed since it was opened, in shadow tables too.
    pub fn total_changes(&self) -> i64 {
        // SAFETY: `new`'s promise. The 64-bit form is older than the floor.
        unsafe { call!(self.api, total_changes64(self.raw)) }
    }

    pub fn last_insert_rowid(&self) -> i64 {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, last_insert_rowid(self.raw)) }
    }

    /// Restores the host's last_insert_rowid(), which writes to shadow tables change.
    pub fn set_last_insert_rowid(&self, rowid: i64) {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, set_last_insert_rowid(self.raw, rowid)) }
    }

    /// A number that no other open connection of the process has.
    pub fn number(&self) -> usize {
        self.raw as usize
    }

    /// The pages asked for so far, of all databases of the connection. The host may set the counters back.
    pub fn pages(&self) -> Pages {
        let of = |counter| {
            let (mut current, mut highest) = (0, 0);
            // SAFETY: `new`'s promise; SQLite writes two integers, which live through the call.
            unsafe { call!(self.api, db_status(self.raw, counter, &raw mut current, &raw mut highest, 0)) };
            u64::try_from(current).unwrap_or(0)
        };
        let missed = of(SQLITE_DBSTATUS_CACHE_MISS);
        Pages { asked: of(SQLITE_DBSTATUS_CACHE_HIT) + missed, missed }
    }

    /// True outside BEGIN ... COMMIT.
    pub fn is_autocommit(&self) -> bool {
        // SAFETY: `new`'s promise.
        unsafe { call!(self.api, get_autocommit(self.raw)) != 0 }
    }

    /// Whether the transaction may write to a database. If this callback has written and the result is false, SQLite
    /// has rolled the transaction back.
    pub fn is_writing(&self, schema: &str) -> bool {
        let Ok(schema) = CString::new(schema) else { return false };
        // SAFETY: the connection is open, the name is NUL-terminated, and the member is older than the floor.
        unsafe { call!(self.api, txn_state(self.raw, schema.as_ptr())) == SQLITE_TXN_WRITE }
    }

    /// Whether a statement would fire triggers; true if it cannot be prepared, for a table that a trigger needs may be
    /// gone.
    pub fn fires_triggers(&self, sql: &str) -> Result<bool> {
        let mut explain = match self.prepare(&format!("EXPLAIN {sql}")) {
            Err(Error::Sqlite { code: code::ERROR, .. }) => return Ok(true),
            explain => explain?,
        };
        let mut fires = false;
        explain.query(&[], |row| {
            fires |= row.column_text(1, "opcode")? == "Program";
            Ok(())
        })?;
        Ok(fires)
    }

    /// Whether a SELECT of one column would read it. An authorizer may have replaced it by NULL.
    pub fn reads(&self, sql: &str) -> Result<bool> {
        let mut reads = false;
        self.prepare(&format!("EXPLAIN {sql}"))?.query(&[], |row| {
            reads |= ["Column", "Rowid", "IdxRowid"].contains(&row.column_text(1, "opcode")?);
            Ok(())
        })?;
        Ok(reads)
    }

    /// Whether the statement that called the extension is the only running one of the connection.
    pub fn is_alone(&self) -> bool {
        let (mut statement, mut running) = (std::ptr::null_mut(), 0);
        loop {
            // SAFETY: `new`'s promise; null, or a statement of the connection that nobody finalizes meanwhile.
            statement = unsafe { call!(self.api, next_stmt(self.raw, statement)) };
            if statement.is_null() {
                return running <= 1;
            }
            // SAFETY: as above.
            running += unsafe { call!(self.api, stmt_busy(statement)) };
        }
    }

    /// Runs `write`. Statements that it prepares fire no triggers except those of the temp schema.
    ///
    /// This expires the other statements of the connection. A running one fails when it opens another table, as a
    /// correlated subquery does: see `is_alone`.
    pub fn without_triggers<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        if !self.set_triggers(None)? {
            return write();
        }
        self.set_triggers(Some(false))?;
        let _on_again = TriggersOff(self);
        write()
    }

    /// Turns triggers on or off, or leaves them unchanged. Returns whether they are on now.
    fn set_triggers(&self, on: Option<bool>) -> Result<bool> {
        let mut state: c_int = 0;
        let on: c_int = on.map_or(-1, c_int::from);
        // SAFETY: `new`'s promise; this option takes an int and a pointer to one, which lives through the call.
        let code = unsafe { call!(self.api, db_config(self.raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, on, &raw mut state)) };
        if code == SQLITE_OK { Ok(state != 0) } else { Err(self.error(code)) }
    }

    /// The path of a schema's file; empty for a database in memory or a temporary one.
    pub fn file_name(&self, schema: &str) -> String {
        let Ok(schema) = CString::new(schema) else { return String::new() };
        // SAFETY: the connection is open; the name is NUL-terminated and lives until the database is detached.
        unsafe {
            let name = call!(self.api, db_filename(self.raw, schema.as_ptr()));
            if name.is_null() { String::new() } else { std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned() }
        }
    }

    /// A number that changes with every commit to a database by any connection, as seen by the current transaction.
    /// None if it is not available, or if this transaction has written, which the number would not show.
    pub fn committed_version(&self, schema: &str) -> Option<u32> {
        let schema = CString::new(schema).ok()?;
        let mut version = 0u32;
        // SAFETY: the connection is open, the name is NUL-terminated, and this operation writes one u32. Both members
        // are older than the floor.
        unsafe {
            if call!(self.api, txn_state(self.raw, schema.as_ptr())) == SQLITE_TXN_WRITE {
                return None;
            }
            let version_out = (&raw mut version).cast();
            let status =
                call!(self.api, file_control(self.raw, schema.as_ptr(), SQLITE_FCNTL_DATA_VERSION, version_out));
            (status == code::OK).then_some(version)
        }
    }

    /// True after sqlite3_interrupt(), until the statements under way have ended. Hosts before 3.41 cannot tell: false.
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        // SAFETY: the member is read only on a host that has it.
        self.api.has(HAS_IS_INTERRUPTED) && unsafe { call!(self.api, is_interrupted(self.raw)) != 0 }
    }

    /// Returns `Err(Interrupted)` if `is_interrupted`. For long loops.
    #[inline]
    pub fn check_interrupt(&self) -> Result<()> {
        if self.is_interrupted() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Pages that a connection has asked its page caches for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pages {
    pub asked: u64,
    /// Those that were not in the cache.
    pub missed: u64,
}

/// A column of an ordinary table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobColumn<'a> {
    pub schema: &'a str,
    pub table: &'a str,
    pub column: &'a str,
}

/// Turns triggers on again when it is dropped, also by a panic.
struct TriggersOff<'c>(&'c Connection);

impl Drop for TriggersOff<'_> {
    fn drop(&mut self) {
        // The option was set a moment ago.
        let _ = self.0.set_triggers(Some(true));
    }
}

/// Quotes an SQL identifier, so that any name is safe in SQL.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// # Safety
/// `text` is null or a NUL-terminated string that lives for `'a`.
pub(super) unsafe fn utf8<'a>(text: *const c_char, what: &str) -> Result<&'a str> {
    if text.is_null() {
        return Ok("");
    }
    // SAFETY: as the caller promises.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_str().map_err(|_| Error::invalid(format!("{what} is not valid UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_doubles_the_quote_inside() {
        assert_eq!(quote_identifier("a\"b; DROP"), "\"a\"\"b; DROP\"");
    }
}
