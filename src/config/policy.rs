//! `[policy.NAME]`: how a zone is signed, and what belongs to its keys.

use std::time::Duration;

use crate::sign;

/// A signing policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How the zone is signed.
    pub sign: sign::Policy,
    /// The size of RSA keys that are made; no meaning for the others.
    pub rsa_bits: u32,
    /// The age at which a KSK (or CSK) is to be replaced; `None` = by hand.
    pub ksk_lifetime: Option<Duration>,
    /// The age at which a ZSK is to be replaced; `None` = by hand.
    pub zsk_lifetime: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        // RFC 8624 §3.1 wants RSA keys no weaker than 2048 bits; larger ones make answers that UDP does not carry.
        Self { sign: sign::Policy::default(), rsa_bits: 2048, ksk_lifetime: None, zsk_lifetime: None }
    }
}
