//! RFC 8482: ANY is answered with one set.

use crate::ask::{denials, signed, unsigned};
use crate::proof::{Proven, check_proof};
use saola::dns::Rtype;

/// §4.1: one set that exists, with its signatures where DO is set, and no TC for what is left out.
#[test]
fn any_gets_one_set() {
    for (label, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        for name in ["vn.", "www.vn.", "a.dns.vn.", "mail.vn.", "unknown.vn.", "q.wild.vn.", "c1.vn.", "d.vn.", "*.wild.vn."] {
            for size in ["tcp", "size=512", "size=1232"] {
                let reply = world.ask(&format!("{name} ANY do {size}"));
                let mut types: Vec<Rtype> = reply.answer.iter().filter(|rr| rr.rtype != Rtype::RRSIG).map(|rr| rr.rtype).collect();
                types.dedup();
                assert_eq!((reply.rcode, types.len(), reply.truncated), (0, 1, false), "{label} {name} {size}");
                assert_ne!(types[0], Rtype::NSEC, "{label} {name}: not the least useful one");
                assert!(reply.answer.iter().any(|rr| rr.covered() == Some(types[0])), "{label} {name}: signed");
            }
            check_proof(&world, &format!("{name} ANY"), Proven::Answer);
            assert!(world.ask(&format!("{name} ANY")).answer.iter().all(|rr| rr.rtype != Rtype::RRSIG), "{label} {name}");
        }
    }
}

/// §4.1: what does not exist is denied as for any other type.
#[test]
fn any_is_denied_like_other_types() {
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        check_proof(&world, "w.vn. ANY", Proven::NoData);
        check_proof(&world, "secure.vn. ANY", Proven::Secure);
        check_proof(&world, "insecure.vn. ANY", Proven::Insecure);
        check_proof(&world, "q.went.vn. ANY", Proven::NoData);
    }
    let world = unsigned("vn.zone", "vn.");
    assert_eq!(world.ask("nosuch.vn. ANY").rcode, 3);
}
