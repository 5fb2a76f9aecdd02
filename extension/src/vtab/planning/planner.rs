//! Chooses the plan of a query. Pure functions: `index_query.rs` reads SQLite's description of the query.

use super::index_query::{IndexQuery, Term, compares, comparison_of};
use super::like_range::{Origin, origin};
use super::plan::{Access, Argument, ColumnSet, Filter, Form, FoundBy, KnnPlan, Plan, ScanPlan};
use super::search_arguments::{
    check_arguments, check_no_argument, check_similarity, is_argument, is_hidden, no_vector, two_vectors,
};
use crate::error::{Error, Result};
use crate::filter::predicate::{Affinity, Comparison, is_exact};
use crate::hnsw::Order;
use crate::sqlite::{ColumnId, Operator, OrderTerm, OrderUse, Recheck};
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::declaration::schema::{ColumnRef, Key, TableSchema, VectorRef};

/// A term that the plan uses. Its position among them is that of its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedConstraint {
    pub index: usize,
    pub recheck: Recheck,
    pub is_list: bool,
}

/// A plan, and the properties that SQLite must know.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedQuery {
    pub plan: Plan,
    pub used: Vec<UsedConstraint>,
    pub is_order_consumed: bool,
    /// At most one row is returned.
    pub is_unique: bool,
    pub cost: f64,
    pub rows: f64,
}

/// The assumed number of rows of a table.
const TABLE_ROWS: f64 = 1_000_000.0;
/// The cost of a search, in row reads: high enough that a join puts it into the outer loop. It is the same with every
/// filter, and less than two look-ups: otherwise SQLite would look up a and b in `embedding MATCH ? AND (a OR b)`, and
/// could not evaluate MATCH.
const SEARCH_COST: f64 = 300.0;
const LOOKUP_COST: f64 = 200.0;
/// The assumed number of rows that a search returns, and the same with a k. SQLite does not say how many it will read.
const SEARCH_ROWS: f64 = 100.0;
const K_ROWS: f64 = 10.0;

/// The factor on the cost of a search if one of its terms may be an IN that SQLite does not mark (of two columns, or
/// beside thirty other terms). SQLite would search once per member, count to k each time, and return equal distances in
/// any order. It also asks for a plan without the term, which is then the cheaper one.
const REPEATED_COST: f64 = 1.2;

/// Chooses the plan of a query. Returns None if a query vector, k or ef_search is not known yet: there is no plan with
/// these terms usable.
///
/// # Errors
/// `Error::Invalid` for MATCH where it has no meaning.
pub fn choose(table: &str, schema: &TableSchema, query: &IndexQuery) -> Result<Option<PlannedQuery>> {
    check_arguments(table, schema, query)?;
    let source = source_of(table, schema, query)?;
    check_similarity(table, schema, query, source.as_ref().map(|source| source.ordinal))?;
    match source {
        Some(source) => Ok(knn(schema, query, source)),
        None => {
            check_no_argument(table, schema, query)?;
            Ok(Some(scan(schema, query)))
        }
    }
}

/// The term that supplies the query vector.
struct Source<'q> {
    term: &'q Term,
    ordinal: VectorOrdinal,
    form: Form,
}

fn source_of<'q>(table: &str, schema: &TableSchema, query: &'q IndexQuery) -> Result<Option<Source<'q>>> {
    let mut source: Option<Source<'q>> = None;
    for term in &query.terms {
        let what = term.column.and_then(|id| schema.column(id));
        let (ordinal, form) = match (term.operator, what) {
            (Operator::Match, Some(ColumnRef::Vector(vector))) => (vector.ordinal, Form::Match),
            (Operator::Match, _) => return Err(no_vector(table, schema, what)),
            (Operator::Eq, Some(ColumnRef::Query)) => (only_vector(table, schema)?, Form::Call),
            _ => continue,
        };
        // Under OR, SQLite repeats the arguments of the table-valued form, and tests the second one itself.
        if source.as_ref().is_some_and(|first| first.form == Form::Call && form == Form::Call) {
            continue;
        }
        if source.is_some() {
            return Err(two_vectors(table));
        }
        source = Some(Source { term, ordinal, form });
    }
    Ok(source)
}

/// The vector column that `articles(?)` searches: the only one.
fn only_vector(table: &str, schema: &TableSchema) -> Result<VectorOrdinal> {
    let vectors: Vec<VectorRef<'_>> = schema.vectors().collect();
    match vectors.as_slice() {
        [only] => Ok(only.ordinal),
        [first, ..] => {
            let count = if vectors.len() == 2 { "two".to_string() } else { vectors.len().to_string() };
            Err(Error::invalid(format!(
                "table \"{table}\" has {count} vector columns: write \"WHERE {} MATCH ?\" instead of {table}(?)",
                first.column.name
            )))
        }
        [] => Err(Error::internal("a table without a vector column")),
    }
}

/// The terms that a plan uses, in the order of its arguments.
#[derive(Default)]
struct UsedConstraints {
    constraints: Vec<UsedConstraint>,
}

impl UsedConstraints {
    /// Uses a term. False if it is used already.
    fn take(&mut self, term: &Term, recheck: Recheck) -> bool {
        let is_new = !self.constraints.iter().any(|used| used.index == term.index);
        if is_new {
            self.constraints.push(UsedConstraint { index: term.index, recheck, is_list: false });
        }
        is_new
    }
}

fn knn(schema: &TableSchema, query: &IndexQuery, source: Source<'_>) -> Option<PlannedQuery> {
    let mut used = UsedConstraints::default();
    let on_argument =
        |term: &Term, argument: Argument| term.operator == Operator::Eq && is_hidden(schema, term, argument.column());
    let is_unknown = |term: &Term| !term.is_usable && is_argument(schema, term);
    if !source.term.is_usable || query.terms.iter().any(is_unknown) {
        return None;
    }
    used.take(source.term, Recheck::No);
    let mut take_argument = |argument: Argument| {
        let term = query.terms.iter().find(|term| on_argument(term, argument));
        term.is_some_and(|term| used.take(term, Recheck::No))
    };
    let (has_k, has_ef_search) = (take_argument(Argument::K), take_argument(Argument::EfSearch));
    let (has_group_by, has_group_limit) = (take_argument(Argument::GroupBy), take_argument(Argument::GroupLimit));
    let mut again = Vec::new();
    for argument in Argument::ALL {
        for term in query.terms.iter().filter(|term| on_argument(term, argument)) {
            again.extend(used.take(term, Recheck::No).then_some(argument));
        }
    }

    let distances = take_bounds(schema, query, ColumnRef::Distance, &mut used);
    let similarities = take_bounds(schema, query, ColumnRef::Similarity, &mut used);
    let filters = take_filters(schema, query, &mut used);
    let is_counted = has_k || has_group_by;
    let mut counted = if is_counted { take_counted(schema, query, false, &mut used) } else { Vec::new() };
    if has_k {
        counted.extend(take_counted(schema, query, true, &mut used));
    }
    let is_order_consumed = is_nearest_first(schema, query);
    // If SQLite sorts the rows, it reads all of them.
    let is_page = is_order_consumed || query.order.is_empty();
    let mut take_hint = |operator: Operator| match usable(query).find(|term| term.operator == operator) {
        Some(term) if is_page => {
            used.take(term, Recheck::Yes);
            true
        }
        _ => false,
    };
    let (has_limit, has_offset) = (take_hint(Operator::Limit), take_hint(Operator::Offset));
    // Groups are counted along the strict order.
    let order = if is_order_consumed || has_group_by { Order::Strict } else { Order::Relaxed };
    let is_taken = |term: &&Term| used.constraints.iter().any(|used| used.index == term.index);
    let may_repeat = query.terms.iter().filter(is_taken).any(|term| is_open(term) && !is_argument(schema, term));
    let after_k = if is_counted { left_over(schema, query, &used) } else { Vec::new() };
    let (ordinal, form) = (source.ordinal, source.form);
    let columns = ColumnSet::from_mask(query.columns_used);
    let plan = KnnPlan {
        ordinal,
        form,
        has_k,
        has_ef_search,
        has_group_by,
        has_group_limit,
        again,
        distances,
        similarities,
        filters,
        counted,
        found_by: FoundBy::Scan,
        order,
        has_limit,
        has_offset,
        after_k,
        columns,
    };
    Some(PlannedQuery {
        plan: Plan::Knn(plan),
        used: used.constraints,
        is_order_consumed,
        is_unique: false,
        cost: if may_repeat { SEARCH_COST * REPEATED_COST } else { SEARCH_COST },
        rows: if has_k { K_ROWS } else { SEARCH_ROWS },
    })
}

/// Whether a comparison can be a bound of the distance.
pub fn can_bound_distance(comparison: Comparison) -> bool {
    !matches!(comparison, Comparison::Like | Comparison::Glob | Comparison::In)
}

/// Uses the terms on the distance, or on the similarity. SQLite offers `(distance, rowid) > (?, ?)` as `distance >= ?`, and
/// tests it in full.
fn take_bounds(
    schema: &TableSchema,
    query: &IndexQuery,
    measure: ColumnRef<'_>,
    used: &mut UsedConstraints,
) -> Vec<Comparison> {
    let mut bounds = Vec::new();
    for term in usable(query).filter(|term| is_hidden(schema, term, measure)) {
        let comparison = comparison_of(term).filter(|comparison| can_bound_distance(*comparison));
        if let Some(comparison) = comparison.filter(|comparison| !query.may_be_of_later_join(*comparison)) {
            used.take(term, Recheck::Yes);
            bounds.push(comparison);
        }
    }
    bounds
}

/// Uses the terms that may belong to a later join, or to a LIKE that SQLite does not offer: on distance and similarity, or
/// on columns. They exclude no row, but only rows that pass them are counted.
fn take_counted(
    schema: &TableSchema,
    query: &IndexQuery,
    is_measured: bool,
    used: &mut UsedConstraints,
) -> Vec<Filter> {
    let is_measure = |term: &Term| {
        [ColumnRef::Distance, ColumnRef::Similarity].iter().any(|hidden| is_hidden(schema, term, *hidden))
    };
    let mut counted = Vec::new();
    for term in usable(query).filter(|term| is_measure(term) == is_measured) {
        let Some(filter) = filter_of(schema, term) else { continue };
        let is_answered = is_measured || affinity_of(schema, term.column, filter.comparison).is_some();
        let may_be_of_others = query.may_be_of_later_join(filter.comparison) || origin(query, term) == Origin::Unknown;
        if is_answered && may_be_of_others {
            used.take(term, Recheck::Yes);
            counted.push(filter);
        }
    }
    counted
}

/// The terms that the plan does not use, such as those of a join whose other table is read later.
fn left_over(schema: &TableSchema, query: &IndexQuery, used: &UsedConstraints) -> Vec<Filter> {
    let is_taken = |term: &Term| used.constraints.iter().any(|used| used.index == term.index);
    let is_declared = |term: &Term| term.column.is_none_or(|id| schema.is_declared(id));
    let left = query.terms.iter().filter(|term| !is_taken(term) && is_declared(term));
    left.filter(|term| origin(query, term) == Origin::Statement).filter_map(|term| filter_of(schema, term)).collect()
}

/// Whether the order is `distance` or `similarity DESC`, alone or followed by `rowid`. A GROUP BY or DISTINCT of the same
/// columns does not count: it needs every row.
fn is_nearest_first(schema: &TableSchema, query: &IndexQuery) -> bool {
    let is_nearest = |term: &OrderTerm| match term.column.and_then(|id| schema.column(id)) {
        Some(ColumnRef::Distance) => !term.is_descending,
        Some(ColumnRef::Similarity) => term.is_descending,
        _ => false,
    };
    let starts_right = match query.order.as_slice() {
        [nearest] => is_nearest(nearest),
        // Two rows never agree in distance and rowid, so later terms sort nothing.
        [nearest, rowid, ..] => is_nearest(nearest) && is_rowid(schema, rowid.column) && !rowid.is_descending,
        [] => false,
    };
    starts_right && matches!(query.order_use, OrderUse::Sorted | OrderUse::SortedOnePerGroup)
}

fn scan(schema: &TableSchema, query: &IndexQuery) -> PlannedQuery {
    let mut used = UsedConstraints::default();
    let filters = take_filters(schema, query, &mut used);
    let access = access(schema, &filters);
    let order = scan_order(schema, query, &filters);
    let rows = estimate(schema, &filters);
    let cost = match access {
        Access::All => TABLE_ROWS,
        Access::Rowid => LOOKUP_COST + rows,
        Access::Key => LOOKUP_COST + 2.0 * rows,
        Access::Index => LOOKUP_COST + 2.0 * rows,
    };
    let is_one_rowid = |filter: &Filter| is_rowid(schema, filter.column) && filter.comparison == Comparison::Eq;
    let is_unique = filters.iter().any(is_one_rowid);
    let columns = ColumnSet::from_mask(query.columns_used);
    let is_order_consumed = order.is_some();
    let plan = Plan::Scan(ScanPlan { access, filters, order, columns });
    PlannedQuery { plan, used: used.constraints, is_order_consumed, is_unique, cost, rows }
}

fn usable(query: &IndexQuery) -> impl Iterator<Item = &Term> {
    query.terms.iter().filter(|term| term.is_usable)
}

/// Uses every term that the rows table can answer.
fn take_filters(schema: &TableSchema, query: &IndexQuery, used: &mut UsedConstraints) -> Vec<Filter> {
    let mut filters = Vec::new();
    for term in usable(query) {
        if origin(query, term) != Origin::Statement {
            continue;
        }
        let Some(filter) = filter_of(schema, term) else { continue };
        if query.may_be_of_later_join(filter.comparison) {
            continue;
        }
        let Some(affinity) = affinity_of(schema, term.column, filter.comparison) else { continue };
        let is_exact = is_exact(affinity, filter.comparison) && !is_part_of_in(schema, term);
        let recheck = if is_exact { Recheck::No } else { Recheck::Yes };
        used.constraints.push(UsedConstraint { index: term.index, recheck, is_list: term.is_list });
        filters.push(filter);
    }
    filters
}

fn filter_of(schema: &TableSchema, term: &Term) -> Option<Filter> {
    let comparison = comparison_of(term)?;
    let is_foreign = is_foreign(schema, term) && compares(comparison) && !is_part_of_in(schema, term);
    Some(Filter { column: term.column, comparison, collation: is_foreign.then(|| term.collation.clone()) })
}

/// Whether the collation is not the column's own.
fn is_foreign(schema: &TableSchema, term: &Term) -> bool {
    let own = match term.column.and_then(|id| schema.column(id)) {
        Some(ColumnRef::Ordinary(_, ordinary)) => ordinary.collation(),
        _ => "BINARY",
    };
    !term.collation.eq_ignore_ascii_case(own)
}

/// Whether a term is an equality whose right side is unknown at planning: of a join, or a part of an IN.
fn is_open(term: &Term) -> bool {
    term.operator == Operator::Eq && !term.is_list && !term.is_constant
}

/// Whether a term may be a part of `(a, b) IN (SELECT ...)`. SQLite offers it as `a = ?` and `b = ?`, and reports the
/// collation BINARY whatever it is. Values that are equal under BINARY are equal under the column's collation too, so
/// no row is lost, and SQLite tests the rows.
fn is_part_of_in(schema: &TableSchema, term: &Term) -> bool {
    is_open(term) && term.collation.eq_ignore_ascii_case("BINARY") && is_foreign(schema, term)
}

/// The affinity of a column in the rows table; None if the rows table cannot answer the comparison. Of a vector it
/// knows only whether it is NULL.
fn affinity_of(schema: &TableSchema, column: Option<ColumnId>, comparison: Comparison) -> Option<Affinity> {
    let Some(id) = column else { return Some(Affinity::Numeric) };
    match schema.column(id)? {
        ColumnRef::Ordinary(_, ordinary) => Some(ordinary.affinity()),
        ColumnRef::Vector(..) if matches!(comparison, Comparison::IsNull | Comparison::IsNotNull) => {
            Some(Affinity::Blob)
        }
        _ => None,
    }
}

fn is_rowid(schema: &TableSchema, column: Option<ColumnId>) -> bool {
    column.is_none() || column == schema.rowid_column()
}

/// How the rows table will find the rows, judged by the declaration. The user may have created more indexes.
fn access(schema: &TableSchema, filters: &[Filter]) -> Access {
    let by = |filter: &Filter| {
        if !filter.comparison.can_search() || filter.collation.is_some() {
            return Access::All;
        }
        if is_rowid(schema, filter.column) {
            return Access::Rowid;
        }
        match filter.column.and_then(|id| schema.column(id)) {
            Some(ColumnRef::Ordinary(_, ordinary)) if ordinary.key == Key::Unique => Access::Key,
            Some(ColumnRef::Ordinary(_, ordinary)) if ordinary.is_indexed => Access::Index,
            _ => Access::All,
        }
    };
    let rank = |access: &Access| match access {
        Access::Rowid => 0,
        Access::Key => 1,
        Access::Index => 2,
        Access::All => 3,
    };
    // An equality by any index finds fewer rows than a range by a better one.
    let equalities = filters.iter().filter(|filter| filter.comparison.is_equality());
    let best = equalities.map(by).min_by_key(rank).filter(|access| *access != Access::All);
    best.or_else(|| filters.iter().map(by).min_by_key(rank)).unwrap_or(Access::All)
}

/// An estimate of the rows that pass the filters.
fn estimate(schema: &TableSchema, filters: &[Filter]) -> f64 {
    let mut estimate = TABLE_ROWS;
    for filter in filters {
        let is_key = is_rowid(schema, filter.column)
            || matches!(filter.column.and_then(|id| schema.column(id)),
                Some(ColumnRef::Ordinary(_, ordinary)) if ordinary.key == Key::Unique);
        estimate = match filter.comparison {
            Comparison::Eq | Comparison::Is if is_key => return 1.0,
            Comparison::In if is_key => estimate.min(25.0),
            Comparison::Eq | Comparison::Is | Comparison::IsNull => estimate / 100.0,
            Comparison::In => estimate / 20.0,
            Comparison::Ne | Comparison::IsNot | Comparison::IsNotNull => estimate,
            _ => estimate / 4.0,
        };
    }
    estimate.max(1.0)
}

/// The order that the rows table provides without a sort: by rowid, or by an indexed column if there is no filter.
fn scan_order(schema: &TableSchema, query: &IndexQuery, filters: &[Filter]) -> Option<OrderTerm> {
    let (first, rest) = query.order.split_first()?;
    if is_rowid(schema, first.column) {
        return Some(*first);
    }
    let ColumnRef::Ordinary(_, ordinary) = schema.column(first.column?)? else { return None };
    let is_indexed = ordinary.is_indexed || ordinary.key != Key::None;
    (is_indexed && rest.is_empty() && filters.is_empty()).then_some(*first)
}

#[cfg(test)]
mod tests;
