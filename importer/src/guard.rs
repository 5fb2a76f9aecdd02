//! Panics are reported in one line. A panic of the Parquet library while it reads means that the file is damaged.

use crate::failure::Failure;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

thread_local! {
    static IS_READING: Cell<bool> = const { Cell::new(false) };
}

/// Replaces the message and trace of a panic by one line. `main` sets the exit code.
pub fn install() {
    set_hook(Box::new(|fault| {
        if !IS_READING.get() {
            eprintln!("vecrank: {}", Failure::new(format!("internal error: {fault}")));
        }
    }));
}

/// Runs code that reads bytes which may be damaged. None if it panicked.
pub fn reading<T>(read: impl FnOnce() -> T) -> Option<T> {
    IS_READING.set(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    IS_READING.set(false);
    result.ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_of_the_reader_is_caught() {
        assert_eq!(super::reading(|| 1), Some(1));
        assert_eq!(super::reading(|| Vec::<u8>::new()[0]), None);
    }
}
