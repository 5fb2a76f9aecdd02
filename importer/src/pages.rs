//! Checks the page headers of a Parquet file before the library reads the pages: the library allocates what a header
//! claims before it looks for the bytes.

use crate::large_page::{self, LargePage, ValueForm};
use crate::thrift;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// A page of at least so many bytes is decoded only if that memory can be reserved.
const LARGE: u64 = 16 << 20;

/// One row group whose pages are checked.
pub struct CheckedRowGroup {
    pub file: Arc<File>,
    pub metadata: Arc<ParquetMetaData>,
    /// Its number in the file.
    pub number: usize,
}

impl CheckedRowGroup {
    fn group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.number)
    }
}

impl RowGroups for CheckedRowGroup {
    fn num_rows(&self) -> usize {
        usize::try_from(self.group().num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        let pages: Box<dyn PageReader> =
            Box::new(CheckedPages::new(&self.file, self.group().column(leaf), self.num_rows())?);
        Ok(Box::new(Once(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The pages of the one row group.
struct Once(Option<Box<dyn PageReader>>);

impl Iterator for Once {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Once {}

/// The library's page reader behind a check of each page's header.
struct CheckedPages {
    pages: SerializedPageReader<File>,
    file: Arc<File>,
    /// Offsets of the next page and of the end of the column chunk.
    next: u64,
    end: u64,
    limits: Limits,
    /// The page that is passed on in pieces.
    large: Option<LargePage>,
}

/// Upper bounds of what the pages of a column chunk can hold.
struct Limits {
    codec: Compression,
    /// Bytes of the smallest value of a dictionary.
    least_bytes: u64,
    values: u64,
    /// The greatest levels of repetition and of definition.
    levels: [i16; 2],
    /// Set for types whose values may be large.
    form: Option<ValueForm>,
}

impl CheckedPages {
    fn new(file: &Arc<File>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<CheckedPages> {
        let (start, length) = chunk.byte_range();
        let column = chunk.column_descr();
        Ok(CheckedPages {
            pages: SerializedPageReader::new(file.clone(), chunk, rows, None)?,
            file: file.clone(),
            next: start,
            end: start.saturating_add(length),
            limits: Limits {
                codec: chunk.compression(),
                least_bytes: least_bytes(column),
                values: u64::try_from(chunk.num_values()).unwrap_or(0),
                levels: [column.max_rep_level(), column.max_def_level()],
                form: ValueForm::of(column),
            },
            large: None,
        })
    }

    /// Checks the header of the next page, and advances past the page.
    fn check_next(&mut self) -> Result<()> {
        while self.next < self.end {
            let mut bytes = self.file.get_read(self.next)?.take(self.end - self.next);
            let header = Header::read(&mut bytes).map_err(|error| self.limits.wrong(format_args!("{error}")))?;
            self.limits.check(&header, bytes.limit())?;
            self.next = self.end - bytes.limit() + header.compressed;
            if header.kind != Kind::Index {
                break;
            }
        }
        Ok(())
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if let Some(piece) = self.large.as_mut().and_then(LargePage::next_piece) {
            return Ok(Some(piece));
        }
        // Its memory is given back before the next page takes some.
        self.large = None;
        self.check_next()?;
        let Some(page) = self.pages.get_next_page()? else { return Ok(None) };
        self.limits.check_page(&page)?;
        let Some((levels, start, form)) = self.limits.pieces(&page) else { return Ok(Some(page)) };
        self.large = Some(LargePage::new(page, (levels, self.limits.levels), start, form));
        self.get_next_page()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        match self.large.as_ref().map_or(0, LargePage::levels_left) {
            0 => self.pages.peek_next_page(),
            // A piece need not begin with a row.
            levels => Ok(Some(PageMetadata { num_rows: None, num_levels: Some(levels), is_dict: false })),
        }
    }

    fn skip_next_page(&mut self) -> Result<()> {
        if self.large.as_mut().and_then(LargePage::next_piece).is_some() {
            return Ok(());
        }
        self.check_next()?;
        self.pages.skip_next_page()
    }
}

impl Limits {
    fn wrong(&self, what: std::fmt::Arguments<'_>) -> ParquetError {
        ParquetError::General(format!("page header: {what}"))
    }

    /// `left`: bytes of the column chunk behind the header.
    fn check(&self, header: &Header, left: u64) -> Result<()> {
        if header.compressed > left {
            let claimed = header.compressed;
            return Err(self.wrong(format_args!("it claims {claimed} bytes, of the column chunk there are {left}")));
        }
        let most = header.compressed.saturating_mul(largest_ratio(self.codec)).saturating_add(SLACK);
        let claimed = header.uncompressed;
        if claimed > most {
            return Err(self.wrong(format_args!("it claims {claimed} bytes of content, the page can hold {most}")));
        }
        let most = match header.kind {
            Kind::Dictionary => claimed / self.least_bytes,
            Kind::Data => self.values,
            Kind::Index => return Ok(()),
        };
        if header.values > most {
            let claimed = header.values;
            return Err(self.wrong(format_args!("it claims {claimed} values, the page can hold {most}")));
        }
        // Where memory is short the library would end the process.
        if claimed >= LARGE && Vec::<u8>::new().try_reserve_exact(claimed as usize).is_err() {
            return Err(self.wrong(format_args!("{claimed} bytes of content are more than there is memory for")));
        }
        Ok(())
    }

    /// Checks the count of values that some encodings begin with.
    fn check_page(&self, page: &Page) -> Result<()> {
        let lists = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => return Ok(()),
        };
        let Some(mut values) = self.behind_levels(page) else { return Ok(()) };
        for _ in 0..lists {
            // What cannot be read is the library's to refuse, which gets no farther.
            let Ok(counted) = delta_count(&mut values) else { return Ok(()) };
            if counted > u64::from(page.num_values()) {
                let values = page.num_values();
                return Err(self.wrong(format_args!("its encoding claims {counted} values, the page has {values}")));
            }
        }
        Ok(())
    }

    /// The encoded values of a data page; None if the page ends before.
    fn behind_levels<'a>(&self, page: &'a Page) -> Option<&'a [u8]> {
        let (_, start) = self.parts(page)?;
        page.buffer().get(start..)
    }

    /// The bytes of a data page's levels of repetition and of definition, and where its values start.
    fn parts<'a>(&self, page: &'a Page) -> Option<([&'a [u8]; 2], usize)> {
        let whole = page.buffer().as_ref();
        let mut rest = whole;
        let mut levels: [&[u8]; 2] = [&[]; 2];
        match page {
            Page::DataPage { rep_level_encoding, def_level_encoding, .. } => {
                if [rep_level_encoding, def_level_encoding].into_iter().any(|&encoding| encoding != Encoding::RLE) {
                    return None;
                }
                for (levels, _) in levels.iter_mut().zip(self.levels).filter(|(_, most)| *most > 0) {
                    let (length, behind) = rest.split_first_chunk()?;
                    (*levels, rest) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                }
            }
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                for (levels, length) in levels.iter_mut().zip([rep_levels_byte_len, def_levels_byte_len]) {
                    (*levels, rest) = rest.split_at_checked(*length as usize)?;
                }
            }
            Page::DictionaryPage { .. } => return None,
        }
        Some((levels, whole.len() - rest.len()))
    }

    /// What it takes to pass on a page of large values in pieces: its levels of repetition and of definition, and where its
    /// values start. None for other pages, and for damaged ones.
    fn pieces(&self, page: &Page) -> Option<([Vec<u8>; 2], usize, ValueForm)> {
        let form = self.form.filter(|_| page.encoding() == Encoding::PLAIN && large_page::is_large(page))?;
        let (levels, start) = self.parts(page)?;
        let count = page.num_values() as usize;
        let [repetition, definition] = [0, 1].map(|at| large_page::levels(levels[at], self.levels[at], count));
        Some(([repetition?, definition?], start, form))
    }
}

/// The number of values that a DELTA_BINARY_PACKED header claims. Advances `bytes` past the values that are there.
fn delta_count(bytes: &mut &[u8]) -> io::Result<u64> {
    let [block, parts, count] = [thrift::varint(bytes)?, thrift::varint(bytes)?, thrift::varint(bytes)?];
    thrift::varint(bytes)?; // the first number
    let mut left = count.saturating_sub(1);
    while left > 0 {
        let least_difference = thrift::varint(bytes);
        let Some((widths, mut rest)) = bytes.split_at_checked(parts as usize) else { return Ok(count) };
        if least_difference.is_err() {
            return Ok(count);
        }
        for &width in widths {
            let part = block / parts; // `parts` is not 0 where there are widths
            let packed = part.saturating_mul(u64::from(width)).div_ceil(8);
            match rest.get(packed as usize..) {
                Some(behind) if left > 0 => (rest, left) = (behind, left.saturating_sub(part)),
                _ => break,
            }
        }
        *bytes = rest;
    }
    Ok(count)
}

/// Bytes that a page may have beyond the ratio of its codec, for the codec's own headers.
const SLACK: u64 = 1 << 10;

/// The greatest compression ratio of a codec. Brotli has no bound; it gets that of zstd.
fn largest_ratio(codec: Compression) -> u64 {
    match codec {
        Compression::UNCOMPRESSED => 1,
        Compression::SNAPPY => 22, // a copy of 64 bytes takes 3
        Compression::LZ4 | Compression::LZ4_RAW | Compression::LZO => 256, // a byte of length stands for 255
        Compression::GZIP(_) => 1033, // 258 bytes take 2 bits
        Compression::ZSTD(_) | Compression::BROTLI(_) => (128 << 10) / 4 + 1, // a block of 128 KiB takes 4
    }
}

fn least_bytes(column: &ColumnDescriptor) -> u64 {
    match column.physical_type() {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(column.type_length()).unwrap_or(1).max(1),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Index,
    Dictionary,
}

/// The sizes that a page header claims.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    kind: Kind,
    uncompressed: u64,
    compressed: u64,
    values: u64,
}

impl Header {
    /// The header is a struct in Thrift's compact protocol.
    fn read(input: &mut dyn Read) -> io::Result<Header> {
        let (mut kind, mut sizes, mut values) = (None, [None; 2], 0);
        thrift::fields(input, 0, &mut |input, number, kind_of| {
            match (number, kind_of) {
                (1, thrift::I32) => kind = Some(positive(input)?),
                (2 | 3, thrift::I32) => sizes[usize::from(number == 3)] = Some(positive(input)?),
                // The headers of data and dictionary pages begin with the number of values.
                (5 | 7 | 8, thrift::STRUCT) => thrift::fields(input, 1, &mut |input, number, kind_of| {
                    if (number, kind_of) != (1, thrift::I32) {
                        return thrift::skip(input, kind_of, 2);
                    }
                    values = values.max(positive(input)?);
                    Ok(())
                })?,
                _ => thrift::skip(input, kind_of, 1)?,
            }
            Ok(())
        })?;
        let damaged = || io::Error::other("it is damaged");
        let kind = match kind {
            Some(0 | 3) => Kind::Data,
            Some(1) => Kind::Index,
            Some(2) => Kind::Dictionary,
            _ => return Err(damaged()),
        };
        let [Some(uncompressed), Some(compressed)] = sizes else { return Err(damaged()) };
        Ok(Header { kind, uncompressed, compressed, values })
    }
}

/// Sizes and counts are signed and not negative.
fn positive(input: &mut dyn Read) -> io::Result<u64> {
    u64::try_from(thrift::zigzag(input)?).map_err(|_| io::Error::other("it claims a negative size"))
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
