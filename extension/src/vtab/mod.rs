//! (module vtab)
