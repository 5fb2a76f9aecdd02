//! The choice of how to combine a search with a filter. It depends on the query, the filter and the state of the
//! database only, never on LIMIT or OFFSET, so that pages tile.
//!
//! Three ways are each the cheapest in some case. If few rows match, all of them are ranked by their exact distances.
//! If many rows match near the query, the search walks the graph and tests each row that it returns. In between, the
//! walk is steered by the set of matching nodes. The choice needs a count of the matching rows, as far as an index
//! gives it cheaply, and a sample of the rows near the query, which shows whether filter and query are correlated.

/// The most matching rows that are all ranked.
pub const FEW_ROWS: usize = 3_000;
/// The size of the sample near the query, and how many of its rows must match for a walk to be the cheapest way.
pub const SAMPLE_ROWS: usize = 48;
const ENOUGH_MATCHES: usize = 4;
/// The same if an index alone tells the matching rows, which makes the other ways cheaper.
const ENOUGH_MATCHES_IN_INDEX: usize = 9;
/// The same if the alternative is to read every row.
const ENOUGH_MATCHES_WITHOUT_INDEX: usize = 2;

/// Matching rows are counted up to this many times the root of the table's rows, or this many if that is more: where
/// more match, a walk is cheaper than to name them all. The second is for indexes that have each row looked up.
const COUNT_PER_ROOT: f64 = 40.0;
const COUNT_PER_ROOT_BY_LOOKUP: f64 = 10.0;

/// Rows that a walk may refuse before the filter counts as selective, and further ones per row that it returns.
const REFUSALS_FREE: u64 = 300;
const REFUSALS_PER_ROW: u64 = 20;
/// The share of the table's rows that a walk may refuse: after that it is so deep that ranking pays.
const REFUSED_SHARE: u64 = 100;

/// The window of a steered search, in quarters of that of an unfiltered one. It holds only matches, which lie far
/// apart.
pub const STEERED_WINDOW: usize = 3;

/// How SQLite finds the matching rows of the rows table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessPath {
    /// It reads every row.
    #[default]
    Scan,
    /// By an index, with a lookup of each row.
    Index,
    /// By an index that holds every column needed.
    Covering,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Ask the rows table for the matching rows, at most `limit` + 1, and choose again with their number.
    Count { limit: Option<usize> },
    /// Test the `SAMPLE_ROWS` sampled rows nearest to the query, and choose again.
    Sample,
    /// Rank all matching rows by exact distance; they are known.
    Exact,
    /// Walk the graph from one matching node to the next; they are known.
    Steer,
    /// Walk the graph and test every row that it returns.
    Walk,
}

/// The matching rows, as far as they were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    All(usize),
    MoreThan(usize),
}

/// What is known of a filter during a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observed {
    pub access_path: AccessPath,
    /// Rows with a vector.
    pub rows: u64,
    /// No approximation is wanted.
    pub is_exact: bool,
    pub count: Option<Count>,
    /// How many of the sampled rows near the query match.
    pub sample_matches: Option<usize>,
    /// Rows that the walk has given.
    pub given: u64,
    /// Rows that the walk's test has refused.
    pub refused: u64,
}

/// Decides how to combine the filter and the search. No other function does.
pub fn choose(observed: Observed) -> Strategy {
    let (enough_matches, per_root) = match observed.access_path {
        AccessPath::Scan => (ENOUGH_MATCHES_WITHOUT_INDEX, f64::INFINITY),
        AccessPath::Index => (ENOUGH_MATCHES, COUNT_PER_ROOT_BY_LOOKUP),
        AccessPath::Covering => (ENOUGH_MATCHES_IN_INDEX, COUNT_PER_ROOT),
    };
    let most = ((per_root * (observed.rows as f64).sqrt()) as usize).max(FEW_ROWS);
    let is_selective = observed.refused > REFUSALS_FREE + REFUSALS_PER_ROW * observed.given;
    let is_deep = observed.refused > REFUSALS_FREE.max(observed.rows / REFUSED_SHARE);
    match (observed.count, observed.sample_matches) {
        (Some(Count::All(count)), _) if count <= FEW_ROWS || observed.is_exact || is_deep => Strategy::Exact,
        (Some(Count::All(_)), _) => Strategy::Steer,
        _ if observed.is_exact || is_selective || is_deep => Strategy::Count { limit: None },
        (_, None) => Strategy::Sample,
        (None, Some(near)) if near < enough_matches => Strategy::Count { limit: Some(most) },
        _ => Strategy::Walk,
    }
}

/// The window of a walk that tests every row, in quarters of that of an unfiltered search. The more rows it refuses,
/// the deeper a page lies, and the wider the window must be to keep its recall.
pub fn walk_window(observed: Observed) -> usize {
    match observed.sample_matches.unwrap_or_default() {
        0..4 => 12,
        4..9 => 8,
        9..15 => 6,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(access_path: AccessPath, count: Option<Count>, sample_matches: Option<usize>) -> Observed {
        Observed { access_path, rows: 100_000, count, sample_matches, ..Observed::default() }
    }

    #[test]
    fn few_matching_rows_are_ranked_and_more_are_steered() {
        for access_path in [AccessPath::Scan, AccessPath::Index, AccessPath::Covering] {
            assert_eq!(choose(known(access_path, Some(Count::All(0)), None)), Strategy::Exact);
            assert_eq!(choose(known(access_path, Some(Count::All(3_000)), None)), Strategy::Exact);
            assert_eq!(choose(known(access_path, Some(Count::All(3_001)), Some(48))), Strategy::Steer);
            let exact = Observed { is_exact: true, ..known(access_path, Some(Count::All(90_000)), None) };
            assert_eq!(choose(exact), Strategy::Exact);
            assert_eq!(choose(Observed { count: None, ..exact }), Strategy::Count { limit: None });
        }
    }

    #[test]
    fn the_sample_decides_first_and_a_bounded_count_second() {
        for (access_path, enough, most) in
            [(AccessPath::Covering, 9, 12_649), (AccessPath::Index, 4, 3_162), (AccessPath::Scan, 2, usize::MAX)]
        {
            assert_eq!(choose(known(access_path, None, None)), Strategy::Sample);
            assert_eq!(choose(known(access_path, None, Some(enough))), Strategy::Walk);
            let count = Strategy::Count { limit: Some(most) };
            assert_eq!(choose(known(access_path, None, Some(enough - 1))), count);
            assert_eq!(choose(known(access_path, Some(Count::MoreThan(most)), Some(0))), Strategy::Walk);
        }
        let small = Observed { rows: 100, ..known(AccessPath::Index, None, Some(0)) };
        assert_eq!(choose(small), Strategy::Count { limit: Some(FEW_ROWS) });
    }

    #[test]
    fn a_walk_ends_after_too_many_refusals() {
        let walked = |given, refused| {
            let count = Some(Count::MoreThan(12_649));
            choose(Observed { given, refused, ..known(AccessPath::Covering, count, Some(48)) })
        };
        assert_eq!(walked(0, 300), Strategy::Walk);
        assert_eq!(walked(0, 301), Strategy::Count { limit: None });
        assert_eq!(walked(10, 500), Strategy::Walk);
        assert_eq!(walked(10, 501), Strategy::Count { limit: None });
        assert_eq!(walked(900, 1_000), Strategy::Walk);
        assert_eq!(walked(900, 1_001), Strategy::Count { limit: None });
        let deep = Observed { refused: 1_001, ..known(AccessPath::Scan, Some(Count::All(40_000)), Some(20)) };
        assert_eq!(choose(deep), Strategy::Exact);
    }
}
