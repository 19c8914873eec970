//! RFC 6840: clarifications of DNSSEC that bind who answers.

use saola::dns::Rtype;
use saola::sign::Denial;

use crate::ask::{denials, signed};
use crate::proof::{Proven, check_proof};

/// §4.1: NSEC and NSEC3 of a cut are never used to deny names below it.
#[test]
fn the_proof_of_a_cut_denies_nothing_below_it() {
    for (label, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        for question in ["nosuch.secure.vn. A", "nosuch.insecure.vn. A", "nosuch.com.vn. A", "a.b.c.s1.mixed.vn. A"] {
            let reply = world.ask(&format!("{question} do tcp"));
            assert_eq!(reply.rcode, 0, "{label} {question}");
            assert!(reply.authority.iter().any(|rr| rr.rtype == Rtype::NS), "{label} {question}");
        }
    }
}

/// §4.4: insecure delegations list NS and neither SOA nor DS.
#[test]
fn the_bitmap_of_an_insecure_cut_shows_ns_alone() {
    let world = signed("vn.zone", "vn.", &Denial::NSEC3);
    let reply = world.ask("x.insecure.vn. A do");
    let nsec3 = reply.authority.iter().find(|rr| rr.rtype == Rtype::NSEC3).expect("a link");
    assert!(saola::dns::rdata::bitmap_types(&nsec3.rdata[26..]).eq([Rtype::NS]));
}

/// §5.1: the next name of an NSEC is in lower case, so that it means the same whichever way it is hashed.
#[test]
fn names_in_nsec_are_in_lower_case() {
    let world = signed("vn.zone", "vn.", &Denial::Nsec);
    for question in ["MIXED.VN. A do", "mixez.vn. A do", "mail.vn. A do", "NOSUCH.vn. A do"] {
        for nsec in world.ask(question).authority.iter().filter(|rr| rr.rtype == Rtype::NSEC) {
            let end = nsec.rdata.len();
            assert!(!nsec.rdata[..end.min(7)].iter().any(u8::is_ascii_uppercase), "{question}");
        }
    }
    check_proof(&world, "MIXEC.VN. A", Proven::NxDomain);
}

/// §5.7 and §5.8: DO is copied; AD is not set whatever the request has.
#[test]
fn do_is_copied_into_the_reply() {
    let world = signed("vn.zone", "vn.", &Denial::NSEC3);
    for question in ["www.vn. A do", "nosuch.vn. A do", "example. A do", "vn. AXFR do", "www.vn. A do version=1"] {
        assert!(world.ask(question).opt.is_some_and(|opt| opt.dnssec_ok), "{question}");
    }
    assert!(world.ask("www.vn. A edns ad").opt.is_some_and(|opt| !opt.dnssec_ok));
}
