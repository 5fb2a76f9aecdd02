//! A cache of node rows, shared by the connections of a process that search the same state of the same file.
//!
//! The rows of a generation never change. So a cached row is valid until the last connection leaves the generation, and
//! no row is replaced or evicted. Searches add the rows that they read until the limit is reached; hubs are read first.
//! A search holds the read lock while it looks for one hit, and adds the rows that it missed between two hits.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, Weak};

use crate::format::header::Generation;
use crate::format::node::NodeId;
use crate::memory_hints::Arena;

/// The most bytes allocated at once.
const ARENA_BYTES: usize = 4 << 20;
/// The alignment of rows: a cache line of the CPU.
const LINE: usize = 64;
/// The most bytes of missed rows that a search keeps until it can add them.
const CARRY: usize = 4 << 20;

/// Identifies the rows of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    /// Path of the database file; empty for a database in memory or a temporary one, whose cache is not shared.
    pub file: String,
    pub node_table: String,
    pub generation: Generation,
}

/// The rows of one generation.
#[derive(Debug)]
pub struct NodeCache {
    rows: RwLock<Rows>,
}

/// Rows by node id, all of one length.
#[derive(Debug)]
pub struct Rows {
    /// 1 + the slot of a node's row; 0 if the row is not cached.
    slots: Vec<u32>,
    arenas: Vec<Arena>,
    count: usize,
    most: usize,
    /// Bytes of memory that the cache may take, slots included.
    limit: usize,
    row_bytes: usize,
    /// Bytes from one row to the next.
    stride: usize,
    /// Binary logarithm of the rows of an arena.
    arena_shift: u32,
}

/// Rows that a search read from the file, to be added to the cache.
#[derive(Debug, Default)]
pub struct MissedRows {
    ids: Vec<NodeId>,
    bytes: Vec<u8>,
}

impl MissedRows {
    pub fn push(&mut self, id: NodeId, row: &[u8]) {
        if self.bytes.len() + row.len() <= CARRY {
            self.ids.push(id);
            self.bytes.extend_from_slice(row);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl Rows {
    #[inline]
    pub fn get(&self, id: NodeId) -> Option<&[u8]> {
        let slot = (*self.slots.get(id.index())? as usize).checked_sub(1)?;
        let arena = self.arenas.get(slot >> self.arena_shift)?;
        let start = (slot & ((1 << self.arena_shift) - 1)) * self.stride;
        arena.get(start..start + self.row_bytes)
    }

    /// Drops the rows `dirty`, whose slots are not used again, and makes room for ids below `next_id`.
    fn renew(&mut self, next_id: u32, dirty: &HashSet<NodeId>) {
        for &id in dirty {
            if let Some(slot) = self.slots.get_mut(id.index()) {
                *slot = 0;
            }
        }
        if let Some(count) = slots_within(self.limit, next_id).filter(|&count| count > self.slots.len()) {
            self.slots.resize(count, 0);
        }
    }

    fn add(&mut self, id: NodeId, row: &[u8]) {
        let Some(slot) = self.slots.get_mut(id.index()) else { return };
        if *slot != 0 || self.count == self.most || row.len() != self.row_bytes {
            return;
        }
        if self.count.is_multiple_of(1 << self.arena_shift) {
            // Without memory the cache does not grow.
            let Some(arena) = Arena::new(self.stride << self.arena_shift) else { return };
            self.arenas.push(arena);
        }
        if self.arenas.last_mut().is_some_and(|arena| arena.push(row, LINE)) {
            self.count += 1;
            *slot = self.count as u32;
        }
    }
}

/// How many slots ids below `next_id` take, unless the slots alone would take more than `limit` bytes. Only a hostile
/// file has ids so sparse.
fn slots_within(limit: usize, next_id: u32) -> Option<usize> {
    let count = next_id as usize;
    (count.checked_mul(size_of::<u32>())? <= limit).then_some(count)
}

impl NodeCache {
    /// An empty cache for ids below `next_id`, of rows of `row_bytes`, that holds at most `limit` bytes.
    pub fn new(next_id: u32, row_bytes: usize, limit: usize) -> NodeCache {
        let slots = slots_within(limit, next_id);
        let (count, left) = slots.map_or((0, 0), |count| (count, limit - count * size_of::<u32>()));
        let stride = row_bytes.next_multiple_of(LINE).max(LINE);
        let arena_shift = (ARENA_BYTES / stride).max(1).ilog2();
        let (slots, most) = (vec![0; count], left / stride);
        let rows = Rows { slots, arenas: Vec::new(), count: 0, most, limit, row_bytes, stride, arena_shift };
        NodeCache { rows: RwLock::new(rows) }
    }

    /// Returns the process's cache of `key`, which becomes `fresh` if there is none yet.
    pub fn shared(key: CacheKey, fresh: NodeCache) -> Arc<NodeCache> {
        let fresh = Arc::new(fresh);
        if key.file.is_empty() {
            return fresh;
        }
        let Ok(mut shared) = SHARED.lock() else { return fresh };
        shared.retain(|(_, cache)| cache.strong_count() > 0);
        let known = shared.iter().find(|(other, _)| *other == key).and_then(|(_, cache)| cache.upgrade());
        known.unwrap_or_else(|| {
            shared.push((key, Arc::downgrade(&fresh)));
            fresh
        })
    }

    /// Turns the cache into that of the next generation, after this connection wrote the rows `dirty`: the other rows
    /// stay. None if another connection still reads this generation.
    pub fn renew(
        cache: Arc<NodeCache>,
        key: CacheKey,
        next_id: u32,
        dirty: &HashSet<NodeId>,
    ) -> Option<Arc<NodeCache>> {
        let mut shared = SHARED.lock().ok()?;
        // While the lock is held no other connection can begin to share it.
        let mut cache = Arc::try_unwrap(cache).ok()?;
        shared.retain(|(_, cache)| cache.strong_count() > 0);
        cache.rows.get_mut().ok()?.renew(next_id, dirty);
        let cache = Arc::new(cache);
        if !key.file.is_empty() {
            shared.push((key, Arc::downgrade(&cache)));
        }
        Some(cache)
    }

    /// Locks the rows for reading.
    pub fn read(&self) -> Option<RwLockReadGuard<'_, Rows>> {
        self.rows.read().ok()
    }

    /// Adds rows, unless another thread is reading: then they stay in `missed`.
    pub fn add(&self, missed: &mut MissedRows) {
        let Ok(mut rows) = self.rows.try_write() else { return };
        let row_bytes = rows.row_bytes;
        for (&id, row) in missed.ids.iter().zip(missed.bytes.chunks_exact(row_bytes.max(1))) {
            rows.add(id, row);
        }
        missed.ids.clear();
        missed.bytes.clear();
    }
}

static SHARED: Mutex<Vec<(CacheKey, Weak<NodeCache>)>> = Mutex::new(Vec::new());

#[cfg(test)]
mod tests {
    use super::*;

    fn key(file: &str, generation: u8) -> CacheKey {
        CacheKey { file: file.into(), node_table: "t_nodes".into(), generation: [generation; 16] }
    }

    fn add(cache: &NodeCache, rows: &[(u32, &[u8])]) {
        let mut missed = MissedRows::default();
        rows.iter().for_each(|&(id, row)| missed.push(NodeId(id), row));
        cache.add(&mut missed);
        assert!(missed.is_empty());
    }

    fn get(cache: &NodeCache, id: u32) -> Option<Vec<u8>> {
        cache.read().unwrap().get(NodeId(id)).map(<[u8]>::to_vec)
    }

    #[test]
    fn rows_are_cached_until_the_limit_is_reached() {
        let cache = NodeCache::new(1000, 100, 4000 + 300 * 128);
        let rows: Vec<(u32, Vec<u8>)> = (0..400).map(|i| (999 - i, vec![i as u8; 100])).collect();
        add(&cache, &rows.iter().map(|(id, row)| (*id, &row[..])).collect::<Vec<_>>());
        add(&cache, &[(999, &[7; 100]), (1000, &[7; 100])]);
        for (i, (id, row)) in rows.iter().enumerate() {
            assert_eq!(get(&cache, *id), (i < 300).then(|| row.clone()), "{i}");
        }
        assert_eq!((get(&cache, 0), get(&cache, 1000)), (None, None));
        assert_eq!(cache.read().unwrap().get(NodeId(999)).unwrap().as_ptr().align_offset(LINE), 0);
    }

    #[test]
    fn rows_that_cannot_be_added_stay_with_the_search() {
        let cache = NodeCache::new(10, 3, 1000);
        let mut missed = MissedRows::default();
        missed.push(NodeId(3), b"row");
        let reading = cache.read();
        cache.add(&mut missed);
        assert!(!missed.is_empty());
        drop(reading);
        cache.add(&mut missed);
        assert_eq!(get(&cache, 3), Some(b"row".to_vec()));
    }

    #[test]
    fn a_new_generation_keeps_the_rows_that_were_not_written() {
        let fresh = || NodeCache::new(10, 3, 1000);
        let first = NodeCache::shared(key("/n.db", 1), fresh());
        add(&first, &[(3, b"row"), (4, b"old")]);
        let other = Arc::clone(&first);
        assert!(
            NodeCache::renew(first, key("/n.db", 2), 12, &HashSet::from([NodeId(4)])).is_none(),
            "it is read elsewhere"
        );
        let next = NodeCache::renew(other, key("/n.db", 2), 12, &HashSet::from([NodeId(4)])).unwrap();
        assert_eq!((get(&next, 3), get(&next, 4)), (Some(b"row".to_vec()), None));
        add(&next, &[(4, b"new"), (11, b"far")]);
        let shared = NodeCache::shared(key("/n.db", 2), fresh());
        assert_eq!((get(&shared, 4), get(&shared, 11)), (Some(b"new".to_vec()), Some(b"far".to_vec())));
        assert_eq!(get(&NodeCache::shared(key("/n.db", 1), fresh()), 3), None);
        drop(shared);
        let last = NodeCache::renew(next, key("/n.db", 3), u32::MAX, &HashSet::new()).unwrap();
        assert_eq!(last.read().unwrap().slots.len(), 12, "a next id that no honest file has");
        assert_eq!(get(&last, 11), Some(b"far".to_vec()));
    }

    #[test]
    fn connections_share_the_cache_of_one_generation_of_one_file() {
        let fresh = || NodeCache::new(10, 3, 1000);
        let first = NodeCache::shared(key("/a.db", 1), fresh());
        add(&first, &[(3, b"row")]);
        assert_eq!(get(&NodeCache::shared(key("/a.db", 1), fresh()), 3), Some(b"row".to_vec()));
        for other in [key("/a.db", 2), key("/b.db", 1), key("", 1)] {
            assert_eq!(get(&NodeCache::shared(other, fresh()), 3), None);
        }
        drop(first);
        assert_eq!(get(&NodeCache::shared(key("/a.db", 1), fresh()), 3), None);
    }
}
