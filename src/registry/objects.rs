//! The objects of a deposit: domains with their statuses, name servers and DS, hosts with their addresses,
//! names not for registration. Flat arrays over one text; nothing is judged here.

use std::net::IpAddr;

use super::index::{NameIndex, Names};
use super::span::Span;
use crate::dns::UnixTime;

/// The place of a row in domain.csv, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u32);

/// A host, by its place in [`Objects::hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// One row of domain.csv with the statuses that belong to it.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    /// The name as in the row.
    pub name: Span,
    /// The repository object identifier.
    pub roid: Span,
    /// The name in Unicode; empty = null.
    pub u_name: Span,
    /// The name of the target mode; empty = null.
    pub target: Span,
    /// When it was registered; `None` = null or not readable.
    pub created: Option<UnixTime>,
    /// Until when it is paid for; `None` = null or not readable.
    pub expires: Option<UnixTime>,
    /// Who holds it.
    pub registrant_class: RegistrantClass,
    /// Whether the fee is paid.
    pub fee_state: FeeState,
    /// True with an entitlement_ref: a protected name may be held.
    pub is_entitled: bool,
    /// The EPP statuses that matter.
    pub statuses: Statuses,
    /// True when a value of the row (date, class, fee, status) is none that the format knows.
    pub has_bad_value: bool,
    /// True when another row has the same name.
    pub shares_name: bool,
    /// True when more than 100 rows have it: they were not given their children, and nobody has the name.
    pub is_crowded: bool,
}

/// The most rows of one name that are compared; our choice. Each child of a name is looked up in all its rows.
pub const MAX_ROWS_OF_NAME: u32 = 100;

/// The kinds of registrant that rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrantClass {
    /// A State agency.
    State,
    /// A body of the political system.
    Party,
    /// An organisation.
    Org,
    /// A person.
    Person,
    /// Somebody abroad.
    Foreign,
    /// Null, or a word that is not known.
    Unknown,
}

impl RegistrantClass {
    /// Reads the word of the export.
    pub fn parse(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"state" => Self::State,
            b"party" => Self::Party,
            b"org" => Self::Org,
            b"person" => Self::Person,
            b"foreign" => Self::Foreign,
            _ => return None,
        })
    }
}

/// Whether the fee is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeState {
    /// Paid.
    Paid,
    /// To be paid, not yet late.
    Due,
    /// Late.
    Overdue,
    /// Null, or a word that is not known.
    Unknown,
}

/// The EPP statuses of a domain (RFC 5731 §2.3) that bear on publication, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statuses(u8);

impl Statuses {
    /// Held by the registry.
    pub const SERVER_HOLD: Self = Self(1);
    /// Held by the registrar.
    pub const CLIENT_HOLD: Self = Self(2);
    /// About to be deleted.
    pub const PENDING_DELETE: Self = Self(4);
    /// Not yet registered.
    pub const PENDING_CREATE: Self = Self(8);

    /// True if every status of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in either set.
    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Reads one status; what changes nothing about publication is the empty set.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"serverHold" => Self::SERVER_HOLD,
            b"clientHold" => Self::CLIENT_HOLD,
            b"pendingDelete" => Self::PENDING_DELETE,
            b"pendingCreate" => Self::PENDING_CREATE,
            b"ok" | b"inactive" | b"linked" | b"pendingRenew" | b"pendingTransfer" | b"pendingUpdate" => Self(0),
            _ if text.ends_with(b"Prohibited") => Self(0),
            _ => return None,
        })
    }
}

/// One row of dnssec.csv. A number that cannot be read is `None`.
#[derive(Clone, Copy, Debug)]
pub struct DsRow {
    /// The key tag.
    pub key_tag: Option<u16>,
    /// The key's algorithm.
    pub algorithm: Option<u8>,
    /// The digest's type.
    pub digest_type: Option<u8>,
    /// The digest as hex digits, as in the row.
    pub digest: Span,
}

/// A host object, or a host that is only named as somebody's name server.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The name as first met.
    pub name: Span,
    /// True for a host object: a row of host.csv, or of hostAddresses.csv without one.
    pub is_object: bool,
}

/// Every object of a deposit.
#[derive(Debug)]
pub struct Objects {
    pub(super) text: Vec<u8>,
    pub(super) domains: Domains,
    pub(super) name_servers: Lists<HostId>,
    pub(super) ds: Lists<DsRow>,
    pub(super) hosts: Names,
    /// The hosts that are objects; they come first.
    pub(super) n_host_objects: usize,
    pub(super) addresses: Lists<IpAddr>,
    pub(super) reserved: Names,
    pub(super) notes: Notes,
}

impl Objects {
    /// The rows of domain.csv in their order.
    pub fn domains(&self) -> &[Domain] {
        &self.domains.rows
    }

    /// One row.
    pub fn domain(&self, row: RowId) -> &Domain {
        &self.domains.rows[row.0 as usize]
    }

    /// The octets of a field; known to be UTF-8.
    pub fn bytes(&self, span: Span) -> &[u8] {
        span.of(&self.text)
    }

    /// A field as text.
    pub fn text(&self, span: Span) -> &str {
        // Every file is checked before a span is made, and spans end at commas, quotes and LF.
        std::str::from_utf8(self.bytes(span)).expect("fields of checked UTF-8")
    }

    /// The name servers of a row, in order, as often as the export names them.
    pub fn name_servers(&self, row: RowId) -> &[HostId] {
        self.name_servers.get(row.0)
    }

    /// The DS rows of a row.
    pub fn ds(&self, row: RowId) -> &[DsRow] {
        self.ds.get(row.0)
    }

    /// All rows with the name of `row`, in order; without a look-up where there is only the one.
    pub fn rows_like(&self, row: RowId) -> impl Iterator<Item = RowId> + use<'_> {
        let domain = self.domain(row);
        let alone = (!domain.shares_name).then_some(row);
        let shared = domain.shares_name.then(|| self.rows_of(self.bytes(domain.name)));
        alone.into_iter().chain(shared.into_iter().flatten())
    }

    /// All rows of one name without regard to case, in order.
    pub fn rows_of<'a>(&'a self, name: &[u8]) -> impl Iterator<Item = RowId> + use<'a> {
        self.domains.of_name(&self.text, name).map(RowId)
    }

    /// All hosts: objects first in the order of the export, then those that are only named.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = Host> {
        (0..self.hosts.spans().len() as u32).map(|i| self.host(HostId(i)))
    }

    /// One host.
    pub fn host(&self, host: HostId) -> Host {
        Host { name: self.hosts.spans()[host.0 as usize], is_object: (host.0 as usize) < self.n_host_objects }
    }

    /// The host of this name.
    pub fn host_named(&self, name: &[u8]) -> Option<HostId> {
        self.hosts.find(&self.text, self.hosts.hash(name), name).map(HostId)
    }

    /// The addresses of a host, in order.
    pub fn addresses(&self, host: HostId) -> &[IpAddr] {
        self.addresses.get(host.0)
    }

    /// True if the name is not for registration (nndn.csv).
    pub fn is_reserved(&self, name: &[u8]) -> bool {
        !self.reserved.spans().is_empty() && self.reserved.find(&self.text, self.reserved.hash(name), name).is_some()
    }

    /// What was disregarded while reading, for the operator: child rows without an object, addresses that are none.
    pub fn notes(&self) -> &[String] {
        &self.notes.lines
    }

    /// How many such notes there were; more than [`Self::notes`] keeps in a bad case.
    pub fn note_count(&self) -> u64 {
        self.notes.count
    }
}

/// The rows of domain.csv, found by name.
#[derive(Debug)]
pub(super) struct Domains {
    pub rows: Vec<Domain>,
    /// The first row of each name.
    pub by_name: NameIndex,
    /// For each row the next row of the same name and 1, or 0.
    pub same_name: Vec<u32>,
}

impl Domains {
    /// All rows of one name without regard to case, in order; `text` is that of the deposit.
    pub fn of_name<'a>(&'a self, text: &[u8], name: &[u8]) -> impl Iterator<Item = u32> + use<'a> {
        let first = self.by_name.get(self.by_name.hash(name), name, |row| self.rows[row as usize].name.of(text));
        std::iter::successors(first, |&row| self.same_name[row as usize].checked_sub(1))
    }
}

/// A list for each of `n` objects, all in one array.
#[derive(Debug)]
pub(super) struct Lists<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { starts: Vec::new(), items: Vec::new() }
    }
}

impl<T: Copy> Lists<T> {
    /// Groups pairs of object and item; the order within an object stays.
    pub fn new(n: usize, pairs: &[(u32, T)]) -> Self {
        let mut starts = vec![0u32; n + 1];
        for (object, _) in pairs {
            starts[*object as usize + 1] += 1;
        }
        for i in 0..n {
            starts[i + 1] += starts[i];
        }
        let Some(&(_, filler)) = pairs.first() else { return Self { starts, items: Vec::new() } };
        let mut items = vec![filler; pairs.len()];
        let mut next = starts.clone();
        for (object, item) in pairs {
            items[next[*object as usize] as usize] = *item;
            next[*object as usize] += 1;
        }
        Self { starts, items }
    }

    pub fn get(&self, object: u32) -> &[T] {
        match self.starts.get(object as usize..object as usize + 2) {
            Some([from, to]) => &self.items[*from as usize..*to as usize],
            _ => &[],
        }
    }
}

/// Remarks for the operator, bounded.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub lines: Vec<String>,
    pub count: u64,
}

/// The most remarks that are kept. Our choice: enough to see the pattern.
pub(super) const MAX_NOTES: usize = 100;
