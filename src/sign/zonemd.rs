//! ZONEMD: a digest over the whole zone, made anew when the zone is signed and checked when it is verified (RFC 8976).
//!
//! Whoever signs changes the zone, so that the digest of the input never holds for the output.

use std::fmt;

use sha2::{Digest as _, Sha384, Sha512};

use super::tbs;
use crate::dns::{NameRef, Record, Records, Rtype};

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
pub(super) fn digests(zone: &Records, apex: NameRef<'_>, hashes: &[Hash]) -> Vec<Vec<u8>> {
    let mut sha384 = hashes.contains(&Hash::Sha384).then(Sha384::new);
    let mut sha512 = hashes.contains(&Hash::Sha512).then(Sha512::new);
    let mut buffer = Vec::with_capacity(2 * CHUNK);
    let mut flush = |buffer: &mut Vec<u8>| {
        sha384.iter_mut().for_each(|hash| hash.update(&*buffer));
        sha512.iter_mut().for_each(|hash| hash.update(&*buffer));
        buffer.clear();
    };
    for record in zone.iter() {
        let of_digest = match record.rtype {
            Rtype::ZONEMD => true,
            Rtype::RRSIG => record.rdata.starts_with(&Rtype::ZONEMD.0.to_be_bytes()),
            _ => false,
        };
        if of_digest && record.owner == apex || !record.owner.is_at_or_below(apex) {
            continue;
        }
        // Each record has its own TTL: a file may give the records of a set different ones.
        tbs::append_rrset(record.owner, record.rtype, record.ttl, std::iter::once(record.rdata), &mut buffer);
        if buffer.len() >= CHUNK {
            flush(&mut buffer);
        }
    }
    flush(&mut buffer);
    let (sha384, sha512) = (sha384.map(Sha384::finalize), sha512.map(Sha512::finalize));
    let digest = |hash: &Hash| match hash {
        Hash::Sha384 => sha384.as_ref().map(|digest| digest.to_vec()).unwrap_or_default(),
        Hash::Sha512 => sha512.as_ref().map(|digest| digest.to_vec()).unwrap_or_default(),
    };
    hashes.iter().map(digest).collect()
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
/// Stricter than RFC 8976 §4, to which one good digest is enough. Those of a scheme or hash that is not known here are passed over.
///
/// # Errors
/// What is wrong, in the order of the records.
pub fn check_zonemd(zone: &Records, apex: NameRef<'_>, serial: u32) -> Result<usize, Vec<ZonemdFault>> {
    let wanted = wanted(zone, apex);
    let digests = if wanted.is_empty() { Vec::new() } else { digests(zone, apex, &wanted) };
    let mut faults = Vec::new();
    let mut seen: Vec<(u8, u8)> = Vec::new();
    for record in at_apex(zone, apex) {
        // RFC 8976 §2.2.4: no digest is shorter than 12 octets, whatever the hash.
        let Some(zonemd) = Zonemd::read(record.rdata).filter(|zonemd| zonemd.digest.len() >= 12) else {
            faults.push(ZonemdFault::Broken);
            continue;
        };
        if seen.contains(&(zonemd.scheme, zonemd.hash)) {
            faults.push(ZonemdFault::Twice);
        }
        seen.push((zonemd.scheme, zonemd.hash));
        let Some(digest) = zonemd.known().and_then(|hash| digests.get(wanted.iter().position(|other| *other == hash)?)) else { continue };
        if zonemd.serial != serial {
            faults.push(ZonemdFault::Serial(zonemd.serial));
        } else if zonemd.digest.len() != digest.len() {
            faults.push(ZonemdFault::Broken);
        } else if zonemd.digest != digest {
            faults.push(ZonemdFault::Digest);
        }
    }
    if faults.is_empty() { Ok(wanted.len()) } else { Err(faults) }
}
