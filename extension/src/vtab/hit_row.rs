//! The columns of the rows that searches give: read when the first of them is asked for, and kept in memory for the next
//! search that comes upon the row, for as long as nobody writes to the file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::pool::Pooled;
use super::rows_filter::Kept;
use super::scan::Selection;
use super::table::HnswTable;
use crate::error::Result;
use crate::format::node::NodeId;
use crate::sqlite::{Content, quote_identifier};

/// What a connection keeps of a table, at most: bytes of rows, bytes of one row, sets of columns.
const MOST_BYTES: usize = 16 << 20;
const LARGEST_ROW: usize = 16 << 10;
const MOST_SETS: usize = 8;
/// What a row and a value cost beyond their texts.
const ROW_OVERHEAD: usize = 64;
const VALUE_OVERHEAD: usize = size_of::<Kept>() + 16;

/// The columns of a row, as `Selection::sql` has them.
type Values = Rc<[Kept]>;

/// Rows of one committed version of the file.
#[derive(Default)]
pub struct KeptRows {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    commits: u32,
    sets: Vec<(Vec<usize>, HashMap<i64, Values>)>,
    bytes: usize,
}

impl KeptRows {
    fn get(&self, commits: u32, columns: &[usize], rowid: i64) -> Option<Values> {
        let mut inner = self.inner.try_borrow_mut().ok()?;
        if inner.commits != commits {
            *inner = Inner { commits, ..Inner::default() };
        }
        let (_, rows) = inner.sets.iter().find(|(set, _)| set == columns)?;
        rows.get(&rowid).cloned()
    }

    /// Takes a row in, if there is room. `get` was asked for it.
    fn put(&self, columns: &[usize], rowid: i64, values: &Values) {
        let Ok(mut inner) = self.inner.try_borrow_mut() else { return };
        let bytes = ROW_OVERHEAD + values.iter().map(|value| VALUE_OVERHEAD + value.bytes()).sum::<usize>();
        if bytes > LARGEST_ROW || inner.bytes + bytes > MOST_BYTES {
            return;
        }
        let set = match inner.sets.iter().position(|(set, _)| set == columns) {
            Some(set) => set,
            None if inner.sets.len() < MOST_SETS => {
                inner.sets.push((columns.to_vec(), HashMap::new()));
                inner.sets.len() - 1
            }
            None => return,
        };
        inner.bytes += bytes;
        inner.sets[set].1.insert(rowid, Rc::clone(values));
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.inner.take();
    }
}

/// The row that a search stands on, but for the searched column.
pub struct HitRow<'t> {
    selection: Selection,
    /// The number of the searched column, whose node is read last.
    column: usize,
    statement: Option<Pooled<'t>>,
    state: State,
}

enum State {
    Unread,
    Read,
    Kept(Values),
    /// It is not there, or has another vector: a statement of this connection changed it after the search found it, or
    /// plain SQL did.
    Gone,
}

impl<'t> HitRow<'t> {
    /// `selection`: what the statement asks of rows; `column`: the searched one.
    pub fn new(selection: Selection, column: usize) -> HitRow<'t> {
        HitRow { selection: selection.without(column), column, statement: None, state: State::Unread }
    }

    /// Where a column of the table stands in the row.
    pub fn position(&self, column: usize) -> Option<usize> {
        self.selection.position(column)
    }

    /// Whether the statement asks for none.
    pub fn has_no_columns(&self) -> bool {
        self.selection.columns().is_empty()
    }

    pub fn is_unread(&self) -> bool {
        matches!(self.state, State::Unread)
    }

    /// Reads the row of a hit; false if there is none that has its node. `node`: None where nodes may have other numbers by
    /// now. `commits`: the version of the file that the search sees, if rows of it may be kept.
    pub fn read(
        &mut self,
        table: &'t HnswTable,
        rowid: i64,
        node: Option<NodeId>,
        commits: Option<u32>,
    ) -> Result<bool> {
        self.read_any(table, rowid, commits)?;
        let is_other = |content: Content<'_>| node.is_some_and(|node| !is_node(content, node));
        if self.content(self.selection.columns().len() + 1).is_none_or(is_other) {
            self.leave();
            self.state = State::Gone;
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads the row of that number, whatever its node.
    fn read_any(&mut self, table: &'t HnswTable, rowid: i64, commits: Option<u32>) -> Result<()> {
        let names = table.names()?;
        // A write of this connection while the search is under way shows in the rows, but in no version yet.
        let commits = commits.filter(|_| table.db.committed_version(&names.owner.schema) == commits);
        if let Some(commits) = commits
            && let Some(values) = table.kept_rows.get(commits, self.selection.columns(), rowid)
        {
            self.state = State::Kept(values);
            return Ok(());
        }
        if self.statement.is_none() {
            let schema = &table.schema;
            let (columns, key) = (self.selection.sql(schema), quote_identifier(schema.rowid_name()));
            let node = quote_identifier(schema.columns.get(self.column).map_or("", |column| &column.name));
            let sql = format!("SELECT {columns}, {node} FROM {} WHERE {key} = ?1", names.rows);
            self.statement = Some(table.statements.reading(sql)?);
        }
        let Some(statement) = &mut self.statement else { return Ok(()) };
        statement.bind_i64(1, rowid)?;
        let found = statement.step()?;
        self.state = if found { State::Read } else { State::Gone };
        if found && commits.is_some() {
            let count = self.selection.columns().len() + 2;
            let values: Values = (0..count).map(|position| Kept::of(statement.column_content(position))).collect();
            statement.reset();
            table.kept_rows.put(self.selection.columns(), rowid, &values);
            self.state = State::Kept(values);
        }
        Ok(())
    }

    /// A column of the row that was read; None if it is gone.
    pub fn content(&self, position: usize) -> Option<Content<'_>> {
        match (&self.state, &self.statement) {
            (State::Kept(values), _) => values.get(position).map(Kept::content),
            (State::Read, Some(statement)) => Some(statement.column_content(position)),
            _ => None,
        }
    }

    /// The search moves on.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Values {
        Rc::new([Kept::Integer(1), Kept::Text(text.into())])
    }

    #[test]
    fn rows_of_one_version_come_back_by_their_columns() {
        let kept = KeptRows::default();
        assert_eq!(kept.get(7, &[0], 1), None);
        kept.put(&[0], 1, &row("a"));
        kept.put(&[0, 2], 1, &row("b"));
        assert_eq!(kept.get(7, &[0], 1), Some(row("a")));
        assert_eq!(kept.get(7, &[0, 2], 1), Some(row("b")));
        assert_eq!((kept.get(7, &[2], 1), kept.get(7, &[0], 2)), (None, None));
        assert_eq!((kept.get(8, &[0], 1), kept.get(7, &[0], 1)), (None, None), "another version has other rows");
    }

    #[test]
    fn memory_is_bounded() {
        let kept = KeptRows::default();
        assert_eq!(kept.get(1, &[0], 0), None);
        kept.put(&[0], 0, &row(&"x".repeat(LARGEST_ROW)));
        assert_eq!(kept.get(1, &[0], 0), None, "a large row is read each time");
        let text = "x".repeat(10_000);
        (0..2000).for_each(|rowid| kept.put(&[0], rowid, &row(&text)));
        let count = (0..2000).filter(|&rowid| kept.get(1, &[0], rowid).is_some()).count();
        assert!((1500..MOST_BYTES / 10_000).contains(&count), "{count}");
        (0..20).for_each(|set| kept.put(&[set], 9, &row("y")));
        assert_eq!(kept.get(1, &[19], 9), None);
    }
}
