//! The folder beside the database in which an import builds the new file. Folders that killed imports left are removed.
//!
//! A process owns a folder while it holds the lock on the file `lock` in it, and the lock ends with the process. So a
//! folder whose lock can be taken is litter. An import must take the lock of the folder that it made; if another import
//! took the folder for litter in between, it makes another one.

use crate::failure::{Failure, Result};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder is called `.<file name>` plus this and random letters.
const MARK: &str = ".vecrank-";

const LOCK_FILE: &str = "lock";

/// Appended to the name of a folder that is about to be removed, so that its maker no longer finds it.
const DOOMED: &str = "-old";

/// How often a folder may be taken for litter before its maker gives up.
const ATTEMPTS: usize = 20;

/// A folder of this process alone, removed when dropped.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
    /// Held until the folder is removed.
    _lock: File,
}

impl Folder {
    /// Makes a folder for the database `path` beside it, after removing those that nobody owns.
    pub fn beside(path: &Path) -> Result<Folder> {
        let name = path.file_name().ok_or_else(|| Failure::new(format!("{}: not a file name", path.display())))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let prefix = format!(".{}{MARK}", name.to_string_lossy());
        let failed = |error| Failure::io(parent, "written to", &error);
        remove_litter(parent, &prefix);
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(failed)?;
            if let Some(lock) = take(folder.path()).map_err(failed)? {
                return Ok(Folder { folder, _lock: lock });
            }
        }
        Err(Failure::new(format!("{}: another program removes the folders that are made in it", parent.display())))
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Takes the lock of a folder. None if another process has it, or removed the folder.
fn take(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(LOCK_FILE);
    let lock = match File::options().write(true).create(true).truncate(false).open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        // The one who had it before may have moved the folder away.
        Ok(()) => Ok(path.exists().then_some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes the folders that nobody owns. What cannot be removed is left: it does no harm.
fn remove_litter(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let folder = entry.path();
        // Held until it is gone.
        let Ok(Some(_lock)) = take(&folder) else { continue };
        let _ = fs::remove_dir_all(moved_away(&folder));
    }
}

/// Its maker, if it is alive and has not got the lock yet, would otherwise make a lock file in a folder that goes.
fn moved_away(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(DOOMED);
    let away = PathBuf::from(name);
    if fs::rename(folder, &away).is_ok() { away } else { folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let names = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    /// An import may die right after its folder is made, right after the lock file, or while it removes either.
    #[test]
    fn a_folder_that_nobody_owns_goes_at_once() {
        let parent = tempfile::tempdir().unwrap();
        for litter in [".feed.db.vecrank-aaaaaa", ".feed.db.vecrank-bbbbbb", ".feed.db.vecrank-cccccc-old"] {
            fs::create_dir(parent.path().join(litter)).unwrap();
        }
        fs::write(parent.path().join(".feed.db.vecrank-bbbbbb").join(LOCK_FILE), "").unwrap();
        fs::write(parent.path().join(".feed.db.vecrank-bbbbbb/draft.db"), "half a draft").unwrap();
        fs::create_dir(parent.path().join(".other.db.vecrank-aaaaaa")).unwrap();
        let folder = Folder::beside(&parent.path().join("feed.db")).unwrap();
        assert_eq!(names(parent.path()).len(), 2, "{:?}", names(parent.path()));
        drop(folder);
        assert_eq!(names(parent.path()), [".other.db.vecrank-aaaaaa"]);
    }

    #[test]
    fn a_folder_that_is_in_use_stays() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("feed.db");
        let first = Folder::beside(&path).unwrap();
        let second = Folder::beside(&path).unwrap();
        assert!(first.path().is_dir() && second.path().is_dir());
    }

    /// Makers beside one another sweep each other's folders before these are locked.
    #[test]
    fn imports_at_the_same_time_get_folders_of_their_own() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("feed.db");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let folder = Folder::beside(&path).unwrap();
                        fs::write(folder.path().join("draft.db"), "draft").unwrap();
                    }
                });
            }
        });
        assert_eq!(names(parent.path()), [""; 0]);
    }
}
