//! What is no ordinary file: folders, devices, FIFOs and sockets.

use crate::failure::{Failure, Result};
use std::fs::{self, FileType};
use std::path::Path;

/// Refuses what a database can't be, before it is opened: opening a FIFO waits, and a device would be replaced by a file.
pub fn check_database(path: &Path) -> Result<()> {
    match fs::metadata(path).map(|metadata| kind(metadata.file_type())) {
        Ok(Some(kind)) => Err(Failure::new(format!("{}: is a {kind}, expected a file name", path.display()))),
        Ok(None) | Err(_) => Ok(()),
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
