//! Counters: each worker writes its own, whoever asks gets the sum.
//!
//! A worker's counters lie in cache lines of their own and are written by that worker alone, so counting is a plain load, add and
//! store; no locked instruction, no line shared between processors on the query path.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::ser::{Serialize, SerializeMap, Serializer};

macro_rules! counters {
    ($($name:ident $key:literal $help:literal,)*) => {
        /// What is counted, beside replies by RCODE and queries by type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter { $(#[doc = $help] $name,)* }

        impl Counter {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [Counter] = &[$(Counter::$name,)*];

            /// The name in `saola server stats`.
            pub fn key(self) -> &'static str {
                match self { $(Counter::$name => $key,)* }
            }

            /// One line on what it means.
            pub fn help(self) -> &'static str {
                match self { $(Counter::$name => $help,)* }
            }
        }
    };
}

counters! {
    QueriesUdp4 "queries-udp-ipv4" "requests received over UDP on IPv4",
    QueriesUdp6 "queries-udp-ipv6" "requests received over UDP on IPv6",
    QueriesTcp4 "queries-tcp-ipv4" "requests received over TCP on IPv4",
    QueriesTcp6 "queries-tcp-ipv6" "requests received over TCP on IPv6",
    QueriesTls4 "queries-tls-ipv4" "requests received over TLS on IPv4",
    QueriesTls6 "queries-tls-ipv6" "requests received over TLS on IPv6",
    BytesIn "bytes-in" "octets of requests",
    BytesOut "bytes-out" "octets of replies",
    Truncated "truncated" "replies with TC set",
    Dropped "dropped" "requests that got no reply on purpose",
    Updates "updates" "changes asked for by who may; their replies are counted nowhere else",
    Panics "panics" "requests whose answering failed by a fault of the program",
    SendFull "send-buffer-full" "UDP replies dropped because the send buffer was full",
    SendRefused "send-refused" "UDP replies that the system refused to send",
    ReceiveErrors "receive-errors" "errors of the system while receiving",
    TcpAccepted "tcp-accepted" "TCP connections accepted",
    TcpClosed "tcp-closed" "TCP connections ended, for whatever reason",
    TcpClosedClient "tcp-closed-by-client" "TCP connections ended by the client",
    TcpClosedIdle "tcp-closed-idle" "TCP connections closed after the idle timeout",
    TcpClosedSlowWriter "tcp-closed-slow-writer" "TCP connections closed because a request took too long to come",
    TcpClosedSlowReader "tcp-closed-slow-reader" "TCP connections closed because the client did not take its answers",
    TcpClosedFraming "tcp-closed-framing" "TCP connections closed because what came is no DNS message",
    TcpClosedEvicted "tcp-closed-evicted" "idle TCP connections closed to make room for another",
    TcpClosedError "tcp-closed-error" "TCP connections broken by an error of the network",
    TcpClosedShutdown "tcp-closed-shutdown" "TCP connections closed because the server stopped",
    TcpClosedTls "tcp-closed-tls" "TCP connections closed because what came is no TLS 1.3, or TLS that was refused",
    TcpRefusedClientLimit "tcp-refused-client-limit" "TCP connections refused at the limit of one client",
    TcpRefusedTotalLimit "tcp-refused-total-limit" "TCP connections refused at the limit of all clients",
    TcpRefusedDescriptors "tcp-refused-descriptors" "times that accepting waited because descriptors or memory ran out",
}

/// Requests, by how they came.
const QUERIES: [Counter; 6] =
    [Counter::QueriesUdp4, Counter::QueriesUdp6, Counter::QueriesTcp4, Counter::QueriesTcp6, Counter::QueriesTls4, Counter::QueriesTls6];

/// RCODEs counted by their own number; larger ones together (the last assigned below the private ones is 23, BADCOOKIE).
const RCODES: usize = 24;
const RCODE_NAMES: [&str; RCODES + 1] = [
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
    "DSOTYPENI",
    "RCODE12",
    "RCODE13",
    "RCODE14",
    "RCODE15",
    "BADVERS",
    "BADKEY",
    "BADTIME",
    "BADMODE",
    "BADNAME",
    "BADALG",
    "BADTRUNC",
    "BADCOOKIE",
    "other",
];

/// What a response code is called.
pub fn rcode_name(rcode: u16) -> &'static str {
    RCODE_NAMES[usize::from(rcode).min(RCODES)]
}

/// Query types counted by name, and the number under which each is found.
const QTYPES: [(u16, &str); 22] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (35, "NAPTR"),
    (43, "DS"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (255, "ANY"),
    (257, "CAA"),
    (0, "none"),
];

/// The slot of each type up to 257 in the table above; all others share the slot behind it.
const QTYPE_SLOTS: [u8; 258] = {
    let mut slots = [QTYPES.len() as u8; 258];
    let mut i = 0;
    while i < QTYPES.len() {
        slots[QTYPES[i].0 as usize] = i as u8;
        i += 1;
    }
    slots
};

/// What one worker counted. Only that worker may add; anyone may read.
///
/// 128 octets: two cache lines, because processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters {
    cells: [AtomicU64; Counter::ALL.len()],
    rcodes: [AtomicU64; RCODES + 1],
    qtypes: [AtomicU64; QTYPES.len() + 1],
}

impl Counters {
    fn new() -> Self {
        Self {
            cells: [const { AtomicU64::new(0) }; Counter::ALL.len()],
            rcodes: [const { AtomicU64::new(0) }; RCODES + 1],
            qtypes: [const { AtomicU64::new(0) }; QTYPES.len() + 1],
        }
    }

    /// Adds `n` to a counter.
    pub fn add(&self, counter: Counter, n: u64) {
        add(&self.cells[counter as usize], n);
    }

    /// Counts a reply with this extended RCODE to a query of this type (0: none could be read).
    pub fn reply(&self, rcode: u16, qtype: u16) {
        add(&self.rcodes[usize::from(rcode).min(RCODES)], 1);
        let slot = QTYPE_SLOTS.get(usize::from(qtype)).map_or(QTYPES.len(), |&slot| usize::from(slot));
        add(&self.qtypes[slot], 1);
    }
}

/// Not `fetch_add`: there is one writer, so nothing is lost, and no locked instruction is paid.
fn add(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
}

/// All workers' counters.
#[derive(Debug)]
pub struct Telemetry {
    workers: Mutex<Vec<Arc<Counters>>>,
    started: Instant,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry {
    /// Nothing counted yet; the clock of [`Snapshot::uptime_secs`] starts here.
    pub fn new() -> Self {
        Self { workers: Mutex::default(), started: Instant::now() }
    }

    /// Counters for one more worker, to be written by it alone.
    pub fn register(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::new());
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&counters));
        counters
    }

    /// The sum over all workers, also over those that ended. Not one instant: workers go on counting while it is made.
    pub fn snapshot(&self) -> Snapshot {
        let mut sum = Snapshot {
            uptime_secs: self.started.elapsed().as_secs(),
            cells: [0; Counter::ALL.len()],
            rcodes: [0; RCODES + 1],
            qtypes: [0; QTYPES.len() + 1],
        };
        for worker in self.workers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for (to, from) in sum.cells.iter_mut().zip(&worker.cells) {
                *to += from.load(Relaxed);
            }
            for (to, from) in sum.rcodes.iter_mut().zip(&worker.rcodes) {
                *to += from.load(Relaxed);
            }
            for (to, from) in sum.qtypes.iter_mut().zip(&worker.qtypes) {
                *to += from.load(Relaxed);
            }
        }
        sum
    }
}

/// The counters of all workers at about one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Seconds since the start.
    pub uptime_secs: u64,
    cells: [u64; Counter::ALL.len()],
    rcodes: [u64; RCODES + 1],
    qtypes: [u64; QTYPES.len() + 1],
}

impl Snapshot {
    /// One counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.cells[counter as usize]
    }

    /// Requests received over every transport.
    pub fn queries(&self) -> u64 {
        QUERIES.iter().map(|&counter| self.get(counter)).sum()
    }

    /// TCP connections open now.
    pub fn tcp_open(&self) -> u64 {
        self.get(Counter::TcpAccepted).saturating_sub(self.get(Counter::TcpClosed))
    }

    /// Replies with this extended RCODE; those from 24 up are counted together.
    pub fn rcode(&self, rcode: u16) -> u64 {
        self.rcodes[usize::from(rcode).min(RCODES)]
    }

    /// The Prometheus text format (version 0.0.4).
    pub fn prometheus(&self) -> String {
        use fmt::Write;
        let mut text = String::new();
        // Writing to a String does not fail.
        for &counter in Counter::ALL {
            let name = counter.key().replace('-', "_");
            let _ = write!(text, "# HELP saola_{name}_total {}\n# TYPE saola_{name}_total counter\n", counter.help());
            let _ = writeln!(text, "saola_{name}_total {}", self.get(counter));
        }
        text.push_str("# HELP saola_tcp_open TCP connections open\n# TYPE saola_tcp_open gauge\n");
        let _ = writeln!(text, "saola_tcp_open {}", self.tcp_open());
        text.push_str("# HELP saola_uptime_seconds seconds since the start\n# TYPE saola_uptime_seconds gauge\n");
        let _ = writeln!(text, "saola_uptime_seconds {}", self.uptime_secs);
        text.push_str("# HELP saola_replies_total replies by RCODE\n# TYPE saola_replies_total counter\n");
        for (name, n) in self.rcodes_seen() {
            let _ = writeln!(text, "saola_replies_total{{rcode=\"{name}\"}} {n}");
        }
        text.push_str("# HELP saola_qtypes_total replies by query type\n# TYPE saola_qtypes_total counter\n");
        for (name, n) in self.qtypes_seen() {
            let _ = writeln!(text, "saola_qtypes_total{{type=\"{name}\"}} {n}");
        }
        text
    }

    fn rcodes_seen(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RCODE_NAMES.into_iter().zip(self.rcodes).filter(|&(_, n)| n > 0)
    }

    fn qtypes_seen(&self) -> impl Iterator<Item = (&'static str, u64)> {
        QTYPES.into_iter().map(|(_, name)| name).chain(["other"]).zip(self.qtypes).filter(|&(_, n)| n > 0)
    }
}

impl fmt::Display for Snapshot {
    /// One `name number` a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "uptime-secs {}", self.uptime_secs)?;
        for &counter in Counter::ALL {
            writeln!(f, "{} {}", counter.key(), self.get(counter))?;
        }
        writeln!(f, "tcp-open {}", self.tcp_open())?;
        for (name, n) in self.rcodes_seen() {
            writeln!(f, "rcode-{name} {n}")?;
        }
        for (name, n) in self.qtypes_seen() {
            writeln!(f, "qtype-{name} {n}")?;
        }
        Ok(())
    }
}

impl Serialize for Snapshot {
    /// One object: every counter by its key, then `rcodes` and `qtypes`, which hold only what was seen.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("uptime-secs", &self.uptime_secs)?;
        for &counter in Counter::ALL {
            map.serialize_entry(counter.key(), &self.get(counter))?;
        }
        map.serialize_entry("tcp-open", &self.tcp_open())?;
        map.serialize_entry("rcodes", &self.rcodes_seen().collect::<std::collections::BTreeMap<_, _>>())?;
        map.serialize_entry("qtypes", &self.qtypes_seen().collect::<std::collections::BTreeMap<_, _>>())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_summed() {
        let telemetry = Telemetry::new();
        let (one, two) = (telemetry.register(), telemetry.register());
        one.add(Counter::QueriesUdp4, 3);
        two.add(Counter::QueriesUdp4, 4);
        two.add(Counter::QueriesTcp6, 5);
        for (rcode, qtype) in [(0, 1), (3, 28), (23, 43), (24, 258), (4095, 65535), (0, 0)] {
            one.reply(rcode, qtype);
        }
        drop(one);
        let sum = telemetry.snapshot();
        assert_eq!((sum.get(Counter::QueriesUdp4), sum.queries(), sum.rcode(0), sum.rcode(24)), (7, 12, 2, 2));
        let json: serde_json::Value = serde_json::to_value(&sum).expect("a map of numbers");
        assert_eq!(json["queries-udp-ipv4"], 7);
        assert_eq!(json["rcodes"], serde_json::json!({"NOERROR": 2, "NXDOMAIN": 1, "BADCOOKIE": 1, "other": 2}));
        assert_eq!(json["qtypes"], serde_json::json!({"A": 1, "AAAA": 1, "DS": 1, "none": 1, "other": 2}));
        let text = sum.to_string();
        assert!(text.contains("queries-udp-ipv4 7\n") && text.contains("qtype-other 2\n"), "{text}");
        let metrics = sum.prometheus();
        assert!(metrics.contains("\nsaola_queries_udp_ipv4_total 7\n"), "{metrics}");
        assert!(metrics.contains("\nsaola_replies_total{rcode=\"NXDOMAIN\"} 1\n"), "{metrics}");
    }

    #[test]
    fn workers_share_no_cache_line() {
        assert_eq!(std::mem::align_of::<Counters>(), 128);
        assert_eq!(std::mem::size_of::<Counters>() % 128, 0);
    }
}
