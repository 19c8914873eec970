//! Secondaries are told of changes, over a network that loses, delays and forges, in a time of its own. RFC 1996.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::{RData, RecordType};
use saola::dns::rdata::Soa;
use saola::dns::{Name, Serial, UnixTime};
use saola::transfer::notify::{Announced, Moment, News, Notifier, PER_TICK, Secondary, State, Status};
use saola::transfer::tsig::{Algorithm, Judged, Key, Keys};

const HOUR: u64 = 3_600_000;

/// What a secondary does when it is asked.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    /// Takes the news, and serves it so many milliseconds later.
    Well(u64),
    Nothing,
    /// Answers NOTIFY with this.
    Refuse(u8),
    /// Answers the SOA query alone.
    DropNotify,
    /// Leaves answers unsigned, takes the news and serves what it served.
    Unsigned,
}

struct Peer {
    does: Does,
    key: Option<Key>,
    /// Serial after serial, from when on it is served.
    zones: BTreeMap<Name, Vec<(u64, u32)>>,
}

/// One notifier, its secondaries, and what is on the way between them.
struct World {
    notifier: Notifier,
    random: fastrand::Rng,
    now: u64,
    peers: BTreeMap<SocketAddr, Peer>,
    /// Of a hundred datagrams, in each direction.
    loss: u8,
    way: BTreeMap<(u64, usize), (SocketAddr, Vec<u8>)>,
    n_sent: usize,
    /// How many went out each millisecond, and of those to one secondary the most.
    ticks: BTreeMap<u64, usize>,
    /// NOTIFY messages: when, to whom, of which serial.
    notifies: Vec<(u64, SocketAddr, u32)>,
    news: Vec<(Option<Name>, SocketAddr, News)>,
    /// The same for the log.
    lines: Vec<String>,
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn soa(serial: u32) -> Soa {
    Soa { mname: name("a.dns.vn"), rname: name("mail.vn"), serial, refresh: 1800, retry: 600, expire: 1_209_600, minimum: 900 }
}

fn address(i: usize) -> SocketAddr {
    if i.is_multiple_of(2) {
        SocketAddr::from(([192, 0, 2, i as u8], 53))
    } else {
        SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, i as u16], 5353))
    }
}

fn key() -> Key {
    Key::new(name("xfr").as_ref(), Algorithm::HmacSha256, b"nobody knows this one but us")
}

impl World {
    /// `n` secondaries; every other pair of them has a key.
    fn new(seed: u64, n: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ids = random.fork();
        let peer = |i: usize| Peer { does: Does::Well(30), key: (i % 4 < 2).then(key), zones: BTreeMap::new() };
        Self {
            notifier: Notifier::new(Box::new(move || ids.u64(..))),
            random,
            now: 1,
            peers: (0..n).map(|i| (address(i), peer(i))).collect(),
            loss: 0,
            way: BTreeMap::new(),
            n_sent: 0,
            ticks: BTreeMap::new(),
            notifies: Vec::new(),
            news: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn moment(&self) -> Moment {
        Moment { ms: self.now, unix: UnixTime(1_800_000_000 + self.now / 1000) }
    }

    /// All zones with these serials go to all secondaries.
    fn serve(&mut self, zones: &[(&str, u32)]) {
        let secondaries: Arc<[Secondary]> =
            self.peers.iter().map(|(address, peer)| Secondary { address: *address, key: peer.key.clone() }).collect();
        let announced = zones.iter().map(|(apex, serial)| Announced {
            apex: name(apex),
            soa: soa(*serial),
            ttl: 900,
            secondaries: Arc::clone(&secondaries),
        });
        let announced = announced.collect();
        let now = self.moment();
        self.notifier.serve(announced, now);
    }

    fn publish(&mut self, apex: &str, serial: u32) {
        let now = self.moment();
        self.notifier.published(&name(apex), soa(serial), 900, now);
    }

    /// Lets so many milliseconds pass.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        let mut buffer = vec![1; 300];
        loop {
            let now = self.moment();
            while let Some(to) = self.notifier.next_datagram(now, &mut buffer) {
                self.n_sent += 1;
                *self.ticks.entry(self.now).or_default() += 1;
                self.carry(to, &buffer);
            }
            let events = self.notifier.events(now);
            self.lines.extend(events.iter().map(ToString::to_string));
            self.news.extend(events.into_iter().map(|event| (event.apex, event.address, event.news)));
            let wake = self.notifier.wake().unwrap_or(u64::MAX);
            assert!(wake > self.now, "it would spin");
            let arrives = self.way.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            if wake.min(arrives) > end {
                break;
            }
            self.now = wake.min(arrives);
            while let Some(entry) = self.way.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (from, octets) = entry.remove();
                let now = self.moment();
                self.notifier.receive(from, &octets, now);
            }
        }
        self.now = end;
    }

    /// A datagram reaches its secondary, or does not; so does the answer.
    fn carry(&mut self, to: SocketAddr, octets: &[u8]) {
        // What goes out is read by another implementation.
        let request = Message::from_vec(octets).expect("a message");
        let [query] = &request.queries[..] else { panic!("one question") };
        assert_eq!(query.query_type(), RecordType::SOA);
        let apex = name(&query.name().to_ascii());
        let notify = match request.metadata.op_code {
            OpCode::Notify => {
                assert!(request.metadata.authoritative);
                let [record] = &request.answers[..] else { panic!("the SOA") };
                let RData::SOA(soa) = &record.data else { panic!("the SOA") };
                assert_eq!((&record.name, record.ttl), (query.name(), 900));
                self.notifies.push((self.now, to, soa.serial));
                Some(soa.serial)
            }
            _ => None,
        };
        let is_lost = |world: &mut Self| world.random.u8(..100) < world.loss;
        if is_lost(self) {
            return;
        }
        let now = self.now + self.random.u64(0..20);
        let peer = self.peers.get_mut(&to).expect("a secondary");
        assert_eq!(octets[11] == 1, peer.key.is_some(), "signed where there is a key");
        let (rcode, serial) = match (peer.does, notify) {
            (Does::Nothing, _) | (Does::DropNotify, Some(_)) => return,
            (Does::Refuse(rcode), Some(_)) => (rcode, None),
            (Does::Well(ms), Some(serial)) => {
                peer.zones.entry(apex).or_default().push((now + ms, serial));
                (0, None)
            }
            (Does::Unsigned, Some(_)) => (0, None),
            (_, None) => {
                let served = peer.zones.get(&apex).into_iter().flatten().filter(|(at, _)| *at <= now).max();
                (0, Some(served.map_or(1, |(_, serial)| *serial)))
            }
        };
        let question = 12 + apex_len(octets) + 4;
        let mut answer = octets[..question].to_vec();
        (answer[2], answer[3]) = (octets[2] | 0x84, rcode);
        answer[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
        if let Some(serial) = serial {
            let rdata = soa(serial).to_rdata();
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 3, 132, 0, rdata.len() as u8]);
            answer.extend(rdata);
        }
        if let Some(key) = peer.key.as_ref().filter(|_| peer.does != Does::Unsigned) {
            let keys: Keys = [key.clone()].into_iter().collect();
            let time = UnixTime(1_800_000_000 + now / 1000);
            let Judged::Good(mut signer) = keys.judge(octets, time) else { panic!("a good signature") };
            signer.sign(&mut answer, time);
        }
        if !is_lost(self) {
            let arrives = now + self.random.u64(0..20) + 1;
            self.way.insert((arrives, self.n_sent), (to, answer));
        }
    }

    fn status(&self, apex: &str) -> Vec<Status> {
        self.notifier.status(Some(&name(apex)))
    }

    #[track_caller]
    fn check_news(&mut self, expected: &[(Option<&str>, usize, News)]) {
        let found = std::mem::take(&mut self.news);
        let expected: Vec<_> = expected.iter().map(|(apex, i, news)| (apex.map(name), address(*i), *news)).collect();
        assert_eq!(found, expected);
    }
}

fn apex_len(octets: &[u8]) -> usize {
    let mut at = 12;
    while octets[at] != 0 {
        at += 1 + usize::from(octets[at]);
    }
    at + 1 - 12
}

const ZONES: [&str; 4] = ["vn", "com.vn", "hue.vn", "."];

/// Whatever is lost, and in whichever order changes come, everybody has the last version in the end.
#[test]
fn everybody_is_told_whatever_is_lost() {
    for seed in 1..=60 {
        let mut world = World::new(seed, 7);
        world.loss = [0, 20, 40][seed as usize % 3];
        let mut serials = [u32::MAX - 2; 4];
        world.serve(&ZONES.map(|apex| (apex, u32::MAX - 2)));
        for _ in 0..world.random.usize(..20) {
            let i = world.random.usize(..4);
            serials[i] = Serial(serials[i]).next().0;
            world.publish(ZONES[i], serials[i]);
            let ms = world.random.u64(..3000);
            world.pass(ms);
        }
        // A pair that heard nothing for two minutes, which some seed has, is looked at four minutes later, and so on.
        world.pass(8 * HOUR);
        for (apex, serial) in ZONES.iter().zip(serials) {
            let status = world.status(apex);
            assert_eq!(status.len(), 7);
            for status in status {
                let what = format!("seed {seed}, {apex} {serial}: {status:?}");
                assert_eq!(status.state, State::Current, "{what}");
                assert_eq!(status.seen.map(|(seen, _)| seen), Some(Serial(serial)), "{what}");
                assert_eq!(status.notified.map(|(told, _)| told), Some(Serial(serial)), "{what}");
            }
        }
    }
}

#[test]
fn eighty_zones_reach_thirty_secondaries_without_a_burst() {
    let mut world = World::new(7, 30);
    let names: Vec<String> = (0..80).map(|i| format!("z{i}.vn")).collect();
    let zones = |serial: u32| names.iter().map(|name| (&name[..], serial)).collect::<Vec<_>>();
    for serial in [7, 8] {
        (world.ticks, world.notifies) = (BTreeMap::new(), Vec::new());
        let begin = world.now;
        world.serve(&zones(serial));
        world.pass(1000);
        assert_eq!(world.notifies.len(), 2400, "one each, since nothing is lost");
        assert!(world.ticks.values().all(|n| *n <= PER_TICK));
        let last = world.notifies.iter().map(|(at, ..)| at - begin).max();
        // Looks at who was told first come between.
        assert!(last < Some(100), "{last:?}");
        // Nobody gets all at once, either.
        for i in 0..30 {
            let mut each: BTreeMap<u64, usize> = BTreeMap::new();
            world.notifies.iter().filter(|(_, to, _)| *to == address(i)).for_each(|(at, ..)| *each.entry(*at).or_default() += 1);
            assert!(each.values().all(|n| *n <= 12), "{each:?}");
        }
        assert!(world.notifier.status(None).iter().all(|status| status.state == State::Current));
    }
    // The same again is no news, and looks are rare from now on.
    let n_sent = world.n_sent;
    world.serve(&zones(8));
    world.pass(1000);
    assert_eq!(world.n_sent, n_sent);
    world.pass(HOUR * 5 / 4);
    assert!((2400..=2 * 2400).contains(&(world.n_sent - n_sent)), "{}", world.n_sent - n_sent);
    // Who is taken out is not told any more.
    world.peers.retain(|at, _| *at == address(3));
    world.serve(&zones(9)[..2]);
    world.notifies.clear();
    world.pass(10 * HOUR);
    assert_eq!(world.notifies.len(), 2);
    assert_eq!(world.notifier.status(None).len(), 2);
}

#[test]
fn who_is_deaf_delays_nobody_and_is_told_when_it_hears_again() {
    let mut world = World::new(3, 6);
    world.peers.get_mut(&address(2)).expect("there").does = Does::Nothing;
    world.serve(&[("vn", 5)]);
    world.pass(200);
    for status in world.notifier.status(None) {
        assert_eq!(status.state == State::Current, status.address != address(2), "{status:?}");
    }
    // A zone that changes all the time does not make it seem less deaf, and others are told each time.
    for serial in 6..400 {
        world.publish("vn", serial);
        world.pass(500);
        let told = world.status("vn").iter().filter(|status| status.state == State::Current).count();
        assert_eq!(told, 5, "{serial}");
    }
    world.check_news(&[(None, 2, News::Deaf)]);
    world.serve(&[("vn", 400), ("com.vn", 9)]);
    world.pass(300_000);
    world.check_news(&[]);
    let state = |world: &World| world.status("vn")[1].clone();
    let status = state(&world);
    assert_eq!((status.address, status.state, status.fault.as_deref()), (address(2), State::Silent, Some("no answer")));
    // Ever more rarely.
    let before = world.n_sent;
    world.pass(24 * HOUR);
    assert!(world.n_sent - before < 2 * 6 * 25 * 3, "{}", world.n_sent - before);
    world.peers.get_mut(&address(2)).expect("there").does = Does::Well(10);
    let begin = world.now;
    while world.news.is_empty() {
        assert!(world.now - begin < 2 * HOUR);
        world.pass(1000);
    }
    world.check_news(&[(None, 2, News::Answers)]);
    // What is heard of one zone is good for all.
    world.pass(2000);
    assert!(world.notifier.status(None).iter().all(|status| status.state == State::Current), "{:?}", world.notifier.status(None));
}

#[test]
fn who_refuses_is_not_asked_again_for_this_serial() {
    let mut world = World::new(3, 2);
    world.peers.get_mut(&address(1)).expect("there").does = Does::Refuse(9);
    world.serve(&[("vn", 5)]);
    let told = |world: &World| world.notifies.iter().filter(|(_, to, _)| *to == address(1)).count();
    // But for the time in which the zone may be new to it.
    world.pass(15_000);
    world.check_news(&[]);
    world.pass(60_000);
    let n_told = told(&world);
    assert!((2..10).contains(&n_told), "{n_told}");
    world.pass(24 * HOUR);
    assert_eq!(told(&world), n_told);
    let status = world.status("vn")[1].clone();
    assert_eq!((status.state, status.acknowledged, status.seen.map(|(seen, _)| seen.0)), (State::Refused, None, Some(1)));
    world.publish("vn", 6);
    world.pass(1000);
    assert_eq!(told(&world), n_told + 1);
    world.check_news(&[(Some("vn"), 1, News::Refused(9))]);
    world.peers.get_mut(&address(1)).expect("there").does = Does::Well(10);
    world.publish("vn", 7);
    world.pass(1000);
    assert_eq!(world.status("vn")[1].state, State::Current);
    world.check_news(&[(Some("vn"), 1, News::Good)]);
}

/// A zone that has just come into a catalog: the secondary has not read that yet.
#[test]
fn a_zone_that_is_new_to_a_secondary_is_no_trouble() {
    let mut world = World::new(5, 1);
    world.peers.get_mut(&address(0)).expect("there").does = Does::Refuse(9);
    world.serve(&[("vn", 5)]);
    world.pass(10_000);
    assert_eq!(world.status("vn")[0].state, State::Refused);
    world.peers.get_mut(&address(0)).expect("there").does = Does::Well(10);
    world.pass(20_000);
    assert_eq!(world.status("vn")[0].state, State::Current);
    world.pass(HOUR);
    world.check_news(&[]);
}

/// A secondary that has none of 80 zones is one line, however it says so; a second one when it is mended.
#[test]
fn many_zones_of_a_secondary_are_one_line() {
    let mut world = World::new(6, 3);
    world.peers.get_mut(&address(1)).expect("there").does = Does::Refuse(9);
    world.peers.get_mut(&address(2)).expect("there").does = Does::DropNotify;
    let names: Vec<_> = (0..80).map(|i| format!("z{i}.vn")).collect();
    let zones = |serial| names.iter().map(|name| (name.as_str(), serial)).collect::<Vec<_>>();
    world.serve(&zones(5));
    world.pass(10 * HOUR);
    let of = |world: &World, i: usize| {
        let prefix = format!("secondary {} ", address(i));
        world.lines.iter().filter_map(|line| Some(line.strip_prefix(&prefix)?.split(':').next()?.to_owned())).collect::<Vec<_>>()
    };
    let refused = "answers NOTIFY of 80 zones with NOTAUTH";
    assert_eq!(of(&world, 1), [refused]);
    let dropped = of(&world, 2);
    assert_eq!(dropped[..2], ["gives no good answer, 80 zones wait for it ('saola zone status' says why)", "answers again"], "{dropped:?}");
    assert_eq!(dropped[2..], ["does not answer NOTIFY of 80 zones, though it answers queries"], "{dropped:?}");
    assert_eq!(world.lines.len(), 4, "{:?}", world.lines);
    // Some of them are mended: nothing. All: one line.
    world.peers.get_mut(&address(1)).expect("there").does = Does::Well(10);
    for name in &names[..79] {
        world.publish(name, 6);
    }
    world.pass(60_000);
    assert_eq!(of(&world, 1), [refused]);
    world.publish(&names[79], 6);
    world.pass(60_000);
    assert_eq!(of(&world, 1), [refused, "is well again"]);
}

#[test]
fn what_an_operator_should_know_is_said_once() {
    let mut world = World::new(5, 4);
    for (i, does) in [(0, Does::DropNotify), (1, Does::Unsigned), (2, Does::Well(HOUR)), (3, Does::Unsigned)] {
        world.peers.get_mut(&address(i)).expect("there").does = does;
    }
    world.peers.get_mut(&address(3)).expect("there").zones.insert(name("vn"), vec![(0, 100)]);
    world.serve(&[("vn", 5)]);
    world.pass(10 * HOUR);
    let said: Vec<_> = world.news.iter().map(|(_, from, news)| (*from, news.is_good())).collect();
    let of = |i: usize| said.iter().filter(|(from, _)| *from == address(i)).map(|(_, is_good)| *is_good).collect::<Vec<_>>();
    // It seems to be away, answers a query, and does not answer NOTIFY.
    assert_eq!(of(0), [false, true, false], "{said:?}");
    assert_eq!(of(1), [false], "{said:?}");
    assert_eq!(of(2), [false, true], "{said:?}");
    assert_eq!(of(3), [false], "{said:?}");
    assert!(world.news.contains(&(Some(name("vn")), address(0), News::Unanswered)));
    let status = world.notifier.status(None).into_iter().find(|status| status.address == address(1)).expect("there");
    assert_eq!((status.state, status.fault.as_deref()), (State::Silent, Some("the message is not signed")));
    assert!(world.news.contains(&(Some(name("vn")), address(3), News::Ahead(Serial(100), Serial(5)))));
}

#[test]
fn what_was_not_asked_for_changes_nothing() {
    for with_key in [true, false] {
        let mut world = World::new(11, 1);
        let to = address(0);
        let peer = world.peers.get_mut(&to).expect("there");
        (peer.does, peer.key) = (Does::Nothing, with_key.then(key));
        world.serve(&[("vn", 5)]);
        let mut request = Vec::new();
        let now = world.moment();
        assert_eq!(world.notifier.next_datagram(now, &mut request), Some(to));
        let question = 12 + 4 + 4;
        let plain = [&request[..2], &[0xa4, 0, 0, 1, 0, 0, 0, 0, 0, 0], &request[12..question]].concat();
        let good = if with_key {
            let keys: Keys = [key()].into_iter().collect();
            let Judged::Good(mut signer) = keys.judge(&request, now.unix) else { panic!("good") };
            let mut good = plain.clone();
            signer.sign(&mut good, now.unix);
            good
        } else {
            plain.clone()
        };
        let mut others: Vec<(SocketAddr, Vec<u8>)> = vec![(address(2), good.clone()), (SocketAddr::new(to.ip(), 54), good.clone())];
        // Another id, a request, another opcode, name, type and class; and cut off.
        for at in [0, 1, 13, 17, 19] {
            let mut other = good.clone();
            other[at] ^= 1;
            others.push((to, other));
        }
        for octet in [0x24, 0x84, 0xac] {
            let mut other = good.clone();
            other[2] = octet;
            others.push((to, other));
        }
        others.extend((0..good.len()).map(|n| (to, good[..n].to_vec())));
        if with_key {
            others.push((to, plain));
        }
        for (from, octets) in others {
            world.notifier.receive(from, &octets, now);
            let status = world.status("vn").remove(0);
            assert_eq!((status.state, status.acknowledged, status.seen), (State::Telling, None, None), "{from} {octets:?}");
        }
        world.notifier.receive(to, &good, now);
        let status = world.status("vn").remove(0);
        assert_eq!((status.state, status.acknowledged), (State::Behind, Some((Serial(5), now.unix))));
        assert_eq!(status.fault, None);
    }
}

#[test]
fn a_newer_serial_takes_the_place_of_the_one_before() {
    let mut world = World::new(11, 1);
    world.peers.get_mut(&address(0)).expect("there").does = Does::Nothing;
    world.serve(&[("vn", 5)]);
    world.pass(100);
    world.publish("vn", 6);
    world.publish("vn", 7);
    world.pass(60_000);
    assert_eq!(world.notifies[0].2, 5);
    assert!(world.notifies.len() > 5 && world.notifies[1..].iter().all(|(_, _, serial)| *serial == 7), "{:?}", world.notifies);
    // Each time waits longer than the one before.
    let times: Vec<u64> = world.notifies[1..].iter().map(|(at, ..)| *at).collect();
    assert!(times.windows(3).all(|three| three[2] - three[1] > three[1] - three[0]), "{times:?}");
}
