//! `hnsw_info(table [, schema])`: the parameters and figures of a table, as keys and values.

use super::MODULE;
use super::content::definition::describe;
use super::content::triggers::table_with;
use super::core::TableCore;
use super::declaration::content::{ContentTable, SyncMode};
use super::declaration::schema::{Column, ColumnKind, TableSchema};
use super::declaration::tokens::module_of;
use super::rows::create;
use super::rows::owned_value::OwnedValue;
use crate::distance::{Element, Metric};
use crate::error::{Error, Result};
use crate::format::FORMAT_VERSION;
use crate::hnsw::Params;
use crate::sqlite::{
    BestIndex, Connected, Connection, Content, Context, Cursor, IndexInfo, ModuleArguments, Operator, Parameter,
    Recheck, TableOption, Values, VirtualTable, quote_identifier,
};
use crate::storage::column_name::ColumnName;
use crate::storage::node_cache_handle::DEFAULT_CACHE_MIB;
use crate::storage::shadow::{Owner, nodes_suffix};
use crate::storage::vector_column::VectorColumn;

const DECLARATION: &str = "CREATE TABLE x(key TEXT, value, \"table\" HIDDEN, \"schema\" HIDDEN)";
const KEY: usize = 0;
const VALUE: usize = 1;
const TABLE: usize = 2;
const SCHEMA: usize = 3;
/// The cost of a plan without the table's name: above that of any plan that works.
const COST_WITHOUT_ARGUMENT: f64 = 1e15;

/// The table-valued function `hnsw_info`.
pub struct InfoTable {
    db: Connection,
}

impl VirtualTable for InfoTable {
    type Cursor<'t> = InfoCursor;

    fn connect(db: Connection, _arguments: &ModuleArguments<'_>) -> Result<Connected<InfoTable>> {
        db.set_table_option(TableOption::Innocuous)?;
        Ok(Connected { declaration: DECLARATION.to_string(), table: InfoTable { db } })
    }

    fn best_index(&self, info: &mut IndexInfo<'_>) -> Result<BestIndex> {
        let arguments: Vec<_> = info.constraints().filter(|term| term.operator == Operator::Eq).collect();
        let argument = |column: usize| arguments.iter().find(|term| term.column == Some(column));
        let Some(table) = argument(TABLE) else {
            // No error yet: older versions of SQLite plan each term of an OR alone before they plan the whole.
            info.set_estimate(COST_WITHOUT_ARGUMENT, 20);
            return Ok(BestIndex::Planned);
        };
        let schema = argument(SCHEMA);
        if !table.is_usable || schema.is_some_and(|schema| !schema.is_usable) {
            return Ok(BestIndex::Impossible);
        }
        info.take(table.index, 0, Recheck::No)?;
        if let Some(schema) = schema {
            info.take(schema.index, 1, Recheck::No)?;
        }
        info.set_estimate(100.0, 20);
        Ok(BestIndex::Planned)
    }

    fn open(&self) -> Result<InfoCursor> {
        Ok(InfoCursor { db: self.db, arguments: Vec::new(), entries: Vec::new(), position: 0 })
    }
}

/// A cursor over the entries of one table.
pub struct InfoCursor {
    db: Connection,
    /// The arguments as given: SQLite may compare the hidden columns with them again.
    arguments: Vec<OwnedValue>,
    entries: Vec<(String, OwnedValue)>,
    position: usize,
}

impl Cursor for InfoCursor {
    fn filter(&mut self, _number: i32, _text: &str, arguments: Values<'_>) -> Result<()> {
        self.position = 0;
        self.entries.clear();
        self.arguments = arguments.iter().map(|value| OwnedValue::of(value.content())).collect();
        if arguments.iter().any(|value| value.is_null()) {
            return Ok(());
        }
        let Some(name) = arguments.get(0) else {
            return Err(Error::invalid("hnsw_info: expected the name of a table: hnsw_info('articles')"));
        };
        let name = name.text("hnsw_info: table")?;
        let schema = arguments.get(1).map(|schema| schema.text("hnsw_info: schema")).transpose()?;
        let owner = find(self.db, name, schema)?;
        self.entries = Reader { db: self.db, owner }.entries()?;
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.position += 1;
        Ok(())
    }

    fn is_at_end(&self) -> bool {
        self.position >= self.entries.len()
    }

    fn column(&mut self, context: &Context<'_>, column: usize) -> Result<()> {
        match (column, self.entries.get(self.position)) {
            (KEY, Some((key, _))) => context.text(key),
            (VALUE, Some((_, value))) => context.content(value.content()),
            (TABLE, _) => self.arguments.first().into_iter().for_each(|kept| context.content(kept.content())),
            (SCHEMA, _) => self.arguments.get(1).into_iter().for_each(|kept| context.content(kept.content())),
            _ => {}
        }
        Ok(())
    }

    fn rowid(&mut self) -> Result<i64> {
        i64::try_from(self.position + 1).map_err(|_| Error::internal("too many entries"))
    }
}

/// Finds the table of a name, in the given schema or the first that has it. `schema.table` may be given as one name.
fn find(db: Connection, name: &str, schema: Option<&str>) -> Result<Owner> {
    if let Some(owner) = find_in(db, name, schema)? {
        return Ok(owner);
    }
    for (dot, _) in name.match_indices('.').filter(|_| schema.is_none()) {
        let (schema, table) = (name.get(..dot).unwrap_or_default(), name.get(dot + 1..).unwrap_or_default());
        if let Some(owner) = find_in(db, table, Some(schema))? {
            return Ok(owner);
        }
    }
    let within = schema.map_or(String::new(), |schema| format!(" in the schema \"{schema}\""));
    Err(Error::invalid(format!("hnsw_info: there is no hnsw table \"{name}\"{within}")))
}

fn find_in(db: Connection, table: &str, schema: Option<&str>) -> Result<Option<Owner>> {
    let mut schemas = Vec::new();
    db.prepare("PRAGMA database_list")?.query(&[], |row| {
        let name = row.column_text(1, "schema")?;
        if schema.is_none_or(|schema| schema.eq_ignore_ascii_case(name)) {
            schemas.push(name.to_string());
        }
        Ok(())
    })?;
    // SQLite looks for a bare name in temp first.
    schemas.sort_by_key(|name| name != "temp");
    for schema in schemas {
        let sql = format!(
            "SELECT name, sql FROM {}.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
            quote_identifier(&schema)
        );
        let read = |row: &crate::sqlite::Statement| {
            let is_ours = module_of(&String::from_utf8_lossy(row.column_bytes(1)))
                .is_some_and(|module| module.eq_ignore_ascii_case(MODULE));
            is_ours.then(|| row.column_text(0, "table").map(str::to_string)).transpose()
        };
        if let Some(table) = db.query_one(&sql, &[Parameter::Text(table)], read)?.flatten() {
            return Ok(Some(Owner { schema, table, vectors: 0, has_content: false }));
        }
    }
    Ok(None)
}

/// Reads one table through its shadow tables, whether or not it is connected.
struct Reader {
    db: Connection,
    owner: Owner,
}

impl Reader {
    fn entries(mut self) -> Result<Vec<(String, OwnedValue)>> {
        self.owner.check_version(self.db)?;
        let config = self.config()?;
        let text = |key: String| config.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
        let names: Vec<String> = (0..).map_while(|n| text(format!("vector.{n}.name")).map(shown)).collect();
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
                text("node_cache".to_string()).cloned().unwrap_or(integer(DEFAULT_CACHE_MIB as u64)),
            ),
        ];
        let mut columns = Vec::new();
        for (ordinal, name) in names.iter().enumerate() {
            // With several vector columns, each key begins with the column's name.
            let prefix = if names.len() == 1 { String::new() } else { format!("{name}.") };
            let mut add = |key: &str, value: OwnedValue| entries.push((format!("{prefix}{key}"), value));
            add("column", OwnedValue::Text(name.as_bytes().to_vec()));
            let keys = ["element", "dims", "metric", "m", "ef_construction", "ef_search"];
            for key in keys {
                add(key, text(format!("vector.{ordinal}.{key}")).cloned().unwrap_or(OwnedValue::Null));
            }
            let value = |key: &str| text(format!("vector.{ordinal}.{key}"));
            if let Some(model) = value("model") {
                add("model", model.clone());
            }
            let params = params(&value).ok_or_else(|| {
                Error::corrupt(self.owner.shadow_name("config"), format!("the parameters of {name} cannot be read"))
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
                add(key, integer(number));
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
    fn content_entries(
        &self,
        content: Option<String>,
        sync: OwnedValue,
        columns: Vec<Column>,
    ) -> Result<Vec<(String, OwnedValue)>> {
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
            entries.push(("logged_wrong".to_string(), integer(core.wrong_rows()?)));
        }
        Ok(entries)
    }

    fn config(&self) -> Result<Vec<(String, OwnedValue)>> {
        let mut config = Vec::new();
        let sql = format!("SELECT key, value FROM {}", self.owner.shadow("config"));
        self.db.prepare_shadow(&sql)?.query(&[], |row| {
            config.push((row.column_text(0, "key")?.to_string(), OwnedValue::of(row.column_content(1))));
            Ok(())
        })?;
        Ok(config)
    }

    fn open(&self, ordinal: usize, column: &str, params: Params) -> VectorColumn {
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
            "config" => "length(key) + length(value)",
            "graph" => "length(header) + length(entry)",
            "rows" | "map" => return Ok(OwnedValue::Null),
            "changes" => "8",
            suffix if suffix.starts_with(&nodes_suffix(0)) => "length(data)",
            _ => return Ok(OwnedValue::Null),
        };
        let sql = format!("SELECT sum({columns}) FROM {}", self.owner.shadow(suffix));
        let bytes = self.db.prepare_shadow(&sql)?.query_one(&[], |row| Ok(OwnedValue::of(row.column_content(0))))?;
        Ok(bytes.filter(|bytes| *bytes != OwnedValue::Null).unwrap_or(OwnedValue::Integer(0)))
    }
}

fn vector_column(name: &str, ordinal: usize, params: &Params) -> Column {
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

fn integer(number: u64) -> OwnedValue {
    OwnedValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
