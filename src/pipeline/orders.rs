//! Orders in force: the ledger, what the registry has of the names, and the way of a few names from there into the zones that are served.
//!
//! An order is an input of the compiler. What is served of a name is set against what export and orders say it should be; the difference is signed where
//! the zone is, verified, journalled and swapped in. So an order that is in force already changes nothing, and whatever else happened to a zone is mended.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::make::{self, Live};
use super::plan::RegistryPlan;
use super::registry::{self, MAX_DATA, Served, is_there};
use super::signing::SignedWith;
use super::{Pipeline, Plan, Problem, Published, Why, content, decide, newer};
use crate::compile::{At, Change, Contents, Impact, Live as _, Notice, Register};
use crate::disk::{self, Place};
use crate::dns::{Name, NameRef, Records, Rtype, Serial, UnixTime};
use crate::journal::{Compiled, Log, stem};
use crate::orders::{Chain, Ledger, Opened, Order, OrderKind, Orders, Unreadable};
use crate::zone::{Diff, NameMap, ZoneSet};

/// The orders, and what the registry has of the names they are about.
#[derive(Default)]
pub struct Book {
    /// Where the ledger is kept.
    paths: Option<[PathBuf; 2]>,
    ledger: Option<Ledger>,
    /// Why there is none.
    problem: Option<String>,
    register: Option<Arc<Register>>,
    /// Until when orders that begin or end by themselves are in what is served.
    turned_at: UnixTime,
    /// Names that are not as they should be, and are tried again.
    open: BTreeSet<String>,
    /// What orders did since a run began that is not at its end.
    during: Option<During>,
    /// A line that the ledger is known to have had.
    known: Option<Chain>,
}

/// What orders did during a run.
#[derive(Default)]
pub struct During {
    /// The names that were judged.
    pub names: BTreeSet<String>,
    /// The zones that changed, with the names that came less those that went.
    pub zones: BTreeMap<Name, i64>,
}

/// What came of names that were judged anew.
#[derive(Debug, Default)]
pub struct Carried {
    /// Zones that are other ones now.
    pub published: Vec<Published>,
    /// What could not be done; the names are tried again.
    pub problems: Vec<Problem>,
}

impl Book {
    /// The orders, or why none can be read.
    pub fn orders(&self) -> Result<&Orders, &str> {
        match (&self.ledger, &self.problem) {
            (Some(ledger), _) => Ok(ledger.orders()),
            (None, Some(problem)) => Err(problem),
            (None, None) => Err("the ledger of orders is not open"),
        }
    }

    /// The ledger, or why none can be read.
    pub fn ledger(&mut self) -> Result<&mut Ledger, String> {
        self.ledger
            .as_mut()
            .ok_or_else(|| self.problem.clone().unwrap_or_else(|| "no registry is served here, so there is no ledger of orders".into()))
    }

    /// What the registry has, once it was read.
    pub fn register(&self) -> Option<&Arc<Register>> {
        self.register.as_ref()
    }

    /// The ledger is known to have had this line: without it, it is not taken.
    pub fn know(&mut self, line: Chain) {
        self.known = Some(line);
    }

    /// From now on it is written down what orders do.
    pub(super) fn begin_run(&mut self) {
        self.during = Some(During::default());
    }

    /// What orders did since the run began.
    pub(super) fn end_run(&mut self) -> During {
        self.during.take().unwrap_or_default()
    }

    /// Names are no longer judged by what was read before: it is to be read again.
    pub fn forget_register(&mut self) {
        self.register = None;
    }

    /// From now on names are judged by this.
    pub fn set_register(&mut self, register: Arc<Register>) {
        self.register = Some(register);
    }

    /// Opens the ledger where the plan has it, if it is not open; takes over what another ledger has more. Says what an operator should know.
    pub(super) fn open(&mut self, plan: &RegistryPlan, applied: Option<&Compiled>) -> Vec<String> {
        let mut alarms = Vec::new();
        if self.ledger.is_none() || self.paths.as_ref() != Some(&plan.ledger) {
            (self.ledger, self.problem) = (None, None);
            let applied = applied
                .filter(|applied| applied.orders > 0)
                .map(|applied| Chain { seq: applied.orders, sha256: applied.orders_head.clone() });
            let known = applied.into_iter().chain(self.known.clone()).max_by_key(|line| line.seq);
            match open(plan, known) {
                Ok(opened) => {
                    alarms.extend(opened.alarms);
                    let [a, b] = &plan.ledger;
                    if disk::is_one_file(a, b) {
                        alarms.push(format!(
                            "'{}' and '{}' are one file, and two copies of the ledger are wanted",
                            a.display(),
                            b.display()
                        ));
                    }
                    self.ledger = Some(opened.ledger);
                    self.paths = Some(plan.ledger.clone());
                }
                Err(what) => {
                    let what = format!("no ledger of orders can be read, what is served stays and no order is taken: {what}");
                    self.problem = Some(what.clone());
                    alarms.push(what);
                }
            }
        }
        if let Some(ledger) = &mut self.ledger
            && is_there(&plan.orders)
        {
            let given = plan.orders.display();
            match disk::read(&plan.orders, MAX_DATA).map_err(|error| error.to_string()).map(|text| ledger.follow(&text)) {
                Ok(Ok(0)) => {}
                Ok(Ok(n)) => alarms.push(format!("{n} lines of '{given}' are taken over into the ledger of orders")),
                Ok(Err(error)) if error.kind() != io::ErrorKind::InvalidData => {
                    // To go on would be to go on without these orders.
                    let what = format!("'{given}' has orders that cannot be written into the ledger, what is served stays: {error}");
                    (self.ledger, self.problem) = (None, Some(what.clone()));
                    alarms.push(what);
                }
                Ok(Err(error)) => alarms.push(format!("'{given}': {error}; the ledger of this server stays as it is")),
                Err(what) => alarms.push(format!("'{given}': {what}; the ledger of this server stays as it is")),
            }
        }
        alarms
    }

    /// Writes a restore for each suspension that has ended by itself, so that the ledger says how it ended; gives how many.
    ///
    /// # Errors
    /// When the ledger cannot be written. The suspensions have ended all the same.
    pub fn write_ends(&mut self, now: UnixTime) -> Result<usize, String> {
        let Some(ledger) = &mut self.ledger else { return Ok(0) };
        let ended: Vec<Order> = ledger.orders().ended(now).map(|order| end_of(order, now)).collect();
        let n = ended.len();
        for end in ended {
            if let Err(what) = ledger.add(end).map(drop) {
                ledger.discard();
                return Err(what);
            }
        }
        ledger.commit().map_err(|error| format!("suspensions have expired, and their ends cannot be written: {error}"))?;
        Ok(n)
    }

    /// When the next order begins or ends by itself.
    pub fn next_turn(&self) -> Option<UnixTime> {
        self.ledger.as_ref()?.orders().next_turn(self.turned_at)
    }

    /// After a fault of the program: orders that are not durable are none, and all names are looked at again.
    pub fn recover(&mut self) {
        if let Some(ledger) = &mut self.ledger {
            ledger.discard();
            self.open.extend(ledger.orders().names().map(|name| String::from_utf8_lossy(name).into_owned()));
        }
    }

    /// True if the name is not as it should be, and is tried again.
    pub fn is_open(&self, domain: &str) -> bool {
        self.open.contains(domain)
    }

    /// True if names wait to be tried again.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }
}

/// The restore that the program writes when a suspension ends by itself.
fn end_of(order: &Order, now: UnixTime) -> Order {
    Order {
        order_id: String::new(),
        kind: OrderKind::Restore,
        refers_to: Some(order.order_id.clone()),
        authority: order.authority.clone(),
        legal_ground: "RESTORE_13_4".into(),
        evidence_ref: format!("expiry of {}", order.order_id),
        received_at: now,
        effective_at: order.expires_at.unwrap_or(now),
        expires_at: None,
        review_at: None,
        operator: "saola".into(),
        notice_sent_at: None,
        notice_channel: None,
        registrar_notified_at: None,
        state: None,
        snapshot: None,
        impact: None,
        applied: None,
        ..order.clone()
    }
}

fn open(plan: &RegistryPlan, known: Option<Chain>) -> Result<Opened, String> {
    for path in &plan.ledger {
        let folder = path.parent().unwrap_or(path);
        // A copy that cannot be made is told by the ledger, which may have the other one.
        let _ = disk::make_folder(folder);
    }
    let places = || plan.ledger.clone().map(Place::new);
    let error = match Ledger::open(places(), known.as_ref()) {
        Ok(opened) => return Ok(opened),
        Err(Unreadable(what)) => what,
    };
    // On another machine, or where both copies were lost: a ledger that is given and has what was in force.
    let (Some(known), true) = (known, is_there(&plan.orders)) else { return Err(error) };
    let given = plan.orders.display();
    let text = disk::read(&plan.orders, MAX_DATA).map_err(|why| format!("{error}; '{given}': {why}"))?;
    let read = Orders::read(&text).map_err(|why| format!("{error}; '{given}': {why}"))?;
    if read.chain().seq < known.seq || !read.has_head(known.seq, &known.sha256) {
        let last = read.chain().seq;
        return Err(format!(
            "{error}; CHAIN_BROKEN: '{given}' ends at line {last} or is another one, {} lines were in force; bring the ledger back: a restore ends an \
             order, not its absence",
            known.seq
        ));
    }
    let mut opened = Ledger::open(places(), None).map_err(|Unreadable(what)| what)?;
    opened.ledger.follow(&text).map_err(|what| format!("'{given}': {what}"))?;
    Ok(opened)
}

impl Pipeline {
    /// The orders.
    pub fn book(&mut self) -> &mut Book {
        &mut self.book
    }

    /// What the registry has, and the times at which that is judged; `None` while it is not read.
    pub fn register_at(&self, plan: &Plan, now: UnixTime) -> Option<(Arc<Register>, At)> {
        let register = Arc::clone(self.book.register.as_ref()?);
        let at = registry::at(plan.registry.as_ref()?, &register, now);
        Some((register, at))
    }

    /// A zone was published with this serial: whatever it is made from, it goes on from there.
    pub fn remember_serial(&mut self, apex: &Name, serial: Serial) {
        let known = self.serials.entry(stem(apex.as_ref())).or_insert(serial);
        *known = newer(*known, serial);
    }

    /// Who would lose name servers if a name went; `None` while the registry's data is not read.
    pub fn impact(&self, domain: &[u8]) -> Option<Impact> {
        Some(self.book.register.as_ref()?.impact(domain, &Served(&self.live)))
    }

    /// The largest TTL that is published for a name and what is below it, in seconds: what a resolver has of it lives no longer. And that of an answer
    /// that there is none.
    pub fn longest_ttl(&self, domain: &str) -> (u32, u32) {
        let Ok(name) = Name::parse(domain) else { return (0, 0) };
        let Some(zone) = zone_of(&self.live, &name) else { return (0, 0) };
        let served = Served(&self.live);
        let owners = served.below(zone.as_ref(), name.as_ref()).into_iter().chain([name]);
        let ttl = owners.filter_map(|owner| served.records_at(zone.as_ref(), owner.as_ref()).iter().map(|record| record.ttl).max()).max();
        let negative = self.live.get(&zone).map_or(0, |live| live.zone.soa().minimum);
        (ttl.unwrap_or(0), negative)
    }

    /// True if hosts below a name are served.
    pub fn has_hosts_below(&self, domain: &str) -> bool {
        let Ok(name) = Name::parse(domain) else { return false };
        zone_of(&self.live, &name).is_some_and(|zone| !Served(&self.live).below(zone.as_ref(), name.as_ref()).is_empty())
    }

    /// SHA-256 of the records of a name and of what is below it, without signatures, hexadecimal; `None` where it is not delegated.
    pub fn delegation_digest(&self, domain: &str) -> Option<String> {
        let name = Name::parse(domain).ok()?;
        let zone = zone_of(&self.live, &name)?;
        let served = Served(&self.live);
        let mut records = Records::new();
        for owner in served.below(zone.as_ref(), name.as_ref()).into_iter().chain([name]) {
            records.extend(&served.records_at(zone.as_ref(), owner.as_ref())).ok()?;
        }
        content::strip(&mut records, zone.as_ref());
        records.sort();
        (!records.is_empty()).then(|| content::digest(&records, zone.as_ref()))
    }

    /// Reads what the registry has, where that is not known: of the export that is served.
    ///
    /// Cost: that of reading the deposit. Nobody should wait for it.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read_register(plan: &RegistryPlan, applied: &Compiled, now: UnixTime) -> Result<Arc<Register>, String> {
        let inputs = registry::inputs(plan, now)?;
        if inputs.header != applied.header {
            return Err(format!("the newest deposit is another one than {}, which is served", applied.deposit));
        }
        registry::register(plan, &inputs).map(Arc::new)
    }

    /// Judges names anew and puts what differs in force: those that are given, those of which an order began or ended by itself since the last time, and
    /// those that could not be put in force then.
    pub fn carry_out<'a>(
        &mut self,
        plan: &Plan,
        names: impl IntoIterator<Item = &'a str>,
        now: UnixTime,
        swap: impl FnOnce(ZoneSet, NameMap<Log>),
    ) -> Carried {
        let mut carried = Carried::default();
        let (Some(registry), Some(ledger)) = (&plan.registry, &self.book.ledger) else { return carried };
        let mut due: BTreeSet<String> = names.into_iter().map(str::to_ascii_lowercase).collect();
        due.extend(ledger.orders().turned(self.book.turned_at, now).map(str::to_owned));
        due.append(&mut self.book.open);
        if due.is_empty() {
            return carried;
        }
        let changes = match self.changes(registry, &due, now) {
            Ok(changes) => changes,
            Err(what) => {
                carried.problems.push(Problem { zone: None, what });
                self.book.open = due;
                return carried;
            }
        };
        self.book.turned_at = now;
        if let Some(during) = &mut self.book.during {
            during.names.extend(due.iter().cloned());
            for change in &changes {
                during.zones.entry(change.apex.clone()).or_default();
            }
        }
        // Children come before their parent, as everywhere.
        let mut changes = changes;
        changes.sort_by_key(|change| std::cmp::Reverse(change.apex.as_ref().label_count()));
        let mut n_published = 0;
        for Change { apex, change, published } in changes {
            match self.change_registry(plan, registry, &apex, change, now) {
                Ok(zone) => {
                    n_published += published;
                    if let Some(n) = self.book.during.as_mut().and_then(|during| during.zones.get_mut(&apex)) {
                        *n += published;
                    }
                    carried.published.push(zone);
                }
                Err(what) => {
                    self.book.open.extend(
                        due.iter().filter(|name| Name::parse(name).is_ok_and(|name| name.as_ref().is_at_or_below(apex.as_ref()))).cloned(),
                    );
                    carried.problems.push(Problem { zone: Some(apex), what });
                }
            }
        }
        if !carried.published.is_empty() {
            swap(self.set.clone(), self.press.logs());
            for zone in &carried.published {
                let problem = self.shorten(&zone.apex).map(|what| Problem { zone: Some(zone.apex.clone()), what });
                carried.problems.extend(problem);
            }
        }
        self.press.account(|compiled| account(compiled, n_published, self.book.ledger.as_ref()));
        carried
    }

    /// Judges all names anew that orders were ever about.
    pub fn carry_out_all(&mut self, plan: &Plan, now: UnixTime, swap: impl FnOnce(ZoneSet, NameMap<Log>)) -> Carried {
        let Ok(orders) = self.book.orders() else { return Carried::default() };
        let names: Vec<String> = orders.names().filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect();
        self.carry_out(plan, names.iter().map(String::as_str), now, swap)
    }

    /// What differs between what is served of names and what should be.
    fn changes(&self, plan: &RegistryPlan, names: &BTreeSet<String>, now: UnixTime) -> Result<Vec<Change>, String> {
        let orders = self.book.orders()?;
        match &self.book.register {
            Some(register) => {
                let at = registry::at(plan, register, now);
                register.changes(names.iter().map(String::as_bytes), orders, at, &Served(&self.live)).map_err(|error| error.to_string())
            }
            None => Ok(without(&self.live, names, orders, &plan.notice, now)),
        }
    }

    /// Changes the content of one of the registry's zones; it is in the journal and in the set when this returns.
    fn change_registry(
        &mut self,
        plan: &Plan,
        registry: &RegistryPlan,
        apex: &Name,
        change: Diff,
        now: UnixTime,
    ) -> Result<Published, String> {
        let live = self.live.get(apex).ok_or("the zone is not available")?;
        let last = self.serials.get(&stem(apex.as_ref())).map_or(live.zone.serial(), |known| newer(*known, live.zone.serial()));
        let to = decide::dated_serial(Some(last), now);
        let asked = registry.policy.as_ref().filter(|_| !live.signing.is_empty());
        let asked = asked.map(|policy| self.keyring.signing(&plan.keys, apex, policy, registry.rsa_bits, now)).transpose()?;
        // A zone is changed as it is signed, or is not: to sign all of it anew, or to take its signatures away, is for a run, and takes as long.
        let as_served = self.signed.get(apex).filter(|with| with.digest() == live.signing).map(SignedWith::signing);
        let signing = match (asked, as_served) {
            (Some(asked), _) if asked.digest == live.signing => Some(asked),
            (_, Some(as_served)) => Some(as_served),
            (None, None) if !live.signing.is_empty() => {
                return Err("it is signed, and the configuration no longer says with which policy: a reload serves it without".into());
            }
            (asked, None) => asked,
        };
        let (change, zone, refresh_at) = make::changed(live, change, to, signing.as_ref(), now).map_err(|error| error.to_string())?;
        let ds = content::ds_of(&zone.records_at(zone.apex()), zone.apex());
        // What content it is made of now is found out by the next run.
        let mut next = Live { zone: Arc::new(zone), content: String::new(), refresh_at, ds, ..live.clone() };
        if let Some(saved) = &mut next.saved {
            saved.refresh_at = refresh_at.map(|at| at.0);
        }
        self.press.append(apex, &change, now)?;
        Ok(self.enter(apex, next, Why::Order))
    }
}

/// The registry's zone that a name is registered in, which is the one right above it.
fn zone_of(live: &BTreeMap<Name, Live>, name: &Name) -> Option<Name> {
    let above = name.as_ref().suffix(name.as_ref().label_count().checked_sub(1)?).to_lowercase();
    live.contains_key(&above).then_some(above)
}

/// What takes names that are under orders out of their zones with all that is below them, where the registry's data is not known: a suspension does not
/// wait for it. What leads to the servers that tell of its suspension stays. One change a zone.
pub(super) fn without(
    live: &BTreeMap<Name, Live>,
    names: &BTreeSet<String>,
    orders: &Orders,
    notice: &Notice,
    now: UnixTime,
) -> Vec<Change> {
    let mut changes: BTreeMap<Name, Change> = BTreeMap::new();
    for name in names.iter().filter(|name| orders.in_force(name.as_bytes(), now).is_some()) {
        let servers = notice.of(orders, name.as_bytes(), now.into());
        let gone = Name::parse(name).ok().and_then(|name| without_one(live, &name));
        let Some((apex, change)) = gone.filter(|(_, gone)| servers.is_none_or(|servers| !leads_to(gone, servers))) else { continue };
        let all = changes.entry(apex.clone()).or_insert_with(|| Change { apex, change: Diff::default(), published: 0 });
        if all.change.removed.extend(&change).is_ok() {
            all.change.removed.sort();
            all.published -= 1;
        }
    }
    changes.into_values().collect()
}

/// True for a delegation to these servers and nothing else.
fn leads_to(records: &Records, servers: &[Name]) -> bool {
    let is_one = |rdata: &[u8]| servers.iter().any(|server| server.as_ref().as_wire() == rdata);
    records.len() == servers.len() && records.iter().all(|record| record.rtype == Rtype::NS && is_one(record.rdata))
}

/// The records of a delegation and of what is below it, with its zone; `None` where it is not delegated.
fn without_one(live: &BTreeMap<Name, Live>, name: &Name) -> Option<(Name, Records)> {
    let apex = zone_of(live, name)?;
    let served = Served(live);
    served.delegation(apex.as_ref(), name.as_ref())?;
    let at_apex = served.records_at(apex.as_ref(), apex.as_ref());
    // Addresses of the servers of the zones are not the registrant's.
    let is_ours = |owner: NameRef<'_>| at_apex.iter().any(|record| record.rtype == Rtype::NS && record.rdata == owner.as_wire());
    let mut removed = Records::new();
    for owner in served.below(apex.as_ref(), name.as_ref()).into_iter().chain([name.clone()]) {
        for record in served.records_at(apex.as_ref(), owner.as_ref()).iter() {
            let goes = match record.rtype {
                Rtype::NS | Rtype::DS | Rtype::CNAME => true,
                Rtype::A | Rtype::AAAA => !is_ours(owner.as_ref()),
                _ => false,
            };
            if goes {
                removed.push(owner.as_ref(), record.rtype, record.ttl, record.rdata).ok()?;
            }
        }
    }
    Some((apex, removed))
}

/// The account after orders, which published so many names more.
pub(super) fn account(compiled: &mut Compiled, n_published: i64, ledger: Option<&Ledger>) {
    let add = |count: &mut u64, n: i64| *count = count.saturating_add_signed(n);
    add(&mut compiled.names[0], n_published);
    add(&mut compiled.names[1], -n_published);
    if let Some(ledger) = ledger {
        let chain = ledger.orders().chain();
        (compiled.orders, compiled.orders_head) = (chain.seq, chain.sha256.clone());
    }
}
