//! What the cases share: Parquet files made on the spot, and the command run as a user runs it.
#![allow(dead_code, reason = "each test binary uses its own part")]

use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder of its own for a test, and commands that run in it.
pub struct Place {
    folder: TempDir,
}

/// What a finished command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// The standard output of a command that did all it should.
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The one line that a failed command wrote.
    pub fn failed(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{self:?}");
        let line = self.err.strip_prefix("vecrank: ").unwrap_or_else(|| panic!("{:?}", self.err));
        assert_eq!(line.matches('\n').count(), 1, "one line: {line:?}");
        line.trim_end().to_owned()
    }
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vecrank"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Writes a Parquet file with these columns.
    pub fn parquet(&self, name: &str, columns: Vec<(&str, ArrayRef)>) {
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(self.path(name)).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    /// A file with `count` rows, ids from `first`: id, name, v.
    pub fn catalogue(&self, name: &str, first: i64, count: i64) {
        let ids = first..first + count;
        let names: Vec<String> = ids.clone().map(|id| format!("article {id}")).collect();
        let vectors: Vec<Option<Vec<f32>>> = ids.clone().map(|id| Some(direction(id).to_vec())).collect();
        self.parquet(
            name,
            vec![
                ("id", Arc::new(Int64Array::from_iter_values(ids)) as ArrayRef),
                ("name", Arc::new(StringArray::from(names))),
                ("v", vectors_of(&vectors)),
            ],
        );
    }

    /// The database, with the extension.
    pub fn open_with_extension(&self, name: &str) -> Connection {
        load_everywhere();
        self.open(name)
    }

    /// The database, without the extension: the rows tables are ordinary tables.
    pub fn open(&self, name: &str) -> Connection {
        Connection::open(self.path(name)).unwrap()
    }

    /// Names of all that is in the folder.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that a running import into feed.db works in, once it is there.
    pub fn working_folder(&self) -> Option<PathBuf> {
        let name = self.names().into_iter().find(|name| name.starts_with(".feed.db.vecrank-"));
        name.map(|name| self.path(&name))
    }

    /// True while an import builds a new file: it holds the lock on the old one then.
    pub fn has_draft(&self) -> bool {
        self.working_folder().is_some_and(|folder| folder.join("draft.db").exists())
    }
}

/// Loads the extension into every connection that this process opens from now on.
pub fn load_everywhere() {
    type EntryPoint = unsafe extern "C" fn(
        *mut rusqlite::ffi::sqlite3,
        *mut *mut std::ffi::c_char,
        *const rusqlite::ffi::sqlite3_api_routines,
    ) -> std::ffi::c_int;
    let init = vecrank::sqlite3_vecrank_init as *const ();
    // SAFETY: both types are SQLite's entry point of an extension, in the words of two crates.
    let registered = unsafe {
        let init = std::mem::transmute::<*const (), EntryPoint>(init);
        rusqlite::auto_extension::register_auto_extension(init)
    };
    registered.unwrap();
}

/// Longer than anything takes on the busiest machine.
pub const VERY_LONG: Duration = Duration::from_secs(600);

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < VERY_LONG, "{what}: not in {VERY_LONG:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal such as INT to a process, unless it has ended.
#[cfg(unix)]
pub fn signal(child: &mut Child, name: &str) {
    if child.try_wait().unwrap().is_none() {
        let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).output().unwrap();
        assert!(sent.status.success(), "{sent:?}");
    }
}

/// Stops a process where it stands as soon as something is so. False if it ended before.
#[cfg(unix)]
pub fn freeze_when(child: &mut Child, mut is_so: impl FnMut() -> bool) -> bool {
    wait_until("the process gets that far, or ends", || is_so() || child.try_wait().unwrap().is_some());
    signal(child, "STOP");
    child.try_wait().unwrap().is_none()
}

/// A direction in the plane that turns with the id.
pub fn direction(id: i64) -> [f32; 2] {
    let angle = id as f32 / 1000.0;
    [angle.cos(), angle.sin()]
}

/// A column of lists of f32.
pub fn vectors_of(rows: &[Option<Vec<f32>>]) -> ArrayRef {
    let mut lists = ListBuilder::new(Float32Builder::new());
    for row in rows {
        lists.append_option(row.as_ref().map(|row| row.iter().copied().map(Some)));
    }
    Arc::new(lists.finish())
}

/// Each row of a query as one line, values separated by bars.
pub fn lines(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values = (0..columns).map(|column| {
            Ok(match row.get::<_, rusqlite::types::Value>(column)? {
                rusqlite::types::Value::Null => "NULL".to_owned(),
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Real(number) => format!("{number:?}"),
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
            })
        });
        Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
    });
    rows.unwrap().map(Result::unwrap).collect()
}
