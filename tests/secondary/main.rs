//! A secondary follows its primaries: notice, question, answer, taken, answered from. Primaries that misbehave, and real ones of three makes.

#[path = "../peers/mod.rs"]
mod peers;
mod real;
mod site;
#[path = "../streams/mod.rs"]
mod streams;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use saola::dns::{Rtype, Serial};
use saola::transfer::inward::{Limits, Notice};
use saola::transport::client::{Asking, Primary, Times};

use site::{Site, wait_until};
use streams::{messages, name};

/// What a primary does with one connection.
#[derive(Clone, Copy, Debug)]
enum Play {
    /// Answers a question of this type with these records, as `streams` spells them.
    Say(Rtype, &'static str),
    /// Says so, and closes in the middle of the last message.
    Cut(Rtype, &'static str),
    /// Refuses with a response code.
    Refuse(u8),
    /// Says so, an octet every few milliseconds.
    Drip(Rtype, &'static str),
    /// Says nothing.
    Hang,
}

const AXFR: Rtype = Rtype::AXFR;
const IXFR: Rtype = Rtype::IXFR;

/// A primary that does as it is told, connection by connection, and keeps the types that were asked for.
struct Actor {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Rtype>>>,
    at: Arc<AtomicUsize>,
}

impl Actor {
    fn new(plays: &[Play]) -> Self {
        let plays = plays.to_vec();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
        let address = listener.local_addr().expect("an address");
        let (asked, at) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let actor = Self { address, asked: Arc::clone(&asked), at: Arc::clone(&at) };
        std::thread::spawn(move || {
            // Kept open, for those who hang.
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("connected");
                let request = read(&mut stream);
                let rtype = u16::from_be_bytes([request[16], request[17]]);
                asked.lock().expect("whole").push(Rtype(rtype));
                let play = plays.get(at.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(Play::Refuse(5));
                perform(play, &request, &mut stream);
                kept.push(stream);
                if !matches!(play, Play::Hang) {
                    kept.pop();
                }
            }
        });
        actor
    }

    fn primary(&self) -> Primary {
        Primary { address: self.address, key: None, tls: None }
    }

    fn asked(&self) -> Vec<Rtype> {
        self.asked.lock().expect("whole").clone()
    }

    #[track_caller]
    fn wait_for(&self, n: usize) {
        wait_until(&format!("{n} questions"), || self.at.load(Ordering::SeqCst) >= n);
    }
}

fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut len = [0; 2];
    stream.read_exact(&mut len).expect("a length");
    let mut request = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut request).expect("a request");
    request
}

fn perform(play: Play, request: &[u8], stream: &mut TcpStream) {
    let mut all = match play {
        Play::Say(rtype, text) | Play::Cut(rtype, text) | Play::Drip(rtype, text) => messages(rtype, text),
        Play::Refuse(rcode) => {
            let mut message = request[..18 + 2].to_vec();
            (message[2], message[3]) = (0x80, rcode);
            message[6..12].fill(0);
            vec![message]
        }
        Play::Hang => return,
    };
    let mut octets = Vec::new();
    for message in &mut all {
        message[..2].copy_from_slice(&request[..2]);
        octets.extend((message.len() as u16).to_be_bytes());
        octets.extend_from_slice(message);
    }
    if matches!(play, Play::Cut(..)) {
        octets.truncate(octets.len() - 3);
    }
    if matches!(play, Play::Drip(..)) {
        let mut drops = octets.chunks(1);
        while drops.next().is_some_and(|drop| stream.write_all(drop).is_ok()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        return;
    }
    // Who has seen enough closes before the end.
    let _ = stream.write_all(&octets);
}

fn times() -> Times {
    Times { connect: Duration::from_secs(5), idle: Duration::from_millis(300), ..Times::default() }
}

fn notice(serial: u32) -> Notice {
    Notice { apex: name("vn"), serial: Some(Serial(serial)) }
}

/// A site with `vn.` from these primaries, in the version that the first answer gives.
fn site(primaries: Vec<Primary>) -> Site {
    Site::new(vec![(name("vn"), primaries)], times())
}

/// What a primary does after it gave version 3 with the addresses a1 and b1; then a notice says that there is version 5.
#[track_caller]
fn check(plays: &[Play], expected: &str, asked: &[Rtype], problem: Option<&str>) {
    let actor = Actor::new(plays);
    let site = site(vec![actor.primary()]);
    site.wait_for_zone("vn", "S3 a1 b1");
    site.tell(notice(5), actor.address.ip());
    actor.wait_for(asked.len() + 1);
    site.wait_for_zone("vn", expected);
    site.wait_for_problem("vn", problem);
    let all = actor.asked();
    assert_eq!(all, [&[AXFR][..], asked].concat());
}

const THREE: Play = Play::Say(AXFR, "S3 a1 b1 S3");

#[test]
fn changes_are_taken() {
    check(&[THREE, Play::Say(IXFR, "S5 S3 a1 S4 c1 S4 S5 d1 S5")], "S5 b1 c1 d1", &[IXFR], None);
    check(&[THREE, Play::Say(IXFR, "S5 a7 | S5")], "S5 a7", &[IXFR], None);
}

#[test]
fn the_whole_zone_is_fetched_where_changes_cannot_be_had() {
    let whole = Play::Say(AXFR, "S5 c1 S5");
    // FORMERR, NOTIMP, REFUSED; a gap; changes of another version; changes that do not fit what is here.
    check(&[THREE, Play::Refuse(1), whole], "S5 c1", &[IXFR, AXFR], None);
    check(&[THREE, Play::Refuse(4), Play::Refuse(1), whole], "S5 c1", &[IXFR, AXFR, AXFR], None);
    check(&[THREE, Play::Refuse(5), whole], "S5 c1", &[IXFR, AXFR], None);
    check(&[THREE, Play::Say(IXFR, "S5 S3 a1 S4 c1 S5"), whole], "S5 c1", &[IXFR, AXFR], None);
    check(&[THREE, Play::Say(IXFR, "S5 S2 S5 S5"), whole], "S5 c1", &[IXFR, AXFR], None);
    check(&[THREE, Play::Say(IXFR, "S5 S3 z1 S5 c1 S5"), whole], "S5 c1", &[IXFR, AXFR], None);
    check(&[THREE, Play::Say(IXFR, "S5 S3 S5 b1 S5"), whole], "S5 c1", &[IXFR, AXFR], None);
}

#[test]
fn what_cannot_be_taken_leaves_what_there_is() {
    let old = "S3 a1 b1";
    let closed = Some("the primary closed the connection before the end of the answer");
    check(&[THREE, Play::Cut(IXFR, "S5 S3 a1 S5 c1 S5")], old, &[IXFR], closed);
    check(&[THREE, Play::Cut(IXFR, "S5 | c1 | S5")], old, &[IXFR], closed);
    check(&[THREE, Play::Hang], old, &[IXFR], Some("the primary sent nothing for 0 s"));
    check(&[THREE, Play::Say(IXFR, "S5 !a1 S5")], old, &[IXFR], Some("the A record of 'a.example.' is not in the zone"));
    check(
        &[THREE, Play::Refuse(9)],
        old,
        &[IXFR],
        Some("the primary answers NOTAUTH: it does not serve the zone, or does not take our key"),
    );
    check(&[THREE, Play::Refuse(4), Play::Cut(AXFR, "S5 c1 S5")], old, &[IXFR, AXFR], closed);
    let behind = Some("it has serial 2, and ours is 3: it is behind, or its serial went back");
    check(&[THREE, Play::Refuse(4), Play::Say(AXFR, "S2 c1 S2")], old, &[IXFR, AXFR], behind);
    check(&[THREE, Play::Refuse(4), Play::Say(AXFR, "S3 c1 S3")], old, &[IXFR, AXFR], None);
    check(&[THREE, Play::Say(IXFR, "S2")], old, &[IXFR], behind);
}

/// One primary that is gone, one that refuses, one that has it; then the one that had it is asked first.
#[test]
fn primaries_are_asked_in_turn() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound").local_addr().expect("an address");
    let refuses = Actor::new(&[]);
    let has = Actor::new(&[THREE, Play::Say(IXFR, "S5 S3 S5 c1 S5")]);
    let site = site(vec![Primary { address: gone, key: None, tls: None }, refuses.primary(), has.primary()]);
    site.wait_for_zone("vn", "S3 a1 b1");
    assert_eq!(refuses.asked(), [AXFR]);
    // All are at one address; the first of it is thought to have spoken.
    site.tell(notice(5), Ipv4Addr::new(192, 0, 2, 1).into());
    site.wait_for_zone("vn", "S5 a1 b1 c1");
    assert_eq!((refuses.asked().len(), has.asked()), (1, vec![AXFR, IXFR]));
}

/// Primaries that hang keep their zones waiting, and no others.
#[test]
fn who_hangs_holds_nobody_else() {
    // As many that hang as there are threads, but for one, and for ever; then twice as many, and given up after a while.
    for (n_hang, idle) in [(3, Duration::from_secs(600)), (8, Duration::from_millis(1100))] {
        let hang: Vec<Actor> = (0..n_hang).map(|_| Actor::new(&[Play::Hang; 64])).collect();
        let has = Actor::new(&[Play::Say(AXFR, "S3 a1 S3"), Play::Say(IXFR, "S5 S3 S5 c1 S5")]);
        let zone = |i: usize| (name(&format!("a{i}.vn")), vec![hang[i % n_hang].primary()]);
        let mut zones: Vec<_> = (0..20 * n_hang).map(zone).collect();
        zones.push((name("vn"), vec![has.primary()]));
        let site = Site::new(zones, Times { idle, ..times() });
        site.wait_for_zone("vn", "S3 a1");
        site.tell(notice(5), has.address.ip());
        site.wait_for_zone("vn", "S5 a1 c1");
        if n_hang == 3 {
            hang.iter().for_each(|actor| actor.wait_for(1));
            assert!(hang.iter().all(|actor| actor.asked().len() == 1), "one question shows that nothing comes");
        }
    }
}

/// A primary that is never idle and never done is given up; one that has little to say is not.
#[test]
fn who_sends_next_to_nothing_is_given_up() {
    for (least, expected) in [(Duration::from_millis(50), Err("the primary sent less than 10240 octets in 0 s")), (times().least, Ok(()))] {
        let actor = Actor::new(&[Play::Drip(AXFR, "S3 a1 b1 S3")]);
        let (primary, apex) = (actor.primary(), name("vn"));
        let times = Times { least, idle: Duration::from_secs(60), ..times() };
        let asking = Asking { primary: &primary, apex: apex.as_ref(), times, limits: Limits::default() };
        let found = asking.whole().map(drop).map_err(|failure| failure.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }
}

/// What is taken out of the configuration is let go; what stays goes on.
#[test]
fn zones_come_and_go() {
    let actor = Actor::new(&[THREE, Play::Say(IXFR, "S5 S3 S5 c1 S5")]);
    let site = site(vec![actor.primary()]);
    site.wait_for_zone("vn", "S3 a1 b1");
    let other = Actor::new(&[Play::Say(AXFR, "S1 S1")]);
    site.replace(vec![(name("vn"), vec![actor.primary()])]);
    site.tell(notice(5), actor.address.ip());
    site.wait_for_zone("vn", "S5 a1 b1 c1");
    assert_eq!(actor.asked(), [AXFR, IXFR], "it went on with what it had");
    site.replace(vec![(name("other"), vec![other.primary()])]);
    other.wait_for(1);
    assert_eq!(site.problem("vn"), None);
    site.tell(notice(9), actor.address.ip());
    site.wait_for_problem("other", Some("the answer is to another question"));
    assert_eq!(actor.asked().len(), 2, "nobody asks for it any more");
}

/// Where nobody has said that there is news, one datagram tells that there is none; without a good one TCP is asked.
#[test]
fn a_datagram_tells_that_there_is_nothing_new() {
    for (text, rtype) in [("S3", Rtype::SOA), ("S2", Rtype::SOA), ("S5", IXFR), ("a1", IXFR)] {
        let actor = Actor::new(&[Play::Say(IXFR, "S5 S3 S5 c1 S5")]);
        let socket = UdpSocket::bind(actor.address).expect("bound");
        let answerer = std::thread::spawn(move || {
            let mut request = [0; 512];
            let (len, from) = socket.recv_from(&mut request).expect("a question");
            // One that is nobody's answer comes before.
            let mut answer = messages(Rtype::SOA, text).remove(0);
            (answer[0], answer[1]) = (request[0], request[1] ^ 1);
            socket.send_to(&answer, from).expect("sent");
            answer[1] ^= 1;
            socket.send_to(&answer, from).expect("sent");
            assert_eq!(request[..len][16..18], [0, 6]);
        });
        let (primary, apex) = (actor.primary(), name("vn"));
        let asking = Asking { primary: &primary, apex: apex.as_ref(), times: times(), limits: Limits::default() };
        let fetched = asking.check(&streams::soa(3)).expect("an answer");
        assert_eq!((fetched.rtype, actor.asked().len()), (rtype, usize::from(rtype == IXFR)), "{text}");
        answerer.join().expect("answered");
    }
    // Nobody listens: the datagram comes back at once.
    let actor = Actor::new(&[Play::Say(IXFR, "S3")]);
    let (primary, apex) = (actor.primary(), name("vn"));
    let asking = Asking { primary: &primary, apex: apex.as_ref(), times: times(), limits: Limits::default() };
    assert_eq!(asking.check(&streams::soa(3)).expect("an answer").transport, "tcp");
}
