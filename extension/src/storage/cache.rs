//! Node rows kept in memory, shared by the connections of a process that search the same state of the same file.
//!
//! A generation never changes its rows, so a row that is in stays good until the last connection leaves the generation:
//! nothing is ever replaced or evicted, and readers take no lock. Rows come in as searches read them, hubs first by
//! their nature, until the budget is spent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use crate::format::header::Generation;
use crate::format::node::NodeId;

/// Rows whose places are allocated together, so that an unused cache costs next to nothing.
const CHUNK: usize = 64;
/// What a row costs beyond its bytes: its place and the allocator's book-keeping.
const OVERHEAD: usize = 48;

/// What rows are those of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    /// Path of the database file; empty for one in memory or temporary, whose cache is not shared.
    pub file: String,
    pub node_table: String,
    pub generation: Generation,
}

type Chunk = Box<[OnceLock<Box<[u8]>>]>;

/// Rows by node id.
#[derive(Debug)]
pub struct NodeCache {
    chunks: Box<[OnceLock<Chunk>]>,
    used: AtomicUsize,
    limit: usize,
}

static SHARED: Mutex<Vec<(CacheKey, Weak<NodeCache>)>> = Mutex::new(Vec::new());

impl NodeCache {
    /// An empty cache for ids below `next_id` that holds at most `limit` bytes.
    pub fn new(next_id: u32, limit: usize) -> NodeCache {
        let count = (next_id as usize).div_ceil(CHUNK);
        // Ids so sparse that the places alone would take the budget are those of a file that was made to harm.
        let taken = count * size_of::<OnceLock<Chunk>>();
        let count = if taken > limit { 0 } else { count };
        NodeCache { chunks: (0..count).map(|_| OnceLock::new()).collect(), used: AtomicUsize::new(0), limit }
    }

    /// The process's cache of `key`, made with this limit if nobody has it yet.
    pub fn shared(key: CacheKey, next_id: u32, limit: usize) -> Arc<NodeCache> {
        let fresh = || Arc::new(NodeCache::new(next_id, limit));
        if key.file.is_empty() {
            return fresh();
        }
        let Ok(mut shared) = SHARED.lock() else { return fresh() };
        shared.retain(|(_, cache)| cache.strong_count() > 0);
        let known = shared.iter().find(|(other, _)| *other == key).and_then(|(_, cache)| cache.upgrade());
        known.unwrap_or_else(|| {
            let cache = fresh();
            shared.push((key, Arc::downgrade(&cache)));
            cache
        })
    }

    #[inline]
    pub fn get(&self, id: NodeId) -> Option<&[u8]> {
        let chunk = self.chunks.get(id as usize / CHUNK)?.get()?;
        chunk.get(id as usize % CHUNK)?.get().map(|row| &row[..])
    }

    /// Takes a row in, if the budget allows.
    pub fn insert(&self, id: NodeId, row: &[u8]) {
        let Some(chunk) = self.chunks.get(id as usize / CHUNK) else { return };
        if self.used.load(Ordering::Relaxed) + row.len() + OVERHEAD > self.limit {
            return;
        }
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
        if chunk[id as usize % CHUNK].set(row.into()).is_ok() {
            self.used.fetch_add(row.len() + OVERHEAD, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(file: &str, generation: u8) -> CacheKey {
        CacheKey { file: file.into(), node_table: "t_nodes".into(), generation: [generation; 16] }
    }

    #[test]
    fn rows_come_back_until_the_budget_is_spent() {
        let cache = NodeCache::new(1000, 3 * (100 + OVERHEAD));
        for id in [5, 999, 700, 6] {
            cache.insert(id, &[id as u8; 100]);
        }
        cache.insert(1024, &[1; 1]);
        assert_eq!(cache.get(999), Some(&[231u8; 100][..]));
        assert_eq!((cache.get(6), cache.get(7), cache.get(1024)), (None, None, None));
    }

    #[test]
    fn one_generation_of_one_file_is_shared() {
        let first = NodeCache::shared(key("/a.db", 1), 10, 1000);
        first.insert(3, b"row");
        assert_eq!(NodeCache::shared(key("/a.db", 1), 10, 1000).get(3), Some(&b"row"[..]));
        for other in [key("/a.db", 2), key("/b.db", 1), key("", 1)] {
            assert_eq!(NodeCache::shared(other, 10, 1000).get(3), None);
        }
        drop(first);
        assert_eq!(NodeCache::shared(key("/a.db", 1), 10, 1000).get(3), None);
    }
}
