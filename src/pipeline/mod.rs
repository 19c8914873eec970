//! A zone's life from input to published: read or compiled, signed, saved, swapped in.
//!
//! Whatever goes wrong with one input leaves what is served of it as it was, and is reported. Knows no TOML, no socket and no
//! query; reads master files, exports, keys; writes keys and the journal.

mod content;
mod decide;
mod image;
pub mod keys;
mod make;
mod plan;
mod registry;
mod run;
mod signing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::dns::{Name, Serial, UnixTime};
use crate::journal::{Compiled, Images, Journal, Saved, stem};
use crate::parallel::{self, cores};
use crate::publish;
use crate::zone::ZoneSet;

use run::{Next, Run};

pub use decide::{Why, dated_serial, edited_serial};
pub use image::{ImageJob, Written};
pub use make::{Live, MakeError};
pub use plan::{FilePlan, Plan, RegistryPlan, Scope};
pub use registry::{MAX_DATA, delegated_beside};

/// All zones of the server with what they were made from.
pub struct Pipeline {
    journal: Journal,
    saved: Saved,
    /// Serials of zones that are not served now, or whose state was lost.
    serials: BTreeMap<String, Serial>,
    live: BTreeMap<Name, Live>,
    /// Zones of the plan that are not served, and zones served in an older version than asked for, with the reason.
    problems: BTreeMap<Name, String>,
    /// Why the newest export is not what is served.
    export_problem: Option<String>,
}

/// Something that could not be carried out; what was served before still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The zone; `None` = the registry's export, or everything.
    pub zone: Option<Name>,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "[{zone}] {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// A zone that a run put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The apex.
    pub apex: Name,
    /// The serial before; `None` = the zone is new.
    pub from: Option<Serial>,
    /// The serial now.
    pub to: Serial,
    /// Why.
    pub why: Why,
    /// Records now.
    pub n_records: usize,
    /// Signatures among them.
    pub n_signatures: usize,
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Zones put in force.
    pub published: Vec<Published>,
    /// Zones taken out.
    pub removed: Vec<Name>,
    /// Zones that stayed as they were.
    pub n_kept: usize,
    /// The export was compiled.
    pub compiled: bool,
    /// The journal could not be written, so nothing was handed over at all.
    pub is_refused: bool,
    /// What an operator should look at in the export and the orders.
    pub notes: Vec<String>,
    /// What is not as the configuration or a zone's file says, though all was done: keys that do not fit their policy, stale digests.
    pub warnings: Vec<String>,
    /// What could not be done.
    pub problems: Vec<Problem>,
}

impl Pipeline {
    /// Brings back what was in force when the journal was last written; also says what of it could not be brought back.
    pub fn open(journal: Journal) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut saved = journal.read().unwrap_or_else(|error| {
            problems.push(Problem { zone: None, what: error.to_string() });
            Saved::default()
        });
        let mut serials = journal.serials();
        let zones: Vec<(Name, _)> = saved.zones.iter().filter_map(|(apex, zone)| Some((Name::parse(apex).ok()?, zone))).collect();
        let resumed = parallel::map(zones, |(apex, zone)| {
            let (image, damage) = image::of_snapshot(&apex, zone, &journal);
            let live = image.map_or_else(|| make::resume(&apex, zone, &journal), Ok);
            (apex, live, damage)
        });
        let mut live = BTreeMap::new();
        for (apex, result, damage) in resumed {
            problems.extend(damage.map(|what| Problem { zone: Some(apex.clone()), what }));
            match result {
                Ok(zone) => {
                    live.insert(apex, zone);
                }
                Err(what) => {
                    // The state knows the serial also when the snapshot that bears it is gone.
                    if let Some(zone) = saved.zones.remove(&key(&apex)) {
                        let last = serials.entry(stem(apex.as_ref())).or_insert(Serial(zone.serial));
                        if Serial(zone.serial).is_newer_than(*last) {
                            *last = Serial(zone.serial);
                        }
                    }
                    problems.push(Problem { zone: Some(apex), what: format!("{what}, the zone is made anew") });
                }
            }
        }
        (Self { journal, saved, serials, live, problems: BTreeMap::new(), export_problem: None }, problems)
    }

    /// Carries out `plan`: reads the inputs that `scope` names, makes the zones that changed, journals them and hands the new set to
    /// `swap`, once. Signs on all cores.
    ///
    /// What fails is in the report, and the zone's old version is in the set; where there is none, the set has the zone as unavailable.
    pub fn run(&mut self, plan: &Plan, scope: &Scope, now: UnixTime, swap: impl FnOnce(ZoneSet)) -> Report {
        let mut run = Run::new(self, plan, scope, now);
        run.make_registry();
        run.make_files();
        let Next { live, compiled, problems, export_problem, mut report } = run.finish();

        report.removed = self.live.keys().filter(|apex| !live.contains_key(apex)).cloned().collect();
        let mut set = ZoneSet::new();
        for apex in plan.files.iter().map(|file| file.apex.clone()).chain(zones_of(compiled.as_ref())) {
            match live.get(&apex) {
                Some(live) => set.insert(Arc::clone(&live.zone)),
                None => set.insert_unavailable(apex),
            }
        }
        let zones = live.iter().filter_map(|(apex, live)| Some((key(apex), live.saved.clone()?))).collect();
        if let Err(error) = publish::publish(&self.journal, &mut self.saved, Saved { compiled, zones }, || swap(set)) {
            let what = format!("nothing is published, the journal in '{}' cannot be written: {error}", self.journal.folder().display());
            return Report { problems: vec![Problem { zone: None, what }], is_refused: true, ..Report::default() };
        }
        report.n_kept = live.len() - report.published.len();
        // What the timer met before is not news.
        let is_news = |apex: &Name, what: &String| *scope != Scope::Timer || self.problems.get(apex) != Some(what);
        let news = problems.iter().filter(|(apex, what)| is_news(apex, what));
        report.problems.extend(news.map(|(apex, what)| Problem { zone: Some(apex.clone()), what: what.clone() }));
        // A zone that comes back one day goes on from the serial it had.
        for apex in &report.removed {
            let serial = self.live[apex].zone.serial();
            self.serials.insert(stem(apex.as_ref()), serial);
        }
        self.live = live;
        self.problems = problems;
        self.export_problem = export_problem;
        report
    }

    /// The zones of which an image should be written now, each given out once; and the [stems](stem) of all zones that are served, to
    /// know the images of others by.
    pub fn due_images(&mut self) -> (Vec<ImageJob>, BTreeSet<String>) {
        let jobs = self.live.values_mut().filter_map(ImageJob::of).collect();
        // A zone that cannot be served today may fit its image tomorrow.
        (jobs, self.live.keys().chain(self.problems.keys()).map(|apex| stem(apex.as_ref())).collect())
    }

    /// The folder of images.
    pub fn images(&self) -> Images {
        self.journal.images()
    }

    /// What is served, by apex.
    pub fn live(&self) -> &BTreeMap<Name, Live> {
        &self.live
    }

    /// What is not served as asked for, with the reason.
    pub fn problems(&self) -> &BTreeMap<Name, String> {
        &self.problems
    }

    /// Why the newest export is not what is served.
    pub fn export_problem(&self) -> Option<&str> {
        self.export_problem.as_deref()
    }

    /// The account of the last compile.
    pub fn compiled(&self) -> Option<&Compiled> {
        self.saved.compiled.as_ref()
    }
}

fn zones_of(compiled: Option<&Compiled>) -> impl Iterator<Item = Name> {
    compiled.into_iter().flat_map(|compiled| &compiled.zones).filter_map(|apex| Name::parse(apex).ok())
}

/// The apex as the state names it.
fn key(apex: &Name) -> String {
    apex.as_ref().to_lowercase().to_string()
}
