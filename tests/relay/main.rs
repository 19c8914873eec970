//! A thousand changes of a signed zone go from Saola through Knot, NSD and BIND to Saola again: all seven have the same zone, and it is the one
//! that the changes make.

mod content;
#[allow(dead_code)]
#[path = "../daemon/deposit.rs"]
mod deposit;
#[allow(dead_code)]
#[path = "../daemon/house.rs"]
mod house;
mod orders;
mod peer;
#[path = "../peers/mod.rs"]
mod peers;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use content::Content;
use house::{House, PATIENCE};
use peer::{SECRET, configuration};
use peers::{Peer, find_all, free_port};
use saola::dns::rdata::Soa;
use saola::dns::{Name, Records, Rtype, UnixTime};
use saola::sign;
use saola::transfer::inward::{Limits, Received};
use saola::transfer::tsig::{Algorithm, Key};
use saola::transport::client::{Asking, Primary, Times};

const APEX: &str = "big.example";
const NAMES: usize = 20_000;
const CHANGES: usize = 1_000;
/// After so many changes all servers are compared.
const ROUND: usize = 100;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn apex() -> Name {
    Name::parse(APEX).expect("a name")
}

/// A server that has the zone from the one above it and gives it to the one below.
struct Relay {
    peer: Peer,
    port: u16,
    below: House,
    below_port: u16,
}

fn keys() -> String {
    format!("[[key]]\nname = \"xfr\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{SECRET}\"\n")
}

fn server(port: u16) -> String {
    format!("[server]\nlisten = [\"127.0.0.1:{port}\", \"[::1]:0\"]\nworkers = 1\n")
}

const ALLOWED: &str = "allow-transfer = [{ prefix = \"127.0.0.0/8\" }]\n";

impl Relay {
    fn start(program: &Path, folder: &Path, [port, above, below_port]: [u16; 3]) -> Self {
        let name = program.file_name().and_then(|name| name.to_str()).expect("a name");
        std::fs::create_dir(folder).expect("made");
        let (text, arguments) = configuration(name, APEX, folder, [port, above, below_port]);
        std::fs::write(folder.join("conf"), text).expect("written");
        let mut peer = Peer::start(Command::new(program).args(arguments), &folder.join("log"));
        peer.wait_for_soa(at(port), APEX);
        let mut below = House::new("");
        let zone = format!("[[zone]]\nname = \"{APEX}\"\nprimaries = [{{ address = \"127.0.0.1:{port}\", key = \"xfr\" }}]\n{ALLOWED}");
        below.write("saola.toml", &format!("{}{zone}{}", server(below_port), keys()));
        below.start();
        Self { peer, port, below, below_port }
    }
}

/// The serial at a server, if it answers with one.
fn serial(port: u16) -> Option<u32> {
    let reply = peers::exchange_udp(at(port), &peers::question(5, APEX, 6, false), Duration::from_secs(5))?;
    let at = 12 + APEX.len() + 2 + 4;
    let record = saola::dns::message::RawRecord::read(&reply, at).filter(|record| record.rtype == Rtype::SOA)?;
    let mut rdata = Vec::new();
    record.append_rdata(&mut rdata)?;
    Soa::read(&rdata).map(|soa| soa.serial)
}

/// True if there is a ZONEMD at the apex.
fn has_digest(port: u16) -> bool {
    let zonemd = 63;
    peers::exchange_udp(at(port), &peers::question(6, APEX, zonemd, false), Duration::from_secs(5)).is_some_and(|reply| reply[7] == 1)
}

/// The whole zone as a server gives it, sorted.
fn whole(port: u16) -> Records {
    let (apex, primary) = (apex(), Primary { address: at(port), key: None, tls: None });
    let asking = Asking { primary: &primary, apex: apex.as_ref(), times: Times::default(), limits: Limits::default() };
    match asking.whole().map(|fetched| fetched.received) {
        Ok(Received::Whole(mut records)) => {
            records.sort();
            records
        }
        Ok(_) => panic!("no whole zone"),
        Err(failure) => panic!("{failure}"),
    }
}

fn rows(records: &Records) -> Vec<(String, u16, u32, Vec<u8>)> {
    let mut rows: Vec<_> = records.iter().map(|r| (r.owner.to_lowercase().to_string(), r.rtype.0, r.ttl, r.rdata.to_vec())).collect();
    rows.sort();
    rows
}

fn key() -> Key {
    let secret = data_encoding::BASE64.decode(SECRET.as_bytes()).expect("base64");
    Key::new(Name::parse("xfr").expect("a name").as_ref(), Algorithm::HmacSha256, &secret)
}

/// Sends one update over the connection; the response code.
fn update(stream: &mut TcpStream, id: u16, (n, octets): (u16, Vec<u8>)) -> u8 {
    let mut message = [&id.to_be_bytes()[..], &[5 << 3, 0, 0, 1, 0, 0], &n.to_be_bytes(), &[0, 0]].concat();
    message.extend(apex().as_ref().as_wire());
    message.extend([0, 6, 0, 1]);
    message.extend(octets);
    let _ = key().sign_request(&mut message, UnixTime::now());
    stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], &message].concat()).expect("sent");
    let mut len = [0; 2];
    stream.read_exact(&mut len).expect("a length");
    let mut reply = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut reply).expect("a reply");
    assert_eq!(reply[..2], id.to_be_bytes());
    reply[3] & 15
}

#[test]
fn a_thousand_changes_come_out_as_they_went_in() {
    let Some(programs) = find_all(["knotd", "nsd", "named"]) else { return };
    let ports: Vec<u16> = (0..7).map(|_| free_port()).collect();
    let mut content = Content::new(&apex(), NAMES, 1);
    let mut above = House::new("");
    let configure = |denial: &str| {
        let told: Vec<String> = ports[1..4].iter().map(|port| format!("{{ address = \"127.0.0.1:{port}\", key = \"xfr\" }}")).collect();
        let zone = format!(
            "[[zone]]\nname = \"{APEX}\"\nfile = \"zone\"\nsign = \"p\"\nallow-update = [{{ prefix = \"127.0.0.1\", key = \"xfr\" }}]\n{ALLOWED}\
             notify = [{}]\n[policy.p]\ndenial = \"{denial}\"\nzonemd = true\n",
            told.join(", ")
        );
        format!("{}{zone}{}", server(ports[0]), keys())
    };
    above.write("saola.toml", &configure("nsec3-opt-out"));
    above.write("zone", &content.file(1));
    above.start();
    let relays: Vec<Relay> = programs
        .iter()
        .enumerate()
        .map(|(i, program): (usize, &PathBuf)| {
            Relay::start(program, &above.path(&format!("relay{i}")), [ports[1 + i], ports[0], ports[4 + i]])
        })
        .collect();
    let mut stream = TcpStream::connect(at(ports[0])).expect("connected");
    for n in 1..=CHANGES {
        assert_eq!(update(&mut stream, n as u16, content.change()), 0, "change {n}: {}", above.read("err"));
        if n % ROUND != 0 {
            continue;
        }
        // What follows may take longer than a connection is kept idle.
        drop(stream);
        // The whole chain changes, twice.
        if let Some(denial) = [(300, "nsec3"), (600, "nsec3-opt-out")].iter().find(|(at, _)| *at == n).map(|(_, denial)| denial) {
            above.write("saola.toml", &configure(denial));
            above.tool_ok(&["server", "reload"]);
        }
        // The digest follows the last change.
        let begin = Instant::now();
        while !has_digest(ports[0]) {
            assert!(begin.elapsed() < PATIENCE, "no digest: {}", above.read("err"));
            std::thread::sleep(Duration::from_millis(20));
        }
        let last = serial(ports[0]).expect("served");
        let begin = Instant::now();
        while let Some(port) = ports.iter().find(|port| serial(**port) != Some(last)) {
            let words: Vec<String> = relays.iter().map(|relay| relay.peer.words()).collect();
            assert!(begin.elapsed() < PATIENCE, "{port} of {ports:?} is not at {last}: {words:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let ours = whole(ports[0]);
        for port in &ports[1..] {
            assert!(rows(&whole(*port)) == rows(&ours), "after {n} changes {port} of {ports:?} has another zone");
        }
        // What clients asked for is what is there, and it verifies.
        let is_made = |rtype: u16| matches!(Rtype(rtype), Rtype::RRSIG | Rtype::NSEC3);
        let held: Vec<_> = rows(&ours).into_iter().filter(|row| !is_made(row.1) && row.0 != format!("{APEX}.")).collect();
        assert!(held == content.rows(), "after {n} changes");
        assert_eq!(sign::check_zonemd(&ours, apex().as_ref(), last), Ok(1), "after {n} changes");
        sign::verify(&ours, apex().as_ref(), &[], UnixTime::now(), 2).unwrap_or_else(|faults| panic!("after {n}: {}", faults[0]));
        stream = TcpStream::connect(at(ports[0])).expect("connected");
    }
    // Most of it went as changes, out of us and into us.
    let n_out = above.read("err").matches("transferred, IXFR").count();
    let came: Vec<usize> = relays.iter().map(|relay| relay.below.read("err").matches("transferred, IXFR").count()).collect();
    println!("{n_out} IXFR out, {came:?} in; {:?}", relays.iter().map(|relay| (relay.port, relay.below_port)).collect::<Vec<_>>());
    assert!(n_out >= 60 && came.iter().all(|n| *n >= 10), "{n_out} {came:?}");
}
