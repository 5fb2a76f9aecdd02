//! Node rows in a shadow table, behind the engine's trait `GraphStore`.

use super::node_cache::{MissedRows, Rows};
use crate::error::{Error, Result, code};
use crate::format::header::{Counts, Header};
use crate::format::node::{FREE_ROW_BYTES, Kin, Node, NodeId, NodeLayout, VECTOR_OFFSET, free_row};
use crate::hnsw::GraphStore;
use crate::memory_hints::prefetch;
use crate::sqlite::{Blob, BlobColumn, Connection, Parameter, Statement, quote_identifier};

/// SQLITE_ABORT: the row under a BLOB handle was written.
const EXPIRED: i32 = 4;
/// Rows between two checks of the host's interrupt flag.
const INTERRUPT_STRIDE: u32 = 256;

/// Node rows that were read through a node table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeReads {
    /// From the node cache.
    pub cached: u64,
    /// From the file.
    pub from_file: u64,
}

/// The node table of one vector column.
pub struct NodeTable {
    db: Connection,
    schema: String,
    table: String,
    layout: NodeLayout,
    /// All reads so far. A search counts as its own what is added meanwhile.
    pub reads: NodeReads,
    add: Option<Statement>,
    put: Option<Statement>,
    remove: Option<Statement>,
    list: Option<Statement>,
    get: Option<Statement>,
}

/// Some rows in the order of their ids.
pub struct Part {
    /// Those of nodes.
    pub ids: Vec<NodeId>,
    /// The id of the row after them; None at the end of the table.
    pub next: Option<NodeId>,
    /// What it takes to pass them, in rows of nodes.
    pub rows: u32,
}

/// So many rows of free ids are passed as quickly as one of a node.
const FREE_ROWS: u32 = 256;

impl NodeTable {
    /// Opens nothing yet.
    pub fn new(db: Connection, schema: &str, table: String, layout: NodeLayout) -> NodeTable {
        NodeTable {
            db,
            schema: schema.to_string(),
            table,
            layout,
            reads: NodeReads::default(),
            add: None,
            put: None,
            remove: None,
            list: None,
            get: None,
        }
    }

    /// The quoted name, for SQL.
    pub fn sql_name(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.table))
    }

    pub fn name(&self) -> &str {
        &self.table
    }

    /// A reader for one search. Its BLOB handle holds the read transaction: drop it with the search.
    pub fn reader<'a>(&'a mut self, handle: &'a mut BlobHandle) -> Reader<'a> {
        Reader { table: self, handle, cache: None, counted: None }
    }

    /// As `reader`, through a cache of the current rows.
    pub fn cached_reader<'a>(&'a mut self, handle: &'a mut BlobHandle, cache: Option<&'a Rows>) -> Reader<'a> {
        Reader { table: self, handle, cache, counted: None }
    }

    fn open(&self, id: NodeId) -> Result<Blob> {
        let column = BlobColumn { schema: &self.schema, table: &self.table, column: "data" };
        self.db.open_blob(&column, i64::from(id.0))
    }

    /// The error of a row that cannot be read although another row names it: damage, unless SQLite reports another
    /// cause.
    fn missing(&self, id: NodeId, error: Error) -> Error {
        match error {
            Error::Sqlite { code: 1, message } => Error::corrupt(format!("{} row {id}", self.table), message),
            other => other,
        }
    }

    /// Adds the table's name to an error of the engine, which does not know it.
    pub fn name_table(&self, error: Error) -> Error {
        match error {
            Error::Corrupt { context, reason } if context.starts_with("node ") => {
                Error::Corrupt { context: format!("{} {context}", self.table), reason }
            }
            other => other,
        }
    }

    /// Writes the row of a new node.
    pub fn add(&mut self, id: NodeId, row: &[u8]) -> Result<()> {
        if self.add.is_none() {
            let sql = format!("INSERT INTO {}(id, data) VALUES (?1, ?2)", self.sql_name());
            self.add = Some(self.db.prepare_shadow(&sql)?);
        }
        let Some(add) = &mut self.add else { return Ok(()) };
        add.run(&[Parameter::Integer(i64::from(id.0)), Parameter::Blob(row)]).map_err(|error| match error {
            Error::Sqlite { code, .. } if code & 0xff == code::CONSTRAINT => {
                Error::corrupt(format!("{} row {id}", self.table), "it is there, where the graph row says it is free")
            }
            other => other,
        })
    }

    fn put(&mut self, id: NodeId, row: &[u8]) -> Result<()> {
        if self.put.is_none() {
            let sql = format!("REPLACE INTO {}(id, data) VALUES (?1, ?2)", self.sql_name());
            self.put = Some(self.db.prepare_shadow(&sql)?);
        }
        match &mut self.put {
            Some(put) => put.run(&[Parameter::Integer(i64::from(id.0)), Parameter::Blob(row)]),
            None => Ok(()),
        }
    }

    fn remove(&mut self, id: NodeId) -> Result<()> {
        if self.remove.is_none() {
            let sql = format!("DELETE FROM {} WHERE id = ?1", self.sql_name());
            self.remove = Some(self.db.prepare_shadow(&sql)?);
        }
        match &mut self.remove {
            Some(remove) => remove.run(&[Parameter::Integer(i64::from(id.0))]),
            None => Ok(()),
        }
    }

    /// Returns the nodes with the next ids from `first` on, so many that passing them takes `most` rows.
    fn rows_from(&mut self, first: NodeId, most: u32) -> Result<Part> {
        if self.list.is_none() {
            let sql = format!("SELECT id, length(data) FROM {} WHERE id >= ?1 ORDER BY id", self.sql_name());
            self.list = Some(self.db.prepare_shadow(&sql)?);
        }
        let mut part = Part { ids: Vec::new(), next: None, rows: 0 };
        let Some(list) = &mut self.list else { return Ok(part) };
        list.bind_i64(1, i64::from(first.0))?;
        let mut passed = 0;
        let result = loop {
            match list.step() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
            let (id, length) = (NodeId::try_from(list.column_i64(0)), list.column_i64(1));
            let Ok(id) = id else { break id.map(drop) };
            if passed >= most.saturating_mul(FREE_ROWS) {
                part.next = Some(id);
                break Ok(());
            }
            let is_free = length == FREE_ROW_BYTES as i64;
            passed += if is_free { 1 } else { FREE_ROWS };
            part.ids.extend((!is_free).then_some(id));
        };
        list.reset();
        part.rows = passed.div_ceil(FREE_ROWS);
        result.map(|()| part)
    }

    /// The bytes of a row; None if there is none.
    fn row(&mut self, id: NodeId) -> Result<Option<Vec<u8>>> {
        if self.get.is_none() {
            let sql = format!("SELECT data FROM {} WHERE id = ?1", self.sql_name());
            self.get = Some(self.db.prepare_shadow(&sql)?);
        }
        let Some(get) = &mut self.get else { return Ok(None) };
        get.query_one(&[Parameter::Integer(i64::from(id.0))], |row| Ok(row.column_bytes(0).to_vec()))
    }

    /// Takes a free id into use, with the row of a new node. Returns the free id to be used next.
    pub fn reuse(&mut self, id: NodeId, row: &[u8]) -> Result<NodeId> {
        let next = self.row(id)?.and_then(|row| free_row(&row)).ok_or_else(|| {
            Error::corrupt(format!("{} row {id}", self.table), "it is not free, where the graph row says it is")
        })?;
        self.put(id, row)?;
        Ok(next)
    }

    fn scan(&mut self, counted: Option<Counts>, visit: &mut dyn FnMut(Node<'_>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT id, data FROM {} ORDER BY id", self.sql_name());
        let (mut rows, mut there) = (0u32, Counts::default());
        let layout = self.layout;
        let (db, table) = (self.db, &self.table);
        let visited = self
            .db
            .prepare_shadow(&sql)?
            .query(&[], |row| {
                rows = rows.wrapping_add(1);
                if rows.is_multiple_of(INTERRUPT_STRIDE) {
                    db.check_interrupt()?;
                }
                let id = row.column_i64(0);
                let id = NodeId::try_from(id)
                    .map_err(|_| Error::corrupt(format!("{table} row {id}"), "the id is out of range"))?;
                if free_row(row.column_bytes(1)).is_some() {
                    there.free += 1;
                    return Ok(());
                }
                let node = layout.read(id, row.column_bytes(1))?;
                there.linked += u32::from(!node.is_pending());
                there.tombstones += u32::from(node.is_tombstone() && !node.is_pending());
                there.pending += u32::from(node.is_pending() && !node.is_tombstone());
                visit(node)
            })
            .map_err(|error| self.name_table(error));
        self.reads.from_file += u64::from(rows);
        visited?;
        match counted {
            Some(counted) if counted != there => Err(self.miscounted(counted, there)),
            _ => Ok(()),
        }
    }

    /// The error of a table with too few or too many rows. Without it, an answer from the rest would be silently wrong.
    fn miscounted(&self, counted: Counts, there: Counts) -> Error {
        let shown =
            |counts: Counts| format!("{} nodes ({} deleted)", counts.linked + counts.pending, counts.tombstones);
        Error::corrupt(
            &self.table,
            format!("it holds {}, its header counts {}: run the command 'rebuild'", shown(there), shown(counted)),
        )
    }
}

/// An open BLOB of the node table, reused from one row read to the next.
#[derive(Default)]
pub struct BlobHandle {
    blob: Option<Blob>,
    /// Rows that were read and are not in the cache.
    pub missed: MissedRows,
}

/// The node table and a search's handle: what the engine works on.
pub struct Reader<'a> {
    table: &'a mut NodeTable,
    handle: &'a mut BlobHandle,
    cache: Option<&'a Rows>,
    /// The counts that a scan must find.
    counted: Option<Counts>,
}

impl Reader<'_> {
    /// Makes scans fail unless they find as many nodes as the header counts.
    #[must_use]
    pub fn counted(mut self, header: &Header) -> Self {
        self.counted = Some(header.counts());
        self
    }

    pub fn name_table(&self, error: Error) -> Error {
        self.table.name_table(error)
    }

    /// Returns the nodes with the next ids from `first` on, so many that passing them takes `most` rows.
    pub fn rows_from(&mut self, first: NodeId, most: u32) -> Result<Part> {
        self.table.rows_from(first, most)
    }

    /// The bytes of a row; None if there is none.
    pub fn row(&mut self, id: NodeId) -> Result<Option<Vec<u8>>> {
        self.table.row(id)
    }

    /// Moves the handle to a row; opens it if it is closed or has expired.
    #[inline]
    fn load(&mut self, id: NodeId, buffer: &mut Vec<u8>) -> Result<()> {
        self.read(id, |blob| fill(blob, buffer))
    }

    #[inline]
    fn read<T>(&mut self, id: NodeId, mut read: impl FnMut(&Blob) -> Result<T>) -> Result<T> {
        if let Some(blob) = &mut self.handle.blob {
            match blob.reopen(i64::from(id.0)).and_then(|()| read(blob)) {
                Err(Error::Sqlite { code: EXPIRED, .. }) => self.handle.blob = None,
                Err(error) => {
                    self.handle.blob = None;
                    return Err(self.table.missing(id, error));
                }
                Ok(value) => return Ok(value),
            }
        }
        let blob = self.table.open(id).map_err(|error| self.table.missing(id, error))?;
        let value = read(&blob)?;
        self.handle.blob = Some(blob);
        Ok(value)
    }
}

#[inline]
fn fill(blob: &Blob, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.resize(blob.len(), 0);
    blob.read(buffer, 0)
}

impl Reader<'_> {
    /// Prefetches the vector of `id`, but not the rest of its row.
    #[inline]
    pub fn prefetch_vector(&self, id: NodeId) {
        let row = self.cache.and_then(|cache| cache.get(id));
        if let Some(vector) = row.and_then(|row| row.get(..self.table.layout.ids_offset())) {
            prefetch(vector);
        }
    }
}

impl GraphStore for Reader<'_> {
    #[inline]
    fn node<'a>(&'a mut self, id: NodeId, buffer: &'a mut Vec<u8>) -> Result<Node<'a>> {
        if let Some(row) = self.cache.and_then(|cache| cache.get(id)) {
            self.table.reads.cached += 1;
            return self.table.layout.read(id, row).map_err(|error| self.table.name_table(error));
        }
        self.load(id, buffer)?;
        self.table.reads.from_file += 1;
        let node = self.table.layout.read(id, buffer).map_err(|error| self.table.name_table(error))?;
        if self.cache.is_some() && !node.is_pending() {
            self.handle.missed.push(id, node.row());
        }
        Ok(node)
    }

    fn kin(&mut self, id: NodeId) -> Result<Kin> {
        let layout = self.table.layout;
        if self.cache.and_then(|cache| cache.get(id)).is_none() {
            let kin = self.read(id, |blob| {
                if blob.len() != layout.row_bytes() {
                    return Ok(None);
                }
                let (mut head, mut first) = ([0; VECTOR_OFFSET], [0; 4]);
                blob.read(&mut head, 0)?;
                blob.read(&mut first, layout.ids_offset())?;
                Ok(layout.read_kin(&head, first))
            })?;
            if let Some(kin) = kin {
                return Ok(kin);
            }
        }
        self.node(id, &mut Vec::new()).map(|node| node.kin())
    }

    #[inline]
    fn prefetch(&self, id: NodeId) {
        if let Some(row) = self.cache.and_then(|cache| cache.get(id)) {
            prefetch(row);
        }
    }

    fn put_node(&mut self, id: NodeId, row: &[u8]) -> Result<()> {
        self.table.put(id, row)
    }

    fn remove_node(&mut self, id: NodeId) -> Result<()> {
        self.table.remove(id)
    }

    fn scan(&mut self, visit: &mut dyn FnMut(Node<'_>) -> Result<()>) -> Result<()> {
        self.table.scan(self.counted, visit)
    }

    fn check_interrupt(&self) -> Result<()> {
        self.table.db.check_interrupt()
    }
}
