//! What can be said of every host before any name is judged: its wire form and the domain above it.

use super::Policy;
use super::check::CHUNK;
use super::name::{Folded, is_host_label};
use super::outcome::ZoneId;
use crate::dns::NameRef;
use crate::parallel;
use crate::registry::{HostId, Objects, RowId};

/// The hosts of a deposit, by [`HostId`].
#[derive(Default)]
pub(super) struct Hosts {
    wire: Vec<u8>,
    facts: Vec<HostFact>,
}

#[derive(Clone, Copy)]
pub(super) struct HostFact {
    at: u32,
    len: u8,
    /// Where the host stands.
    pub place: HostPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostPlace {
    /// No name that a host can have.
    BadLabel,
    /// Not below the top-level domain.
    External,
    /// Below it, but with too many labels.
    TooDeep {
        /// The first row of the domain above it, if that is registered.
        superordinate: Option<RowId>,
    },
    /// Below it.
    Internal {
        /// The first row of the domain above it, if that is registered.
        superordinate: Option<RowId>,
        /// The zone that its glue belongs to.
        zone: ZoneId,
    },
}

impl Hosts {
    /// Looks at every host, on all cores.
    pub fn new(objects: &Objects, policy: &Policy) -> Self {
        let n = objects.hosts().len();
        let parts = parallel::map((0..n).step_by(CHUNK).collect(), |from| {
            let mut part = Self::default();
            (from..n.min(from + CHUNK)).for_each(|i| part.add(objects.bytes(objects.host(HostId(i as u32)).name), objects, policy));
            part
        });
        let mut hosts = Self::default();
        for part in parts {
            let at = hosts.wire.len() as u32;
            hosts.wire.extend(part.wire);
            hosts.facts.extend(part.facts.into_iter().map(|fact| HostFact { at: at + fact.at, ..fact }));
        }
        hosts
    }

    fn add(&mut self, text: &[u8], objects: &Objects, policy: &Policy) {
        let at = self.wire.len() as u32;
        let Some(name) = Folded::new(text).filter(|name| name.labels().all(is_host_label)) else {
            return self.facts.push(HostFact { at, len: 0, place: HostPlace::BadLabel });
        };
        let wire = name.as_name().as_wire();
        self.wire.extend_from_slice(wire);
        self.facts.push(HostFact { at, len: wire.len() as u8, place: place(&name, text, objects, policy) });
    }

    pub fn place(&self, host: HostId) -> HostPlace {
        self.facts[host.0 as usize].place
    }

    /// The name in lower case; the caller knows that it has one.
    pub fn name(&self, host: HostId) -> NameRef<'_> {
        let fact = self.facts[host.0 as usize];
        NameRef::from_wire(&self.wire[fact.at as usize..fact.at as usize + fact.len as usize]).expect("hosts with bad names are left out")
    }
}

impl HostPlace {
    /// The first row of the registered domain that the host is or lies below.
    pub fn superordinate(self) -> Option<RowId> {
        match self {
            Self::Internal { superordinate, .. } | Self::TooDeep { superordinate } => superordinate,
            Self::BadLabel | Self::External => None,
        }
    }
}

fn place(name: &Folded, text: &[u8], objects: &Objects, policy: &Policy) -> HostPlace {
    let levels = &policy.second_levels;
    if !levels.is_below(name) {
        return HostPlace::External;
    }
    let above = levels.superordinate(name);
    let superordinate = above.and_then(|(n, _)| {
        let skip = name.label_count() - n;
        let mut domain = text;
        for _ in 0..skip {
            let dot = domain.iter().position(|&octet| octet == b'.')?;
            domain = &domain[dot + 1..];
        }
        objects.rows_of(domain).next()
    });
    if name.label_count() > levels.max_levels() {
        return HostPlace::TooDeep { superordinate };
    }
    HostPlace::Internal { superordinate, zone: above.map_or(levels.parent(), |(_, zone)| zone) }
}
