//! RFC 7314: EXPIRE.

use crate::ask::unsigned;

/// §2: a primary gives the SOA's expire value for a SOA question that asks for it.
#[test]
fn expire_is_given_with_the_soa() {
    let world = unsigned("vn.zone", "vn.");
    assert_eq!(world.ask("vn. SOA option=9:").option(9), Some(&1_209_600u32.to_be_bytes()[..]));
    assert_eq!(world.ask("VN. SOA option=9:").option(9), Some(&1_209_600u32.to_be_bytes()[..]));
    assert_eq!(world.ask("vn. SOA edns").option(9), None, "not asked for");
    for question in ["www.vn. A", "www.vn. SOA", "nosuch.vn. SOA", "vn. NS", "example. SOA", "com.vn. SOA"] {
        assert_eq!(world.ask(&format!("{question} option=9:")).option(9), None, "{question}");
    }
}
