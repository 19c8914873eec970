//! The keys of one zone and what each of them does at one moment.

use std::fmt;

use super::{Algorithm, Key};
use crate::dns::{Name, NameRef, UnixTime};

/// The keys of one zone as of one moment: which are published, which sign the keys, which sign the rest.
///
/// Every algorithm that is published signs everything (RFC 4035 §2.2); `new` proves it.
#[derive(Debug)]
pub struct ZoneKeys {
    zone: Name,
    keys: Vec<(Key, Role)>,
}

/// What a key does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Its DNSKEY is in the zone.
    pub published: bool,
    /// It signs DNSKEY, CDS and CDNSKEY.
    pub signs_keys: bool,
    /// It signs everything else.
    pub signs_zone: bool,
    /// CDS and CDNSKEY name it: the parent should have its DS.
    pub synced: bool,
}

/// Why the keys cannot sign a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneKeysError {
    /// There is no key at all.
    NoKey,
    /// A key of another zone.
    OtherZone {
        /// The zone of the first key.
        zone: Name,
        /// The other zone.
        other: Name,
        /// The tag of the other key.
        tag: u16,
    },
    /// The same key twice.
    Twice(u16),
    /// No key is active now.
    NoneActive,
    /// The algorithm has no active KSK or CSK, so that the DNSKEY set stays unsigned.
    KskMissing(Algorithm),
    /// The algorithm has no active ZSK, and the policy wants one.
    ZskMissing(Algorithm),
}

impl fmt::Display for ZoneKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("there is no key"),
            Self::OtherZone { zone, other, tag } => write!(f, "key {tag} is for '{other}', not for '{zone}'"),
            Self::Twice(tag) => write!(f, "key {tag} is there twice"),
            Self::NoneActive => f.write_str("no key is active now"),
            Self::KskMissing(algorithm) => write!(f, "no active KSK of algorithm {algorithm}: add one, or set its times"),
            Self::ZskMissing(algorithm) => {
                write!(f, "no active ZSK of algorithm {algorithm}: add one, set its times, or let the KSK sign everything (csk)")
            }
        }
    }
}

impl std::error::Error for ZoneKeysError {}

impl ZoneKeys {
    /// Gives each key its role at `now` by its timing. With `csk` a KSK signs everything where its algorithm has no active ZSK.
    ///
    /// A key may sign before it is published: so a new algorithm is brought in (RFC 6781 §4.1.4).
    ///
    /// # Errors
    /// [`ZoneKeysError`]: some published algorithm would not sign everything.
    pub fn new(keys: Vec<Key>, csk: bool, now: UnixTime) -> Result<Self, ZoneKeysError> {
        let zone = keys.first().ok_or(ZoneKeysError::NoKey)?.zone().to_owned();
        for (i, key) in keys.iter().enumerate() {
            if key.zone() != zone.as_ref() {
                return Err(ZoneKeysError::OtherZone { zone, other: key.zone().to_owned(), tag: key.tag() });
            }
            if keys[..i].iter().any(|other| other.dnskey()[2..] == key.dnskey()[2..]) {
                return Err(ZoneKeysError::Twice(key.tag()));
            }
        }
        let begun = |time: Option<UnixTime>| time.is_none_or(|time| time <= now);
        let ended = |time: Option<UnixTime>| time.is_some_and(|time| time <= now);
        let active = |key: &Key| begun(key.timing.activate) && !ended(key.timing.inactive) && !ended(key.timing.delete);
        let has_zsk = |algorithm| keys.iter().any(|key| !key.is_sep() && active(key) && key.algorithm() == algorithm);
        let roles: Vec<Role> = keys
            .iter()
            .map(|key| {
                let timing = &key.timing;
                let active = active(key);
                Role {
                    published: begun(timing.publish) && !ended(timing.delete),
                    signs_keys: active && key.is_sep(),
                    signs_zone: active && (!key.is_sep() || csk && !has_zsk(key.algorithm())),
                    synced: active && key.is_sep() && begun(timing.sync_publish) && !ended(timing.sync_delete),
                }
            })
            .collect();
        let keys: Vec<(Key, Role)> = keys.into_iter().zip(roles).collect();
        if !keys.iter().any(|(_, role)| role.published && (role.signs_keys || role.signs_zone)) {
            return Err(ZoneKeysError::NoneActive);
        }
        for algorithm in keys.iter().filter(|(_, role)| role.published).map(|(key, _)| key.algorithm()) {
            let signs = |of: fn(&Role) -> bool| keys.iter().any(|(key, role)| key.algorithm() == algorithm && role.published && of(role));
            if !signs(|role| role.signs_keys) {
                return Err(ZoneKeysError::KskMissing(algorithm));
            }
            if !signs(|role| role.signs_zone) {
                return Err(ZoneKeysError::ZskMissing(algorithm));
            }
        }
        Ok(Self { zone, keys })
    }

    /// The zone, in lower case.
    pub fn zone(&self) -> NameRef<'_> {
        self.zone.as_ref()
    }

    /// Every key with its role.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, Role)> {
        self.keys.iter().map(|(key, role)| (key, *role))
    }

    /// The keys whose role has `wanted`.
    pub fn with(&self, wanted: fn(&Role) -> bool) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |(_, role)| wanted(role)).map(|(key, _)| key)
    }
}
