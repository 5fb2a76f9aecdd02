//! A connection of one of two SQLite libraries behind the same interface: the one bundled with rusqlite, and the
//! system's, opened at run time.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::path::Path;
use std::ptr;
use std::sync::mpsc;

use libloading::Library;
use rusqlite::ffi;

use crate::data::blob;

/// The result code and message of a call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    /// The extended result code.
    pub code: i32,
    pub message: String,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

impl std::error::Error for HostError {}

/// One value of a result row, as SQLite's text; NULL is None.
pub type Cell = Option<String>;

/// A row as `Host::query` returns it, from texts: `row(&["1", "a"])`.
pub fn row(values: &[&str]) -> Vec<Cell> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

/// The functions of sqlite3.h that a Host calls.
struct Functions {
    libversion_number: unsafe extern "C" fn() -> c_int,
    open: unsafe extern "C" fn(*const c_char, *mut *mut ffi::sqlite3, c_int, *const c_char) -> c_int,
    close: unsafe extern "C" fn(*mut ffi::sqlite3) -> c_int,
    enable_load_extension: unsafe extern "C" fn(*mut ffi::sqlite3, c_int) -> c_int,
    load_extension: unsafe extern "C" fn(*mut ffi::sqlite3, *const c_char, *const c_char, *mut *mut c_char) -> c_int,
    free: unsafe extern "C" fn(*mut c_void),
    extended_errcode: unsafe extern "C" fn(*mut ffi::sqlite3) -> c_int,
    errmsg: unsafe extern "C" fn(*mut ffi::sqlite3) -> *const c_char,
    prepare: unsafe extern "C" fn(
        *mut ffi::sqlite3,
        *const c_char,
        c_int,
        *mut *mut ffi::sqlite3_stmt,
        *mut *const c_char,
    ) -> c_int,
    step: unsafe extern "C" fn(*mut ffi::sqlite3_stmt) -> c_int,
    column_count: unsafe extern "C" fn(*mut ffi::sqlite3_stmt) -> c_int,
    column_text: unsafe extern "C" fn(*mut ffi::sqlite3_stmt, c_int) -> *const u8,
    column_type: unsafe extern "C" fn(*mut ffi::sqlite3_stmt, c_int) -> c_int,
    column_double: unsafe extern "C" fn(*mut ffi::sqlite3_stmt, c_int) -> f64,
    column_blob: unsafe extern "C" fn(*mut ffi::sqlite3_stmt, c_int) -> *const c_void,
    column_bytes: unsafe extern "C" fn(*mut ffi::sqlite3_stmt, c_int) -> c_int,
    finalize: unsafe extern "C" fn(*mut ffi::sqlite3_stmt) -> c_int,
    interrupt: unsafe extern "C" fn(*mut ffi::sqlite3),
    progress_handler: unsafe extern "C" fn(*mut ffi::sqlite3, c_int, Option<ProgressHandler>, *mut c_void),
    db_status: unsafe extern "C" fn(*mut ffi::sqlite3, c_int, *mut c_int, *mut c_int, c_int) -> c_int,
    get_autocommit: unsafe extern "C" fn(*mut ffi::sqlite3) -> c_int,
    db_config: unsafe extern "C" fn(*mut ffi::sqlite3, c_int, ...) -> c_int,
    set_authorizer: unsafe extern "C" fn(*mut ffi::sqlite3, Option<Authorizer>, *mut c_void) -> c_int,
}

type Authorizer =
    unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *const c_char, *const c_char, *const c_char) -> c_int;

type ProgressHandler = unsafe extern "C" fn(*mut c_void) -> c_int;

impl Functions {
    fn bundled() -> Functions {
        Functions {
            libversion_number: ffi::sqlite3_libversion_number,
            open: ffi::sqlite3_open_v2,
            close: ffi::sqlite3_close,
            enable_load_extension: ffi::sqlite3_enable_load_extension,
            load_extension: ffi::sqlite3_load_extension,
            free: ffi::sqlite3_free,
            extended_errcode: ffi::sqlite3_extended_errcode,
            errmsg: ffi::sqlite3_errmsg,
            prepare: ffi::sqlite3_prepare_v2,
            step: ffi::sqlite3_step,
            column_count: ffi::sqlite3_column_count,
            column_text: ffi::sqlite3_column_text,
            column_type: ffi::sqlite3_column_type,
            column_double: ffi::sqlite3_column_double,
            column_blob: ffi::sqlite3_column_blob,
            column_bytes: ffi::sqlite3_column_bytes,
            finalize: ffi::sqlite3_finalize,
            interrupt: ffi::sqlite3_interrupt,
            progress_handler: ffi::sqlite3_progress_handler,
            db_status: ffi::sqlite3_db_status,
            get_autocommit: ffi::sqlite3_get_autocommit,
            db_config: ffi::sqlite3_db_config,
            set_authorizer: ffi::sqlite3_set_authorizer,
        }
    }

    fn of(library: &Library) -> Functions {
        // SAFETY: the names and types are those of sqlite3.h.
        unsafe {
            Functions {
                libversion_number: symbol(library, c"sqlite3_libversion_number"),
                open: symbol(library, c"sqlite3_open_v2"),
                close: symbol(library, c"sqlite3_close"),
                enable_load_extension: symbol(library, c"sqlite3_enable_load_extension"),
                load_extension: symbol(library, c"sqlite3_load_extension"),
                free: symbol(library, c"sqlite3_free"),
                extended_errcode: symbol(library, c"sqlite3_extended_errcode"),
                errmsg: symbol(library, c"sqlite3_errmsg"),
                prepare: symbol(library, c"sqlite3_prepare_v2"),
                step: symbol(library, c"sqlite3_step"),
                column_count: symbol(library, c"sqlite3_column_count"),
                column_text: symbol(library, c"sqlite3_column_text"),
                column_type: symbol(library, c"sqlite3_column_type"),
                column_double: symbol(library, c"sqlite3_column_double"),
                column_blob: symbol(library, c"sqlite3_column_blob"),
                column_bytes: symbol(library, c"sqlite3_column_bytes"),
                finalize: symbol(library, c"sqlite3_finalize"),
                interrupt: symbol(library, c"sqlite3_interrupt"),
                progress_handler: symbol(library, c"sqlite3_progress_handler"),
                db_status: symbol(library, c"sqlite3_db_status"),
                get_autocommit: symbol(library, c"sqlite3_get_autocommit"),
                db_config: symbol(library, c"sqlite3_db_config"),
                set_authorizer: symbol(library, c"sqlite3_set_authorizer"),
            }
        }
    }
}

/// # Safety
/// `T` is the type of the function of that name, called only while the library is loaded.
unsafe fn symbol<T: Copy>(library: &Library, name: &CStr) -> T {
    // SAFETY: as the caller promises.
    *unsafe { library.get::<T>(name.to_bytes_with_nul()) }.unwrap_or_else(|error| panic!("{name:?}: {error}"))
}

/// A connection. Dropping it closes it, and panics if the extension left a statement open.
pub struct Host {
    functions: Functions,
    db: *mut ffi::sqlite3,
    /// The last field, because dropping it unloads the library.
    library: Option<Library>,
}

/// Names of the system's library: on Debian, with the development package, on macOS and on Windows.
const NAMES: &[&str] = &["libsqlite3.so.0", "libsqlite3.so", "libsqlite3.dylib", "winsqlite3.dll"];

impl Host {
    /// Opens a database, by its path or `file:` URI, with the SQLite bundled with rusqlite.
    pub fn bundled(path: impl AsRef<Path>) -> Host {
        Host::open(Functions::bundled(), None, path.as_ref())
    }

    /// Opens a database with the system's SQLite, or with the library that the variable VECRANK_SYSTEM_SQLITE names.
    /// Returns None, and prints a line, if there is no such library or if it loads no extensions (as on macOS). Under
    /// CI that is a failure.
    pub fn system(path: impl AsRef<Path>) -> Option<Host> {
        let named = std::env::var("VECRANK_SYSTEM_SQLITE").ok();
        let mut names = named.as_deref().into_iter().chain(NAMES.iter().copied());
        // SAFETY: loading SQLite runs no code of it.
        let library = names.find_map(|name| unsafe { Library::new(name) }.ok());
        // SAFETY: the symbol is only looked for.
        let library =
            library.filter(|library| unsafe { library.get::<*const ()>(b"sqlite3_load_extension\0") }.is_ok());
        if library.is_none() {
            let missing = "this machine has no SQLite library that loads extensions";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}, under CI");
            eprintln!("{missing}: cases with it are left out");
        }
        library.map(|library| Host::open(Functions::of(&library), Some(library), path.as_ref()))
    }

    /// In-memory databases of both libraries, with `extension` loaded.
    pub fn both(extension: &Path) -> Vec<Host> {
        let hosts: Vec<Host> =
            [Some(Host::bundled(":memory:")), Host::system(":memory:")].into_iter().flatten().collect();
        for host in &hosts {
            host.load(extension).expect("the library loads");
        }
        hosts
    }

    /// Another connection of the same SQLite library, with `extension` loaded; `path` as for `bundled`.
    pub fn beside(&self, path: impl AsRef<Path>, extension: &Path) -> Host {
        let host = match self.library {
            Some(_) => Host::system(path).expect("the machine's library was there a moment ago"),
            None => Host::bundled(path),
        };
        host.load(extension).expect("the library loads");
        host
    }

    fn open(functions: Functions, library: Option<Library>, path: &Path) -> Host {
        let path = path.to_str().and_then(|path| CString::new(path).ok()).expect("a plain path");
        let mut db = ptr::null_mut();
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE | ffi::SQLITE_OPEN_URI;
        // SAFETY: the path ends with NUL.
        let status = unsafe { (functions.open)(path.as_ptr(), &mut db, flags, ptr::null()) };
        assert_eq!(status, ffi::SQLITE_OK, "SQLite opens {path:?}");
        Host { functions, db, library }
    }

    /// The SQLite version, such as 3040001.
    pub fn version(&self) -> i32 {
        // SAFETY: it takes nothing.
        unsafe { (self.functions.libversion_number)() }
    }

    /// False inside a transaction.
    pub fn is_autocommit(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { (self.functions.get_autocommit)(self.db) != 0 }
    }

    /// Sets SQLITE_DBCONFIG_DEFENSIVE: plain SQL may not write shadow tables.
    pub fn defend(&self) {
        // SAFETY: the option takes an int and a pointer that may be null.
        let code = unsafe {
            (self.functions.db_config)(
                self.db,
                ffi::SQLITE_DBCONFIG_DEFENSIVE,
                1 as c_int,
                std::ptr::null_mut::<c_int>(),
            )
        };
        assert_eq!(code, ffi::SQLITE_OK, "the option is there");
    }

    /// Loads an extension, whose entry point SQLite derives from the file's name.
    pub fn load(&self, extension: &Path) -> Result<(), HostError> {
        let path = extension.to_str().and_then(|path| CString::new(path).ok()).expect("a plain path");
        let mut message = ptr::null_mut();
        // SAFETY: the connection is open; the message is SQLite's, copied and freed by it.
        unsafe {
            (self.functions.enable_load_extension)(self.db, 1);
            let status = (self.functions.load_extension)(self.db, path.as_ptr(), ptr::null(), &mut message);
            if status == ffi::SQLITE_OK {
                return Ok(());
            }
            let error = HostError { code: status, message: text(message).unwrap_or_default() };
            (self.functions.free)(message.cast());
            Err(error)
        }
    }

    /// Runs statements, separated by semicolons, to completion.
    pub fn execute(&self, sql: &str) -> Result<(), HostError> {
        self.query(sql).map(|_| ())
    }

    /// The rows of one statement, or of the last of several.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<Cell>>, HostError> {
        self.query_watched(sql, &mut |_| ())
    }

    /// The same as `query`. Calls `watch` with each row while the statement is open.
    pub fn query_watched(&self, sql: &str, watch: &mut dyn FnMut(&[Cell])) -> Result<Vec<Vec<Cell>>, HostError> {
        self.query_by(sql, as_text, watch)
    }

    /// The same as `query`, with each value as an SQL literal, which shows its type: `1`, `1.0`, `'1'`, `x'31'`,
    /// `NULL`.
    pub fn query_literals(&self, sql: &str) -> Result<Vec<Vec<String>>, HostError> {
        self.query_by(sql, as_literal, &mut |_| ())
    }

    fn query_by<T>(&self, sql: &str, read: Read<T>, watch: &mut dyn FnMut(&[T])) -> Result<Vec<Vec<T>>, HostError> {
        let sql = CString::new(sql).expect("SQL without NUL");
        let mut rest = sql.as_ptr();
        let mut rows = Vec::new();
        // SAFETY: `rest` stays inside `sql`.
        while unsafe { *rest } != 0 {
            let mut statement = ptr::null_mut();
            // SAFETY: the connection is open, and the text ends with NUL.
            let status = unsafe { (self.functions.prepare)(self.db, rest, -1, &mut statement, &mut rest) };
            if status != ffi::SQLITE_OK {
                return Err(self.error());
            }
            if !statement.is_null() {
                // SAFETY: the statement is live, and finalized once.
                unsafe {
                    let result = self.run_to_end(statement, read, watch);
                    (self.functions.finalize)(statement);
                    rows = result?;
                }
            }
        }
        Ok(rows)
    }

    /// # Safety
    /// The statement is live.
    unsafe fn run_to_end<T>(
        &self,
        statement: *mut ffi::sqlite3_stmt,
        read: Read<T>,
        watch: &mut dyn FnMut(&[T]),
    ) -> Result<Vec<Vec<T>>, HostError> {
        let mut rows = Vec::new();
        loop {
            // SAFETY: as the caller promises; values are copied before the next step.
            unsafe {
                match (self.functions.step)(statement) {
                    ffi::SQLITE_ROW => {
                        let columns = 0..(self.functions.column_count)(statement);
                        let row: Vec<T> = columns.map(|column| read(&self.functions, statement, column)).collect();
                        watch(&row);
                        rows.push(row);
                    }
                    ffi::SQLITE_DONE => return Ok(rows),
                    _ => return Err(self.error()),
                }
            }
        }
    }

    /// Calls `work` with a progress handler that runs every `steps` instructions. At its `call`-th call another thread
    /// interrupts SQLite. Also returns the number of calls after that.
    pub fn interrupted_at_call<T>(&self, steps: i32, call: u32, work: impl FnOnce() -> T) -> (T, u32) {
        /// The connection, for the one call that is allowed on any thread.
        struct Shared(*mut ffi::sqlite3);
        // SAFETY: sqlite3_interrupt may be called from any thread while the connection is open.
        unsafe impl Send for Shared {}
        let (db, interrupt) = (Shared(self.db), self.functions.interrupt);
        std::thread::scope(|scope| {
            let ((ask, asked), (tell, told)) = (mpsc::channel::<()>(), mpsc::channel());
            scope.spawn(move || {
                let Shared(db) = { db };
                while asked.recv().is_ok() {
                    // SAFETY: the connection is open until the scope ends.
                    unsafe { interrupt(db) };
                    if tell.send(()).is_err() {
                        return;
                    }
                }
            });
            let mut handshake = |made: u32| {
                if made == call {
                    ask.send(()).expect("the other thread lives");
                    told.recv().expect("it answers");
                }
                false
            };
            let (result, made) = self.watched(steps, &mut handshake, work);
            (result, made.saturating_sub(call))
        })
    }

    /// Calls `work` with a progress handler that runs every `steps` instructions and stops SQLite at its `calls`-th
    /// call (0: never). Also returns the number of calls.
    pub fn stopped_at_call<T>(&self, steps: i32, calls: u32, work: impl FnOnce() -> T) -> (T, u32) {
        self.watched(steps, &mut |made| made == calls, work)
    }

    /// Calls `work` with a progress handler that gets the number of its calls and returns whether to stop.
    fn watched<T>(&self, steps: i32, stops: &mut dyn FnMut(u32) -> bool, work: impl FnOnce() -> T) -> (T, u32) {
        struct Watch<'a> {
            made: u32,
            stops: &'a mut dyn FnMut(u32) -> bool,
        }
        unsafe extern "C" fn count(watch: *mut c_void) -> c_int {
            // SAFETY: SQLite hands back the pointer below, on the thread that works.
            let watch = unsafe { &mut *watch.cast::<Watch>() };
            watch.made += 1;
            c_int::from((watch.stops)(watch.made))
        }
        let mut watch = Watch { made: 0, stops };
        let context = (&raw mut watch).cast();
        // SAFETY: the handler is taken off before the watch dies.
        unsafe { (self.functions.progress_handler)(self.db, steps, Some(count), context) };
        let result = work();
        // SAFETY: the connection is open.
        unsafe { (self.functions.progress_handler)(self.db, 0, None, ptr::null_mut()) };
        // SAFETY: written through the pointer until a line ago.
        let made = unsafe { (*context.cast::<Watch>()).made };
        (result, made)
    }

    /// Calls `work` with an authorizer. `answer` gets the action's code and its first two names (such as table and
    /// column), and returns SQLITE_OK, SQLITE_DENY or SQLITE_IGNORE.
    pub fn authorized_by<T>(&self, mut answer: impl FnMut(i32, &str, &str) -> i32, work: impl FnOnce() -> T) -> T {
        type Answer<'a> = &'a mut dyn FnMut(i32, &str, &str) -> i32;
        unsafe extern "C" fn ask(
            context: *mut c_void,
            action: c_int,
            first: *const c_char,
            second: *const c_char,
            _schema: *const c_char,
            _trigger: *const c_char,
        ) -> c_int {
            // SAFETY: SQLite hands back the pointer below, on the thread that works, and texts or null.
            unsafe {
                let (first, second) = (text(first).unwrap_or_default(), text(second).unwrap_or_default());
                (*context.cast::<Answer<'_>>())(action, &first, &second)
            }
        }
        let mut answer: Answer<'_> = &mut answer;
        // SAFETY: the authorizer is taken off before `answer` dies.
        unsafe { (self.functions.set_authorizer)(self.db, Some(ask), (&raw mut answer).cast()) };
        let result = work();
        // SAFETY: the connection is open.
        unsafe { (self.functions.set_authorizer)(self.db, None, ptr::null_mut()) };
        result
    }

    /// The number of pages that `work` requested from SQLite's page cache.
    pub fn pages_asked(&self, work: impl FnOnce()) -> i64 {
        let counters = [ffi::SQLITE_DBSTATUS_CACHE_HIT, ffi::SQLITE_DBSTATUS_CACHE_MISS];
        let read = || -> i64 {
            let of = |counter| {
                let (mut current, mut highest) = (0, 0);
                // SAFETY: the connection is open, and the places live.
                unsafe { (self.functions.db_status)(self.db, counter, &mut current, &mut highest, 0) };
                i64::from(current)
            };
            counters.into_iter().map(of).sum()
        };
        let before = read();
        work();
        read() - before
    }

    fn error(&self) -> HostError {
        // SAFETY: the connection is open; the message is copied at once.
        unsafe {
            let code = (self.functions.extended_errcode)(self.db);
            HostError { code, message: text((self.functions.errmsg)(self.db)).unwrap_or_default() }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: the connection is closed once.
        let status = unsafe { (self.functions.close)(self.db) };
        let closed = status == ffi::SQLITE_OK || std::thread::panicking();
        assert!(closed, "the connection does not close (code {status}): a statement is left over");
    }
}

/// # Safety
/// `text` is null or a NUL-terminated string.
unsafe fn text(text: *const c_char) -> Cell {
    // SAFETY: as the caller promises.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Reads a column of the current row of a live statement.
type Read<T> = unsafe fn(&Functions, *mut ffi::sqlite3_stmt, c_int) -> T;

/// # Safety
/// As `Read` says.
unsafe fn as_text(functions: &Functions, statement: *mut ffi::sqlite3_stmt, column: c_int) -> Cell {
    // SAFETY: as the caller promises; SQLite ends text with NUL.
    unsafe { text((functions.column_text)(statement, column).cast()) }
}

/// # Safety
/// As `Read` says.
unsafe fn as_literal(functions: &Functions, statement: *mut ffi::sqlite3_stmt, column: c_int) -> String {
    // SAFETY: as the caller promises; the bytes are copied at once.
    unsafe {
        match (functions.column_type)(statement, column) {
            ffi::SQLITE_FLOAT => format!("{:?}", (functions.column_double)(statement, column)),
            ffi::SQLITE_TEXT => {
                format!("'{}'", as_text(functions, statement, column).unwrap_or_default().replace('\'', "''"))
            }
            ffi::SQLITE_BLOB => {
                let start = (functions.column_blob)(statement, column).cast::<u8>();
                let length = usize::try_from((functions.column_bytes)(statement, column)).unwrap_or(0);
                blob(if start.is_null() { &[] } else { std::slice::from_raw_parts(start, length) })
            }
            _ => as_text(functions, statement, column).unwrap_or("NULL".into()),
        }
    }
}
