//! The bytes that a signature covers (RFC 4034 §3.1.8.1), and the head of RRSIG RDATA.

use crate::dns::rdata::append_canonical;
use crate::dns::{NameRef, Rtype};

/// The fields of RRSIG RDATA before the signature (RFC 4034 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rrsig<'a> {
    pub covered: Rtype,
    pub algorithm: u8,
    pub labels: u8,
    pub original_ttl: u32,
    pub expiration: u32,
    pub inception: u32,
    pub tag: u16,
    pub signer: NameRef<'a>,
    /// Empty while signing.
    pub signature: &'a [u8],
}

impl<'a> Rrsig<'a> {
    pub(super) fn read(rdata: &'a [u8]) -> Option<Self> {
        let (head, rest) = rdata.split_at_checked(18)?;
        let signer = NameRef::from_wire(rest).ok()?;
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let long = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        Some(Self {
            covered: Rtype(word(0)),
            algorithm: head[2],
            labels: head[3],
            original_ttl: long(4),
            expiration: long(8),
            inception: long(12),
            tag: word(16),
            signer,
            signature: &rest[signer.as_wire().len()..],
        })
    }

    /// Appends the RDATA without the signature, the signer's name in lower case.
    pub(super) fn append_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.covered.0.to_be_bytes());
        out.extend_from_slice(&[self.algorithm, self.labels]);
        for number in [self.original_ttl, self.expiration, self.inception] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.tag.to_be_bytes());
        let at = out.len();
        out.extend_from_slice(self.signer.as_wire());
        out[at..].make_ascii_lowercase();
    }
}

/// The labels field for an owner: a leading `*` is not counted (RFC 4034 §3.1.3).
pub(super) fn labels(owner: NameRef<'_>) -> u8 {
    (owner.label_count() - usize::from(owner.is_wildcard())) as u8
}

/// Appends the RRset in canonical form; `rdata` comes in canonical order without duplicates (RFC 4034 §6).
pub(super) fn append_rrset<'a>(owner: NameRef<'_>, rtype: Rtype, ttl: u32, rdata: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(owner.as_wire());
    out[start..].make_ascii_lowercase();
    let owner = start..out.len();
    for (i, rdata) in rdata.enumerate() {
        if i > 0 {
            out.extend_from_within(owner.clone());
        }
        out.extend_from_slice(&rtype.0.to_be_bytes());
        out.extend_from_slice(&[0, 1]);
        out.extend_from_slice(&ttl.to_be_bytes());
        let at = out.len();
        out.extend_from_slice(&[0, 0]);
        append_canonical(rtype, rdata, out);
        let len = (out.len() - at - 2) as u16;
        out[at..at + 2].copy_from_slice(&len.to_be_bytes());
    }
}
