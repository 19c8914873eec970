//! Follows orders once they are in force here: writes down what becomes of them, sees which secondaries serve them, and tells the registry's database.
//!
//! A thread of its own: nobody who files an order waits for any of this.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::config;
use crate::disk;
use crate::dns::{Name, Serial, UnixTime};
use crate::orders::{Chain, Damage, Due, Event, Order, Orders, Record, What, due, sha256};
use crate::pipeline::MAX_DATA;
use crate::telemetry::count;
use crate::transfer::notify::Status;
use crate::transport::Notifier;

/// An order that is in force, or is in the ledger for later.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its id.
    pub order_id: String,
    /// Its line in the ledger, and the line's SHA-256.
    pub line: (u64, String),
    /// What it does.
    pub kind: &'static str,
    /// The name.
    pub domain: String,
    /// It is in force.
    pub is_published: bool,
    /// The zone that changed, with its serials.
    pub zone: Option<(Name, Option<Serial>, Serial)>,
    /// When it was taken in.
    pub taken: Instant,
    /// How long it took to be in force, where that was measured.
    pub took: Option<Duration>,
}

/// The record of orders, and those that are on their way.
pub struct Follower {
    told: Mutex<Vec<Told>>,
    bell: Condvar,
    inner: Mutex<Inner>,
}

struct Inner {
    record: Record,
    /// `None` where it cannot be opened.
    file: Option<File>,
    /// How many octets of it are whole lines.
    len: u64,
    /// Lines that could not be written, which is tried again.
    unwritten: Vec<u8>,
    outbox: PathBuf,
    deadline: Duration,
    waiting: Vec<Waiting>,
    /// Acknowledgements that could not be put in the outbox, which is tried again.
    unsent: Vec<Letter>,
    /// Those of earlier processes are among them.
    has_caught_up: bool,
    /// Acknowledgements that nobody has taken yet, by file: order and state.
    open: BTreeMap<String, (String, String)>,
    published: Histogram,
    everywhere: Histogram,
    n_refused: u64,
    /// Where the newest line of the ledger is written down as well, and the one that is.
    head_path: PathBuf,
    head: Option<Chain>,
    /// The newest line that this process has written down as accepted.
    accepted: Option<Chain>,
    /// The copies of the ledger, and those that were there and are gone.
    ledger: [PathBuf; 2],
    missed: BTreeSet<PathBuf>,
}

/// An order that secondaries do not all serve yet.
struct Waiting {
    told: Told,
    seen: Vec<SocketAddr>,
    is_late: bool,
}

/// How many orders took up to so many milliseconds; the last counts all others.
#[derive(Default)]
struct Histogram {
    counts: [u64; STEPS.len() + 1],
    sum_us: u64,
}

/// Milliseconds. Our choice: around what is wanted (2 to 15) and what secondaries take.
const STEPS: [u64; 12] = [1, 2, 3, 5, 10, 15, 50, 100, 500, 1000, 10_000, 60_000];

/// How often secondaries are looked at while any is waited for, and the outbox otherwise. Our choice.
const SOON: Duration = Duration::from_millis(20);
const NOW_AND_THEN: Duration = Duration::from_secs(2);
/// How long after what was written down last. Our choice.
const GATHER: Duration = Duration::from_millis(50);

impl Histogram {
    fn add(&mut self, took: Duration) {
        let place = STEPS.iter().position(|&most| took.as_micros() as u64 <= most * 1000).unwrap_or(STEPS.len());
        self.counts[place] += 1;
        self.sum_us += took.as_micros() as u64;
    }

    fn shown(&self) -> Value {
        let steps = STEPS.iter().map(|most| format!("to_{most}_ms")).chain([format!("over_{}_ms", STEPS[STEPS.len() - 1])]);
        let mut value: serde_json::Map<String, Value> = steps.zip(self.counts).map(|(step, n)| (step, n.into())).collect();
        value.insert("count".into(), self.counts.iter().sum::<u64>().into());
        value.insert("sum_us".into(), self.sum_us.into());
        Value::Object(value)
    }
}

impl Follower {
    /// Reads the record in the folder of state.
    pub fn open(config: &config::Config) -> Self {
        let mut inner = Inner {
            record: Record::default(),
            file: None,
            len: 0,
            unwritten: Vec::new(),
            outbox: config.orders.outbox.clone(),
            deadline: config.orders.deadline,
            waiting: Vec::new(),
            unsent: Vec::new(),
            has_caught_up: false,
            open: BTreeMap::new(),
            published: Histogram::default(),
            everywhere: Histogram::default(),
            n_refused: 0,
            head_path: config.server.state.join("ledger.head"),
            head: None,
            accepted: None,
            ledger: config.orders.ledger.clone(),
            missed: BTreeSet::new(),
        };
        if config.registry.is_some() {
            let path = config.server.state.join("orders/record.jsonl");
            match inner.open_record(&path) {
                Ok(()) => {}
                Err(error) => log::error!("what becomes of orders is not written down, '{}': {error}", path.display()),
            }
            inner.head = disk::read_text(&inner.head_path, 1000).ok().as_deref().and_then(read_head);
            inner.open_outbox();
        }
        Self { told: Mutex::default(), bell: Condvar::new(), inner: Mutex::new(inner) }
    }

    /// Goes by another configuration from now on.
    pub fn configure(&self, config: &config::Orders) {
        let mut inner = self.inner();
        inner.deadline = config.deadline;
        inner.ledger.clone_from(&config.ledger);
        if inner.outbox != config.outbox {
            inner.outbox.clone_from(&config.outbox);
            inner.open.clear();
            inner.open_outbox();
        }
    }

    /// Follows orders for as long as the process lives. Call it in a thread.
    pub fn work(&self, notifier: &Notifier) {
        // When letters could not be sent, orders were written down, the outbox was looked at.
        let (mut tried, mut wrote, mut looked) = (None::<Instant>, None::<Instant>, Instant::now());
        loop {
            // What is written here waits for the disk that the next orders wait for too: many are written down together.
            std::thread::sleep(wrote.map_or(Duration::ZERO, |wrote| GATHER.saturating_sub(wrote.elapsed())));
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.is_empty() {
                // A secondary that is away may be so for days.
                let most = if self.inner().waiting.iter().all(|waiting| waiting.is_late) { NOW_AND_THEN } else { SOON };
                told = self.bell.wait_timeout(told, most).unwrap_or_else(PoisonError::into_inner).0;
            }
            let orders = std::mem::take(&mut *told);
            // Before the other is let go: whoever finds none waiting finds them written down.
            let mut inner = self.inner();
            drop(told);
            if !orders.is_empty() {
                wrote = Some(Instant::now());
            }
            let is_time = tried.is_none_or(|tried| tried.elapsed() > NOW_AND_THEN);
            let mut letters = if is_time { std::mem::take(&mut inner.unsent) } else { Vec::new() };
            let n_unsent = letters.len();
            letters.extend(inner.take(orders));
            drop(inner);
            // The builder asks for what is behind the lock, and must not wait for secondaries or a slow disk.
            let zones = self.inner().zones();
            let statuses = zones.into_iter().map(|zone| (zone.clone(), notifier.status(Some(zone)))).collect();
            letters.extend(self.inner().look(&statuses));
            let outbox = self.inner().outbox.clone();
            let sent = send(&outbox, &letters);
            let mut inner = self.inner();
            match sent {
                Ok(sent) => inner.open.extend(sent),
                Err(error) => {
                    if letters.len() > n_unsent {
                        log::error!(
                            "the registry's database is not told of {} yet, which is tried again, '{}': {error}",
                            count(letters.len(), "order"),
                            outbox.display()
                        );
                    }
                    tried = Some(Instant::now());
                    inner.unsent.extend(letters);
                }
            }
            // A look for each of many files that nobody takes.
            if looked.elapsed() >= NOW_AND_THEN {
                looked = Instant::now();
                inner.look_into_outbox();
                inner.look_at_ledger();
                inner.write_head();
            }
        }
    }

    /// Follows these from now on. Costs next to nothing.
    pub fn follow(&self, orders: Vec<Told>) {
        if !orders.is_empty() {
            self.told.lock().unwrap_or_else(PoisonError::into_inner).extend(orders);
            self.bell.notify_one();
        }
    }

    /// Writes down what still waits to be, at the end of the process. Those who are told of it are told after the next start.
    pub fn finish(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inner = self.inner();
        inner.take(std::mem::take(&mut *told));
        inner.write_head();
    }

    /// Writes down what a person says of an order; durable when this returns.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn note(&self, order_id: &str, what: What) -> Result<(), String> {
        self.inner().write(vec![(order_id.to_owned(), what)])
    }

    /// True if an approver was written down after the order.
    pub fn is_approved(&self, order_id: &str) -> bool {
        self.inner().record.has_approver(order_id)
    }

    /// Counts orders that were refused.
    pub fn refused(&self, n: usize) {
        self.inner().n_refused += n as u64;
    }

    /// What became of an order.
    pub fn of(&self, order_id: &str) -> Value {
        self.inner()
            .record
            .of(order_id)
            .iter()
            .map(|event| {
                let mut value = serde_json::to_value(event).unwrap_or(Value::Null);
                value.as_object_mut().map(|fields| (fields.remove("prev_sha256"), fields.remove("order_id")));
                value
            })
            .collect()
    }

    /// What persons should do, and what waits.
    pub fn due(&self, orders: &Orders, now: UnixTime) -> (Vec<Due>, usize) {
        let inner = self.inner();
        (due(orders, &inner.record, now), inner.open.len() + inner.unsent.len())
    }

    /// The orders of a ledger that are in force, or were, and of which that is not written down; and those of which nothing is.
    pub fn untold<'a>(&self, orders: &'a Orders, now: UnixTime) -> Vec<&'a Order> {
        let mut inner = self.inner();
        if !inner.has_caught_up {
            inner.has_caught_up = true;
            let letters = inner.lost_letters(orders);
            inner.unsent.extend(letters);
        }
        let is_untold = |order: &&Order| {
            let events = inner.record.of(&order.order_id);
            let may_hold = || !matches!(orders.state(order, now), "expired" | "restored");
            events.is_empty() || order.effective_at <= now && !is_published(events) && may_hold()
        };
        orders.all().iter().filter(is_untold).collect()
    }

    /// The newest line of the ledger that is known to have been accepted.
    ///
    /// By the record, or by what is written down of it in another folder: who loses both copies of the ledger is likely to lose the record with them.
    pub fn newest(&self) -> Option<Chain> {
        let inner = self.inner();
        let of_record = inner.record.newest().map(|(seq, sha256)| Chain { seq, sha256: sha256.to_owned() });
        of_record.into_iter().chain(inner.head.clone()).max_by_key(|line| line.seq)
    }

    /// The newest serial of each zone that orders were published with.
    pub fn serials(&self) -> BTreeMap<Name, Serial> {
        let inner = self.inner();
        let mut serials = BTreeMap::new();
        for (zone, serial) in inner.record.serials() {
            let Ok(zone) = Name::parse(zone) else { continue };
            let newest = serials.entry(zone).or_insert(serial);
            *newest = if serial.is_newer_than(*newest) { serial } else { *newest };
        }
        serials
    }

    /// How long orders took.
    pub fn stats(&self) -> Value {
        let inner = self.inner();
        json!({
            "published": inner.published.shown(), "everywhere": inner.everywhere.shown(),
            "waiting_for_secondaries": inner.waiting.len(), "open_acknowledgements": inner.open.len() + inner.unsent.len(),
            "refused": inner.n_refused, "ledger_copies": inner.ledger.iter().filter(|path| path.exists()).count(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An acknowledgement for the registry's database.
struct Letter {
    file: String,
    order_id: String,
    state: &'static str,
    text: Value,
}

impl Letter {
    fn new(told: &Told, state: &'static str) -> Self {
        let zone = told.zone.as_ref().map(|(zone, _, serial)| (zone.to_string(), serial.0));
        Self::write((told.line.0, &told.order_id), told.kind, &told.domain, state, zone, UnixTime::now())
    }

    fn write((seq, id): (u64, &str), kind: &str, domain: &str, state: &'static str, zone: Option<(String, u32)>, at: UnixTime) -> Self {
        let step = match state {
            "accepted" => 1,
            "published" => 2,
            _ => 3,
        };
        let (zone, serial) = zone.unzip();
        let text = json!({
            "order_id": id, "seq": seq, "type": kind, "domain": domain, "state": state, "zone": zone, "serial": serial, "at": at.to_string(),
        });
        Self { file: format!("{seq:010}-{step}-{state}.json"), order_id: id.to_owned(), state, text }
    }
}

/// Puts acknowledgements in the outbox, durably; gives those that are there. The other side takes a file away when it has it.
fn send(outbox: &Path, letters: &[Letter]) -> io::Result<Vec<(String, (String, String))>> {
    if letters.is_empty() {
        return Ok(Vec::new());
    }
    let batch = disk::Batch::new(outbox)?;
    for letter in letters {
        batch.put(&letter.file, 0o640, |out| writeln!(out, "{}", letter.text))?;
    }
    batch.sync()?;
    let is_there = |letter: &&Letter| outbox.join(&letter.file).symlink_metadata().is_ok();
    Ok(letters.iter().filter(is_there).map(|letter| (letter.file.clone(), (letter.order_id.clone(), letter.state.to_owned()))).collect())
}

/// A number and a SHA-256, as [`Inner::write_head`] writes them.
fn read_head(text: &str) -> Option<Chain> {
    let (seq, sha256) = text.trim_end().split_once(' ')?;
    Some(Chain { seq: seq.parse().ok()?, sha256: sha256.to_owned() })
}

fn is_published(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event.what, What::Published { .. }))
}

impl Inner {
    fn open_record(&mut self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        let text = match disk::read(path, MAX_DATA) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let (record, damage) = Record::read(&text);
        self.len = damage.as_ref().map_or(text.len(), |damage| damage.text.len()) as u64;
        if let Some(Damage { what, n_lost, text: kept }) = damage {
            // Nothing is in force by it; what cannot be read any more is kept for who wants to look, each time by another name.
            let aside = path.with_extension(format!("damaged-{}", &sha256(&text)[..8]));
            log::error!(
                "'{}': {what}; {} of it cannot be used: who approved, who was told and what was acknowledged by those is to be noted again. The whole of it is put aside as '{}'",
                path.display(),
                count(n_lost, "line"),
                aside.display()
            );
            disk::replace(&aside, 0o640, |out| out.write_all(&text))?;
            disk::replace(path, 0o640, |out| out.write_all(&kept))?;
        }
        // Of a state from before there was a file for it.
        self.accepted = record.newest().map(|(seq, sha256)| Chain { seq, sha256: sha256.to_owned() });
        self.record = record;
        self.file = Some(OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK).open(path)?);
        Ok(())
    }

    fn open_outbox(&mut self) {
        if let Err(error) = disk::make_folder(&self.outbox) {
            log::error!("the registry's database is not told of orders, '{}': {error}", self.outbox.display());
            return;
        }
        for entry in std::fs::read_dir(&self.outbox).into_iter().flatten().flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let told = disk::read(&entry.path(), MAX_DATA).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            let field = |key: &str| Some(told.as_ref()?.get(key)?.as_str()?.to_owned());
            if let (true, Some(id), Some(state)) = (file.ends_with(".json"), field("order_id"), field("state")) {
                self.open.insert(file, (id, state));
            }
        }
    }

    /// Acknowledgements that the record asks for, and that are neither there nor known to have been taken: the process ended before they were sent.
    fn lost_letters(&self, orders: &Orders) -> Vec<Letter> {
        let mut letters = Vec::new();
        for order in orders.all() {
            let events = self.record.of(&order.order_id);
            let zone = events.iter().find_map(|event| match &event.what {
                What::Published { zone, serial_after, .. } => Some((zone.clone()?, (*serial_after)?)),
                _ => None,
            });
            for event in events {
                let state = match &event.what {
                    What::Accepted { .. } if !is_published(events) => "accepted",
                    What::Published { .. } => "published",
                    What::Everywhere { .. } => "everywhere",
                    _ => continue,
                };
                let is_taken = |event: &Event| matches!(&event.what, What::Acknowledged { state: taken } if taken == state);
                let letter = Letter::write((order.seq, &order.order_id), order.kind.as_str(), &order.domain, state, zone.clone(), event.at);
                if !events.iter().any(is_taken) && !self.open.contains_key(&letter.file) {
                    letters.push(letter);
                }
            }
        }
        letters
    }

    /// Adds events and makes them durable, with those that could not be made so before.
    fn write(&mut self, events: Vec<(String, What)>) -> Result<(), String> {
        let now = UnixTime::now();
        let was_well = self.unwritten.is_empty();
        for (id, what) in events {
            let line = self.record.add(now, &id, what);
            self.unwritten.extend_from_slice(&line);
        }
        let Some(file) = &mut self.file else { return Err("the record of orders cannot be written".into()) };
        if self.unwritten.is_empty() {
            return Ok(());
        }
        // A line that is there in part would hide all behind it.
        let written = file.set_len(self.len).and_then(|()| file.write_all(&self.unwritten)).and_then(|()| file.sync_data());
        match written {
            Ok(()) => {
                self.len += self.unwritten.len() as u64;
                self.unwritten.clear();
                if !was_well {
                    log::info!("what becomes of orders is written down again");
                }
                Ok(())
            }
            Err(error) => {
                let what = format!("what becomes of orders is not written down yet, which is tried again: {error}");
                if was_well {
                    log::error!("{what}");
                }
                Err(what)
            }
        }
    }

    /// Writes down orders that were taken in or came in force.
    fn take(&mut self, mut orders: Vec<Told>) -> Vec<Letter> {
        // Who tells goes by the record, which may not yet have what was told before.
        let mut known = BTreeSet::new();
        orders.retain(|told| {
            let events = self.record.of(&told.order_id);
            let is_news = if told.is_published { !is_published(events) } else { events.is_empty() };
            is_news && known.insert((told.order_id.clone(), told.is_published))
        });
        let mut events = Vec::new();
        let mut accepted = BTreeSet::new();
        for told in &orders {
            if self.record.of(&told.order_id).is_empty() && accepted.insert(&told.order_id) {
                events.push((told.order_id.clone(), What::Accepted { seq: told.line.0, sha256: told.line.1.clone() }));
                if self.accepted.as_ref().is_none_or(|newest| newest.seq < told.line.0) {
                    self.accepted = Some(Chain { seq: told.line.0, sha256: told.line.1.clone() });
                }
            }
            if told.is_published {
                let (zone, before, after) = match &told.zone {
                    Some((zone, before, after)) => (Some(zone.to_string()), before.map(|serial| serial.0), Some(after.0)),
                    None => (None, None, None),
                };
                events.push((
                    told.order_id.clone(),
                    What::Published { zone, serial_before: before, serial_after: after, ms: told.took.map(|took| took.as_millis() as u64) },
                ));
                told.took.iter().for_each(|took| self.published.add(*took));
            }
        }
        // What is wrong has been said.
        let _ = self.write(events);
        let letters = orders.iter().map(|told| Letter::new(told, if told.is_published { "published" } else { "accepted" })).collect();
        let waits = |told: &Told| told.is_published && told.zone.is_some();
        self.waiting.extend(orders.into_iter().filter(waits).map(|told| Waiting { told, seen: Vec::new(), is_late: false }));
        letters
    }

    /// The zones that secondaries are waited for with.
    fn zones(&self) -> BTreeSet<Name> {
        self.waiting.iter().filter_map(|waiting| Some(waiting.told.zone.as_ref()?.0.clone())).collect()
    }

    /// Looks which secondaries serve what they should.
    fn look(&mut self, statuses: &BTreeMap<Name, Vec<Status>>) -> Vec<Letter> {
        let (mut events, mut done) = (Vec::new(), Vec::new());
        let deadline = self.deadline;
        self.waiting.retain_mut(|waiting| {
            let Some((zone, _, serial)) = &waiting.told.zone else { return false };
            let (id, age) = (&waiting.told.order_id, waiting.told.taken.elapsed());
            // It came after they were asked.
            let Some(secondaries) = statuses.get(zone) else { return true };
            let mut missing = Vec::new();
            for status in secondaries {
                match status.seen {
                    Some((seen, _)) if !serial.is_newer_than(seen) => {
                        if !waiting.seen.contains(&status.address) {
                            waiting.seen.push(status.address);
                            let what = What::Secondary { server: status.address.to_string(), serial: seen.0, ms: age.as_millis() as u64 };
                            events.push((id.clone(), what));
                        }
                    }
                    _ => missing.push(status.address.to_string()),
                }
            }
            if missing.is_empty() {
                if !secondaries.is_empty() {
                    events.push((id.clone(), What::Everywhere { ms: age.as_millis() as u64 }));
                    done.push((waiting.told.clone(), age));
                }
                return false;
            }
            if age > deadline && !waiting.is_late {
                waiting.is_late = true;
                log::error!(
                    "[{zone}] order {id} of '{}' is not in force everywhere after {} s, without: {}",
                    waiting.told.domain,
                    age.as_secs(),
                    missing.join(", ")
                );
                events.push((id.clone(), What::Late { servers: missing }));
            }
            true
        });
        let _ = self.write(events);
        done.iter().for_each(|(_, age)| self.everywhere.add(*age));
        done.iter().map(|(told, _)| Letter::new(told, "everywhere")).collect()
    }

    /// Writes down the newest line of the ledger that was accepted, in a folder that has none of its copies.
    fn write_head(&mut self) {
        let Some(newest) = self.accepted.clone().filter(|newest| self.head.as_ref().is_none_or(|head| head.seq < newest.seq)) else {
            return;
        };
        match disk::replace(&self.head_path, 0o640, |out| writeln!(out, "{} {}", newest.seq, newest.sha256)) {
            Ok(()) => self.head = Some(newest),
            // Tried again with the next look.
            Err(error) => log::warn!("'{}': {error}", self.head_path.display()),
        }
    }

    /// Says it when a copy of the ledger goes, and not when the next order comes.
    fn look_at_ledger(&mut self) {
        // Before the first order there is none.
        let is_begun = !self.record.is_empty();
        for path in self.ledger.iter().filter(|_| is_begun) {
            let is_gone =
                path.symlink_metadata().is_err_and(|error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory));
            if !is_gone {
                self.missed.remove(path);
            } else if self.missed.insert(path.clone()) {
                log::error!("'{}' is gone, a copy of the ledger of orders; the next order writes it anew if it can", path.display());
            }
        }
    }

    /// Sees which acknowledgements were taken.
    fn look_into_outbox(&mut self) {
        let outbox = &self.outbox;
        let is_gone = |file: &String| outbox.join(file).symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let gone: Vec<String> = self.open.keys().filter(|file| is_gone(file)).cloned().collect();
        let events = gone.iter().filter_map(|file| self.open.remove(file)).map(|(id, state)| (id, What::Acknowledged { state })).collect();
        let _ = self.write(events);
    }
}
