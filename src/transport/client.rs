//! Asks a primary for a zone: opens the stream, sends what [`inward`] writes, and gives it what comes, in bounded time.
//!
//! Blocks; who has many zones calls it from threads of his own. Asks for changes first where there is a version, and for the whole zone where those cannot be
//! had. RFC 1995 §4, RFC 5936 §4.1, RFC 7766.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use super::tls::{self, TlsPeer, connect};
use crate::dns::rdata::Soa;
use crate::dns::{NameRef, Rtype, Serial, UnixTime};
use crate::transfer::inward::{self, Ask, Counted, Fault, Limits, Received, Wanted};
use crate::transfer::tsig::Key;

/// A server that has the zone.
#[derive(Clone, Debug)]
pub struct Primary {
    /// Where it listens.
    pub address: SocketAddr,
    /// The TSIG key that signs what is said between us.
    pub key: Option<Key>,
    /// Who it has to prove to be over TLS (RFC 9103); `None` = it is spoken with in the open.
    pub tls: Option<TlsPeer>,
}

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// For a connection.
    pub connect: Duration,
    /// For the next octets of an answer.
    pub idle: Duration,
    /// For the next [`LEAST`] octets.
    pub least: Duration,
    /// For the whole of it.
    pub total: Duration,
}

/// The octets that have to come within [`Times::least`], while there is no end: who sends a record now and then would hold a thread for as
/// long as a transfer may take. A zone that is smaller has five minutes for all of it, at 34 octets a second. As BIND has it.
pub const LEAST: u64 = 10_240;

impl Default for Times {
    /// Our choices: a primary that does not take a connection in five seconds is gone, and two hours are enough for any zone over any line.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            least: Duration::from_secs(300),
            total: Duration::from_secs(7200),
        }
    }
}

/// What is asked, of whom, and within which bounds.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The server.
    pub primary: &'a Primary,
    /// The zone.
    pub apex: NameRef<'a>,
    /// How long is waited.
    pub times: Times,
    /// How much is taken.
    pub limits: Limits,
}

/// What came, and how.
pub struct Fetched {
    /// What the primary has for us.
    pub received: Received,
    /// The SOA of its version.
    pub soa: Soa,
    /// For how many seconds it says that this stays good (RFC 7314).
    pub expire: Option<u32>,
    /// SOA, IXFR or AXFR: what was asked for in the end.
    pub rtype: Rtype,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// What it took.
    pub counted: Counted,
    /// Why the changes could not be had, where the whole zone was asked for instead.
    pub instead: Option<Fault>,
}

/// Why nothing came.
#[derive(Debug)]
pub enum Failure {
    /// The primary takes no connection.
    Connect(io::Error),
    /// The connection failed, or was closed in the middle of the answer.
    Broken(io::Error),
    /// Inside TLS, the connection was closed in place of an answer.
    TurnedAway,
    /// There was no more for this long.
    Idle(Duration),
    /// There was little for this long.
    Slow(Duration),
    /// It took too long.
    TooLong(Duration),
    /// The answer is none that can be taken.
    Answer(Fault),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the primary closed the connection before the end of the answer")
            }
            Self::Broken(error) => write!(f, "the connection failed: {error}"),
            Self::TurnedAway => {
                f.write_str("the primary closed the connection in place of an answer, does it want a certificate of this server ([tls]), or another one?")
            }
            Self::Idle(time) => write!(f, "the primary sent nothing for {} s", time.as_secs()),
            Self::Slow(time) => write!(f, "the primary sent less than {LEAST} octets in {} s", time.as_secs()),
            Self::TooLong(time) => write!(f, "the transfer took longer than {} s", time.as_secs()),
            Self::Answer(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

/// Waits for the answer to a datagram: so long the first time, so long the second. Our choice; then TCP is tried.
const TRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

impl Asking<'_> {
    /// Asks whether there is anything newer than `have`, and then for it. A datagram tells most often that there is not.
    ///
    /// # Errors
    /// As [`Self::changes`].
    pub fn check(&self, have: &Soa) -> Result<Fetched, Failure> {
        // Over TLS nothing is asked in the open.
        match if self.primary.tls.is_none() { self.soa() } else { None } {
            Some((soa, expire)) if !Serial(soa.serial).is_newer_than(Serial(have.serial)) => {
                let received = Received::Current(Serial(soa.serial));
                let counted = Counted { messages: 1, records: 1, ..Counted::default() };
                Ok(Fetched { received, soa, expire, rtype: Rtype::SOA, transport: "udp", counted, instead: None })
            }
            // Without an answer, or without a good one: by TCP everything can be had.
            _ => self.changes(have),
        }
    }

    /// Asks for what has changed since `have`: one round trip, whether there is anything or not. Where that cannot be had, for the whole zone.
    ///
    /// # Errors
    /// When nothing can be had.
    pub fn changes(&self, have: &Soa) -> Result<Fetched, Failure> {
        let deadline = Instant::now() + self.times.total;
        match self.transfer(Wanted::Changes(have), true, deadline) {
            Err(Failure::Answer(fault)) if fault.may_whole_help() => {
                let mut fetched = self.whole_until(deadline)?;
                fetched.instead = Some(fault);
                Ok(fetched)
            }
            other => other,
        }
    }

    /// Asks for the whole zone.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn whole(&self) -> Result<Fetched, Failure> {
        self.whole_until(Instant::now() + self.times.total)
    }

    fn whole_until(&self, deadline: Instant) -> Result<Fetched, Failure> {
        match self.transfer(Wanted::Whole, true, deadline) {
            Err(Failure::Answer(fault)) if fault.may_be_edns() => self.transfer(Wanted::Whole, false, deadline),
            other => other,
        }
    }

    fn transfer(&self, wanted: Wanted<'_>, edns: bool, deadline: Instant) -> Result<Fetched, Failure> {
        let ask = Ask { apex: self.apex, id: fresh_id(), edns };
        let (request, mut incoming) = inward::ask(&ask, wanted, self.limits, self.primary.key.as_ref(), UnixTime::now());
        let mut stream = open(self.primary, self.times, deadline)?;
        let mut may_be_turned_away = self.primary.tls.is_some();
        let broken = |error: io::Error, may_be_turned_away| match error.kind() {
            io::ErrorKind::WouldBlock if Instant::now() < deadline => Failure::Idle(self.times.idle),
            io::ErrorKind::TimedOut if Instant::now() < deadline => Failure::Slow(self.times.least),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::TooLong(self.times.total),
            // A certificate is judged once the handshake is done for us, and not every server says what it did not like.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe if may_be_turned_away => {
                Failure::TurnedAway
            }
            _ => Failure::Broken(tls::explain(error)),
        };
        // In one piece: the length alone would be a packet of its own.
        let len = u16::try_from(request.len()).expect("names, a SOA and a signature are far shorter");
        stream.write_all(&[&len.to_be_bytes(), &request[..]].concat()).map_err(|error| broken(error, may_be_turned_away))?;
        let mut stream = BufReader::with_capacity(1 << 16, stream);
        let mut message = Vec::new();
        let received = loop {
            let mut len = [0; 2];
            stream.read_exact(&mut len).map_err(|error| broken(error, may_be_turned_away))?;
            may_be_turned_away = false;
            message.resize(u16::from_be_bytes(len).into(), 0);
            stream.read_exact(&mut message).map_err(|error| broken(error, false))?;
            if let Some(received) = incoming.take(&message, UnixTime::now()).map_err(Failure::Answer)? {
                break received;
            }
        };
        let rtype = if matches!(wanted, Wanted::Whole) { Rtype::AXFR } else { Rtype::IXFR };
        let soa = incoming.soa().cloned().ok_or(Failure::Answer(Fault::NoSoa))?;
        let (expire, counted) = (incoming.expire(), incoming.counted());
        let transport = if self.primary.tls.is_some() { "tls" } else { "tcp" };
        Ok(Fetched { received, soa, expire, rtype, transport, counted, instead: None })
    }

    /// Asks for the SOA by UDP; `None` when there is no answer, or none that can be taken.
    fn soa(&self) -> Option<(Soa, Option<u32>)> {
        let address = self.primary.address;
        let any: SocketAddr = if address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(address).ok()?;
        let mut buffer = [0; 4096];
        for wait in TRIES {
            let ask = Ask { apex: self.apex, id: fresh_id(), edns: true };
            let (request, answer) = inward::ask_soa(&ask, self.primary.key.as_ref(), UnixTime::now());
            socket.send(&request).ok()?;
            let until = Instant::now() + wait;
            while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                socket.set_read_timeout(Some(left)).ok()?;
                match socket.recv(&mut buffer) {
                    // Others may send what they like; an answer has the id.
                    Ok(len) if len > 2 && buffer[..2] == request[..2] => return answer.take(&buffer[..len], UnixTime::now()).ok(),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => return None,
                }
            }
        }
        None
    }
}

/// Opens the stream on which a transfer comes. Every transport of transfers begins here, and nobody behind it knows which one it is.
fn open(primary: &Primary, times: Times, deadline: Instant) -> Result<Stream, Failure> {
    let stream = TcpStream::connect_timeout(&primary.address, times.connect).map_err(Failure::Connect)?;
    let stream = Timed { stream, times, deadline, since: Instant::now(), n_since: 0 };
    match &primary.tls {
        None => Ok(Stream::Plain(stream)),
        Some(peer) => connect(stream, peer).map(|stream| Stream::Tls(Box::new(stream))).map_err(Failure::Connect),
    }
}

/// What a transfer comes on.
enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// A connection whose reads and writes end in time: `WouldBlock` after too long without anything, `TimedOut` behind the end, and when too
/// little came.
struct Timed {
    stream: TcpStream,
    times: Times,
    deadline: Instant,
    /// When octets were counted from, and how many came since.
    since: Instant,
    n_since: u64,
}

impl Timed {
    fn wait(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left.min(self.times.idle))) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.wait()?)?;
        let n = self.stream.read(buffer)?;
        self.n_since += n as u64;
        if self.n_since >= LEAST {
            (self.since, self.n_since) = (Instant::now(), 0);
        } else if n > 0 && self.since.elapsed() > self.times.least {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(n)
    }
}

impl Write for Timed {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.wait()?)?;
        self.stream.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// An id that nobody outside can guess: each call has keys of its own from the system's randomness.
fn fresh_id() -> u16 {
    RandomState::new().hash_one(0) as u16
}
