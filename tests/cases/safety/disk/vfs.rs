//! The VFS methods of a `Disk`, as SQLite calls them.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::sync::{Arc, Mutex};

use rusqlite::ffi;
use vecrank_tests::data::Numbers;

use super::{App, Change, Fault, File, Kind, SECTOR, State, lock};

pub(super) fn structure(name: &CStr, app: *mut App) -> ffi::sqlite3_vfs {
    ffi::sqlite3_vfs {
        iVersion: 1,
        szOsFile: size_of::<Handle>() as c_int,
        mxPathname: 200,
        pNext: ptr::null_mut(),
        zName: name.as_ptr(),
        pAppData: app.cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: Some(dl_open),
        xDlError: Some(dl_error),
        xDlSym: Some(dl_sym),
        xDlClose: Some(dl_close),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: None,
        xCurrentTimeInt64: None,
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

/// An open file, in memory that SQLite allocates.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    open: *mut OpenFile,
}

struct OpenFile {
    state: Arc<Mutex<State>>,
    name: String,
    id: u64,
    level: c_int,
    delete_on_close: bool,
    has_shm: bool,
    /// The locks of the wal-index: 1 for shared, -1 for exclusive.
    shm_locks: [i32; 8],
}

impl OpenFile {
    /// Runs `work` on the file's state, or returns `code` if the call must fail.
    fn with(&self, kind: Kind, code: c_int, work: impl FnOnce(&mut File) -> c_int) -> c_int {
        let mut state = lock(&self.state);
        if state.fails(kind) {
            return match (state.fault, kind) {
                (Some(Fault::Full), _) => ffi::SQLITE_FULL,
                _ => code,
            };
        }
        work(state.files.entry(self.name.clone()).or_default())
    }
}

/// # Safety
/// SQLite's own pointer to a file that `open` opened and nobody closed.
unsafe fn file<'a>(handle: *mut ffi::sqlite3_file) -> &'a mut OpenFile {
    // SAFETY: as the caller promises; SQLite uses a file from one thread at a time.
    unsafe { &mut *(*handle.cast::<Handle>()).open }
}

/// # Safety
/// SQLite's own pointer to a VFS of `Disk::new`.
unsafe fn app<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a App {
    // SAFETY: as the caller promises.
    unsafe { &*(*vfs).pAppData.cast::<App>() }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock_file),
    xUnlock: Some(unlock_file),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    handle: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's own call; the handle has room for ours.
    unsafe {
        let (app, handle) = (app(vfs), handle.cast::<Handle>());
        (*handle).base.pMethods = ptr::null();
        let mut state = lock(&app.state);
        if state.fails(Kind::Open) {
            return ffi::SQLITE_CANTOPEN;
        }
        state.handles += 1;
        let id = state.handles;
        let name = match name.is_null() {
            true => format!("temporary {id}"),
            false => CStr::from_ptr(name).to_string_lossy().into_owned(),
        };
        if !state.files.contains_key(&name) {
            if flags & ffi::SQLITE_OPEN_CREATE == 0 {
                return ffi::SQLITE_CANTOPEN;
            }
            state.files.insert(name.clone(), File::default());
        }
        drop(state);
        let open = Box::new(OpenFile {
            state: Arc::clone(&app.state),
            name,
            id,
            level: ffi::SQLITE_LOCK_NONE,
            delete_on_close: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
            has_shm: false,
            shm_locks: [0; 8],
        });
        (*handle).open = Box::into_raw(open);
        (*handle).base.pMethods = &METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn close(handle: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite's own call, the last one for this file.
    unsafe {
        unlock_file(handle, ffi::SQLITE_LOCK_NONE);
        let open = Box::from_raw((*handle.cast::<Handle>()).open);
        if open.delete_on_close {
            lock(&open.state).files.remove(&open.name);
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    handle: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    count: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's own call: the buffer has room for `count` bytes.
    let (open, buffer) = unsafe { (file(handle), std::slice::from_raw_parts_mut(buffer.cast::<u8>(), count as usize)) };
    open.with(Kind::Read, ffi::SQLITE_IOERR_READ, |file| {
        let there = file.bytes.get(offset as usize..).unwrap_or_default();
        let length = there.len().min(buffer.len());
        buffer[..length].copy_from_slice(&there[..length]);
        buffer[length..].fill(0);
        if length == buffer.len() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ }
    })
}

unsafe extern "C" fn write(
    handle: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's own call: there are `count` bytes.
    let (open, bytes) = unsafe { (file(handle), std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize)) };
    open.with(Kind::Write, ffi::SQLITE_IOERR_WRITE, |file| file.change(Change::Write(offset as usize, bytes.to_vec())))
}

unsafe extern "C" fn truncate(handle: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite's own call.
    let open = unsafe { file(handle) };
    open.with(Kind::Truncate, ffi::SQLITE_IOERR_TRUNCATE, |file| file.change(Change::Truncate(length as usize)))
}

unsafe extern "C" fn sync(handle: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    let open = unsafe { file(handle) };
    open.with(Kind::Sync, ffi::SQLITE_IOERR_FSYNC, |file| {
        file.durable.clone_from(&file.bytes);
        file.changes.clear();
        file.has_durable_name = true;
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn file_size(handle: *mut ffi::sqlite3_file, size: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite's own call, with a place for the size.
    let (open, size) = unsafe { (file(handle), &mut *size) };
    open.with(Kind::Size, ffi::SQLITE_IOERR_FSTAT, |file| {
        *size = file.bytes.len() as i64;
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn lock_file(handle: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    let open = unsafe { file(handle) };
    let (id, old) = (open.id, open.level);
    if old >= level {
        return ffi::SQLITE_OK;
    }
    let result = open.with(Kind::Lock, ffi::SQLITE_IOERR_LOCK, |file| {
        let others = |holder: Option<u64>| holder.is_some_and(|holder| holder != id);
        let is_free = match level {
            ffi::SQLITE_LOCK_SHARED => !others(file.exclusive),
            ffi::SQLITE_LOCK_RESERVED => !others(file.reserved) && !others(file.exclusive),
            _ => !others(file.exclusive) && !others(file.reserved) && file.shared <= 1,
        };
        if !is_free {
            return ffi::SQLITE_BUSY;
        }
        match level {
            ffi::SQLITE_LOCK_SHARED => file.shared += 1,
            ffi::SQLITE_LOCK_RESERVED => file.reserved = Some(id),
            _ => file.exclusive = Some(id),
        }
        ffi::SQLITE_OK
    });
    if result == ffi::SQLITE_OK {
        open.level = level;
    }
    result
}

unsafe extern "C" fn unlock_file(handle: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    let open = unsafe { file(handle) };
    let (id, old) = (open.id, open.level);
    open.level = level.min(old);
    if let Some(file) = lock(&open.state).files.get_mut(&open.name) {
        file.exclusive = file.exclusive.filter(|holder| *holder != id);
        file.reserved = file.reserved.filter(|holder| *holder != id);
        if level == ffi::SQLITE_LOCK_NONE && old > ffi::SQLITE_LOCK_NONE {
            file.shared -= 1;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved(handle: *mut ffi::sqlite3_file, result: *mut c_int) -> c_int {
    // SAFETY: SQLite's own call, with a place for the result.
    let (open, result) = unsafe { (file(handle), &mut *result) };
    open.with(Kind::Lock, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK, |file| {
        *result = c_int::from(file.reserved.is_some() || file.exclusive.is_some());
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn file_control(_handle: *mut ffi::sqlite3_file, _operation: c_int, _argument: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_handle: *mut ffi::sqlite3_file) -> c_int {
    SECTOR as c_int
}

unsafe extern "C" fn characteristics(_handle: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    handle: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    place: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite's own call, with a place for the pointer. Regions never move while the database is open.
    unsafe {
        let open = file(handle);
        let mut state = lock(&open.state);
        *place = ptr::null_mut();
        if state.fails(Kind::ShmMap) {
            return ffi::SQLITE_IOERR_SHMMAP;
        }
        open.has_shm = true;
        let regions = &mut state.shm.entry(open.name.clone()).or_default().regions;
        while extend != 0 && regions.len() <= region as usize {
            regions.push(vec![0; size as usize / size_of::<u64>()].into_boxed_slice());
        }
        if let Some(region) = regions.get_mut(region as usize) {
            *place = region.as_mut_ptr().cast();
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(handle: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    let open = unsafe { file(handle) };
    let mut state = lock(&open.state);
    if flags & ffi::SQLITE_SHM_LOCK != 0 && state.fails(Kind::Lock) {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    let locks = &mut state.shm.entry(open.name.clone()).or_default().locks;
    let range = offset as usize..(offset + count) as usize;
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        for at in range {
            match std::mem::take(&mut open.shm_locks[at]) {
                1 => locks[at] -= 1,
                -1 => locks[at] = 0,
                _ => {}
            }
        }
        return ffi::SQLITE_OK;
    }
    let is_shared = flags & ffi::SQLITE_SHM_SHARED != 0;
    if range.clone().any(|at| locks[at] < 0 || (!is_shared && locks[at] > 0)) {
        return ffi::SQLITE_BUSY;
    }
    for at in range {
        locks[at] = if is_shared { locks[at] + 1 } else { -1 };
        open.shm_locks[at] = if is_shared { 1 } else { -1 };
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_barrier(_handle: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(handle: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    let open = unsafe { file(handle) };
    if std::mem::take(&mut open.has_shm) && delete != 0 {
        lock(&open.state).shm.remove(&open.name);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: SQLite's own call, with a name that ends with NUL.
    let (app, name) = unsafe { (app(vfs), CStr::from_ptr(name).to_string_lossy().into_owned()) };
    let mut state = lock(&app.state);
    if state.fails(Kind::Delete) {
        return ffi::SQLITE_IOERR_DELETE;
    }
    let Some(file) = state.files.remove(&name) else { return ffi::SQLITE_IOERR_DELETE_NOENT };
    if sync_folder == 0 && file.has_durable_name {
        state.deleted.insert(name, file);
    } else {
        state.deleted.remove(&name);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    result: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's own call, with a name that ends with NUL and a place for the result.
    let (app, name, result) = unsafe { (app(vfs), CStr::from_ptr(name).to_string_lossy(), &mut *result) };
    let mut state = lock(&app.state);
    if state.fails(Kind::Access) {
        return ffi::SQLITE_IOERR_ACCESS;
    }
    *result = c_int::from(state.files.contains_key(&*name));
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    full: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's own call: the name ends with NUL, and there is room for `size` bytes.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > size as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name, full, bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_vfs: *mut ffi::sqlite3_vfs, count: c_int, bytes: *mut c_char) -> c_int {
    static SEED: AtomicU32 = AtomicU32::new(0);
    let mut numbers = Numbers::from_seed(SEED.fetch_add(1, Ordering::Relaxed).into());
    // SAFETY: SQLite's own call, with room for `count` bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(bytes.cast::<u8>(), count as usize) };
    bytes.fill_with(|| numbers.draw() as u8);
    count
}

// The rest is the default VFS's work.

unsafe extern "C" fn dl_open(vfs: *mut ffi::sqlite3_vfs, name: *const c_char) -> *mut c_void {
    // SAFETY: SQLite's own call, handed on.
    unsafe {
        let default = app(vfs).default;
        (*default).xDlOpen.map_or(ptr::null_mut(), |call| call(default, name))
    }
}

unsafe extern "C" fn dl_error(vfs: *mut ffi::sqlite3_vfs, count: c_int, message: *mut c_char) {
    // SAFETY: SQLite's own call, handed on.
    unsafe {
        let default = app(vfs).default;
        if let Some(call) = (*default).xDlError {
            call(default, count, message);
        }
    }
}

type Symbol = Option<unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *mut c_void, *const c_char)>;

unsafe extern "C" fn dl_sym(vfs: *mut ffi::sqlite3_vfs, library: *mut c_void, name: *const c_char) -> Symbol {
    // SAFETY: SQLite's own call, handed on.
    unsafe {
        let default = app(vfs).default;
        (*default).xDlSym.and_then(|call| call(default, library, name))
    }
}

unsafe extern "C" fn dl_close(vfs: *mut ffi::sqlite3_vfs, library: *mut c_void) {
    // SAFETY: SQLite's own call, handed on.
    unsafe {
        let default = app(vfs).default;
        if let Some(call) = (*default).xDlClose {
            call(default, library);
        }
    }
}

unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_vfs: *mut ffi::sqlite3_vfs, time: *mut f64) -> c_int {
    // SAFETY: SQLite's own call, with a place for the time.
    unsafe { *time = 2_460_000.5 };
    ffi::SQLITE_OK
}
