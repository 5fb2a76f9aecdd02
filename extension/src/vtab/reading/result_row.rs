//! The columns of the row of the current hit.

use super::context::ReadContext;
use super::row_cache::Values;
use crate::error::Result;
use crate::format::node::NodeId;
use crate::sqlite::{ColumnId, Content};
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::declaration::schema::{TableSchema, VectorRef};
use crate::vtab::rows::owned_value::OwnedValue;
use crate::vtab::rows::selection::Selection;
use crate::vtab::rows::statement_cache::{CachedStatement, prepared};
use crate::vtab::snapshot::Snapshot;

/// The row of the current hit, without the searched column.
pub struct ResultRow<'t> {
    selection: Selection,
    /// The searched column, whose node is read last.
    ordinal: VectorOrdinal,
    statement: Option<CachedStatement<'t>>,
    state: State,
}

enum State {
    Unread,
    Read,
    Kept(Values),
    /// The row is missing or has another vector: this connection changed it after the search found it, or plain SQL
    /// did.
    Gone,
}

impl<'t> ResultRow<'t> {
    /// A reader of rows. `selection` are the columns that the statement reads, `searched` is the searched one.
    pub fn new(schema: &TableSchema, selection: Selection, searched: VectorRef<'_>) -> ResultRow<'t> {
        // An index gives the vector that its content has.
        let selection = if schema.content.is_some() { selection } else { selection.without(searched.id) };
        ResultRow { selection, ordinal: searched.ordinal, statement: None, state: State::Unread }
    }

    /// The position of a column of the table in the row; None if the row does not have it.
    pub fn position(&self, column: ColumnId) -> Option<usize> {
        self.selection.position(column)
    }

    /// Whether the statement reads no column.
    pub fn has_no_columns(&self) -> bool {
        self.selection.columns().is_empty()
    }

    /// Whether no column of the current row was read yet.
    pub fn is_unread(&self) -> bool {
        matches!(self.state, State::Unread)
    }

    /// Reads the row of a hit. Returns false if there is no such row, or if it has another node. `node` is None if
    /// nodes may have been renumbered; `snapshot` is set if the row may be cached.
    pub fn read(
        &mut self,
        context: &'t ReadContext,
        rowid: i64,
        node: Option<NodeId>,
        snapshot: Option<Snapshot>,
    ) -> Result<bool> {
        self.read_any(context, rowid, snapshot)?;
        let is_other = |content: Content<'_>| node.is_some_and(|node| !is_node(content, node));
        if self.content(self.selection.columns().len() + 1).is_none_or(is_other) {
            self.leave();
            self.state = State::Gone;
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads a row, whatever its node.
    fn read_any(&mut self, context: &'t ReadContext, rowid: i64, snapshot: Option<Snapshot>) -> Result<()> {
        // An uncommitted write of this connection changes rows, but not the version.
        let schema = &context.core.names()?.owner.schema;
        let is_now = |seen: &Snapshot| context.core.db.committed_version(schema) == Some(seen.commits);
        let snapshot = snapshot.filter(is_now);
        if let Some(snapshot) = snapshot
            && let Some(values) = context.row_cache.get(snapshot, self.ordinal, self.selection.columns(), rowid)
        {
            self.state = State::Kept(values);
            return Ok(());
        }
        let rows = &context.core.rows;
        let statement = prepared(&mut self.statement, || rows.row_reader(&self.selection, self.ordinal))?;
        statement.bind_i64(1, rowid)?;
        let found = statement.step()?;
        self.state = if found { State::Read } else { State::Gone };
        if found && snapshot.is_some() {
            let count = self.selection.columns().len() + 2;
            let values: Values =
                (0..count).map(|position| OwnedValue::of(statement.column_content(position))).collect();
            statement.reset();
            context.row_cache.put(self.ordinal, self.selection.columns(), rowid, &values);
            self.state = State::Kept(values);
        }
        Ok(())
    }

    /// A column of the row that was read; None if the row is gone.
    pub fn content(&self, position: usize) -> Option<Content<'_>> {
        match (&self.state, &self.statement) {
            (State::Kept(values), _) => values.get(position).map(OwnedValue::content),
            (State::Read, Some(statement)) => Some(statement.column_content(position)),
            _ => None,
        }
    }

    /// Leaves the row: the search moves to another one.
    pub fn leave(&mut self) {
        if let (State::Read | State::Gone, Some(statement)) = (&self.state, &mut self.statement) {
            statement.reset();
        }
        self.state = State::Unread;
    }
}

fn is_node(content: Content<'_>, node: NodeId) -> bool {
    matches!(content, Content::Integer(number) if number == i64::from(node.0))
}
