//! A zone on its way to one client: written as fast as the client reads, and accounted for in one line at its end.

use std::net::IpAddr;
use std::time::Instant;

use super::connection::{Answers, Written};
use super::request;
use crate::dns::UnixTime;
use crate::telemetry::{Counter, Counters};
use crate::transfer::access::Channel;
use crate::transfer::out::Outgoing;

/// A transfer out.
pub struct Transfer {
    outgoing: Outgoing,
    client: IpAddr,
    /// How it goes out, and what the client proved, as the log has it.
    channel: String,
    began: Instant,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more.
    More,
    /// The last message was written.
    Done,
    /// It cannot go on.
    Broken,
}

impl Transfer {
    /// Begins.
    pub fn new(outgoing: Outgoing, client: IpAddr, channel: Channel<'_>) -> Self {
        Self { outgoing, client, channel: channel.to_string(), began: Instant::now() }
    }

    /// Writes messages while there is room.
    pub fn write(&mut self, answers: &mut Answers, now: UnixTime, counters: &Counters) -> Progress {
        while !answers.is_full() {
            let mut progress = Progress::More;
            answers.push(|room| match request::caught(counters, || self.outgoing.next(now, room)) {
                Some(Some(Ok(len))) => {
                    counters.add(Counter::BytesOut, len as u64);
                    Written::Message(len)
                }
                Some(None) => {
                    progress = Progress::Done;
                    Written::Nothing
                }
                // A record that fits into no message, or a fault of the program.
                Some(Some(Err(_))) | None => {
                    progress = Progress::Broken;
                    Written::Nothing
                }
            });
            if progress != Progress::More {
                return progress;
            }
        }
        Progress::More
    }

    /// The line of the log: whose zone went where, and what of it.
    pub fn log(&self, is_whole: bool) {
        let Self { outgoing, client, channel, began } = self;
        let what = if is_whole { "transferred" } else { "transfer broken off" };
        log::info!("[{}] {what}, {outgoing}, to {client}, {channel}, {} ms", outgoing.served().apex(), began.elapsed().as_millis());
    }
}
