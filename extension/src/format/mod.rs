//! Bytes to structs and back, with every offset. Knows no SQLite and no algorithm.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};

pub mod entry;
pub mod header;
pub mod node;

/// Version of the file layout, independent of the release; a newer one is refused by number.
pub const FORMAT_VERSION: u32 = 3;
/// The first byte of node rows and of the entry blob.
pub const BLOB_VERSION: u8 = FORMAT_VERSION as u8;

/// Fails for a version that this vecrank does not read; `what` names its holder.
pub fn check_version(what: &str, version: i64) -> Result<()> {
    let known = i64::from(FORMAT_VERSION);
    match version {
        version if (1..known).contains(&version) => Err(Error::Unsupported(format!(
            "{what} has format version {version}, made by a pre-release vecrank: import again"
        ))),
        version if version > known => Err(Error::Unsupported(format!(
            "{what} has format version {version}; this vecrank reads {known}: upgrade it"
        ))),
        version if version == known => Ok(()),
        version => Err(Error::corrupt(what, format!("there is no version {version}"))),
    }
}

/// Reads little-endian integers from a blob whose length was checked; a short blob reads as zeros.
pub(crate) fn array_at<const N: usize>(blob: &[u8], offset: usize) -> [u8; N] {
    blob.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

pub(crate) fn u16_at(blob: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(array_at(blob, offset))
}

pub(crate) fn u32_at(blob: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(blob, offset))
}

pub(crate) fn u64_at(blob: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array_at(blob, offset))
}

pub(crate) fn f32_at(blob: &[u8], offset: usize) -> f32 {
    f32::from_le_bytes(array_at(blob, offset))
}
