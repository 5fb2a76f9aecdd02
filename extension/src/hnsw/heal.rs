//! Healing: links to tombstones are replaced, so that their rows can be freed.
//!
//! A sweep over all nodes takes a few of them in each commit. From the list of a node it drops the links to tombstones
//! and adds some of what those led to, as in FreshDiskANN (Singh et al., 2021), but without a pass over the whole graph.
//! No node gets a link to a tombstone. So after a whole round nothing links to those that were there before it.
//!
//! The tree of parents (see `insert`) goes through tombstones, too, until the sweep drops a link that it needs. Before
//! that, the live nodes below the tombstone get other parents.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use super::build::put_lane;
use super::geometry::Point;
use super::select::FILL;
use super::{ColumnSpec, GraphStore, Query};
use crate::distance::{Metric, decode, fast_dot};
use crate::error::Result;
use crate::format::node::{LANES, NodeId, VECTOR_OFFSET, copy_lane, set_degree, set_neighbour};
use crate::quantize::Encoded;

/// Candidates that are read for each link that is dropped, nearest first by their estimates.
const CANDIDATES: usize = 3;
/// The longest way to the first node of the graph that is followed to find out that a node is no descendant.
const MOST_ANCESTORS: usize = 4096;
/// Nodes that are asked to become a parent, the nearest by links first.
const MOST_ASKED: usize = 256;
/// Points that are kept from one swept node to the next: near nodes have near ids.
const MOST_POINTS: usize = 4096;

/// A sweep, from one node to the next.
pub struct Sweep<'a> {
    spec: &'a ColumnSpec,
    points: HashMap<NodeId, Rc<Point>>,
}

/// A node that the list of the swept node may lead to.
struct Target {
    point: Rc<Point>,
    /// Half the squared distance from the swept node.
    distance: f32,
}

impl<'a> Sweep<'a> {
    pub fn new(spec: &'a ColumnSpec) -> Sweep<'a> {
        Sweep { spec, points: HashMap::new() }
    }

    /// Replaces the links of `id` to tombstones.
    pub fn pass(&mut self, store: &mut impl GraphStore, id: NodeId) -> Result<()> {
        if self.points.len() > MOST_POINTS {
            self.points.clear();
        }
        let list = List::of(store, id)?;
        if list.is_pending || !list.has_dead(store)? {
            return Ok(());
        }
        free_family(self.spec, store, (id, &list))?;
        // Mending the tree may have changed the row.
        let List { row: old, links, is_live, .. } = List::of(store, id)?;
        let points = links.iter().map(|&id| self.point(store, id)).collect::<Result<Vec<_>>>()?;
        let dead: Vec<NodeId> = points.iter().filter(|point| !point.is_live).map(|point| point.id).collect();
        let (mut row, mut kept) = (old.clone(), 0);
        for (lane, _) in points.iter().enumerate().filter(|(_, point)| point.is_live) {
            if lane != kept {
                copy_lane(&self.spec.layout, &old, lane, &mut row, kept);
            }
            kept += 1;
        }
        (kept..links.len()).for_each(|lane| set_neighbour(&self.spec.layout, &mut row, lane, NodeId::FREE));
        if is_live {
            let own = self.point(store, id)?;
            let live: Vec<Target> = points.into_iter().filter(|p| p.is_live).map(|p| Target::of(&own, p)).collect();
            let candidates = self.candidates(store, &own, (&links, &dead))?;
            let chosen = choose(self.spec, &own, live, candidates, dead.len());
            kept += self.link(store, &mut row, kept, &chosen)?;
        }
        set_degree(&mut row, kept as u16);
        store.put_node(id, &row)
    }

    fn point(&mut self, store: &mut impl GraphStore, id: NodeId) -> Result<Rc<Point>> {
        if let Some(point) = self.points.get(&id) {
            return Ok(Rc::clone(point));
        }
        let mut buffer = Vec::new();
        let point = Rc::new(Point::new(self.spec, &store.node(id, &mut buffer)?));
        self.points.insert(id, Rc::clone(&point));
        Ok(point)
    }

    /// Returns the nearest of the live nodes that the tombstones link to and `own` does not, nearest first.
    fn candidates(
        &mut self,
        store: &mut impl GraphStore,
        own: &Point,
        (links, dead): (&[NodeId], &[NodeId]),
    ) -> Result<Vec<Target>> {
        let spec = self.spec;
        let mut buffer = Vec::new();
        let components = decode(store.node(own.id, &mut buffer)?.vector(), spec.params.element);
        let query = Query::for_linking(spec, &components);
        let mut estimates: Vec<(f32, NodeId)> = Vec::new();
        let mut keys = [0f32; LANES];
        for &id in dead {
            let node = store.node(id, &mut buffer)?;
            let (key, degree) = (query.key(&node), node.degree());
            for group in 0..degree.div_ceil(LANES) {
                query.estimate(spec, &node, key, group, &mut keys);
                let lanes = (group * LANES..degree).zip(keys);
                estimates.extend(lanes.map(|(lane, key)| (key, node.neighbour(lane))));
            }
        }
        estimates.retain(|(_, id)| *id != own.id && !links.contains(id));
        estimates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut found: Vec<Target> = Vec::new();
        for (_, id) in estimates {
            if found.len() == CANDIDATES * dead.len() {
                break;
            }
            if found.iter().any(|target| target.point.id == id) {
                continue;
            }
            let point = self.point(store, id)?;
            if point.is_live {
                found.push(Target::of(own, point));
            }
        }
        found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.point.id.cmp(&b.point.id)));
        Ok(found)
    }

    /// Writes the links to `chosen` into the lanes from `first` on. Returns how many they are.
    fn link(&self, store: &mut impl GraphStore, row: &mut [u8], first: usize, chosen: &[Target]) -> Result<usize> {
        let spec = self.spec;
        let vector = row[VECTOR_OFFSET..spec.layout.ids_offset()].to_vec();
        let mut linker = Linker::new(spec, &vector);
        for (lane, target) in (first..).zip(chosen) {
            linker.link(store, row, lane, target.point.id)?;
        }
        Ok(chosen.len())
    }
}

impl Target {
    fn of(own: &Point, point: Rc<Point>) -> Target {
        Target { distance: own.distance(&point), point }
    }
}

/// Chooses from the candidates, nearest first, at most as many as links were dropped: those that the heuristic admits
/// beside the links that stay, and others while the list is short. Under `dot` the heuristic chooses by product too.
fn choose(spec: &ColumnSpec, own: &Point, live: Vec<Target>, candidates: Vec<Target>, dropped: usize) -> Vec<Target> {
    let stay = live.len();
    let fill = spec.layout.degree * FILL.0 / FILL.1;
    let mut list = live;
    let mut rest = candidates;
    let duplicates = |list: &[Target]| list.iter().filter(|target| target.distance <= 0.0).count();
    let by_distance = |list: &[Target], new: &Target| match new.distance <= 0.0 {
        true => duplicates(list) < spec.layout.degree / 2,
        false => list
            .iter()
            .filter(|old| old.distance > 0.0 && old.distance <= new.distance)
            .all(|old| old.point.distance(&new.point) > new.distance),
    };
    let by_product = |list: &[Target], new: &Target| {
        let product = own.product(&new.point);
        let larger = list.iter().filter(|old| own.product(&old.point) >= product);
        larger.into_iter().all(|old| old.point.product(&new.point) < product)
    };
    let mut take = |admits: &dyn Fn(&[Target], &Target) -> bool, most: usize| {
        for candidate in std::mem::take(&mut rest) {
            if list.len() < most && admits(&list, &candidate) { list.push(candidate) } else { rest.push(candidate) }
        }
    };
    take(&by_distance, stay + dropped);
    if spec.params.metric == Metric::Dot {
        take(&by_product, stay + dropped);
    }
    take(&|_, candidate| candidate.distance > 0.0, fill.min(stay + dropped));
    list.split_off(stay)
}

/// Writes links into the row of one node.
struct Linker<'a> {
    spec: &'a ColumnSpec,
    /// The node's vector, and a neighbour's, in the graph's space.
    own: Vec<f32>,
    other: Vec<f32>,
    code: Encoded,
    buffer: Vec<u8>,
}

impl<'a> Linker<'a> {
    fn new(spec: &'a ColumnSpec, vector: &[u8]) -> Linker<'a> {
        let mut own = vec![0f32; spec.padded()];
        spec.rotate(vector, &mut own);
        Linker { spec, own, other: vec![0f32; spec.padded()], code: Encoded::default(), buffer: Vec::new() }
    }

    fn link(&mut self, store: &mut impl GraphStore, row: &mut [u8], lane: usize, id: NodeId) -> Result<()> {
        let spec = self.spec;
        spec.rotate(store.node(id, &mut self.buffer)?.vector(), &mut self.other);
        spec.coder.encode(&self.own, &self.other, &mut self.code);
        put_lane(spec, row, lane, id, &self.code, 0.5 * fast_dot(&self.other, &self.other));
        Ok(())
    }
}

/// A row, and the links in it.
struct List {
    row: Vec<u8>,
    links: Vec<NodeId>,
    is_live: bool,
    is_pending: bool,
}

impl List {
    fn of(store: &mut impl GraphStore, id: NodeId) -> Result<List> {
        let mut buffer = Vec::new();
        let node = store.node(id, &mut buffer)?;
        let (is_live, is_pending) = (!node.is_tombstone(), node.is_pending());
        Ok(List { row: node.row().to_vec(), links: node.neighbours().collect(), is_live, is_pending })
    }

    /// Whether a link leads to a tombstone.
    fn has_dead(&self, store: &mut impl GraphStore) -> Result<bool> {
        for &id in &self.links {
            if !store.kin(id)?.is_live {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn swap(&mut self, spec: &ColumnSpec, a: usize, b: usize) {
        let old = self.row.clone();
        copy_lane(&spec.layout, &old, a, &mut self.row, b);
        copy_lane(&spec.layout, &old, b, &mut self.row, a);
        self.links.swap(a, b);
    }
}

/// Mends the tree of parents where it needs the links of a node to tombstones, so that they can be dropped.
fn free_family(spec: &ColumnSpec, store: &mut impl GraphStore, (id, list): (NodeId, &List)) -> Result<()> {
    let Some(&parent) = list.links.first() else { return Ok(()) };
    if !store.kin(parent)?.is_live {
        if list.is_live {
            reattach(spec, store, id, parent)?;
        } else {
            reattach_below(spec, store, id)?;
        }
    }
    for &child in &list.links {
        let kin = store.kin(child)?;
        if !kin.is_live && kin.parent == Some(id) {
            reattach_below(spec, store, child)?;
        }
    }
    Ok(())
}

/// Gives the live children of a tombstone other parents, and those of the tombstones below it.
fn reattach_below(spec: &ColumnSpec, store: &mut impl GraphStore, tombstone: NodeId) -> Result<()> {
    let (mut waiting, mut seen) = (vec![tombstone], HashSet::from([tombstone]));
    while let Some(parent) = waiting.pop() {
        for id in List::of(store, parent)?.links {
            let kin = store.kin(id)?;
            if kin.parent != Some(parent) {
                continue;
            }
            if kin.is_live {
                reattach(spec, store, id, parent)?;
            } else if seen.insert(id) {
                waiting.push(id);
            }
        }
    }
    Ok(())
}

/// Gives a live child of the tombstone `parent` another parent: a neighbour that links back, or else the nearest by
/// links that can be made to. A node that finds none, such as the first of the graph, stays without a parent.
fn reattach(spec: &ColumnSpec, store: &mut impl GraphStore, id: NodeId, parent: NodeId) -> Result<()> {
    let mut child = List::of(store, id)?;
    let mut tree = Tree { child: id, children: child.links.clone(), others: HashSet::new() };
    for lane in 1..child.links.len() {
        let candidate = child.links[lane];
        let list = List::of(store, candidate)?;
        if list.links.contains(&id) && tree.admits(store, (candidate, &list), spec.layout.degree)? {
            child.swap(spec, 0, lane);
            return store.put_node(id, &child.row);
        }
    }
    let mut waiting: VecDeque<NodeId> = child.links.iter().skip(1).copied().chain([parent]).collect();
    let mut seen: HashSet<NodeId> = waiting.iter().copied().chain([id]).collect();
    let mut asked = 0;
    while let Some(candidate) = waiting.pop_front().filter(|_| asked < MOST_ASKED) {
        asked += 1;
        let list = List::of(store, candidate)?;
        waiting.extend(list.links.iter().copied().filter(|&link| seen.insert(link)));
        if !list.links.contains(&id) && tree.admits(store, (candidate, &list), spec.layout.degree)? {
            return adopt(spec, store, (id, child), (candidate, list));
        }
    }
    Ok(())
}

/// Links a parent that admits a child to it, and the child to the parent in its first lane.
fn adopt(
    spec: &ColumnSpec,
    store: &mut impl GraphStore,
    (id, mut child): (NodeId, List),
    (parent, mut list): (NodeId, List),
) -> Result<()> {
    let Some(lane) = free_lane(spec, store, (parent, &list))? else { return Ok(()) };
    let vector = store.node(parent, &mut Vec::new())?.vector().to_vec();
    Linker::new(spec, &vector).link(store, &mut list.row, lane, id)?;
    set_degree(&mut list.row, list.links.len().max(lane + 1) as u16);
    store.put_node(parent, &list.row)?;
    match child.links.iter().position(|&link| link == parent) {
        Some(lane) => child.swap(spec, 0, lane),
        None => {
            let vector = store.node(id, &mut Vec::new())?.vector().to_vec();
            Linker::new(spec, &vector).link(store, &mut child.row, 0, parent)?;
        }
    }
    store.put_node(id, &child.row)
}

/// What is known of the tree while a parent for one child is sought.
struct Tree {
    child: NodeId,
    /// What the child links to. Its children are among them.
    children: Vec<NodeId>,
    /// Nodes that are no descendants of the child.
    others: HashSet<NodeId>,
}

impl Tree {
    /// Whether a node may become the parent: it is live, has room and is no descendant.
    fn admits(&mut self, store: &mut impl GraphStore, (id, list): (NodeId, &List), degree: usize) -> Result<bool> {
        Ok(list.is_live && !list.is_pending && has_room(store, (id, list), degree)? && self.is_other(store, id)?)
    }

    /// Whether the child is not met on the way from `id` to the first node of the graph. False if the way is too long
    /// to tell.
    fn is_other(&mut self, store: &mut impl GraphStore, id: NodeId) -> Result<bool> {
        let (mut way, mut at) = (HashSet::new(), id);
        while way.len() < MOST_ANCESTORS {
            // The first link of a node without a parent leads to any node, and so in a circle.
            let parent = if self.others.contains(&at) || !way.insert(at) { None } else { store.kin(at)?.parent };
            match parent {
                Some(parent) if parent == self.child && self.children.contains(&at) => return Ok(false),
                Some(parent) if parent != self.child => at = parent,
                _ => {
                    self.others.extend(way);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Whether a node can take one more child: at most half of its links may be to its parent and its children.
fn has_room(store: &mut impl GraphStore, (id, list): (NodeId, &List), degree: usize) -> Result<bool> {
    if list.links.len() < degree {
        return Ok(true);
    }
    let mut held = 0;
    for lane in 0..list.links.len() {
        held += usize::from(is_held(store, (id, list), lane)?);
    }
    Ok(held < list.links.len() / 2)
}

fn is_held(store: &mut impl GraphStore, (id, list): (NodeId, &List), lane: usize) -> Result<bool> {
    Ok(lane == 0 || store.kin(list.links[lane])?.parent == Some(id))
}

/// The lane of a node for one more child: a free one, or that of a tombstone, or the last that is not held.
fn free_lane(spec: &ColumnSpec, store: &mut impl GraphStore, (id, list): (NodeId, &List)) -> Result<Option<usize>> {
    if list.links.len() < spec.layout.degree {
        return Ok(Some(list.links.len()));
    }
    let mut last = None;
    for lane in 1..list.links.len() {
        if is_held(store, (id, list), lane)? {
            continue;
        }
        last = Some(lane);
        if !store.kin(list.links[lane])?.is_live {
            break;
        }
    }
    Ok(last)
}
