//! How a search and a filter are combined. Every choice follows from the filter and the state of the database alone,
//! never from LIMIT or OFFSET, so that pages tile.

/// Matching rows up to which the distances of all of them are computed, instead of a walk over the graph.
pub const FEW_ROWS: usize = 2_000;

/// Rows that a walk may refuse before the filter counts as selective, and more for each row that it has given. A refused
/// row costs as much as a hundred rows of a scan.
const REFUSALS_FREE: u64 = 200;
const REFUSALS_PER_ROW: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Ask the rows table for the matching rows, up to `limit`, and come back with what it said.
    Probe { limit: usize },
    /// Rank all matching rows by exact distance; they are known.
    Exact,
    /// Walk the graph and test every row that it gives.
    Walk,
    /// Ask the rows table for all matching rows, and rank those that were not given yet.
    ExactForTheRest,
}

/// What is known of a filter during a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observed {
    /// An index finds the matching rows.
    pub is_indexed: bool,
    /// The matching rows, if a probe found no more than its limit; or that there are more.
    pub probe: Option<ProbeResult>,
    /// Rows that the walk has given.
    pub given: u64,
    /// Rows that the walk's test has refused.
    pub refused: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    Few,
    Many,
}

/// The one place where it is decided how to filter.
pub fn choose(observed: Observed) -> Strategy {
    match observed.probe {
        None if observed.is_indexed => Strategy::Probe { limit: FEW_ROWS },
        Some(ProbeResult::Few) => Strategy::Exact,
        _ if observed.refused > REFUSALS_FREE + REFUSALS_PER_ROW * observed.given => Strategy::ExactForTheRest,
        _ => Strategy::Walk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_ranked_and_many_walked() {
        let indexed = Observed { is_indexed: true, ..Observed::default() };
        assert_eq!(choose(indexed), Strategy::Probe { limit: FEW_ROWS });
        assert_eq!(choose(Observed { probe: Some(ProbeResult::Few), ..indexed }), Strategy::Exact);
        assert_eq!(choose(Observed { probe: Some(ProbeResult::Many), ..indexed }), Strategy::Walk);
        assert_eq!(choose(Observed::default()), Strategy::Walk);
    }

    #[test]
    fn a_walk_that_refuses_too_much_ends() {
        let walked = |given, refused| choose(Observed { given, refused, ..Observed::default() });
        assert_eq!(walked(0, 200), Strategy::Walk);
        assert_eq!(walked(0, 201), Strategy::ExactForTheRest);
        assert_eq!(walked(10, 300), Strategy::Walk);
        assert_eq!(walked(10, 301), Strategy::ExactForTheRest);
    }
}
