//! `hnsw_stats(table [, schema])`: the counters of this connection's searches of a table, as keys and values.

use super::info::{config, vector_names};
use super::key_values::{Entries, TableFunction, column_prefix};
use super::rows::owned_value::OwnedValue;
use super::search_counts::{ColumnCounts, Effort, SearchCounts, SearchRecord};
use crate::error::Result;
use crate::sqlite::Connection;
use crate::storage::shadow::{Owner, VectorOrdinal};

/// The table-valued function `hnsw_stats`.
pub struct Stats;

impl TableFunction for Stats {
    const NAME: &'static str = "hnsw_stats";

    fn entries(db: Connection, owner: Owner) -> Result<Entries> {
        let config = owner.check_version(db).and_then(|()| config(db, &owner));
        let names = vector_names(&config.map_err(|error| owner.explained(db, &[], error))?);
        let mut entries = Entries::new();
        for (ordinal, name) in (0..).map(VectorOrdinal).zip(&names) {
            let prefix = column_prefix(&names, name);
            entries.push((format!("{prefix}column"), OwnedValue::Text(name.as_bytes().to_vec())));
            let counts = SearchCounts::known(db, &owner, ordinal);
            entries.extend(column(&counts).into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
        }
        Ok(entries)
    }
}

fn column(counts: &ColumnCounts) -> Entries {
    let mut entries = vec![
        ("searches".to_string(), OwnedValue::of_count(counts.searches)),
        ("resumed".to_string(), OwnedValue::of_count(counts.resumed)),
        (
            "last_way".to_string(),
            counts.last.map_or(OwnedValue::Null, |last| OwnedValue::Text(way(&last).into_bytes())),
        ),
    ];
    effort("last", counts.last.map(|last| last.effort), &mut entries);
    effort("total", Some(counts.total), &mut entries);
    entries
}

fn way(search: &SearchRecord) -> String {
    if search.is_resumed { "resumed".to_string() } else { search.ways.text() }
}

fn effort(which: &str, effort: Option<Effort>, entries: &mut Entries) {
    let Effort { nodes, log_rows, pages } = effort.unwrap_or_default();
    let figures = [
        ("rows_read", nodes.cached + nodes.from_file),
        ("cache_hits", nodes.cached),
        ("cache_misses", nodes.from_file),
        ("log_rows", log_rows),
        ("pages", pages.asked),
        ("pages_read", pages.missed),
    ];
    // Before the first search there is no last one.
    let value = |figure| if effort.is_some() { OwnedValue::of_count(figure) } else { OwnedValue::Null };
    entries.extend(figures.map(|(key, figure)| (format!("{which}_{key}"), value(figure))));
}
