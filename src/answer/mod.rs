//! Answers queries: bytes in, bytes out. Knows no socket, no clock, no file, no key.

use std::net::IpAddr;

use crate::dns::UnixTime;
use crate::zone::ZoneSet;

/// What the server says of itself, and its limits; the same for every query until the next reload.
#[derive(Clone, Debug)]
pub struct Face {
    /// NSID (RFC 5001) and id.server (RFC 4892); empty = not told.
    pub identity: Vec<u8>,
    /// hostname.bind; empty = not told.
    pub hostname: Vec<u8>,
    /// version.server and version.bind; empty = not told.
    pub version: Vec<u8>,
    /// The largest UDP answer sent, in octets (1232: RFC 9715 §3.2).
    pub udp_limit: u16,
    /// Secrets of server cookies (RFC 9018): the first signs, all are accepted; none = cookies are not given.
    pub cookie_secrets: Vec<[u8; 16]>,
    /// Idle time told to TCP clients in edns-tcp-keepalive (RFC 7828), in units of 100 ms.
    pub tcp_keepalive: u16,
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A message of a stream.
    Tcp,
}

/// What is known of a request beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// How it came.
    pub transport: Transport,
    /// Who asked (for cookies).
    pub client: IpAddr,
}

/// What became of a request; the caller counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is to be sent.
    Dropped,
    /// The first `len` octets of the buffer are the reply.
    Reply {
        /// Octets to send.
        len: usize,
        /// The extended RCODE.
        rcode: u16,
        /// The query type asked, 0 where none could be read.
        qtype: u16,
    },
}

/// Answers one request.
///
/// `buffer` must hold 65,535 octets; what is not part of the reply is left as it was. No allocation, no panic on any input.
pub fn respond(_zones: &ZoneSet, _face: &Face, _now: UnixTime, _meta: &Meta, request: &[u8], buffer: &mut [u8]) -> Outcome {
    // Skeleton: REFUSED with the question's header.
    if request.len() < 12 || request[2] & 0x80 != 0 {
        return Outcome::Dropped;
    }
    buffer[..12].copy_from_slice(&[request[0], request[1], 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
    Outcome::Reply { len: 12, rcode: 5, qtype: 0 }
}
