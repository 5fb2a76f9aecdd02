//! Planning of a query (xBestIndex): SQLite's question to a table, and the table's answer.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr;

use super::api::{Api, HIDES_LATER_JOINS, call};
use super::bindings::*;
use super::connection::utf8;
use super::value::Value;
use crate::error::{Error, Result, code};

/// Whether a table can serve the constraints that SQLite marked usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BestIndex {
    /// The plan is in the IndexInfo.
    Planned,
    /// No plan with these constraints: SQLite drops the combination, and fails with "no query solution" if none is
    /// left.
    Impossible,
}

/// The operator of a WHERE term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Is,
    IsNot,
    IsNull,
    IsNotNull,
    Match,
    Like,
    Glob,
    Regexp,
    /// The LIMIT of the query; it has no column.
    Limit,
    /// The OFFSET of the query; it has no column.
    Offset,
    /// A function that the table overloads, numbered as `Overload::operator` says.
    Function(u8),
    /// An operator that this crate does not know: leave it alone.
    Other(u8),
}

impl Operator {
    fn from_code(code: u8) -> Operator {
        match c_int::from(code) {
            SQLITE_INDEX_CONSTRAINT_EQ => Operator::Eq,
            SQLITE_INDEX_CONSTRAINT_NE => Operator::Ne,
            SQLITE_INDEX_CONSTRAINT_LT => Operator::Lt,
            SQLITE_INDEX_CONSTRAINT_LE => Operator::Le,
            SQLITE_INDEX_CONSTRAINT_GT => Operator::Gt,
            SQLITE_INDEX_CONSTRAINT_GE => Operator::Ge,
            SQLITE_INDEX_CONSTRAINT_IS => Operator::Is,
            SQLITE_INDEX_CONSTRAINT_ISNOT => Operator::IsNot,
            SQLITE_INDEX_CONSTRAINT_ISNULL => Operator::IsNull,
            SQLITE_INDEX_CONSTRAINT_ISNOTNULL => Operator::IsNotNull,
            SQLITE_INDEX_CONSTRAINT_MATCH => Operator::Match,
            SQLITE_INDEX_CONSTRAINT_LIKE => Operator::Like,
            SQLITE_INDEX_CONSTRAINT_GLOB => Operator::Glob,
            SQLITE_INDEX_CONSTRAINT_REGEXP => Operator::Regexp,
            SQLITE_INDEX_CONSTRAINT_LIMIT => Operator::Limit,
            SQLITE_INDEX_CONSTRAINT_OFFSET => Operator::Offset,
            SQLITE_INDEX_CONSTRAINT_FUNCTION.. => Operator::Function(code),
            _ => Operator::Other(code),
        }
    }
}

/// A column of a virtual table as SQLite numbers it: from 0, in the order of the declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnId(pub usize);

impl ColumnId {
    /// None for the rowid.
    fn of(number: c_int) -> Option<ColumnId> {
        usize::try_from(number).ok().map(ColumnId)
    }
}

/// One WHERE term that SQLite offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constraint {
    /// Its number, by which the other methods name it.
    pub index: usize,
    /// None for the rowid. Of no meaning for LIMIT and OFFSET.
    pub column: Option<ColumnId>,
    pub operator: Operator,
    /// False if its right side is not known yet in this join order: it cannot be taken.
    pub is_usable: bool,
}

/// One term of ORDER BY (or of GROUP BY or DISTINCT: see `IndexInfo::order_use`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderTerm {
    /// None for the rowid.
    pub column: Option<ColumnId>,
    pub is_descending: bool,
}

/// The use of the order terms, and so the meaning of "consumed" (sqlite3_vtab_distinct).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderUse {
    /// ORDER BY: rows must come in that order.
    Sorted,
    /// GROUP BY: rows with equal terms must come together, groups in any order.
    Grouped,
    /// DISTINCT: as Grouped, and all rows but one of a group may be left out.
    OnePerGroup,
    /// DISTINCT and ORDER BY: in order, and all rows but one of a group may be left out.
    SortedOnePerGroup,
}

/// Whether SQLite tests a WHERE term that the plan took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recheck {
    /// SQLite tests every row again.
    Yes,
    /// The table answers for it: SQLite tests nothing. (Not binding: SQLite may test all the same.)
    No,
}

/// A query to be planned, and the plan.
pub struct IndexInfo<'a> {
    api: Api,
    raw: *mut sqlite3_index_info,
    lent: PhantomData<&'a mut sqlite3_index_info>,
}

impl<'a> IndexInfo<'a> {
    /// # Safety
    /// `raw` is what SQLite gave to the xBestIndex under way, and `'a` ends with it.
    pub(super) unsafe fn new(api: Api, raw: *mut sqlite3_index_info) -> IndexInfo<'a> {
        IndexInfo { api, raw, lent: PhantomData }
    }

    fn info(&self) -> &sqlite3_index_info {
        // SAFETY: `new`'s promise. Every field is older than the floor.
        unsafe { &*self.raw }
    }

    fn info_mut(&mut self) -> &mut sqlite3_index_info {
        // SAFETY: as in `info`; `&mut self` has it alone.
        unsafe { &mut *self.raw }
    }

    pub fn constraint_count(&self) -> usize {
        usize::try_from(self.info().nConstraint).unwrap_or(0)
    }

    pub fn constraints(&self) -> impl Iterator<Item = Constraint> + use<'_, 'a> {
        let first = self.info().aConstraint;
        (0..self.constraint_count()).map(move |index| {
            // SAFETY: the array has `nConstraint` entries.
            let raw = unsafe { &*first.add(index) };
            Constraint {
                index,
                column: ColumnId::of(raw.iColumn),
                operator: Operator::from_code(raw.op),
                is_usable: raw.usable != 0,
            }
        })
    }

    pub fn order_by(&self) -> impl Iterator<Item = OrderTerm> + use<'_, 'a> {
        let first = self.info().aOrderBy;
        (0..usize::try_from(self.info().nOrderBy).unwrap_or(0)).map(move |index| {
            // SAFETY: the array has `nOrderBy` entries.
            let raw = unsafe { &*first.add(index) };
            OrderTerm { column: ColumnId::of(raw.iColumn), is_descending: raw.desc != 0 }
        })
    }

    /// What the order terms are for.
    pub fn order_use(&self) -> OrderUse {
        // SAFETY: `new`'s promise.
        match unsafe { call!(self.api, vtab_distinct(self.raw)) } {
            1 => OrderUse::Grouped,
            2 => OrderUse::OnePerGroup,
            3 => OrderUse::SortedOnePerGroup,
            _ => OrderUse::Sorted,
        }
    }

    /// False on a host that offers `<>`, IS NOT, IS NOT NULL, LIKE and GLOB out of the ON clause of a later LEFT JOIN.
    pub fn hides_later_joins(&self) -> bool {
        self.api.has(HIDES_LATER_JOINS)
    }

    /// A bit for each column that the statement reads; bit 63 stands for column 63 and all after it.
    pub fn columns_used(&self) -> u64 {
        self.info().colUsed
    }

    /// The collation that the comparison of a constraint uses ("BINARY", "NOCASE", ...).
    pub fn collation(&self, constraint: usize) -> Result<&'a str> {
        let index = self.index(constraint)?;
        // SAFETY: the index is in range; the name lives as long as the plan is made.
        unsafe { utf8(call!(self.api, vtab_collation(self.raw, index)), "the name of a collation") }
    }

    /// The right side of a constraint, if it is a constant of the statement or a bound parameter.
    pub fn right_side(&self, constraint: usize) -> Result<Option<Value<'a>>> {
        let index = self.index(constraint)?;
        let mut value = ptr::null_mut();
        // SAFETY: the index is in range; SQLite keeps the value while the plan is made.
        let status = unsafe { call!(self.api, vtab_rhs_value(self.raw, index, &mut value)) };
        let is_known = status == SQLITE_OK && !value.is_null();
        // SAFETY: as above.
        Ok(is_known.then(|| unsafe { Value::new(self.api, value) }))
    }

    /// True if the constraint is `column IN (...)` and can be taken as a whole list.
    pub fn is_in_list(&self, constraint: usize) -> Result<bool> {
        self.ask_in_list(constraint, -1)
    }

    /// Takes `column IN (...)` as a whole: `filter` gets one argument, to be read with `Value::in_list`. Without this,
    /// SQLite calls `filter` once for every member. Only for a constraint with `take`.
    pub fn set_in_list(&mut self, constraint: usize) -> Result<()> {
        self.ask_in_list(constraint, 1).map(|_| ())
    }

    fn ask_in_list(&self, constraint: usize, handle: c_int) -> Result<bool> {
        let index = self.index(constraint)?;
        // SAFETY: the index is in range.
        Ok(unsafe { call!(self.api, vtab_in(self.raw, index, handle)) != 0 })
    }

    /// Takes a constraint: its right side becomes argument `position` of `filter`, from 0. Positions must be without
    /// gaps; two constraints may not share one.
    pub fn take(&mut self, constraint: usize, position: usize, recheck: Recheck) -> Result<()> {
        let index = self.index(constraint)?;
        let position = c_int::try_from(position + 1).map_err(|_| Error::internal("too many arguments in a plan"))?;
        // SAFETY: the array has `nConstraint` entries, and the index is in range.
        let usage = unsafe { &mut *self.info_mut().aConstraintUsage.add(index as usize) };
        usage.argvIndex = position;
        usage.omit = (recheck == Recheck::No) as u8;
        Ok(())
    }

    /// The plan, as `filter` gets it. EXPLAIN QUERY PLAN shows `VIRTUAL TABLE INDEX number:text`.
    pub fn set_plan(&mut self, number: i32, text: &str) -> Result<()> {
        let text = self.api.allocate_text(text);
        if text.is_null() {
            return Err(Error::Sqlite { code: code::NOMEM, message: "out of memory".into() });
        }
        let info = self.info_mut();
        let (old, is_old_ours) = (std::mem::replace(&mut info.idxStr, text), info.needToFreeIdxStr != 0);
        info.idxNum = number;
        info.needToFreeIdxStr = 1;
        if is_old_ours {
            // SAFETY: the flag says that the text came from an earlier `set_plan`.
            unsafe { self.api.free(old.cast()) };
        }
        Ok(())
    }

    /// Rows come in the order of `order_by` (as `distinct` understands it): SQLite sorts nothing.
    pub fn set_order_consumed(&mut self) {
        self.info_mut().orderByConsumed = 1;
    }

    /// The cost of the plan, about the number of disk reads, and the rows that it returns.
    pub fn set_estimate(&mut self, cost: f64, rows: i64) {
        self.info_mut().estimatedCost = cost;
        self.info_mut().estimatedRows = rows;
    }

    /// The plan returns one row at most.
    pub fn set_unique(&mut self) {
        self.info_mut().idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
    }

    fn index(&self, constraint: usize) -> Result<c_int> {
        if constraint >= self.constraint_count() {
            return Err(Error::internal(format!("constraint {constraint} of {}", self.constraint_count())));
        }
        Ok(constraint as c_int)
    }
}
