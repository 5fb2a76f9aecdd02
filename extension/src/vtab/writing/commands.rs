//! Commands: `INSERT INTO articles(articles) VALUES ('optimize')` and the others.

use std::ops::RangeInclusive;

use crate::error::{Error, Result};
use crate::hnsw::Params;
use crate::sqlite::{Content, Parameter, Value, Values};
use crate::storage::node_cache_handle::CACHE_MIB;
use crate::storage::rebuild;
use crate::storage::row_nodes::{Moves, RowNodes};
use crate::storage::vector_column::VectorColumn;
use crate::storage::{check, repair};
use crate::vtab::core::TableCore;
use crate::vtab::declaration::content::SyncMode;
use crate::vtab::declaration::schema::{HIDDEN_COLUMNS, VectorRef};

const COMMANDS: &str = "'optimize', 'rebuild', 'cluster', 'fold', 'integrity-check', 'ef_search' or 'node_cache'";
/// The commands that take a number as k.
const SETTINGS: [&str; 2] = ["ef_search", "node_cache"];

impl TableCore {
    /// Runs a command.
    pub fn command(&self, command: Value<'_>, values: Values<'_>) -> Result<()> {
        let names = self.names()?;
        let table = names.table();
        let column = |number: usize| values.get(number).filter(|value| !value.is_null());
        let declared = self.schema.columns.len();
        let k = column(declared + 1);
        let is_alone =
            (0..declared + HIDDEN_COLUMNS.len()).all(|number| number == declared + 1 || column(number).is_none());
        let name = match command.content() {
            Content::Text(name) => String::from_utf8_lossy(name).into_owned(),
            _ => {
                return Err(Error::invalid(format!(
                    "{table}: expected a command, {COMMANDS}, got {}",
                    command.kind().name()
                )));
            }
        };
        if !is_alone || (k.is_some() && !SETTINGS.contains(&name.as_str())) {
            return Err(Error::invalid(format!("{table}: the command '{name}' takes no value beside it")));
        }
        let before = self.db.total_changes();
        let result = match name.as_str() {
            "optimize" => self.optimize(),
            "rebuild" => self.rebuild(),
            "integrity-check" => self.integrity_check(),
            "cluster" => self.cluster(),
            "fold" => self.fold_log(),
            "ef_search" => self.set_ef_search(k),
            "node_cache" => self.set_node_cache(k),
            _ => Err(Error::invalid(format!("{table}: unknown command '{name}': expected {COMMANDS}"))),
        };
        // SQLite undoes nothing of a command that fails in a transaction.
        if result.is_err() && self.db.total_changes() != before {
            self.poison();
        }
        result
    }

    /// Finds damage of the graphs, and rows and nodes that disagree. Returns one line per problem.
    pub fn problems(&self) -> Result<Vec<String>> {
        let mut problems = self.config_problems()?;
        problems.extend(self.content_problems()?);
        for VectorRef { ordinal, column, .. } in self.schema.vectors() {
            let found = self.with_vector(ordinal, |vector| check::check(vector, &self.rows.nodes(ordinal)))?;
            problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", column.name)));
        }
        Ok(problems)
    }

    /// Rebuilds the graphs: links pending nodes and removes tombstones.
    fn optimize(&self) -> Result<()> {
        self.fold_log()?;
        let missing = self.each_vector(|vector, rows| {
            vector.refresh()?;
            rebuild::rebuild(vector, rows)
        })?;
        self.transaction.note_change();
        match missing.into_iter().find(|missing| *missing > 0) {
            Some(missing) => Err(self.names()?.missing_row(&format!("a row of the index ({missing} in all)"))),
            None => Ok(()),
        }
    }

    /// Brings the graphs of an index up to date with its content. COMMIT links the nodes. (A table of its own has no log.)
    fn fold_log(&self) -> Result<()> {
        match self.fold()? {
            Some(wrong) if self.content(SyncMode::Commit).is_some() => Err(Error::Invalid(wrong)),
            _ => Ok(()),
        }
    }

    /// Repairs rows and nodes so that they agree, then rebuilds the graphs. Of an index it recreates the triggers too.
    fn rebuild(&self) -> Result<()> {
        if self.schema.content.is_some() {
            self.make_triggers()?;
        }
        let repaired = self.each_vector(repair::repair);
        self.transaction.note_change();
        repaired?;
        self.note_all_rows()?;
        self.fold_log()?;
        self.each_vector(|vector, rows| {
            vector.refresh()?;
            rebuild::rebuild_repaired(vector, rows)
        })?;
        self.transaction.note_change();
        Ok(())
    }

    /// Calls `work` with each vector column and its nodes in the rows table.
    fn each_vector<T>(&self, mut work: impl FnMut(&mut VectorColumn, &dyn RowNodes) -> Result<T>) -> Result<Vec<T>> {
        let mut vectors = self.vectors()?;
        let columns = vectors.iter_mut().zip(self.schema.vectors());
        columns.map(|(vector, VectorRef { ordinal, .. })| work(vector, &self.rows.nodes(ordinal))).collect()
    }

    /// Rebuilds the graphs and renumbers the rows in the order of the first column's nodes, so that the rows of a page
    /// of results share pages of the file.
    fn cluster(&self) -> Result<()> {
        let names = self.names()?;
        let table = names.table();
        if names.content.is_some() {
            return Err(Error::invalid(format!(
                "{table}: the command 'cluster' moves rows, but those of an index over {0} stay where they are in {0}",
                names.rows_table()
            )));
        }
        if self.schema.rowid_column().is_some() {
            return Err(Error::invalid(format!(
                "{table}: the command 'cluster' renumbers rows, but {} is the rowid and must keep its values",
                self.schema.rowid_name()
            )));
        }
        if self.cursors.get() > 0 {
            return Err(Error::invalid(format!(
                "{table}: the command 'cluster' renumbers rows: end the statement that is reading the table"
            )));
        }
        let mut moves: Option<Moves> = None;
        self.each_vector(|vector, rows| {
            vector.refresh()?;
            match &moves {
                None => moves = Some(rebuild::cluster(vector, rows)?),
                Some(moves) => rebuild::rebuild_moved(vector, rows, moves)?,
            }
            Ok(())
        })?;
        self.transaction.note_change();
        Ok(())
    }

    fn integrity_check(&self) -> Result<()> {
        self.sync()?;
        let problems = self.problems()?;
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::corrupt(self.names()?.table().to_string(), problems.join("; ")))
    }

    /// The whole number in `range` that is given as k.
    fn setting(&self, name: &str, range: RangeInclusive<usize>, k: Option<Value<'_>>) -> Result<i64> {
        let names = self.names()?;
        let table = names.table();
        let number = k.and_then(Value::whole);
        number.filter(|&number| usize::try_from(number).is_ok_and(|number| range.contains(&number))).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let got = k.map_or("nothing".to_string(), Value::shown);
            Error::invalid(format!(
                "{table}: the command '{name}' expects {least} to {most} as k, got {got}: \
                 INSERT INTO {table}({table}, k) VALUES ('{name}', 100)"
            ))
        })
    }

    fn set_ef_search(&self, k: Option<Value<'_>>) -> Result<()> {
        let ef = self.setting("ef_search", Params::EF_RANGE, k)?;
        let owner = &self.names()?.owner;
        let mut keys = owner.ordinals().map(|ordinal| ordinal.config_key("ef_search"));
        keys.try_for_each(|key| owner.set_config(self.db, &key, Parameter::Integer(ef)))
    }

    /// Sets the limit of the node cache, in MiB per vector column and process.
    fn set_node_cache(&self, k: Option<Value<'_>>) -> Result<()> {
        let megabytes = self.setting("node_cache", CACHE_MIB, k)?;
        self.names()?.owner.set_config(self.db, "node_cache", Parameter::Integer(megabytes))?;
        self.vectors()?.iter_mut().for_each(VectorColumn::drop_cache);
        Ok(())
    }
}
