//! Checks the arguments of a search (`query`, `k`, `ef_search`) and MATCH among the terms of a query.

use super::index_query::{IndexQuery, Term, compares, comparison_of};
use crate::error::{Error, Result};
use crate::sqlite::Operator;
use crate::vtab::declaration::schema::{ColumnRef, TableSchema};

/// Refuses comparisons of `k` and `ef_search` other than `=`: `k < 10` would compare a NULL column and return nothing,
/// `k IN (1, 2)` would search twice.
pub fn check_arguments(table: &str, schema: &TableSchema, query: &IndexQuery) -> Result<()> {
    for term in &query.terms {
        let Some(column @ (ColumnRef::K | ColumnRef::EfSearch)) = term.column.and_then(|number| schema.column(number))
        else {
            continue;
        };
        if comparison_of(term)
            .is_some_and(|comparison| compares(comparison) && (term.operator != Operator::Eq || term.is_list))
        {
            let name = column.hidden_name();
            return Err(Error::invalid(format!("{table}.{name}: an argument of the search: write \"{name} = ?\"")));
        }
    }
    Ok(())
}

/// Refuses `k` and `ef_search` without a query vector, which no order of the join supplies.
pub fn check_no_argument(table: &str, schema: &TableSchema, query: &IndexQuery) -> Result<()> {
    let Some(term) = query.terms.iter().find(|term| is_argument(schema, term)) else { return Ok(()) };
    let name = term.column.and_then(|number| schema.column(number)).map_or("", |column| column.hidden_name());
    let vector = schema.vectors().next().map_or("", |(_, column, _)| &column.name);
    Err(Error::invalid(format!(
        "{table}.{name}: an argument of a search, and there is no query vector: write \"WHERE {vector} MATCH ? AND {name} = ?\" \
         or \"FROM {table}(?, ...)\""
    )))
}

/// Whether a term is an argument of the table-valued form.
pub fn is_argument(schema: &TableSchema, term: &Term) -> bool {
    let column = term.column.and_then(|number| schema.column(number));
    term.operator == Operator::Eq && matches!(column, Some(ColumnRef::Query | ColumnRef::K | ColumnRef::EfSearch))
}

/// The error of a query with two query vectors.
pub fn two_vectors(table: &str) -> Error {
    Error::invalid(format!("{table}: expected one query vector, got two"))
}

/// The error of MATCH on a column that is no vector column; None is the rowid.
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
