//! A change that a client asks for (UPDATE): signed where the zone is, verified, journalled, swapped in.
//!
//! What is published last is what is changed; the zone's master file was its beginning and is not read again.

use std::fmt;
use std::sync::Arc;

use super::make::{self, Live};
use super::{Pipeline, Plan, Published, Why, content};
use crate::dns::{Name, UnixTime};
use crate::journal::{Log, SavedZone};
use crate::zone::{Diff, NameMap, Zone, ZoneSet};

/// Why a change is not carried out. What is served stays.
#[derive(Debug)]
pub enum NotChanged<E> {
    /// The zone is not one that is changed so.
    Fixed,
    /// There is nothing to change: the zone could not be made, or not be read back.
    Unavailable,
    /// What was asked for is refused.
    Asked(E),
    /// It cannot be signed, or not be kept.
    Failed(String),
}

impl<E: fmt::Display> fmt::Display for NotChanged<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed => f.write_str("the zone is not changed by UPDATE"),
            Self::Unavailable => f.write_str("the zone is not available"),
            Self::Asked(error) => error.fmt(f),
            Self::Failed(what) => f.write_str(what),
        }
    }
}

impl Pipeline {
    /// Changes the content of a zone as `change` says, with the zone's next serial unless the change has a newer one. `None` when nothing
    /// changes.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub fn update<E>(
        &mut self,
        plan: &Plan,
        apex: &Name,
        change: impl FnOnce(&Zone) -> Result<Diff, E>,
        now: UnixTime,
        swap: impl FnOnce(ZoneSet, NameMap<Log>),
    ) -> Result<Option<Published>, NotChanged<E>> {
        let file = plan.files.iter().find(|file| file.apex == *apex && file.is_dynamic).ok_or(NotChanged::Fixed)?;
        let live = self.live.get(apex).ok_or(NotChanged::Unavailable)?;
        let change = change(&live.zone).map_err(NotChanged::Asked)?;
        if change.is_empty() {
            return Ok(None);
        }
        let failed = |what: String| NotChanged::Failed(what);
        let to = change.serials(apex.as_ref()).map(|(_, to)| to).filter(|to| to.is_newer_than(live.zone.serial()));
        let to = to.unwrap_or_else(|| live.zone.serial().next());
        let keyring = &mut self.keyring;
        let sign = |policy| keyring.signing(&plan.keys, &file.apex, policy, file.rsa_bits, now);
        let signing = file.policy.as_ref().map(sign).transpose().map_err(failed)?;
        let changed = make::changed(live, change, to, signing.as_ref(), now);
        let (change, zone, refresh_at) = changed.map_err(|error| failed(error.to_string()))?;
        let ds = content::ds_of(&zone.records_at(zone.apex()), zone.apex());
        let signing = signing.map(|signing| signing.digest).unwrap_or_default();
        let mut next = Live { zone: Arc::new(zone), refresh_at, ds, signing, ..live.clone() };
        if let Some(saved) = &mut next.saved {
            saved.refresh_at = refresh_at.map(|at| at.0);
            saved.signing.clone_from(&next.signing);
        }
        // No start may take its file for the zone from now on.
        if let Some(saved) = next.saved.as_mut().filter(|saved| !saved.changed) {
            saved.changed = true;
            let before = live.saved.clone().map(|before| SavedZone { changed: true, ..before });
            let kept = before.map_or(Ok(None), |before| self.press.commit_zone(apex, before, None));
            kept.map_err(|error| failed(format!("it cannot be saved: {error}")))?;
        }
        self.press.append(apex, &change, now).map_err(failed)?;
        Ok(Some(self.take_over(apex, next, Why::Update, swap).0))
    }
}

impl Pipeline {
    /// Serves `next`, which is in the journal, with a swap. What is wrong with the log comes beside what was done.
    pub(super) fn take_over(
        &mut self,
        apex: &Name,
        next: Live,
        why: Why,
        swap: impl FnOnce(ZoneSet, NameMap<Log>),
    ) -> (Published, Option<String>) {
        let published = self.enter(apex, next, why);
        swap(self.set.clone(), self.press.logs());
        (published, self.shorten(apex))
    }

    /// Puts `next`, which is in the journal, among what is served from the next swap on.
    pub(super) fn enter(&mut self, apex: &Name, next: Live, why: Why) -> Published {
        let zone = Arc::clone(&next.zone);
        if next.proven {
            self.withheld.remove(apex);
        }
        let before = self.live.insert(apex.clone(), next);
        self.touch(apex);
        self.expired.remove(apex);
        if self.is_good(apex) {
            self.problems.remove(apex);
            self.set.insert(Arc::clone(&zone));
        }
        let counts = zone.counts();
        Published {
            apex: apex.clone(),
            from: before.map(|before| before.zone.serial()),
            to: zone.serial(),
            why,
            n_records: counts.records,
            n_signatures: counts.signatures,
        }
    }

    /// Shortens the log of a zone where it is too long; what is wrong, if it cannot be.
    pub(super) fn shorten(&mut self, apex: &Name) -> Option<String> {
        let octets = self.live.get(apex)?.zone.size() as u64;
        self.press.trim(apex, octets).err().map(|error| error.to_string())
    }
}
