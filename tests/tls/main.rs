//! Questions and transfers over TLS: who is let in, who is trusted, and what a hostile client costs. RFC 7858, RFC 9103.

mod hostile;
#[path = "../papers/mod.rs"]
mod papers;
#[path = "../peers/mod.rs"]
mod peers;
mod primaries;
mod world;

use std::io::{ErrorKind, Read, Write};

use papers::{Paper, Papers};
use rustls::Stream;
use saola::dns::Rtype;
use saola::telemetry::Counter;
use saola::transfer::access::{Access, Demand};
use saola::transport::Limits;
use world::{RECORDS, World, access, client, question, read_message, transfer};

const REFUSED: u8 = 5;

#[test]
fn questions_and_zones_come_over_one_connection() {
    let papers = Papers::new();
    let world = World::start(&papers.server, access(Demand::Tls), Limits::default());
    let mut stream = world.connect(papers.authority.for_name("ns0.example"), None).expect("connected");
    // Many at once, a zone among them: answered in their order.
    let asked: Vec<u8> = (0..500).flat_map(|id| question(id, "n1.example.", Rtype::A)).collect();
    stream.write_all(&asked).expect("sent");
    for id in 0..500 {
        assert_eq!(read_message(&mut stream).expect("an answer")[..2], u16::to_be_bytes(id));
    }
    assert_eq!(transfer(&mut stream).expect("a zone"), (0, RECORDS));
    assert_eq!(transfer(&mut stream).expect("a zone"), (0, RECORDS));
    drop(stream);
    let sum = world.stop();
    assert_eq!((sum.get(Counter::QueriesTls4), sum.get(Counter::QueriesTcp4), sum.get(Counter::TcpClosedClient)), (502, 0, 1));
}

#[test]
fn a_client_that_said_its_end_gets_its_answers_and_hears_ours() {
    let papers = Papers::new();
    let world = World::start(&papers.server, access(Demand::Tls), Limits::default());
    let mut tls = client(&papers, None, &["dot"]);
    let mut tcp = world.tcp(world.tls);
    let mut stream = Stream::new(&mut tls, &mut tcp);
    let asked = [question(1, "example.", Rtype::SOA), question(9, "example.", Rtype::AXFR), question(3, "example.", Rtype::SOA)].concat();
    stream.write_all(&asked).expect("sent");
    stream.conn.send_close_notify();
    stream.flush().expect("sent");
    let mut octets = Vec::new();
    // An end that is not announced would be an error.
    stream.read_to_end(&mut octets).expect("all of it");
    let mut rest = &octets[..];
    let (mut ids, mut records) = (Vec::new(), 0);
    while !rest.is_empty() {
        let message = read_message(&mut rest).expect("whole messages");
        records += usize::from(u16::from_be_bytes([message[6], message[7]]));
        ids.push(message[1]);
    }
    ids.dedup();
    assert_eq!((ids, records), (vec![1, 9, 3], RECORDS + 2));
    world.await_none_open();
    assert_eq!(world.stop().get(Counter::TcpClosedClient), 1);
}

/// How a zone is asked for.
enum How<'a> {
    Tcp,
    Tls(Option<&'a Paper>, &'a [&'a str]),
}

#[test]
fn a_zone_goes_to_who_proves_what_is_demanded() {
    let papers = Papers::new();
    let Papers { authority, server, edge, expired, stranger } = &papers;
    let dot: &[&str] = &["dot"];
    let (none, tls) = (Demand::None, Demand::Tls);
    let by_name = Demand::Client(authority.for_name("edge1.example"));
    let by_pin = |paper: &Paper| Demand::Client(paper.pin());
    for (what, demand, how, is_given) in [
        ("anybody, TCP", &none, How::Tcp, true),
        ("anybody, TLS", &none, How::Tls(None, dot), true),
        ("anybody, TLS for another protocol", &none, How::Tls(None, &[]), true),
        ("TLS, but TCP", &tls, How::Tcp, false),
        ("TLS", &tls, How::Tls(None, dot), true),
        ("TLS, and more protocols", &tls, How::Tls(None, &["h2", "dot"]), true),
        ("TLS, but without ALPN (RFC 9103 s. 7.1)", &tls, How::Tls(None, &[]), false),
        ("TLS, with any certificate", &tls, How::Tls(Some(stranger), dot), true),
        ("a pin, but TCP", &by_pin(edge), How::Tcp, false),
        ("a pin, but no certificate", &by_pin(edge), How::Tls(None, dot), false),
        ("a pin", &by_pin(edge), How::Tls(Some(edge), dot), true),
        ("a pin without ALPN", &by_pin(edge), How::Tls(Some(edge), &[]), false),
        ("another pin", &by_pin(edge), How::Tls(Some(stranger), dot), false),
        ("a pin, whatever its date", &by_pin(expired), How::Tls(Some(expired), dot), true),
        ("a name, but TCP", &by_name, How::Tcp, false),
        ("a name, but no certificate", &by_name, How::Tls(None, dot), false),
        ("a name", &by_name, How::Tls(Some(edge), dot), true),
        ("a name, expired", &by_name, How::Tls(Some(expired), dot), false),
        ("a name, by another authority", &by_name, How::Tls(Some(stranger), dot), false),
        ("another name", &by_name, How::Tls(Some(server), dot), false),
        ("the authority itself", &by_name, How::Tls(Some(authority), dot), false),
    ] {
        let world = World::start(server, access(demand.clone()), Limits::default());
        let (mut tcp, mut tls);
        let (given, answered) = match how {
            How::Tcp => {
                tcp = world.tcp(world.plain);
                (transfer(&mut tcp), ask(&mut tcp))
            }
            How::Tls(shown, alpn) => {
                (tcp, tls) = (world.tcp(world.tls), client(&papers, shown, alpn));
                let mut stream = Stream::new(&mut tls, &mut tcp);
                (transfer(&mut stream), ask(&mut stream))
            }
        };
        assert_eq!(given.expect(what), if is_given { (0, RECORDS) } else { (REFUSED, 0) }, "{what}");
        assert_eq!(answered, 0, "{what}: a question is answered in any case");
        drop(tcp);
        world.stop();
    }
}

/// The response code for a question.
fn ask(stream: &mut (impl Read + Write)) -> u8 {
    stream.write_all(&question(1, "example.", Rtype::SOA)).expect("sent");
    read_message(stream).expect("an answer")[3] & 15
}

/// A certificate that one demand was refused for may meet another; every request is judged anew after a reload.
#[test]
fn what_is_demanded_may_change_under_a_connection() {
    let papers = Papers::new();
    let demand = |name: &str| access(Demand::Client(papers.authority.for_name(name)));
    let world = World::start(&papers.server, demand("edge1.example"), Limits::default());
    let mut stream = world.connect(papers.server.pin(), Some(&papers.edge)).expect("connected");
    for (access, expected) in [
        (demand("edge1.example"), (0, RECORDS)),
        (demand("edge2.example"), (REFUSED, 0)),
        (Access::default(), (REFUSED, 0)),
        (access(Demand::Client(papers.edge.pin())), (0, RECORDS)),
    ] {
        world.reload(&papers.server, access);
        assert_eq!(transfer(&mut stream).expect("answered"), expected);
    }
    drop(stream);
    world.stop();
}

#[test]
fn a_client_says_nothing_to_a_server_that_is_not_the_one() {
    let papers = Papers::new();
    let Papers { authority, server, edge, expired, stranger } = &papers;
    for (what, shown, trust, is_meant) in [
        ("its name", server, authority.for_name("ns0.example"), true),
        ("its key", server, server.pin(), true),
        ("its key, whatever its date", expired, expired.pin(), true),
        ("its own authority", &Paper::alone("x.example"), authority.for_name("x.example"), false),
        ("another name", server, authority.for_name("ns1.example"), false),
        ("another key", server, edge.pin(), false),
        ("an expired certificate", expired, authority.for_name("edge1.example"), false),
        ("another authority", stranger, authority.for_name("edge1.example"), false),
        ("an address", server, authority.for_name("127.0.0.1"), false),
    ] {
        let world = World::start(shown, access(Demand::Tls), Limits::default());
        match world.connect(trust, None) {
            Ok(mut stream) => {
                assert!(is_meant, "{what}");
                assert_eq!(transfer(&mut stream).expect("a zone"), (0, RECORDS), "{what}");
            }
            Err(error) => assert!(!is_meant && error.kind() == ErrorKind::InvalidData, "{what}: {error}"),
        }
        world.await_none_open();
        assert_eq!(world.count(Counter::TcpClosedTls), u64::from(!is_meant), "{what}");
        world.stop();
    }
    // Whom it means, it finds when the certificate is its own authority.
    let alone = Paper::alone("alone.example");
    let world = World::start(&alone, access(Demand::Tls), Limits::default());
    drop(world.connect(alone.for_name("alone.example"), None).expect("connected"));
    world.stop();
}

#[test]
fn a_reload_shows_another_certificate() {
    let papers = Papers::new();
    let world = World::start(&papers.edge, access(Demand::Tls), Limits::default());
    let mut old = world.connect(papers.edge.pin(), None).expect("connected");
    world.reload(&papers.server, access(Demand::Tls));
    // A worker takes what is served at its next turn.
    assert_eq!(ask(&mut old), 0);
    assert!(world.connect(papers.edge.pin(), None).is_err());
    let mut new = world.connect(papers.server.pin(), None).expect("connected");
    assert_eq!((ask(&mut new), ask(&mut old)), (0, 0));
    drop((old, new));
    world.stop();
}

/// One that comes back need not show all again; what it proved the first time still holds.
#[test]
fn a_session_that_is_taken_up_again_is_the_same_client() {
    let papers = Papers::new();
    let world = World::start(&papers.server, access(Demand::Client(papers.authority.for_name("edge1.example"))), Limits::default());
    let peer = saola::transport::tls::TlsPeer::new(papers.server.pin(), Some(&papers.edge.credentials()));
    for round in 0..3 {
        let mut stream = saola::transport::tls::connect(world.tcp(world.tls), &peer).expect("connected");
        let resumed = stream.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        assert_eq!((resumed, stream.conn.protocol_version()), (round > 0, Some(rustls::ProtocolVersion::TLSv1_3)));
        assert_eq!(transfer(&mut stream).expect("a zone"), (0, RECORDS), "round {round}");
    }
    world.stop();
}
