//! What is filled in when every name of a zone is there: index, links of the NSEC3 chain, hosts elsewhere in the zone.

use crate::dns::NameRef;
use crate::dns::name::MAX_NAME;
use crate::zone::base::{Base, Counts, KIND, KIND_CUT, KIND_HIDDEN, LINK_IS_NSEC, LINK_MATCHES, NONE, node_size};
use crate::zone::chain::{Labels, Nsec3Chain};
use crate::zone::hash::{Index, NameHash};
use crate::zone::piece::Set;

/// The index over all nodes.
pub fn index(base: &Base) -> Index {
    let Counts { cuts, names, hidden, .. } = base.counts;
    let mut index = Index::with_capacity(cuts + names + hidden);
    // Where the buckets lie is known some names ahead, so that nobody waits for them.
    let mut ahead = Vec::with_capacity(AHEAD);
    let mut nodes = base.nodes();
    loop {
        ahead.extend(nodes.by_ref().take(AHEAD).map(|node| (hash_prefix(base.seed, node.prefix()), node.id())));
        if ahead.is_empty() {
            return index;
        }
        ahead.iter().for_each(|&(hash, _)| index.prefetch(hash));
        ahead.drain(..).for_each(|(hash, at)| index.insert(hash, at));
    }
}

/// How many names are brought near at once.
const AHEAD: usize = 32;

/// Gives every node that is answered its links of the NSEC3 chain: the one that matches it, the one for the wildcard below it, or, for
/// a cut without a link of its own, the one that covers the next closer name to the closest encloser that has one.
pub fn find_links(nodes: &mut [u8], apex: NameRef<'_>, chain: &Nsec3Chain) {
    /// A node that others may stand below: where its name is, its link or the one that covers it.
    struct Above {
        name: std::ops::Range<usize>,
        labels: usize,
        link: Result<u32, u32>,
    }
    let apex = apex.to_lowercase();
    let apex = apex.as_ref().as_wire();
    let mut path: Vec<Above> = Vec::new();
    let mut wire = Vec::with_capacity(2 * 256);
    let mut at = 0;
    while at < nodes.len() {
        let flags = nodes[at];
        let name = at + 2..at + 2 + nodes[at + 1] as usize;
        let body = name.end;
        let next = at + node_size(&nodes[at..]);
        if flags & KIND != KIND_HIDDEN {
            let labels = Labels::of(&nodes[name.clone()]);
            let n_labels = labels.len();
            while path.last().is_some_and(|top| !labels.ends_with(&nodes[top.name.clone()], top.labels)) {
                path.pop();
            }
            wire.clear();
            wire.extend_from_slice(b"\x01*");
            wire.extend_from_slice(labels.as_wire());
            wire.extend_from_slice(apex);
            let link = chain.find(&chain.hash(&wire[2..]));
            if flags & KIND == KIND_CUT {
                let is_its_own = link.is_ok();
                let link = link.unwrap_or_else(|cover| {
                    let unproved = path.iter().rev().map_while(|above| above.link.err());
                    unproved.last().unwrap_or(cover)
                });
                nodes[at] = flags & !LINK_IS_NSEC | if is_its_own { LINK_MATCHES } else { 0 };
                set_u32(nodes, body + 4, link);
            } else {
                if let Ok(link) = link {
                    set_u32(nodes, body, link);
                    // A longer name does not exist.
                    if wire.len() <= MAX_NAME {
                        set_u32(nodes, body + 4, chain.find(&chain.hash(&wire)).unwrap_or_else(|cover| cover));
                    }
                }
                path.push(Above { labels: n_labels, name, link });
            }
        }
        at = next;
    }
}

/// Finds the nodes of name servers that are inside the zone, but not at or below the cut that names them.
pub fn find_hosts(base: &mut Base, unfinished: Vec<u32>, apex: NameRef<'_>) {
    for at in unfinished {
        let set = Set::at(&base.arena.pieces, at);
        let list = at as usize + set.size();
        let mut found = Vec::with_capacity(8);
        for entry in base.arena.pieces[list + 1..].chunks_exact(6).take(base.arena.pieces[list] as usize) {
            let name_at = u16::from_le_bytes([entry[0], entry[1]]);
            let mut host = u32_at(entry, 2);
            if host == NONE {
                let name = set.records.name_at(name_at, apex);
                let prefix = name.as_ref().and_then(|name| name.as_ref().prefix_of(apex)).unwrap_or_default();
                let lower = prefix.to_ascii_lowercase();
                match base.find(hash_prefix(base.seed, &lower), &lower) {
                    Some(node) => host = node.id(),
                    None => {
                        base.absent_hosts.insert(lower.into());
                        continue;
                    }
                }
            }
            found.push((name_at, host));
        }
        let pieces = &mut base.arena.pieces;
        pieces[list] = found.len() as u8;
        for ((name_at, host), entry) in found.into_iter().zip(pieces[list + 1..].chunks_exact_mut(6)) {
            entry[..2].copy_from_slice(&name_at.to_le_bytes());
            entry[2..].copy_from_slice(&host.to_le_bytes());
        }
    }
}

pub fn hash_prefix(seed: u64, lower: &[u8]) -> NameHash {
    let mut starts = [0u8; 128];
    let (mut n, mut at) = (0, 0);
    while at < lower.len() {
        starts[n] = at as u8;
        n += 1;
        at += 1 + lower[at] as usize;
    }
    starts[..n].iter().rev().fold(NameHash::start(seed), |hash, &start| {
        let start = start as usize;
        hash.with(&lower[start + 1..start + 1 + lower[start] as usize])
    })
}

pub fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(octets[at..at + 4].try_into().expect("four octets"))
}

pub fn set_u32(octets: &mut [u8], at: usize, n: u32) {
    octets[at..at + 4].copy_from_slice(&n.to_le_bytes());
}
