//! Insertion of single nodes, as in HNSW: search, select, link both ways.
//!
//! Where norms or densities differ much, HNSW's pruning cuts the last link to many nodes. So the first link of a node
//! leads to its parent, and a parent never drops the link to a child. The tree of these links keeps every node
//! reachable.

use std::borrow::Cow;
use std::collections::HashMap;

use super::build::put_lane;
use super::geometry::{Geometry, Point};
use super::select::{Candidate, Limits, add, by_product, prune, select_neighbours};
use super::traversal::{GraphState, Traversal};
use super::{ColumnSpec, GraphStore, Query};
use crate::distance::{Metric, decode, fast_dot};
use crate::error::{Error, Result};
use crate::format::node::{LANES, Node, NodeId, copy_lane, set_degree};
use crate::quantize::Encoded;

/// Rows that the search of an insertion reads, as a share of `ef_construction`. HNSW reads more with such a window, but
/// from 0.6 on recall is that of a bulk build.
const READ_SHARE: f64 = 0.75;

/// Points by their indexes.
struct Points<'p> {
    points: Vec<Cow<'p, Point>>,
    ranks_products: bool,
}

impl Geometry<usize> for Points<'_> {
    fn ranks_products(&self) -> bool {
        self.ranks_products
    }

    fn distance(&self, a: usize, b: usize) -> f32 {
        self.points[a].distance(&self.points[b])
    }

    fn product(&self, a: usize, b: usize) -> f32 {
        self.points[a].product(&self.points[b])
    }
}

/// The index of the point that is linked.
const OWN: usize = 0;

/// The nodes that the searches of an insertion have read.
struct SearchedNodes {
    /// The new node is the first.
    points: Points<'static>,
    /// Indexes in `points` by node. Most neighbours of a neighbour are among them.
    indexes: HashMap<NodeId, usize>,
    /// By index in `points`.
    candidates: Vec<Candidate<usize>>,
    /// Whether the node at an index can take a link: its list may be full of links to equal vectors.
    has_room: Vec<bool>,
    duplicates: usize,
    open_duplicates: usize,
}

/// The new node, while it is linked.
struct NewNode<'a> {
    point: &'a Point,
    /// Its vector in the graph's space.
    rotated: Vec<f32>,
    /// Its row.
    row: Vec<u8>,
    /// The nodes that its row links to.
    links: Vec<NodeId>,
}

/// Links the pending node `id` into the graph. Rewrites its row and those of its new neighbours.
///
/// `graph` is the state without the node, but with `next_id` above `id`.
pub fn insert(graph: GraphState<'_>, store: &mut impl GraphStore, id: NodeId) -> Result<()> {
    let spec = graph.spec;
    let mut buffer = Vec::new();
    let node = store.node(id, &mut buffer)?;
    if !node.is_pending() {
        return Err(Error::corrupt(format!("node {id}"), "expected a pending row, got a linked one"));
    }
    let own = Point::new(spec, &node);
    let mut row = Vec::with_capacity(spec.layout.row_bytes());
    spec.layout.write_pending(&mut row, node.rowid(), node.inverse_norm(), node.vector());
    spec.layout.make_linked(&mut row);
    let components = decode(node.vector(), spec.params.element);
    let query = Query::for_linking(spec, &components);
    let mut new_node = NewNode { point: &own, rotated: query.rotated.clone(), row, links: Vec::new() };

    let mut found = SearchedNodes::of(spec, &own);
    let mut traversal = found.search(graph, store, query, true)?;
    if found.points.ranks_products {
        found.search(graph, store, Query::new(spec, &components), false)?;
    }
    let kept = found.choose(spec);
    let mut parent = None;
    for neighbour in &kept {
        let id = found.points.points[neighbour.id].id;
        let code = new_node.link(spec, store, id)?;
        let is_child = link_back(spec, store, &found, neighbour.id, (&new_node, &code))?;
        parent = parent.or(is_child.then_some(id));
    }
    // This ends, because a node without children always has room for one.
    let mut asked = 0;
    while parent.is_none() {
        if let Some(&candidate) = found.candidates.get(asked) {
            parent = force_back(spec, store, &found, candidate.id, &mut new_node)?;
            asked += 1;
        } else if traversal.best().is_some() {
            traversal.expand(spec, store, |node, _| found.take(spec, node))?;
        } else {
            break;
        }
    }
    new_node.put_first(spec, parent);
    set_degree(&mut new_node.row, new_node.links.len() as u16);
    store.put_node(id, &new_node.row)
}

impl SearchedNodes {
    fn of(spec: &ColumnSpec, own: &Point) -> SearchedNodes {
        let ranks_products = spec.params.metric == Metric::Dot;
        SearchedNodes {
            points: Points { points: vec![Cow::Owned(own.clone())], ranks_products },
            indexes: HashMap::new(),
            candidates: Vec::new(),
            has_room: vec![false],
            duplicates: 0,
            open_duplicates: 0,
        }
    }

    /// Searches until three quarters of `ef_construction` rows are read. With `for_duplicate`, and if equal vectors
    /// were found, it continues until one of them has room for a link. Returns the traversal, which can continue.
    fn search(
        &mut self,
        graph: GraphState<'_>,
        store: &mut impl GraphStore,
        query: Query,
        for_duplicate: bool,
    ) -> Result<Traversal> {
        let rows = (READ_SHARE * window(graph.spec) as f64) as usize;
        let mut traversal = Traversal::new(graph, query, rows);
        while traversal.best().is_some() {
            let lacks_room = for_duplicate && self.duplicates > 0 && self.open_duplicates == 0;
            if traversal.expanded >= rows && !lacks_room {
                break;
            }
            traversal.expand(graph.spec, store, |node, _| self.take(graph.spec, node))?;
        }
        Ok(traversal)
    }

    fn take(&mut self, spec: &ColumnSpec, node: &Node<'_>) {
        if node.is_tombstone() || self.indexes.contains_key(&node.id) {
            return;
        }
        let index = self.points.points.len();
        self.points.points.push(Cow::Owned(Point::new(spec, node)));
        self.indexes.insert(node.id, index);
        let distance = self.points.distance(OWN, index);
        let has_room = distance > 0.0 || duplicate_lanes(spec, node) < spec.params.degree() / 2;
        self.duplicates += usize::from(distance == 0.0);
        self.open_duplicates += usize::from(distance == 0.0 && has_room);
        self.candidates.push(Candidate { distance, id: index });
        self.has_room.push(has_room);
    }

    /// Chooses the links of the new node, nearest first: up to m by distance, and under `dot` up to m by product.
    fn choose(&mut self, spec: &ColumnSpec) -> Vec<Candidate<usize>> {
        let SearchedNodes { points, candidates, has_room, .. } = self;
        candidates.sort_by(|a, b| {
            let by_room = has_room[b.id].cmp(&has_room[a.id]);
            let by_id = points.points[b.id].id.cmp(&points.points[a.id].id);
            a.distance.total_cmp(&b.distance).then(by_room).then(by_id)
        });
        let (m, window) = (spec.params.m, window(spec));
        let mut kept = Vec::new();
        let nearest = &candidates[..candidates.len().min(window)];
        select_neighbours(nearest, Limits::forward(m), |a, b| points.distance(a, b), &mut kept);
        if points.ranks_products {
            let mut products = by_product(OWN, candidates, points);
            products.truncate(window);
            let mut chosen = Vec::new();
            select_neighbours(&products, Limits::products(m), |a, b| -points.product(a, b), &mut chosen);
            add(chosen.iter(), spec.layout.degree, &mut kept);
        }
        kept
    }
}

/// The number of candidates from which links are chosen.
fn window(spec: &ColumnSpec) -> usize {
    spec.params.ef_construction.max(spec.params.m)
}

/// Counts a node's links to equal vectors: their factors are zero. Under hamming their codes are the node's own vector.
fn duplicate_lanes(spec: &ColumnSpec, node: &Node<'_>) -> usize {
    if spec.params.metric == Metric::Hamming {
        let groups = node.codes.chunks_exact(spec.layout.group_bytes);
        let is_equal = |group: &[u8], lane: usize| {
            group.chunks_exact(LANES).zip(node.vector()).all(|(block, byte)| block.get(lane) == Some(byte))
        };
        let lanes = groups.flat_map(|group| (0..LANES).map(move |lane| is_equal(group, lane)));
        return lanes.take(node.degree()).filter(|&is_equal| is_equal).count();
    }
    let width = spec.layout.factor_bytes;
    node.factors.chunks_exact(width).take(node.degree()).filter(|factor| factor.iter().all(|&byte| byte == 0)).count()
}

impl NewNode<'_> {
    /// Adds a node to the new node's list unless it is there; a full list drops its last link. Returns the code of the
    /// new node relative to the other.
    fn link(&mut self, spec: &ColumnSpec, store: &mut impl GraphStore, id: NodeId) -> Result<Encoded> {
        let (mut buffer, mut rotated) = (Vec::new(), vec![0f32; spec.padded()]);
        spec.rotate(store.node(id, &mut buffer)?.vector(), &mut rotated);
        let mut code = Encoded::default();
        if !self.links.contains(&id) {
            spec.coder.encode(&self.rotated, &rotated, &mut code);
            self.links.truncate(spec.layout.degree - 1);
            put_lane(spec, &mut self.row, self.links.len(), id, &code, 0.5 * fast_dot(&rotated, &rotated));
            self.links.push(id);
        }
        spec.coder.encode(&rotated, &self.rotated, &mut code);
        Ok(code)
    }

    /// Moves the link to the parent into the first lane.
    fn put_first(&mut self, spec: &ColumnSpec, parent: Option<NodeId>) {
        let Some(lane) = self.links.iter().position(|&id| Some(id) == parent) else { return };
        let old = self.row.clone();
        copy_lane(&spec.layout, &old, lane, &mut self.row, 0);
        copy_lane(&spec.layout, &old, 0, &mut self.row, lane);
        self.links.swap(0, lane);
    }

    fn put_into(&self, spec: &ColumnSpec, row: &mut [u8], lane: usize, code: &Encoded) {
        put_lane(spec, row, lane, self.point.id, code, self.point.half_norm);
    }
}

/// The neighbour list of a node.
struct List<'p> {
    /// The linked nodes, by lane.
    points: Vec<Cow<'p, Point>>,
    /// Whether the link in a lane must stay: it leads to the parent or to a child.
    is_held: Vec<bool>,
}

impl<'p> List<'p> {
    /// Reads the list of the node `own`.
    fn of(
        spec: &ColumnSpec,
        store: &mut impl GraphStore,
        found: &'p SearchedNodes,
        (own, links): (NodeId, Vec<NodeId>),
    ) -> Result<List<'p>> {
        let (mut points, mut buffer) = (Vec::with_capacity(links.len() + 2), Vec::new());
        for id in links {
            points.push(match found.indexes.get(&id) {
                Some(&index) => Cow::Borrowed(&*found.points.points[index]),
                None => Cow::Owned(Point::new(spec, &store.node(id, &mut buffer)?)),
            });
        }
        let is_held = points.iter().enumerate().map(|(lane, p)| lane == 0 || p.parent == Some(own)).collect();
        Ok(List { points, is_held })
    }

    /// Whether the list has room for one more child: at most half of its links may be held.
    fn takes_children(&self) -> bool {
        self.is_held.iter().filter(|&&is_held| is_held).count() < self.is_held.len() / 2
    }

    /// The lane whose link is missed least: one to a tombstone, else the last that is not held.
    fn lane_to_give(&self) -> Option<usize> {
        let is_dead = |lane: &usize| !self.is_held[*lane] && !self.points[*lane].is_live;
        let dead = (0..self.points.len()).find(is_dead);
        dead.or_else(|| self.is_held.iter().rposition(|&is_held| !is_held))
    }
}

/// Adds the new node, with its code relative to the neighbour, to the list of the neighbour at an index of `found`.
/// Returns whether it was added and may stay as a child.
fn link_back(
    spec: &ColumnSpec,
    store: &mut impl GraphStore,
    found: &SearchedNodes,
    neighbour: usize,
    (new_node, code): (&NewNode<'_>, &Encoded),
) -> Result<bool> {
    let neighbour = &*found.points.points[neighbour];
    let mut buffer = Vec::new();
    let node = store.node(neighbour.id, &mut buffer)?;
    let degree = node.degree();
    let mut row = node.row().to_vec();
    if degree < spec.layout.degree {
        new_node.put_into(spec, &mut row, degree, code);
        set_degree(&mut row, degree as u16 + 1);
        store.put_node(neighbour.id, &row)?;
        return Ok(true);
    }
    let links = node.neighbours().collect();
    let list = List::of(spec, store, found, (neighbour.id, links))?;
    let is_child = list.takes_children();
    let lanes = shorten(spec, list, new_node.point, neighbour);
    if !lanes.contains(&degree) {
        return Ok(false);
    }
    let old = row.clone();
    for (lane, &from) in lanes.iter().enumerate() {
        if from == degree {
            new_node.put_into(spec, &mut row, lane, code);
        } else {
            copy_lane(&spec.layout, &old, from, &mut row, lane);
        }
    }
    set_degree(&mut row, lanes.len() as u16);
    store.put_node(neighbour.id, &row)?;
    Ok(is_child)
}

/// Returns the lanes that stay in the list of `own` when a point is added: held links, and those that the heuristic
/// keeps. No other link to a tombstone stays.
fn shorten<'p>(spec: &ColumnSpec, list: List<'p>, new_node: &'p Point, own: &'p Point) -> Vec<usize> {
    let List { mut points, is_held } = list;
    let degree = points.len();
    points.extend([Cow::Borrowed(new_node), Cow::Borrowed(own)]);
    let points = Points { points, ranks_products: spec.params.metric == Metric::Dot };
    let own = degree + 1;
    let stays = |&i: &usize| points.points[i].is_live || is_held.get(i).copied().unwrap_or(false);
    let mut candidates: Vec<Candidate<usize>> =
        (0..own).filter(stays).map(|i| Candidate { distance: points.distance(own, i), id: i }).collect();
    candidates.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
    let mut kept = Vec::new();
    prune(own, &candidates, degree, &points, &mut kept);
    let is_held = |lane: usize| is_held.get(lane).copied().unwrap_or(false);
    let mut lanes: Vec<usize> = kept.iter().map(|c| c.id).collect();
    for held in (0..degree).filter(|&lane| is_held(lane)) {
        if lanes.contains(&held) {
            continue;
        }
        if lanes.len() == degree {
            let Some(last) = lanes.iter().rposition(|&lane| !is_held(lane)) else { break };
            lanes.remove(last);
        }
        lanes.push(held);
    }
    lanes.sort_by_key(|&lane| lane != 0);
    lanes
}

/// Makes the node at an index of `found` the parent of the new node, unless half of its list is held. If its list is
/// full, the new node inherits the evicted link, so its target stays reachable.
fn force_back(
    spec: &ColumnSpec,
    store: &mut impl GraphStore,
    found: &SearchedNodes,
    index: usize,
    new_node: &mut NewNode<'_>,
) -> Result<Option<NodeId>> {
    let id = found.points.points[index].id;
    let mut buffer = Vec::new();
    let node = store.node(id, &mut buffer)?;
    let mut row = node.row().to_vec();
    let links: Vec<NodeId> = node.neighbours().collect();
    if links.contains(&new_node.point.id) {
        return Ok(None);
    }
    let degree = links.len();
    let (mut lane, mut cut) = (degree, None);
    if degree == spec.layout.degree {
        let list = List::of(spec, store, found, (id, links))?;
        let Some(last) = list.lane_to_give().filter(|_| list.takes_children()) else { return Ok(None) };
        let given = &list.points[last];
        (lane, cut) = (last, given.is_live.then_some(given.id));
    }
    let code = new_node.link(spec, store, id)?;
    new_node.put_into(spec, &mut row, lane, &code);
    set_degree(&mut row, degree.max(lane + 1) as u16);
    store.put_node(id, &row)?;
    if let Some(cut) = cut.filter(|_| new_node.links.len() < spec.layout.degree) {
        new_node.link(spec, store, cut)?;
    }
    Ok(Some(id))
}
