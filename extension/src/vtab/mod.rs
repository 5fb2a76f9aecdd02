//! (module vtab)

/// Registers the modules for a connection.
pub fn register(_connection: crate::sqlite::Connection) -> crate::Result<()> {
    Ok(())
}
