//! One vector column of one table: its node table and its graph row.

use std::sync::Arc;

use super::column_name::ColumnName;
use super::debt::owe;
use super::generation::GenerationHasher;
use super::node_cache::{MissedRows, NodeCache};
use super::node_cache_handle::{CacheSource, NodeCacheHandle};
use super::shadow::{GRAPH, VectorOrdinal};
pub use super::store::NodeReads;
use super::store::{BlobHandle, NodeTable};
use crate::error::{Error, Result, code};
use crate::format::FORMAT_VERSION;
use crate::format::entry::EntryBlob;
use crate::format::header::{Generation, Header};
use crate::format::node::{NodeId, RowId, set_rowid, set_tombstone, write_free_row};
use crate::hnsw::{ColumnSpec, EntrySample, GraphState, GraphStore, Params};
use crate::quantize::bits_for;
use crate::sqlite::{BlobColumn, Connection, Parameter, Statement};

/// The figures that `hnsw_info` shows of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnStats {
    /// Live nodes in the graph.
    pub nodes: u64,
    pub deleted: u64,
    pub pending: u64,
    pub entry_sample: u64,
    pub generation: Generation,
    pub format_version: u32,
    /// Bits per dimension in the codes.
    pub bits: u32,
    pub degree: u32,
}

/// One vector column. Caches the decoded header and entry sample, keyed by the generation.
pub struct VectorColumn {
    pub(super) db: Connection,
    pub(super) name: ColumnName,
    pub(super) spec: ColumnSpec,
    pub(super) nodes: NodeTable,
    /// How often this connection has renumbered the nodes. A suspended search compares it.
    pub(super) renumber_epoch: u64,
    /// How often this connection has linked new nodes, which a suspended search does not know.
    pub(super) link_epoch: u64,
    header: Option<Header>,
    /// Whether this transaction wrote the header.
    pub(super) own_write: bool,
    /// The generation that was read or written last. If the file has another one, somebody else wrote it.
    known: Option<Generation>,
    pub(super) entry: EntrySample,
    /// The generation that `entry` belongs to.
    entry_of: Option<Generation>,
    /// The node rows in memory.
    pub(super) node_cache: NodeCacheHandle,
    read_header: Option<Statement>,
}

impl VectorColumn {
    /// Writes the graph row of an empty column. The shadow tables exist already.
    pub fn create(db: Connection, name: &ColumnName, params: &Params) -> Result<()> {
        let mut header = Header {
            dims: params.dims as u32,
            element: params.element as u8,
            metric: params.metric as u8,
            bits: bits_for(params.element, params.dims),
            degree: params.degree() as u32,
            seed: rotation_seed(name.ordinal),
            linked: 0,
            tombstones: 0,
            pending: 0,
            next_id: 0,
            last_pending: NodeId::FREE,
            last_deleted: NodeId::FREE,
            generation: [0; 16],
            first_free: NodeId::FREE,
            free: 0,
            swept: 0,
            round: 0,
            owed: 0,
            sampled: 0,
            oldest: NodeId::FREE,
            newest: NodeId::FREE,
        };
        // With other parameters, or another release's builder, the same writes give other rows.
        header.generation = GenerationHasher::of(&header.generation)
            .bytes(&header.encode())
            .number(params.m as u64)
            .number(params.ef_construction as u64)
            .bytes(env!("CARGO_PKG_VERSION").as_bytes())
            .finish();
        let sql = format!("INSERT INTO {}(column, header, entry) VALUES (?1, ?2, x'')", name.sql(GRAPH));
        db.prepare_shadow(&sql)?.run(&[Parameter::Integer(name.ordinal.graph_row()), Parameter::Blob(&header.encode())])
    }

    /// Opens a column. It reads nothing.
    pub fn open(db: Connection, name: ColumnName, params: Params) -> VectorColumn {
        let bits = bits_for(params.element, params.dims);
        let spec = ColumnSpec::new(params, rotation_seed(name.ordinal), bits);
        let nodes = NodeTable::new(db, &name.schema, name.node_table(), spec.layout);
        VectorColumn {
            db,
            name,
            spec,
            nodes,
            renumber_epoch: 0,
            link_epoch: 0,
            header: None,
            own_write: false,
            known: None,
            entry: EntrySample::default(),
            entry_of: None,
            node_cache: NodeCacheHandle::default(),
            read_header: None,
        }
    }

    /// Takes the table's new name after ALTER TABLE RENAME.
    pub fn rename(&mut self, table: &str) {
        self.name.table = table.to_string();
        self.nodes = NodeTable::new(self.db, &self.name.schema, self.name.node_table(), self.spec.layout);
        self.read_header = None;
        self.node_cache.invalidate();
        self.forget();
    }

    /// How often the nodes may have got other ids since this object was made.
    pub fn renumberings(&self) -> u64 {
        self.renumber_epoch
    }

    /// Reads the header row. Call it at the start of every statement, because others may have written: other
    /// connections, and this one through another object (when a transaction changes the schema, SQLite makes a new one
    /// per table).
    pub fn refresh(&mut self) -> Result<()> {
        let header = self.load_header()?;
        if self.own_write && self.known != Some(header.generation) {
            // This object does not know which rows the other writer changed.
            self.node_cache.mark_renumbered();
        }
        self.known = Some(header.generation);
        self.header = Some(header);
        Ok(())
    }

    /// Drops the header. Call it whenever writes of this transaction may have been undone; a suspended search may then
    /// know nodes that no longer exist.
    pub fn forget(&mut self) {
        self.header = None;
        self.renumber_epoch += u64::from(self.own_write);
    }

    /// Ends the transaction. Other connections may write from now on.
    pub fn end_transaction(&mut self, committed: bool) {
        let header = self.header.take().filter(|_| committed && self.own_write);
        let source = CacheSource::of(self.db, &self.name, &self.spec.layout);
        self.node_cache.end_write(&source, header);
        self.own_write = false;
    }

    fn load_header(&mut self) -> Result<Header> {
        if self.read_header.is_none() {
            let sql = format!("SELECT header FROM {} WHERE column = ?1", self.name.sql(GRAPH));
            self.read_header = Some(self.db.prepare_shadow(&sql)?);
        }
        let graph_row = self.name.graph_row();
        let ordinal = Parameter::Integer(self.name.ordinal.graph_row());
        let row = match &mut self.read_header {
            Some(statement) => {
                statement.query_one(&[ordinal], |row| Header::decode(row.column_bytes(0), &graph_row))?
            }
            None => None,
        };
        let header = row.ok_or_else(|| Error::corrupt(&graph_row, "the row is missing"))?;
        let params = &self.spec.params;
        let expected = (params.dims as u32, params.element as u8, params.metric as u8, params.degree() as u32);
        let got = (header.dims, header.element, header.metric, header.degree);
        if got != expected || header.bits != self.spec.bits || header.seed != rotation_seed(self.name.ordinal) {
            return Err(Error::corrupt(
                graph_row,
                format!("(dimensions, element, metric, degree) {got:?} where the table was made with {expected:?}"),
            ));
        }
        Ok(header)
    }

    pub(super) fn header(&mut self) -> Result<Header> {
        if self.header.is_none() {
            self.refresh()?;
        }
        self.header.clone().ok_or_else(|| Error::internal("the header was not loaded"))
    }

    /// Writes the header with its next generation; `hasher` covers what changed. A valid entry sample stays valid: a
    /// caller that changes it calls `write_entry`.
    pub(super) fn write_header(&mut self, mut header: Header, hasher: GenerationHasher) -> Result<()> {
        let entry_is_current = self.entry_of == Some(header.generation);
        self.node_cache.begin_write(header.generation);
        header.generation = hasher.finish();
        self.put_header(&header.encode())?;
        self.entry_of = entry_is_current.then_some(header.generation);
        self.known = Some(header.generation);
        self.header = Some(header);
        self.own_write = true;
        Ok(())
    }

    /// Writes the header in place if possible, because the entry sample in the same row takes many pages.
    fn put_header(&mut self, header: &[u8]) -> Result<()> {
        let (table, ordinal) = (self.name.shadow_name(GRAPH), self.name.ordinal.graph_row());
        let column = BlobColumn { schema: &self.name.schema, table: &table, column: "header" };
        match self.db.open_blob_to_write(&column, ordinal) {
            Ok(mut blob) if blob.len() == header.len() => return blob.write(header, 0),
            // There is no BLOB.
            Ok(_) | Err(Error::Sqlite { code: code::ERROR, .. }) => {}
            // The error may have rolled the transaction back: nothing more must be written.
            Err(error) => return Err(error),
        }
        let sql = format!("UPDATE {} SET header = ?2 WHERE column = ?1 RETURNING header IS ?2", self.name.sql(GRAPH));
        self.db.prepare_shadow(&sql)?.run(&[Parameter::Integer(ordinal), Parameter::Blob(header)])
    }

    pub(super) fn write_entry(&mut self, entry: EntrySample) -> Result<()> {
        let sql = format!("UPDATE {} SET entry = ?2 WHERE column = ?1 RETURNING entry IS ?2", self.name.sql(GRAPH));
        let blob = if entry.centre().is_empty() { Vec::new() } else { entry.blob().encode() };
        self.db
            .prepare_shadow(&sql)?
            .run(&[Parameter::Integer(self.name.ordinal.graph_row()), Parameter::Blob(&blob)])?;
        self.entry_of = self.header.as_ref().map(|header| header.generation);
        self.spec.set_centre(entry.centre());
        self.entry = entry;
        Ok(())
    }

    /// Loads the entry sample and the centre of the current generation, if they are not cached.
    pub(super) fn load_entry(&mut self) -> Result<()> {
        let header = self.header()?;
        if self.entry_of != Some(header.generation) {
            self.entry = self.entry_from_file()?;
            self.spec.set_centre(self.entry.centre());
            self.entry_of = Some(header.generation);
        }
        Ok(())
    }

    /// Takes the entry sample of the current generation, to change it. Until it is written or put back there is none.
    pub(super) fn take_entry(&mut self) -> EntrySample {
        self.entry_of = None;
        std::mem::take(&mut self.entry)
    }

    /// Puts back an entry sample that was not changed.
    pub(super) fn put_back(&mut self, entry: EntrySample) {
        self.entry = entry;
        self.entry_of = self.header.as_ref().map(|header| header.generation);
    }

    pub(super) fn entry_from_file(&mut self) -> Result<EntrySample> {
        let header = self.header()?;
        let sql = format!("SELECT entry FROM {} WHERE column = ?1", self.name.sql(GRAPH));
        let graph_row = self.name.graph_row();
        let (dims, group_bytes) = (self.spec.params.dims, self.spec.coder.group_bytes());
        let entry =
            self.db.prepare_shadow(&sql)?.query_one(&[Parameter::Integer(self.name.ordinal.graph_row())], |row| {
                EntryBlob::decode(row.column_bytes(0), dims, group_bytes, header.next_id, &graph_row)
            })?;
        let entry = entry.ok_or_else(|| Error::corrupt(&graph_row, "the row is missing"))?;
        Ok(EntrySample::from_blob(&self.spec, entry))
    }

    pub(super) fn state<'a>(spec: &'a ColumnSpec, entry: &'a EntrySample, header: &Header) -> GraphState<'a> {
        GraphState { spec, entry, linked: header.linked, next_id: header.next_id }
    }

    /// Writes the node row, without links, of a vector that was checked (bytes of the element type). Returns the node's
    /// id, which the caller writes into the rows table.
    pub fn add(&mut self, rowid: RowId, vector: &[u8]) -> Result<NodeId> {
        let expected = self.spec.params.vector_bytes();
        if vector.len() != expected {
            let (column, got) = (self.name.label(), vector.len());
            return Err(Error::internal(format!("{column}: a vector of {got} bytes where {expected} were checked")));
        }
        let mut header = self.header()?;
        let inverse_norm = self.spec.inverse_norm(vector);
        let mut row = Vec::with_capacity(self.spec.layout.pending_bytes());
        self.spec.layout.write_pending(&mut row, rowid, inverse_norm, vector);
        self.spec.layout.set_previous(&mut row, header.last_pending);
        let id = self.take_id(&mut header, &row)?;
        header.pending += 1;
        header.last_pending = id;
        let hasher = GenerationHasher::of(&header.generation).bytes(&row).number(u64::from(id.0));
        self.write_header(header, hasher)?;
        Ok(id)
    }

    /// Writes a row under a free id, or else under a new one. Returns the id.
    fn take_id(&mut self, header: &mut Header, row: &[u8]) -> Result<NodeId> {
        let free = header.first_free;
        if free != NodeId::FREE {
            header.first_free = self.nodes.reuse(free, row)?;
            header.free = header.free.saturating_sub(1);
            self.node_cache.mark_dirty(free);
            return Ok(free);
        }
        let id = NodeId(header.next_id);
        if id == NodeId::FREE {
            return Err(Error::invalid(format!("{}: full: rebuild it to reclaim the ids", self.name.label())));
        }
        self.nodes.add(id, row)?;
        header.next_id += 1;
        Ok(id)
    }

    /// Takes the row of a pending node back: the last one at once, another one when the nodes are linked.
    fn withdraw(&mut self, header: &mut Header, (id, previous): (NodeId, NodeId), mut row: Vec<u8>) -> Result<()> {
        let mut handle = BlobHandle::default();
        let mut store = self.nodes.reader(&mut handle);
        if header.last_pending != id {
            set_tombstone(&mut row, NodeId::FREE);
            return store.put_node(id, &row);
        }
        header.last_pending = previous;
        if id.0.checked_add(1) == Some(header.next_id) {
            header.next_id = id.0;
            return store.remove_node(id);
        }
        let free = write_free_row(std::mem::replace(&mut header.first_free, id));
        header.free += 1;
        store.put_node(id, &free)
    }

    /// Deletes the node of a row. A linked node becomes a tombstone, a pending one is removed.
    pub fn remove(&mut self, id: NodeId, rowid: RowId) -> Result<()> {
        let mut header = self.header()?;
        let mut buffer = Vec::new();
        let mut handle = BlobHandle::default();
        let mut store = self.nodes.reader(&mut handle);
        let node = store.node(id, &mut buffer)?;
        self.name.check_owner(&node, rowid)?;
        let miscounted = || Error::corrupt(self.name.graph_row(), format!("it does not count node {id}"));
        let (mut row, is_pending, previous) = (node.row().to_vec(), node.is_pending(), node.previous_pending());
        if is_pending {
            header.pending = header.pending.checked_sub(1).ok_or_else(miscounted)?;
            self.withdraw(&mut header, (id, previous), row)?;
        } else {
            header.tombstones += 1;
            if header.tombstones > header.linked {
                return Err(miscounted());
            }
            set_tombstone(&mut row, header.last_deleted);
            header.last_deleted = id;
            owe(&mut header);
            store.put_node(id, &row)?;
        }
        self.node_cache.mark_dirty(id);
        let hasher = GenerationHasher::of(&header.generation).number(u64::from(id.0)).number(u64::MAX);
        self.write_header(header, hasher)
    }

    /// Moves the node of the row `from` to the row `rowid`.
    pub fn set_rowid(&mut self, id: NodeId, from: RowId, rowid: RowId) -> Result<()> {
        let header = self.header()?;
        let mut buffer = Vec::new();
        let mut handle = BlobHandle::default();
        let mut store = self.nodes.reader(&mut handle);
        let node = store.node(id, &mut buffer)?;
        self.name.check_owner(&node, from)?;
        let mut row = node.row().to_vec();
        set_rowid(&mut row, rowid);
        store.put_node(id, &row)?;
        self.node_cache.mark_dirty(id);
        let hasher = GenerationHasher::of(&header.generation).number(u64::from(id.0)).number(rowid.0.cast_unsigned());
        self.write_header(header, hasher)
    }

    /// Returns the stored bytes of a row's vector, as the user gave them.
    pub fn vector(&mut self, id: NodeId, rowid: RowId) -> Result<Vec<u8>> {
        let mut buffer = Vec::new();
        let mut handle = BlobHandle::default();
        let mut store = self.nodes.reader(&mut handle);
        let node = store.node(id, &mut buffer)?;
        self.name.check_owner(&node, rowid)?;
        Ok(node.vector().to_vec())
    }

    /// Removes every node.
    pub fn clear(&mut self) -> Result<()> {
        let mut header = self.header()?;
        self.db.prepare_shadow(&format!("DELETE FROM {}", self.nodes.sql_name()))?.run(&[])?;
        self.renumber_epoch += 1;
        self.node_cache.mark_renumbered();
        let hasher = GenerationHasher::of(&header.generation).number(u64::from(header.next_id)).number(u64::MAX - 1);
        header.set_built(0, 0);
        self.write_header(header, hasher)?;
        self.write_entry(EntrySample::default())
    }

    /// Replaces a graph row that cannot be read by that of an empty column.
    pub(super) fn create_again(&mut self) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE column = ?1", self.name.sql(GRAPH));
        self.db.prepare_shadow(&sql)?.run(&[Parameter::Integer(self.name.ordinal.graph_row())])?;
        VectorColumn::create(self.db, &self.name, &self.spec.params)?;
        self.refresh()
    }

    /// Drops the cache of node rows: after the setting `node_cache` changed.
    pub fn drop_cache(&mut self) {
        self.node_cache.invalidate();
    }

    /// The cache of the committed generation `header`, from its second search on; None in a transaction that has
    /// written.
    pub(super) fn cache_of(&mut self, header: &Header) -> Result<Option<Arc<NodeCache>>> {
        if self.own_write {
            return Ok(None);
        }
        let source = CacheSource::of(self.db, &self.name, &self.spec.layout);
        self.node_cache.cache_of(&source, header)
    }

    /// The cache of `cache_of`, if an earlier search has made it.
    pub(super) fn known_cache(&mut self) -> Result<Option<Arc<NodeCache>>> {
        let generation = self.header()?.generation;
        Ok(self.node_cache.known(generation).filter(|_| !self.own_write))
    }

    /// Whether earlier searches of this generation have made a cache.
    pub fn has_node_cache(&mut self) -> Result<bool> {
        Ok(self.known_cache()?.is_some())
    }

    /// Keeps rows that linking read and did not write, for the next transaction.
    pub(super) fn keep_linked(&mut self, missed: MissedRows, next_id: u32) -> Result<()> {
        let source = CacheSource::of(self.db, &self.name, &self.spec.layout);
        self.node_cache.keep_linked(&source, missed, next_id)
    }

    /// The node rows read so far.
    pub fn reads(&self) -> NodeReads {
        self.nodes.reads
    }

    /// Returns the figures for `hnsw_info`.
    pub fn stats(&mut self) -> Result<ColumnStats> {
        self.refresh()?;
        self.load_entry()?;
        let header = self.header()?;
        Ok(ColumnStats {
            nodes: u64::from(header.linked - header.tombstones),
            deleted: u64::from(header.tombstones),
            pending: u64::from(header.pending),
            entry_sample: self.entry.len() as u64,
            generation: header.generation,
            format_version: FORMAT_VERSION,
            bits: u32::from(header.bits),
            degree: header.degree,
        })
    }
}

/// The seed of a column's rotation: fixed, so that the same rows give the same bytes, and different for each column.
fn rotation_seed(ordinal: VectorOrdinal) -> u64 {
    0x5645_4352_414e_4b00 + ordinal.0 as u64
}
