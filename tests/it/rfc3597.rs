//! RFC 3597: types that nobody knows are octets.

use crate::ask::{denials, signed, unsigned};
use crate::proof::{Proven, check_proof};

/// §3: unknown types are stored and answered like others, also without any data.
#[test]
fn unknown_types_are_answered_as_they_stand() {
    let world = unsigned("vn.zone", "vn.");
    world.check("unknown.vn. TYPE65280", "NOERROR aa answer: unknown.vn. TYPE65280 \\# 4 0A000001");
    let empty =
        world.send(&crate::ask::Question::parse("unknown.vn. TYPE65281").to_wire(), saola::answer::Transport::Udp).expect("a reply");
    // hickory-proto takes a record without data for one of an UPDATE; the octets tell.
    assert_eq!((empty[3] & 15, empty[7], &empty[empty.len() - 12..]), (0, 1, &[0xc0, 12, 0xff, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 0][..]));
    world.check("unknown.vn. A", "NOERROR aa auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900");
}

/// §4: names in the data of newer types are never compressed, here SRV and DNAME; RFC 1035's may be.
#[test]
fn only_old_types_are_compressed() {
    let world = unsigned("vn.zone", "vn.");
    let in_full = b"\x01a\x03dns\x02vn\0";
    let has = |question: &str| {
        let bytes = world.ask(question).bytes;
        bytes.windows(in_full.len()).any(|window| window == in_full)
    };
    assert!(has("_sip._tcp.vn. SRV"));
    assert!(!has("mail.vn. MX") && !has("vn. NS"));
    let reply = world.ask("d.vn. DNAME").bytes;
    assert!(reply.ends_with(b"\x04wild\x02vn\0"));
}

#[test]
fn unknown_types_are_denied_and_signed_like_others() {
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        check_proof(&world, "unknown.vn. TYPE65280", Proven::Answer);
        check_proof(&world, "www.vn. TYPE65280", Proven::NoData);
        check_proof(&world, "nsec.vn. TYPE65534", Proven::Answer);
        check_proof(&world, "nsec.vn. TYPE65533", Proven::NoData);
    }
}
