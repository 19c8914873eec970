//! RFC 1996: NOTIFY.

use saola::answer::Transport;
use saola::dns::rdata::Soa;
use saola::dns::{Name, Serial, UnixTime};
use saola::transfer::access::{Allow, Demand, Prefix};
use saola::transfer::inward::Noticed;
use saola::transfer::tsig::{Algorithm, Key};

use crate::ask::{NOW, Question, World, unsigned};

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn key() -> Key {
    Key::new(name("xfr").as_ref(), Algorithm::HmacSha256, b"secret")
}

/// `vn.` is ours; `second.vn.` and `gone.` are had from others, `gone.` not yet. Who may say so: 192.0.2.53, and who has the key.
fn world() -> World {
    let mut world = unsigned("vn.zone", "vn.");
    world.access.keys = [key()].into_iter().collect();
    for zone in ["second.vn", "gone"] {
        let allow = [("192.0.2.53", None), ("::/0", Some(name("xfr"))), ("0.0.0.0/0", Some(name("xfr")))];
        let allow = allow.map(|(prefix, key)| Allow { prefix: Prefix::parse(prefix).expect("a prefix"), key, tls: Demand::None });
        world.access.secondaries.insert(name(zone), allow.into());
    }
    world
}

/// A NOTIFY, with the serial in a SOA where there is one.
fn request(question: &str, serial: Option<u32>) -> Vec<u8> {
    let mut request = Question::parse(question).to_wire();
    request[2] = 0x24;
    if let Some(serial) = serial {
        request[7] = 1;
        let rdata = Soa { mname: name("."), rname: name("."), serial, refresh: 1, retry: 1, expire: 1, minimum: 1 }.to_rdata();
        request.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, rdata.len() as u8]);
        request.extend(rdata);
    }
    request
}

/// §3.8 to §3.12: who may is answered with the question, and what he says is kept; nobody else is heard.
#[test]
fn notices_of_primaries_are_taken() {
    let world = world();
    for (question, client, rcode) in [
        ("second.vn. SOA", "192.0.2.53", 0),
        ("SECOND.vn. SOA", "192.0.2.53", 0),
        ("second.vn. SOA tcp", "::ffff:192.0.2.53", 0),
        ("gone. SOA", "192.0.2.53", 0),
        ("second.vn. SOA", "192.0.2.54", 5),
        ("second.vn. SOA", "2001:db8::1", 5),
        ("vn. SOA", "192.0.2.53", 5),
        ("www.second.vn. SOA", "192.0.2.53", 9),
        ("elsewhere. SOA", "192.0.2.53", 9),
        ("second.vn. A", "192.0.2.53", 1),
        ("second.vn. AXFR", "192.0.2.53", 1),
    ] {
        let world = World { client: client.parse().expect("an address"), ..self::world() };
        let request = request(question, Some(7));
        let reply = world.send(&request, Transport::Udp).expect("a reply");
        let aa = if rcode == 0 { 0x04 } else { 0 };
        assert_eq!((reply[2], reply[3] & 15), (0xa0 | aa, rcode), "{question} {client}");
        let asked = Question::parse(question).to_wire().len();
        assert_eq!((&reply[..2], &reply[12..]), (&request[..2], &request[12..asked]), "{question}: the question alone");
        let expected = (rcode == 0).then_some(Noticed { from: world.client, serial: Some(Serial(7)) });
        let zone = if question.starts_with("gone") { "gone" } else { "second.vn" };
        assert_eq!(world.notices.take().get(&name(zone)), expected.as_ref(), "{question} {client}");
    }
    // Of many one is kept, without a serial when they do not agree.
    for serials in [[Some(5), Some(5), Some(5)], [Some(5), Some(6), Some(6)], [None, Some(5), None]] {
        for serial in serials {
            world.send(&request("second.vn. SOA", serial), Transport::Udp);
        }
        let kept = world.notices.take();
        let expected = (serials[0] == serials[1]).then(|| serials[0].map(Serial)).flatten();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[&name("second.vn")].serial.is_some_and(|serial| Some(serial) == expected), expected.is_some(), "{serials:?}");
    }
}

/// RFC 8945: a key opens what an address does not, and a wrong one opens nothing.
#[test]
fn notices_may_be_signed() {
    let world = World { client: "2001:db8::1".parse().expect("an address"), ..world() };
    let good = key();
    let other = Key::new(name("xfr").as_ref(), Algorithm::HmacSha256, b"another");
    for (key, now, rcode) in [(&good, NOW, 0), (&other, NOW, 9), (&good, UnixTime(NOW.0 + 1000), 9)] {
        let mut request = request("second.vn. SOA", Some(7));
        let mut verifier = key.sign_request(&mut request, now);
        let reply = world.send(&request, Transport::Udp).expect("a reply");
        assert_eq!((reply[3] & 15, world.notices.take().len()), (rcode, usize::from(rcode == 0)));
        assert_eq!(verifier.take(&reply, NOW).is_ok(), rcode == 0, "the answer is signed");
    }
}
