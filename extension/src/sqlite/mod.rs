//! (module sqlite)
