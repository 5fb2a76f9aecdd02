//! INSERT, UPDATE and DELETE of one row.
//!
//! Errors of the user are found before anything is written, or by the first write, which goes to the rows table: SQLite
//! does not undo the shadow writes of a one-row statement that fails half-way.
//!
//! A user's triggers on the rows table may refuse a write, ignore it, roll everything back, or write this table again.
//! So nodes are written only for what a write of the rows table has done.

use std::borrow::Cow;

use super::vector_input::VectorInput;
use crate::error::{Error, Result, code};
use crate::format::node::{NodeId, RowId};
use crate::sqlite::{Change, Conflict, Content, Parameter, Value, Values};
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::content::triggers::CHANGED;
use crate::vtab::core::TableCore;
use crate::vtab::declaration::schema::{HIDDEN_COLUMNS, Key, VectorRef};
use crate::vtab::rows::table::Names;
use crate::vtab::rows::write::{Assignments, NodeOfColumn, RowWrite};

/// The value that a statement sets in a vector column.
struct NewVector<'v> {
    ordinal: VectorOrdinal,
    /// The vector; None for NULL.
    bytes: Option<Cow<'v, [u8]>>,
    /// The node that the row has had so far.
    old: Option<NodeId>,
}

impl TableCore {
    /// Carries out a change. Returns the rowid of an INSERT.
    pub fn change(&self, change: Change<'_>, conflict: Conflict) -> Result<Option<i64>> {
        let names = self.names()?;
        let write = || self.keeping_last_rowid(|| self.change_row(&names, change, conflict));
        let result = self.nesting.run(&names, write);
        if result.is_err() {
            // Memory may hold what is undone now.
            self.forget();
        }
        result.map_err(|error| match names.in_users_words(error, conflict) {
            // OR IGNORE and OR FAIL continue after a constraint error, but not if the transaction has ended.
            Error::Sqlite { code: full, message } if full == code::CONSTRAINT && !self.is_writing(&names) => {
                Error::Invalid(message)
            }
            error => error,
        })
    }

    fn change_row(&self, names: &Names, change: Change<'_>, conflict: Conflict) -> Result<Option<i64>> {
        match change {
            Change::Delete { .. } | Change::Update { .. } if names.content.is_some() => Err(names.not_written_here()),
            Change::Delete { rowid } => self.delete(names, rowid).map(|()| None),
            Change::Insert { rowid, values } => {
                let command = values.get(self.schema.command_column().0);
                match command.filter(|command| !command.is_null()) {
                    Some(command) => self.command(command, values).map(|()| None),
                    None if names.content.is_some() => self.note_changed(names, values).map(|()| Some(0)),
                    None => self.insert(names, rowid, values, conflict).map(Some),
                }
            }
            Change::Update { rowid, new_rowid, values } => {
                self.update_row(names, rowid, new_rowid, values, conflict).map(|()| None)
            }
        }
    }

    /// A trigger on the content says that the log has grown.
    fn note_changed(&self, names: &Names, values: Values<'_>) -> Result<()> {
        let query = values.at(self.schema.columns.len())?;
        if query.content() != Content::Text(CHANGED) {
            return Err(names.not_written_here());
        }
        self.transaction.note_change();
        Ok(())
    }

    fn insert(&self, names: &Names, rowid: Option<Value<'_>>, values: Values<'_>, conflict: Conflict) -> Result<i64> {
        self.refuse_hidden(names, values)?;
        let mut vectors = self.given_vectors(names, values)?;
        vectors.retain(|vector| vector.bytes.is_some());
        let mut assignments = self.assignments(values)?;
        let key = self.schema.rowid_column().and_then(|id| values.get(id.0)).filter(|key| !key.is_null());
        if let Some(rowid) = key.or(rowid) {
            assignments.set_rowid(self.schema.rowid_name(), rowid);
        }
        let row = RowWrite { assignments: &assignments, rowid: None, nodes: &[] };
        let before = self.db.total_changes();
        let is_written = self.write_row(names, row, conflict)?;
        let rowid = self.db.last_insert_rowid();
        if !is_written || vectors.is_empty() {
            return Ok(rowid);
        }
        // Writes of triggers, and rows that OR REPLACE deleted, cannot be undone here.
        let changes = self.db.total_changes() - before;
        let is_undone = || changes == 1 && self.delete_row_only(names, rowid).is_ok_and(|is_deleted| is_deleted);
        self.insert_nodes(names, rowid, &vectors).map_err(|error| match !self.is_writing(names) || is_undone() {
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
        let command = values.get(self.schema.command_column().0);
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
        let key = self.schema.rowid_column().and_then(|id| values.get(id.0)).filter(is_other);
        let moved = key.or(Some(new_rowid).filter(is_other));
        if let Some(moved) = moved {
            assignments.set_rowid(self.schema.rowid_name(), moved);
        }
        if assignments.is_empty() && vectors.is_empty() {
            return Ok(());
        }
        let nodes = self.new_nodes(names, rowid, &vectors)?;
        let row = RowWrite { assignments: &assignments, rowid: Some(rowid), nodes: &nodes };
        match self.write_row(names, row, conflict) {
            Ok(true) => self.sync_nodes(rowid, moved, &vectors).map_err(|error| self.give_up(names, error)),
            Ok(false) => self.undo_nodes(names, rowid, &vectors, &nodes).map_err(|error| self.give_up(names, error)),
            Err(error) => Err(self.undone(names, rowid, (&vectors, &nodes), error)),
        }
    }

    /// Brings the nodes up to date after an UPDATE: removes the old ones, and writes a new rowid into the others.
    fn sync_nodes(&self, rowid: i64, moved: Option<Value<'_>>, vectors: &[NewVector<'_>]) -> Result<()> {
        let new_rowid = match moved.map(|moved| (moved.content(), moved)) {
            None => rowid,
            Some((Content::Integer(new_rowid), _)) => new_rowid,
            Some((_, moved)) => self.rows.as_rowid(moved)?,
        };
        for vector in vectors {
            if let Some(old) = vector.old {
                self.remove_node(vector.ordinal, old, rowid)?;
            }
        }
        if new_rowid == rowid { Ok(()) } else { self.move_nodes(rowid, new_rowid) }
    }

    /// Writes a row; under OR REPLACE, deletes the conflicting rows first. Returns false if a user's trigger raised
    /// IGNORE, or if the row is gone.
    fn write_row(&self, names: &Names, row: RowWrite<'_>, conflict: Conflict) -> Result<bool> {
        match self.checked(names, self.rows.write(row, Parameter::Null)) {
            // Only for that error: a row that fails a CHECK, which SQLite tests first, must not delete other rows.
            Err(error) if conflict == Conflict::Replace && code::NOT_UNIQUE.contains(&error.sqlite_code()) => {
                let in_the_way = self.rows.in_the_way(row)?;
                if in_the_way.is_empty() {
                    return Err(error);
                }
                // As in an ordinary table, the new row does not get the rowid of a row that it replaces.
                let new_rowid = self.rows.next_rowid()?;
                // A trigger may refuse to delete one row after others are deleted.
                let cleared = in_the_way.into_iter().try_for_each(|rowid| self.delete(names, rowid));
                let write = |()| self.checked(names, self.rows.write(row, new_rowid));
                cleared.and_then(write).map_err(|error| self.give_up(names, error))
            }
            result => result,
        }
    }

    fn delete(&self, names: &Names, rowid: i64) -> Result<()> {
        let node_of = |ordinal| Ok((ordinal, self.rows.node_of(rowid, ordinal)?));
        let nodes = names.owner.ordinals().map(node_of).collect::<Result<Vec<_>>>()?;
        if !self.delete_row_only(names, rowid)? {
            return Ok(());
        }
        self.transaction.note_delete();
        for (ordinal, node) in nodes {
            if let Some(node) = node {
                self.remove_node(ordinal, node, rowid).map_err(|error| self.give_up(names, error))?;
            }
        }
        Ok(())
    }

    fn delete_row_only(&self, names: &Names, rowid: i64) -> Result<bool> {
        self.checked(names, self.rows.delete(rowid))
    }

    /// Checks the result of a write of the rows table. After a trigger's RAISE(FAIL) the row stays written.
    fn checked(&self, names: &Names, result: Result<bool>) -> Result<bool> {
        result.map_err(|error| {
            let is_half_done = error.sqlite_code() & 0xff == code::CONSTRAINT && self.db.changes() > 0;
            if is_half_done { self.give_up(names, error) } else { error }
        })
    }

    /// Whether the write transaction is still open: a user's trigger may have rolled it back.
    fn is_writing(&self, names: &Names) -> bool {
        self.db.is_writing(&names.owner.schema)
    }

    /// Poisons the transaction, because a statement stopped half-way, and returns the error to report. It must not be a
    /// constraint error, after which OR IGNORE would continue.
    fn give_up(&self, names: &Names, error: Error) -> Error {
        self.poison();
        match names.in_users_words(error, Conflict::Abort) {
            Error::Sqlite { code: full, message } if full & 0xff == code::CONSTRAINT => Error::Invalid(message),
            error => error,
        }
    }

    fn remove_node(&self, ordinal: VectorOrdinal, node: NodeId, rowid: i64) -> Result<()> {
        self.transaction.note_change();
        self.with_vector(ordinal, |vector| {
            vector.refresh()?;
            vector.remove(node, RowId(rowid))
        })
    }

    /// Writes nodes for the vectors: all, or none after an error.
    fn new_nodes(&self, names: &Names, rowid: i64, vectors: &[NewVector<'_>]) -> Result<Vec<NodeOfColumn>> {
        let mut nodes = Vec::with_capacity(vectors.len());
        for vector in vectors {
            let node = vector.bytes.as_ref().map(|bytes| {
                self.transaction.note_change();
                self.with_vector(vector.ordinal, |column| {
                    column.refresh()?;
                    column.add(RowId(rowid), bytes)
                })
            });
            match node.transpose() {
                Ok(node) => nodes.push(NodeOfColumn { ordinal: vector.ordinal, node }),
                Err(error) => return Err(self.undone(names, rowid, (vectors, &nodes), error)),
            }
        }
        Ok(nodes)
    }

    /// Undoes `new_nodes`, unless SQLite has undone everything.
    fn undo_nodes(&self, names: &Names, rowid: i64, vectors: &[NewVector<'_>], nodes: &[NodeOfColumn]) -> Result<()> {
        for (vector, node) in vectors.iter().zip(nodes) {
            if let Some(node) = node.node.filter(|_| self.is_writing(names)) {
                self.remove_node(vector.ordinal, node, rowid)?;
            }
        }
        Ok(())
    }

    /// Undoes the partial write and returns the error to report.
    fn undone(
        &self,
        names: &Names,
        rowid: i64,
        (vectors, nodes): (&[NewVector<'_>], &[NodeOfColumn]),
        error: Error,
    ) -> Error {
        match self.undo_nodes(names, rowid, vectors, nodes) {
            Ok(()) => error,
            Err(failure) => self.give_up(names, failure),
        }
    }

    /// Writes nodes for the vectors of a new row, and their ids into the row.
    fn insert_nodes(&self, names: &Names, rowid: i64, vectors: &[NewVector<'_>]) -> Result<()> {
        let nodes = self.new_nodes(names, rowid, vectors)?;
        let written = self.checked(names, self.rows.set_nodes(rowid, &nodes)).and_then(|is_written| match is_written {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "{}: a trigger on {} deleted or changed row {rowid} before its vector was written",
                names.table(),
                names.rows_table()
            ))),
        });
        written.map_err(|error| self.undone(names, rowid, (vectors, &nodes), error))
    }

    /// Writes the new rowid into the nodes of a row.
    fn move_nodes(&self, from: i64, rowid: i64) -> Result<()> {
        self.transaction.note_change();
        for VectorRef { ordinal, .. } in self.schema.vectors() {
            if let Some(node) = self.rows.node_of(rowid, ordinal)? {
                self.with_vector(ordinal, |vector| {
                    vector.refresh()?;
                    vector.set_rowid(node, RowId(from), RowId(rowid))
                })?;
            }
        }
        Ok(())
    }

    /// The vectors that an UPDATE changes, checked; None if the row does not exist.
    fn changed_vectors<'v>(&self, names: &Names, rowid: i64, values: Values<'v>) -> Result<Option<Vec<NewVector<'v>>>> {
        let mut changed = Vec::new();
        for mut vector in self.given_vectors(names, values)? {
            vector.old = self.rows.node_of(rowid, vector.ordinal)?;
            if vector.old.is_none() && !self.rows.has_row(rowid)? {
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
        for vector in self.schema.vectors() {
            let value = values.at(vector.id.0)?;
            if value.is_no_change() {
                continue;
            }
            let bytes = VectorInput::new(names.table(), vector).stored(value)?;
            if bytes.is_none() && vector.column.not_null {
                let message = format!("NOT NULL constraint failed: {}.{}", names.table(), vector.column.name);
                return Err(Error::Constraint(message));
            }
            given.push(NewVector { ordinal: vector.ordinal, bytes, old: None });
        }
        Ok(given)
    }

    /// The ordinary columns that a statement sets, except the rowid.
    fn assignments<'v>(&self, values: Values<'v>) -> Result<Assignments<'v>> {
        let mut assignments = Assignments::default();
        for (number, column) in self.schema.columns.iter().enumerate() {
            let value = values.at(number)?;
            let is_plain = column.as_ordinary().is_some_and(|ordinary| ordinary.key != Key::Rowid);
            if is_plain && !value.is_no_change() {
                assignments.push(&column.name, value);
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
