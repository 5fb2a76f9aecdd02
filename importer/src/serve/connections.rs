//! Connections that follow the file: when a rename replaces it, they are opened anew.

use super::catalogue::Catalogue;
use crate::failure::{Failure, Result};
use crate::screen::escaped;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is served, and the limits of a request.
#[derive(Debug)]
pub struct Settings {
    pub database: PathBuf,
    pub table: Option<String>,
    pub embedding: Option<String>,
    pub connections: usize,
    pub max_limit: u32,
    pub max_offset: u32,
}

/// A fixed number of connections. Each request uses one alone.
///
/// A new file that cannot be used (half a copy, no such table) is reported, and the old one stays in service.
pub struct Connections {
    pub settings: Settings,
    free: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    idle: Vec<Catalogue>,
    served: Identity,
    /// The served file as last seen, and its version.
    seen: Option<Stat>,
    report: Report,
    /// The newer file that cannot be used.
    refused: Option<Stat>,
}

/// The state of the file, for clients.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Changes when the content does: the counters of SQLite's header.
    pub version: String,
    /// New files since the start.
    pub swaps: u64,
    /// Why the newer file is not served.
    pub fault: Option<String>,
}

/// Tells two files apart while one of them is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(u64, u64);

/// Also tells two states of one file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    identity: Identity,
    modified: Option<SystemTime>,
    bytes: u64,
}

/// A connection for one request. Dropping it makes it free again.
pub struct Lease {
    connections: Arc<Connections>,
    catalogue: Option<Catalogue>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub fn new(settings: Settings) -> Result<Connections> {
        let idle = (0..settings.connections).map(|_| open(&settings)).collect::<Result<Vec<_>>>()?;
        let served = idle.last().map_or(Identity(0, 0), |catalogue| catalogue.identity);
        let state = State { idle, served, seen: None, report: Report::default(), refused: None };
        let connections =
            Connections { free: Arc::new(Semaphore::new(settings.connections)), state: Mutex::new(state), settings };
        connections.report();
        Ok(connections)
    }

    /// Waits until a connection is free; None if that takes too long.
    pub async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.free).acquire_owned();
        tokio::time::timeout(PATIENCE, permit).await.ok()?.ok()
    }

    /// A connection to the current file, and what is known of the file.
    pub fn lease(self: &Arc<Connections>, permit: OwnedSemaphorePermit) -> Option<(Lease, Report)> {
        let mut state = self.state();
        state.follow(&self.settings);
        let catalogue = state.idle.pop()?;
        let catalogue = state.renewed(catalogue, &self.settings);
        let lease = Lease { connections: Arc::clone(self), catalogue: Some(catalogue), _permit: permit };
        Some((lease, state.report.clone()))
    }

    pub fn report(&self) -> Report {
        let mut state = self.state();
        state.follow(&self.settings);
        state.report.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// None once it is given back.
    pub fn catalogue(&self) -> Option<&Catalogue> {
        self.catalogue.as_ref()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        if let Some(catalogue) = self.catalogue.take() {
            let catalogue = state.renewed(catalogue, &self.connections.settings);
            state.idle.push(catalogue);
        }
    }
}

impl State {
    /// Switches to the current file. The lock is held: one request opens it, the others wait.
    fn follow(&mut self, settings: &Settings) {
        let now = match stat(&settings.database) {
            Ok(now) => now,
            Err(failure) => return self.refuse(None, &failure),
        };
        if now.identity != self.served {
            if self.refused == Some(now) {
                return;
            }
            match open(settings) {
                Ok(fresh) => self.put(fresh, settings),
                Err(failure) => return self.refuse(Some(now), &failure),
            }
        }
        if self.seen != Some(now) {
            self.report.version = version(&settings.database).unwrap_or_default();
            self.seen = Some(now);
        }
        self.report.fault = None;
        self.refused = None;
    }

    /// Opens all connections anew: an open one would keep the old file's space on the disk.
    fn put(&mut self, fresh: Catalogue, settings: &Settings) {
        self.served = fresh.identity;
        self.report.swaps += 1;
        self.idle.pop();
        let old = std::mem::take(&mut self.idle);
        self.idle = old.into_iter().map(|old| self.renewed(old, settings)).collect();
        self.idle.push(fresh);
    }

    fn refuse(&mut self, file: Option<Stat>, failure: &Failure) {
        let fault = failure.to_string();
        if self.report.fault.as_deref() != Some(&fault) {
            eprintln!("vecrank: {}; the old file is served", escaped(&fault));
        }
        self.report.fault = Some(fault);
        self.refused = file;
    }

    /// The connection, or one to the file that is served now.
    fn renewed(&self, catalogue: Catalogue, settings: &Settings) -> Catalogue {
        if catalogue.identity == self.served { catalogue } else { open(settings).unwrap_or(catalogue) }
    }
}

/// Opens the file. The identity is looked up before and after, for a rename may come between.
fn open(settings: &Settings) -> Result<Catalogue> {
    loop {
        let before = stat(&settings.database)?.identity;
        let catalogue = Catalogue::open(settings, before)?;
        if stat(&settings.database)?.identity == before {
            return Ok(catalogue);
        }
    }
}

fn stat(path: &Path) -> Result<Stat> {
    let metadata = path.metadata().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(format!("{}: no such file", path.display())),
        _ => Failure::io(path, "read", &error),
    })?;
    #[cfg(unix)]
    let identity = {
        use std::os::unix::fs::MetadataExt;
        Identity(metadata.dev(), metadata.ino())
    };
    #[cfg(not(unix))]
    let identity = {
        let since = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        Identity(metadata.len(), since.map_or(0, |since| since.as_nanos() as u64))
    };
    Ok(Stat { identity, modified: metadata.modified().ok(), bytes: metadata.len() })
}

/// Change counter and schema cookie. An import computes them from the content, a transaction counts them up.
fn version(path: &Path) -> Option<String> {
    let mut header = [0; 44];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let counters = header.get(24..28)?.iter().chain(header.get(40..44)?);
    Some(counters.map(|byte| format!("{byte:02x}")).collect())
}
