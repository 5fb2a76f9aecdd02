//! Translates WHERE terms into SQL on the rows table. Its columns have the declared types and collations, so SQLite
//! itself decides what a term means.
//!
//! SQLite does not tell the affinity of a term's right side. `a = b` with a TEXT column `a` compares texts
//! if `b` is a parameter or a literal, and numbers if `b` is an INTEGER column of a joined table. A column of numeric
//! affinity compares as a number whatever stands on the right, so its terms are exact. For the others the SQL admits
//! every row that some affinity of the right side would admit, and SQLite tests the rows again.

/// The conversion of a column's values in comparisons: SQLite's affinities, as far as they differ there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    Blob,
    Text,
    Numeric,
}

/// The operator of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Is,
    IsNot,
    IsNull,
    IsNotNull,
    Like,
    Glob,
    In,
}

/// The class of the value on the right side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Null,
    Number,
    /// TEXT or BLOB.
    Bytes,
}

/// One term.
#[derive(Debug, Clone, Copy)]
pub struct Predicate<'a> {
    /// The column in the rows table, quoted.
    pub column: &'a str,
    pub affinity: Affinity,
    /// The collation of the comparison, quoted, if it is not the column's own.
    pub collation: Option<&'a str>,
    pub comparison: Comparison,
}

/// The SQL of one term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// True for every row for which the term is true, and perhaps for others.
    Sql(String),
    /// The term is true for no row.
    Never,
    /// The term may be true for any row.
    Any,
}

impl Comparison {
    pub const ALL: [Comparison; 13] = [
        Comparison::Eq,
        Comparison::Ne,
        Comparison::Lt,
        Comparison::Le,
        Comparison::Gt,
        Comparison::Ge,
        Comparison::Is,
        Comparison::IsNot,
        Comparison::IsNull,
        Comparison::IsNotNull,
        Comparison::Like,
        Comparison::Glob,
        Comparison::In,
    ];

    /// With its right side as `?`, as EXPLAIN QUERY PLAN shows it; it follows the column directly.
    pub fn text(self) -> &'static str {
        match self {
            Comparison::Eq => "=?",
            Comparison::Ne => "<>?",
            Comparison::Lt => "<?",
            Comparison::Le => "<=?",
            Comparison::Gt => ">?",
            Comparison::Ge => ">=?",
            Comparison::Is => " IS ?",
            Comparison::IsNot => " IS NOT ?",
            Comparison::IsNull => " IS NULL",
            Comparison::IsNotNull => " IS NOT NULL",
            Comparison::Like => " LIKE ?",
            Comparison::Glob => " GLOB ?",
            Comparison::In => " IN (?)",
        }
    }

    fn operator(self) -> &'static str {
        match self {
            Comparison::Eq => "=",
            Comparison::Ne => "<>",
            Comparison::Lt => "<",
            Comparison::Le => "<=",
            Comparison::Gt => ">",
            Comparison::Ge => ">=",
            Comparison::Is => "IS",
            Comparison::IsNot => "IS NOT",
            Comparison::IsNull => "IS NULL",
            Comparison::IsNotNull => "IS NOT NULL",
            Comparison::Like => "LIKE",
            Comparison::Glob => "GLOB",
            Comparison::In => "IN",
        }
    }

    /// True if an index on the column can find the rows.
    pub fn can_search(self) -> bool {
        use Comparison::{Eq, Ge, Gt, In, Is, IsNull, Le, Lt};
        matches!(self, Eq | Lt | Le | Gt | Ge | Is | IsNull | In)
    }

    pub fn is_equality(self) -> bool {
        matches!(self, Comparison::Eq | Comparison::Is)
    }
}

/// True if the SQL of such a term is equivalent to the term, so that SQLite need not test again. It is not for IN,
/// whose list may be too long, nor for <> and IS NOT, whose collation SQLite does not tell, nor for LIKE and GLOB: in
/// the ON clause of an outer join SQLite would lose the rows without a partner.
pub fn is_exact(affinity: Affinity, comparison: Comparison) -> bool {
    use Comparison::{Glob, In, IsNot, IsNotNull, IsNull, Like, Ne};
    match comparison {
        IsNull | IsNotNull => true,
        In | Ne | IsNot | Like | Glob => false,
        _ => affinity == Affinity::Numeric,
    }
}

impl Predicate<'_> {
    /// The SQL of a term with one value of class `class` on the right, bound to parameter number `parameter`.
    /// Not for IN.
    pub fn clause(&self, class: Class, parameter: usize) -> Clause {
        use Comparison::{Eq, Ge, Glob, Gt, In, Is, IsNot, IsNotNull, IsNull, Le, Like, Lt, Ne};
        let left = self.left();
        let operator = self.comparison.operator();
        let plain = || Clause::Sql(format!("{left} {operator} ?{parameter}"));
        match (self.comparison, class) {
            (IsNull | IsNotNull, _) => Clause::Sql(format!("{} {operator}", self.column)),
            (Like | Glob, _) => Clause::Sql(format!("{} {operator} ?{parameter}", self.column)),
            (Is | IsNot, Class::Null) => plain(),
            (_, Class::Null) => Clause::Never,
            (In, _) => Clause::Any,
            (_, Class::Bytes) => plain(),
            (_, Class::Number) => match (self.affinity, self.comparison) {
                (Affinity::Numeric, _) | (Affinity::Blob, Gt | Ge | Ne | IsNot) => plain(),
                // Unconverted, a text is more than any number.
                (Affinity::Text, Gt | Ge | Ne | IsNot) => Clause::Any,
                // A CAST has an affinity, which a parameter has not: the column's values are compared as numbers.
                (Affinity::Blob, Eq | Is | Lt | Le) => {
                    Clause::Sql(format!("{left} {operator} CAST(?{parameter} AS NUMERIC)"))
                }
                (Affinity::Text, Eq | Is | Lt | Le) => Clause::Sql(format!(
                    "({left} {operator} ?{parameter} OR {left} {operator} CAST(?{parameter} AS NUMERIC))"
                )),
                (_, IsNull | IsNotNull | Like | Glob | In) => Clause::Any,
            },
        }
    }

    /// The SQL of `column IN (...)` for a list of `count` members that are not NULL, bound to the parameters from
    /// `first` on. `has_numbers`: some member is a number.
    pub fn in_clause(&self, count: usize, has_numbers: bool, first: usize) -> Clause {
        if count == 0 {
            return Clause::Never;
        }
        if has_numbers && self.affinity != Affinity::Numeric {
            return Clause::Any;
        }
        let members: Vec<String> = (first..first + count).map(|parameter| format!("?{parameter}")).collect();
        Clause::Sql(format!("{} IN ({})", self.left(), members.join(",")))
    }

    fn left(&self) -> String {
        match self.collation {
            Some(collation) => format!("{} COLLATE {collation}", self.column),
            None => self.column.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(affinity: Affinity, comparison: Comparison, class: Class) -> Clause {
        Predicate { column: "\"c\"", affinity, collation: None, comparison }.clause(class, 3)
    }

    fn sql(text: &str) -> Clause {
        Clause::Sql(text.to_string())
    }

    #[test]
    fn terms_on_numeric_columns_are_translated_unchanged() {
        for class in [Class::Number, Class::Bytes] {
            assert_eq!(clause(Affinity::Numeric, Comparison::Ge, class), sql("\"c\" >= ?3"));
            assert_eq!(clause(Affinity::Numeric, Comparison::IsNot, class), sql("\"c\" IS NOT ?3"));
        }
    }

    #[test]
    fn null_passes_only_is() {
        assert_eq!(clause(Affinity::Text, Comparison::Is, Class::Null), sql("\"c\" IS ?3"));
        assert_eq!(clause(Affinity::Text, Comparison::Eq, Class::Null), Clause::Never);
        assert_eq!(clause(Affinity::Text, Comparison::Ne, Class::Null), Clause::Never);
        assert_eq!(clause(Affinity::Numeric, Comparison::IsNull, Class::Null), sql("\"c\" IS NULL"));
        assert_eq!(clause(Affinity::Blob, Comparison::IsNotNull, Class::Null), sql("\"c\" IS NOT NULL"));
    }

    #[test]
    fn a_number_against_a_text_column_admits_rows_of_any_affinity() {
        assert_eq!(clause(Affinity::Text, Comparison::Eq, Class::Bytes), sql("\"c\" = ?3"));
        assert_eq!(
            clause(Affinity::Text, Comparison::Eq, Class::Number),
            sql("(\"c\" = ?3 OR \"c\" = CAST(?3 AS NUMERIC))")
        );
        assert_eq!(clause(Affinity::Text, Comparison::Gt, Class::Number), Clause::Any);
        assert_eq!(clause(Affinity::Blob, Comparison::Gt, Class::Number), sql("\"c\" > ?3"));
        assert_eq!(clause(Affinity::Blob, Comparison::Lt, Class::Number), sql("\"c\" < CAST(?3 AS NUMERIC)"));
    }

    #[test]
    fn another_collation_than_the_columns_is_written_out() {
        let with = |comparison| Predicate {
            column: "\"c\"",
            affinity: Affinity::Text,
            collation: Some("\"NOCASE\""),
            comparison,
        };
        assert_eq!(with(Comparison::Eq).clause(Class::Bytes, 1), sql("\"c\" COLLATE \"NOCASE\" = ?1"));
        assert_eq!(with(Comparison::Like).clause(Class::Bytes, 1), sql("\"c\" LIKE ?1"));
        assert_eq!(with(Comparison::In).in_clause(2, false, 4), sql("\"c\" COLLATE \"NOCASE\" IN (?4,?5)"));
    }

    #[test]
    fn lists_of_numbers_narrow_numeric_columns_only() {
        let list = |affinity, count, has_numbers| {
            Predicate { column: "c", affinity, collation: None, comparison: Comparison::In }.in_clause(
                count,
                has_numbers,
                1,
            )
        };
        assert_eq!(list(Affinity::Numeric, 3, true), sql("c IN (?1,?2,?3)"));
        assert_eq!(list(Affinity::Text, 3, true), Clause::Any);
        assert_eq!(list(Affinity::Text, 0, false), Clause::Never);
    }

    #[test]
    fn only_numeric_columns_are_exact_in_comparisons() {
        for comparison in Comparison::ALL {
            assert!(
                !is_exact(Affinity::Text, comparison) || !comparison.can_search() || comparison == Comparison::IsNull
            );
        }
        assert!(is_exact(Affinity::Numeric, Comparison::Lt) && is_exact(Affinity::Numeric, Comparison::Is));
        for comparison in [Comparison::In, Comparison::Ne, Comparison::IsNot, Comparison::Like, Comparison::Glob] {
            assert!(!is_exact(Affinity::Numeric, comparison), "{comparison:?}");
        }
    }
}
