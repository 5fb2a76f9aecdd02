//! Statements that write one row of the rows table.

use super::table::{Names, RowsTable};
use crate::error::{Error, Result, code};
use crate::format::node::NodeId;
use crate::sqlite::{Conflict, Parameter, Value, quote_identifier};
use crate::storage::shadow::VectorOrdinal;

/// The node that a row gets in a vector column; None for NULL.
#[derive(Debug, Clone, Copy)]
pub struct NodeOfColumn {
    pub ordinal: VectorOrdinal,
    pub node: Option<NodeId>,
}

impl NodeOfColumn {
    fn parameter(self) -> Parameter<'static> {
        self.node.map_or(Parameter::Null, |node| Parameter::Integer(i64::from(node.0)))
    }
}

/// The columns of the rows table that a statement sets, with their values.
#[derive(Default)]
pub struct Assignments<'v> {
    /// The columns, quoted.
    pub(super) columns: Vec<String>,
    pub(super) values: Vec<Value<'v>>,
    /// Whether the last of them is the rowid.
    pub(super) has_rowid: bool,
}

impl<'v> Assignments<'v> {
    /// Adds a column and its value.
    pub fn push(&mut self, column: &str, value: Value<'v>) {
        self.columns.push(quote_identifier(column));
        self.values.push(value);
    }

    /// Adds the rowid. Called after all other columns.
    pub fn set_rowid(&mut self, name: &str, value: Value<'v>) {
        self.push(name, value);
        self.has_rowid = true;
    }

    /// Whether the statement sets no column.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

/// A row to be written.
#[derive(Clone, Copy)]
pub struct RowWrite<'a> {
    pub assignments: &'a Assignments<'a>,
    /// The row that an UPDATE changes; None for an INSERT.
    pub rowid: Option<i64>,
    /// The nodes that an UPDATE sets.
    pub nodes: &'a [NodeOfColumn],
}

impl RowsTable {
    /// Inserts or updates a row. Returns false if a user's trigger raised IGNORE, or if the row does not exist.
    /// `new_rowid` is the rowid of an INSERT that does not set it; with NULL, SQLite chooses.
    pub fn write(&self, row: RowWrite<'_>, new_rowid: Parameter<'_>) -> Result<bool> {
        let names = self.names()?;
        let sql = match row.rowid {
            None => self.insert_sql(&names, row.assignments),
            Some(_) => self.update_sql(&names, row),
        };
        let mut parameters: Vec<Parameter<'_>> =
            row.assignments.values.iter().map(|value| Parameter::Value(*value)).collect();
        match row.rowid {
            None if row.assignments.has_rowid => {}
            None => parameters.push(new_rowid),
            Some(rowid) => parameters.push(Parameter::Integer(rowid)),
        }
        parameters.extend(row.nodes.iter().map(|node| node.parameter()));
        self.run(&names, &sql, &parameters)
    }

    fn insert_sql(&self, names: &Names, assignments: &Assignments<'_>) -> String {
        let mut columns = assignments.columns.clone();
        columns.extend((!assignments.has_rowid).then(|| self.key()));
        let values: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
        format!("INSERT INTO {}({}) VALUES ({})", names.rows, columns.join(", "), values.join(", "))
    }

    /// The UPDATE. It returns whether the row then has the nodes and the rowid.
    fn update_sql(&self, names: &Names, row: RowWrite<'_>) -> String {
        let columns = &row.assignments.columns;
        let own = columns.len() + 1;
        let mut sets: Vec<String> = columns.iter().zip(1..).map(|(column, n)| format!("{column} = ?{n}")).collect();
        let nodes = row.nodes.iter().zip(own + 1..).map(|(node, n)| (self.node(node.ordinal), n));
        let nodes: Vec<(String, usize)> = nodes.collect();
        sets.extend(nodes.iter().map(|(column, n)| format!("{column} = ?{n}")));
        let mut written: Vec<String> = nodes.iter().map(|(column, n)| format!("{column} IS ?{n}")).collect();
        written.extend(row.assignments.has_rowid.then(|| format!("{} IS ?{}", self.key(), own - 1)));
        let returning =
            if written.is_empty() { String::new() } else { format!(" RETURNING {}", written.join(" AND ")) };
        format!("UPDATE {} SET {} WHERE {} = ?{own}{returning}", names.rows, sets.join(", "), self.key())
    }

    /// Sets the nodes of a new row. Returns false if a trigger has deleted the row or set other nodes.
    pub fn set_nodes(&self, rowid: i64, nodes: &[NodeOfColumn]) -> Result<bool> {
        let names = self.names()?;
        let columns: Vec<String> = nodes.iter().map(|node| self.node(node.ordinal)).collect();
        let sets: Vec<String> = columns.iter().zip(2..).map(|(column, n)| format!("{column} = ?{n}")).collect();
        let written: Vec<String> = columns.iter().zip(2..).map(|(column, n)| format!("{column} IS ?{n}")).collect();
        // A trigger may have given the row other nodes.
        let (sets, is_new, written) = (sets.join(", "), columns.join(" IS NULL AND "), written.join(" AND "));
        let (rows, key) = (&names.rows, self.key());
        let sql = format!("UPDATE {rows} SET {sets} WHERE {key} = ?1 AND {is_new} IS NULL RETURNING {written}");
        let mut parameters = vec![Parameter::Integer(rowid)];
        parameters.extend(nodes.iter().map(|node| node.parameter()));
        self.run(&names, &sql, &parameters)
    }

    /// Deletes a row. Returns false if a trigger kept it, or if it does not exist.
    pub fn delete(&self, rowid: i64) -> Result<bool> {
        let names = self.names()?;
        let sql = format!("DELETE FROM {} WHERE {} = ?1", names.rows, self.key());
        self.run(&names, &sql, &[Parameter::Integer(rowid)])
    }

    /// The rowid that SQLite would choose for a new row; NULL if it would try random ones.
    pub fn next_rowid(&self) -> Result<Parameter<'static>> {
        let sql = format!("SELECT max({}) FROM {}", self.key(), self.names()?.rows);
        let last = self.statements.reading(sql)?.query_one(&[], |row| Ok(row.column_i64(0)))?.unwrap_or_default();
        Ok(last.checked_add(1).map_or(Parameter::Null, Parameter::Integer))
    }

    /// The rowid to which an INTEGER PRIMARY KEY converts a value that it accepts.
    pub fn as_rowid(&self, value: Value<'_>) -> Result<i64> {
        let mut cast = self.statements.reading("SELECT CAST(CAST(?1 AS NUMERIC) AS INTEGER)".to_string())?;
        let rowid = cast.query_one(&[Parameter::Value(value)], |row| Ok(row.column_i64(0)))?;
        rowid.ok_or_else(|| Error::internal("a cast gave no row"))
    }

    /// Runs a statement that writes. Returns whether it changed a row.
    fn run(&self, names: &Names, sql: &str, parameters: &[Parameter<'_>]) -> Result<bool> {
        match self.statements.write(sql, parameters) {
            Ok(()) => Ok(self.db.changes() > 0),
            // If another table is missing, a user's trigger writes it.
            Err(Error::Sqlite { code: code::ERROR, message }) if names.is_missing_rows(&message) => {
                Err(Error::corrupt("a shadow table", message))
            }
            Err(error) => Err(error),
        }
    }
}

impl Names {
    /// Whether SQLite's message says that the rows table is missing.
    fn is_missing_rows(&self, message: &str) -> bool {
        let name = message.strip_prefix("no such table: ").and_then(|name| name.strip_prefix(&*self.owner.schema));
        name.and_then(|name| name.strip_prefix('.')) == Some(&self.rows_table())
    }

    /// Rewrites a constraint error, which names the rows table, to name the virtual table. If SQLite has to act on the
    /// conflict mode, the extended code is dropped: older versions know only the plain one.
    pub fn in_users_words(&self, error: Error, conflict: Conflict) -> Error {
        match error {
            Error::Sqlite { code: full, message } if full & 0xff == code::CONSTRAINT => {
                let rows = format!("{}.", self.rows_table());
                let message = message.replace(&rows, &format!("{}.", self.table()));
                let is_final = matches!(conflict, Conflict::Abort | Conflict::Replace);
                match full {
                    _ if is_final => Error::Sqlite { code: full, message },
                    // OR IGNORE does not overrule a trigger.
                    code::RAISED => Error::Invalid(message),
                    _ => Error::Sqlite { code: code::CONSTRAINT, message },
                }
            }
            error => error,
        }
    }
}
