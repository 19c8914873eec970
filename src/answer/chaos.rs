//! The server's own names in class CH. RFC 4892.

use super::Face;
use super::reply::Reply;
use super::request::Question;
use crate::dns::{Class, Rtype};

/// Answers a question of class CH; returns the RCODE.
pub fn answer(question: &Question<'_>, face: &Face, reply: &mut Reply<'_>) -> u16 {
    let names: [(&[u8], &[u8]); 4] = [
        (b"\x02id\x06server\0", &face.identity),
        (b"\x08hostname\x04bind\0", &face.hostname),
        (b"\x07version\x04bind\0", &face.version),
        (b"\x07version\x06server\0", &face.version),
    ];
    let asked = question.name.as_wire();
    let text = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(asked)).map_or(&[][..], |(_, text)| *text);
    if text.is_empty() {
        return super::REFUSED;
    }
    reply.set_authoritative();
    if matches!(question.rtype, Rtype::TXT | Rtype::ANY) {
        let text = &text[..text.len().min(255)];
        let mut rdata = [0u8; 256];
        rdata[0] = text.len() as u8;
        rdata[1..=text.len()].copy_from_slice(text);
        // What does not fit is marked truncated.
        let _ = reply.require_record(&[0xc0, 12], Rtype::TXT, Class::CH.0, 0, &rdata[..=text.len()]);
    }
    super::NOERROR
}
