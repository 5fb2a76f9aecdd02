//! INSERT, UPDATE and DELETE of one row.
//!
//! What a user can do wrong is found before anything is written, or by the first write, that of the rows table: SQLite
//! does not undo the shadow writes of a one-row statement that fails half-way.
//!
//! Triggers of the user's on the rows table may refuse a write, ignore it, roll everything back, or write this table
//! again: what a write of the rows table has done is looked at before the nodes follow it.

use std::borrow::Cow;

use super::conflicts::{self, Target};
use super::schema::{HIDDEN_COLUMNS, Key};
use super::table::{HnswTable, Names};
use crate::error::{Error, Result, code};
use crate::format::node::{NodeId, RowId};
use crate::sqlite::{Change, Conflict, Content, Parameter, Value, Values, quote_identifier};

/// The value that a statement gives to a vector column; None is NULL.
struct NewVector<'v> {
    /// The column's number in the virtual table.
    column: usize,
    ordinal: usize,
    bytes: Option<Cow<'v, [u8]>>,
    /// The node that the row has had.
    old: Option<NodeId>,
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
        let result = self.nested(|| self.keeping_last_rowid(|| self.change_row(&names, change, conflict)));
        if result.is_err() {
            // What was cached may have been ahead of what is undone.
            self.transaction.forget(self);
        }
        result.map_err(|error| match in_users_words(error, &names, conflict) {
            // OR IGNORE and OR FAIL go on after a constraint, but not without the transaction.
            Error::Sqlite { code: full, message } if full == code::CONSTRAINT && !self.is_writing(&names) => {
                Error::Invalid(message)
            }
            error => error,
        })
    }

    fn change_row(&self, names: &Names, change: Change<'_>, conflict: Conflict) -> Result<Option<i64>> {
        match change {
            Change::Delete { rowid } => self.delete(names, rowid).map(|()| None),
            Change::Insert { rowid, values } => {
                let command = values.get(self.schema.columns.len() + HIDDEN_COLUMNS.len());
                match command.filter(|command| !command.is_null()) {
                    Some(command) => self.command(command, values).map(|()| None),
                    None => self.insert(names, rowid, values, conflict).map(Some),
                }
            }
            Change::Update { rowid, new_rowid, values } => {
                self.update_row(names, rowid, new_rowid, values, conflict).map(|()| None)
            }
        }
    }

    fn insert(&self, names: &Names, rowid: Option<Value<'_>>, values: Values<'_>, conflict: Conflict) -> Result<i64> {
        self.refuse_hidden(names, values)?;
        let vectors = self.new_vectors(names, values)?;
        let mut assignments = self.assignments(values)?;
        let key = self.schema.rowid_column().and_then(|column| values.get(column)).filter(|key| !key.is_null());
        let rowid = key.or(rowid);
        assignments.columns.extend(rowid.map(|_| quote_identifier(self.schema.rowid_name())));
        assignments.values.extend(rowid);
        let mut columns = assignments.columns.clone();
        columns.extend(rowid.is_none().then(|| quote_identifier(self.schema.rowid_name())));
        let (columns, values) = (columns.join(", "), numbered(columns.len()));
        let sql = format!("INSERT INTO {}({columns}) VALUES ({values})", names.rows);
        let target = Target {
            changed: &assignments.columns,
            values: &assignments.values,
            is_numbered: rowid.is_none(),
            rowid: None,
            nodes: &[],
        };
        let before = self.db.total_changes();
        let is_written = self.write_row(names, &sql, target, conflict)?;
        let rowid = self.db.last_insert_rowid();
        if !is_written || vectors.is_empty() {
            return Ok(rowid);
        }
        // What triggers wrote, and rows that were in the way, cannot be taken back.
        let changes = self.db.total_changes() - before;
        let is_undone = || changes == 1 && self.delete_row_only(names, rowid).is_ok_and(|is_deleted| is_deleted);
        self.give_nodes(names, rowid, &vectors).map_err(|error| match !self.is_writing(names) || is_undone() {
            true => error,
            false => self.give_up(names, error),
        })?;
        Ok(rowid)
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
        let Some(vectors) = self.changed_vectors(names, rowid, values)? else {
            // A function or trigger of the same statement has deleted the row.
            return Ok(());
        };
        let mut assignments = self.assignments(values)?;
        let is_other = |key: &Value<'_>| !key.is_no_change() && key.content() != Content::Integer(rowid);
        let key = self.schema.rowid_column().and_then(|column| values.get(column)).filter(is_other);
        let moved = key.or(Some(new_rowid).filter(is_other));
        assignments.columns.extend(moved.map(|_| quote_identifier(self.schema.rowid_name())));
        assignments.values.extend(moved);
        if assignments.columns.is_empty() && vectors.is_empty() {
            return Ok(());
        }
        let nodes = self.new_nodes(names, rowid, &vectors)?;
        let sql = self.update_sql(names, &assignments, &vectors, moved.is_some());
        let target = Target {
            changed: &assignments.columns,
            values: &assignments.values,
            is_numbered: false,
            rowid: Some(rowid),
            nodes: &nodes.iter().map(|node| node_parameter(*node)).collect::<Vec<_>>(),
        };
        match self.write_row(names, &sql, target, conflict) {
            Ok(true) => self.follow(rowid, moved, &vectors).map_err(|error| self.give_up(names, error)),
            Ok(false) => self.take_back(names, rowid, &vectors, &nodes).map_err(|error| self.give_up(names, error)),
            Err(error) => Err(self.taken_back(names, rowid, (&vectors, &nodes), error)),
        }
    }

    /// The parameters: the values assigned (of a row that is moved the new rowid last), the rowid, the nodes. It says
    /// whether the row has the nodes and the rowid by then.
    fn update_sql(
        &self,
        names: &Names,
        assignments: &Assignments<'_>,
        vectors: &[NewVector<'_>],
        is_moved: bool,
    ) -> String {
        let own = assignments.columns.len() + 1;
        let mut sets: Vec<String> =
            assignments.columns.iter().enumerate().map(|(n, column)| format!("{column} = ?{}", n + 1)).collect();
        let vectors: Vec<(String, usize)> =
            vectors.iter().zip(own + 1..).map(|(vector, n)| (self.quoted_column(vector.column), n)).collect();
        sets.extend(vectors.iter().map(|(column, n)| format!("{column} = ?{n}")));
        let key = quote_identifier(self.schema.rowid_name());
        let mut written: Vec<String> = vectors.iter().map(|(column, n)| format!("{column} IS ?{n}")).collect();
        written.extend(is_moved.then(|| format!("{key} IS ?{}", own - 1)));
        let returning =
            if written.is_empty() { String::new() } else { format!(" RETURNING {}", written.join(" AND ")) };
        format!("UPDATE {} SET {} WHERE {key} = ?{own}{returning}", names.rows, sets.join(", "))
    }

    /// What the nodes have to do after an UPDATE of their row: the old ones go, the others learn its new rowid.
    fn follow(&self, rowid: i64, moved: Option<Value<'_>>, vectors: &[NewVector<'_>]) -> Result<()> {
        let new_rowid = match moved.map(|moved| (moved.content(), moved)) {
            None => rowid,
            Some((Content::Integer(new_rowid), _)) => new_rowid,
            Some((_, moved)) => self.as_rowid(moved)?,
        };
        for vector in vectors {
            if let Some(old) = vector.old {
                self.remove_node(vector.ordinal, old, rowid)?;
            }
        }
        if new_rowid == rowid { Ok(()) } else { self.move_nodes(rowid, new_rowid) }
    }

    /// The rowid that an INTEGER PRIMARY KEY makes of a value that it accepts.
    fn as_rowid(&self, value: Value<'_>) -> Result<i64> {
        let mut cast = self.statements.reading("SELECT CAST(CAST(?1 AS NUMERIC) AS INTEGER)".to_string())?;
        let rowid = cast.query_one(&[Parameter::Value(value)], |row| Ok(row.column_i64(0)))?;
        rowid.ok_or_else(|| Error::internal("a cast gave no row"))
    }

    /// Runs an INSERT or UPDATE on the rows table, under OR REPLACE after the rows in its way are deleted. False if a
    /// trigger of the user's said RAISE(IGNORE), or the row is gone.
    fn write_row(&self, names: &Names, sql: &str, target: Target<'_>, conflict: Conflict) -> Result<bool> {
        let run = |new_rowid| {
            let values = target.values.iter().map(|value| Parameter::Value(*value));
            let mut parameters: Vec<Parameter<'_>> = values.collect();
            parameters.extend(target.is_numbered.then_some(new_rowid));
            parameters.extend(target.rowid.map(Parameter::Integer));
            parameters.extend_from_slice(target.nodes);
            self.run_on_rows(names, sql, &parameters)
        };
        match run(Parameter::Null) {
            // Only that: a row that fails a CHECK, which SQLite tests first, must not cost the rows in its way.
            Err(error) if conflict == Conflict::Replace && code::NOT_UNIQUE.contains(&error.sqlite_code()) => {
                let in_the_way = conflicts::find(self, names, target)?;
                if in_the_way.is_empty() {
                    return Err(error);
                }
                // As an ordinary table, which gives no row the rowid of one that it replaces.
                let new_rowid = self.next_rowid(names)?;
                // A trigger may keep one row back when others are gone.
                let cleared = in_the_way.into_iter().try_for_each(|rowid| self.delete(names, rowid));
                cleared.and_then(|()| run(new_rowid)).map_err(|error| self.give_up(names, error))
            }
            result => result,
        }
    }

    /// The rowid that SQLite would choose for a new row; NULL where it would try random ones.
    fn next_rowid(&self, names: &Names) -> Result<Parameter<'static>> {
        let key = quote_identifier(self.schema.rowid_name());
        let mut last = self.statements.reading(format!("SELECT max({key}) FROM {}", names.rows))?;
        let last = last.query_one(&[], |row| Ok(row.column_i64(0)))?.unwrap_or_default();
        Ok(last.checked_add(1).map_or(Parameter::Null, Parameter::Integer))
    }

    fn delete(&self, names: &Names, rowid: i64) -> Result<()> {
        let columns: Vec<usize> = self.schema.vectors().map(|(column, _, _)| column).collect();
        let nodes = columns.iter().map(|column| self.node_of(rowid, *column)).collect::<Result<Vec<_>>>()?;
        if !self.delete_row_only(names, rowid)? {
            return Ok(());
        }
        self.transaction.note_delete();
        for (ordinal, node) in nodes.into_iter().enumerate() {
            if let Some(node) = node {
                self.remove_node(ordinal, node, rowid).map_err(|error| self.give_up(names, error))?;
            }
        }
        Ok(())
    }

    fn delete_row_only(&self, names: &Names, rowid: i64) -> Result<bool> {
        let sql = format!("DELETE FROM {} WHERE {} = ?1", names.rows, quote_identifier(self.schema.rowid_name()));
        self.run_on_rows(names, &sql, &[Parameter::Integer(rowid)])
    }

    /// Runs a statement that writes the rows table; whether it changed a row.
    fn run_on_rows(&self, names: &Names, sql: &str, parameters: &[Parameter<'_>]) -> Result<bool> {
        let result = self.statements.write(sql, parameters);
        match result {
            Ok(()) => Ok(self.db.changes() > 0),
            // Another table that is missing is one that a user's trigger writes.
            Err(Error::Sqlite { code: code::ERROR, message }) if names.is_missing_rows(&message) => {
                Err(Error::corrupt("a shadow table", message))
            }
            // A trigger's RAISE(FAIL) leaves the row written.
            Err(error) if error.sqlite_code() & 0xff == code::CONSTRAINT && self.db.changes() > 0 => {
                Err(self.give_up(names, error))
            }
            Err(error) => Err(error),
        }
    }

    /// False if a trigger of the user's has rolled back everything.
    fn is_writing(&self, names: &Names) -> bool {
        self.db.is_writing(&names.owner.schema)
    }

    /// A statement was left half-way, and nothing but a rollback makes that good. A broken constraint would have
    /// OR IGNORE go on.
    fn give_up(&self, names: &Names, error: Error) -> Error {
        self.transaction.note_broken(self);
        match in_users_words(error, names, Conflict::Abort) {
            Error::Sqlite { code: full, message } if full & 0xff == code::CONSTRAINT => Error::Invalid(message),
            error => error,
        }
    }

    fn remove_node(&self, ordinal: usize, node: NodeId, rowid: i64) -> Result<()> {
        self.transaction.note_change();
        self.with_vector(ordinal, |vector| {
            vector.refresh()?;
            vector.remove(node, RowId(rowid))
        })
    }

    /// Nodes for the vectors, all or none.
    fn new_nodes(&self, names: &Names, rowid: i64, vectors: &[NewVector<'_>]) -> Result<Vec<Option<NodeId>>> {
        let mut nodes = Vec::with_capacity(vectors.len());
        for vector in vectors {
            let Some(bytes) = &vector.bytes else {
                nodes.push(None);
                continue;
            };
            self.transaction.note_change();
            let node = self.with_vector(vector.ordinal, |vector| {
                vector.refresh()?;
                vector.add(RowId(rowid), bytes)
            });
            match node {
                Ok(node) => nodes.push(Some(node)),
                Err(error) => return Err(self.taken_back(names, rowid, (vectors, &nodes), error)),
            }
        }
        Ok(nodes)
    }

    /// Undoes `new_nodes`, unless SQLite has undone everything.
    fn take_back(&self, names: &Names, rowid: i64, vectors: &[NewVector<'_>], nodes: &[Option<NodeId>]) -> Result<()> {
        for (vector, node) in vectors.iter().zip(nodes) {
            if let Some(node) = node.filter(|_| self.is_writing(names)) {
                self.remove_node(vector.ordinal, node, rowid)?;
            }
        }
        Ok(())
    }

    /// The error that a statement ends with when what it failed of is taken back.
    fn taken_back(
        &self,
        names: &Names,
        rowid: i64,
        (vectors, nodes): (&[NewVector<'_>], &[Option<NodeId>]),
        error: Error,
    ) -> Error {
        match self.take_back(names, rowid, vectors, nodes) {
            Ok(()) => error,
            Err(failure) => self.give_up(names, failure),
        }
    }

    /// Gives the vectors of a new row their nodes, and the rows table the nodes' numbers.
    fn give_nodes(&self, names: &Names, rowid: i64, vectors: &[NewVector<'_>]) -> Result<()> {
        let nodes = self.new_nodes(names, rowid, vectors)?;
        let columns: Vec<String> = vectors.iter().map(|vector| self.quoted_column(vector.column)).collect();
        let sets: Vec<String> = columns.iter().zip(2..).map(|(column, n)| format!("{column} = ?{n}")).collect();
        let key = quote_identifier(self.schema.rowid_name());
        let written: Vec<String> = columns.iter().zip(2..).map(|(column, n)| format!("{column} IS ?{n}")).collect();
        // A trigger may have given the row other nodes.
        let (sets, is_new, written) = (sets.join(", "), columns.join(" IS NULL AND "), written.join(" AND "));
        let sql = format!("UPDATE {} SET {sets} WHERE {key} = ?1 AND {is_new} IS NULL RETURNING {written}", names.rows);
        let mut parameters = vec![Parameter::Integer(rowid)];
        parameters.extend(nodes.iter().map(|node| node_parameter(*node)));
        let result = self.run_on_rows(names, &sql, &parameters).and_then(|is_written| match is_written {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "{0}: a trigger on {1} keeps row {rowid} from its vector, or changes the row before it has it",
                names.table(),
                names.owner.shadow_name("rows")
            ))),
        });
        result.map_err(|error| self.taken_back(names, rowid, (vectors, &nodes), error))
    }

    /// Tells the row's nodes of its new rowid.
    fn move_nodes(&self, from: i64, rowid: i64) -> Result<()> {
        self.transaction.note_change();
        for (ordinal, (column, _, _)) in self.schema.vectors().enumerate() {
            if let Some(node) = self.node_of(rowid, column)? {
                self.with_vector(ordinal, |vector| {
                    vector.refresh()?;
                    vector.set_rowid(node, RowId(from), RowId(rowid))
                })?;
            }
        }
        Ok(())
    }

    fn is_row(&self, rowid: i64) -> Result<bool> {
        let key = quote_identifier(self.schema.rowid_name());
        let sql = format!("SELECT 1 FROM {} WHERE {key} = ?1", self.names()?.rows);
        let row = self.statements.reading(sql)?.query_one(&[Parameter::Integer(rowid)], |_| Ok(()))?;
        Ok(row.is_some())
    }

    fn quoted_column(&self, number: usize) -> String {
        quote_identifier(self.schema.columns.get(number).map_or("", |column| &column.name))
    }

    /// The vectors of an INSERT that are not NULL, checked.
    fn new_vectors<'v>(&self, names: &Names, values: Values<'v>) -> Result<Vec<NewVector<'v>>> {
        let mut vectors = self.given_vectors(names, values)?;
        vectors.retain(|vector| vector.bytes.is_some());
        Ok(vectors)
    }

    /// The vectors that an UPDATE sets to something else, checked; None if there is no such row.
    fn changed_vectors<'v>(&self, names: &Names, rowid: i64, values: Values<'v>) -> Result<Option<Vec<NewVector<'v>>>> {
        let mut changed = Vec::new();
        for mut vector in self.given_vectors(names, values)? {
            vector.old = self.node_of(rowid, vector.column)?;
            if vector.old.is_none() && !self.is_row(rowid)? {
                return Ok(None);
            }
            let old = match vector.old {
                Some(node) => Some(self.with_vector(vector.ordinal, |column| column.vector(node, RowId(rowid)))?),
                None => None,
            };
            if old.as_deref() != vector.bytes.as_deref() {
                changed.push(vector);
            }
        }
        Ok(Some(changed))
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
            given.push(NewVector { column, ordinal, bytes, old: None });
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

fn node_parameter(node: Option<NodeId>) -> Parameter<'static> {
    node.map_or(Parameter::Null, |node| Parameter::Integer(i64::from(node.0)))
}

/// Constraint errors name the rows table; the user knows the virtual table. Where SQLite acts on the conflict mode,
/// older versions know only the plain code.
fn in_users_words(error: Error, names: &Names, conflict: Conflict) -> Error {
    match error {
        Error::Sqlite { code: full, message } if full & 0xff == code::CONSTRAINT => {
            let rows = format!("{}.", names.owner.shadow_name("rows"));
            let message = message.replace(&rows, &format!("{}.", names.table()));
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
