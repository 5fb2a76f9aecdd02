//! An aggregate that collects rowids and nodes into one BLOB. That takes a fifth of the time of stepping a statement
//! once per row. Only the extension's own statements use it.

use crate::error::{Error, Result};
use crate::format::node::{NodeId, RowId, RowNode};
use crate::sqlite::{
    Aggregate, Connection, Content, Context, FunctionFlags, Kind, Signature, Statement, Values, register_aggregate,
};

/// The name of the aggregate in SQL.
pub const NAME: &str = "vecrank_collect_rowids";

/// The bytes per row in the BLOB: the rowid and the node, little-endian.
const ROW_BYTES: usize = 12;

/// The error beyond the limit. A LIMIT in SQL would cost a fifth more per row.
const TOO_MANY: &str = "vecrank_collect_rowids: more rows than the limit";

/// `vecrank_collect_rowids(rowid, node, limit)`. The result is NULL if an argument is no rowid or no node.
#[derive(Default)]
struct CollectRowids {
    bytes: Vec<u8>,
    is_wrong: bool,
}

impl Aggregate for CollectRowids {
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

/// Registers the aggregate on a connection.
pub fn register(connection: Connection) -> Result<()> {
    let signature = Signature { name: NAME, arguments: 3..=3, flags: FunctionFlags::PURE };
    register_aggregate::<CollectRowids>(connection, &signature)
}

/// The result of the aggregate.
pub enum Collected {
    Rows(Vec<RowNode>),
    TooMany,
    /// A value was no rowid or no node.
    Wrong,
}

/// Runs a statement whose only result is that of the aggregate.
pub fn run(statement: &mut Statement) -> Result<Collected> {
    match statement.step() {
        Ok(_) if statement.column_kind(0) == Kind::Blob => Ok(Collected::Rows(rows(statement.column_bytes(0)))),
        Ok(_) => Ok(Collected::Wrong),
        Err(Error::Sqlite { message, .. }) if message == TOO_MANY => Ok(Collected::TooMany),
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
