//! One zone's next version, made by others: taken from a primary, journalled, swapped in.
//!
//! RFC 1995 §4 (a change that does not fit exactly is none), RFC 1982 (serials only move forward), RFC 8976 §4 (the digest).

use std::sync::Arc;

use super::content;
use super::make::{self, ANY_CHANGE, Live, Placeless};
use super::{Pipeline, Published, Why, ZoneSet, newer};
use crate::dns::{Name, NameRef, Records, Serial, UnixTime};
use crate::journal::{Log, SavedZone, stem};
use crate::publish::key;
use crate::sign::{self, Unproven, ZonemdFault};
use crate::zone::{Diff, DiffError, NameMap, Zone, ZoneError};

/// What a primary has sent.
pub enum Version {
    /// All records of the zone, sorted.
    Whole(Records),
    /// The same, in the place of what is served, whatever its serial is: an operator wants it so.
    Anew(Records),
    /// Changes that follow what is served, one after the other.
    Changes(Vec<Diff>),
}

/// What is asked of a ZONEMD in what others made (RFC 8976 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zonemd {
    /// It is not looked at.
    #[default]
    Off,
    /// It is told where none is right, wrong or missing.
    Warn,
    /// Without one that is right nothing is taken, and what was taken before it was asked for is not served.
    Require,
}

impl Zonemd {
    /// What comes of looking at the sorted records of a zone as far as it is asked for: that one is right, and what an operator should know.
    ///
    /// # Errors
    /// Why the zone is not wanted.
    pub fn judge(self, records: &Records, apex: NameRef<'_>) -> Result<(bool, Option<String>), Unproven> {
        // Without a SOA there is no zone, which others say in their words.
        self.judged(|| content::serial(records, apex).map_or(Ok(()), |serial| sign::prove_zonemd(records, apex, serial.0)))
    }

    /// As [`Self::judge`], of a zone as it is served.
    ///
    /// # Errors
    /// Why the zone is not wanted.
    pub fn judge_zone(self, zone: &Zone) -> Result<(bool, Option<String>), Unproven> {
        self.judged(|| sign::prove_zonemd_of(zone))
    }

    fn judged(self, judged: impl FnOnce() -> Result<(), Unproven>) -> Result<(bool, Option<String>), Unproven> {
        match self {
            Self::Off => Ok((false, None)),
            Self::Warn => {
                Ok(judged().map_or_else(|why| (false, Some(format!("ZONEMD: {why}; it is served nonetheless"))), |()| (true, None)))
            }
            Self::Require => judged().map(|()| (true, None)),
        }
    }
}

/// Why a version is not taken. What is served stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The changes do not fit what is served: the whole zone is wanted.
    DoesNotFit(String),
    /// It is not wanted, or cannot be kept.
    Refused(String),
}

impl Pipeline {
    /// Puts the next version of a zone in the journal, and among what is served once the caller has swapped in [`Self::served`]: several of
    /// them at once, where several have come. What an operator should know comes beside what was done.
    ///
    /// Cost: with changes, theirs, unless a digest is to be checked; otherwise that of the zone.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn put(&mut self, apex: &Name, version: Version, zonemd: Zonemd, now: UnixTime) -> Result<(Published, Vec<String>), NotTaken> {
        let refused = |what: String| NotTaken::Refused(what);
        let before = self.live.get(apex);
        let is_anew = matches!(version, Version::Anew(_));
        let version_is_change = matches!(version, Version::Changes(_));
        let unproven = |why: Unproven| match (version_is_change, &why) {
            // What is here may have been another than the primary's.
            (true, Unproven::Wrong(faults)) if faults.contains(&ZonemdFault::Digest) => NotTaken::DoesNotFit(not_proven(&why)),
            _ => NotTaken::Refused(not_proven(&why)),
        };
        let taken = match version {
            Version::Changes(changes) => {
                let before = before.ok_or(NotTaken::DoesNotFit("there is no version to change".into()))?;
                let change = Diff::joined(changes).map_err(unfit)?;
                match changed(before, &change)? {
                    Some(zone) => {
                        let judged = zonemd.judge_zone(&zone).map_err(unproven)?;
                        Taken { zone, all: None, change: Some(change), judged, placeless: Arc::default() }
                    }
                    None => {
                        let all = everything(before)?;
                        let records = change.apply_to(&all).map_err(unfit)?;
                        let judged = zonemd.judge(&records, apex.as_ref()).map_err(unproven)?;
                        Taken::of_all(apex, records, Some(&before.zone), judged)?
                    }
                }
            }
            Version::Whole(records) | Version::Anew(records) => {
                // Of what was sent, before TTLs are levelled.
                let judged = zonemd.judge(&records, apex.as_ref()).map_err(unproven)?;
                let old = before.filter(|_| self.press.has_log(apex)).map(|before| &*before.zone);
                Taken::of_all(apex, records, old, judged)?
            }
        };
        let Taken { zone, all, change, judged: (proven, note), placeless } = taken;
        let is_placeless = !placeless.is_empty();
        let to = zone.serial();
        let is_newer = |from: Serial| to.is_newer_than(from);
        // Whatever a primary has is better than a zone that is no longer good; its history begins anew.
        let change = change.filter(|_| before.is_none_or(|before| is_newer(before.zone.serial())));
        // So is it better than what a file or clients made of a zone that is now had from others.
        let was_own = before.is_some_and(|before| before.saved.as_ref().is_none_or(|saved| saved.good.is_none()));
        let is_free = (is_anew || was_own || self.expired.contains(apex)) && change.is_none();
        if let Some(from) = before.map(|before| before.zone.serial()).filter(|from| !is_newer(*from) && !is_free) {
            return Err(refused(format!("serial {to} is not newer than {from}")));
        }
        let of_zone: Vec<String> = note.into_iter().collect();
        let mut notes = of_zone.clone();
        if let Some(before) = before.filter(|_| was_own) {
            let from = before.zone.serial();
            // Should it be our own once more.
            let known = self.serials.entry(stem(apex.as_ref())).or_insert(from);
            *known = newer(*known, from);
            if before.saved.as_ref().is_some_and(|saved| saved.changed) {
                notes
                    .push(format!("what clients have made of it, up to serial {from}, has given way to what its primary has, serial {to}"));
            }
        }
        let zone = Arc::new(zone);
        // No start may take for proven, or for all that the primary has, what comes now.
        let is_less = |saved: &SavedZone| saved.proven && !proven || is_placeless && !saved.placeless;
        if let Some(saved) = before.and_then(|before| before.saved.clone()).filter(is_less) {
            let saved = SavedZone { proven, placeless: is_placeless, ..saved };
            self.press.commit_zone(apex, saved, None).map_err(|error| refused(format!("it cannot be saved: {error}")))?;
        }
        // Until more is known.
        let good = Some([now.0, now.0 + u64::from(zone.soa().expire)]);
        let next = match (before, change.filter(|_| self.press.has_log(apex))) {
            (Some(before), Some(change)) => {
                self.press.append(apex, &change, now).map_err(NotTaken::Refused)?;
                let had_more = before.saved.as_ref().is_some_and(|saved| saved.placeless);
                let saved = before.saved.clone();
                let saved = saved.map(|saved| SavedZone { proven, placeless: is_placeless, good: saved.good.or(good), ..saved });
                if let Some(saved) = saved.clone().filter(|_| had_more && !is_placeless) {
                    // Without it, the first change after a start is fetched whole.
                    let _ = self.press.commit_zone(apex, saved, None);
                }
                Live { zone, saved, proven, placeless: Placeless::Known(placeless), notes: of_zone, ..before.clone() }
            }
            _ => {
                let all = all.unwrap_or_else(|| zone.records());
                let saved = make::save(self.press.journal(), apex.as_ref(), to, &all).map_err(|error| refused(error.to_string()))?;
                drop(all);
                let saved = SavedZone { proven, placeless: is_placeless, good, ..saved };
                let problem = self.press.commit_zone(apex, saved.clone(), Some(to));
                let problem = problem.map_err(|error| refused(format!("it cannot be saved: {error}")))?;
                notes.extend(problem.map(|what| format!("{what}; until it comes as a whole again, its changes cannot be kept")));
                Live { notes: of_zone, placeless: Placeless::Known(placeless), ..Live::received(zone, saved) }
            }
        };
        let published = self.enter(apex, next, Why::Transferred);
        notes.extend(self.shorten(apex));
        Ok((published, notes))
    }

    /// A primary has confirmed the zone at `checked`, and it is good until `until`: an expired one is answered again.
    ///
    /// The times are in the state at once where the zone had none or is good for less time than before, and with whatever is written there next, or within a minute: a crash makes a
    /// zone expire earlier, never later.
    pub fn confirm(&mut self, apex: &Name, checked: UnixTime, until: UnixTime, swap: impl FnOnce(ZoneSet, NameMap<Log>)) {
        let Some(live) = self.live.get_mut(apex) else { return };
        let Some(saved) = &mut live.saved else { return };
        self.confirmed.insert(apex.clone());
        let is_sooner = saved.good.replace([checked.0, until.0]).is_none_or(|[_, before]| until.0 < before);
        if self.expired.remove(apex) {
            self.problems.remove(apex);
            if self.withheld.contains(apex) {
                self.problems.insert(apex.clone(), UNPROVEN.into());
            } else {
                self.set.insert(Arc::clone(&live.zone));
            }
            swap(self.set.clone(), self.press.logs());
        }
        if checked.0 < self.confirmed_at.0 + 60 {
            // Without it, the zone would be good for too long after a crash.
            let _ = is_sooner.then(|| self.press.commit_zone(apex, saved.clone(), None));
        } else {
            self.confirmed_at = checked;
            let confirmed = std::mem::take(&mut self.confirmed);
            let zones = confirmed.iter().filter_map(|apex| Some((key(apex), self.live.get(apex)?.saved.clone()?)));
            // Without it, zones expire earlier after a crash.
            let _ = self.press.amend(zones.collect());
        }
    }

    /// The zone is no longer good: it is answered with SERVFAIL until a primary has confirmed it (RFC 1035 §3.3.13).
    pub fn expire(&mut self, apex: &Name, swap: impl FnOnce(ZoneSet, NameMap<Log>)) {
        if self.live.contains_key(apex) && self.expired.insert(apex.clone()) {
            self.problems.insert(apex.clone(), EXPIRED.into());
            self.set.insert_unavailable(apex.as_ref());
            swap(self.set.clone(), self.press.logs());
        }
    }
}

/// A version that may be put in force.
struct Taken {
    zone: Zone,
    /// Its records, where they had to be worked out.
    all: Option<Records>,
    /// What leads to it from what is served, if that is known and short.
    change: Option<Diff>,
    /// Its digest was found right, and what is to be told of that.
    judged: (bool, Option<String>),
    /// What its primary has of it beside that.
    placeless: Arc<Records>,
}

impl Taken {
    /// All that a primary has, sorted; `old` is what is served, where a change can follow it.
    fn of_all(apex: &Name, mut records: Records, old: Option<&Zone>, judged: (bool, Option<String>)) -> Result<Self, NotTaken> {
        let refused = |error: ZoneError| NotTaken::Refused(error.to_string());
        let old = old.map(Zone::records);
        let placeless = Zone::take_placeless(apex.as_ref(), &mut records).map_err(refused)?;
        let n_records = records.len();
        let zone = Zone::build(apex.as_ref(), records).map_err(refused)?;
        let served = zone.records();
        // What is left out would be missed by the next change.
        if served.len() != n_records {
            let n = n_records.abs_diff(served.len());
            return Err(NotTaken::Refused(format!("{n} of its records cannot be served, for no reason that is known; please report it")));
        }
        // Of what is served, where TTLs are levelled.
        let change = old.map(|old| Diff::between(&old, &served)).filter(|change| change.n_records() <= n_records.max(ANY_CHANGE));
        Ok(Self { zone, all: Some(served), change, judged, placeless: Arc::new(placeless) })
    }
}

/// What is served after the change; `None` where something of it has no place there, before or after.
fn changed(before: &Live, change: &Diff) -> Result<Option<Zone>, NotTaken> {
    if !matches!(&before.placeless, Placeless::Known(placeless) if placeless.is_empty()) {
        return Ok(None);
    }
    let zone = before.zone.apply(change);
    match zone.and_then(|zone| Ok((before.zone.has_all_of(change, &zone)?, zone))) {
        Ok((true, zone)) => Ok(Some(zone)),
        Ok((false, _)) => Ok(None),
        Err(error) => Err(unfit(error)),
    }
}

/// Everything that the primary has, as far as it is known here; sorted.
fn everything(before: &Live) -> Result<Records, NotTaken> {
    let Placeless::Known(placeless) = &before.placeless else {
        return Err(NotTaken::DoesNotFit("the primary has records that are not served, and they are not known since the start".into()));
    };
    let mut all = before.zone.records();
    all.extend(placeless).map_err(|_| NotTaken::Refused("it is too large".into()))?;
    all.sort();
    Ok(all)
}

fn unfit(error: DiffError) -> NotTaken {
    NotTaken::DoesNotFit(error.to_string())
}

/// What is wrong with a zone that has expired.
pub const EXPIRED: &str = "it has expired, no primary has confirmed it for too long; queries get SERVFAIL";

/// What is wrong with a zone whose digest is required and was not found right.
pub const UNPROVEN: &str = "its ZONEMD is required and was not found right; queries get SERVFAIL";

/// What is told of a version that is not taken for its digest.
fn not_proven(why: &Unproven) -> String {
    format!("ZONEMD: {why}, and zonemd = \"require\" asks for one that is right")
}
