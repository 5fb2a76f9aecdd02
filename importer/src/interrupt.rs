//! Ctrl-C and termination signals: the first asks the work to stop, so that temporary files are removed on the way out;
//! the second ends the process at once.

use crate::failure::{Failure, Result};
use rusqlite::Connection;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static STOP: AtomicBool = AtomicBool::new(false);
/// What ends the work.
static STOPPER: Mutex<Option<Box<dyn Fn() + Send>>> = Mutex::new(None);

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
        if let Some(stop) = STOPPER.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            stop();
        }
    });
}

/// A signal also interrupts the statement that runs on this connection, from now until the result is dropped.
pub fn watch(connection: &Connection) -> Watch {
    let handle = connection.get_interrupt_handle();
    on_signal(move || handle.interrupt())
}

/// A signal also calls this, from now until the result is dropped.
pub fn on_signal(stop: impl Fn() + Send + 'static) -> Watch {
    *STOPPER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(stop));
    Watch
}

/// Ends the watch when dropped.
pub struct Watch;

impl Drop for Watch {
    fn drop(&mut self) {
        *STOPPER.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Fails once a signal has come.
pub fn check() -> Result<()> {
    if STOP.load(Ordering::SeqCst) { Err(Failure::Interrupted) } else { Ok(()) }
}
