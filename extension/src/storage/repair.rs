//! The first step of the command `rebuild`: makes rows and nodes agree again, as far as they can still be read.
//!
//! A vector is good if its node row has the right length and the vector passes the checks of an INSERT. It belongs to
//! the row that names the node and is named by it; else to the row that the node names; else to a row that names the
//! node. A row without a good vector keeps its other columns and gets NULL for the vector.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::generation::GenerationHasher;
use super::rebuild::set_row_nodes;
use super::vector_column::VectorColumn;
use crate::distance::{check_vector, decode};
use crate::error::{Error, Result};
use crate::format::node::{NodeId, ROWID_OFFSET, RowId, VECTOR_OFFSET};
use crate::hnsw::Params;
use crate::sqlite::Parameter;

/// A node row whose vector is good.
struct Found {
    /// May be out of the range of node ids.
    id: i64,
    /// The row that the node names.
    rowid: RowId,
    /// Whether everything before the links is correct.
    is_sound: bool,
}

/// Makes rows and nodes of a column agree. A rebuild must follow.
pub fn repair(column: &mut VectorColumn) -> Result<()> {
    column.renumber_epoch += 1;
    column.node_cache.mark_renumbered();
    let is_new = match column.refresh() {
        Err(Error::Corrupt { .. }) => {
            column.create_again()?;
            true
        }
        result => result.map(|()| false)?,
    };
    let claims = claims(column)?;
    let mut hasher = GenerationHasher::of(&column.header()?.generation);
    let found = good_nodes(column, &mut hasher)?;
    let owners = owners(&found, &claims);
    settle_nodes(column, &found, &owners)?;
    settle_rows(column, &claims, &owners)?;
    if is_new {
        // A generation must not occur twice, so this one is derived from the vectors.
        let header = column.header()?;
        column.write_header(header, hasher.number(u64::MAX - 4))?;
    }
    Ok(())
}

/// Returns the node that each row names.
fn claims(column: &VectorColumn) -> Result<BTreeMap<RowId, i64>> {
    let (rows, node, rowid) = column.name.rows_table();
    let mut claims = BTreeMap::new();
    let sql = format!("SELECT {rowid}, {node} FROM {rows} WHERE {node} IS NOT NULL");
    column.db.prepare_shadow(&sql)?.query(&[], |row| {
        claims.insert(RowId(row.column_i64(0)), row.column_i64(1));
        Ok(())
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
        let is_sound = node.is_some_and(|n| !n.is_tombstone() && n.inverse_norm().to_bits() == inverse_norm);
        *hasher = hasher.number(id.cast_unsigned()).number(rowid.0.cast_unsigned()).bytes(vector);
        found.push(Found { id, rowid, is_sound });
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
    let by_both = |node: &Found| (claims.get(&node.rowid) == Some(&node.id)).then_some(node.rowid);
    let by_node = |node: &Found| claims.contains_key(&node.rowid).then_some(node.rowid);
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

/// Removes the nodes that belong to no row, and rewrites those that are not sound.
fn settle_nodes(column: &mut VectorColumn, found: &[Found], owners: &HashMap<i64, RowId>) -> Result<()> {
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
    for node in found.iter().filter(|node| is_id(node.id)) {
        let Some(&rowid) = owners.get(&node.id) else { continue };
        if node.is_sound && rowid == node.rowid {
            continue;
        }
        let row = read.query_one(&[Parameter::Integer(node.id)], |row| {
            let vector = salvage(column, row.column_bytes(0)).map(|(_, vector)| vector).unwrap_or_default();
            let mut row = Vec::with_capacity(column.spec.layout.pending_bytes());
            column.spec.layout.write_pending(&mut row, rowid, column.spec.inverse_norm(vector), vector);
            Ok(row)
        })?;
        write.run(&[Parameter::Integer(node.id), Parameter::Blob(&row.unwrap_or_default())])?;
    }
    Ok(())
}

/// Sets the node of each row, or NULL.
fn settle_rows(column: &VectorColumn, claims: &BTreeMap<RowId, i64>, owners: &HashMap<i64, RowId>) -> Result<()> {
    let valid = owners.iter().filter_map(|(&id, &row)| Some((row, NodeId::try_from(id).ok()?)));
    let nodes: HashMap<RowId, NodeId> = valid.collect();
    let is_wrong = |row: &RowId, id: i64| nodes.get(row).is_none_or(|node| i64::from(node.0) != id);
    let wrong = claims.iter().filter(|(row, id)| is_wrong(row, **id));
    set_row_nodes(column, wrong.map(|(row, _)| (*row, nodes.get(row).copied())))
}
