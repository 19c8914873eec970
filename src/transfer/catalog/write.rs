//! A catalog zone as it is produced here.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{Group, Id};
use crate::dns::rdata::Soa;
use crate::dns::records::Full;
use crate::dns::{Name, NameRef, Records, Rtype};

/// How a member is to be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Its group.
    pub group: Option<String>,
    /// The catalog that may take it over.
    pub coo: Option<Name>,
}

/// The records of a catalog zone at `apex` with these members, under serial 0.
///
/// The label of a member is made of its name alone: it stays the same from version to version, and in another catalog, so that the zone keeps
/// its state where it moves there (§4.3.1).
///
/// # Errors
/// [`Full`]; an apex that leaves no room for what stands below it.
pub fn write(apex: NameRef<'_>, members: &BTreeMap<Name, Properties>) -> Result<Records, CannotWrite> {
    let mut records = Records::new();
    let below = |label: &[u8], rest: &Name| Name::prepend(label, rest.as_ref()).map_err(|_| CannotWrite::TooLong);
    // §4.1: nobody serves it to the world.
    let nobody = Name::prepend(b"invalid", Name::root().as_ref()).map_err(|_| CannotWrite::TooLong)?;
    let soa = Soa { mname: nobody.clone(), rname: nobody.clone(), serial: 0, refresh: REFRESH, retry: RETRY, expire: EXPIRE, minimum: 0 };
    records.push(apex, Rtype::SOA, TTL, &soa.to_rdata())?;
    records.push(apex, Rtype::NS, TTL, nobody.as_ref().as_wire())?;
    records.push(below(b"version", &apex.to_owned())?.as_ref(), Rtype::TXT, TTL, b"\x012")?;
    let zones = below(b"zones", &apex.to_owned())?;
    for (member, Properties { group, coo }) in members {
        let node = below(&label(member.as_ref()).0, &zones)?;
        records.push(node.as_ref(), Rtype::PTR, TTL, member.as_ref().to_lowercase().as_ref().as_wire())?;
        if let Some(group) = group {
            records.push(below(b"group", &node)?.as_ref(), Rtype::TXT, TTL, &Group::new(group).0)?;
        }
        if let Some(coo) = coo {
            records.push(below(b"coo", &node)?.as_ref(), Rtype::PTR, TTL, coo.as_ref().to_lowercase().as_ref().as_wire())?;
        }
    }
    Ok(records)
}

/// The label of a member's node: half of the SHA-256 of its name in lower case, hexadecimal. No two names are known to have the same.
pub fn label(member: NameRef<'_>) -> Id {
    let digest = Sha256::digest(member.to_lowercase().as_ref().as_wire());
    Id(HEXLOWER.encode(&digest[..16]).into_bytes().into())
}

/// Why there is no catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotWrite {
    /// There is too much in it.
    Full(Full),
    /// Names below the apex would be too long.
    TooLong,
}

impl std::fmt::Display for CannotWrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(full) => full.fmt(f),
            Self::TooLong => f.write_str("its name is too long: what stands below it needs 46 octets"),
        }
    }
}

impl From<Full> for CannotWrite {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

/// §4.1: it has no meaning.
const TTL: u32 = 0;

// Secondaries are told of each change; these are for notices that were lost. A catalog is small, so it is looked at often. Our choice.
const REFRESH: u32 = 600;
const RETRY: u32 = 60;
/// As in the example of the RFC (appendix A): a list of zones does not become wrong by age.
const EXPIRE: u32 = 2_147_483_646;
