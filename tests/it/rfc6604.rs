//! RFC 6604: the RCODE and AA of chains.

use crate::ask::{World, unsigned};
use crate::proof::{Proven, check_proof};

fn world() -> World {
    unsigned("vn.zone", "vn.")
}

/// §3: the RCODE is that of the last name.
#[test]
fn the_rcode_is_that_of_the_end_of_the_chain() {
    for (question, rcode) in [
        ("c1.vn. A", 0),
        ("c1.vn. MX", 0),
        ("cmissing.vn. A", 3),
        ("cent.vn. A", 0),
        ("q.wdown.vn. A", 3),
        ("x.dmissing.vn. A", 3),
        ("cout.vn. A", 0),
        ("loop1.vn. A", 0),
        ("ccut.vn. A", 0),
        ("cmissing.vn. CNAME", 0),
    ] {
        assert_eq!(world().ask(question).rcode, rcode, "{question}");
    }
}

/// §2.1: AA is that of the first name, also when the chain leaves the zone.
#[test]
fn aa_is_that_of_the_first_name() {
    for question in ["cout.vn. A", "ccut.vn. A", "q.wout.vn. A", "x.dout.vn. A", "cmissing.vn. A", "cchild.vn. A"] {
        assert!(world().ask(question).authoritative, "{question}");
    }
}

/// The end of a chain is proven like an answer of its own.
#[test]
fn the_end_of_a_chain_is_proven() {
    for (_, denial) in crate::ask::denials() {
        let world = crate::ask::signed("vn.zone", "vn.", &denial);
        let nx = if denial.is_opt_out() { Proven::NxDomainOptOut } else { Proven::NxDomain };
        check_proof(&world, "cmissing.vn. A", nx.clone());
        check_proof(&world, "q.wdown.vn. A", nx.clone());
        check_proof(&world, "x.dmissing.vn. A", nx);
        check_proof(&world, "c1.vn. MX", Proven::NoData);
        check_proof(&world, "cent.vn. A", Proven::NoData);
        check_proof(&world, "cout.vn. A", Proven::Answer);
        check_proof(&world, "loop1.vn. A", Proven::Answer);
        check_proof(&world, "q.wcut.vn. A", Proven::Insecure);
    }
}
