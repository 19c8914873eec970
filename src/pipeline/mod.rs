//! A zone's life from input to published: read or compiled, signed, saved, swapped in.
//!
//! Whatever goes wrong with one input leaves what is served of it as it was, and is reported. Knows no TOML, no socket and no
//! query; reads master files, exports, keys; writes keys and the journal.

mod content;
mod decide;
mod digest;
mod image;
pub mod keys;
mod make;
mod orders;
mod plan;
mod proposal;
mod put;
mod registry;
mod run;
mod signing;
mod update;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::dns::{Name, Serial, UnixTime};
use crate::journal::{Compiled, Images, Journal, Log, Saved, SavedZone, stem};
use crate::parallel::{self, cores};
use crate::publish::{Press, Resumed, key};
use crate::zone::{Diff, NameMap, ZoneSet};

use run::Next;

pub use decide::{Why, dated_serial, edited_serial};
pub use digest::{DigestJob, Digested};
pub use image::{ImageJob, Written};
pub use make::{Live, MakeError};
pub use orders::{Book, Carried};
pub use plan::{CatalogPlan, FilePlan, Plan, RegistryPlan, Scope};
pub use proposal::{Proposal, View};
pub use put::{NotTaken, Version, Zonemd};
pub use registry::{MAX_DATA, delegated_beside};
pub use update::NotChanged;
pub use upkeep::{UpkeepJob, Upkept};

/// All zones of the server with what they were made from.
pub struct Pipeline {
    press: Press,
    /// Serials of zones that are not served now, or whose state was lost.
    serials: BTreeMap<String, Serial>,
    /// The [stems](stem) of zones that were published and of which nothing could be read back; of all whose snapshots are there, where the state could not be.
    lost: BTreeSet<String>,
    live: BTreeMap<Name, Live>,
    /// What was swapped in last.
    set: ZoneSet,
    /// Zones that are no longer good: they stay known, and are answered with SERVFAIL.
    expired: BTreeSet<Name>,
    /// Zones whose digest is required and was not found right: they stay known, and are answered with SERVFAIL.
    withheld: BTreeSet<Name>,
    /// When the times of zones that others make were last written, and of which zones there are newer ones.
    confirmed_at: UnixTime,
    confirmed: BTreeSet<Name>,
    /// What was put in since it was last asked for.
    touched: Touched,
    /// How many times zones were given out to be made one.
    upkeeps: u64,
    /// Images that are to be written beside those of what is served.
    images: Vec<ImageJob>,
    /// Zones of the plan that are not served, and zones served in an older version than asked for, with the reason.
    problems: BTreeMap<Name, String>,
    /// Why the newest export is not what is served.
    export_problem: Option<String>,
    book: Book,
    keyring: signing::Keyring,
    /// How the registry's zones that are served were signed, of those that this process has looked at.
    signed: BTreeMap<Name, signing::SignedWith>,
}

/// Zones that may be others than they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Any, and some may be gone.
    All,
    /// These.
    Some(BTreeSet<Name>),
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
        let (mut press, problem) = Press::open(journal);
        let mut problems: Vec<Problem> = problem.map(|what| Problem { zone: None, what }).into_iter().collect();
        let mut serials = press.journal().serials();
        let there = serials.clone();
        // What no state names was never in force; without a state, what has a log was.
        let mut lost: BTreeSet<String> = match (problems.is_empty(), *press.saved() == Saved::default()) {
            (true, false) => BTreeSet::new(),
            (true, true) => press.journal().logged(),
            (false, _) => serials.keys().cloned().collect(),
        };
        let saved = press.saved().zones.clone();
        let zones: Vec<(Name, SavedZone)> = saved.into_iter().filter_map(|(apex, zone)| Some((Name::parse(&apex).ok()?, zone))).collect();
        let journal = press.journal();
        let resumed = parallel::map(zones, |(apex, zone)| {
            let (image, damage) = image::of_snapshot(&apex, &zone, journal);
            let live = image.map_or_else(|| make::resume(&apex, &zone, journal), Ok);
            (apex, zone, live, damage)
        });
        let mut live = BTreeMap::new();
        for (apex, saved, result, damage) in resumed {
            problems.extend(damage.map(|what| Problem { zone: Some(apex.clone()), what }));
            match revived(&mut press, &mut serials, &apex, &saved, result, &mut problems) {
                Some(zone) => _ = live.insert(apex, zone),
                None => lost.extend(missed(&there, &apex)),
            }
        }
        let (set, expired, withheld, upkeeps, images) = (ZoneSet::new(), BTreeSet::new(), BTreeSet::new(), 0, Vec::new());
        let (confirmed_at, touched, of_zones) = (UnixTime(0), Touched::All, BTreeMap::new());
        (
            Self {
                press,
                serials,
                lost,
                live,
                set,
                expired,
                withheld,
                confirmed_at,
                confirmed: BTreeSet::new(),
                touched,
                upkeeps,
                images,
                problems: of_zones,
                export_problem: None,
                book: Book::default(),
                keyring: signing::Keyring::default(),
                signed: BTreeMap::new(),
            },
            problems,
        )
    }

    /// Carries out `plan`: reads the inputs that `scope` names, makes the zones that changed, journals them and hands the new set and the
    /// logs that lead to it to `swap`. Signs on all cores.
    ///
    /// What fails is in the report, and the zone's old version is in the set; where there is none, the set has the zone as unavailable.
    pub fn run(&mut self, plan: &Plan, scope: &Scope, now: UnixTime, swap: impl FnMut(ZoneSet, NameMap<Log>)) -> Report {
        let proposal = self.begin(plan, scope).make(plan, scope, now);
        self.end(proposal, plan, scope, now, swap)
    }

    /// Puts in force what a run proposes, with the orders that came meanwhile; the rest of [`Self::run`].
    pub fn end(
        &mut self,
        proposal: Proposal,
        plan: &Plan,
        scope: &Scope,
        now: UnixTime,
        mut swap: impl FnMut(ZoneSet, NameMap<Log>),
    ) -> Report {
        let Proposal { mut next, alarms } = proposal;
        if *scope == Scope::Start {
            let is_over = |live: &Live| live.saved.as_ref().and_then(|saved| saved.good).is_some_and(|[_, until]| until <= now.0);
            self.expired = plan.secondaries.iter().filter(|apex| self.live.get(apex).is_some_and(is_over)).cloned().collect();
        }
        self.expired.retain(|apex| plan.secondaries.contains(apex));
        next.problems.extend(self.expired.iter().map(|apex| (apex.clone(), put::EXPIRED.to_owned())));
        self.join_orders(&mut next, plan, now);
        self.append(&mut next, now);
        let is_withheld = |(apex, live): &(&Name, &Live)| plan.zonemd(apex) == Zonemd::Require && !live.proven;
        self.withheld = next.live.iter().filter(is_withheld).map(|(apex, _)| apex.clone()).collect();
        for apex in &self.withheld {
            next.problems.entry(apex.clone()).or_insert_with(|| put::UNPROVEN.to_owned());
        }
        if let Err(error) = self.commit(&mut next, plan) {
            let what = format!("the journal in '{}' cannot be written: {error}", self.press.journal().folder().display());
            if next.report.published.is_empty() {
                let what = format!("nothing is published, {what}");
                return Report { problems: vec![Problem { zone: None, what }], is_refused: true, ..Report::default() };
            }
            next.report.problems.push(Problem { zone: None, what });
        }
        let Next { live, problems, export_problem, mut report, register, signed, .. } = next;
        self.signed.retain(|apex, _| live.contains_key(apex));
        // What was taken back is signed as before.
        self.signed.extend(signed.into_iter().filter(|(apex, with)| live.get(apex).is_some_and(|live| live.signing == with.digest())));

        report.removed = self.live.keys().filter(|apex| !live.contains_key(apex)).cloned().collect();
        let of_registry = zones_of(self.press.saved().compiled.as_ref());
        let apexes = plan.apexes().cloned().chain(of_registry);
        let mut set = ZoneSet::new();
        for apex in apexes {
            match live.get(&apex).filter(|_| self.is_good(&apex)) {
                Some(live) => set.insert(Arc::clone(&live.zone)),
                None => set.insert_unavailable(apex.as_ref()),
            }
        }
        self.press.keep(|apex| live.contains_key(apex));
        self.set = set;
        swap(self.set.clone(), self.press.logs());
        // What the timer met before is not news.
        let is_news = |apex: &Name, what: &String| !scope.is_by_itself() || self.problems.get(apex) != Some(what);
        let news = problems.iter().filter(|(apex, what)| is_news(apex, what));
        report.problems.extend(news.map(|(apex, what)| Problem { zone: Some(apex.clone()), what: what.clone() }));
        // A zone that comes back one day, or is signed here again, goes on from the serial it had.
        let gone_back =
            report.published.iter().filter(|zone| zone.from.is_some_and(|from| from.is_newer_than(zone.to))).map(|zone| &zone.apex);
        for apex in report.removed.iter().chain(gone_back) {
            let Some(serial) = self.live.get(apex).map(|live| live.zone.serial()) else { continue };
            let known = self.serials.entry(stem(apex.as_ref())).or_insert(serial);
            *known = newer(*known, serial);
        }
        for apex in report.removed.iter().filter(|apex| self.press.saved().parked.get(&key(apex)).is_some_and(|saved| saved.changed)) {
            let serial = self.live[apex].zone.serial();
            report
                .warnings
                .push(format!("[{apex}] what clients have made of it, serial {serial}, is kept, and is there again with the zone"));
        }
        self.live = live;
        self.touched = Touched::All;
        self.problems = problems;
        self.export_problem = export_problem;
        self.trim(&mut report);
        if let Some(register) = register {
            self.book.set_register(register);
        }
        report.warnings.extend(alarms);
        // What is of a deposit may have come from a time before orders, and so may what was read back.
        let carried = if scope.is_by_itself() { self.carry_out(plan, [], now, swap) } else { self.carry_out_all(plan, now, swap) };
        report.published.extend(carried.published);
        report.problems.extend(carried.problems);
        let changed: BTreeSet<&Name> = report.published.iter().map(|zone| &zone.apex).collect();
        report.n_kept = self.live.keys().filter(|apex| !changed.contains(apex)).count();
        report
    }

    /// Brings back the zones from files that were served once and then were not; says what of them could not be brought back.
    fn revive(&mut self, plan: &Plan) -> Vec<Problem> {
        let mut problems = Vec::new();
        let parked = &self.press.saved().parked;
        let files = plan.files.iter().map(|file| &file.apex).filter(|apex| !parked.is_empty() && !self.live.contains_key(*apex));
        let back: Vec<(Name, SavedZone)> = files.filter_map(|apex| Some((apex.clone(), parked.get(&key(apex))?.clone()))).collect();
        if back.is_empty() {
            return problems;
        }
        let there = self.press.journal().serials();
        for (apex, saved) in back {
            let snapshot = make::resume(&apex, &saved, self.press.journal());
            let zone = revived(&mut self.press, &mut self.serials, &apex, &saved, snapshot, &mut problems);
            match zone {
                Some(zone) => _ = self.live.insert(apex, zone),
                None => self.lost.extend(missed(&there, &apex)),
            }
        }
        problems
    }

    /// True if nothing keeps a zone that is known from being served.
    fn is_good(&self, apex: &Name) -> bool {
        !self.expired.contains(apex) && !self.withheld.contains(apex)
    }

    /// Writes the changes to the logs: they are in force then. A zone whose change cannot be written stays as it was.
    fn append(&mut self, next: &mut Next, now: UnixTime) {
        let steps = std::mem::take(&mut next.steps);
        // Children come before their parent: no DS goes out before its key.
        let mut steps: Vec<(Name, Option<Diff>)> = steps.into_iter().collect();
        steps.sort_by_key(|(apex, _)| std::cmp::Reverse(apex.as_ref().label_count()));
        let mut lost: Vec<Name> = Vec::new();
        for (apex, change) in steps {
            let is_of = |child: &Name| child.as_ref().is_at_or_below(apex.as_ref()) && self.changes_ds(next, child);
            let result = match (lost.iter().find(|child| is_of(child)), change) {
                (Some(child), _) => Err(format!("its child '{child}', whose keys change, cannot be published")),
                (None, Some(change)) => self.press.append(&apex, &change, now),
                (None, None) => {
                    next.whole.push(apex.clone());
                    Ok(())
                }
            };
            if let Err(what) = result {
                next.take_back(&apex, self.live.get(&apex), &what);
                lost.push(apex);
            }
        }
    }

    /// True if the parent of the zone would have other DS records with what was made of it than with what is served.
    fn changes_ds(&self, next: &Next, apex: &Name) -> bool {
        next.lost_ds.contains(apex) || self.live.get(apex).map(|live| &live.ds) != next.live.get(apex).map(|live| &live.ds)
    }

    /// Writes the state. Where that fails, zones that would have come as a whole stay as they were.
    fn commit(&mut self, next: &mut Next, plan: &Plan) -> std::io::Result<()> {
        let whole: Vec<(Name, Serial)> =
            next.whole.iter().filter_map(|apex| Some((apex.clone(), next.live.get(apex)?.zone.serial()))).collect();
        let mut zones: BTreeMap<_, _> = next.live.iter().filter_map(|(apex, live)| Some((key(apex), live.saved.clone()?))).collect();
        let before = self.press.saved();
        // What is lost stays so, until it is brought back or given up by hand.
        let lost = plan.files.iter().filter(|file| file.is_dynamic && !next.live.contains_key(&file.apex)).filter_map(|file| {
            let stem = stem(file.apex.as_ref());
            let serial = self.serials.get(&stem).filter(|_| self.lost.contains(&stem))?.0;
            let unread =
                || SavedZone { serial, made: serial, changed: true, file: format!("{stem}.{serial}.snapshot"), ..SavedZone::default() };
            Some((key(&file.apex), before.zones.get(&key(&file.apex)).cloned().unwrap_or_else(unread)))
        });
        zones.extend(lost.collect::<Vec<_>>());
        let mut parked = before.parked.clone();
        let of_registry: BTreeSet<Name> = zones_of(before.compiled.as_ref()).collect();
        // What a primary or an export has is had from there again.
        let gone = self.live.iter().filter(|(apex, _)| !next.live.contains_key(*apex) && !of_registry.contains(*apex));
        let gone = gone.filter_map(|(apex, live)| Some((key(apex), live.saved.clone().filter(|saved| saved.good.is_none())?)));
        parked.extend(gone);
        // Nor is what was here before one begins to have it.
        let secondaries: BTreeSet<String> = plan.secondaries.iter().map(key).collect();
        parked.retain(|apex, _| !zones.contains_key(apex) && !secondaries.contains(apex));
        let saved = Saved { compiled: next.compiled.clone(), zones, parked };
        match self.press.commit(saved, &whole) {
            Ok(problems) => {
                let problem =
                    |(apex, what)| Problem { zone: Some(apex), what: format!("{what}; until it is made anew, its changes cannot be kept") };
                next.report.problems.extend(problems.into_iter().map(problem));
                Ok(())
            }
            Err(error) => {
                for apex in std::mem::take(&mut next.whole) {
                    next.take_back(&apex, self.live.get(&apex), "the state cannot be written");
                }
                Err(error)
            }
        }
    }

    /// Shortens logs that are too long.
    fn trim(&mut self, report: &mut Report) {
        for Published { apex, .. } in &report.published {
            let Some(live) = self.live.get(apex) else { continue };
            if let Err(error) = self.press.trim(apex, live.zone.size() as u64) {
                report.warnings.push(format!("[{apex}] {error}"));
            }
        }
    }

    /// The zones that were put in since this was last asked.
    pub fn take_touched(&mut self) -> Touched {
        std::mem::replace(&mut self.touched, Touched::Some(BTreeSet::new()))
    }

    fn touch(&mut self, apex: &Name) {
        if let Touched::Some(zones) = &mut self.touched {
            zones.insert(apex.clone());
        }
    }

    /// What is known of these zones.
    pub fn live_of<'a>(&'a self, touched: &'a Touched) -> Box<dyn Iterator<Item = &'a Live> + 'a> {
        match touched {
            Touched::All => Box::new(self.live.values()),
            Touched::Some(zones) => Box::new(zones.iter().filter_map(|apex| self.live.get(apex))),
        }
    }

    /// Those of these zones of which an image should be written now, each given out once; and where any may be gone, the [stems](stem) of all zones
    /// that are served, to know the images of others by.
    pub fn due_images(&mut self, touched: &Touched) -> (Vec<ImageJob>, Option<BTreeSet<String>>) {
        let mut jobs: Vec<ImageJob> = match touched {
            Touched::All => self.live.values_mut().filter_map(ImageJob::of).collect(),
            Touched::Some(zones) => zones.iter().filter_map(|apex| self.live.get_mut(apex).and_then(ImageJob::of)).collect(),
        };
        jobs.append(&mut self.images);
        // A zone that cannot be served today may fit its image tomorrow.
        let all = || self.live.keys().chain(self.problems.keys()).map(|apex| stem(apex.as_ref())).collect();
        (jobs, (*touched == Touched::All).then(all))
    }

    /// The folder of images.
    pub fn images(&self) -> Images {
        self.press.journal().images()
    }

    /// What is served, by apex.
    pub fn live(&self) -> &BTreeMap<Name, Live> {
        &self.live
    }

    /// What is not served as asked for, with the reason.
    pub fn problems(&self) -> &BTreeMap<Name, String> {
        &self.problems
    }

    /// True for a zone that is answered from.
    pub fn is_served(&self, apex: &Name) -> bool {
        self.live.contains_key(apex) && self.is_good(apex)
    }

    /// True for a zone that is no longer good.
    pub fn is_expired(&self, apex: &Name) -> bool {
        self.expired.contains(apex)
    }

    /// What is to be answered from, and the logs of changes.
    pub fn served(&self) -> (ZoneSet, NameMap<Log>) {
        (self.set.clone(), self.press.logs())
    }

    /// Removes all that is kept of zones that are not served any more: the names may be those of other zones one day.
    pub fn erase(&mut self, apexes: &BTreeSet<Name>) {
        let gone: Vec<&Name> = apexes.iter().filter(|apex| !self.live.contains_key(*apex)).collect();
        gone.iter().for_each(|apex| _ = self.serials.remove(&stem(apex.as_ref())));
        self.press.journal().erase(&gone);
    }

    /// Why the newest export is not what is served.
    pub fn export_problem(&self) -> Option<&str> {
        self.export_problem.as_deref()
    }

    /// The account of the last compile.
    pub fn compiled(&self) -> Option<&Compiled> {
        self.press.saved().compiled.as_ref()
    }
}

/// A zone from its snapshot and the changes in its log; `None` and why, where it cannot be had so and has to be made anew.
fn revived(
    press: &mut Press,
    serials: &mut BTreeMap<String, Serial>,
    apex: &Name,
    saved: &SavedZone,
    snapshot: Result<Live, String>,
    problems: &mut Vec<Problem>,
) -> Option<Live> {
    let problem = |what| Problem { zone: Some(apex.clone()), what };
    let (log, last) = match press.resume(apex, saved) {
        Ok(resumed) => (Ok(resumed), None),
        Err(lost) => (Err(lost.what), lost.last),
    };
    let result = snapshot.and_then(|zone| {
        let Resumed { change, n_cut } = log?;
        if n_cut > 0 {
            problems.push(problem(format!("{n_cut} octets of a change that was never in force are cut off its log")));
        }
        change.map_or(Ok(zone.clone()), |change| zone.resumed(&change))
    });
    match result {
        Ok(zone) => Some(zone),
        Err(what) => {
            // The state knows the serial also when the snapshot that bears it is gone, and the log what was published since.
            let last = newer(Serial(saved.made), last.or(press.last_serial(apex)).unwrap_or(Serial(saved.serial)));
            let known = serials.entry(stem(apex.as_ref())).or_insert(Serial(saved.made));
            *known = newer(*known, last);
            let aside = press.forget(apex).map(|path| format!(", its log of changes is put aside as '{}'", path.display()));
            problems.push(problem(format!("{what}, the zone is made anew{}", aside.unwrap_or_default())));
            None
        }
    }
}

/// The [`stem`] of a zone that cannot be read back, unless its snapshots were taken away: who does that wants it made anew.
fn missed(there: &BTreeMap<String, Serial>, apex: &Name) -> Option<String> {
    Some(stem(apex.as_ref())).filter(|stem| there.contains_key(stem))
}

fn newer(a: Serial, b: Serial) -> Serial {
    if a.is_newer_than(b) { a } else { b }
}

fn zones_of(compiled: Option<&Compiled>) -> impl Iterator<Item = Name> {
    compiled.into_iter().flat_map(|compiled| &compiled.zones).filter_map(|apex| Name::parse(apex).ok())
}
