//! Cache of the rows that searches returned, valid until the file is written.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::sqlite::ColumnId;
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::rows::owned_value::OwnedValue;
use crate::vtab::snapshot::Snapshot;

/// The limits per table and connection: bytes of all rows, bytes of one row, sets of columns.
const MOST_BYTES: usize = 16 << 20;
const LARGEST_ROW: usize = 16 << 10;
const MOST_SETS: usize = 8;
/// The bytes of a row, and of a value, without its text.
const ROW_OVERHEAD: usize = 64;
const VALUE_OVERHEAD: usize = size_of::<OwnedValue>() + 16;

/// The columns of a row, in the order of `Selection::sql`.
pub type Values = Rc<[OwnedValue]>;

/// Rows of one snapshot.
#[derive(Default)]
pub struct RowCache {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Part of the snapshot, and the same for every vector column.
    commits: u32,
    /// By the vector column that is searched, whose node a row has too, and the columns that are read.
    sets: Vec<(VectorOrdinal, Vec<ColumnId>, HashMap<i64, Values>)>,
    bytes: usize,
}

impl RowCache {
    /// The columns of a row, if they are kept. Drops rows of other snapshots.
    pub fn get(&self, snapshot: Snapshot, ordinal: VectorOrdinal, columns: &[ColumnId], rowid: i64) -> Option<Values> {
        let mut inner = self.inner.try_borrow_mut().ok()?;
        if inner.commits != snapshot.commits {
            *inner = Inner { commits: snapshot.commits, ..Inner::default() };
        }
        let (.., rows) = inner.sets.iter().find(|(searched, set, _)| (*searched, &**set) == (ordinal, columns))?;
        rows.get(&rowid).cloned()
    }

    /// Keeps a row if it fits. `get` must have been called for it.
    pub fn put(&self, ordinal: VectorOrdinal, columns: &[ColumnId], rowid: i64, values: &Values) {
        let Ok(mut inner) = self.inner.try_borrow_mut() else { return };
        let bytes = ROW_OVERHEAD + values.iter().map(|value| VALUE_OVERHEAD + value.bytes()).sum::<usize>();
        if bytes > LARGEST_ROW || inner.bytes + bytes > MOST_BYTES {
            return;
        }
        let set = match inner.sets.iter().position(|(searched, set, _)| (*searched, &**set) == (ordinal, columns)) {
            Some(set) => set,
            None if inner.sets.len() < MOST_SETS => {
                inner.sets.push((ordinal, columns.to_vec(), HashMap::new()));
                inner.sets.len() - 1
            }
            None => return,
        };
        inner.bytes += bytes;
        inner.sets[set].2.insert(rowid, Rc::clone(values));
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.inner.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(commits: u32) -> Snapshot {
        Snapshot { commits, generation: [0; 16], writes: 0 }
    }

    fn row(text: &str) -> Values {
        Rc::new([OwnedValue::Integer(1), OwnedValue::Text(text.into())])
    }

    fn ids(columns: &[usize]) -> Vec<ColumnId> {
        columns.iter().copied().map(ColumnId).collect()
    }

    fn get(cache: &RowCache, commits: u32, ordinal: usize, columns: &[usize], rowid: i64) -> Option<Values> {
        cache.get(at(commits), VectorOrdinal(ordinal), &ids(columns), rowid)
    }

    fn put(cache: &RowCache, ordinal: usize, columns: &[usize], rowid: i64, values: &Values) {
        cache.put(VectorOrdinal(ordinal), &ids(columns), rowid, values);
    }

    #[test]
    fn cached_rows_are_found_by_snapshot_and_columns() {
        let kept = RowCache::default();
        assert_eq!(get(&kept, 7, 0, &[0], 1), None);
        put(&kept, 0, &[0], 1, &row("a"));
        put(&kept, 0, &[0, 2], 1, &row("b"));
        assert_eq!(get(&kept, 7, 0, &[0], 1), Some(row("a")));
        assert_eq!(get(&kept, 7, 0, &[0, 2], 1), Some(row("b")));
        assert_eq!(get(&kept, 7, 1, &[0], 1), None, "its node in another vector column is another one");
        assert_eq!((get(&kept, 7, 0, &[2], 1), get(&kept, 7, 0, &[0], 2)), (None, None));
        assert_eq!(
            (get(&kept, 8, 0, &[0], 1), get(&kept, 7, 0, &[0], 1)),
            (None, None),
            "another version has other rows"
        );
    }

    #[test]
    fn the_row_cache_stays_within_its_limits() {
        let kept = RowCache::default();
        assert_eq!(get(&kept, 1, 0, &[0], 0), None);
        put(&kept, 0, &[0], 0, &row(&"x".repeat(LARGEST_ROW)));
        assert_eq!(get(&kept, 1, 0, &[0], 0), None, "a large row is read each time");
        let text = "x".repeat(10_000);
        (0..2000).for_each(|rowid| put(&kept, 0, &[0], rowid, &row(&text)));
        let count = (0..2000).filter(|&rowid| get(&kept, 1, 0, &[0], rowid).is_some()).count();
        assert!((1500..MOST_BYTES / 10_000).contains(&count), "{count}");
        (0..20).for_each(|set| put(&kept, 0, &[set], 9, &row("y")));
        assert_eq!(get(&kept, 1, 0, &[19], 9), None);
    }
}
