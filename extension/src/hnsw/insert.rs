//! Insertion of single nodes, as in HNSW: search, select, link both ways.

use std::borrow::Cow;
use std::collections::HashMap;

use super::build::put_lane;
use super::geometry::Point;
use super::search::{GraphState, Traversal};
use super::select::{Candidate, Limits, select_neighbours};
use super::{GraphStore, Query, Space};
use crate::distance::decode;
use crate::error::{Error, Result};
use crate::format::node::{Node, NodeId, copy_lane, set_degree};
use crate::quantize::Encoded;

/// A list shortened by the heuristic is filled up to this share of its places with the nearest that it shut out.
const FILL: (usize, usize) = (3, 4);

/// Rows that an insertion's search reads, as a share of `ef_construction`: what HNSW expands with so wide a window is more,
/// but recall is that of a bulk build from 0.6 on.
const READ_SHARE: f64 = 0.75;

/// The nodes that an insertion's search came upon.
struct Surroundings {
    points: Vec<Point>,
    /// Places in `points`: most neighbours of a neighbour are among them.
    places: HashMap<NodeId, usize>,
    /// Nearest first, by place in `points`; of equal vectors those that can take another one come first.
    candidates: Vec<Candidate<usize>>,
}

/// A new node on its way into a neighbour's list.
struct Arrival<'a> {
    point: &'a Point,
    /// Its code about the neighbour.
    encoded: &'a Encoded,
    /// Nobody else links to it yet: it is taken in even if the heuristic would not.
    must: bool,
}

/// Links the pending node `id` into the graph: rewrites its row and those of its new neighbours.
///
/// `graph` is the state without the node, but with `next_id` above `id`.
pub fn insert(graph: GraphState<'_>, store: &mut impl GraphStore, id: NodeId) -> Result<()> {
    let space = graph.space;
    let mut buffer = Vec::new();
    let node = store.node(id, &mut buffer)?;
    if !node.is_pending() {
        return Err(Error::corrupt(format!("node {id}"), "expected a pending row, got a linked one"));
    }
    let own = Point::new(space, id, node.vector(), node.inverse_norm());
    let query = Query::for_linking(space, &decode(node.vector(), space.params.element));
    let rotated = query.rotated.clone();
    let mut row = Vec::with_capacity(space.layout.row_bytes());
    space.layout.write_pending(&mut row, node.rowid(), node.inverse_norm(), node.vector());
    space.layout.make_linked(&mut row);

    let found = surroundings(graph, store, query, &own)?;
    let between = |a: usize, b: usize| found.points[a].distance(&found.points[b]);
    let mut kept = Vec::new();
    select_neighbours(&found.candidates, Limits::forward(space.params.m), between, &mut kept);

    let mut encoded = Encoded::default();
    let mut other = vec![0f32; space.padded()];
    let mut linked_back = false;
    for (lane, neighbour) in kept.iter().enumerate() {
        let point = &found.points[neighbour.id];
        let node = store.node(point.id, &mut buffer)?;
        space.rotate(node.vector(), &mut other);
        space.coder.encode(&rotated, &other, &mut encoded);
        put_lane(space, &mut row, lane, point.id, &encoded, point.half_norm);
        space.coder.encode(&other, &rotated, &mut encoded);
        let must = lane + 1 == kept.len() && !linked_back;
        let arrival = Arrival { point: &own, encoded: &encoded, must };
        linked_back |= link_back(space, store, &found, neighbour.id, &arrival)?;
    }
    set_degree(&mut row, kept.len() as u16);
    store.put_node(id, &row)
}

/// Searches until three quarters of `ef_construction` rows are read, and on until an equal vector with room for a link is found if there
/// are equal vectors at all.
fn surroundings(graph: GraphState<'_>, store: &mut impl GraphStore, query: Query, own: &Point) -> Result<Surroundings> {
    let space = graph.space;
    let ef = space.params.ef_construction.max(space.params.m);
    let rows = (READ_SHARE * ef as f64) as usize;
    let mut traversal = Traversal::new(space, graph.entry, query, graph.next_id);
    let (mut points, mut candidates, mut has_room) = (Vec::new(), Vec::new(), Vec::new());
    let (mut twins, mut open_twins) = (0, 0);
    while traversal.best().is_some() {
        if traversal.expanded >= rows && (twins == 0 || open_twins > 0) {
            break;
        }
        traversal.expand(space, store, |node, _| {
            if node.is_tombstone() {
                return;
            }
            let point = Point::new(space, node.id, node.vector(), node.inverse_norm());
            let distance = own.distance(&point);
            let room = distance > 0.0 || twin_lanes(space, node) < space.params.degree() / 2;
            twins += usize::from(distance == 0.0);
            open_twins += usize::from(distance == 0.0 && room);
            candidates.push(Candidate { distance, id: points.len() });
            has_room.push(room);
            points.push(point);
        })?;
    }
    candidates.sort_by(|a: &Candidate<usize>, b: &Candidate<usize>| {
        let by_room = has_room[b.id].cmp(&has_room[a.id]);
        a.distance.total_cmp(&b.distance).then(by_room).then(points[b.id].id.cmp(&points[a.id].id))
    });
    candidates.truncate(ef);
    let places = points.iter().enumerate().map(|(place, point): (usize, &Point)| (point.id, place)).collect();
    Ok(Surroundings { points, places, candidates })
}

/// Links of a node to vectors equal to its own: their factors are zero.
fn twin_lanes(space: &Space, node: &Node<'_>) -> usize {
    let width = space.layout.factor_bytes;
    node.factors.chunks_exact(width).take(node.degree()).filter(|factor| factor.iter().all(|&byte| byte == 0)).count()
}

/// Puts a new node into the list of the neighbour at a place of `found`; gives whether it is there now.
fn link_back(
    space: &Space,
    store: &mut impl GraphStore,
    found: &Surroundings,
    neighbour: usize,
    arrival: &Arrival<'_>,
) -> Result<bool> {
    let neighbour = &found.points[neighbour];
    let mut buffer = Vec::new();
    let node = store.node(neighbour.id, &mut buffer)?;
    let degree = node.degree();
    let mut row = node.row().to_vec();
    if degree < space.layout.degree {
        put_lane(space, &mut row, degree, arrival.point.id, arrival.encoded, arrival.point.half_norm);
        set_degree(&mut row, degree as u16 + 1);
        store.put_node(neighbour.id, &row)?;
        return Ok(true);
    }
    let ids: Vec<NodeId> = node.neighbours().collect();
    let mut points = Vec::with_capacity(degree + 1);
    for &id in &ids {
        points.push(match found.places.get(&id) {
            Some(&place) => Cow::Borrowed(&found.points[place]),
            None => {
                let node = store.node(id, &mut buffer)?;
                Cow::Owned(Point::new(space, id, node.vector(), node.inverse_norm()))
            }
        });
    }
    points.push(Cow::Borrowed(arrival.point));
    let lanes = prune(neighbour, &points, space.layout.degree, arrival.must);
    if !lanes.contains(&degree) {
        return Ok(false);
    }
    let old = row.clone();
    for (lane, &from) in lanes.iter().enumerate() {
        if from == degree {
            put_lane(space, &mut row, lane, arrival.point.id, arrival.encoded, arrival.point.half_norm);
        } else {
            copy_lane(&space.layout, &old, from, &mut row, lane);
        }
    }
    set_degree(&mut row, lanes.len() as u16);
    store.put_node(neighbour.id, &row)?;
    Ok(true)
}

/// The places in `points` (the last of them is new) that stay in the list of `own`.
fn prune(own: &Point, points: &[Cow<'_, Point>], degree: usize, must: bool) -> Vec<usize> {
    let mut candidates: Vec<Candidate<usize>> =
        points.iter().enumerate().map(|(i, point)| Candidate { distance: own.distance(point), id: i }).collect();
    candidates.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
    let mut kept = Vec::new();
    select_neighbours(&candidates, Limits::pruned(degree), |a, b| points[a].distance(&points[b]), &mut kept);
    let mut lanes: Vec<usize> = kept.iter().map(|c| c.id).collect();
    for candidate in &candidates {
        if lanes.len() >= degree * FILL.0 / FILL.1 {
            break;
        }
        if candidate.distance > 0.0 && !lanes.contains(&candidate.id) {
            lanes.push(candidate.id);
        }
    }
    let new = points.len() - 1;
    if must && !lanes.contains(&new) {
        lanes.truncate(degree - 1);
        lanes.push(new);
    }
    lanes
}
