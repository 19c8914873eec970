//! Builds the objects of a deposit, file by file: rows are read on all cores, and what they give is put together in their order.

use std::collections::HashMap;
use std::hash::RandomState;
use std::net::IpAddr;

use super::csv::{self, CsvError, Row};
use super::index::{NameHash, NameIndex, Names};
use super::objects::{
    Domain, Domains, DsRow, FeeState, HostId, Lists, MAX_NOTES, MAX_ROWS_OF_NAME, Notes, Objects, RegistrantClass, Statuses,
};
use super::span::Span;
use crate::dns::UnixTime;
use crate::{memory, parallel};

/// The rows of one file: where they lie in the text of the deposit, and how they are cut.
pub(super) struct Table<'a> {
    pub file: &'a str,
    pub start: usize,
    /// The lengths of parts that each end where a row does; see [`csv::parts`].
    pub parts: &'a [usize],
    /// How many fields a row has.
    pub width: usize,
}

/// What the rows of one part of a table gave.
struct Part<T> {
    /// Where the part lies in the text of the deposit.
    base: usize,
    found: T,
    /// Remarks with their line.
    notes: Vec<(u64, String)>,
    n_notes: u64,
}

impl<T> Part<T> {
    /// Where a field stands in the text of the deposit.
    fn span(&self, row: &Row<'_>, i: usize) -> Span {
        Span::new(row.place(i)).shifted(self.base)
    }

    fn note(&mut self, row: &Row<'_>, what: impl FnOnce() -> String) {
        self.n_notes += 1;
        if self.notes.len() < MAX_NOTES {
            self.notes.push((row.line, what()));
        }
    }
}

impl Table<'_> {
    /// Calls `add` with each row and what its part gave so far, parts on all cores; `before` is the text of the files before this one.
    ///
    /// Returns the number of rows, and what each part gave.
    fn scan<T: Send>(
        &self,
        text: &mut [u8],
        notes: &mut Notes,
        empty: impl Fn() -> T + Sync,
        add: impl Fn(&[u8], &mut Part<T>, &Row<'_>) + Sync,
    ) -> Result<(u64, Vec<Part<T>>), CsvError> {
        let (before, mut rest) = text.split_at_mut(self.start);
        let mut parts = Vec::with_capacity(self.parts.len());
        let mut base = self.start;
        for &len in self.parts {
            let (part, behind) = std::mem::take(&mut rest).split_at_mut(len);
            parts.push((part, Part { base, found: empty(), notes: Vec::new(), n_notes: 0 }));
            (rest, base) = (behind, base + len);
        }
        let scanned = parallel::map(parts, |(text, mut part)| {
            let read = csv::rows(text, 0, self.width, |row| add(before, &mut part, &row));
            (part, read)
        });
        // Below the header line.
        let (mut rows, mut line) = (0, 2);
        let mut parts = Vec::with_capacity(scanned.len());
        for (mut part, read) in scanned {
            let read = read.map_err(|error| CsvError { line: line + error.line, ..error })?;
            for (at, what) in part.notes.drain(..).take(MAX_NOTES - notes.lines.len()) {
                notes.lines.push(format!("{} line {}: {what}", self.file, line + at));
            }
            notes.count += part.n_notes;
            rows += read.rows;
            line += read.lines;
            parts.push(part);
        }
        Ok((rows, parts))
    }
}

/// Builds [`Objects`] table by table: objects before their children. Every table gives back how many rows it has.
pub(super) struct Builder {
    text: Vec<u8>,
    domains: Domains,
    name_servers: Vec<(u32, HostId)>,
    ds: Vec<(u32, DsRow)>,
    hosts: Names,
    n_host_objects: usize,
    addresses: Vec<(u32, IpAddr)>,
    reserved: Names,
    notes: Notes,
}

impl Builder {
    /// `text` is that of all files; tables say where in it they lie.
    pub fn new(text: Vec<u8>) -> Self {
        let names = || Names::new(NameIndex::new(RandomState::new()));
        let domains = Domains { rows: Vec::new(), by_name: NameIndex::new(RandomState::new()), same_name: Vec::new() };
        Self {
            text,
            domains,
            name_servers: Vec::new(),
            ds: Vec::new(),
            hosts: names(),
            n_host_objects: 0,
            addresses: Vec::new(),
            reserved: names(),
            notes: Notes::default(),
        }
    }

    /// domain.csv.
    pub fn domains(&mut self, table: &Table<'_>) -> Result<u64, CsvError> {
        let Domains { rows, by_name, same_name } = &mut self.domains;
        let empty = || (Vec::new(), Vec::new());
        let (n, parts) = table.scan(&mut self.text, &mut self.notes, empty, |_, part: &mut Part<(Vec<NameHash>, Vec<Domain>)>, row| {
            part.found.0.push(by_name.hash(row.value(0)));
            let domain = read_domain(row, |i| part.span(row, i));
            part.found.1.push(domain);
        })?;
        rows.reserve_exact(n as usize);
        memory::will_fill(rows.spare_capacity_mut());
        let mut hashes = Vec::with_capacity(n as usize);
        for part in parts {
            hashes.extend(part.found.0);
            rows.extend(part.found.1);
        }
        same_name.resize(rows.len(), 0);
        by_name.reserve(rows.len());
        let mut shared = Vec::new();
        // The tail and length of each chain, only for names that come twice.
        let mut chains = HashMap::new();
        for (row, &hash) in hashes.iter().enumerate() {
            // Far enough ahead to hide the memory's latency; measured.
            if let Some(&soon) = hashes.get(row + 16) {
                by_name.prefetch(soon);
            }
            let row = row as u32;
            if let Some(first) = by_name.insert(hash, row, |row| rows[row as usize].name.of(&self.text)) {
                let (tail, length) = chains.entry(first).or_insert((first, 1));
                same_name[*tail as usize] = row + 1;
                (*tail, *length) = (row, *length + 1);
                shared.extend([first, row]);
            }
        }
        shared.into_iter().for_each(|row| rows[row as usize].shares_name = true);
        for (first, _) in chains.into_iter().filter(|(_, (_, length))| *length > MAX_ROWS_OF_NAME) {
            let mut next = first + 1;
            while let Some(row) = next.checked_sub(1) {
                rows[row as usize].is_crowded = true;
                next = same_name[row as usize];
            }
        }
        Ok(n)
    }

    /// host.csv.
    pub fn hosts(&mut self, table: &Table<'_>) -> Result<u64, CsvError> {
        let n = add_names(table, &mut self.text, &mut self.hosts, &mut self.notes)?;
        self.n_host_objects = self.hosts.spans().len();
        Ok(n)
    }

    /// nndn.csv. A name must not lose its protection for a dot.
    pub fn reserved(&mut self, table: &Table<'_>) -> Result<u64, CsvError> {
        add_names(table, &mut self.text, &mut self.reserved, &mut self.notes)
    }

    /// hostAddresses.csv.
    pub fn addresses(&mut self, table: &Table<'_>) -> Result<u64, CsvError> {
        let hosts = &self.hosts;
        let empty = || (NewHosts(hosts.empty_like()), Vec::new());
        let (n, parts) = table.scan(&mut self.text, &mut self.notes, empty, |before, part, row| {
            let parsed: Option<IpAddr> = std::str::from_utf8(row.value(1)).ok().and_then(|text| text.parse().ok());
            let fits = match parsed {
                Some(IpAddr::V4(_)) => matches!(row.value(2), b"v4" | b""),
                Some(IpAddr::V6(_)) => matches!(row.value(2), b"v6" | b""),
                None => false,
            };
            let Some(parsed) = parsed.filter(|_| fits) else {
                let (address, version) = (row.value(1).escape_ascii(), row.value(2).escape_ascii());
                return part.note(row, || format!("'{address}' is no address of version '{version}', disregarded"));
            };
            let host = part.found.0.meet(hosts, before, row, 0);
            part.found.1.push((host, parsed));
        })?;
        for Part { base, found: (new, addresses), .. } in parts {
            let host = new.settle(base, &self.text, &mut self.hosts);
            self.addresses.extend(addresses.into_iter().map(|(met, address)| (host(met).0, address)));
        }
        // Who has an address is an object, with or without a row of its own.
        self.n_host_objects = self.hosts.spans().len();
        Ok(n)
    }

    /// domainStatuses.csv.
    pub fn statuses(&mut self, table: &Table<'_>) -> Result<u64, CsvError> {
        let domains = &self.domains;
        let (n, parts) = table.scan(&mut self.text, &mut self.notes, Children::default, |before, part, row| {
            if !part.found.add(domains, before, row.value(0), row.value(1), Statuses::parse(row.value(2))) {
                part.note(row, || orphan(row));
            }
        })?;
        for (row, status) in parts.into_iter().flat_map(|part| part.found.items) {
            let domain = &mut self.domains.rows[row as usize];
            match status {
                Some(status) => domain.statuses = domain.statuses.union(status),
                None => domain.has_bad_value = true,
            }
        }
        Ok(n)
    }

    /// domainNameServers.csv.
    pub fn name_servers(&mut self, table: &Table<'_>) -> Result<u64, CsvError> {
        let (domains, hosts) = (&self.domains, &self.hosts);
        let empty = || (NewHosts(hosts.empty_like()), Children::default());
        let (n, parts) = table.scan(&mut self.text, &mut self.notes, empty, |before, part, row| {
            let host = part.found.0.meet(hosts, before, row, 2);
            if !part.found.1.add(domains, before, row.value(0), row.value(1), host) {
                part.note(row, || orphan(row));
            }
        })?;
        self.name_servers.reserve_exact(parts.iter().map(|part| part.found.1.items.len()).sum());
        for Part { base, found: (new, servers), .. } in parts {
            let host = new.settle(base, &self.text, &mut self.hosts);
            self.name_servers.extend(servers.items.into_iter().map(|(row, met)| (row, host(met))));
        }
        Ok(n)
    }

    /// dnssec.csv.
    pub fn ds(&mut self, table: &Table<'_>) -> Result<u64, CsvError> {
        let domains = &self.domains;
        let (n, parts) = table.scan(&mut self.text, &mut self.notes, Children::default, |before, part, row| {
            let text = |i| std::str::from_utf8(row.value(i)).unwrap_or("");
            let ds = DsRow {
                key_tag: text(2).parse().ok(),
                algorithm: text(3).parse().ok(),
                digest_type: text(4).parse().ok(),
                digest: part.span(row, 5),
            };
            if !part.found.add(domains, before, row.value(0), row.value(1), ds) {
                part.note(row, || orphan(row));
            }
        })?;
        self.ds = parts.into_iter().flat_map(|part| part.found.items).collect();
        Ok(n)
    }

    /// A file that is proven and counted, but does not bear on publication.
    pub fn count_only(&mut self, table: &Table<'_>) -> Result<u64, CsvError> {
        table.scan(&mut self.text, &mut self.notes, || (), |_, _, _| ()).map(|(n, _)| n)
    }

    /// Sorts the children to their objects.
    pub fn finish(self) -> Objects {
        let (n_domains, n_hosts) = (self.domains.rows.len(), self.hosts.spans().len());
        Objects {
            text: self.text,
            name_servers: Lists::new(n_domains, &self.name_servers),
            ds: Lists::new(n_domains, &self.ds),
            addresses: Lists::new(n_hosts, &self.addresses),
            domains: self.domains,
            hosts: self.hosts,
            n_host_objects: self.n_host_objects,
            reserved: self.reserved,
            notes: self.notes,
        }
    }
}

fn read_domain(row: &Row<'_>, span: impl Fn(usize) -> Span) -> Domain {
    let [name, roid, u_name, _idn_table, _original, class, _cl_id, created, expires, fee, entitlement, target]: [usize; 12] =
        std::array::from_fn(|i| i);
    let mut has_bad_value = false;
    let mut time = |i: usize| {
        let time = std::str::from_utf8(row.value(i)).ok().and_then(UnixTime::parse_rfc3339);
        has_bad_value |= time.is_none() && !row.value(i).is_empty();
        time
    };
    let (created, expires) = (time(created), time(expires));
    let registrant_class = RegistrantClass::parse(row.value(class)).unwrap_or_else(|| {
        has_bad_value |= !row.value(class).is_empty();
        RegistrantClass::Unknown
    });
    let fee_state = match row.value(fee) {
        b"paid" => FeeState::Paid,
        b"due" => FeeState::Due,
        b"overdue" => FeeState::Overdue,
        word => {
            has_bad_value |= !word.is_empty();
            FeeState::Unknown
        }
    };
    Domain {
        name: span(name),
        roid: span(roid),
        u_name: span(u_name),
        target: span(target),
        created,
        expires,
        registrant_class,
        fee_state,
        is_entitled: !row.value(entitlement).is_empty(),
        statuses: Statuses::default(),
        has_bad_value,
        shares_name: false,
        is_crowded: false,
    }
}

/// Adds the names in the first column; a final dot is none of a name's.
fn add_names(table: &Table<'_>, text: &mut [u8], names: &mut Names, notes: &mut Notes) -> Result<u64, CsvError> {
    let (n, parts) = table.scan(text, notes, Vec::new, |_, part, row| {
        let name = without_dot(row, 0);
        part.found.push((names.hash(name.of(row.text())), name.shifted(part.base)));
    })?;
    names.reserve(parts.iter().map(|part| part.found.len()).sum());
    for (hash, name) in parts.into_iter().flat_map(|part| part.found) {
        names.add(text, hash, name);
    }
    Ok(n)
}

/// Where a name stands in the text of its part.
fn without_dot(row: &Row<'_>, i: usize) -> Span {
    let span = Span::new(row.place(i));
    if row.value(i).ends_with(b".") { span.without_last() } else { span }
}

/// A host in one part of a table.
#[derive(Clone, Copy)]
enum Met {
    /// It was known before the table was read.
    Known(u32),
    /// It is one of the part's new ones.
    New(u32),
}

/// Names that a part of a table brings up; they stand in its text.
struct NewHosts(Names);

impl NewHosts {
    /// Looks up the host that field `i` names; `before` is the text of the files before this one.
    fn meet(&mut self, known: &Names, before: &[u8], row: &Row<'_>, i: usize) -> Met {
        let span = without_dot(row, i);
        let name = span.of(row.text());
        let hash = known.hash(name);
        match known.find(before, hash, name) {
            Some(host) => Met::Known(host),
            None => Met::New(self.0.add(row.text(), hash, span)),
        }
    }

    /// Adds the new hosts of a part that lies at `base`; gives which host each of those that were met is.
    fn settle(&self, base: usize, text: &[u8], hosts: &mut Names) -> impl Fn(Met) -> HostId + use<> {
        let add = |span: &Span| {
            let span = span.shifted(base);
            hosts.add(text, hosts.hash(span.of(text)), span)
        };
        let new: Vec<u32> = self.0.spans().iter().map(add).collect();
        move |met| {
            HostId(match met {
                Met::Known(host) => host,
                Met::New(i) => new[i as usize],
            })
        }
    }
}

/// The children in one part of a table, with the rows they belong to.
struct Children<T> {
    /// Children mostly come in the order of their objects: where the last one belonged.
    last_row: u32,
    items: Vec<(u32, T)>,
}

impl<T> Default for Children<T> {
    fn default() -> Self {
        Self { last_row: 0, items: Vec::new() }
    }
}

impl<T: Copy> Children<T> {
    /// Adds a child to every row it belongs to; false when there is none. `text` is that of domain.csv and what is before it.
    ///
    /// A child belongs to the first row with its very spelling and roid; a spelling that no row has
    /// (or shares) goes to all rows of the name and roid. So two spellings of one name keep their own children.
    fn add(&mut self, domains: &Domains, text: &[u8], name: &[u8], roid: &[u8], child: T) -> bool {
        let row_at = |row: u32| &domains.rows[row as usize];
        let exact = |row: u32| row_at(row).name.of(text) == name && row_at(row).roid.of(text) == roid;
        // The fast path is right only where the name stands once.
        for row in [self.last_row, self.last_row + 1] {
            if domains.rows.get(row as usize).is_some_and(|domain| !domain.shares_name) && exact(row) {
                self.last_row = row;
                self.items.push((row, child));
                return true;
            }
        }
        let mut rows = domains.of_name(text, name).peekable();
        // Such a name is nobody's whatever its children say, and each of them would be looked up in every row.
        if rows.peek().is_some_and(|&row| row_at(row).is_crowded) {
            return true;
        }
        let rows: Vec<u32> = rows.collect();
        let same: Vec<u32> = rows.iter().copied().filter(|&row| exact(row)).collect();
        let owners = match same.is_empty() {
            true => rows.into_iter().filter(|&row| roid.is_empty() || row_at(row).roid.of(text) == roid).collect(),
            false => same,
        };
        let Some(&first) = owners.first() else { return false };
        self.last_row = first;
        self.items.extend(owners.into_iter().map(|row| (row, child)));
        true
    }
}

/// What is said of a child whose object is not there.
fn orphan(row: &Row<'_>) -> String {
    format!("'{}' with this roid is no domain, disregarded", row.value(0).escape_ascii())
}
