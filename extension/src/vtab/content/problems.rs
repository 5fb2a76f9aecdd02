//! The integrity check of an index against its content. It skips rows in the log, which are known to differ.

use crate::error::{Error, Result};
use crate::format::node::{NodeId, RowId};
use crate::sqlite::Statement;
use crate::storage::shadow::{CHANGES, MAP};
use crate::vtab::core::TableCore;
use crate::vtab::declaration::content::RowKey;
use crate::vtab::declaration::schema::VectorRef;
use crate::vtab::rows::table::{ContentName, Names};
use crate::vtab::writing::vector_input::VectorInput;

/// The most problems reported of each kind.
const MAX_PROBLEMS: usize = 100;

impl TableCore {
    /// Lists the differences between the index and its content.
    pub fn content_problems(&self) -> Result<Vec<String>> {
        match self.check_content() {
            // A search would report the same.
            Err(Error::Invalid(message)) => return Ok(vec![message]),
            result => result?,
        }
        let names = self.names()?;
        let Some(content) = &names.content else { return Ok(Vec::new()) };
        let mut problems = self.rows_apart(&names, content)?;
        for vector in self.schema.vectors() {
            let found = self.vectors_apart(&names, vector)?;
            problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", vector.column.name)));
        }
        Ok(problems)
    }

    /// Lists rows of the map without a content row, and content rows without a row of the map.
    fn rows_apart(&self, names: &Names, content: &ContentName) -> Result<Vec<String>> {
        let (map, changes, source) = (names.owner.shadow(MAP), names.owner.shadow(CHANGES), content.sql(&names.owner));
        let (condition, table, map_name) = (content.key.condition("r."), &content.table, names.nodes_table());
        let gone = format!(
            "SELECT m.id FROM {map} AS m WHERE NOT EXISTS (SELECT 1 FROM {source} AS r WHERE {condition}) \
             AND m.id NOT IN (SELECT id FROM {changes})"
        );
        let columns = content.key.columns("r.");
        let (shown, wanted) = match &content.key {
            RowKey::Rowid(_) => {
                let vectors = self.schema.vectors().map(|vector| self.schema.column_sql(vector.id));
                let is_some = vectors.map(|vector| format!("{vector} IS NOT NULL")).collect::<Vec<_>>().join(" OR ");
                let key = columns.join(", ");
                (key.clone(), format!("({is_some}) AND {key} NOT IN (SELECT id FROM {changes})"))
            }
            RowKey::Columns(_) => {
                let shown: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
                (shown.join(" || ', ' || "), content.key.is_whole("r."))
            }
        };
        let unknown = format!(
            "SELECT {shown} FROM {source} AS r WHERE {wanted} AND NOT EXISTS (SELECT 1 FROM {map} AS m WHERE {condition})"
        );
        let mut problems = Vec::new();
        for (sql, what) in [
            (gone, format!("of {map_name} is of no row of {table}")),
            (unknown, format!("of {table} has no row of {map_name}")),
        ] {
            let sql = format!(
                "SELECT CAST(key AS TEXT) FROM (SELECT NULL AS key WHERE 0 UNION ALL {sql}) LIMIT {MAX_PROBLEMS}"
            );
            self.db.prepare_shadow(&sql)?.query(&[], |row| {
                problems.push(format!("row {} {what}", String::from_utf8_lossy(row.column_bytes(0))));
                Ok(())
            })?;
        }
        Ok(problems)
    }

    /// Lists rows whose node has another vector than the row.
    fn vectors_apart(&self, names: &Names, vector: VectorRef<'_>) -> Result<Vec<String>> {
        let (key, value) = (self.schema.rowid_sql(), self.schema.column_sql(vector.id));
        let node = self.schema.node_sql(vector.ordinal);
        let changes = names.owner.shadow(CHANGES);
        let sql = format!(
            "SELECT {key}, {value}, {node} FROM {} WHERE ({value} IS NOT NULL OR {node} IS NOT NULL) \
             AND {key} NOT IN (SELECT id FROM {changes})",
            names.rows_sql()
        );
        let (mut problems, mut seen) = (Vec::new(), 0usize);
        let table = names.rows_table();
        self.db.prepare_shadow(&sql)?.query(&[], |row| {
            seen += 1;
            if seen.is_multiple_of(MAX_PROBLEMS) {
                self.db.check_interrupt()?;
            }
            let node = self.rows.node_in(row.column_content(2))?;
            if problems.len() < MAX_PROBLEMS && !self.is_same_vector(names, vector, row, node)? {
                problems.push(format!("row {} has another vector in {table} than in the index", row.column_i64(0)));
            }
            Ok(())
        })?;
        Ok(problems)
    }

    fn is_same_vector(
        &self,
        names: &Names,
        vector: VectorRef<'_>,
        row: &Statement,
        node: Option<NodeId>,
    ) -> Result<bool> {
        let expected = match VectorInput::new(names.table(), vector).stored(row.column_value(1)) {
            Ok(expected) => expected,
            Err(Error::Invalid(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(node) = node else { return Ok(expected.is_none()) };
        let stored = self.with_vector(vector.ordinal, |column| column.vector(node, RowId(row.column_i64(0))));
        match stored {
            Ok(stored) => Ok(expected.is_some_and(|expected| *stored == *expected)),
            // The check of the graph reports it.
            Err(Error::Corrupt { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
