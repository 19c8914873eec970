//! Builds the flat arrays of a zone from its names in canonical order, in one pass: neither the records of the whole zone
//! nor a plan of it has to be in memory.
//!
//! A node is written when its name comes. What only later names tell (children, hidden names, addresses of name servers, the chain)
//! has its place in the node and is filled in then, or at the end, when every place is known.

mod hosts;
mod last;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use super::ZoneError;
use super::base::{
    Base, Counts, HAS_DNAME, HAS_DS, HAS_OTHERS, HAS_WILDCARD, HIDES_OTHERS, KIND, KIND_CUT, KIND_HIDDEN, KIND_PLAIN, LINK_IS_NSEC, NONE,
    OWN_HOST,
};
use super::chain::{Chain, Labels, Nsec3Chain, Nsec3Params, hash_of_owner};
use super::piece::{Anchors, SetWriter, TooBig};
use crate::dns::rdata::Soa;
use crate::dns::{Name, NameRecords, NameRef, Records, Rrset, Rtype};

use hosts::{NsSets, OwnHosts};
pub(super) use last::hash_prefix;
use last::{set_u32, u32_at};

/// Builds the arrays for the zone `apex` from its sorted records.
///
/// Linear in the records, but for one hash-table look-up for each name server in the zone.
pub(super) fn build(apex: NameRef<'_>, records: &Records, seed: u64) -> Result<Base, ZoneError> {
    let mut build = Build::new(apex, seed);
    build.records(records)?;
    build.finish().map(|built| built.base)
}

/// Builds arrays with some names of a zone alone, from their sorted records, below an apex without any.
pub(super) fn names(apex: NameRef<'_>, records: &Records, seed: u64) -> Result<Base, ZoneError> {
    let mut build = Build::new(apex, seed);
    build.plain(&Labels::of(&[]), KIND_PLAIN, &[])?;
    build.records(records)?;
    build.finish().map(|built| built.base)
}

/// As [`names`], with one name that is no cut and may have no records; and where its node stands.
pub(super) fn one(apex: NameRef<'_>, prefix: &[u8], records: &Records, seed: u64) -> Result<(Base, u32), ZoneError> {
    let mut build = Build::new(apex, seed);
    build.plain(&Labels::of(&[]), KIND_PLAIN, &[])?;
    build.records(records)?;
    if records.is_empty() {
        build.plain(&Labels::of(prefix), KIND_PLAIN, &[])?;
    }
    let at = build.path.last().map_or(0, |open| open.at);
    build.finish().map(|built| (built.base, at))
}

/// The set of a link of the chain with these parameters, from the sorted records of its owner; `None` where those have none.
pub(super) fn link(apex: NameRef<'_>, params: &Nsec3Params, records: &Records) -> Result<Option<Vec<u8>>, ZoneError> {
    let mut build = Build::new(apex, 0);
    build.params = Some(params.clone());
    build.records(records)?;
    Ok((!build.links.is_empty()).then_some(build.base.arena.pieces))
}

/// A zone on its way.
pub(super) struct Build {
    apex: Name,
    base: Base,
    start: Option<Start>,
    writer: SetWriter,
    /// The nodes from the apex to the last name.
    path: Vec<Open>,
    own_hosts: OwnHosts,
    ns_sets: NsSets,
    params: Option<Nsec3Params>,
    links: Vec<([u8; 20], u32)>,
    /// The nodes with NSEC.
    nsec: Vec<u32>,
    /// A name that has signatures of a link and no link.
    without_link: Option<Name>,
}

/// What comes of a [`Build`].
pub(super) struct Built {
    /// The apex, in lower case.
    pub apex: Name,
    pub base: Base,
    /// `None` without exactly one SOA at the apex.
    pub start: Option<Start>,
    /// A name that has signatures of a link and no link, as happens when they came apart from it.
    pub without_link: Option<Name>,
}

/// What a zone takes from its SOA.
pub(super) struct Start {
    pub soa: Soa,
    /// As a negative answer carries it.
    pub negative: Vec<u8>,
}

/// A node that the next name may stand below.
struct Open {
    at: u32,
    /// Octets of its name below the apex.
    len: usize,
    labels: usize,
    flags: u8,
}

impl Build {
    /// Begins the zone `apex`, whose names are hashed with `seed`.
    pub fn new(apex: NameRef<'_>, seed: u64) -> Self {
        Self {
            apex: apex.to_lowercase(),
            base: Base { seed, ..Base::default() },
            start: None,
            writer: SetWriter::default(),
            path: Vec::new(),
            own_hosts: OwnHosts::default(),
            ns_sets: NsSets::default(),
            params: None,
            links: Vec::new(),
            nsec: Vec::new(),
            without_link: None,
        }
    }

    /// Adds names, sorted, that stand behind those added before; the owners of NSEC3 may come in any order.
    ///
    /// # Errors
    /// [`ZoneError`]; there is no going on then.
    pub fn records(&mut self, records: &Records) -> Result<(), ZoneError> {
        self.base.counts.records += records.len();
        self.base.counts.signatures += records.rtypes().filter(|rtype| *rtype == Rtype::RRSIG).count();
        records.names().try_for_each(|name| self.name(&name))
    }

    fn name(&mut self, name: &NameRecords<'_>) -> Result<(), ZoneError> {
        let owner = name.owner();
        let prefix = owner.prefix_of(self.apex.as_ref()).ok_or_else(|| ZoneError::OutOfZone(owner.to_owned()))?;
        let sets = Sets::of(name, prefix.is_empty())?;
        if let Some(set) = sets.nsec3 {
            self.link(name, set)?;
        }
        if sets.is_of_chain {
            if sets.nsec3.is_none() {
                self.without_link = Some(owner.to_owned());
            }
            return Ok(());
        }
        let mut lower = [0u8; 256];
        let lower = &mut lower[..prefix.len()];
        lower.copy_from_slice(prefix);
        lower.make_ascii_lowercase();
        let labels = Labels::of(lower);
        match self.leave(&labels)? {
            None if prefix.is_empty() => self.read_apex(name)?,
            None => return Err(ZoneError::Soa),
            Some(Place::Hidden) => return self.hidden(name, &labels),
            Some(Place::Below(depth)) => {
                for n in depth + 1..labels.len() {
                    self.plain(&labels.last(n), KIND_PLAIN, &[])?;
                }
            }
        }
        if sets.flags & KIND == KIND_CUT { self.cut(name, &labels, &sets) } else { self.name_of_zone(name, &labels, &sets) }
    }

    /// Leaves the nodes that the next name does not stand below, and finds its place; `None` in front of the apex.
    fn leave(&mut self, next: &Labels<'_>) -> Result<Option<Place>, ZoneError> {
        let mut left = None;
        while let Some(top) = self.path.last() {
            if next.ends_with(self.prefix(top), top.labels) {
                break;
            }
            left = self.path.pop();
            self.close(left.as_ref());
        }
        let Some(top) = self.path.last() else { return Ok(None) };
        let is_behind = left.is_none_or(|left| Labels::of(self.prefix(&left)).cmp(next) == Ordering::Less);
        if !is_behind || top.labels == next.len() {
            let name = [next.as_wire(), self.apex.as_ref().as_wire()].concat();
            return Err(ZoneError::OutOfOrder(Name::from_wire(&name).unwrap_or_else(|_| self.apex.clone())));
        }
        Ok(Some(if hides(top.flags) { Place::Hidden } else { Place::Below(top.labels) }))
    }

    fn prefix(&self, open: &Open) -> &[u8] {
        let from = open.at as usize + 2;
        &self.base.arena.nodes[from..from + open.len]
    }

    /// What is to be done when no name below a node comes any more.
    fn close(&mut self, open: Option<&Open>) {
        let Some(open) = open.filter(|open| open.flags & KIND == KIND_CUT) else { return };
        let from = open.at as usize + 2;
        let cut = &self.base.arena.nodes[from..from + open.len];
        for host in self.own_hosts.absent() {
            self.base.absent_hosts.insert([host, cut].concat().into());
        }
        self.own_hosts.clear();
    }

    /// What the apex says of the whole zone.
    fn read_apex(&mut self, name: &NameRecords<'_>) -> Result<(), ZoneError> {
        self.params = params_of(name);
        if let Some(soa) = name.rrset(Rtype::SOA).filter(|set| set.len() == 1).and_then(|set| Soa::read(set.rdata().next()?)) {
            let negative = negative_soa(self.apex.as_ref(), name, soa.minimum)?;
            self.start = Some(Start { soa, negative });
        }
        Ok(())
    }

    /// Writes a link of the chain.
    fn link(&mut self, name: &NameRecords<'_>, set: Rrset<'_>) -> Result<(), ZoneError> {
        let Some(rdata) = self.params.as_ref().and_then(|params| set.rdata().find(|rdata| is_of(rdata, params))) else { return Ok(()) };
        let owner = name.owner();
        let apex = self.apex.as_ref();
        let hash = hash_of_owner(owner, apex).ok_or_else(|| ZoneError::Nsec3Owner(owner.to_owned()))?;
        let at = self.place()?;
        let too_big = |TooBig| ZoneError::RrsetTooBig(owner.to_owned(), Rtype::NSEC3);
        let mut label = [0; 32];
        label.copy_from_slice(&owner.as_wire()[1..33]);
        label.make_ascii_lowercase();
        self.writer.start_hashed(&label, apex);
        self.writer.push(Anchors { owner: None, apex }, Rtype::NSEC3, set.ttl(), rdata).map_err(too_big)?;
        if let Some(signatures) = name.signatures(Rtype::NSEC3) {
            for signature in signatures.rdata() {
                self.writer.push_signature(signatures.ttl(), signature).map_err(too_big)?;
            }
        }
        self.writer.finish(&mut self.base.arena.pieces);
        self.links.push((hash, at));
        Ok(())
    }

    /// Writes a name that the zone answers for.
    fn name_of_zone(&mut self, name: &NameRecords<'_>, labels: &Labels<'_>, sets: &Sets<'_>) -> Result<(), ZoneError> {
        let listed = self.sets(name, sets.flags)?;
        self.plain(labels, sets.flags, &listed)?;
        if sets.nsec.is_some() {
            self.nsec.extend(self.path.last().map(|open| open.at));
        }
        Ok(())
    }

    fn plain(&mut self, labels: &Labels<'_>, flags: u8, sets: &[(Rtype, u32)]) -> Result<(), ZoneError> {
        self.open(labels, flags)?;
        self.base.counts.names += 1;
        let nodes = &mut self.base.arena.nodes;
        for n in [NONE, NONE, 0] {
            nodes.extend_from_slice(&n.to_le_bytes());
        }
        list(nodes, sets);
        Ok(())
    }

    /// Writes a name below a cut or a DNAME.
    fn hidden(&mut self, name: &NameRecords<'_>, labels: &Labels<'_>) -> Result<(), ZoneError> {
        let at = self.node_place()?;
        // A DNAME or an outer cut may stand further up: the lowest name on the path that is not hidden itself.
        if let Some(cut) = self.path.iter().rev().find(|open| open.flags & KIND != KIND_HIDDEN)
            && cut.flags & KIND == KIND_CUT
        {
            let host = &labels.as_wire()[..labels.as_wire().len() - cut.len];
            let nodes = &mut self.base.arena.nodes;
            if !self.own_hosts.met(host, |patch| set_u32(nodes, patch, at)) {
                nodes[cut.at as usize] |= HIDES_OTHERS;
            }
        }
        let listed = self.sets(name, KIND_HIDDEN)?;
        self.open(labels, KIND_HIDDEN)?;
        self.base.counts.hidden += 1;
        list(&mut self.base.arena.nodes, &listed);
        Ok(())
    }

    fn cut(&mut self, name: &NameRecords<'_>, labels: &Labels<'_>, sets: &Sets<'_>) -> Result<(), ZoneError> {
        let owner = name.owner();
        let mut flags = sets.flags;
        let Some(ns) = sets.ns else { return Ok(()) };
        let ns = self.ns_set(owner, ns)?;
        let ds = sets.ds.map(|set| self.set(owner, set, name)).transpose()?;
        let nsec = sets.nsec.map(|set| self.set(owner, set, name)).transpose()?;
        if nsec.is_some() {
            flags |= LINK_IS_NSEC;
        }
        let others = if flags & HAS_OTHERS != 0 { self.sets(name, flags)? } else { Vec::new() };
        let at = self.open(labels, flags)?;
        self.base.counts.cuts += 1;
        self.base.counts.secure_cuts += usize::from(ds.is_some());
        if nsec.is_some() {
            self.nsec.push(at);
        }
        let nodes = &mut self.base.arena.nodes;
        for n in [Some(ns), Some(nsec.unwrap_or(NONE)), ds].into_iter().flatten() {
            nodes.extend_from_slice(&n.to_le_bytes());
        }
        if flags & HAS_OTHERS != 0 {
            list(nodes, &others);
        }
        self.own_hosts.append(at, nodes);
        Ok(())
    }

    /// Begins a node: counts it with its parent, and writes flags and name.
    fn open(&mut self, labels: &Labels<'_>, flags: u8) -> Result<u32, ZoneError> {
        let at = self.node_place()?;
        let nodes = &mut self.base.arena.nodes;
        if let Some(parent) = self.path.last().filter(|_| flags & KIND != KIND_HIDDEN) {
            let children = parent.at as usize + 2 + parent.len + 8;
            let n = u32_at(nodes, children) + 1;
            set_u32(nodes, children, n);
            if labels.as_wire().starts_with(b"\x01*") {
                nodes[parent.at as usize] |= HAS_WILDCARD;
            }
        }
        nodes.extend_from_slice(&[flags, labels.as_wire().len() as u8]);
        nodes.extend_from_slice(labels.as_wire());
        self.path.push(Open { at, len: labels.as_wire().len(), labels: labels.len(), flags });
        Ok(at)
    }

    /// The place of an NS set with its hosts; equal ones are one. Those at or below `owner` are in [`Self::own_hosts`] then.
    fn ns_set(&mut self, owner: NameRef<'_>, set: Rrset<'_>) -> Result<u32, ZoneError> {
        self.own_hosts.clear();
        self.ns_sets.key.clear();
        self.ns_sets.key.extend_from_slice(&set.ttl().to_le_bytes());
        for (i, rdata) in set.rdata().enumerate() {
            let own = NameRef::from_wire(rdata).ok().and_then(|host| host.prefix_of(owner));
            if let Some(host) = own.filter(|_| i < MAX_HOSTS) {
                self.own_hosts.push(host);
            }
            self.ns_sets.push_name(own, rdata);
        }
        match self.ns_sets.find(self.base.seed) {
            Ok(at) => Ok(at),
            Err(hash) => {
                let at = self.write_ns_set(owner, set)?;
                self.ns_sets.insert(hash, at);
                Ok(at)
            }
        }
    }

    /// Writes an NS set, and behind it where each name server inside the zone stands in it.
    fn write_ns_set(&mut self, owner: NameRef<'_>, set: Rrset<'_>) -> Result<u32, ZoneError> {
        let too_big = |TooBig| ZoneError::RrsetTooBig(owner.to_owned(), Rtype::NS);
        let apex = self.apex.as_ref();
        self.writer.clear();
        let mut hosts: Vec<(u16, u32)> = Vec::new();
        for (i, rdata) in set.rdata().enumerate() {
            let at = self.writer.push(Anchors { owner: Some(owner), apex }, Rtype::NS, set.ttl(), rdata).map_err(too_big)?;
            match NameRef::from_wire(rdata) {
                Ok(host) if i >= MAX_HOSTS || !host.is_at_or_below(apex) => {}
                Ok(host) if host.is_at_or_below(owner) => hosts.push((at, OWN_HOST)),
                // Its node may come later.
                Ok(_) => hosts.push((at, NONE)),
                Err(_) => {}
            }
        }
        let at = self.place()?;
        let pieces = &mut self.base.arena.pieces;
        self.writer.finish(pieces);
        pieces.push(hosts.len() as u8);
        for (at, host) in &hosts {
            pieces.extend_from_slice(&at.to_le_bytes());
            pieces.extend_from_slice(&host.to_le_bytes());
        }
        if hosts.iter().any(|&(_, host)| host == NONE) {
            self.ns_sets.unfinished.push(at);
        }
        Ok(at)
    }

    /// Writes the sets that a node lists.
    fn sets(&mut self, name: &NameRecords<'_>, flags: u8) -> Result<Vec<(Rtype, u32)>, ZoneError> {
        listed(name, flags).map(|set| Ok((set.rtype(), self.set(name.owner(), set, name)?))).collect()
    }

    /// Writes an RRset and its signatures; returns its place.
    fn set(&mut self, owner: NameRef<'_>, set: Rrset<'_>, name: &NameRecords<'_>) -> Result<u32, ZoneError> {
        let at = self.place()?;
        let too_big = |TooBig| ZoneError::RrsetTooBig(owner.to_owned(), set.rtype());
        // A wildcard's set is answered with another owner: its RDATA must not lean on it.
        let anchors = Anchors { owner: (!owner.is_wildcard()).then_some(owner), apex: self.apex.as_ref() };
        self.writer.clear();
        for rdata in set.rdata() {
            self.writer.push(anchors, set.rtype(), set.ttl(), rdata).map_err(too_big)?;
        }
        if let Some(signatures) = name.signatures(set.rtype()) {
            for rdata in signatures.rdata() {
                self.writer.push_signature(signatures.ttl(), rdata).map_err(too_big)?;
            }
        }
        self.writer.finish(&mut self.base.arena.pieces);
        Ok(at)
    }

    /// Where the next piece stands.
    fn place(&self) -> Result<u32, ZoneError> {
        u32::try_from(self.base.arena.pieces.len()).ok().filter(|&at| at < OWN_HOST).ok_or(ZoneError::TooBig)
    }

    /// Where the next node stands.
    fn node_place(&self) -> Result<u32, ZoneError> {
        u32::try_from(self.base.arena.nodes.len()).ok().filter(|&at| at < OWN_HOST).ok_or(ZoneError::TooBig)
    }

    /// Ends the zone: fills in what had to wait for the last name.
    ///
    /// # Errors
    /// When there was no apex, or when links of one hash came apart.
    pub fn finish(mut self) -> Result<Built, ZoneError> {
        while let Some(open) = self.path.pop() {
            self.close(Some(&open));
        }
        if self.base.arena.nodes.is_empty() {
            return Err(ZoneError::Soa);
        }
        let unfinished = std::mem::take(&mut self.ns_sets).unfinished;
        self.base.arena.nodes.shrink_to_fit();
        self.base.arena.pieces.shrink_to_fit();
        let n_links = self.links.len();
        if let Some(params) = self.params.take().filter(|_| n_links > 0) {
            let chain = Nsec3Chain::new(params, std::mem::take(&mut self.links));
            if chain.len() != n_links {
                return Err(ZoneError::OutOfOrder(self.apex));
            }
            last::find_links(&mut self.base.arena.nodes, self.apex.as_ref(), &chain);
            self.base.chain = Chain::Nsec3(chain);
        } else if self.nsec.first() == Some(&0) {
            self.nsec.shrink_to_fit();
            self.base.chain = Chain::Nsec(self.nsec);
        }
        self.base.index = last::index(&self.base);
        last::find_hosts(&mut self.base, unfinished, self.apex.as_ref());
        Ok(Built { apex: self.apex, base: self.base, start: self.start, without_link: self.without_link })
    }
}

/// Where a name stands.
enum Place {
    /// Below a cut or a DNAME.
    Hidden,
    /// Below a node of so many labels below the apex.
    Below(usize),
}

/// The most NS records of a set that are looked at for name servers inside the zone.
const MAX_HOSTS: usize = 255;

/// True if names below this one are not the zone's to answer (RFC 2136 §7.18 calls them occluded).
fn hides(flags: u8) -> bool {
    flags & KIND != KIND_PLAIN || flags & HAS_DNAME != 0
}

/// What makes records no zone at a name of it: beside a CNAME or in place of a single record stands more.
///
/// # Errors
/// As [`Zone::build`](super::Zone::build) would refuse it.
pub fn check_name(name: &NameRecords<'_>, is_apex: bool) -> Result<(), ZoneError> {
    Sets::of(name, is_apex).map(drop)
}

/// The RRsets of a name that its node has places for, and what it is.
struct Sets<'a> {
    flags: u8,
    /// There is nothing but what belongs to the NSEC3 chain.
    is_of_chain: bool,
    ns: Option<Rrset<'a>>,
    ds: Option<Rrset<'a>>,
    nsec: Option<Rrset<'a>>,
    nsec3: Option<Rrset<'a>>,
}

impl<'a> Sets<'a> {
    fn of(name: &NameRecords<'a>, is_apex: bool) -> Result<Self, ZoneError> {
        let mut sets = Self { flags: KIND_PLAIN, is_of_chain: true, ns: None, ds: None, nsec: None, nsec3: None };
        let (mut others, mut cname, mut beside_cname) = (false, false, false);
        for set in name.rrsets() {
            let rtype = set.rtype();
            sets.is_of_chain &= rtype == Rtype::NSEC3 || set.covered() == Some(Rtype::NSEC3);
            match rtype {
                Rtype::NS => sets.ns = Some(set),
                Rtype::DS => sets.ds = Some(set),
                Rtype::NSEC => sets.nsec = Some(set),
                Rtype::NSEC3 => sets.nsec3 = Some(set),
                Rtype::RRSIG => {}
                rtype => {
                    others = true;
                    match rtype {
                        Rtype::CNAME => cname = true,
                        Rtype::KEY => {}
                        _ => beside_cname = true,
                    }
                    if rtype == Rtype::DNAME {
                        sets.flags |= HAS_DNAME;
                    }
                    let is_alone = matches!(rtype, Rtype::CNAME | Rtype::DNAME | Rtype::SOA);
                    if is_alone && set.len() > 1 || rtype == Rtype::SOA && !is_apex {
                        return Err(ZoneError::MoreThanOne(name.owner().to_owned(), rtype));
                    }
                }
            }
        }
        if cname && (beside_cname || sets.ns.is_some() || sets.ds.is_some()) {
            return Err(ZoneError::CnameAndOther(name.owner().to_owned()));
        }
        if sets.ns.is_some() && !is_apex {
            let ds = if sets.ds.is_some() { HAS_DS } else { 0 };
            sets.flags = KIND_CUT | ds | if others { HAS_OTHERS } else { 0 };
        }
        Ok(sets)
    }
}

/// The sets that a node lists: for a cut those beside NS, DS and NSEC.
fn listed<'a>(name: &NameRecords<'a>, flags: u8) -> impl Iterator<Item = Rrset<'a>> + use<'a> {
    let cut = flags & KIND == KIND_CUT;
    name.rrsets().filter(move |set| match set.rtype() {
        Rtype::RRSIG | Rtype::NSEC3 => false,
        Rtype::NS | Rtype::DS | Rtype::NSEC => !cut,
        _ => true,
    })
}

fn list(nodes: &mut Vec<u8>, sets: &[(Rtype, u32)]) {
    nodes.extend_from_slice(&(sets.len() as u16).to_le_bytes());
    for (rtype, at) in sets {
        nodes.extend_from_slice(&rtype.0.to_le_bytes());
        nodes.extend_from_slice(&at.to_le_bytes());
    }
}

/// The parameters of the chain that the apex names.
pub(super) fn params_of(apex: &NameRecords<'_>) -> Option<Nsec3Params> {
    apex.rrset(Rtype::NSEC3PARAM)?.rdata().find_map(read_params)
}

/// The parameters in NSEC3PARAM RDATA; flags other than 0 mean a chain under construction (RFC 5155 §4.1.2).
fn read_params(rdata: &[u8]) -> Option<Nsec3Params> {
    let [1, 0, i0, i1, n, salt @ ..] = rdata else { return None };
    (salt.len() == *n as usize).then(|| Nsec3Params { iterations: u16::from_be_bytes([*i0, *i1]), salt: salt.to_vec() })
}

/// True if NSEC3 RDATA is of the chain with these parameters.
pub(super) fn is_of(rdata: &[u8], params: &Nsec3Params) -> bool {
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
