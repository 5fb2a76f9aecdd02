//! The rebuild of a whole column: reads the vectors, builds the graph, and writes every node row in locality order.

use super::generation::GenerationHasher;
use super::page;
use super::progress::Progress;
use super::row_nodes::{Moves, RowNodes};
use super::store::BlobHandle;
use super::vector_column::VectorColumn;
use crate::error::{Error, Result};
use crate::format::header::Header;
use crate::format::node::{NodeId, RowId, RowNode};
use crate::hnsw::GraphStore;
use crate::hnsw::build::{self, Built, Options, RowWriter, Vectors};
use crate::sqlite::{Parameter, quote_identifier};

/// Rows encoded and written at a time.
const BLOCK: usize = 1024;

/// Share of a rebuild's time that the build takes; the rest goes into writing the rows.
const BUILD_SHARE: f64 = 0.88;

/// A live node before the rebuild.
struct Old {
    id: NodeId,
    rowid: RowId,
}

/// What a rebuild does with the rowids.
enum Rowids<'a> {
    Kept,
    /// Kept as well, but after `repair`: the header's counts may be wrong.
    Repaired,
    /// Rows get rowids from 1 in the order of their nodes; rows without a node come last.
    InNodeOrder,
    /// Changed already, by the nodes of another column.
    Moved(&'a Moves),
}

/// Rebuilds the column's graph from its live and pending nodes. Renumbers the nodes, in the rows table too. Returns how
/// many nodes have no row.
pub fn rebuild(column: &mut VectorColumn, rows: &dyn RowNodes) -> Result<u64> {
    Ok(build_anew(column, rows, &Rowids::Kept)?.missing)
}

/// As `rebuild`, after `repair`: the header's counts are not checked.
pub fn rebuild_repaired(column: &mut VectorColumn, rows: &dyn RowNodes) -> Result<u64> {
    Ok(build_anew(column, rows, &Rowids::Repaired)?.missing)
}

/// As `rebuild`, and moves the rows into the order of the nodes, so that near rows share pages.
pub fn cluster(column: &mut VectorColumn, rows: &dyn RowNodes) -> Result<Moves> {
    Ok(build_anew(column, rows, &Rowids::InNodeOrder)?.moves)
}

/// As `rebuild`, after the rows got new rowids by `cluster` of another column.
pub fn rebuild_moved(column: &mut VectorColumn, rows: &dyn RowNodes, moves: &Moves) -> Result<()> {
    build_anew(column, rows, &Rowids::Moved(moves)).map(drop)
}

/// The rows after a rebuild.
struct Rebuilt {
    moves: Moves,
    /// Nodes without a row.
    missing: u64,
}

fn build_anew(column: &mut VectorColumn, rows: &dyn RowNodes, rowids: &Rowids<'_>) -> Result<Rebuilt> {
    let mut header = column.header()?;
    let db = column.db;
    column.renumber_epoch += 1;
    column.node_cache.mark_renumbered();
    let (vectors, mut old) = read_vectors(column, (!matches!(rowids, Rowids::Repaired)).then_some(&header))?;
    let first_id = free_range(column, old.len())?;
    let options = Options { threads: threads(), rows_per_page: rows_per_page(column, first_id.0 + old.len() as u32)? };
    let progress = Progress::start();
    let mut built = build::build(&column.spec, vectors, options, &|share| {
        progress.set(share * BUILD_SHARE);
        db.check_interrupt()
    })?;
    built.first_id = first_id;
    let mut moves = Moves::new();
    match rowids {
        Rowids::Kept | Rowids::Repaired => {}
        Rowids::InNodeOrder => moves = move_rows(rows, &built, &mut old)?,
        Rowids::Moved(moves) => apply_moves(column, moves, &mut old)?,
    }
    write_rows(column, &built, &old, &progress)?;
    drop_old(column, &built)?;
    let missing = renumber_rows(rows, &built, &old)?;

    let entry = RowWriter::new(&built).entry_sample();
    let hasher = GenerationHasher::of(&header.generation).number(old.len() as u64).number(options.rows_per_page as u64);
    let hasher = hasher.number(moves.len() as u64).number(u64::MAX - 3);
    let linked = old.len() as u32;
    header.set_built(linked, built.id_of(linked).0);
    column.write_header(header, hasher)?;
    column.write_entry(entry)?;
    Ok(Rebuilt { moves, missing })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get())
}

/// Gives the rows new rowids in the order of the nodes.
fn move_rows(rows: &dyn RowNodes, built: &Built, old: &mut [Old]) -> Result<Moves> {
    let moves = rows.reorder(built.order.iter().map(|&number| old[number as usize].rowid).collect())?;
    for (&number, rank) in built.order.iter().zip(1..) {
        old[number as usize].rowid = RowId(rank);
    }
    Ok(moves)
}

/// Applies the new rowids that `move_rows` of another column gave.
fn apply_moves(column: &VectorColumn, moves: &Moves, old: &mut [Old]) -> Result<()> {
    for old in old {
        let missing = || {
            let reason = format!("it is that of row {}, which is not there", old.rowid);
            Error::corrupt(format!("{} node {}", column.nodes.name(), old.id), reason)
        };
        let index = moves.binary_search_by_key(&old.rowid, |moved| moved.from).map_err(|_| missing())?;
        old.rowid = moves[index].to;
    }
    Ok(())
}

/// Returns for how many nodes to reserve memory: those that the header counts, but no more than fit the file.
fn expected_nodes(column: &VectorColumn, linked: u32, pending: u32) -> Result<usize> {
    let sql = format!("PRAGMA {}.page_count", quote_identifier(&column.name.schema));
    let pages = column.db.query_one(&sql, &[], |row| Ok(row.column_i64(0)))?.unwrap_or(0);
    let bytes = u64::try_from(pages).unwrap_or(0) * page_size(column)?;
    let most = bytes / column.spec.layout.pending_bytes() as u64;
    Ok((u64::from(linked) + u64::from(pending)).min(most) as usize)
}

fn page_size(column: &VectorColumn) -> Result<u64> {
    let sql = format!("PRAGMA {}.page_size", quote_identifier(&column.name.schema));
    let bytes = column.db.query_one(&sql, &[], |row| Ok(row.column_i64(0)))?.unwrap_or(0);
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Node rows per page of the file; 1 for rows that need overflow pages.
fn rows_per_page(column: &VectorColumn, last_id: u32) -> Result<usize> {
    let (page, row) = (page_size(column)? as usize, column.spec.layout.row_bytes());
    Ok(page::rows_per_page(page, row, last_id).unwrap_or(1))
}

/// Reads the live vectors. `counted`: the header, if its counts must be right.
fn read_vectors(column: &mut VectorColumn, counted: Option<&Header>) -> Result<(Vectors, Vec<Old>)> {
    let expected = counted.map_or(Ok(0), |header| expected_nodes(column, header.linked, header.pending))?;
    // The new graph gets a centre of its own.
    let mut spec = column.spec.clone();
    spec.set_centre(&[]);
    let mut vectors = Vectors::with_capacity(&spec, expected);
    let mut old = Vec::new();
    let mut handle = BlobHandle::default();
    let reader = column.nodes.reader(&mut handle);
    let mut reader = if let Some(header) = counted { reader.counted(header) } else { reader };
    reader.scan(&mut |node| {
        if !node.is_tombstone() {
            vectors.push(&spec, node.vector());
            old.push(Old { id: node.id, rowid: node.rowid() });
        }
        Ok(())
    })?;
    Ok((vectors, old))
}

/// Returns the first of `count` free ids: below the ids in use if there is room, else above them. It does not use the
/// header, because a rebuild is the cure for a wrong one.
fn free_range(column: &VectorColumn, count: usize) -> Result<NodeId> {
    let nodes = column.nodes.sql_name();
    let sql = format!("SELECT (SELECT min(id) FROM {nodes}), (SELECT max(id) FROM {nodes})");
    let ids = column.db.prepare_shadow(&sql)?.query_one(&[], |row| Ok((row.column_i64(0), row.column_i64(1))))?;
    let (lowest, highest) = ids.unwrap_or_default();
    if count == 0 || lowest >= count as i64 {
        return Ok(NodeId(0));
    }
    let first = match highest + 1 + count as i64 {
        end if end <= i64::from(NodeId::FREE.0) => highest + 1,
        _ => free_range_between(column, count)?,
    };
    NodeId::try_from(first)
}

/// As `free_range`, where the highest id leaves no room above it.
fn free_range_between(column: &VectorColumn, count: usize) -> Result<i64> {
    let mut ids = column.db.prepare_shadow(&format!("SELECT id FROM {} ORDER BY id", column.nodes.sql_name()))?;
    let mut first = 0;
    while ids.step()? && ids.column_i64(0) - first < count as i64 {
        first = ids.column_i64(0) + 1;
    }
    if first + count as i64 > i64::from(NodeId::FREE.0) {
        return Err(Error::invalid(format!("{}: too many nodes to rebuild: {count}", column.nodes.name())));
    }
    Ok(first)
}

/// A block of rows to be written.
#[derive(Default)]
struct Block {
    /// Rank of the first row in the new order.
    first: usize,
    rows: Vec<Vec<u8>>,
}

/// Writes the rows block by block. While other threads link one block, this thread, the only one that may call SQLite,
/// writes the block before it and reads the next. The bytes of a row do not depend on the thread that links it.
fn write_rows(column: &mut VectorColumn, built: &Built, old: &[Old], progress: &Progress) -> Result<()> {
    let writer = RowWriter::new(built);
    let layout = column.spec.layout;
    let mut handle = BlobHandle::default();
    let mut store = column.nodes.reader(&mut handle);
    let mut buffer = Vec::new();
    let (mut linking, mut other) = (Block::default(), Block::default());
    let mut numbers = built.order.chunks(BLOCK);
    loop {
        let next = linking.first + linking.rows.len();
        writer.link_rows(linking.first as u32, &mut linking.rows, threads(), || {
            store.check_interrupt()?;
            progress.set(BUILD_SHARE + next as f64 / built.order.len().max(1) as f64 * (1.0 - BUILD_SHARE));
            for (row, number) in other.rows.iter().zip(other.first as u32..) {
                store.put_node(built.id_of(number), row)?;
            }
            let numbers = numbers.next().unwrap_or_default();
            other.first = next;
            other.rows.resize_with(numbers.len(), Vec::new);
            for (row, &number) in other.rows.iter_mut().zip(numbers) {
                let old = &old[number as usize];
                let node = store.node(old.id, &mut buffer)?;
                layout.write_pending(row, old.rowid, node.inverse_norm(), node.vector());
            }
            Ok(())
        })?;
        // In the first round no block is linked, in the last none is read.
        std::mem::swap(&mut linking, &mut other);
        if linking.rows.is_empty() && other.rows.is_empty() {
            return Ok(());
        }
    }
}

fn drop_old(column: &mut VectorColumn, built: &Built) -> Result<()> {
    let sql = format!("DELETE FROM {} WHERE id < ?1 OR id >= ?2", column.nodes.sql_name());
    let first = i64::from(built.first_id.0);
    let last = first + built.order.len() as i64;
    column.db.prepare_shadow(&sql)?.run(&[Parameter::Integer(first), Parameter::Integer(last)])
}

/// Writes the new node ids into the rows table, in the order of the rowids. Returns how many rows are not there.
fn renumber_rows(rows: &dyn RowNodes, built: &Built, old: &[Old]) -> Result<u64> {
    let row_of = |(rank, &number): (u32, &u32)| RowNode { rowid: old[number as usize].rowid, node: built.id_of(rank) };
    let mut new_ids: Vec<RowNode> = (0..).zip(&built.order).map(row_of).collect();
    new_ids.sort_unstable();
    rows.set(&mut new_ids.into_iter().map(|row| (row.rowid, Some(row.node))))
}
