//! A host's authorizer that answers SQLITE_IGNORE when a shadow table is read: SQLite then reads NULL, which looks like
//! damage.

use super::shadow::{Owner, ROWS};
use crate::error::{Error, Result};
use crate::sqlite::{Connection, quote_identifier};

impl Owner {
    /// The error to report for one that a read has found: another one if the authorizer ignores reads. `columns`: those of
    /// the rows table that are not the user's.
    pub fn explained(&self, db: Connection, columns: &[&str], error: Error) -> Error {
        if !matches!(error, Error::Corrupt { .. } | Error::Internal(_)) {
            return error;
        }
        match self.ignored_column(db, columns) {
            Ok(Some(column)) => Error::invalid(format!(
                "{}: the host's authorizer ignores reads of {column}: it must allow or deny what is done to shadow tables",
                self.table
            )),
            _ => error,
        }
    }

    fn ignored_column(&self, db: Connection, columns: &[&str]) -> Result<Option<String>> {
        for suffix in self.suffixes() {
            let (schema, table) = (quote_identifier(&self.schema), self.shadow_name(&suffix));
            let mut names = Vec::new();
            db.prepare(&format!("PRAGMA {schema}.table_info({})", quote_identifier(&table)))?.query(&[], |row| {
                names.push(row.column_text(1, "a column")?.to_string());
                Ok(())
            })?;
            let is_ours = |name: &String| suffix != ROWS || columns.iter().any(|own| own.eq_ignore_ascii_case(name));
            for name in names.iter().filter(|name| is_ours(name)) {
                if !db.reads(&format!("SELECT s.{} FROM {} AS s", quote_identifier(name), self.shadow(&suffix)))? {
                    return Ok(Some(format!("{table}.{name}")));
                }
            }
        }
        Ok(None)
    }
}
