//! A zone's life from input to published: read or compiled, signed, saved, swapped in.
//!
//! Whatever goes wrong with one input leaves what is served of it as it was, and is reported. Knows no TOML, no socket and no
//! query; reads master files, exports, keys; writes keys and the journal.

mod content;
mod decide;
pub mod keys;
mod make;
mod plan;
mod registry;
mod signing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::compile::Ttls;
use crate::dns::master;
use crate::dns::{Name, Records, Rtype, Serial, UnixTime};
use crate::journal::{Compiled, Journal, Saved, stem};
use crate::publish;
use crate::zone::ZoneSet;

use make::{Job, Made};

pub use decide::{Why, dated_serial, edited_serial};
pub use make::{Live, MakeError};
pub use plan::{FilePlan, Plan, RegistryPlan, Scope};

/// All zones of the server with what they were made from.
pub struct Pipeline {
    journal: Journal,
    saved: Saved,
    /// Serials of snapshots whose state was lost.
    serials: BTreeMap<String, Serial>,
    live: BTreeMap<Name, Live>,
    /// Zones of the plan that are not served, and zones served in an older version than asked for, with the reason.
    problems: BTreeMap<Name, String>,
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
    /// What an operator should look at in the export and the orders.
    pub notes: Vec<String>,
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
        let serials = journal.serials();
        let zones: Vec<(Name, _)> = saved.zones.iter().filter_map(|(apex, zone)| Some((Name::parse(apex).ok()?, zone))).collect();
        let resumed = in_parallel(zones, |(apex, zone)| {
            let live = make::resume(&apex, zone, &journal);
            (apex, live)
        });
        let mut live = BTreeMap::new();
        for (apex, result) in resumed {
            match result {
                Ok(zone) => {
                    live.insert(apex, zone);
                }
                Err(what) => {
                    saved.zones.remove(&key(&apex));
                    problems.push(Problem { zone: Some(apex), what: format!("{what}, the zone is made anew") });
                }
            }
        }
        (Self { journal, saved, serials, live, problems: BTreeMap::new() }, problems)
    }

    /// Carries out `plan`: reads the inputs that `scope` names, makes the zones that changed, journals them and hands the new set to
    /// `swap`, once. Signs on all cores.
    ///
    /// What fails is in the report, and the zone's old version is in the set; where there is none, the set has the zone as unavailable.
    pub fn run(&mut self, plan: &Plan, scope: &Scope, now: UnixTime, swap: impl FnOnce(ZoneSet)) -> Report {
        let mut report = Report::default();
        let mut next = self.live.clone();
        let mut problems = match scope {
            Scope::All => BTreeMap::new(),
            Scope::Zone(_) | Scope::Timer => self.problems.clone(),
        };
        let mut compiled = self.saved.compiled.clone();
        match &plan.registry {
            Some(registry) => {
                let export = self.export(registry, scope, now, &mut report);
                self.make_registry(plan, registry, export, now, &mut next, &mut compiled, &mut problems, &mut report);
            }
            None => compiled = None,
        }
        let of_registry: BTreeSet<Name> = zones_of(compiled.as_ref()).collect();
        self.make_files(plan, scope, &of_registry, now, &mut next, &mut problems, &mut report);

        let planned: BTreeSet<&Name> = plan.files.iter().map(|file| &file.apex).chain(&of_registry).collect();
        next.retain(|apex, _| planned.contains(apex));
        problems.retain(|apex, _| planned.contains(apex));
        report.removed = self.live.keys().filter(|apex| !next.contains_key(apex)).cloned().collect();
        let mut set = ZoneSet::new();
        for apex in planned {
            match next.get(apex) {
                Some(live) => set.insert(std::sync::Arc::clone(&live.zone)),
                None => set.insert_unavailable(apex.clone()),
            }
        }
        let zones = next.iter().filter_map(|(apex, live)| Some((key(apex), live.saved.clone()?))).collect();
        let saved = Saved { compiled, zones };
        match publish::publish(&self.journal, &mut self.saved, saved, || swap(set)) {
            Ok(()) => {
                report.n_kept = next.len() - report.published.len();
                // What the timer met before is not news.
                let is_news = |apex: &Name, what: &String| *scope != Scope::Timer || self.problems.get(apex) != Some(what);
                let news = problems.iter().filter(|(apex, what)| is_news(apex, what));
                report.problems.extend(news.map(|(apex, what)| Problem { zone: Some(apex.clone()), what: what.clone() }));
                self.live = next;
                self.problems = problems;
            }
            Err(error) => {
                report.published.clear();
                report.removed.clear();
                let folder = self.journal.folder().display();
                let what = format!("nothing is published, the journal in '{folder}' cannot be written: {error}");
                report.problems.push(Problem { zone: None, what });
            }
        }
        report
    }

    /// What is served, by apex.
    pub fn live(&self) -> &BTreeMap<Name, Live> {
        &self.live
    }

    /// What is not served as asked for, with the reason.
    pub fn problems(&self) -> &BTreeMap<Name, String> {
        &self.problems
    }

    /// The account of the last compile.
    pub fn compiled(&self) -> Option<&Compiled> {
        self.saved.compiled.as_ref()
    }

    /// The export's content, if it has to be looked at and is not what the zones were made from.
    fn export(&self, plan: &RegistryPlan, scope: &Scope, now: UnixTime, report: &mut Report) -> Option<registry::Export> {
        let complete = self.saved.compiled.is_some() && zones_of(self.saved.compiled.as_ref()).all(|apex| self.live.contains_key(&apex));
        let asked = match scope {
            Scope::All => true,
            Scope::Zone(apex) => zones_of(self.saved.compiled.as_ref()).any(|other| other == *apex),
            Scope::Timer => !plan.at_watermark && complete,
        };
        if !asked {
            return None;
        }
        let result = registry::inputs(plan, now).and_then(|inputs| {
            let applied = self.saved.compiled.as_ref();
            let same = applied.is_some_and(|compiled| compiled.inputs == inputs.digest);
            if complete && same { Ok(None) } else { registry::compile(plan, inputs, now, applied, &self.live).map(Some) }
        });
        result.unwrap_or_else(|what| {
            let what = format!(
                "the export is refused, {}: {what}",
                if self.saved.compiled.is_some() { "what is served stays" } else { "there is nothing to serve of it" }
            );
            report.problems.push(Problem { zone: None, what });
            None
        })
    }

    /// Makes the registry's zones: children first, then the parent with the DS records of what its children serve.
    #[allow(clippy::too_many_arguments)]
    fn make_registry(
        &self,
        plan: &Plan,
        registry: &RegistryPlan,
        export: Option<registry::Export>,
        now: UnixTime,
        next: &mut BTreeMap<Name, Live>,
        compiled: &mut Option<Compiled>,
        problems: &mut BTreeMap<Name, String>,
        report: &mut Report,
    ) {
        let mut contents: BTreeMap<Name, Records> = BTreeMap::new();
        if let Some(export) = export {
            report.compiled = true;
            report.notes = export.notes;
            *compiled = Some(export.account);
            contents.extend(export.zones);
        }
        let apexes: Vec<Name> = zones_of(compiled.as_ref()).collect();
        let Some(parent) = apexes.iter().min_by_key(|apex| apex.as_ref().label_count()).cloned() else { return };
        let children: Vec<(Name, Option<Records>)> =
            apexes.iter().filter(|apex| **apex != parent).map(|apex| (apex.clone(), contents.remove(apex))).collect();
        let threads = if children.len() < cores() { 0 } else { 1 };
        let made = in_parallel(children, |(apex, content)| {
            let result = self.make_one(plan, &apex, content, true, registry.policy.as_ref(), registry.rsa_bits, threads, now);
            (apex, result)
        });
        for (apex, result) in made {
            self.take(apex, result, next, problems, report);
        }
        let ds = |live: &BTreeMap<Name, Live>| -> BTreeMap<Name, Vec<Vec<u8>>> {
            apexes.iter().filter(|apex| **apex != parent).filter_map(|apex| Some((apex.clone(), live.get(apex)?.ds.clone()))).collect()
        };
        let wanted = ds(next);
        let content = match (contents.remove(&parent), self.live.get(&parent)) {
            (Some(content), _) => Some(content),
            // The export is the same, but a child has other keys.
            (None, Some(live)) if wanted != ds(&self.live) => {
                let mut records = live.zone.records();
                content::strip(&mut records, parent.as_ref());
                Some(records)
            }
            (None, _) => None,
        };
        let content = content.map(|records| with_ds(records, &wanted));
        let result = match content.transpose() {
            Ok(content) => self.make_one(plan, &parent, content, true, registry.policy.as_ref(), registry.rsa_bits, 0, now),
            Err(error) => Err(error.to_string()),
        };
        self.take(parent, result, next, problems, report);
    }

    #[allow(clippy::too_many_arguments)]
    fn make_files(
        &self,
        plan: &Plan,
        scope: &Scope,
        of_registry: &BTreeSet<Name>,
        now: UnixTime,
        next: &mut BTreeMap<Name, Live>,
        problems: &mut BTreeMap<Name, String>,
        report: &mut Report,
    ) {
        let threads = if plan.files.len() < cores() { 0 } else { 1 };
        let made = in_parallel(plan.files.iter().collect(), |file: &FilePlan| {
            if of_registry.contains(&file.apex) {
                let what = "the zone is one of the registry's, its [[zone]] is left out: remove it".to_owned();
                return (file.apex.clone(), Some(Err(what)));
            }
            let asked = match scope {
                Scope::All => true,
                Scope::Zone(apex) => *apex == file.apex,
                Scope::Timer => self.live.get(&file.apex).and_then(|live| live.refresh_at).is_some_and(|at| at <= now),
            };
            if !asked {
                return (file.apex.clone(), None);
            }
            let content = match scope {
                Scope::Timer => Ok(None),
                Scope::All | Scope::Zone(_) => {
                    master::read_file(&file.file, file.apex.as_ref()).map(Some).map_err(|error| error.to_string())
                }
            };
            let result = content
                .and_then(|content| self.make_one(plan, &file.apex, content, false, file.policy.as_ref(), file.rsa_bits, threads, now));
            (file.apex.clone(), Some(result))
        });
        for (apex, result) in made {
            if let Some(result) = result {
                self.take(apex, result, next, problems, report);
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn make_one(
        &self,
        plan: &Plan,
        apex: &Name,
        content: Option<Records>,
        dated: bool,
        policy: Option<&crate::sign::Policy>,
        rsa_bits: u32,
        threads: usize,
        now: UnixTime,
    ) -> Result<Option<Made>, String> {
        let before = self.live.get(apex);
        if content.is_none() && before.is_none() {
            return Err("there is nothing to serve of the zone".into());
        }
        let signing = policy.map(|policy| signing::signing(&plan.keys, apex, policy, rsa_bits, threads, now)).transpose()?;
        let last_serial = self.serials.get(&stem(apex.as_ref())).copied();
        let job = Job { apex: apex.clone(), content, before, last_serial, dated, signing };
        make::make(job, &self.journal, now).map_err(|error| error.to_string())
    }

    /// Takes over what was made of a zone.
    fn take(
        &self,
        apex: Name,
        result: Result<Option<Made>, String>,
        next: &mut BTreeMap<Name, Live>,
        problems: &mut BTreeMap<Name, String>,
        report: &mut Report,
    ) {
        match result {
            Ok(made) => {
                problems.remove(&apex);
                let Some(Made { live, why }) = made else { return };
                let from = self.live.get(&apex).map(|before| before.zone.serial());
                let to = live.zone.serial();
                if let Some(from) = from
                    && live.saved.is_none()
                    && !to.is_newer_than(from)
                {
                    let what =
                        format!("the content changed and the serial did not move forward ({from} -> {to}): secondaries will not notice");
                    report.problems.push(Problem { zone: Some(apex.clone()), what });
                }
                let counts = live.zone.counts();
                report.published.push(Published {
                    apex: apex.clone(),
                    from,
                    to,
                    why,
                    n_records: counts.records,
                    n_signatures: counts.signatures,
                });
                next.insert(apex, live);
            }
            Err(what) => {
                let stays = if next.contains_key(&apex) { "the zone served before stays" } else { "queries get SERVFAIL" };
                problems.insert(apex, format!("{what}; {stays}"));
            }
        }
    }
}

/// Puts exactly the DS records `wanted` at the delegations to zones that are ours.
fn with_ds(mut records: Records, wanted: &BTreeMap<Name, Vec<Vec<u8>>>) -> Result<Records, crate::dns::records::Full> {
    records.retain(|record| record.rtype != Rtype::DS || !wanted.contains_key(&record.owner.to_owned()));
    let ttl = Ttls::default().ds;
    for (apex, ds) in wanted {
        for rdata in ds {
            records.push(apex.as_ref(), Rtype::DS, ttl, rdata)?;
        }
    }
    Ok(records)
}

fn zones_of(compiled: Option<&Compiled>) -> impl Iterator<Item = Name> {
    compiled.into_iter().flat_map(|compiled| &compiled.zones).filter_map(|apex| Name::parse(apex).ok())
}

/// The apex as the state names it.
fn key(apex: &Name) -> String {
    apex.as_ref().to_lowercase().to_string()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Works `items` off on all cores; results in the order of the items.
fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let n = items.len();
    let items: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let results: Vec<Mutex<Option<R>>> = (0..n).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..cores().min(n) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(slot) = items.get(i) else { return };
                    let item = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(item) = item {
                        *results[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(work(item));
                    }
                }
            });
        }
    });
    results.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}
