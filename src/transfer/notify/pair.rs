//! One zone and one of its secondaries: what is being asked, and what is known.

use std::net::SocketAddr;

use super::message::{self, Kind};
use super::status::{News, State, Status};
use super::{LOOK_PATIENCE, Line, NOTIFY_PATIENCE};
use crate::dns::{Name, NameRef, Serial, UnixTime};
use crate::transfer::tsig::Key;

/// A zone and one of its secondaries.
pub struct Pair {
    pub apex: Name,
    pub address: SocketAddr,
    pub key: Option<Key>,
    /// What it is asked now; otherwise its next turn is a look at its SOA.
    pub ask: Option<Ask>,
    /// When its turn is, and in which place among those of that moment.
    pub due: Option<(u64, u64)>,
    /// The time from one look to the next.
    pub rest: u64,
    /// The published serial, and what became of telling it.
    pub serial: Option<Serial>,
    pub answer: Answer,
    /// The oldest published serial that it has not shown, and since when.
    pub owed: Option<(Serial, u64)>,
    /// When it first refused to be told.
    pub refused: Option<u64>,
    /// What is wrong with it, and that the operator heard of it.
    pub trouble: Option<News>,
    pub is_said: bool,
    pub notified: Option<(Serial, UnixTime)>,
    pub acknowledged: Option<(Serial, UnixTime)>,
    pub seen: Option<(Serial, UnixTime)>,
    pub fault: Option<String>,
}

/// What became of telling the newest serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    None,
    Taken,
    Refused,
    Silence,
}

/// A request, repeated octet for octet until it is answered.
pub struct Ask {
    pub kind: Kind,
    /// When asking began.
    pub since: u64,
    /// Of the message, from the first time it is sent.
    pub id: u16,
    pub signed: UnixTime,
    pub n_sent: u32,
    /// What came in place of an answer.
    pub fault: Option<String>,
}

impl Ask {
    /// How long it is repeated, in milliseconds.
    pub fn patience(&self) -> u64 {
        match self.kind {
            Kind::Notify => NOTIFY_PATIENCE,
            Kind::Soa => LOOK_PATIENCE,
        }
    }

    /// Writes the request, unsigned, in place of what is in `buffer`.
    pub fn write(&self, apex: NameRef<'_>, line: &Line, buffer: &mut Vec<u8>) {
        message::write(buffer, self.kind, self.id, apex, &line.soa, line.ttl);
    }
}

/// The address as answers come from it.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl Pair {
    /// Of which nothing is known.
    pub fn new(apex: Name, address: SocketAddr) -> Self {
        Self {
            apex,
            address,
            key: None,
            ask: None,
            due: None,
            rest: 0,
            serial: None,
            answer: Answer::None,
            owed: None,
            refused: None,
            trouble: None,
            is_said: false,
            notified: None,
            acknowledged: None,
            seen: None,
            fault: None,
        }
    }

    /// Where its answers come from.
    pub fn from(&self) -> SocketAddr {
        canonical(self.address)
    }

    /// Something is wrong with what it does now.
    pub fn blame(&mut self, fault: String) {
        if let Some(ask) = &mut self.ask {
            ask.fault = Some(fault.clone());
        }
        self.fault = Some(fault);
    }

    /// True when it has shown the published serial, or a newer one.
    pub fn is_current(&self) -> bool {
        let shows = |(seen, serial): (Serial, Serial)| seen == serial || seen.is_newer_than(serial);
        self.seen.map(|(seen, _)| seen).zip(self.serial).is_some_and(shows)
    }

    /// True while it refuses to be told of a zone that it was never seen to have, and that is no news.
    pub fn is_told_again(&self) -> bool {
        self.answer == Answer::Refused && self.trouble.is_none() && self.acknowledged.is_none() && self.seen.is_none()
    }

    pub fn status(&self) -> Status {
        let state = match self.answer {
            _ if self.is_current() => State::Current,
            Answer::None => State::Telling,
            Answer::Taken => State::Behind,
            Answer::Refused => State::Refused,
            Answer::Silence => State::Silent,
        };
        let Self { apex, address, notified, acknowledged, seen, fault, .. } = self;
        Status {
            apex: apex.clone(),
            address: *address,
            state,
            notified: *notified,
            acknowledged: *acknowledged,
            seen: *seen,
            fault: fault.clone(),
        }
    }
}
