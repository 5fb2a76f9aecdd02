//! The cursor: a walk over the rows table, or a search. Both give their rows one by one, as SQLite asks.

use super::knn::Knn;
use super::plan::Plan;
use super::rows_filter::Kept;
use super::scan::Scan;
use super::schema::ColumnRef;
use super::table::HnswTable;
use crate::distance::Element;
use crate::error::{Error, Result};
use crate::format::node::RowId;
use crate::functions::{SUBTYPE_FLOAT16, SUBTYPE_INT8};
use crate::sqlite::{Context, Cursor, Values};

pub struct HnswCursor<'t> {
    table: &'t HnswTable,
    walk: Walk<'t>,
}

enum Walk<'t> {
    None,
    Scan(Scan<'t>),
    Knn(Box<Knn<'t>>),
}

impl<'t> HnswCursor<'t> {
    pub fn new(table: &'t HnswTable) -> HnswCursor<'t> {
        table.cursors.set(table.cursors.get() + 1);
        HnswCursor { table, walk: Walk::None }
    }

    fn start(&mut self, number: i32, text: &str, arguments: Values<'_>) -> Result<()> {
        // Gives the statements back before the new walk takes them.
        self.walk = Walk::None;
        self.table.check_version()?;
        let plan = self.table.plan(number, text)?;
        self.walk = match &*plan {
            Plan::Scan(scan) => Walk::Scan(Scan::start(self.table, scan, arguments)?),
            Plan::Knn(knn) => Walk::Knn(Box::new(Knn::start(self.table, knn, arguments)?)),
        };
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        match &mut self.walk {
            Walk::None => Err(self.no_row()),
            Walk::Scan(scan) => scan.next(),
            Walk::Knn(knn) => knn.next(),
        }
    }

    fn give(&mut self, context: &Context<'_>, column: usize) -> Result<()> {
        if context.is_no_change() {
            return Ok(());
        }
        let query = if let Walk::Knn(knn) = &self.walk { knn.query_of(column) } else { None };
        self.table.match_test.note(column, query);
        let argument = |kept: Option<&Kept>| {
            if let Some(kept) = kept {
                context.content(kept.content());
            }
        };
        match (self.table.schema.column(column), &mut self.walk) {
            (_, Walk::None) => return Err(self.no_row()),
            (Some(ColumnRef::Ordinary(..)), Walk::Scan(scan)) => scan.ordinary(context, column)?,
            (Some(ColumnRef::Ordinary(..)), Walk::Knn(knn)) => knn.ordinary(context, column)?,
            (Some(ColumnRef::Vector(_, vector)), walk) => {
                let (node, rowid) = match walk {
                    Walk::Scan(scan) => (scan.node(column)?, scan.rowid()),
                    Walk::Knn(knn) => (knn.node(column)?, knn.rowid()?),
                    Walk::None => (None, 0),
                };
                if let Some(node) = node {
                    let bytes = self.table.with_vector(vector.ordinal, |vector| vector.vector(node, RowId(rowid)))?;
                    context.blob(&bytes);
                    // So that vec_avg(embedding) and the like read the column for what it is.
                    match vector.params.element {
                        Element::F32 => {}
                        Element::F16 => context.subtype(SUBTYPE_FLOAT16),
                        Element::I8 => context.subtype(SUBTYPE_INT8),
                    }
                }
            }
            (Some(ColumnRef::Distance), Walk::Knn(knn)) => context.f64(knn.distance()?),
            // SQLite may test the arguments of the table-valued form like any other term.
            (Some(ColumnRef::Query), Walk::Knn(knn)) => argument(knn.arguments().query.as_deref()),
            (Some(ColumnRef::K), Walk::Knn(knn)) => argument(knn.arguments().k.as_ref()),
            (Some(ColumnRef::EfSearch), Walk::Knn(knn)) => argument(knn.arguments().ef_search.as_ref()),
            _ => {}
        }
        Ok(())
    }

    fn no_row(&self) -> Error {
        Error::internal("a cursor that stands on no row")
    }
}

impl Drop for HnswCursor<'_> {
    fn drop(&mut self) {
        self.table.cursors.set(self.table.cursors.get().saturating_sub(1));
    }
}

impl Cursor for HnswCursor<'_> {
    fn filter(&mut self, number: i32, text: &str, arguments: Values<'_>) -> Result<()> {
        self.start(number, text, arguments).map_err(|error| self.table.read_error(error))
    }

    fn next(&mut self) -> Result<()> {
        self.step().map_err(|error| self.table.read_error(error))
    }

    fn is_at_end(&self) -> bool {
        match &self.walk {
            Walk::None => true,
            Walk::Scan(scan) => scan.is_at_end(),
            Walk::Knn(knn) => knn.is_at_end(),
        }
    }

    fn column(&mut self, context: &Context<'_>, column: usize) -> Result<()> {
        self.give(context, column).map_err(|error| self.table.read_error(error))
    }

    fn rowid(&mut self) -> Result<i64> {
        match &self.walk {
            Walk::None => Err(self.no_row()),
            Walk::Scan(scan) => Ok(scan.rowid()),
            Walk::Knn(knn) => knn.rowid(),
        }
    }
}
