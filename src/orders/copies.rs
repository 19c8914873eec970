//! The ledger on the disk: two copies in two places. A line is durable in both before it counts, and either one alone is enough to start.
//!
//! The first copy is written and synced before the second is touched. So whatever moment the power goes, one of them is whole; where neither is, something
//! has damaged both, and their lines are put together again as far as the chain proves them. What cannot be proved is refused: a line that is missing would
//! bring a suspended name back.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use super::ledger::{Chain, LedgerError};
use super::order::Order;
use super::{Orders, ledger};
use crate::disk::{Octets, Place, Store};

/// The most octets of a ledger. Our choice: two million orders.
const MOST: u64 = 1 << 30;

/// The ledger, open for one writer.
pub struct Ledger<S: Store = Place> {
    copies: [Copy<S>; 2],
    orders: Orders,
    /// All lines, as both copies have them.
    text: Vec<u8>,
    /// Lines that are in neither copy yet.
    pending: Vec<u8>,
    /// What was wrong with a copy since the last time somebody asked.
    alarms: Vec<String>,
}

/// One copy.
struct Copy<S: Store> {
    store: S,
    state: State<S::File>,
}

enum State<F> {
    /// It is the ledger.
    Whole(F),
    /// There may be octets behind the ledger, which are to be cut off first.
    Torn(F),
    /// It is not there, or is not the ledger: it is to be written as a whole.
    Absent,
}

/// A ledger that was opened.
pub struct Opened<S: Store = Place> {
    /// The ledger.
    pub ledger: Ledger<S>,
    /// What was wrong with a copy, and is put right where it could be. An operator should know.
    pub alarms: Vec<String>,
}

/// No ledger can be read; what must not be done is to go on as if there were no orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// What is read of one copy.
enum Found<F> {
    Absent,
    Failed(String),
    Text(F, Vec<u8>, Box<Result<Orders, LedgerError>>),
}

impl<S: Store> Ledger<S> {
    /// Opens both copies, puts right the one that is not whole, and says what was wrong.
    ///
    /// `known` is a line that the ledger is known to have had: where the copies contradict each other, it decides, and a ledger without it is none.
    ///
    /// # Errors
    /// [`Unreadable`]: neither copy can be used, or lines are missing that were in force.
    pub fn open(stores: [S; 2], known: Option<&Chain>) -> Result<Opened<S>, Unreadable> {
        let paths = stores.each_ref().map(|store| format!("'{}'", store.path().display()));
        let found = stores.each_ref().map(Found::read);
        let mut alarms = Vec::new();
        for (found, path) in found.iter().zip(&paths) {
            match found {
                Found::Absent => {}
                Found::Failed(why) => alarms.push(format!("{path} cannot be read: {why}")),
                Found::Text(_, _, read) => match &**read {
                    Ok(orders) => alarms.extend(orders.torn().map(|note| format!("{path}: {note}"))),
                    Err(error) => alarms.push(format!("{path}: {error}")),
                },
            }
        }
        let texts: Vec<&[u8]> = found.iter().filter_map(Found::text).collect();
        if texts.is_empty() {
            return match alarms.is_empty() {
                true if known.is_none_or(|known| known.seq == 0) => Ok(Opened { ledger: Self::empty(stores), alarms }),
                true => Err(Unreadable(format!(
                    "neither {} nor {} is there, and {} of the ledger were in force",
                    paths[0],
                    paths[1],
                    lines(known)
                ))),
                false => Err(Unreadable(alarms.join("; "))),
            };
        }
        let text = settle(&found, known).map_err(|why| {
            let wrong = if alarms.is_empty() { String::new() } else { format!(" ({})", alarms.join("; ")) };
            Unreadable(format!("{} and {}: {why}{wrong}", paths[0], paths[1]))
        })?;
        let orders = Orders::read(&text).map_err(|error| Unreadable(error.to_string()))?;
        if let Some(known) = known
            && (orders.chain().seq < known.seq || !orders.has_head(known.seq, &known.sha256))
        {
            let found = if orders.chain().seq < known.seq {
                format!("end at line {}", orders.chain().seq)
            } else {
                "are another ledger".to_owned()
            };
            return Err(Unreadable(format!("CHAIN_BROKEN: {} and {} {found}, {} were in force", paths[0], paths[1], lines(Some(known)))));
        }
        let mut copies = Vec::with_capacity(2);
        for ((store, found), path) in stores.into_iter().zip(found).zip(&paths) {
            // How many lines it has as they should be.
            let n_good =
                found.text().map_or(0, |octets| octets.iter().zip(&text).take_while(|(a, b)| a == b).filter(|(a, _)| **a == b'\n').count());
            let state = match found {
                Found::Text(file, octets, _) if octets == text => State::Whole(file),
                Found::Text(..) | Found::Absent | Found::Failed(_) => State::Absent,
            };
            let mut copy = Copy { store, state };
            if let State::Absent = copy.state {
                match copy.put_right(&text) {
                    Ok(()) => alarms.push(format!(
                        "{path} was not the whole ledger, and is written anew from the other copy: {} lines, of which it had the first {n_good}",
                        orders.chain().seq
                    )),
                    Err(error) => {
                        alarms.push(format!("{path} is not the whole ledger and cannot be written, no order can be accepted: {error}"))
                    }
                }
            }
            copies.push(copy);
        }
        let copies = <[Copy<S>; 2]>::try_from(copies).unwrap_or_else(|_| unreachable!("two were given"));
        Ok(Opened { ledger: Self { copies, orders, text, pending: Vec::new(), alarms: Vec::new() }, alarms })
    }

    fn empty(stores: [S; 2]) -> Self {
        Self {
            copies: stores.map(|store| Copy { store, state: State::Absent }),
            orders: Orders::none(),
            text: Vec::new(),
            pending: Vec::new(),
            alarms: Vec::new(),
        }
    }

    /// What was wrong with a copy, and was put right, since the last time. An operator should know.
    pub fn take_alarms(&mut self) -> Vec<String> {
        std::mem::take(&mut self.alarms)
    }

    /// The orders.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// All lines.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Adds an order behind the others, with its place in the chain and, where it has none, an id; gives it as it stands in the ledger. It counts, and is
    /// durable, after [`Self::commit`].
    ///
    /// # Errors
    /// What makes it none that a ledger can have; nothing is added then.
    pub fn add(&mut self, order: Order) -> Result<&Order, String> {
        let line = self.orders.write(order)?;
        self.pending.extend_from_slice(&line);
        Ok(self.orders.orders.last().expect("it was added"))
    }

    /// Makes what was added durable in both copies.
    ///
    /// # Errors
    /// Of the file system; nothing that was added since the last time counts then. Only where what had been written could not be taken away either, the
    /// next start may find it: the message says so.
    pub fn commit(&mut self) -> io::Result<()> {
        let lines = std::mem::take(&mut self.pending);
        if lines.is_empty() {
            return Ok(());
        }
        self.append(&lines).inspect_err(|_| self.discard())
    }

    /// Forgets what was added and is not durable.
    pub fn discard(&mut self) {
        self.pending.clear();
        self.orders = Orders::read(&self.text).expect("it was read or written as such");
    }

    /// Takes over the lines of another ledger that continues this one; gives how many.
    ///
    /// # Errors
    /// `InvalidData` where it does not continue this one; of the file system otherwise, and then there are orders that this one should have and has not.
    pub fn follow(&mut self, other: &[u8]) -> io::Result<u64> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let orders = Orders::read(other).map_err(|error| invalid(error.to_string()))?;
        let other = normal(other, &orders);
        if self.text.starts_with(&other) {
            return Ok(0);
        }
        let more = other.strip_prefix(&self.text[..]);
        self.append(more.ok_or_else(|| invalid("CHAIN_BROKEN: it is another ledger than the one in force".into()))?)?;
        let n = orders.chain().seq - self.orders.chain().seq;
        self.orders = orders;
        Ok(n)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if (self.text.len() + lines.len()) as u64 > MOST {
            return Err(io::Error::other("the ledger is full"));
        }
        // Both are whole before anything is added to one.
        for copy in &mut self.copies {
            let is_lost = copy.is_lost(self.text.len() as u64);
            if is_lost {
                copy.state = State::Absent;
            }
            copy.put_right(&self.text)?;
            if is_lost {
                let (path, n) = (copy.store.path().display(), self.orders.chain().seq);
                self.alarms.push(format!("'{path}' was not the whole ledger any more, and is written anew: up to line {n}"));
            }
        }
        for i in 0..self.copies.len() {
            if let Err(error) = self.copies[i].append(self.text.len() as u64, lines) {
                let mut left = String::new();
                for copy in &mut self.copies[..=i] {
                    if copy.take_back(self.text.len() as u64).is_err() {
                        left = "; what was written of it cannot be taken back, and the next start may find the order in force".into();
                    }
                }
                return Err(io::Error::new(error.kind(), format!("'{}': {error}{left}", self.copies[i].store.path().display())));
            }
        }
        self.text.extend_from_slice(lines);
        Ok(())
    }
}

impl<S: Store> Copy<S> {
    /// True if somebody has taken the file away, or has made it longer or shorter. That it has other octets is found at the next start.
    fn is_lost(&self, len: u64) -> bool {
        match &self.state {
            State::Whole(file) => !self.store.has(file) || file.size().ok() != Some(len),
            State::Torn(file) => !self.store.has(file),
            State::Absent => false,
        }
    }

    /// Makes it the ledger, if it is not.
    fn put_right(&mut self, text: &[u8]) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Absent) {
            State::Whole(file) => self.state = State::Whole(file),
            State::Torn(file) => {
                self.state = match file.set_len(text.len() as u64).and_then(|()| file.sync()) {
                    Ok(()) => State::Whole(file),
                    Err(error) => {
                        self.state = State::Torn(file);
                        return Err(error);
                    }
                }
            }
            State::Absent => self.state = State::Whole(self.store.replace(&mut |out| out.write_all(text))?),
        }
        Ok(())
    }

    fn append(&mut self, at: u64, lines: &[u8]) -> io::Result<()> {
        let State::Whole(file) = std::mem::replace(&mut self.state, State::Absent) else { return Err(io::Error::other("it is not whole")) };
        let written = (|| {
            let mut done = 0;
            while done < lines.len() {
                match file.write_at(&lines[done..], at + done as u64) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => done += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            file.sync()
        })();
        self.state = if written.is_ok() { State::Whole(file) } else { State::Torn(file) };
        written
    }

    /// Takes away what was written behind `len`.
    fn take_back(&mut self, len: u64) -> io::Result<()> {
        let (State::Whole(file) | State::Torn(file)) = std::mem::replace(&mut self.state, State::Absent) else { return Ok(()) };
        let cut = file.set_len(len).and_then(|()| file.sync());
        self.state = if cut.is_ok() { State::Whole(file) } else { State::Torn(file) };
        cut
    }
}

impl<F: Octets> Found<F> {
    fn read<S: Store<File = F>>(store: &S) -> Self {
        let read = || {
            let file = store.open()?;
            let size = file.size()?;
            if size > MOST {
                return Err(io::Error::other("it is larger than any ledger"));
            }
            let mut text = vec![0; size as usize];
            let mut done = 0;
            while done < text.len() {
                match file.read_at(&mut text[done..], done as u64)? {
                    0 => break,
                    n => done += n,
                }
            }
            text.truncate(done);
            Ok((file, text))
        };
        match read() {
            Ok((file, text)) => {
                let read = Box::new(Orders::read(&text));
                Self::Text(file, text, read)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Absent,
            Err(error) => Self::Failed(error.to_string()),
        }
    }

    fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(_, text, _) => Some(text),
            Self::Absent | Self::Failed(_) => None,
        }
    }

    /// The lines of a copy that is whole by itself, but for a torn end.
    fn whole(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(_, text, read) => Some(normal(text, read.as_ref().as_ref().ok()?)),
            Self::Absent | Self::Failed(_) => None,
        }
    }
}

/// The lines that were read of a text, each with its line feed: an end that is not whole is left out.
fn normal(text: &[u8], orders: &Orders) -> Vec<u8> {
    let end = text.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
    if orders.chain().seq == lines_of(&text[..end]) {
        return text[..end].to_vec();
    }
    [text, b"\n"].concat()
}

fn lines_of(text: &[u8]) -> u64 {
    text.iter().filter(|&&octet| octet == b'\n').count() as u64
}

fn lines(known: Option<&Chain>) -> String {
    format!("{} lines", known.map_or(0, |known| known.seq))
}

/// The text that both copies are to have.
fn settle<F: Octets>(found: &[Found<F>; 2], known: Option<&Chain>) -> Result<Vec<u8>, String> {
    let mut wholes: Vec<Vec<u8>> = found.iter().filter_map(Found::whole).collect();
    wholes.sort_by_key(Vec::len);
    if let [short, long] = &wholes[..]
        && long.starts_with(short)
    {
        return Ok(wholes.swap_remove(1));
    }
    let copies: Vec<Lines> = found.iter().filter_map(Found::text).map(Lines::of).collect();
    let (text, end) = join(&copies, known)?;
    if let [one] = &wholes[..]
        && text.starts_with(one)
    {
        return Ok(text);
    }
    // Neither is whole by itself: nothing that either of them tells of may be missing.
    let most = copies.iter().flat_map(|copy| copy.by_seq.range(..=copy.n + 1).next_back()).map(|(seq, _)| *seq).max().unwrap_or(0);
    let fewest = copies.iter().map(|copy| copy.n).min().unwrap_or(0);
    if end.seq >= most && end.seq >= fewest {
        Ok(text)
    } else {
        Err(format!("only {} lines can be put together, and there were more", end.seq))
    }
}

/// The lines of a copy that are orders, by the numbers they bear.
struct Lines {
    by_seq: BTreeMap<u64, Vec<Vec<u8>>>,
    /// Lines, whatever they are.
    n: u64,
}

impl Lines {
    fn of(text: &[u8]) -> Self {
        let mut by_seq: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
        for line in text.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()) {
            if let Ok(order) = serde_json::from_slice::<Order>(line) {
                by_seq.entry(order.seq).or_default().push(line.to_vec());
            }
        }
        Self { by_seq, n: lines_of(text) }
    }
}

/// The longest ledger that the lines of the copies prove. A line that both have differently is the one that the next line goes by, or else the one `known`.
fn join(copies: &[Lines], known: Option<&Chain>) -> Result<(Vec<u8>, Chain), String> {
    let (mut text, mut chain) = (Vec::new(), Chain::default());
    loop {
        let mut next: Vec<(Chain, &[u8])> = Vec::new();
        for line in copies.iter().filter_map(|copy| copy.by_seq.get(&(chain.seq + 1))).flatten() {
            let mut head = chain.clone();
            if head.read_line(line).is_ok() && !next.iter().any(|(other, _)| *other == head) {
                next.push((head, line));
            }
        }
        if next.len() > 1 {
            let is_followed = |head: &Chain| {
                let follows = |line: &Vec<u8>| head.clone().read_line(line).is_ok();
                copies.iter().filter_map(|copy| copy.by_seq.get(&(head.seq + 1))).flatten().any(follows)
            };
            let is_known = |head: &Chain| known.is_some_and(|known| known == head);
            let n_proved = next.iter().filter(|(head, _)| is_followed(head) || is_known(head)).count();
            if n_proved == 1 {
                next.retain(|(head, _)| is_followed(head) || is_known(head));
            } else {
                return Err(format!(
                    "line {} is another in each, and nothing tells which one is right: see what became of its order, and put a copy of the right one in the place of the other",
                    chain.seq + 1
                ));
            }
        }
        let Some((head, line)) = next.pop() else { return Ok((text, chain)) };
        chain = head;
        text.extend_from_slice(line);
        text.push(b'\n');
    }
}

impl Orders {
    /// The line of a new order, with its line feed, which is added here.
    fn write(&mut self, mut order: Order) -> Result<Vec<u8>, String> {
        order.seq = self.chain.seq + 1;
        order.prev_sha256.clone_from(&self.chain.sha256);
        if order.order_id.is_empty() {
            order.order_id = self.next_id(&order);
        }
        let mut line = serde_json::to_vec(&order).map_err(|error| error.to_string())?;
        let read = self.chain.read_line(&line).map_err(|fault| fault.to_string())?;
        let seq = read.seq;
        self.add(seq, read).map_err(|fault| fault.to_string())?;
        line.push(b'\n');
        Ok(line)
    }

    /// An id that no order has: the year, and a number that follows that of the line.
    fn next_id(&self, order: &Order) -> String {
        let year = &order.received_at.to_string()[..4];
        let ids = (order.seq..).map(|n| format!("O-{year}-{n:04}"));
        ids.take(ledger::MOST_ID * 1000)
            .find(|id| self.by_id(id).is_none())
            .unwrap_or_else(|| order.prev_sha256[..ledger::MOST_ID].to_owned())
    }

    /// What was said of an end that is not whole.
    fn torn(&self) -> impl Iterator<Item = &String> {
        self.notes.iter().filter(|note| note.contains("torn at the end") || note.contains("no line feed at its end"))
    }
}
