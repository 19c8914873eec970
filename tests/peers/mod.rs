//! Other people's programs as our judges: found, started on free ports, asked until they answer, stopped by process id.
//!
//! Used by several test programs, each of which needs a part of it.
#![allow(dead_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take until it answers; generous, since a busy machine is no failure.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Where the program `name` is: `PATH`, then the folders in which distributions put name servers.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The paths of all `names`, or the first that is missing.
///
/// A test prints which one it misses and returns; in CI every one is there, so a missing one fails.
pub fn find_all<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let mut found = Vec::with_capacity(N);
    for name in names {
        match find(name) {
            Some(path) => found.push(path),
            None => {
                assert!(std::env::var_os("CI").is_none(), "CI must have '{name}'; .ci/run installs it");
                eprintln!("skipped: '{name}' is not installed");
                return None;
            }
        }
    }
    found.try_into().ok()
}

/// A port of 127.0.0.1 that is free for UDP and TCP.
pub fn free_port() -> u16 {
    for _ in 0..100 {
        let Ok(tcp) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else { continue };
        let port = tcp.local_addr().expect("a bound socket has an address").port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of 127.0.0.1 is free for both UDP and TCP");
}

/// A running program. Stopped when dropped: asked first, then killed, by its own process id only.
pub struct Peer {
    child: Child,
    log: PathBuf,
}

impl Peer {
    /// Starts `command` with nothing to read; what it says goes to the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let copy = file.try_clone().expect("a file can be opened twice");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(copy).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Waits until `is_ready` says so.
    ///
    /// # Panics
    /// With the program's own words, when it ends first or takes longer than a minute.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut is_ready: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_ready() {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                panic!("ended with {status} before {what}:\n{}", self.words());
            }
            assert!(start.elapsed() < START_LIMIT, "no {what} within {START_LIMIT:?}:\n{}", self.words());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the server at `address` answers a question for the SOA of `name` with NOERROR.
    #[track_caller]
    pub fn wait_for_soa(&mut self, address: SocketAddr, name: &str) {
        let question = question(1, name, 6, false);
        self.wait_until(&format!("answer for {name} SOA"), || {
            exchange_udp(address, &question, Duration::from_millis(300)).is_some_and(|reply| reply[3] & 15 == 0 && reply[6..8] != [0, 0])
        });
    }

    /// What the program has said so far.
    pub fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// True while the program runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        // `Child::kill` only knows SIGKILL, and a server behind `ip netns exec` has the same id.
        let _ = Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request for `name` (plain labels, no escapes) of type `qtype` in class IN; with EDNS, 1232 octets and DO when `dnssec`.
pub fn question(id: u16, name: &str, qtype: u16, dnssec: bool) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    // RD and AD: to an authoritative server they mean nothing, a resolver is asked for recursion and for its verdict.
    out.extend([0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, u8::from(dnssec)]);
    for label in name.split('.').filter(|l| !l.is_empty()) {
        out.push(u8::try_from(label.len()).expect("a label has at most 63 octets"));
        out.extend(label.as_bytes());
    }
    out.push(0);
    out.extend(qtype.to_be_bytes());
    out.extend([0, 1]);
    if dnssec {
        out.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0]);
    }
    out
}

/// Sends `request` as one datagram and waits for the reply with its id.
pub fn exchange_udp(server: SocketAddr, request: &[u8], limit: Duration) -> Option<Vec<u8>> {
    let local: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((local, 0)).ok()?;
    socket.connect(server).ok()?;
    socket.set_read_timeout(Some(limit)).ok()?;
    socket.send(request).ok()?;
    let mut buffer = vec![0; 65_535];
    let start = Instant::now();
    while start.elapsed() < limit {
        let len = socket.recv(&mut buffer).ok()?;
        if len >= 12 && buffer[..2] == request[..2] {
            return Some(buffer[..len].to_vec());
        }
    }
    None
}

/// Sends `request` over a new TCP connection and reads one reply.
pub fn exchange_tcp(server: SocketAddr, request: &[u8], limit: Duration) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let len = u16::try_from(request.len()).ok()?;
    stream.write_all(&[&len.to_be_bytes(), request].concat()).ok()?;
    let mut len = [0; 2];
    stream.read_exact(&mut len).ok()?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut reply).ok()?;
    (reply.len() >= 12).then_some(reply)
}
