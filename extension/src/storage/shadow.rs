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
    of: Tables,
}

/// Which virtual tables have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tables {
    All,
    /// Those that keep their rows themselves.
    WithRows,
    /// Indexes over a table of the user's. Their triggers write these tables, so they are no shadow tables in SQLite's
    /// sense: in defensive mode triggers may not write those.
    OverContent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Definition {
    Fixed(&'static str),
    /// The columns that the caller gives: those of the rows, or of their keys.
    Given,
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
pub const MAP: &str = "map";
pub const CHANGES: &str = "changes";
pub const NODES: &str = "nodes";
pub const GRAPH: &str = "graph";

pub const SHADOW_TABLES: [ShadowTable; 6] = [
    ShadowTable {
        suffix: CONFIG,
        definition: Definition::Fixed("(key TEXT PRIMARY KEY, value) WITHOUT ROWID"),
        copies: Copies::One,
        of: Tables::All,
    },
    ShadowTable { suffix: ROWS, definition: Definition::Given, copies: Copies::One, of: Tables::WithRows },
    ShadowTable { suffix: MAP, definition: Definition::Given, copies: Copies::One, of: Tables::OverContent },
    ShadowTable {
        suffix: CHANGES,
        definition: Definition::Fixed("(id INTEGER PRIMARY KEY)"),
        copies: Copies::One,
        of: Tables::OverContent,
    },
    ShadowTable {
        suffix: NODES,
        definition: Definition::Fixed("(id INTEGER PRIMARY KEY, data BLOB)"),
        copies: Copies::PerVectorColumn,
        of: Tables::All,
    },
    ShadowTable {
        suffix: GRAPH,
        definition: Definition::Fixed("(column INTEGER PRIMARY KEY, header BLOB, entry BLOB)"),
        copies: Copies::One,
        of: Tables::All,
    },
];

impl ShadowTable {
    /// Whether an index over a table of the user's has it, or a table of its own.
    pub fn is_of(&self, has_content: bool) -> bool {
        match self.of {
            Tables::All => true,
            Tables::WithRows => !has_content,
            Tables::OverContent => has_content,
        }
    }
}

/// A virtual table, and how many vector columns it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub schema: String,
    pub table: String,
    pub vectors: usize,
    /// It is an index over a table of the user's.
    pub has_content: bool,
}

/// The place of a vector column among those of its table, from 0. It is part of names and keys in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorOrdinal(pub usize);

impl VectorOrdinal {
    /// The suffix of the column's nodes table.
    pub fn nodes_suffix(self) -> String {
        if self.0 == 0 { NODES.to_string() } else { format!("{NODES}{}", self.0) }
    }

    /// The column of the map that has its nodes.
    pub fn map_column(self) -> String {
        format!("n{}", self.0)
    }

    /// The key of its row of the graph table.
    pub fn graph_row(self) -> i64 {
        self.0 as i64
    }

    /// The key of an entry of the config table on the column.
    pub fn config_key(self, entry: &str) -> String {
        format!("vector.{}.{entry}", self.0)
    }
}

/// True if `<table>_<suffix>` is one of a table's shadow tables, whatever its number of vector columns.
pub fn is_shadow_name(suffix: &str) -> bool {
    SHADOW_TABLES.iter().filter(|shadow| shadow.of != Tables::OverContent).any(|shadow| {
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

    /// Those of all its vector columns.
    pub fn ordinals(&self) -> impl Iterator<Item = VectorOrdinal> + use<> {
        (0..self.vectors).map(VectorOrdinal)
    }

    /// The suffixes of all shadow tables, with their definitions.
    fn tables(&self) -> impl Iterator<Item = (String, Definition)> {
        let has_content = self.has_content;
        SHADOW_TABLES.iter().filter(move |shadow| shadow.is_of(has_content)).flat_map(|shadow| match shadow.copies {
            Copies::One => vec![(shadow.suffix.to_string(), shadow.definition)],
            Copies::PerVectorColumn => self.ordinals().map(|n| (n.nodes_suffix(), shadow.definition)).collect(),
        })
    }

    pub fn suffixes(&self) -> impl Iterator<Item = String> {
        self.tables().map(|(suffix, _)| suffix)
    }

    /// Creates all shadow tables, empty. `columns`: what stands between the parentheses of CREATE TABLE of the rows table, or
    /// of the map.
    pub fn create(&self, db: Connection, columns: &str) -> Result<()> {
        for (suffix, definition) in self.tables() {
            let definition = match definition {
                Definition::Fixed(definition) => definition.to_string(),
                Definition::Given => format!("({columns})"),
            };
            db.run(&format!("CREATE TABLE {}{definition}", self.shadow(&suffix)), &[])
                .map_err(|error| self.in_table(error))?;
        }
        Ok(())
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

    /// An error of SQLite's that names the virtual table.
    pub fn in_table(&self, error: Error) -> Error {
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
        let owner = Owner { schema: "ma\"in".into(), table: "a b".into(), vectors: 3, has_content: false };
        let index = Owner { has_content: true, ..owner.clone() };
        let suffixes: Vec<String> = owner.suffixes().collect();
        assert_eq!(suffixes, ["config", "rows", "nodes", "nodes1", "nodes2", "graph"]);
        assert_eq!(
            index.suffixes().collect::<Vec<_>>(),
            ["config", "map", "changes", "nodes", "nodes1", "nodes2", "graph"]
        );
        assert_eq!(owner.shadow("rows"), "\"ma\"\"in\".\"a b_rows\"");
        for suffix in suffixes.iter().map(String::as_str).chain(["NODES17", "Config"]) {
            assert!(is_shadow_name(suffix), "{suffix}");
        }
        for suffix in [
            "",
            "row",
            "map",
            "changes",
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
