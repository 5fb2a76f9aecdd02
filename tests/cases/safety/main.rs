//! Every write is safe: whatever is done, and wherever it is cut short, rows and graphs agree and nothing committed is
//! lost. With VECRANK_LONG=1 each test does many times as much.

mod authorizer;
mod corpus;
mod disk;
mod faults;
mod generate;
mod history;
mod memory;
mod model;
mod operations;
mod processes;
mod reachability;
mod replacement;
