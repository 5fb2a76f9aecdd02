//! Statements with a known outcome. Another outcome is a panic that shows the statement and the version of SQLite.

use crate::{Host, HostError};

impl Host {
    /// Runs statements that must succeed.
    #[track_caller]
    pub fn run(&self, sql: &str) {
        self.execute(sql).unwrap_or_else(|error| panic!("SQLite {}: {}: {error}", self.version(), head(sql)));
    }

    /// The rows of a statement that must succeed, each as its values joined by bars; NULL is `NULL`.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let rows = self.query(sql).unwrap_or_else(|error| panic!("SQLite {}: {}: {error}", self.version(), head(sql)));
        let cells = |row: Vec<Option<String>>| row.into_iter().map(|cell| cell.unwrap_or("NULL".into()));
        rows.into_iter().map(|row| cells(row).collect::<Vec<_>>().join("|")).collect()
    }

    /// The rows in one line.
    #[track_caller]
    pub fn line(&self, sql: &str) -> String {
        self.rows(sql).join(" ")
    }

    /// The numbers in the first column.
    #[track_caller]
    pub fn ids(&self, sql: &str) -> Vec<i64> {
        let number = |row: &String| row.split('|').next().and_then(|cell| cell.parse().ok());
        self.rows(sql).iter().map(|row| number(row).unwrap_or_else(|| panic!("no number: {row}"))).collect()
    }

    /// The error of a statement that must fail.
    #[track_caller]
    pub fn refusal(&self, sql: &str) -> HostError {
        match self.query(sql) {
            Ok(rows) => panic!("SQLite {}: no error from {}: {rows:?}", self.version(), head(sql)),
            Err(error) => error,
        }
    }

    /// Checks that the table and the database are sound.
    #[track_caller]
    pub fn check_sound(&self, table: &str) {
        let table = format!("\"{}\"", table.replace('"', "\"\""));
        self.run(&format!("INSERT INTO {table}({table}) VALUES ('integrity-check')"));
        assert_eq!(self.line("PRAGMA integrity_check"), "ok");
    }

    /// Whether the graph of a table's first vector column has been healed since it was built: where the sweep is, and its
    /// round, are not both 0.
    pub fn has_healed(&self, schema: &str, table: &str) -> bool {
        self.line(&format!("SELECT hex(substr(header, 73, 8)) FROM {schema}.{table}_graph LIMIT 1")) != "0".repeat(16)
    }
}

/// The start of a statement, short enough for a message.
fn head(sql: &str) -> String {
    match sql.char_indices().nth(300) {
        Some((end, _)) => format!("{}...", &sql[..end]),
        None => sql.to_owned(),
    }
}
