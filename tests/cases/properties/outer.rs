//! Outer joins, with the table on either side and any term in the ON clause.

use proptest::prelude::*;
use proptest::sample::select;

use crate::statements::QUERIES;

/// The way in which a statement asks for a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    None,
    /// By MATCH in the ON clause.
    On,
    /// By MATCH in the WHERE clause.
    Where,
    /// By the table-valued form.
    Call,
}

/// The left table, the join, and the right table. `a` is the table with vectors.
const JOINS: [([&str; 3], &[Search]); 6] = [
    (["w", "LEFT", "a"], &[Search::None, Search::On, Search::Call]),
    (["a", "LEFT", "w"], &[Search::None, Search::Where, Search::Call]),
    (["w", "RIGHT", "a"], &[Search::None, Search::On]),
    // A MATCH that SQLite does not offer is an error there.
    (["a", "RIGHT", "w"], &[Search::None]),
    (["w", "FULL", "a"], &[Search::None, Search::On]),
    (["a", "FULL", "w"], &[Search::None]),
];
/// The joins of SQLite before 3.39.
const LEFT_JOINS: usize = 2;

const BEHIND: [&str; 7] =
    ["true", "true", "true", "a.id IS NULL", "w.rowid IS NULL", "a.n > 1", "(w.i > 0 OR a.t LIKE 'a%')"];

#[derive(Debug, Clone)]
pub struct Outer {
    join: usize,
    search: Search,
    behind: &'static str,
}

pub fn outer(has_right_joins: bool) -> impl Strategy<Value = Outer> {
    let joins = if has_right_joins { JOINS.len() } else { LEFT_JOINS };
    (0..joins)
        .prop_flat_map(|join| (Just(join), select(JOINS[join].1), select(&BEHIND[..])))
        .prop_map(|(join, search, behind)| Outer { join, search, behind })
}

impl Outer {
    /// The statement over the table with vectors, or over the ordinary one.
    pub fn sql(&self, is_search: bool, query: usize, on: &str, page: &str) -> String {
        let ([left, join, right], query) = (JOINS[self.join].0, QUERIES[query]);
        let by_match = format!("a.e MATCH '{query}' AND a.ef_search = 'exact'");
        let has_vector = || "a.e IS NOT NULL".to_string();
        let table = match (is_search, self.search) {
            (true, Search::Call) => format!("v('{query}', 100000, 'exact') a"),
            (true, _) => "v a".to_string(),
            (false, Search::None) => ordinary("NULL", "true"),
            // After a RIGHT JOIN a row without a vector is unmatched, and is kept.
            (false, Search::On) => ordinary(&distance(query), "true"),
            (false, Search::Where | Search::Call) => ordinary(&distance(query), "e IS NOT NULL"),
        };
        let test = match (is_search, self.search) {
            (true, Search::On) => by_match.clone(),
            (false, Search::On) => has_vector(),
            _ => "true".to_string(),
        };
        let behind = match (is_search, self.search) {
            (true, Search::Where) => format!("{by_match} AND {}", self.behind),
            _ => self.behind.to_string(),
        };
        let name = |table_name: &str| if table_name == "a" { table.clone() } else { "other w".to_string() };
        format!(
            "SELECT a.id, w.rowid, quote(a.x) FROM {} {join} JOIN {} ON {test} AND {on} WHERE {behind} ORDER BY 1, 2 {page}",
            name(left),
            name(right)
        )
    }
}

fn distance(query: &str) -> String {
    format!("vec_cosine(vec_parse('{query}'), e)")
}

/// A sub-select that SQLite does not flatten: with `id LIKE 'a%'` on an INTEGER PRIMARY KEY in an ON clause SQLite
/// itself loses rows.
fn ordinary(distance: &str, test: &str) -> String {
    format!(
        "(SELECT *, id AS rowid, CAST({distance} AS REAL) AS distance, CAST(1 - {distance} AS REAL) AS similarity FROM o WHERE {test} LIMIT -1) a"
    )
}
