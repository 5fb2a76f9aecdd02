//! How far the bulk build that runs in this process is, for a program that links the crate and shows it.

use std::sync::atomic::{AtomicU32, Ordering};

/// Done so far, in parts of `WHOLE`; `NONE` while nothing is built.
static DONE: AtomicU32 = AtomicU32::new(NONE);
const NONE: u32 = u32::MAX;
const WHOLE: f64 = 10_000.0;

/// The share of the build that is done, 0 to 1; None if none runs. Of several at once, any.
pub fn share() -> Option<f64> {
    match DONE.load(Ordering::Relaxed) {
        NONE => None,
        done => Some(f64::from(done) / WHOLE),
    }
}

/// A build that runs until it is dropped.
pub struct Progress(());

impl Progress {
    pub fn start() -> Progress {
        DONE.store(0, Ordering::Relaxed);
        Progress(())
    }

    /// `share`: 0 to 1.
    pub fn set(&self, share: f64) {
        DONE.store((share.clamp(0.0, 1.0) * WHOLE) as u32, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        DONE.store(NONE, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_told_while_the_build_runs() {
        let progress = Progress::start();
        progress.set(0.25);
        assert_eq!(share(), Some(0.25));
        progress.set(7.0);
        assert_eq!(share(), Some(1.0));
        drop(progress);
        assert_eq!(share(), None);
    }
}
