//! A plan as a number and a text, by which it reaches xFilter. EXPLAIN QUERY PLAN shows both:
//! `5:knn embedding cosine, filter category=? retail_price>?, limit offset`.
//!
//! The number: bits 0..4 are the kind (0 scan, 1 rowid, 2 key, 3 index, 4 knn of the table-valued form, 5 knn by
//! MATCH), bits 4..30 the columns that the statement reads. The last bit stands for its column and all after it.
//!
//! The arguments come in the order of the text: the query vector, k, ef_search, group_by, group_limit, those of them that
//! are given again, bounds of the distance and of the similarity, one per filter and per counted term, limit, offset.

use super::plan::{Access, Argument, ColumnSet, Filter, Form, FoundBy, KnnPlan, Plan, ScanPlan};
use crate::error::{Error, Result};
use crate::filter::predicate::Comparison;
use crate::hnsw::Order;
use crate::sqlite::{ColumnId, OrderTerm, quote_identifier};
use crate::vtab::declaration::schema::{ColumnRef, TableSchema};

const KIND_BITS: u32 = 4;

impl Plan {
    /// The number and the text of a plan.
    pub fn encode(&self, schema: &TableSchema) -> (i32, String) {
        let (kind, columns, text) = match self {
            Plan::Scan(scan) => (scan.access as u32, scan.columns, scan.text(schema)),
            Plan::Knn(knn) => (if knn.form == Form::Match { 5 } else { 4 }, knn.columns, knn.text(schema)),
        };
        ((columns.0 << KIND_BITS | kind).cast_signed(), text)
    }

    /// The plan of a number and a text.
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
        push_filters(&mut text, FILTER, &self.filters, schema);
        if let Some(order) = self.order {
            text.push_str(", order ");
            text.push_str(&column_name(order.column, schema));
            text.push_str(if order.is_descending { " desc" } else { "" });
        }
        text
    }
}

impl KnnPlan {
    fn text(&self, schema: &TableSchema) -> String {
        let vector = schema.vector(self.ordinal);
        let metric = vector.map_or("", |vector| vector.params.metric.name());
        let mut text = format!("knn {} {metric}", column_name(vector.map(|vector| vector.id), schema));
        for (is_there, word) in [
            (self.has_k, " k"),
            (self.has_ef_search, " ef_search"),
            (self.has_group_by, " group_by"),
            (self.has_group_limit, " group_limit"),
        ] {
            text.push_str(if is_there { word } else { "" });
        }
        for argument in &self.again {
            text.push_str(AGAIN);
            text.push_str(argument.name());
        }
        text.push_str(if self.order == Order::Relaxed { ", complete" } else { "" });
        for (name, comparisons) in [(DISTANCE, &self.distances), (SIMILARITY, &self.similarities)] {
            for comparison in comparisons {
                text.push_str(name);
                text.push_str(comparison.text());
            }
        }
        push_filters(&mut text, FILTER, &self.filters, schema);
        if !self.filters.is_empty() {
            text.push_str(&self.found_by.text());
        }
        push_filters(&mut text, counter(self.has_k, COUNTED), &self.counted, schema);
        text.push_str(match (self.has_limit, self.has_offset) {
            (false, false) => "",
            (true, false) => ", limit",
            (false, true) => ", offset",
            (true, true) => ", limit offset",
        });
        push_filters(&mut text, counter(self.has_k, AFTER_K), &self.after_k, schema);
        text
    }
}

const AGAIN: &str = ", again ";
const DISTANCE: &str = ", distance";
const SIMILARITY: &str = ", similarity";
const FILTER: &str = ", filter ";
const COUNTED: [&str; 2] = [", k counts ", ", group limit counts "];
const AFTER_K: [&str; 2] = [", k before ", ", group limit before "];

/// The one of two texts that names what counts rows: k, or the group limit alone.
fn counter(has_k: bool, [k, group_limit]: [&'static str; 2]) -> &'static str {
    if has_k { k } else { group_limit }
}

const BY_SCAN: &str = ": walked or scanned";
const BY_PARTIAL_INDEX: &str = ", by a partial index or none: exact, steered, walked or scanned";
const BY_ROWID: &str = ", by rowid";
const BY_INDEX: &str = ", by index ";
const BY_COVERING_INDEX: &str = ", by covering index ";
const BY_ANY_INDEX: &str = ": exact, steered or walked";

impl FoundBy {
    fn text(&self) -> String {
        match self {
            FoundBy::Scan => BY_SCAN.to_string(),
            FoundBy::Partial => BY_PARTIAL_INDEX.to_string(),
            FoundBy::Rowid => format!("{BY_ROWID}{BY_ANY_INDEX}"),
            FoundBy::Index(name) => format!("{BY_INDEX}{}{BY_ANY_INDEX}", shown_name(name)),
            FoundBy::Covering(name) => format!("{BY_COVERING_INDEX}{}{BY_ANY_INDEX}", shown_name(name)),
        }
    }
}

fn push_filters(text: &mut String, before: &str, filters: &[Filter], schema: &TableSchema) {
    for (position, filter) in filters.iter().enumerate() {
        text.push_str(if position == 0 { before } else { " " });
        text.push_str(&column_name(filter.column, schema));
        if let Some(collation) = &filter.collation {
            text.push_str(&format!(" COLLATE {}", quote_identifier(collation)));
        }
        text.push_str(filter.comparison.text());
    }
}

/// The hidden columns that filters may be on.
const MEASURES: [ColumnRef<'static>; 2] = [ColumnRef::Distance, ColumnRef::Similarity];

/// The name of a column: bare if it is a plain word, otherwise quoted. The rowid is `rowid`; a column of that name is
/// quoted.
fn column_name(column: Option<ColumnId>, schema: &TableSchema) -> String {
    let is_it = |measure: &ColumnRef<'_>| column.is_some() && column == schema.hidden_column(*measure);
    if let Some(measure) = MEASURES.iter().find(|measure| is_it(measure)) {
        return measure.hidden_name().to_string();
    }
    let Some(column) = column.and_then(|id| schema.columns.get(id.0)) else { return "rowid".to_string() };
    if column.name == "rowid" { quote_identifier(&column.name) } else { shown_name(&column.name) }
}

fn shown_name(name: &str) -> String {
    let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { name.to_string() } else { quote_identifier(name) }
}

/// Reads the text of a plan from left to right. A method returns None if the text does not fit.
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
        let filters = self.filters(FILTER)?;
        let order = match self.take(", order ") {
            true => Some(OrderTerm { column: self.column()?, is_descending: self.take(" desc") }),
            false => None,
        };
        Some(Plan::Scan(ScanPlan { access, filters, order, columns }))
    }

    fn knn(&mut self, form: Form, columns: ColumnSet) -> Option<Plan> {
        self.take("knn ").then_some(())?;
        let Some(ColumnRef::Vector(vector)) = self.schema.column(self.column()??) else { return None };
        (self.take(" ") && self.take(vector.params.metric.name())).then_some(())?;
        let (has_k, has_ef_search) = (self.take(" k"), self.take(" ef_search"));
        let (has_group_by, has_group_limit) = (self.take(" group_by"), self.take(" group_limit"));
        let mut again = Vec::new();
        while self.take(AGAIN) {
            let name = self.name()?;
            again.push(Argument::ALL.into_iter().find(|argument| argument.name() == name)?);
        }
        let order = if self.take(", complete") { Order::Relaxed } else { Order::Strict };
        let (distances, similarities) = (self.comparisons(DISTANCE)?, self.comparisons(SIMILARITY)?);
        let filters = self.filters(FILTER)?;
        let found_by = if filters.is_empty() { FoundBy::Scan } else { self.found_by()? };
        let counted = self.filters(counter(has_k, COUNTED))?;
        let (has_limit, has_offset) = match (self.take(", limit offset"), self.take(", limit"), self.take(", offset")) {
            (true, _, _) => (true, true),
            (_, has_limit, has_offset) => (has_limit, has_offset),
        };
        let after_k = self.filters(counter(has_k, AFTER_K))?;
        Some(Plan::Knn(KnnPlan {
            ordinal: vector.ordinal,
            form,
            has_k,
            has_ef_search,
            has_group_by,
            has_group_limit,
            again,
            distances,
            similarities,
            filters,
            counted,
            found_by,
            order,
            has_limit,
            has_offset,
            after_k,
            columns,
        }))
    }

    fn found_by(&mut self) -> Option<FoundBy> {
        if self.take(BY_SCAN) {
            return Some(FoundBy::Scan);
        }
        if self.take(BY_PARTIAL_INDEX) {
            return Some(FoundBy::Partial);
        }
        let found_by = if self.take(BY_ROWID) {
            FoundBy::Rowid
        } else if self.take(BY_INDEX) {
            FoundBy::Index(self.name()?)
        } else if self.take(BY_COVERING_INDEX) {
            FoundBy::Covering(self.name()?)
        } else {
            return None;
        };
        self.take(BY_ANY_INDEX).then_some(found_by)
    }

    fn filters(&mut self, before: &str) -> Option<Vec<Filter>> {
        let mut filters = Vec::new();
        if !self.take(before) {
            return Some(filters);
        }
        loop {
            let column = self.column()?;
            let collation = if self.take(" COLLATE ") { Some(self.quoted()?) } else { None };
            let comparison = self.comparison()?;
            filters.push(Filter { column, comparison, collation });
            if !self.take(" ") {
                return Some(filters);
            }
        }
    }

    /// Each behind `before`.
    fn comparisons(&mut self, before: &str) -> Option<Vec<Comparison>> {
        let mut comparisons = Vec::new();
        while self.take(before) {
            comparisons.push(self.comparison()?);
        }
        Some(comparisons)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        // The longest text that fits: "<" is the start of "<=".
        let comparison = Comparison::ALL
            .into_iter()
            .filter(|comparison| self.rest.starts_with(comparison.text()))
            .max_by_key(|comparison| comparison.text().len())?;
        self.take(comparison.text()).then_some(comparison)
    }

    /// Takes a column; `Some(None)` is the rowid.
    fn column(&mut self) -> Option<Option<ColumnId>> {
        let is_quoted = self.rest.starts_with('"');
        let name = self.name()?;
        if name == "rowid" && !is_quoted {
            return Some(None);
        }
        if let Some(measure) = MEASURES.into_iter().find(|measure| name == measure.hidden_name()) {
            return Some(self.schema.hidden_column(measure));
        }
        self.schema.find(|column| column.name == name).map(Some)
    }

    /// Takes a name: quoted, or a plain word.
    fn name(&mut self) -> Option<String> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let length = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(length).filter(|_| length > 0)?;
        self.rest = rest;
        Some(name.to_string())
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

#[cfg(test)]
mod tests;
