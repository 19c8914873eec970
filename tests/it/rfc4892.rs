//! RFC 4892: what the server says of itself in class CH.

use saola::answer::Face;

use crate::ask::{World, unsigned};

fn world() -> World {
    let mut world = unsigned("vn.zone", "vn.");
    world.face = Face { identity: b"a1.han".to_vec(), hostname: b"ns1.host".to_vec(), version: b"Saola 1".to_vec(), ..Face::default() };
    world
}

#[track_caller]
fn check(question: &str, rcode: u8, text: &[u8]) {
    let request = crate::ask::Question::parse(question).to_wire();
    let reply = world().send(&request, saola::answer::Transport::Udp).expect("a reply");
    assert_eq!(reply[3] & 15, rcode, "{question}");
    assert_eq!(reply[12..request.len()], request[12..], "{question}");
    if text.is_empty() {
        assert_eq!(reply.len(), request.len(), "{question}");
        return;
    }
    let mut expected = b"\xc0\x0c\0\x10\0\x03\0\0\0\0\0".to_vec();
    expected.push(text.len() as u8 + 1);
    expected.push(text.len() as u8);
    expected.extend(text);
    assert_eq!(reply[request.len()..], expected, "{question}");
    assert_eq!(reply[2] & 0x04, 4, "{question}: AA");
}

/// §3: id.server, and the names that came before it, as TXT of class CH with TTL 0.
#[test]
fn the_server_tells_its_names() {
    check("id.server. TXT class=3", 0, b"a1.han");
    check("ID.Server. TXT class=3", 0, b"a1.han");
    check("hostname.bind. TXT class=3", 0, b"ns1.host");
    check("version.bind. TXT class=3", 0, b"Saola 1");
    check("version.server. TXT class=3", 0, b"Saola 1");
    check("id.server. ANY class=3", 0, b"a1.han");
}

#[test]
fn other_types_are_no_data_and_other_names_are_refused() {
    check("id.server. A class=3", 0, b"");
    check("server. TXT class=3", 5, b"");
    check("authors.bind. TXT class=3", 5, b"");
    check("vn. SOA class=3", 5, b"");
    check("id.server. TXT", 5, b"");
    check("id.server. TXT class=4", 5, b"");
}

/// §3: an operator may choose not to tell.
#[test]
fn what_is_not_configured_is_refused() {
    let mut world = world();
    world.face = Face::default();
    for name in ["id.server.", "hostname.bind.", "version.bind.", "version.server."] {
        assert_eq!(world.ask(&format!("{name} TXT class=3")).rcode, 5, "{name}");
    }
}

#[test]
fn the_longest_text_is_255_octets() {
    let mut world = world();
    world.face.identity = vec![b'x'; 300];
    let reply = world.ask("id.server. TXT class=3 edns");
    assert_eq!(reply.answer[0].rdata.len(), 256);
}
