//! An aggregate that gathers rowids and nodes into one BLOB: SQLite hands over a row of an index that way in a fifth of the
//! time that a step of a statement takes. The tables use it in statements of their own.

use crate::error::{Error, Result};
use crate::format::node::{NodeId, RowId, RowNode};
use crate::sqlite::{
    Aggregate, Connection, Content, Context, FunctionFlags, Kind, Signature, Statement, Values, register_aggregate,
};

pub const NAME: &str = "vecrank_gather";

/// Bytes of a row in the BLOB: the rowid and the node, little-endian.
const ROW_BYTES: usize = 12;

/// What the aggregate fails with beyond its limit: a LIMIT would cost a fifth more a row.
const TOO_MANY: &str = "vecrank_gather: more rows than the limit";

/// `vecrank_gather(rowid, node, limit)`: NULL if something came that is no rowid or no node.
#[derive(Default)]
struct Gather {
    bytes: Vec<u8>,
    is_wrong: bool,
}

impl Aggregate for Gather {
    fn step(&mut self, arguments: Values<'_>) -> Result<()> {
        match (arguments.at(0)?.content(), arguments.at(1)?.content()) {
            (Content::Integer(rowid), Content::Integer(node)) if u32::try_from(node).is_ok() => {
                self.bytes.extend_from_slice(&rowid.to_le_bytes());
                self.bytes.extend_from_slice(&(node as u32).to_le_bytes());
            }
            _ => self.is_wrong = true,
        }
        match arguments.at(2)?.content() {
            Content::Integer(limit) if (self.bytes.len() / ROW_BYTES) as i64 > limit => Err(Error::invalid(TOO_MANY)),
            _ => Ok(()),
        }
    }

    fn inverse(&mut self, _arguments: Values<'_>) -> Result<()> {
        Err(Error::invalid(format!("{NAME} is no window function")))
    }

    fn value(&self, context: &Context<'_>) -> Result<()> {
        if !self.is_wrong {
            context.blob(&self.bytes);
        }
        Ok(())
    }
}

pub fn register(connection: Connection) -> Result<()> {
    let signature = Signature { name: NAME, arguments: 3..=3, flags: FunctionFlags::PURE };
    register_aggregate::<Gather>(connection, &signature)
}

/// What the aggregate gave.
pub enum Gathered {
    Rows(Vec<RowNode>),
    TooMany,
    /// Some row has no node where it should have one.
    Wrong,
}

/// Runs a statement whose one result is the aggregate's.
pub fn run(statement: &mut Statement) -> Result<Gathered> {
    match statement.step() {
        Ok(_) if statement.column_kind(0) == Kind::Blob => Ok(Gathered::Rows(rows(statement.column_bytes(0)))),
        Ok(_) => Ok(Gathered::Wrong),
        Err(Error::Sqlite { message, .. }) if message == TOO_MANY => Ok(Gathered::TooMany),
        Err(error) => Err(error),
    }
}

fn rows(bytes: &[u8]) -> Vec<RowNode> {
    let (rows, _) = bytes.as_chunks::<ROW_BYTES>();
    let row = |row: &[u8; ROW_BYTES]| {
        let [a, b, c, d, e, f, g, h, node @ ..] = *row;
        let rowid = RowId(i64::from_le_bytes([a, b, c, d, e, f, g, h]));
        RowNode { rowid, node: NodeId(u32::from_le_bytes(node)) }
    };
    rows.iter().map(row).collect()
}
