//! RFC 9077: proofs last no longer than negative answers.

use crate::ask::{World, denials, scan, sign};
use saola::dns::Rtype;

/// §3: NSEC and NSEC3 have the smaller of the SOA's TTL and its minimum, wherever they stand.
#[test]
fn proofs_last_as_long_as_negative_answers() {
    for (own, minimum, expected) in [(3600, 900, 900), (600, 900, 600), (3600, 3600, 3600)] {
        let text = format!(
            "@ {own} SOA a b 1 1 1 1 {minimum}\n@ 86400 NS a.elsewhere.example.\nwww 86400 A 192.0.2.1\n*.w 86400 A 192.0.2.2\ncut 86400 NS x.elsewhere.example.\n"
        );
        for (label, denial) in denials() {
            let world = World::new().with("vn.", sign(scan(text.as_bytes(), "ttl", "vn."), "vn.", &denial));
            for question in ["nosuch.vn. A", "x.w.vn. A", "x.cut.vn. A", "cut.vn. DS", "www.vn. TXT"] {
                let reply = world.ask(&format!("{question} do tcp"));
                let proofs: Vec<_> = reply.authority.iter().filter(|rr| matches!(rr.rtype, Rtype::NSEC | Rtype::NSEC3)).collect();
                assert!(!proofs.is_empty(), "{label} {question}");
                assert!(proofs.iter().all(|rr| rr.ttl == expected), "{label} {question}\n{}", reply.show(&world));
            }
        }
    }
}
