//! The group limit: a search returns at most so many rows with the same value of a column, counted along its sequence.
//!
//! Values are equal if SQLite calls them equal. Numbers and BLOBs need no collation. Texts need that of the column, which
//! may be the host's own unless it is BINARY, so SQLite compares them: a new text is searched by bisection among one text
//! per group, in the order of the collation.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::sqlite::{ColumnId, Content, Value, quote_identifier, whole};
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::core::TableCore;
use crate::vtab::declaration::schema::{ColumnRef, TableSchema};
use crate::vtab::rows::filter::RowsFilter;
use crate::vtab::rows::read::passes;
use crate::vtab::rows::statement_cache::{CachedStatement, prepared};

/// The parameters of the counts.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupLimit {
    column: ColumnId,
    limit: u64,
    /// Rows that this filter refuses are returned without being counted.
    counted: RowsFilter,
}

impl GroupLimit {
    /// From the arguments `group_by` and `group_limit`.
    pub fn new(table: &str, schema: &TableSchema, by: Value<'_>, limit: Option<Value<'_>>) -> Result<GroupLimit> {
        let column = group_column(table, schema, by)?;
        let limit = limit.map_or(Ok(1), |limit| {
            let number = limit.whole().and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0);
            let wrong = || format!("{table}.group_limit: expected a whole number from 1 on, got {}", limit.shown());
            number.ok_or_else(|| Error::invalid(wrong()))
        })?;
        Ok(GroupLimit { column, limit, counted: RowsFilter::default() })
    }

    /// Sets the filter of the rows to be counted.
    pub fn counting(mut self, counted: RowsFilter) -> GroupLimit {
        self.counted = counted;
        self
    }
}

fn group_column(table: &str, schema: &TableSchema, by: Value<'_>) -> Result<ColumnId> {
    let refuse = |got: String| {
        Error::invalid(format!(
            "{table}.group_by: expected the name of an ordinary column, got {got}; PRAGMA table_info lists the columns"
        ))
    };
    let name = match by.content() {
        Content::Text(name) => name,
        Content::Blob(_) => return Err(refuse(by.kind().name().to_string())),
        _ => return Err(refuse(by.shown())),
    };
    let is_named = |name: &[u8], column: &str| column.as_bytes().eq_ignore_ascii_case(name);
    let column = schema.find(|column| is_named(name, &column.name));
    match column.and_then(|id| Some((id, schema.column(id)?))) {
        Some((id, ColumnRef::Ordinary(..))) => Ok(id),
        Some(_) => Err(refuse(format!("the vector column {}", by.shown()))),
        None => Err(refuse(by.shown())),
    }
}

/// The value of a group, equal as SQLite compares it, without the collation of texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum GroupKey {
    Integer(i64),
    /// The bits of a number that is not an i64.
    Real(u64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl GroupKey {
    /// None for NULL.
    fn of(content: Content<'_>) -> Option<GroupKey> {
        Some(match content {
            Content::Null => return None,
            Content::Integer(number) => GroupKey::Integer(number),
            Content::Real(number) => whole(number).map_or(GroupKey::Real(number.to_bits()), GroupKey::Integer),
            Content::Text(bytes) => GroupKey::Text(bytes.to_vec()),
            Content::Blob(bytes) => GroupKey::Blob(bytes.to_vec()),
        })
    }

    fn bytes(&self) -> usize {
        match self {
            GroupKey::Text(bytes) | GroupKey::Blob(bytes) => size_of::<GroupKey>() + bytes.len(),
            GroupKey::Integer(_) | GroupKey::Real(_) => size_of::<GroupKey>(),
        }
    }
}

/// The groups of the rows returned so far. It holds no statement, so that it can be kept between two pages.
#[derive(Debug, Default)]
pub struct GroupCounts {
    /// The number of returned rows per group.
    counts: Vec<u64>,
    /// The group of each returned value.
    known: HashMap<GroupKey, usize>,
    /// Under a collation other than BINARY: one text per group, and the group, in the order of the collation.
    texts: Vec<(Vec<u8>, usize)>,
    bytes: usize,
    /// The number of dropped rows, and the number at which the next check for open groups is due.
    dropped: u64,
    next_look: u64,
}

/// Compares two texts by a collation.
type Compare<'c> = dyn FnMut(&[u8], &[u8]) -> Result<Ordering> + 'c;

/// The first check for open groups is due after so many dropped rows, or after this share of the table.
const LEAST_DROPPED: u64 = 200;
const DROPPED_SHARE: u64 = 16;

impl GroupCounts {
    /// Whether the next row of the sequence is returned; if so, it is counted. `compare`: None if texts are equal exactly if
    /// their bytes are.
    fn admits(&mut self, value: Content<'_>, limit: u64, compare: Option<&mut Compare<'_>>) -> Result<bool> {
        let Some(key) = GroupKey::of(value) else { return Ok(true) };
        let has_order = compare.is_some();
        let group = match self.group_of(&key, compare)? {
            Ok(group) => group,
            Err(place) => {
                if let (GroupKey::Text(text), true) = (&key, has_order) {
                    self.texts.insert(place, (text.clone(), self.counts.len()));
                }
                self.counts.push(0);
                self.counts.len() - 1
            }
        };
        let Some(count) = self.counts.get_mut(group).filter(|count| **count < limit) else {
            self.dropped += 1;
            return Ok(false);
        };
        *count += 1;
        // As a key and, perhaps, as a text of the order.
        let bytes = size_of::<u64>() + 2 * key.bytes();
        if self.known.insert(key, group).is_none() {
            self.bytes += bytes;
        }
        Ok(true)
    }

    /// Whether the group of a value is full.
    fn is_full(&self, value: Content<'_>, limit: u64, compare: Option<&mut Compare<'_>>) -> Result<bool> {
        let Some(key) = GroupKey::of(value) else { return Ok(false) };
        let group = self.group_of(&key, compare)?.ok();
        Ok(group.and_then(|group| self.counts.get(group)).is_some_and(|count| *count >= limit))
    }

    /// The group of a value, or the index at which a new text belongs in the order.
    fn group_of(&self, key: &GroupKey, compare: Option<&mut Compare<'_>>) -> Result<std::result::Result<usize, usize>> {
        match (self.known.get(key), key, compare) {
            (Some(group), ..) => Ok(Ok(*group)),
            (None, GroupKey::Text(text), Some(compare)) => self.find(text, compare),
            (None, ..) => Ok(Err(0)),
        }
    }

    fn find(&self, text: &[u8], compare: &mut Compare<'_>) -> Result<std::result::Result<usize, usize>> {
        let (mut least, mut past) = (0, self.texts.len());
        while least < past {
            let middle = least + (past - least) / 2;
            let Some((other, group)) = self.texts.get(middle) else { break };
            match compare(other, text)? {
                Ordering::Less => least = middle + 1,
                Ordering::Equal => return Ok(Ok(*group)),
                Ordering::Greater => past = middle,
            }
        }
        Ok(Err(least))
    }

    /// Whether a check for open groups is due. `rows`: the number of rows of the table.
    pub fn takes_look(&mut self, rows: u64) -> bool {
        let is_due = self.dropped >= self.next_look.max(LEAST_DROPPED).max(rows / DROPPED_SHARE);
        if is_due {
            self.next_look = 2 * self.dropped;
        }
        is_due
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The statements of a search with a group limit, prepared at their first use.
#[derive(Default)]
pub struct GroupStatements<'t> {
    value: Option<CachedStatement<'t>>,
    compare: Option<CachedStatement<'t>>,
    counted: Option<CachedStatement<'t>>,
}

impl<'t> GroupStatements<'t> {
    /// Whether the next row of the sequence is returned. A missing row is: the reader of the row reports it.
    pub fn admit(
        &mut self,
        core: &'t TableCore,
        group: &GroupLimit,
        counts: &mut GroupCounts,
        rowid: i64,
    ) -> Result<bool> {
        let GroupStatements { value, compare, counted } = self;
        if group.counted.is_never
            || !group.counted.sql.is_empty()
                && !passes(prepared(counted, || core.rows.filter_test(&group.counted))?, rowid)?
        {
            return Ok(true);
        }
        let value = prepared(value, || core.rows.value_reader(group.column))?;
        value.bind_i64(1, rowid)?;
        let mut compare = by_collation(core, group.column, compare);
        let compare = compare.as_mut().map(|compare| compare as &mut Compare<'_>);
        let admits = match value.step() {
            Ok(true) => counts.admits(value.column_content(0), group.limit, compare),
            Ok(false) => Ok(true),
            Err(error) => Err(error),
        };
        value.reset();
        admits
    }

    /// Whether a row that passes the filter and has a vector in the searched column can still be returned: it has NULL, or
    /// its group is not full.
    pub fn has_room(
        &mut self,
        core: &'t TableCore,
        group: &GroupLimit,
        counts: &GroupCounts,
        (ordinal, filter): (VectorOrdinal, &RowsFilter),
    ) -> Result<bool> {
        if group.counted.is_never || !group.counted.sql.is_empty() {
            return Ok(true);
        }
        let mut compare = by_collation(core, group.column, &mut self.compare);
        let mut values = core.rows.distinct_values(ordinal, group.column, filter)?;
        while values.step()? {
            let compare = compare.as_mut().map(|compare| compare as &mut Compare<'_>);
            if !counts.is_full(values.column_content(0), group.limit, compare)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the statements to the cache.
    pub fn clear(&mut self) {
        *self = GroupStatements::default();
    }
}

/// The statement that compares two texts by the column's collation; None if SQLite compares bytes.
fn by_collation<'s, 't>(
    core: &'t TableCore,
    column: ColumnId,
    statement: &'s mut Option<CachedStatement<'t>>,
) -> Option<impl FnMut(&[u8], &[u8]) -> Result<Ordering> + use<'s, 't>> {
    let collation = match core.schema.column(column) {
        Some(ColumnRef::Ordinary(_, ordinary)) => ordinary.collation(),
        _ => "BINARY",
    };
    let quoted = quote_identifier(collation);
    let sql = format!("SELECT (?1 > ?2 COLLATE {quoted}) - (?1 < ?2 COLLATE {quoted})");
    let compare = move |a: &[u8], b: &[u8]| {
        let compare = prepared(statement, || core.rows.statements.reading(sql.clone()))?;
        compare.bind_content(1, Content::Text(a))?;
        compare.bind_content(2, Content::Text(b))?;
        let found = compare.step();
        let order = compare.column_i64(0).cmp(&0);
        compare.reset();
        found.map(|_| order)
    };
    (!collation.eq_ignore_ascii_case("BINARY")).then_some(compare)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The indexes of the values that are admitted.
    fn admitted(values: &[Content<'_>], limit: u64, mut compare: Option<&mut Compare<'_>>) -> Vec<usize> {
        let mut counts = GroupCounts::default();
        let mut admits = |value: &Content<'_>| counts.admits(*value, limit, compare.as_deref_mut()).unwrap();
        values.iter().enumerate().filter(|(_, value)| admits(value)).map(|(position, _)| position).collect()
    }

    #[test]
    fn each_group_is_admitted_up_to_the_limit() {
        use Content::{Blob, Integer, Null, Real, Text};
        let values = [
            Integer(1),
            Real(1.0),
            Text(b"1"),
            Blob(b"1"),
            Null,
            Null,
            Null,
            Real(0.5),
            Real(0.5),
            Real(0.0),
            Real(-0.0),
            Integer(0),
            Integer((1 << 53) + 1),
            Real(9_007_199_254_740_992.0),
            Real(9_223_372_036_854_775_808.0),
            Integer(i64::MAX),
            Real(-9_223_372_036_854_775_808.0),
            Integer(i64::MIN),
            Text(b""),
            Blob(b""),
            Text(b"a"),
            Text(b"A"),
            Text(b"a "),
            Text(b"a"),
        ];
        let once = [0, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22];
        assert_eq!(admitted(&values, 1, None), once);
        let twice = admitted(&values, 2, None);
        assert_eq!(twice, (0..24).filter(|position| *position != 11).collect::<Vec<_>>());
    }

    #[test]
    fn texts_are_compared_by_the_collation_and_nothing_else_is() {
        use Content::{Blob, Text};
        let mut asked = 0;
        let mut compare = |a: &[u8], b: &[u8]| {
            asked += 1;
            Ok(a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()))
        };
        let values = ["b", "B", "a", "c", "C", "b", "A", "bb"].map(|text| Text(text.as_bytes()));
        let values = [&values[..], &[Blob(b"a"), Blob(b"A"), Text(b"BB")]].concat();
        assert_eq!(admitted(&values, 1, Some(&mut compare)), [0, 2, 3, 7, 8, 9]);
        assert_eq!(admitted(&values, 2, Some(&mut compare)), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]);
        let many: Vec<String> = (0..1_000).map(|n| format!("{}", n * 7 % 1_000)).collect();
        let many: Vec<Content<'_>> = many.iter().map(|text| Text(text.as_bytes())).collect();
        asked = 0;
        let mut compare = |a: &[u8], b: &[u8]| {
            asked += 1;
            Ok(a.cmp(b))
        };
        assert_eq!(admitted(&many, 1, Some(&mut compare)).len(), 1_000);
        assert!(asked < 11_000, "{asked} comparisons for 1,000 texts");
    }

    #[test]
    fn a_group_is_full_when_it_has_its_rows() {
        use Content::{Integer, Null, Real, Text};
        let mut counts = GroupCounts::default();
        for value in [Integer(1), Real(1.0), Text(b"a"), Null] {
            assert!(!counts.is_full(value, 2, None).unwrap());
            assert!(counts.admits(value, 2, None).unwrap());
        }
        let full = [Integer(1), Real(1.0), Integer(2), Text(b"a"), Text(b"A"), Null];
        assert_eq!(full.map(|value| counts.is_full(value, 2, None).unwrap()), [true, true, false, false, false, false]);
        let mut ignoring_case = |a: &[u8], b: &[u8]| Ok(a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()));
        let mut counts = GroupCounts::default();
        assert!(counts.admits(Text(b"a"), 1, Some(&mut ignoring_case)).unwrap());
        assert!(counts.is_full(Text(b"A"), 1, Some(&mut ignoring_case)).unwrap());
        assert!(!counts.is_full(Text(b"b"), 1, Some(&mut ignoring_case)).unwrap());
    }

    #[test]
    fn the_number_of_dropped_rows_between_two_checks_doubles() {
        let mut counts = GroupCounts::default();
        assert!(counts.admits(Content::Integer(1), 1, None).unwrap());
        let mut looks = Vec::new();
        for dropped in 1..5_000 {
            assert!(!counts.admits(Content::Integer(1), 1, None).unwrap());
            if counts.takes_look(8_000) {
                looks.push(dropped);
            }
        }
        assert_eq!(looks, [500, 1_000, 2_000, 4_000]);
    }

    #[test]
    fn a_comparison_that_fails_is_an_error_and_changes_nothing() {
        let mut counts = GroupCounts::default();
        let mut fails = |_: &[u8], _: &[u8]| Err(Error::invalid("no such collation"));
        assert!(counts.admits(Content::Text(b"a"), 1, Some(&mut fails)).unwrap());
        assert!(counts.admits(Content::Text(b"b"), 1, Some(&mut fails)).is_err());
        assert_eq!((counts.counts.len(), counts.known.len(), counts.texts.len()), (1, 1, 1));
        assert!(counts.bytes() > 0);
    }
}
