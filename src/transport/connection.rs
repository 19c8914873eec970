//! One TCP connection without its socket: messages behind two octets of length (RFC 1035 §4.2.2, RFC 7766 §8), answers owed, deadlines.
//!
//! Knows no socket and no clock: octets and times come in as arguments. An idle connection holds no buffer.

use super::limits::Limits;
use super::sys::MESSAGE_MAX;

/// Milliseconds since some moment before the first connection.
pub type Millis = u64;

/// What is kept of a connection between two events.
#[derive(Debug)]
pub struct Connection {
    /// Requests received and not answered yet: whole ones where answers stopped flowing, then at most one that is not complete.
    held: Vec<u8>,
    /// Answers that the socket did not take yet, from `taken` on.
    owed: Vec<u8>,
    taken: usize,
    /// Last time a request was complete or the last answer was taken.
    active: Millis,
    /// When the first octet of the incomplete request came.
    held_since: Millis,
    /// When answers began to wait, and when the client last took some.
    owed_since: Millis,
    progress: Millis,
    /// For a while the client took nothing of what is owed.
    is_stalled: bool,
    /// No request can come yet: who connected and who answers agree on keys.
    is_greeting: bool,
    /// More than one message answers what was asked last, and not all of them were written yet.
    streams: bool,
    phase: Phase,
}

/// Where a connection stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requests are read and answered.
    Open,
    /// No more requests are read; what is owed is sent, then our side is closed.
    Flushing(CloseReason),
    /// Our side is closed; until this time we wait for the client to close its own, so that no reset destroys the last answers.
    Lingering(CloseReason, Millis),
}

/// What a close costs the client, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leave {
    /// Nothing: it has all it will get.
    Done,
    /// Time: nothing received waits, nothing is owed.
    Idle,
    /// A request that it has not sent whole.
    Partial,
    /// Answers that it does not read.
    Stalled,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed it.
    Client,
    /// No request for too long.
    Idle,
    /// A request took too long to come.
    SlowWriter,
    /// Answers were not taken.
    SlowReader,
    /// What came cannot be a DNS message.
    Framing,
    /// What came is not TLS as it is spoken here.
    Tls,
    /// Its place was needed.
    Evicted,
    /// The network said no.
    Error,
    /// The server stops.
    Shutdown,
}

/// What taking octets came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Every whole message was answered.
    Hungry,
    /// The room for answers is used up, or one that was begun comes in messages of its own; whole requests may be left.
    Full,
}

/// What answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing.
    Nothing,
    /// One message of so many octets.
    Message(usize),
    /// Messages that come one after the other, as the client takes them.
    Stream,
}

/// Answers of one round, on their way into one write.
pub struct Answers {
    buffer: Box<[u8]>,
    len: usize,
}

/// No further request is answered in a round once this much waits to be written: a client that does not read is not worked for.
pub const ANSWERS_BOUND: usize = 64 * 1024;
/// The most octets read at a time.
const FRESH_BOUND: usize = 64 * 1024;
/// The most octets held: reading goes on only when less than one message is held.
const HELD_BOUND: usize = 2 + MESSAGE_MAX + FRESH_BOUND;
/// When a client that takes nothing of its answers may be closed for another. Our choice: far above a round trip.
const STALLED: Millis = 1000;
/// A DNS header; what is shorter has no id to answer with.
const HEADER: usize = 12;

/// Where octets are read to, shared by all connections of a worker; what a connection holds is put in front of them.
pub struct Scratch(Box<[u8]>);

impl Scratch {
    /// About 200 KiB.
    pub fn new() -> Self {
        Self(vec![0; HELD_BOUND + FRESH_BOUND].into_boxed_slice())
    }

    /// Room to read into, before [`Connection::take`].
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.0[HELD_BOUND..]
    }
}

impl Answers {
    /// Room for [`ANSWERS_BOUND`] and one answer of the largest size beyond it.
    pub fn new() -> Self {
        Self { buffer: vec![0; ANSWERS_BOUND + 2 + MESSAGE_MAX].into_boxed_slice(), len: 0 }
    }

    /// What was written, with the lengths.
    pub fn octets(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// True once no further message is begun.
    pub fn is_full(&self) -> bool {
        self.len >= ANSWERS_BOUND
    }

    /// Adds what `write` writes into room for 65,535 octets; returns what it was.
    pub fn push(&mut self, write: impl FnOnce(&mut [u8]) -> Written) -> Written {
        let (head, room) = self.buffer[self.len..].split_at_mut(2);
        let written = write(&mut room[..MESSAGE_MAX]);
        if let Written::Message(len) = written {
            let len = u16::try_from(len).unwrap_or(u16::MAX);
            head.copy_from_slice(&len.to_be_bytes());
            self.len += 2 + usize::from(len);
        }
        written
    }
}

impl Connection {
    /// A connection accepted at `now`.
    pub fn new(now: Millis) -> Self {
        Self {
            held: Vec::new(),
            owed: Vec::new(),
            taken: 0,
            active: now,
            held_since: now,
            owed_since: now,
            progress: now,
            is_stalled: false,
            is_greeting: false,
            streams: false,
            phase: Phase::Open,
        }
    }

    /// Where the connection stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Last sign of life that counts.
    pub fn active(&self) -> Millis {
        self.active
    }

    /// True if a client would lose nothing but time by a close: nothing received waits, nothing is owed.
    pub fn is_idle(&self) -> bool {
        self.leave() == Some(Leave::Idle)
    }

    /// What a close would cost the client, if it can be closed at all: not while it takes its answers.
    pub fn leave(&self) -> Option<Leave> {
        match self.phase {
            Phase::Lingering(..) => Some(Leave::Done),
            Phase::Open if self.is_stalled => Some(Leave::Stalled),
            Phase::Open if self.streams || !self.owed.is_empty() => None,
            Phase::Open if self.held.is_empty() => Some(Leave::Idle),
            Phase::Open => Some(Leave::Partial),
            Phase::Flushing(_) => None,
        }
    }

    /// True if answers wait for the client.
    pub fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// This one, of which nothing can be asked before [`greeted`](Self::greeted).
    pub fn greeting(self) -> Self {
        Self { is_greeting: true, ..self }
    }

    /// Requests can come from now on.
    pub fn greeted(&mut self, now: Millis) {
        if std::mem::take(&mut self.is_greeting) {
            self.active = now;
        }
    }

    /// True while more is to come in answer to what was asked last.
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// The last message of a stream was written.
    pub fn end_stream(&mut self, now: Millis) {
        (self.streams, self.active) = (false, now);
    }

    /// True if a request waits that can be answered without reading.
    pub fn holds_whole(&self) -> bool {
        matches!(split(&self.held), Split::Message { .. } | Split::Broken)
    }

    /// Takes the `fresh` octets that were read into [`Scratch::room`], and answers every whole message that is complete with them.
    ///
    /// `answer` gets a request and room for 65,535 octets, and says how many it used; after one that is answered by a stream, no further
    /// request is taken. A message shorter than a header, and so also
    /// one of length zero, cannot be answered and casts doubt on all that follows: the connection flushes and ends. Cost: each octet
    /// is copied at most twice, however small the pieces are in which a message comes.
    pub fn take(
        &mut self,
        scratch: &mut Scratch,
        fresh: usize,
        now: Millis,
        answers: &mut Answers,
        mut answer: impl FnMut(&[u8], &mut [u8]) -> Written,
    ) -> Step {
        if self.phase != Phase::Open {
            return Step::Hungry;
        }
        let was_empty = self.held.is_empty();
        let fresh_octets = &scratch.0[HELD_BOUND..][..fresh];
        if self.stays_incomplete(fresh_octets) {
            if was_empty {
                self.held_since = now;
            }
            self.held.extend_from_slice(fresh_octets);
            return Step::Hungry;
        }
        let start = HELD_BOUND - self.held.len();
        scratch.0[start..HELD_BOUND].copy_from_slice(&self.held);
        let mut rest = &scratch.0[start..HELD_BOUND + fresh];
        let all = rest.len();
        let mut step = Step::Hungry;
        loop {
            match split(rest) {
                Split::Incomplete => break,
                Split::Broken => {
                    self.finish(CloseReason::Framing);
                    return Step::Hungry;
                }
                Split::Message { .. } if answers.is_full() => {
                    step = Step::Full;
                    break;
                }
                Split::Message { message, behind } => {
                    rest = behind;
                    if answers.push(|room| answer(message, room)) == Written::Stream {
                        self.streams = true;
                        step = Step::Full;
                        break;
                    }
                }
            }
        }
        if rest.len() < all {
            (self.active, self.held_since) = (now, now);
        } else if was_empty {
            self.held_since = now;
        }
        // A new allocation of the right size, or none: what a large request needed is not kept for the small ones behind it.
        self.held = rest.to_vec();
        step
    }

    /// True if `held` and `fresh` together are the start of one message, and no more.
    fn stays_incomplete(&self, fresh: &[u8]) -> bool {
        let mut octets = self.held.iter().chain(fresh);
        let (Some(&high), Some(&low)) = (octets.next(), octets.next()) else { return true };
        let len = usize::from(u16::from_be_bytes([high, low]));
        len >= HEADER && self.held.len() + fresh.len() < 2 + len
    }

    /// Keeps answers that the socket did not take.
    pub fn owe(&mut self, rest: &[u8], now: Millis) {
        if self.owed.is_empty() && !rest.is_empty() {
            (self.owed_since, self.progress) = (now, now);
        }
        self.owed.extend_from_slice(rest);
    }

    /// What waits for the socket.
    pub fn owed(&self) -> &[u8] {
        &self.owed[self.taken..]
    }

    /// The socket took `n` octets of what was owed.
    pub fn took(&mut self, n: usize, now: Millis) {
        self.taken += n;
        if n > 0 {
            (self.progress, self.is_stalled) = (now, false);
        }
        if self.taken >= self.owed.len() {
            (self.owed, self.taken) = (Vec::new(), 0);
            self.active = now;
        }
    }

    /// Looks whether the client still takes what it is owed. One that has not for a second goes where its place is needed.
    pub fn look(&mut self, now: Millis) {
        self.is_stalled = self.owes() && now.saturating_sub(self.progress) >= STALLED;
    }

    /// Answers no more requests; what is owed still goes out.
    pub fn finish(&mut self, reason: CloseReason) {
        if self.phase == Phase::Open {
            self.phase = Phase::Flushing(reason);
            self.held = Vec::new();
        }
    }

    /// Our side was closed; the client has until `until` to close its own.
    pub fn linger(&mut self, until: Millis) {
        if let Phase::Flushing(reason) = self.phase {
            self.phase = Phase::Lingering(reason, until);
        }
    }

    /// When the connection ends if nothing happens, and why. `crowded`: places are getting scarce.
    pub fn deadline(&self, limits: &Limits, crowded: bool) -> (Millis, CloseReason) {
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 16);
        if let Phase::Lingering(reason, until) = self.phase {
            return (until, reason);
        }
        if self.owes() {
            let send = millis(limits.send);
            return ((self.progress + send).min(self.owed_since + 6 * send), CloseReason::SlowReader);
        }
        if self.streams {
            // It waits for us.
            return (Millis::MAX, CloseReason::Idle);
        }
        if !self.held.is_empty() {
            return (self.held_since + millis(limits.receive), CloseReason::SlowWriter);
        }
        let idle = if crowded { millis(limits.idle) / 4 } else { millis(limits.idle) };
        if self.is_greeting {
            return (self.active + idle.min(millis(limits.receive)), CloseReason::SlowWriter);
        }
        (self.active + idle, CloseReason::Idle)
    }
}

enum Split<'a> {
    Message { message: &'a [u8], behind: &'a [u8] },
    Incomplete,
    Broken,
}

fn split(octets: &[u8]) -> Split<'_> {
    let Some((head, rest)) = octets.split_first_chunk::<2>() else { return Split::Incomplete };
    let len = usize::from(u16::from_be_bytes(*head));
    if len < HEADER {
        return Split::Broken;
    }
    match rest.split_at_checked(len) {
        Some((message, behind)) => Split::Message { message, behind },
        None => Split::Incomplete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `pieces` to a new connection; the answer to a message is the message itself. Returns the answers and the connection.
    fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Connection) {
        let (mut connection, mut scratch, mut answers) = (Connection::new(0), Scratch::new(), Answers::new());
        let mut sent = Vec::new();
        for piece in pieces {
            for piece in piece.chunks(FRESH_BOUND) {
                scratch.room()[..piece.len()].copy_from_slice(piece);
                let mut fresh = piece.len();
                loop {
                    answers.clear();
                    let step = connection.take(&mut scratch, fresh, 1, &mut answers, |message, room| {
                        room[..message.len()].copy_from_slice(message);
                        Written::Message(message.len())
                    });
                    sent.extend_from_slice(answers.octets());
                    assert!(connection.held.len() <= HELD_BOUND);
                    if step == Step::Hungry {
                        assert!(!connection.holds_whole());
                        break;
                    }
                    assert!(connection.holds_whole());
                    fresh = 0;
                }
            }
        }
        (sent, connection)
    }

    fn message(len: usize, fill: u8) -> Vec<u8> {
        let mut octets = u16::try_from(len).expect("a message's length").to_be_bytes().to_vec();
        octets.resize(2 + len, fill);
        octets
    }

    #[track_caller]
    fn check(stream: &[u8], expected: &[u8], held: usize, phase: Phase) {
        for size in [1, 2, 3, 7, 100, 65_535, usize::MAX] {
            let (sent, connection) = feed(stream.chunks(size.min(stream.len().max(1))));
            assert!(sent == expected, "pieces of {size}: {} octets sent, {} expected", sent.len(), expected.len());
            assert_eq!((connection.held.len(), connection.phase), (held, phase), "pieces of {size}");
        }
    }

    #[test]
    fn messages_come_out_however_they_are_cut() {
        check(&[], &[], 0, Phase::Open);
        let one = message(12, 1);
        check(&one, &one, 0, Phase::Open);
        for cut in 1..one.len() {
            check(&one[..cut], &[], cut, Phase::Open);
        }
        let many: Vec<u8> = (12..400).flat_map(|len| message(len, 2)).collect();
        check(&many, &many, 0, Phase::Open);
        let largest = message(65_535, 3);
        check(&largest, &largest, 0, Phase::Open);
        check(&largest[..largest.len() - 1], &[], largest.len() - 1, Phase::Open);
        check(&[&one[..], &largest, &largest, &one, &one[..5]].concat(), &[&one[..], &largest, &largest, &one].concat(), 5, Phase::Open);
    }

    #[test]
    fn a_message_without_a_header_ends_the_connection_after_the_answers_before_it() {
        let one = message(12, 1);
        for len in 0..HEADER {
            let broken = Phase::Flushing(CloseReason::Framing);
            check(&message(len, 9)[..2], &[], 0, broken);
            check(&[one.clone(), message(len, 9), one.clone()].concat(), &one, 0, broken);
        }
    }

    #[test]
    fn random_octets_keep_the_bounds() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for round in 0..2000 {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for _ in 0..random.usize(0..20) {
                let len = if random.u8(..) < 4 { random.usize(12..65_536) } else { random.usize(12..300) };
                stream.extend(message(len, random.u8(..)));
            }
            // Up to the mutation all is well; what follows must only not panic, and never be answered with more than it asked.
            if random.bool() && !stream.is_empty() {
                let at = random.usize(0..stream.len());
                stream[at] ^= random.u8(1..);
            }
            // A second, slow reading of the same octets.
            let mut rest = &stream[..];
            let mut broken = false;
            while rest.len() >= 2 {
                let len = usize::from(rest[0]) << 8 | usize::from(rest[1]);
                if len < 12 {
                    broken = true;
                    break;
                }
                if rest.len() < 2 + len {
                    break;
                }
                expected.extend_from_slice(&rest[..2 + len]);
                rest = &rest[2 + len..];
            }
            let mut cuts = Vec::new();
            let mut left = &stream[..];
            while !left.is_empty() {
                let longest = left.len().min(if random.bool() { 20 } else { 100_000 });
                let (piece, behind) = left.split_at(random.usize(1..=longest));
                cuts.push(piece);
                left = behind;
            }
            let (sent, connection) = feed(cuts);
            assert!(sent == expected, "seed {seed}, round {round}");
            assert_eq!(connection.held.len(), if broken { 0 } else { rest.len() }, "seed {seed}, round {round}");
            assert_eq!(connection.phase != Phase::Open, broken, "seed {seed}, round {round}");
        }
    }

    #[test]
    fn answering_rests_when_much_waits() {
        let (mut connection, mut scratch, mut answers) = (Connection::new(0), Scratch::new(), Answers::new());
        let requests = message(12, 1).repeat(4);
        scratch.room()[..requests.len()].copy_from_slice(&requests);
        let mut n = 0;
        let step = connection.take(&mut scratch, requests.len(), 1, &mut answers, |_, room| {
            n += 1;
            Written::Message(room.len())
        });
        assert_eq!((step, n, answers.octets().len()), (Step::Full, 1, 65_537));
        answers.clear();
        // None: a request that gets no answer leaves no trace.
        let step = connection.take(&mut scratch, 0, 1, &mut answers, |_, _| Written::Nothing);
        assert_eq!((step, answers.octets().len(), connection.is_idle()), (Step::Hungry, 0, true));
    }

    #[test]
    fn nothing_is_allocated_while_idle() {
        let (_, mut connection) = feed([&message(600, 1)[..]]);
        connection.owe(&[0; 500], 2);
        connection.took(200, 3);
        assert!(connection.owed().len() == 300 && !connection.is_idle());
        connection.took(300, 4);
        assert_eq!((connection.held.capacity(), connection.owed.capacity(), connection.is_idle()), (0, 0, true));
        assert!(std::mem::size_of::<Connection>() <= 128);
    }

    #[test]
    fn deadlines_follow_what_goes_on() {
        let limits = Limits {
            idle: std::time::Duration::from_millis(1000),
            receive: std::time::Duration::from_millis(200),
            send: std::time::Duration::from_millis(30),
            ..Limits::default()
        };
        let mut scratch = Scratch::new();
        let mut give = |connection: &mut Connection, octets: &[u8], now| {
            scratch.room()[..octets.len()].copy_from_slice(octets);
            connection.take(&mut scratch, octets.len(), now, &mut Answers::new(), |_, _| Written::Message(12));
        };
        let mut connection = Connection::new(5);
        assert_eq!(connection.deadline(&limits, false), (1005, CloseReason::Idle));
        assert_eq!(connection.deadline(&limits, true), (255, CloseReason::Idle));
        let request = message(12, 1);
        give(&mut connection, &request[..3], 10);
        // Further octets win no time; only a whole request does.
        give(&mut connection, &request[3..9], 100);
        assert_eq!(connection.deadline(&limits, false), (210, CloseReason::SlowWriter));
        give(&mut connection, &[&request[9..], &request[..1]].concat(), 150);
        assert_eq!(connection.deadline(&limits, false), (350, CloseReason::SlowWriter));
        give(&mut connection, &request[1..], 160);
        assert_eq!(connection.deadline(&limits, false), (1160, CloseReason::Idle));
        connection.owe(&[0; 100], 200);
        assert_eq!(connection.deadline(&limits, false), (230, CloseReason::SlowReader));
        for now in [210, 230, 250, 270, 290, 310, 330, 350, 370] {
            connection.took(1, now);
        }
        // A client that takes an octet now and then does not hold its answers for ever.
        assert_eq!(connection.deadline(&limits, false), (380, CloseReason::SlowReader));
        connection.took(91, 375);
        assert_eq!(connection.deadline(&limits, false), (1375, CloseReason::Idle));
        let mut greeting = Connection::new(1000).greeting();
        assert_eq!(greeting.deadline(&limits, false), (1200, CloseReason::SlowWriter));
        assert_eq!(greeting.deadline(&limits, true), (1200, CloseReason::SlowWriter));
        assert!(greeting.is_idle(), "nothing is lost but time");
        greeting.greeted(1100);
        greeting.greeted(1150);
        assert_eq!(greeting.deadline(&limits, false), (2100, CloseReason::Idle));
        connection.finish(CloseReason::Shutdown);
        connection.linger(400);
        assert_eq!(connection.deadline(&limits, false), (400, CloseReason::Shutdown));
    }
}
