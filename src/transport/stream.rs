//! The octets of a connection: as they go over TCP, or inside TLS. Nothing here waits.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;

use super::tls::Accepted;
use crate::answer::Transport;
use crate::telemetry::Counters;
use crate::transfer::access::Channel;

/// A connection's socket and what stands in front of it.
pub enum Stream {
    /// The socket alone.
    Plain(TcpStream),
    /// TLS.
    Tls(Box<Accepted>),
}

impl Stream {
    /// The socket, to be watched.
    pub fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.socket(),
        }
    }

    /// How requests come over it.
    pub fn transport(&self) -> Transport {
        match self {
            Self::Plain(_) => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
        }
    }

    /// What is known of the way of its octets, and of who is at the other end.
    pub fn channel(&self) -> Channel<'_> {
        match self {
            Self::Plain(_) => Channel::Plain,
            Self::Tls(tls) => tls.channel(),
        }
    }

    /// True while no request can come yet.
    pub fn is_greeting(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.is_greeting(),
        }
    }

    /// True if octets wait for the socket that nobody handed in.
    pub fn owes(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.owes(),
        }
    }

    /// Sends those; false where the socket takes no more.
    ///
    /// # Errors
    /// As [`Write::write`], but for `WouldBlock`.
    pub fn flush(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Reads into `room`; gives how much, and whether there may be more at once. Nothing is the end.
    ///
    /// # Errors
    /// As [`Read::read`], and as [`Accepted::receive`].
    pub fn receive(&mut self, room: &mut [u8], counters: &Counters) -> io::Result<(usize, bool)> {
        match self {
            // A short read has emptied the socket; the next octet is a new edge.
            Self::Plain(tcp) => tcp.read(room).map(|n| (n, n == room.len())),
            Self::Tls(tls) => tls.receive(room, counters),
        }
    }

    /// Writes some of `octets`; after `WouldBlock` the next call gets the same ones again.
    ///
    /// # Errors
    /// As [`Write::write`].
    pub fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(octets),
            Self::Tls(tls) => tls.write(octets),
        }
    }

    /// Closes our side.
    ///
    /// # Errors
    /// As shutdown(2).
    pub fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.shutdown(Shutdown::Write),
            Self::Tls(tls) => tls.shutdown(),
        }
    }

    /// Before a close that the client is told of in no other way.
    pub fn take_leave(&mut self) {
        match self {
            Self::Plain(_) => {}
            Self::Tls(tls) => tls.take_leave(),
        }
    }

    /// Reads octets to throw them away.
    ///
    /// # Errors
    /// As [`Read::read`].
    pub fn discard(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(room),
            Self::Tls(tls) => tls.discard(room),
        }
    }
}
