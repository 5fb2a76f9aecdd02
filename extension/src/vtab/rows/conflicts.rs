//! Finds the rows that OR REPLACE deletes. SQLite would delete them from the rows table itself, but their nodes would
//! stay.

use std::collections::BTreeSet;

use super::table::{Names, RowsTable};
use super::write::RowWrite;
use crate::error::{Error, Result};
use crate::sqlite::{Connection, Parameter, quote_identifier};
use crate::storage::shadow::ROWS;

/// The columns and collations of one unique index, quoted.
struct UniqueKey {
    columns: Vec<(String, String)>,
}

impl RowsTable {
    /// Returns the rowids of the rows that share a unique key with a row to be written.
    ///
    /// # Errors
    /// `Error::Invalid` if a unique index is partial or on expressions: its conflicts are not known here.
    pub fn in_the_way(&self, row: RowWrite<'_>) -> Result<Vec<i64>> {
        let (names, rowid) = (self.names()?, self.key());
        let mut keys = unique_keys(self.db, &names)?;
        keys.push(UniqueKey { columns: vec![(rowid.clone(), quote_identifier("BINARY"))] });
        let mut found = BTreeSet::new();
        for key in keys {
            let Some(condition) = condition(&key, row, &names, &rowid) else { continue };
            let sql = format!("SELECT {rowid} FROM {} WHERE {condition}", names.rows);
            let values = row.assignments.values.iter();
            let mut parameters: Vec<Parameter<'_>> = values.map(|value| Parameter::Value(*value)).collect();
            parameters.push(row.rowid.map_or(Parameter::Null, Parameter::Integer));
            self.db.prepare_shadow(&sql)?.query(&parameters, |row| {
                found.insert(row.column_i64(0));
                Ok(())
            })?;
        }
        if let Some(own) = row.rowid {
            found.remove(&own);
        }
        Ok(found.into_iter().collect())
    }
}

/// The condition for a conflict: `"a" COLLATE "NOCASE" = ?1 AND ...`. None if the row sets no column of the key, or if
/// an INSERT does not set all.
fn condition(key: &UniqueKey, row: RowWrite<'_>, names: &Names, rowid: &str) -> Option<String> {
    let own = row.assignments.values.len() + 1;
    let mut is_touched = false;
    let mut parts = Vec::new();
    for (column, collation) in &key.columns {
        let value = match row.assignments.columns.iter().position(|changed| changed.eq_ignore_ascii_case(column)) {
            Some(position) => {
                is_touched = true;
                format!("?{}", position + 1)
            }
            None if row.rowid.is_some() => format!("(SELECT {column} FROM {} WHERE {rowid} = ?{own})", names.rows),
            None => return None,
        };
        parts.push(format!("{column} COLLATE {collation} = {value}"));
    }
    // The last parameter must occur, because it is always bound.
    is_touched.then(|| format!("{} AND ?{own} IS ?{own}", parts.join(" AND ")))
}

fn unique_keys(db: Connection, names: &Names) -> Result<Vec<UniqueKey>> {
    let schema = quote_identifier(&names.owner.schema);
    let rows = quote_identifier(&names.owner.shadow_name(ROWS));
    let mut indexes = Vec::new();
    db.prepare(&format!("PRAGMA {schema}.index_list({rows})"))?.query(&[], |row| {
        let (name, is_unique, is_partial) = (row.column_text(1, "index")?, row.column_i64(2), row.column_i64(4));
        if is_unique != 0 {
            indexes.push((name.to_string(), is_partial != 0));
        }
        Ok(())
    })?;
    let mut keys = Vec::new();
    for (name, is_partial) in indexes {
        let mut columns = Vec::new();
        let mut has_expression = false;
        db.prepare(&format!("PRAGMA {schema}.index_xinfo({})", quote_identifier(&name)))?.query(&[], |row| {
            let (number, is_key) = (row.column_i64(1), row.column_i64(5) != 0);
            has_expression |= is_key && number < 0;
            if is_key && number >= 0 {
                let (column, collation) = (row.column_text(2, "column")?, row.column_text(4, "collation")?);
                columns.push((quote_identifier(column), quote_identifier(collation)));
            }
            Ok(())
        })?;
        if is_partial || has_expression {
            return Err(Error::invalid(format!(
                "{}: OR REPLACE is not supported beside the unique index \"{name}\", which is partial or on an expression",
                names.table()
            )));
        }
        keys.push(UniqueKey { columns });
    }
    Ok(keys)
}
