//! An in-memory VFS that fails on demand: an error at the N-th call, or a loss of power at the N-th sync, which drops
//! or tears the writes since the last one.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;
use vecrank_tests::data::Numbers;

mod vfs;

/// A write that is not synced yet.
#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(offset, new) => {
                let end = offset + new.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(new);
            }
            Change::Truncate(length) => bytes.truncate(*length),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
    /// Whether its name was synced.
    has_durable_name: bool,
    /// The locks: the number of shared ones, and the holder of a stronger one.
    shared: u32,
    reserved: Option<u64>,
    exclusive: Option<u64>,
}

/// The wal-index of one database.
#[derive(Default)]
struct Shm {
    regions: Vec<Box<[u64]>>,
    /// For each of the eight locks: -1 for exclusive, otherwise the number of shared ones.
    locks: [i32; 8],
}

/// An injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with an I/O error of its kind, once or permanently.
    IoError { is_lasting: bool },
    /// The disk is full from that write on.
    Full,
    /// Every call fails from that sync on.
    PowerLoss,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    shm: BTreeMap<String, Shm>,
    /// Deleted files whose folder was not synced: a loss of power may restore them.
    deleted: BTreeMap<String, File>,
    fault: Option<Fault>,
    /// The number of calls up to the one that fails.
    until: u64,
    has_failed: bool,
    handles: u64,
}

impl State {
    /// Counts a call if it `is_countable` for the fault. Returns whether it must fail.
    fn fails(&mut self, kind: Kind) -> bool {
        let is_countable = match self.fault {
            Some(Fault::IoError { .. }) => true,
            Some(Fault::Full) => kind == Kind::Write,
            // From here on every call fails.
            Some(Fault::PowerLoss) => kind == Kind::Sync || self.has_failed,
            None => false,
        };
        if !is_countable {
            return false;
        }
        if self.has_failed {
            return self.fault != Some(Fault::IoError { is_lasting: false });
        }
        self.until -= 1;
        self.has_failed = self.until == 0;
        self.has_failed
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    Size,
    Lock,
    Delete,
    Access,
    ShmMap,
}

/// A disk and its VFS.
pub struct Disk {
    shared: Arc<Mutex<State>>,
    vfs: Box<ffi::sqlite3_vfs>,
    name: CString,
}

/// Boxed, because SQLite gets a pointer to it.
struct App {
    state: Arc<Mutex<State>>,
    default: *mut ffi::sqlite3_vfs,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    pub fn new() -> Disk {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("disk{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let name = CString::new(name).expect("no NUL");
        let shared = Arc::new(Mutex::new(State::default()));
        // SAFETY: null asks for the default VFS, which is never taken away.
        let default = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        let app = Box::new(App { state: Arc::clone(&shared), default });
        let mut vfs = Box::new(vfs::structure(&name, Box::into_raw(app)));
        // SAFETY: the structure stays where it is until `drop` unregisters it.
        assert_eq!(unsafe { ffi::sqlite3_vfs_register(&raw mut *vfs, 0) }, ffi::SQLITE_OK);
        Disk { shared, vfs, name }
    }

    pub fn vfs(&self) -> &CStr {
        &self.name
    }

    /// Makes the `at`-th call from now on (from 1) fail.
    pub fn fail(&self, fault: Fault, at: u64) {
        let mut state = lock(&self.shared);
        (state.fault, state.until, state.has_failed) = (Some(fault), at, false);
    }

    /// Removes the fault. Returns whether it happened.
    pub fn mend(&self) -> bool {
        let mut state = lock(&self.shared);
        state.fault = None;
        std::mem::take(&mut state.has_failed)
    }

    /// A copy of the disk with all files synced.
    pub fn copy(&self) -> Disk {
        let other = Disk::new();
        for (name, file) in &lock(&self.shared).files {
            lock(&other.shared).files.insert(name.clone(), File::durable(file.bytes.clone()));
        }
        other
    }

    /// The disk after a loss of power: of the writes since the last sync of a file, some are there, some are missing,
    /// and some are torn.
    pub fn after_power_loss(&self, seed: u64) -> Disk {
        let (other, mut numbers) = (Disk::new(), Numbers::from_seed(seed));
        // All writes, none, or a mixture.
        let luck = [0.0, 1.0, 0.5, 0.8][numbers.below(4)];
        let mut state = lock(&self.shared);
        let back: Vec<(String, File)> = std::mem::take(&mut state.deleted).into_iter().collect();
        for (name, file) in back {
            if !state.files.contains_key(&name) && numbers.share() >= luck {
                state.files.insert(name, file);
            }
        }
        for (name, file) in &state.files {
            if !file.has_durable_name && numbers.share() >= luck {
                continue;
            }
            let mut bytes = file.durable.clone();
            for change in &file.changes {
                if numbers.share() < luck {
                    change.torn(&mut numbers).apply(&mut bytes);
                }
            }
            lock(&other.shared).files.insert(name.clone(), File::durable(bytes));
        }
        drop(state);
        other
    }
}

impl File {
    pub(super) fn change(&mut self, change: Change) -> c_int {
        change.apply(&mut self.bytes);
        self.changes.push(change);
        ffi::SQLITE_OK
    }

    fn durable(bytes: Vec<u8>) -> File {
        File { durable: bytes.clone(), bytes, has_durable_name: true, ..File::default() }
    }
}

/// The bytes that a disk writes atomically.
const SECTOR: usize = 512;

impl Change {
    /// One in four writes is cut at a sector.
    fn torn(&self, numbers: &mut Numbers) -> Change {
        match self {
            Change::Write(offset, bytes) if bytes.len() > SECTOR && numbers.below(4) == 0 => {
                let cut = SECTOR * (1 + numbers.below(bytes.len() / SECTOR));
                match numbers.below(2) {
                    0 => Change::Write(*offset, bytes[..cut.min(bytes.len())].to_vec()),
                    _ => Change::Write(offset + cut.min(bytes.len()), bytes[cut.min(bytes.len())..].to_vec()),
                }
            }
            change => change.clone(),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // SAFETY: registered by `new`; its connections are closed by now. The box came from `new`.
        unsafe {
            ffi::sqlite3_vfs_unregister(&raw mut *self.vfs);
            drop(Box::from_raw(self.vfs.pAppData.cast::<App>()));
        }
    }
}
