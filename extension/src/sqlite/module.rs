//! sqlite3_module: SQLite's callbacks of a virtual table, made from the traits of `table.rs`. Every callback is one
//! guarded call.
//!
//! The module is of version 4, whose xIntegrity SQLite reads from 3.44 on; older hosts do not look at it.

use std::cell::{RefCell, UnsafeCell};
use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::rc::Rc;
use std::slice;

use super::api::{Api, c_string, call};
use super::bindings::*;
use super::connection::{Connection, utf8};
use super::function::{Scalar, XCall, scalar_callback};
use super::guard;
use super::index_info::{BestIndex, IndexInfo};
use super::table::{Change, Connected, Cursor, ModuleArguments, StoredTable, Thoroughness, VirtualTable};
use super::value::{Context, Values};
use crate::error::{Error, Result, code};

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

/// What SQLite holds as a sqlite3_vtab. `base` comes first, so the one pointer is the other.
#[repr(C)]
struct Table<T> {
    /// SQLite and the guard write here while a callback holds the table.
    base: UnsafeCell<sqlite3_vtab>,
    connection: Connection,
    /// pApp of the functions that `find_function` gave, which statements use as long as the table lives.
    overloads: RefCell<Vec<Rc<Scalar>>>,
    inner: T,
}

impl<T: VirtualTable> Table<T> {
    /// # Safety
    /// `vtab` was made by `connect` for this T and not yet dropped; `'t` ends before it is.
    #[inline]
    unsafe fn from_raw<'t>(vtab: *mut sqlite3_vtab) -> &'t Table<T> {
        // SAFETY: as the caller promises.
        unsafe { &*vtab.cast::<Table<T>>() }
    }
}

/// The body of a callback of a table: its code, with the message in zErrMsg.
///
/// # Safety
/// As for `Table::from_raw`; SQLite's call that hands over `vtab` is under way.
#[inline]
unsafe fn on_table<T: VirtualTable>(
    vtab: *mut sqlite3_vtab,
    body: impl FnOnce(&'static Table<T>) -> Result<()>,
) -> c_int {
    // SAFETY: as the caller promises. SQLite closes a table's cursors before it disconnects the table, so what `body`
    // makes of the reference never outlives it.
    unsafe {
        let table = Table::<T>::from_raw(vtab);
        let result = guard::caught_or_panicked(|| body(table), || table.inner.panicked());
        guard::report_to_table(table.connection.api(), vtab, result)
    }
}

/// What SQLite holds as a sqlite3_vtab_cursor.
#[repr(C)]
struct OpenCursor<C> {
    base: sqlite3_vtab_cursor,
    api: Api,
    /// Asked after each move, inside the guard: xEof has no way to report an error.
    is_at_end: bool,
    inner: C,
}

type OpenCursorOf<T> = OpenCursor<<T as VirtualTable>::Cursor<'static>>;

/// The body of a callback of a cursor: its code, with the message in the table's zErrMsg.
///
/// # Safety
/// `cursor` was made by `x_open` for this T and not yet closed; SQLite's call that hands it over is under way.
#[inline]
unsafe fn on_cursor<T: VirtualTable>(
    cursor: *mut sqlite3_vtab_cursor,
    body: impl FnOnce(&mut OpenCursorOf<T>) -> Result<()>,
) -> c_int {
    // SAFETY: as the caller promises. A cursor belongs to one statement under way, which SQLite does not run while a
    // callback of it runs: the reference is the only one.
    unsafe {
        let vtab = (*cursor).pVtab;
        on_table::<T>(vtab, |_| body(&mut *cursor.cast::<OpenCursorOf<T>>()))
    }
}

type Connect<T> = fn(Connection, &ModuleArguments<'_>) -> Result<Connected<T>>;

/// What SQLite hands to xCreate and xConnect.
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
        table.connection.api().free(table.base.get_mut().zErrMsg.cast());
        let _ = guard::caught(|| {
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

unsafe extern "C" fn x_best_index<T: VirtualTable>(vtab: *mut sqlite3_vtab, info: *mut sqlite3_index_info) -> c_int {
    let mut answer = BestIndex::Planned;
    // SAFETY: SQLite's own call.
    let status = unsafe {
        on_table::<T>(vtab, |table| {
            answer = table.inner.best_index(&mut IndexInfo::new(table.connection.api(), info))?;
            Ok(())
        })
    };
    match (status, answer) {
        (code::OK, BestIndex::Planned) => code::OK,
        (code::OK, BestIndex::Impossible) => code::CONSTRAINT,
        // From here this code means Impossible, and would swallow the error.
        (code::CONSTRAINT, _) => code::ERROR,
        (status, _) => status,
    }
}

unsafe extern "C" fn x_open<T: VirtualTable>(vtab: *mut sqlite3_vtab, cursor: *mut *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite's own call. It fills in `base.pVtab` when this has returned.
    unsafe {
        on_table::<T>(vtab, |table| {
            let base = sqlite3_vtab_cursor { pVtab: vtab };
            let (api, inner) = (table.connection.api(), table.inner.open()?);
            *cursor = Box::into_raw(Box::new(OpenCursor { base, api, is_at_end: true, inner })).cast();
            Ok(())
        })
    }
}

unsafe extern "C" fn x_close<T: VirtualTable>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite's own call, the last one for this cursor.
    unsafe {
        let vtab = (*cursor).pVtab;
        on_table::<T>(vtab, |_| {
            drop(Box::from_raw(cursor.cast::<OpenCursorOf<T>>()));
            Ok(())
        })
    }
}

unsafe extern "C" fn x_filter<T: VirtualTable>(
    cursor: *mut sqlite3_vtab_cursor,
    number: c_int,
    text: *const c_char,
    count: c_int,
    arguments: *mut *mut sqlite3_value,
) -> c_int {
    // SAFETY: SQLite's own call; the text is what `IndexInfo::set_plan` gave, or null.
    unsafe {
        on_cursor::<T>(cursor, |cursor| {
            cursor.is_at_end = true;
            let (text, arguments) = (utf8(text, "a plan")?, Values::new(cursor.api, count, arguments));
            cursor.inner.filter(number, text, arguments)?;
            cursor.is_at_end = cursor.inner.is_at_end();
            Ok(())
        })
    }
}

unsafe extern "C" fn x_next<T: VirtualTable>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe {
        on_cursor::<T>(cursor, |cursor| {
            cursor.inner.next()?;
            cursor.is_at_end = cursor.inner.is_at_end();
            Ok(())
        })
    }
}

unsafe extern "C" fn x_eof<T: VirtualTable>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { (*cursor.cast::<OpenCursorOf<T>>()).is_at_end as c_int }
}

unsafe extern "C" fn x_column<T: VirtualTable>(
    cursor: *mut sqlite3_vtab_cursor,
    context: *mut sqlite3_context,
    column: c_int,
) -> c_int {
    // SAFETY: SQLite's own call. An error goes to the context alone: there SQLite looks for its message.
    unsafe {
        let vtab = (*cursor).pVtab;
        let table = Table::<T>::from_raw(vtab);
        let cursor = &mut *cursor.cast::<OpenCursorOf<T>>();
        let api = cursor.api;
        let body = || {
            let column = usize::try_from(column).map_err(|_| Error::internal("a negative column number"))?;
            cursor.inner.column(&Context::new(api, context), column)
        };
        match guard::caught_or_panicked(body, || table.inner.panicked()) {
            Ok(()) => code::OK,
            Err(error) => {
                guard::report_to_context(api, context, &error);
                error.sqlite_code()
            }
        }
    }
}

unsafe extern "C" fn x_rowid<T: VirtualTable>(cursor: *mut sqlite3_vtab_cursor, rowid: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe {
        on_cursor::<T>(cursor, |cursor| {
            *rowid = cursor.inner.rowid()?;
            Ok(())
        })
    }
}

unsafe extern "C" fn x_update<T: StoredTable>(
    vtab: *mut sqlite3_vtab,
    count: c_int,
    values: *mut *mut sqlite3_value,
    rowid: *mut sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's own call: one value is a DELETE, else old rowid, new rowid and the columns.
    unsafe {
        on_table::<T>(vtab, |table| {
            let all = Values::new(table.connection.api(), count, values);
            let old = all.at(0)?;
            let change = match all.get(1) {
                None => Change::Delete { rowid: old.as_i64() },
                Some(new) if old.is_null() => {
                    Change::Insert { rowid: Some(new).filter(|new| !new.is_null()), values: all.skip(2) }
                }
                Some(new_rowid) => Change::Update { rowid: old.as_i64(), new_rowid, values: all.skip(2) },
            };
            if let Some(new) = table.inner.update(change, table.connection.conflict())? {
                *rowid = new;
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn x_begin<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.begin()) }
}

unsafe extern "C" fn x_sync<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.sync()) }
}

unsafe extern "C" fn x_commit<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe {
        on_table::<T>(vtab, |table| {
            table.inner.commit();
            Ok(())
        })
    }
}

unsafe extern "C" fn x_rollback<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe {
        on_table::<T>(vtab, |table| {
            table.inner.rollback();
            Ok(())
        })
    }
}

unsafe extern "C" fn x_savepoint<T: StoredTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.savepoint(savepoint)) }
}

unsafe extern "C" fn x_release<T: StoredTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.release(savepoint)) }
}

unsafe extern "C" fn x_rollback_to<T: StoredTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.rollback_to(savepoint)) }
}

unsafe extern "C" fn x_rename<T: StoredTable>(vtab: *mut sqlite3_vtab, new_name: *const c_char) -> c_int {
    // SAFETY: SQLite's own call, with a NUL-terminated name.
    unsafe { on_table::<T>(vtab, |table| table.inner.rename(utf8(new_name, "the new name of the table")?)) }
}

unsafe extern "C" fn x_find_function<T: VirtualTable>(
    vtab: *mut sqlite3_vtab,
    count: c_int,
    name: *const c_char,
    function: *mut Option<XCall>,
    data: *mut *mut c_void,
) -> c_int {
    let mut answer = 0;
    // SAFETY: SQLite's own call, with a NUL-terminated name. pApp must stay as long as the table.
    unsafe {
        on_table::<T>(vtab, |table| {
            let Ok(name) = utf8(name, "the name of a function") else { return Ok(()) };
            let Some(overload) = table.inner.find_function(name, usize::try_from(count).unwrap_or(0)) else {
                return Ok(());
            };
            let api = table.connection.api();
            let mut overloads = table.overloads.borrow_mut();
            let known = overloads.iter().position(|known| ptr::fn_addr_eq(known.function, overload.function));
            let position = known.unwrap_or_else(|| {
                overloads.push(Rc::new(Scalar::new(api, overload.function)));
                overloads.len() - 1
            });
            *function = Some(scalar_callback(api)?);
            *data = Rc::as_ptr(&overloads[position]).cast_mut().cast();
            answer = overload.operator.map_or(1, c_int::from);
            Ok(())
        });
    }
    answer
}

unsafe extern "C" fn x_shadow_name<T: StoredTable>(suffix: *const c_char) -> c_int {
    // SAFETY: SQLite's own call, with a NUL-terminated name.
    let is_shadow = guard::caught(|| Ok(T::is_shadow_name(unsafe { utf8(suffix, "a table name") }?)));
    is_shadow.unwrap_or(false) as c_int
}

unsafe extern "C" fn x_integrity<T: StoredTable>(
    vtab: *mut sqlite3_vtab,
    _schema: *const c_char,
    _table: *const c_char,
    flags: c_int,
    report: *mut *mut c_char,
) -> c_int {
    // SAFETY: SQLite's own call; it frees the report.
    unsafe {
        on_table::<T>(vtab, |table| {
            let thoroughness = if flags == 0 { Thoroughness::Full } else { Thoroughness::Quick };
            if let Some(problems) = table.inner.integrity(thoroughness)? {
                *report = table.connection.api().allocate_text(&problems);
            }
            Ok(())
        })
    }
}
