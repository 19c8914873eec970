//! The chain around names that come, go or change: which links get another record, and which link is the next.
//!
//! The same for NSEC, a circle of names in canonical order (RFC 4034 §4), and NSEC3, a circle of hashes (RFC 5155 §7.1).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::nsec3::{self, Hash, Hasher, Nsec3};
use crate::dns::{Name, NameRef, Records, Rtype};
use crate::zone::Zone;

/// A chain as a zone has it. Keys have the order of the circle.
pub(super) trait Chain {
    /// What stands for a name.
    type Key: Ord + Clone;

    /// NSEC or NSEC3.
    const RTYPE: Rtype;

    /// The key of a name, which need not have a link.
    fn key(&self, name: NameRef<'_>) -> Self::Key;

    /// The owner of a link; `None` where the apex leaves no room for it.
    fn owner(&self, key: &Self::Key) -> Option<Name>;

    /// The record of a link and its signatures; `None` without one.
    fn link(&self, key: &Self::Key) -> Option<Records>;

    /// The record and signatures of the link before a key, whether that has a link itself or not.
    fn before(&self, key: &Self::Key) -> Option<Records>;

    /// The key of the owner of a link's record.
    fn key_of_owner(&self, owner: NameRef<'_>) -> Option<Self::Key>;

    /// RDATA up to the types.
    fn head(&self, next: &Self::Key) -> Vec<u8>;

    /// The key of the next link, and the types.
    fn read<'r>(&self, rdata: &'r [u8]) -> Option<(Self::Key, &'r [u8])>;
}

/// The NSEC chain of a zone.
pub(super) struct NsecChain<'z>(pub &'z Zone);

/// The NSEC3 chain of a zone.
pub(super) struct Nsec3Chain<'z> {
    pub zone: &'z Zone,
    pub hasher: Hasher,
    /// RDATA up to the salt.
    pub head: Vec<u8>,
}

impl Chain for NsecChain<'_> {
    type Key = Name;

    const RTYPE: Rtype = Rtype::NSEC;

    fn key(&self, name: NameRef<'_>) -> Name {
        name.to_lowercase()
    }

    fn owner(&self, key: &Name) -> Option<Name> {
        Some(key.clone())
    }

    fn link(&self, key: &Name) -> Option<Records> {
        let mut records = self.0.records_at(key.as_ref());
        records.retain(|record| is_of_nsec(record.rtype, record.rdata));
        (!records.is_empty()).then_some(records)
    }

    fn before(&self, key: &Name) -> Option<Records> {
        self.0.nsec_before(key.as_ref())
    }

    fn key_of_owner(&self, owner: NameRef<'_>) -> Option<Name> {
        Some(owner.to_lowercase())
    }

    fn head(&self, next: &Name) -> Vec<u8> {
        next.as_ref().as_wire().to_vec()
    }

    fn read<'r>(&self, rdata: &'r [u8]) -> Option<(Name, &'r [u8])> {
        let next = NameRef::from_wire(rdata).ok()?;
        Some((next.to_lowercase(), &rdata[next.as_wire().len()..]))
    }
}

impl Chain for Nsec3Chain<'_> {
    type Key = Hash;

    const RTYPE: Rtype = Rtype::NSEC3;

    fn key(&self, name: NameRef<'_>) -> Hash {
        self.hasher.hash(name)
    }

    fn owner(&self, key: &Hash) -> Option<Name> {
        nsec3::owner(key, self.zone.apex())
    }

    fn link(&self, key: &Hash) -> Option<Records> {
        self.zone.link_at(key)
    }

    fn before(&self, key: &Hash) -> Option<Records> {
        self.zone.link_before(key)
    }

    fn key_of_owner(&self, owner: NameRef<'_>) -> Option<Hash> {
        nsec3::parse_label(owner.labels().next()?)
    }

    fn head(&self, next: &Hash) -> Vec<u8> {
        let mut head = self.head.clone();
        head.push(next.len() as u8);
        head.extend_from_slice(next);
        head
    }

    fn read<'r>(&self, rdata: &'r [u8]) -> Option<(Hash, &'r [u8])> {
        let nsec3 = Nsec3::read(rdata)?;
        Some((nsec3.next, nsec3.bitmap))
    }
}

/// True for NSEC and its signatures.
pub(super) fn is_of_nsec(rtype: Rtype, rdata: &[u8]) -> bool {
    rtype == Rtype::NSEC || rtype == Rtype::RRSIG && rdata.starts_with(&Rtype::NSEC.0.to_be_bytes())
}

/// A link of a touched name.
pub(super) struct Touched {
    /// The record and its signatures as they stand; empty where there is none.
    pub stands: Records,
    /// The types it will tell of in wire form; `None` where it will not stand.
    pub types: Option<Vec<u8>>,
}

/// One link whose record goes, comes or may change.
pub(super) struct Relinked {
    /// The record and its signatures as they stand.
    pub stands: Records,
    /// Owner and RDATA as they will be.
    pub record: Option<(Name, Vec<u8>)>,
}

/// The touched links, and those before one that comes or goes. Of the chain no more is read than the neighbours of the touched.
///
/// `None` when the chain is broken, or the apex too long for the owner of a link.
pub(super) fn relink<C: Chain>(chain: &C, touched: BTreeMap<C::Key, Touched>) -> Option<Vec<Relinked>> {
    // The new chain as far as it matters. A touched neighbour that goes has brought its own neighbours, so that from every link that
    // is asked for below, the next one is here.
    let mut near: BTreeSet<C::Key> = BTreeSet::new();
    let mut untouched: BTreeMap<C::Key, Records> = BTreeMap::new();
    for (key, link) in &touched {
        if link.stands.is_empty() && link.types.is_none() {
            continue;
        }
        let before = chain.before(key)?;
        let before_key = chain.key_of_owner(before.iter().next()?.owner)?;
        let next_of =
            |link: &Records| link.iter().find(|record| record.rtype == C::RTYPE).and_then(|record| Some(chain.read(record.rdata)?.0));
        let after_key = next_of(if link.stands.is_empty() { &before } else { &link.stands })?;
        for neighbour in [&before_key, &after_key] {
            if touched.get(neighbour).is_none_or(|link| link.types.is_some()) {
                near.insert(neighbour.clone());
            }
        }
        if link.types.is_some() {
            near.insert(key.clone());
        }
        if !touched.contains_key(&before_key) {
            untouched.insert(before_key, before);
        }
    }
    let mut relinked = Vec::new();
    let record = |key: &C::Key, types: &[u8]| {
        let mut after = near.range((Bound::Excluded(key), Bound::Unbounded));
        let mut rdata = chain.head(after.next().or(near.first())?);
        rdata.extend_from_slice(types);
        Some((chain.owner(key)?, rdata))
    };
    for (key, stands) in untouched {
        // The link before one whose types alone change keeps its record.
        let types = stands.iter().find(|record| record.rtype == C::RTYPE).and_then(|record| Some(chain.read(record.rdata)?.1.to_vec()))?;
        let record = record(&key, &types)?;
        relinked.push(Relinked { stands, record: Some(record) });
    }
    for (key, Touched { stands, types }) in touched {
        let record = match types {
            Some(types) => Some(record(&key, &types)?),
            None => None,
        };
        relinked.push(Relinked { stands, record });
    }
    Some(relinked)
}
