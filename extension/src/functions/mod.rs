//! The SQL functions: `table.rs` lists them, `register` adds them to a connection.
//!
//! ```text
//! table      names, arguments, what they give       aggregate  vec_sum and vec_avg, as window functions too
//! argument   SQL values to vectors and numbers      each       the table-valued vec_each
//! parse      BLOB and JSON to vectors and back      scalar     all the others
//! arithmetic vectors to vectors                     version    what vecrank_version() says
//! ```

mod aggregate;
mod argument;
mod arithmetic;
mod each;
mod parse;
mod scalar;
mod table;
mod version;

pub use argument::{SUBTYPE_BIT, SUBTYPE_FLOAT16, SUBTYPE_INT8, marked_element};
pub use parse::{MAYBE_F64, counted, json_in_blob, parse_text};
pub use table::{Kind, TABLE};

use crate::error::Result;
use crate::sqlite::{Connection, FunctionFlags, Signature, register_aggregate, register_eponymous, register_scalar};

/// Adds every function of `TABLE` to the connection. Functions of the same names that are there already are replaced.
pub fn register(connection: Connection) -> Result<()> {
    let flags = FunctionFlags::PURE.and(FunctionFlags::SUBTYPE);
    for &(name, arguments, function) in scalar::SCALARS {
        let flags = flags.and(FunctionFlags::RESULT_SUBTYPE);
        register_scalar(connection, &Signature { name, arguments: arguments..=arguments, flags }, function)?;
    }
    register_aggregate::<aggregate::VecSum>(connection, &Signature { name: "vec_sum", arguments: 1..=2, flags })?;
    register_aggregate::<aggregate::VecAvg>(connection, &Signature { name: "vec_avg", arguments: 1..=2, flags })?;
    register_eponymous::<each::Each>(connection, each::NAME)
}
