//! One request on its way through a worker: answered from what is served now, and counted. The same for every transport.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::later::Updater;
use super::tls::Acceptor;
use crate::answer::{self, Face, Meta, Outcome, Prepared, Transport};
use crate::dns::UnixTime;
use crate::journal::Log;
use crate::telemetry::{Counter, Counters};
use crate::transfer::access::{Access, Channel};
use crate::transfer::inward::Notices;
use crate::transfer::out::Outgoing;
use crate::transfer::service::{self, Answered, Site};
use crate::transfer::update::Wish;
use crate::zone::{NameMap, ZoneSet};

/// What a worker answers from: to look for a newer one costs it a comparison.
pub(super) type Cached = arc_swap::Cache<Arc<ArcSwap<Served>>, Arc<Served>>;

/// What the server answers from until the next swap: its zones and what it says of itself.
///
/// A worker lets go of the old value at its next request, or within a second when it has none.
#[derive(Default)]
pub struct Served {
    /// The zones.
    pub zones: Arc<ZoneSet>,
    /// Identity and limits of answers.
    pub face: Face,
    /// Keys, and who may transfer zones.
    pub access: Arc<Access>,
    /// The changes that lead to the zones, by apex in lower case.
    pub logs: NameMap<Log>,
    /// Where notices of changes go.
    pub notices: Arc<Notices>,
    /// What connections over TLS are accepted with; without it they are closed.
    pub tls: Option<Acceptor>,
    /// Who carries out the changes that clients ask for; without one they get SERVFAIL.
    pub updater: Option<Arc<dyn Updater>>,
}

impl Served {
    /// Puts `new` in the place of what is served. A query under way is answered from the old zones.
    ///
    /// The old ones are freed by a thread of their own, and not by the worker that is last to let go: to free a large zone takes longer
    /// than many answers.
    pub fn replace(current: &ArcSwap<Self>, new: Self) {
        static RETIRED: OnceLock<Option<Sender<Arc<Served>>>> = OnceLock::new();
        let old = current.swap(Arc::new(new));
        let start = || {
            let (give, take) = mpsc::channel();
            std::thread::Builder::new().name("retire".into()).spawn(move || retire(&take)).is_ok().then_some(give)
        };
        // Without a thread, the worker frees it.
        if let Some(give) = RETIRED.get_or_init(start) {
            let _ = give.send(old);
        }
    }
}

/// Frees what is no longer served once no worker holds it; they look at least once a second.
fn retire(take: &Receiver<Arc<Served>>) {
    let mut held: Vec<Arc<Served>> = Vec::new();
    loop {
        let next =
            if held.is_empty() { take.recv().map_err(RecvTimeoutError::from) } else { take.recv_timeout(Duration::from_millis(100)) };
        match next {
            Ok(old) => held.push(old),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        held = held.into_iter().filter_map(|old| Arc::try_unwrap(old).err()).collect();
    }
}

// A fault met by one request must not take the worker, and with it a share of all clients, away. Nothing that outlives the calls below is
// changed inside them but the buffer, whose content is given up.

/// Reads a request into `place`.
pub(super) fn read<'q>(counters: &Counters, request: &'q [u8], place: &mut Prepared<'q>) {
    if caught(counters, || place.read(request)).is_none() {
        *place = Prepared::unread();
    }
}

pub(super) fn caught<T>(counters: &Counters, work: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(work));
    if result.is_err() {
        counters.add(Counter::Panics, 1);
    }
    result.ok()
}

/// Brings near what the answers to `requests` will need; only ever a matter of time.
pub(super) fn warm<'p, 'q: 'p>(served: &Served, counters: &Counters, requests: impl Iterator<Item = &'p mut Prepared<'q>>) {
    caught(counters, || answer::warm(&served.zones, requests));
}

/// What is to be sent.
pub(super) enum Answer {
    Nothing,
    /// So many octets of the buffer.
    Message(usize),
    /// Message after message; only by a stream.
    Zone(Box<Outgoing>),
    /// The message comes later, from who carries this out.
    Later(Box<Wish>),
}

/// Answers `request`, which came over `channel`, into `buffer` (65,535 octets) and counts it.
pub(super) fn answer(
    served: &Served,
    channel: Channel<'_>,
    now: UnixTime,
    meta: &Meta,
    counters: &Counters,
    request: &Prepared<'_>,
    buffer: &mut [u8],
) -> Answer {
    counters.add(
        match (meta.transport, meta.client) {
            (Transport::Udp, IpAddr::V4(_)) => Counter::QueriesUdp4,
            (Transport::Udp, IpAddr::V6(_)) => Counter::QueriesUdp6,
            (Transport::Tcp, IpAddr::V4(_)) => Counter::QueriesTcp4,
            (Transport::Tcp, IpAddr::V6(_)) => Counter::QueriesTcp6,
            (Transport::Tls, IpAddr::V4(_)) => Counter::QueriesTls4,
            (Transport::Tls, IpAddr::V6(_)) => Counter::QueriesTls6,
        },
        1,
    );
    counters.add(Counter::BytesIn, request.message().len() as u64);
    let site = Site { zones: &served.zones, face: &served.face, access: &served.access, logs: &served.logs, notices: &served.notices };
    let outcome = match caught(counters, || service::respond(site, channel, now, meta, request, buffer)) {
        Some(Answered::Once(outcome)) => outcome,
        Some(Answered::Zone(outgoing)) => {
            counters.reply(0, outgoing.rtype().0);
            return Answer::Zone(outgoing);
        }
        Some(Answered::Later(wish)) => {
            counters.add(Counter::Updates, 1);
            return Answer::Later(wish);
        }
        None => return Answer::Nothing,
    };
    match outcome {
        Outcome::Dropped => {
            counters.add(Counter::Dropped, 1);
            Answer::Nothing
        }
        Outcome::Reply { len, rcode, qtype } => {
            counters.reply(rcode, qtype);
            counters.add(Counter::BytesOut, len as u64);
            if len > 2 && buffer[2] & 0x02 != 0 {
                counters.add(Counter::Truncated, 1);
            }
            Answer::Message(len)
        }
    }
}
