//! RFC 7873 and RFC 9018: cookies.

use saola::answer::{Transport, cookie};

use crate::ask::{NOW, Question, World, unsigned};

fn world() -> World {
    let mut world = unsigned("vn.zone", "vn.");
    world.face.cookie_secrets = vec![[7; 16], [9; 16]];
    world
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

const CLIENT: &str = "0123456789abcdef";

/// §5.2.3: a client cookie gets client and server cookie back, in replies of every kind.
#[test]
fn a_client_cookie_is_answered_with_both() {
    for question in ["www.vn. A", "nosuch.vn. A", "example. A", "vn. AXFR", "www.vn. A tcp", "id.server. TXT class=3"] {
        let reply = world().ask(&format!("{question} option=10:{CLIENT}"));
        let cookie = reply.option(10).unwrap_or_default().to_vec();
        assert_eq!((cookie.len(), hex(&cookie[..8])), (24, CLIENT.to_owned()), "{question}");
        assert!(cookie::is_proven(&cookie, world().client, &world().face.cookie_secrets, NOW), "{question}");
    }
    assert_eq!(world().ask("www.vn. A edns").option(10), None);
}

/// §5.2.4 and §5.2.5: a wrong, old or foreign server cookie gets a good one and a full answer (we do not limit by it here).
#[test]
fn a_wrong_server_cookie_gets_a_good_one() {
    for server in ["00".repeat(8), "ff".repeat(16), "01".repeat(32)] {
        let reply = world().ask(&format!("www.vn. A option=10:{CLIENT}{server}"));
        assert_eq!((reply.rcode, reply.answer.len()), (0, 1));
        assert!(cookie::is_proven(reply.option(10).unwrap_or_default(), world().client, &world().face.cookie_secrets, NOW));
    }
}

/// RFC 9018 §4.3: one that is young comes back as it is.
#[test]
fn a_young_server_cookie_comes_back() {
    let first = world().ask(&format!("www.vn. A option=10:{CLIENT}")).option(10).map(hex).expect("a cookie");
    let second = world().ask(&format!("www.vn. A option=10:{first}")).option(10).map(hex).expect("a cookie");
    assert_eq!(first, second);
}

/// §5.2.2: lengths that no cookie has.
#[test]
fn cookies_of_wrong_length_are_format_errors() {
    for len in [0, 1, 7, 9, 15, 41, 64] {
        let request = Question::parse(&format!("www.vn. A option=10:{}", "ab".repeat(len))).to_wire();
        assert_eq!(world().send(&request, Transport::Udp).expect("a reply")[3] & 15, 1, "{len} octets");
    }
}

/// §5.2.1: without secrets the option is one that nobody knows.
#[test]
fn without_secrets_no_cookie_is_given() {
    let reply = unsigned("vn.zone", "vn.").ask(&format!("www.vn. A option=10:{CLIENT}"));
    assert_eq!((reply.rcode, reply.answer.len(), reply.option(10)), (0, 1, None));
}

/// §5.4: no question but a cookie: NOERROR, no question, the cookie.
#[test]
fn a_cookie_can_be_fetched_without_a_question() {
    let mut request = vec![1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8];
    request.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    let reply = world().send(&request, Transport::Udp).expect("a reply");
    assert_eq!(reply[..12], [1, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(reply[23..35], [0, 10, 0, 24, 1, 2, 3, 4, 5, 6, 7, 8]);
    request.truncate(23);
    request[22] = 0;
    assert_eq!(world().send(&request, Transport::Udp).expect("a reply")[3] & 15, 1, "without a cookie it is no question");
}

/// §5.2.3: BADVERS and others stay readable: options are read for version 0 alone.
#[test]
fn cookies_of_later_versions_are_not_read() {
    assert_eq!(world().ask(&format!("www.vn. A version=1 option=10:{CLIENT}")).option(10), None);
}
