//! An UPDATE whose sender may change the zone, on its way to who changes it; and how the sender is told what came of it.

use std::fmt;
use std::net::IpAddr;

use super::Update;
use crate::dns::{Name, NameRef, UnixTime};
use crate::transfer::tsig::Signer;

/// A change that is asked for by who may ask.
pub struct Wish {
    update: Update,
    client: IpAddr,
    signer: Signer,
    /// The answer but for its response code and its signature.
    answer: Vec<u8>,
}

impl Wish {
    /// Of `client`, who has proved to hold a key; `answer` is what it is told when all goes well, without a signature.
    ///
    /// # Panics
    /// When `answer` has no whole header.
    pub fn new(update: Update, client: IpAddr, signer: Signer, answer: Vec<u8>) -> Self {
        assert!(answer.len() >= crate::dns::message::HEADER, "an answer has a header");
        Self { update, client, signer, answer }
    }

    /// The zone, in lower case.
    pub fn apex(&self) -> NameRef<'_> {
        self.update.zone()
    }

    /// What is asked for.
    pub fn update(&self) -> &Update {
        &self.update
    }

    /// The key that it was signed with.
    pub fn key(&self) -> NameRef<'_> {
        self.signer.key()
    }

    /// Who asks, as logs have it.
    pub fn who(&self) -> Who {
        Who { client: self.client, key: self.signer.key().to_owned() }
    }

    /// True if it is the same message of the same client, sent again.
    pub fn is_again(&self, other: &Self) -> bool {
        self.answer[..2] == other.answer[..2] && self.client == other.client && self.update == other.update
    }

    /// What the client is told: `rcode` (RFC 2136 §2.2), signed.
    pub fn answer(mut self, rcode: u16, now: UnixTime) -> Vec<u8> {
        let len = self.answer.len();
        self.answer[3] = self.answer[3] & 0xf0 | (rcode & 15) as u8;
        self.answer.resize(len + self.signer.size(), 0);
        let len = self.signer.sign_in(&mut self.answer, len, now);
        self.answer.truncate(len);
        self.answer
    }
}

/// Who asks for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    client: IpAddr,
    key: Name,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, key {}", self.client, self.key)
    }
}
