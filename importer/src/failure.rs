//! The one error type: a line for stderr, and the exit code that goes with it.

use crate::screen::escaped;
use parquet::errors::ParquetError;
use rusqlite::{ErrorCode, ffi};
use std::fmt;
use std::path::Path;

/// Why a command stopped. The text is one line, without a full stop.
#[derive(Debug)]
pub enum Failure {
    /// An error that the user can act on.
    Message(String),
    /// An error about the database file, as SQLite words it: it lacks the file's name.
    InFile(String),
    /// Ctrl-C or a termination signal.
    Interrupted,
    /// The reader of standard output went away (`vecrank query ... | head`): nothing is wrong.
    PipeClosed,
    /// A panic, whose message was printed as it happened.
    Reported,
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure::Message(message.into())
    }

    /// Puts the context in front of the text: `context: text`.
    pub fn at(self, context: impl fmt::Display) -> Failure {
        match self {
            Failure::Message(message) | Failure::InFile(message) => Failure::Message(format!("{context}: {message}")),
            other => other,
        }
    }

    /// Puts the file's name in front of an error that lacks it.
    pub fn in_file(self, path: &Path) -> Failure {
        if matches!(self, Failure::InFile(_)) { self.at(path.display()) } else { self }
    }

    /// A failed file operation: `path: cannot be read: permission denied`.
    pub fn io(path: &Path, what: &str, error: &std::io::Error) -> Failure {
        Failure::new(format!("{}: cannot be {what}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Message(message) | Failure::InFile(message) => f.write_str(&escaped(&one_line(message))),
            Failure::Interrupted => f.write_str("interrupted"),
            Failure::Reported => f.write_str("internal error"),
            Failure::PipeClosed => f.write_str("the output was closed"),
        }
    }
}

/// The message on one line: libraries put line breaks into theirs.
fn one_line(message: &str) -> String {
    message.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Why the library cannot read a file.
pub fn reason(error: &ParquetError) -> String {
    let message = error.to_string();
    if message.contains("encrypted") { "it is encrypted".to_owned() } else { strip(&message).to_owned() }
}

/// The message without its prefixes: the libraries say several times whose error it is.
pub fn strip(mut message: &str) -> &str {
    while let Some(rest) = ["Parquet error: ", "ParquetError: ", "Parquet argument error: ", "Arrow: ", "EOF: "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
    {
        message = rest;
    }
    message
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
            return Failure::Interrupted;
        }
        let extended_code = error.sqlite_error().map_or(0, |error| error.extended_code);
        Failure::InFile(match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => "database is locked: another program has a transaction or a statement open \
                in it and did not end that for 5 seconds; try again when it has"
                .to_owned(),
            Some(ErrorCode::DiskFull) => {
                "database or disk is full; the new file needs room beside the old one".to_owned()
            }
            Some(ErrorCode::SystemIoFailure) if extended_code == ffi::SQLITE_IOERR_WRITE => {
                "disk I/O error: it cannot be written; a disk, a quota or a file-size limit (ulimit -f) may be exhausted"
                    .to_owned()
            }
            _ => error.to_string(),
        })
    }
}

impl From<arrow_schema::ArrowError> for Failure {
    fn from(error: arrow_schema::ArrowError) -> Failure {
        Failure::Message(error.to_string())
    }
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Failure {
        Failure::Message(error.to_string())
    }
}

impl From<vecrank::Error> for Failure {
    fn from(error: vecrank::Error) -> Failure {
        Failure::Message(error.to_string())
    }
}

/// For writes to standard output, the only ones that have no path to name.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::PipeClosed,
            _ => Failure::Message(format!("standard output: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_with_its_place() {
        let failure = Failure::new("first\n  second\r\n").at("a.parquet");
        assert_eq!(failure.to_string(), "a.parquet: first second");
        assert_eq!(Failure::new("no column \"\u{1b}[31m\"").to_string(), "no column \"\\x1b[31m\"");
    }

    #[test]
    fn an_error_of_sqlite_names_its_file_once() {
        let path = Path::new("feed.db");
        let said = |code| Failure::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).in_file(path);
        assert_eq!(
            said(ffi::SQLITE_BUSY).in_file(path).to_string(),
            "feed.db: database is locked: another program has a transaction or a statement open in it and did not end \
             that for 5 seconds; try again when it has"
        );
        assert_eq!(
            said(ffi::SQLITE_FULL).to_string(),
            "feed.db: database or disk is full; the new file needs room beside the old one"
        );
        assert_eq!(
            said(ffi::SQLITE_IOERR_WRITE).to_string(),
            "feed.db: disk I/O error: it cannot be written; a disk, a quota or a file-size limit (ulimit -f) may be \
             exhausted"
        );
        assert_eq!(Failure::new("a.parquet: row 1").in_file(path).to_string(), "a.parquet: row 1");
    }
}
