//! The thread that tells secondaries: one socket for each family, and the clock, around [`notify::Notifier`](crate::transfer::notify),
//! which decides everything.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};

use crate::dns::{Name, UnixTime};
use crate::transfer::notify::{self, Announced, Moment, Status};

/// A thread at work. Dropped, it ends.
pub struct Notifier {
    work: Option<Sender<Work>>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is told.
enum Work {
    /// All zones with their secondaries.
    Serve(Vec<Announced>),
    /// Some of them, anew.
    Put(Vec<Announced>),
    /// How do they stand?
    Status(Option<Name>, Sender<Vec<Status>>),
}

/// Answers of 80 zones and 30 secondaries, should the thread have to wait for a processor.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Datagrams read in a row, before what is due goes out.
const IN_A_ROW: usize = 256;
/// Nothing that answers a question for a SOA is larger without EDNS.
const LARGEST: usize = 4096;
const WAKER: Token = Token(2);

impl Notifier {
    /// Starts the thread, which does nothing until it is told what is served.
    ///
    /// # Errors
    /// When the system gives no socket of either family, no epoll descriptor or no thread.
    pub fn start() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let mut sockets = [bind(Ipv4Addr::UNSPECIFIED.into()), bind(Ipv6Addr::UNSPECIFIED.into())];
        // A machine may be without one of the families; then nothing can be sent there, and each status says so.
        if let [Err(error), Err(_)] = &sockets {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        for (i, socket) in sockets.iter_mut().enumerate() {
            if let Ok(socket) = socket {
                poll.registry().register(socket, Token(i), Interest::READABLE)?;
            }
        }
        let (work, to_do) = mpsc::channel();
        let (random, mut n) = (RandomState::new(), 0_u64);
        // A keyed hash of a counter, under a key of the system's: nobody outside can tell what comes next.
        let random = move || {
            n += 1;
            random.hash_one(n)
        };
        let notifier = notify::Notifier::new(Box::new(random));
        let worker = Worker { notifier, poll, sockets: sockets.map(Result::ok), to_do, begin: Instant::now() };
        let thread = std::thread::Builder::new().name("notifier".into()).spawn(move || worker.run())?;
        Ok(Self { work: Some(work), waker, thread: Some(thread) })
    }

    /// These zones are served now, and all others no more.
    pub fn serve(&self, zones: Vec<Announced>) {
        self.tell(Work::Serve(zones));
    }

    /// These zones are served now, beside the others.
    pub fn put(&self, zones: Vec<Announced>) {
        if !zones.is_empty() {
            self.tell(Work::Put(zones));
        }
    }

    /// How the secondaries stand: those of one zone, or all. Empty when the thread has ended.
    pub fn status(&self, apex: Option<Name>) -> Vec<Status> {
        let (reply, answer) = mpsc::channel();
        self.tell(Work::Status(apex, reply));
        // Far more than the thread needs between two looks at its work.
        answer.recv_timeout(Duration::from_secs(5)).unwrap_or_default()
    }

    fn tell(&self, work: Work) {
        // It ends with this, or by a fault of the program, which was logged.
        let _ = self.work.as_ref().map(|sender| sender.send(work));
        if let Err(error) = self.waker.wake() {
            log::error!("the notifier cannot be woken: {error}");
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.work = None;
        let _ = self.waker.wake();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the notifier ended by a fault of the program");
        }
    }
}

fn bind(ip: IpAddr) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(ip, 0);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

struct Worker {
    notifier: notify::Notifier,
    poll: Poll,
    /// IPv4, IPv6.
    sockets: [Option<UdpSocket>; 2],
    to_do: Receiver<Work>,
    begin: Instant,
}

impl Worker {
    fn run(mut self) {
        let mut events = Events::with_capacity(8);
        let mut buffer = Vec::with_capacity(512);
        // Sockets with more to read: events are edges.
        let mut readable: VecDeque<usize> = VecDeque::new();
        loop {
            let timeout = if readable.is_empty() { self.timeout() } else { Some(Duration::ZERO) };
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("secondaries are not told any more: {error}");
                return;
            }
            for token in events.iter().map(mio::event::Event::token).filter(|token| *token != WAKER) {
                if !readable.contains(&token.0) {
                    readable.push_back(token.0);
                }
            }
            for _ in 0..readable.len() {
                let socket = readable.pop_front().expect("counted");
                if self.read(socket) {
                    readable.push_back(socket);
                }
            }
            if !self.do_work() {
                return;
            }
            self.send(&mut buffer);
            let now = self.now();
            for event in self.notifier.events(now) {
                let level = if event.news.is_good() { log::Level::Info } else { log::Level::Warn };
                log::log!(level, "{event}");
            }
        }
    }

    fn now(&self) -> Moment {
        Moment { ms: self.begin.elapsed().as_millis() as u64, unix: UnixTime::now() }
    }

    fn timeout(&self) -> Option<Duration> {
        let now = self.begin.elapsed();
        self.notifier.wake().map(|ms| Duration::from_millis(ms).saturating_sub(now))
    }

    /// Reads some of what waits; true when there may be more.
    fn read(&mut self, socket: usize) -> bool {
        let mut octets = [0; LARGEST];
        for _ in 0..IN_A_ROW {
            let Some(Some(socket)) = self.sockets.get(socket) else { return false };
            match socket.recv_from(&mut octets) {
                Ok((n, from)) => {
                    let now = self.now();
                    self.notifier.receive(from, &octets[..n], now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // What a network says of an earlier datagram; each of them is said once.
                Err(_) => {}
            }
        }
        true
    }

    /// Does what it is told; false when nobody can tell any more.
    fn do_work(&mut self) -> bool {
        loop {
            match self.to_do.try_recv() {
                Ok(Work::Serve(zones)) => {
                    let now = self.now();
                    self.notifier.serve(zones, now);
                }
                Ok(Work::Put(zones)) => {
                    let now = self.now();
                    zones.into_iter().for_each(|zone| self.notifier.put(zone, now));
                }
                Ok(Work::Status(apex, reply)) => {
                    // Who asked may have gone.
                    let _ = reply.send(self.notifier.status(apex.as_ref()));
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn send(&mut self, buffer: &mut Vec<u8>) {
        let now = self.now();
        while let Some(to) = self.notifier.next_datagram(now, buffer) {
            let (to, place) = match to.ip().to_canonical() {
                IpAddr::V4(v4) => (SocketAddr::new(v4.into(), to.port()), 0),
                IpAddr::V6(_) => (to, 1),
            };
            let sent = self.sockets[place].as_ref().map(|socket| socket.send_to(buffer, to));
            match sent {
                Some(Ok(_)) => {}
                Some(Err(error)) => self.notifier.unsent(&error.to_string()),
                None => self.notifier.unsent("the machine has no addresses of this kind"),
            }
        }
    }
}
