//! `embedding MATCH ?` where SQLite tests it itself: beside more terms than a plan may answer, in a result column,
//! under NOT. The test can only be answered inside a search for that vector.
//!
//! SQLite reads the column, then calls the function. So the last column read tells whether the row came from a search,
//! and for which vector. The exception: if another term says what the column equals, SQLite uses that value and reads
//! nothing.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::error::{Error, Result};
use crate::sqlite::{ColumnId, Context, Kind, Overload, Value, Values};
use crate::vtab::declaration::schema::{ColumnRef, TableSchema, VectorRef};
use crate::vtab::planning::search_arguments::{no_vector, two_vectors};
use crate::vtab::rows::owned_value::OwnedValue;
use crate::vtab::rows::table::Names;

/// The column that the cursors of a table read last, and the searches in progress.
pub struct MatchTest {
    schema: Rc<TableSchema>,
    names: RefCell<Rc<Names>>,
    column: Cell<ColumnId>,
    /// The query vector that found the row, if that column was searched.
    query: RefCell<Option<Rc<OwnedValue>>>,
    /// The query vectors of the searches in progress.
    searches: RefCell<Vec<Weak<OwnedValue>>>,
}

impl MatchTest {
    /// A test that knows no search yet.
    pub fn new(schema: Rc<TableSchema>, names: Rc<Names>) -> Rc<MatchTest> {
        let (names, query) = (RefCell::new(names), RefCell::default());
        Rc::new(MatchTest { schema, names, column: Cell::new(ColumnId(0)), query, searches: RefCell::default() })
    }

    /// Changes the name of the virtual table.
    pub fn rename(&self, names: Rc<Names>) {
        self.names.replace(names);
    }

    /// Notes that a search begins. It ends when its vector is dropped.
    pub fn note_search(&self, query: &Rc<OwnedValue>) {
        let mut searches = self.searches.borrow_mut();
        searches.retain(|search| search.strong_count() > 0);
        searches.push(Rc::downgrade(query));
    }

    /// Notes that a cursor reads `column`.
    #[inline]
    pub fn note(&self, column: ColumnId, query: Option<&Rc<OwnedValue>>) {
        self.column.set(column);
        self.query.replace(query.cloned());
    }

    /// The function `match` for columns of the table.
    pub fn overload(self: &Rc<MatchTest>) -> Overload {
        let test = Rc::clone(self);
        let function = move |context: &Context<'_>, arguments: Values<'_>| {
            // SQLite passes the right side of MATCH first.
            let (vector, column) = (arguments.at(0)?, arguments.at(1)?);
            if vector.is_null() {
                return Ok(());
            }
            // A row without a vector, or a NULL row of an outer join, matches nothing.
            if column.is_null() {
                return if test.is_searched(vector) { Ok(()) } else { Err(test.no_search()) };
            }
            test.check(vector, column)?;
            context.i64(1);
            Ok(())
        };
        Overload { function: Box::new(function), operator: None }
    }

    /// Whether a search for that vector is in progress.
    fn is_searched(&self, wanted: Value<'_>) -> bool {
        let is_wanted = |query: Rc<OwnedValue>| query.content() == wanted.content();
        self.searches.borrow().iter().filter_map(Weak::upgrade).any(is_wanted)
    }

    /// The error of MATCH on NULL without a search for it. A NULL row of an outer join does not tell its column.
    fn no_search(&self) -> Error {
        Error::invalid(format!(
            "{0}: unable to use function MATCH in the requested context: write it as a term of WHERE, joined to the \
             others by AND; if {0} is the right table of an outer join, as a term of ON",
            self.names.borrow().table()
        ))
    }

    fn check(&self, wanted: Value<'_>, value: Value<'_>) -> Result<()> {
        let is_wanted = |query: &OwnedValue| query.content() == wanted.content();
        let query = self.query.borrow();
        if query.as_deref().is_some_and(is_wanted) {
            return Ok(());
        }
        let is_vector = matches!(self.column_read(), Some(ColumnRef::Vector(..)));
        let is_unread = !is_vector && value.kind() == Kind::Blob;
        if is_unread && self.is_searched(wanted) { Ok(()) } else { Err(self.refusal(query.is_some())) }
    }

    fn column_read(&self) -> Option<ColumnRef<'_>> {
        self.schema.column(self.column.get())
    }

    fn refusal(&self, is_searched: bool) -> Error {
        let names = self.names.borrow();
        match self.column_read() {
            Some(ColumnRef::Vector(..)) if is_searched => two_vectors(names.table()),
            Some(ColumnRef::Vector(VectorRef { column, .. })) => Error::invalid(format!(
                "{}.{}: unable to use function MATCH in the requested context: write it as a term of WHERE, joined to \
                 the others by AND",
                names.table(),
                column.name
            )),
            column => no_vector(names.table(), &self.schema, column),
        }
    }
}
