//! The content table of an index, a table of the user: `content = 'products', sync = 'commit'`.

use super::schema::{Column, TableSchema};
use super::tokens::{Token, TokenKind, join};
use crate::error::{Error, Result};
use crate::sqlite::quote_identifier;
use crate::storage::shadow::Owner;

/// When the graph learns of changed rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// At COMMIT: writers need the extension.
    #[default]
    Commit,
    /// When the log is folded. Searches rank the rows in the log until then.
    Log,
}

impl SyncMode {
    pub fn name(self) -> &'static str {
        match self {
            SyncMode::Commit => "commit",
            SyncMode::Log => "log",
        }
    }

    pub fn named(name: &str) -> Option<SyncMode> {
        [SyncMode::Commit, SyncMode::Log].into_iter().find(|mode| name.eq_ignore_ascii_case(mode.name()))
    }
}

/// The content table as the declaration names it, and as it was when the schema was loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct ContentTable {
    pub name: String,
    pub sync: SyncMode,
    pub key: RowKey,
    /// Columns that the index cannot show, because their names are reserved.
    pub left_out: Vec<String>,
    /// A vector is a generated column: any UPDATE may change it.
    pub has_generated_vector: bool,
}

impl ContentTable {
    /// As the declaration says, without what the table itself does.
    pub fn declared(name: String, sync: SyncMode) -> ContentTable {
        let (key, left_out) = (RowKey::Columns(Vec::new()), Vec::new());
        ContentTable { name, sync, key, left_out, has_generated_vector: false }
    }
}

/// The key that identifies a row of the content table.
#[derive(Debug, Clone, PartialEq)]
pub enum RowKey {
    /// The INTEGER PRIMARY KEY of that name.
    Rowid(String),
    /// Another PRIMARY KEY. The map assigns an integer to each key.
    Columns(Vec<KeyColumn>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct KeyColumn {
    pub name: String,
    pub type_name: String,
    pub collation: String,
}

impl RowKey {
    /// The key columns as SQL, each with a prefix such as `new.`: `new."a", new."b"`.
    pub fn columns(&self, prefix: &str) -> Vec<String> {
        let quoted = |name: &String| format!("{prefix}{}", quote_identifier(name));
        match self {
            RowKey::Rowid(name) => vec![quoted(name)],
            RowKey::Columns(columns) => columns.iter().map(|column| quoted(&column.name)).collect(),
        }
    }

    /// The SQL condition that no key column is NULL: a row with such a key is not in the index.
    pub fn is_whole(&self, prefix: &str) -> String {
        let whole = self.columns(prefix).into_iter().map(|column| format!("{column} IS NOT NULL"));
        whole.collect::<Vec<_>>().join(" AND ")
    }

    /// The columns of the map that have the key, in the order of `columns`; none for an INTEGER PRIMARY KEY.
    pub fn map_columns(&self) -> Vec<String> {
        let count = if let RowKey::Columns(columns) = self { columns.len() } else { 0 };
        (0..count).map(|position| format!("k{position}")).collect()
    }

    /// The rowid of the virtual table, in SQL on the content table as `r` and the map as `m`.
    pub fn rowid_sql(&self) -> String {
        match self {
            RowKey::Rowid(name) => format!("r.{}", quote_identifier(name)),
            RowKey::Columns(_) => "m.id".to_string(),
        }
    }

    /// The SQL condition that joins a content row, whose key columns have a prefix, to its row of the map `m`.
    pub fn condition(&self, prefix: &str) -> String {
        let ids = if matches!(self, RowKey::Rowid(_)) { vec!["id".to_string()] } else { self.map_columns() };
        let equal = ids.iter().zip(self.columns(prefix)).map(|(id, column)| format!("m.{id} = {column}"));
        equal.collect::<Vec<_>>().join(" AND ")
    }

    /// The column definitions in CREATE TABLE of the map.
    pub fn map_definition(&self, owner: &Owner) -> String {
        let mut parts = vec!["id INTEGER PRIMARY KEY".to_string()];
        if let RowKey::Columns(columns) = self {
            parts.extend(self.map_columns().iter().zip(columns).map(|(name, column)| {
                format!("{name} {} COLLATE {}", column.type_name, quote_identifier(&column.collation))
            }));
        }
        parts.extend(owner.ordinals().map(|ordinal| format!("{} INTEGER", ordinal.map_column())));
        if let RowKey::Columns(_) = self {
            parts.push(format!("UNIQUE ({})", self.map_columns().join(", ")));
        }
        parts.join(", ")
    }
}

/// The options of the table, as opposed to those of its vector columns.
#[derive(Debug, Default)]
pub struct ContentOptions {
    content: Option<String>,
    sync: Option<SyncMode>,
}

impl ContentOptions {
    /// Takes `content = 'products'` or `sync = 'log'`. False for another argument.
    pub fn take(&mut self, table: &str, tokens: &[Token<'_>]) -> Result<bool> {
        let [name, equals, value @ ..] = tokens else { return Ok(false) };
        let is = |word: &str| name.content().eq_ignore_ascii_case(word);
        if !equals.is_symbol('=') || !(is("content") || is("sync")) {
            return Ok(false);
        }
        let text = match value {
            [value] if value.is_name() || value.kind == TokenKind::Quoted => value.content(),
            _ => String::new(),
        };
        let twice = |name: &str| Err(Error::invalid(format!("{table}: the option {name} is given twice")));
        if is("content") {
            if text.is_empty() {
                let got = if value.is_empty() { "nothing".to_string() } else { join(value) };
                return Err(Error::invalid(format!(
                    "{table}: content: expected the name of a table, such as 'products', got {got}"
                )));
            }
            return if self.content.replace(text).is_some() { twice("content") } else { Ok(true) };
        }
        let got = if value.is_empty() { "nothing".to_string() } else { join(value) };
        let sync = SyncMode::named(&text)
            .ok_or_else(|| Error::invalid(format!("{table}: sync: expected 'commit' or 'log', got {got}")))?;
        if self.sync.replace(sync).is_some() { twice("sync") } else { Ok(true) }
    }

    /// Turns a declaration into that of an index, if it names a content table.
    pub fn apply(self, table: &str, mut schema: TableSchema) -> Result<TableSchema> {
        let Some(name) = self.content else {
            return match self.sync {
                None => Ok(schema),
                Some(_) => Err(Error::invalid(format!(
                    "{table}: sync is for an index over a table that exists: content = 'products' names it"
                ))),
            };
        };
        let ordinary = schema.columns.iter().find(|column| column.as_ordinary().is_some());
        if let Some(Column { name: column, .. }) = ordinary {
            return Err(Error::invalid(format!(
                "{table}.{column}: an index over {name} has the columns of {name}: declare its vector columns alone"
            )));
        }
        if let Some(column) = schema.columns.iter().find(|column| column.not_null) {
            let column = &column.name;
            return Err(Error::invalid(format!("{table}.{column}: NOT NULL belongs into the declaration of {name}")));
        }
        if !schema.constraints.is_empty() {
            return Err(Error::invalid(format!("{table}: constraints belong into the declaration of {name}")));
        }
        schema.content = Some(ContentTable::declared(name, self.sync.unwrap_or_default()));
        Ok(schema)
    }
}
