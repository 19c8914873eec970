//! RFC 9660: ZONEVERSION.

use crate::ask::{World, read, unsigned};

fn world() -> World {
    unsigned("vn.zone", "vn.").with("com.vn.", read("com.vn.zone", "com.vn."))
}

/// §3.1: labels of the zone, type 0 (SOA serial), the serial; of the zone that answered.
#[test]
fn the_version_of_the_zone_is_told() {
    let vn = [&[1, 0][..], &2_026_112_201u32.to_be_bytes()].concat();
    let com = [&[2, 0][..], &7u32.to_be_bytes()].concat();
    for (question, expected) in [
        ("www.vn. A", &vn),
        ("nosuch.vn. A", &vn),
        ("vn. SOA", &vn),
        ("secure.vn. A", &vn),
        ("com.vn. DS", &vn),
        ("com.vn. SOA", &com),
        ("www.com.vn. A tcp", &com),
        ("nosuch.com.vn. A", &com),
    ] {
        assert_eq!(world().ask(&format!("{question} option=19:")).option(19), Some(&expected[..]), "{question}");
    }
    assert_eq!(world().ask("www.vn. A edns").option(19), None, "not asked for");
}

/// §3.2.1: never for names that we are not authoritative for.
#[test]
fn other_zones_have_no_version_here() {
    for question in ["www.example. A", "id.server. TXT class=3", "www.vn. A class=4"] {
        assert_eq!(world().ask(&format!("{question} option=19:")).option(19), None, "{question}");
    }
}

/// §3.1: in a request the option is empty.
#[test]
fn data_in_the_request_is_a_format_error() {
    let request = crate::ask::Question::parse("www.vn. A option=19:0100").to_wire();
    assert_eq!(world().send(&request, saola::answer::Transport::Udp).expect("a reply")[3] & 15, 1);
}
