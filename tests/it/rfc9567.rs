//! RFC 9567: where resolvers may report errors.

use crate::ask::{World, unsigned};

fn world() -> World {
    let mut world = unsigned("vn.zone", "vn.");
    world.face.report_channel = b"\x06report\x02vn\0".to_vec();
    world
}

/// §6.2: in replies with EDNS the agent domain in wire form, uncompressed; never without EDNS.
#[test]
fn the_agent_domain_is_told() {
    for question in ["www.vn. A", "nosuch.vn. A", "secure.vn. A"] {
        assert_eq!(world().ask(&format!("{question} edns")).option(18), Some(&b"\x06report\x02vn\0"[..]), "{question}");
        assert!(world().ask(question).opt.is_none());
    }
    assert_eq!(unsigned("vn.zone", "vn.").ask("www.vn. A edns").option(18), None, "none is configured");
}

/// §6.2: a long one never makes an answer too large.
#[test]
fn it_keeps_within_the_limit() {
    let mut world = world();
    world.face.report_channel = [[b"\x3f".to_vec(), vec![b'r'; 63]].concat().repeat(3), b"\x02vn\0".to_vec()].concat();
    for size in [512, 600, 1232] {
        let long = format!("{}.vn. A do size={size}", ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(50)].join("."));
        world.ask(&long);
        world.ask(&format!("www.vn. A do size={size}"));
    }
}
