//! The filters of a plan, with the values of one query, as a WHERE clause on the rows table.

use std::ops::Range;

use super::owned_value::OwnedValue;
use crate::error::Result;
use crate::filter::predicate::{Affinity, Class, Clause, Comparison, Predicate};
use crate::sqlite::{ColumnId, Statement, Value, Values, quote_identifier};
use crate::vtab::declaration::schema::{ColumnRef, TableSchema};
use crate::vtab::planning::plan::Filter;

/// The longest IN list that becomes part of the clause. A longer one is left to SQLite.
const LONGEST_LIST: usize = 10_000;

/// The longest IN list whose members are looked up one by one in an in-memory index.
const LONGEST_UNION: usize = 32;

/// Parameter 1 belongs to the statement that uses the clause.
const FIRST_PARAMETER: usize = 2;

/// A clause that the index of its column answers alone.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeTerm {
    pub column: ColumnId,
    pub ranges: Vec<IndexRange>,
}

/// A range of the index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexRange {
    pub sql: String,
    /// The positions of its values among those of the filter.
    pub values: Range<usize>,
}

/// A WHERE clause and its values: `a = ?2 AND b IN (?3,?4)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowsFilter {
    /// The clause; empty if it excludes no row.
    pub sql: String,
    values: Vec<OwnedValue>,
    range_terms: Vec<RangeTerm>,
    /// Whether there are clauses beside the range terms.
    has_others: bool,
    /// Whether no row can pass.
    pub is_never: bool,
    /// Whether there is a LIKE or GLOB.
    pub has_patterns: bool,
    /// Whether LIKE ignores case, which a pragma of the connection decides.
    pub ignores_case: bool,
}

impl RowsFilter {
    /// Builds the clause. `arguments` has one value per filter.
    pub fn new(schema: &TableSchema, filters: &[Filter], arguments: Values<'_>) -> Result<RowsFilter> {
        let mut clauses = RowsFilter::default();
        for (position, filter) in filters.iter().enumerate() {
            clauses.push(schema, filter, arguments.at(position)?)?;
        }
        Ok(clauses)
    }

    /// The SQL of the filters for typical values, from which SQLite's EXPLAIN QUERY PLAN tells how it would find the
    /// rows.
    pub fn outline(schema: &TableSchema, filters: &[Filter]) -> String {
        let clauses = filters.iter().enumerate().filter_map(|(position, filter)| {
            let first = FIRST_PARAMETER + position;
            let clause = with_predicate(schema, filter, |predicate| match filter.comparison {
                Comparison::In => predicate.in_clause(1, false, first),
                _ => predicate.clause(Class::Bytes, first),
            });
            match clause {
                Clause::Sql(sql) => Some(sql),
                Clause::Never | Clause::Any => None,
            }
        });
        clauses.collect::<Vec<_>>().join(" AND ")
    }

    fn push(&mut self, schema: &TableSchema, filter: &Filter, argument: Value<'_>) -> Result<()> {
        let comparison = filter.comparison;
        self.has_patterns |= matches!(comparison, Comparison::Like | Comparison::Glob);
        let first = FIRST_PARAMETER + self.values.len();
        let (clause, values) = if comparison == Comparison::In {
            let Some(members) = members(argument)? else { return Ok(()) };
            let has_numbers = members.iter().any(|member| member.class() == Class::Number);
            let clause =
                with_predicate(schema, filter, |predicate| predicate.in_clause(members.len(), has_numbers, first));
            (clause, members)
        } else {
            let value = OwnedValue::of(argument.content());
            let clause = with_predicate(schema, filter, |predicate| predicate.clause(value.class(), first));
            // IS NULL and IS NOT NULL have no parameter.
            let has_parameter = !matches!(comparison, Comparison::IsNull | Comparison::IsNotNull);
            (clause, if has_parameter { vec![value] } else { Vec::new() })
        };
        match clause {
            Clause::Sql(sql) => {
                match range_term(schema, filter, &sql, &values, self.values.len()) {
                    Some(term) => self.add_range_term(term),
                    None => self.has_others = true,
                }
                self.values.extend(values);
                self.sql.push_str(if self.sql.is_empty() { "" } else { " AND " });
                self.sql.push_str(&sql);
            }
            Clause::Never => self.is_never = true,
            Clause::Any => {}
        }
        Ok(())
    }

    /// The range terms, if the filter consists of nothing else.
    pub fn range_terms(&self) -> Option<&[RangeTerm]> {
        (!self.has_others && !self.range_terms.is_empty()).then_some(&self.range_terms)
    }

    /// Adds a range term, or joins it with the last one: `a >= ?2` and `a <= ?3` are one range.
    fn add_range_term(&mut self, term: RangeTerm) {
        if let [range] = &*term.ranges {
            let before = self.range_terms.last_mut().filter(|before| before.column == term.column);
            if let Some([before]) = before.map(|before| &mut *before.ranges)
                && before.values.end == range.values.start
            {
                before.sql = format!("{} AND {}", before.sql, range.sql);
                before.values.end = range.values.end;
                return;
            }
        }
        self.range_terms.push(term);
    }

    /// Binds the values.
    pub fn bind(&self, statement: &mut Statement) -> Result<()> {
        self.bind_some(statement, 0..self.values.len())
    }

    /// Binds the values at some positions.
    pub fn bind_some(&self, statement: &mut Statement, positions: Range<usize>) -> Result<()> {
        for (position, value) in self.values.iter().enumerate().take(positions.end).skip(positions.start) {
            statement.bind_content(FIRST_PARAMETER + position, value.content())?;
        }
        Ok(())
    }

    /// The approximate bytes of memory in use.
    pub fn bytes(&self) -> usize {
        self.sql.len() + self.values.iter().map(|value| size_of::<OwnedValue>() + value.bytes()).sum::<usize>()
    }

    /// The clause after another one: ` AND a = ?2 AND ...`; empty if it excludes no row.
    pub fn and_sql(&self) -> String {
        if self.sql.is_empty() { String::new() } else { format!(" AND {}", self.sql) }
    }
}

/// A clause as ranges of its column's index; None if it is not a range, or if the column is not INDEXED. `first` is the
/// position of its first value.
fn range_term(
    schema: &TableSchema,
    filter: &Filter,
    sql: &str,
    values: &[OwnedValue],
    first: usize,
) -> Option<RangeTerm> {
    use Comparison::{Eq, Ge, Glob, Gt, In, Is, IsNot, IsNotNull, IsNull, Le, Like, Lt, Ne};
    let column = filter.column?;
    let Some(ColumnRef::Ordinary(named, ordinary)) = schema.column(column) else { return None };
    // Indexes of a content table do not hold the nodes.
    if !ordinary.is_indexed || filter.collation.is_some() || schema.content.is_some() {
        return None;
    }
    let is_plain =
        ordinary.affinity() == Affinity::Numeric || values.iter().all(|value| value.class() != Class::Number);
    let ranges = match filter.comparison {
        IsNull | IsNotNull => vec![IndexRange { sql: sql.to_string(), values: first..first }],
        Eq | Is | Lt | Le | Gt | Ge if is_plain => {
            vec![IndexRange { sql: sql.to_string(), values: first..first + values.len() }]
        }
        In if is_plain => {
            let mut members: Vec<usize> = (0..values.len()).collect();
            members.dedup_by_key(|position| values.get(*position));
            if members.len() > LONGEST_UNION {
                return None;
            }
            let quoted = quote_identifier(&named.name);
            let of_member = |position: usize| IndexRange {
                sql: format!("{quoted} = ?{}", FIRST_PARAMETER + position),
                values: position..position + 1,
            };
            members.into_iter().map(|member| of_member(first + member)).collect()
        }
        Eq | Is | Lt | Le | Gt | Ge | In | Ne | IsNot | Like | Glob => return None,
    };
    Some(RangeTerm { column, ranges })
}

/// Calls `work` with a filter as a predicate on the rows table.
fn with_predicate(schema: &TableSchema, filter: &Filter, work: impl FnOnce(Predicate<'_>) -> Clause) -> Clause {
    let id = filter.column.filter(|id| schema.is_declared(*id));
    let affinity = match id.and_then(|id| schema.column(id)) {
        Some(ColumnRef::Ordinary(_, ordinary)) => ordinary.affinity(),
        Some(ColumnRef::Vector(..)) => Affinity::Blob,
        _ => Affinity::Numeric,
    };
    let column = id.map_or_else(|| schema.rowid_sql(), |id| schema.column_sql(id));
    let collation = filter.collation.as_deref().map(quote_identifier);
    let comparison = filter.comparison;
    work(Predicate { column: &column, affinity, collation: collation.as_deref(), comparison })
}

/// The members of an IN list without NULL, which equals nothing; None if there are too many.
fn members(list: Value<'_>) -> Result<Option<Vec<OwnedValue>>> {
    let mut members = Vec::new();
    let mut walk = list.in_list();
    while let Some(member) = walk.next()? {
        if members.len() == LONGEST_LIST {
            return Ok(None);
        }
        if !member.is_null() {
            members.push(OwnedValue::of(member.content()));
        }
    }
    // Few lengths of lists make few statements, so that the statement cache holds them.
    if let Some(last) = members.last().cloned() {
        members.resize(members.len().next_power_of_two(), last);
    }
    Ok(Some(members))
}
