//! INSERT, UPDATE and DELETE of one row.
//!
//! What a user can do wrong is found before anything is written, or by the first write, that of the rows table: SQLite
//! does not undo the shadow writes of a one-row statement that fails half-way.

use std::borrow::Cow;

use super::conflicts::{self, Target};
use super::schema::{HIDDEN_COLUMNS, Key};
use super::table::{HnswTable, Names};
use crate::error::{Error, Result, code};
use crate::sqlite::{Change, Conflict, Parameter, Statement, Value, Values, quote_identifier};

/// The value that a statement gives to a vector column; None is NULL.
struct NewVector<'v> {
    /// The column's number in the virtual table.
    column: usize,
    ordinal: usize,
    bytes: Option<Cow<'v, [u8]>>,
}

/// The ordinary columns that a statement sets, quoted, and their values.
#[derive(Default)]
struct Assignments<'v> {
    columns: Vec<String>,
    values: Vec<Value<'v>>,
}

impl HnswTable {
    /// Makes a change; for an INSERT gives the rowid.
    pub(super) fn change(&self, change: Change<'_>, conflict: Conflict) -> Result<Option<i64>> {
        let names = self.names()?;
        let result = self.keeping_last_rowid(|| match change {
            Change::Delete { rowid } => self.delete(&names, rowid).map(|()| None),
            Change::Insert { rowid, values } => {
                let command = values.get(self.schema.columns.len() + HIDDEN_COLUMNS.len());
                match command.filter(|command| !command.is_null()) {
                    Some(command) => self.command(command, values).map(|()| None),
                    None => self.insert(&names, rowid, values, conflict).map(Some),
                }
            }
            Change::Update { rowid, new_rowid, values } => {
                self.update_row(&names, rowid, new_rowid, values, conflict).map(|()| None)
            }
        });
        if result.is_err() {
            // What was cached may have been ahead of what is undone.
            self.transaction.forget(self);
        }
        result.map_err(|error| in_users_words(error, &names, conflict))
    }

    fn insert(&self, names: &Names, rowid: Option<Value<'_>>, values: Values<'_>, conflict: Conflict) -> Result<i64> {
        self.refuse_hidden(names, values)?;
        let vectors = self.new_vectors(names, values)?;
        let mut assignments = self.assignments(values)?;
        let key = self.schema.rowid_column().and_then(|column| values.get(column)).filter(|key| !key.is_null());
        let rowid = key.or(rowid);
        assignments.columns.extend(rowid.map(|_| quote_identifier(self.schema.rowid_name())));
        assignments.values.extend(rowid);
        let (columns, values) = (assignments.columns.join(", "), numbered(assignments.values.len()));
        let sql = match assignments.columns.is_empty() {
            true => format!("INSERT INTO {} DEFAULT VALUES", names.rows),
            false => format!("INSERT INTO {}({columns}) VALUES ({values})", names.rows),
        };
        let target = Target { changed: &assignments.columns, values: &assignments.values, rowid: None };
        self.write_row(names, &sql, target, conflict)?;
        let rowid = self.db.last_insert_rowid();
        if self.db.changes() == 0 {
            // A trigger of the user's on the rows table said RAISE(IGNORE).
            return Ok(rowid);
        }
        let result = self.add_vectors(names, rowid, &vectors);
        if result.is_err() && self.delete_row_only(names, rowid).is_err() {
            // SQLite has rolled back everything, or must: the first error is what the host is told.
            self.transaction.note_broken(self);
        }
        result.map(|()| rowid)
    }

    fn update_row(
        &self,
        names: &Names,
        rowid: i64,
        new_rowid: Value<'_>,
        values: Values<'_>,
        conflict: Conflict,
    ) -> Result<()> {
        let command = values.get(self.schema.columns.len() + HIDDEN_COLUMNS.len());
        if command.is_some_and(|command| !command.is_null()) {
            return Err(Error::invalid(format!("{0}.{0}: a command is an INSERT, not an UPDATE", names.table())));
        }
        self.refuse_hidden(names, values)?;
        let vectors = self.changed_vectors(names, rowid, values)?;
        let mut assignments = self.assignments(values)?;
        let is_other = |key: &Value<'_>| !key.is_no_change() && key.content() != crate::sqlite::Content::Integer(rowid);
        let key = self.schema.rowid_column().and_then(|column| values.get(column)).filter(is_other);
        let moved = key.or(Some(new_rowid).filter(is_other));
        assignments.columns.extend(moved.map(|_| quote_identifier(self.schema.rowid_name())));
        assignments.values.extend(moved);
        let mut new_rowid = rowid;
        if !assignments.columns.is_empty() {
            let sets = assignments.columns.iter().enumerate().map(|(n, column)| format!("{column} = ?{}", n + 1));
            let (sets, last) = (sets.collect::<Vec<_>>().join(", "), assignments.values.len() + 1);
            let key = quote_identifier(self.schema.rowid_name());
            let sql = format!("UPDATE {} SET {sets} WHERE {key} = ?{last} RETURNING {key}", names.rows);
            let target = Target { changed: &assignments.columns, values: &assignments.values, rowid: Some(rowid) };
            match self.write_row(names, &sql, target, conflict)? {
                Some(written) => new_rowid = written,
                None => return Ok(()),
            }
        }
        if new_rowid != rowid {
            self.move_nodes(rowid, new_rowid, &vectors)?;
        }
        for vector in &vectors {
            if let Some(node) = self.node_of(new_rowid, vector.column)? {
                self.remove_node(vector.ordinal, node, rowid)?;
            }
        }
        self.add_vectors(names, new_rowid, &vectors)
    }

    /// Runs an INSERT or UPDATE on the rows table, under OR REPLACE after the rows in its way are deleted. Gives what
    /// the statement returns.
    fn write_row(&self, names: &Names, sql: &str, target: Target<'_>, conflict: Conflict) -> Result<Option<i64>> {
        let mut parameters: Vec<Parameter<'_>> = target.values.iter().map(|value| Parameter::Value(*value)).collect();
        parameters.extend(target.rowid.map(Parameter::Integer));
        let run = || -> Result<Option<i64>> {
            let mut returned = None;
            self.run_on_rows(names, sql.to_string(), &parameters, |row| {
                returned = Some(row.column_i64(0));
                Ok(())
            })?;
            Ok(returned)
        };
        match run() {
            // Only that: a row that fails a CHECK, which SQLite tests first, must not cost the rows in its way.
            Err(error) if conflict == Conflict::Replace && code::NOT_UNIQUE.contains(&error.sqlite_code()) => {
                let in_the_way = conflicts::find(self, names, target)?;
                if in_the_way.is_empty() {
                    return Err(error);
                }
                for rowid in in_the_way {
                    self.delete(names, rowid)?;
                }
                run()
            }
            result => result,
        }
    }

    fn delete(&self, names: &Names, rowid: i64) -> Result<()> {
        let columns: Vec<usize> = self.schema.vectors().map(|(column, _, _)| column).collect();
        let nodes = columns.iter().map(|column| self.node_of(rowid, *column)).collect::<Result<Vec<_>>>()?;
        self.delete_row_only(names, rowid)?;
        self.transaction.note_delete();
        for (ordinal, node) in nodes.into_iter().enumerate() {
            if let Some(node) = node {
                self.remove_node(ordinal, node, rowid)?;
            }
        }
        Ok(())
    }

    fn delete_row_only(&self, names: &Names, rowid: i64) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE {} = ?1", names.rows, quote_identifier(self.schema.rowid_name()));
        self.run_on_rows(names, sql, &[Parameter::Integer(rowid)], |_| Ok(()))
    }

    /// Runs a statement that writes the rows table, and calls `read` for every row that it returns.
    fn run_on_rows(
        &self,
        names: &Names,
        sql: String,
        parameters: &[Parameter<'_>],
        read: impl FnMut(&Statement) -> Result<()>,
    ) -> Result<()> {
        let result = self.statements.writing(sql).and_then(|mut statement| statement.query(parameters, read));
        result.map_err(|error| match error {
            // Another table that is missing is one that a user's trigger writes.
            Error::Sqlite { code: code::ERROR, message } if names.is_missing_rows(&message) => {
                Error::corrupt("a shadow table", message)
            }
            error => error,
        })
    }

    fn remove_node(&self, ordinal: usize, node: u32, rowid: i64) -> Result<()> {
        self.transaction.note_change();
        self.with_vector(ordinal, |vector| {
            vector.refresh()?;
            vector.remove(node, rowid)
        })
    }

    /// Gives the row's vectors their nodes, and the rows table the nodes' numbers.
    fn add_vectors(&self, names: &Names, rowid: i64, vectors: &[NewVector<'_>]) -> Result<()> {
        if vectors.is_empty() {
            return Ok(());
        }
        let mut sets = Vec::with_capacity(vectors.len());
        let mut parameters = vec![Parameter::Integer(rowid)];
        for vector in vectors {
            let column = self.schema.columns.get(vector.column).map_or("", |column| &column.name);
            let node = match &vector.bytes {
                None => Parameter::Null,
                Some(bytes) => {
                    self.transaction.note_change();
                    let node = self.with_vector(vector.ordinal, |vector| {
                        vector.refresh()?;
                        vector.add(rowid, bytes)
                    });
                    Parameter::Integer(i64::from(node?))
                }
            };
            parameters.push(node);
            sets.push(format!("{} = ?{}", quote_identifier(column), parameters.len()));
        }
        let key = quote_identifier(self.schema.rowid_name());
        let sql = format!("UPDATE {} SET {} WHERE {key} = ?1", names.rows, sets.join(", "));
        self.run_on_rows(names, sql, &parameters, |_| Ok(()))
    }

    /// Tells the nodes that keep their vector of the row's new rowid.
    fn move_nodes(&self, from: i64, rowid: i64, replaced: &[NewVector<'_>]) -> Result<()> {
        self.transaction.note_change();
        for (ordinal, (column, _, _)) in self.schema.vectors().enumerate() {
            if replaced.iter().any(|vector| vector.ordinal == ordinal) {
                continue;
            }
            if let Some(node) = self.node_of(rowid, column)? {
                self.with_vector(ordinal, |vector| {
                    vector.refresh()?;
                    vector.set_rowid(node, from, rowid)
                })?;
            }
        }
        Ok(())
    }

    /// The vectors of an INSERT that are not NULL, checked.
    fn new_vectors<'v>(&self, names: &Names, values: Values<'v>) -> Result<Vec<NewVector<'v>>> {
        let mut vectors = self.given_vectors(names, values)?;
        vectors.retain(|vector| vector.bytes.is_some());
        Ok(vectors)
    }

    /// The vectors that an UPDATE sets to something else, checked.
    fn changed_vectors<'v>(&self, names: &Names, rowid: i64, values: Values<'v>) -> Result<Vec<NewVector<'v>>> {
        let mut changed = Vec::new();
        for vector in self.given_vectors(names, values)? {
            let old = match self.node_of(rowid, vector.column)? {
                Some(node) => Some(self.with_vector(vector.ordinal, |column| column.vector(node, rowid))?),
                None => None,
            };
            if old.as_deref() != vector.bytes.as_deref() {
                changed.push(vector);
            }
        }
        Ok(changed)
    }

    /// The vectors that a statement sets, checked.
    fn given_vectors<'v>(&self, names: &Names, values: Values<'v>) -> Result<Vec<NewVector<'v>>> {
        let mut given = Vec::new();
        for (ordinal, (column, definition, _)) in self.schema.vectors().enumerate() {
            let value = values.at(column)?;
            if value.is_no_change() {
                continue;
            }
            let bytes = self.vector_place(names.table(), column)?.stored(value)?;
            if bytes.is_none() && definition.not_null {
                let message = format!("NOT NULL constraint failed: {}.{}", names.table(), definition.name);
                return Err(Error::Constraint(message));
            }
            given.push(NewVector { column, ordinal, bytes });
        }
        Ok(given)
    }

    /// The ordinary columns that a statement sets, but for the one that is the rowid.
    fn assignments<'v>(&self, values: Values<'v>) -> Result<Assignments<'v>> {
        let mut assignments = Assignments::default();
        for (number, column) in self.schema.columns.iter().enumerate() {
            let value = values.at(number)?;
            let is_plain = column.as_ordinary().is_some_and(|ordinary| ordinary.key != Key::Rowid);
            if is_plain && !value.is_no_change() {
                assignments.columns.push(quote_identifier(&column.name));
                assignments.values.push(value);
            }
        }
        Ok(assignments)
    }

    fn refuse_hidden(&self, names: &Names, values: Values<'_>) -> Result<()> {
        let hidden = values.skip(self.schema.columns.len());
        match HIDDEN_COLUMNS.iter().zip(hidden.iter()).find(|(_, value)| !value.is_null() && !value.is_no_change()) {
            Some((name, _)) => {
                Err(Error::invalid(format!("{}.{name}: a column that cannot be written", names.table())))
            }
            None => Ok(()),
        }
    }
}

/// `?1, ?2, ?3`
fn numbered(count: usize) -> String {
    (1..=count).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ")
}

/// Constraint errors name the rows table; the user knows the virtual table. Where SQLite acts on the conflict mode,
/// older versions know only the plain code.
fn in_users_words(error: Error, names: &Names, conflict: Conflict) -> Error {
    match error {
        Error::Sqlite { code: full, message } if full & 0xff == code::CONSTRAINT => {
            let rows = format!("{}.", names.owner.shadow_name("rows"));
            let message = message.replace(&rows, &format!("{}.", names.table()));
            let is_final = matches!(conflict, Conflict::Abort | Conflict::Replace);
            Error::Sqlite { code: if is_final { full } else { code::CONSTRAINT }, message }
        }
        error => error,
    }
}
