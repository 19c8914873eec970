//! What the registry has, kept so that single names can be judged anew: by an order, or when one begins or ends.
//!
//! Nothing here changes: which names are published is asked of what is served, and what comes out is the difference between that and what should be. So
//! a name that is judged again, by whatever occasion, gives no change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::check::{Checker, DAY, MAX_SET};
use super::host::{HostPlace, Hosts};
use super::name::Folded;
use super::outcome::{Finding, Rejection, Verdict, ZoneId};
use super::second_level::Place;
use super::{At, CompileError, Compiled, Contents, Live, Policy, SecondLevels, Ttls};
use crate::dns::records::Full;
use crate::dns::{Name, NameRef, Record, Records, Rtype, UnixTime};
use crate::orders::{OrderKind, Orders, Standing};
use crate::parallel;
use crate::registry::{Deposit, HostId, RowId, Statuses};
use crate::zone::Diff;

/// Where the delegation of a suspended name leads: by default nowhere, the name does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// The registry's name servers that tell of the suspension.
    pub servers: Vec<Name>,
    /// The legal grounds of which suspensions are told so.
    pub grounds: BTreeSet<String>,
}

impl Notice {
    /// The servers that stand in the place of the name's own, if every order in force for it is told so.
    pub fn of(&self, orders: &Orders, domain: &[u8], at: At) -> Option<&[Name]> {
        let mut any = false;
        for order in orders.all_in_force(domain, at.orders) {
            any = true;
            if order.kind != crate::orders::OrderKind::Suspend || !self.grounds.contains(&order.legal_ground) {
                return None;
            }
        }
        (any && !self.servers.is_empty()).then_some(&self.servers)
    }
}

/// The newest export, with what leads from hosts to the names that use them.
pub struct Register {
    deposit: Deposit,
    policy: Policy,
    hosts: Hosts,
    /// Rows, each the first of its name, and the hosts at or below it; sorted.
    below: Vec<(RowId, HostId)>,
    /// Hosts below the top-level domain and the rows that use them; sorted.
    users: Vec<(HostId, RowId)>,
    /// The first rows of names that the export states twice and differently.
    in_doubt: Vec<RowId>,
}

/// What changes in the content of one zone.
#[derive(Clone, Debug)]
pub struct Change {
    /// The zone.
    pub apex: Name,
    /// Records that go and come; none of them is the SOA.
    pub change: Diff,
    /// Names that come, less those that go.
    pub published: i64,
}

/// What else breaks when a name goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Published names that use hosts at or below it, in order.
    pub dependants: Vec<Dependant>,
}

/// A name that uses hosts of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependant {
    /// The name.
    pub domain: String,
    /// How many of its name servers are there.
    pub n_lost: usize,
    /// How many it has.
    pub n_servers: usize,
    /// It is a State body's: of a label whose name servers must stand at home.
    pub is_state: bool,
}

/// A name that the registry may take back. Persons decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The code of the finding.
    pub code: &'static str,
    /// The name.
    pub domain: String,
    /// Since when.
    pub since: UnixTime,
}

/// What a name should be.
enum Wanted {
    /// Not published.
    Out,
    /// As the row says.
    In(RowId),
    /// As it is served: the export contradicts itself.
    AsServed,
    /// The registry tells why it is gone.
    Notice(Vec<Name>),
}

impl Wanted {
    /// True if the registrant's delegation stands.
    fn is_published(&self) -> bool {
        match self {
            Self::In(_) | Self::AsServed => true,
            Self::Out | Self::Notice(_) => false,
        }
    }
}

impl Register {
    /// Of an export.
    ///
    /// Cost: one pass over the rows on all cores; 8 octets for each name server below the top-level domain, beside the deposit.
    ///
    /// # Errors
    /// [`CompileError`] where it cannot be compiled at all.
    pub fn new(deposit: Deposit, policy: Policy) -> Result<Self, CompileError> {
        super::check_whole(&deposit, &policy)?;
        let hosts = Hosts::new(&deposit.objects, &policy);
        let mut register = Self { deposit, policy, hosts, below: Vec::new(), users: Vec::new(), in_doubt: Vec::new() };
        let objects = &register.deposit.objects;
        let above = |host: HostId| Some((register.hosts.place(host).superordinate()?, host));
        let mut below: Vec<_> = (0..objects.hosts().len() as u32).filter_map(|i| above(HostId(i))).collect();
        below.sort_unstable();
        let (none, rows) = (Orders::none(), objects.domains().len());
        let checker = register.checker(&none, At { names: UnixTime(0), orders: UnixTime(0) });
        let parts = parallel::map((0..rows).step_by(1 << 14).collect(), |from| {
            let (mut users, mut in_doubt, mut kept) = (Vec::new(), Vec::new(), Vec::new());
            for row in (from..rows.min(from + (1 << 14))).map(|row| RowId(row as u32)) {
                checker.usable_name_servers(row, &mut kept);
                users.extend(kept.iter().filter(|&&host| is_internal(&register.hosts, host)).map(|&host| (host, row)));
                if checker.is_in_doubt(row) && objects.rows_like(row).next() == Some(row) {
                    in_doubt.push(row);
                }
            }
            (users, in_doubt)
        });
        let (mut users, mut in_doubt) = (Vec::new(), Vec::new());
        for (more, doubtful) in parts {
            users.extend(more);
            in_doubt.extend(doubtful);
        }
        users.sort_unstable();
        (register.below, register.users, register.in_doubt) = (below, users, in_doubt);
        Ok(register)
    }

    /// Compiles all of it; see [`compile`](super::compile()).
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile(&self, orders: &Orders, at: At, live: Option<&dyn Live>) -> Result<Compiled, CompileError> {
        super::carry_out(&self.checker(orders, at), live)
    }

    /// The export.
    pub fn deposit(&self) -> &Deposit {
        &self.deposit
    }

    /// Where suspended names lead by it.
    pub fn notice(&self) -> &Notice {
        &self.policy.notice
    }

    /// The shared second-level names.
    pub fn second_levels(&self) -> &SecondLevels {
        &self.policy.second_levels
    }

    /// What has to change for these names (A-labels, no final dot), and for the glue that hangs on them, to be as the export and the orders say.
    ///
    /// Cost: that of the names and of those who use their hosts.
    ///
    /// # Errors
    /// [`Full`] past 4 GiB.
    pub fn changes<'a>(
        &self,
        names: impl IntoIterator<Item = &'a [u8]>,
        orders: &Orders,
        at: At,
        live: &dyn Contents,
    ) -> Result<Vec<Change>, Full> {
        let mut judging = Judging { register: self, checker: self.checker(orders, at), live, wanted: BTreeMap::new() };
        for name in names {
            judging.judge(name);
        }
        judging.changes()
    }

    /// The published names that would lose hosts if `domain` went.
    pub fn impact(&self, domain: &[u8], live: &dyn Contents) -> Impact {
        let (objects, none) = (&self.deposit.objects, Orders::none());
        let checker = self.checker(&none, At { names: UnixTime(0), orders: UnixTime(0) });
        let judging = Judging { register: self, checker, live, wanted: BTreeMap::new() };
        let Some(row) = objects.rows_of(domain).next() else { return Impact::default() };
        let lost: BTreeSet<HostId> = self.hosts_below(row).collect();
        let mut dependants: BTreeMap<String, Dependant> = BTreeMap::new();
        for user in lost.iter().flat_map(|&host| self.users_of(host)) {
            let name = objects.bytes(objects.domain(user).name);
            if name.eq_ignore_ascii_case(domain) || !judging.is_published(user) {
                continue;
            }
            let text = String::from_utf8_lossy(name).to_ascii_lowercase();
            let dependant = |text: &String| {
                let mut servers = Vec::new();
                judging.checker.usable_name_servers(user, &mut servers);
                let label = name.split(|&octet| octet == b'.').rev().nth(1).unwrap_or_default();
                Dependant {
                    domain: text.clone(),
                    n_lost: servers.iter().filter(|host| lost.contains(host)).count(),
                    n_servers: servers.len(),
                    is_state: self.policy.profile.home_labels.iter().any(|home| home.as_bytes().eq_ignore_ascii_case(label)),
                }
            };
            let found = dependant(&text);
            dependants.entry(text).or_insert(found);
        }
        Impact { dependants: dependants.into_values().collect() }
    }

    /// True if the export has the name.
    pub fn has(&self, domain: &[u8]) -> bool {
        self.deposit.objects.rows_of(domain).next().is_some()
    }

    /// True if the registry's own data keeps a name from being published, as an order of this kind asks: held or gone.
    pub fn reflects(&self, domain: &[u8], kind: OrderKind) -> bool {
        let objects = &self.deposit.objects;
        let is_held = |row: RowId| {
            let statuses = objects.domain(row).statuses;
            let held = [Statuses::SERVER_HOLD, Statuses::PENDING_DELETE].into_iter().any(|status| statuses.contains(status));
            held && kind != OrderKind::Restore
        };
        objects.rows_of(domain).all(is_held)
    }

    /// The names that the registry may take back by its own data: without a name server for too long (92/2003 art. 10.5), or expired beyond the last day of
    /// their life cycle. At most `most` of them, in the order of the export, and how many there are.
    ///
    /// Cost: all rows are judged, on one core.
    pub fn candidates(&self, at: At, most: usize) -> (Vec<Candidate>, usize) {
        let orders = Orders::none();
        let (checker, profile) = (self.checker(&orders, at), &self.policy.profile);
        let (mut found, mut n) = (Vec::new(), 0);
        for row in (0..self.deposit.objects.domains().len()).map(|row| RowId(row as u32)) {
            let findings = checker.judge(row).findings;
            let domain = self.deposit.objects.domain(row);
            let (finding, from, days) = if findings.contains(Finding::RevokeCandidate60d) {
                (Finding::RevokeCandidate60d, domain.created, profile.days_without_name_server)
            } else if findings.contains(Finding::RevokeCandidateExpiry) {
                (Finding::RevokeCandidateExpiry, domain.expires, profile.last_suspended_day)
            } else {
                continue;
            };
            n += 1;
            if found.len() < most {
                let name = String::from_utf8_lossy(self.deposit.objects.bytes(domain.name)).to_ascii_lowercase();
                let since = UnixTime(from.unwrap_or(at.names).0.saturating_add(u64::from(days) * DAY));
                found.push(Candidate { code: finding.code(), domain: name, since });
            }
        }
        (found, n)
    }

    /// True if name servers of the registry's zones are at or below a name (A-labels, no final dot).
    pub fn has_own_servers(&self, domain: &str) -> bool {
        let servers = &self.policy.infrastructure.name_servers;
        crate::dns::Name::parse(domain).is_ok_and(|name| servers.iter().any(|server| server.name.as_ref().is_at_or_below(name.as_ref())))
    }

    /// What a name (A-labels, lower case, no final dot) is to the registry.
    pub fn standing(&self, name: &[u8]) -> Standing {
        let levels = &self.policy.second_levels;
        match Folded::new(name).map(|name| (levels.is_below(&name), levels.place(&name))) {
            Some((true, Place::Registrable(_))) => Standing::Registrable,
            Some((true, Place::Shared)) => Standing::Zone,
            _ if name == levels.tld().as_bytes() => Standing::Zone,
            Some(_) | None => Standing::Other,
        }
    }

    fn checker<'a>(&'a self, orders: &'a Orders, at: At) -> Checker<'a> {
        Checker { objects: &self.deposit.objects, orders, policy: &self.policy, hosts: &self.hosts, at }
    }

    /// The hosts at or below the name of a row, which is the first of its name.
    fn hosts_below(&self, row: RowId) -> impl Iterator<Item = HostId> {
        let from = self.below.partition_point(|(above, _)| *above < row);
        self.below[from..].iter().take_while(move |(above, _)| *above == row).map(|(_, host)| *host)
    }

    fn users_of(&self, host: HostId) -> impl Iterator<Item = RowId> {
        let from = self.users.partition_point(|(used, _)| *used < host);
        self.users[from..].iter().take_while(move |(used, _)| *used == host).map(|(_, row)| *row)
    }
}

fn is_internal(hosts: &Hosts, host: HostId) -> bool {
    match hosts.place(host) {
        HostPlace::Internal { .. } => true,
        HostPlace::BadLabel | HostPlace::External | HostPlace::TooDeep { .. } => false,
    }
}

/// Names that are judged together.
struct Judging<'a> {
    register: &'a Register,
    checker: Checker<'a>,
    live: &'a dyn Contents,
    /// By name in lower case.
    wanted: BTreeMap<Vec<u8>, (ZoneId, Wanted)>,
}

/// The types of records that come out of an export, but for those of the apex.
const COMPILED: [Rtype; 5] = [Rtype::NS, Rtype::DS, Rtype::CNAME, Rtype::A, Rtype::AAAA];

impl Judging<'_> {
    fn judge(&mut self, name: &[u8]) {
        let name = name.to_ascii_lowercase();
        let Some(folded) = Folded::new(&name) else { return };
        let Place::Registrable(zone) = self.register.policy.second_levels.place(&folded) else { return };
        let wanted = self.wanted_of(&name, zone, &folded);
        self.wanted.insert(name, (zone, wanted));
    }

    fn wanted_of(&self, name: &[u8], zone: ZoneId, folded: &Folded) -> Wanted {
        let Checker { objects, orders, at, policy, .. } = self.checker;
        let Some(first) = objects.rows_of(name).next() else { return Wanted::Out };
        let verdicts = || objects.rows_like(first).map(|row| self.checker.judge(row).verdict);
        let in_force = orders.in_force(name, at.orders).is_some();
        match verdicts().find(|verdict| *verdict != Verdict::InZone) {
            None => Wanted::In(first),
            Some(Verdict::Rejected(Rejection::DuplicateName)) if !in_force => {
                let is_served = self.live.delegation(self.apex(zone), folded.as_name()).is_some();
                if is_served { Wanted::AsServed } else { Wanted::Out }
            }
            Some(Verdict::Excluded(super::Exclusion::OrderSuspend)) => match policy.notice.of(orders, name, at) {
                Some(servers) if objects.rows_like(first).all(|row| self.checker.is_kept_out_by_orders_alone(row)) => {
                    Wanted::Notice(servers.to_vec())
                }
                _ => Wanted::Out,
            },
            Some(_) => Wanted::Out,
        }
    }

    fn apex(&self, zone: ZoneId) -> NameRef<'_> {
        self.register.policy.second_levels.apexes()[zone.0 as usize].as_ref()
    }

    /// True if the delegation of the row's name is, or is to be, the registrant's.
    fn is_published(&self, row: RowId) -> bool {
        let name = self.checker.objects.bytes(self.checker.objects.domain(row).name).to_ascii_lowercase();
        if let Some((_, wanted)) = self.wanted.get(&name) {
            return wanted.is_published();
        }
        let Some(folded) = Folded::new(&name) else { return false };
        let Place::Registrable(zone) = self.register.policy.second_levels.place(&folded) else { return false };
        let records = self.live.records_at(self.apex(zone), folded.as_name());
        let is_ours = records.iter().any(|record| matches!(record.rtype, Rtype::NS | Rtype::CNAME));
        is_ours && self.checker.policy.notice.of(self.checker.orders, &name, self.checker.at).is_none()
    }

    /// True if a published name uses the host.
    fn is_linked(&self, host: HostId) -> bool {
        let register = self.register;
        let uses = |row: RowId| register.in_doubt.binary_search(&row).is_err() && self.is_published(row);
        if register.users_of(host).any(|row| {
            // What is served of a name in doubt is not what its rows say.
            let first = self.checker.objects.rows_like(row).next().unwrap_or(row);
            uses(first)
        }) {
            return true;
        }
        register.in_doubt.iter().any(|&row| {
            let name = self.checker.objects.bytes(self.checker.objects.domain(row).name);
            let Some(folded) = Folded::new(name) else { return false };
            let Place::Registrable(zone) = register.policy.second_levels.place(&folded) else { return false };
            let is_out = self.wanted.get(&name.to_ascii_lowercase()).is_some_and(|(_, wanted)| !wanted.is_published());
            let served = || self.live.delegation(self.apex(zone), folded.as_name());
            !is_out && served().is_some_and(|served| served.ns.iter().any(|server| server.as_ref() == register.hosts.name(host)))
        })
    }

    /// The hosts whose glue may come or go.
    fn hosts(&self) -> BTreeSet<HostId> {
        let objects = self.checker.objects;
        let mut hosts = BTreeSet::new();
        let mut used = Vec::new();
        for (name, (zone, _)) in &self.wanted {
            if let Some(first) = objects.rows_of(name).next() {
                hosts.extend(self.register.hosts_below(first));
            }
            for row in objects.rows_of(name) {
                self.checker.usable_name_servers(row, &mut used);
                hosts.extend(&used);
            }
            let served = Folded::new(name).and_then(|name| self.live.delegation(self.apex(*zone), name.as_name()));
            let servers = served.map(|served| served.ns).unwrap_or_default();
            hosts.extend(servers.iter().filter_map(|server| objects.host_named(server.to_string().trim_end_matches('.').as_bytes())));
        }
        hosts.retain(|&host| is_internal(&self.register.hosts, host));
        hosts
    }

    fn changes(self) -> Result<Vec<Change>, Full> {
        let (objects, ttls) = (self.checker.objects, self.register.policy.ttls);
        let mut owners: BTreeMap<(u16, Name), Owner> = BTreeMap::new();
        let mut servers = Vec::new();
        for (name, (zone, wanted)) in &self.wanted {
            let folded = Folded::new(name).expect("it was judged");
            let apex = self.apex(*zone);
            for below in self.live.below(apex, folded.as_name()) {
                owners.entry((zone.0, below)).or_default();
            }
            let owner = owners.entry((zone.0, folded.as_name().to_owned())).or_default();
            owner.is_judged = !matches!(wanted, Wanted::AsServed);
            match wanted {
                Wanted::Out | Wanted::AsServed => {}
                Wanted::In(row) => self.checker.delegation(*row, &mut servers, &mut |rtype, ttl, rdata| {
                    owner.push(rtype, ttl, rdata);
                    Ok(())
                })?,
                Wanted::Notice(servers) => {
                    servers.iter().for_each(|server| owner.push(Rtype::NS, ttls.ns, server.as_ref().as_wire()));
                }
            }
        }
        for host in self.hosts() {
            let HostPlace::Internal { superordinate, zone } = self.register.hosts.place(host) else { continue };
            let owner = owners.entry((zone.0, self.register.hosts.name(host).to_owned())).or_default();
            if superordinate.is_some_and(|row| self.is_published(row)) && self.is_linked(host) {
                let addresses = objects.addresses(host);
                owner.push_addresses(&addresses[..addresses.len().min(MAX_SET)], ttls);
            }
        }
        let mut changes: BTreeMap<u16, Change> = BTreeMap::new();
        for ((zone, name), mut owner) in owners {
            let apex = self.apex(ZoneId(zone));
            // Ours stand whatever is registered.
            for server in self.register.policy.infrastructure.name_servers.iter().filter(|server| server.name == name) {
                owner.push_addresses(&server.addresses, ttls);
            }
            let types = if owner.is_judged { &COMPILED[..] } else { &COMPILED[3..] };
            let mut served = self.live.records_at(apex, name.as_ref());
            served.retain(|record| types.contains(&record.rtype));
            served.sort();
            let mut wanted = Records::new();
            for (rtype, ttl, rdata) in owner.records {
                wanted.push(name.as_ref(), rtype, ttl, &rdata)?;
            }
            wanted.sort();
            let notice = &self.register.policy.notice.servers;
            let is_notice = |record: &Record<'_>| notice.iter().any(|server| server.as_ref().as_wire() == record.rdata);
            let is_delegation = |record: &Record<'_>| match record.rtype {
                Rtype::NS => !is_notice(record),
                rtype => rtype == Rtype::CNAME,
            };
            let is_there = |records: &Records| i64::from(records.iter().any(|record| is_delegation(&record)));
            let difference = Diff::between(&served, &wanted);
            if difference.is_empty() {
                continue;
            }
            let change = changes.entry(zone).or_insert_with(|| Change { apex: apex.to_owned(), change: Diff::default(), published: 0 });
            change.published += if owner.is_judged { is_there(&wanted) - is_there(&served) } else { 0 };
            change.change.removed.extend(&difference.removed)?;
            change.change.added.extend(&difference.added)?;
        }
        let mut changes: Vec<Change> = changes.into_values().collect();
        for Change { change, .. } in &mut changes {
            change.removed.sort();
            change.added.sort();
        }
        Ok(changes)
    }
}

/// What a name should have.
#[derive(Default)]
struct Owner {
    /// It is one of the names that are judged, and not one that only has addresses.
    is_judged: bool,
    records: BTreeSet<(Rtype, u32, Vec<u8>)>,
}

impl Owner {
    fn push(&mut self, rtype: Rtype, ttl: u32, rdata: &[u8]) {
        self.records.insert((rtype, ttl, rdata.to_vec()));
    }

    fn push_addresses(&mut self, addresses: &[IpAddr], ttls: Ttls) {
        for address in addresses {
            match address {
                IpAddr::V4(v4) => self.push(Rtype::A, ttls.address, &v4.octets()),
                IpAddr::V6(v6) => self.push(Rtype::AAAA, ttls.address, &v6.octets()),
            }
        }
    }
}
