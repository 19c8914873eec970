//! The connections of one TCP worker: slots, the count per client, and who goes when a place is needed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use super::connection::{Connection, Leave, Millis};
use super::transfer::Transfer;

/// Connections by slot number; a number is used again after a close.
pub struct Table<S> {
    slots: Vec<Option<Peer<S>>>,
    free: Vec<usize>,
    clients: HashMap<Client, Vec<usize>>,
    open: usize,
    /// Idle connections, longest idle last, as they stood when last looked for; makes the search cheap under a flood.
    candidates: Vec<(usize, Millis)>,
    /// Connections taken in so far.
    taken: u64,
}

/// One connection with its socket `S`.
pub struct Peer<S> {
    /// The socket.
    pub stream: S,
    /// Its address.
    pub address: IpAddr,
    /// What it said and is owed.
    pub connection: Connection,
    /// The zone that goes out to it.
    pub transfer: Option<Box<Transfer>>,
    /// The socket may have octets for us.
    pub readable: bool,
    /// The client closed its side; the end is still to be read.
    pub hung_up: bool,
    /// The end was read.
    pub ended: bool,
    /// Waits for its turn already.
    pub queued: bool,
    /// Who tells when it has something to say.
    pub watch: Watch,
    client: Client,
    /// How many were taken in before it: of those that were active in the same millisecond, the first goes first.
    pub number: u64,
}

/// How the worker learns that a connection has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// It had no turn yet.
    New,
    /// By looking once more, soon.
    Soon,
    /// The poll tells of octets to read.
    Reads,
    /// The poll tells of octets to read and of room to write.
    Both,
}

/// Who counts as one client: an IPv4 address or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Client {
    V4([u8; 4]),
    V6([u8; 8]),
}

/// Why a connection is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client has its share.
    Client,
    /// All places are taken.
    Total,
}

/// Connections looked at in one search; more are found by the next.
const CANDIDATES: usize = 64;

impl Client {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => Self::V6(address.octets()[..8].try_into().expect("8 octets")),
        }
    }
}

/// Who goes first when a place is needed: by what the connection waits for, when it was active last, and when it came.
type Rank = (Leave, Millis, u64);

impl<S> Peer<S> {
    /// The rank, with the slot; `None` for one that stays.
    fn rank(&self, slot: usize) -> Option<(Rank, usize)> {
        Some(((self.connection.leave()?, self.connection.active(), self.number), slot))
    }
}

impl<S> Table<S> {
    /// Empty.
    pub fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), clients: HashMap::new(), open: 0, candidates: Vec::new(), taken: 0 }
    }

    /// Open connections.
    pub fn len(&self) -> usize {
        self.open
    }

    /// The connection in a slot.
    pub fn get_mut(&mut self, slot: usize) -> Option<&mut Peer<S>> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Looks which clients still take their answers.
    pub fn look(&mut self, now: Millis) {
        self.slots.iter_mut().flatten().for_each(|peer| peer.connection.look(now));
    }

    /// Slots in use.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &Peer<S>)> {
        self.slots.iter().enumerate().filter_map(|(slot, peer)| Some((slot, peer.as_ref()?)))
    }

    /// Which connection must go before one more of `address` can be taken in: `None` if there is room.
    ///
    /// First go those that have got all they will get and whose client has not closed yet. An idle connection can go at any time
    /// (RFC 7766 §6.2.3); after those, one that has sent half a request, longest quiet first; last, one whose client takes nothing of its
    /// answers for a second. One that takes its answers stays.
    ///
    /// # Errors
    /// [`Refusal`] when a place is needed and all are busy.
    pub fn victim(&mut self, address: IpAddr, per_client: usize, total: usize) -> Result<Option<usize>, Refusal> {
        if let Some(slots) = self.clients.get(&Client::of(address))
            && slots.len() >= per_client
        {
            let first = slots.iter().filter_map(|&slot| self.slots[slot].as_ref()?.rank(slot)).min();
            return first.map(|(_, slot)| Some(slot)).ok_or(Refusal::Client);
        }
        if self.open < total { Ok(None) } else { self.longest_idle().map(Some).ok_or(Refusal::Total) }
    }

    /// The connection that is idle longest, or about so. Cost: one walk over all for every [`CANDIDATES`] calls.
    pub fn longest_idle(&mut self) -> Option<usize> {
        for _ in 0..2 {
            while let Some((slot, active)) = self.candidates.pop() {
                let peer = self.slots.get(slot).and_then(Option::as_ref);
                if peer.is_some_and(|peer| peer.connection.active() == active && peer.connection.leave().is_some()) {
                    return Some(slot);
                }
            }
            // Idle ones sort behind, the longest idle last of them: that one is popped first.
            let mut found: Vec<(Rank, usize)> = self.slots().filter_map(|(slot, peer)| peer.rank(slot)).collect();
            if found.len() > CANDIDATES {
                found.select_nth_unstable(CANDIDATES);
                found.truncate(CANDIDATES);
            }
            found.sort_unstable_by(|a, b| b.cmp(a));
            self.candidates.extend(found.into_iter().map(|((_, active, _), slot)| (slot, active)));
        }
        None
    }

    /// Takes a connection in; returns its slot.
    pub fn insert(&mut self, stream: S, address: IpAddr, connection: Connection) -> usize {
        let client = Client::of(address);
        let peer = Peer {
            stream,
            address,
            connection,
            transfer: None,
            readable: false,
            hung_up: false,
            ended: false,
            queued: false,
            watch: Watch::New,
            client,
            number: self.taken,
        };
        self.taken += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(peer);
        self.clients.entry(client).or_default().push(slot);
        self.open += 1;
        slot
    }

    /// Takes a connection out; dropping it closes the socket.
    pub fn remove(&mut self, slot: usize) -> Option<Peer<S>> {
        let peer = self.slots.get_mut(slot)?.take()?;
        if let Entry::Occupied(mut entry) = self.clients.entry(peer.client) {
            entry.get_mut().retain(|&other| other != slot);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
        self.free.push(slot);
        self.open -= 1;
        Some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::CloseReason;
    use super::*;

    const A: &str = "192.0.2.1";
    const B: &str = "192.0.2.2";

    fn table(peers: &[(&str, Millis)]) -> Table<()> {
        let mut table = Table::new();
        for &(address, active) in peers {
            table.insert((), address.parse().expect("an address"), Connection::new(active));
        }
        table
    }

    #[track_caller]
    fn check(peers: &[(&str, Millis)], newcomer: &str, expected: Result<Option<usize>, Refusal>) {
        let address = newcomer.parse().expect("an address");
        assert_eq!(table(peers).victim(address, 2, 4), expected, "{newcomer} beside {peers:?}");
    }

    #[test]
    fn the_longest_idle_of_the_client_goes_first() {
        check(&[], A, Ok(None));
        check(&[(A, 5), (B, 1)], A, Ok(None));
        check(&[(A, 5), (A, 3), (B, 1)], A, Ok(Some(1)));
        check(&[(A, 5), (A, 3), (B, 1)], "::ffff:192.0.2.1", Ok(Some(1)));
        check(&[(A, 5), (A, 6), (B, 7), (B, 3)], "192.0.2.3", Ok(Some(3)));
        check(&[("2001:db8::1", 5), ("2001:db8::2", 6)], "2001:db8::ffff:3", Ok(Some(0)));
        check(&[("2001:db8::1", 5), ("2001:db8::2", 6)], "2001:db8:0:1::3", Ok(None));
    }

    #[test]
    fn of_those_of_one_moment_the_first_that_came_goes_first() {
        let mut table = table(&[(A, 1), (A, 1), (A, 1)]);
        table.remove(0);
        // It takes the first slot, and came last.
        table.insert((), A.parse().expect("an address"), Connection::new(1));
        assert_eq!(table.victim(A.parse().expect("an address"), 3, 9), Ok(Some(1)));
        assert_eq!(table.longest_idle(), Some(1));
    }

    #[test]
    fn a_connection_that_is_owed_an_answer_stays() {
        let mut table = table(&[(A, 1), (A, 2), (B, 3), (B, 4)]);
        for slot in 0..4 {
            assert_eq!(table.victim(A.parse().expect("an address"), 2, 4), if slot < 2 { Ok(Some(slot)) } else { Err(Refusal::Client) });
            table.get_mut(slot).expect("in use").connection.owe(b"x", 9);
        }
        assert_eq!(table.victim("192.0.2.9".parse().expect("an address"), 2, 4), Err(Refusal::Total));
        assert_eq!(table.longest_idle(), None);
        table.look(1008);
        assert_eq!(table.longest_idle(), None);
        // None of them took anything for a second.
        table.look(1009);
        assert_eq!(table.victim("192.0.2.9".parse().expect("an address"), 2, 4), Ok(Some(0)));
        table.get_mut(0).expect("in use").connection.took(0, 1010);
        assert_eq!(table.victim(A.parse().expect("an address"), 2, 4), Ok(Some(0)), "to take nothing is no sign of life");
    }

    #[test]
    fn a_connection_that_only_waits_for_its_close_goes_first() {
        let mut table = table(&[(A, 1), (A, 5)]);
        let connection = &mut table.get_mut(1).expect("in use").connection;
        connection.finish(CloseReason::Client);
        assert_eq!(connection.leave(), None, "its answers are on the way");
        connection.linger(1000);
        assert_eq!(table.victim(A.parse().expect("an address"), 2, 4), Ok(Some(1)));
        assert_eq!((table.longest_idle(), table.remove(1).is_some(), table.longest_idle()), (Some(1), true, Some(0)));
    }

    #[test]
    fn slots_are_used_again_and_clients_forgotten() {
        let mut table = table(&[(A, 1), (A, 2), (B, 3)]);
        for slot in [1, 0, 2] {
            assert!(table.remove(slot).is_some());
            assert!(table.remove(slot).is_none());
        }
        assert!(table.len() == 0 && table.clients.is_empty());
        assert!(table.insert((), A.parse().expect("an address"), Connection::new(0)) < 3);
    }

    #[test]
    fn many_searches_find_each_once_in_order() {
        let mut table = table(&(0..300).map(|i| (A, 1000 - i)).collect::<Vec<_>>());
        for expected in (0..300).rev() {
            assert_eq!(table.longest_idle(), Some(expected));
            table.remove(expected);
        }
        assert_eq!(table.longest_idle(), None);
    }
}
