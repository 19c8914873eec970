//! RFC 5001: NSID.

use saola::answer::Face;

use crate::ask::{World, unsigned};

fn world() -> World {
    let mut world = unsigned("vn.zone", "vn.");
    world.face = Face { identity: b"a1.han".to_vec(), ..Face::default() };
    world
}

/// §2.1 and §2.2: given when asked for, and only then, in answers of every kind.
#[test]
fn the_identity_is_given_when_asked_for() {
    for question in ["www.vn. A", "nosuch.vn. A", "example. A", "secure.vn. A", "vn. AXFR", "www.vn. A tcp"] {
        assert_eq!(world().ask(&format!("{question} option=3:")).option(3), Some(&b"a1.han"[..]), "{question}");
        assert_eq!(world().ask(&format!("{question} edns")).option(3), None, "{question}");
    }
    assert_eq!(unsigned("vn.zone", "vn.").ask("www.vn. A option=3:").option(3), None, "none is configured");
}

/// §2.1: what a client puts into the option is ignored.
#[test]
fn data_in_the_request_is_ignored() {
    assert_eq!(world().ask("www.vn. A option=3:0102").option(3), Some(&b"a1.han"[..]));
    assert_eq!(world().ask("www.vn. A option=3: option=3:").option(3), Some(&b"a1.han"[..]));
}

/// §2.2: it costs room like everything else; the answer is cut around it and it stays.
#[test]
fn it_stays_in_truncated_answers() {
    let reply = world().ask("vn. ANY option=3: size=512");
    assert_eq!(reply.option(3), Some(&b"a1.han"[..]));
    let mut world = world();
    world.face.identity = vec![b'x'; 460];
    let reply = world.ask("www.vn. A option=3: size=512");
    assert!(reply.bytes.len() <= 512 && reply.opt.is_some());
}
