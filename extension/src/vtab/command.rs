//! `INSERT INTO articles(articles) VALUES ('optimize')` and the other commands.

use super::table::HnswTable;
use crate::error::{Error, Result};
use crate::hnsw::Params;
use crate::sqlite::{Content, Parameter, Value, Values};

const COMMANDS: &str = "'optimize', 'rebuild', 'integrity-check' or 'ef_search'";

impl HnswTable {
    pub(super) fn command(&self, command: Value<'_>, values: Values<'_>) -> Result<()> {
        let names = self.names()?;
        let table = names.table();
        let column = |number: usize| values.get(number).filter(|value| !value.is_null());
        let declared = self.schema.columns.len();
        let k = column(declared + 1);
        let is_alone = (0..declared + 4).all(|number| number == declared + 1 || column(number).is_none());
        let name = match command.content() {
            Content::Text(name) => String::from_utf8_lossy(name).into_owned(),
            _ => {
                return Err(Error::invalid(format!(
                    "{table}: expected a command, {COMMANDS}, got {}",
                    command.kind().name()
                )));
            }
        };
        if !is_alone || (k.is_some() && name != "ef_search") {
            return Err(Error::invalid(format!("{table}: the command '{name}' takes no value beside it")));
        }
        match name.as_str() {
            // Both lay the file out anew from the stored vectors: fresh rows in, deleted ones out.
            "optimize" | "rebuild" => self.rebuild(),
            "integrity-check" => self.integrity_check(),
            "ef_search" => self.set_ef_search(k),
            _ => Err(Error::invalid(format!("{table}: unknown command '{name}': expected {COMMANDS}"))),
        }
    }

    /// What is wrong with the graphs, and where rows and nodes disagree: a line each, none if the table is sound.
    pub(super) fn problems(&self) -> Result<Vec<String>> {
        let mut problems = self.config_problems()?;
        for (ordinal, (_, column, _)) in self.schema.vectors().enumerate() {
            let found = self.with_vector(ordinal, |vector| vector.check())?;
            problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", column.name)));
        }
        Ok(problems)
    }

    /// Where the config table does not say what the table was made with.
    fn config_problems(&self) -> Result<Vec<String>> {
        let owner = &self.names()?.owner;
        let sql = format!("SELECT value FROM {} WHERE key = ?1", owner.shadow("config"));
        let mut stored = self.statements.reading(sql)?;
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
                let what = if is_sound.is_none() { "is missing" } else { "is not what the table was made with" };
                problems.push(format!("{}.{key} {what}", owner.shadow_name("config")));
            }
        }
        Ok(problems)
    }

    fn rebuild(&self) -> Result<()> {
        for vector in self.vectors()?.iter_mut() {
            vector.refresh()?;
            vector.rebuild()?;
        }
        self.transaction.note_change();
        Ok(())
    }

    fn integrity_check(&self) -> Result<()> {
        self.transaction.sync(self)?;
        let problems = self.problems()?;
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::corrupt(self.names()?.table().to_string(), problems.join("; ")))
    }

    fn set_ef_search(&self, k: Option<Value<'_>>) -> Result<()> {
        let names = self.names()?;
        let range = Params::EF_RANGE;
        let ef = match k.map(Value::content) {
            Some(Content::Integer(ef)) => usize::try_from(ef).ok().filter(|ef| range.contains(ef)),
            _ => None,
        };
        let Some(ef) = ef else {
            let (table, least, most) = (names.table(), range.start(), range.end());
            return Err(Error::invalid(format!(
                "{table}: the command 'ef_search' expects {least} to {most} as k: \
                 INSERT INTO {table}({table}, k) VALUES ('ef_search', 100)"
            )));
        };
        let value = i64::try_from(ef).unwrap_or(i64::MAX);
        for (ordinal, _) in self.schema.vectors().enumerate() {
            names.owner.set_config(self.db, &format!("vector.{ordinal}.ef_search"), Parameter::Integer(value))?;
        }
        Ok(())
    }
}
