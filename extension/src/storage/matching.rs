//! Searches of a vector column among rows that are known to match a filter, and searches that rest between two pages.

use std::sync::Arc;

use super::store::Handle;
use super::vector_column::{ColumnSearch, Ef, Hit, Order, VectorColumn};
use crate::distance::ExactQuery;
use crate::error::Result;
use crate::format::header::Generation;
use crate::format::node::NodeId;
use crate::hnsw::{GraphStore, Matches, Query, Search};

/// Rows ranked between two looks at the host's interrupt flag.
const RANKS_A_LOOK: usize = 256;

impl ColumnSearch {
    /// Closes the handle, which holds the read transaction. `VectorColumn::resume` must come before the next use.
    pub fn suspend(&mut self) {
        self.handle = Handle::default();
        self.cache = None;
    }

    /// Bytes of memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.search.bytes()
    }
}

impl VectorColumn {
    /// The generation, and the live nodes of the graph.
    pub fn graph(&mut self) -> Result<(Generation, u64)> {
        let header = self.header()?;
        Ok((header.generation, u64::from(header.linked.saturating_sub(header.tombstones))))
    }

    /// A resumable search that gives `matches` (with bits) alone. `query` as for `search`.
    pub fn search_among(&mut self, query: &[f32], ef: Ef, order: Order, matches: Arc<Matches>) -> Result<ColumnSearch> {
        self.search_by(query, |graph, query| Search::among(graph, query, ef, order, matches))
    }

    /// Takes a suspended search up again, in the generation that it was begun in. False if it cannot go on as it would
    /// have gone on then, since this connection wrote meanwhile, even if all of it was undone.
    pub fn resume(&mut self, search: &mut ColumnSearch) -> Result<bool> {
        let header = self.header()?;
        search.cache = self.cache_of(&header);
        Ok(search.numbering == self.numbering && search.growth == self.growth)
    }

    /// Whether nodes were renumbered since the search began: those that it knows to match are others now.
    pub fn is_renumbered(&self, search: &ColumnSearch) -> bool {
        search.numbering != self.numbering
    }

    /// The rows of the live sampled nodes nearest to `query`, at most `count`: what the neighbourhood looks like.
    pub fn nearest_samples(&mut self, query: &[f32], count: usize) -> Result<Vec<(i64, NodeId)>> {
        self.check_query(query)?;
        self.load_entry()?;
        let nearest = self.entry.nearest(&self.space, &Query::new(&self.space, query), count);
        let cache = self.known_cache()?;
        let mut buffer = Vec::new();
        let mut handle = Handle::default();
        let mut store = self.nodes.cached_reader(&mut handle, cache.as_deref());
        let mut rows = Vec::with_capacity(nearest.len());
        for (_, id) in nearest {
            let node = store.node(id, &mut buffer)?;
            if !node.is_tombstone() {
                rows.push((node.rowid(), id));
            }
        }
        Ok(rows)
    }

    /// Exact distances of the given rows, by their nodes, nearest first, ties by rowid.
    pub fn rank(&mut self, query: &[f32], rows: &[(i64, NodeId)]) -> Result<Vec<Hit>> {
        self.check_query(query)?;
        let exact = ExactQuery::new(query, self.space.params.metric, self.space.params.element);
        let mut buffer = Vec::new();
        let mut handle = Handle::default();
        let header = self.header()?;
        let cache = self.cache_of(&header);
        let mut store = self.nodes.cached_reader(&mut handle, cache.as_deref());
        let mut hits = Vec::with_capacity(rows.len());
        for &(rowid, id) in rows {
            let node = store.node(id, &mut buffer)?;
            self.place.check_owner(&node, rowid)?;
            let distance = exact.distance(exact.key(node.vector(), node.inverse_norm()));
            hits.push(Hit { rowid, node: id, distance });
            if hits.len().is_multiple_of(RANKS_A_LOOK) {
                self.db.check_interrupt()?;
            }
        }
        hits.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.rowid.cmp(&b.rowid)));
        Ok(hits)
    }
}
