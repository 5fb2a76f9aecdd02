//! `vec_each(v)`: the components of a vector as rows. sqlite-vec's table of that name has `value` and a rowid that
//! counts from 0, and takes its argument as `vector`; this one has the same, and `i`, the rowid's name here.

use super::argument::{SUBTYPE_BIT, SUBTYPE_INT8, of_function, vector_from_value};
use crate::error::{Error, Result};
use crate::sqlite::{
    BestIndex, ColumnId, Connected, Connection, Content, Context, Cursor, IndexInfo, Kind, ModuleArguments, Operator,
    Recheck, TableOption, Value, Values, VirtualTable,
};

pub(super) const NAME: &str = "vec_each";

const DECLARATION: &str = "CREATE TABLE x(i INTEGER, value REAL, vector HIDDEN)";
const I: ColumnId = ColumnId(0);
const VALUE: ColumnId = ColumnId(1);
const VECTOR: ColumnId = ColumnId(2);
/// Dearer than any plan that works.
const COST_WITHOUT_ARGUMENT: f64 = 1e15;

pub(super) struct Each;

impl VirtualTable for Each {
    type Cursor<'t> = EachCursor;

    fn connect(connection: Connection, _arguments: &ModuleArguments<'_>) -> Result<Connected<Each>> {
        connection.set_table_option(TableOption::Innocuous)?;
        Ok(Connected { declaration: DECLARATION.to_owned(), table: Each })
    }

    fn best_index(&self, info: &mut IndexInfo<'_>) -> Result<BestIndex> {
        let arguments: Vec<_> =
            info.constraints().filter(|c| c.column == Some(VECTOR) && c.operator == Operator::Eq).collect();
        let Some(argument) = arguments.iter().find(|c| c.is_usable) else {
            if !arguments.is_empty() {
                return Ok(BestIndex::Impossible);
            }
            // This is no error yet: older SQLites ask for each term of an OR alone before they ask for the whole.
            info.set_estimate(COST_WITHOUT_ARGUMENT, 1_000);
            return Ok(BestIndex::Planned);
        };
        info.take(argument.index, 0, Recheck::No)?;
        info.set_estimate(100.0, 1_000);
        let order: Vec<_> = info.order_by().collect();
        if let [term] = order.as_slice()
            && matches!(term.column, None | Some(I))
            && !term.is_descending
        {
            info.set_order_consumed();
        }
        Ok(BestIndex::Planned)
    }

    fn open(&self) -> Result<EachCursor> {
        Ok(EachCursor { components: Components::None, argument: (Kind::Null, Vec::new()), position: 0 })
    }
}

enum Components {
    None,
    Floats(Vec<f32>),
    /// What sqlite-vec marks as a vector of i8.
    Integers(Vec<u8>),
    /// What sqlite-vec marks as a vector of bits, the highest bit of a byte first.
    Bits(Vec<u8>),
}

impl Components {
    fn of(value: Value<'_>) -> Result<Components> {
        match (value.content(), value.subtype()) {
            (Content::Blob(bytes), SUBTYPE_INT8) if !bytes.is_empty() => Ok(Components::Integers(bytes.to_vec())),
            (Content::Blob(bytes), SUBTYPE_BIT) if !bytes.is_empty() => Ok(Components::Bits(bytes.to_vec())),
            _ => Ok(vector_from_value(value)?.map_or(Components::None, Components::Floats)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Components::None => 0,
            Components::Floats(vector) => vector.len(),
            Components::Integers(bytes) => bytes.len(),
            Components::Bits(bytes) => bytes.len() * 8,
        }
    }

    fn give(&self, position: usize, context: &Context<'_>) {
        match self {
            Components::None => {}
            Components::Floats(vector) => vector.get(position).into_iter().for_each(|x| context.f64(f64::from(*x))),
            Components::Integers(bytes) => {
                bytes.get(position).into_iter().for_each(|byte| context.i64(i64::from(byte.cast_signed())));
            }
            Components::Bits(bytes) => {
                bytes
                    .get(position / 8)
                    .into_iter()
                    .for_each(|byte| context.i64(i64::from(byte >> (7 - position % 8) & 1)));
            }
        }
    }
}

pub(super) struct EachCursor {
    components: Components,
    /// As it was given: SQLite may compare the hidden column with it again.
    argument: (Kind, Vec<u8>),
    position: usize,
}

impl Cursor for EachCursor {
    fn filter(&mut self, _number: i32, _text: &str, arguments: Values<'_>) -> Result<()> {
        let Some(argument) = arguments.get(0) else {
            return Err(Error::invalid("vec_each: expected a vector as its argument: vec_each(v)"));
        };
        self.components = Components::None;
        self.components = of_function(NAME, Components::of(argument))?;
        self.argument = (argument.kind(), argument.bytes().to_vec());
        self.position = 0;
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.position += 1;
        Ok(())
    }

    fn is_at_end(&self) -> bool {
        self.position >= self.components.len()
    }

    fn column(&mut self, context: &Context<'_>, column: ColumnId) -> Result<()> {
        match column {
            I => context.i64(self.position as i64),
            VALUE => self.components.give(self.position, context),
            _ => match &self.argument {
                (Kind::Text, bytes) => context.content(Content::Text(bytes)),
                (Kind::Blob, bytes) => context.content(Content::Blob(bytes)),
                _ => context.null(),
            },
        }
        Ok(())
    }

    fn rowid(&mut self) -> Result<i64> {
        Ok(self.position as i64)
    }
}
