//! Replaces the old file by the finished one.
//!
//! The new file is renamed over the old one: readers keep the old file until they open the new one. If the old file is
//! a mount of its own, a rename is impossible, and its content is overwritten in one transaction.

use crate::database;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::report::{Progress, Unit};
use crate::stamp::stamp;
use crate::target::{BUSY_TIMEOUT, Existing, Target};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempPath;

/// Files beside a database that SQLite takes for part of it.
pub const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Pages that are overwritten between two checks for an interrupt.
const STEP: i32 = 1000;

/// Between two tries to overwrite a file that others read.
const PAUSE: Duration = Duration::from_millis(20);

/// Copies the draft without its free pages, and replaces the old file by the copy.
pub fn publish(target: Target, draft: Connection, old: Existing, progress: &mut Progress) -> Result<PathBuf> {
    let (path, finished) = (target.path(), target.finished());
    finish(draft, &finished, path, progress)?;
    interrupt::check()?;
    match old {
        Existing::Replaced { connection, .. } | Existing::Changed { connection, .. } => {
            replace(&finished, path, connection, progress)?;
        }
        Existing::Missing => put_new(&finished, path, progress)?,
    }
    sync_folder(path);
    Ok(target.into_path())
}

/// Copies the draft without its free pages, with the rights of the file that it replaces, if that is there.
pub fn finish(draft: Connection, finished: &Path, replaced: &Path, progress: &mut Progress) -> Result<()> {
    let bytes = |path: PathBuf| move || fs::metadata(&path).ok().map(|metadata| metadata.len());
    let total = draft.path().and_then(|path| bytes(path.into())()).unwrap_or(0);
    progress.follow("Writing the file", Unit::Bytes, total, bytes(finished.to_owned()));
    let name = finished.to_str().ok_or_else(|| Failure::new(format!("{}: not a UTF-8 path", finished.display())))?;
    draft.execute("VACUUM INTO ?1", [name])?;
    draft.close().map_err(|(_, error)| error)?;
    let failed = |error| Failure::io(replaced, "replaced", &error);
    let mut file = File::options().read(true).write(true).open(finished).map_err(failed)?;
    progress.count("Putting it in place", Unit::Bytes, file.metadata().map_err(failed)?.len());
    stamp(&mut file, |bytes| progress.advance(bytes)).map_err(failed)?;
    if let Ok(metadata) = fs::metadata(replaced) {
        keep_rights(&file, &metadata, replaced, progress).map_err(failed)?;
    }
    file.sync_all().map_err(failed)
}

/// Gives the new file the owner, group and mode of the old one.
pub fn keep_rights(file: &File, old: &Metadata, path: &Path, progress: &Progress) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let own = file.metadata()?;
        let (owner, group) = (old.uid(), old.gid());
        if (own.uid(), own.gid()) != (owner, group) && fchown(file, Some(owner), Some(group)).is_err() {
            // Only root gives files away; others may still give one to a group that they are in.
            let _ = fchown(file, None, Some(group));
            progress.warn(format_args!(
                "{}: its owner (user {owner}, group {group}) cannot be kept, for this is not run by root",
                path.display()
            ));
        }
    }
    file.set_permissions(old.permissions())
}

/// Moves the file to a path where no file is. One that another program made in the meantime stays.
fn put_new(finished: &Path, path: &Path, progress: &Progress) -> Result<()> {
    let made_meanwhile =
        || Failure::new(format!("{}: another program made this file meanwhile; import again", path.display()));
    if path.exists() {
        return Err(made_meanwhile());
    }
    remove_companions(path, progress)?;
    let file = TempPath::try_from_path(finished).map_err(|error| Failure::io(finished, "found", &error))?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => made_meanwhile(),
        _ => Failure::io(path, "made", &error.error),
    })
}

/// Removes the companions of a database that is gone: SQLite would replay its log into the new one.
fn remove_companions(path: &Path, progress: &Progress) -> Result<()> {
    for ending in COMPANIONS {
        let companion = companion(path, ending);
        if remove_if_there(&companion)? {
            progress.warn(format_args!("{}: removed, it was left of a database that is gone", companion.display()));
        }
    }
    Ok(())
}

pub fn companion(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

pub fn remove_if_there(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::io(path, "removed", &error)),
    }
}

/// The transaction of `old` wrote nothing: with the connection its lock just ends. It ends after the new file is in
/// place, so that a program that waits to write is told that its file was moved, instead of writing to one that nobody
/// will see.
fn replace(finished: &Path, path: &Path, old: Connection, progress: &mut Progress) -> Result<()> {
    let close = |connection: Connection| connection.close().map_err(|(_, error)| error);
    let rename = || fs::rename(finished, path);
    let is_mounted =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices);
    let failed = |error| Failure::io(path, "replaced", &error);
    if cfg!(windows) {
        // Windows renames over closed files only.
        close(old)?;
        return rename().map_err(failed);
    }
    // What a killed import left of a journal holds nothing: nobody writes while the lock is held, and a journal that holds
    // something was rolled back when the file was opened.
    remove_if_there(&companion(path, "-journal"))?;
    match rename() {
        Ok(()) => Ok(close(old)?),
        Err(error) if is_mounted(&error) => overwrite(finished, path, old, progress),
        Err(error) => Err(failed(error)),
    }
}

/// Gives the old file the content of the new one in one transaction.
fn overwrite(finished: &Path, path: &Path, mut old: Connection, progress: &mut Progress) -> Result<()> {
    progress.warn(format_args!(
        "{}: is mounted on its own, so no file can take its place: it is overwritten in one transaction. If that is \
         killed, only a program that opens it by this path rolls it back (the journal lies beside it)",
        path.display()
    ));
    // The backup begins a transaction of its own. This keeps the lock while the present one ends.
    old.execute_batch("PRAGMA locking_mode = EXCLUSIVE; COMMIT")?;
    copy(&database::open_readable(finished)?, &mut old, "Overwriting", progress)?;
    Ok(old.close().map_err(|(_, error)| error)?)
}

/// Gives one database the content of another, in one transaction.
pub fn copy(from: &Connection, to: &mut Connection, what: &'static str, progress: &mut Progress) -> Result<()> {
    let page: u32 = from.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages: u32 = from.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let (page, pages) = (u64::from(page), u64::from(pages));
    progress.count(what, Unit::Bytes, pages * page);
    let backup = Backup::new(from, to)?;
    let mut waited_since = None;
    loop {
        interrupt::check()?;
        match backup.step(STEP)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {
                waited_since = None;
                progress.advance(page * u64::from(STEP.cast_unsigned()));
            }
            // Readers keep it from being written to.
            _ if waited_since.get_or_insert_with(Instant::now).elapsed() > BUSY_TIMEOUT => {
                return Err(database::busy().into());
            }
            _ => std::thread::sleep(PAUSE),
        }
    }
}

/// Makes the rename survive a power failure. Platforms that cannot open a folder do without.
pub fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|parent| File::open(parent).ok()) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_made_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (finished, path) = (folder.path().join("finished.db"), folder.path().join("feed.db"));
        fs::write(&finished, "new").unwrap();
        fs::write(&path, "another's").unwrap();
        fs::write(folder.path().join("feed.db-wal"), "its log").unwrap();
        let failure = put_new(&finished, &path, &Progress::default()).unwrap_err();
        let text = format!("{}: another program made this file meanwhile; import again", path.display());
        assert_eq!(failure.to_string(), text);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
        assert!(folder.path().join("feed.db-wal").exists());
        fs::remove_file(&path).unwrap();
        put_new(&finished, &path, &Progress::default()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(!folder.path().join("feed.db-wal").exists());
    }
}
