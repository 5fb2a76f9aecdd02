//! Folds the log into the graph: each logged row gets the nodes of its current vectors.

use super::triggers;
use crate::error::{Error, Result};
use crate::format::node::{NodeId, RowId};
use crate::sqlite::{Parameter, Statement};
use crate::storage::shadow::{CHANGES, MAP, Owner, VectorOrdinal};
use crate::vtab::core::TableCore;
use crate::vtab::declaration::content::RowKey;
use crate::vtab::rows::statement_cache::CachedStatement;
use crate::vtab::rows::table::{ContentName, Names};
use crate::vtab::writing::vector_input::VectorInput;

/// Rows of the log that are read at a time.
const BATCH: i64 = 1024;

/// The statements of one fold.
struct Fold<'t> {
    /// The nodes of a row; no row if the map has none.
    nodes: CachedStatement<'t>,
    /// The vectors of a row; no row if the content has none.
    vectors: CachedStatement<'t>,
    write: CachedStatement<'t>,
    forget: CachedStatement<'t>,
    done: CachedStatement<'t>,
}

/// The checked vectors of a content row; None if the row is gone.
type NewVectors = Option<Vec<Option<Vec<u8>>>>;

impl<'t> Fold<'t> {
    fn prepare(core: &'t TableCore, names: &Names, content: &ContentName) -> Result<Fold<'t>> {
        let (map, changes, source) = (names.owner.shadow(MAP), names.owner.shadow(CHANGES), content.sql(&names.owner));
        let columns: Vec<String> = core.schema.vectors().map(|vector| core.schema.column_sql(vector.id)).collect();
        let (columns, nodes) = (columns.join(", "), node_columns(&names.owner).join(", "));
        let vectors = match &content.key {
            RowKey::Rowid(_) => format!("SELECT {columns} FROM {source} AS r WHERE {} = ?1", content.key.rowid_sql()),
            RowKey::Columns(_) => {
                let condition = content.key.condition("r.");
                format!("SELECT {columns} FROM {map} AS m JOIN {source} AS r ON {condition} WHERE m.id = ?1")
            }
        };
        let parameters: Vec<String> = (2..names.owner.vectors + 2).map(|number| format!("?{number}")).collect();
        let sets: Vec<String> =
            node_columns(&names.owner).iter().map(|node| format!("{node} = excluded.{node}")).collect();
        let write = format!(
            "INSERT INTO {map}(id, {nodes}) VALUES (?1, {}) ON CONFLICT(id) DO UPDATE SET {}",
            parameters.join(", "),
            sets.join(", ")
        );
        let statements = &core.rows.statements;
        Ok(Fold {
            nodes: statements.reading(format!("SELECT {nodes} FROM {map} WHERE id = ?1"))?,
            vectors: statements.reading(vectors)?,
            write: statements.reading(write)?,
            forget: statements.reading(format!("DELETE FROM {map} WHERE id = ?1"))?,
            done: statements.reading(format!("DELETE FROM {changes} WHERE id = ?1"))?,
        })
    }
}

fn node_columns(owner: &Owner) -> Vec<String> {
    owner.ordinals().map(VectorOrdinal::map_column).collect()
}

impl TableCore {
    /// Adds the current vectors of the logged rows as nodes, in bounded memory; the graph links them later. Rows with a
    /// wrong vector stay in the log. Returns the problem of the first of them.
    pub fn fold(&self) -> Result<Option<String>> {
        if self.schema.content.is_none() || !self.has_log()? {
            return Ok(None);
        }
        self.check_source()?;
        self.store_content_name()?;
        let names = self.names()?;
        let Some(content) = &names.content else { return Ok(None) };
        self.vectors()?.iter_mut().try_for_each(|vector| vector.refresh())?;
        self.transaction.note_change();
        let mut fold = Fold::prepare(self, &names, content)?;
        let changes = names.owner.shadow(CHANGES);
        let mut batch = self
            .rows
            .statements
            .reading(format!("SELECT id FROM {changes} WHERE id >= ?1 ORDER BY id LIMIT {BATCH}"))?;
        let (mut next, mut wrong) = (Some(i64::MIN), None);
        while let Some(first) = next {
            self.db.check_interrupt()?;
            let mut ids = Vec::new();
            batch.query(&[Parameter::Integer(first)], |row| {
                ids.push(row.column_i64(0));
                Ok(())
            })?;
            for &id in &ids {
                match self.fold_row(&names, &mut fold, id)? {
                    None => fold.done.run(&[Parameter::Integer(id)])?,
                    Some(problem) => wrong = wrong.or(Some(problem)),
                }
            }
            next = ids.last().and_then(|last| last.checked_add(1));
        }
        Ok(wrong)
    }

    /// Folds one row. If its vector is wrong, it changes nothing and returns the problem.
    fn fold_row(&self, names: &Names, fold: &mut Fold<'_>, id: i64) -> Result<Option<String>> {
        let key = [Parameter::Integer(id)];
        let old = fold.nodes.query_one(&key, |row| {
            (0..names.owner.vectors)
                .map(|position| self.rows.node_in(row.column_content(position)))
                .collect::<Result<Vec<_>>>()
        })?;
        let new = fold.vectors.query_one(&key, |row| Ok(self.checked_vectors(names, row)))?.transpose();
        let new: NewVectors = match new {
            Ok(new) => new,
            Err(Error::Invalid(message)) => return Ok(Some(self.wrong_row(names, id, &message))),
            Err(error) => return Err(error),
        };
        let is_gone = new.is_none();
        let new = new.unwrap_or_else(|| vec![None; names.owner.vectors]);
        let mut nodes = Vec::with_capacity(new.len());
        for (ordinal, vector) in names.owner.ordinals().zip(&new) {
            let before = old.as_ref().and_then(|nodes| nodes.get(ordinal.0).copied().flatten());
            nodes.push(self.settle(ordinal, id, before, vector.as_deref())?);
        }
        let is_keyed = names.content.as_ref().is_some_and(|content| matches!(content.key, RowKey::Columns(_)));
        let is_kept = nodes.iter().any(Option::is_some) || (is_keyed && !is_gone);
        if !is_kept {
            if old.is_some() {
                fold.forget.run(&key)?;
            }
            return Ok(None);
        }
        if old.as_ref() != Some(&nodes) {
            let mut parameters = key.to_vec();
            parameters.extend(
                nodes.iter().map(|node| node.map_or(Parameter::Null, |node| Parameter::Integer(i64::from(node.0)))),
            );
            fold.write.run(&parameters)?;
        }
        Ok(None)
    }

    fn checked_vectors(&self, names: &Names, row: &Statement) -> Result<Vec<Option<Vec<u8>>>> {
        let columns = self.schema.vectors().enumerate();
        columns
            .map(|(position, vector)| {
                let value = row.column_value(position);
                Ok(VectorInput::new(names.table(), vector).stored(value)?.map(|bytes| bytes.into_owned()))
            })
            .collect()
    }

    /// Returns the node for a vector: the row's node if it has the same vector, otherwise a new one.
    fn settle(
        &self,
        ordinal: VectorOrdinal,
        id: i64,
        old: Option<NodeId>,
        vector: Option<&[u8]>,
    ) -> Result<Option<NodeId>> {
        self.with_vector(ordinal, |column| {
            if let Some(old) = old {
                if vector.is_some_and(|vector| column.vector(old, RowId(id)).is_ok_and(|stored| stored == vector)) {
                    return Ok(Some(old));
                }
                self.transaction.note_delete();
                column.remove(old, RowId(id))?;
            }
            vector.map(|vector| column.add(RowId(id), vector)).transpose()
        })
    }

    /// Adds the content row to a message: `products_near.embedding: expected ... (row 7 of products)`.
    fn wrong_row(&self, names: &Names, id: i64, message: &str) -> String {
        let Some(content) = &names.content else { return message.to_string() };
        let key = self.shown_key(names, content, id).unwrap_or_else(|_| id.to_string());
        format!("{message} (row {key} of {})", content.table)
    }

    fn shown_key(&self, names: &Names, content: &ContentName, id: i64) -> Result<String> {
        if matches!(content.key, RowKey::Rowid(_)) {
            return Ok(id.to_string());
        }
        let shown: Vec<String> = content.key.map_columns().iter().map(|column| format!("quote({column})")).collect();
        let sql = format!("SELECT {} FROM {} WHERE id = ?1", shown.join(" || ', ' || "), names.owner.shadow(MAP));
        let key =
            self.db.query_one(&sql, &[Parameter::Integer(id)], |row| Ok(row.column_text(0, "a key")?.to_string()))?;
        Ok(key.unwrap_or_else(|| id.to_string()))
    }

    /// Writes all rows into the log: for a new index, and for `rebuild`.
    pub fn note_all_rows(&self) -> Result<()> {
        let names = self.names()?;
        let Some(content) = &names.content else { return Ok(()) };
        triggers::note_all(self.db, &names.owner, content)
    }
}
