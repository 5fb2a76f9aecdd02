//! The database file: decides whether it is replaced by a new file or changed in one transaction.
//!
//! A file that holds nothing but the table that is imported (or that does not exist) is built anew in a folder beside
//! it and published (see `publish`). A file with other tables, which other programs may be writing to, and a file that
//! is open in WAL mode elsewhere, is changed in place by one transaction.

use crate::database;
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::options::Mode;
use crate::special;
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an import waits for other programs that are writing to the file.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The file that an import writes, and its working folder.
#[derive(Debug)]
pub struct Target {
    /// The database file, symbolic links followed.
    path: PathBuf,
    folder: Folder,
}

/// The existing file, with a lock that keeps other writers off during the import.
#[derive(Debug)]
pub enum Existing {
    /// There is none.
    Missing,
    /// It is to be replaced by a new file.
    Replaced { connection: Connection, application_id: i32, user_version: i32 },
    /// It is to be changed in place. `exists`: the table is in it. The transaction is open.
    Changed { connection: Connection, exists: bool },
}

impl Existing {
    /// The connection to the file, if there is one.
    pub fn connection(&self) -> Option<&Connection> {
        match self {
            Existing::Missing => None,
            Existing::Replaced { connection, .. } | Existing::Changed { connection, .. } => Some(connection),
        }
    }
}

impl Target {
    /// Makes the folder beside the file, and removes those that killed imports left.
    pub fn new(path: &Path) -> Result<Target> {
        special::check_database(path)?;
        let path = fs::canonicalize(path).unwrap_or_else(|_| end_of_links(path));
        let folder = Folder::beside(&path)?;
        Ok(Target { path, folder })
    }

    /// The working folder, on the same disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Looks at the old file and decides what becomes of it.
    pub fn old(&self, table: &str, mode: Mode) -> Result<Existing> {
        if !self.path.exists() {
            return Ok(Existing::Missing);
        }
        let in_file = |failure: Failure| failure.at(self.path.display());
        check_is_database(&self.path)?;
        let connection = database::open_writable(&self.path)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| in_file(error.into()))?;
        self.look(connection, table, mode).map_err(in_file)
    }

    fn look(&self, connection: Connection, table: &str, mode: Mode) -> Result<Existing> {
        let exists = check_table(&connection, table)?;
        if exists && mode == Mode::Fail {
            return Err(Failure::new(format!("it has a table \"{table}\" already (--if-exists fail)")));
        }
        let keeps = exists && mode.keeps_table();
        // A file that others have open in WAL mode cannot be replaced: its log would outlive it.
        if keeps || has_others(&connection, table)? || journal_mode_in_use(&connection)? == "wal" {
            begin(&connection)?;
            return Ok(Existing::Changed { connection, exists });
        }
        begin(&connection)?;
        let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
        let (application_id, user_version) = (number("application_id")?, number("user_version")?);
        Ok(Existing::Replaced { connection, application_id, user_version })
    }

    /// The file in which the table is built.
    pub fn draft(&self) -> PathBuf {
        self.folder.path().join("draft.db")
    }

    /// The copy of the draft without free pages, ready to be published.
    pub fn finished(&self) -> PathBuf {
        self.folder.path().join("finished.db")
    }

    /// The database file, symbolic links followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the file that was changed in place.
    pub fn into_path(self) -> PathBuf {
        self.path
    }
}

/// Follows symbolic links to a file that does not exist yet. Loops were refused before.
pub fn end_of_links(path: &Path) -> PathBuf {
    let mut end = path.to_owned();
    while let Ok(next) = fs::read_link(&end) {
        // A relative link is relative to the folder that it is in.
        end = end.parent().map_or(next.clone(), |folder| folder.join(&next));
    }
    end
}

/// Takes the lock that keeps other writers off, and rolls a crashed writer's journal back.
pub fn begin(connection: &Connection) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => {
            Failure::new("another program is writing to the file; try again when it is done")
        }
        _ => error.into(),
    })
}

/// True if the vecrank table exists. Refuses a table, view or index of another kind with its name.
fn check_table(connection: &Connection, table: &str) -> Result<bool> {
    let kind: Option<String> = connection
        .query_row("SELECT type FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE", [table], |row| row.get(0))
        .optional()?;
    let Some(kind) = kind else { return Ok(false) };
    if database::tables(connection)?.iter().any(|known| known.name.eq_ignore_ascii_case(table)) {
        return Ok(true);
    }
    Err(Failure::new(format!(
        "it has a {kind} \"{table}\" that vecrank did not make; choose another name with --table, or drop it first"
    )))
}

/// True if the file holds anything besides the table and what belongs to it.
pub fn has_others(connection: &Connection, table: &str) -> Result<bool> {
    let mut statement = connection.prepare("SELECT name, tbl_name FROM sqlite_schema")?;
    let objects = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let own = |name: &str| name.eq_ignore_ascii_case(table) || database::is_shadow(table, name);
    for object in objects {
        let (name, of): (String, String) = object?;
        let is_internal = name.starts_with("sqlite_") && !name.starts_with("sqlite_autoindex_");
        if !is_internal && !own(&of) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The user's own indexes and triggers on the rows of the table: they are dropped when it is made anew.
pub fn dropped_with(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let rows = format!("{table}_rows");
    let mut statement = connection.prepare(
        "SELECT type || ' ' || name FROM sqlite_schema
         WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND tbl_name = ?1 COLLATE NOCASE
           AND substr(name, 1, length(?1) + 1) <> ?1 || '_' COLLATE NOCASE",
    )?;
    let names = statement.query_map([rows], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// Leaves WAL mode if nobody else has the file open; gives the mode that the file is in then.
fn journal_mode_in_use(connection: &Connection) -> Result<String> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        return Ok(mode);
    }
    match connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)) {
        Ok(mode) => Ok(mode),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(mode),
        Err(error) => Err(error.into()),
    }
}

/// An existing file is replaced only if it is an SQLite database, or empty: it may be a mistyped Parquet file.
fn check_is_database(path: &Path) -> Result<()> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let failed = |error| Failure::io(path, "read", &error);
    let mut start = Vec::new();
    File::open(path).map_err(failed)?.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start.is_empty() || start == MAGIC {
        return Ok(());
    }
    Err(Failure::new(format!("{}: exists and is not an SQLite database; it was not touched", path.display())))
}
