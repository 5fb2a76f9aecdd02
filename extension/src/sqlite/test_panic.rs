//! Test builds only (feature `test-panic`): functions and a table that fail where they are told to, to show that
//! neither a panic nor an error in any callback harms the host.
//!
//! `vecrank_test_panic()` panics. `vecrank_test_panic_sum(how, where, x)` adds, and fails in `step`, `inverse`,
//! `value` or `drop`. `CREATE VIRTUAL TABLE t USING vecrank_test_panic(how, where)` makes a table of two rows that
//! fails in the callback of that name. `how` is `panic` or `error`.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

use super::connection::{Conflict, Connection, TableOption};
use super::context::Context;
use super::function::{Aggregate, FunctionFlags, Signature, register_aggregate, register_scalar};
use super::index_info::{BestIndex, ColumnId, IndexInfo};
use super::module::register_module;
use super::table::{Change, Connected, Cursor, ModuleArguments, Overload, StoredTable, VirtualTable};
use super::value::Values;
use crate::error::{Error, Result};

const ROWS: i64 = 2;

pub(crate) fn register(connection: Connection) -> Result<()> {
    hide_panics_on_purpose();
    let scalar = Signature { name: "vecrank_test_panic", arguments: 0..=0, flags: FunctionFlags::NONE };
    register_scalar(connection, &scalar, |_, _| panic!("raised on purpose"))?;
    let sum = Signature { name: "vecrank_test_panic_sum", arguments: 3..=3, flags: FunctionFlags::NONE };
    register_aggregate::<Sum>(connection, &sum)?;
    register_module::<Failing>(connection, "vecrank_test_panic")
}

/// Their traces would bury what a failing test has to say.
fn hide_panics_on_purpose() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let text = panic.payload().downcast_ref::<String>().map_or("raised on purpose", String::as_str);
            if !text.contains("on purpose") {
                usual(panic);
            }
        }));
    });
}

#[derive(Clone, Debug)]
struct Failure {
    how: String,
    at: String,
}

impl Failure {
    fn at(&self, callback: &str) -> Result<()> {
        match self.at == callback {
            true if self.how == "panic" => panic!("raised on purpose in {callback}"),
            true => Err(Error::corrupt("the test table", format!("an error on purpose in {callback}"))),
            false => Ok(()),
        }
    }

    /// For callbacks that cannot fail but can panic.
    fn panic_at(&self, callback: &str) {
        let _ = self.at(callback);
    }
}

#[derive(Default)]
struct Sum {
    sum: i64,
    failure: Option<Failure>,
}

impl Sum {
    fn add(&mut self, arguments: Values<'_>, sign: i64, callback: &str) -> Result<()> {
        let (how, at) = (arguments.at(0)?.text("how")?.to_owned(), arguments.at(1)?.text("where")?.to_owned());
        self.sum += sign * arguments.at(2)?.as_i64();
        self.failure.insert(Failure { how, at }).at(callback)
    }
}

impl Aggregate for Sum {
    fn step(&mut self, arguments: Values<'_>) -> Result<()> {
        self.add(arguments, 1, "step")
    }

    fn inverse(&mut self, arguments: Values<'_>) -> Result<()> {
        self.add(arguments, -1, "inverse")
    }

    fn value(&self, context: &Context<'_>) -> Result<()> {
        context.i64(self.sum);
        self.failure.as_ref().map_or(Ok(()), |failure| failure.at("value"))
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        if let Some(failure) = &self.failure {
            failure.panic_at("drop");
        }
    }
}

struct Failing {
    failure: Failure,
    /// CREATE ends in `sync` without `begin`; that one succeeds.
    has_begun: Cell<bool>,
}

impl Failing {
    fn open_as(connection: Connection, arguments: &ModuleArguments<'_>, callback: &str) -> Result<Connected<Failing>> {
        let [how, at] = arguments.arguments.as_slice() else {
            return Err(Error::invalid("vecrank_test_panic takes how and where"));
        };
        let failure = Failure { how: (*how).to_owned(), at: (*at).to_owned() };
        failure.at(callback)?;
        connection.set_table_option(TableOption::ConstraintSupport)?;
        Ok(Connected {
            declaration: "CREATE TABLE x(value)".to_owned(),
            table: Failing { failure, has_begun: Cell::new(false) },
        })
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.failure.panic_at("drop");
    }
}

impl VirtualTable for Failing {
    type Cursor<'t> = FailingCursor<'t>;

    fn connect(connection: Connection, arguments: &ModuleArguments<'_>) -> Result<Connected<Failing>> {
        Failing::open_as(connection, arguments, "connect")
    }

    fn best_index(&self, info: &mut IndexInfo<'_>) -> Result<BestIndex> {
        self.failure.at("best_index")?;
        info.set_plan(1, "all")?;
        Ok(BestIndex::Planned)
    }

    fn open(&self) -> Result<FailingCursor<'_>> {
        self.failure.at("open")?;
        Ok(FailingCursor { failure: &self.failure, row: 0 })
    }

    fn find_function(&self, name: &str, _argument_count: usize) -> Option<Overload> {
        self.failure.panic_at("find_function");
        let function = |context: &Context<'_>, arguments: Values<'_>| {
            context.i64(arguments.at(0)?.as_i64() + arguments.at(1)?.as_i64());
            Ok(())
        };
        (name == "match").then(|| Overload { function: Box::new(function), operator: None })
    }

    fn panicked(&self) {
        panic!("raised on purpose while cleaning up")
    }
}

struct FailingCursor<'t> {
    failure: &'t Failure,
    row: i64,
}

impl Cursor for FailingCursor<'_> {
    fn filter(&mut self, _number: i32, _text: &str, _arguments: Values<'_>) -> Result<()> {
        self.row = 1;
        self.failure.at("filter")
    }

    fn next(&mut self) -> Result<()> {
        self.row += 1;
        self.failure.at("next")
    }

    fn is_at_end(&self) -> bool {
        self.failure.panic_at("is_at_end");
        self.row > ROWS
    }

    fn column(&mut self, context: &Context<'_>, _column: ColumnId) -> Result<()> {
        self.failure.at("column")?;
        context.i64(self.row * 10);
        Ok(())
    }

    fn rowid(&mut self) -> Result<i64> {
        self.failure.at("rowid")?;
        Ok(self.row)
    }
}

impl Drop for FailingCursor<'_> {
    fn drop(&mut self) {
        self.failure.panic_at("close");
    }
}

impl StoredTable for Failing {
    fn create(connection: Connection, arguments: &ModuleArguments<'_>) -> Result<Connected<Failing>> {
        Failing::open_as(connection, arguments, "create")
    }

    fn destroy(&self) -> Result<()> {
        self.failure.at("destroy")
    }

    fn update(&self, _change: Change<'_>, conflict: Conflict) -> Result<Option<i64>> {
        if self.failure.at == "constraint" {
            return Err(Error::Constraint(format!("a constraint on purpose under {conflict:?}")));
        }
        self.failure.at("update")?;
        Ok(Some(7))
    }

    fn rename(&self, _new_name: &str) -> Result<()> {
        self.failure.at("rename")
    }

    fn begin(&self) -> Result<()> {
        self.has_begun.set(true);
        self.failure.at("begin")
    }

    fn sync(&self) -> Result<()> {
        if self.has_begun.get() { self.failure.at("sync") } else { Ok(()) }
    }

    fn commit(&self) {
        self.failure.panic_at("commit");
    }

    fn rollback(&self) {
        self.failure.panic_at("rollback");
    }

    fn savepoint(&self, _savepoint: i32) -> Result<()> {
        self.failure.at("savepoint")
    }

    fn release(&self, _savepoint: i32) -> Result<()> {
        self.failure.at("release")
    }

    fn rollback_to(&self, _savepoint: i32) -> Result<()> {
        self.failure.at("rollback_to")
    }

    fn is_shadow_name(suffix: &str) -> bool {
        if suffix == "panic" {
            panic!("raised on purpose in is_shadow_name");
        }
        false
    }

    fn integrity(&self) -> Result<Option<String>> {
        self.failure.at("integrity")?;
        Ok((self.failure.at == "report").then(|| "a problem on purpose".to_owned()))
    }
}
