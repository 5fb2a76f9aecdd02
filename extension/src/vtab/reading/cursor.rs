//! The cursor: a scan of the rows table, or a search. Both return one row at a time, when SQLite asks for it.

use super::context::ReadContext;
use super::knn::Knn;
use super::scan::Scan;
use crate::distance::Element;
use crate::error::{Error, Result};
use crate::format::node::RowId;
use crate::functions::{SUBTYPE_BIT, SUBTYPE_FLOAT16, SUBTYPE_INT8};
use crate::sqlite::{ColumnId, Context, Cursor, Kind, Values};
use crate::vtab::declaration::schema::ColumnRef;
use crate::vtab::planning::plan::Plan;
use crate::vtab::rows::owned_value::OwnedValue;

/// A cursor over a table `hnsw`.
pub struct HnswCursor<'t> {
    context: &'t ReadContext,
    walk: Walk<'t>,
}

enum Walk<'t> {
    None,
    Scan(Scan<'t>),
    Knn(Box<Knn<'t>>),
}

impl<'t> HnswCursor<'t> {
    /// A cursor that stands on no row yet.
    pub fn new(context: &'t ReadContext) -> HnswCursor<'t> {
        context.core.cursors.set(context.core.cursors.get() + 1);
        HnswCursor { context, walk: Walk::None }
    }

    fn start(&mut self, number: i32, text: &str, arguments: Values<'_>) -> Result<()> {
        // Returns the statements to the cache, from which the new walk takes them.
        self.walk = Walk::None;
        self.context.core.check_version()?;
        self.context.core.check_content()?;
        let text = self.context.core.without_log_text(text);
        let plan = Plan::decode(number, text, &self.context.core.schema)?;
        self.walk = match &plan {
            Plan::Scan(scan) => Walk::Scan(Scan::start(&self.context.core, scan, arguments)?),
            Plan::Knn(knn) => Walk::Knn(Box::new(Knn::start(self.context, knn, arguments)?)),
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

    /// Sets the result to a column of the current row.
    fn set_result(&mut self, context: &Context<'_>, column: ColumnId) -> Result<()> {
        if context.is_no_change() {
            return Ok(());
        }
        let query = if let Walk::Knn(knn) = &self.walk { knn.query_of(column) } else { None };
        self.context.match_test.note(column, query);
        // An argument of the group limit that the search was not given is part of an OR or an expression, where it would be
        // NULL and limit nothing.
        let given = |kept: Option<&OwnedValue>, name: &str| match kept {
            Some(kept) => {
                context.content(kept.content());
                Ok(())
            }
            None => Err(Error::invalid(format!(
                "{}.{name}: an argument of the search: write \"{name} = ?\" as a term of WHERE, joined to the others by AND",
                self.context.core.names()?.table()
            ))),
        };
        let argument = |kept: Option<&OwnedValue>| {
            if let Some(kept) = kept {
                context.content(kept.content());
            }
        };
        match (self.context.core.schema.column(column), &mut self.walk) {
            (_, Walk::None) => return Err(self.no_row()),
            (Some(ColumnRef::Ordinary(..)), Walk::Scan(scan)) => scan.ordinary(context, column).map(drop)?,
            (Some(ColumnRef::Ordinary(..)), Walk::Knn(knn)) => knn.ordinary(context, column).map(drop)?,
            (Some(ColumnRef::Vector(vector)), walk) if self.context.core.schema.content.is_some() => {
                let kind = match walk {
                    Walk::Scan(scan) => scan.ordinary(context, column)?,
                    Walk::Knn(knn) => knn.ordinary(context, column)?,
                    Walk::None => None,
                };
                if kind == Some(Kind::Blob) {
                    mark(context, vector.params.element);
                }
            }
            (Some(ColumnRef::Vector(vector)), walk) => {
                let (node, rowid) = match walk {
                    Walk::Scan(scan) => (scan.node(vector)?, scan.rowid()),
                    Walk::Knn(knn) => (knn.node(vector)?, knn.rowid()?),
                    Walk::None => (None, 0),
                };
                if let Some(node) = node {
                    let bytes =
                        self.context.core.with_vector(vector.ordinal, |vector| vector.vector(node, RowId(rowid)))?;
                    context.blob(&bytes);
                    mark(context, vector.params.element);
                }
            }
            (Some(ColumnRef::Distance), Walk::Knn(knn)) => context.f64(knn.distance()?),
            (Some(ColumnRef::Similarity), Walk::Knn(knn)) => {
                if let Some(similarity) = knn.similarity()? {
                    context.f64(similarity);
                }
            }
            // SQLite may test the arguments of the table-valued form again.
            (Some(ColumnRef::Query), Walk::Knn(knn)) if knn.arguments().query.is_some() => {
                argument(knn.arguments().query.as_deref());
            }
            (Some(ColumnRef::K), Walk::Knn(knn)) if knn.arguments().k.is_some() => argument(knn.arguments().k.as_ref()),
            (Some(ColumnRef::EfSearch), Walk::Knn(knn)) if knn.arguments().ef_search.is_some() => {
                argument(knn.arguments().ef_search.as_ref());
            }
            (Some(hidden @ ColumnRef::GroupBy), Walk::Knn(knn)) => {
                given(knn.arguments().group_by.as_ref(), hidden.hidden_name())?;
            }
            (Some(hidden @ ColumnRef::GroupLimit), Walk::Knn(knn)) => {
                given(knn.arguments().group_limit.as_ref(), hidden.hidden_name())?;
            }
            (Some(hidden), _) => return self.context.core.check_not_left_out(hidden),
            (None, _) => {}
        }
        Ok(())
    }

    fn read_error(&self, error: Error) -> Error {
        let error = self.context.core.explained(error);
        match self.context.core.names() {
            Ok(names) => self.context.core.nesting.read_error(error, &names),
            Err(_) => error,
        }
    }

    fn no_row(&self) -> Error {
        Error::internal("a cursor that stands on no row")
    }
}

/// So that vec_avg(embedding) and the like read the column for what it is.
fn mark(context: &Context<'_>, element: Element) {
    match element {
        Element::F32 => {}
        Element::F16 => context.subtype(SUBTYPE_FLOAT16),
        Element::I8 => context.subtype(SUBTYPE_INT8),
        Element::Bit => context.subtype(SUBTYPE_BIT),
    }
}

impl Drop for HnswCursor<'_> {
    fn drop(&mut self) {
        self.context.core.cursors.set(self.context.core.cursors.get().saturating_sub(1));
    }
}

impl Cursor for HnswCursor<'_> {
    fn filter(&mut self, number: i32, text: &str, arguments: Values<'_>) -> Result<()> {
        self.start(number, text, arguments).map_err(|error| self.read_error(error))
    }

    fn next(&mut self) -> Result<()> {
        self.step().map_err(|error| self.read_error(error))
    }

    fn is_at_end(&self) -> bool {
        match &self.walk {
            Walk::None => true,
            Walk::Scan(scan) => scan.is_at_end(),
            Walk::Knn(knn) => knn.is_at_end(),
        }
    }

    fn column(&mut self, context: &Context<'_>, column: ColumnId) -> Result<()> {
        self.set_result(context, column).map_err(|error| self.read_error(error))
    }

    fn rowid(&mut self) -> Result<i64> {
        match &self.walk {
            Walk::None => Err(self.no_row()),
            Walk::Scan(scan) => Ok(scan.rowid()),
            Walk::Knn(knn) => knn.rowid(),
        }
    }
}
