//! Builds the flat arrays of a zone from its records.
//!
//! Two passes over the names in canonical order: the first finds cuts, hidden names and empty
//! non-terminals and gives every node its place, the second writes nodes and pieces, when every place is known.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::ZoneError;
use super::base::{
    Base, Counts, HAS_DNAME, HAS_DS, HAS_OTHERS, HAS_WILDCARD, HIDES_OTHERS, KIND_CUT, KIND_HIDDEN, KIND_PLAIN, LINK_IS_NSEC, LINK_MATCHES,
    NONE, OWN_HOST,
};
use super::chain::{Chain, Nsec3Chain, Nsec3Params, hash_of_owner};
use super::hash::{Index, NameHash};
use super::piece::{Anchors, SetWriter, TooBig};
use crate::dns::{Name, NameRecords, NameRef, Records, Rrset, Rtype};

/// Builds the arrays for the zone `apex` from its sorted records.
///
/// Linear in the records, but for one hash-table look-up for each name server in the zone.
pub(super) fn build(apex: NameRef<'_>, records: &Records, seed: u64) -> Result<Base, ZoneError> {
    let apex = apex.to_lowercase();
    let plan = Plan::make(apex.as_ref(), records, seed)?;
    Build::new(apex.as_ref(), plan, seed).finish(records)
}

/// A node as the first pass sees it.
struct Draft<'a> {
    /// The name, of which the node is a suffix for empty non-terminals.
    name: NameRef<'a>,
    records: Option<NameRecords<'a>>,
    flags: u8,
    at: u32,
    parent: u32,
    children: u32,
    /// The link that matches the name, then, for what stands below it, the one that covers it.
    link: u32,
    cover: u32,
}

struct Plan<'a> {
    drafts: Vec<Draft<'a>>,
    index: Index,
    nodes_len: usize,
}

const NO_PARENT: u32 = u32::MAX;

impl<'a> Plan<'a> {
    fn make(apex: NameRef<'a>, records: &'a Records, seed: u64) -> Result<Plan<'a>, ZoneError> {
        // Exact but for empty non-terminals and the owners of NSEC3: growing would hold the drafts twice for a while.
        let mut drafts: Vec<Draft<'a>> = Vec::with_capacity(records.names().count());
        let mut path: Vec<u32> = Vec::new();
        for name in records.names() {
            let owner = name.owner();
            let prefix = owner.prefix_of(apex).ok_or_else(|| ZoneError::OutOfZone(owner.to_owned()))?;
            if name.rrsets().all(|set| is_link(&set)) {
                continue;
            }
            if drafts.is_empty() && !prefix.is_empty() {
                return Err(ZoneError::Soa);
            }
            // Canonical order: what is on the path and is no ancestor of this name has no more descendants.
            while let Some(&top) = path.last() {
                if owner.is_at_or_below(drafts[top as usize].name) {
                    break;
                }
                path.pop();
            }
            let mut flags = kind_and_flags(&name, prefix.is_empty())?;
            let hidden = path.last().is_some_and(|&top| hides(drafts[top as usize].flags));
            if hidden {
                flags = KIND_HIDDEN;
                mark_cut(&mut drafts, &path, owner);
            } else if let Some(&top) = path.last() {
                let have = drafts[top as usize].name.label_count();
                let want = owner.label_count();
                for labels in have + 1..want {
                    let between = owner.suffix(labels);
                    push(&mut drafts, &mut path, Draft::new(between, None, KIND_PLAIN));
                }
            }
            push(&mut drafts, &mut path, Draft::new(owner, Some(name), flags));
        }
        if drafts.is_empty() {
            return Err(ZoneError::Soa);
        }
        let mut index = Index::with_capacity(drafts.len());
        let mut at = 0usize;
        let mut lower = [0u8; 256];
        for draft in &mut drafts {
            let prefix = draft.name.prefix_of(apex).unwrap_or_default();
            draft.at = u32::try_from(at).map_err(|_| ZoneError::TooBig)?;
            at += draft.size(prefix.len());
            let lower = &mut lower[..prefix.len()];
            lower.copy_from_slice(prefix);
            lower.make_ascii_lowercase();
            index.insert(hash_prefix(seed, lower), draft.at);
        }
        Ok(Plan { drafts, index, nodes_len: at })
    }
}

fn push<'a>(drafts: &mut Vec<Draft<'a>>, path: &mut Vec<u32>, mut draft: Draft<'a>) {
    if let Some(&top) = path.last() {
        let parent = &mut drafts[top as usize];
        if draft.flags & 3 != KIND_HIDDEN {
            parent.children += 1;
            if draft.name.is_wildcard() {
                parent.flags |= HAS_WILDCARD;
            }
        }
        draft.parent = top;
    }
    path.push(drafts.len() as u32);
    drafts.push(draft);
}

/// Marks the cut above a hidden name, unless the name is one of the cut's own name servers.
fn mark_cut(drafts: &mut [Draft<'_>], path: &[u32], owner: NameRef<'_>) {
    // A DNAME or an outer cut may stand further up: the lowest name on the path that is not hidden itself.
    let Some(&cut) = path.iter().rev().find(|&&i| drafts[i as usize].flags & 3 != KIND_HIDDEN) else { return };
    let cut = &mut drafts[cut as usize];
    if cut.flags & 3 == KIND_CUT && !cut.own_hosts().any(|host| host == owner) {
        cut.flags |= HIDES_OTHERS;
    }
}

/// True if names below this one are not the zone's to answer (RFC 2136 §7.18 calls them occluded).
fn hides(flags: u8) -> bool {
    flags & 3 != KIND_PLAIN || flags & HAS_DNAME != 0
}

/// True for what belongs to the NSEC3 chain rather than to a name.
fn is_link(set: &Rrset<'_>) -> bool {
    set.rtype() == Rtype::NSEC3 || set.covered() == Some(Rtype::NSEC3)
}

fn kind_and_flags(name: &NameRecords<'_>, is_apex: bool) -> Result<u8, ZoneError> {
    let mut flags = 0;
    let (mut ns, mut ds, mut others, mut cname, mut beside_cname) = (false, false, false, false, false);
    for set in name.rrsets() {
        match set.rtype() {
            Rtype::NS => ns = true,
            Rtype::DS => ds = true,
            Rtype::NSEC | Rtype::RRSIG | Rtype::NSEC3 => {}
            rtype => {
                others = true;
                if rtype == Rtype::DNAME {
                    flags |= HAS_DNAME;
                }
                if rtype == Rtype::CNAME {
                    cname = true;
                } else if rtype != Rtype::KEY {
                    beside_cname = true;
                }
            }
        }
        if matches!(set.rtype(), Rtype::CNAME | Rtype::DNAME | Rtype::SOA) && set.len() > 1 {
            return Err(ZoneError::MoreThanOne(name.owner().to_owned(), set.rtype()));
        }
        if set.rtype() == Rtype::SOA && !is_apex {
            return Err(ZoneError::MoreThanOne(name.owner().to_owned(), Rtype::SOA));
        }
    }
    if cname && (beside_cname || ns || ds) {
        return Err(ZoneError::CnameAndOther(name.owner().to_owned()));
    }
    if ns && !is_apex { Ok(KIND_CUT | if ds { HAS_DS } else { 0 } | if others { HAS_OTHERS } else { 0 }) } else { Ok(KIND_PLAIN | flags) }
}

/// The sets that a node lists: for a cut those beside NS, DS and NSEC.
fn listed<'a>(name: &NameRecords<'a>, flags: u8) -> impl Iterator<Item = Rrset<'a>> + use<'a> {
    let cut = flags & 3 == KIND_CUT;
    name.rrsets().filter(move |set| match set.rtype() {
        Rtype::RRSIG | Rtype::NSEC3 => false,
        Rtype::NS | Rtype::DS | Rtype::NSEC => !cut,
        _ => true,
    })
}

impl<'a> Draft<'a> {
    fn new(name: NameRef<'a>, records: Option<NameRecords<'a>>, flags: u8) -> Self {
        Self { name, records, flags, at: 0, parent: NO_PARENT, children: 0, link: NONE, cover: NONE }
    }

    fn listed(&self) -> usize {
        self.records.as_ref().map_or(0, |records| listed(records, self.flags).count())
    }

    fn size(&self, prefix_len: usize) -> usize {
        let start = 2 + prefix_len;
        match self.flags & 3 {
            KIND_CUT => {
                let ds = if self.flags & HAS_DS != 0 { 4 } else { 0 };
                let others = if self.flags & HAS_OTHERS != 0 { 2 + 6 * self.listed() } else { 0 };
                start + 8 + ds + others + 1 + 4 * self.own_hosts().count()
            }
            KIND_PLAIN => start + 14 + 6 * self.listed(),
            _ => start + 2 + 6 * self.listed(),
        }
    }

    /// The name servers at or below this cut, in the order of the NS set; at most 255.
    fn own_hosts(&self) -> impl Iterator<Item = NameRef<'a>> + use<'a> {
        let cut = self.name;
        let ns = self.records.as_ref().and_then(|records| records.rrset(Rtype::NS));
        ns.into_iter()
            .flat_map(|set| set.rdata())
            .filter_map(|rdata| NameRef::from_wire(rdata).ok())
            .filter(move |host| host.is_at_or_below(cut))
            .take(255)
    }
}

pub(super) fn hash_prefix(seed: u64, lower: &[u8]) -> NameHash {
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

struct Build<'a> {
    apex: NameRef<'a>,
    drafts: Vec<Draft<'a>>,
    base: Base,
    writer: SetWriter,
    /// NS pieces with their hosts, by content.
    ns_sets: HashMap<Vec<u8>, u32>,
    /// The same by what they are made from, which is found without writing them ([`append_relative`]).
    ns_written: HashMap<Vec<u8>, u32>,
    /// What the NS set at hand is made from.
    ns_key: Vec<u8>,
}

impl<'a> Build<'a> {
    fn new(apex: NameRef<'a>, plan: Plan<'a>, seed: u64) -> Self {
        let mut base = Base { seed, index: plan.index, ..Base::default() };
        base.arena.nodes = Vec::with_capacity(plan.nodes_len);
        let writer = SetWriter::default();
        Self { apex, drafts: plan.drafts, base, writer, ns_sets: HashMap::new(), ns_written: HashMap::new(), ns_key: Vec::new() }
    }

    fn finish(mut self, records: &'a Records) -> Result<Base, ZoneError> {
        self.base.counts.records = records.len();
        self.base.counts.signatures = records.rtypes().filter(|rtype| *rtype == Rtype::RRSIG).count();
        self.chain(records)?;
        let nsec = !self.base.chain.is_nsec3() && self.apex_has(Rtype::NSEC);
        let mut order = Vec::new();
        for i in 0..self.drafts.len() {
            let has_nsec = self.node(i, nsec)?;
            if has_nsec {
                order.push(self.drafts[i].at);
            }
        }
        if nsec {
            self.base.chain = Chain::Nsec(order);
        }
        self.base.arena.nodes.shrink_to_fit();
        self.base.arena.pieces.shrink_to_fit();
        Ok(self.base)
    }

    fn apex_has(&self, rtype: Rtype) -> bool {
        self.drafts[0].records.as_ref().is_some_and(|records| records.rrset(rtype).is_some())
    }

    /// Builds the NSEC3 chain that NSEC3PARAM names, and finds every node's place in it.
    fn chain(&mut self, records: &'a Records) -> Result<(), ZoneError> {
        let Some(params) = self.drafts[0].records.as_ref().and_then(|apex| apex.rrset(Rtype::NSEC3PARAM)) else { return Ok(()) };
        let Some(params) = params.rdata().find_map(read_params) else { return Ok(()) };
        let mut links = Vec::new();
        for name in records.names() {
            let Some(set) = name.rrset(Rtype::NSEC3) else { continue };
            let Some(rdata) = set.rdata().find(|rdata| is_of(rdata, &params)) else { continue };
            let owner = name.owner();
            let hash = hash_of_owner(owner, self.apex).ok_or_else(|| ZoneError::Nsec3Owner(owner.to_owned()))?;
            let label = owner.to_lowercase();
            let at = self.place()?;
            let anchors = Anchors { owner: None, apex: self.apex };
            let too_big = |TooBig| ZoneError::RrsetTooBig(owner.to_owned(), Rtype::NSEC3);
            let label = label.as_ref().as_wire()[1..33].try_into().expect("32 octets");
            self.writer.start_hashed(label, self.apex);
            self.writer.push(anchors, Rtype::NSEC3, set.ttl(), rdata).map_err(too_big)?;
            if let Some(signatures) = name.signatures(Rtype::NSEC3) {
                for signature in signatures.rdata() {
                    self.writer.push_signature(signatures.ttl(), signature).map_err(too_big)?;
                }
            }
            self.writer.finish(&mut self.base.arena.pieces);
            links.push((hash, at));
        }
        if links.is_empty() {
            return Ok(());
        }
        let chain = Nsec3Chain::new(params, links);
        let mut lower = [0u8; 256];
        for i in 0..self.drafts.len() {
            if self.drafts[i].flags & 3 == KIND_HIDDEN {
                continue;
            }
            let wire = self.drafts[i].name.as_wire();
            let lower = &mut lower[..wire.len()];
            lower.copy_from_slice(wire);
            lower.make_ascii_lowercase();
            match chain.find(&chain.hash(lower)) {
                Ok(link) => self.drafts[i].link = link,
                Err(cover) => self.drafts[i].cover = cover,
            }
        }
        self.base.chain = Chain::Nsec3(chain);
        Ok(())
    }

    /// Writes one node; returns whether it has an NSEC set.
    fn node(&mut self, i: usize, nsec: bool) -> Result<bool, ZoneError> {
        let (name, flags, records, children) = {
            let draft = &self.drafts[i];
            debug_assert_eq!(draft.at as usize, self.base.arena.nodes.len());
            (draft.name, draft.flags, draft.records, draft.children)
        };
        let prefix = name.prefix_of(self.apex).unwrap_or_default();
        match (flags & 3, records.as_ref()) {
            (KIND_CUT, Some(records)) => self.cut(i, prefix, records),
            (KIND_PLAIN, _) => {
                let sets = self.sets(name, records.as_ref(), flags)?;
                let link = self.drafts[i].link;
                let wild = match (&self.base.chain, link) {
                    (Chain::Nsec3(chain), link) if link != NONE => match Name::prepend(b"*", name.to_lowercase().as_ref()) {
                        Ok(wildcard) => chain.find(&chain.hash(wildcard.as_ref().as_wire())).unwrap_or_else(|cover| cover),
                        // No name fits below this one.
                        Err(_) => NONE,
                    },
                    _ => NONE,
                };
                self.base.counts.names += 1;
                let nodes = &mut self.base.arena.nodes;
                head(nodes, flags, prefix);
                for n in [link, wild, children] {
                    nodes.extend_from_slice(&n.to_le_bytes());
                }
                list(nodes, &sets);
                Ok(nsec && sets.iter().any(|(rtype, _)| *rtype == Rtype::NSEC))
            }
            _ => {
                let sets = self.sets(name, records.as_ref(), flags)?;
                self.base.counts.hidden += 1;
                let nodes = &mut self.base.arena.nodes;
                head(nodes, flags, prefix);
                list(nodes, &sets);
                Ok(false)
            }
        }
    }

    fn cut(&mut self, i: usize, prefix: &[u8], records: &NameRecords<'a>) -> Result<bool, ZoneError> {
        let owner = records.owner();
        let mut flags = self.drafts[i].flags;
        let ns = self.ns_set(records)?;
        let ds = match records.rrset(Rtype::DS) {
            Some(set) => Some(self.set(owner, set, records)?),
            None => None,
        };
        let nsec = match records.rrset(Rtype::NSEC) {
            Some(set) if !self.base.chain.is_nsec3() => Some(self.set(owner, set, records)?),
            _ => None,
        };
        let link = match nsec {
            Some(at) => {
                flags |= LINK_IS_NSEC;
                at
            }
            None if self.drafts[i].link != NONE => {
                flags |= LINK_MATCHES;
                self.drafts[i].link
            }
            // Without a link of its own: the next closer name to the closest encloser that has one.
            None => {
                let mut next_closer = i;
                while let Some(parent) = self.drafts.get(self.drafts[next_closer].parent as usize) {
                    if parent.link != NONE {
                        break;
                    }
                    next_closer = self.drafts[next_closer].parent as usize;
                }
                self.drafts[next_closer].cover
            }
        };
        let others = if flags & HAS_OTHERS != 0 { self.sets(owner, Some(records), flags)? } else { Vec::new() };
        let own: Vec<NameRef<'_>> = self.drafts[i].own_hosts().collect();
        let hosts: Vec<u32> = own.into_iter().map(|host| self.own_host(i, host)).collect();
        self.base.counts.cuts += 1;
        self.base.counts.secure_cuts += usize::from(ds.is_some());
        let nodes = &mut self.base.arena.nodes;
        head(nodes, flags, prefix);
        nodes.extend_from_slice(&ns.to_le_bytes());
        nodes.extend_from_slice(&link.to_le_bytes());
        if let Some(ds) = ds {
            nodes.extend_from_slice(&ds.to_le_bytes());
        }
        if flags & HAS_OTHERS != 0 {
            list(nodes, &others);
        }
        nodes.push(hosts.len() as u8);
        for host in hosts {
            nodes.extend_from_slice(&host.to_le_bytes());
        }
        Ok(nsec.is_some())
    }

    /// The place of an NS set with its hosts; equal ones are one.
    fn ns_set(&mut self, records: &NameRecords<'a>) -> Result<u32, ZoneError> {
        let owner = records.owner();
        let Some(set) = records.rrset(Rtype::NS) else { return Ok(NONE) };
        self.ns_key.clear();
        append_relative(owner, set, &mut self.ns_key);
        if let Some(&at) = self.ns_written.get(&self.ns_key) {
            return Ok(at);
        }
        let at = self.write_ns_set(owner, set)?;
        self.ns_written.insert(self.ns_key.clone(), at);
        Ok(at)
    }

    fn write_ns_set(&mut self, owner: NameRef<'a>, set: Rrset<'a>) -> Result<u32, ZoneError> {
        let too_big = |TooBig| ZoneError::RrsetTooBig(owner.to_owned(), Rtype::NS);
        self.writer.clear();
        let anchors = Anchors { owner: Some(owner), apex: self.apex };
        let mut hosts: Vec<(u16, u32)> = Vec::new();
        let mut own = 0;
        for rdata in set.rdata() {
            let at = self.writer.push(anchors, Rtype::NS, set.ttl(), rdata).map_err(too_big)?;
            let Ok(host) = NameRef::from_wire(rdata) else { continue };
            if hosts.len() == 255 {
                continue;
            }
            if host.is_at_or_below(owner) {
                if own < 255 {
                    own += 1;
                    hosts.push((at, OWN_HOST));
                }
            } else {
                match self.host(host) {
                    NONE => {}
                    node => hosts.push((at, node)),
                }
            }
        }
        let mut content = Vec::with_capacity(256);
        self.writer.finish(&mut content);
        content.push(hosts.len() as u8);
        for (at, host) in hosts {
            content.extend_from_slice(&at.to_le_bytes());
            content.extend_from_slice(&host.to_le_bytes());
        }
        if let Some(&at) = self.ns_sets.get(&content) {
            return Ok(at);
        }
        let at = self.place()?;
        self.base.arena.pieces.extend_from_slice(&content);
        self.ns_sets.insert(content, at);
        Ok(at)
    }

    /// The node with the addresses of `host`, which is at or below the cut number `cut`: near it, as names stand in canonical order.
    fn own_host(&mut self, cut: usize, host: NameRef<'_>) -> u32 {
        let rest = &self.drafts[cut..];
        let is_before = |draft: &Draft<'_>| draft.name.canonical_cmp(host) == Ordering::Less;
        let mut step = 1;
        while step < rest.len() && is_before(&rest[step]) {
            step *= 2;
        }
        let (from, to) = (step / 2, rest.len().min(step + 1));
        match rest.get(from + rest[from..to].partition_point(is_before)) {
            Some(draft) if draft.name == host => draft.at,
            _ => self.absent(host.prefix_of(self.apex).unwrap_or_default().to_ascii_lowercase()),
        }
    }

    fn absent(&mut self, lower: Vec<u8>) -> u32 {
        self.base.absent_hosts.insert(lower.into());
        NONE
    }

    /// The node with the addresses of `host`.
    fn host(&mut self, host: NameRef<'_>) -> u32 {
        let Some(prefix) = host.prefix_of(self.apex) else { return NONE };
        let lower = prefix.to_ascii_lowercase();
        // Nodes are not written yet, so names are compared in the drafts, which are in order of their places.
        let is_it = |at: u32| {
            self.drafts
                .binary_search_by_key(&at, |draft| draft.at)
                .is_ok_and(|i| self.drafts[i].name.prefix_of(self.apex).unwrap_or_default().eq_ignore_ascii_case(&lower))
        };
        let found = self.base.index.find(hash_prefix(self.base.seed, &lower), is_it);
        match found {
            Some(at) => at,
            None => self.absent(lower),
        }
    }

    fn sets(&mut self, owner: NameRef<'_>, records: Option<&NameRecords<'a>>, flags: u8) -> Result<Vec<(Rtype, u32)>, ZoneError> {
        let Some(records) = records else { return Ok(Vec::new()) };
        let mut sets = Vec::new();
        for set in listed(records, flags) {
            sets.push((set.rtype(), self.set(owner, set, records)?));
        }
        Ok(sets)
    }

    /// Writes an RRset and its signatures; returns its place.
    fn set(&mut self, owner: NameRef<'_>, set: Rrset<'a>, records: &NameRecords<'a>) -> Result<u32, ZoneError> {
        let at = self.place()?;
        let too_big = |TooBig| ZoneError::RrsetTooBig(owner.to_owned(), set.rtype());
        // A wildcard's set is answered with another owner: its RDATA must not lean on it.
        let anchors = Anchors { owner: (!owner.is_wildcard()).then_some(owner), apex: self.apex };
        self.writer.clear();
        for rdata in set.rdata() {
            self.writer.push(anchors, set.rtype(), set.ttl(), rdata).map_err(too_big)?;
        }
        if let Some(signatures) = records.signatures(set.rtype()) {
            for rdata in signatures.rdata() {
                self.writer.push_signature(signatures.ttl(), rdata).map_err(too_big)?;
            }
        }
        self.writer.finish(&mut self.base.arena.pieces);
        Ok(at)
    }

    fn place(&self) -> Result<u32, ZoneError> {
        u32::try_from(self.base.arena.pieces.len()).ok().filter(|&at| at < OWN_HOST).ok_or(ZoneError::TooBig)
    }
}

/// Appends what the piece of an NS set is made from: TTL and names, those at or below the owner without it.
///
/// Nothing else of the owner is in the piece, so that equal bytes make equal pieces.
fn append_relative(owner: NameRef<'_>, set: Rrset<'_>, out: &mut Vec<u8>) {
    const BELOW: u32 = 1 << 31;
    out.extend_from_slice(&set.ttl().to_le_bytes());
    for rdata in set.rdata() {
        let prefix = NameRef::from_wire(rdata).ok().and_then(|host| host.prefix_of(owner));
        let (name, flag) = prefix.map_or((rdata, 0), |prefix| (prefix, BELOW));
        out.extend_from_slice(&(name.len() as u32 | flag).to_le_bytes());
        out.extend_from_slice(name);
    }
}

fn head(nodes: &mut Vec<u8>, flags: u8, prefix: &[u8]) {
    nodes.push(flags);
    nodes.push(prefix.len() as u8);
    let at = nodes.len();
    nodes.extend_from_slice(prefix);
    nodes[at..].make_ascii_lowercase();
}

fn list(nodes: &mut Vec<u8>, sets: &[(Rtype, u32)]) {
    nodes.extend_from_slice(&(sets.len() as u16).to_le_bytes());
    for (rtype, at) in sets {
        nodes.extend_from_slice(&rtype.0.to_le_bytes());
        nodes.extend_from_slice(&at.to_le_bytes());
    }
}

/// The parameters in NSEC3PARAM RDATA; flags other than 0 mean a chain under construction (RFC 5155 §4.1.2).
fn read_params(rdata: &[u8]) -> Option<Nsec3Params> {
    let [1, 0, i0, i1, n, salt @ ..] = rdata else { return None };
    (salt.len() == *n as usize).then(|| Nsec3Params { iterations: u16::from_be_bytes([*i0, *i1]), salt: salt.to_vec() })
}

/// True if NSEC3 RDATA is of the chain with these parameters.
fn is_of(rdata: &[u8], params: &Nsec3Params) -> bool {
    let [1, _, i0, i1, n, rest @ ..] = rdata else { return false };
    u16::from_be_bytes([*i0, *i1]) == params.iterations && rest.get(..*n as usize) == Some(&params.salt)
}

/// The SOA as a negative answer carries it: TTL the smaller of its own and its minimum (RFC 2308 §3 and §5).
pub(super) fn negative_soa(apex: NameRef<'_>, records: &NameRecords<'_>, minimum: u32) -> Result<Vec<u8>, ZoneError> {
    let mut pieces = Vec::new();
    let mut writer = SetWriter::default();
    writer.clear();
    let anchors = Anchors { owner: Some(apex), apex };
    let too_big = |TooBig| ZoneError::RrsetTooBig(apex.to_owned(), Rtype::SOA);
    if let Some(set) = records.rrset(Rtype::SOA) {
        for rdata in set.rdata() {
            writer.push(anchors, Rtype::SOA, set.ttl().min(minimum), rdata).map_err(too_big)?;
        }
        if let Some(signatures) = records.signatures(Rtype::SOA) {
            for rdata in signatures.rdata() {
                writer.push_signature(set.ttl().min(minimum), rdata).map_err(too_big)?;
            }
        }
        writer.finish(&mut pieces);
    }
    Ok(pieces)
}

impl Counts {
    /// Delegations and other names.
    pub fn all_names(&self) -> usize {
        self.cuts + self.names
    }
}
