//! Progress of the bulk build that runs in this process, for a program that links the crate.

use std::sync::atomic::{AtomicU32, Ordering};

/// Progress, from 0 to `WHOLE`; `NONE` while no build runs.
static DONE: AtomicU32 = AtomicU32::new(NONE);
const NONE: u32 = u32::MAX;
const WHOLE: f64 = 10_000.0;

/// Returns the share of the build that is done, 0 to 1; None if no build runs. If several run, it is that of any.
pub fn share() -> Option<f64> {
    match DONE.load(Ordering::Relaxed) {
        NONE => None,
        done => Some(f64::from(done) / WHOLE),
    }
}

/// A running build; it ends when this is dropped.
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
    fn progress_is_reported_while_a_build_runs() {
        let progress = Progress::start();
        progress.set(0.25);
        assert_eq!(share(), Some(0.25));
        progress.set(7.0);
        assert_eq!(share(), Some(1.0));
        drop(progress);
        assert_eq!(share(), None);
    }
}
