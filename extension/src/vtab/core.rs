//! The parts of a connected table that its rooms share: declaration, rows, vector columns and transaction.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;

use super::declaration::schema::{TableSchema, VectorRef};
use super::reading::filter_cache::FilterCache;
use super::rows::table::{Names, RowsTable, busy};
use super::search_counts::SearchCounts;
use super::snapshot::Snapshot;
use super::writing::nesting::Nesting;
use super::writing::transaction::Transaction;
use crate::error::{Error, Result};
use crate::hnsw::Params;
use crate::sqlite::{Connection, Content, Parameter, quote_identifier};
use crate::storage::column_name::ColumnName;
use crate::storage::shadow::{CONFIG, Owner, VectorOrdinal};
use crate::storage::vector_column::VectorColumn;

/// A connected table, without its cursors and without what only they use.
pub struct TableCore {
    pub db: Connection,
    pub schema: Rc<TableSchema>,
    pub rows: RowsTable,
    pub transaction: Transaction,
    pub nesting: Nesting,
    pub filter_cache: FilterCache,
    pub search_counts: Arc<SearchCounts>,
    vectors: RefCell<Vec<VectorColumn>>,
    /// The format version in the file was read and is known.
    is_known_version: Cell<bool>,
    /// The version of the schema whose content table was found to be right.
    pub checked_schema: Cell<Option<i64>>,
    /// The number of open cursors.
    pub cursors: Cell<usize>,
}

impl TableCore {
    /// Connects a table. Reads nothing, so that opening is free.
    pub fn new(db: Connection, schema: TableSchema, owner: Owner) -> TableCore {
        let vectors = column_names(&schema, &owner).into_iter().zip(schema.vectors());
        let vectors = vectors.map(|(name, vector)| VectorColumn::open(db, name, vector.params.clone())).collect();
        let schema = Rc::new(schema);
        TableCore {
            db,
            transaction: Transaction::default(),
            nesting: Nesting::default(),
            filter_cache: FilterCache::default(),
            search_counts: SearchCounts::of(db, &owner),
            vectors: RefCell::new(vectors),
            rows: RowsTable::new(db, Rc::clone(&schema), owner),
            schema,
            is_known_version: Cell::new(false),
            checked_schema: Cell::new(None),
            cursors: Cell::new(0),
        }
    }

    /// The names that a rename of the table changes.
    pub fn names(&self) -> Result<Rc<Names>> {
        self.rows.names()
    }

    /// Borrows the vector columns. Carries out a reset that was required while they were in use.
    pub fn vectors(&self) -> Result<RefMut<'_, Vec<VectorColumn>>> {
        let mut vectors = self.vectors.try_borrow_mut().map_err(|_| busy())?;
        if self.transaction.takes_reset() {
            vectors.iter_mut().for_each(VectorColumn::forget);
            vectors.iter_mut().for_each(|vector| vector.end_transaction(false));
        }
        Ok(vectors)
    }

    /// Calls `work` with one vector column.
    pub fn with_vector<T>(
        &self,
        ordinal: VectorOrdinal,
        work: impl FnOnce(&mut VectorColumn) -> Result<T>,
    ) -> Result<T> {
        match self.vectors()?.get_mut(ordinal.0) {
            Some(vector) => work(vector),
            None => Err(Error::internal(format!("vector column {} is missing", ordinal.0))),
        }
    }

    /// Refuses a file of another format, and a rows table that lacks a column. Called before the shadow tables are
    /// first used.
    pub fn check_version(&self) -> Result<()> {
        if !self.is_known_version.get() {
            self.names()?.owner.check_version(self.db)?;
            if self.schema.content.is_none() {
                self.rows.check_columns()?;
            }
            self.is_known_version.set(true);
        }
        Ok(())
    }

    /// The committed state that the current statement sees; None if its transaction has written. Called after
    /// `VectorColumn::refresh`.
    pub fn snapshot(&self, ordinal: VectorOrdinal) -> Result<Option<Snapshot>> {
        let Some(commits) = self.db.committed_version(&self.names()?.owner.schema) else { return Ok(None) };
        let (generation, _) = self.with_vector(ordinal, |vector| vector.graph())?;
        Ok(Some(Snapshot { commits, generation, writes: self.transaction.writes() }))
    }

    /// Changes the name of the virtual table.
    pub fn rename(&self, owner: Owner) -> Result<()> {
        for vector in self.vectors()?.iter_mut() {
            vector.rename(&owner.table);
        }
        self.filter_cache.clear();
        self.search_counts.rename(&owner);
        self.rows.rename(owner)
    }

    /// Whether LIKE ignores case on this connection, which a pragma decides.
    pub fn like_ignores_case(&self) -> Result<bool> {
        let mut probe = self.rows.statements.reading("SELECT 'a' LIKE 'A'".to_string())?;
        Ok(probe.query_one(&[], |row| Ok(row.column_i64(0) == 1))?.unwrap_or(false))
    }

    /// Runs `work` and restores the host's last_insert_rowid(), which writes to shadow tables change.
    pub fn keeping_last_rowid<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let rowid = self.db.last_insert_rowid();
        let result = work();
        self.db.set_last_insert_rowid(rowid);
        result
    }

    /// Writes the config table of a new virtual table.
    pub fn write_config(&self) -> Result<()> {
        let names = self.names()?;
        self.config().into_iter().try_for_each(|(key, value)| names.owner.set_config(self.db, &key, value))
    }

    /// The entries of the config table, as CREATE writes them. Only those of `ef_search` may change later.
    pub fn config(&self) -> Vec<(String, Parameter<'_>)> {
        let version = Parameter::Integer(i64::from(crate::format::FORMAT_VERSION));
        let mut entries = vec![("format_version".to_string(), version)];
        if let Some(content) = &self.schema.content {
            entries.push(("sync".to_string(), Parameter::Text(content.sync.name())));
        }
        for VectorRef { ordinal, column, params, .. } in self.schema.vectors() {
            let integer = |value: usize| Parameter::Integer(i64::try_from(value).unwrap_or(i64::MAX));
            let of_column = [
                ("name", Parameter::Text(&column.name)),
                ("element", Parameter::Text(params.element.name())),
                ("dims", integer(params.dims)),
                ("metric", Parameter::Text(params.metric.name())),
                ("m", integer(params.m)),
                ("ef_construction", integer(params.ef_construction)),
                ("ef_search", integer(params.ef_search)),
            ];
            let model = column.model().map(|model| ("model", Parameter::Text(model)));
            let entry = |(key, value)| (ordinal.config_key(key), value);
            entries.extend(of_column.into_iter().chain(model).map(entry));
        }
        entries
    }

    /// The entries of the config table that are missing, or differ from what CREATE wrote.
    pub fn config_problems(&self) -> Result<Vec<String>> {
        let owner = &self.names()?.owner;
        let sql = format!("SELECT value FROM {} WHERE key = ?1", owner.shadow(CONFIG));
        let mut stored = self.rows.statements.reading(sql)?;
        let mut problems = Vec::new();
        for (key, expected) in self.config() {
            let is_sound = stored.query_one(&[Parameter::Text(&key)], |row| {
                Ok(match (row.column_content(0), expected) {
                    (Content::Integer(ef), _) if key.ends_with(".ef_search") => {
                        usize::try_from(ef).is_ok_and(|ef| Params::EF_RANGE.contains(&ef))
                    }
                    (Content::Integer(stored), Parameter::Integer(number)) => stored == number,
                    (Content::Text(stored), Parameter::Text(text)) => stored == text.as_bytes(),
                    _ => false,
                })
            })?;
            if is_sound != Some(true) {
                let what = if is_sound.is_none() { "is missing" } else { "differs from the table's declaration" };
                problems.push(format!("{}.{key} {what}", owner.shadow_name(CONFIG)));
            }
        }
        Ok(problems)
    }

    /// The error to report for one of a read or a write, which an authorizer of the host's may have caused.
    pub fn explained(&self, error: Error) -> Error {
        let vectors = self.schema.vectors().map(|vector| vector.column.name.as_str());
        let columns: Vec<&str> = vectors.chain([self.schema.rowid_name()]).collect();
        match self.names() {
            Ok(names) => names.owner.explained(self.db, &columns, error),
            Err(_) => error,
        }
    }

    /// Whether the schema still has this table, and not another one of its name.
    pub fn is_there(&self) -> Result<bool> {
        let owner = &self.names()?.owner;
        let sql = format!("SELECT 1 FROM {}.sqlite_master WHERE name = ?1", quote_identifier(&owner.schema));
        let name = owner.shadow_name(CONFIG);
        let is_there = self.db.query_one(&sql, &[Parameter::Text(&name)], |_| Ok(()))?.is_some();
        Ok(is_there && self.config_problems()?.is_empty())
    }
}

/// The names of the vector columns of a table.
pub fn column_names(schema: &TableSchema, owner: &Owner) -> Vec<ColumnName> {
    let name = |vector: VectorRef<'_>| ColumnName {
        schema: owner.schema.clone(),
        table: owner.table.clone(),
        ordinal: vector.ordinal,
        column: vector.column.name.clone(),
    };
    schema.vectors().map(name).collect()
}
