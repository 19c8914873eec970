//! Signs zones: canonical to-be-signed bytes, signatures, denial of existence, keys; and verifies whole signed zones.
//!
//! Knows no file, no clock and no export format: records, keys, a policy and the time go in, records come out.
//! RFC 4033-4035, 5155, 6840, 9077, 9276.

mod affected;
mod algorithm;
mod change;
mod check;
mod der;
mod dnskey;
mod fault;
mod gate;
pub mod key;
mod key_text;
pub mod nsec3;
mod policy;
mod relink;
mod tbs;
mod verify;
mod walk;
mod zone_keys;
mod zonemd;

use std::fmt;
use std::hash::Hasher as _;

use ring::rand::SystemRandom;
use siphasher::sip::SipHasher13;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use change::{Anew, ChangeError, sign_diff};
pub use dnskey::{ds, key_tag};
pub use fault::{Fault, What};
pub use gate::verify_change;
pub use key::{Key, KeyError, SigningFailed, Timing};
pub use key_text::{DnskeyText, KeyTextError};
pub use policy::{Denial, Policy, UnknownDenial};
pub use verify::{Anchor, MAX_FAULTS, Summary, check_signature, verify};
pub use zone_keys::{Role, ZoneKeys, ZoneKeysError};
pub use zonemd::{
    DroppedZonemd, Unproven, ZonemdFault, check_zonemd, check_zonemd_of, dropped_zonemd, prove_zonemd, prove_zonemd_of, zonemd_wanted,
};

use crate::dns::rdata::{self, Soa};
use crate::dns::records::Full;
use crate::dns::{Name, NameRecords, NameRef, Records, Rrset, Rtype, UnixTime};
use crate::parallel;
use nsec3::{Hash, Hasher};
use tbs::Rrsig;
use walk::{Kind, LinkRule, Place};

/// Signs the whole zone `apex`; the result is sorted and complete.
///
/// RRSIG, NSEC, NSEC3 and NSEC3PARAM of the input are dropped and made anew, and so are CDS and CDNSKEY where the policy makes them.
/// A ZONEMD at the apex is made anew, with the hashes of those in the input that are known here ([`dropped_zonemd`] names the others); where
/// the policy makes one, it is the only one.
/// A DNSKEY of the input that is none of `keys` stays (another signer's, RFC 8901), if its algorithm signs here.
/// RRsets whose TTLs differ get the smallest.
///
/// Signed is what is authoritative: not NS at a zone cut, nothing below a cut or a DNAME (RFC 4035 §2.2). With opt-out, insecure
/// delegations and empty non-terminals that lead to nothing else have no NSEC3 (RFC 5155 §7.1), unless such an empty non-terminal has a
/// wildcard beside it, which could otherwise pass for the source of the names below. TTLs of the chain are those of RFC 9077.
///
/// Cost: one signature for each signed RRset and link, on `threads` threads (0: one per core). ECDSA signatures are random,
/// everything else is the same each time.
///
/// # Errors
/// [`SignError`].
pub fn sign(
    unsigned: Records,
    apex: NameRef<'_>,
    keys: &ZoneKeys,
    policy: &Policy,
    now: UnixTime,
    threads: usize,
) -> Result<Records, SignError> {
    if keys.zone() != apex {
        return Err(SignError::OtherZone { zone: apex.to_owned(), keys: keys.zone().to_owned() });
    }
    let mut records = unsigned;
    if policy.zonemd {
        records.retain(|record| record.rtype != Rtype::ZONEMD || record.owner != apex);
        records.push(apex, Rtype::ZONEMD, 0, &zonemd_wanted())?;
    }
    let (soa, zonemd) = prepare(&mut records, apex, keys, policy)?;

    let places = walk::walk(&records, apex);
    if let Some(outside) = places.iter().find(|place| place.kind == Kind::Outside) {
        return Err(SignError::OutOfZone(outside.name(&records).to_owned()));
    }
    let pen = Pen::new(apex, keys, policy, now);
    let signer = Signer { records: &records, places: &places, negative_ttl: soa.negative_ttl, pen: &pen };
    let mut made = Records::new();
    parallel::in_order(
        parallel::ranges(places.len()),
        threads,
        |range| signer.sign_places(range),
        |chunk: Records| Ok(made.extend(&chunk)?),
    )?;
    // Chunks come in canonical order, so that sorting finds everything in place.
    let mut hashed = Records::new();
    if let Denial::Nsec3 { opt_out, salt, iterations } = &policy.denial {
        let hasher = hasher(salt, *iterations)?;
        let links = signer.links(&hasher, threads)?;
        let head = hasher.head(u8::from(*opt_out));
        parallel::in_order(
            parallel::ranges(links.len()),
            threads,
            |range| signer.sign_links(&links, range, &head),
            |chunk: Records| Ok(hashed.extend(&chunk)?),
        )?;
    }
    drop(places);
    made.merge(hashed)?;
    records.merge(made)?;
    if !zonemd.is_empty() {
        add_zonemd(&mut records, &zonemd, soa, &pen)?;
    }
    Ok(records)
}

/// Gives the records, of the whole zone or of its apex, everything that is signed but the chain: what the signer makes itself is made anew.
/// Sorts them. Returns what the SOA says and the digests that are to be made, for which placeholders stand.
fn prepare(records: &mut Records, apex: NameRef<'_>, keys: &ZoneKeys, policy: &Policy) -> Result<(ApexSoa, Vec<zonemd::Hash>), SignError> {
    let keep_cds = !policy.cds;
    records.retain(|record| match record.rtype {
        Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM => false,
        Rtype::CDS | Rtype::CDNSKEY => keep_cds || record.owner != apex,
        Rtype::DNSKEY => record.owner != apex || !keys.iter().any(|(key, _)| key.dnskey() == record.rdata),
        _ => true,
    });
    records.sort();
    let soa = read_soa(records, apex)?;
    let zonemd = zonemd::wanted(records, apex);
    records.retain(|record| record.rtype != Rtype::ZONEMD || record.owner != apex);
    let mut placeholders = Records::new();
    for &hash in &zonemd {
        placeholders.push(apex, Rtype::ZONEMD, soa.ttl, &zonemd::rdata(soa.serial, hash, &[]))?;
    }
    records.merge(placeholders)?;
    records.merge(apex_records(records, apex, keys, policy)?)?;
    records.level_ttls();
    Ok((soa, zonemd))
}

/// Puts the digests of the zone, which is signed but for them, in the place of the placeholders (RFC 8976 §3.4).
fn add_zonemd(records: &mut Records, hashes: &[zonemd::Hash], soa: ApexSoa, pen: &Pen<'_>) -> Result<(), SignError> {
    let digests = zonemd::digests(records, pen.apex, hashes, zonemd::By::Signer);
    records.retain(|record| record.rtype != Rtype::ZONEMD || record.owner != pen.apex);
    Ok(records.merge(zonemd_set(hashes, &digests, soa, pen)?)?)
}

/// The signed set of these digests.
fn zonemd_set(hashes: &[zonemd::Hash], digests: &[Vec<u8>], soa: ApexSoa, pen: &Pen<'_>) -> Result<Records, SignError> {
    let rdata: Vec<Vec<u8>> = hashes.iter().zip(digests).map(|(&hash, digest)| zonemd::rdata(soa.serial, hash, digest)).collect();
    let mut made = Records::new();
    for rdata in &rdata {
        made.push(pen.apex, Rtype::ZONEMD, soa.ttl, rdata)?;
    }
    // Serial and scheme are the same in all: in order of the hash they are in canonical order.
    pen.sign_rrset(pen.apex, Rtype::ZONEMD, soa.ttl, rdata.iter().map(Vec::as_slice), &mut Scratch::default(), &mut made)?;
    Ok(made)
}

/// What the SOA says that matters here.
#[derive(Clone, Copy)]
struct ApexSoa {
    serial: u32,
    ttl: u32,
    /// TTL of NSEC and NSEC3: the smaller of the SOA's TTL and its minimum (RFC 9077 §3).
    negative_ttl: u32,
}

fn read_soa(records: &Records, apex: NameRef<'_>) -> Result<ApexSoa, SignError> {
    let set = records.name(apex).and_then(|name| name.rrset(Rtype::SOA)).ok_or(SignError::NoSoa)?;
    if set.len() != 1 {
        return Err(SignError::ManySoa);
    }
    let soa = set.rdata().next().and_then(Soa::read).ok_or(SignError::NoSoa)?;
    // The smallest, as `level_ttls` gives it.
    let ttl = set.ttls().min().unwrap_or(0);
    Ok(ApexSoa { serial: soa.serial, ttl, negative_ttl: ttl.min(soa.minimum) })
}

/// What signing adds to the apex beside signatures: DNSKEY, CDS, CDNSKEY, NSEC3PARAM.
fn apex_records(records: &Records, apex: NameRef<'_>, keys: &ZoneKeys, policy: &Policy) -> Result<Records, SignError> {
    let mut made = Records::new();
    for key in keys.with(|role| role.published) {
        made.push(apex, Rtype::DNSKEY, policy.dnskey_ttl, key.dnskey())?;
    }
    if let Some(foreign) = records.name(apex).and_then(|name| name.rrset(Rtype::DNSKEY)) {
        for rdata in foreign.rdata() {
            let number = rdata.get(3).copied().unwrap_or(0);
            let signs = keys.with(|role| role.published && role.signs_keys).any(|key| key.algorithm().number() == number);
            if !signs {
                // RFC 4035 §2.2: every algorithm of the DNSKEY set must sign everything.
                return Err(SignError::ForeignKey { tag: key_tag(rdata), algorithm: number });
            }
        }
    }
    if policy.cds {
        for key in keys.with(|role| role.synced && role.published) {
            made.push(apex, Rtype::CDNSKEY, policy.dnskey_ttl, key.dnskey())?;
            let ds = key.ds(2).expect("digest type 2 is known");
            made.push(apex, Rtype::CDS, policy.dnskey_ttl, &ds)?;
        }
    }
    if let Denial::Nsec3 { salt, iterations, .. } = &policy.denial {
        // Nobody but secondaries reads it, and those not by its TTL.
        made.push(apex, Rtype::NSEC3PARAM, 0, &hasher(salt, *iterations)?.param())?;
    }
    made.sort();
    Ok(made)
}

fn hasher(salt: &[u8], iterations: u16) -> Result<Hasher, SignError> {
    if iterations > nsec3::MAX_ITERATIONS || salt.len() > 255 {
        return Err(SignError::Nsec3Parameters);
    }
    Ok(Hasher { salt: salt.to_vec(), iterations })
}

/// A link of the NSEC3 chain.
#[derive(Clone, Copy)]
struct Link {
    hash: Hash,
    place: u32,
}

/// What the threads that sign share.
struct Signer<'a> {
    records: &'a Records,
    places: &'a [Place],
    negative_ttl: u32,
    pen: &'a Pen<'a>,
}

/// What it takes to sign one RRset.
struct Pen<'a> {
    apex: NameRef<'a>,
    zone_signers: Vec<&'a Key>,
    key_signers: Vec<&'a Key>,
    policy: &'a Policy,
    now: UnixTime,
    rng: SystemRandom,
}

impl Signer<'_> {
    /// Signatures of the RRsets of these places, and their NSEC where NSEC is the denial.
    fn sign_places(&self, range: std::ops::Range<usize>) -> Result<Records, SignError> {
        let mut out = Records::new();
        let mut scratch = Scratch::default();
        let nsec = self.pen.policy.denial == Denial::Nsec;
        for i in range {
            let place = self.places[i];
            if !place.is_linked(LinkRule::Nsec) || place.kind == Kind::InsecureCut && !nsec {
                continue;
            }
            let name = self.records.name_at(place.entry as usize);
            for set in name.rrsets() {
                if self.pen.signs(place.kind, &set) {
                    self.pen.sign_rrset(name.owner(), set.rtype(), set.ttl(), set.rdata(), &mut scratch, &mut out)?;
                }
            }
            if nsec {
                let next = self.places[i + 1..].iter().find(|next| next.is_linked(LinkRule::Nsec));
                let next = next.map_or(self.pen.apex, |next| next.name(self.records));
                scratch.link.clear();
                scratch.link.extend_from_slice(next.as_wire());
                // RFC 4034 §6.2 lowers this name and RFC 6840 §5.1 does not: lower case means the same to both.
                scratch.link.make_ascii_lowercase();
                append_types(&name, place.kind, &self.pen.policy.denial, &mut scratch.link);
                let link = std::mem::take(&mut scratch.link);
                out.push(name.owner(), Rtype::NSEC, self.negative_ttl, &link)?;
                self.pen.sign_rrset(name.owner(), Rtype::NSEC, self.negative_ttl, [&link[..]].into_iter(), &mut scratch, &mut out)?;
                scratch.link = link;
            }
        }
        Ok(out)
    }

    /// The links of the NSEC3 chain, by hash.
    fn links(&self, hasher: &Hasher, threads: usize) -> Result<Vec<Link>, SignError> {
        let rule = LinkRule::of(&self.pen.policy.denial);
        let mut links: Vec<Link> = Vec::new();
        let hash = |range: std::ops::Range<usize>| {
            let linked = range.filter(|&i| self.places[i].is_linked(rule));
            Ok::<_, SignError>(
                linked.map(|i| Link { hash: hasher.hash(self.places[i].name(self.records)), place: i as u32 }).collect::<Vec<_>>(),
            )
        };
        parallel::in_order(parallel::ranges(self.places.len()), threads, hash, |chunk| {
            links.extend_from_slice(&chunk);
            Ok(())
        })?;
        links.sort_unstable_by_key(|link| link.hash);
        for pair in links.windows(2) {
            if pair[0].hash == pair[1].hash {
                let name = |link: &Link| self.places[link.place as usize].name(self.records).to_owned();
                return Err(SignError::Collision(name(&pair[0]), name(&pair[1])));
            }
        }
        Ok(links)
    }

    /// These NSEC3 records and their signatures.
    fn sign_links(&self, links: &[Link], range: std::ops::Range<usize>, head: &[u8]) -> Result<Records, SignError> {
        let mut out = Records::with_capacity(2 * range.len());
        let mut scratch = Scratch::default();
        for i in range {
            let link = links[i];
            let place = self.places[link.place as usize];
            let owner = nsec3::owner(&link.hash, self.pen.apex).ok_or(SignError::ApexTooLong)?;
            let mut rdata = std::mem::take(&mut scratch.link);
            rdata.clear();
            rdata.extend_from_slice(head);
            rdata.push(20);
            rdata.extend_from_slice(&links[(i + 1) % links.len()].hash);
            if place.strip == 0 {
                append_types(&self.records.name_at(place.entry as usize), place.kind, &self.pen.policy.denial, &mut rdata);
            }
            out.push(owner.as_ref(), Rtype::NSEC3, self.negative_ttl, &rdata)?;
            self.pen.sign_rrset(owner.as_ref(), Rtype::NSEC3, self.negative_ttl, [&rdata[..]].into_iter(), &mut scratch, &mut out)?;
            scratch.link = rdata;
        }
        Ok(out)
    }
}

impl<'a> Pen<'a> {
    fn new(apex: NameRef<'a>, keys: &'a ZoneKeys, policy: &'a Policy, now: UnixTime) -> Self {
        Self {
            apex,
            zone_signers: keys.with(|role| role.signs_zone).collect(),
            key_signers: keys.with(|role| role.signs_keys).collect(),
            policy,
            now,
            rng: SystemRandom::new(),
        }
    }

    /// True for a set that is signed with the others: not the ZONEMD of the apex, which is still a placeholder.
    fn signs(&self, kind: Kind, set: &Rrset<'_>) -> bool {
        kind.signs(set.rtype()) && !(set.rtype() == Rtype::ZONEMD && set.owner() == self.apex)
    }

    /// The keys that sign sets of this type. RFC 7344 §4.1: CDS and CDNSKEY are signed by a key that the parent knows.
    fn signers(&self, rtype: Rtype) -> &[&'a Key] {
        match rtype {
            Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY => &self.key_signers,
            _ => &self.zone_signers,
        }
    }

    /// Appends one RRSIG for each key that signs the type.
    fn sign_rrset<'r>(
        &self,
        owner: NameRef<'_>,
        rtype: Rtype,
        ttl: u32,
        rdata: impl Iterator<Item = &'r [u8]>,
        scratch: &mut Scratch,
        out: &mut Records,
    ) -> Result<(), SignError> {
        let mut rrsig = Rrsig {
            covered: rtype,
            algorithm: 0,
            labels: tbs::labels(owner),
            original_ttl: ttl,
            expiration: expiration(self.policy, owner, self.now),
            inception: UnixTime(self.now.0.saturating_sub(u64::from(self.policy.inception_offset))).as_rrsig(),
            tag: 0,
            signer: self.apex,
            signature: &[],
        };
        scratch.set.clear();
        tbs::append_rrset(owner, rtype, ttl, rdata, &mut scratch.set);
        for key in self.signers(rtype) {
            rrsig.algorithm = key.algorithm().number();
            rrsig.tag = key.tag();
            scratch.message.clear();
            rrsig.append_head(&mut scratch.message);
            scratch.rrsig.clear();
            scratch.rrsig.extend_from_slice(&scratch.message);
            scratch.message.extend_from_slice(&scratch.set);
            key.sign(&scratch.message, &self.rng, &mut scratch.rrsig).map_err(SignError::Failed)?;
            out.push(owner, Rtype::RRSIG, ttl, &scratch.rrsig)?;
        }
        Ok(())
    }
}

/// Buffers that one thread uses again and again.
#[derive(Default)]
struct Scratch {
    set: Vec<u8>,
    message: Vec<u8>,
    rrsig: Vec<u8>,
    link: Vec<u8>,
}

/// When signatures of `owner` end: the same spread each time, so that a re-run changes nothing needlessly.
fn expiration(policy: &Policy, owner: NameRef<'_>, now: UnixTime) -> u32 {
    let mut hasher = SipHasher13::new();
    owner.labels().for_each(|label| label.iter().for_each(|octet| hasher.write_u8(octet.to_ascii_lowercase())));
    let early = hasher.finish() % (u64::from(policy.jitter.min(policy.validity)) + 1);
    UnixTime(now.0 + u64::from(policy.validity) - early).as_rrsig()
}

/// Appends the type bitmap of a name in the chain (RFC 4034 §4.1.2, RFC 5155 §7.1).
///
/// At a cut NS and DS alone are listed; RRSIG wherever something is signed; NSEC by NSEC itself.
/// Types of the chain that already stand at the name are passed over.
fn append_types(name: &NameRecords<'_>, kind: Kind, denial: &Denial, out: &mut Vec<u8>) {
    let nsec = *denial == Denial::Nsec;
    let cut = matches!(kind, Kind::SecureCut | Kind::InsecureCut);
    let mut types: Vec<Rtype> = name
        .rrsets()
        .map(|set| set.rtype())
        .filter(|&rtype| !matches!(rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3))
        .filter(|&rtype| !cut || matches!(rtype, Rtype::NS | Rtype::DS))
        .collect();
    if nsec || kind != Kind::InsecureCut {
        types.push(Rtype::RRSIG);
    }
    if nsec {
        types.push(Rtype::NSEC);
    }
    types.sort_unstable();
    rdata::append_bitmap(types, out);
}

/// Why a zone cannot be signed. The input is not changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignError {
    /// The keys are another zone's.
    OtherZone {
        /// The zone to sign.
        zone: Name,
        /// Whose the keys are.
        keys: Name,
    },
    /// No SOA at the apex, or a broken one.
    NoSoa,
    /// More than one SOA.
    ManySoa,
    /// A name that is not at or below the apex.
    OutOfZone(Name),
    /// A DNSKEY in the input whose algorithm no key of ours signs with.
    ForeignKey {
        /// Its tag.
        tag: u16,
        /// Its algorithm.
        algorithm: u8,
    },
    /// More than 150 iterations, or a salt of more than 255 octets.
    Nsec3Parameters,
    /// Two names have one NSEC3 hash: choose a salt (RFC 5155 §7.1).
    Collision(Name, Name),
    /// The apex leaves no room for the label of a hash.
    ApexTooLong,
    /// The crypto library did not sign.
    Failed(SigningFailed),
    /// More than 4 GiB of records.
    Full,
}

impl From<Full> for SignError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherZone { zone, keys } => write!(f, "the keys are for '{keys}', not for '{zone}'"),
            Self::NoSoa => f.write_str("the apex has no SOA record"),
            Self::ManySoa => f.write_str("the apex has more than one SOA record"),
            Self::OutOfZone(name) => write!(f, "'{name}' is not in the zone"),
            Self::ForeignKey { tag, algorithm } => {
                write!(f, "the zone holds DNSKEY {tag} of algorithm {algorithm}, with which no key signs: remove it or add its key")
            }
            Self::Nsec3Parameters => f.write_str("NSEC3 with more than 150 iterations or a salt of more than 255 octets"),
            Self::Collision(a, b) => write!(f, "'{a}' and '{b}' have the same NSEC3 hash: choose another salt"),
            Self::ApexTooLong => f.write_str("the apex is too long for NSEC3: a hash adds 33 octets"),
            Self::Failed(failed) => write!(f, "key {} of algorithm {} did not sign", failed.tag, failed.algorithm),
            Self::Full => Full.fmt(f),
        }
    }
}

impl std::error::Error for SignError {}
