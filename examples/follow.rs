//! How fast a secondary follows: a zone by AXFR from this process, then one delegation after the other by NOTIFY and IXFR, each until a question is answered from it.
//!
//! `follow FILE APEX [CHANGES]`. Prints what the transfer takes, and from NOTIFY to answer the median, 99th percentile and maximum. The journal is not in it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use saola::answer::Face;
use saola::daemon::secondary::{Holder, NotTaken, Secondaries, Source, Wanted};
use saola::dns::rdata::Soa;
use saola::dns::{Name, Rtype, UnixTime, master, message};
use saola::telemetry::Telemetry;
use saola::transfer::access::{Access, Allow, Demand};
use saola::transfer::inward::{self, Received};
use saola::transfer::refresh::Kept;
use saola::transport::client::{Asking, Primary, Times};
use saola::transport::{Limits, Served, Server};
use saola::zone::{Zone, ZoneSet};

struct Shelf {
    zone: Mutex<Zone>,
    served: Arc<ArcSwap<Served>>,
}

impl Holder for Shelf {
    fn take(&self, _: &Name, received: Received, _: bool, _: &Wanted) -> Result<(), NotTaken> {
        let Received::Changes(diffs) = received else { return Err(NotTaken::Refused("only changes are awaited".into())) };
        let mut held = self.zone.lock().expect("whole");
        for diff in &diffs {
            *held = held.apply(diff).map_err(|error| NotTaken::DoesNotFit(error.to_string()))?;
        }
        let now = self.served.load();
        swap(&self.served, &held, Arc::clone(&now.access));
        Ok(())
    }

    fn expire(&self, _: &Name) {}

    fn checked(&self, _: &Name, _: Kept) {}
}

fn swap(served: &ArcSwap<Served>, zone: &Zone, access: Arc<Access>) {
    let mut zones = ZoneSet::new();
    zones.insert(Arc::new(zone.clone()));
    let notices = Arc::clone(&served.load().notices);
    Served::replace(served, Served { zones: Arc::new(zones), face: Face::default(), access, notices, ..Served::default() });
}

/// Answers each question for changes with one: a SOA and a delegation.
fn primary(listener: TcpListener, apex: Name, soa: Soa, newest: Arc<AtomicU32>) {
    for stream in listener.incoming() {
        let mut stream = stream.expect("connected");
        let to = newest.load(Ordering::SeqCst);
        let _ = answer(&mut stream, &apex, &soa, to);
    }
}

fn answer(stream: &mut TcpStream, apex: &Name, soa: &Soa, to: u32) -> std::io::Result<()> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut request = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut request)?;
    let question = message::HEADER + apex.as_ref().as_wire().len() + 4;
    let have = inward::serial_in(&request, 2, apex).map_or(0, |serial| serial.0);
    let mut reply = request[..question].to_vec();
    (reply[2], reply[3]) = (0x84, 0);
    reply[6..12].copy_from_slice(&[0, 5, 0, 0, 0, 0]);
    let host = Name::prepend(format!("follow-{to}").as_bytes(), apex.as_ref()).expect("short");
    let version = |serial| Soa { serial, ..soa.clone() }.to_rdata();
    for (owner, rtype, rdata) in [
        (apex, Rtype::SOA, version(to)),
        (apex, Rtype::SOA, version(have)),
        (apex, Rtype::SOA, version(to)),
        (&host, Rtype::NS, b"\x02ns\x07example\0".to_vec()),
        (apex, Rtype::SOA, version(to)),
    ] {
        let (at, owner) = (reply.len(), owner.as_ref().as_wire());
        reply.resize(at + owner.len() + 10 + rdata.len(), 0);
        message::put_record(&mut reply, at, owner, rtype, 1, 3600, &rdata).expect("room was made");
    }
    stream.write_all(&[&(reply.len() as u16).to_be_bytes(), &reply[..]].concat())
}

/// A message about the SOA of the zone, with this opcode, and the SOA of a version where there is one.
fn request(apex: &Name, opcode: u8, version: Option<&Soa>) -> Vec<u8> {
    let mut octets = vec![0, 9, opcode << 3, 0, 0, 1, 0, u8::from(version.is_some()), 0, 0, 0, 0];
    octets.extend_from_slice(apex.as_ref().as_wire());
    octets.extend([0, 6, 0, 1]);
    if let Some(soa) = version {
        let rdata = soa.to_rdata();
        octets.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, rdata.len() as u8]);
        octets.extend(rdata);
    }
    octets
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(apex)) = (args.next(), args.next()) else { panic!("follow FILE APEX [CHANGES]") };
    let n: u32 = args.next().map_or(1000, |n| n.parse().expect("a number"));
    let apex = Name::parse(&apex).expect("a name").as_ref().to_lowercase();
    let records = master::read_file(Path::new(&file), apex.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    let zone = Zone::build(apex.as_ref(), records).unwrap_or_else(|error| panic!("{error}"));
    let soa = zone.soa().clone();

    let everybody = vec![Allow { prefix: IpAddr::V4(Ipv4Addr::LOCALHOST).into(), key: None, tls: Demand::None }];
    let access = Access { others: everybody.clone(), secondaries: [(apex.clone(), everybody)].into(), ..Access::default() };
    let served =
        Served { zones: Arc::default(), face: Face::default(), access: Arc::new(access), notices: Arc::default(), ..Served::default() };
    let served = Arc::new(ArcSwap::from_pointee(served));
    swap(&served, &zone, Arc::clone(&served.load().access));
    let server = Server::bind(&[(Ipv4Addr::LOCALHOST, 0).into()], 1, Limits::default()).expect("bound");
    let address = server.local_addrs()[0];
    let telemetry = Telemetry::new();
    let running = server.start(Arc::clone(&served), &telemetry).expect("started");

    let limits = inward::Limits::default();
    let from = Primary { address, key: None, tls: None };
    let began = Instant::now();
    let fetched = Asking { primary: &from, apex: apex.as_ref(), times: Times::default(), limits }.whole();
    let fetched = fetched.unwrap_or_else(|error| panic!("{error}"));
    let in_ms = began.elapsed().as_millis();
    let Received::Whole(records) = fetched.received else { panic!("a whole zone") };
    let zone = Zone::build(apex.as_ref(), records).expect("a zone");
    println!("AXFR: {}, {in_ms} ms until it is here, {} ms until it can be answered from", fetched.counted, began.elapsed().as_millis());

    let newest = Arc::new(AtomicU32::new(soa.serial));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let primary_at: SocketAddr = listener.local_addr().expect("an address");
    {
        let (apex, soa, newest) = (apex.clone(), soa.clone(), Arc::clone(&newest));
        std::thread::spawn(move || primary(listener, apex, soa, newest));
    }
    let now = UnixTime::now();
    let held = Some((soa.clone(), Kept { checked: now, until: UnixTime(now.0 + 86_400) }));
    let source = Source { apex: apex.clone(), primaries: vec![Primary { address: primary_at, key: None, tls: None }], limits, held };
    let holder = Arc::new(Shelf { zone: Mutex::new(zone), served: Arc::clone(&served) });
    let notices = Arc::clone(&served.load().notices);
    let secondaries = Secondaries::start(vec![source], holder, notices, 8, Times::default()).expect("threads");

    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    socket.connect(address).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let mut buffer = [0; 4096];
    let question = request(&apex, 0, None);
    let mut took: Vec<Duration> = Vec::new();
    for i in 1..=n {
        let serial = soa.serial.wrapping_add(i);
        newest.store(serial, Ordering::SeqCst);
        let began = Instant::now();
        socket.send(&request(&apex, 4, Some(&Soa { serial, ..soa.clone() }))).expect("sent");
        socket.recv(&mut buffer).expect("an answer to the NOTIFY");
        loop {
            socket.send(&question).expect("sent");
            let len = socket.recv(&mut buffer).expect("an answer");
            if inward::serial_in(&buffer[..len], 1, &apex).is_some_and(|found| found.0 == serial) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "serial {serial} does not come");
            std::thread::sleep(Duration::from_micros(100));
        }
        took.push(began.elapsed());
    }
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    println!("NOTIFY to answer, {n} changes: median {:.2} ms, 99 % {:.2} ms, at most {:.2} ms", at(50), at(99), at(100));
    drop(secondaries);
    running.stop(Duration::ZERO);
}
