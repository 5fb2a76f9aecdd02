//! The entry point of vecrank in a static library. `include/vecrank.h` declares it.

pub use vecrank::sqlite3_vecrank_init;
