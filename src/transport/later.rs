//! Requests that a worker does not wait for: who carries them out answers them, by the way they came.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;

use super::sys::Envelope;
use crate::dns::UnixTime;
use crate::transfer::update::Wish;

/// Who carries out what clients ask for.
pub trait Updater: Send + Sync {
    /// Takes a change that a client may ask for. Does not wait: what there is no room for is dropped, and so answered.
    fn take(&self, later: Later);
}

/// A request whose sender waits. When it is dropped without an answer, the answer is SERVFAIL.
pub struct Later {
    /// Gone once it is answered.
    wish: Option<Wish>,
    way: Way,
}

/// How an answer goes out.
pub(super) enum Way {
    /// From the address that was asked.
    Datagram { socket: UdpSocket, envelope: Envelope },
    /// By the worker that has the connection.
    Stream { mail: Arc<Mail>, slot: usize, number: u64 },
}

const SERVFAIL: u16 = 2;

impl Later {
    pub(super) fn new(wish: Wish, way: Way) -> Self {
        Self { wish: Some(wish), way }
    }

    /// What is asked for.
    ///
    /// # Panics
    /// Never: it is there until it is answered.
    pub fn wish(&self) -> &Wish {
        self.wish.as_ref().expect("not answered yet")
    }

    /// Tells the client what came of it.
    pub fn answer(mut self, rcode: u16, now: UnixTime) {
        self.tell(rcode, now);
    }

    /// Tells nothing: the same request waits already, and one answer is enough.
    pub fn forget(mut self) {
        self.wish = None;
    }

    /// True if one answer is enough for both: a datagram that was sent again.
    pub fn is_again(&self, other: &Self) -> bool {
        match (&self.way, &other.way) {
            (Way::Datagram { envelope, .. }, Way::Datagram { envelope: other_envelope, .. }) => {
                envelope.client() == other_envelope.client()
                    && self.wish.as_ref().zip(other.wish.as_ref()).is_some_and(|(wish, other)| wish.is_again(other))
            }
            _ => false,
        }
    }

    fn tell(&mut self, rcode: u16, now: UnixTime) {
        let Some(wish) = self.wish.take() else { return };
        let answer = wish.answer(rcode, now);
        match &self.way {
            // Lost is lost, as any datagram; the client asks again.
            Way::Datagram { socket, envelope } => drop(envelope.send(socket.as_fd(), &answer)),
            Way::Stream { mail, slot, number } => mail.post(Letter { slot: *slot, number: *number, answer }),
        }
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        self.tell(SERVFAIL, UnixTime::now());
    }
}

/// Answers on their way to a worker that has the connections.
pub(super) struct Mail {
    letters: Mutex<Vec<Letter>>,
    waker: Arc<Waker>,
}

/// An answer for the connection that had this slot and number.
pub(super) struct Letter {
    pub slot: usize,
    pub number: u64,
    pub answer: Vec<u8>,
}

impl Mail {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self { letters: Mutex::default(), waker }
    }

    fn post(&self, letter: Letter) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        // A worker that cannot be woken looks within a second.
        let _ = self.waker.wake();
    }

    /// All that have come.
    pub(super) fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
