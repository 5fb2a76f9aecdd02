//! Inputs that can be read only once, from the start, are copied to a file: Parquet is read from the end.

use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::special;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Opens an input file. A FIFO (also `<(command)` and a piped `/dev/stdin`) is copied to a nameless file in `spool`.
pub fn open(path: &Path, spool: &Path) -> Result<File> {
    let failed = |error| Failure::io(path, "read", &error);
    let name = path.display();
    match special::kind(path.metadata().map_err(failed)?.file_type()) {
        None => File::open(path).map_err(failed),
        Some(special::FIFO) => {
            let path = path.to_owned();
            copied(&name.to_string(), spool, move || File::open(path))
        }
        Some("directory") => Err(Failure::new(format!("{name}: is a directory; write '{name}/*.parquet'"))),
        Some(kind) => Err(Failure::new(format!("{name}: is a {kind}, expected a Parquet file, a FIFO or -"))),
    }
}

pub fn standard_input(spool: &Path) -> Result<File> {
    copied("standard input", spool, || Ok(io::stdin()))
}

/// Another thread opens and copies, so that Ctrl-C is heard while the input is waited for.
fn copied<R: Read>(name: &str, spool: &Path, open: impl FnOnce() -> io::Result<R> + Send + 'static) -> Result<File> {
    const LOOK: Duration = Duration::from_millis(50);
    let failed =
        |error: io::Error| Failure::new(format!("{name}: cannot be copied to a file in {}: {error}", spool.display()));
    let file = tempfile::tempfile_in(spool).map_err(failed)?;
    let mut copy = file.try_clone().map_err(failed)?;
    let (done, finished) = channel();
    let work = move || {
        let _ = done.send(open().and_then(|mut input| io::copy(&mut input, &mut copy)));
    };
    std::thread::Builder::new().spawn(work).map_err(failed)?;
    loop {
        interrupt::check()?;
        match finished.recv_timeout(LOOK) {
            Ok(copied) => return copied.map(|_| file).map_err(failed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(failed(io::ErrorKind::Other.into())),
        }
    }
}
