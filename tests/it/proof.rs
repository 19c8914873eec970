//! A validator of its own: does what is in a reply prove what the reply says?
//!
//! RFC 4035 §5.3 and §5.4, RFC 5155 §8, RFC 6840 §4. It knows the zone's DNSKEY set and the reply, nothing else; names are compared
//! as lists of labels and hashes are made here, so that a mistake of the server is not repeated.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use saola::answer::MAX_HOPS;
use saola::dns::{Name, Rtype};

use crate::ask::{Labels, NOW, Question, Reply, Rr, World, labels, labels_of, text, wire};

/// The first label of the NSEC3 owner of a name in wire form (RFC 5155 §5).
pub fn hash_label(name: &[u8], salt: &[u8], iterations: u16) -> Vec<u8> {
    data_encoding::BASE32HEX_NOPAD.encode(&hash(name, salt, iterations)).to_ascii_lowercase().into_bytes()
}

fn hash(name: &[u8], salt: &[u8], iterations: u16) -> Vec<u8> {
    let mut bytes = name.to_vec();
    for _ in 0..=iterations {
        bytes.extend(salt);
        bytes = digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes).as_ref().to_vec();
    }
    bytes
}

/// What the reply has been shown to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// The set asked for, or a chain that leads out of the zone or goes on past the bound.
    Answer,
    /// A cut with DS.
    Secure,
    /// A cut without DS, or inside an opt-out span.
    Insecure,
    /// The name exists, the type does not.
    NoData,
    /// The same, but only as far as an opt-out span lets it be known (RFC 5155 §6).
    NoDataOptOut,
    /// The name does not exist.
    NxDomain,
    /// The same, but a delegation may hide in the span.
    NxDomainOptOut,
}

/// Proves a reply to a question with DO, or says what is missing.
pub fn prove(world: &World, question: &Question, reply: &Reply) -> Result<Proven, String> {
    let mut expansions = Vec::new();
    let sets = verified(world, reply, question.rtype, &mut expansions)?;
    let asked = labels_of(&question.name);
    let apex = zone_of(world, &asked, question.rtype).ok_or("no zone of ours")?;
    let denial = Denial::read(&apex, &sets)?;
    let find = |labels: &Labels, rtype: Rtype| sets.get(&(labels.clone(), rtype.0));
    let mut current = asked;
    let mut hops = 0;
    let proven = loop {
        let direct = match question.rtype {
            Rtype::ANY | Rtype::RRSIG => reply.answer.iter().any(|rr| rr.labels == current),
            rtype => reply.answer.iter().any(|rr| rr.labels == current && rr.rtype == rtype),
        };
        if direct {
            break Proven::Answer;
        }
        let cname = reply.answer.iter().find(|rr| rr.labels == current && rr.rtype == Rtype::CNAME);
        let Some(cname) = cname.filter(|_| question.rtype != Rtype::CNAME) else {
            break negative(reply, &apex, &denial, &current, question.rtype, &find)?;
        };
        let target = name_labels(&cname.rdata)?;
        if find(&current, Rtype::CNAME).is_none() {
            let made = reply.answer.iter().filter(|rr| rr.rtype == Rtype::DNAME).any(|dname| {
                let Ok(to) = name_labels(&dname.rdata) else { return false };
                current.len() > dname.labels.len()
                    && current.starts_with(&dname.labels)
                    && target == [&to[..], &current[dname.labels.len()..]].concat()
            });
            if !made {
                return Err(format!("the CNAME of {} is neither signed nor made from a DNAME", text(&current)));
            }
        }
        current = target;
        hops += 1;
        let seen = reply.answer.iter().take_while(|rr| rr.labels != current || rr.rtype != Rtype::CNAME).count();
        let looped = seen < reply.answer.len() && hops > reply.answer.len();
        if !current.starts_with(&apex) || hops == MAX_HOPS || looped {
            break Proven::Answer;
        }
    };
    for (name, n_labels) in expansions {
        denial.no_closer_match(&name, n_labels).map_err(|e| format!("{} comes from a wildcard: {e}", text(&name)))?;
    }
    Ok(proven)
}

type Sets<'r> = BTreeMap<(Labels, u16), Vec<&'r Rr>>;

fn negative<'r>(
    reply: &'r Reply,
    apex: &Labels,
    denial: &Denial,
    name: &Labels,
    rtype: Rtype,
    find: &dyn Fn(&Labels, Rtype) -> Option<&'r Vec<&'r Rr>>,
) -> Result<Proven, String> {
    let ns = reply.authority.iter().find(|rr| rr.rtype == Rtype::NS);
    if let Some(ns) = ns.filter(|ns| ns.labels != *apex) {
        if !name.starts_with(&ns.labels) {
            return Err(format!("a referral to {} for {}", ns.owner, text(name)));
        }
        if reply.rcode != 0 {
            return Err("a referral has RCODE 0".into());
        }
        return match find(&ns.labels, Rtype::DS) {
            Some(_) => Ok(Proven::Secure),
            None => denial.no_ds(&ns.labels).map(|()| Proven::Insecure),
        };
    }
    if find(apex, Rtype::SOA).is_none() || !reply.authority.iter().any(|rr| rr.rtype == Rtype::SOA) {
        // A chain that came back to a name that it had been at.
        if reply.answer.iter().any(|rr| rr.rtype == Rtype::CNAME) && reply.rcode == 0 {
            return Ok(Proven::Answer);
        }
        return Err("a negative answer without SOA".into());
    }
    match reply.rcode {
        0 => denial.no_data(name, rtype),
        3 => denial.no_name(name),
        rcode => Err(format!("RCODE {rcode} with a SOA")),
    }
}

/// The zone that has to answer.
fn zone_of(world: &World, name: &Labels, rtype: Rtype) -> Option<Labels> {
    let zones = || world.records.iter().map(|(apex, _)| apex).filter(|apex| name.starts_with(apex));
    let best = zones().max_by_key(|apex| apex.len())?;
    let parent = zones().filter(|apex| apex.len() < best.len()).max_by_key(|apex| apex.len());
    Some(parent.filter(|_| rtype == Rtype::DS && name == best).unwrap_or(best).clone())
}

/// Checks every signature; gives the sets that are signed. Sets that must not be without are refused.
fn verified<'r>(world: &World, reply: &'r Reply, rtype: Rtype, expansions: &mut Vec<(Labels, usize)>) -> Result<Sets<'r>, String> {
    let mut sets: Sets<'r> = BTreeMap::new();
    for (section, must) in [(&reply.answer, true), (&reply.authority, true), (&reply.additional, false)] {
        let mut here: Sets<'r> = BTreeMap::new();
        for rr in section.iter().filter(|rr| rr.rtype != Rtype::RRSIG) {
            here.entry((rr.labels.clone(), rr.rtype.0)).or_default().push(rr);
        }
        for (key, records) in here {
            let rrsigs: Vec<_> = section.iter().filter(|rr| rr.labels == key.0 && rr.covered().is_some_and(|t| t.0 == key.1)).collect();
            let set_type = Rtype(key.1);
            if rrsigs.is_empty() {
                let delegation = set_type == Rtype::NS && !world.records.iter().any(|(apex, _)| *apex == key.0);
                if must && !delegation && set_type != Rtype::CNAME {
                    return Err(format!("{} {set_type} is not signed", text(&key.0)));
                }
                continue;
            }
            for rrsig in rrsigs {
                let n_labels = verify(world, rrsig, &records)?;
                let own = key.0.len() - usize::from(key.0.last().is_some_and(|label| label == b"*"));
                if n_labels < own && !expansions.contains(&(key.0.clone(), n_labels)) {
                    expansions.push((key.0.clone(), n_labels));
                }
            }
            sets.insert(key, records);
        }
        let lost = section
            .iter()
            .find(|rr| rr.rtype == Rtype::RRSIG && !section.iter().any(|set| set.labels == rr.labels && Some(set.rtype) == rr.covered()));
        if let Some(lost) = lost.filter(|_| rtype != Rtype::RRSIG) {
            return Err(format!("{} has an RRSIG for nothing", lost.owner));
        }
    }
    Ok(sets)
}

/// Checks one signature (RFC 4035 §5.3); gives the labels that it counts.
fn verify(world: &World, rrsig: &Rr, set: &[&Rr]) -> Result<usize, String> {
    let what = format!("{} RRSIG {}", rrsig.owner, set[0].rtype);
    let fixed = &rrsig.rdata[..18];
    let signer = Name::from_wire(&rrsig.rdata[18..18 + rrsig.rdata[18..].iter().position(|&n| n == 0).ok_or("no signer")? + 1])
        .map_err(|error| format!("{what}: {error}"))?;
    let signer_len = signer.as_ref().as_wire().len();
    let apex = labels_of(&signer);
    let time = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let now = NOW.as_rrsig();
    if time(12) > now || time(8) < now {
        return Err(format!("{what}: not valid now"));
    }
    if !rrsig.labels.starts_with(&apex) {
        return Err(format!("{what}: the signer is another zone"));
    }
    let n_labels = fixed[3] as usize;
    let ttl = time(4);
    if set[0].ttl > ttl || rrsig.ttl != set[0].ttl {
        return Err(format!("{what}: TTL of the set {}, of the signature {}, original {ttl}", set[0].ttl, rrsig.ttl));
    }
    let mut owner = rrsig.labels.clone();
    if n_labels > owner.len() {
        return Err(format!("{what}: more labels than the owner has"));
    }
    if n_labels < owner.len() {
        owner.truncate(n_labels);
        owner.push(b"*".to_vec());
    }
    let mut message = fixed.to_vec();
    message.extend(wire(&apex));
    let mut canonical: Vec<&[u8]> = set.iter().map(|rr| &rr.canonical[..]).collect();
    canonical.sort();
    for rdata in canonical {
        message.extend(wire(&owner));
        message.extend(set[0].rtype.0.to_be_bytes());
        message.extend([0, 1]);
        message.extend(ttl.to_be_bytes());
        message.extend((rdata.len() as u16).to_be_bytes());
        message.extend(rdata);
    }
    let signature = &rrsig.rdata[18 + signer_len..];
    let known = [&message, signature].concat();
    if GOOD.with_borrow(|good| good.contains(&known)) {
        return Ok(n_labels);
    }
    let records = world.records.iter().find(|(a, _)| *a == apex).ok_or_else(|| format!("{what}: no such zone"))?;
    let good = records.1.iter().filter(|rr| rr.rtype == Rtype::DNSKEY && rr.rdata[3] == fixed[2]).any(|key| match fixed[2] {
        13 => {
            let point = [&[4], &key.rdata[4..]].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(&message, signature).is_ok()
        }
        15 => UnparsedPublicKey::new(&ED25519, &key.rdata[4..]).verify(&message, signature).is_ok(),
        _ => false,
    });
    if !good {
        return Err(format!("{what}: the signature does not verify"));
    }
    GOOD.with_borrow_mut(|good| good.insert(known));
    Ok(n_labels)
}

thread_local! {
    /// Signatures that have been verified: the same ones come in thousands of answers.
    static GOOD: RefCell<HashSet<Vec<u8>>> = RefCell::default();
}

fn name_labels(wire: &[u8]) -> Result<Labels, String> {
    Name::from_wire(wire).map(|name| labels_of(&name)).map_err(|error| error.to_string())
}

/// The NSEC or NSEC3 records of a reply.
struct Denial {
    apex: Labels,
    nsecs: Vec<Nsec>,
    nsec3s: Vec<Nsec3>,
}

struct Nsec {
    owner: Labels,
    next: Labels,
    types: Vec<Rtype>,
}

struct Nsec3 {
    owner: Vec<u8>,
    next: Vec<u8>,
    opt_out: bool,
    salt: Vec<u8>,
    iterations: u16,
    types: Vec<Rtype>,
}

/// A delegation or DNAME: says nothing of names below it (RFC 6840 §4.1).
fn is_above_others(types: &[Rtype]) -> bool {
    types.contains(&Rtype::DNAME) || is_cut(types)
}

fn is_cut(types: &[Rtype]) -> bool {
    types.contains(&Rtype::NS) && !types.contains(&Rtype::SOA)
}

impl Denial {
    fn read(apex: &Labels, sets: &Sets<'_>) -> Result<Self, String> {
        let mut denial = Self { apex: apex.clone(), nsecs: Vec::new(), nsec3s: Vec::new() };
        for ((owner, rtype), records) in sets {
            let rdata = &records[0].rdata;
            match Rtype(*rtype) {
                Rtype::NSEC => {
                    let mut at = 0;
                    while rdata[at] != 0 {
                        at += 1 + rdata[at] as usize;
                    }
                    denial.nsecs.push(Nsec { owner: owner.clone(), next: name_labels(&rdata[..=at])?, types: types(&rdata[at + 1..]) });
                }
                Rtype::NSEC3 => {
                    let salt_end = 5 + rdata[4] as usize;
                    let next_end = salt_end + 1 + rdata[salt_end] as usize;
                    let (label, zone) = owner.split_last().ok_or("an NSEC3 at the root")?;
                    if zone != &apex[..] || rdata[0] != 1 || rdata[1] > 1 {
                        return Err("an NSEC3 of another kind or zone".into());
                    }
                    let owner = data_encoding::BASE32HEX_NOPAD.decode(&label.to_ascii_uppercase()).map_err(|e| e.to_string())?;
                    denial.nsec3s.push(Nsec3 {
                        owner,
                        next: rdata[salt_end + 1..next_end].to_vec(),
                        opt_out: rdata[1] & 1 != 0,
                        salt: rdata[5..salt_end].to_vec(),
                        iterations: u16::from_be_bytes([rdata[2], rdata[3]]),
                        types: types(&rdata[next_end..]),
                    });
                }
                _ => {}
            }
        }
        if let [first, rest @ ..] = &denial.nsec3s[..]
            && rest.iter().any(|other| (&other.salt, other.iterations) != (&first.salt, first.iterations))
        {
            return Err("NSEC3 records with different parameters (RFC 5155 §8.2)".into());
        }
        Ok(denial)
    }

    /// The name does not exist (RFC 4035 §5.4, RFC 5155 §8.4).
    fn no_name(&self, name: &Labels) -> Result<Proven, String> {
        if self.nsec3s.is_empty() {
            let encloser = self.nsec_encloser(name)?;
            self.nsec_covering(&wildcard(&encloser)).map_err(|e| format!("no proof that there is no wildcard: {e}"))?;
            return Ok(Proven::NxDomain);
        }
        if self.matching(name).is_some() {
            return Err(format!("{} does not exist and has an NSEC3", text(name)));
        }
        let (encloser, opt_out) = self.closest_encloser(name)?;
        let wildcard = wildcard(&encloser);
        self.covering(&wildcard).ok_or_else(|| format!("nothing covers {}", text(&wildcard)))?;
        Ok(if opt_out { Proven::NxDomainOptOut } else { Proven::NxDomain })
    }

    /// The type does not exist at the name, or at the wildcard for it (RFC 4035 §5.4, RFC 5155 §8.5 to §8.7).
    fn no_data(&self, name: &Labels, rtype: Rtype) -> Result<Proven, String> {
        if self.nsec3s.is_empty() {
            if let Some(nsec) = self.nsecs.iter().find(|nsec| nsec.owner == *name) {
                return lacks(&nsec.types, rtype, name == &self.apex).map(|()| Proven::NoData);
            }
            let nsec = self.nsec_covering(name)?;
            if nsec.next.starts_with(name) {
                return Ok(Proven::NoData);
            }
            let wildcard = wildcard(&self.nsec_encloser(name)?);
            if let Some(nsec) = self.nsecs.iter().find(|nsec| nsec.owner == wildcard) {
                return lacks(&nsec.types, rtype, false).map(|()| Proven::NoData);
            }
            let nsec = self.nsec_covering(&wildcard)?;
            return if nsec.next.starts_with(&wildcard) { Ok(Proven::NoData) } else { Err("there is no wildcard for NODATA".into()) };
        }
        if let Some(nsec3) = self.matching(name) {
            return lacks(&nsec3.types, rtype, name == &self.apex).map(|()| Proven::NoData);
        }
        let (encloser, opt_out) = self.closest_encloser(name)?;
        if let Some(nsec3) = self.matching(&wildcard(&encloser)) {
            return match lacks(&nsec3.types, rtype, false) {
                // RFC 5155 §8.6: for DS no wildcard counts; its link may happen to be the one that covers the cut.
                Err(_) if opt_out && rtype == Rtype::DS => Ok(Proven::NoDataOptOut),
                lacks => lacks.map(|()| Proven::NoData),
            };
        }
        // A cut or an empty non-terminal without a link.
        if opt_out { Ok(Proven::NoDataOptOut) } else { Err(format!("{} is said to exist and has no NSEC3", text(name))) }
    }

    /// A cut without DS (RFC 4035 §5.2, RFC 5155 §8.9).
    fn no_ds(&self, cut: &Labels) -> Result<(), String> {
        let types = match (self.nsecs.iter().find(|nsec| nsec.owner == *cut), self.matching(cut)) {
            (Some(nsec), _) => &nsec.types,
            (_, Some(nsec3)) => &nsec3.types,
            (None, None) if self.nsec3s.is_empty() => return Err(format!("no NSEC for {}", text(cut))),
            (None, None) => {
                let (_, opt_out) = self.closest_encloser(cut)?;
                return if opt_out { Ok(()) } else { Err("what covers the cut has no opt-out".into()) };
            }
        };
        if is_cut(types) && !types.contains(&Rtype::DS) { Ok(()) } else { Err(format!("{types:?} at an insecure cut")) }
    }

    /// Nothing between the wildcard and the name exists (RFC 4035 §5.3.4, RFC 5155 §8.8).
    fn no_closer_match(&self, name: &Labels, n_labels: usize) -> Result<(), String> {
        if self.nsec3s.is_empty() {
            let encloser = self.nsec_encloser(name)?;
            return if encloser.len() == n_labels { Ok(()) } else { Err(format!("the closest encloser is {}", text(&encloser))) };
        }
        let next_closer = name[..=n_labels].to_vec();
        self.covering(&next_closer).map(drop).ok_or_else(|| format!("nothing covers {}", text(&next_closer)))
    }

    /// The closest encloser that the covering NSEC shows.
    fn nsec_encloser(&self, name: &Labels) -> Result<Labels, String> {
        let nsec = self.nsec_covering(name)?;
        if nsec.next.starts_with(name) {
            return Err(format!("{} is an empty non-terminal", text(name)));
        }
        let shared = |other: &Labels| name.iter().zip(other).take_while(|(a, b)| a == b).count();
        Ok(name[..shared(&nsec.owner).max(shared(&nsec.next))].to_vec())
    }

    fn nsec_covering(&self, name: &Labels) -> Result<&Nsec, String> {
        let nsec = self.nsecs.iter().find(|nsec| nsec.owner < *name && (*name < nsec.next || nsec.next == self.apex));
        let nsec = nsec.ok_or_else(|| format!("no NSEC covers {}", text(name)))?;
        if is_above_others(&nsec.types) && name.starts_with(&nsec.owner) {
            return Err(format!("the NSEC of {} says nothing of {}", text(&nsec.owner), text(name)));
        }
        Ok(nsec)
    }

    /// The closest provable encloser and whether the next closer name is in an opt-out span (RFC 5155 §8.3).
    fn closest_encloser(&self, name: &Labels) -> Result<(Labels, bool), String> {
        for n in (self.apex.len()..name.len()).rev() {
            let encloser = name[..n].to_vec();
            let Some(nsec3) = self.matching(&encloser) else { continue };
            if is_above_others(&nsec3.types) {
                return Err(format!("the closest encloser {} is a cut or a DNAME", text(&encloser)));
            }
            let next_closer = name[..=n].to_vec();
            let cover = self.covering(&next_closer).ok_or_else(|| format!("nothing covers {}", text(&next_closer)))?;
            return Ok((encloser, cover.opt_out));
        }
        Err(format!("no closest encloser for {}", text(name)))
    }

    fn matching(&self, name: &Labels) -> Option<&Nsec3> {
        self.nsec3s.iter().find(|nsec3| nsec3.owner == hash(&wire(name), &nsec3.salt, nsec3.iterations))
    }

    fn covering(&self, name: &Labels) -> Option<&Nsec3> {
        self.nsec3s.iter().find(|nsec3| {
            let hash = hash(&wire(name), &nsec3.salt, nsec3.iterations);
            let last = nsec3.next <= nsec3.owner;
            (nsec3.owner < hash && (hash < nsec3.next || last)) || (last && hash < nsec3.next)
        })
    }
}

fn wildcard(encloser: &Labels) -> Labels {
    let mut wildcard = encloser.clone();
    wildcard.push(b"*".to_vec());
    wildcard
}

/// A bitmap that denies a type: neither it nor CNAME, from the right side of a cut (RFC 6840 §4.1 and §4.3).
fn lacks(types: &[Rtype], rtype: Rtype, at_apex: bool) -> Result<(), String> {
    if types.contains(&rtype) || types.contains(&Rtype::CNAME) {
        return Err(format!("{types:?} does not deny {rtype}"));
    }
    if rtype == Rtype::DS && types.contains(&Rtype::SOA) && !at_apex {
        return Err("DS denied by the child".into());
    }
    if rtype != Rtype::DS && is_cut(types) {
        return Err(format!("{rtype} denied by the parent of a cut"));
    }
    Ok(())
}

fn types(mut bitmap: &[u8]) -> Vec<Rtype> {
    let mut types = Vec::new();
    while let [window, len, rest @ ..] = bitmap {
        let (bits, after) = rest.split_at(*len as usize);
        for (i, octet) in bits.iter().enumerate() {
            types.extend((0..8).filter(|bit| octet & (0x80 >> bit) != 0).map(|bit| Rtype(u16::from(*window) << 8 | (i * 8) as u16 | bit)));
        }
        bitmap = after;
    }
    types
}

/// Asks with DO over TCP and proves what comes back.
#[track_caller]
pub fn check_proof(world: &World, question: &str, expected: Proven) {
    let question = Question::parse(&format!("{question} do tcp"));
    let reply = world.ask_it(&question);
    let proven = prove(world, &question, &reply);
    assert_eq!(proven, Ok(expected), "{} {}\n{}", question.name, question.rtype, reply.show(world));
}

#[test]
fn the_validator_refuses_what_proves_nothing() {
    let world = crate::ask::signed("vn.zone", "vn.", &saola::sign::Denial::NSEC3);
    let question = Question::parse("nosuch.vn. A do");
    let reply = || world.ask_it(&question);
    assert_eq!(prove(&world, &question, &reply()), Ok(Proven::NxDomain));
    for i in 0..reply().authority.len() {
        let mut less = reply();
        less.authority.remove(i);
        assert!(prove(&world, &question, &less).is_err(), "record {i} is not needed:\n{}", less.show(&world));
    }
    for i in 0..reply().authority.len() {
        let mut other = reply();
        if let Some(octet) = other.authority[i].canonical.last_mut() {
            *octet ^= 1;
        }
        if let Some(octet) = other.authority[i].rdata.last_mut() {
            *octet ^= 1;
        }
        assert!(prove(&world, &question, &other).is_err(), "record {i} may change");
    }
    assert!(labels("a.b.") < labels("*.a.b.") && labels("z.a.b.") < labels("b.b."));
}
