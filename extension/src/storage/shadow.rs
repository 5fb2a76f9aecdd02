//! The list of shadow tables. CREATE, DROP, RENAME and the recognition of their names all use it.

use crate::error::{Error, Result, code};
use crate::format::check_version;
use crate::sqlite::{Connection, Parameter, quote_identifier};

/// An ordinary table `<table>_<suffix>` that the virtual table owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShadowTable {
    pub suffix: &'static str,
    definition: Definition,
    copies: Copies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Definition {
    Fixed(&'static str),
    /// The user's columns.
    Rows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copies {
    One,
    /// `_nodes` for the first vector column, then `_nodes1`, `_nodes2`, ... (For SQLite the suffix begins after the
    /// last underscore.)
    PerVectorColumn,
}

/// The suffixes of the shadow tables; NODES is that of the first vector column.
pub const CONFIG: &str = "config";
pub const ROWS: &str = "rows";
pub const NODES: &str = "nodes";
pub const GRAPH: &str = "graph";

pub const SHADOW_TABLES: [ShadowTable; 4] = [
    ShadowTable {
        suffix: CONFIG,
        definition: Definition::Fixed("(key TEXT PRIMARY KEY, value) WITHOUT ROWID"),
        copies: Copies::One,
    },
    ShadowTable { suffix: ROWS, definition: Definition::Rows, copies: Copies::One },
    ShadowTable {
        suffix: NODES,
        definition: Definition::Fixed("(id INTEGER PRIMARY KEY, data BLOB)"),
        copies: Copies::PerVectorColumn,
    },
    ShadowTable {
        suffix: GRAPH,
        definition: Definition::Fixed("(column INTEGER PRIMARY KEY, header BLOB, entry BLOB)"),
        copies: Copies::One,
    },
];

/// A virtual table, and how many vector columns it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub schema: String,
    pub table: String,
    pub vectors: usize,
}

/// The declaration of the rows table.
#[derive(Debug, Clone, Copy)]
pub struct RowsTable<'a> {
    /// The text between the parentheses of its CREATE TABLE.
    pub definition: &'a str,
    /// Columns that get an index of their own.
    pub indexed: &'a [&'a str],
    /// Columns with nodes. The indexes hold them too, so that a filter finds its nodes without reading the rows.
    pub nodes: &'a [&'a str],
}

/// The suffix of the nodes table of a vector column.
pub fn nodes_suffix(ordinal: usize) -> String {
    if ordinal == 0 { NODES.to_string() } else { format!("{NODES}{ordinal}") }
}

/// True if `<table>_<suffix>` is one of a table's shadow tables, whatever its number of vector columns.
pub fn is_shadow_name(suffix: &str) -> bool {
    SHADOW_TABLES.iter().any(|shadow| {
        let Some(rest) = strip_prefix_ignore_case(suffix, shadow.suffix) else { return false };
        let is_copy = || rest.bytes().all(|byte| byte.is_ascii_digit()) && !rest.starts_with('0');
        rest.is_empty() || (shadow.copies == Copies::PerVectorColumn && is_copy())
    })
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

impl Owner {
    /// `"schema"."table_suffix"`.
    pub fn shadow(&self, suffix: &str) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.shadow_name(suffix)))
    }

    /// `table_suffix`, bare.
    pub fn shadow_name(&self, suffix: &str) -> String {
        format!("{}_{suffix}", self.table)
    }

    /// The suffixes of all shadow tables, with their definitions.
    fn tables(&self) -> impl Iterator<Item = (String, Definition)> {
        SHADOW_TABLES.iter().flat_map(|shadow| match shadow.copies {
            Copies::One => vec![(shadow.suffix.to_string(), shadow.definition)],
            Copies::PerVectorColumn => (0..self.vectors).map(|n| (nodes_suffix(n), shadow.definition)).collect(),
        })
    }

    pub fn suffixes(&self) -> impl Iterator<Item = String> {
        self.tables().map(|(suffix, _)| suffix)
    }

    /// Creates all shadow tables, empty, and the indexes of the rows table.
    pub fn create(&self, db: Connection, rows: RowsTable<'_>) -> Result<()> {
        for (suffix, definition) in self.tables() {
            let definition = match definition {
                Definition::Fixed(definition) => definition.to_string(),
                Definition::Rows => format!("({})", rows.definition),
            };
            db.run(&format!("CREATE TABLE {}{definition}", self.shadow(&suffix)), &[])
                .map_err(|error| self.in_table(error))?;
        }
        rows.indexed.iter().try_for_each(|column| self.create_index(db, column, rows.nodes))
    }

    fn create_index(&self, db: Connection, column: &str, nodes: &[&str]) -> Result<()> {
        let schema = quote_identifier(&self.schema);
        let mut taken = db.prepare(&format!("SELECT 1 FROM {schema}.sqlite_master WHERE name = ?1 COLLATE NOCASE"))?;
        // A renamed table keeps the names of its indexes, so this name may be taken.
        let mut name = self.shadow_name(&format!("rows_{column}"));
        let mut attempt = 1;
        while taken.query_one(&[Parameter::Text(&name)], |_| Ok(()))?.is_some() {
            attempt += 1;
            name = self.shadow_name(&format!("rows_{column}_{attempt}"));
        }
        let (name, rows) = (quote_identifier(&name), quote_identifier(&self.shadow_name(ROWS)));
        let columns: Vec<String> = std::iter::once(&column).chain(nodes).map(|name| quote_identifier(name)).collect();
        db.run(&format!("CREATE INDEX {schema}.{name} ON {rows}({})", columns.join(", ")), &[])
            .map_err(|error| self.in_table(error))
    }

    pub fn drop(&self, db: Connection) -> Result<()> {
        // Pre-releases gave further nodes tables these names. In other files such a table may be the user's.
        let is_pre_release = matches!(self.format_version(db), Ok(Some(1)));
        let old = (1..self.vectors).filter(|_| is_pre_release).map(|ordinal| format!("nodes_{ordinal}"));
        self.suffixes()
            .chain(old)
            .try_for_each(|suffix| db.run(&format!("DROP TABLE IF EXISTS {}", self.shadow(&suffix)), &[]))
    }

    /// Renames all shadow tables; the owner keeps its old name.
    pub fn rename(&self, db: Connection, new_table: &str) -> Result<()> {
        self.suffixes().try_for_each(|suffix| {
            let new_name = quote_identifier(&format!("{new_table}_{suffix}"));
            let sql = format!("ALTER TABLE {} RENAME TO {new_name}", self.shadow(&suffix));
            db.run(&sql, &[]).map_err(|error| match error {
                Error::Sqlite { code: code::ERROR, message } if message.starts_with("no such table") => {
                    Error::corrupt(self.shadow_name(&suffix), "there is no such table")
                }
                error => error,
            })
        })
    }

    /// Writes one entry of the config table.
    pub fn set_config(&self, db: Connection, key: &str, value: Parameter<'_>) -> Result<()> {
        let sql = format!("INSERT OR REPLACE INTO {}(key, value) VALUES (?1, ?2)", self.shadow(CONFIG));
        db.prepare_shadow(&sql)?.run(&[Parameter::Text(key), value])
    }

    /// Refuses a table of another format version.
    pub fn check_version(&self, db: Connection) -> Result<()> {
        let config = self.shadow_name(CONFIG);
        match self.format_version(db)? {
            Some(version) => check_version(&self.table, version).map_err(|error| match error {
                Error::Corrupt { reason, .. } => Error::corrupt(format!("{config}.format_version"), reason),
                error => error,
            }),
            None => Err(Error::corrupt(config, "the entry format_version is missing")),
        }
    }

    fn format_version(&self, db: Connection) -> Result<Option<i64>> {
        let sql = format!("SELECT value FROM {} WHERE key = 'format_version'", self.shadow(CONFIG));
        db.prepare_shadow(&sql)?.query_one(&[], |row| Ok(row.column_i64(0)))
    }

    fn in_table(&self, error: Error) -> Error {
        match error {
            Error::Sqlite { code, message } => Error::Sqlite { code, message: format!("{}: {message}", self.table) },
            error => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_owns_the_listed_shadow_tables_and_no_others() {
        let owner = Owner { schema: "ma\"in".into(), table: "a b".into(), vectors: 3 };
        let suffixes: Vec<String> = owner.suffixes().collect();
        assert_eq!(suffixes, ["config", "rows", "nodes", "nodes1", "nodes2", "graph"]);
        assert_eq!(owner.shadow("rows"), "\"ma\"\"in\".\"a b_rows\"");
        for suffix in suffixes.iter().map(String::as_str).chain(["NODES17", "Config"]) {
            assert!(is_shadow_name(suffix), "{suffix}");
        }
        for suffix in [
            "",
            "row",
            "rows_category",
            "nodes_",
            "nodes_1",
            "nodes0",
            "nodesx",
            "nodes01",
            "graph1",
            "noöes",
            "_nodes",
        ] {
            assert!(!is_shadow_name(suffix), "{suffix}");
        }
    }
}
