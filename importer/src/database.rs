//! Opens databases with the extension loaded, and finds the vecrank tables in them.

use crate::failure::{Failure, Result};
use crate::special;
use crate::sql::quote;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use std::ffi::{c_char, c_int};
use std::path::Path;
use std::sync::Once;
use std::time::Duration;
use vecrank::internals::distance::Element;
use vecrank::internals::storage::{SHADOW_TABLES, is_shadow_name};

/// How long a command that only reads waits for a writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

type EntryPoint = unsafe extern "C" fn(*mut ffi::sqlite3, *mut *mut c_char, *const ffi::sqlite3_api_routines) -> c_int;

/// Makes every connection that is opened from now on load the extension, which is linked into this program.
fn register_extension() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let init = vecrank::sqlite3_vecrank_init as *const ();
        // SAFETY: both types are SQLite's extension entry point, declared once by each crate with its own names for the
        // same C structures; the function opens and closes no connection.
        let registered = unsafe {
            let init = std::mem::transmute::<*const (), EntryPoint>(init);
            rusqlite::auto_extension::register_auto_extension(init)
        };
        // It fails only for want of memory; then opening a table says "no such module: hnsw".
        drop(registered);
    });
}

/// Opens an existing file for reading. If a program died while it was writing, its transaction is rolled back first, as
/// SQLite does for a program that may write.
pub fn open_readable(path: &Path) -> Result<Connection> {
    special::check_database(path)?;
    let connection = match connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        Err(error) if extended_code(&error) == Some(ffi::SQLITE_READONLY_ROLLBACK) => {
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|_| {
                Failure::new(format!(
                    "{}: a program died while writing to it, and it cannot be rolled back without the right to write to it",
                    path.display()
                ))
            })?;
            connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        }
        opened => opened,
    };
    let connection = connection.map_err(|error| unopened(path, error))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// SQLite's error for a file that another program has locked.
pub fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)
}

fn extended_code(error: &rusqlite::Error) -> Option<c_int> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// Opens an existing file.
pub fn open_writable(path: &Path) -> Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Makes a file.
pub fn create(path: &Path) -> Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    connect(path, flags).map_err(|error| unopened(path, error))
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    register_extension();
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Opening reads nothing: this finds out whether it is a database at all.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn unopened(path: &Path, error: rusqlite::Error) -> Failure {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) if !path.exists() => Failure::new(format!("{}: no such file", path.display())),
        Some(ErrorCode::NotADatabase) => Failure::new(format!("{}: not an SQLite database", path.display())),
        _ => Failure::from(error).at(path.display()),
    }
}

/// A vecrank table, as its declaration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// Names of the ordinary columns, in order.
    pub columns: Vec<String>,
    pub vectors: Vec<VectorColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorColumn {
    pub name: String,
    pub element: Element,
    pub dims: usize,
}

/// True if `name` is one of the shadow tables of `table`.
pub fn is_shadow(table: &str, name: &str) -> bool {
    let Some((start, rest)) = name.split_at_checked(table.len()) else { return false };
    start.eq_ignore_ascii_case(table) && rest.strip_prefix('_').is_some_and(is_shadow_name)
}

/// All vecrank tables of the file, by name: virtual tables that have all our shadow tables, those of a table of its own
/// or of an index over one.
pub fn tables(connection: &Connection) -> Result<Vec<Table>> {
    let have_all = [false, true].map(|has_content| {
        let suffixes = SHADOW_TABLES.iter().filter(|shadow| shadow.is_of(has_content)).map(|shadow| {
            format!("EXISTS (SELECT 1 FROM sqlite_schema s WHERE s.name = v.name || '_{}')", shadow.suffix)
        });
        suffixes.collect::<Vec<_>>().join(" AND ")
    });
    let sql = format!(
        "SELECT name FROM pragma_table_list v WHERE schema = 'main' AND type = 'virtual' AND ({}) ORDER BY name",
        have_all.join(" OR ")
    );
    let mut statement = connection.prepare(&sql)?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    names.into_iter().map(|name| describe(connection, name)).collect()
}

/// The table of that name, or the only one.
pub fn table(connection: &Connection, name: Option<&str>) -> Result<Table> {
    let mut tables = tables(connection)?;
    let names = tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
    if tables.is_empty() {
        return Err(Failure::new("no vecrank table in the file"));
    }
    let Some(wanted) = name else {
        return match tables.len() {
            1 => Ok(tables.remove(0)),
            _ => Err(Failure::new(format!("several vecrank tables: {names}; choose one with --table"))),
        };
    };
    match tables.into_iter().find(|table| table.name.eq_ignore_ascii_case(wanted)) {
        Some(table) => Ok(table),
        None => Err(Failure::new(format!("no vecrank table \"{wanted}\"; there is {names}"))),
    }
}

/// Rows of a vecrank table, or of the content of an index.
pub fn count_rows(connection: &Connection, table: &str) -> Result<u64> {
    let sql = "SELECT value FROM hnsw_info(?1) WHERE key = 'rows'";
    Ok(connection.query_row(sql, [table], |row| row.get(0)).map(i64::unsigned_abs)?)
}

impl Table {
    /// A name of the rowid that no column hides.
    pub fn rowid(&self) -> Result<&'static str> {
        let names = || self.columns.iter().chain(self.vectors.iter().map(|vector| &vector.name));
        let is_free = |rowid: &&str| !names().any(|name| name.eq_ignore_ascii_case(rowid));
        ["rowid", "_rowid_", "oid"].into_iter().find(is_free).ok_or_else(|| {
            Failure::new(format!("table {}: columns named rowid, _rowid_ and oid hide the number of a row", self.name))
        })
    }

    /// The vector column of that name, or the only one.
    pub fn vector(&self, name: Option<&str>) -> Result<&VectorColumn> {
        let names = || self.vectors.iter().map(|vector| vector.name.as_str()).collect::<Vec<_>>().join(", ");
        match (name, self.vectors.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(Failure::new(format!(
                "table {} has several vector columns: {}; choose one with --embedding",
                self.name,
                names()
            ))),
            (Some(name), vectors) => {
                vectors.iter().find(|vector| vector.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
                    Failure::new(format!("table {} has no vector column \"{name}\"; there is {}", self.name, names()))
                })
            }
        }
    }
}

fn describe(connection: &Connection, name: String) -> Result<Table> {
    let vectors = vector_columns(connection, &name)?;
    let mut statement = connection.prepare(&format!("PRAGMA table_xinfo({})", quote(&name)))?;
    let mut table = Table { name, columns: Vec::new(), vectors: Vec::new() };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (column, hidden): (String, i64) = (row.get("name")?, row.get("hidden")?);
        match vectors.iter().find(|vector| vector.name == column) {
            _ if hidden != 0 => {}
            Some(vector) => table.vectors.push(vector.clone()),
            None => table.columns.push(column),
        }
    }
    Ok(table)
}

/// The vector columns, from the table's configuration: to SQLite they are BLOBs.
fn vector_columns(connection: &Connection, table: &str) -> Result<Vec<VectorColumn>> {
    let config = quote(&format!("{table}_config"));
    let of_column =
        |key: &str| format!("(SELECT value FROM {config} WHERE key = substr(n.key, 1, length(n.key) - 4) || '{key}')");
    let (element, dims) = (of_column("element"), of_column("dims"));
    let sql = format!("SELECT value, {element}, {dims} FROM {config} n WHERE key GLOB 'vector.[0-9]*.name'");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut vectors = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, element, dims): (String, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let damaged = || Failure::new(format!("table {table}: {config} has no element {element} of column {name}"));
        vectors.push(VectorColumn {
            element: Element::parse(&element).ok_or_else(damaged)?,
            name,
            dims: dims as usize,
        });
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_described_as_it_was_made() {
        register_extension();
        let connection = Connection::open_in_memory().unwrap();
        let columns = "id TEXT PRIMARY KEY, \"a\"\"b\" FLOAT16[5], picture BLOB, v INT8[3], metric = 'l2'";
        connection.execute_batch(&format!("CREATE VIRTUAL TABLE \"t\"\"u\" USING hnsw({columns})")).unwrap();
        let vector = |name: &str, element, dims| VectorColumn { name: name.to_string(), element, dims };
        let expected = Table {
            name: "t\"u".to_string(),
            columns: vec!["id".to_string(), "picture".to_string()],
            vectors: vec![vector("a\"b", Element::F16, 5), vector("v", Element::I8, 3)],
        };
        assert_eq!(table(&connection, None).unwrap(), expected);
        let damage = "UPDATE \"t\"\"u_config\" SET value = 'FLOAT8' WHERE key = 'vector.0.element'";
        connection.execute_batch(damage).unwrap();
        assert_eq!(
            table(&connection, None).unwrap_err().to_string(),
            "table t\"u: \"t\"\"u_config\" has no element FLOAT8 of column a\"b"
        );
    }

    #[test]
    fn shadow_tables_are_recognised() {
        assert!(is_shadow("articles", "articles_rows"));
        assert!(is_shadow("Articles", "articles_nodes1"));
        assert!(!is_shadow("articles", "articles_notes"));
        assert!(!is_shadow("articles", "art"));
        assert!(!is_shadow("a", "ä_rows"));
    }
}
