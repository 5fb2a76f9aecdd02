//! How a search and a filter are combined. Every choice follows from the query, the filter and the state of the database
//! alone, never from LIMIT or OFFSET, so that pages tile.
//!
//! Three ways, each the cheapest somewhere: rank all matching rows by their exact distances, if they are few; walk the
//! graph and test each row that comes up, if many match near the query; walk it steered by the set of matching nodes in
//! between. The choice takes a count of the matching rows, as far as an index gives it cheaply, and a look at the rows
//! about the query, which tells what a count cannot: whether the filter goes with the query or against it.

/// Matching rows up to which all of them are ranked.
pub const FEW_ROWS: usize = 3_000;
/// Matching rows that are counted before anything else is tried.
const FIRST_COUNT: usize = 1_000;
/// The same where each costs a look-up in the rows table.
const FIRST_COUNT_BY_LOOKUP: usize = 500;
/// Counting goes on up to this many times the root of the table's rows: there a walk begins to be the cheaper one.
const COUNT_PER_ROOT: f64 = 40.0;
const COUNT_PER_ROOT_BY_LOOKUP: f64 = 10.0;

/// Sampled rows about the query that are tested, and how many of them must match for a walk.
pub const NEAR_ROWS: usize = 48;
const NEAR_MATCHES: usize = 3;

/// Rows that a walk may refuse before the filter counts as selective after all, and more for each row that it gives.
const REFUSALS_FREE: u64 = 300;
const REFUSALS_PER_ROW: u64 = 20;

/// What the window of a filtered search is, in halves of an unfiltered one's: it decides among fewer rows.
pub const WINDOW_HALVES: usize = 3;

/// How the rows table finds the rows that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// It reads them all.
    #[default]
    Scan,
    /// By an index, and looks each up.
    Index,
    /// By an index that holds all that is asked for.
    Covering,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Ask the rows table for the matching rows, one more than `limit` at most, and come back with their number.
    Count { limit: Option<usize> },
    /// Test the `NEAR_ROWS` sampled rows nearest to the query, and come back.
    Look,
    /// Rank all matching rows by exact distance; they are known.
    Exact,
    /// Walk the graph from one matching node to the next; they are known.
    Steer,
    /// Walk the graph and test every row that it gives.
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
    pub reach: Reach,
    /// Rows with a vector.
    pub rows: u64,
    /// No approximation is wanted.
    pub is_exact: bool,
    pub count: Option<Count>,
    /// Of the rows about the query, how many match.
    pub near: Option<usize>,
    /// Rows that the walk has given.
    pub given: u64,
    /// Rows that the walk's test has refused.
    pub refused: u64,
}

/// The one place where it is decided how to filter.
pub fn choose(observed: Observed) -> Strategy {
    let (first, per_root) = match observed.reach {
        Reach::Scan => (0, f64::INFINITY),
        Reach::Index => (FIRST_COUNT_BY_LOOKUP, COUNT_PER_ROOT_BY_LOOKUP),
        Reach::Covering => (FIRST_COUNT, COUNT_PER_ROOT),
    };
    let most = (per_root * (observed.rows as f64).sqrt()) as usize;
    let is_selective = observed.refused > REFUSALS_FREE + REFUSALS_PER_ROW * observed.given;
    match (observed.count, observed.near) {
        (Some(Count::All(count)), _) if count <= FEW_ROWS || observed.is_exact => Strategy::Exact,
        (Some(Count::All(_)), _) => Strategy::Steer,
        _ if observed.is_exact || is_selective => Strategy::Count { limit: None },
        (None, _) if observed.reach != Reach::Scan => Strategy::Count { limit: Some(first) },
        (_, None) => Strategy::Look,
        (_, Some(near)) if near >= NEAR_MATCHES => Strategy::Walk,
        (None, _) => Strategy::Count { limit: None },
        (Some(Count::MoreThan(count)), _) if count < most => Strategy::Count { limit: Some(most) },
        _ => Strategy::Walk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(reach: Reach, count: Option<Count>, near: Option<usize>) -> Observed {
        Observed { reach, rows: 100_000, count, near, ..Observed::default() }
    }

    #[test]
    fn few_rows_are_ranked_and_more_steered_to() {
        for reach in [Reach::Scan, Reach::Index, Reach::Covering] {
            assert_eq!(choose(known(reach, Some(Count::All(0)), None)), Strategy::Exact);
            assert_eq!(choose(known(reach, Some(Count::All(3_000)), None)), Strategy::Exact);
            assert_eq!(choose(known(reach, Some(Count::All(3_001)), Some(48))), Strategy::Steer);
            let exact = Observed { is_exact: true, ..known(reach, Some(Count::All(90_000)), None) };
            assert_eq!(choose(exact), Strategy::Exact);
            assert_eq!(choose(Observed { count: None, ..exact }), Strategy::Count { limit: None });
        }
    }

    #[test]
    fn an_index_counts_a_little_then_the_neighbourhood_decides() {
        let count = |reach, count, near| choose(known(reach, count, near));
        let (covering, lookup) = (Reach::Covering, Reach::Index);
        assert_eq!(count(covering, None, None), Strategy::Count { limit: Some(1_000) });
        assert_eq!(count(lookup, None, None), Strategy::Count { limit: Some(500) });
        let more = Some(Count::MoreThan(1_000));
        assert_eq!(count(covering, more, None), Strategy::Look);
        assert_eq!(count(covering, more, Some(3)), Strategy::Walk);
        assert_eq!(count(covering, more, Some(2)), Strategy::Count { limit: Some(12_649) });
        assert_eq!(count(covering, Some(Count::MoreThan(12_649)), Some(2)), Strategy::Walk);
        assert_eq!(count(lookup, Some(Count::MoreThan(500)), Some(0)), Strategy::Count { limit: Some(3_162) });
    }

    #[test]
    fn without_an_index_only_a_filter_against_the_query_costs_a_scan() {
        assert_eq!(choose(known(Reach::Scan, None, None)), Strategy::Look);
        assert_eq!(choose(known(Reach::Scan, None, Some(3))), Strategy::Walk);
        assert_eq!(choose(known(Reach::Scan, None, Some(2))), Strategy::Count { limit: None });
    }

    #[test]
    fn a_walk_that_refuses_too_much_ends() {
        let walked = |given, refused| {
            let count = Some(Count::MoreThan(12_649));
            choose(Observed { given, refused, ..known(Reach::Covering, count, Some(48)) })
        };
        assert_eq!(walked(0, 300), Strategy::Walk);
        assert_eq!(walked(0, 301), Strategy::Count { limit: None });
        assert_eq!(walked(10, 500), Strategy::Walk);
        assert_eq!(walked(10, 501), Strategy::Count { limit: None });
    }
}
