//! (module filter)
