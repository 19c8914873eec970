//! What becomes long with every change and is made short again beside the work: what stands beside a zone's base, and the log since its snapshot.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::image::ImageJob;
use super::{Live, Pipeline, Problem, Touched};
use crate::dns::{Name, Serial};
use crate::journal::{Journal, Log, SavedZone};
use crate::zone::{NameMap, Zone, ZoneError, ZoneSet};

/// Names and links beside the base from which on they are merged into it, so that answers find them at once again: an eighth of the
/// zone's names, for a merge costs as much as the zone is large, but in these bounds. Our choice.
const MANY_NAMES: RangeInclusive<usize> = 300..=4000;

/// A zone whose parts are to be made one.
pub struct UpkeepJob {
    apex: Name,
    token: u64,
    zone: Arc<Zone>,
    /// Where its snapshot goes, if there is to be one.
    journal: Option<Arc<Journal>>,
}

/// What came of an [`UpkeepJob`].
pub struct Upkept {
    apex: Name,
    token: u64,
    serial: Serial,
    zone: Result<Zone, ZoneError>,
    snapshot: Option<io::Result<(String, String)>>,
}

fn is_overgrown(zone: &Zone) -> bool {
    zone.n_overlaid() > (zone.counts().all_names() / 8).clamp(*MANY_NAMES.start(), *MANY_NAMES.end())
}

impl UpkeepJob {
    /// Builds the zone, and writes its snapshot where that is due. Takes as long as that does; nobody should wait for it.
    pub fn carry_out(self) -> Upkept {
        let Self { apex, token, zone, journal } = self;
        let (serial, mut records) = (zone.serial(), zone.records());
        drop(zone);
        records.sort();
        let snapshot = journal.map(|journal| {
            let saved = journal.save(apex.as_ref(), serial, &records)?;
            // Whoever names it does not wait for the disk then.
            journal.sync()?;
            Ok(saved)
        });
        let zone = Zone::build(apex.as_ref(), records);
        Upkept { apex, token, serial, zone, snapshot }
    }
}

impl Pipeline {
    /// Those of these zones that are to be made one, each given out once until it comes back to [`Self::upkept`].
    pub fn due_upkeep(&mut self, touched: &Touched) -> Vec<UpkeepJob> {
        let Self { live, press, upkeeps, .. } = self;
        let mut job = |apex: &Name, live: &mut Live| {
            let wants_snapshot = press.wants_snapshot(apex, live.zone.size() as u64);
            let is_due = live.upkeep.is_none() && live.saved.is_some() && (wants_snapshot || is_overgrown(&live.zone));
            is_due.then(|| {
                *upkeeps += 1;
                live.upkeep = Some(*upkeeps);
                let journal = wants_snapshot.then(|| Arc::clone(press.journal()));
                UpkeepJob { apex: apex.clone(), token: *upkeeps, zone: Arc::clone(&live.zone), journal }
            })
        };
        match touched {
            Touched::All => live.iter_mut().filter_map(|(apex, live)| job(apex, live)).collect(),
            Touched::Some(zones) => zones.iter().filter_map(|apex| job(apex, live.get_mut(apex)?)).collect(),
        }
    }

    /// Takes what came of a job: the same zone is served from one part, with what has changed meanwhile beside it.
    pub fn upkept(&mut self, done: Upkept, swap: impl FnOnce(ZoneSet, NameMap<Log>)) -> Vec<Problem> {
        let Upkept { apex, token, serial, zone, snapshot } = done;
        // A zone that was made anew meanwhile has other parts.
        let Some(live) = self.live.get_mut(&apex).filter(|live| live.upkeep == Some(token)) else { return Vec::new() };
        live.upkeep = None;
        let problem = |what: String| Problem { zone: Some(apex.clone()), what: format!("its changes cannot be merged, they grow: {what}") };
        let mut problems = Vec::new();
        let zone = match zone {
            Ok(zone) => Arc::new(zone),
            Err(error) => return vec![problem(error.to_string())],
        };
        match snapshot {
            Some(Ok((file, checksum))) => {
                let Some(before) = &live.saved else { return problems };
                let saved = SavedZone { serial: serial.0, file, checksum, ..before.clone() };
                match self.press.commit_zone(&apex, saved.clone(), None) {
                    Ok(_) => {
                        live.saved = Some(saved);
                        live.imaged = true;
                        self.images.push(ImageJob::of_snapshot(live, Arc::clone(&zone)));
                    }
                    Err(error) => problems.push(problem(error.to_string())),
                }
            }
            Some(Err(error)) => problems.push(problem(error.to_string())),
            None => {}
        }
        let merged = if live.zone.serial() == serial {
            Ok(zone)
        } else {
            self.press.since(&apex, serial).and_then(|change| zone.apply(&change).map(Arc::new).map_err(|error| error.to_string()))
        };
        match merged {
            Ok(zone) if zone.serial() == live.zone.serial() => live.zone = zone,
            Ok(_) => {}
            Err(what) => problems.push(problem(what)),
        }
        if let Err(error) = self.press.trim(&apex, live.zone.size() as u64) {
            problems.push(problem(error.to_string()));
        }
        let zone = Arc::clone(&live.zone);
        if self.is_good(&apex) {
            self.set.insert(zone);
        }
        self.touch(&apex);
        swap(self.set.clone(), self.press.logs());
        problems
    }
}
