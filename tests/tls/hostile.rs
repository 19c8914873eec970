//! What a client can send in front of and inside TLS: it costs no more than over TCP, and its connection ends.

use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, Stream};
use saola::dns::Rtype;
use saola::telemetry::Counter;
use saola::transfer::access::Demand;
use saola::transport::Limits;

use super::papers::Papers;
use super::world::{PATIENCE, RECORDS, World, access, client, question, read_message, transfer};

fn world(papers: &Papers, limits: Limits) -> World {
    World::start(&papers.server, access(Demand::Tls), limits)
}

/// Nothing more comes but perhaps an alert, and then the end.
#[track_caller]
fn check_closed(stream: &mut TcpStream) {
    let mut octets = Vec::new();
    match stream.read_to_end(&mut octets) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("not closed: {error}"),
    }
}

/// What a client says first.
fn hello(papers: &Papers) -> Vec<u8> {
    let mut octets = Vec::new();
    client(papers, None, &["dot"]).write_tls(&mut octets).expect("written");
    octets
}

/// Still well afterwards.
#[track_caller]
fn check_serves(world: &World, papers: &Papers) {
    let mut stream = world.connect(papers.server.pin(), None).expect("connected");
    assert_eq!(transfer(&mut stream).expect("a zone"), (0, RECORDS));
}

#[test]
fn what_is_no_tls_ends_the_connection_with_an_alert() {
    let papers = Papers::new();
    let world = world(&papers, Limits::default());
    let plain = question(1, "example.", Rtype::SOA);
    let other: &[u8] = &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    let cases =
        [&plain[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 5], &[0xff; 20_000], other, &[0x17, 3, 3, 0, 1, 0], &[0x15, 3, 3, 0, 2, 2, 40]];
    for octets in cases {
        let mut stream = world.tcp(world.tls);
        stream.write_all(octets).expect("sent");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        check_closed(&mut stream);
    }
    world.await_none_open();
    assert_eq!(world.count(Counter::TcpClosedTls), cases.len() as u64);
    // An alert is heard: the client is told, and not only cut off.
    let mut stream = world.tcp(world.tls);
    stream.write_all(&plain).expect("sent");
    let mut alert = [0; 7];
    stream.read_exact(&mut alert).expect("an alert");
    assert_eq!((alert[0], alert[5]), (21, 2), "fatal");
    check_serves(&world, &papers);
    drop(stream);
    world.stop();
}

#[test]
fn a_protocol_that_is_not_spoken_is_refused() {
    let papers = Papers::new();
    let world = world(&papers, Limits::default());
    let (mut tls, mut tcp) = (client(&papers, None, &["h2"]), world.tcp(world.tls));
    let error = tls.complete_io(&mut tcp).expect_err("refused");
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    drop(tcp);
    assert_eq!(world.stop().get(Counter::TcpClosedTls), 1);
}

#[test]
fn a_hello_that_is_cut_anywhere_ends_with_the_client() {
    let papers = Papers::new();
    let world = world(&papers, Limits::default());
    let hello = hello(&papers);
    assert!(hello.len() > 100);
    for cut in 0..hello.len() {
        let mut stream = world.tcp(world.tls);
        stream.write_all(&hello[..cut]).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("shut");
        check_closed(&mut stream);
    }
    world.await_none_open();
    check_serves(&world, &papers);
    world.stop();
}

/// A handshake has the time of a request, however much of it comes meanwhile; and so has its second half.
#[test]
fn a_slow_handshake_is_cut() {
    let papers = Papers::new();
    let limits = Limits { receive: Duration::from_millis(700), ..Limits::default() };
    let world = world(&papers, limits);
    let hello = hello(&papers);
    let mut silent = world.tcp(world.tls);
    let mut half = world.tcp(world.tls);
    half.write_all(&hello).expect("sent");
    let mut dribbling = world.tcp(world.tls);
    let start = Instant::now();
    for octet in &hello {
        if dribbling.write_all(&[*octet]).is_err() || world.count(Counter::TcpClosedSlowWriter) == 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(start.elapsed() < PATIENCE);
    [&mut silent, &mut half, &mut dribbling].into_iter().for_each(check_closed);
    // Who is done with it has the time of an idle connection.
    let mut stream = loop {
        // On a busy machine it may take that time as well.
        match world.connect(papers.server.pin(), None) {
            Ok(stream) => break stream,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
    };
    std::thread::sleep(Duration::from_millis(1000));
    assert_eq!(transfer(&mut stream).expect("a zone"), (0, RECORDS));
    drop(stream);
    assert!(world.stop().get(Counter::TcpClosedSlowWriter) >= 3);
}

#[test]
fn many_that_only_connect_leave_room_for_one_that_asks() {
    let papers = Papers::new();
    let world = world(&papers, Limits::default());
    let hello = hello(&papers);
    let crowd: Vec<TcpStream> = (0..300)
        .map(|i| {
            let mut stream = world.tcp(world.tls);
            if i % 2 == 0 {
                stream.write_all(&hello).expect("sent");
            }
            stream
        })
        .collect();
    check_serves(&world, &papers);
    assert!(world.count(Counter::TcpClosedEvicted) >= 200);
    drop(crowd);
    world.stop();
}

#[test]
fn who_does_not_read_is_cut() {
    let papers = Papers::new();
    let world = world(&papers, Limits { send: Duration::from_millis(300), ..Limits::default() });
    let (mut tls, mut tcp) = (client(&papers, None, &["dot"]), world.tcp(world.tls));
    let mut stream = Stream::new(&mut tls, &mut tcp);
    let asked = question(9, "example.", Rtype::AXFR).repeat(500);
    let start = Instant::now();
    while stream.write_all(&asked).is_ok() && world.count(Counter::TcpClosedSlowReader) == 0 {
        assert!(start.elapsed() < PATIENCE, "not cut");
        check_serves(&world, &papers);
    }
    // What was on its way ends in the middle, and not as if it were all.
    while read_message(&mut stream).is_ok() {}
    assert!(tls.process_new_packets().is_ok_and(|state| !state.peer_has_closed()), "no end was announced");
    world.await_none_open();
    assert_eq!(world.stop().get(Counter::TcpClosedSlowReader), 1);
}

/// A slow reader that does take something gets everything, in order.
#[test]
fn a_slow_reader_gets_all() {
    let papers = Papers::new();
    let world = world(&papers, Limits::default());
    let (mut tls, mut tcp) = (client(&papers, None, &["dot"]), world.tcp(world.tls));
    socket2::SockRef::from(&tcp).set_recv_buffer_size(32 * 1024).expect("an option");
    let mut stream = Stream::new(&mut tls, &mut tcp);
    const TIMES: usize = 12;
    stream.write_all(&question(9, "example.", Rtype::AXFR).repeat(TIMES)).expect("sent");
    let mut records = 0;
    while records < TIMES * RECORDS {
        let message = read_message(&mut stream).expect("a message");
        records += usize::from(u16::from_be_bytes([message[6], message[7]]));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(records, TIMES * RECORDS);
    drop(tcp);
    world.stop();
}

/// A socket whose client changes what it sends.
struct Mutating<'a> {
    tcp: TcpStream,
    random: &'a mut fastrand::Rng,
    /// Octets that still go as they are.
    good: usize,
}

impl Read for Mutating<'_> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(octets)
    }
}

impl Write for Mutating<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut sent = octets.to_vec();
        if let Some(at) = (self.good < sent.len()).then(|| self.random.usize(self.good..sent.len())) {
            match self.random.u8(..5) {
                0 | 1 => sent[at] ^= 1 << self.random.u8(..8),
                2 => drop(sent.drain(at..sent.len().min(at + 5))),
                3 => sent.splice(at..at, [self.random.u8(..), 0, 0xff]).for_each(drop),
                _ => {
                    let piece = sent[at..].to_vec();
                    sent.extend(piece);
                }
            }
        }
        self.good = self.good.saturating_sub(octets.len());
        self.tcp.write_all(&sent)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Octets of handshake and records, changed: no panic, no wrong answer, and the connection is freed.
#[test]
fn records_that_were_changed_on_the_way_are_not_answered() {
    let papers = Papers::new();
    let world = world(&papers, Limits::default());
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut answered = 0;
    for round in 0..200 {
        let mut tls: ClientConnection = client(&papers, random.bool().then_some(&papers.edge), &["dot"]);
        let good = random.usize(..if round % 2 == 0 { 1500 } else { 300 });
        let tcp = world.tcp(world.tls);
        // Where octets are missing, both wait; then this side gives up.
        tcp.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let mut stream = Mutating { tcp, random: &mut random, good };
        let mut stream = Stream::new(&mut tls, &mut stream);
        let asked = (0..3).flat_map(|id| question(id, "example.", Rtype::SOA)).collect::<Vec<_>>();
        if stream.write_all(&asked).is_err() {
            continue;
        }
        for id in 0..3u16 {
            match read_message(&mut stream) {
                Ok(message) => assert_eq!((&message[..2], message[3] & 15), (&id.to_be_bytes()[..], 0), "seed {seed}, round {round}"),
                Err(_) => break,
            }
            answered += 1;
        }
    }
    assert!(answered > 0, "all were changed too early");
    world.await_none_open();
    assert!(world.count(Counter::TcpClosedTls) > 20);
    check_serves(&world, &papers);
    world.stop();
}

/// Octets of anybody, where TLS is spoken: nothing but ends of connections.
#[test]
fn random_octets_do_no_harm() {
    let papers = Papers::new();
    let world = world(&papers, Limits::default());
    let hello = hello(&papers);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..300 {
        let mut octets = hello.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..octets.len());
            match random.u8(..3) {
                0 => octets[at] = random.u8(..),
                1 => octets.truncate(at.max(1)),
                _ => octets.extend((0..random.usize(..400)).map(|_| random.u8(..))),
            }
        }
        let mut stream = world.tcp(world.tls);
        for piece in octets.chunks(random.usize(1..200)) {
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = io::copy(&mut stream, &mut Cursor::new(Vec::new()));
    }
    world.await_none_open();
    check_serves(&world, &papers);
    world.stop();
}
