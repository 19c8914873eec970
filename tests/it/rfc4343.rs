//! RFC 4343: case does not matter and is kept.

use saola::sign::Denial;

use crate::ask::{denials, signed, unsigned};
use crate::proof::{Proven, check_proof};

/// §3: A to Z match a to z and no other octets do.
#[test]
fn case_does_not_matter() {
    let world = unsigned("vn.zone", "vn.");
    for question in ["mixed.vn. TXT", "MIXED.VN. TXT", "mIxEd.Vn. TXT"] {
        let name = question.split(' ').next().expect("a name");
        world.check(question, &format!("NOERROR aa answer: {name} TXT \"case\""));
    }
    // '[' and '{' differ by the bit that tells A from a.
    assert_eq!(world.ask("[.vn. A").rcode, 3);
    assert_eq!(world.ask("\\223.vn. A").rcode, 3, "octets past ASCII have no case");
}

/// §4.1: the question comes back octet for octet (0x20 resolvers compare it), and owners point into it.
#[test]
fn the_question_keeps_its_case() {
    let world = unsigned("vn.zone", "vn.");
    world.check("wWw.Vn. A", "NOERROR aa answer: wWw.Vn. A 192.0.2.11");
    world.check(
        "X.SeCuRe.vN. A",
        "NOERROR auth: SeCuRe.vN. NS ns1.SeCuRe.vN. | SeCuRe.vN. NS ns2.SeCuRe.vN.
         add: ns1.SeCuRe.vN. A 198.51.100.1 | ns1.SeCuRe.vN. AAAA 2001:db8:1::1 | ns2.SeCuRe.vN. A 198.51.100.2",
    );
    world.check("Q.wILD.vn. A", "NOERROR aa answer: Q.wILD.vn. A 192.0.2.9");
    world.check("Q.d.vn. A", "NOERROR aa answer: d.vn. DNAME wild.vn. | Q.d.vn. CNAME Q.wild.vn. | Q.wild.vn. A 192.0.2.9");
}

/// §4.1: names in data keep the case of the zone.
#[test]
fn names_in_data_keep_their_case() {
    unsigned("vn.zone", "vn.").check("mixed.vn. PTR", "NOERROR aa answer: mixed.vn. PTR A.DNS.vn.");
}

/// §3: proofs are found and hold in any case.
#[test]
fn proofs_hold_in_any_case() {
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        check_proof(&world, "MIXED.VN. TXT", Proven::Answer);
        check_proof(&world, "mixed.VN. PTR", Proven::Answer);
        check_proof(&world, "MIXED.VN. A", Proven::NoData);
        check_proof(&world, "Q.WILD.VN. A", Proven::Answer);
        check_proof(&world, "Q.D.VN. A", Proven::Answer);
        check_proof(&world, "X.SECURE.vn. A", Proven::Secure);
        check_proof(&world, "X.INSECURE.vn. A", Proven::Insecure);
        if denial != Denial::NSEC3_OPT_OUT {
            check_proof(&world, "NOSUCH.VN. A", Proven::NxDomain);
        }
    }
}
