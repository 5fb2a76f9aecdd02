//! (module functions)
