//! Requests that are carried out beside the workers: they wait for nobody, and every client gets its answer by the way it asked.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use saola::dns::{Name, UnixTime, master};
use saola::telemetry::{Counter, Telemetry};
use saola::transfer::access::{Access, Allow, Demand, Prefix};
use saola::transfer::tsig::{Algorithm, Key};
use saola::transport::{Later, Limits, Running, Served, Server, Updater};
use saola::zone::{Zone, ZoneSet};

const PATIENCE: Duration = Duration::from_secs(30);
const REFUSED: u16 = 5;
const NOERROR: u16 = 0;
const YXDOMAIN: u16 = 6;
const SERVFAIL: u16 = 2;

/// Gives what it gets to the test.
struct Desk(Mutex<Sender<Later>>);

impl Updater for Desk {
    fn take(&self, later: Later) {
        self.0.lock().expect("whole").send(later).expect("the test is there");
    }
}

struct World {
    _running: Running,
    telemetry: Telemetry,
    address: SocketAddr,
    desk: Receiver<Later>,
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn key() -> Key {
    Key::new(name("upd").as_ref(), Algorithm::HmacSha256, b"a secret")
}

fn world(listen: &str) -> World {
    let text = "$TTL 300\n@ SOA ns h 7 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n";
    let mut zones = ZoneSet::new();
    for apex in ["example.org", "other.example"].map(name) {
        let records = master::read_text(text.as_bytes(), "zone", apex.as_ref()).expect("a zone");
        zones.insert(Arc::new(Zone::build(apex.as_ref(), records).expect("a zone")));
    }
    let allow = Allow { prefix: Prefix::from(IpAddr::from(Ipv4Addr::LOCALHOST)), key: Some(name("upd")), tls: Demand::None };
    let access = Access {
        keys: [key(), Key::new(name("other").as_ref(), Algorithm::HmacSha256, b"another")].into_iter().collect(),
        updates: BTreeMap::from([(name("example.org"), vec![allow])]),
        ..Access::default()
    };
    let (give, desk) = mpsc::channel();
    let served =
        Served { zones: Arc::new(zones), access: Arc::new(access), updater: Some(Arc::new(Desk(Mutex::new(give)))), ..Served::default() };
    let server = Server::bind(&[listen.parse().expect("an address")], 1, Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    let address = server.local_addrs()[0];
    let telemetry = Telemetry::new();
    let running = server.start(Arc::new(ArcSwap::from_pointee(served)), &telemetry).expect("threads");
    World { _running: running, telemetry, address, desk }
}

impl World {
    /// What a worker has passed on.
    #[track_caller]
    fn next(&self) -> Later {
        self.desk.recv_timeout(PATIENCE).expect("a wish")
    }
}

/// An update of `zone` without anything to do, signed if a key is given.
fn update(id: u16, zone: &str, key: Option<&Key>) -> Vec<u8> {
    let mut message = [&id.to_be_bytes()[..], &[5 << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    message.extend(name(zone).as_ref().as_wire());
    message.extend([0, 6, 0, 1]);
    if let Some(key) = key {
        let _ = key.sign_request(&mut message, UnixTime::now());
    }
    message
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

fn udp() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

fn tcp(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Id and response code.
fn told(reply: &[u8]) -> (u16, u16) {
    assert_eq!(reply[2], 0x80 | 5 << 3, "{reply:?}");
    (u16::from_be_bytes([reply[0], reply[1]]), u16::from(reply[3] & 15))
}

#[track_caller]
fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut len = [0; 2];
    stream.read_exact(&mut len).expect("a length");
    let mut reply = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut reply).expect("a reply");
    reply
}

/// Sends an update over UDP and gives what comes back at once.
#[track_caller]
fn refused(world: &World, request: &[u8]) -> Vec<u8> {
    let socket = udp();
    socket.send_to(request, world.address).expect("sent");
    let mut reply = [0; 1000];
    let n = socket.recv(&mut reply).expect("a reply");
    assert!(world.desk.try_recv().is_err(), "nobody is asked");
    reply[..n].to_vec()
}

#[test]
fn who_may_not_is_refused_at_once() {
    let world = world("127.0.0.1:0");
    let other = Key::new(name("other").as_ref(), Algorithm::HmacSha256, b"another");
    let notauth = 9;
    for (zone, key, rcode) in [
        ("example.org", None, REFUSED),
        ("example.org", Some(&other), REFUSED),
        ("other.example", Some(&key()), REFUSED),
        ("example.net", Some(&key()), notauth),
        ("ns.example.org", Some(&key()), notauth),
    ] {
        let reply = refused(&world, &update(1, zone, key));
        assert_eq!(told(&reply), (1, rcode), "{zone}");
        // A signed question has a signed answer.
        assert_eq!(reply[11] > 0, key.is_some(), "{zone}");
    }
    // A secret that is another; a zone section that is no SOA; an update section that is no records.
    let stranger = Key::new(name("upd").as_ref(), Algorithm::HmacSha256, b"guessed");
    assert_eq!(told(&refused(&world, &update(2, "example.org", Some(&stranger)))), (2, notauth));
    let mut message = update(3, "example.org", None);
    let at = message.len() - 3;
    message[at] = 1;
    let _ = key().sign_request(&mut message, UnixTime::now());
    assert_eq!(told(&refused(&world, &message)), (3, 1));
    assert_eq!(world.telemetry.snapshot().get(Counter::Updates), 0);
}

#[test]
fn a_datagram_is_answered_from_where_it_was_asked() {
    let world = world("0.0.0.0:0");
    let socket = udp();
    for asked in ["127.0.0.1", "127.0.0.7"] {
        let to = SocketAddr::new(asked.parse().expect("an address"), world.address.port());
        socket.send_to(&update(7, "example.org", Some(&key())), to).expect("sent");
        let later = world.next();
        assert_eq!((later.wish().apex(), later.wish().who().to_string()), (name("example.org").as_ref(), "127.0.0.1, key upd.".to_owned()));
        // A copy of it is the same wish, another is not.
        socket.send_to(&update(7, "example.org", Some(&key())), to).expect("sent");
        let again = world.next();
        socket.send_to(&update(8, "example.org", Some(&key())), to).expect("sent");
        let other = world.next();
        assert!(later.is_again(&again) && !later.is_again(&other));
        again.forget();
        other.answer(YXDOMAIN, UnixTime::now());
        later.answer(NOERROR, UnixTime::now());
        for expected in [(8, YXDOMAIN), (7, NOERROR)] {
            let mut reply = [0; 1000];
            let (n, from) = socket.recv_from(&mut reply).expect("a reply");
            assert_eq!((from, told(&reply[..n])), (to, expected));
        }
    }
    assert_eq!(world.telemetry.snapshot().get(Counter::Updates), 6);
}

#[test]
fn answers_to_signed_updates_are_signed() {
    let world = world("127.0.0.1:0");
    let (socket, key) = (udp(), key());
    let mut message = update(9, "example.org", None);
    let mut verifier = key.sign_request(&mut message, UnixTime::now());
    socket.send_to(&message, world.address).expect("sent");
    world.next().answer(YXDOMAIN, UnixTime::now());
    let mut reply = [0; 1000];
    let n = socket.recv(&mut reply).expect("a reply");
    verifier.take(&reply[..n], UnixTime::now()).expect("signed");
    assert!(verifier.is_proved());
}

#[test]
fn a_connection_waits_and_what_follows_comes_behind() {
    let world = world("127.0.0.1:0");
    let mut stream = tcp(world.address);
    // All at once: three updates, and between them one that is answered at once.
    let all = [update(1, "example.org", Some(&key())), update(2, "other.example", Some(&key())), update(3, "example.org", Some(&key()))];
    stream.write_all(&all.iter().flat_map(|message| framed(message)).collect::<Vec<_>>()).expect("sent");
    let first = world.next();
    // Others are served meanwhile, by the same worker.
    let mut other = tcp(world.address);
    other.write_all(&framed(&update(4, "example.net", None))).expect("sent");
    assert_eq!(told(&read(&mut other)), (4, 9));
    assert!(world.desk.try_recv().is_err(), "one of a connection at a time");
    first.answer(NOERROR, UnixTime::now());
    assert_eq!(told(&read(&mut stream)), (1, NOERROR));
    assert_eq!(told(&read(&mut stream)), (2, REFUSED));
    // Who drops it has answered too.
    drop(world.next());
    assert_eq!(told(&read(&mut stream)), (3, SERVFAIL));
    // The connection goes on.
    stream.write_all(&framed(&update(5, "example.net", None))).expect("sent");
    assert_eq!(told(&read(&mut stream)), (5, 9));
}

#[test]
fn who_has_gone_is_not_missed() {
    let world = world("127.0.0.1:0");
    for n in 0..20 {
        let mut stream = tcp(world.address);
        stream.write_all(&framed(&update(1, "example.org", Some(&key())))).expect("sent");
        let later = world.next();
        drop(stream);
        // Perhaps in the place of the one that has gone.
        let mut other = tcp(world.address);
        other.write_all(&framed(&update(2, "example.org", Some(&key())))).expect("sent");
        let second = world.next();
        later.answer(YXDOMAIN, UnixTime::now());
        second.answer(NOERROR, UnixTime::now());
        assert_eq!(told(&read(&mut other)), (2, NOERROR), "round {n}");
    }
}
