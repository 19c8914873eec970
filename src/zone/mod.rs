//! The zone in memory: `Zone` is one serial and never changes, `ZoneSet` is what the server answers from.
//!
//! Knows no socket, no file and no key.

pub mod check;

use std::fmt;
use std::sync::Arc;

use crate::dns::{Name, NameRef, Records, Serial};

/// One version of one zone, ready to be answered from.
pub struct Zone {
    apex: Name,
    serial: Serial,
    records: Records,
}

/// Why records make no zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneError {
    /// No SOA at the apex, or more than one.
    Soa,
    /// A record whose owner is not at or below the apex.
    OutOfZone(Name),
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Soa => f.write_str("the apex must have exactly one SOA record"),
            Self::OutOfZone(name) => write!(f, "'{name}' is not in the zone"),
        }
    }
}

impl std::error::Error for ZoneError {}

impl Zone {
    /// Builds the zone `apex` from all its records.
    ///
    /// # Errors
    /// See [`ZoneError`]; nothing is served then.
    pub fn build(apex: NameRef<'_>, mut records: Records) -> Result<Self, ZoneError> {
        records.sort();
        let soa = records.name(apex).and_then(|name| name.rrset(crate::dns::Rtype::SOA)).ok_or(ZoneError::Soa)?;
        let serial = crate::dns::rdata::Soa::read(soa.rdata().next().ok_or(ZoneError::Soa)?).ok_or(ZoneError::Soa)?.serial;
        Ok(Self { apex: apex.to_owned(), serial: Serial(serial), records })
    }

    /// The apex.
    pub fn apex(&self) -> NameRef<'_> {
        self.apex.as_ref()
    }

    /// The serial of the SOA.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// Every record, sorted.
    pub fn records(&self) -> Records {
        self.records.clone()
    }
}

/// All zones of the server. Cheap to clone and change: zones are shared.
#[derive(Clone, Default)]
pub struct ZoneSet {
    zones: Vec<(Name, Option<Arc<Zone>>)>,
}

impl ZoneSet {
    /// No zones.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `zone` in, in place of the one with the same apex.
    pub fn insert(&mut self, zone: Arc<Zone>) {
        self.set(zone.apex().to_owned(), Some(zone));
    }

    /// Makes the server answer SERVFAIL for the zone: it is ours, but there is nothing to answer from.
    pub fn insert_unavailable(&mut self, apex: Name) {
        self.set(apex, None);
    }

    /// Takes a zone out.
    pub fn remove(&mut self, apex: NameRef<'_>) {
        self.zones.retain(|(name, _)| name.as_ref() != apex);
    }

    /// The zone with exactly this apex, where it is available.
    pub fn get(&self, apex: NameRef<'_>) -> Option<&Arc<Zone>> {
        self.zones.iter().find(|(name, _)| name.as_ref() == apex)?.1.as_ref()
    }

    /// Every apex with its zone.
    pub fn iter(&self) -> impl Iterator<Item = (NameRef<'_>, Option<&Arc<Zone>>)> {
        self.zones.iter().map(|(name, zone)| (name.as_ref(), zone.as_ref()))
    }

    fn set(&mut self, apex: Name, zone: Option<Arc<Zone>>) {
        match self.zones.iter_mut().find(|(name, _)| *name == apex) {
            Some(slot) => slot.1 = zone,
            None => self.zones.push((apex, zone)),
        }
    }
}
