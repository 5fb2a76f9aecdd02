//! The connected virtual table: what its callbacks share.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

use super::arguments;
use super::cursor::HnswCursor;
use super::hit_row::KeptRows;
use super::match_test::MatchTest;
use super::nesting::Nesting;
use super::plan::{FoundBy, KnnPlan, Plan};
use super::planner::{self, Question, Term};
use super::pool::StatementPool;
use super::rows_filter::RowsFilter;
use super::schema::TableSchema;
use super::shelf::Shelf;
use super::transaction::Transaction;
use super::vectors::VectorPlace;
use crate::error::{Error, Result};
use crate::sqlite::{
    BestIndex, Change, Conflict, Connected, Connection, Content, IndexInfo, ModuleArguments, Operator, Overload,
    Parameter, Statement, StoredTable, TableOption, Value, VirtualTable, quote_identifier,
};
use crate::storage::column_name::ColumnName;
use crate::storage::shadow::{self, Owner, RowsTable};
use crate::storage::vector_column::VectorColumn;

/// Decoded plans kept at most.
const PLANS_KEPT: usize = 16;

pub struct HnswTable {
    pub(super) db: Connection,
    pub(super) schema: Rc<TableSchema>,
    pub(super) statements: StatementPool,
    pub(super) kept_rows: KeptRows,
    pub(super) transaction: Transaction,
    pub(super) nesting: Nesting,
    pub(super) shelf: Shelf,
    pub(super) match_test: Rc<MatchTest>,
    names: RefCell<Rc<Names>>,
    vectors: RefCell<Vec<VectorColumn>>,
    plans: RefCell<Vec<KnownPlan>>,
    /// The format version in the file is one that we know.
    is_known_version: Cell<bool>,
    /// Cursors that are open.
    pub(super) cursors: Cell<usize>,
}

struct KnownPlan {
    number: i32,
    text: String,
    plan: Rc<Plan>,
}

/// What changes with ALTER TABLE RENAME.
pub struct Names {
    pub owner: Owner,
    /// The rows table, quoted.
    pub rows: String,
}

impl Names {
    fn new(owner: Owner) -> Rc<Names> {
        let rows = owner.shadow("rows");
        Rc::new(Names { owner, rows })
    }

    pub fn table(&self) -> &str {
        &self.owner.table
    }

    /// Whether SQLite's message says that the rows table is not there.
    pub(super) fn is_missing_rows(&self, message: &str) -> bool {
        let name = message.strip_prefix("no such table: ").and_then(|name| name.strip_prefix(&*self.owner.schema));
        name.and_then(|name| name.strip_prefix('.')) == Some(&self.owner.shadow_name("rows"))
    }
}

impl HnswTable {
    fn parse(arguments: &ModuleArguments<'_>) -> Result<(TableSchema, Owner)> {
        let schema = arguments::parse(arguments.table, &arguments.arguments)?;
        let (name, table) = (arguments.schema.to_string(), arguments.table.to_string());
        let owner = Owner { schema: name, table, vectors: schema.vectors().count() };
        Ok((schema, owner))
    }

    /// Reads nothing: opening is free.
    fn connected(db: Connection, schema: TableSchema, owner: Owner) -> Result<Connected<HnswTable>> {
        db.set_table_option(TableOption::ConstraintSupport)?;
        // Views and triggers may use the table in every host: it reads and writes nothing but its own shadow tables.
        db.set_table_option(TableOption::Innocuous)?;
        let vectors = places(&schema, &owner).into_iter().zip(schema.vectors());
        let vectors = vectors.map(|(place, (_, _, params))| VectorColumn::open(db, place, params.clone())).collect();
        let declaration = schema.declaration(&owner.table);
        let (schema, names) = (Rc::new(schema), Names::new(owner));
        let table = HnswTable {
            db,
            match_test: MatchTest::new(Rc::clone(&schema), Rc::clone(&names)),
            schema,
            statements: StatementPool::new(db),
            kept_rows: KeptRows::default(),
            transaction: Transaction::default(),
            nesting: Nesting::default(),
            shelf: Shelf::default(),
            names: RefCell::new(names),
            vectors: RefCell::new(vectors),
            plans: RefCell::default(),
            is_known_version: Cell::new(false),
            cursors: Cell::new(0),
        };
        Ok(Connected { declaration, table })
    }

    pub(super) fn names(&self) -> Result<Rc<Names>> {
        self.names.try_borrow().map(|names| Rc::clone(&names)).map_err(|_| self.busy())
    }

    pub(super) fn vectors(&self) -> Result<RefMut<'_, Vec<VectorColumn>>> {
        let mut vectors = self.vectors.try_borrow_mut().map_err(|_| self.busy())?;
        if self.transaction.has_lapsed() {
            vectors.iter_mut().for_each(VectorColumn::forget);
            vectors.iter_mut().for_each(|vector| vector.end_transaction(false));
        }
        Ok(vectors)
    }

    /// Calls `work` with one vector column.
    pub(super) fn with_vector<T>(
        &self,
        ordinal: usize,
        work: impl FnOnce(&mut VectorColumn) -> Result<T>,
    ) -> Result<T> {
        match self.vectors()?.get_mut(ordinal) {
            Some(vector) => work(vector),
            None => Err(Error::internal(format!("vector column {ordinal} is missing"))),
        }
    }

    fn busy(&self) -> Error {
        Error::invalid("a virtual table is used again from inside a function or trigger that it called itself")
    }

    /// Must come before the first use of the shadow tables: refuses what a newer vecrank wrote.
    pub(super) fn check_version(&self) -> Result<()> {
        if !self.is_known_version.get() {
            self.names()?.owner.check_version(self.db)?;
            self.check_rows()?;
            self.is_known_version.set(true);
        }
        Ok(())
    }

    /// Refuses a rows table that lacks a column. SQLite would take the name in double quotes for a string; not so
    /// behind the table's name.
    fn check_rows(&self) -> Result<()> {
        let names = self.schema.columns.iter().map(|column| column.name.as_str());
        let columns: Vec<String> = std::iter::once(self.schema.rowid_name())
            .chain(names)
            .map(|name| format!("r.{}", quote_identifier(name)))
            .collect();
        let sql = format!("SELECT {} FROM {} AS r", columns.join(", "), self.names()?.rows);
        self.db.prepare_shadow(&sql).map(|_| ())
    }

    pub(super) fn plan(&self, number: i32, text: &str) -> Result<Rc<Plan>> {
        let mut plans = self.plans.try_borrow_mut().map_err(|_| self.busy())?;
        if let Some(known) = plans.iter().find(|known| known.number == number && known.text == text) {
            return Ok(Rc::clone(&known.plan));
        }
        let plan = Rc::new(Plan::decode(number, text, &self.schema)?);
        if plans.len() == PLANS_KEPT {
            plans.remove(0);
        }
        plans.push(KnownPlan { number, text: text.to_string(), plan: Rc::clone(&plan) });
        Ok(plan)
    }

    /// How SQLite would find the rows that the filters of a search let through.
    fn found_by(&self, knn: &KnnPlan) -> FoundBy {
        let outline = RowsFilter::outline(&self.schema, &knn.filters);
        // What is wrong with the shadow tables the search itself will say.
        let found_by = self.explain(knn.column, &outline, |_| Ok(())).unwrap_or_default();
        if found_by == FoundBy::Scan && self.has_partial_index().unwrap_or_default() {
            return FoundBy::Partial;
        }
        found_by
    }

    /// The same for the values that `bind` binds.
    pub(super) fn explain(
        &self,
        column: usize,
        filter: &str,
        bind: impl FnOnce(&mut Statement) -> Result<()>,
    ) -> Result<FoundBy> {
        let sql = format!("EXPLAIN QUERY PLAN {}", self.matching_sql(column, filter)?);
        let mut plan = self.statements.reading(sql)?;
        bind(&mut plan)?;
        let found = plan.step()?;
        let detail = String::from_utf8_lossy(plan.column_bytes(3));
        Ok(if found { FoundBy::from_detail(&detail) } else { FoundBy::Scan })
    }

    /// What LIKE means on this connection, which a pragma decides.
    pub(super) fn like_ignores_case(&self) -> Result<bool> {
        let mut probe = self.statements.reading("SELECT 'a' LIKE 'A'".to_string())?;
        Ok(probe.query_one(&[], |row| Ok(row.column_i64(0) == 1))?.unwrap_or(false))
    }

    fn has_partial_index(&self) -> Result<bool> {
        let owner = &self.names()?.owner;
        let (schema, rows) = (quote_identifier(&owner.schema), quote_identifier(&owner.shadow_name("rows")));
        let mut indexes = self.statements.reading(format!("PRAGMA {schema}.index_list({rows})"))?;
        while indexes.step()? {
            if indexes.column_i64(4) != 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How messages name the vector column `number` of the virtual table.
    pub(super) fn vector_place<'a>(&'a self, table: &'a str, number: usize) -> Result<VectorPlace<'a>> {
        match (self.schema.columns.get(number), self.schema.vector(number)) {
            (Some(column), Some(vector)) => Ok(VectorPlace { table, column: &column.name, params: vector.params }),
            _ => Err(Error::internal(format!("column {number} is no vector column"))),
        }
    }

    /// Runs `work`, whose writes to shadow tables do not show in the host's last_insert_rowid().
    pub(super) fn keeping_last_rowid<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let rowid = self.db.last_insert_rowid();
        let result = work();
        self.db.set_last_insert_rowid(rowid);
        result
    }

    fn set_names(&self, owner: Owner) -> Result<()> {
        for vector in self.vectors()?.iter_mut() {
            vector.rename(&owner.table);
        }
        self.statements.clear();
        self.shelf.clear();
        self.kept_rows.clear();
        let names = Names::new(owner);
        self.match_test.rename(Rc::clone(&names));
        *self.names.try_borrow_mut().map_err(|_| self.busy())? = names;
        Ok(())
    }

    fn write_config(&self) -> Result<()> {
        let names = self.names()?;
        self.config().into_iter().try_for_each(|(key, value)| names.owner.set_config(self.db, &key, value))
    }

    /// The entries of the config table, as CREATE writes them. Later only those of `ef_search` may change.
    pub(super) fn config(&self) -> Vec<(String, Parameter<'_>)> {
        let version = Parameter::Integer(i64::from(crate::format::FORMAT_VERSION));
        let mut entries = vec![("format_version".to_string(), version)];
        for (ordinal, (_, column, params)) in self.schema.vectors().enumerate() {
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
            let entry = |(key, value)| (format!("vector.{ordinal}.{key}"), value);
            entries.extend(of_column.into_iter().chain(model).map(entry));
        }
        entries
    }
}

fn places(schema: &TableSchema, owner: &Owner) -> Vec<ColumnName> {
    let place = |(ordinal, column): (usize, &str)| ColumnName {
        schema: owner.schema.clone(),
        table: owner.table.clone(),
        rowid: schema.rowid_name().to_string(),
        ordinal,
        column: column.to_string(),
    };
    schema.vectors().map(|(_, column, _)| column.name.as_str()).enumerate().map(place).collect()
}

impl VirtualTable for HnswTable {
    type Cursor<'t> = HnswCursor<'t>;

    fn connect(db: Connection, arguments: &ModuleArguments<'_>) -> Result<Connected<Self>> {
        let (schema, owner) = HnswTable::parse(arguments)?;
        HnswTable::connected(db, schema, owner)
    }

    fn best_index(&self, info: &mut IndexInfo<'_>) -> Result<BestIndex> {
        let names = self.names()?;
        let mut question = question(info)?;
        // Only ranges of texts look like the work of LIKE.
        if question.terms.iter().any(|term| term.text.is_some()) {
            question.is_like_case_sensitive = !self.like_ignores_case()?;
        }
        let Some(mut choice) = planner::choose(names.table(), &self.schema, &question)? else {
            return Ok(BestIndex::Impossible);
        };
        if let Plan::Knn(knn) = &mut choice.plan
            && !knn.filters.is_empty()
        {
            knn.found_by = self.found_by(knn);
        }
        for (position, taken) in choice.taken.iter().enumerate() {
            info.take(taken.index, position, taken.recheck)?;
            if taken.is_list {
                info.set_in_list(taken.index)?;
            }
        }
        let (number, text) = choice.plan.encode(&self.schema);
        info.set_plan(number, &text)?;
        info.set_estimate(choice.cost, choice.rows as i64);
        if choice.is_order_consumed {
            info.set_order_consumed();
        }
        if choice.is_unique {
            info.set_unique();
        }
        Ok(BestIndex::Planned)
    }

    fn open(&self) -> Result<HnswCursor<'_>> {
        Ok(HnswCursor::new(self))
    }

    fn find_function(&self, name: &str, argument_count: usize) -> Option<Overload> {
        (name.eq_ignore_ascii_case("match") && argument_count == 2).then(|| self.match_test.overload())
    }

    fn panicked(&self) {
        self.transaction.forget(self);
        self.statements.clear();
        self.shelf.clear();
        self.kept_rows.clear();
    }
}

fn question(info: &IndexInfo<'_>) -> Result<Question> {
    let mut terms = Vec::with_capacity(info.constraint_count());
    for constraint in info.constraints() {
        let index = constraint.index;
        let is_bound = constraint.is_usable && matches!(constraint.operator, Operator::Ge | Operator::Lt);
        let is_asked = is_bound || constraint.is_usable && constraint.operator == Operator::Eq;
        let right = if is_asked { info.right_side(index)? } else { None };
        let is_hint = matches!(constraint.operator, Operator::Limit | Operator::Offset);
        terms.push(Term {
            index,
            column: constraint.column.filter(|_| !is_hint),
            operator: constraint.operator,
            is_usable: constraint.is_usable,
            is_list: constraint.operator == Operator::Eq && info.is_in_list(index)?,
            collation: if is_hint { String::new() } else { info.collation(index)?.to_string() },
            is_constant: right.is_some(),
            text: right.filter(|_| is_bound).and_then(text_of),
        });
    }
    let (order, distinct) = (info.order_by().collect(), info.distinct());
    Ok(Question {
        terms,
        order,
        distinct,
        columns_used: info.columns_used(),
        is_like_case_sensitive: false,
        hides_later_joins: info.hides_later_joins(),
    })
}

fn text_of(value: Value<'_>) -> Option<Vec<u8>> {
    match value.content() {
        Content::Text(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}

impl StoredTable for HnswTable {
    fn create(db: Connection, arguments: &ModuleArguments<'_>) -> Result<Connected<Self>> {
        let (schema, owner) = HnswTable::parse(arguments)?;
        let indexed =
            schema.columns.iter().filter(|column| column.as_ordinary().is_some_and(|column| column.is_indexed));
        let indexed: Vec<&str> = indexed.map(|column| column.name.as_str()).collect();
        let nodes: Vec<&str> = schema.vectors().map(|(_, column, _)| column.name.as_str()).collect();
        owner.create(db, RowsTable { definition: &schema.rows_definition(), indexed: &indexed, nodes: &nodes })?;
        for (place, (_, _, params)) in places(&schema, &owner).iter().zip(schema.vectors()) {
            VectorColumn::create(db, place, params)?;
        }
        let connected = HnswTable::connected(db, schema, owner)?;
        connected.table.write_config()?;
        Ok(connected)
    }

    fn destroy(&self) -> Result<()> {
        // A damaged table may be dropped, and one of a newer format as well: SQLite has no way to tell why it may not.
        self.statements.clear();
        self.names()?.owner.drop(self.db)
    }

    fn update(&self, change: Change<'_>, conflict: Conflict) -> Result<Option<i64>> {
        self.check_version()?;
        self.change(change, conflict)
    }

    fn rename(&self, new_name: &str) -> Result<()> {
        self.check_version()?;
        let names = self.names()?;
        if self.schema.has_column(new_name) {
            return Err(Error::invalid(format!(
                "{}: cannot be renamed to \"{new_name}\": a column has that name, and the table's own is reserved",
                names.table()
            )));
        }
        // Now: at COMMIT whoever wrote what is pending looks for the old name, and SQLite does not ask this object.
        self.transaction.sync(self)?;
        self.statements.clear();
        names.owner.rename(self.db, new_name)?;
        self.transaction.note_rename(names.owner.clone())?;
        self.set_names(Owner { table: new_name.to_string(), ..names.owner.clone() })
    }

    fn begin(&self) -> Result<()> {
        self.transaction.begin();
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.transaction.finish(self)
    }

    fn commit(&self) {
        self.transaction.end(self, true);
    }

    fn rollback(&self) {
        if let Some(owner) = self.transaction.first_name() {
            // Fails only inside a callback of this very table, which a rollback never is.
            let _ = self.set_names(owner);
        }
        self.transaction.forget(self);
        self.transaction.end(self, false);
    }

    fn savepoint(&self, savepoint: i32) -> Result<()> {
        self.transaction.savepoint(savepoint);
        Ok(())
    }

    fn release(&self, savepoint: i32) -> Result<()> {
        self.transaction.release(savepoint);
        Ok(())
    }

    fn rollback_to(&self, savepoint: i32) -> Result<()> {
        if let Some(owner) = self.transaction.rolled_back_name(savepoint) {
            self.set_names(owner)?;
        }
        self.transaction.roll_back(self, savepoint);
        Ok(())
    }

    fn is_shadow_name(suffix: &str) -> bool {
        shadow::is_shadow_name(suffix)
    }

    fn integrity(&self) -> Result<Option<String>> {
        match self.check_version().and_then(|()| self.problems()) {
            Ok(problems) if problems.is_empty() => Ok(None),
            // SQLite does not say whose report it is.
            Ok(problems) => {
                let names = self.names()?;
                let damaged = |problem: String| Error::corrupt(names.table(), problem).to_string();
                Ok(Some(problems.into_iter().map(damaged).collect::<Vec<_>>().join("\n")))
            }
            // What cannot be checked is a finding too: an error would have no message, and lose the other tables'.
            Err(error @ (Error::Corrupt { .. } | Error::Unsupported(_))) => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    }
}
