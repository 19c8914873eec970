//! Tells secondaries of changes (NOTIFY, RFC 1996), and looks whether they have them.
//!
//! Pure: no socket and no clock. One [`Notifier`] knows every zone with each of its secondaries. It is told what is published and what
//! came in, gives the datagrams that are to go out one at a time, and says when it wants to be asked next. Each pair of a zone and a
//! secondary is by itself: who is deaf delays nobody.
//!
//! A pair is told the newest serial until it answers; then its SOA is asked for, soon and ever more slowly, until it shows that serial
//! or a newer one (RFC 1982), and then from time to time.

mod message;
mod pair;
mod status;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use super::tsig::Key;
use crate::dns::rdata::Soa;
use crate::dns::{Name, Rtype, Serial, UnixTime};
use crate::zone::Zone;

use message::{Kind, Said};
use pair::{Answer, Ask, Pair};

pub use status::{Event, News, State, Status};

/// Datagrams a tick, which is a millisecond: 80 zones with 30 secondaries each are told in some 40 ms, and no buffer on the way,
/// nor a secondary of all of them, gets more than a handful at once. Our choice.
pub const PER_TICK: usize = 64;

/// How long after a datagram the next one follows when there is no answer; it doubles each time. RFC 1996 §3.6 suggests 60 seconds,
/// of a time when a round trip took seconds; what is lost today is lost for good after half a second.
const RETRY: u64 = 500;

/// How long a NOTIFY is repeated (eight or nine times): long enough for a secondary to be started anew. Who was away longer asks by itself
/// when it is back.
const NOTIFY_PATIENCE: u64 = 120_000;

/// How long a query for the SOA is repeated (three times).
const LOOK_PATIENCE: u64 = 3_000;

/// When the SOA is first asked for after an acknowledgement; the time doubles until the serial is there. A transfer of a change takes some ten
/// milliseconds, one of a large zone seconds.
const FIRST_LOOK: u64 = 100;

/// When the SOA is asked for after NOTIFY was refused, or not answered to the end.
const LATER_LOOK: u64 = 120_000;

/// How long a refusal by a secondary that was never seen to have the zone is no news: a zone that has just come into a catalog is told of at
/// once, and the secondary may not have read the catalog yet. Meanwhile it is told again, after this time and ever more slowly. Our choice.
const PATIENCE_WITH_NEW: u64 = 20_000;
const TELL_AGAIN: u64 = 2_000;

/// The longest time between two looks.
const SLOW_LOOK: u64 = 3_600_000;

/// After which time without a published serial an operator hears of it. Our choice: above a transfer of any zone.
const BEHIND: u64 = 300_000;

/// How long what goes wrong with zones of one secondary is gathered, for one line about all of them.
const GATHER: u64 = 5_000;

/// The least time from one such line to the next, about the same secondary: a zone or two more that go wrong meanwhile are seen in `zone
/// status`. Our choice.
const SAY_AGAIN: u64 = 600_000;

/// Ids tried for one that is not in use with the same secondary.
const ID_TRIES: usize = 16;

/// A moment, by two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds of a clock that never jumps: for what is due.
    pub ms: u64,
    /// The calendar: for TSIG, and for people.
    pub unix: UnixTime,
}

/// Another server that is told.
#[derive(Clone, Debug)]
pub struct Secondary {
    /// Where it listens.
    pub address: SocketAddr,
    /// The TSIG key spoken with it.
    pub key: Option<Key>,
}

/// A published zone, and who is told of it.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The apex.
    pub apex: Name,
    /// The SOA that is served.
    pub soa: Soa,
    /// Its TTL.
    pub ttl: u32,
    /// No two with one address.
    pub secondaries: Arc<[Secondary]>,
}

impl Announced {
    /// The zone as it is.
    pub fn new(zone: &Zone, secondaries: Arc<[Secondary]>) -> Self {
        let soa = zone.apex_node().set(Rtype::SOA);
        // A zone has a SOA; its TTL is a hint to the secondary like all of it.
        let ttl = soa.map_or(0, |set| set.records.first_plain().1);
        Self { apex: zone.apex().to_owned(), soa: zone.soa().clone(), ttl, secondaries }
    }
}

/// All zones with all their secondaries.
pub struct Notifier {
    random: Box<dyn FnMut() -> u64 + Send>,
    zones: BTreeMap<Name, Line>,
    pairs: BTreeMap<PairId, Pair>,
    n_pairs_ever: PairId,
    peers: BTreeMap<SocketAddr, Peer>,
    /// When each pair has its turn; those of one moment stand in random order, so that nobody is always the last.
    due: BTreeSet<(u64, u64, PairId)>,
    /// What is not answered yet.
    asked: HashMap<(SocketAddr, u16), PairId>,
    events: Vec<Event>,
    tick: u64,
    n_in_tick: usize,
    last: Option<PairId>,
}

type PairId = u64;

/// A zone as it is published.
struct Line {
    soa: Soa,
    ttl: u32,
    pairs: Vec<PairId>,
}

/// A secondary, of however many zones.
#[derive(Default)]
struct Peer {
    /// When something of it last came that was what it should be.
    heard: Option<u64>,
    is_deaf: bool,
    is_deaf_said: bool,
    /// When what was gathered is said, and when something was last.
    say_at: Option<u64>,
    said: Option<u64>,
    /// Zones that something was said of since all was well with all of them, and those of them that it still holds of.
    n_said: usize,
    n_open: usize,
}

impl Peer {
    /// Something is wrong: it is said with what comes in a moment, and not soon after something else was.
    fn gather(&mut self, now: Moment) {
        let again = self.said.map_or(0, |said| said + SAY_AGAIN);
        self.say_at.get_or_insert(again.max(now.ms + GATHER));
    }
}

impl Notifier {
    /// Without any zone. `random` gives ids, which nobody may guess, and spreads what else would happen at once.
    pub fn new(random: Box<dyn FnMut() -> u64 + Send>) -> Self {
        Self {
            random,
            zones: BTreeMap::new(),
            pairs: BTreeMap::new(),
            n_pairs_ever: 0,
            peers: BTreeMap::new(),
            due: BTreeSet::new(),
            asked: HashMap::new(),
            events: Vec::new(),
            tick: 0,
            n_in_tick: 0,
            last: None,
        }
    }

    /// All zones that are published, in place of those before. Whoever has not been told the serial of one will be; what is known of a
    /// secondary stays.
    pub fn serve(&mut self, zones: Vec<Announced>, now: Moment) {
        let mut before = std::mem::take(&mut self.zones);
        for zone in zones {
            self.put_after(before.remove(&zone.apex), zone, now);
        }
        before.into_values().for_each(|line| self.remove(line.pairs));
        let used: BTreeSet<SocketAddr> = self.pairs.values().map(Pair::from).collect();
        self.peers.retain(|address, _| used.contains(address));
    }

    /// A zone that is published, beside the others: in place of what was known of it.
    pub fn put(&mut self, zone: Announced, now: Moment) {
        let before = self.zones.remove(&zone.apex);
        self.put_after(before, zone, now);
    }

    fn put_after(&mut self, before: Option<Line>, zone: Announced, now: Moment) {
        let Announced { apex, soa, ttl, secondaries } = zone;
        let mut old = before.map_or(Vec::new(), |line| line.pairs);
        let mut pairs = Vec::with_capacity(secondaries.len());
        for Secondary { address, key } in secondaries.iter() {
            let place = old.iter().position(|id| self.pairs[id].address == *address);
            let id = place.map_or_else(|| self.insert(Pair::new(apex.clone(), *address)), |place| old.swap_remove(place));
            self.pair(id).key.clone_from(key);
            pairs.push(id);
        }
        self.remove(old);
        self.zones.insert(apex.clone(), Line { soa: soa.clone(), ttl, pairs });
        self.published(&apex, soa, ttl, now);
    }

    /// A new version of a zone: all its secondaries are told, in place of what they were being told of it. Does nothing for a zone that is
    /// not [served](Self::serve), and for a serial that was told before.
    pub fn published(&mut self, apex: &Name, soa: Soa, ttl: u32, now: Moment) {
        let Some(line) = self.zones.get_mut(apex) else { return };
        let serial = Serial(soa.serial);
        (line.soa, line.ttl) = (soa, ttl);
        for id in line.pairs.clone() {
            let pair = self.pair(id);
            if pair.serial == Some(serial) {
                continue;
            }
            (pair.serial, pair.answer, pair.rest) = (Some(serial), Answer::None, 0);
            pair.owed.get_or_insert((serial, now.ms));
            // Patience does not begin anew with each change: who is deaf is so also for a zone that changes all the time.
            let since = pair.ask.as_ref().filter(|ask| ask.kind == Kind::Notify).map_or(now.ms, |ask| ask.since);
            self.ask(id, Kind::Notify, since, now);
        }
    }

    /// Writes the next datagram that is to go out in place of what is in `buffer`, and says where to; `None` when there is none for now.
    pub fn next_datagram(&mut self, now: Moment, buffer: &mut Vec<u8>) -> Option<SocketAddr> {
        if self.tick != now.ms {
            (self.tick, self.n_in_tick) = (now.ms, 0);
        }
        // A pair that has its turn and sends nothing gets a later one.
        while self.n_in_tick < PER_TICK {
            let (_, _, id) = *self.due.first().filter(|(at, _, _)| *at <= now.ms)?;
            if let Some(address) = self.turn(id, now, buffer) {
                self.n_in_tick += 1;
                self.last = Some(id);
                return Some(address);
            }
        }
        None
    }

    /// The last datagram could not be sent: it counts as lost on the way.
    pub fn unsent(&mut self, why: &str) {
        if let Some(pair) = self.last.and_then(|id| self.pairs.get_mut(&id)) {
            pair.blame(format!("nothing can be sent there: {why}"));
        }
    }

    /// When [`next_datagram`](Self::next_datagram) should be asked again, in milliseconds of the clock that never jumps.
    pub fn wake(&self) -> Option<u64> {
        let due = self.due.first().map(|(first, ..)| if self.n_in_tick < PER_TICK { *first } else { (*first).max(self.tick + 1) });
        let say = self.peers.values().filter_map(|peer| peer.say_at).min();
        due.into_iter().chain(say).min()
    }

    /// What has begun or ended since this was last asked: what goes wrong with many zones of a secondary at one time is one event.
    pub fn events(&mut self, now: Moment) -> Vec<Event> {
        let is_due = |(from, peer): (&SocketAddr, &Peer)| peer.say_at.is_some_and(|at| at <= now.ms).then_some(*from);
        for from in self.peers.iter().filter_map(is_due).collect::<Vec<_>>() {
            self.say(from, now);
        }
        std::mem::take(&mut self.events)
    }

    /// Says what is wrong with a secondary and with its zones, and was not said: one event for each kind.
    fn say(&mut self, from: SocketAddr, now: Moment) {
        let (mut gathered, mut n_open) = (Vec::<Event>::new(), 0);
        for pair in self.pairs.values_mut().filter(|pair| !pair.is_said && pair.from() == from) {
            let Some(news) = pair.trouble else { continue };
            pair.is_said = true;
            n_open += 1;
            match gathered.iter_mut().find(|event| event.news.is_same_kind(news)) {
                Some(event) => (event.apex, event.n_zones) = (None, event.n_zones + 1),
                None => gathered.push(Event { apex: Some(pair.apex.clone()), address: pair.address, n_zones: 1, news }),
            }
        }
        let n_pairs = self.pairs.values().filter(|pair| pair.from() == from).count();
        let peer = self.peers.entry(from).or_default();
        peer.say_at = None;
        peer.n_open += n_open;
        if peer.is_deaf && !std::mem::replace(&mut peer.is_deaf_said, true) {
            peer.said = Some(now.ms);
            self.events.push(Event { apex: None, address: from, n_zones: n_pairs, news: News::Deaf });
        }
        if !gathered.is_empty() {
            peer.said = Some(now.ms);
            peer.n_said += gathered.iter().map(|event| event.n_zones).sum::<usize>();
        }
        self.events.append(&mut gathered);
    }

    /// How the secondaries stand: those of one zone, or all.
    pub fn status(&self, apex: Option<&Name>) -> Vec<Status> {
        let lines = self.zones.iter().filter(|(name, _)| apex.is_none_or(|apex| apex == *name));
        lines.flat_map(|(_, line)| &line.pairs).map(|id| self.pairs[id].status()).collect()
    }

    /// Takes what came in. What is no answer to something asked of its sender is passed over.
    pub fn receive(&mut self, from: SocketAddr, octets: &[u8], now: Moment) {
        let Some(id) = octets.first_chunk().map(|id| u16::from_be_bytes(*id)) else { return };
        let from = pair::canonical(from);
        let Some(&id) = self.asked.get(&(from, id)) else { return };
        let pair = self.pairs.get_mut(&id).expect("who is asked is there");
        let line = &self.zones[&pair.apex];
        let ask = pair.ask.as_ref().expect("it has been asked");
        let Some(said) = message::read(octets, ask.kind, pair.apex.as_ref()) else { return };
        let kind = ask.kind;
        if let Some(key) = &pair.key {
            // The same octets as were sent; so nothing has to be kept for the answer.
            let mut request = Vec::new();
            ask.write(pair.apex.as_ref(), line, &mut request);
            if let Err(fault) = key.sign_request(&mut request, ask.signed).take(octets, now.unix) {
                // Anybody can send that. The right answer may still come.
                return pair.blame(fault.to_string());
            }
        }
        self.heard(from, now);
        self.stop_asking(id);
        match said {
            Said::Taken => self.taken(id, now),
            Said::Serves(serial) => self.serves(id, serial, now),
            Said::Rcode(rcode) if kind == Kind::Notify => self.refused(id, rcode, now),
            Said::Rcode(rcode) => {
                let rcode = crate::telemetry::rcode_name(rcode.into());
                self.look_failed(id, format!("the query for the SOA is answered with {rcode}"), now);
            }
            Said::NoSoa => self.look_failed(id, "the query for the SOA is answered without one, or not authoritatively".into(), now),
        }
    }

    fn pair(&mut self, id: PairId) -> &mut Pair {
        self.pairs.get_mut(&id).expect("pairs are named by their zones")
    }

    fn insert(&mut self, pair: Pair) -> PairId {
        let id = self.n_pairs_ever;
        self.n_pairs_ever += 1;
        self.peers.entry(pair.from()).or_default();
        self.pairs.insert(id, pair);
        id
    }

    fn remove(&mut self, ids: Vec<PairId>) {
        for id in ids {
            self.stop_asking(id);
            self.unsaid(id);
            let pair = self.pairs.remove(&id).expect("pairs are named by their zones");
            pair.due.map(|(at, order)| self.due.remove(&(at, order, id)));
        }
    }

    /// The turn of a pair is at `at`, and at no other time.
    fn schedule(&mut self, id: PairId, at: u64) {
        let order = (self.random)();
        if let Some((at, order)) = self.pair(id).due.replace((at, order)) {
            self.due.remove(&(at, order, id));
        }
        self.due.insert((at, order, id));
    }

    /// About `ms`, so that what began at one time does not go on so.
    fn spread(&mut self, ms: u64) -> u64 {
        ms * 3 / 4 + (self.random)() % (ms / 2 + 1)
    }

    fn ask(&mut self, id: PairId, kind: Kind, since: u64, now: Moment) {
        self.stop_asking(id);
        self.pair(id).ask = Some(Ask { kind, since, id: 0, signed: now.unix, n_sent: 0, fault: None });
        self.schedule(id, now.ms);
    }

    fn stop_asking(&mut self, id: PairId) {
        let pair = self.pair(id);
        let from = pair.from();
        if let Some(ask) = pair.ask.take().filter(|ask| ask.n_sent > 0) {
            self.asked.remove(&(from, ask.id));
        }
    }

    fn turn(&mut self, id: PairId, now: Moment, buffer: &mut Vec<u8>) -> Option<SocketAddr> {
        let pair = self.pair(id);
        let Some(ask) = &pair.ask else {
            let kind = if pair.is_told_again() { Kind::Notify } else { Kind::Soa };
            self.ask(id, kind, now.ms, now);
            return None;
        };
        if ask.n_sent > 0 && now.ms - ask.since >= ask.patience() {
            self.give_up(id, now);
            return None;
        }
        let (n_sent, ask_since, ask_patience) = (ask.n_sent, ask.since, ask.patience());
        let from = self.pair(id).from();
        if n_sent == 0 {
            let Some(new) = self.free_id(from) else {
                self.schedule(id, now.ms + RETRY);
                return None;
            };
            self.asked.insert((from, new), id);
            let ask = self.pair(id).ask.as_mut().expect("looked at above");
            (ask.id, ask.signed) = (new, now.unix);
        }
        // Those that were asked at one time are given up at one time: together they are one event.
        let patience = (ask_since + ask_patience).saturating_sub(now.ms);
        let wait = self.spread(RETRY << n_sent.min(7)).min(patience);
        self.schedule(id, now.ms + wait.max(1));
        let pair = self.pairs.get_mut(&id).expect("looked at above");
        let ask = pair.ask.as_mut().expect("looked at above");
        ask.n_sent += 1;
        ask.write(pair.apex.as_ref(), &self.zones[&pair.apex], buffer);
        if let Some(key) = &pair.key {
            // Repeated as it was, with its first time: so an answer to any of them is an answer.
            key.sign_request(buffer, ask.signed);
        }
        if ask.kind == Kind::Notify {
            pair.notified = pair.serial.map(|serial| (serial, now.unix));
        }
        Some(pair.address)
    }

    fn free_id(&mut self, from: SocketAddr) -> Option<u16> {
        (0..ID_TRIES).map(|_| (self.random)() as u16).find(|id| !self.asked.contains_key(&(from, *id)))
    }

    /// No answer came to the end.
    fn give_up(&mut self, id: PairId, now: Moment) {
        let pair = self.pair(id);
        let (from, ask) = (pair.from(), pair.ask.as_ref().expect("it asks"));
        let (kind, since) = (ask.kind, ask.since);
        let fault = ask.fault.clone().unwrap_or_else(|| "no answer".to_owned());
        self.stop_asking(id);
        if kind == Kind::Soa {
            return self.look_failed(id, fault, now);
        }
        let pair = self.pair(id);
        (pair.answer, pair.fault) = (Answer::Silence, Some(fault));
        let peer = self.peers.entry(from).or_default();
        if peer.heard.is_some_and(|heard| heard >= since) {
            self.trouble(id, News::Unanswered, now);
        } else if !std::mem::replace(&mut peer.is_deaf, true) {
            peer.gather(now);
        }
        self.rest_from(id, LATER_LOOK, now);
    }

    /// Something good came from a secondary: what waits for it because it seemed to be away waits no longer.
    fn heard(&mut self, from: SocketAddr, now: Moment) {
        let peer = self.peers.entry(from).or_default();
        peer.heard = Some(now.ms);
        if std::mem::take(&mut peer.is_deaf) {
            if std::mem::take(&mut peer.is_deaf_said) {
                self.events.push(Event { apex: None, address: from, n_zones: 0, news: News::Answers });
            }
            let waiting = |(id, pair): (&PairId, &Pair)| (pair.from() == from && !pair.is_current()).then_some(*id);
            for id in self.pairs.iter().filter_map(waiting).collect::<Vec<_>>() {
                self.schedule(id, now.ms);
            }
        }
    }

    fn taken(&mut self, id: PairId, now: Moment) {
        let pair = self.pair(id);
        (pair.answer, pair.fault) = (Answer::Taken, None);
        pair.acknowledged = pair.serial.map(|serial| (serial, now.unix));
        if pair.trouble.is_some_and(|news| matches!(news, News::Refused(_) | News::Unanswered)) {
            self.good(id);
        }
        self.rest(id, FIRST_LOOK, now);
    }

    fn refused(&mut self, id: PairId, rcode: u8, now: Moment) {
        let pair = self.pair(id);
        pair.answer = Answer::Refused;
        pair.fault = Some(format!("NOTIFY is answered with {}", crate::telemetry::rcode_name(rcode.into())));
        let first = *pair.refused.get_or_insert(now.ms);
        let left = (first + PATIENCE_WITH_NEW).saturating_sub(now.ms);
        if pair.is_told_again() && left > 0 {
            pair.rest = (2 * pair.rest).max(TELL_AGAIN);
            // Those that were refused at one time are news at one time: together they are one event.
            let wait = self.spread(self.pairs[&id].rest).min(left);
            return self.schedule(id, now.ms + wait);
        }
        self.trouble(id, News::Refused(rcode), now);
        self.rest_from(id, LATER_LOOK, now);
    }

    fn serves(&mut self, id: PairId, seen: Serial, now: Moment) {
        let pair = self.pair(id);
        let serial = pair.serial.expect("only who was told is looked at");
        (pair.seen, pair.fault) = (Some((seen, now.unix)), None);
        if pair.owed.is_none_or(|(owed, _)| owed == seen || seen.is_newer_than(owed)) {
            pair.owed = (seen != serial).then_some((serial, now.ms));
        }
        if seen.is_newer_than(serial) {
            pair.owed = None;
            pair.fault = Some(format!("it serves a newer serial than {serial}"));
            self.trouble(id, News::Ahead(seen, serial), now);
            self.rest(id, SLOW_LOOK, now);
        } else if seen == serial {
            self.good(id);
            self.rest(id, SLOW_LOOK, now);
        } else if pair.answer == Answer::Silence {
            // It was away when it was told.
            pair.answer = Answer::None;
            self.ask(id, Kind::Notify, now.ms, now);
        } else {
            self.look_later(id, now);
        }
    }

    fn look_failed(&mut self, id: PairId, fault: String, now: Moment) {
        self.pair(id).fault = Some(fault);
        self.look_later(id, now);
    }

    /// It does not show what it should: it is looked at again, after twice the time.
    fn look_later(&mut self, id: PairId, now: Moment) {
        let pair = self.pair(id);
        let (from, seen) = (pair.from(), pair.seen.map(|(seen, _)| seen));
        if let Some((serial, since)) = pair.owed
            && now.ms - since >= BEHIND
            && pair.trouble.is_none()
            && !self.peers.get(&from).is_some_and(|peer| peer.is_deaf)
        {
            self.trouble(id, News::Behind(serial, seen, (now.ms - since) / 1000), now);
        }
        self.rest_from(id, FIRST_LOOK, now);
    }

    /// Twice as long as the time before, and as `least`.
    fn rest_from(&mut self, id: PairId, least: u64, now: Moment) {
        let ms = (2 * self.pair(id).rest).clamp(least, SLOW_LOOK);
        self.rest(id, ms, now);
    }

    fn rest(&mut self, id: PairId, ms: u64, now: Moment) {
        self.pair(id).rest = ms;
        let wait = self.spread(ms);
        self.schedule(id, now.ms + wait);
    }

    fn trouble(&mut self, id: PairId, news: News, now: Moment) {
        let pair = self.pair(id);
        let from = pair.from();
        if !pair.trouble.replace(news).is_some_and(|before| before.is_same_kind(news)) {
            self.unsaid(id);
            self.peers.entry(from).or_default().gather(now);
        }
    }

    /// What was said of a pair holds no longer; false where nothing was.
    fn unsaid(&mut self, id: PairId) -> bool {
        let pair = self.pair(id);
        let (from, was_said) = (pair.from(), std::mem::take(&mut pair.is_said));
        self.peers.entry(from).or_default().n_open -= usize::from(was_said);
        was_said
    }

    /// Nothing is wrong with a zone any more: that is said when nothing is that was said of any zone of this secondary.
    fn good(&mut self, id: PairId) {
        let pair = self.pair(id);
        let (from, address, apex) = (pair.from(), pair.address, pair.apex.clone());
        pair.trouble = None;
        let was_said = self.unsaid(id);
        let peer = self.peers.entry(from).or_default();
        if was_said && peer.n_open == 0 {
            let n_zones = std::mem::take(&mut peer.n_said);
            self.events.push(Event { apex: (n_zones == 1).then_some(apex), address, n_zones, news: News::Good });
        }
    }
}
