//! `hnsw_info(table [, schema])`: the parameters and figures of a table, as keys and values.

use super::content::definition::describe;
use super::content::triggers::table_with;
use super::core::TableCore;
use super::declaration::content::{ContentTable, SyncMode};
use super::declaration::schema::{Column, ColumnKind, TableSchema};
use super::key_values::{Entries, TableFunction, column_prefix};
use super::rows::create;
use super::rows::owned_value::OwnedValue;
use crate::distance::{Element, Metric};
use crate::error::{Error, Result};
use crate::format::FORMAT_VERSION;
use crate::hnsw::Params;
use crate::sqlite::{Connection, Content, Parameter, quote_identifier};
use crate::storage::column_name::ColumnName;
use crate::storage::node_cache_handle::DEFAULT_CACHE_MIB;
use crate::storage::shadow::{CHANGES, CONFIG, GRAPH, MAP, NODES, Owner, ROWS, VectorOrdinal};
use crate::storage::vector_column::VectorColumn;

/// The table-valued function `hnsw_info`.
pub struct Info;

impl TableFunction for Info {
    const NAME: &'static str = "hnsw_info";

    fn entries(db: Connection, owner: Owner) -> Result<Entries> {
        let reader = Reader { db, owner: owner.clone() };
        reader.entries().map_err(|error| owner.explained(db, &[], error))
    }
}

/// Reads one table through its shadow tables, whether or not it is connected.
struct Reader {
    db: Connection,
    owner: Owner,
}

impl Reader {
    fn entries(mut self) -> Result<Entries> {
        self.owner.check_version(self.db)?;
        let config = config(self.db, &self.owner)?;
        let text = |key: String| config.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
        let names = vector_names(&config);
        self.owner.vectors = names.len();
        let sync = text("sync".to_string()).cloned();
        self.owner.has_content = sync.is_some();
        let content = if self.owner.has_content { table_with(self.db, &self.owner)? } else { None };
        let rows = match (self.owner.has_content, &content) {
            (false, _) => create::count(self.db, &create::rows_table(&self.owner))?,
            (true, Some(content)) => {
                let (schema, content) = (quote_identifier(&self.owner.schema), quote_identifier(content));
                create::count(self.db, &format!("{schema}.{content}"))?
            }
            (true, None) => None,
        };
        let mut entries = vec![
            ("format_version".to_string(), OwnedValue::Integer(i64::from(FORMAT_VERSION))),
            ("rows".to_string(), rows.map_or(OwnedValue::Null, OwnedValue::Integer)),
            (
                "node_cache".to_string(),
                text("node_cache".to_string()).cloned().unwrap_or(OwnedValue::of_count(DEFAULT_CACHE_MIB as u64)),
            ),
        ];
        let mut columns = Vec::new();
        for (ordinal, name) in self.owner.ordinals().zip(&names) {
            let prefix = column_prefix(&names, name);
            let mut add = |key: &str, value: OwnedValue| entries.push((format!("{prefix}{key}"), value));
            add("column", OwnedValue::Text(name.as_bytes().to_vec()));
            let keys = ["element", "dims", "metric", "m", "ef_construction", "ef_search"];
            for key in keys {
                add(key, text(ordinal.config_key(key)).cloned().unwrap_or(OwnedValue::Null));
            }
            let value = |key: &str| text(ordinal.config_key(key));
            if let Some(model) = value("model") {
                add("model", model.clone());
            }
            let params = params(&value).ok_or_else(|| {
                Error::corrupt(self.owner.shadow_name(CONFIG), format!("the parameters of {name} cannot be read"))
            })?;
            columns.push(vector_column(name, ordinal, &params));
            let stats = self.open(ordinal, name, params).stats()?;
            for (key, number) in [
                ("nodes", stats.nodes),
                ("deleted", stats.deleted),
                ("pending", stats.pending),
                ("levels", if stats.nodes == 0 { 0 } else { 1 + u64::from(stats.entry_sample > 0) }),
                ("entry_sample", stats.entry_sample),
                ("degree", u64::from(stats.degree)),
                ("code_bits", u64::from(stats.bits)),
            ] {
                add(key, OwnedValue::of_count(number));
            }
        }
        if let Some(sync) = sync {
            entries.extend(self.content_entries(content, sync, columns)?);
        }
        for suffix in self.owner.suffixes() {
            entries.push((format!("bytes_{suffix}"), self.bytes(&suffix)?));
        }
        Ok(entries)
    }

    /// What an index says of its content and of the log.
    fn content_entries(&self, content: Option<String>, sync: OwnedValue, columns: Vec<Column>) -> Result<Entries> {
        let name = content.clone().unwrap_or_default();
        let declared = ContentTable::declared(name.clone(), SyncMode::named(&shown(&sync)).unwrap_or_default());
        let declared = TableSchema { columns, constraints: Vec::new(), content: Some(declared) };
        // A content that is not there, or has no triggers, is the error of a search.
        let described = content.as_ref().and_then(|name| describe(self.db, &self.owner, &declared, name).ok());
        let core = TableCore::new(self.db, described.clone().unwrap_or(declared), self.owner.clone());
        let mut entries = vec![
            ("content".to_string(), content.map_or(OwnedValue::Null, |name| OwnedValue::Text(name.into_bytes()))),
            ("sync".to_string(), sync),
            ("logged".to_string(), OwnedValue::Integer(core.log_length()?)),
        ];
        if described.is_some() {
            entries.push(("logged_wrong".to_string(), OwnedValue::of_count(core.wrong_rows()?)));
        }
        Ok(entries)
    }

    fn open(&self, ordinal: VectorOrdinal, column: &str, params: Params) -> VectorColumn {
        let (schema, table) = (self.owner.schema.clone(), self.owner.table.clone());
        let name = ColumnName { schema, table, ordinal, column: column.to_string() };
        VectorColumn::open(self.db, name, params)
    }

    /// The bytes of the pages of a shadow table and its indexes; without dbstat, the bytes of its BLOBs and texts.
    fn bytes(&self, suffix: &str) -> Result<OwnedValue> {
        let schema = quote_identifier(&self.owner.schema);
        let name = self.owner.shadow_name(suffix);
        let of_pages = format!(
            "SELECT sum(pgsize) FROM dbstat(?2, 1) WHERE name IN \
             (SELECT name FROM {schema}.sqlite_master WHERE tbl_name = ?1 COLLATE NOCASE)"
        );
        if let Ok(mut statement) = self.db.prepare(&of_pages) {
            let parameters = [Parameter::Text(&name), Parameter::Text(&self.owner.schema)];
            let bytes = statement.query_one(&parameters, |row| Ok(OwnedValue::of(row.column_content(0))))?;
            return Ok(bytes.unwrap_or(OwnedValue::Null));
        }
        let columns = match suffix {
            CONFIG => "length(key) + length(value)",
            GRAPH => "length(header) + length(entry)",
            ROWS | MAP => return Ok(OwnedValue::Null),
            CHANGES => "8",
            suffix if suffix.starts_with(NODES) => "length(data)",
            _ => return Ok(OwnedValue::Null),
        };
        let sql = format!("SELECT sum({columns}) FROM {}", self.owner.shadow(suffix));
        let bytes = self.db.prepare_shadow(&sql)?.query_one(&[], |row| Ok(OwnedValue::of(row.column_content(0))))?;
        Ok(bytes.filter(|bytes| *bytes != OwnedValue::Null).unwrap_or(OwnedValue::Integer(0)))
    }
}

/// The entries of a table's config table.
pub fn config(db: Connection, owner: &Owner) -> Result<Entries> {
    let mut config = Entries::new();
    let sql = format!("SELECT key, value FROM {}", owner.shadow(CONFIG));
    db.prepare_shadow(&sql)?.query(&[], |row| {
        config.push((row.column_text(0, "key")?.to_string(), OwnedValue::of(row.column_content(1))));
        Ok(())
    })?;
    Ok(config)
}

/// The names of the vector columns in a config table.
pub fn vector_names(config: &Entries) -> Vec<String> {
    let name = |key: String| config.iter().find(|(name, _)| *name == key).map(|(_, value)| shown(value));
    (0..).map_while(|ordinal| name(VectorOrdinal(ordinal).config_key("name"))).collect()
}

fn vector_column(name: &str, ordinal: VectorOrdinal, params: &Params) -> Column {
    let kind = ColumnKind::Vector { ordinal, params: params.clone(), model: None };
    Column { name: name.to_string(), not_null: false, kind }
}

fn params<'a>(value: &dyn Fn(&str) -> Option<&'a OwnedValue>) -> Option<Params> {
    let number = |key: &str| match value(key)?.content() {
        Content::Integer(number) => usize::try_from(number).ok(),
        _ => None,
    };
    let (element, metric) = (Element::parse(&shown(value("element")?))?, Metric::parse(&shown(value("metric")?)).ok()?);
    let params = Params {
        m: number("m")?,
        ef_construction: number("ef_construction")?,
        ef_search: number("ef_search")?,
        ..Params::new(number("dims")?, element, metric)
    };
    params.validate().ok().map(|()| params)
}

fn shown(value: &OwnedValue) -> String {
    match value.content() {
        Content::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    }
}
