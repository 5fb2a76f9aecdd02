//! sqlite3_module: SQLite's callbacks of a virtual table, made from the traits of `table.rs`. Every callback is one
//! guarded call.
//!
//! The module is of version 4, whose xIntegrity SQLite reads from 3.44 on; older hosts do not look at it.

mod handles;
mod reading;
mod writing;

use std::cell::{RefCell, UnsafeCell};
use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::slice;

use super::api::{Api, c_string, call};
use super::bindings::*;
use super::connection::{Connection, utf8};
use super::guard;
use super::table::{Connected, ModuleArguments, StoredTable, VirtualTable};
use crate::error::{Error, Result, code};
use handles::{Table, on_table};
use reading::*;
use writing::*;

/// Registers a module for CREATE VIRTUAL TABLE ... USING `name`. A module of that name is replaced; tables that are
/// connected already keep the old one.
pub fn register_module<T: StoredTable>(connection: Connection, name: &str) -> Result<()> {
    register(connection, name, &Module::<T>::STORED)
}

/// Registers a table-valued function: a table that is there under its own name and takes its hidden columns as
/// arguments.
pub fn register_eponymous<T: VirtualTable>(connection: Connection, name: &str) -> Result<()> {
    register(connection, name, &Module::<T>::EPONYMOUS)
}

fn register(connection: Connection, name: &str, module: &'static sqlite3_module) -> Result<()> {
    let (api, name) = (connection.api(), c_string(name)?);
    // SAFETY: the connection is open; module and function table outlive it, so pAux needs no destructor.
    connection.check(unsafe {
        call!(api, create_module_v2(connection.raw(), name.as_ptr(), module, api.as_user_data(), None))
    })
}

struct Module<T>(PhantomData<T>);

impl<T: VirtualTable> Module<T> {
    /// Without xCreate a table is eponymous only; without xUpdate it is read-only.
    const EPONYMOUS: sqlite3_module = sqlite3_module {
        iVersion: 4,
        xCreate: None,
        xConnect: Some(x_connect::<T>),
        xBestIndex: Some(x_best_index::<T>),
        xDisconnect: Some(x_disconnect::<T>),
        xDestroy: None,
        xOpen: Some(x_open::<T>),
        xClose: Some(x_close::<T>),
        xFilter: Some(x_filter::<T>),
        xNext: Some(x_next::<T>),
        xEof: Some(x_eof::<T>),
        xColumn: Some(x_column::<T>),
        xRowid: Some(x_rowid::<T>),
        xUpdate: None,
        xBegin: None,
        xSync: None,
        xCommit: None,
        xRollback: None,
        xFindFunction: Some(x_find_function::<T>),
        xRename: None,
        xSavepoint: None,
        xRelease: None,
        xRollbackTo: None,
        xShadowName: None,
        xIntegrity: None,
    };
}

impl<T: StoredTable> Module<T> {
    const STORED: sqlite3_module = sqlite3_module {
        xCreate: Some(x_create::<T>),
        xDestroy: Some(x_destroy::<T>),
        xUpdate: Some(x_update::<T>),
        xBegin: Some(x_begin::<T>),
        xSync: Some(x_sync::<T>),
        xCommit: Some(x_commit::<T>),
        xRollback: Some(x_rollback::<T>),
        xRename: Some(x_rename::<T>),
        xSavepoint: Some(x_savepoint::<T>),
        xRelease: Some(x_release::<T>),
        xRollbackTo: Some(x_rollback_to::<T>),
        xShadowName: Some(x_shadow_name::<T>),
        xIntegrity: Some(x_integrity::<T>),
        ..Module::<T>::EPONYMOUS
    };
}

type Connect<T> = fn(Connection, &ModuleArguments<'_>) -> Result<Connected<T>>;

/// The arguments of xCreate and xConnect.
struct ConnectCall {
    db: *mut sqlite3,
    aux: *mut c_void,
    count: c_int,
    words: *const *const c_char,
    vtab: *mut *mut sqlite3_vtab,
    message: *mut *mut c_char,
}

/// # Safety
/// The call is SQLite's, of a module that `register` registered, and under way.
unsafe fn connect<T: VirtualTable>(call: &ConnectCall, connect: Connect<T>) -> c_int {
    // SAFETY: as the caller promises: pAux is the function table, and SQLite gives `count` words.
    unsafe {
        let api = match Api::from_user_data(call.aux) {
            Ok(api) => api,
            Err(error) => return error.sqlite_code(),
        };
        let result = guard::caught(|| {
            let connection = Connection::new(api, call.db);
            let words = slice::from_raw_parts(call.words, usize::try_from(call.count).unwrap_or(0));
            let words: Vec<&str> =
                words.iter().map(|word| utf8(*word, "CREATE VIRTUAL TABLE")).collect::<Result<_>>()?;
            let [module, schema, table, arguments @ ..] = words.as_slice() else {
                return Err(Error::internal("a module was called without a table name"));
            };
            let arguments = ModuleArguments { module, schema, table, arguments: arguments.to_vec() };
            let connected = connect(connection, &arguments)?;
            connection.declare_vtab(&connected.declaration)?;
            let base = UnsafeCell::new(sqlite3_vtab { pModule: ptr::null(), nRef: 0, zErrMsg: ptr::null_mut() });
            let (overloads, inner) = (RefCell::default(), connected.table);
            Ok(Box::new(Table { base, connection, overloads, inner }))
        });
        match result {
            Ok(table) => {
                *call.vtab = Box::into_raw(table).cast();
                code::OK
            }
            Err(error) => guard::report_to_text(api, call.message, &error),
        }
    }
}

unsafe extern "C" fn x_connect<T: VirtualTable>(
    db: *mut sqlite3,
    aux: *mut c_void,
    count: c_int,
    words: *const *const c_char,
    vtab: *mut *mut sqlite3_vtab,
    message: *mut *mut c_char,
) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { connect::<T>(&ConnectCall { db, aux, count, words, vtab, message }, T::connect) }
}

unsafe extern "C" fn x_create<T: StoredTable>(
    db: *mut sqlite3,
    aux: *mut c_void,
    count: c_int,
    words: *const *const c_char,
    vtab: *mut *mut sqlite3_vtab,
    message: *mut *mut c_char,
) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { connect::<T>(&ConnectCall { db, aux, count, words, vtab, message }, T::create) }
}

/// Drops a table, whatever happens in it.
///
/// # Safety
/// As for `Table::from_raw`; SQLite forgets `vtab` after this.
unsafe fn drop_table<T: VirtualTable>(vtab: *mut sqlite3_vtab) {
    // SAFETY: `connect` made the box; a message that SQLite did not fetch is still ours.
    unsafe {
        let mut table = Box::from_raw(vtab.cast::<Table<T>>());
        let _ = guard::caught(|| {
            table.connection.api().free(table.base.get_mut().zErrMsg.cast());
            drop(table);
            Ok(())
        });
    }
}

unsafe extern "C" fn x_disconnect<T: VirtualTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call, the last one for this table.
    unsafe { drop_table::<T>(vtab) };
    code::OK
}

unsafe extern "C" fn x_destroy<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call; after Ok it is the last one for this table.
    unsafe {
        let status = on_table::<T>(vtab, |table| table.inner.destroy());
        if status == code::OK {
            drop_table::<T>(vtab);
        }
        status
    }
}
