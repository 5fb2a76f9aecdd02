//! The checked columns of one table, and the SQL that follows from them: what SQLite is told of the virtual table, and
//! the ordinary table `<table>_rows` that holds everything but the vectors.

use super::content::ContentTable;
use crate::filter::predicate::Affinity;
use crate::hnsw::Params;
use crate::sqlite::quote_identifier;

/// The hidden columns, after the declared ones and before the one that is named as the table.
pub const HIDDEN_COLUMNS: [&str; 4] = ["query", "k", "ef_search", "distance"];

/// Everything that CREATE VIRTUAL TABLE said. Made by `arguments::parse`.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSchema {
    /// In the order of the declaration, which is the order of the virtual table's columns.
    pub columns: Vec<Column>,
    /// UNIQUE (...) and CHECK (...) over several columns, as SQL.
    pub constraints: Vec<String>,
    /// The table of the user's that it is an index over.
    pub content: Option<ContentTable>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub not_null: bool,
    pub kind: ColumnKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ColumnKind {
    Ordinary(OrdinaryColumn),
    Vector {
        /// Position among the vector columns, from 0.
        ordinal: usize,
        params: Params,
        /// What the user says of the embedding model.
        model: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OrdinaryColumn {
    /// The type as declared, or nothing.
    pub type_name: String,
    /// A collation other than SQLite's default.
    pub collation: Option<String>,
    pub key: Key,
    /// Wants an index of its own.
    pub is_indexed: bool,
    /// CHECK (...), as SQL, each with its name if it has one.
    pub checks: Vec<String>,
}

/// What a column identifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Key {
    #[default]
    None,
    /// UNIQUE or PRIMARY KEY, but for the one below.
    Unique,
    /// INTEGER PRIMARY KEY: the rowid itself.
    Rowid,
}

/// What a column of the virtual table is, by its number there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ColumnRef<'s> {
    Ordinary(&'s Column, &'s OrdinaryColumn),
    Vector(&'s Column, VectorRef<'s>),
    Query,
    K,
    EfSearch,
    Distance,
    /// The one named as the table.
    Command,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorRef<'s> {
    pub ordinal: usize,
    pub params: &'s Params,
}

impl ColumnRef<'_> {
    /// The name of a hidden column with a fixed one.
    pub fn hidden_name(&self) -> &'static str {
        match self {
            ColumnRef::Query => "query",
            ColumnRef::K => "k",
            ColumnRef::EfSearch => "ef_search",
            ColumnRef::Distance => "distance",
            ColumnRef::Ordinary(..) | ColumnRef::Vector(..) | ColumnRef::Command => "",
        }
    }
}

impl OrdinaryColumn {
    /// By the rules of SQLite's documentation, "Determination Of Column Affinity".
    pub fn affinity(&self) -> Affinity {
        let name = self.type_name.to_ascii_uppercase();
        let has = |part: &str| name.contains(part);
        if has("INT") {
            Affinity::Numeric
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Affinity::Text
        } else if has("BLOB") || name.is_empty() {
            Affinity::Blob
        } else {
            Affinity::Numeric
        }
    }

    pub fn collation(&self) -> &str {
        self.collation.as_deref().unwrap_or("BINARY")
    }
}

impl Column {
    pub fn as_ordinary(&self) -> Option<&OrdinaryColumn> {
        match &self.kind {
            ColumnKind::Ordinary(ordinary) => Some(ordinary),
            ColumnKind::Vector { .. } => None,
        }
    }

    pub fn as_vector(&self) -> Option<VectorRef<'_>> {
        match &self.kind {
            ColumnKind::Ordinary(_) => None,
            ColumnKind::Vector { ordinal, params, .. } => Some(VectorRef { ordinal: *ordinal, params }),
        }
    }

    /// The label of a vector column's embedding model.
    pub fn model(&self) -> Option<&str> {
        match &self.kind {
            ColumnKind::Ordinary(_) => None,
            ColumnKind::Vector { model, .. } => model.as_deref(),
        }
    }

    /// `FLOAT[256]` of a vector column; the declared type of an ordinary one.
    pub fn type_name(&self) -> String {
        match &self.kind {
            ColumnKind::Ordinary(ordinary) => ordinary.type_name.clone(),
            ColumnKind::Vector { params, .. } => format!("{}[{}]", params.element.name(), params.dims),
        }
    }
}

impl TableSchema {
    /// What column `number` of the virtual table is; None past the last hidden column.
    pub fn column(&self, number: usize) -> Option<ColumnRef<'_>> {
        if let Some(column) = self.columns.get(number) {
            return Some(match &column.kind {
                ColumnKind::Ordinary(ordinary) => ColumnRef::Ordinary(column, ordinary),
                ColumnKind::Vector { ordinal, params, .. } => {
                    ColumnRef::Vector(column, VectorRef { ordinal: *ordinal, params })
                }
            });
        }
        match number - self.columns.len() {
            0 => Some(ColumnRef::Query),
            1 => Some(ColumnRef::K),
            2 => Some(ColumnRef::EfSearch),
            3 => Some(ColumnRef::Distance),
            4 => Some(ColumnRef::Command),
            _ => None,
        }
    }

    /// The vector column of that number, if it is one.
    pub fn vector(&self, number: usize) -> Option<VectorRef<'_>> {
        self.columns.get(number)?.as_vector()
    }

    /// The number of the hidden column `distance`.
    pub fn distance_column(&self) -> Option<usize> {
        let position = HIDDEN_COLUMNS.iter().position(|name| *name == ColumnRef::Distance.hidden_name());
        position.map(|position| self.columns.len() + position)
    }

    /// The vector columns with their numbers in the virtual table, by ordinal. (A content table may have them in another
    /// order than the declaration.)
    pub fn vectors(&self) -> impl Iterator<Item = (usize, &Column, &Params)> {
        (0..).map_while(|wanted| {
            self.columns.iter().enumerate().find_map(|(number, column)| match &column.kind {
                ColumnKind::Vector { ordinal, params, .. } if *ordinal == wanted => Some((number, column, params)),
                _ => None,
            })
        })
    }

    /// The rowid, in SQL on the rows.
    pub fn rowid_sql(&self) -> String {
        match &self.content {
            None => quote_identifier(self.rowid_name()),
            Some(content) => content.key.rowid_sql(),
        }
    }

    /// A declared column, in SQL on the rows. In a table of its own a vector column gives the node.
    pub fn column_sql(&self, number: usize) -> String {
        let name = quote_identifier(self.columns.get(number).map_or("", |column| &column.name));
        if self.content.is_some() { format!("r.{name}") } else { name }
    }

    /// The node of a vector column, in SQL on the rows.
    pub fn node_sql(&self, number: usize) -> String {
        match (&self.content, self.vector(number)) {
            (Some(_), Some(vector)) => format!("m.n{}", vector.ordinal),
            _ => self.column_sql(number),
        }
    }

    /// The number of the column that is the rowid, if the user declared one.
    pub fn rowid_column(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.as_ordinary().is_some_and(|ordinary| ordinary.key == Key::Rowid))
    }

    /// The name of the rowid in the rows table: the user's INTEGER PRIMARY KEY, else "rowid", or the first of SQLite's
    /// other names for it that the user gave to no column.
    pub fn rowid_name(&self) -> &str {
        if let Some(column) = self.rowid_column().and_then(|number| self.columns.get(number)) {
            return &column.name;
        }
        let is_free = |name: &str| !self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid", "vecrank_rowid"].into_iter().find(|name| is_free(name)).unwrap_or("vecrank_rowid_")
    }

    /// Whether a column could not be called `name`, or a table with these columns be named so.
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)) || is_hidden_name(name)
    }

    /// What SQLite is told of the virtual table. No UNIQUE, and of the primary keys that of INTEGER alone: of another one
    /// SQLite would make an index that does not exist. `plan` knows them.
    pub fn declaration(&self, table: &str) -> String {
        let mut columns: Vec<String> = self.columns.iter().map(shown_to_sqlite).collect();
        columns
            .extend(["query HIDDEN", "k INTEGER HIDDEN", "ef_search HIDDEN", "distance REAL HIDDEN"].map(String::from));
        columns.push(format!("{} HIDDEN", quote_identifier(table)));
        format!("CREATE TABLE x({})", columns.join(", "))
    }

    /// The columns and constraints of the rows table: what stands between the parentheses of its CREATE TABLE.
    pub fn rows_definition(&self) -> String {
        let mut parts = Vec::new();
        if self.rowid_column().is_none() {
            parts.push(format!("{} INTEGER PRIMARY KEY", quote_identifier(self.rowid_name())));
        }
        let ordinary = self.columns.iter().filter_map(|column| Some((column, column.as_ordinary()?)));
        parts.extend(ordinary.map(|(column, ordinary)| rows_column(column, ordinary)));
        parts.extend(self.vectors().map(|(_, column, _)| format!("{} INTEGER", quote_identifier(&column.name))));
        parts.extend(self.constraints.iter().cloned());
        parts.join(", ")
    }
}

pub fn is_hidden_name(name: &str) -> bool {
    HIDDEN_COLUMNS.iter().any(|hidden| hidden.eq_ignore_ascii_case(name))
}

/// Programs choose how they read and write a column by its declared type: a vector is a BLOB to them.
fn shown_to_sqlite(column: &Column) -> String {
    match &column.kind {
        ColumnKind::Vector { .. } => with_not_null(column, format!("{} BLOB", quote_identifier(&column.name))),
        ColumnKind::Ordinary(ordinary) if ordinary.key == Key::Rowid => format!("{} PRIMARY KEY", declared(column)),
        ColumnKind::Ordinary(_) => declared(column),
    }
}

fn with_not_null(column: &Column, sql: String) -> String {
    if column.not_null { format!("{sql} NOT NULL") } else { sql }
}

fn declared(column: &Column) -> String {
    let mut sql = quote_identifier(&column.name);
    let type_name = column.type_name();
    if !type_name.is_empty() {
        sql = format!("{sql} {type_name}");
    }
    if let Some(collation) = column.as_ordinary().and_then(|ordinary| ordinary.collation.as_deref()) {
        sql = format!("{sql} COLLATE {}", quote_identifier(collation));
    }
    with_not_null(column, sql)
}

fn rows_column(column: &Column, ordinary: &OrdinaryColumn) -> String {
    let mut sql = declared(column);
    match ordinary.key {
        Key::None => {}
        Key::Unique => sql.push_str(" UNIQUE"),
        Key::Rowid => sql.push_str(" PRIMARY KEY"),
    }
    for check in &ordinary.checks {
        sql.push(' ');
        sql.push_str(check);
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::super::arguments::parse;
    use super::*;

    fn schema(arguments: &[&str]) -> TableSchema {
        parse("articles", arguments).unwrap()
    }

    #[test]
    fn declares_what_the_user_wrote_and_the_hidden_columns() {
        let schema =
            schema(&["id TEXT PRIMARY KEY", "name VARCHAR(20) NOT NULL COLLATE NOCASE", "e FLOAT[3]", "\"a\"\"b\""]);
        assert_eq!(
            schema.declaration("art\"icles"),
            "CREATE TABLE x(\"id\" TEXT, \"name\" VARCHAR(20) COLLATE \"NOCASE\" NOT NULL, \"e\" BLOB, \"a\"\"b\", \
             query HIDDEN, k INTEGER HIDDEN, ef_search HIDDEN, distance REAL HIDDEN, \"art\"\"icles\" HIDDEN)"
        );
    }

    #[test]
    fn the_rows_table_holds_the_ordinary_columns_then_the_nodes() {
        let schema =
            schema(&["e FLOAT[3] NOT NULL", "id TEXT PRIMARY KEY", "f INT8[2]", "n INTEGER UNIQUE CHECK (n > 0)"]);
        assert_eq!(
            schema.rows_definition(),
            "\"rowid\" INTEGER PRIMARY KEY, \"id\" TEXT UNIQUE, \"n\" INTEGER UNIQUE CHECK (n > 0), \
             \"e\" INTEGER, \"f\" INTEGER"
        );
    }

    #[test]
    fn an_integer_primary_key_takes_the_place_of_rowid() {
        let schema = schema(&["id INTEGER PRIMARY KEY", "e FLOAT[3]"]);
        assert_eq!(schema.rowid_name(), "id");
        assert_eq!(schema.rows_definition(), "\"id\" INTEGER PRIMARY KEY, \"e\" INTEGER");
    }

    #[test]
    fn a_column_named_rowid_gives_way() {
        assert_eq!(schema(&["RowId TEXT", "e FLOAT[3]"]).rowid_name(), "_rowid_");
        assert_eq!(schema(&["rowid", "_rowid_", "oid", "e FLOAT[3]"]).rowid_name(), "vecrank_rowid");
    }

    #[test]
    fn affinity_follows_sqlite() {
        for (type_name, affinity) in [
            ("", Affinity::Blob),
            ("BLOB", Affinity::Blob),
            ("text", Affinity::Text),
            ("VARCHAR(3)", Affinity::Text),
            ("CHARINT", Affinity::Numeric),
            ("REAL", Affinity::Numeric),
            ("DATE", Affinity::Numeric),
            ("BIGINT", Affinity::Numeric),
        ] {
            let column = OrdinaryColumn { type_name: type_name.into(), ..OrdinaryColumn::default() };
            assert_eq!(column.affinity(), affinity, "{type_name}");
        }
    }

    #[test]
    fn hidden_columns_follow_the_declared_ones() {
        let schema = schema(&["a", "e FLOAT[3]"]);
        assert_eq!(schema.column(2), Some(ColumnRef::Query));
        assert_eq!(schema.column(5), Some(ColumnRef::Distance));
        assert_eq!(schema.column(6), Some(ColumnRef::Command));
        assert_eq!(schema.column(7), None);
    }
}
