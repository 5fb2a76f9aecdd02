//! A host for the tests: loads the extension with rusqlite and runs the statements that come on standard input.
//!
//! `vecrank-rusqlite-host LIBRARY DATABASE`; the byte 0x1E ends a statement. Each is answered at once: its rows as SQL
//! literals, a row a line, columns parted by 0x1F, or `error: ...`; then a line with 0x1E alone. So is an empty one,
//! and a failure to open the database or to load the library answers the first.

use std::io::{BufRead, Write};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, LoadExtensionGuard, OpenFlags, Result};

const MARK: u8 = 0x1e;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, library, database] = arguments.as_slice() else {
        eprintln!("usage: vecrank-rusqlite-host LIBRARY DATABASE < STATEMENTS");
        std::process::exit(2);
    };
    let db = open(library, database);
    let (mut input, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
    loop {
        let mut sql = Vec::new();
        input.read_until(MARK, &mut sql).expect("standard input can be read");
        if sql.pop() != Some(MARK) {
            return;
        }
        let sql = String::from_utf8(sql).expect("standard input is UTF-8");
        let answer = match &db {
            Ok(db) => run(db, &sql).unwrap_or_else(|error| format!("error: {error}\n")),
            Err(error) => format!("error: {error}\n"),
        };
        writeln!(out, "{answer}\u{1e}").and_then(|()| out.flush()).expect("standard output takes the answer");
    }
}

fn open(library: &str, database: &str) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(database, flags)?;
    // SAFETY: the library is the one under test; its entry point follows SQLite's convention.
    unsafe {
        let _guard = LoadExtensionGuard::new(&db)?;
        db.load_extension(library, None)?;
    }
    Ok(db)
}

fn run(db: &Connection, sql: &str) -> Result<String> {
    if sql.trim().is_empty() {
        return Ok(String::new());
    }
    let mut statement = db.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut text = String::new();
    while let Some(row) = rows.next()? {
        let values: Result<Vec<String>> = (0..columns).map(|column| Ok(literal(row.get_ref(column)?))).collect();
        text.push_str(&values?.join("\u{1f}"));
        text.push('\n');
    }
    Ok(text)
}

/// A value as SQL would write it.
fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text).replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("X'{hex}'")
        }
    }
}
