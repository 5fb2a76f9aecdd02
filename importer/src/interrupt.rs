//! Ctrl-C and termination signals: the first asks the work to stop, so that temporary files are removed on the way out;
//! the second ends the process at once.

use crate::failure::{Failure, Result};
use rusqlite::{Connection, InterruptHandle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static STOP: AtomicBool = AtomicBool::new(false);
static RUNNING: Mutex<Option<InterruptHandle>> = Mutex::new(None);

/// The exit code of a process that SIGINT ended, as shells report it.
pub const EXIT_CODE: u8 = 130;

/// Takes the signals over. Without it (a platform that has none) the process ends as usual.
pub fn install() {
    // The signal of a file-size limit ends a process that does not take it; the write fails too, and says so.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Default::default());
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(EXIT_CODE));
        }
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = running.as_ref() {
            handle.interrupt();
        }
    });
}

/// A signal also interrupts the statement that runs on this connection, from now until the result is dropped.
pub fn watch(connection: &Connection) -> Watch {
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.get_interrupt_handle());
    Watch
}

/// Ends the watch when dropped.
pub struct Watch;

impl Drop for Watch {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Fails once a signal has come.
pub fn check() -> Result<()> {
    if STOP.load(Ordering::SeqCst) { Err(Failure::Interrupted) } else { Ok(()) }
}
