//! Pages of large values, given to the library in pieces.
//!
//! Some writers put 1,024 values on a page, whatever their size. The library keeps a page in memory until no value of
//! it is in use and the next page is decoded, so that there would be two of them. A piece is a copy of some values with
//! their levels, and a page of its own.

use crate::thrift;
use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

/// Bytes from which on a page is cut.
const LARGE: usize = 16 << 20;

/// Bytes per value from which on levels are few enough to be held one by one.
const LARGE_VALUE: usize = 1 << 10;

/// Bytes of a piece, unless a single value has more.
const PIECE: usize = 4 << 20;

/// How the values of a page follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueForm {
    /// Each has its length in four bytes in front.
    Length,
    /// Each has so many bytes.
    Fixed(usize),
}

impl ValueForm {
    /// None for types whose values are all small.
    pub fn of(column: &ColumnDescriptor) -> Option<ValueForm> {
        match column.physical_type() {
            Type::BYTE_ARRAY => Some(ValueForm::Length),
            Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(column.type_length()).ok().map(ValueForm::Fixed),
            _ => None,
        }
    }

    /// Bytes of the first value, length included.
    fn size(self, values: &[u8]) -> Option<usize> {
        match self {
            ValueForm::Length => values.first_chunk().map(|length| 4 + u32::from_le_bytes(*length) as usize),
            ValueForm::Fixed(size) => Some(size),
        }
    }
}

/// True for a page that is better given in pieces.
pub fn is_large(page: &Page) -> bool {
    let bytes = page.buffer().len();
    page.is_data_page() && bytes >= LARGE && bytes / LARGE_VALUE >= page.num_values() as usize
}

/// The levels of a page, which are runs and bit-packed groups of eight; nothing where the greatest is 0. None if there
/// are not `count` of them.
pub fn levels(mut bytes: &[u8], most: i16, count: usize) -> Option<Vec<u8>> {
    let width = bits(most);
    let mut levels = Vec::new();
    while width > 0 && levels.len() < count {
        let left = count - levels.len();
        let head = thrift::varint(&mut bytes).ok()?;
        let length = usize::try_from(head >> 1).ok()?;
        if head & 1 == 0 {
            let level;
            (level, bytes) = bytes.split_first()?;
            levels.resize(levels.len() + length.min(left), *level);
        } else {
            let packed;
            (packed, bytes) = bytes.split_at_checked(length.checked_mul(width)?)?;
            let bit = |at: usize| packed[at / 8] >> (at % 8) & 1;
            let level = |at: usize| (0..width).fold(0, |level, shift| level | bit(at * width + shift) << shift);
            levels.extend((0..left.min(8 * length)).map(level));
        }
    }
    Some(levels)
}

/// Bits of a level. Deeper ones than a byte holds do not occur: the library's own types end before.
fn bits(most: i16) -> usize {
    (i16::BITS - most.leading_zeros()).min(8) as usize
}

/// Puts levels as runs, with their length in front.
fn put_levels(out: &mut Vec<u8>, levels: &[u8]) {
    let mut runs = Vec::new();
    for run in levels.chunk_by(|a, b| a == b) {
        thrift::put_varint(&mut runs, (run.len() as u64) << 1);
        runs.extend(run.first());
    }
    out.extend((runs.len() as u32).to_le_bytes());
    out.extend(runs);
}

/// A page and how far it was given.
pub struct LargePage {
    page: Page,
    /// Of repetition and of definition; empty where the greatest level is 0.
    levels: [Vec<u8>; 2],
    /// The level of definition that a value has.
    present: i16,
    form: ValueForm,
    /// The next level, and where the next value starts.
    next: usize,
    start: usize,
}

impl LargePage {
    /// `levels`: those of repetition and of definition, and the greatest of each. `start`: where the values start.
    pub fn new(page: Page, (levels, most): ([Vec<u8>; 2], [i16; 2]), start: usize, form: ValueForm) -> LargePage {
        LargePage { page, levels, present: most[1], form, next: 0, start }
    }

    /// Values, NULL included, that were not given yet.
    pub fn levels_left(&self) -> usize {
        self.page.num_values() as usize - self.next
    }

    /// None after the last piece.
    pub fn next_piece(&mut self) -> Option<Page> {
        let (first, start) = (self.next, self.start);
        let bytes = self.page.buffer();
        while self.levels_left() > 0 && self.start - start < PIECE {
            let is_present = self.levels[1].get(self.next).is_none_or(|&level| i16::from(level) == self.present);
            if is_present {
                let size = bytes.get(self.start..).and_then(|values| self.form.size(values));
                // Where the values end early, the library finds it out.
                self.start = size.map_or(bytes.len(), |size| self.start.saturating_add(size).min(bytes.len()));
            }
            self.next += 1;
        }
        if self.next == first {
            return None;
        }
        let mut piece = Vec::with_capacity(self.start - start + PIECE / 1024);
        for levels in self.levels.iter().filter(|levels| !levels.is_empty()) {
            put_levels(&mut piece, &levels[first..self.next]);
        }
        piece.extend_from_slice(&bytes[start..self.start]);
        Some(Page::DataPage {
            buf: piece.into(),
            num_values: (self.next - first) as u32,
            encoding: Encoding::PLAIN,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(levels: &[&[u8]], values: &[&[u8]], num_values: u32) -> Page {
        let values = values.iter().map(|value| [&(value.len() as u32).to_le_bytes()[..], value].concat());
        let buf = [levels.concat(), values.collect::<Vec<_>>().concat()].concat();
        Page::DataPage {
            buf: buf.into(),
            num_values,
            encoding: Encoding::PLAIN,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        }
    }

    #[test]
    fn runs_and_packed_groups_are_levels() {
        // Five of 1, then eight packed ones of which six count.
        assert_eq!(levels(&[10, 1, 3, 0b0010_0101], 1, 11), Some(vec![1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1]));
        // Two bits each: 2, 1, 0, 3 and so on.
        assert_eq!(levels(&[3, 0b1100_0110, 0b1100_0110], 3, 8), Some(vec![2, 1, 0, 3, 2, 1, 0, 3]));
        assert_eq!(levels(&[], 0, 5), Some(vec![]));
        for short in [&[][..], &[10], &[2, 1], &[3], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert_eq!(levels(short, 1, 11), None, "{short:?}");
        }
        let mut written = Vec::new();
        put_levels(&mut written, &[1, 1, 0, 2, 2]);
        assert_eq!(levels(&written[4..], 2, 5), Some(vec![1, 1, 0, 2, 2]));
    }

    #[test]
    fn pieces_are_small_and_together_the_page() {
        let values: Vec<Vec<u8>> = (0..10).map(|value| vec![value; 1_500_000]).collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let definition = vec![1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0];
        let whole = page(&[], &values, 12);
        let mut large = LargePage::new(whole.clone(), ([vec![], definition.clone()], [0, 1]), 0, ValueForm::Length);
        let (mut all, mut found) = (Vec::new(), Vec::new());
        while let Some(piece) = large.next_piece() {
            let bytes = piece.buffer();
            assert!(bytes.len() < PIECE + 1_500_100, "{}", bytes.len());
            let (length, rest) = bytes.split_first_chunk().unwrap();
            let (runs, values) = rest.split_at(u32::from_le_bytes(*length) as usize);
            found.extend(levels(runs, 1, piece.num_values() as usize).unwrap());
            all.extend_from_slice(values);
        }
        assert_eq!(found, definition);
        assert!(all == whole.buffer().as_ref());
        assert_eq!(large.levels_left(), 0);
    }
}
