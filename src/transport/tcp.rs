//! TCP, and TLS inside it: one event loop a worker, one read and one write for many pipelined requests. RFC 7766, RFC 9210, RFC 7858.
//!
//! The rules of a connection stand in `connection`, who must go stands in `table`; this file moves octets between them and the
//! sockets. Nothing here waits but the poll: events are edges, so what is left undone stands in the `turn` queue, and a new connection
//! is looked at twice (`unwatched`) before the poll watches it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::connection::{Answers, CloseReason, Connection, Millis, Phase, Scratch, Step, Written};
use super::later::{Later, Letter, Mail, Way};
use super::limits::Limits;
use super::request::{self, Answer, Cached, Served};
use super::stream::Stream;
use super::sys::Waiting;
use super::table::{Peer, Refusal, Table, Watch};
use super::transfer::{Progress, Transfer};
use crate::answer::{Meta, Prepared};
use crate::dns::UnixTime;
use crate::telemetry::{Counter, Counters};

/// Tells the workers of a server to stop.
#[derive(Debug, Default)]
pub struct Stop {
    /// Set before the wakers are used.
    pub now: AtomicBool,
    /// Milliseconds in which what is in flight may come to its end.
    pub drain: AtomicU64,
}

/// One TCP worker; [`run`](Self::run) is its life.
pub struct Worker {
    poll: Poll,
    listeners: Vec<Accepting>,
    table: Table<Stream>,
    turn: VecDeque<usize>,
    /// Connections that epoll does not watch yet, to be looked at once more before it does.
    unwatched: Vec<usize>,
    scratch: Scratch,
    answers: Answers,
    counters: Arc<Counters>,
    limits: Limits,
    stop: Arc<Stop>,
    /// A descriptor kept back: given up for a moment when none is left, so that the queue of new connections can be emptied.
    reserve: Option<File>,
    /// Accepting rests until then, because descriptors or memory ran out.
    paused_until: Millis,
    /// Answers that others have for connections of this worker.
    mail: Arc<Mail>,
    /// Set once the stop was seen: when the last connection is cut.
    end: Option<Millis>,
    epoch: Instant,
}

struct Accepting {
    socket: TcpListener,
    is_tls: bool,
    waiting: bool,
}

/// A socket that connections come from, and what they are.
pub struct Listener {
    /// Not blocking.
    pub socket: std::net::TcpListener,
    /// TLS inside TCP.
    pub is_tls: bool,
}

/// What serving a connection came to.
enum Next {
    /// The socket will tell.
    Wait,
    /// More can be done at once; the others have their turn first.
    Again,
    Close(CloseReason),
}

const WAKE: Token = Token(usize::MAX);
/// Tokens of listeners are counted down from here.
const LISTENERS: usize = usize::MAX - 1;
/// New connections taken in from one listener before those that wait have their turn. Few, so that the closes of a client are seen before
/// it reaches its limit by opening others in their place.
const ACCEPTS: usize = 16;
/// How long accepting rests when descriptors ran out. Our choice: short for a client, long for a processor.
const PAUSE: Millis = 100;
/// How long a closed side waits for the other at most.
const LINGER: Millis = 1000;

impl Worker {
    /// A worker that accepts from `listeners`, at most as many connections as `limits` says.
    ///
    /// # Errors
    /// As epoll(7), with the descriptors used up for one.
    pub fn new(listeners: Vec<Listener>, limits: Limits, counters: Arc<Counters>, stop: Arc<Stop>) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let mut accepting = Vec::new();
        for (i, Listener { socket, is_tls }) in listeners.into_iter().enumerate() {
            let mut socket = TcpListener::from_std(socket);
            poll.registry().register(&mut socket, Token(LISTENERS - i), Interest::READABLE)?;
            // What came before the registration is no edge.
            accepting.push(Accepting { socket, is_tls, waiting: true });
        }
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let worker = Self {
            poll,
            listeners: accepting,
            table: Table::new(),
            turn: VecDeque::new(),
            unwatched: Vec::new(),
            scratch: Scratch::new(),
            answers: Answers::new(),
            counters,
            limits,
            stop,
            reserve: File::open("/dev/null").ok(),
            paused_until: 0,
            mail: Arc::new(Mail::new(Arc::clone(&waker))),
            end: None,
            epoch: Instant::now(),
        };
        Ok((worker, waker))
    }

    /// Serves until the stop, then what is in flight.
    pub fn run(mut self, served: Arc<ArcSwap<Served>>) {
        let mut served = Cached::new(served);
        let mut events = Events::with_capacity(256);
        let mut next_sweep = 0;
        loop {
            let now = self.millis();
            if let Err(error) = self.poll.poll(&mut events, Some(self.patience(now)))
                && error.kind() != ErrorKind::Interrupted
            {
                log::error!("tcp worker cannot wait for requests: {error}");
                std::thread::sleep(Duration::from_millis(PAUSE));
            }
            let now = self.millis();
            for event in &events {
                self.note(event);
            }
            if self.end.is_none() && self.stop.now.load(Ordering::Acquire) {
                self.begin_end(&mut served, now);
            }
            self.deliver(now);
            // Also to let go of zones that are no longer served.
            served.load();
            let time = UnixTime::now();
            self.look_again();
            // First those that are here: who closes makes room for who comes.
            self.take_turns(&mut served, time, now);
            if self.end.is_none() {
                self.accept(&mut served, now);
                self.take_turns(&mut served, time, now);
            }
            if now >= next_sweep {
                self.sweep(now);
                next_sweep = now + self.tick();
            }
            if self.end.is_some_and(|end| self.table.len() == 0 || now >= end) {
                self.close_all();
                return;
            }
        }
    }

    fn millis(&self) -> Millis {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX / 4)
    }

    /// How often deadlines are looked at: often enough for the shortest one.
    fn tick(&self) -> Millis {
        let shortest = self.limits.idle.min(self.limits.receive).min(self.limits.send).as_millis() / 4;
        u64::try_from(shortest).unwrap_or(u64::MAX).clamp(10, 250)
    }

    fn patience(&self, now: Millis) -> Duration {
        let accepting_rests = self.listeners.iter().any(|listener| listener.waiting);
        Duration::from_millis(if !self.turn.is_empty() || !self.unwatched.is_empty() || accepting_rests && now >= self.paused_until {
            0
        } else if accepting_rests {
            self.paused_until - now
        } else if self.table.len() > 0 {
            self.tick()
        } else {
            // Only to let go of zones that are no longer served.
            1000
        })
    }

    fn note(&mut self, event: &mio::event::Event) {
        let token = event.token();
        if token == WAKE {
            return;
        }
        if let Some(listener) = LISTENERS.checked_sub(token.0).and_then(|i| self.listeners.get_mut(i)) {
            listener.waiting = true;
            return;
        }
        // A slot may have a new tenant since the event; then this is one needless read.
        if let Some(peer) = self.table.get_mut(token.0) {
            peer.readable |= event.is_readable();
            peer.hung_up |= event.is_read_closed() || event.is_error();
            if !std::mem::replace(&mut peer.queued, true) {
                self.turn.push_back(token.0);
            }
        }
    }

    /// Owes connections what others have answered in their place.
    fn deliver(&mut self, now: Millis) {
        for Letter { slot, number, answer } in self.mail.take() {
            // Who asked may have gone, and another have come in its place.
            let Some(peer) = self.table.get_mut(slot).filter(|peer| peer.number == number) else { continue };
            self.answers.clear();
            self.answers.push(|room| {
                room[..answer.len()].copy_from_slice(&answer);
                Written::Message(answer.len())
            });
            self.counters.add(Counter::BytesOut, answer.len() as u64);
            peer.connection.owe(self.answers.octets(), now);
            peer.connection.end_stream(now);
            if !std::mem::replace(&mut peer.queued, true) {
                self.turn.push_back(slot);
            }
        }
    }

    /// Gives the connections that are not watched yet their second turn.
    fn look_again(&mut self) {
        for slot in std::mem::take(&mut self.unwatched) {
            if let Some(peer) = self.table.get_mut(slot)
                && peer.watch == Watch::Soon
            {
                peer.readable = true;
                if !std::mem::replace(&mut peer.queued, true) {
                    self.turn.push_back(slot);
                }
            }
        }
    }

    /// One turn for each connection that waits for one.
    fn take_turns(&mut self, served: &mut Cached, time: UnixTime, now: Millis) {
        for _ in 0..self.turn.len() {
            let Some(slot) = self.turn.pop_front() else { break };
            self.serve(slot, served, time, now);
        }
    }

    fn accept(&mut self, served: &mut Cached, now: Millis) {
        if now < self.paused_until {
            return;
        }
        for i in 0..self.listeners.len() {
            for _ in 0..ACCEPTS {
                if !self.listeners[i].waiting {
                    break;
                }
                match self.listeners[i].socket.accept() {
                    Ok((socket, address)) => self.admit(socket, self.listeners[i].is_tls, address.ip(), served, now),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => self.listeners[i].waiting = false,
                    Err(error) if is_exhaustion(&error) => {
                        self.relieve(i, served, now);
                        return;
                    }
                    // The client gave up in the queue (accept(2) names more errors of this kind); the next one may be fine.
                    Err(_) => {}
                }
            }
        }
    }

    /// No descriptor (or memory) is left: the connection that is idle longest makes room; if there is none, the first of the queue is
    /// turned away with the descriptor kept back. Then accepting rests, so that this cannot become a spin.
    fn relieve(&mut self, listener: usize, served: &mut Cached, now: Millis) {
        // accept(2) asks for the descriptor before it looks into the queue: it fails in this way also when nobody waits, and then no
        // connection may be given up.
        let mut queue = Waiting::new([self.listeners[listener].socket.as_fd()]);
        if queue.wait(0).is_ok() && !queue.is_ready(0) {
            self.listeners[listener].waiting = false;
            return;
        }
        self.counters.add(Counter::TcpRefusedDescriptors, 1);
        if let Some(slot) = self.table.longest_idle() {
            self.close(slot, CloseReason::Evicted);
            if let Ok((socket, address)) = self.listeners[listener].socket.accept() {
                self.admit(socket, self.listeners[listener].is_tls, address.ip(), served, now);
                return;
            }
        } else if self.reserve.take().is_some() {
            drop(self.listeners[listener].socket.accept());
        }
        if self.reserve.is_none() {
            self.reserve = File::open("/dev/null").ok();
        }
        self.paused_until = now + PAUSE;
    }

    fn admit(&mut self, socket: TcpStream, is_tls: bool, address: IpAddr, served: &mut Cached, now: Millis) {
        match self.table.victim(address, self.limits.connections_per_client, self.limits.connections) {
            Ok(None) => {}
            Ok(Some(slot)) => self.close(slot, CloseReason::Evicted),
            Err(Refusal::Client) => return self.counters.add(Counter::TcpRefusedClientLimit, 1),
            Err(Refusal::Total) => return self.counters.add(Counter::TcpRefusedTotalLimit, 1),
        }
        let (stream, connection) = if is_tls {
            // Without a certificate there is nothing to be said.
            let Some(Ok(tls)) = served.load().tls.as_ref().map(|acceptor| acceptor.accept(socket)) else { return };
            (Stream::Tls(Box::new(tls)), Connection::new(now).greeting())
        } else {
            (Stream::Plain(socket), Connection::new(now))
        };
        let slot = self.table.insert(stream, address, connection);
        self.counters.add(Counter::TcpAccepted, 1);
        // The first request is often there already.
        if let Some(peer) = self.table.get_mut(slot) {
            (peer.readable, peer.queued) = (true, true);
            self.turn.push_back(slot);
        }
    }

    fn serve(&mut self, slot: usize, served: &mut Cached, time: UnixTime, now: Millis) {
        if let Some(peer) = self.table.get_mut(slot) {
            peer.queued = false;
        }
        match self.step(slot, served, time, now) {
            Next::Wait => self.watch(slot),
            Next::Again => {
                if let Some(peer) = self.table.get_mut(slot)
                    && !std::mem::replace(&mut peer.queued, true)
                {
                    self.turn.push_back(slot);
                }
            }
            Next::Close(reason) => self.close(slot, reason),
        }
    }

    /// Sees to it that the next turn of a connection comes.
    ///
    /// Most clients ask once and close. So a new connection is only given to epoll after it had nothing to say twice: a worker that has
    /// much to do sees the close at the second look, and epoll never hears of the connection.
    fn watch(&mut self, slot: usize) {
        let Some(peer) = self.table.get_mut(slot) else { return };
        let wanted = match peer.watch {
            Watch::New => {
                peer.watch = Watch::Soon;
                return self.unwatched.push(slot);
            }
            Watch::Soon | Watch::Reads if peer.connection.owes() || peer.stream.owes() => Watch::Both,
            Watch::Soon => Watch::Reads,
            Watch::Reads | Watch::Both => return,
        };
        let interest = if wanted == Watch::Both { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        let registry = self.poll.registry();
        // What is so already is told as an edge.
        let result = if peer.watch == Watch::Soon {
            registry.register(peer.stream.socket(), Token(slot), interest)
        } else {
            registry.reregister(peer.stream.socket(), Token(slot), interest)
        };
        peer.watch = wanted;
        if result.is_err() {
            self.close(slot, CloseReason::Error);
        }
    }

    /// One turn of one connection: what is owed goes out, then at most one read, its answers, one write.
    fn step(&mut self, slot: usize, served: &mut Cached, time: UnixTime, now: Millis) -> Next {
        let Self { table, scratch, answers, counters, mail, end, .. } = self;
        let Some(peer) = table.get_mut(slot) else { return Next::Wait };
        match peer.stream.flush() {
            Ok(true) => {}
            Ok(false) => return Next::Wait,
            Err(_) => return Next::Close(CloseReason::Error),
        }
        while peer.connection.owes() {
            match peer.stream.write(peer.connection.owed()) {
                Ok(0) => return Next::Close(CloseReason::Error),
                Ok(n) => peer.connection.took(n, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Next::Close(CloseReason::Error),
            }
        }
        match peer.connection.phase() {
            Phase::Open => {}
            Phase::Flushing(reason) => {
                if peer.ended || peer.stream.shutdown().is_err() {
                    return Next::Close(reason);
                }
                peer.connection.linger((now + LINGER).min(end.unwrap_or(Millis::MAX)));
                peer.readable = true;
                return Next::Again;
            }
            Phase::Lingering(reason, _) => {
                // What comes now is not answered any more; it is only read away.
                return match peer.stream.discard(scratch.room()) {
                    Ok(0) => Next::Close(reason),
                    Ok(_) => Next::Again,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Next::Wait,
                    Err(error) if error.kind() == ErrorKind::Interrupted => Next::Again,
                    Err(_) => Next::Close(reason),
                };
            }
        }
        if let Some(transfer) = &mut peer.transfer {
            answers.clear();
            let progress = transfer.write(answers, time, counters);
            if progress != Progress::More {
                transfer.log(progress == Progress::Done);
                peer.transfer = None;
                peer.connection.end_stream(now);
            }
            return match write(peer, answers.octets(), now) {
                // What was written before the fault goes nowhere: half a zone is none.
                Ok(_) if progress == Progress::Broken => Next::Close(CloseReason::Error),
                Ok(true) => Next::Again,
                Ok(false) => Next::Wait,
                Err(reason) => Next::Close(reason),
            };
        }
        if peer.connection.streams() {
            // The answer is made by another, who will tell.
            return Next::Wait;
        }
        let mut fresh = 0;
        if !peer.connection.holds_whole() {
            if peer.ended {
                return Next::Close(CloseReason::Client);
            }
            // A server that stops reads once more in any case: only an empty socket ends the connection.
            if !peer.readable && !peer.hung_up && end.is_none() {
                return Next::Wait;
            }
            let received = peer.stream.receive(scratch.room(), counters);
            if !peer.stream.is_greeting() {
                peer.connection.greeted(now);
            }
            match received {
                Ok((0, _)) => peer.ended = true,
                Ok((n, more)) => (fresh, peer.readable) = (n, more),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    (peer.readable, peer.hung_up) = (false, false);
                    return self.when_quiet(slot);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => return Next::Again,
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    peer.connection.finish(CloseReason::Tls);
                    return Next::Again;
                }
                Err(_) => return Next::Close(CloseReason::Error),
            }
        }
        // Only now: whoever asks once an order is acknowledged is answered by it.
        let served: &Served = served.load();
        answers.clear();
        let (meta, channel) = (Meta { transport: peer.stream.transport(), client: peer.address }, peer.stream.channel());
        let number = peer.number;
        let mut transfer = None;
        let step = peer.connection.take(scratch, fresh, now, answers, |message, room| {
            let mut prepared = Prepared::unread();
            request::read(counters, message, &mut prepared);
            match request::answer(served, channel, time, &meta, counters, &prepared, room) {
                Answer::Nothing => Written::Nothing,
                Answer::Message(len) => Written::Message(len),
                Answer::Zone(outgoing) => {
                    transfer = Some(Box::new(Transfer::new(*outgoing, meta.client, channel)));
                    Written::Stream
                }
                Answer::Later(wish) => {
                    let later = Later::new(*wish, Way::Stream { mail: Arc::clone(mail), slot, number });
                    // Without anybody it is dropped here, and so answered.
                    if let Some(updater) = &served.updater {
                        updater.take(later);
                    }
                    Written::Stream
                }
            }
        });
        peer.transfer = transfer;
        match write(peer, answers.octets(), now) {
            Ok(true) => {}
            Ok(false) => return Next::Wait,
            Err(reason) => return Next::Close(reason),
        }
        let more = step == Step::Full || peer.readable || peer.hung_up || peer.ended || peer.connection.phase() != Phase::Open;
        if more || end.is_some() { Next::Again } else { Next::Wait }
    }

    /// Nothing is left to read. A server that stops ends the connection here, unless half a request came: the rest may follow.
    fn when_quiet(&mut self, slot: usize) -> Next {
        match self.table.get_mut(slot) {
            Some(peer) if self.end.is_some() && peer.connection.is_idle() => {
                peer.connection.finish(CloseReason::Shutdown);
                Next::Again
            }
            _ => Next::Wait,
        }
    }

    /// Takes in the connections that wait, closes the listeners, and gives every connection a turn to read what already came.
    fn begin_end(&mut self, served: &mut Cached, now: Millis) {
        self.paused_until = 0;
        for _ in 0..64 {
            self.accept(served, now);
            if self.listeners.iter().all(|listener| !listener.waiting) || now < self.paused_until {
                break;
            }
        }
        self.listeners.clear();
        self.end = Some(now + self.stop.drain.load(Ordering::Relaxed));
        let slots: Vec<usize> = self.table.slots().map(|(slot, _)| slot).collect();
        for slot in slots {
            if let Some(peer) = self.table.get_mut(slot) {
                peer.readable = true;
                if !std::mem::replace(&mut peer.queued, true) {
                    self.turn.push_back(slot);
                }
            }
        }
    }

    /// Closes what is past its deadline.
    fn sweep(&mut self, now: Millis) {
        self.table.look(now);
        let crowded = self.table.len() * 4 > self.limits.connections * 3;
        let overdue: Vec<(usize, CloseReason)> = (self.table.slots())
            .map(|(slot, peer)| (slot, peer.connection.deadline(&self.limits, crowded)))
            .filter(|(_, (deadline, _))| *deadline <= now)
            .map(|(slot, (_, reason))| (slot, reason))
            .collect();
        for (slot, reason) in overdue {
            self.close(slot, reason);
        }
    }

    fn close(&mut self, slot: usize, reason: CloseReason) {
        if let Some(mut peer) = self.table.remove(slot) {
            // Where something is missing, the end is not announced: the client sees that it was cut off.
            if reason != CloseReason::Error && peer.transfer.is_none() && !peer.connection.owes() {
                peer.stream.take_leave();
            }
            if let Some(transfer) = peer.transfer {
                transfer.log(false);
            }
            self.counters.add(Counter::TcpClosed, 1);
            let counter = match reason {
                CloseReason::Client => Counter::TcpClosedClient,
                CloseReason::Idle => Counter::TcpClosedIdle,
                CloseReason::SlowWriter => Counter::TcpClosedSlowWriter,
                CloseReason::SlowReader => Counter::TcpClosedSlowReader,
                CloseReason::Framing => Counter::TcpClosedFraming,
                CloseReason::Tls => Counter::TcpClosedTls,
                CloseReason::Evicted => Counter::TcpClosedEvicted,
                CloseReason::Error => Counter::TcpClosedError,
                CloseReason::Shutdown => Counter::TcpClosedShutdown,
            };
            self.counters.add(counter, 1);
        }
    }

    fn close_all(&mut self) {
        let slots: Vec<usize> = self.table.slots().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.close(slot, CloseReason::Shutdown);
        }
    }
}

/// Writes what the socket takes and owes the rest; false where there is one.
fn write(peer: &mut Peer<Stream>, mut octets: &[u8], now: Millis) -> Result<bool, CloseReason> {
    while !octets.is_empty() {
        match peer.stream.write(octets) {
            Ok(0) => return Err(CloseReason::Error),
            Ok(n) => octets = &octets[n..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(CloseReason::Error),
        }
    }
    peer.connection.owe(octets, now);
    Ok(octets.is_empty())
}

fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
