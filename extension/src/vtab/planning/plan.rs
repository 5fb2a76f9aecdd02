//! The plan that xBestIndex chooses, as a value. `plan_text.rs` encodes it for xFilter.

use crate::filter::predicate::Comparison;
use crate::filter::strategy::AccessPath;
use crate::hnsw::Order;
use crate::sqlite::{ColumnId, OrderTerm};
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::declaration::schema::ColumnRef;

/// How a statement reads the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    Scan(ScanPlan),
    Knn(KnnPlan),
}

/// A scan of the rows table, or a look-up in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanPlan {
    pub access: Access,
    pub filters: Vec<Filter>,
    /// The order of the rows, if one is required.
    pub order: Option<OrderTerm>,
    pub columns: ColumnSet,
}

/// How the rows table finds the rows. SQLite's planner decides it again when it knows the values of the filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    All,
    Rowid,
    Key,
    Index,
}

/// A search: the rows nearest to a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct KnnPlan {
    /// The vector column that is searched.
    pub ordinal: VectorOrdinal,
    pub form: Form,
    pub has_k: bool,
    pub has_ef_search: bool,
    pub has_group_by: bool,
    pub has_group_limit: bool,
    /// Arguments that further terms give again.
    pub again: Vec<Argument>,
    /// Terms on the distance, and on the similarity.
    pub distances: Vec<Comparison>,
    pub similarities: Vec<Comparison>,
    pub filters: Vec<Filter>,
    /// With a k or a group limit: terms that exclude no row, but only rows that pass them are counted. Terms on distance and
    /// similarity, which only k counts by, come last.
    pub counted: Vec<Filter>,
    /// How the rows table finds the rows that pass the filters.
    pub found_by: FoundBy,
    /// Strict under ORDER BY distance. Relaxed otherwise: every row is returned, some too late.
    pub order: Order,
    pub has_limit: bool,
    pub has_offset: bool,
    /// With a k or a group limit: terms that SQLite tests only after the row was counted.
    pub after_k: Vec<Filter>,
    pub columns: ColumnSet,
}

/// An argument of a search, a hidden column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    Query,
    K,
    EfSearch,
    GroupBy,
    GroupLimit,
}

impl Argument {
    pub const ALL: [Argument; 5] =
        [Argument::Query, Argument::K, Argument::EfSearch, Argument::GroupBy, Argument::GroupLimit];

    pub fn column(self) -> ColumnRef<'static> {
        match self {
            Argument::Query => ColumnRef::Query,
            Argument::K => ColumnRef::K,
            Argument::EfSearch => ColumnRef::EfSearch,
            Argument::GroupBy => ColumnRef::GroupBy,
            Argument::GroupLimit => ColumnRef::GroupLimit,
        }
    }

    pub fn name(self) -> &'static str {
        self.column().hidden_name()
    }
}

/// How SQLite finds the matching rows, according to its own plan for the rows table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FoundBy {
    #[default]
    Scan,
    /// As Scan, unless the values allow the use of a partial index. Decided when the search begins.
    Partial,
    Rowid,
    Index(String),
    /// An index that holds the nodes too.
    Covering(String),
}

impl FoundBy {
    /// Reads a line of EXPLAIN QUERY PLAN.
    pub fn from_detail(detail: &str) -> FoundBy {
        let Some((_, way)) = detail.strip_prefix("SEARCH ").and_then(|rest| rest.split_once(" USING ")) else {
            return FoundBy::Scan;
        };
        let name = |rest: &str| rest.rsplit_once(" (").map_or(rest, |(name, _)| name).to_string();
        if let Some(rest) = way.strip_prefix("COVERING INDEX ") {
            FoundBy::Covering(name(rest))
        } else if let Some(rest) = way.strip_prefix("INDEX ") {
            FoundBy::Index(name(rest))
        } else if way.starts_with("INTEGER PRIMARY KEY") {
            FoundBy::Rowid
        } else {
            FoundBy::Scan
        }
    }

    /// The same for the choice of a strategy, which needs no names.
    pub fn access_path(&self) -> AccessPath {
        match self {
            FoundBy::Scan | FoundBy::Partial => AccessPath::Scan,
            FoundBy::Rowid | FoundBy::Index(_) => AccessPath::Index,
            FoundBy::Covering(_) => AccessPath::Covering,
        }
    }
}

/// How the statement writes the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `WHERE embedding MATCH ?`
    Match,
    /// `FROM articles(?)`
    Call,
}

/// A WHERE term that the rows table answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// None for the rowid.
    pub column: Option<ColumnId>,
    pub comparison: Comparison,
    /// The collation of the comparison, if it is not the column's own.
    pub collation: Option<String>,
}

/// The declared columns that a statement reads, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnSet(pub(super) u32);

impl ColumnSet {
    /// The last bit stands for its column and all after it.
    const LAST: usize = 25;

    /// Reads SQLite's mask, whose bit 63 stands for column 63 and all after it.
    pub fn from_mask(mask: u64) -> ColumnSet {
        let rest = u32::from(mask >> Self::LAST != 0) << Self::LAST;
        ColumnSet(mask as u32 & ((1 << Self::LAST) - 1) | rest)
    }

    /// Whether the statement reads a column.
    pub fn contains(self, column: ColumnId) -> bool {
        self.0 >> column.0.min(Self::LAST) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_is_read_from_explain_query_plan() {
        for (detail, expected) in [
            ("SCAN t_rows", FoundBy::Scan),
            ("SCAN t_rows USING COVERING INDEX t_rows_x", FoundBy::Scan),
            ("SEARCH t_rows USING INTEGER PRIMARY KEY (rowid=?)", FoundBy::Rowid),
            ("SEARCH t_rows USING INDEX odd (name (a=?)", FoundBy::Index("odd (name".to_string())),
            ("SEARCH t_rows USING COVERING INDEX t_rows_x (x>? AND x<?)", FoundBy::Covering("t_rows_x".to_string())),
            ("MULTI-INDEX OR", FoundBy::Scan),
        ] {
            assert_eq!(FoundBy::from_detail(detail), expected, "{detail}");
        }
    }

    #[test]
    fn columns_past_the_last_bit_are_read_together() {
        let set = ColumnSet::from_mask(1 << 40 | 0b10);
        let contains = |column| set.contains(ColumnId(column));
        assert!(contains(1) && !contains(0) && !contains(24));
        assert!(contains(25) && contains(40) && contains(1000));
        assert!(!ColumnSet::from_mask(1 << 24).contains(ColumnId(25)));
    }
}
