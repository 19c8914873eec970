//! UDP: one worker a core, batches of datagrams in and out. RFC 1035 §4.2.1, RFC 9715.
//!
//! Per batch: one receive call, one clock read, one look whether other zones are served, one send call.

use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::later::{Later, Way};
use super::request::{self, Answer, Cached, Served};
use super::sys::{self, Batch, Envelope, Sent, Waiting};
use crate::answer::{Meta, Prepared, Transport};
use crate::dns::UnixTime;
use crate::telemetry::{Counter, Counters};
use crate::transfer::access::Channel;
use crate::transfer::update::Wish;

/// One listen address of one worker.
#[derive(Debug)]
pub struct Listener {
    /// Not blocking.
    pub socket: UdpSocket,
    /// True for 0.0.0.0 and [::]: each datagram tells which address it asked.
    pub wildcard: bool,
}

/// One UDP worker; [`run`](Self::run) is its life.
pub struct Worker {
    /// Its sockets.
    pub listeners: Vec<Listener>,
    /// What it answers from.
    pub served: Arc<ArcSwap<Served>>,
    /// What it counts; nobody else adds to it.
    pub counters: Arc<Counters>,
    /// Can be read once the server stops.
    pub stop: std::io::PipeReader,
    /// The processor to stay on.
    pub processor: Option<usize>,
    /// How long what waits is still answered after the stop.
    pub drain: Arc<std::sync::atomic::AtomicU64>,
}

/// Datagrams a call. More gains little (the call's own cost is spread thin already) and costs latency and cache.
const BATCH: usize = 64;
/// Requests whose cache misses overlap: more than that the processor does not have under way at once.
const GROUP: usize = 16;
/// Full batches of one socket before the next socket has its turn.
const TURN: usize = 16;
/// An idle worker looks this often for newly served zones, so that it does not keep the old ones alive.
const IDLE_MS: i32 = 1000;

impl Worker {
    /// Answers until the stop, then what still waits.
    pub fn run(self) {
        if let Some(processor) = self.processor
            && let Err(error) = sys::pin_thread(processor)
        {
            log::warn!("udp worker is not bound to processor {processor}: {error}");
        }
        let mut served = Cached::new(Arc::clone(&self.served));
        let mut batch = Batch::new(BATCH);
        let mut waiting = Waiting::new(self.listeners.iter().map(|listener| listener.socket.as_fd()).chain([self.stop.as_fd()]));
        loop {
            if let Err(error) = waiting.wait(IDLE_MS) {
                // Only memory can be short here (poll(2)); to try again at once would be a spin.
                log::error!("udp worker cannot wait for requests: {error}");
                std::thread::sleep(Duration::from_millis(100));
            }
            served.load();
            if waiting.is_ready(self.listeners.len()) {
                return self.finish(&mut batch, &mut served);
            }
            for (_, listener) in self.listeners.iter().enumerate().filter(|&(i, _)| waiting.is_ready(i)) {
                for _ in 0..TURN {
                    if self.serve(listener, &mut batch, &mut served) < BATCH {
                        break;
                    }
                }
            }
        }
    }

    /// Answers what reached the sockets before the stop.
    fn finish(&self, batch: &mut Batch, served: &mut Cached) {
        let drain = Duration::from_millis(self.drain.load(std::sync::atomic::Ordering::Relaxed));
        let end = Instant::now() + drain;
        for listener in &self.listeners {
            // Under a flood the queue never ends; the time does.
            while self.serve(listener, batch, served) > 0 && Instant::now() < end {}
        }
    }

    /// One batch of one socket; returns how many datagrams came.
    fn serve(&self, listener: &Listener, batch: &mut Batch, served: &mut Cached) -> usize {
        let socket = listener.socket.as_fd();
        let counters = &*self.counters;
        let n = match batch.receive(socket, listener.wildcard) {
            Ok(n) => n,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => return 0,
            Err(_) => {
                // Memory is short, as nothing else can be wrong with such a socket (recv(2)); to try again at once would be a spin.
                counters.add(Counter::ReceiveErrors, 1);
                std::thread::sleep(Duration::from_millis(1));
                return 0;
            }
        };
        // Only now: whoever asks once an order is acknowledged is answered by it, however long this thread stood still before.
        let served: &Served = served.load();
        let now = UnixTime::now();
        let Batch { requests, answers, calls } = batch;
        let mut group = [const { None::<Prepared<'_>> }; GROUP];
        for first in (0..n).step_by(GROUP) {
            // Read all, bring near what they need, then answer each.
            let mut clients: [Option<IpAddr>; GROUP] = [None; GROUP];
            for (slot, (client, place)) in (first..n).zip(clients.iter_mut().zip(&mut group)) {
                match requests.get(slot) {
                    // Nobody can receive at port 0; a forger may want us to try.
                    Some(datagram) if datagram.client.port() != 0 && !datagram.cut => {
                        request::read(counters, datagram.octets, place.get_or_insert_with(Prepared::unread));
                        *client = Some(datagram.client.ip());
                    }
                    _ => counters.add(Counter::Dropped, 1),
                }
            }
            let came = clients.iter().zip(&mut group).filter_map(|(client, place)| place.as_mut().filter(|_| client.is_some()));
            request::warm(served, counters, came);
            for (slot, (client, place)) in (first..n).zip(clients.iter().zip(&group)) {
                let (Some(client), Some(prepared)) = (*client, place) else { continue };
                if !answers.has_room() {
                    count(calls.send(socket, requests, answers), counters);
                }
                let meta = Meta { transport: Transport::Udp, client };
                answers.write(slot, |room| match request::answer(served, Channel::Plain, now, &meta, counters, prepared, room) {
                    Answer::Message(len) => Some(len),
                    Answer::Later(wish) => {
                        pass_on(*wish, served, &listener.socket, requests.envelope(slot));
                        None
                    }
                    Answer::Nothing | Answer::Zone(_) => None,
                });
            }
        }
        count(calls.send(socket, requests, answers), counters);
        n
    }
}

/// Gives a wish to who carries it out; the answer goes out by the same socket. Without a descriptor for that the client has to ask again.
#[cold]
fn pass_on(wish: Wish, served: &Served, socket: &UdpSocket, envelope: Option<Envelope>) {
    let Some((socket, envelope)) = socket.try_clone().ok().zip(envelope) else { return };
    let later = Later::new(wish, Way::Datagram { socket, envelope });
    if let Some(updater) = &served.updater {
        updater.take(later);
    }
}

fn count(sent: Sent, counters: &Counters) {
    if sent.full > 0 {
        counters.add(Counter::SendFull, sent.full as u64);
    }
    if sent.refused > 0 {
        counters.add(Counter::SendRefused, sent.refused as u64);
    }
}
