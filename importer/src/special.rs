//! Paths that are not regular files: directories, devices, FIFOs and sockets.

use crate::failure::{Failure, Result};
use std::fs::{self, FileType};
use std::io::ErrorKind;
use std::path::{Path, is_separator};

/// Refuses paths that cannot be a database before they are opened: opening a FIFO blocks, and a device would be
/// replaced.
pub fn check_database(path: &Path) -> Result<()> {
    let name = path.display();
    match fs::metadata(path) {
        Ok(metadata) => match kind(metadata.file_type()) {
            Some(kind) => Err(Failure::new(format!("{name}: is a {kind}, expected a file name"))),
            None => Ok(()),
        },
        // The system finds nothing at `fifo/` and `new/`, whose last names would be taken for those of files.
        Err(_) if path.to_string_lossy().ends_with(is_separator) => {
            Err(Failure::new(format!("{name}: ends in a slash as directories do, expected a file name")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Such as a loop of symbolic links.
        Err(error) => Err(Failure::io(path, "opened", &error)),
    }
}

/// None for a file.
pub fn kind(file_type: FileType) -> Option<&'static str> {
    if file_type.is_file() {
        return None;
    }
    Some(if file_type.is_dir() { "directory" } else { special(file_type) })
}

#[cfg(unix)]
fn special(file_type: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match file_type {
        kind if kind.is_fifo() => FIFO,
        kind if kind.is_socket() => "socket",
        _ => "device",
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "device"
}

pub const FIFO: &str = "FIFO";
