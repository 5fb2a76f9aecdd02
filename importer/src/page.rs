//! The page size of a new file.

use vecrank::internals::storage::rows_per_page;

/// Ids of up to two million nodes take as many bytes as this one.
const LAST_ID: u32 = 1_000_000;

/// A page size that takes up to this times the least bytes is as good as the best one.
const NEARLY: f64 = 1.03;

/// The page size that takes the fewest bytes for one node of each vector column; of nearly equal ones the smallest,
/// which a search reads soonest.
pub fn best_size(rows: &[usize]) -> u32 {
    let bytes = |page: usize| -> f64 { rows.iter().map(|&row| bytes_per_row(page, row)).sum() };
    let sizes = [4096, 8192, 16_384, 32_768, 65_536_u32];
    let least = sizes.iter().map(|&size| bytes(size as usize)).fold(f64::INFINITY, f64::min);
    sizes.into_iter().find(|&size| bytes(size as usize) <= least * NEARLY).unwrap_or(4096)
}

/// Bytes of the file per row: its share of a page, or its overflow pages, each of which costs one more read.
fn bytes_per_row(page: usize, row: usize) -> f64 {
    const COST_OF_A_READ: usize = 4096;
    match rows_per_page(page, row, LAST_ID) {
        Some(rows) => page as f64 / rows as f64,
        None => ((page + COST_OF_A_READ) * row.div_ceil(page)) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_waste_little() {
        assert_eq!(best_size(&[2320]), 16_384); // FLOAT[256]: 7 to a page
        assert_eq!(best_size(&[1808]), 16_384); // FLOAT16[256]: 9 to a page
        assert_eq!(best_size(&[6416]), 32_768); // FLOAT[768]: 5 to a page
        assert_eq!(best_size(&[390]), 4096); // ten to a page
        assert_eq!(best_size(&[400]), 16_384); // 39 to a page, where 4096 would take 9
        assert_eq!(best_size(&[70_000]), 16_384); // five overflow pages
    }

    /// The most rows on a page of a table with rows of so many bytes; None if they have overflow pages.
    fn rows_of_sqlite(page: usize, bytes: usize, last_id: u32) -> Option<usize> {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        let rows = (4 * page / bytes).max(4);
        db.execute_batch(&format!(
            "PRAGMA page_size = {page};
             CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB);
             WITH ids(id) AS (VALUES ({last_id} - {rows}) UNION ALL SELECT id + 1 FROM ids WHERE id < {last_id})
             INSERT INTO t SELECT id, zeroblob({bytes}) FROM ids ORDER BY id"
        ))
        .unwrap();
        let sql = "SELECT max(ncell) FILTER (WHERE pagetype = 'leaf'), max(pagetype = 'overflow') FROM dbstat WHERE name = 't'";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?));
        let (most, has_overflow) = db.query_row(sql, [], read).unwrap();
        (!has_overflow).then_some(most as usize)
    }

    #[test]
    fn as_many_rows_fit_a_page_as_sqlite_puts_there() {
        let (mut whole, mut spilled) = (0, 0);
        for page in [512, 4096, 65_536] {
            // The sizes of rows at which a number in the cell takes one more byte, and at which a row spills.
            let edges =
                [57, 58, 123, 124, 8185, 8186, 16_378, 16_379, page - 39, page - 38, page / 2 - 14, page / 2 - 9];
            for bytes in edges.into_iter().chain([390, 2320, 6416]).filter(|bytes| *bytes <= page) {
                for last_id in [127, 16_383, 1_000_000, 200_000_000] {
                    // So few ids of one byte do not fill pages of small rows.
                    if last_id == 127 && 4 * page / bytes > 100 {
                        continue;
                    }
                    let expected = rows_of_sqlite(page, bytes, last_id);
                    assert_eq!(rows_per_page(page, bytes, last_id), expected, "{page} {bytes} {last_id}");
                    *if expected.is_some() { &mut whole } else { &mut spilled } += 1;
                }
            }
        }
        assert!(whole > 50 && spilled >= 8, "{whole} {spilled}");
    }
}
