//! The one error type. The SQLite result code and the message text of every failure are decided here.

use std::fmt;

/// An error. Messages name the table, the column, what was expected and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A failure that the host's SQLite reported; code and message pass through as they came.
    Sqlite {
        /// The (extended) result code.
        code: i32,
        /// SQLite's text.
        message: String,
    },
    /// A statement, value or option that cannot be accepted (SQLITE_ERROR).
    Invalid(String),
    /// A value that breaks a constraint of the table, such as NULL in a NOT NULL vector column (SQLITE_CONSTRAINT).
    Constraint(String),
    /// Bytes in the file that no version of this extension writes (SQLITE_CORRUPT_VTAB). `context` names the shadow row.
    Corrupt {
        /// The shadow table and row.
        context: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a newer format version, or a host that is too old (SQLITE_ERROR).
    Unsupported(String),
    /// The host asked for the statement to stop (SQLITE_INTERRUPT).
    Interrupted,
    /// A fault of vecrank itself (SQLITE_INTERNAL).
    Internal(String),
}

/// The result of whatever can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Result codes of sqlite3.h that this crate returns by itself.
pub mod code {
    pub const OK: i32 = 0;
    pub const ERROR: i32 = 1;
    pub const INTERNAL: i32 = 2;
    pub const NOMEM: i32 = 7;
    pub const INTERRUPT: i32 = 9;
    pub const CONSTRAINT: i32 = 19;
    /// SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE and _ROWID.
    pub const NOT_UNIQUE: [i32; 3] = [CONSTRAINT | (6 << 8), CONSTRAINT | (8 << 8), CONSTRAINT | (10 << 8)];
    /// SQLITE_CONSTRAINT_TRIGGER: a trigger said RAISE.
    pub const RAISED: i32 = CONSTRAINT | (7 << 8);
    pub const CORRUPT_VTAB: i32 = 11 | (1 << 8);
}

impl Error {
    /// A statement, value or option that cannot be accepted.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid(message.into())
    }

    /// Damage of a shadow row.
    pub fn corrupt(context: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Corrupt { context: context.into(), reason: reason.into() }
    }

    /// A fault of vecrank itself.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::Internal(message.into())
    }

    /// The (extended) result code that the host sees.
    pub fn sqlite_code(&self) -> i32 {
        match self {
            Error::Sqlite { code, .. } => *code,
            Error::Invalid(_) | Error::Unsupported(_) => code::ERROR,
            Error::Constraint(_) => code::CONSTRAINT,
            Error::Corrupt { .. } => code::CORRUPT_VTAB,
            Error::Interrupted => code::INTERRUPT,
            Error::Internal(_) => code::INTERNAL,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Sqlite { message, .. } => f.write_str(message),
            Error::Invalid(message) | Error::Constraint(message) | Error::Unsupported(message) => f.write_str(message),

            Error::Corrupt { context, reason } => write!(f, "{context} is damaged: {reason}"),
            Error::Interrupted => f.write_str("interrupted"),
            Error::Internal(message) => write!(f, "vecrank internal error: {message}"),
        }
    }
}

impl std::error::Error for Error {}
