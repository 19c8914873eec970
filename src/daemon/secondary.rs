//! Zones that are had from others: one thread watches their clocks and follows notices, a few fetch, at most so many from one primary.
//!
//! Decides nothing: [`refresh`](crate::transfer::refresh) says when to ask whom, [`client`](crate::transport::client) asks, and who holds the zones
//! ([`Holder`]) takes what came. RFC 1034 §4.3.5, RFC 1996.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::hush::Hush;
use super::queue::{Class, Queue};
use crate::config::{self, Config, Peer, TsigKey};
use crate::dns::rdata::Soa;
use crate::dns::{Name, Serial, UnixTime};
use crate::telemetry::count;
use crate::transfer::inward::{Limits, Noticed, Notices, Received};
use crate::transfer::refresh::{Action, Fetch, Hint, How, Kept, Outcome, Secondary, Status};
use crate::transport::client::{Asking, Fetched, Primary, Times};

/// Who holds the zones that come. Called from several threads; for one zone never at the same time, but for a moment after its primaries were
/// changed, in which what the old ones sent may still come. So it may for a zone that was just taken out, and is refused then.
pub trait Holder: Send + Sync {
    /// Puts in force what came: durable and answered from when it returns. `is_asked`: an operator wants this whole zone, whatever its serial. Once `wanted` says
    /// no, it is refused.
    ///
    /// # Errors
    /// When it cannot be; what was in force stays.
    fn take(&self, apex: &Name, received: Received, is_asked: bool, wanted: &Wanted) -> Result<(), NotTaken>;

    /// The zone is no longer good: it is answered with SERVFAIL until something is taken.
    fn expire(&self, apex: &Name);

    /// The zone was looked after; this is to be kept, for [`Source::held`] after a restart.
    fn checked(&self, apex: &Name, kept: Kept);
}

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The changes do not fit what is here: the whole zone is fetched at once.
    DoesNotFit(String),
    /// What came cannot be served, or cannot be kept; it is asked for again later.
    Refused(String),
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoesNotFit(why) => write!(f, "the changes do not fit: {why}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// Whether what is on its way is still to come: not once its zone has other primaries, begins anew or is gone.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// True while it is.
    pub fn is_wanted(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A zone and where it comes from.
pub struct Source {
    /// The zone, in lower case.
    pub apex: Name,
    /// The servers that have it; at least one.
    pub primaries: Vec<Primary>,
    /// How much of one answer is taken.
    pub limits: Limits,
    /// The version that is here, and since when; `None` without one.
    pub held: Option<(Soa, Kept)>,
}

impl Source {
    /// The zones that the configuration has from others; `held` gives what is here of each.
    pub fn all(config: &Config, held: impl Fn(&Name) -> Option<(Soa, Kept)>) -> Vec<Self> {
        let key = |name: &Name| config.keys.iter().find(|key| key.name == *name).map(TsigKey::key);
        let primary = |peer: &Peer| Primary { address: peer.address, key: peer.key.as_ref().and_then(key), tls: peer.tls.clone() };
        let source = |zone: &config::Zone| match &zone.source {
            config::Source::File(_) | config::Source::Generated => None,
            config::Source::Primaries { primaries, transfer_in_size, .. } => {
                let limits = Limits { octets: transfer_in_size.unwrap_or(config.server.transfer_in_size), ..Limits::default() };
                let apex = zone.name.as_ref().to_lowercase();
                let (primaries, held) = (primaries.iter().map(primary).collect(), held(&apex));
                Some(Self { apex, primaries, limits, held })
            }
        };
        config.zones.iter().filter_map(source).collect()
    }
}

/// What an operator sees of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The zone.
    pub apex: Name,
    /// The primary that answered last, or that is asked now.
    pub primary: SocketAddr,
    /// Its timers.
    pub status: Status,
    /// Why the last question failed, where it did.
    pub problem: Option<String>,
}

/// The zones that are had from others, and the threads that look after them. They end when this is dropped, each after what it does now.
pub struct Secondaries(Arc<Watch>);

/// What the threads share.
struct Watch {
    state: Mutex<State>,
    /// There is a job, or one that waits may go.
    work: Condvar,
    holder: Arc<dyn Holder>,
    notices: Arc<Notices>,
    times: Times,
    /// Transfers from one primary at a time.
    most_of_one: usize,
    clock: Clock,
    follower: Mutex<Option<Thread>>,
    is_over: AtomicBool,
}

#[derive(Default)]
struct State {
    zones: BTreeMap<Name, Zone>,
    /// When each zone wants to be looked at, if nothing happens before.
    due: BTreeSet<(UnixTime, Name)>,
    waiting: Queue<Job>,
    /// Transfers under way, by primary.
    busy: BTreeMap<SocketAddr, usize>,
    /// Primaries that were asked, and whether they answered the last time, be it with a refusal.
    awake: BTreeMap<SocketAddr, bool>,
    hush: Hush,
}

struct Zone {
    primaries: Arc<Vec<Primary>>,
    limits: Limits,
    secondary: Secondary,
    /// Its place in [`State::due`].
    due: Option<UnixTime>,
    /// What its questions bring is for this machine, and not for one that is in its place later.
    wanted: Wanted,
    /// Why each primary failed, as it was said in the log.
    said: BTreeMap<usize, Problem>,
}

/// A question that waits for a thread.
struct Job {
    apex: Name,
    wanted: Wanted,
    fetch: Fetch,
    have: Option<Soa>,
    primaries: Arc<Vec<Primary>>,
    limits: Limits,
}

impl Job {
    fn address(&self) -> SocketAddr {
        self.primaries[self.fetch.primary].address
    }
}

/// Time that never goes back while the process lives.
struct Clock {
    wall: UnixTime,
    began: Instant,
}

impl Clock {
    fn now(&self) -> UnixTime {
        UnixTime(self.wall.0 + self.began.elapsed().as_secs())
    }
}

/// A question that failed after this time was not turned down: its primary does not answer. Our choice, above any way there and back.
const HUNG: Duration = Duration::from_secs(1);

/// The longest sleep of who watches; our choice, nothing depends on it.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

impl Secondaries {
    /// Starts the threads: one that watches, and `transfers_in` that fetch.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        sources: Vec<Source>,
        holder: Arc<dyn Holder>,
        notices: Arc<Notices>,
        transfers_in: usize,
        times: Times,
    ) -> io::Result<Self> {
        let watch = Arc::new(Watch {
            state: Mutex::default(),
            work: Condvar::new(),
            holder,
            notices,
            times,
            // One that hangs leaves room for the others.
            most_of_one: transfers_in.div_ceil(2),
            clock: Clock { wall: UnixTime::now(), began: Instant::now() },
            follower: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let this = Self(Arc::clone(&watch));
        this.replace(sources);
        for i in 0..transfers_in {
            let watch = Arc::clone(&watch);
            std::thread::Builder::new().name(format!("fetch-{i}")).spawn(move || watch.fetch_all())?;
        }
        std::thread::Builder::new().name("secondaries".into()).spawn(move || watch.follow())?;
        Ok(this)
    }

    /// Looks after these zones from now on. Those that were there before, with the same primaries, go on as they were.
    pub fn replace(&self, sources: Vec<Source>) {
        let now = self.0.clock.now();
        let mut state = self.0.state();
        let mut old = std::mem::take(&mut state.zones);
        state.due.clear();
        for Source { apex, primaries, limits, held } in sources {
            let Some(n_primaries) = NonZero::new(primaries.len()) else { continue };
            let primaries = Arc::new(primaries);
            let zone = match old.remove(&apex) {
                Some(zone) if is_same(&zone.primaries, &primaries) => Zone { primaries, limits, due: None, ..zone },
                before => {
                    before.iter().for_each(|zone| zone.wanted.end());
                    let held = before.and_then(|zone| zone.secondary.soa().cloned().zip(zone.secondary.kept())).or(held);
                    let secondary = match held {
                        Some((soa, kept)) => Secondary::resume(n_primaries, soa, kept, now),
                        None => Secondary::new(n_primaries, now),
                    };
                    Zone { primaries, limits, secondary, due: None, wanted: Wanted::default(), said: BTreeMap::new() }
                }
            };
            state.zones.insert(apex.clone(), zone);
            state.schedule(&apex);
        }
        old.values().for_each(|zone| zone.wanted.end());
        let State { zones, awake, .. } = &mut *state;
        let used: BTreeSet<SocketAddr> = zones.values().flat_map(|zone| zone.primaries.iter()).map(|primary| primary.address).collect();
        awake.retain(|address, _| used.contains(address));
        drop(state);
        self.0.wake();
    }

    /// Has the primaries asked now, for the whole zone if it is to take the place of what is here; false where `apex` is no such zone.
    pub fn ask(&self, apex: &Name, whole: bool) -> bool {
        let mut state = self.0.state();
        let zone = state.zones.get_mut(apex).map(|zone| zone.secondary.ask(whole));
        state.schedule(apex);
        drop(state);
        self.0.wake();
        zone.is_some()
    }

    /// What an operator sees, zone by zone.
    pub fn lines(&self) -> Vec<Line> {
        let line = |(apex, zone): (&Name, &Zone)| {
            let status = zone.secondary.status();
            let problem = zone.said.get(&status.primary).map(Problem::to_string);
            Line { apex: apex.clone(), primary: zone.primaries[status.primary].address, status, problem }
        };
        self.0.state().zones.iter().map(line).collect()
    }
}

impl Drop for Secondaries {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.work.notify_all();
        self.0.wake();
    }
}

/// The same servers in the same order, spoken with under the same keys.
fn is_same(a: &[Primary], b: &[Primary]) -> bool {
    let parts = |primary: &Primary| (primary.address, primary.key.as_ref().map(|key| key.name().to_owned()), primary.tls.clone());
    a.iter().map(parts).eq(b.iter().map(parts))
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    fn wake(&self) {
        if let Some(thread) = self.follower.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            thread.unpark();
        }
    }

    /// Watches until the end.
    fn follow(&self) {
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current());
        self.notices.follow();
        while !self.is_over() {
            let notices = self.notices.take();
            let now = self.clock.now();
            let mut state = self.state();
            let n_ever = state.waiting.n_ever();
            let expired = state.poll(notices, now);
            let has_work = state.waiting.n_ever() > n_ever;
            let counted = state.hush.counted(now);
            let next = state.due.first().map(|(at, _)| *at).into_iter().chain(state.hush.next()).min();
            drop(state);
            for (address, what, n) in counted {
                log::warn!("transfer from {address} failed, of {} as well: {what}", count(n, "more zone"));
            }
            if has_work {
                self.work.notify_all();
            }
            for (apex, since) in expired {
                log::error!("[{apex}] expired, no primary has confirmed it since {since}: queries get SERVFAIL until one does");
                self.holder.expire(&apex);
            }
            let sleep = next.map_or(LONGEST_SLEEP, |next| Duration::from_secs(next.0.saturating_sub(now.0)));
            // Whatever comes meanwhile unparks, also when it comes before this.
            std::thread::park_timeout(sleep.min(LONGEST_SLEEP));
        }
    }

    /// Fetches until the end.
    fn fetch_all(&self) {
        while let Some(job) = self.next_job() {
            let (address, began) = (job.address(), Instant::now());
            // A fault of the program must not leave a zone without anybody who asks for it.
            let fetched = catch_unwind(AssertUnwindSafe(|| self.fetch(&job)));
            let fetched = fetched.unwrap_or_else(|_| Err("a fault of the program ended the transfer, please report it".to_owned()));
            let hung = fetched.is_err() && began.elapsed() >= HUNG;
            self.done(&job, fetched);
            let mut state = self.state();
            if let Some(n) = state.busy.get_mut(&address) {
                *n -= 1;
            }
            state.busy.retain(|_, n| *n > 0);
            state.awake.insert(address, !hung);
            drop(state);
            // Now more than one may go.
            self.work.notify_all();
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut state = self.state();
        while !self.is_over() {
            let State { waiting, busy, awake, .. } = &mut *state;
            let n_hung: usize = busy.iter().filter(|(address, _)| awake.get(address) == Some(&false)).map(|(_, n)| n).sum();
            let room = |address: &SocketAddr| {
                let n = busy.get(address).copied().unwrap_or_default();
                let is_free = match awake.get(address) {
                    Some(true) => n < self.most_of_one,
                    // One question shows whether it answers.
                    None => n == 0,
                    // Those that did not have half of the threads together.
                    Some(false) => n == 0 && n_hung < self.most_of_one,
                };
                is_free.then_some(n)
            };
            if let Some(job) = waiting.pop(room) {
                if !job.wanted.is_wanted() {
                    continue;
                }
                *busy.entry(job.address()).or_default() += 1;
                return Some(job);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Fetches and hands over; what went wrong, in words.
    fn fetch(&self, job: &Job) -> Result<Outcome, String> {
        let Job { apex, fetch, have, primaries, limits, .. } = job;
        let asking = Asking { primary: &primaries[fetch.primary], apex: apex.as_ref(), times: self.times, limits: *limits };
        let began = Instant::now();
        let fetched = match (fetch.how, have) {
            (How::Check, Some(have)) => asking.check(have),
            (How::Changes, Some(have)) => asking.changes(have),
            (How::Whole, _) | (_, None) => asking.whole(),
        };
        match self.hand_over(job, fetched.map_err(|failure| failure.to_string())?, began) {
            Err(NotTaken::DoesNotFit(why)) => {
                log::warn!("[{apex}] the changes from {} do not fit, the whole zone is fetched: {why}", asking.primary.address);
                let whole = asking.whole().map_err(|failure| failure.to_string())?;
                self.hand_over(job, whole, began).map_err(|not_taken| not_taken.to_string())
            }
            other => other.map_err(|not_taken| not_taken.to_string()),
        }
    }

    fn hand_over(&self, job: &Job, fetched: Fetched, began: Instant) -> Result<Outcome, NotTaken> {
        let Fetched { received, soa, expire, rtype, transport, counted, instead } = fetched;
        if let Received::Current(serial) = received {
            return Ok(Outcome::Current { serial, expire });
        }
        // A whole zone that is not newer, in place of changes: ours stays.
        let is_asked = job.fetch.how == How::Whole && job.have.is_some();
        if !is_asked && job.have.as_ref().is_some_and(|have| !Serial(soa.serial).is_newer_than(Serial(have.serial))) {
            return Ok(Outcome::Current { serial: Serial(soa.serial), expire });
        }
        self.holder.take(&job.apex, received, is_asked, &job.wanted)?;
        let primary = &job.primaries[job.fetch.primary];
        let key = primary.key.as_ref().map_or("no key".to_owned(), |key| format!("key {}", key.name()));
        let from = job.have.as_ref().map_or("none".to_owned(), |have| have.serial.to_string());
        let instead = instead.map_or(String::new(), |fault| format!("; the changes could not be had: {fault}"));
        let (apex, to, address, ms) = (&job.apex, soa.serial, primary.address, began.elapsed().as_millis());
        log::info!("[{apex}] transferred, {rtype}, {key}, serial {from} -> {to}, {counted}, from {address}, {transport}, {ms} ms{instead}");
        Ok(Outcome::Taken { soa, expire })
    }

    /// Tells the zone's machine what came of it, the log if it is news, and the holder what is to be kept.
    fn done(&self, job: &Job, fetched: Result<Outcome, String>) {
        let apex = &job.apex;
        let (address, number) = (job.primaries[job.fetch.primary].address, job.fetch.primary);
        let now = self.clock.now();
        let mut state = self.state();
        // It may have been taken out of the configuration meanwhile.
        let Some(zone) = state.zones.get_mut(apex).filter(|_| job.wanted.is_wanted()) else { return };
        let (outcome, problem) = match fetched {
            Ok(outcome) => (outcome, None),
            Err(problem) => (Outcome::Failed, Some(Problem::Failed(problem))),
        };
        let problem = problem.or_else(|| behind(&outcome, job.have.as_ref()));
        let is_taken = matches!(outcome, Outcome::Taken { .. });
        zone.secondary.fetched(outcome, now, RandomState::new().hash_one(0) as u32);
        let before = match &problem {
            Some(problem) => zone.said.insert(number, problem.clone()),
            None => zone.said.remove(&number),
        };
        let kept = zone.secondary.kept().filter(|kept| problem.is_none() && kept.checked == now);
        state.schedule(apex);
        let is_news = |problem: &&Problem| problem.is_news(before.as_ref());
        let is_said = problem.as_ref().filter(is_news).is_some_and(|problem| state.hush.is_said(address, &problem.to_string(), now));
        drop(state);
        match (&problem, before) {
            (Some(problem), _) if is_said => log::warn!("[{apex}] transfer from {address} failed: {problem}"),
            (None, Some(_)) if !is_taken => log::info!("[{apex}] {address} answers again, the zone is what it has"),
            _ => {}
        }
        if let Some(kept) = kept {
            self.holder.checked(apex, kept);
        }
        self.wake();
    }
}

/// Why a primary gives nothing.
#[derive(Clone, Debug, PartialEq)]
enum Problem {
    /// It has less than we have: its serial, ours.
    Behind(Serial, Serial),
    /// Anything else, in words.
    Failed(String),
}

impl Problem {
    /// True if it is to be said: not when the same was said before. Who is behind goes on to be so while both serials move, as often as it is
    /// looked at.
    fn is_news(&self, before: Option<&Self>) -> bool {
        match (self, before) {
            (Self::Behind(..), Some(Self::Behind(..))) => false,
            (problem, before) => before != Some(problem),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind(theirs, ours) => write!(f, "it has serial {theirs}, and ours is {ours}: it is behind, or its serial went back"),
            Self::Failed(what) => f.write_str(what),
        }
    }
}

/// What is wrong with a primary that has less than we have.
fn behind(outcome: &Outcome, have: Option<&Soa>) -> Option<Problem> {
    match (outcome, have) {
        (Outcome::Current { serial, .. }, Some(have)) if *serial != Serial(have.serial) => {
            Some(Problem::Behind(*serial, Serial(have.serial)))
        }
        _ => None,
    }
}

impl State {
    /// Has a zone looked at when it wants to be.
    fn schedule(&mut self, apex: &Name) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let at = zone.secondary.wakes_at();
        let before = std::mem::replace(&mut zone.due, at);
        if before != at {
            before.map(|before| self.due.remove(&(before, apex.clone())));
            at.map(|at| self.due.insert((at, apex.clone())));
        }
    }

    /// Follows notices and clocks: jobs go into the queue; gives the zones that expired, and since when they were not confirmed.
    fn poll(&mut self, notices: BTreeMap<Name, Noticed>, now: UnixTime) -> Vec<(Name, UnixTime)> {
        for (apex, Noticed { from, serial }) in notices {
            if let Some(zone) = self.zones.get_mut(&apex) {
                let is_it = |primary: &Primary| primary.address.ip().to_canonical() == from.to_canonical();
                zone.secondary.notified(Hint { primary: zone.primaries.iter().position(is_it), serial });
                self.schedule(&apex);
            }
        }
        let mut expired = Vec::new();
        let due: Vec<Name> = self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, apex)| apex.clone()).collect();
        for apex in due {
            let Some(zone) = self.zones.get_mut(&apex) else { continue };
            let Zone { secondary, primaries, .. } = zone;
            secondary.avoid(|primary| self.awake.get(&primaries[primary].address) == Some(&false));
            while let Some(action) = zone.secondary.poll(now) {
                match action {
                    Action::Expire => expired.extend(zone.secondary.kept().map(|kept| (apex.clone(), kept.checked))),
                    Action::Fetch(fetch) => {
                        let have = match fetch.how {
                            How::Check | How::Changes => zone.secondary.known(),
                            How::Whole => zone.secondary.soa(),
                        };
                        let (primaries, have) = (Arc::clone(&zone.primaries), have.cloned());
                        let class = match fetch.how {
                            How::Changes => Class::Changed,
                            How::Whole if !zone.said.contains_key(&fetch.primary) => Class::New,
                            How::Check | How::Whole => Class::LookedAfter,
                        };
                        let job = Job { apex: apex.clone(), wanted: zone.wanted.clone(), fetch, have, primaries, limits: zone.limits };
                        self.waiting.push(job.address(), class, job);
                    }
                }
            }
            self.schedule(&apex);
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stays_behind_is_no_news() {
        let behind = |theirs, ours| Problem::Behind(Serial(theirs), Serial(ours));
        let failed = |what: &str| Problem::Failed(what.into());
        for (problem, before, expected) in [
            (behind(3, 5), None, true),
            (behind(3, 5), Some(behind(3, 5)), false),
            (behind(4, 6), Some(behind(3, 5)), false),
            (behind(3, 5), Some(failed("a")), true),
            (failed("a"), Some(behind(3, 5)), true),
            (failed("a"), Some(failed("a")), false),
            (failed("b"), Some(failed("a")), true),
            (failed("a"), None, true),
        ] {
            assert_eq!(problem.is_news(before.as_ref()), expected, "{problem} after {before:?}");
        }
    }
}
