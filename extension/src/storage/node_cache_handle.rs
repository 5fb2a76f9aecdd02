//! A connection's use of the node cache of one column: it lasts from one statement to the next, and across the
//! connection's own commits.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::column_name::ColumnName;
use super::node_cache::{CacheKey, MissedRows, NodeCache};
use super::shadow::CONFIG;
use crate::error::{Error, Result};
use crate::format::header::{Generation, Header};
use crate::format::node::{NodeId, NodeLayout};
use crate::sqlite::Connection;

/// The default limit of the node cache, in MiB per vector column and process.
pub const DEFAULT_CACHE_MIB: usize = 256;
/// The limits that the file may set, in MiB.
pub const CACHE_MIB: RangeInclusive<usize> = 0..=1 << 20;

/// The file, table and layout whose rows a cache holds.
pub struct CacheSource<'a> {
    db: Connection,
    name: &'a ColumnName,
    row_bytes: usize,
}

/// The node rows in memory that a connection uses for one column.
#[derive(Default)]
pub struct NodeCacheHandle {
    /// The generation of the last search, and whether it was searched more than once.
    used: Option<(Generation, bool)>,
    /// The cache of that generation, once it was searched twice.
    cache: Option<Arc<NodeCache>>,
    /// The generation before the current transaction; None until it writes.
    base: Option<Generation>,
    /// Rows that the current transaction wrote.
    dirty: HashSet<NodeId>,
    /// The current transaction renumbered the nodes or removed them all.
    renumbered: bool,
}

impl NodeCacheHandle {
    /// Notes that the transaction writes; `before` is the generation until then.
    pub fn begin_write(&mut self, before: Generation) {
        self.base.get_or_insert(before);
    }

    pub fn mark_dirty(&mut self, id: NodeId) {
        self.dirty.insert(id);
    }

    pub fn mark_renumbered(&mut self) {
        self.renumbered = true;
    }

    pub fn dirty(&self) -> &HashSet<NodeId> {
        &self.dirty
    }

    /// Drops the cache.
    pub fn invalidate(&mut self) {
        self.used = None;
        self.cache = None;
    }

    /// The cache of the last commit, for a transaction that has written since. Its rows of `dirty` are out of date.
    pub fn base_cache(&self) -> Option<Arc<NodeCache>> {
        let is_of_base = self.base.is_some() && self.used.map(|(generation, _)| generation) == self.base;
        self.cache.clone().filter(|_| is_of_base && !self.renumbered)
    }
    /// The cache of a committed generation, from its second search on: a process that asks for one page pays nothing.
    pub fn cache_of(&mut self, source: &CacheSource<'_>, header: &Header) -> Result<Option<Arc<NodeCache>>> {
        match self.used {
            Some((generation, true)) if generation == header.generation => {}
            Some((generation, false)) if generation == header.generation => {
                self.used = Some((generation, true));
                let fresh = source.fresh_cache(header.next_id)?;
                self.cache = fresh.map(|fresh| NodeCache::shared(source.key(generation), fresh));
            }
            _ => {
                self.invalidate();
                self.used = Some((header.generation, false));
            }
        }
        Ok(self.cache.clone())
    }

    /// The cache of a generation, if a search of it has made one.
    pub fn known(&self, generation: Generation) -> Option<Arc<NodeCache>> {
        self.cache.clone().filter(|_| self.used == Some((generation, true)))
    }

    /// Keeps rows that linking read and did not write, for the next transaction.
    pub fn keep_linked(&mut self, source: &CacheSource<'_>, mut missed: MissedRows, next_id: u32) -> Result<()> {
        let Some(base) = self.base.filter(|_| !self.renumbered) else { return Ok(()) };
        if self.base_cache().is_none()
            && let Some(fresh) = source.fresh_cache(next_id)?
        {
            self.used = Some((base, true));
            self.cache = Some(Arc::new(fresh));
        }
        if let Some(cache) = self.base_cache() {
            cache.add(&mut missed);
        }
        Ok(())
    }

    /// Ends a transaction. If it committed, its cache serves the next generation, without the rows that it wrote.
    pub fn end_write(&mut self, source: &CacheSource<'_>, committed: Option<Header>) {
        let cache = self.base_cache();
        let NodeCacheHandle { base, dirty, renumbered, .. } = std::mem::take(self);
        if base.is_none() {
            return;
        }
        let Some(cache) = cache.filter(|_| !renumbered) else { return };
        match committed {
            Some(header) => {
                self.cache = NodeCache::renew(cache, source.key(header.generation), header.next_id, &dirty);
                self.used = self.cache.is_some().then_some((header.generation, true));
            }
            None => {
                self.used = base.map(|base| (base, true));
                self.cache = Some(cache);
            }
        }
    }
}

impl<'a> CacheSource<'a> {
    pub fn of(db: Connection, name: &'a ColumnName, layout: &NodeLayout) -> CacheSource<'a> {
        CacheSource { db, name, row_bytes: layout.row_bytes() }
    }

    fn key(&self, generation: Generation) -> CacheKey {
        CacheKey { file: self.db.file_name(&self.name.schema), node_table: self.name.node_table(), generation }
    }

    /// The most bytes that the cache may take: the setting `node_cache` of the file, in MiB.
    fn limit(&self) -> Result<usize> {
        let sql = format!("SELECT value FROM {} WHERE key = 'node_cache'", self.name.sql(CONFIG));
        let stored = self.db.prepare_shadow(&sql)?.query_one(&[], |row| Ok(row.column_i64(0)))?;
        let megabytes = stored.map_or(Ok(DEFAULT_CACHE_MIB), usize::try_from).ok().filter(|m| CACHE_MIB.contains(m));
        // Beyond what 32 bits count, the limit is all that they count.
        megabytes.map(|megabytes| megabytes.saturating_mul(1 << 20)).ok_or_else(|| {
            let (least, most) = (CACHE_MIB.start(), CACHE_MIB.end());
            let reason = format!("expected {least} to {most}, got {}", stored.unwrap_or_default());
            Error::corrupt(format!("{}.node_cache", self.name.shadow_name(CONFIG)), reason)
        })
    }

    /// A new cache; None if the setting is 0.
    fn fresh_cache(&self, next_id: u32) -> Result<Option<NodeCache>> {
        let limit = self.limit()?;
        Ok((limit > 0).then(|| NodeCache::new(next_id, self.row_bytes, limit)))
    }
}
