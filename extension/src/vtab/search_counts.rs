//! Counters of the searches of each table, per connection. `hnsw_stats` shows them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::sqlite::{Connection, Pages};
use crate::storage::shadow::{Owner, VectorOrdinal};
use crate::storage::vector_column::NodeReads;

/// How a search found its rows. It may have changed over from one way to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ways {
    /// It followed the links of the graph.
    pub walked: bool,
    /// It did so among the nodes that match a filter.
    pub steered: bool,
    /// It ranked rows by their exact distances.
    pub exact: bool,
}

impl Ways {
    /// The ways, as `hnsw_stats` shows them.
    pub fn text(self) -> String {
        let ways = [(self.walked, "walk"), (self.steered, "steer"), (self.exact, "exact")];
        ways.into_iter().filter(|(taken, _)| *taken).map(|(_, way)| way).collect::<Vec<_>>().join(", ")
    }
}

impl std::ops::BitOrAssign for Ways {
    fn bitor_assign(&mut self, other: Ways) {
        self.walked |= other.walked;
        self.steered |= other.steered;
        self.exact |= other.exact;
    }
}

/// The work of one search, or of all searches together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effort {
    pub nodes: NodeReads,
    /// Rows of the log that were ranked.
    pub log_rows: u64,
    /// Pages that the connection asked for, those of the rows table included.
    pub pages: Pages,
}

impl Effort {
    fn add(&mut self, other: &Effort) {
        self.nodes.cached += other.nodes.cached;
        self.nodes.from_file += other.nodes.from_file;
        self.log_rows += other.log_rows;
        self.pages.asked += other.pages.asked;
        self.pages.missed += other.pages.missed;
    }
}

/// One search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchRecord {
    /// The search continued one that an earlier page had suspended.
    pub is_resumed: bool,
    pub ways: Ways,
    pub effort: Effort,
}

/// The searches of one vector column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ColumnCounts {
    pub searches: u64,
    pub resumed: u64,
    pub last: Option<SearchRecord>,
    pub total: Effort,
}

/// The searches of one table. All objects that SQLite has for the table in one connection share it.
pub struct SearchCounts {
    connection: usize,
    name: Mutex<(String, String)>,
    /// By ordinal; shorter if the last columns were not searched.
    columns: Mutex<Vec<ColumnCounts>>,
}

/// The counters of the connected tables. A connection disconnects its tables before it ends.
static CONNECTED: Mutex<Vec<Weak<SearchCounts>>> = Mutex::new(Vec::new());

impl SearchCounts {
    /// The counters of a table that is being connected: new ones, unless another object of it is connected.
    pub fn of(db: Connection, owner: &Owner) -> Arc<SearchCounts> {
        let mut connected = lock(&CONNECTED);
        if let Some(counts) = find(&connected, db, owner) {
            return counts;
        }
        let name = Mutex::new((owner.schema.clone(), owner.table.clone()));
        let counts = Arc::new(SearchCounts { connection: db.number(), name, columns: Mutex::default() });
        connected.retain(|other| other.strong_count() > 0);
        connected.push(Arc::downgrade(&counts));
        counts
    }

    /// The counters of one column of a table; zeros if the table is not connected.
    pub fn known(db: Connection, owner: &Owner, ordinal: VectorOrdinal) -> ColumnCounts {
        let counts = find(&lock(&CONNECTED), db, owner);
        counts.and_then(|counts| lock(&counts.columns).get(ordinal.0).copied()).unwrap_or_default()
    }

    /// Takes up another name of the table.
    pub fn rename(&self, owner: &Owner) {
        *lock(&self.name) = (owner.schema.clone(), owner.table.clone());
    }

    /// Adds a search of a column.
    pub fn add(&self, ordinal: VectorOrdinal, search: SearchRecord) {
        let mut columns = lock(&self.columns);
        if columns.len() <= ordinal.0 {
            columns.resize(ordinal.0 + 1, ColumnCounts::default());
        }
        let Some(column) = columns.get_mut(ordinal.0) else { return };
        column.searches += 1;
        column.resumed += u64::from(search.is_resumed);
        column.total.add(&search.effort);
        column.last = Some(search);
    }
}

fn find(connected: &[Weak<SearchCounts>], db: Connection, owner: &Owner) -> Option<Arc<SearchCounts>> {
    let is_it = |counts: &Arc<SearchCounts>| {
        let (schema, table) = &*lock(&counts.name);
        counts.connection == db.number()
            && schema.eq_ignore_ascii_case(&owner.schema)
            && table.eq_ignore_ascii_case(&owner.table)
    };
    connected.iter().filter_map(Weak::upgrade).find(is_it)
}

/// Locks, even after a panic: at most a count is missing then.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
