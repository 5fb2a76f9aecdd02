//! Searches of a vector column among rows that match a filter, and searches that are suspended between two pages.

use std::sync::Arc;

use super::search::ColumnSearch;
use super::store::BlobHandle;
use super::vector_column::VectorColumn;
use crate::distance::ExactQuery;
use crate::error::Result;
use crate::format::header::Generation;
use crate::format::node::RowNode;
use crate::hnsw::{Ef, GraphStore, Hit, Matches, Order, Query, Search};

/// Hits that are sorted before the first one is returned: a few pages.
const SORTED_FIRST: usize = 64;
/// How many rows ahead of the ranked one are prefetched.
const RANKS_AHEAD: usize = 2;
/// Rows ranked between two checks of the host's interrupt flag.
const INTERRUPT_STRIDE: usize = 256;

impl ColumnSearch {
    /// Closes the handle, which holds the read transaction. `VectorColumn::resume` must come before the next use.
    pub fn suspend(&mut self) {
        self.handle = BlobHandle::default();
        self.cache = None;
    }

    /// About how many bytes of memory the search takes.
    pub fn bytes(&self) -> usize {
        self.search.bytes()
    }

    /// Whether the search has gone along links of the graph.
    pub fn has_walked(&self) -> bool {
        self.search.expanded() > 0
    }

    /// Whether it ranks the rest exactly.
    pub fn is_exact(&self) -> bool {
        self.search.is_exact()
    }
}

impl VectorColumn {
    /// Returns the generation and the number of live nodes in the graph.
    pub fn graph(&mut self) -> Result<(Generation, u64)> {
        let header = self.header()?;
        Ok((header.generation, u64::from(header.linked.saturating_sub(header.tombstones))))
    }

    /// Starts a resumable search that returns only `matches`, which have bits. `query` as for `search`.
    pub fn search_matches(
        &mut self,
        query: &[f32],
        ef: Ef,
        order: Order,
        matches: Arc<Matches>,
    ) -> Result<ColumnSearch> {
        self.search_by(query, |graph, query| Search::among(graph, query, ef, order, matches))
    }

    /// Resumes a suspended search in the generation in which it began. Returns false if this connection has written
    /// since, even if it undid everything: the search could then differ from one that was never suspended.
    pub fn resume(&mut self, search: &mut ColumnSearch) -> Result<bool> {
        let header = self.header()?;
        search.cache = self.cache_of(&header)?;
        search.generation = header.generation;
        Ok(search.renumber_epoch == self.renumber_epoch && search.link_epoch == self.link_epoch)
    }

    /// Whether nodes were renumbered since the search began. The ids that it knows to match then belong to other nodes.
    pub fn is_renumbered(&self, search: &ColumnSearch) -> bool {
        search.renumber_epoch != self.renumber_epoch
    }

    /// Returns at most `count` rows of the live sampled nodes nearest to `query`: a sample of its neighbourhood.
    pub fn nearest_samples(&mut self, query: &[f32], count: usize) -> Result<Vec<RowNode>> {
        self.check_query(query)?;
        self.load_entry()?;
        let nearest = self.entry.nearest(&self.spec, &Query::new(&self.spec, query), count);
        let cache = self.known_cache()?;
        let mut buffer = Vec::new();
        let mut handle = BlobHandle::default();
        let cached = cache.as_ref().and_then(|cache| cache.read());
        let mut store = self.nodes.cached_reader(&mut handle, cached.as_deref());
        let mut rows = Vec::with_capacity(nearest.len());
        for (_, id) in nearest {
            let node = store.node(id, &mut buffer)?;
            if !node.is_tombstone() {
                rows.push(RowNode { rowid: node.rowid(), node: id });
            }
        }
        Ok(rows)
    }

    /// The distance of a vector that has no node yet, as the one that it will have once it has.
    pub fn exact_distance(&self, query: &ExactQuery, vector: &[u8]) -> f64 {
        query.distance(query.key(vector, self.spec.inverse_norm(vector)))
    }

    /// Ranks the given rows by their exact distances.
    pub fn rank(&mut self, query: &[f32], rows: &[RowNode]) -> Result<Ranked> {
        self.check_query(query)?;
        let exact = ExactQuery::new(query, self.spec.params.metric, self.spec.params.element);
        let mut buffer = Vec::new();
        let mut handle = BlobHandle::default();
        let header = self.header()?;
        let cache = self.cache_of(&header)?;
        let cached = cache.as_ref().and_then(|cache| cache.read());
        let mut store = self.nodes.cached_reader(&mut handle, cached.as_deref());
        let mut hits = Vec::with_capacity(rows.len());
        for (position, &RowNode { rowid, node: id }) in rows.iter().enumerate() {
            if let Some(ahead) = rows.get(position + RANKS_AHEAD) {
                store.prefetch_vector(ahead.node);
            }
            let node = store.node(id, &mut buffer)?;
            self.name.check_owner(&node, rowid)?;
            let distance = exact.distance(exact.key(node.vector(), node.inverse_norm()));
            hits.push(Hit { rowid, node: id, distance });
            if hits.len().is_multiple_of(INTERRUPT_STRIDE) {
                self.db.check_interrupt()?;
            }
        }
        drop(cached);
        if let Some(cache) = cache {
            cache.add(&mut handle.missed);
        }
        Ok(Ranked { hits, given: 0, sorted: 0 })
    }
}

/// Hits nearest first, ties by rowid. Only as many are sorted as are taken.
pub struct Ranked {
    hits: Vec<Hit>,
    given: usize,
    sorted: usize,
}

impl Ranked {
    /// Bytes of memory in use.
    pub fn bytes(&self) -> usize {
        self.hits.capacity() * size_of::<Hit>()
    }

    /// Doubles the number of sorted hits.
    fn sort_more(&mut self) {
        let nearer = |a: &Hit, b: &Hit| a.distance.total_cmp(&b.distance).then(a.rowid.cmp(&b.rowid));
        let Some(rest) = self.hits.get_mut(self.sorted..) else { return };
        let count = self.sorted.max(SORTED_FIRST).min(rest.len());
        if count < rest.len() {
            rest.select_nth_unstable_by(count, nearer);
        }
        if let Some(next) = rest.get_mut(..count) {
            next.sort_unstable_by(nearer);
        }
        self.sorted += count;
    }
}

impl Iterator for Ranked {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        if self.given == self.sorted {
            self.sort_more();
        }
        let hit = self.hits.get(self.given).copied()?;
        self.given += 1;
        Some(hit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::node::{NodeId, RowId};

    #[test]
    fn hits_are_returned_by_distance_then_rowid() {
        for count in [0usize, 1, 63, 64, 65, 128, 129, 1000] {
            let hit =
                |n: usize| Hit { rowid: RowId((n % 7) as i64), node: NodeId(n as u32), distance: (n * 31 % 97) as f64 };
            let hits: Vec<Hit> = (0..count).map(hit).collect();
            let mut sorted: Vec<(f64, RowId)> = hits.iter().map(|hit| (hit.distance, hit.rowid)).collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let ranked = Ranked { hits, given: 0, sorted: 0 };
            assert_eq!(ranked.map(|hit| (hit.distance, hit.rowid)).collect::<Vec<_>>(), sorted);
        }
    }
}
