//! When a secondary asks its primaries: one zone's timers, the hints that come between, and whom to ask next.
//!
//! Pure: knows no socket, and time is an argument. Events change it, [`Secondary::poll`] says what is to be done.
//! RFC 1034 §4.3.5 and RFC 1035 §3.3.13 (timers), RFC 1996 (NOTIFY), RFC 7314 (EXPIRE).

use std::num::NonZero;

use crate::dns::rdata::Soa;
use crate::dns::{Serial, UnixTime};

/// One zone that is had from elsewhere.
#[derive(Clone, Debug)]
pub struct Secondary {
    n_primaries: NonZero<usize>,
    held: Option<Held>,
    /// The primary that answered last; it is asked first.
    good: usize,
    round: Option<Round>,
    hint: Option<Hint>,
    /// An operator asks for it; true = as a whole.
    asked: Option<bool>,
    /// When to look without being told.
    next: UnixTime,
    /// Rounds that failed since the last one that did not.
    n_failed: u32,
    /// Hints in a row that led to nothing, and when the last did.
    n_fruitless: u32,
    fruitless_at: UnixTime,
}

/// The version that is here.
#[derive(Clone, Debug)]
struct Held {
    soa: Soa,
    kept: Kept,
    is_expired: bool,
}

/// What has to outlive the process beside the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// When a primary was last known to have nothing newer.
    pub checked: UnixTime,
    /// Until when the zone is good.
    pub until: UnixTime,
}

/// The primaries, asked one after the other until one of them has an answer.
#[derive(Clone, Debug)]
struct Round {
    first: usize,
    n_failed: usize,
    is_under_way: bool,
    why: Why,
    /// What is here is no longer good, and the primary whose turn it is has another version that is not newer: better than none.
    wants_whole: bool,
    /// A primary had the version that is here, but not the one that was hinted at.
    is_confirmed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// It is time.
    Due,
    /// There is something newer, perhaps of this serial.
    Hinted(Option<Serial>),
    /// An operator asks for it, perhaps for the whole zone.
    Asked { whole: bool },
}

/// What a NOTIFY says (RFC 1996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// The primary that it came from.
    pub primary: Option<usize>,
    /// The serial that it names.
    pub serial: Option<Serial>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask a primary, and say what came of it by [`Secondary::fetched`].
    Fetch(Fetch),
    /// The zone is no longer good: it is to be answered with SERVFAIL.
    Expire,
}

/// A question to a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Its number, as configured.
    pub primary: usize,
    /// What to ask.
    pub how: How,
}

/// What to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Whether there is anything newer, and then for it. Most often there is not. So it is of a zone that is no longer good: what is here may be what the
    /// primary has.
    Check,
    /// For what has changed: something has.
    Changes,
    /// For the whole zone: there is none here that could be changed.
    Whole,
}

/// What came of asking a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has nothing newer.
    Current {
        /// What it has.
        serial: Serial,
        /// For how many seconds it says that this stays good (RFC 7314).
        expire: Option<u32>,
    },
    /// A newer version is in force.
    Taken {
        /// Its SOA.
        soa: Soa,
        /// As above.
        expire: Option<u32>,
    },
    /// There was no answer, or none that could be taken.
    Failed,
}

/// What an operator wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The primary that answered last, or is asked first.
    pub primary: usize,
    /// When it was last known that there is nothing newer; `None` before the first transfer.
    pub checked: Option<UnixTime>,
    /// When the primaries are asked next without a hint; `None` while they are asked.
    pub next: Option<UnixTime>,
    /// Until when the zone is good; `None` where there is none.
    pub until: Option<UnixTime>,
    /// The zone is no longer good.
    pub is_expired: bool,
    /// Rounds that failed in a row.
    pub n_failed: u32,
}

/// Bounds of a SOA's refresh and retry, in seconds. The least are Knot's: a slip of a primary's pen must not make us ask without pause, and drills may
/// have short times. The most are NSD's and BIND's: a zone is looked after once a month at least.
const REFRESH: (u32, u32) = (2, 28 * 86_400);
const RETRY: (u32, u32) = (1, 14 * 86_400);
/// The shortest expire of a SOA, in seconds, as in Knot.
const LEAST_EXPIRE: u32 = 3;
/// Pauses before a zone that was never had is asked for again: the first, which doubles, and the longest. Our choice: primaries that start at the same time are
/// there in a moment, and one that refuses us does so for hours.
const FIRST_PAUSE: u64 = 2;
const LONGEST_PAUSE: u64 = 3600;
/// Hints in a row that may lead to nothing before there is a pause between them: whoever can send datagrams can make hints. Our choice.
const MOST_FRUITLESS: u32 = 10;

impl Secondary {
    /// A zone that was never had.
    pub fn new(n_primaries: NonZero<usize>, now: UnixTime) -> Self {
        Self {
            n_primaries,
            held: None,
            good: 0,
            round: None,
            hint: None,
            asked: None,
            next: now,
            n_failed: 0,
            n_fruitless: 0,
            fruitless_at: UnixTime(0),
        }
    }

    /// A zone that was had before, in the version with this SOA. It is asked for at once: hints were missed meanwhile.
    pub fn resume(n_primaries: NonZero<usize>, soa: Soa, kept: Kept, now: UnixTime) -> Self {
        // A clock that went back must not keep a zone alive for ever.
        let until = kept.until.0.min(now.0 + u64::from(soa.expire.max(LEAST_EXPIRE)));
        let kept = Kept { checked: UnixTime(kept.checked.0.min(now.0)), until: UnixTime(until) };
        Self { held: Some(Held { soa, kept, is_expired: false }), ..Self::new(n_primaries, now) }
    }

    /// The SOA of the version that is here; `None` without one, and of one that is no longer good.
    pub fn soa(&self) -> Option<&Soa> {
        self.held.as_ref().filter(|held| !held.is_expired).map(|held| &held.soa)
    }

    /// As [`Self::soa`], of one that is no longer good as well.
    pub fn known(&self) -> Option<&Soa> {
        self.held.as_ref().map(|held| &held.soa)
    }

    /// What has to outlive the process; `None` before the first transfer.
    pub fn kept(&self) -> Option<Kept> {
        self.held.as_ref().map(|held| held.kept)
    }

    /// Somebody who may says that there is something newer. Of many hints one is remembered.
    pub fn notified(&mut self, hint: Hint) {
        if !self.is_news(&hint) {
            return;
        }
        self.hint = Some(match self.hint {
            None => hint,
            Some(before) => Hint {
                primary: hint.primary.or(before.primary),
                // One without a serial may mean any.
                serial: before.serial.zip(hint.serial).map(|(a, b)| if b.is_newer_than(a) { b } else { a }),
            },
        });
    }

    /// An operator wants the primaries asked now; `whole`: for the whole zone, which takes the place of what is here whatever its serial.
    pub fn ask(&mut self, whole: bool) {
        self.asked = Some(whole || self.asked == Some(true));
    }

    /// Begins with another primary than the one that `hangs` where there is one that does not, instead of with the one that answered last.
    pub fn avoid(&mut self, hangs: impl Fn(usize) -> bool) {
        if hangs(self.good) {
            self.good = (0..self.n_primaries.get()).find(|primary| !hangs(*primary)).unwrap_or(self.good);
        }
    }

    /// What is to be done now; `None` when there is nothing more.
    pub fn poll(&mut self, now: UnixTime) -> Option<Action> {
        if let Some(held) = self.held.as_mut().filter(|held| !held.is_expired && held.kept.until <= now) {
            held.is_expired = true;
            return Some(Action::Expire);
        }
        if self.round.is_none() {
            self.begin(now);
        }
        let (is_known, is_good) = (self.held.is_some(), self.soa().is_some());
        let round = self.round.as_mut().filter(|round| !round.is_under_way)?;
        round.is_under_way = true;
        let how = match round.why {
            _ if !is_known || round.wants_whole => How::Whole,
            Why::Asked { whole: true } => How::Whole,
            _ if !is_good => How::Check,
            Why::Due | Why::Asked { whole: false } => How::Check,
            Why::Hinted(_) => How::Changes,
        };
        Some(Action::Fetch(Fetch { primary: round.primary(), how }))
    }

    /// When [`Self::poll`] may have something to do, if nothing happens before.
    pub fn wakes_at(&self) -> Option<UnixTime> {
        let expires = self.held.as_ref().filter(|held| !held.is_expired).map(|held| held.kept.until);
        let asks = match (&self.round, &self.hint) {
            (Some(round), _) => (!round.is_under_way).then_some(UnixTime(0)),
            (None, _) if self.asked.is_some() => Some(UnixTime(0)),
            (None, Some(_)) => Some(self.next.min(self.hints_from())),
            (None, None) => Some(self.next),
        };
        expires.into_iter().chain(asks).min()
    }

    /// Says what came of the last [`Fetch`]. `random` is any number: it spreads the times at which many zones are asked for.
    pub fn fetched(&mut self, outcome: Outcome, now: UnixTime, random: u32) {
        let Some(mut round) = self.round.take() else { return };
        let primary = round.primary();
        let hinted = match round.why {
            Why::Hinted(serial) => serial,
            Why::Due | Why::Asked { .. } => None,
        };
        let is_behind = |serial: u32| hinted.is_some_and(|hinted| hinted.is_newer_than(Serial(serial)));
        match outcome {
            Outcome::Taken { soa, expire } => {
                let until = now.0 + u64::from(bounded_expire(&soa, expire));
                let is_behind = is_behind(soa.serial);
                self.held = Some(Held { soa, kept: Kept { checked: now, until: UnixTime(until) }, is_expired: false });
                (self.good, self.n_failed, self.n_fruitless) = (primary, 0, 0);
                self.schedule(is_behind, now, random);
            }
            Outcome::Current { serial, expire } if self.known().is_some_and(|soa| soa.serial == serial.0) => {
                self.confirm(expire, now);
                (self.good, self.n_failed) = (primary, 0);
                if is_behind(serial.0) {
                    round.is_confirmed = true;
                    self.go_on(round, now, random);
                } else {
                    self.note(round.why, now);
                    self.schedule(false, now, random);
                }
            }
            // One that is behind us is no source, unless we are none.
            Outcome::Current { .. } if self.soa().is_none() && !round.wants_whole => {
                (round.wants_whole, round.is_under_way) = (true, false);
                self.round = Some(round);
            }
            Outcome::Current { .. } | Outcome::Failed => self.go_on(round, now, random),
        }
        self.hint = self.hint.filter(|hint| self.is_news(hint));
    }

    /// What an operator wants to know.
    pub fn status(&self) -> Status {
        Status {
            primary: self.round.as_ref().map_or(self.good, Round::primary),
            checked: self.held.as_ref().map(|held| held.kept.checked),
            next: self.round.is_none().then_some(self.next),
            until: self.held.as_ref().map(|held| held.kept.until),
            is_expired: self.held.as_ref().is_some_and(|held| held.is_expired),
            n_failed: self.n_failed,
        }
    }

    fn is_news(&self, hint: &Hint) -> bool {
        let known = self.soa().zip(hint.serial);
        known.is_none_or(|(soa, serial)| serial.is_newer_than(Serial(soa.serial)))
    }

    /// From when on a hint is followed.
    fn hints_from(&self) -> UnixTime {
        if self.n_fruitless < MOST_FRUITLESS { UnixTime(0) } else { UnixTime(self.fruitless_at.0 + 1) }
    }

    fn begin(&mut self, now: UnixTime) {
        let asked = self.asked.take();
        let hint = if asked.is_none() && self.hints_from() <= now { self.hint.take() } else { None };
        let why = match (asked, hint) {
            (Some(whole), _) => Why::Asked { whole },
            (None, Some(hint)) => Why::Hinted(hint.serial),
            (None, None) if self.next <= now => Why::Due,
            (None, None) => return,
        };
        let first = hint.and_then(|hint| hint.primary).filter(|primary| *primary < self.n_primaries.get()).unwrap_or(self.good);
        self.round = Some(Round { first, n_failed: 0, is_under_way: false, why, wants_whole: false, is_confirmed: false });
    }

    /// With the next primary, if there is one.
    fn go_on(&mut self, mut round: Round, now: UnixTime, random: u32) {
        round.n_failed += 1;
        (round.is_under_way, round.wants_whole) = (false, false);
        if round.n_failed < self.n_primaries.get() {
            self.round = Some(round);
            return;
        }
        self.note(round.why, now);
        // Who can make hints must not be able to make pauses longer.
        if !round.is_confirmed && round.why == Why::Due {
            self.n_failed += 1;
        }
        self.schedule(true, now, random);
    }

    fn note(&mut self, why: Why, now: UnixTime) {
        match why {
            Why::Due | Why::Asked { .. } => self.n_fruitless = 0,
            Why::Hinted(_) => (self.n_fruitless, self.fruitless_at) = (self.n_fruitless.saturating_add(1), now),
        }
    }

    /// The zone is what the primary has.
    fn confirm(&mut self, expire: Option<u32>, now: UnixTime) {
        if let Some(held) = &mut self.held {
            let most = now.0 + u64::from(held.soa.expire.max(LEAST_EXPIRE));
            // RFC 7314 §4: never earlier than before, and never later than the SOA says.
            let until = expire.map_or(most, |expire| held.kept.until.0.max(now.0 + u64::from(expire)).min(most));
            held.kept = Kept { checked: now, until: UnixTime(until) };
            held.is_expired = false;
        }
    }

    /// Sets the time of the next round.
    fn schedule(&mut self, is_retry: bool, now: UnixTime, random: u32) {
        let seconds = match &self.held {
            None => (FIRST_PAUSE << self.n_failed.saturating_sub(1).min(16)).min(LONGEST_PAUSE),
            Some(held) if held.is_expired => u64::from(bounded(held.soa.retry, RETRY)).min(LONGEST_PAUSE),
            Some(held) if is_retry => bounded(held.soa.retry, RETRY).into(),
            Some(held) => {
                // In time before a zone is no longer good, which may be sooner where the primary is itself a secondary.
                let left = held.kept.until.0.saturating_sub(now.0);
                u64::from(bounded(held.soa.refresh, REFRESH)).min(left / 2).max(1)
            }
        };
        self.next = UnixTime(now.0 + spread(seconds, random));
    }
}

impl Round {
    /// The primary whose turn it is: the first, then the others in their order.
    fn primary(&self) -> usize {
        match self.n_failed {
            0 => self.first,
            n if n <= self.first => n - 1,
            n => n,
        }
    }
}

/// For how long a version is good that was transferred just now: the value of the option, and no more than the SOA's (RFC 7314 §4).
fn bounded_expire(soa: &Soa, expire: Option<u32>) -> u32 {
    let most = soa.expire.max(LEAST_EXPIRE);
    expire.map_or(most, |expire| expire.min(most))
}

fn bounded(seconds: u32, (least, most): (u32, u32)) -> u32 {
    seconds.clamp(least, most)
}

/// Up to a tenth sooner.
fn spread(seconds: u64, random: u32) -> u64 {
    seconds - ((seconds * u64::from(random)) >> 32) / 10
}

#[cfg(test)]
mod tests;
