//! ZONEMD: a digest over the whole zone, made anew when the zone is signed and checked when it is verified (RFC 8976).
//!
//! Whoever signs changes the zone, so that the digest of the input never holds for the output.

use std::fmt;

use aws_lc_rs::digest as verifiers;
use ring::digest as signers;

use super::tbs;
use crate::dns::{NameRef, Record, Records, Rtype};
use crate::zone::Zone;

/// The scheme SIMPLE: one digest over every record, the only one there is (RFC 8976 §5.2).
const SIMPLE: u8 = 1;

/// A hash that a digest is made with (RFC 8976 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hash {
    Sha384,
    Sha512,
}

impl Hash {
    fn number(self) -> u8 {
        match self {
            Self::Sha384 => 1,
            Self::Sha512 => 2,
        }
    }
}

/// ZONEMD RDATA taken apart (RFC 8976 §2.2).
pub(super) struct Zonemd<'a> {
    pub serial: u32,
    pub scheme: u8,
    pub hash: u8,
    pub digest: &'a [u8],
}

impl<'a> Zonemd<'a> {
    pub(super) fn read(rdata: &'a [u8]) -> Option<Self> {
        let [a, b, c, d, scheme, hash, digest @ ..] = rdata else { return None };
        Some(Self { serial: u32::from_be_bytes([*a, *b, *c, *d]), scheme: *scheme, hash: *hash, digest })
    }

    /// The hash, where scheme and hash are known here.
    pub(super) fn known(&self) -> Option<Hash> {
        [Hash::Sha384, Hash::Sha512].into_iter().find(|hash| self.scheme == SIMPLE && self.hash == hash.number())
    }
}

/// RDATA that asks the signer for a digest with SHA-384: one without a digest.
pub fn zonemd_wanted() -> Vec<u8> {
    rdata(0, Hash::Sha384, &[])
}

/// RDATA of the ZONEMD with this digest.
pub(super) fn rdata(serial: u32, hash: Hash, digest: &[u8]) -> Vec<u8> {
    let mut rdata = serial.to_be_bytes().to_vec();
    rdata.extend_from_slice(&[SIMPLE, hash.number()]);
    rdata.extend_from_slice(digest);
    rdata
}

/// The hashes of the digests at the apex that can be made anew, each once, in ascending order.
pub(super) fn wanted(zone: &Records, apex: NameRef<'_>) -> Vec<Hash> {
    let mut hashes: Vec<Hash> = at_apex(zone, apex).filter_map(|record| Zonemd::read(record.rdata)?.known()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// A ZONEMD that signing leaves out, because no digest of its kind can be made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedZonemd {
    /// The scheme.
    pub scheme: u8,
    /// The hash algorithm.
    pub hash: u8,
}

impl fmt::Display for DroppedZonemd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, hash } = self;
        write!(f, "the ZONEMD of scheme {scheme} and hash {hash} is left out, because signing changes the zone: ")?;
        f.write_str("only scheme 1 with hash 1 (SHA-384) or 2 (SHA-512) can be made anew")
    }
}

/// The ZONEMD records at the apex that signing leaves out.
///
/// Cost: one pass over the records, which need not be sorted.
pub fn dropped_zonemd(zone: &Records, apex: NameRef<'_>) -> Vec<DroppedZonemd> {
    let read = |record: Record<'_>| {
        let zonemd = Zonemd::read(record.rdata).unwrap_or(Zonemd { serial: 0, scheme: 0, hash: 0, digest: &[] });
        zonemd.known().is_none().then_some(DroppedZonemd { scheme: zonemd.scheme, hash: zonemd.hash })
    };
    at_apex(zone, apex).filter_map(read).collect()
}

fn at_apex<'a>(zone: &'a Records, apex: NameRef<'a>) -> impl Iterator<Item = Record<'a>> {
    zone.iter().filter(move |record| record.rtype == Rtype::ZONEMD && record.owner == apex)
}

/// The digests of the sorted `zone`, one for each of `hashes`, in their order (RFC 8976 §3.3.1).
///
/// Everything at or below the apex counts, glue and what is occluded too, but for the ZONEMD set of the apex and its signatures.
/// Cost: one pass, some 500 MB a second.
pub(super) fn digests(zone: &Records, apex: NameRef<'_>, hashes: &[Hash], by: By) -> Vec<Vec<u8>> {
    let mut digester = Digester::new(apex, hashes, by);
    zone.iter().for_each(|record| digester.add(&record));
    digester.finish()
}

/// As [`digests`], of a zone as it is served. Holds the records of one name at a time.
pub(super) fn digests_of(zone: &Zone, hashes: &[Hash], by: By) -> Vec<Vec<u8>> {
    let mut digester = Digester::new(zone.apex(), hashes, by);
    zone.each_name(|records| records.iter().for_each(|record| digester.add(&record)));
    digester.finish()
}

/// Takes the records of a zone in canonical order.
struct Digester<'a> {
    apex: NameRef<'a>,
    running: Vec<Running>,
    buffer: Vec<u8>,
}

impl<'a> Digester<'a> {
    fn new(apex: NameRef<'a>, hashes: &[Hash], by: By) -> Self {
        let running = hashes.iter().map(|hash| Running::new(*hash, by)).collect();
        Self { apex, running, buffer: Vec::with_capacity(2 * CHUNK) }
    }

    fn add(&mut self, record: &Record<'_>) {
        let of_digest = match record.rtype {
            Rtype::ZONEMD => true,
            Rtype::RRSIG => record.rdata.starts_with(&Rtype::ZONEMD.0.to_be_bytes()),
            _ => false,
        };
        if of_digest && record.owner == self.apex || !record.owner.is_at_or_below(self.apex) {
            return;
        }
        // Each record has its own TTL: a file may give the records of a set different ones.
        tbs::append_rrset(record.owner, record.rtype, record.ttl, std::iter::once(record.rdata), &mut self.buffer);
        if self.buffer.len() >= CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.running.iter_mut().for_each(|running| running.update(&self.buffer));
        self.buffer.clear();
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.flush();
        self.running.into_iter().map(Running::finish).collect()
    }
}

/// Whose digest it is: each side has a library of its own, as for signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Who makes it.
    Signer,
    /// Who checks it.
    Verifier,
}

/// One hash that has begun.
enum Running {
    Made(signers::Context),
    Checked(verifiers::Context),
}

impl Running {
    fn new(hash: Hash, by: By) -> Self {
        match (by, hash) {
            (By::Signer, Hash::Sha384) => Self::Made(signers::Context::new(&signers::SHA384)),
            (By::Signer, Hash::Sha512) => Self::Made(signers::Context::new(&signers::SHA512)),
            (By::Verifier, Hash::Sha384) => Self::Checked(verifiers::Context::new(&verifiers::SHA384)),
            (By::Verifier, Hash::Sha512) => Self::Checked(verifiers::Context::new(&verifiers::SHA512)),
        }
    }

    fn update(&mut self, octets: &[u8]) {
        match self {
            Self::Made(context) => context.update(octets),
            Self::Checked(context) => context.update(octets),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Made(context) => context.finish().as_ref().to_vec(),
            Self::Checked(context) => context.finish().as_ref().to_vec(),
        }
    }
}

/// Octets hashed at once; our choice.
const CHUNK: usize = 64 * 1024;

/// What is wrong with a ZONEMD at the apex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZonemdFault {
    /// RDATA of less than 18 octets, or a digest of another length than the hash gives.
    Broken,
    /// Two of one scheme and hash.
    Twice,
    /// For another serial than the SOA's.
    Serial(u32),
    /// The digest is not the zone's.
    Digest,
}

impl fmt::Display for ZonemdFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("the digest has a wrong length"),
            Self::Twice => f.write_str("two digests of one scheme and hash"),
            Self::Serial(serial) => write!(f, "the digest is for serial {serial}, not for the zone's"),
            Self::Digest => f.write_str("the digest is not that of the zone"),
        }
    }
}

/// Checks every ZONEMD at the apex of the sorted `zone` whose SOA has `serial`; gives how many were found good.
///
/// Stricter than RFC 8976 §4, to which one good digest is enough ([`prove_zonemd`]). Those of a scheme or hash that is not known here are
/// passed over.
///
/// # Errors
/// What is wrong, in the order of the records.
pub fn check_zonemd(zone: &Records, apex: NameRef<'_>, serial: u32) -> Result<usize, Vec<ZonemdFault>> {
    checked(judge(at_apex(zone, apex), serial, |hashes| digests(zone, apex, hashes, By::Verifier)))
}

/// As [`check_zonemd`], of a zone as it is served.
///
/// # Errors
/// What is wrong, in the order of the records.
pub fn check_zonemd_of(zone: &Zone) -> Result<usize, Vec<ZonemdFault>> {
    checked(judge_zone(zone))
}

fn checked(judged: Vec<Judged>) -> Result<usize, Vec<ZonemdFault>> {
    let faults = faults(&judged);
    if faults.is_empty() { Ok(judged.iter().filter(|judged| judged.verdict == Ok(true)).count()) } else { Err(faults) }
}

/// Why no digest at the apex proves the zone (RFC 8976 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// There is no ZONEMD.
    Missing,
    /// All are of a scheme or hash that is not known here; those of the first.
    Unknown(u8, u8),
    /// Those that are known are wrong.
    Wrong(Vec<ZonemdFault>),
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is none at the apex"),
            Self::Unknown(scheme, hash) => {
                write!(
                    f,
                    "there is one of scheme {scheme} and hash {hash}, only scheme 1 with hash 1 (SHA-384) or 2 (SHA-512) can be checked"
                )
            }
            Self::Wrong(faults) => f.write_str(&faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        }
    }
}

/// True if one digest at the apex of the sorted `zone`, whose SOA has `serial`, is that of the zone and for this serial.
///
/// Two of one scheme and hash prove nothing. Who made the digest is for signatures to say, which are not looked at.
///
/// Cost: one pass over the zone for each known hash, and none where there is nothing to check.
///
/// # Errors
/// [`Unproven`].
pub fn prove_zonemd(zone: &Records, apex: NameRef<'_>, serial: u32) -> Result<(), Unproven> {
    proven(judge(at_apex(zone, apex), serial, |hashes| digests(zone, apex, hashes, By::Verifier)))
}

/// As [`prove_zonemd`], of a zone as it is served.
///
/// # Errors
/// [`Unproven`].
pub fn prove_zonemd_of(zone: &Zone) -> Result<(), Unproven> {
    proven(judge_zone(zone))
}

fn proven(judged: Vec<Judged>) -> Result<(), Unproven> {
    let is_alone = |one: &Judged| judged.iter().filter(|other| other.kind == one.kind).count() == 1;
    if judged.iter().any(|one| one.verdict == Ok(true) && is_alone(one)) {
        return Ok(());
    }
    let faults = faults(&judged);
    match (judged.first(), faults.is_empty()) {
        (None, _) => Err(Unproven::Missing),
        (Some(Judged { kind: (scheme, hash), .. }), true) => Err(Unproven::Unknown(*scheme, *hash)),
        (Some(_), false) => Err(Unproven::Wrong(faults)),
    }
}

/// One ZONEMD record.
struct Judged {
    /// Scheme and hash.
    kind: (u8, u8),
    /// One of the same scheme and hash stands before it.
    is_twice: bool,
    /// True if it is right, false if it is not known here.
    verdict: Result<bool, ZonemdFault>,
}

fn faults(judged: &[Judged]) -> Vec<ZonemdFault> {
    let of = |one: &Judged| [one.is_twice.then_some(ZonemdFault::Twice), one.verdict.clone().err()];
    judged.iter().flat_map(of).flatten().collect()
}

fn judge_zone(zone: &Zone) -> Vec<Judged> {
    judge(at_apex(&zone.records_at(zone.apex()), zone.apex()), zone.serial().0, |hashes| digests_of(zone, hashes, By::Verifier))
}

fn judge<'a>(zonemd: impl Iterator<Item = Record<'a>>, serial: u32, digests: impl FnOnce(&[Hash]) -> Vec<Vec<u8>>) -> Vec<Judged> {
    // RFC 8976 §2.2.4: no digest is shorter than 12 octets, whatever the hash.
    let read = |record: Record<'_>| {
        let zonemd = Zonemd::read(record.rdata);
        zonemd.map(|zonemd| (zonemd.scheme, zonemd.hash, zonemd.serial, zonemd.known(), zonemd.digest.to_vec()))
    };
    let all: Vec<_> = zonemd.map(read).collect();
    let mut hashes: Vec<Hash> = all
        .iter()
        .flatten()
        .filter(|(_, _, of, _, digest)| *of == serial && digest.len() >= 12)
        .filter_map(|(_, _, _, hash, _)| *hash)
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    let digests = if hashes.is_empty() { Vec::new() } else { digests(&hashes) };
    let mut judged: Vec<Judged> = Vec::new();
    for zonemd in all {
        let Some((scheme, hash, of, known, digest)) = zonemd else {
            judged.push(Judged { kind: (0, 0), is_twice: false, verdict: Err(ZonemdFault::Broken) });
            continue;
        };
        let is_twice = judged.iter().any(|other| other.kind == (scheme, hash) && other.verdict != Err(ZonemdFault::Broken));
        let right = known.and_then(|hash| digests.get(hashes.iter().position(|other| *other == hash)?));
        let verdict = match (known, right) {
            _ if digest.len() < 12 => Err(ZonemdFault::Broken),
            (None, _) => Ok(false),
            (Some(_), _) if of != serial => Err(ZonemdFault::Serial(of)),
            (Some(_), Some(right)) if right.len() != digest.len() => Err(ZonemdFault::Broken),
            (Some(_), Some(right)) if *right == digest => Ok(true),
            (Some(_), _) => Err(ZonemdFault::Digest),
        };
        judged.push(Judged { kind: (scheme, hash), is_twice, verdict });
    }
    judged
}
