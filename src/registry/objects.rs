//! The objects of a deposit: domains with their statuses, name servers and DS, hosts with their addresses,
//! names not for registration. Flat arrays over one text; nothing is judged here.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;

use super::arena::{Arena, Span};
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

    /// Reads one status; what changes nothing about publication is the empty set.
    fn parse(text: &[u8]) -> Option<Self> {
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
    pub(super) arena: Arena,
    domains: Vec<Domain>,
    by_name: NameIndex,
    /// The next row of the same name and 1, or 0.
    same_name: Vec<u32>,
    name_servers: Lists<HostId>,
    ds: Lists<DsRow>,
    hosts: Vec<Host>,
    by_host: NameIndex,
    addresses: Lists<IpAddr>,
    reserved: Vec<Span>,
    by_reserved: NameIndex,
    notes: Notes,
}

impl Objects {
    /// The rows of domain.csv in their order.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// One row.
    pub fn domain(&self, row: RowId) -> &Domain {
        &self.domains[row.0 as usize]
    }

    /// The octets of a field; known to be UTF-8.
    pub fn bytes(&self, span: Span) -> &[u8] {
        self.arena.get(span)
    }

    /// A field as text.
    pub fn text(&self, span: Span) -> &str {
        // Every file is checked before a span is made, and spans end at commas, quotes and LF.
        std::str::from_utf8(self.arena.get(span)).expect("fields of checked UTF-8")
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
        let first = self.by_name.get(name, |i| self.arena.get(self.domains[i as usize].name));
        std::iter::successors(first.map(RowId), |row| self.same_name[row.0 as usize].checked_sub(1).map(RowId))
    }

    /// All hosts: objects first in the order of the export, then those that are only named.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// One host.
    pub fn host(&self, host: HostId) -> &Host {
        &self.hosts[host.0 as usize]
    }

    /// The host of this name.
    pub fn host_named(&self, name: &[u8]) -> Option<HostId> {
        self.by_host.get(name, |i| self.arena.get(self.hosts[i as usize].name)).map(HostId)
    }

    /// The addresses of a host, in order.
    pub fn addresses(&self, host: HostId) -> &[IpAddr] {
        self.addresses.get(host.0)
    }

    /// True if the name is not for registration (nndn.csv).
    pub fn is_reserved(&self, name: &[u8]) -> bool {
        self.by_reserved.get(name, |i| self.arena.get(self.reserved[i as usize])).is_some()
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

/// Builds [`Objects`] file by file: objects before their children.
pub(super) struct Builder {
    objects: Objects,
    name_servers: Vec<(u32, HostId)>,
    ds: Vec<(u32, DsRow)>,
    addresses: Vec<(u32, IpAddr)>,
    /// Children mostly come in the order of their objects: where the last one belonged.
    last_row: u32,
}

impl Builder {
    pub fn new(arena: Arena) -> Self {
        let objects = Objects {
            arena,
            domains: Vec::new(),
            by_name: NameIndex::new(),
            same_name: Vec::new(),
            name_servers: Lists::default(),
            ds: Lists::default(),
            hosts: Vec::new(),
            by_host: NameIndex::new(),
            addresses: Lists::default(),
            reserved: Vec::new(),
            by_reserved: NameIndex::new(),
            notes: Notes::default(),
        };
        Self { objects, name_servers: Vec::new(), ds: Vec::new(), addresses: Vec::new(), last_row: 0 }
    }

    pub fn arena(&mut self) -> &mut Arena {
        &mut self.objects.arena
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.objects.arena.get(span)
    }

    /// A row of domain.csv.
    pub fn domain(&mut self, fields: &[Span]) {
        let [name, roid, u_name, _idn_table, _original, class, _cl_id, created, expires, fee, entitlement, target] = *fields else {
            unreachable!("the scanner counts the fields")
        };
        let mut has_bad_value = false;
        let mut time = |span: Span| {
            let time = std::str::from_utf8(self.objects.arena.get(span)).ok().and_then(UnixTime::parse_rfc3339);
            has_bad_value |= time.is_none() && !span.is_empty();
            time
        };
        let (created, expires) = (time(created), time(expires));
        let registrant_class = RegistrantClass::parse(self.bytes(class)).unwrap_or_else(|| {
            has_bad_value |= !class.is_empty();
            RegistrantClass::Unknown
        });
        let fee_state = match self.bytes(fee) {
            b"paid" => FeeState::Paid,
            b"due" => FeeState::Due,
            b"overdue" => FeeState::Overdue,
            word => {
                has_bad_value |= !word.is_empty();
                FeeState::Unknown
            }
        };
        let domain = Domain {
            name,
            roid,
            u_name,
            target,
            created,
            expires,
            registrant_class,
            fee_state,
            is_entitled: !entitlement.is_empty(),
            statuses: Statuses::default(),
            has_bad_value,
            shares_name: false,
            is_crowded: false,
        };
        self.objects.domains.push(domain);
    }

    /// Call once all rows of domain.csv are in: finds the rows that share a name.
    pub fn index_domains(&mut self) {
        let Objects { arena, domains, by_name, same_name, .. } = &mut self.objects;
        let name = |i: u32| arena.get(domains[i as usize].name);
        same_name.resize(domains.len(), 0);
        let mut shared = Vec::new();
        by_name.reserve(domains.len());
        // The tail and length of each chain, only for names that come twice.
        let mut chains = std::collections::HashMap::new();
        for row in 0..domains.len() as u32 {
            if let Some(first) = by_name.insert(row, name) {
                let (tail, rows) = chains.entry(first).or_insert((first, 1));
                same_name[*tail as usize] = row + 1;
                (*tail, *rows) = (row, *rows + 1);
                shared.extend([first, row]);
            }
        }
        shared.into_iter().for_each(|row| domains[row as usize].shares_name = true);
        for (first, _) in chains.into_iter().filter(|(_, (_, rows))| *rows > MAX_ROWS_OF_NAME) {
            let mut next = first + 1;
            while let Some(row) = next.checked_sub(1) {
                domains[row as usize].is_crowded = true;
                next = same_name[row as usize];
            }
        }
    }

    /// A row of domainStatuses.csv.
    pub fn status(&mut self, line: u64, fields: &[Span]) {
        let [name, roid, status, _rgp] = *fields else { unreachable!("the scanner counts the fields") };
        let parsed = Statuses::parse(self.bytes(status));
        self.each_row("domainStatuses.csv", line, name, roid, |builder, row| {
            let domain = &mut builder.objects.domains[row as usize];
            match parsed {
                Some(status) => domain.statuses.0 |= status.0,
                None => domain.has_bad_value = true,
            }
        });
    }

    /// A row of domainNameServers.csv.
    pub fn name_server(&mut self, line: u64, fields: &[Span]) {
        let [name, roid, host] = *fields else { unreachable!("the scanner counts the fields") };
        let host = self.intern_host(host);
        self.each_row("domainNameServers.csv", line, name, roid, |builder, row| builder.name_servers.push((row, host)));
    }

    /// A row of dnssec.csv.
    pub fn ds(&mut self, line: u64, fields: &[Span]) {
        let [name, roid, key_tag, algorithm, digest_type, digest] = *fields else { unreachable!("the scanner counts the fields") };
        let text = |span| std::str::from_utf8(self.bytes(span)).unwrap_or("");
        let row = DsRow {
            key_tag: text(key_tag).parse().ok(),
            algorithm: text(algorithm).parse().ok(),
            digest_type: text(digest_type).parse().ok(),
            digest,
        };
        self.each_row("dnssec.csv", line, name, roid, |builder, at| builder.ds.push((at, row)));
    }

    /// A row of host.csv.
    pub fn host(&mut self, fields: &[Span]) {
        let host = self.intern_host(fields[0]);
        self.objects.hosts[host.0 as usize].is_object = true;
    }

    /// A row of hostAddresses.csv.
    pub fn address(&mut self, line: u64, fields: &[Span]) {
        let [name, address, version] = *fields else { unreachable!("the scanner counts the fields") };
        let parsed: Option<IpAddr> = std::str::from_utf8(self.bytes(address)).ok().and_then(|text| text.parse().ok());
        let fits = match parsed {
            Some(IpAddr::V4(_)) => matches!(self.bytes(version), b"v4" | b""),
            Some(IpAddr::V6(_)) => matches!(self.bytes(version), b"v6" | b""),
            None => false,
        };
        let Some(parsed) = parsed.filter(|_| fits) else {
            let shown = format!(
                "hostAddresses.csv line {line}: '{}' is no address of version '{}', disregarded",
                self.bytes(address).escape_ascii(),
                self.bytes(version).escape_ascii()
            );
            return self.objects.notes.add(shown);
        };
        let host = self.intern_host(name);
        self.objects.hosts[host.0 as usize].is_object = true;
        self.addresses.push((host.0, parsed));
    }

    /// A row of nndn.csv.
    pub fn reserved(&mut self, fields: &[Span]) {
        let Objects { arena, reserved, by_reserved, .. } = &mut self.objects;
        // A name must not lose its protection for a dot.
        let name = if arena.get(fields[0]).ends_with(b".") { fields[0].without_last() } else { fields[0] };
        reserved.push(name);
        by_reserved.insert(reserved.len() as u32 - 1, |i| arena.get(reserved[i as usize]));
    }

    /// Sorts the children to their objects.
    pub fn finish(mut self) -> Objects {
        let (domains, hosts) = (self.objects.domains.len(), self.objects.hosts.len());
        self.objects.name_servers = Lists::new(domains, &self.name_servers);
        self.objects.ds = Lists::new(domains, &self.ds);
        self.objects.addresses = Lists::new(hosts, &self.addresses);
        self.objects
    }

    fn intern_host(&mut self, name: Span) -> HostId {
        let Objects { arena, hosts, by_host, .. } = &mut self.objects;
        let name = if arena.get(name).ends_with(b".") { name.without_last() } else { name };
        let next = hosts.len() as u32;
        hosts.push(Host { name, is_object: false });
        match by_host.insert(next, |i| arena.get(hosts[i as usize].name)) {
            Some(known) => {
                hosts.pop();
                HostId(known)
            }
            None => HostId(next),
        }
    }

    /// Calls `add` for each domain row that a child row belongs to.
    ///
    /// A child belongs to the first row with its very spelling and roid; a spelling that no row has
    /// (or shares) goes to all rows of the name and roid. So two spellings of one name keep their own children.
    fn each_row(&mut self, file: &str, line: u64, name: Span, roid: Span, mut add: impl FnMut(&mut Self, u32)) {
        let exact = |objects: &Objects, row: u32| {
            let domain = &objects.domains[row as usize];
            objects.arena.get(domain.name) == objects.arena.get(name) && objects.arena.get(domain.roid) == objects.arena.get(roid)
        };
        // The fast path is right only where the name stands once.
        for row in [self.last_row, self.last_row + 1] {
            let stands_alone = self.objects.domains.get(row as usize).is_some_and(|domain| !domain.shares_name);
            if stands_alone && exact(&self.objects, row) {
                self.last_row = row;
                return add(self, row);
            }
        }
        // Such a name is nobody's whatever its children say, and each of them would be looked up in every row.
        let is_crowded = |row: RowId| self.objects.domain(row).is_crowded;
        if self.objects.rows_of(self.objects.arena.get(name)).next().is_some_and(is_crowded) {
            return;
        }
        let rows: Vec<u32> = self.objects.rows_of(self.objects.arena.get(name)).map(|row| row.0).collect();
        let same: Vec<u32> = rows.iter().copied().filter(|&row| exact(&self.objects, row)).collect();
        let targets = if same.is_empty() {
            let of_roid = |row: &u32| {
                roid.is_empty() || self.objects.arena.get(self.objects.domains[*row as usize].roid) == self.objects.arena.get(roid)
            };
            rows.into_iter().filter(of_roid).collect()
        } else {
            same
        };
        if targets.is_empty() {
            let shown = format!("{file} line {line}: '{}' with this roid is no domain, disregarded", self.bytes(name).escape_ascii());
            return self.objects.notes.add(shown);
        }
        self.last_row = targets[0];
        for row in targets {
            add(self, row);
        }
    }
}

/// A list for each of `n` objects, all in one array.
#[derive(Debug)]
struct Lists<T> {
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
    fn new(n: usize, pairs: &[(u32, T)]) -> Self {
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

    fn get(&self, object: u32) -> &[T] {
        match self.starts.get(object as usize..object as usize + 2) {
            Some([from, to]) => &self.items[*from as usize..*to as usize],
            _ => &[],
        }
    }
}

/// An open-addressing index of names, without regard to ASCII case, that keeps no names: 11 to 24 octets an entry.
#[derive(Debug)]
struct NameIndex {
    /// The upper half of the name's hash, and the entry and 1; 0 for an empty place.
    slots: Vec<u64>,
    used: usize,
    /// Random per process: registrants choose names, and must not choose their places.
    hasher: RandomState,
}

impl NameIndex {
    fn new() -> Self {
        Self { slots: Vec::new(), used: 0, hasher: RandomState::new() }
    }

    fn reserve(&mut self, n: usize) {
        self.slots = vec![0; (n * 4 / 3 + 8).next_power_of_two()];
    }

    fn hash(&self, name: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let mut folded = [0u8; 64];
        for chunk in name.chunks(64) {
            let folded = &mut folded[..chunk.len()];
            folded.copy_from_slice(chunk);
            folded.make_ascii_lowercase();
            hasher.write(folded);
        }
        hasher.finish()
    }

    /// The place of the name with this hash, or the empty place where it belongs. There must be an empty place.
    fn find<'a>(&self, hash: u64, wanted: &[u8], name: impl Fn(u32) -> &'a [u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            // The hash tells nearly all others apart without a look at their names.
            let is_it = slot >> 32 == hash >> 32 && slot != 0 && name(slot as u32 - 1).eq_ignore_ascii_case(wanted);
            if is_it || slot == 0 {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// Puts `entry` in; returns the entry of the same name that is there already, and changes nothing then.
    fn insert<'a>(&mut self, entry: u32, name: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            let old = std::mem::take(&mut self.slots);
            self.reserve(self.used * 2 + 8);
            let mask = self.slots.len() - 1;
            for slot in old.into_iter().filter(|&slot| slot != 0) {
                let mut at = self.hash(name(slot as u32 - 1)) as usize & mask;
                while self.slots[at] != 0 {
                    at = (at + 1) & mask;
                }
                self.slots[at] = slot;
            }
        }
        let hash = self.hash(name(entry));
        let at = self.find(hash, name(entry), &name);
        match self.slots[at] {
            0 => {
                self.slots[at] = hash >> 32 << 32 | u64::from(entry + 1);
                self.used += 1;
                None
            }
            slot => Some(slot as u32 - 1),
        }
    }

    fn get<'a>(&self, wanted: &[u8], name: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        match self.slots[self.find(self.hash(wanted), wanted, name)] {
            0 => None,
            slot => Some(slot as u32 - 1),
        }
    }
}

/// Remarks for the operator, bounded.
#[derive(Debug, Default)]
struct Notes {
    lines: Vec<String>,
    count: u64,
}

impl Notes {
    fn add(&mut self, line: String) {
        self.count += 1;
        // Our choice: enough to see the pattern.
        if self.lines.len() < 100 {
            self.lines.push(line);
        }
    }
}
