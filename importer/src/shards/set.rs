//! The set of files that an import writes: the lock on its manifest, its working folder, and the order in which the
//! files and the manifest are put in place.

use crate::database;
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::manifest::{Manifest, Shard, shard_name};
use crate::options::{Division, Mode, Options};
use crate::publish::{COMPANIONS, companion, keep_rights, remove_if_there, sync_folder};
use crate::report::{Progress, plural};
use crate::special;
use crate::target::{BUSY_TIMEOUT, begin, end_of_links, has_others};
use rusqlite::Connection;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// How often a manifest may be replaced between its opening and its locking.
const ATTEMPTS: usize = 20;

/// A shard that an import made.
pub struct BuiltShard {
    pub rows: u64,
    /// Whether the set's folder has a new file for it; else it keeps the one that it has.
    pub is_new: bool,
}

/// A manifest and the files beside it.
#[derive(Debug)]
pub struct ShardSet {
    /// The manifest, symbolic links followed.
    path: PathBuf,
    folder: Folder,
    old: Option<Old>,
}

/// The manifest that is to be replaced.
#[derive(Debug)]
struct Old {
    manifest: Manifest,
    /// Held while the import works: another one would start from the same shards, and one of the two would be lost.
    _lock: File,
}

impl ShardSet {
    /// Locks and reads the manifest, if there is one, and makes the folder beside it.
    pub fn open(path: &Path) -> Result<ShardSet> {
        special::check_database(path)?;
        let path = fs::canonicalize(path).unwrap_or_else(|_| end_of_links(path));
        let old = lock(&path)?;
        let folder = Folder::beside(&path)?;
        Ok(ShardSet { path, folder, old })
    }

    /// The manifest, symbolic links followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The working folder, on the same disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// True if the manifest was there before.
    pub fn exists(&self) -> bool {
        self.old.is_some()
    }

    /// The file in which a shard is built, or in which its new rows are staged.
    pub fn draft(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("draft-{number}.db"))
    }

    /// The shard as it will be published.
    pub fn finished(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("finished-{number}.db"))
    }

    /// The old file of that number, or where it would be.
    pub fn old_file(&self, number: usize) -> PathBuf {
        let shard = self.old.as_ref().and_then(|old| old.manifest.shards.get(number));
        self.path.with_file_name(shard.map_or("", |shard| &shard.file))
    }

    /// Checks the options against the manifest that is there.
    pub fn check(&self, options: &Options) -> Result<()> {
        let (Some(Old { manifest, .. }), Some(division)) = (&self.old, &options.shards) else { return Ok(()) };
        let at = |text: String| Err(Failure::new(text).at(self.path.display()));
        let Division { shards, by } = division;
        let Manifest { table, shard_by, shards: old, .. } = manifest;
        match options.mode {
            Mode::Fail => at("there is a manifest already (--if-exists fail)".to_owned()),
            Mode::Replace => Ok(()),
            _ if !table.eq_ignore_ascii_case(&options.table) => {
                at(format!("its shards have the table {table}, got {} (--table)", options.table))
            }
            mode if old.len() != *shards => at(format!(
                "it has {}, got --shards {shards}; {} cannot move rows, an import without it makes all shards anew",
                plural(old.len() as u64, "shard"),
                mode.option()
            )),
            _ if !shard_by.eq_ignore_ascii_case(by) => {
                at(format!("its rows are divided by {shard_by}, got {by} (--key or --shard-by)"))
            }
            _ => Ok(()),
        }
    }

    /// The first of the shards that are made anew, for what it knows of the table. Refuses shards with other tables.
    pub fn replaced(&self, table: &str) -> Result<Option<Connection>> {
        let Some(old) = &self.old else { return Ok(None) };
        let mut first = None;
        for number in 0..old.manifest.shards.len() {
            let path = self.old_file(number);
            // What is lost already cannot be lost again.
            if !path.exists() {
                continue;
            }
            let connection = database::open_readable(&path)?;
            if has_others(&connection, table)? {
                return Err(Failure::new(format!(
                    "{}: has more than the table {table}, which would be lost; move that to another file first",
                    path.display()
                )));
            }
            first.get_or_insert(connection);
        }
        Ok(first)
    }

    /// Opens the old shards, and keeps other writers off.
    pub fn lock_old(&self) -> Result<Vec<Connection>> {
        let count = self.old.as_ref().map_or(0, |old| old.manifest.shards.len());
        let open = |number| {
            let path = self.old_file(number);
            let connection = database::open_writable(&path)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            begin(&connection).map_err(|failure| failure.at(path.display()))?;
            Ok(connection)
        };
        (0..count).map(open).collect()
    }

    /// Gives a changed copy the rights of the old shard, and writes it to the disk.
    pub fn settle(&self, number: usize, progress: &Progress) -> Result<()> {
        let (path, old) = (self.finished(number), self.old_file(number));
        let settle = || {
            let file = File::options().write(true).open(&path)?;
            keep_rights(&file, &fs::metadata(&old)?, &old, progress)?;
            file.sync_all()
        };
        settle().map_err(|error| Failure::io(&old, "replaced", &error))
    }

    /// Puts the new files beside the manifest, and then a manifest that names them in the place of the old one.
    pub fn publish(self, options: &Options, built: &[BuiltShard]) -> Result<Manifest> {
        let old = self.old.as_ref().map(|old| &old.manifest);
        let generation = self.free_generation(built.len());
        let stem = self.stem();
        let mut manifest = Manifest {
            generation,
            table: options.table.clone(),
            shard_by: options.shards.as_ref().map_or_else(String::new, |division| division.by.clone()),
            shards: Vec::new(),
            before: Vec::new(),
        };
        let mut put = Put::default();
        for (number, shard) in built.iter().enumerate() {
            let kept = old.and_then(|old| old.shards.get(number)).filter(|_| !shard.is_new);
            let file = kept.map_or_else(|| shard_name(&stem, generation, number), |kept| kept.file.clone());
            if kept.is_none() {
                put.file(&self.finished(number), self.path.with_file_name(&file))?;
            }
            manifest.shards.push(Shard { file, rows: shard.rows });
        }
        let is_named = |file: &String| manifest.shards.iter().any(|shard| &shard.file == file);
        let named_before = old.iter().flat_map(|old| old.shards.iter().map(|shard| shard.file.clone()));
        manifest.before = named_before.filter(|file| !is_named(file)).collect();
        sync_folder(&self.path);
        self.put_manifest(&manifest)?;
        put.keep();
        sync_folder(&self.path);
        let is_kept = |file: &String| manifest.before.contains(file) || manifest.shards.iter().any(|s| &s.file == file);
        for file in old.iter().flat_map(|old| &old.before).filter(|file| !is_kept(file)) {
            remove(&self.path.with_file_name(file));
        }
        Ok(manifest)
    }

    /// The name of the manifest without its ending.
    fn stem(&self) -> String {
        self.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }

    /// A generation of which no file is there: one may be left of a killed import, or of a manifest that was removed.
    fn free_generation(&self, shards: usize) -> u64 {
        let (stem, old) = (self.stem(), self.old.as_ref().map_or(0, |old| old.manifest.generation));
        let is_free = |generation: &u64| {
            (0..shards).all(|number| !self.path.with_file_name(shard_name(&stem, *generation, number)).exists())
        };
        (old + 1..).find(is_free).unwrap_or(old)
    }

    fn put_manifest(&self, manifest: &Manifest) -> Result<()> {
        let failed = |error: io::Error| Failure::io(&self.path, "replaced", &error);
        let finished = self.folder.path().join("manifest.json");
        let write = || {
            let mut file = File::create(&finished)?;
            file.write_all(manifest.text().as_bytes())?;
            if let Ok(metadata) = fs::metadata(&self.path) {
                file.set_permissions(metadata.permissions())?;
            }
            file.sync_all()
        };
        write().map_err(failed)?;
        if self.exists() {
            return fs::rename(&finished, &self.path).map_err(failed);
        }
        put_new(&finished, &self.path)
    }
}

/// Files that were put in place. Unless they are kept they go again when this is dropped: the import failed.
#[derive(Debug, Default)]
struct Put(Vec<PathBuf>);

impl Put {
    fn file(&mut self, finished: &Path, path: PathBuf) -> Result<()> {
        put_new(finished, &path)?;
        self.0.push(path);
        Ok(())
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Put {
    fn drop(&mut self) {
        self.0.iter().for_each(|path| remove(path));
    }
}

/// Moves a file to a path where none is.
fn put_new(finished: &Path, path: &Path) -> Result<()> {
    let file = TempPath::try_from_path(finished).map_err(|error| Failure::io(finished, "found", &error))?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(format!("{}: another program made this file meanwhile; import again", path.display()))
        }
        _ => Failure::io(path, "made", &error.error),
    })
}

/// Removes a shard that no manifest names. One that cannot be removed does no harm.
fn remove(path: &Path) {
    let _ = remove_if_there(path);
    for ending in COMPANIONS {
        let _ = remove_if_there(&companion(path, ending));
    }
}

/// Reads a manifest and locks it, if there is one.
fn lock(path: &Path) -> Result<Option<Old>> {
    let failed = |error| Failure::io(path, "read", &error);
    for _ in 0..ATTEMPTS {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        // Another import may have replaced it between the two; each generation's text is another.
        if fs::read(path).is_ok_and(|now| now == text) {
            let manifest = Manifest::parse(&String::from_utf8_lossy(&text), path)?;
            return Ok(Some(Old { manifest, _lock: file }));
        }
    }
    Err(Failure::new(format!("{}: another import is at work on it; try again when it is done", path.display())))
}
