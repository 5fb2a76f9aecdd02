//! Checks the arguments of a search (`query`, `k`, `ef_search`, `group_by`, `group_limit`) and MATCH among the terms of a
//! query.

use super::index_query::{IndexQuery, Term, compares, comparison_of};
use crate::distance::Metric;
use crate::error::{Error, Result};
use crate::sqlite::{ColumnId, Operator, OrderUse};
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::declaration::schema::{ColumnRef, TableSchema, VectorRef};

/// Refuses comparisons of `k` and `ef_search` other than `=`: `k < 10` would compare a NULL column and return nothing,
/// `k IN (1, 2)` would search twice.
pub fn check_arguments(table: &str, schema: &TableSchema, query: &IndexQuery) -> Result<()> {
    for term in &query.terms {
        let Some(column) = term.column.and_then(|id| schema.column(id)) else { continue };
        let is_wrong = match column {
            ColumnRef::K | ColumnRef::EfSearch => comparison_of(term)
                .is_some_and(|comparison| compares(comparison) && (term.operator != Operator::Eq || term.is_list)),
            ColumnRef::GroupBy | ColumnRef::GroupLimit => {
                !matches!(term.operator, Operator::Eq | Operator::Match) || term.is_list
            }
            _ => false,
        };
        if is_wrong {
            let name = column.hidden_name();
            return Err(Error::invalid(format!("{table}.{name}: an argument of the search: write \"{name} = ?\"")));
        }
    }
    let is_given = |wanted| query.terms.iter().any(|term| is_hidden(schema, term, wanted));
    if is_given(ColumnRef::GroupLimit) && !is_given(ColumnRef::GroupBy) {
        return Err(Error::invalid(format!(
            "{table}.group_limit: the most rows per group, and there is no group_by: write \"AND group_by = 'COLUMN' AND \
             group_limit = ?\""
        )));
    }
    Ok(())
}

/// Whether a term is on a hidden column.
pub fn is_hidden(schema: &TableSchema, term: &Term, wanted: ColumnRef<'_>) -> bool {
    term.column.and_then(|id| schema.column(id)) == Some(wanted)
}

/// Under l2 the similarity is NULL: no term on it could be true, and no order by it would be one. `searched`: the vector
/// column; without a search any column that has a similarity will do.
pub fn check_similarity(
    table: &str,
    schema: &TableSchema,
    query: &IndexQuery,
    searched: Option<VectorOrdinal>,
) -> Result<()> {
    let is_similarity =
        |column: Option<ColumnId>| column.is_some() && column == schema.hidden_column(ColumnRef::Similarity);
    let is_sorted = matches!(query.order_use, OrderUse::Sorted | OrderUse::SortedOnePerGroup);
    let is_used = query.terms.iter().any(|term| is_similarity(term.column))
        || is_sorted && query.order.iter().any(|term| is_similarity(term.column));
    let is_of_search = |vector: &VectorRef<'_>| searched.is_none_or(|searched| searched == vector.ordinal);
    let mut searchable = schema.vectors().filter(is_of_search).peekable();
    let Some(first) = searchable.peek() else { return Ok(()) };
    let name = &first.column.name;
    if is_used && searchable.all(|vector| vector.params.metric == Metric::L2) {
        return Err(Error::invalid(format!(
            "{table}.similarity: NULL under the metric l2 of {name}, which has no similarity: compare and sort by distance"
        )));
    }
    Ok(())
}

/// Refuses `k` and `ef_search` without a query vector, which no order of the join supplies.
pub fn check_no_argument(table: &str, schema: &TableSchema, query: &IndexQuery) -> Result<()> {
    let Some(term) = query.terms.iter().find(|term| is_argument(schema, term)) else { return Ok(()) };
    let name = term.column.and_then(|id| schema.column(id)).map_or("", |column| column.hidden_name());
    let vector = schema.vectors().next().map_or("", |vector| &vector.column.name);
    let call = if matches!(name, "k" | "ef_search") { "(?, ...)".to_string() } else { format!("(?) WHERE {name} = ?") };
    Err(Error::invalid(format!(
        "{table}.{name}: an argument of a search, and there is no query vector: write \"WHERE {vector} MATCH ? AND {name} = ?\" \
         or \"FROM {table}{call}\""
    )))
}

/// Whether a term is an argument of the search.
pub fn is_argument(schema: &TableSchema, term: &Term) -> bool {
    use ColumnRef::{EfSearch, GroupBy, GroupLimit, K, Query};
    let column = term.column.and_then(|id| schema.column(id));
    term.operator == Operator::Eq && matches!(column, Some(Query | K | EfSearch | GroupBy | GroupLimit))
}

/// The error of a query with two query vectors.
pub fn two_vectors(table: &str) -> Error {
    Error::invalid(format!("{table}: expected one query vector, got two"))
}

/// The error of MATCH on a column that is no vector column; None is the rowid.
pub fn no_vector(table: &str, schema: &TableSchema, column: Option<ColumnRef<'_>>) -> Error {
    let vector = schema.vectors().next().map_or("", |vector| &vector.column.name);
    let name = match column {
        Some(ColumnRef::Ordinary(column, _) | ColumnRef::Vector(VectorRef { column, .. })) => column.name.as_str(),
        Some(ColumnRef::Command) => table,
        Some(hidden) => hidden.hidden_name(),
        None => "rowid",
    };
    Error::invalid(format!("{table}.{name}: MATCH is for vector columns: write \"WHERE {vector} MATCH ?\""))
}
