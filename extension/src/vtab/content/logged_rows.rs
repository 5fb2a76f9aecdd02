//! The logged rows of one search. The graph does not know their vectors yet, so they are ranked beside it.

use std::collections::HashSet;

use crate::distance::ExactQuery;
use crate::error::{Error, Result};
use crate::format::node::{NodeId, RowId};
use crate::hnsw::Hit;
use crate::sqlite::Parameter;
use crate::storage::shadow::{CHANGES, MAP, VectorOrdinal};
use crate::vtab::core::TableCore;
use crate::vtab::declaration::content::{RowKey, SyncMode};
use crate::vtab::rows::filter::RowsFilter;
use crate::vtab::writing::vector_input::VectorInput;

/// Rows ranked between two checks of the host's interrupt flag.
const INTERRUPT_STRIDE: usize = 256;

/// The part of a search that the log depends on.
pub struct LogQuery<'q> {
    /// The searched column.
    pub ordinal: VectorOrdinal,
    pub query: &'q [f32],
    pub filter: &'q RowsFilter,
}

/// The logged rows, and the hits among them.
pub struct LoggedRows {
    ids: HashSet<i64>,
    /// Nearest first, ties by rowid.
    hits: Vec<Hit>,
    given: usize,
}

impl LoggedRows {
    /// Reads the log for a search; None if the log is empty.
    pub fn read(core: &TableCore, query: &LogQuery<'_>) -> Result<Option<LoggedRows>> {
        if core.content(SyncMode::Log).is_none() || !core.has_log()? {
            return Ok(None);
        }
        let changes = core.names()?.owner.shadow(CHANGES);
        let mut ids = HashSet::new();
        core.rows.statements.reading(format!("SELECT id FROM {changes}"))?.query(&[], |row| {
            ids.insert(row.column_i64(0));
            Ok(())
        })?;
        let hits = hits(core, query)?;
        Ok(Some(LoggedRows { ids, hits, given: 0 }))
    }

    /// Whether a hit of the graph belongs to a logged row. Its node may have an older vector.
    pub fn contains(&self, hit: &Hit) -> bool {
        self.ids.contains(&hit.rowid.0)
    }

    /// How many rows were ranked.
    pub fn ranked(&self) -> usize {
        self.hits.len()
    }

    pub fn next(&self) -> Option<Hit> {
        self.hits.get(self.given).copied()
    }

    pub fn advance(&mut self) {
        self.given += 1;
    }

    /// Bytes of memory that they take, about.
    pub fn bytes(&self) -> usize {
        self.ids.capacity() * 16 + self.hits.capacity() * size_of::<Hit>()
    }
}

fn hits(core: &TableCore, query: &LogQuery<'_>) -> Result<Vec<Hit>> {
    let names = core.names()?;
    let Some(content) = &names.content else { return Ok(Vec::new()) };
    let Some(searched) = core.schema.vector(query.ordinal) else { return Ok(Vec::new()) };
    let input = VectorInput::new(names.table(), searched);
    let exact = ExactQuery::new(query.query, searched.params.metric, searched.params.element);
    let (vector, key) = (core.schema.column_sql(searched.id), content.key.rowid_sql());
    let (changes, map, source) = (names.owner.shadow(CHANGES), names.owner.shadow(MAP), content.sql(&names.owner));
    let from = match &content.key {
        RowKey::Rowid(_) => format!("{changes} AS c CROSS JOIN {source} AS r ON {key} = c.id"),
        RowKey::Columns(_) => {
            let condition = content.key.condition("r.");
            format!("{changes} AS c CROSS JOIN {map} AS m ON m.id = c.id CROSS JOIN {source} AS r ON {condition}")
        }
    };
    // The filter's values begin at parameter 2.
    let sql = format!(
        "SELECT {key}, {vector} FROM {from} WHERE ?1 IS NULL AND {vector} IS NOT NULL{}",
        query.filter.and_sql()
    );
    let mut statement = core.rows.statements.reading(sql)?;
    query.filter.bind(&mut statement)?;
    let mut hits = core.with_vector(query.ordinal, |column| {
        let (mut hits, mut seen) = (Vec::new(), 0usize);
        while statement.step()? {
            seen += 1;
            if seen.is_multiple_of(INTERRUPT_STRIDE) {
                core.db.check_interrupt()?;
            }
            match input.stored(statement.column_value(1)) {
                Ok(Some(vector)) => {
                    let distance = column.exact_distance(&exact, &vector);
                    hits.push(Hit { rowid: RowId(statement.column_i64(0)), node: NodeId::FREE, distance });
                }
                // No search returns a row with a wrong vector until it is corrected.
                Ok(None) | Err(Error::Invalid(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(hits)
    })?;
    hits.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.rowid.cmp(&b.rowid)));
    Ok(hits)
}

impl TableCore {
    /// The number of logged rows that no search returns, because a vector of theirs is wrong.
    pub fn wrong_rows(&self) -> Result<u64> {
        let (names, mut wrong) = (self.names()?, 0);
        let Some(content) = &names.content else { return Ok(0) };
        let columns: Vec<String> = self.schema.vectors().map(|vector| self.schema.column_sql(vector.id)).collect();
        let (key, changes) = (content.key.rowid_sql(), names.owner.shadow(CHANGES));
        let sql = format!(
            "SELECT {} FROM {} WHERE {key} IN (SELECT id FROM {changes})",
            columns.join(", "),
            names.rows_sql()
        );
        self.rows.statements.reading(sql)?.query(&[] as &[Parameter<'_>], |row| {
            for (position, vector) in self.schema.vectors().enumerate() {
                match VectorInput::new(names.table(), vector).stored(row.column_value(position)) {
                    Ok(_) => {}
                    Err(Error::Invalid(_)) => {
                        wrong += 1;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })?;
        Ok(wrong)
    }
}
