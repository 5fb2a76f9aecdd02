//! The integrity check of one vector column: numbered promises, all problems reported.
//!
//! - 1: the header counts what is there, and every free id and every tombstone is on the list that begins in it.
//! - 2: every node row can be decoded.
//! - 3: every neighbour is a linked node.
//! - 4: no node links to itself or twice to another.
//! - 5: 1/norm, codes and factors are those of the stored vectors.
//! - 6: the entry sample is what its hash rule demands, with the codes of its nodes.
//! - 7: every row with a vector has a live node that names the row, and every live node has such a row.
//! - 8: all live nodes but a few (one in UNREACHED) can be reached from the entry sample. Not checked where squares
//!   overflow or underflow f32: there a search ranks every row. (A tombstone loses all links before it is freed.)
//!
//! Memory: a few bytes per node, and at most ROTATED_BYTES of vectors.

use std::collections::{HashMap, HashSet};

use super::row_nodes::RowNodes;
use super::store::BlobHandle;
use super::vector_column::VectorColumn;
use crate::distance::Metric;
use crate::error::Result;
use crate::format::header::Header;
use crate::format::node::{LANES, Node, NodeId, RowId, free_row};
use crate::hnsw::build::put_lane;
use crate::hnsw::{ColumnSpec, GraphStore, is_sampled};
use crate::quantize::Encoded;

/// The most problems reported: a damaged file may have any number.
const MAX_PROBLEMS: usize = 100;

/// Bytes of rotated vectors that are kept. Near nodes have near ids, so the next nodes share many neighbours.
const ROTATED_BYTES: usize = 64 << 20;

/// At most one linked node in so many may be unreachable: insertion may find no node with room for one more child.
const UNREACHED: usize = 100;

/// The range of 1/norm in which squares neither overflow nor lose digits in f32.
const STEERABLE: std::ops::RangeInclusive<f32> = 1e-15..=1e15;

/// Rows between two checks of the host's interrupt flag.
const INTERRUPT_STRIDE: usize = 64;

/// A node as the first pass found it.
struct Seen {
    rowid: RowId,
    linked: bool,
    live: bool,
}

struct Checker<'a> {
    spec: &'a ColumnSpec,
    nodes: HashMap<NodeId, Seen>,
    /// Nodes whose squared norm leaves the range of f32: their links do not follow distances.
    extreme: usize,
    problems: Vec<String>,
}

/// Rotated vectors by node, p components each: in each slot the one that was asked for last.
struct Rotated {
    slots: Vec<Option<NodeId>>,
    vectors: Vec<f32>,
    buffer: Vec<u8>,
}

impl Rotated {
    /// `nodes`: how many there are; more slots are of no use.
    fn new(spec: &ColumnSpec, nodes: usize) -> Rotated {
        let slots = (ROTATED_BYTES / (4 * spec.padded())).clamp(1, nodes.max(1));
        Rotated { slots: vec![None; slots], vectors: vec![0.0; slots * spec.padded()], buffer: Vec::new() }
    }

    fn get(&mut self, spec: &ColumnSpec, store: &mut impl GraphStore, id: NodeId) -> Result<&[f32]> {
        let slot = id.index() % self.slots.len();
        let vector = &mut self.vectors[slot * spec.padded()..(slot + 1) * spec.padded()];
        if self.slots[slot] != Some(id) {
            self.slots[slot] = None;
            spec.rotate(store.node(id, &mut self.buffer)?.vector(), vector);
            self.slots[slot] = Some(id);
        }
        Ok(vector)
    }
}

/// Returns the promises that do not hold; none for a sound column.
pub fn check(column: &mut VectorColumn, rows: &dyn RowNodes) -> Result<Vec<String>> {
    column.refresh()?;
    let header = column.header()?;
    let mut spec = column.spec.clone();
    // An entry sample that cannot be read is reported below.
    let centre = column.entry_from_file().map(|entry| entry.centre().to_vec());
    spec.set_centre(centre.as_deref().unwrap_or_default());
    let mut checker = Checker { spec: &spec, nodes: HashMap::new(), extreme: 0, problems: Vec::new() };
    checker.first_pass(column)?;
    checker.counts(&header);
    checker.free_ids(column, &header)?;
    checker.tombstones(column, &header)?;
    let is_readable = checker.problems.is_empty() && centre.is_ok();
    let mut rotated = Rotated::new(&spec, checker.nodes.len());
    if is_readable {
        checker.all_links(column, &mut rotated)?;
    }
    let entry = checker.entry_sample(column, &header, &mut rotated)?;
    if is_readable && checker.problems.is_empty() {
        checker.reachability(column, entry)?;
    }
    checker.rows(rows)?;
    Ok(checker.problems)
}

impl Checker<'_> {
    fn report(&mut self, promise: u32, what: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(format!("promise {promise}: {what}"));
        }
    }

    fn first_pass(&mut self, column: &mut VectorColumn) -> Result<()> {
        let spec = self.spec;
        let (nodes, extreme) = (&mut self.nodes, &mut self.extreme);
        let is_extreme = |inverse_norm| spec.params.metric != Metric::Hamming && !STEERABLE.contains(&inverse_norm);
        let mut found = Vec::new();
        let scanned = column.nodes.reader(&mut BlobHandle::default()).scan(&mut |node| {
            if node.inverse_norm().to_bits() != spec.inverse_norm(node.vector()).to_bits() {
                found.push(format!("node {}: 1/norm {} is not that of its vector", node.id, node.inverse_norm()));
            }
            *extreme += usize::from(is_extreme(node.inverse_norm()));
            let (linked, live) = (!node.is_pending(), !node.is_tombstone());
            nodes.insert(node.id, Seen { rowid: node.rowid(), linked, live });
            Ok(())
        });
        if let Err(error) = scanned {
            match error {
                crate::error::Error::Corrupt { .. } => self.report(2, error.to_string()),
                other => return Err(other),
            }
        }
        found.into_iter().for_each(|what| self.report(5, what));
        Ok(())
    }

    fn counts(&mut self, header: &Header) {
        let count = |keep: fn(&Seen) -> bool| self.nodes.values().filter(|node| keep(node)).count() as u32;
        let there = (count(|n| n.linked), count(|n| n.linked && !n.live), count(|n| !n.linked && n.live));
        let counted = (header.linked, header.tombstones, header.pending);
        if there != counted {
            self.report(1, format!("(linked, tombstones, pending) {counted:?} counted, {there:?} there"));
        }
        if let Some(id) = self.nodes.keys().copied().max().filter(|id| id.0 >= header.next_id) {
            self.report(1, format!("node {id} is not below the next id {}", header.next_id));
        }
    }

    /// Promise 1 of the free ids.
    fn free_ids(&mut self, column: &mut VectorColumn, header: &Header) -> Result<()> {
        let sql = format!("SELECT count(*) FROM {}", column.nodes.sql_name());
        let rows = column.db.prepare_shadow(&sql)?.query_one(&[], |row| Ok(row.column_i64(0)))?.unwrap_or(0);
        let there = rows - self.nodes.len() as i64;
        if there != i64::from(header.free) && self.problems.is_empty() {
            self.report(1, format!("{} free ids counted, {there} there", header.free));
        }
        let (mut handle, mut next, mut listed) = (BlobHandle::default(), header.first_free, HashSet::new());
        let mut store = column.nodes.reader(&mut handle);
        while next != NodeId::FREE {
            let row = store.row(next)?.and_then(|row| free_row(&row));
            let Some(after) = row.filter(|_| listed.insert(next)) else {
                self.report(1, format!("id {next} is on the list of free ids and not free, or twice on it"));
                return Ok(());
            };
            next = after;
        }
        if listed.len() != header.free as usize {
            self.report(1, format!("{} free ids counted, {} on their list", header.free, listed.len()));
        }
        Ok(())
    }

    /// Promise 1 of the tombstones.
    fn tombstones(&mut self, column: &mut VectorColumn, header: &Header) -> Result<()> {
        let (mut handle, mut buffer) = (BlobHandle::default(), Vec::new());
        let (mut next, mut last, mut queued) = (header.oldest, NodeId::FREE, HashSet::new());
        let mut store = column.nodes.reader(&mut handle);
        while next != NodeId::FREE {
            let is_one = self.nodes.get(&next).is_some_and(|node| node.linked && !node.live);
            if !is_one || !queued.insert(next) {
                self.report(1, format!("node {next} is queued as deleted and is not, or is queued twice"));
                return Ok(());
            }
            last = next;
            next = store.node(next, &mut buffer)?.other_deleted();
        }
        if last != header.newest {
            self.report(1, format!("the queue of tombstones ends with node {last}, not with node {}", header.newest));
        }
        next = header.last_deleted;
        while next != NodeId::FREE {
            let is_one = self.nodes.get(&next).is_some_and(|node| node.linked && !node.live);
            if !is_one || !queued.insert(next) {
                self.report(1, format!("node {next} is listed as deleted and is not, or is queued too"));
                return Ok(());
            }
            next = store.node(next, &mut buffer)?.other_deleted();
        }
        if queued.len() != header.tombstones as usize {
            self.report(1, format!("{} tombstones counted, {} listed", header.tombstones, queued.len()));
        }
        if header.has_pending() && self.nodes.get(&header.last_pending).is_none_or(|node| node.linked) {
            self.report(1, format!("node {} is listed as pending, and is not", header.last_pending));
        }
        Ok(())
    }

    /// Promises 3, 4 and 5 of all rows.
    fn all_links(&mut self, column: &mut VectorColumn, rotated: &mut Rotated) -> Result<()> {
        let mut handle = BlobHandle::default();
        let mut ids: Vec<NodeId> = self.nodes.iter().filter(|(_, node)| node.linked).map(|(&id, _)| id).collect();
        ids.sort_unstable();
        let mut store = column.nodes.reader(&mut handle);
        let mut buffer = Vec::new();
        for (number, id) in ids.into_iter().enumerate() {
            if number.is_multiple_of(INTERRUPT_STRIDE) {
                store.check_interrupt()?;
            }
            store.node(id, &mut buffer)?;
            let node = self.spec.layout.read(id, &buffer)?;
            self.links(&node, &mut store, rotated)?;
        }
        Ok(())
    }

    /// Promises 3, 4 and 5 of one row.
    fn links(&mut self, node: &Node<'_>, store: &mut impl GraphStore, rotated: &mut Rotated) -> Result<()> {
        let spec = self.spec;
        let own_vector = rotated.get(spec, store, node.id)?.to_vec();
        let mut problems = Vec::new();
        let mut expected = node.row().to_vec();
        let mut encoded = Encoded::default();
        let mut ids: Vec<NodeId> = node.neighbours().collect();
        for (lane, &id) in ids.iter().enumerate() {
            if !self.nodes.get(&id).is_some_and(|other| other.linked) {
                problems.push((3, format!("node {} links to node {id}, which is not linked", node.id)));
                continue;
            }
            let other = rotated.get(spec, store, id)?;
            spec.coder.encode(&own_vector, other, &mut encoded);
            let half_norm = 0.5 * crate::distance::fast_dot(other, other);
            put_lane(spec, &mut expected, lane, id, &encoded, half_norm);
        }
        if let Some(lane) = self.first_difference(node, &expected) {
            let id = node.neighbour(lane);
            problems.push((5, format!("node {}: code or factors of neighbour {id} are not its own", node.id)));
        }
        ids.sort_unstable();
        if ids.contains(&node.id) || ids.windows(2).any(|pair| pair[0] == pair[1]) {
            problems.push((4, format!("node {} links to itself or twice to another", node.id)));
        }
        problems.into_iter().for_each(|(promise, what)| self.report(promise, what));
        Ok(())
    }

    /// Promise 8: follows the links from the nodes of the entry sample.
    fn reachability(&mut self, column: &mut VectorColumn, entry: Vec<NodeId>) -> Result<()> {
        let linked = self.nodes.values().filter(|node| node.linked && node.live).count();
        if self.extreme > linked / UNREACHED {
            return Ok(());
        }
        let mut reached: HashSet<NodeId> = entry.iter().copied().collect();
        let (mut waiting, mut buffer, mut handle) = (entry, Vec::new(), BlobHandle::default());
        let mut store = column.nodes.reader(&mut handle);
        let mut followed = 0usize;
        while let Some(id) = waiting.pop() {
            followed += 1;
            if followed.is_multiple_of(INTERRUPT_STRIDE) {
                store.check_interrupt()?;
            }
            waiting.extend(store.node(id, &mut buffer)?.neighbours().filter(|&id| reached.insert(id)));
        }
        let is_lost = |(id, node): &(&NodeId, &Seen)| node.linked && node.live && !reached.contains(*id);
        let out_of_reach = self.nodes.iter().filter(is_lost).count();
        if out_of_reach > linked / UNREACHED {
            self.report(8, format!("{out_of_reach} of {linked} live nodes are out of reach"));
        }
        Ok(())
    }

    /// The first lane in use whose code or steering factors differ. Stored norms are not compared: builder and
    /// insertion compute them from the rotated and the unrotated vector, which round differently.
    fn first_difference(&self, node: &Node<'_>, expected: &[u8]) -> Option<usize> {
        let layout = &self.spec.layout;
        let row = node.row();
        (0..node.degree()).find(|&lane| {
            let steering = (0..layout.factor_count.min(2)).all(|kind| {
                let offset = layout.factor_offset(kind, lane);
                row[offset..offset + layout.factor_bytes] == expected[offset..offset + layout.factor_bytes]
            });
            let code = layout.codes_offset() + lane / LANES * layout.group_bytes + lane % LANES;
            let same_code = (code..code + layout.group_bytes).step_by(LANES).all(|i| row.get(i) == expected.get(i));
            !(steering && same_code)
        })
    }

    /// Returns the nodes of the entry sample; none if it is not sound.
    fn entry_sample(
        &mut self,
        column: &mut VectorColumn,
        header: &Header,
        rotated: &mut Rotated,
    ) -> Result<Vec<NodeId>> {
        let entry = match column.entry_from_file() {
            Ok(entry) => entry,
            Err(error @ crate::error::Error::Corrupt { .. }) => {
                self.report(6, error.to_string());
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let ids = entry.ids(self.spec);
        let mut got = ids.clone();
        got.sort_unstable();
        let mut expected: Vec<NodeId> = self
            .nodes
            .iter()
            .filter(|&(&id, node)| node.linked && is_sampled(id, header.sampled))
            .map(|(&id, _)| id)
            .collect();
        expected.sort_unstable();
        if got != expected {
            self.report(6, format!("the entry sample has {} nodes where the rule gives {}", got.len(), expected.len()));
            return Ok(Vec::new());
        }
        let mut handle = BlobHandle::default();
        let mut store = column.nodes.reader(&mut handle);
        for (i, &id) in ids.iter().enumerate() {
            let vector = match rotated.get(self.spec, &mut store, id) {
                Ok(vector) => vector,
                // The first pass has reported it.
                Err(crate::error::Error::Corrupt { .. }) => continue,
                Err(error) => return Err(error),
            };
            if !entry.holds(self.spec, i, vector) {
                self.report(6, format!("the entry sample's code of node {id} is not its own"));
                break;
            }
        }
        Ok(ids)
    }

    fn rows(&mut self, rows: &dyn RowNodes) -> Result<()> {
        let mut live: HashMap<i64, RowId> =
            self.nodes.iter().filter(|(_, n)| n.live).map(|(&id, n)| (i64::from(id.0), n.rowid)).collect();
        let mut problems = Vec::new();
        rows.each(&mut |rowid, id| match live.remove(&id) {
            Some(named) if named == rowid => {}
            Some(named) => problems.push(format!("row {rowid} has node {id}, which names row {named}")),
            None => problems.push(format!("row {rowid} has node {id}, which is not there or has another row")),
        })?;
        problems.extend(live.iter().map(|(id, rowid)| format!("node {id} names row {rowid}, which does not have it")));
        problems.sort_unstable();
        problems.into_iter().for_each(|what| self.report(7, what));
        Ok(())
    }
}
