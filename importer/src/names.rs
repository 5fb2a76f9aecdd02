//! Names that a table or a column of it cannot have.

use crate::failure::{Failure, Result};
use vecrank::internals::vtab::HIDDEN_COLUMNS;

/// Checks the name of a new table.
pub fn check_table_name(table: &str) -> Result<()> {
    check_name("table", table)?;
    let folded = table.to_ascii_lowercase();
    if folded.starts_with("sqlite_") {
        return Err(Failure::new(format!("table name \"{table}\": names that begin with sqlite_ belong to SQLite")));
    }
    if HIDDEN_COLUMNS.contains(&folded.as_str()) {
        return Err(Failure::new(format!(
            "table name \"{table}\": every vecrank table has a hidden column of that name; choose another with --table"
        )));
    }
    Ok(())
}

/// Checks what SQLite asks of any name.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.contains('\0') {
        return Err(Failure::new(format!("{what} name {name:?}: SQLite cannot use it")));
    }
    Ok(())
}
