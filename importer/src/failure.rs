//! The one error type: a line for stderr, and the exit code that goes with it.

use std::fmt;
use std::path::Path;

/// Why a command stopped. The text is one line, without a full stop.
#[derive(Debug)]
pub enum Failure {
    /// Anything that a user can read about and mend.
    Message(String),
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

    /// Puts the place in front of the text: `place: text`.
    pub fn at(self, place: impl fmt::Display) -> Failure {
        match self {
            Failure::Message(message) => Failure::Message(format!("{place}: {message}")),
            other => other,
        }
    }

    /// A failed file operation: `path: cannot be read: permission denied`.
    pub fn io(path: &Path, what: &str, error: &std::io::Error) -> Failure {
        Failure::new(format!("{}: cannot be {what}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Message(message) => f.write_str(&one_line(message)),
            Failure::Interrupted => f.write_str("interrupted"),
            Failure::Reported => f.write_str("internal error"),
            Failure::PipeClosed => f.write_str("the output was closed"),
        }
    }
}

/// Libraries may put line breaks into their messages; a terminal and a log want one line.
fn one_line(message: &str) -> String {
    message.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
            return Failure::Interrupted;
        }
        Failure::Message(error.to_string())
    }
}

impl From<arrow_schema::ArrowError> for Failure {
    fn from(error: arrow_schema::ArrowError) -> Failure {
        Failure::Message(error.to_string())
    }
}

impl From<parquet::errors::ParquetError> for Failure {
    fn from(error: parquet::errors::ParquetError) -> Failure {
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
    }
}
