//! The order of the nodes in the file: groups of linked nodes that share a page, groups near each other in sequence.

use super::built::Links;

/// Returns the nodes in groups of `size`. A group begins with the first node without a group, and takes the nodes that
/// it links to, those with the most links from the group first.
pub fn pack(links: &Links, size: usize) -> Vec<u32> {
    let mut order: Vec<u32> = Vec::with_capacity(links.len());
    let mut placed = vec![false; links.len()];
    // (node, links from the group, sum of their ranks)
    let mut near: Vec<(u32, u32, u32)> = Vec::new();
    let mut seeds = 0..links.len() as u32;
    while order.len() < links.len() {
        let group_end = (order.len() / size + 1) * size;
        near.clear();
        while order.len() < group_end.min(links.len()) {
            let best = near
                .iter()
                .enumerate()
                .filter(|(_, (node, ..))| !placed[*node as usize])
                .min_by_key(|(_, (node, count, ranks))| (std::cmp::Reverse(*count), *ranks, *node))
                .map(|(at, _)| at);
            let next = match best {
                Some(at) => near.swap_remove(at).0,
                None => match seeds.find(|&seed| !placed[seed as usize]) {
                    Some(seed) => seed,
                    None => break,
                },
            };
            placed[next as usize] = true;
            order.push(next);
            for (rank, link) in links[next as usize].iter().enumerate() {
                match near.iter_mut().find(|(node, ..)| *node == link.id) {
                    Some((_, count, ranks)) => {
                        *count += 1;
                        *ranks += rank as u32;
                    }
                    None => near.push((link.id, 1, rank as u32)),
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hnsw::select::Candidate;

    #[test]
    fn linked_nodes_share_a_group_and_every_node_is_in_one() {
        // Two cliques of four, interleaved.
        let links: Links = (0..8u32)
            .map(|own| {
                (0..8).filter(|&id| id != own && id % 2 == own % 2).map(|id| Candidate { distance: 1.0, id }).collect()
            })
            .collect();
        assert_eq!(pack(&links, 4), [0, 2, 4, 6, 1, 3, 5, 7]);
        let mut all = pack(&links, 3);
        all.sort_unstable();
        assert_eq!(all, (0..8).collect::<Vec<_>>());
    }
}
