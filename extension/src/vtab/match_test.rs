//! `embedding MATCH ?` where SQLite tests it itself: beside more terms than it lets a plan answer for, in a result
//! column, under NOT. It can be told from inside a search for that very vector alone.
//!
//! SQLite reads the column, then calls the function: what the last column read was says whether the row came from a
//! search, and for which vector.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::rows_filter::Kept;
use super::schema::{ColumnRef, TableSchema};
use super::table::Names;
use crate::error::{Error, Result};
use crate::sqlite::{Context, Overload, Value, Values};

/// What the cursors of a table read last.
pub struct MatchTest {
    schema: Rc<TableSchema>,
    names: RefCell<Rc<Names>>,
    column: Cell<usize>,
    /// The vector that the row was found by, if that column was searched.
    query: RefCell<Option<Rc<Kept>>>,
}

impl MatchTest {
    pub fn new(schema: Rc<TableSchema>, names: Rc<Names>) -> Rc<MatchTest> {
        let (names, query) = (RefCell::new(names), RefCell::default());
        Rc::new(MatchTest { schema, names, column: Cell::new(0), query })
    }

    pub fn rename(&self, names: Rc<Names>) {
        self.names.replace(names);
    }

    /// A cursor reads `column`.
    #[inline]
    pub fn note(&self, column: usize, query: Option<&Rc<Kept>>) {
        self.column.set(column);
        self.query.replace(query.cloned());
    }

    /// The function `match` for columns of the table.
    pub fn overload(self: &Rc<MatchTest>) -> Overload {
        let test = Rc::clone(self);
        let function = move |context: &Context<'_>, arguments: Values<'_>| {
            // A row without a vector, or one that an outer join made up, matches nothing.
            if !arguments.at(0)?.is_null() && !arguments.at(1)?.is_null() {
                test.check(arguments.at(0)?)?;
                context.i64(1);
            }
            Ok(())
        };
        Overload { function: Box::new(function), operator: None }
    }

    fn check(&self, wanted: Value<'_>) -> Result<()> {
        match &*self.query.borrow() {
            Some(query) if query.content() == wanted.content() => Ok(()),
            query => Err(self.refusal(query.is_some())),
        }
    }

    fn refusal(&self, is_searched: bool) -> Error {
        let names = self.names.borrow();
        match self.schema.column(self.column.get()) {
            Some(ColumnRef::Vector(..)) if is_searched => two_vectors(names.table()),
            Some(ColumnRef::Vector(column, _)) => Error::invalid(format!(
                "{}.{}: unable to use function MATCH in the requested context: it searches as a term of WHERE, joined to \
                 the others by AND",
                names.table(),
                column.name
            )),
            column => no_vector(names.table(), &self.schema, column),
        }
    }
}

pub fn two_vectors(table: &str) -> Error {
    Error::invalid(format!("{table}: expected one query vector, got two"))
}

/// MATCH on another column; None is the rowid.
pub fn no_vector(table: &str, schema: &TableSchema, column: Option<ColumnRef<'_>>) -> Error {
    let vector = schema.vectors().next().map_or("", |(_, column, _)| &column.name);
    let name = match column {
        Some(ColumnRef::Ordinary(column, _) | ColumnRef::Vector(column, _)) => column.name.as_str(),
        Some(ColumnRef::Command) => table,
        Some(hidden) => hidden.hidden_name(),
        None => "rowid",
    };
    Error::invalid(format!("{table}.{name}: MATCH is for vector columns: write \"WHERE {vector} MATCH ?\""))
}
