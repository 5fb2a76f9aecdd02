//! Sets the counters by which an open connection notices that its file was replaced.
//!
//! SQLite keeps pages in memory while the change counter in the file's header stays the same, and the schema while the
//! schema cookie stays the same. Both start at one in every new file, so two imports have the same counters, and a
//! connection that is open while one file is copied over the other would mix their pages. Here the counters come from
//! the content.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read, Seek, SeekFrom, Write};
use twox_hash::XxHash64;

/// Offsets in the header.
const CHANGE_COUNTER: u64 = 24;
const SCHEMA_COOKIE: u64 = 40;
const VERSION_VALID_FOR: u64 = 92;

/// SQLite shows the cookie as a signed number.
const LARGEST_COOKIE: u32 = i32::MAX.cast_unsigned();

const CHUNK: usize = 1 << 20;

/// Sets the counters of a finished database file that nobody has open. `advance` is called with the bytes read.
pub fn stamp(file: &mut File, advance: impl Fn(u64)) -> io::Result<()> {
    let hash = hash(file, advance)?;
    let counter = ((hash >> 32) as u32).to_be_bytes();
    let cookie = (hash as u32 & LARGEST_COOKIE).to_be_bytes();
    for (offset, bytes) in [(CHANGE_COUNTER, counter), (SCHEMA_COOKIE, cookie), (VERSION_VALID_FOR, counter)] {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(&bytes)?;
    }
    Ok(())
}

fn hash(file: &mut File, advance: impl Fn(u64)) -> io::Result<u64> {
    let mut hasher = XxHash64::with_seed(0);
    let mut chunk = vec![0; CHUNK];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hasher.finish()),
            read => {
                hasher.write(chunk.get(..read).unwrap_or_default());
                advance(read as u64);
            }
        }
    }
}
