//! The connected virtual table, as SQLite calls it.

use super::content::definition::{describe_new, outline};
use super::content::find::find;
use super::content::triggers;
use super::core::{TableCore, column_names};
use super::declaration::arguments;
use super::declaration::schema::TableSchema;
use super::planning::plan::{FoundBy, KnnPlan, Plan};
use super::planning::{index_query, planner};
use super::reading::context::ReadContext;
use super::reading::cursor::HnswCursor;
use super::rows::create;
use super::rows::filter::RowsFilter;
use crate::error::{Error, Result, code};
use crate::sqlite::{
    BestIndex, Change, Conflict, Connected, Connection, IndexInfo, ModuleArguments, Overload, StoredTable, TableOption,
    VirtualTable,
};
use crate::storage::shadow::{self, Owner};
use crate::storage::vector_column::VectorColumn;

/// A connected virtual table `hnsw`.
pub struct HnswTable {
    context: ReadContext,
}

impl HnswTable {
    fn core(&self) -> &TableCore {
        &self.context.core
    }

    fn parse(arguments: &ModuleArguments<'_>) -> Result<(TableSchema, Owner)> {
        let schema = arguments::parse(arguments.table, &arguments.arguments)?;
        let (name, table) = (arguments.schema.to_string(), arguments.table.to_string());
        let has_content = schema.content.is_some();
        let owner = Owner { schema: name, table, vectors: schema.vectors().count(), has_content };
        Ok((schema, owner))
    }

    /// Connects a table. Reads nothing, so that opening is free.
    fn connected(db: Connection, schema: TableSchema, owner: Owner) -> Result<Connected<HnswTable>> {
        db.set_table_option(TableOption::ConstraintSupport)?;
        // Views and triggers may use the table in every host: it reads and writes nothing but its own shadow tables.
        db.set_table_option(TableOption::Innocuous)?;
        let declaration = schema.declaration(&owner.table);
        let context = ReadContext::new(TableCore::new(db, schema, owner))?;
        Ok(Connected { declaration, table: HnswTable { context } })
    }

    /// How SQLite would find the rows that pass the filters of a search.
    fn found_by(&self, knn: &KnnPlan) -> FoundBy {
        let rows = &self.core().rows;
        let outline = RowsFilter::outline(&self.core().schema, &knn.filters);
        // Errors of the shadow tables are reported by the search itself.
        let found_by = rows.explain(knn.ordinal, &outline, |_| Ok(())).unwrap_or_default();
        if found_by == FoundBy::Scan && rows.has_partial_index().unwrap_or_default() {
            return FoundBy::Partial;
        }
        found_by
    }
}

impl VirtualTable for HnswTable {
    type Cursor<'t> = HnswCursor<'t>;

    fn connect(db: Connection, arguments: &ModuleArguments<'_>) -> Result<Connected<Self>> {
        let (mut schema, owner) = HnswTable::parse(arguments)?;
        if let Some(content) = &schema.content {
            let name = find(db, &owner, &schema, &content.name)?;
            match outline(db, &owner, &schema, &name) {
                Ok((described, _)) => schema = described,
                // The statement that searches says it. A table that could not be connected could not be dropped.
                Err(Error::Invalid(_) | Error::Sqlite { code: code::ERROR, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        HnswTable::connected(db, schema, owner)
    }

    fn best_index(&self, info: &mut IndexInfo<'_>) -> Result<BestIndex> {
        let names = self.core().names()?;
        let query = index_query::read(info, || Ok(!self.core().like_ignores_case()?))?;
        let Some(mut planned) = planner::choose(names.table(), &self.core().schema, &query)? else {
            return Ok(BestIndex::Impossible);
        };
        if let Plan::Knn(knn) = &mut planned.plan
            && !knn.filters.is_empty()
        {
            knn.found_by = self.found_by(knn);
        }
        for (position, used) in planned.used.iter().enumerate() {
            info.take(used.index, position, used.recheck)?;
            if used.is_list {
                info.set_in_list(used.index)?;
            }
        }
        let (number, mut text) = planned.plan.encode(&self.core().schema);
        if let Plan::Knn(_) = planned.plan {
            text.push_str(&self.core().log_text());
        }
        info.set_plan(number, &text)?;
        info.set_estimate(planned.cost, planned.rows as i64);
        if planned.is_order_consumed {
            info.set_order_consumed();
        }
        if planned.is_unique {
            info.set_unique();
        }
        Ok(BestIndex::Planned)
    }

    fn open(&self) -> Result<HnswCursor<'_>> {
        Ok(HnswCursor::new(&self.context))
    }

    fn find_function(&self, name: &str, argument_count: usize) -> Option<Overload> {
        (name.eq_ignore_ascii_case("match") && argument_count == 2).then(|| self.context.match_test.overload())
    }

    fn panicked(&self) {
        self.core().forget();
        self.context.clear();
    }
}

impl StoredTable for HnswTable {
    fn create(db: Connection, arguments: &ModuleArguments<'_>) -> Result<Connected<Self>> {
        let (mut schema, owner) = HnswTable::parse(arguments)?;
        if let Some(content) = &schema.content {
            schema = describe_new(db, &owner, &schema, &content.name)?;
        }
        create::shadow_tables(db, &owner, &schema)?;
        for (name, vector) in column_names(&schema, &owner).iter().zip(schema.vectors()) {
            VectorColumn::create(db, name, vector.params)?;
        }
        let connected = HnswTable::connected(db, schema, owner)?;
        let core = connected.table.core();
        core.write_config()?;
        if core.schema.content.is_some() {
            core.make_triggers()?;
            core.build_from_content()?;
        }
        Ok(connected)
    }

    fn destroy(&self) -> Result<()> {
        // A damaged table may be dropped, and one of a newer format too: SQLite cannot report why it may not.
        self.core().rows.statements.clear();
        let names = self.core().names()?;
        if names.owner.has_content {
            triggers::drop_all(self.core().db, &names.owner)?;
        }
        names.owner.drop(self.core().db)
    }

    fn update(&self, change: Change<'_>, conflict: Conflict) -> Result<Option<i64>> {
        let changed = self.core().check_version().and_then(|()| self.core().change(change, conflict));
        changed.map_err(|error| self.core().explained(error))
    }

    fn rename(&self, new_name: &str) -> Result<()> {
        self.core().check_version()?;
        let names = self.core().names()?;
        if self.core().schema.has_column(new_name) {
            return Err(Error::invalid(format!(
                "{}: cannot be renamed to \"{new_name}\": a column has that name, and the table's name is reserved for commands",
                names.table()
            )));
        }
        // Links now: at COMMIT SQLite asks only the objects that wrote, and they look for the old name.
        self.core().sync_for_rename()?;
        self.core().rows.statements.clear();
        let has_triggers = names.owner.has_content && triggers::table_with(self.core().db, &names.owner)?.is_some();
        if has_triggers {
            triggers::drop_all(self.core().db, &names.owner)?;
        }
        names.owner.rename(self.core().db, new_name)?;
        self.core().transaction.note_rename(names.owner.clone())?;
        self.context.rename(Owner { table: new_name.to_string(), ..names.owner.clone() })?;
        if has_triggers { self.core().make_triggers() } else { Ok(()) }
    }

    fn begin(&self) -> Result<()> {
        self.core().transaction.begin();
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.core().finish().map_err(|error| self.core().explained(error))
    }

    fn commit(&self) {
        self.core().end_transaction(true);
    }

    fn rollback(&self) {
        if let Some(owner) = self.core().transaction.first_name() {
            // Fails only inside a callback of this very table, which a rollback never is.
            let _ = self.context.rename(owner);
        }
        self.core().forget();
        self.core().end_transaction(false);
    }

    fn savepoint(&self, savepoint: i32) -> Result<()> {
        self.core().transaction.savepoint(savepoint);
        Ok(())
    }

    fn release(&self, savepoint: i32) -> Result<()> {
        self.core().transaction.release(savepoint);
        Ok(())
    }

    fn rollback_to(&self, savepoint: i32) -> Result<()> {
        if let Some(owner) = self.core().transaction.rolled_back_name(savepoint) {
            self.context.rename(owner)?;
        }
        self.core().roll_back_to(savepoint);
        Ok(())
    }

    fn is_shadow_name(suffix: &str) -> bool {
        shadow::is_shadow_name(suffix)
    }

    fn integrity(&self) -> Result<Option<String>> {
        match self.core().check_version().and_then(|()| self.core().problems()) {
            Ok(problems) if problems.is_empty() => Ok(None),
            // SQLite does not name the table of a report.
            Ok(problems) => {
                let names = self.core().names()?;
                let damaged = |problem: String| Error::corrupt(names.table(), problem).to_string();
                Ok(Some(problems.into_iter().map(damaged).collect::<Vec<_>>().join("\n")))
            }
            // A table that cannot be checked is a finding: an error would have no message, and hide those of other
            // tables.
            Err(error @ (Error::Corrupt { .. } | Error::Unsupported(_))) => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    }
}
