//! Resumable searches of a vector column. They notice what the connection changed meanwhile.

use std::sync::Arc;

use super::node_cache::NodeCache;
use super::store::BlobHandle;
use super::vector_column::VectorColumn;
use crate::error::{Error, Result};
use crate::format::header::Generation;
use crate::format::node::{NodeId, RowId};
use crate::hnsw::{Ef, GraphState, Hit, Order, Query, Search};

/// A suspended search and its open handle. Drop it when the statement ends: the handle holds the read transaction.
pub struct ColumnSearch {
    pub(super) search: Search,
    pub(super) handle: BlobHandle,
    pub(super) renumber_epoch: u64,
    pub(super) link_epoch: u64,
    /// Rows of one generation, and which it is.
    pub(super) cache: Option<Arc<NodeCache>>,
    pub(super) generation: Generation,
}

impl VectorColumn {
    /// Starts a resumable search. `query`: dims finite components, not all zero under cosine. No node may be pending.
    pub fn search(&mut self, query: &[f32], ef: Ef, order: Order) -> Result<ColumnSearch> {
        self.search_by(query, |graph, query| Search::new(graph, query, ef, order))
    }

    /// As `search`, with a search that `make` creates.
    pub(super) fn search_by(
        &mut self,
        query: &[f32],
        make: impl FnOnce(GraphState<'_>, Query) -> Search,
    ) -> Result<ColumnSearch> {
        self.check_query(query)?;
        self.load_entry()?;
        let header = self.header()?;
        let search = make(Self::state(&self.spec, &self.entry, &header), Query::new(&self.spec, query));
        let cache = self.cache_of(&header)?;
        let (renumber_epoch, link_epoch) = (self.renumber_epoch, self.link_epoch);
        let generation = header.generation;
        Ok(ColumnSearch { search, handle: BlobHandle::default(), renumber_epoch, link_epoch, cache, generation })
    }

    /// Fails for a query of other dimensions. The caller has checked the components.
    pub(super) fn check_query(&self, query: &[f32]) -> Result<()> {
        let (expected, got) = (self.spec.params.dims, query.len());
        if got == expected {
            return Ok(());
        }
        let column = self.name.label();
        Err(Error::internal(format!("{column}: a query of {got} dimensions where {expected} were checked")))
    }

    /// Returns the next nearest hit that `accept` admits by rowid and node; None at the end.
    pub fn next(
        &mut self,
        search: &mut ColumnSearch,
        accept: &mut dyn FnMut(RowId, NodeId) -> Result<bool>,
    ) -> Result<Option<Hit>> {
        if search.renumber_epoch != self.renumber_epoch {
            search.search.continue_exactly();
            search.renumber_epoch = self.renumber_epoch;
        }
        if search.link_epoch != self.link_epoch {
            search.search.skip_unknown_nodes();
        }
        let header = self.header()?;
        if self.own_write || search.generation != header.generation {
            search.cache = None; // rows have changed since
        }
        let ColumnSearch { search, handle, cache, .. } = search;
        let rows = cache.as_ref().and_then(|cache| cache.read());
        let mut store = self.nodes.cached_reader(handle, rows.as_deref()).counted(&header);
        let hit = loop {
            let hit = search.next(&self.spec, &mut store);
            match hit.map_err(|error| store.name_table(error))? {
                Some(hit) if !accept(hit.rowid, hit.node)? => {}
                hit => break hit,
            }
        };
        drop(rows);
        if let Some(cache) = cache.as_ref().filter(|_| !handle.missed.is_empty()) {
            cache.add(&mut handle.missed);
        }
        Ok(hit)
    }
}
