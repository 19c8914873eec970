//! RFC 9619: one question.

use saola::answer::Transport;

use crate::ask::{Question, unsigned};

/// §4: QDCOUNT above 1 is a format error, whatever the questions are; 0 is no question.
#[test]
fn more_than_one_question_is_a_format_error() {
    let world = unsigned("vn.zone", "vn.");
    let one = Question::parse("www.vn. A").to_wire();
    for count in [0u16, 2, 3, 255, 256, 65535] {
        for copies in [0, 1, 2, 3] {
            let mut request = one[..12].to_vec();
            request[4..6].copy_from_slice(&count.to_be_bytes());
            for _ in 0..copies {
                request.extend(&one[12..]);
            }
            let reply = world.send(&request, Transport::Udp).expect("a reply");
            assert_eq!((reply[3] & 15, reply.len(), &reply[4..12]), (1, 12, &[0; 8][..]), "{count} counted, {copies} there");
        }
    }
}
