//! Hints to the CPU and the operating system about memory. They change speed, never results.

use std::alloc::{Layout, alloc, dealloc};
use std::ops::Deref;
use std::ptr::NonNull;

/// Tells the CPU that `bytes` will soon be read. Does nothing on CPUs for which stable Rust has no prefetch.
#[inline]
pub fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, and the address lies inside the slice.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// The size of a huge page on most systems.
const HUGE_PAGE: usize = 2 << 20;

/// Append-only bytes, in huge pages where the system gives them. Random reads over many small pages wait longer for the
/// page tables than for the memory.
#[derive(Debug)]
pub struct Arena {
    start: NonNull<u8>,
    len: usize,
    layout: Layout,
}

// SAFETY: an arena owns its bytes, and hands them out by the rules of references.
unsafe impl Send for Arena {}
// SAFETY: as above; nothing changes through a shared reference.
unsafe impl Sync for Arena {}

impl Arena {
    /// Allocates at least `capacity` bytes; None if there is no memory.
    pub fn new(capacity: usize) -> Option<Arena> {
        let layout = Layout::from_size_align(capacity.max(1).next_multiple_of(HUGE_PAGE), HUGE_PAGE).ok()?;
        // SAFETY: the layout has a size.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        #[cfg(all(target_os = "linux", not(miri)))]
        advise_huge(start, layout.size());
        Some(Arena { start, len: 0, layout })
    }

    /// Appends bytes, and zeros up to a multiple of `align`. Returns false if there is no room.
    pub fn push(&mut self, bytes: &[u8], align: usize) -> bool {
        let padded = bytes.len().next_multiple_of(align);
        if padded > self.layout.size() - self.len {
            return false;
        }
        // SAFETY: `padded` bytes from `len` on lie inside the allocation; `bytes` is not part of it, for we hold it
        // mutably.
        unsafe {
            let end = self.start.add(self.len);
            end.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            end.add(bytes.len()).write_bytes(0, padded - bytes.len());
        }
        self.len += padded;
        true
    }
}

impl Deref for Arena {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are written.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn advise_huge(start: NonNull<u8>, bytes: usize) {
    use std::ffi::{c_int, c_void};
    const MADV_HUGEPAGE: c_int = 14;
    unsafe extern "C" {
        fn madvise(address: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    // SAFETY: the range is whole pages of an allocation of ours, and the advice keeps its contents. A refusal changes
    // nothing.
    unsafe { madvise(start.as_ptr().cast(), bytes, MADV_HUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_keeps_its_bytes_and_refuses_more_when_full() {
        let mut arena = Arena::new(HUGE_PAGE).unwrap();
        let pieces = HUGE_PAGE / 192;
        for i in 0..pieces {
            assert!(arena.push(&[i as u8; 150], 64), "{i}");
        }
        assert!(!arena.push(&[0; 150], 64));
        assert_eq!(arena.len(), pieces * 192);
        // Miri takes a thousand times as long.
        for (i, piece) in arena.chunks_exact(192).enumerate().step_by(if cfg!(miri) { 997 } else { 1 }) {
            assert!(piece[..150].iter().all(|&byte| byte == i as u8) && piece[150..].iter().all(|&byte| byte == 0));
        }
    }
}
