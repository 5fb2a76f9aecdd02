//! What a connection keeps of a column's nodes from one statement to the next: the cache of the generation that it
//! searched last, carried over its own commits.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::node_cache::{CacheKey, Missed, NodeCache};
use super::vector_column::VectorColumn;
use crate::error::{Error, Result};
use crate::format::header::{Generation, Header};
use crate::format::node::NodeId;

/// MiB of node rows that a process keeps for its searches, a vector column, where the file does not say.
pub const DEFAULT_CACHE_MIB: usize = 256;
/// What the file may say.
pub const CACHE_MIB: RangeInclusive<usize> = 0..=1 << 20;

#[derive(Default)]
pub struct NodeCacheHandle {
    /// The generation that was used last, and whether more than once.
    used: Option<(Generation, bool)>,
    /// Rows of that generation, once it was used twice.
    cache: Option<Arc<NodeCache>>,
    /// The generation that the transaction under way began with, once it has written.
    base: Option<Generation>,
    /// Rows that it wrote.
    dirty: HashSet<NodeId>,
    /// It gave nodes other numbers, or removed them all.
    renumbered: bool,
}

impl NodeCacheHandle {
    /// The transaction wrote something; `before` is the generation till then.
    pub fn begin_write(&mut self, before: Generation) {
        self.base.get_or_insert(before);
    }

    pub fn wrote(&mut self, id: NodeId) {
        self.dirty.insert(id);
    }

    pub fn renumbered(&mut self) {
        self.renumbered = true;
    }

    pub fn dirty(&self) -> &HashSet<NodeId> {
        &self.dirty
    }

    /// Forgets the cache.
    pub fn invalidate(&mut self) {
        self.used = None;
        self.cache = None;
    }

    /// Rows as the last commit left them, for a transaction that has written; those of `dirty` are others now.
    fn of_base(&self) -> Option<Arc<NodeCache>> {
        let is_of_base = self.base.is_some() && self.used.map(|(generation, _)| generation) == self.base;
        self.cache.clone().filter(|_| is_of_base && !self.renumbered)
    }
}

impl VectorColumn {
    fn cache_key(&self, generation: Generation) -> CacheKey {
        let file = self.db.file_name(&self.name.schema);
        CacheKey { file, node_table: self.nodes.name().to_string(), generation }
    }

    /// What the file says of the cache's size: the setting `node_cache`, in MiB.
    fn cache_bytes(&self) -> Result<usize> {
        let sql = format!("SELECT value FROM {} WHERE key = 'node_cache'", self.name.sql("config"));
        let stored = self.db.prepare_shadow(&sql)?.query_one(&[], |row| Ok(row.column_i64(0)))?;
        let megabytes = stored.map_or(Ok(DEFAULT_CACHE_MIB), usize::try_from).ok().filter(|m| CACHE_MIB.contains(m));
        megabytes.map(|megabytes| megabytes << 20).ok_or_else(|| {
            let (least, most) = (CACHE_MIB.start(), CACHE_MIB.end());
            let reason = format!("expected {least} to {most}, got {}", stored.unwrap_or_default());
            Error::corrupt(format!("{}_config.node_cache", self.name.table), reason)
        })
    }

    /// A new cache; None if the setting is 0.
    fn fresh_cache(&self, next_id: u32) -> Result<Option<NodeCache>> {
        let (row_bytes, limit) = (self.spec.layout.row_bytes(), self.cache_bytes()?);
        Ok((limit > 0).then(|| NodeCache::new(next_id, row_bytes, limit)))
    }

    /// After the setting `node_cache` changed.
    pub fn drop_cache(&mut self) {
        self.node_cache.invalidate();
    }

    /// The cache of a committed generation, from the second search of it on: a process that asks one page pays nothing.
    pub(super) fn cache_of(&mut self, header: &Header) -> Result<Option<Arc<NodeCache>>> {
        if self.own_write {
            return Ok(None);
        }
        match self.node_cache.used {
            Some((generation, true)) if generation == header.generation => {}
            Some((generation, false)) if generation == header.generation => {
                self.node_cache.used = Some((generation, true));
                let fresh = self.fresh_cache(header.next_id)?;
                let key = self.cache_key(generation);
                self.node_cache.cache = fresh.map(|fresh| NodeCache::shared(key, fresh));
            }
            _ => {
                self.node_cache.invalidate();
                self.node_cache.used = Some((header.generation, false));
            }
        }
        Ok(self.node_cache.cache.clone())
    }

    /// The cache of `cache_of`, if an earlier search has made it.
    pub(super) fn known_cache(&mut self) -> Result<Option<Arc<NodeCache>>> {
        let generation = self.header()?.generation;
        let is_known = self.node_cache.used == Some((generation, true)) && !self.own_write;
        Ok(self.node_cache.cache.clone().filter(|_| is_known))
    }

    /// Whether searches of this generation came before, and may keep what they read.
    pub fn has_node_cache(&mut self) -> Result<bool> {
        Ok(self.known_cache()?.is_some())
    }

    /// The cache that nodes are linked with: rows as the last commit left them.
    pub(super) fn cache_to_link(&self) -> Option<Arc<NodeCache>> {
        self.node_cache.of_base()
    }

    /// Keeps rows that linking read and did not write, for the next transaction.
    pub(super) fn keep_linked(&mut self, mut missed: Missed, next_id: u32) -> Result<()> {
        let Some(base) = self.node_cache.base.filter(|_| !self.node_cache.renumbered) else { return Ok(()) };
        if self.node_cache.of_base().is_none()
            && let Some(fresh) = self.fresh_cache(next_id)?
        {
            self.node_cache.used = Some((base, true));
            self.node_cache.cache = Some(Arc::new(fresh));
        }
        if let Some(cache) = self.node_cache.of_base() {
            cache.add(&mut missed);
        }
        Ok(())
    }

    /// The transaction is over: its own commit leads the cache to the next generation, where it is.
    pub(super) fn end_write(&mut self, committed: Option<Header>) {
        let cache = self.node_cache.of_base();
        let NodeCacheHandle { base, dirty, renumbered, .. } = std::mem::take(&mut self.node_cache);
        if base.is_none() {
            return;
        }
        let Some(cache) = cache.filter(|_| !renumbered) else { return };
        match committed {
            Some(header) => {
                let key = self.cache_key(header.generation);
                self.node_cache.cache = NodeCache::renew(cache, key, header.next_id, &dirty);
                self.node_cache.used = self.node_cache.cache.is_some().then_some((header.generation, true));
            }
            None => {
                self.node_cache.used = base.map(|base| (base, true));
                self.node_cache.cache = Some(cache);
            }
        }
    }
}
