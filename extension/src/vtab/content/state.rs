//! Checks that the content table and its triggers still fit the index.

use super::definition::describe;
use super::find::{find, store};
use super::triggers;
use crate::error::{Error, Result};
use crate::sqlite::quote_identifier;
use crate::storage::shadow::CHANGES;
use crate::vtab::core::TableCore;
use crate::vtab::declaration::content::{ContentTable, SyncMode};
use crate::vtab::declaration::schema::{ColumnRef, TableSchema};
use crate::vtab::rows::table::ContentName;

const LOG: &str = ", log ";

impl TableCore {
    /// The content table, if the index has that mode.
    pub fn content(&self, sync: SyncMode) -> Option<&ContentTable> {
        self.schema.content.as_ref().filter(|content| content.sync == sync)
    }

    /// Refuses an index whose content no longer fits. After the first call it checks again only if the schema has changed.
    pub fn check_content(&self) -> Result<()> {
        if self.schema.content.is_none() {
            return Ok(());
        }
        let names = self.names()?;
        let sql = format!("PRAGMA {}.schema_version", quote_identifier(&names.owner.schema));
        let version = self.rows.statements.reading(sql)?.query_one(&[], |row| Ok(row.column_i64(0)))?;
        if version.is_some() && version == self.checked_schema.get() {
            return Ok(());
        }
        let described = self.check_triggers()?;
        let columns =
            |schema: &TableSchema| schema.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        if columns(&described) != columns(&self.schema) {
            let (table, content) = (names.table(), self.names()?.rows_table());
            return Err(Error::invalid(format!(
                "{table}: the columns of {content} have changed since the schema was read: open the database again"
            )));
        }
        self.checked_schema.set(version);
        Ok(())
    }

    /// As `check_content`, but other columns may have changed: a fold reads only the key and the vectors.
    pub fn check_source(&self) -> Result<()> {
        match self.check_content() {
            Err(Error::Invalid(_)) => self.check_triggers().map(drop),
            result => result,
        }
    }

    /// Refuses a content that is gone, cannot have an index, or has lost the triggers. Follows a rename.
    pub fn check_triggers(&self) -> Result<TableSchema> {
        let name = self.find_content()?;
        let described = self.describe_content(&name)?;
        let names = self.names()?;
        if triggers::table_with(self.db, &names.owner)?.is_none() {
            let table = names.table();
            return Err(Error::invalid(format!(
                "{table}: the triggers on {name} are gone, as after a migration that makes a table anew: \
                 INSERT INTO {table}({table}) VALUES ('rebuild') makes them again and brings the index up to date"
            )));
        }
        Ok(described)
    }

    /// The current name of the content table.
    fn find_content(&self) -> Result<String> {
        let names = self.names()?;
        let known = names.content.as_ref().map_or("", |content| content.table.as_str());
        find(self.db, &names.owner, &self.schema, known)
    }

    /// Stores the name of the content table, for a connection that finds no triggers.
    pub fn store_content_name(&self) -> Result<()> {
        let names = self.names()?;
        names.content.as_ref().map_or(Ok(()), |content| store(self.db, &names.owner, &content.table))
    }

    /// Reads the declaration from the content table of that name, and takes up the name.
    fn describe_content(&self, name: &str) -> Result<TableSchema> {
        let names = self.names()?;
        let described = describe(self.db, &names.owner, &self.schema, name)?;
        if let Some(content) = &described.content {
            let now = ContentName { table: content.name.clone(), key: content.key.clone() };
            if names.content.as_ref() != Some(&now) {
                self.rows.rename_content(now)?;
            }
        }
        Ok(described)
    }

    /// Recreates the triggers for the current names.
    pub fn make_triggers(&self) -> Result<()> {
        let name = self.find_content()?;
        let described = self.describe_content(&name)?;
        let names = self.names()?;
        triggers::drop_all(self.db, &names.owner)?;
        let Some(content) = &names.content else { return Ok(()) };
        triggers::create_all(self.db, &names.owner, &described, content)?;
        self.store_content_name()?;
        self.checked_schema.set(None);
        Ok(())
    }

    /// Whether the log has rows.
    pub fn has_log(&self) -> Result<bool> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", self.names()?.owner.shadow(CHANGES));
        Ok(self.rows.statements.reading(sql)?.query_one(&[], |_| Ok(()))?.is_some())
    }

    /// The number of rows in the log.
    pub fn log_length(&self) -> Result<i64> {
        let sql = format!("SELECT count(*) FROM {}", self.names()?.owner.shadow(CHANGES));
        let count = self.rows.statements.reading(sql)?.query_one(&[], |row| Ok(row.column_i64(0)))?;
        Ok(count.unwrap_or_default())
    }

    /// The text on the log that EXPLAIN QUERY PLAN shows after the plan of a search: `, log 12`.
    pub fn log_text(&self) -> String {
        // The search itself reports a damaged log.
        let length = || self.log_length().unwrap_or_default();
        self.content(SyncMode::Log).map_or(String::new(), |_| format!("{LOG}{}", length()))
    }

    /// The text of the plan without the text on the log.
    pub fn without_log_text<'t>(&self, text: &'t str) -> &'t str {
        let split = self.content(SyncMode::Log).and_then(|_| text.rsplit_once(LOG));
        split.map_or(text, |(plan, _)| plan)
    }

    /// Refuses a hidden column if the content has a column of that name.
    pub fn check_not_left_out(&self, hidden: ColumnRef<'_>) -> Result<()> {
        let (Some(content), names) = (&self.schema.content, self.names()?) else { return Ok(()) };
        let table = names.table();
        let name = if hidden == ColumnRef::Command { table } else { hidden.hidden_name() };
        if !content.left_out.iter().any(|column| column.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        let content = names.rows_table();
        Err(Error::invalid(format!(
            "{table}.{name}: the name is reserved, so the column of {content} is left out: select it from {content}"
        )))
    }
}
