//! RFC 8914: extended errors.

use saola::dns::{Name, UnixTime};

use crate::ask::{NOW, unsigned};

/// §4.21: not authoritative; §4.15: not ready. The code is told to who speaks EDNS.
#[test]
fn errors_say_why() {
    let mut world = unsigned("vn.zone", "vn.");
    world.zones.insert_unavailable(Name::parse("later.").expect("a name").as_ref());
    let reply = world.ask("www.example. A edns");
    assert_eq!((reply.rcode, reply.option(15)), (5, Some(&[0, 20][..])));
    let reply = world.ask("www.later. A edns");
    assert_eq!((reply.rcode, reply.option(15)), (2, Some(&[0, 14][..])));
    let reply = world.ask("www.later. A");
    assert_eq!((reply.rcode, reply.opt.is_none()), (2, true));
    assert!(!reply.authoritative);
}

/// §4.25: what expired is something else than what is not there yet.
#[test]
fn what_expired_is_told_from_what_was_never_there() {
    let mut world = unsigned("vn.zone", "vn.");
    let name = |text| Name::parse(text).expect("a name");
    for apex in ["later.", "old.", "new.old.", "x."] {
        world.zones.insert_unavailable(name(apex).as_ref());
    }
    world.face.expiry.set(&name("old."), NOW);
    // Good still, and not served all the same.
    world.face.expiry.set(&name("new.old."), UnixTime(NOW.0 + 1));
    for (question, code) in [("www.OLD. A", 24), ("old. SOA", 24), ("www.new.old. A", 14), ("www.later. A", 14), ("x. NS", 14)] {
        let reply = world.ask(&format!("{question} edns"));
        assert_eq!((reply.rcode, reply.option(15)), (2, Some(&[0, code][..])), "{question}");
    }
}

/// §2: nothing is wrong with good answers.
#[test]
fn good_answers_have_no_error() {
    let world = unsigned("vn.zone", "vn.");
    for question in ["www.vn. A", "nosuch.vn. A", "secure.vn. A", "vn. MX"] {
        assert_eq!(world.ask(&format!("{question} edns")).option(15), None, "{question}");
    }
}
