//! The checked columns of one table, and the SQL that follows from them: the declaration of the virtual table, and the
//! definition of the ordinary table `<table>_rows`, which holds everything but the vectors.

use super::content::ContentTable;
use crate::filter::predicate::Affinity;
use crate::hnsw::Params;
use crate::sqlite::{ColumnId, quote_identifier};
use crate::storage::shadow::VectorOrdinal;

/// The hidden columns. They stand after the declared columns and before the one named as the table.
pub const HIDDEN_COLUMNS: [&str; 7] = ["query", "k", "ef_search", "distance", "similarity", "group_by", "group_limit"];

/// The content of a CREATE VIRTUAL TABLE, as `arguments::parse` returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSchema {
    /// In the order of the declaration, which is the order of the virtual table's columns.
    pub columns: Vec<Column>,
    /// UNIQUE (...) and CHECK (...) over several columns, as SQL.
    pub constraints: Vec<String>,
    /// The table of the user's that it is an index over.
    pub content: Option<ContentTable>,
}

/// A declared column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub not_null: bool,
    pub kind: ColumnKind,
}

/// The kind of a declared column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnKind {
    Ordinary(OrdinaryColumn),
    Vector {
        ordinal: VectorOrdinal,
        params: Params,
        /// The user's label of the embedding model.
        model: Option<String>,
    },
}

/// A column that the rows table stores as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OrdinaryColumn {
    /// The type as declared; empty for none.
    pub type_name: String,
    /// A collation other than SQLite's default.
    pub collation: Option<String>,
    pub key: Key,
    /// INDEXED: the column gets an index.
    pub is_indexed: bool,
    /// The constraints CHECK (...) as SQL, with their names.
    pub checks: Vec<String>,
}

/// Whether the values of a column are unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Key {
    #[default]
    None,
    /// UNIQUE or PRIMARY KEY, except the case below.
    Unique,
    /// INTEGER PRIMARY KEY: the rowid itself.
    Rowid,
}

/// A column of the virtual table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ColumnRef<'s> {
    Ordinary(&'s Column, &'s OrdinaryColumn),
    Vector(VectorRef<'s>),
    Query,
    K,
    EfSearch,
    Distance,
    Similarity,
    GroupBy,
    GroupLimit,
    /// The column named as the table, which takes commands.
    Command,
}

/// A vector column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorRef<'s> {
    pub id: ColumnId,
    pub ordinal: VectorOrdinal,
    pub column: &'s Column,
    pub params: &'s Params,
}

impl ColumnRef<'_> {
    /// The name of a hidden column whose name is fixed; empty for others.
    pub fn hidden_name(&self) -> &'static str {
        match self {
            ColumnRef::Query => "query",
            ColumnRef::K => "k",
            ColumnRef::EfSearch => "ef_search",
            ColumnRef::Distance => "distance",
            ColumnRef::Similarity => "similarity",
            ColumnRef::GroupBy => "group_by",
            ColumnRef::GroupLimit => "group_limit",
            ColumnRef::Ordinary(..) | ColumnRef::Vector(..) | ColumnRef::Command => "",
        }
    }
}

impl OrdinaryColumn {
    /// The column's affinity, by SQLite's rules ("Determination Of Column Affinity").
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

    /// The column's collation, BINARY by default.
    pub fn collation(&self) -> &str {
        self.collation.as_deref().unwrap_or("BINARY")
    }
}

impl Column {
    /// The definition of an ordinary column; None for a vector column.
    pub fn as_ordinary(&self) -> Option<&OrdinaryColumn> {
        match &self.kind {
            ColumnKind::Ordinary(ordinary) => Some(ordinary),
            ColumnKind::Vector { .. } => None,
        }
    }

    pub fn is_vector(&self) -> bool {
        matches!(self.kind, ColumnKind::Vector { .. })
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
    /// The declared columns.
    pub fn ids(&self) -> impl Iterator<Item = ColumnId> + use<> {
        (0..self.columns.len()).map(ColumnId)
    }

    /// The declared column with a property.
    pub fn find(&self, is_it: impl FnMut(&Column) -> bool) -> Option<ColumnId> {
        self.columns.iter().position(is_it).map(ColumnId)
    }

    /// Whether the user declared the column, so that the rows have it.
    pub fn is_declared(&self, id: ColumnId) -> bool {
        id.0 < self.columns.len()
    }

    /// A column of the virtual table; None past the last hidden column.
    pub fn column(&self, id: ColumnId) -> Option<ColumnRef<'_>> {
        if let Some(column) = self.columns.get(id.0) {
            return Some(match &column.kind {
                ColumnKind::Ordinary(ordinary) => ColumnRef::Ordinary(column, ordinary),
                ColumnKind::Vector { ordinal, params, .. } => {
                    ColumnRef::Vector(VectorRef { id, ordinal: *ordinal, column, params })
                }
            });
        }
        match id.0 - self.columns.len() {
            0 => Some(ColumnRef::Query),
            1 => Some(ColumnRef::K),
            2 => Some(ColumnRef::EfSearch),
            3 => Some(ColumnRef::Distance),
            4 => Some(ColumnRef::Similarity),
            5 => Some(ColumnRef::GroupBy),
            6 => Some(ColumnRef::GroupLimit),
            7 => Some(ColumnRef::Command),
            _ => None,
        }
    }

    /// A hidden column with a fixed name.
    pub fn hidden_column(&self, wanted: ColumnRef<'_>) -> Option<ColumnId> {
        let position = HIDDEN_COLUMNS.iter().position(|name| *name == wanted.hidden_name());
        position.map(|position| ColumnId(self.columns.len() + position))
    }

    /// The column named as the table, which takes commands.
    pub fn command_column(&self) -> ColumnId {
        ColumnId(self.columns.len() + HIDDEN_COLUMNS.len())
    }

    /// A vector column.
    pub fn vector(&self, ordinal: VectorOrdinal) -> Option<VectorRef<'_>> {
        self.ids().find_map(|id| match self.column(id) {
            Some(ColumnRef::Vector(vector)) if vector.ordinal == ordinal => Some(vector),
            _ => None,
        })
    }

    /// The vector columns, by ordinal. (A content table may have them in another order than the declaration.)
    pub fn vectors(&self) -> impl Iterator<Item = VectorRef<'_>> {
        (0..).map_while(|ordinal| self.vector(VectorOrdinal(ordinal)))
    }

    /// The rowid, in SQL on the rows.
    pub fn rowid_sql(&self) -> String {
        match &self.content {
            None => quote_identifier(self.rowid_name()),
            Some(content) => content.key.rowid_sql(),
        }
    }

    /// A declared column, in SQL on the rows. In a table of its own a vector column is that of the nodes.
    pub fn column_sql(&self, id: ColumnId) -> String {
        let name = quote_identifier(self.columns.get(id.0).map_or("", |column| &column.name));
        if self.content.is_some() { format!("r.{name}") } else { name }
    }

    /// The node of a vector column, in SQL on the rows.
    pub fn node_sql(&self, ordinal: VectorOrdinal) -> String {
        match self.content {
            Some(_) => format!("m.{}", ordinal.map_column()),
            None => self.vector(ordinal).map_or(String::new(), |vector| self.column_sql(vector.id)),
        }
    }

    /// The column that is the rowid, if the user declared one.
    pub fn rowid_column(&self) -> Option<ColumnId> {
        self.find(|column| column.as_ordinary().is_some_and(|ordinary| ordinary.key == Key::Rowid))
    }

    /// The name of the rowid in the rows table: the user's INTEGER PRIMARY KEY, else "rowid", or the first of SQLite's
    /// other names for it that the user gave to no column.
    pub fn rowid_name(&self) -> &str {
        if let Some(column) = self.rowid_column().and_then(|id| self.columns.get(id.0)) {
            return &column.name;
        }
        let is_free = |name: &str| !self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid", "vecrank_rowid"].into_iter().find(|name| is_free(name)).unwrap_or("vecrank_rowid_")
    }

    /// Whether a declared or hidden column has this name, so that neither another column nor the table may have it.
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)) || is_hidden_name(name)
    }

    /// The CREATE TABLE that declares the virtual table to SQLite. It has no UNIQUE, and a PRIMARY KEY only on an
    /// INTEGER: for any other key SQLite would assume an index that does not exist. The planner knows the keys.
    pub fn declaration(&self, table: &str) -> String {
        let mut columns: Vec<String> = self.columns.iter().map(shown_to_sqlite).collect();
        let typed = |name: &&str| match *name {
            "k" | "group_limit" => format!("{name} INTEGER HIDDEN"),
            "distance" | "similarity" => format!("{name} REAL HIDDEN"),
            _ => format!("{name} HIDDEN"),
        };
        columns.extend(HIDDEN_COLUMNS.iter().map(typed));
        columns.push(format!("{} HIDDEN", quote_identifier(table)));
        format!("CREATE TABLE x({})", columns.join(", "))
    }

    /// The columns and constraints of the rows table, as they stand in the parentheses of its CREATE TABLE.
    pub fn rows_definition(&self) -> String {
        let mut parts = Vec::new();
        if self.rowid_column().is_none() {
            parts.push(format!("{} INTEGER PRIMARY KEY", quote_identifier(self.rowid_name())));
        }
        let ordinary = self.columns.iter().filter_map(|column| Some((column, column.as_ordinary()?)));
        parts.extend(ordinary.map(|(column, ordinary)| rows_column(column, ordinary)));
        parts.extend(self.vectors().map(|vector| format!("{} INTEGER", quote_identifier(&vector.column.name))));
        parts.extend(self.constraints.iter().cloned());
        parts.join(", ")
    }
}

/// Whether a hidden column has this name.
pub fn is_hidden_name(name: &str) -> bool {
    HIDDEN_COLUMNS.iter().any(|hidden| hidden.eq_ignore_ascii_case(name))
}

/// A column as declared to SQLite. Programs choose how to read a column by its declared type, so a vector is a BLOB.
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
    fn the_declaration_has_the_users_and_the_hidden_columns() {
        let schema =
            schema(&["id TEXT PRIMARY KEY", "name VARCHAR(20) NOT NULL COLLATE NOCASE", "e FLOAT[3]", "\"a\"\"b\""]);
        assert_eq!(
            schema.declaration("art\"icles"),
            "CREATE TABLE x(\"id\" TEXT, \"name\" VARCHAR(20) COLLATE \"NOCASE\" NOT NULL, \"e\" BLOB, \"a\"\"b\", \
             query HIDDEN, k INTEGER HIDDEN, ef_search HIDDEN, distance REAL HIDDEN, similarity REAL HIDDEN, \
             group_by HIDDEN, group_limit INTEGER HIDDEN, \"art\"\"icles\" HIDDEN)"
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
    fn an_integer_primary_key_names_the_rowid() {
        let schema = schema(&["id INTEGER PRIMARY KEY", "e FLOAT[3]"]);
        assert_eq!(schema.rowid_name(), "id");
        assert_eq!(schema.rows_definition(), "\"id\" INTEGER PRIMARY KEY, \"e\" INTEGER");
    }

    #[test]
    fn the_rowid_gets_another_name_beside_a_column_of_that_name() {
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
        for (number, name) in HIDDEN_COLUMNS.into_iter().enumerate() {
            let column = schema.column(ColumnId(2 + number)).unwrap();
            assert_eq!(column.hidden_name(), name);
            assert_eq!(schema.hidden_column(column), Some(ColumnId(2 + number)));
        }
        assert_eq!(schema.column(ColumnId(9)), Some(ColumnRef::Command));
        assert_eq!(schema.column(ColumnId(10)), None);
    }
}
