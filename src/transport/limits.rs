//! The bounds of the transports. Our choices within what RFC 7766 §6.2.3 and RFC 9210 §4 ask for.

use std::time::Duration;

/// How much is served at a time, and how long is waited.
///
/// Workers share nothing, so each grants its share of the two counts: `connections` and `connections_per_client` over the number of
/// workers, the latter never less than ten (or what was asked for, if that is less).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TCP connections at a time, over all clients; bounded further by the descriptors that the process may open.
    pub connections: usize,
    /// TCP connections at a time of one client: an IPv4 address, or an IPv6 /64.
    pub connections_per_client: usize,
    /// A connection without a request this long is closed; a quarter of it when three quarters of `connections` are taken.
    pub idle: Duration,
    /// A request must be complete this long after its first octet.
    pub receive: Duration,
    /// A client must take some of what waits for it within this time, and all of it within six times this time.
    pub send: Duration,
    /// Receive buffer of each UDP socket, in octets; what the system does not grant is cut down.
    pub udp_receive_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            // Room for a resolver farm behind one address; the 101st connection takes the place of the one idle longest.
            connections_per_client: 100,
            idle: Duration::from_secs(10),
            receive: Duration::from_secs(10),
            send: Duration::from_secs(10),
            udp_receive_buffer: 4 << 20,
        }
    }
}
