//! Writes are safe: after any operation, and any interruption of it, rows and graphs agree and nothing committed is
//! lost. VECRANK_LONG=1 makes each test many times longer.

mod authorizer;
mod corpus;
mod disk;
mod faults;
mod generate;
mod healing;
mod history;
mod memory;
mod model;
mod operations;
mod processes;
mod reachability;
mod replacement;
