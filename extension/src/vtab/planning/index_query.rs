//! A query as SQLite describes it to xBestIndex: its terms, its order, the columns it reads.

use crate::error::Result;
use crate::filter::predicate::Comparison;
use crate::sqlite::{ColumnId, Content, IndexInfo, Operator, OrderTerm, OrderUse, Value};

/// A WHERE term, or the LIMIT or OFFSET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// SQLite's number of the term.
    pub index: usize,
    /// None for the rowid.
    pub column: Option<ColumnId>,
    pub operator: Operator,
    pub is_usable: bool,
    /// The term is `column IN (...)`, offered as a whole. Its operator is Eq.
    pub is_list: bool,
    pub collation: String,
    /// The right side is a constant that is known at planning.
    pub is_constant: bool,
    /// That constant, if it is a text and the operator is `>=`, `<`, LIKE or GLOB.
    pub text: Option<Vec<u8>>,
}

/// A query as xBestIndex sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexQuery {
    pub terms: Vec<Term>,
    pub order: Vec<OrderTerm>,
    pub order_use: OrderUse,
    pub columns_used: u64,
    /// Whether LIKE respects case on this connection.
    pub is_like_case_sensitive: bool,
    /// SQLite does not offer the terms of a later join's ON clause. Before 3.51 it offers some as if they were in
    /// WHERE.
    pub hides_later_joins: bool,
}

impl IndexQuery {
    /// Whether a term may belong to the ON clause of a later LEFT JOIN, which wants the rows that fail it too. SQLite
    /// offers a LIMIT only if the query has no other table.
    pub fn may_be_of_later_join(&self, comparison: Comparison) -> bool {
        use Comparison::{Glob, IsNot, IsNotNull, Like, Ne};
        let is_hint = |term: &Term| matches!(term.operator, Operator::Limit | Operator::Offset);
        matches!(comparison, Ne | IsNot | IsNotNull | Like | Glob)
            && !self.hides_later_joins
            && !self.terms.iter().any(is_hint)
    }
}

/// Reads the query from SQLite. Calls `is_like_case_sensitive` only if a term may come from LIKE.
pub fn read(info: &IndexInfo<'_>, is_like_case_sensitive: impl FnOnce() -> Result<bool>) -> Result<IndexQuery> {
    let mut terms = Vec::with_capacity(info.constraint_count());
    for constraint in info.constraints() {
        let index = constraint.index;
        let is_bound = constraint.is_usable && matches!(constraint.operator, Operator::Ge | Operator::Lt);
        let is_pattern = matches!(constraint.operator, Operator::Like | Operator::Glob);
        let is_asked = constraint.is_usable && (is_bound || is_pattern || constraint.operator == Operator::Eq);
        let right = if is_asked { info.right_side(index)? } else { None };
        let is_hint = matches!(constraint.operator, Operator::Limit | Operator::Offset);
        terms.push(Term {
            index,
            column: constraint.column.filter(|_| !is_hint),
            operator: constraint.operator,
            is_usable: constraint.is_usable,
            is_list: constraint.operator == Operator::Eq && info.is_in_list(index)?,
            collation: if is_hint { String::new() } else { info.collation(index)?.to_string() },
            is_constant: right.is_some(),
            text: right.filter(|_| is_bound || is_pattern).and_then(text_of),
        });
    }
    // SQLite turns LIKE into a range of texts.
    let is_like_case_sensitive = terms.iter().any(|term| term.text.is_some()) && is_like_case_sensitive()?;
    let (order, order_use) = (info.order_by().collect(), info.order_use());
    Ok(IndexQuery {
        terms,
        order,
        order_use,
        columns_used: info.columns_used(),
        is_like_case_sensitive,
        hides_later_joins: info.hides_later_joins(),
    })
}

fn text_of(value: Value<'_>) -> Option<Vec<u8>> {
    match value.content() {
        Content::Text(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}

/// The comparison of a term; None if it compares no column.
pub fn comparison_of(term: &Term) -> Option<Comparison> {
    Some(match term.operator {
        Operator::Eq if term.is_list => Comparison::In,
        Operator::Eq => Comparison::Eq,
        Operator::Ne => Comparison::Ne,
        Operator::Lt => Comparison::Lt,
        Operator::Le => Comparison::Le,
        Operator::Gt => Comparison::Gt,
        Operator::Ge => Comparison::Ge,
        Operator::Is => Comparison::Is,
        Operator::IsNot => Comparison::IsNot,
        Operator::IsNull => Comparison::IsNull,
        Operator::IsNotNull => Comparison::IsNotNull,
        Operator::Like => Comparison::Like,
        Operator::Glob => Comparison::Glob,
        _ => return None,
    })
}

/// Whether a collation affects the comparison.
pub fn compares(comparison: Comparison) -> bool {
    !matches!(comparison, Comparison::IsNull | Comparison::IsNotNull | Comparison::Like | Comparison::Glob)
}
