//! (module format)
