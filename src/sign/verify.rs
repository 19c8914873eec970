//! Verifies a whole signed zone: every signature, the chain of denial closed and complete, every bitmap, the keys.
//!
//! Stricter than a resolver: what a signer should not have written is a fault even where a resolver would not mind.
//! RFC 4035 §2 and §5.3, RFC 5155 §7 and §8, RFC 9077, RFC 7344 §4.1, RFC 8976 §4.

use std::collections::BTreeSet;

use super::check::Checker;
use super::nsec3::{self, Hash, Hasher, Nsec3};
use super::tbs::{self, Rrsig};
use super::walk::{self, Kind, LinkRule, Place};
use super::zonemd::check_zonemd;
use super::{Denial, append_types, dnskey};
use crate::dns::rdata::Soa;
use crate::dns::records::cmp_rdata;
use crate::dns::{Name, NameRecords, NameRef, Records, Rrset, Rtype, UnixTime};
use crate::parallel;

use super::fault::{Fault, What};

/// What the DNSKEY set is trusted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// RDATA of a DS, as the parent has it.
    Ds(Vec<u8>),
    /// RDATA of a DNSKEY.
    Dnskey(Vec<u8>),
}

/// What was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Names of the zone that have signed data or are delegations; empty non-terminals and glue not counted.
    pub names: usize,
    /// Signatures verified.
    pub signatures: usize,
    /// Links of the chain.
    pub links: usize,
    /// The denial found; opt-out if any link has the flag.
    pub denial: Denial,
    /// Keys in the DNSKEY set.
    pub keys: usize,
    /// Digests over the zone (ZONEMD) found good; those of a kind that is not known here are not counted.
    pub zonemd: usize,
    /// When the first signature expires.
    pub expires: UnixTime,
}

/// No more faults than this are listed; a zone that is broken throughout says so soon.
pub const MAX_FAULTS: usize = 100;

/// Verifies the signed zone `apex` as of `now`.
///
/// Without `anchors` any key with the SEP flag that signs the DNSKEY set is trusted. Signatures are checked with another crypto
/// library than the one that makes them here. Every signature must be good, and every algorithm of the DNSKEY set must sign
/// everything (RFC 4035 §2.2); signatures of an algorithm that is not in the DNSKEY set are passed over, as a rollover has them.
///
/// Cost: one verification for each signature, on `threads` threads (0: one per core).
///
/// # Errors
/// The faults, at most [`MAX_FAULTS`].
pub fn verify(zone: &Records, apex: NameRef<'_>, anchors: &[Anchor], now: UnixTime, threads: usize) -> Result<Summary, Vec<Fault>> {
    let sorted;
    let zone = if zone.is_sorted() {
        zone
    } else {
        let mut copy = zone.clone();
        copy.sort();
        sorted = copy;
        &sorted
    };
    let head = Head::read(zone, apex)?;
    let (serial, top) = (head.serial, head.top);
    let mut faults = Faults::default();
    let places = walk::walk(zone, apex);
    let judge = Judge { zone, places: &places, apex, now: now.as_rrsig(), head, is_whole: true, fresh: None };
    let mut count = Count { earliest: i32::MAX, ..Count::default() };
    // An error here means that there are too many faults to go on.
    let stopped = parallel::in_order(
        parallel::ranges(places.len()),
        threads,
        |range| Ok(judge.names(range)),
        |(found, part)| {
            count.add(&part);
            faults.extend(found)
        },
    );
    judge.dnskey_set(&top, anchors, &mut faults);
    judge.cds(&top, &mut faults);
    let zonemd = check_zonemd(zone, apex, serial).unwrap_or_else(|found| {
        found.into_iter().for_each(|what| faults.add(apex, Rtype::ZONEMD, What::Zonemd(what)));
        0
    });
    let mut opt_out = false;
    if stopped.is_ok() && judge.head.hasher.is_some() {
        (opt_out, count.links) = judge.nsec3_chain(threads, &mut faults);
    }
    if !faults.list.is_empty() {
        return Err(faults.list);
    }
    let Head { hasher, keys, .. } = judge.head;
    let denial = match hasher {
        None => Denial::Nsec,
        Some(hasher) => Denial::Nsec3 { opt_out, salt: hasher.salt, iterations: hasher.iterations },
    };
    let expires = UnixTime(now.0.saturating_add_signed(i64::from(count.earliest)));
    let Count { names, signatures, links, .. } = count;
    Ok(Summary { names, signatures, links, denial, keys: keys.len(), zonemd, expires })
}

/// True if `rrsig` is a signature by `dnskey` over the RRset; RDATA in any order, without duplicates. The times are not looked at.
///
/// For the check of one RRset, by the crypto library that did not sign it (RFC 4035 §5.3).
pub fn check_signature(owner: NameRef<'_>, rtype: Rtype, rdata: &[&[u8]], rrsig: &[u8], dnskey: &[u8]) -> bool {
    let (Some(rrsig), Some(checker)) = (Rrsig::read(rrsig), Checker::new(dnskey)) else { return false };
    let fits = rrsig.covered == rtype
        && rrsig.labels == tbs::labels(owner)
        && rrsig.tag == dnskey::key_tag(dnskey)
        && dnskey.get(3) == Some(&rrsig.algorithm)
        && owner.is_at_or_below(rrsig.signer);
    let mut sorted = rdata.to_vec();
    sorted.sort_by(|a, b| cmp_rdata(rtype, a, b));
    let mut message = Vec::new();
    rrsig.append_head(&mut message);
    tbs::append_rrset(owner, rtype, rrsig.original_ttl, sorted.into_iter(), &mut message);
    fits && checker.verifies(&message, rrsig.signature)
}

/// What the apex says of the whole zone.
pub(super) struct Head<'a> {
    pub top: NameRecords<'a>,
    pub serial: u32,
    keys: Vec<PublicKey<'a>>,
    algorithms: Vec<u8>,
    pub negative_ttl: u32,
    /// Parameters of NSEC3; `None` means NSEC.
    pub hasher: Option<Hasher>,
}

impl<'a> Head<'a> {
    /// Reads the records of `apex`, which `zone`, sorted, has.
    pub(super) fn read(zone: &'a Records, apex: NameRef<'_>) -> Result<Self, Vec<Fault>> {
        let fault = |what| vec![Fault::new(apex, Rtype::SOA, what)];
        let Some(top) = zone.name(apex) else { return Err(fault(What::NoSoa)) };
        let soa = top.rrset(Rtype::SOA).filter(|set| set.len() == 1).ok_or_else(|| fault(What::NoSoa))?;
        let Soa { minimum, serial, .. } = soa.rdata().next().and_then(Soa::read).ok_or_else(|| fault(What::NoSoa))?;
        let keys = read_keys(&top, apex)?;
        let mut algorithms: Vec<u8> = keys.iter().map(|key| key.algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        let param = top.rrset(Rtype::NSEC3PARAM);
        let hasher = match param.as_ref().and_then(|set| set.rdata().next()) {
            None => None,
            Some(rdata) => match (read_param(rdata), param.map_or(0, |set| set.len())) {
                (Some(hasher), 1) => Some(hasher),
                _ => return Err(vec![Fault::new(apex, Rtype::NSEC3PARAM, What::Nsec3Param)]),
            },
        };
        Ok(Self { top, serial, keys, algorithms, negative_ttl: soa.ttl().min(minimum), hasher })
    }
}

/// One key of the DNSKEY set.
struct PublicKey<'a> {
    rdata: &'a [u8],
    tag: u16,
    algorithm: u8,
    checker: Checker,
}

/// The zone keys of the DNSKEY set. Others (flag ZONE not set, RFC 4034 §2.1.1) sign nothing.
fn read_keys<'a>(top: &NameRecords<'a>, apex: NameRef<'_>) -> Result<Vec<PublicKey<'a>>, Vec<Fault>> {
    let set = top.rrset(Rtype::DNSKEY).ok_or_else(|| vec![Fault::new(apex, Rtype::DNSKEY, What::NoDnskey)])?;
    let mut keys = Vec::new();
    for rdata in set.rdata() {
        let tag = dnskey::key_tag(rdata);
        let [flags, _, _, algorithm, ..] = *rdata else {
            return Err(vec![Fault::new(apex, Rtype::DNSKEY, What::BadKey(tag))]);
        };
        if flags & 1 == 0 {
            continue;
        }
        let checker = Checker::new(rdata).ok_or_else(|| vec![Fault::new(apex, Rtype::DNSKEY, What::BadKey(tag))])?;
        keys.push(PublicKey { rdata, tag, algorithm, checker });
    }
    if keys.is_empty() {
        return Err(vec![Fault::new(apex, Rtype::DNSKEY, What::NoDnskey)]);
    }
    Ok(keys)
}

fn read_param(rdata: &[u8]) -> Option<Hasher> {
    let [1, 0, i, j, salt_len, salt @ ..] = rdata else { return None };
    let iterations = u16::from_be_bytes([*i, *j]);
    (salt.len() == usize::from(*salt_len) && iterations <= nsec3::MAX_ITERATIONS).then(|| Hasher { salt: salt.to_vec(), iterations })
}

/// The faults so far, bounded.
#[derive(Default)]
pub(super) struct Faults {
    pub list: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, name: NameRef<'_>, rtype: Rtype, what: What) {
        if self.list.len() < MAX_FAULTS {
            self.list.push(Fault::new(name, rtype, what));
        }
    }

    /// # Errors
    /// When the list is full.
    pub(super) fn extend(&mut self, more: Faults) -> Result<(), ()> {
        self.list.extend(more.list);
        self.list.truncate(MAX_FAULTS);
        if self.list.len() < MAX_FAULTS { Ok(()) } else { Err(()) }
    }
}

#[derive(Default)]
pub(super) struct Count {
    names: usize,
    signatures: usize,
    links: usize,
    /// Seconds from now to the first expiration.
    earliest: i32,
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.names += other.names;
        self.signatures += other.signatures;
        self.links += other.links;
        self.earliest = self.earliest.min(other.earliest);
    }
}

/// What the threads that verify share.
pub(super) struct Judge<'a> {
    pub zone: &'a Records,
    pub places: &'a [Place],
    pub apex: NameRef<'a>,
    pub now: u32,
    pub head: Head<'a>,
    /// False where the records are some of a zone's: then the chain is for others to judge.
    pub is_whole: bool,
    /// The RRsets whose signatures have not been verified yet, by owner in lower case; `None` = all.
    pub fresh: Option<BTreeSet<(Name, Rtype)>>,
}

impl<'a> Judge<'a> {
    /// Checks the names of these places: signatures where they belong and nowhere else, and NSEC.
    pub(super) fn names(&self, range: std::ops::Range<usize>) -> (Faults, Count) {
        let mut faults = Faults::default();
        let mut count = Count { earliest: i32::MAX, ..Count::default() };
        let mut message = Vec::new();
        for i in range {
            let place = self.places[i];
            if place.strip > 0 {
                continue;
            }
            let name = self.zone.name_at(place.entry as usize);
            let owner = name.owner();
            match place.kind {
                Kind::Outside => {
                    faults.add(owner, name.rrsets().next().map_or(Rtype::SOA, |set| set.rtype()), What::OutOfZone);
                    continue;
                }
                Kind::Signed | Kind::SecureCut | Kind::InsecureCut => count.names += 1,
                Kind::Below | Kind::Denial | Kind::Empty | Kind::InsecureEmpty | Kind::GuardedEmpty => {}
            }
            let has_cname = name.rrset(Rtype::CNAME).is_some() && place.kind == Kind::Signed;
            for set in name.rrsets() {
                let rtype = set.rtype();
                if let Some(covered) = set.covered() {
                    if name.rrset(covered).is_none() || covered == Rtype::RRSIG {
                        faults.add(owner, covered, What::SignatureOfNothing);
                    }
                    continue;
                }
                let belongs = match place.kind {
                    Kind::Signed => true,
                    Kind::SecureCut | Kind::InsecureCut => matches!(rtype, Rtype::DS | Rtype::NSEC | Rtype::NSEC3),
                    Kind::Denial => rtype == Rtype::NSEC3,
                    Kind::Below | Kind::Empty | Kind::InsecureEmpty | Kind::GuardedEmpty | Kind::Outside => false,
                };
                // RFC 2181 §10.1 and RFC 4035 §2.5: beside a CNAME only what signs and denies it.
                if has_cname && !matches!(rtype, Rtype::CNAME | Rtype::NSEC | Rtype::NSEC3) || rtype == Rtype::CNAME && set.len() > 1 {
                    faults.add(owner, rtype, What::BesideCname);
                }
                match rtype {
                    Rtype::NSEC if self.head.hasher.is_some() || !belongs => faults.add(owner, rtype, What::ForNoName),
                    Rtype::NSEC3 if self.head.hasher.is_none() || !belongs => faults.add(owner, rtype, What::ForNoName),
                    _ if belongs => self.signatures(&name, &set, &mut message, &mut count, &mut faults),
                    _ if name.signatures(rtype).is_some() => faults.add(owner, rtype, What::NotAuthoritative),
                    _ => {}
                }
            }
            if self.is_whole && self.head.hasher.is_none() && place.is_linked(LinkRule::Nsec) {
                self.nsec(i, &name, &mut count, &mut faults);
            }
        }
        (faults, count)
    }

    /// Checks that `set` is signed by every algorithm and that each of its signatures is good.
    fn signatures(&self, name: &NameRecords<'a>, set: &Rrset<'a>, message: &mut Vec<u8>, count: &mut Count, faults: &mut Faults) {
        let (owner, rtype) = (set.owner(), set.rtype());
        let ttl = set.ttl();
        if set.ttls().any(|other| other != ttl) {
            faults.add(owner, rtype, What::TtlsDiffer);
        }
        let Some(signatures) = name.signatures(rtype) else {
            faults.add(owner, rtype, What::NotSigned);
            return;
        };
        if signatures.ttls().any(|other| other != ttl) {
            faults.add(owner, rtype, What::SignatureTtl);
        }
        let mut seen: Vec<u8> = Vec::new();
        for rdata in signatures.rdata() {
            match self.good_key(set, rdata, message) {
                Ok(Some((key, left))) => {
                    seen.push(key.algorithm);
                    count.signatures += 1;
                    count.earliest = count.earliest.min(left);
                }
                Ok(None) => {}
                Err((what, algorithm)) => {
                    // One fault a signature is enough: it is not missed as well.
                    seen.extend(algorithm);
                    faults.add(owner, rtype, what);
                }
            }
        }
        for &algorithm in self.head.algorithms.iter().filter(|algorithm| !seen.contains(algorithm)) {
            faults.add(owner, rtype, What::AlgorithmMissing(algorithm));
        }
    }

    /// The key that made the signature and for how many seconds more it is good; `None` for one of an algorithm
    /// that is not in the DNSKEY set.
    ///
    /// The error says what is wrong and of which algorithm the signature is.
    #[allow(clippy::type_complexity)] // used in two places, both here
    fn good_key(&self, set: &Rrset<'a>, rdata: &[u8], message: &mut Vec<u8>) -> Result<Option<(&PublicKey<'a>, i32)>, (What, Option<u8>)> {
        let rrsig = Rrsig::read(rdata).ok_or((What::BrokenSignature, None))?;
        let fault = |what| Err((what, Some(rrsig.algorithm)));
        if rrsig.signer != self.apex {
            return fault(What::WrongSigner(rrsig.signer.to_owned()));
        }
        if !self.head.algorithms.contains(&rrsig.algorithm) {
            return Ok(None);
        }
        if rrsig.labels != tbs::labels(set.owner()) {
            return fault(What::WrongLabels(rrsig.labels));
        }
        if rrsig.original_ttl != set.ttl() {
            return fault(What::OriginalTtl(rrsig.original_ttl));
        }
        // RFC 4034 §3.1.5: times are on the circle of RFC 1982.
        let left = rrsig.expiration.wrapping_sub(self.now) as i32;
        if left < 0 {
            return fault(What::Expired(rrsig.expiration));
        }
        if (self.now.wrapping_sub(rrsig.inception) as i32) < 0 {
            return fault(What::NotYetValid(rrsig.inception));
        }
        let mut candidates = self.head.keys.iter().filter(|key| key.tag == rrsig.tag && key.algorithm == rrsig.algorithm).peekable();
        if candidates.peek().is_none() {
            return fault(What::UnknownKey(rrsig.tag));
        }
        // Octet for octet as it was when it was verified, and so are the keys.
        if self.fresh.as_ref().is_some_and(|fresh| !fresh.contains(&(set.owner().to_lowercase(), set.rtype()))) {
            return Ok(candidates.next().map(|key| (key, left)));
        }
        message.clear();
        rrsig.append_head(message);
        tbs::append_rrset(set.owner(), set.rtype(), rrsig.original_ttl, set.rdata(), message);
        match candidates.find(|key| key.checker.verifies(message, rrsig.signature)) {
            Some(key) => Ok(Some((key, left))),
            None => fault(What::Bogus(rrsig.tag)),
        }
    }

    /// Checks the NSEC at place `i` (RFC 4034 §4).
    fn nsec(&self, i: usize, name: &NameRecords<'a>, count: &mut Count, faults: &mut Faults) {
        let owner = name.owner();
        let Some(set) = name.rrset(Rtype::NSEC) else {
            faults.add(owner, Rtype::NSEC, What::NoLink);
            return;
        };
        count.links += 1;
        let Some((next, rdata)) = set.rdata().next().and_then(|rdata| Some((NameRef::from_wire(rdata).ok()?, rdata))) else {
            faults.add(owner, Rtype::NSEC, What::BrokenLink);
            return;
        };
        if set.len() != 1 {
            faults.add(owner, Rtype::NSEC, What::ManyLinks);
        }
        if set.ttl() != self.head.negative_ttl {
            faults.add(owner, Rtype::NSEC, What::LinkTtl(self.head.negative_ttl));
        }
        let after = self.places[i + 1..].iter().find(|next| next.is_linked(LinkRule::Nsec));
        let expected = after.map_or(self.apex, |next| next.name(self.zone));
        if next != expected {
            faults.add(owner, Rtype::NSEC, What::WrongNext(expected.to_string()));
        }
        let mut types = Vec::new();
        append_types(name, self.places[i].kind, &Denial::Nsec, &mut types);
        if rdata[next.as_wire().len()..] != types[..] {
            faults.add(owner, Rtype::NSEC, What::WrongTypes);
        }
    }

    /// Checks that the DNSKEY set is signed by a key that is trusted.
    pub(super) fn dnskey_set(&self, top: &NameRecords<'a>, anchors: &[Anchor], faults: &mut Faults) {
        let Some(set) = top.rrset(Rtype::DNSKEY) else { return };
        let mut message = Vec::new();
        let trusted = |key: &PublicKey<'_>| match anchors {
            [] => key.rdata[1] & 1 != 0 || self.head.keys.iter().all(|key| key.rdata[1] & 1 == 0),
            _ => anchors.iter().any(|anchor| match anchor {
                Anchor::Dnskey(rdata) => rdata == key.rdata,
                Anchor::Ds(rdata) => rdata.get(3).and_then(|&digest| dnskey::ds(self.apex, key.rdata, digest)).as_ref() == Some(rdata),
            }),
        };
        let signatures = top.signatures(Rtype::DNSKEY);
        let good = signatures.into_iter().flat_map(|set| set.rdata()).filter_map(|rdata| self.good_key(&set, rdata, &mut message).ok()?);
        if !good.into_iter().any(|(key, _)| trusted(key)) {
            faults.add(self.apex, Rtype::DNSKEY, if anchors.is_empty() { What::NoSep } else { What::NoAnchor });
        }
    }

    /// CDS and CDNSKEY name keys of the DNSKEY set, or ask for deletion (RFC 7344 §4.1, RFC 8078 §4).
    pub(super) fn cds(&self, top: &NameRecords<'a>, faults: &mut Faults) {
        for rtype in [Rtype::CDS, Rtype::CDNSKEY] {
            for rdata in top.rrset(rtype).into_iter().flat_map(|set| set.rdata()) {
                let deletes = rdata.get(if rtype == Rtype::CDS { 2 } else { 3 }) == Some(&0);
                let known = |key: &PublicKey<'_>| match rtype {
                    Rtype::CDS => match rdata.get(3).map(|&digest| dnskey::ds(self.apex, key.rdata, digest)) {
                        Some(Some(ds)) => ds == rdata,
                        // A digest that is not known here is not judged.
                        Some(None) => true,
                        None => false,
                    },
                    _ => key.rdata == rdata,
                };
                if !deletes && !self.head.keys.iter().any(known) {
                    faults.add(self.apex, rtype, What::CdsOfNoKey);
                }
            }
        }
    }

    /// Checks the NSEC3 chain against the names (RFC 5155 §7.1); true if any link has the opt-out flag,
    /// and how many there are.
    fn nsec3_chain(&self, threads: usize, faults: &mut Faults) -> (bool, usize) {
        let Some(hasher) = &self.head.hasher else { return (false, 0) };
        let found = self.nsec3_records(hasher, faults);
        let mut expected: Vec<(Hash, u32)> = Vec::new();
        let hash = |range: std::ops::Range<usize>| {
            let linked = range.filter(|&i| self.places[i].is_linked(LinkRule::Nsec3));
            Ok::<_, ()>(linked.map(|i| (hasher.hash(self.places[i].name(self.zone)), i as u32)).collect::<Vec<_>>())
        };
        // Nothing in it fails.
        let _ = parallel::in_order(parallel::ranges(self.places.len()), threads, hash, |chunk| {
            expected.extend(chunk);
            Ok(())
        });
        expected.sort_unstable();

        let mut at = 0;
        // The link that covers a hash before the first is the last of the ring.
        let mut covering = found.last().map(|(_, link)| link.flags & 1 != 0);
        let mut types = Vec::new();
        let denial = Denial::Nsec3 { opt_out: true, salt: Vec::new(), iterations: 0 };
        for &(hash, i) in &expected {
            let place = self.places[i as usize];
            let name = place.name(self.zone);
            while at < found.len() && found[at].0 < hash {
                faults.add_link(found[at].0, self.apex, What::ForNoName);
                covering = Some(found[at].1.flags & 1 != 0);
                at += 1;
            }
            match found.get(at).filter(|(other, _)| *other == hash) {
                None => {
                    let insecure = matches!(place.kind, Kind::InsecureCut | Kind::InsecureEmpty | Kind::GuardedEmpty);
                    let may_lack = insecure && covering == Some(true);
                    if !may_lack {
                        faults.add(name, Rtype::NSEC3, What::NoLink);
                    }
                }
                Some((_, link)) => {
                    covering = Some(link.flags & 1 != 0);
                    at += 1;
                    types.clear();
                    if place.strip == 0 {
                        append_types(&self.zone.name_at(place.entry as usize), place.kind, &denial, &mut types);
                    }
                    if types != link.bitmap {
                        faults.add(name, Rtype::NSEC3, What::WrongTypes);
                    }
                }
            }
        }
        for (hash, _) in &found[at..] {
            faults.add_link(*hash, self.apex, What::ForNoName);
        }
        (found.iter().any(|(_, link)| link.flags & 1 != 0), found.len())
    }

    /// All NSEC3 records by hash, each checked by itself and against its neighbour.
    fn nsec3_records(&self, hasher: &Hasher, faults: &mut Faults) -> Vec<(Hash, Nsec3<'a>)> {
        let mut found: Vec<(Hash, Nsec3<'a>)> = Vec::new();
        for place in self.places.iter().filter(|place| place.strip == 0) {
            let name = self.zone.name_at(place.entry as usize);
            let Some(set) = name.rrset(Rtype::NSEC3) else { continue };
            let owner = name.owner();
            let label = owner.labels().next().and_then(nsec3::parse_label);
            let (Some(hash), true) = (label, owner.parent() == Some(self.apex)) else {
                faults.add(owner, Rtype::NSEC3, What::ForNoName);
                continue;
            };
            if set.len() != 1 {
                faults.add(owner, Rtype::NSEC3, What::ManyLinks);
            }
            if set.ttl() != self.head.negative_ttl {
                faults.add(owner, Rtype::NSEC3, What::LinkTtl(self.head.negative_ttl));
            }
            match set.rdata().next().and_then(Nsec3::read) {
                None => faults.add(owner, Rtype::NSEC3, What::BrokenLink),
                Some(link) => {
                    let same = link.algorithm == 1 && link.iterations == hasher.iterations && link.salt == hasher.salt && link.flags <= 1;
                    if !same {
                        faults.add(owner, Rtype::NSEC3, What::OtherParameters);
                    }
                    found.push((hash, link));
                }
            }
        }
        found.sort_by_key(|(hash, _)| *hash);
        for (i, (hash, link)) in found.iter().enumerate() {
            let next = found[(i + 1) % found.len()].0;
            if link.next != next {
                faults.add_link(*hash, self.apex, What::WrongNext(String::from_utf8_lossy(&nsec3::label(&next)).into_owned()));
            }
        }
        found
    }
}

impl Faults {
    pub(super) fn add_link(&mut self, hash: Hash, apex: NameRef<'_>, what: What) {
        if let Some(owner) = nsec3::owner(&hash, apex) {
            self.add(owner.as_ref(), Rtype::NSEC3, what);
        }
    }
}
