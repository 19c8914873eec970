//! Decides and writes the answer of one zone: sets, referrals, negative answers, chains of CNAME and DNAME.
//!
//! RFC 1034 §4.3.2, RFC 2308, RFC 4035 §3.1, RFC 4592, RFC 6604, RFC 6672, RFC 8482, RFC 9471.

use super::denial::{self, Proof, Proofs, Prover};
use super::reply::{Full, Owner, Reply, Section, Truncated};
use super::{NOERROR, NXDOMAIN, YXDOMAIN};
use crate::dns::message::read_name;
use crate::dns::name::{MAX_NAME, NameRef};
use crate::dns::{Class, Rtype};
use crate::zone::piece::{POINTER_MAX, Piece};
use crate::zone::{End, Node, Set, Sought, Walk, Zone};

/// The most CNAME and DNAME records that one answer follows; a chain that goes on is the resolver's to follow.
pub const MAX_HOPS: usize = 16;
/// The most names of one set whose addresses are looked up for the additional section.
const MAX_TARGETS: usize = 16;

/// Answers a question of class IN for the name `sought` from `zone`, which encloses it. Returns the RCODE.
pub fn answer(zone: &Zone, sought: &Sought, rtype: Rtype, dnssec_ok: bool, reply: &mut Reply<'_>) -> u16 {
    reply.apex_at = 12 + sought.start_of(zone.apex_labels());
    let mut resolver = Resolver { zone, rtype, dnssec_ok, reply, proofs: Proofs::default(), trail: None, hops: 0, last: None };
    // Truncated: the reply is marked, and what was found out stands.
    resolver.run(sought).unwrap_or(NOERROR)
}

/// Answers with the SOA of `zone` alone, whose apex is the question's name. Returns the RCODE.
pub fn soa(zone: &Zone, reply: &mut Reply<'_>) -> u16 {
    reply.apex_at = 12;
    reply.set_authoritative();
    if let Some(set) = zone.apex_node().set(Rtype::SOA) {
        // Truncated: the reply is marked.
        let _ = reply.require(set.records, Owner::At(12), Full { below: &[], apex: zone.apex() });
    }
    NOERROR
}

struct Resolver<'z, 'r, 'b> {
    zone: &'z Zone,
    rtype: Rtype,
    dnssec_ok: bool,
    reply: &'r mut Reply<'b>,
    proofs: Proofs,
    /// What is kept of each name that was looked up; nothing, for most answers.
    trail: Option<[Hop<'z>; MAX_HOPS]>,
    hops: usize,
    /// The type and place of the set that ended the answer, and its records.
    last: Option<(Rtype, usize, u16)>,
}

/// One name of the chain that an answer follows.
#[derive(Clone, Copy)]
struct Hop<'z> {
    /// Where the name stands in the message: a chain that comes back to one of them is a loop.
    at: usize,
    /// Where a wildcard answered for it: the proof of its absence, which comes after all answers.
    expansion: Option<Proof<'z>>,
    /// The DNAME node that the answer has of it.
    dname: Option<Node<'z>>,
}

impl Hop<'_> {
    /// The first name is the question's.
    const FIRST: Self = Self { at: 12, expansion: None, dname: None };
}

/// The name that is looked up now, and where the message has it.
#[derive(Clone, Copy)]
struct Current<'s> {
    sought: &'s Sought,
    at: usize,
    /// True if it stands there as plain labels, so that pointers into its middle are right.
    is_plain: bool,
}

/// What a CNAME or DNAME leads to.
// A box would be an allocation in the answer path.
#[allow(clippy::large_enum_variant)]
enum Next {
    /// A name in this zone, where the message has it, and whether as plain labels.
    Follow(Sought, usize, bool),
    /// Nothing more to say.
    Stop(u16),
}

impl<'z, 'b> Resolver<'z, '_, 'b> {
    fn run(&mut self, sought: &Sought) -> Result<u16, Truncated> {
        let mut followed;
        let mut current = Current { sought, at: 12, is_plain: true };
        loop {
            let walk = self.zone.walk(current.sought);
            let next = match walk.end {
                End::Cut(cut) if self.rtype == Rtype::DS && walk.depth == current.sought.labels() => return self.ds(&current, &walk, cut),
                End::Cut(cut) => return self.referral(&current, &walk, cut),
                End::Dname(node) => self.dname(&current, &walk, node)?,
                End::Missing(None) => return self.name_error(&current, &walk),
                End::Exact(node) => match self.node(&current, node, true)? {
                    Some(next) => next,
                    None => return self.no_data(&current, &walk, node),
                },
                End::Missing(Some(wildcard)) => {
                    let answers = self.reply.answers();
                    let next = self.node(&current, wildcard, false)?;
                    if self.reply.answers() > answers && self.dnssec_ok {
                        self.hop().expansion = denial::of_expansion(self.zone, current.sought, &walk);
                    }
                    match next {
                        Some(next) => next,
                        None => return self.wildcard_no_data(&current, &walk, wildcard),
                    }
                }
            };
            match next {
                Next::Follow(to, at, is_plain) if self.hops + 1 < MAX_HOPS => {
                    self.hops += 1;
                    self.hop().at = at;
                    followed = to;
                    current = Current { sought: &followed, at, is_plain };
                }
                Next::Follow(..) => return self.finish(NOERROR),
                Next::Stop(rcode) => return self.finish(rcode),
            }
        }
    }

    /// What is kept of the current name.
    fn hop(&mut self) -> &mut Hop<'z> {
        &mut self.trail.get_or_insert([Hop::FIRST; MAX_HOPS])[self.hops]
    }

    /// What is kept of all names so far.
    fn trail(&self) -> &[Hop<'z>] {
        self.trail.as_ref().map_or(&[Hop::FIRST], |trail| &trail[..=self.hops])
    }

    /// A node that answers for the name, which is its own or, for a wildcard, another. `None`: it has nothing of the type.
    fn node(&mut self, current: &Current<'_>, node: Node<'z>, is_own: bool) -> Result<Option<Next>, Truncated> {
        self.reply.set_authoritative();
        let owner = Owner::At(current.at);
        match self.rtype {
            // One set is enough of an answer (RFC 8482 §4.1).
            Rtype::ANY => {
                let Some((rtype, set)) = node.sets().find(|(rtype, _)| *rtype != Rtype::NSEC).or_else(|| node.sets().next()) else {
                    return Ok(None);
                };
                if !(is_own && self.is_given(rtype, node)) {
                    let at = self.set(current, owner, set)?;
                    self.last = Some((rtype, at, set.records.records));
                }
                return Ok(Some(Next::Stop(NOERROR)));
            }
            // Signatures are no set of their own; those of one set, as for ANY.
            Rtype::RRSIG => {
                let Some((_, set)) = node.sets().find(|(_, set)| set.is_signed()) else { return Ok(None) };
                self.reply.require(set.signatures(), owner, self.full(current, current.sought.labels()))?;
                return Ok(Some(Next::Stop(NOERROR)));
            }
            _ => {}
        }
        if let Some(set) = node.set(self.rtype) {
            if !(is_own && self.is_given(self.rtype, node)) {
                let at = self.set(current, owner, set)?;
                self.last = Some((self.rtype, at, set.records.records));
            }
            return Ok(Some(Next::Stop(NOERROR)));
        }
        let Some(set) = node.set(Rtype::CNAME) else { return Ok(None) };
        let at = self.set(current, owner, set)?;
        // The one record of the set: its owner, a pointer where one reaches, and ten octets stand in front of its target.
        let owner_len = if current.at <= POINTER_MAX { 2 } else { current.sought.wire().len() };
        Ok(Some(self.follow(at + owner_len + 10)))
    }

    /// True for a DNAME that stands in the answer since it led here.
    fn is_given(&self, rtype: Rtype, node: Node<'z>) -> bool {
        rtype == Rtype::DNAME && self.trail().iter().any(|hop| hop.dname == Some(node))
    }

    /// The name whose (possibly compressed) form stands at `at` is looked up next, if it is ours and the chain has not been there.
    fn follow(&self, at: usize) -> Next {
        let mut wire = [0u8; MAX_NAME];
        let Some(len) = read_name(self.reply.message(), at, &mut wire) else { return Next::Stop(NOERROR) };
        let is_here = |hop: &Hop<'_>| {
            let mut name = [0u8; MAX_NAME];
            read_name(self.reply.message(), hop.at, &mut name).is_some_and(|n| name[..n].eq_ignore_ascii_case(&wire[..len]))
        };
        if self.trail().iter().any(is_here) {
            return Next::Stop(NOERROR);
        }
        match NameRef::from_wire(&wire[..len]) {
            Ok(name) if name.is_at_or_below(self.zone.apex()) => {
                Next::Follow(Sought::new(name), at, self.reply.message().get(at..at + len) == Some(&wire[..len]))
            }
            _ => Next::Stop(NOERROR),
        }
    }

    /// Writes a set and, where asked for, its signatures. Returns where the set starts.
    fn set(&mut self, current: &Current<'_>, owner: Owner<'_>, set: Set<'_>) -> Result<usize, Truncated> {
        let full = self.full(current, current.sought.labels());
        self.reply.require(self.wanted(set), owner, full)
    }

    /// A set, with its signatures where they are asked for.
    fn wanted<'s>(&self, set: Set<'s>) -> Piece<'s> {
        if self.dnssec_ok { set.whole() } else { set.records }
    }

    /// Where the name made of the last `labels` labels of the current name stands.
    fn owner<'c>(&self, current: &'c Current, labels: usize) -> Owner<'c> {
        let start = current.sought.start_of(labels);
        if current.is_plain || start == 0 {
            Owner::At(current.at + start)
        } else {
            Owner::Labels(&current.sought.wire()[start..current.sought.start_of(self.zone.apex_labels())])
        }
    }

    /// The name made of the last `labels` labels of the current name, in full.
    fn full<'c>(&self, current: &Current<'c>, labels: usize) -> Full<'c>
    where
        'z: 'c,
    {
        Full { below: current.sought.between(labels, self.zone.apex_labels()), apex: self.zone.apex() }
    }

    fn dname(&mut self, current: &Current<'_>, walk: &Walk<'z>, node: Node<'z>) -> Result<Next, Truncated> {
        self.reply.set_authoritative();
        let Some(set) = node.set(Rtype::DNAME) else { return Ok(Next::Stop(NOERROR)) };
        let owner = self.owner(current, walk.depth);
        let start = current.sought.start_of(walk.depth);
        let full = self.full(current, walk.depth);
        // The same DNAME again is one record in the answer all the same.
        if !self.is_given(Rtype::DNAME, node) {
            self.reply.require(self.wanted(set), owner, full)?;
        }
        self.hop().dname = Some(node);
        let mut target = [0u8; MAX_NAME];
        let (rdata, ttl) = set.records.first_plain();
        let len = start + rdata.len();
        // The new name would be too long (RFC 6672 §2.2).
        if len > MAX_NAME {
            return Ok(Next::Stop(YXDOMAIN));
        }
        // The labels that stay keep their case where the message still has it (RFC 4343 §4.1).
        let kept = if current.is_plain { &self.reply.message()[current.at..current.at + start] } else { &current.sought.wire()[..start] };
        target[..start].copy_from_slice(kept);
        target[start..len].copy_from_slice(rdata);
        let pointer = (0xc000 | current.at as u16).to_be_bytes();
        let written: &[u8] = if current.at <= POINTER_MAX { &pointer } else { current.sought.wire() };
        let at = self.reply.require_record(written, Rtype::CNAME, Class::IN.0, ttl, &target[..len])?;
        if matches!(self.rtype, Rtype::CNAME | Rtype::ANY) {
            return Ok(Next::Stop(NOERROR));
        }
        Ok(self.follow(at))
    }

    fn referral(&mut self, current: &Current<'_>, walk: &Walk<'z>, node: Node<'z>) -> Result<u16, Truncated> {
        let cut = node.cut();
        let owner = self.owner(current, walk.depth);
        let full = self.full(current, walk.depth);
        self.reply.set_section(Section::Authority);
        let set = cut.ns();
        let ns = set.records;
        let ns_at = self.reply.require(ns, owner, full)?;
        // An owner written out pushes the names of the set back; where pointers stop to reach, nothing can lean on them.
        let shift = self.reply.message().len() - ns_at - ns.len();
        let names_reach = ns_at + ns.len() + MAX_NAME <= POINTER_MAX;
        let owner = if matches!(owner, Owner::At(_)) { owner } else { Owner::At(ns_at) };
        if self.dnssec_ok {
            match cut.ds() {
                // Without signatures a DS proves nothing and stays out: the zone is not signed.
                Some(ds) if !ds.is_signed() => {}
                Some(ds) => {
                    self.reply.require(ds.whole(), owner, full)?;
                }
                None => self.prover(current.sought).no_ds(walk, node)?,
            }
        }
        self.prove_expansions()?;
        self.reply.set_section(Section::Additional);
        if cut.hosts(&set).is_empty() {
            return Ok(NOERROR);
        }
        for in_domain in [true, false] {
            for host in cut.hosts(&set).filter(|host| host.in_domain == in_domain) {
                let host_at = if names_reach { ns_at + shift + host.name_at as usize } else { usize::MAX };
                if let Some(node) = self.zone.today(host.node) {
                    self.addresses(node, host_at, in_domain)?;
                }
            }
        }
        Ok(NOERROR)
    }

    /// The addresses of a name server. Those of an in-domain one have to be there (RFC 9471 §3.1), others as far as there is room.
    fn addresses(&mut self, node: Node<'_>, name_at: usize, required: bool) -> Result<(), Truncated> {
        let full = Full { below: node.prefix(), apex: self.zone.apex() };
        for rtype in [Rtype::A, Rtype::AAAA] {
            let Some(set) = node.set(rtype) else { continue };
            let owner = Owner::At(name_at);
            if required {
                self.reply.require(set.records, owner, full)?;
            } else if self.reply.is_truncated() || !self.reply.offer(set.records, owner, full) {
                continue;
            }
            if self.dnssec_ok && set.is_signed() {
                // Without room the set stays without them (RFC 4035 §3.1.1).
                self.reply.offer(set.signatures(), owner, full);
            }
        }
        Ok(())
    }

    fn ds(&mut self, current: &Current<'_>, walk: &Walk<'z>, cut: Node<'z>) -> Result<u16, Truncated> {
        self.reply.set_authoritative();
        match cut.cut().ds() {
            Some(set) => {
                self.set(current, Owner::At(current.at), set)?;
                self.finish(NOERROR)
            }
            None => {
                self.soa()?;
                if self.dnssec_ok {
                    self.prover(current.sought).no_ds(walk, cut)?;
                }
                self.prove_expansions()?;
                Ok(NOERROR)
            }
        }
    }

    fn no_data(&mut self, current: &Current<'_>, walk: &Walk<'z>, node: Node<'z>) -> Result<u16, Truncated> {
        self.soa()?;
        if self.dnssec_ok {
            self.prover(current.sought).no_data(walk, node)?;
        }
        self.prove_expansions()?;
        Ok(NOERROR)
    }

    fn wildcard_no_data(&mut self, current: &Current<'_>, walk: &Walk<'z>, wildcard: Node<'z>) -> Result<u16, Truncated> {
        self.reply.set_authoritative();
        self.soa()?;
        if self.dnssec_ok {
            self.prover(current.sought).expanded_no_data(walk, wildcard)?;
        }
        self.prove_expansions()?;
        Ok(NOERROR)
    }

    fn name_error(&mut self, current: &Current<'_>, walk: &Walk<'z>) -> Result<u16, Truncated> {
        self.reply.set_authoritative();
        let written = self.negative(current, walk);
        // The RCODE stands even where the proof did not fit.
        written.map_or(Ok(NXDOMAIN), |()| Ok(NXDOMAIN))
    }

    fn negative(&mut self, current: &Current<'_>, walk: &Walk<'z>) -> Option<()> {
        self.soa().ok()?;
        if self.dnssec_ok {
            self.prover(current.sought).name_error(walk).ok()?;
        }
        self.prove_expansions().ok()
    }

    /// The SOA of a negative answer (RFC 2308 §2).
    fn soa(&mut self) -> Result<(), Truncated> {
        self.reply.set_section(Section::Authority);
        let set = self.zone.negative_soa();
        let full = Full { below: &[], apex: self.zone.apex() };
        let owner = Owner::At(self.reply.apex_at);
        self.reply.require(self.wanted(set), owner, full).map(drop)
    }

    fn prover<'p>(&'p mut self, sought: &'p Sought) -> Prover<'p, 'p, 'b> {
        Prover { zone: self.zone, sought, reply: self.reply, proofs: &mut self.proofs }
    }

    fn prove_expansions(&mut self) -> Result<(), Truncated> {
        let Some(trail) = &mut self.trail else { return Ok(()) };
        for proof in trail.iter_mut().filter_map(|hop| hop.expansion.take()) {
            self.proofs.give(self.zone, self.reply, proof)?;
        }
        Ok(())
    }

    /// Ends an answer: proofs of expanded wildcards, then addresses of the names in the last set as far as there is room.
    fn finish(&mut self, rcode: u16) -> Result<u16, Truncated> {
        self.reply.set_section(Section::Authority);
        self.prove_expansions()?;
        let Some((rtype, at, records)) = self.last else { return Ok(rcode) };
        let skip = match rtype {
            Rtype::NS => 0,
            Rtype::MX => 2,
            Rtype::SRV => 6,
            _ => return Ok(rcode),
        };
        self.reply.set_section(Section::Additional);
        let mut at = at;
        let mut given = [None; MAX_TARGETS];
        for i in 0..usize::from(records).min(MAX_TARGETS) {
            // Owners here are pointers of two octets: past 16 KiB there is nothing to add.
            let message = self.reply.message();
            let Some([0xc0..=0xff, _, .., l0, l1]) = message.get(at..at + 12) else { return Ok(rcode) };
            let target_at = at + 12 + skip;
            at += 12 + u16::from_be_bytes([*l0, *l1]) as usize;
            let mut wire = [0u8; MAX_NAME];
            let Some(len) = read_name(message, target_at, &mut wire) else { return Ok(rcode) };
            if let Ok(target) = NameRef::from_wire(&wire[..len])
                && let Some(node) = self.zone.node(target)
                && !given.contains(&Some(node))
            {
                given[i] = Some(node);
                self.addresses(node, target_at, false)?;
            }
        }
        Ok(rcode)
    }
}
