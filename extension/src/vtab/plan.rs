//! What xBestIndex chose, as a value. It travels to xFilter as a number and a text, and the text is what EXPLAIN QUERY
//! PLAN shows: `5:knn embedding cosine, filter category=? retail_price>?, limit offset`.
//!
//! The number: bits 0..4 the kind (0 scan, 1 rowid, 2 key, 3 index, 4 knn of the table-valued form, 5 knn by MATCH),
//! bits 4..30 the columns that the statement reads (the last of them: this column and all after it).
//!
//! The arguments follow the text: the query vector, k, ef_search, distance bounds, one for each filter, limit, offset.

use super::schema::{ColumnRef, TableSchema};
use crate::error::{Error, Result};
use crate::filter::predicate::Comparison;
use crate::hnsw::Order;
use crate::sqlite::quote_identifier;

#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    Scan(ScanPlan),
    Knn(KnnPlan),
}

/// A walk over the rows table.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanPlan {
    pub access: Access,
    pub filters: Vec<Filter>,
    /// Column (None: the rowid) and whether descending, if the rows must come in an order.
    pub order: Option<(Option<usize>, bool)>,
    pub columns: ColumnSet,
}

/// How the rows table finds the rows; SQLite's planner decides it again when it sees the filters' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    All,
    Rowid,
    Key,
    Index,
}

/// The rows nearest to a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct KnnPlan {
    /// The number of the vector column in the virtual table.
    pub column: usize,
    pub form: Form,
    pub has_k: bool,
    pub has_ef_search: bool,
    /// `distance <` and `distance <=` terms.
    pub bounds: usize,
    pub filters: Vec<Filter>,
    /// Strict under ORDER BY distance; else every row comes, if a late one must come late.
    pub order: Order,
    pub has_limit: bool,
    pub has_offset: bool,
    pub columns: ColumnSet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `WHERE embedding MATCH ?`
    Match,
    /// `FROM articles(?)`
    Call,
}

/// A WHERE term that the rows table answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The column's number; None for the rowid.
    pub column: Option<usize>,
    pub comparison: Comparison,
    /// The collation of the comparison, if it is not the column's own.
    pub collation: Option<String>,
}

/// Declared columns that a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnSet(u32);

impl ColumnSet {
    /// The last bit stands for its column and all after it.
    const LAST: usize = 25;

    /// From SQLite's mask, whose bit 63 stands for column 63 and all after it.
    pub fn from_mask(mask: u64) -> ColumnSet {
        let rest = u32::from(mask >> Self::LAST != 0) << Self::LAST;
        ColumnSet(mask as u32 & ((1 << Self::LAST) - 1) | rest)
    }

    pub fn contains(self, column: usize) -> bool {
        self.0 >> column.min(Self::LAST) & 1 == 1
    }
}

const KIND_BITS: u32 = 4;

impl Plan {
    pub fn encode(&self, schema: &TableSchema) -> (i32, String) {
        let (kind, columns, text) = match self {
            Plan::Scan(scan) => (scan.access as u32, scan.columns, scan.text(schema)),
            Plan::Knn(knn) => (if knn.form == Form::Match { 5 } else { 4 }, knn.columns, knn.text(schema)),
        };
        ((columns.0 << KIND_BITS | kind).cast_signed(), text)
    }

    pub fn decode(number: i32, text: &str, schema: &TableSchema) -> Result<Plan> {
        let number = number.cast_unsigned();
        let columns = ColumnSet(number >> KIND_BITS);
        let mut reader = Reader { rest: text, schema };
        let plan = match number & ((1 << KIND_BITS) - 1) {
            0 => reader.scan(Access::All, columns),
            1 => reader.scan(Access::Rowid, columns),
            2 => reader.scan(Access::Key, columns),
            3 => reader.scan(Access::Index, columns),
            4 => reader.knn(Form::Call, columns),
            5 => reader.knn(Form::Match, columns),
            _ => None,
        };
        plan.filter(|_| reader.rest.is_empty())
            .ok_or_else(|| Error::internal(format!("a plan that cannot be read: {number}:{text}")))
    }
}

impl Access {
    fn text(self) -> &'static str {
        match self {
            Access::All => "scan",
            Access::Rowid => "rowid lookup",
            Access::Key => "key lookup",
            Access::Index => "index lookup",
        }
    }
}

impl ScanPlan {
    fn text(&self, schema: &TableSchema) -> String {
        let mut text = self.access.text().to_string();
        push_filters(&mut text, &self.filters, schema);
        if let Some((column, is_descending)) = self.order {
            text.push_str(", order ");
            text.push_str(&column_name(column, schema));
            text.push_str(if is_descending { " desc" } else { "" });
        }
        text
    }
}

impl KnnPlan {
    fn text(&self, schema: &TableSchema) -> String {
        let metric = schema.vector(self.column).map_or("", |vector| vector.params.metric.name());
        let mut text = format!("knn {} {metric}", column_name(Some(self.column), schema));
        for (is_there, word) in
            [(self.has_k, " k"), (self.has_ef_search, " ef_search"), (self.order == Order::Relaxed, ", complete")]
        {
            text.push_str(if is_there { word } else { "" });
        }
        for _ in 0..self.bounds {
            text.push_str(", distance<?");
        }
        push_filters(&mut text, &self.filters, schema);
        text.push_str(match (self.has_limit, self.has_offset) {
            (false, false) => "",
            (true, false) => ", limit",
            (false, true) => ", offset",
            (true, true) => ", limit offset",
        });
        text
    }
}

fn push_filters(text: &mut String, filters: &[Filter], schema: &TableSchema) {
    for (position, filter) in filters.iter().enumerate() {
        text.push_str(if position == 0 { ", filter " } else { " " });
        text.push_str(&column_name(filter.column, schema));
        if let Some(collation) = &filter.collation {
            text.push_str(&format!(" COLLATE {}", quote_identifier(collation)));
        }
        text.push_str(filter.comparison.text());
    }
}

/// Bare if it is a plain word, else quoted; the rowid is `rowid`, and a column of that name is quoted.
fn column_name(column: Option<usize>, schema: &TableSchema) -> String {
    let Some(column) = column.and_then(|number| schema.columns.get(number)) else { return "rowid".to_string() };
    let is_plain = column.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain && column.name != "rowid" { column.name.clone() } else { quote_identifier(&column.name) }
}

/// Reads a plan's text from left to right; every method gives None where it does not fit.
struct Reader<'a> {
    rest: &'a str,
    schema: &'a TableSchema,
}

impl Reader<'_> {
    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn scan(&mut self, access: Access, columns: ColumnSet) -> Option<Plan> {
        self.take(access.text()).then_some(())?;
        let filters = self.filters()?;
        let order = if self.take(", order ") { Some((self.column()?, self.take(" desc"))) } else { None };
        Some(Plan::Scan(ScanPlan { access, filters, order, columns }))
    }

    fn knn(&mut self, form: Form, columns: ColumnSet) -> Option<Plan> {
        self.take("knn ").then_some(())?;
        let column = self.column()??;
        let metric = self.schema.vector(column)?.params.metric.name();
        (self.take(" ") && self.take(metric)).then_some(())?;
        let (has_k, has_ef_search) = (self.take(" k"), self.take(" ef_search"));
        let order = if self.take(", complete") { Order::Relaxed } else { Order::Strict };
        let mut bounds = 0;
        while self.take(", distance<?") {
            bounds += 1;
        }
        let filters = self.filters()?;
        let (has_limit, has_offset) = match (self.take(", limit offset"), self.take(", limit"), self.take(", offset")) {
            (true, _, _) => (true, true),
            (_, has_limit, has_offset) => (has_limit, has_offset),
        };
        let knn =
            KnnPlan { column, form, has_k, has_ef_search, bounds, filters, order, has_limit, has_offset, columns };
        Some(Plan::Knn(knn))
    }

    fn filters(&mut self) -> Option<Vec<Filter>> {
        let mut filters = Vec::new();
        if !self.take(", filter ") {
            return Some(filters);
        }
        loop {
            let column = self.column()?;
            let collation = if self.take(" COLLATE ") { Some(self.quoted()?) } else { None };
            // The longest text first: "<" begins "<=" and " IS ?" does not begin " IS NOT ?".
            let comparison = Comparison::ALL
                .into_iter()
                .filter(|comparison| self.rest.starts_with(comparison.text()))
                .max_by_key(|comparison| comparison.text().len())?;
            self.take(comparison.text());
            filters.push(Filter { column, comparison, collation });
            if !self.take(" ") {
                return Some(filters);
            }
        }
    }

    /// `Some(None)` is the rowid.
    fn column(&mut self) -> Option<Option<usize>> {
        let name = if self.rest.starts_with('"') {
            self.quoted()?
        } else {
            let length = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at_checked(length)?;
            self.rest = rest;
            if name == "rowid" {
                return Some(None);
            }
            name.to_string()
        };
        self.schema.columns.iter().position(|column| column.name == name).map(Some)
    }

    fn quoted(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut rest = self.rest.strip_prefix('"')?;
        loop {
            let (part, after) = rest.split_once('"')?;
            name.push_str(part);
            let Some(doubled) = after.strip_prefix('"') else {
                self.rest = after;
                return Some(name);
            };
            name.push('"');
            rest = doubled;
        }
    }
}

impl TableSchema {
    /// The vector column of that number, if it is one.
    pub fn vector(&self, column: usize) -> Option<super::schema::VectorRef<'_>> {
        match self.column(column)? {
            ColumnRef::Vector(_, vector) => Some(vector),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::arguments::parse;
    use super::*;

    fn schema() -> TableSchema {
        parse(
            "t",
            &[
                "id INTEGER PRIMARY KEY",
                "category",
                "\"odd, \"\"name\" TEXT",
                "\"rowid\"",
                "e FLOAT[3]",
                "\"e 2\" INT8[4]",
            ],
        )
        .unwrap()
    }

    fn filter(column: Option<usize>, comparison: Comparison, collation: Option<&str>) -> Filter {
        Filter { column, comparison, collation: collation.map(str::to_string) }
    }

    fn all_plans() -> Vec<Plan> {
        let lists = [
            vec![],
            vec![filter(None, Comparison::Eq, None)],
            Comparison::ALL.into_iter().map(|comparison| filter(Some(1), comparison, Some("no\"case"))).collect(),
            Comparison::ALL.into_iter().rev().map(|comparison| filter(Some(2), comparison, None)).collect(),
            vec![filter(Some(3), Comparison::Is, None), filter(Some(0), Comparison::In, None)],
        ];
        let mut plans = Vec::new();
        for (n, filters) in lists.into_iter().enumerate() {
            let columns = ColumnSet::from_mask(0b1011 << n);
            for access in [Access::All, Access::Rowid, Access::Key, Access::Index] {
                for order in [None, Some((None, true)), Some((Some(3), false)), Some((Some(2), true))] {
                    plans.push(Plan::Scan(ScanPlan { access, filters: filters.clone(), order, columns }));
                }
            }
            for bits in 0..128usize {
                let bit = |n: usize| bits >> n & 1 == 1;
                plans.push(Plan::Knn(KnnPlan {
                    column: if bit(0) { 4 } else { 5 },
                    form: if bit(1) { Form::Match } else { Form::Call },
                    has_k: bit(2),
                    has_ef_search: bit(3),
                    bounds: usize::from(bit(6)) * 2,
                    filters: filters.clone(),
                    order: if bit(4) { Order::Strict } else { Order::Relaxed },
                    has_limit: bit(5),
                    has_offset: bit(6),
                    columns,
                }));
            }
        }
        plans
    }

    #[test]
    fn every_plan_survives_the_round_trip() {
        let schema = schema();
        for plan in all_plans() {
            let (number, text) = plan.encode(&schema);
            assert_eq!(Plan::decode(number, &text, &schema).unwrap(), plan, "{number}:{text}");
        }
    }

    #[test]
    fn the_text_says_what_will_happen() {
        let schema = schema();
        let knn = KnnPlan {
            column: 4,
            form: Form::Match,
            has_k: false,
            has_ef_search: false,
            bounds: 0,
            filters: vec![filter(Some(1), Comparison::Eq, None), filter(Some(2), Comparison::Gt, Some("NOCASE"))],
            order: Order::Strict,
            has_limit: true,
            has_offset: true,
            columns: ColumnSet::default(),
        };
        let text = "knn e cosine, filter category=? \"odd, \"\"name\" COLLATE \"NOCASE\">?, limit offset";
        assert_eq!(Plan::Knn(knn).encode(&schema), (5, text.to_string()));
    }

    #[test]
    fn foreign_texts_are_refused() {
        for (number, text) in [
            (0, "knn e cosine"),
            (5, "knn e l2"),
            (5, "knn category cosine"),
            (5, "knn e cosine, filter x=?"),
            (6, ""),
            (0, "scan x"),
        ] {
            assert!(Plan::decode(number, text, &schema()).is_err(), "{number}:{text}");
        }
    }

    #[test]
    fn columns_past_the_last_bit_are_read_together() {
        let set = ColumnSet::from_mask(1 << 40 | 0b10);
        assert!(set.contains(1) && !set.contains(0) && !set.contains(24));
        assert!(set.contains(25) && set.contains(40) && set.contains(1000));
        assert!(!ColumnSet::from_mask(1 << 24).contains(25));
    }
}
