//! RFC 7828: edns-tcp-keepalive.

use crate::ask::unsigned;

/// §3.3.2: told over TCP to who asks, in units of 100 ms.
#[test]
fn the_idle_time_is_told_over_tcp() {
    let mut world = unsigned("vn.zone", "vn.");
    world.face.tcp_keepalive = 300;
    assert_eq!(world.ask("www.vn. A option=11: tcp").option(11), Some(&[1, 44][..]));
    assert_eq!(world.ask("nosuch.vn. A option=11: tcp").option(11), Some(&[1, 44][..]));
    assert_eq!(world.ask("www.vn. A edns tcp").option(11), None, "not asked for");
}

/// §3.2.1 and §3.3.1: over UDP it is ignored, and never sent.
#[test]
fn over_udp_it_is_ignored() {
    let reply = unsigned("vn.zone", "vn.").ask("www.vn. A option=11:");
    assert_eq!((reply.rcode, reply.answer.len(), reply.option(11)), (0, 1, None));
}

/// §3.2.1: a client sends no timeout.
#[test]
fn a_timeout_from_a_client_is_a_format_error() {
    let request = crate::ask::Question::parse("www.vn. A option=11:0064").to_wire();
    let reply = unsigned("vn.zone", "vn.").send(&request, saola::answer::Transport::Tcp).expect("a reply");
    assert_eq!(reply[3] & 15, 1);
}
