//! The first step of the command `rebuild`: makes rows and nodes agree again, as far as they can still be read.
//!
//! A vector is good if its node row has the right length and the vector passes the checks of an INSERT. It belongs to
//! the row that names the node and is named by it; else to the row that the node names; else to a row that names the
//! node. A row without a good vector keeps its other columns and gets NULL for the vector.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::generation::GenerationHasher;
use super::row_nodes::RowNodes;
use super::vector_column::VectorColumn;
use crate::distance::{check_vector, decode};
use crate::error::{Error, Result};
use crate::format::node::{Node, NodeId, ROWID_OFFSET, RowId, VECTOR_OFFSET, is_marked_deleted};
use crate::hnsw::Params;
use crate::sqlite::Parameter;

/// A node row whose vector is good.
struct Found {
    /// May be out of the range of node ids.
    id: i64,
    /// The row that the node names; None if it is marked deleted.
    rowid: Option<RowId>,
    /// Whether everything before the links is correct, and there are links.
    is_sound: bool,
}

/// Makes rows and nodes of a column agree. A rebuild must follow.
pub fn repair(column: &mut VectorColumn, rows: &dyn RowNodes) -> Result<()> {
    column.renumber_epoch += 1;
    column.node_cache.mark_renumbered();
    let is_new = match column.refresh() {
        Err(Error::Corrupt { .. }) => {
            column.create_again()?;
            true
        }
        result => result.map(|()| false)?,
    };
    let claims = claims(rows)?;
    let mut hasher = GenerationHasher::of(&column.header()?.generation);
    let found = good_nodes(column, &mut hasher)?;
    let owners = owners(&found, &claims);
    let settled = settle_nodes(column, &found, &owners)?;
    settle_rows(rows, &claims, &owners)?;
    let mut header = column.header()?;
    if !is_new {
        hasher = GenerationHasher::of(&header.generation);
    }
    header.set_built(settled.linked, settled.next_id);
    (header.pending, header.last_pending) = (settled.pending, settled.last_pending);
    // A generation must not occur twice. One of a new graph row is derived from the vectors.
    column.write_header(header, hasher.number(u64::MAX - 4))
}

/// What a graph row must say of the nodes that are left.
struct Settled {
    linked: u32,
    pending: u32,
    last_pending: NodeId,
    next_id: u32,
}

/// Returns the node that each row names.
fn claims(rows: &dyn RowNodes) -> Result<BTreeMap<RowId, i64>> {
    let mut claims = BTreeMap::new();
    rows.each(&mut |rowid, node| {
        claims.insert(rowid, node);
    })?;
    Ok(claims)
}

fn good_nodes(column: &mut VectorColumn, hasher: &mut GenerationHasher) -> Result<Vec<Found>> {
    let sql = format!("SELECT id, data FROM {} ORDER BY id", column.nodes.sql_name());
    let (db, layout) = (column.db, column.spec.layout);
    let mut found = Vec::new();
    db.prepare_shadow(&sql)?.query(&[], |row| {
        db.check_interrupt()?;
        let (id, bytes) = (row.column_i64(0), row.column_bytes(1));
        let Some((rowid, vector)) = salvage(column, bytes) else { return Ok(()) };
        let node = NodeId::try_from(id).ok().and_then(|id| layout.read(id, bytes).ok());
        let inverse_norm = column.spec.inverse_norm(vector).to_bits();
        let is_linked = |n: &Node<'_>| !n.is_tombstone() && !n.is_pending();
        let is_sound = node.is_some_and(|n| is_linked(&n) && n.inverse_norm().to_bits() == inverse_norm);
        *hasher = hasher.number(id.cast_unsigned()).number(rowid.0.cast_unsigned()).bytes(vector);
        found.push(Found { id, rowid: (!is_marked_deleted(bytes)).then_some(rowid), is_sound });
        Ok(())
    })?;
    Ok(found)
}

/// Returns rowid and vector of a node row, if the vector is good.
fn salvage<'a>(column: &VectorColumn, bytes: &'a [u8]) -> Option<(RowId, &'a [u8])> {
    let layout = &column.spec.layout;
    if ![layout.row_bytes(), layout.pending_bytes()].contains(&bytes.len()) {
        return None;
    }
    let rowid = bytes.get(ROWID_OFFSET..)?.first_chunk::<8>()?;
    let vector = bytes.get(VECTOR_OFFSET..VECTOR_OFFSET + layout.vector_bytes)?;
    let Params { element, metric, .. } = column.spec.params;
    check_vector(&decode(vector, element), metric).ok()?;
    Some((RowId(i64::from_le_bytes(*rowid)), vector))
}

/// Returns the row that each good node belongs to.
fn owners(found: &[Found], claims: &BTreeMap<RowId, i64>) -> HashMap<i64, RowId> {
    let mut claimants: HashMap<i64, Vec<RowId>> = HashMap::new();
    claims.iter().for_each(|(&rowid, &id)| claimants.entry(id).or_default().push(rowid));
    let (mut owners, mut served) = (HashMap::new(), HashSet::new());
    let by_both = |node: &Found| node.rowid.filter(|rowid| claims.get(rowid) == Some(&node.id));
    let by_node = |node: &Found| node.rowid.filter(|rowid| claims.contains_key(rowid));
    for owner in [&by_both as &dyn Fn(&Found) -> Option<RowId>, &by_node] {
        for node in found.iter().filter(|node| node.id >= 0 || claimants.contains_key(&node.id)) {
            if let Some(rowid) = owner(node).filter(|rowid| !served.contains(rowid) && !owners.contains_key(&node.id)) {
                served.insert(rowid);
                owners.insert(node.id, rowid);
            }
        }
    }
    for node in found {
        let rowid = claimants.get(&node.id).and_then(|rows| rows.iter().find(|rowid| !served.contains(*rowid)));
        if let Some(&rowid) = rowid.filter(|_| !owners.contains_key(&node.id)) {
            served.insert(rowid);
            owners.insert(node.id, rowid);
        }
    }
    owners
}

/// Removes the nodes that belong to no row, and rewrites those that are not sound, as pending nodes.
fn settle_nodes(column: &mut VectorColumn, found: &[Found], owners: &HashMap<i64, RowId>) -> Result<Settled> {
    let (db, nodes) = (column.db, column.nodes.sql_name());
    let mut all = Vec::new();
    db.prepare_shadow(&format!("SELECT id FROM {nodes}"))?.query(&[], |row| {
        all.push(row.column_i64(0));
        Ok(())
    })?;
    let mut remove = db.prepare_shadow(&format!("DELETE FROM {nodes} WHERE id = ?1"))?;
    let is_id = |id: i64| NodeId::try_from(id).is_ok();
    for id in all.into_iter().filter(|id| !owners.contains_key(id) || !is_id(*id)) {
        remove.run(&[Parameter::Integer(id)])?;
    }
    let mut read = db.prepare_shadow(&format!("SELECT data FROM {nodes} WHERE id = ?1"))?;
    let mut write = db.prepare_shadow(&format!("UPDATE {nodes} SET data = ?2 WHERE id = ?1 RETURNING data IS ?2"))?;
    let mut settled = Settled { linked: 0, pending: 0, last_pending: NodeId::FREE, next_id: 0 };
    for node in found {
        let (Some(&rowid), Ok(id)) = (owners.get(&node.id), NodeId::try_from(node.id)) else { continue };
        settled.next_id = settled.next_id.max(id.0.saturating_add(1));
        if node.is_sound && node.rowid == Some(rowid) {
            settled.linked += 1;
            continue;
        }
        settled.pending += 1;
        let previous = std::mem::replace(&mut settled.last_pending, id);
        let row = read.query_one(&[Parameter::Integer(node.id)], |row| {
            let vector = salvage(column, row.column_bytes(0)).map(|(_, vector)| vector).unwrap_or_default();
            let mut row = Vec::with_capacity(column.spec.layout.pending_bytes());
            column.spec.layout.write_pending(&mut row, rowid, column.spec.inverse_norm(vector), vector);
            column.spec.layout.set_previous(&mut row, previous);
            Ok(row)
        })?;
        write.run(&[Parameter::Integer(node.id), Parameter::Blob(&row.unwrap_or_default())])?;
    }
    Ok(settled)
}

/// Sets the node of each row, or NULL.
fn settle_rows(rows: &dyn RowNodes, claims: &BTreeMap<RowId, i64>, owners: &HashMap<i64, RowId>) -> Result<()> {
    let valid = owners.iter().filter_map(|(&id, &row)| Some((row, NodeId::try_from(id).ok()?)));
    let nodes: HashMap<RowId, NodeId> = valid.collect();
    let is_wrong = |row: &RowId, id: i64| nodes.get(row).is_none_or(|node| i64::from(node.0) != id);
    let wrong = claims.iter().filter(|(row, id)| is_wrong(row, **id));
    rows.set(&mut wrong.map(|(row, _)| (*row, nodes.get(row).copied()))).map(drop)
}
