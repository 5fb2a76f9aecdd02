//! The page size of a new file.

/// Bytes that a row of a table takes beside its blob: cell pointer, payload size, rowid, record header.
const ROW_OVERHEAD: usize = 11;

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
    const PAGE_HEADER: usize = 8;
    const OVERFLOW_MARGIN: usize = 35;
    const COST_OF_A_READ: usize = 4096;
    if row + ROW_OVERHEAD > page - OVERFLOW_MARGIN {
        return ((page + COST_OF_A_READ) * row.div_ceil(page)) as f64;
    }
    page as f64 / ((page - PAGE_HEADER) / (row + ROW_OVERHEAD)) as f64
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
}
