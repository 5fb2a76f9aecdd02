//! Table-valued functions that take the name of a table and return keys and values: `hnsw_info` and `hnsw_stats`.

use std::marker::PhantomData;

use super::declaration::tokens::{MODULE, module_of};
use super::rows::owned_value::OwnedValue;
use crate::error::{Error, Result};
use crate::sqlite::{
    BestIndex, ColumnId, Connected, Connection, Context, Cursor, IndexInfo, ModuleArguments, Operator, Parameter,
    Recheck, TableOption, Values, VirtualTable, quote_identifier,
};
use crate::storage::shadow::Owner;

const DECLARATION: &str = "CREATE TABLE x(key TEXT, value, \"table\" HIDDEN, \"schema\" HIDDEN)";
const KEY: ColumnId = ColumnId(0);
const VALUE: ColumnId = ColumnId(1);
const TABLE: ColumnId = ColumnId(2);
const SCHEMA: ColumnId = ColumnId(3);
/// The cost of a plan without the table's name: above that of any plan that works.
const COST_WITHOUT_ARGUMENT: f64 = 1e15;

/// Keys and their values.
pub type Entries = Vec<(String, OwnedValue)>;

/// The start of the keys of a vector column: its name, if there are several.
pub fn column_prefix(columns: &[String], name: &str) -> String {
    if columns.len() == 1 { String::new() } else { format!("{name}.") }
}

/// A function `name(table [, schema])`.
pub trait TableFunction: 'static {
    const NAME: &'static str;

    /// The entries of a table that exists, whether or not it is connected. `owner` does not know its vector columns yet.
    fn entries(db: Connection, owner: Owner) -> Result<Entries>;
}

/// The eponymous virtual table of a function.
pub struct KeyValues<F> {
    db: Connection,
    function: PhantomData<F>,
}

impl<F: TableFunction> VirtualTable for KeyValues<F> {
    type Cursor<'t> = EntriesCursor<F>;

    fn connect(db: Connection, _arguments: &ModuleArguments<'_>) -> Result<Connected<KeyValues<F>>> {
        db.set_table_option(TableOption::Innocuous)?;
        let table = KeyValues { db, function: PhantomData };
        Ok(Connected { declaration: DECLARATION.to_string(), table })
    }

    fn best_index(&self, info: &mut IndexInfo<'_>) -> Result<BestIndex> {
        let arguments: Vec<_> = info.constraints().filter(|term| term.operator == Operator::Eq).collect();
        let argument = |column: ColumnId| arguments.iter().find(|term| term.column == Some(column));
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

    fn open(&self) -> Result<EntriesCursor<F>> {
        Ok(EntriesCursor {
            db: self.db,
            arguments: Vec::new(),
            entries: Entries::new(),
            position: 0,
            function: PhantomData,
        })
    }
}

/// A cursor over the entries of one table.
pub struct EntriesCursor<F> {
    db: Connection,
    /// The arguments as given: SQLite may compare the hidden columns with them again.
    arguments: Vec<OwnedValue>,
    entries: Entries,
    position: usize,
    function: PhantomData<F>,
}

impl<F: TableFunction> Cursor for EntriesCursor<F> {
    fn filter(&mut self, _number: i32, _text: &str, arguments: Values<'_>) -> Result<()> {
        self.position = 0;
        self.entries.clear();
        self.arguments = arguments.iter().map(|value| OwnedValue::of(value.content())).collect();
        if arguments.iter().any(|value| value.is_null()) {
            return Ok(());
        }
        let function = F::NAME;
        let Some(name) = arguments.get(0) else {
            return Err(Error::invalid(format!("{function}: expected the name of a table: {function}('articles')")));
        };
        let name = name.text(&format!("{function}: table"))?;
        let schema = arguments.get(1).map(|schema| schema.text(&format!("{function}: schema"))).transpose()?;
        let Some(owner) = find(self.db, name, schema)? else {
            let within = schema.map_or(String::new(), |schema| format!(" in the schema \"{schema}\""));
            return Err(Error::invalid(format!("{function}: there is no hnsw table \"{name}\"{within}")));
        };
        self.entries = F::entries(self.db, owner)?;
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.position += 1;
        Ok(())
    }

    fn is_at_end(&self) -> bool {
        self.position >= self.entries.len()
    }

    fn column(&mut self, context: &Context<'_>, column: ColumnId) -> Result<()> {
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
fn find(db: Connection, name: &str, schema: Option<&str>) -> Result<Option<Owner>> {
    if let Some(owner) = find_in(db, name, schema)? {
        return Ok(Some(owner));
    }
    for (dot, _) in name.match_indices('.').filter(|_| schema.is_none()) {
        let (schema, table) = (name.get(..dot).unwrap_or_default(), name.get(dot + 1..).unwrap_or_default());
        if let Some(owner) = find_in(db, table, Some(schema))? {
            return Ok(Some(owner));
        }
    }
    Ok(None)
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
