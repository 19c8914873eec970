//! One run over the plan: what every zone is made from, in which order, and what stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::make::{Job, Made, Serials};
use super::proposal::View;
use super::signing::{Past, SignedWith};
use super::{CatalogPlan, FilePlan, Live, Plan, Problem, Published, RegistryPlan, Report, Scope};
use super::{Why, Zonemd, content, cores, image, make, registry, signing, zones_of};
use crate::compile::{Register, Ttls};
use crate::disk::Stamp;
use crate::dns::records::Full;
use crate::dns::{Name, Records, Rtype, UnixTime, master};
use crate::journal::{Compiled, SavedZone, stem};
use crate::parallel;
use crate::publish;
use crate::sign;
use crate::transfer::catalog;
use crate::zone::Diff;

/// A run at work. It goes by what was there when it began; what comes of it is [`Next`].
pub struct Run<'a> {
    view: &'a View,
    plan: &'a Plan,
    scope: &'a Scope,
    now: UnixTime,
    next: Next,
    /// What an operator should know of zones that were made or kept, and of which.
    notes: BTreeMap<String, Vec<Name>>,
    /// How the registry's zones were signed, or would be.
    signed: Mutex<BTreeMap<Name, SignedWith>>,
}

/// What came of a zone that may have had to be made: the zone, if it changed, and what an operator should know.
type Outcome = Result<(Option<Made>, Vec<String>), String>;

/// What is to be in force after a run.
pub struct Next {
    /// The zones.
    pub live: BTreeMap<Name, Live>,
    /// The account of the export they come from.
    pub compiled: Option<Compiled>,
    /// What is not served as asked for.
    pub problems: BTreeMap<Name, String>,
    /// Why the newest export is not served.
    pub export_problem: Option<String>,
    /// What was done.
    pub report: Report,
    /// Zones that were made and are to be kept: what leads to each from the version before, where it is not saved as a whole.
    pub steps: BTreeMap<Name, Option<Diff>>,
    /// Those of them that are saved as a whole.
    pub whole: Vec<Name>,
    /// Zones that were taken back, with other keys than are served.
    pub lost_ds: BTreeSet<Name>,
    /// What the registry has, where it was read.
    pub register: Option<Arc<Register>>,
    /// How the registry's zones were signed, whether they had to be or not.
    pub signed: BTreeMap<Name, SignedWith>,
}

impl Next {
    /// Puts what is served back in the place of what was made of a zone.
    pub fn take_back(&mut self, apex: &Name, before: Option<&Live>, why: &str) {
        let made = self.live.remove(apex);
        if made.map(|made| made.ds) != before.map(|before| before.ds.clone()) {
            self.lost_ds.insert(apex.clone());
        }
        self.live.extend(before.map(|before| (apex.clone(), before.clone())));
        self.report.published.retain(|published| published.apex != *apex);
        let stays = if before.is_some() { "the zone served before stays" } else { "queries get SERVFAIL" };
        self.problems.insert(apex.clone(), format!("{why}; {stays}"));
        // What could not be published of this export is tried again at the next occasion.
        if let Some(compiled) = self.compiled.as_mut().filter(|compiled| zones_of(Some(compiled)).any(|zone| zone == *apex)) {
            compiled.inputs.clear();
        }
    }
}

/// A zone that may have to be made.
struct Task<'a> {
    apex: Name,
    /// `None` = its input did not change.
    content: Option<Records>,
    /// Whose its serials are.
    serials: Serials,
    /// Its versions are kept.
    is_kept: bool,
    policy: Option<&'a sign::Policy>,
    rsa_bits: u32,
    threads: usize,
}

impl<'a> Run<'a> {
    /// Begins with everything as it is.
    pub fn new(view: &'a View, plan: &'a Plan, scope: &'a Scope, now: UnixTime) -> Self {
        let problems = match scope {
            Scope::Start | Scope::All => BTreeMap::new(),
            Scope::Zone(_) | Scope::Members | Scope::Timer => view.problems.clone(),
        };
        let next = Next {
            live: view.live.clone(),
            compiled: view.compiled.clone().filter(|_| plan.registry.is_some()),
            problems,
            export_problem: view.export_problem.clone().filter(|_| plan.registry.is_some()),
            report: Report::default(),
            steps: BTreeMap::new(),
            whole: Vec::new(),
            lost_ds: BTreeSet::new(),
            register: None,
            signed: BTreeMap::new(),
        };
        Self { view, plan, scope, now, next, notes: BTreeMap::new(), signed: Mutex::default() }
    }

    /// Makes the registry's zones: children first, then the parent with the DS records of what its children serve.
    pub fn make_registry(&mut self) {
        let Some(registry) = &self.plan.registry else { return };
        let mut contents: BTreeMap<Name, Records> = BTreeMap::new();
        if let Some(export) = self.export(registry) {
            self.next.report.compiled = true;
            self.next.report.notes = export.notes;
            self.next.register = Some(export.register);
            self.next.compiled = Some(export.account);
            contents.extend(export.zones);
        }
        let apexes: Vec<Name> = zones_of(self.next.compiled.as_ref()).collect();
        let Some(parent) = apexes.iter().min_by_key(|apex| apex.as_ref().label_count()).cloned() else { return };
        let children: Vec<Name> = apexes.into_iter().filter(|apex| *apex != parent).collect();
        let threads = if children.len() < cores() { 0 } else { 1 };
        let (policy, rsa_bits) = (registry.policy.as_ref(), registry.rsa_bits);
        let tasks = children.iter().map(|apex| {
            let content = contents.remove(apex);
            Task { apex: apex.clone(), content, serials: Serials::Dated, is_kept: true, policy, rsa_bits, threads }
        });
        let made = parallel::map(tasks.collect(), |task: Task<'_>| (task.apex.clone(), self.make(task)));
        let mut all_made = made.iter().all(|(_, result)| result.is_ok());
        for (apex, result) in made {
            self.take(apex, result);
        }
        let result = self.parent_content(&parent, &children, contents.remove(&parent)).and_then(|content| {
            self.make(Task { apex: parent.clone(), content, serials: Serials::Dated, is_kept: true, policy, rsa_bits, threads: 0 })
        });
        all_made &= result.is_ok();
        self.take(parent, result);
        // What could not be made of this export is tried again at the next occasion.
        if let Some(compiled) = self.next.compiled.as_mut().filter(|_| !all_made) {
            compiled.inputs.clear();
        }
    }

    /// The export's content, if it has to be looked at and is not what the zones were made from.
    fn export(&mut self, plan: &RegistryPlan) -> Option<registry::Export> {
        let applied = self.view.compiled.as_ref();
        let live = &self.view.live;
        let complete = applied.is_some() && zones_of(applied).all(|apex| live.contains_key(&apex));
        let asked = match self.scope {
            Scope::Start | Scope::All => true,
            Scope::Zone(apex) => zones_of(applied).any(|other| other == *apex),
            Scope::Members => false,
            Scope::Timer => !plan.at_watermark && complete,
        };
        if !asked {
            return None;
        }
        let result = registry::inputs(plan, self.now).and_then(|inputs| {
            if *self.scope != Scope::Timer {
                self.next.report.warnings.extend(inputs.passed_over.iter().cloned());
            }
            let same = applied.is_some_and(|compiled| compiled.inputs == inputs.digest);
            let orders = self.view.orders.as_ref().map_err(Clone::clone)?;
            if complete && same { Ok(None) } else { registry::compile(plan, inputs, orders, self.now, applied, live).map(Some) }
        });
        match result {
            Ok(export) => {
                self.next.export_problem = None;
                export
            }
            Err(what) => {
                let stays = if applied.is_some() { "what is served stays" } else { "there is nothing to serve of it" };
                let what = format!("the export is refused, {stays}: {what}");
                if *self.scope != Scope::Timer || self.next.export_problem.as_ref() != Some(&what) {
                    self.next.report.problems.push(Problem { zone: None, what: what.clone() });
                }
                self.next.export_problem = Some(what);
                None
            }
        }
    }

    /// What the parent is made from: the export's content, or what is served when only a child's keys changed; with the children's DS.
    fn parent_content(&self, parent: &Name, children: &[Name], fresh: Option<Records>) -> Result<Option<Records>, String> {
        let ds = |live: &BTreeMap<Name, Live>| -> BTreeMap<Name, Vec<Vec<u8>>> {
            children.iter().filter_map(|apex| Some((apex.clone(), live.get(apex)?.ds.clone()))).collect()
        };
        let wanted = ds(&self.next.live);
        let records = match (fresh, self.view.live.get(parent)) {
            (Some(records), _) => records,
            (None, Some(live)) if wanted != ds(&self.view.live) => {
                let mut records = live.zone.records();
                content::strip(&mut records, parent.as_ref());
                content::strip_digest(&mut records, parent.as_ref());
                records
            }
            (None, _) => return Ok(None),
        };
        with_ds(records, &wanted).map(Some).map_err(|error| error.to_string())
    }

    /// Makes the zones from master files.
    pub fn make_files(&mut self) {
        let of_registry: BTreeSet<Name> = zones_of(self.next.compiled.as_ref()).collect();
        let threads = if self.plan.files.len() < cores() { 0 } else { 1 };
        let made = parallel::map(self.plan.files.iter().collect(), |file: &FilePlan| {
            let result = if of_registry.contains(&file.apex) { Some(Err(IS_REGISTRYS.to_owned())) } else { self.make_file(file, threads) };
            (file.apex.clone(), result)
        });
        for (apex, result) in made {
            if let Some(result) = result {
                self.take(apex, result);
            }
        }
    }

    /// Makes the catalogs of what is served here: after all others, for the zones of the registry are known then.
    pub fn make_catalogs(&mut self) {
        for catalog in &self.plan.catalogs {
            let result = self.make_catalog(catalog);
            self.take(catalog.apex.clone(), result);
        }
    }

    fn make_catalog(&self, CatalogPlan { apex, members, registry }: &CatalogPlan) -> Outcome {
        let mut members = members.clone();
        if zones_of(self.next.compiled.as_ref()).any(|zone| zone == *apex) {
            return Err(IS_REGISTRYS.into());
        }
        if let Some(properties) = registry {
            // Who follows the catalog would lose them.
            let compiled =
                self.next.compiled.as_ref().ok_or("which zones the registry has is not known: there is no export that was compiled")?;
            members.extend(zones_of(Some(compiled)).map(|zone| (zone, properties.clone())));
        }
        let content = Some(catalog::write(apex.as_ref(), &members).map_err(|error| error.to_string())?);
        self.make(Task { apex: apex.clone(), content, serials: Serials::Dated, is_kept: true, policy: None, rsa_bits: 0, threads: 1 })
    }

    /// `None` when the zone is not asked for.
    fn make_file(&self, file: &FilePlan, threads: usize) -> Option<Outcome> {
        let mut damage = None;
        let before = self.view.live.get(&file.apex);
        let is_changed = before.and_then(|before| before.saved.as_ref()).is_some_and(|saved| saved.changed);
        let is_kept = file.policy.is_some() || file.is_kept || file.is_dynamic || is_changed;
        let zonemd = self.plan.zonemd(&file.apex);
        if *self.scope == Scope::Start && !is_kept {
            let (live, what) = image::of_files(file, &self.view.journal);
            if let Some(live) = live.filter(|live| zonemd == Zonemd::Off || live.proven) {
                let notes = live.notes.clone();
                return Some(Ok((Some(Made { live, why: Why::Image, change: None }), notes)));
            }
            damage = what;
        }
        let (mut files, mut judged) = (Vec::new(), None);
        let content = match self.scope {
            Scope::Members => return None,
            Scope::Zone(apex) if *apex != file.apex => return None,
            // What clients have changed is in no file.
            Scope::Start | Scope::All | Scope::Zone(_) if file.is_dynamic && is_changed => None,
            Scope::Start | Scope::All | Scope::Zone(_) if file.is_dynamic && before.is_none() && self.is_lost(&file.apex) => {
                return Some(Err(format!(
                    "its versions cannot be read back, and '{}' is older: bring back the state from a backup, or, to go on from the file, remove \
                     '{}/zones/{}.*.snapshot' and start again",
                    file.file.display(),
                    &self.view.journal.folder().display(),
                    stem(file.apex.as_ref()),
                )));
            }
            Scope::Start if before.is_some_and(|before| image::still_fit(&before.files, file) && is_known(file, before, zonemd)) => None,
            Scope::Start | Scope::All | Scope::Zone(_) => {
                if !is_kept
                    && zonemd == Zonemd::Off
                    && let Some((made, stamp)) = make::from_file(&file.file, file.apex.as_ref(), before)
                {
                    return Some(Ok((with_files(made, vec![stamp], before), damage.into_iter().collect())));
                }
                match master::read_file_stamped(&file.file, file.apex.as_ref()) {
                    Ok((mut records, stamps)) => {
                        files = stamps;
                        records.sort();
                        judged = match zonemd.judge(&records, file.apex.as_ref()) {
                            Ok(judged) => Some(judged),
                            Err(why) => {
                                let file = file.file.display();
                                return Some(Err(format!(
                                    "'{file}': ZONEMD: {why}; get the file from who made it once more, or set zonemd = \"warn\" to serve it so"
                                )));
                            }
                        };
                        Some(records)
                    }
                    Err(error) => return Some(Err(error.to_string())),
                }
            }
            Scope::Timer => {
                let refresh_at = self.view.live.get(&file.apex)?.refresh_at?;
                if refresh_at > self.now {
                    return None;
                }
                None
            }
        };
        let (policy, rsa_bits) = (file.policy.as_ref(), file.rsa_bits);
        // What clients change has no serial of the file's.
        let serials = if policy.is_some() || file.is_dynamic { Serials::Edited } else { Serials::AsItStands };
        let is_back = before.filter(|_| content.is_some() && is_changed);
        if let (Some(before), Some(records)) = (is_back, &content)
            && let Some(what) = would_be_lost(file, before, records)
        {
            return Some(Err(what));
        }
        let is_new = content.is_some();
        let made = self.make(Task { apex: file.apex.clone(), content, serials, is_kept, policy, rsa_bits, threads });
        Some(made.map(|(made, mut notes)| {
            let files = if is_new { files } else { before.map(|before| before.files.clone()).unwrap_or_default() };
            notes.extend(damage);
            let made = with_files(made, files, before).or_else(|| is_back.map(as_in_file));
            let made = match judged {
                Some((proven, note)) => {
                    notes.extend(note.clone());
                    with_judgement(made, proven, note, before)
                }
                // It was looked at when it was read.
                None => made.map(|made| Made { live: judged_as(made.live, before.is_some_and(|before| before.proven)), ..made }),
            };
            (made, notes)
        }))
    }

    /// Looks at the digests of zones from primaries that were taken when nobody asked for it.
    pub fn prove_secondaries(&mut self) {
        let is_asked = |apex: &Name| match self.scope {
            Scope::Start | Scope::All => true,
            Scope::Zone(zone) => zone == apex,
            Scope::Members | Scope::Timer => false,
        };
        let due = |apex: &&Name| {
            is_asked(apex) && self.plan.zonemd(apex) != Zonemd::Off && self.next.live.get(*apex).is_some_and(|live| !live.proven)
        };
        let due: Vec<&Name> = self.plan.secondaries.iter().filter(due).collect();
        let judged = parallel::map(due, |apex| {
            let judge = |live: &Live| self.plan.zonemd(apex).judge_zone(&live.zone);
            (apex, self.next.live.get(apex).map_or(Ok((false, None)), judge))
        });
        for (apex, judged) in judged {
            let Some(live) = self.next.live.remove(apex) else { continue };
            let (proven, note) = match judged {
                Ok(judged) => judged,
                Err(why) => {
                    let what = format!(
                        "ZONEMD: {why}, and zonemd = \"require\" asks for one that is right; queries get SERVFAIL until a primary has one"
                    );
                    self.next.problems.insert(apex.clone(), what);
                    (false, None)
                }
            };
            if let Some(note) = &note {
                self.notes.entry(note.clone()).or_default().push(apex.clone());
            }
            let live = Live { notes: note.into_iter().collect(), ..judged_as(live, proven) };
            self.next.live.insert(apex.clone(), live);
        }
    }

    /// True for a zone that was served once, and of which nothing could be read back.
    fn is_lost(&self, apex: &Name) -> bool {
        self.view.lost.contains(&stem(apex.as_ref()))
    }

    fn make(&self, task: Task<'_>) -> Outcome {
        let Task { apex, content, serials, is_kept, policy, rsa_bits, threads } = task;
        let before = self.view.live.get(&apex);
        if content.is_none() && before.is_none() {
            return Err("there is nothing to make the zone from".into());
        }
        let last_serial = self.view.serials.get(&stem(apex.as_ref())).copied();
        let last_serial = last_serial.or_else(|| publish::last_serial(&self.view.journal, &apex).filter(|_| before.is_none()));
        let past = match before {
            Some(before) if !before.signing.is_empty() => Past::Signed,
            Some(_) => Past::Known,
            None if last_serial.is_some() => Past::Known,
            None => Past::New,
        };
        let signing =
            policy.map(|policy| signing::signing(&self.plan.keys, &apex, policy, rsa_bits, threads, past, self.now)).transpose()?;
        if let (Some(signing), Serials::Dated) = (&signing, serials) {
            let signed = SignedWith::of(signing);
            self.signed.lock().unwrap_or_else(PoisonError::into_inner).insert(apex.clone(), signed);
        }
        let mut notes: Vec<String> = signing.iter().filter_map(|signing| signing.note.clone()).collect();
        let of_content: Vec<String> = match (&content, &signing) {
            (Some(records), Some(_)) => sign::dropped_zonemd(records, apex.as_ref()).iter().map(ToString::to_string).collect(),
            (Some(_), None) => Vec::new(),
            // An operator is told again at each start.
            (None, _) => before.map(|before| before.notes.clone()).unwrap_or_default(),
        };
        notes.extend(of_content.iter().cloned());
        let journal = &*self.view.journal;
        let made = match content {
            Some(records) if !is_kept => make::as_they_stand(records, apex.as_ref(), before),
            content => {
                let has_log = self.view.logged.contains(&apex);
                make::make(Job { apex, content, before, last_serial, serials, has_log, signing }, journal, self.now)
            }
        };
        let mut made = made.map_err(|error| error.to_string())?;
        if let Some(made) = &mut made {
            made.live.notes = of_content;
        }
        Ok((made, notes))
    }

    /// Takes over what was made of a zone.
    fn take(&mut self, apex: Name, result: Outcome) {
        let next = &mut self.next;
        let Made { mut live, why, change } = match result {
            Ok((made, notes)) => {
                next.problems.remove(&apex);
                for note in notes {
                    self.notes.entry(note).or_default().push(apex.clone());
                }
                let Some(made) = made else { return };
                made
            }
            Err(what) => {
                let is_good = |live: &Live| live.proven || self.plan.zonemd(&apex) != Zonemd::Require;
                let stays = if next.live.get(&apex).is_some_and(is_good) { "the zone served before stays" } else { "queries get SERVFAIL" };
                next.problems.insert(apex, format!("{what}; {stays}"));
                return;
            }
        };
        // Whatever it was before: no primary has to confirm it.
        if let Some(saved) = &mut live.saved {
            saved.good = None;
        }
        if why == Why::Touched {
            next.live.insert(apex, live);
            return;
        }
        let from = self.view.live.get(&apex).map(|before| before.zone.serial());
        let to = live.zone.serial();
        if let Some(from) = from
            && !to.is_newer_than(from)
            && !(matches!(why, Why::Image | Why::Kept) && from == to)
        {
            let what = format!("the content changed and the serial did not move forward ({from} -> {to}): secondaries will not notice");
            next.report.problems.push(Problem { zone: Some(apex.clone()), what });
        }
        let counts = live.zone.counts();
        let (n_records, n_signatures) = (counts.records, counts.signatures);
        next.report.published.push(Published { apex: apex.clone(), from, to, why, n_records, n_signatures });
        if live.saved.is_some() {
            next.steps.insert(apex.clone(), change);
        }
        next.live.insert(apex, live);
    }

    /// What is to be in force, without the zones that are no longer planned.
    pub fn finish(self) -> Next {
        let mut next = self.next;
        next.signed = self.signed.into_inner().unwrap_or_else(PoisonError::into_inner);
        // The timer changes nothing of what these are about: they were told at the start and at each reload.
        if !self.scope.is_by_itself() {
            let line = |(what, zones): (String, Vec<Name>)| {
                let zones: Vec<String> = zones.iter().map(Name::to_string).collect();
                format!("[{}] {what}", zones.join(", "))
            };
            next.report.warnings.extend(self.notes.into_iter().map(line));
        }
        let of_registry: Vec<Name> = zones_of(next.compiled.as_ref()).collect();
        let planned: BTreeSet<&Name> = self.plan.apexes().chain(&of_registry).collect();
        next.live.retain(|apex, _| planned.contains(apex));
        next.problems.retain(|apex, _| planned.contains(apex));
        next
    }
}

/// What is wrong with a zone that is configured and comes out of the export as well.
const IS_REGISTRYS: &str = "the zone is one of the registry's, its [[zone]] is left out: remove it";

/// What was made, or else what was there before, as it is known again by its files.
fn with_files(made: Option<Made>, files: Vec<Stamp>, before: Option<&Live>) -> Option<Made> {
    match (made, before) {
        (Some(made), _) => Some(Made { live: Live { files, ..made.live }, ..made }),
        // The image tells of the old files.
        (None, Some(before)) if before.files != files => {
            Some(Made { live: Live { files, imaged: false, ..before.clone() }, why: Why::Touched, change: None })
        }
        (None, _) => None,
    }
}

/// Why a zone that clients have changed is not to be what its file says now.
fn would_be_lost(file: &FilePlan, before: &Live, records: &Records) -> Option<String> {
    let (apex, served) = (file.apex.as_ref(), before.zone.serial());
    let written = content::serial(records, apex)?;
    let mut old = before.zone.records();
    if !before.signing.is_empty() {
        content::strip(&mut old, apex);
        content::strip_digest(&mut old, apex);
    }
    if written.is_newer_than(served) || content::digest(&old, apex) == content::digest(records, apex) {
        return None;
    }
    Some(format!(
        "clients have changed it up to serial {served}, which '{}' of serial {written} would undo: to go on with the file, write the zone into it \
         (`saola zone dump {apex}`) and edit that, or give what is in it a newer serial; to go on with clients, set `allow-update` again",
        file.file.display()
    ))
}

/// A zone that is what its file says, whatever clients have done before.
fn as_in_file(before: &Live) -> Made {
    let saved = before.saved.clone().map(|saved| SavedZone { changed: false, ..saved });
    Made { live: Live { saved, ..before.clone() }, why: Why::Touched, change: None }
}

/// What was made, or else what was there before, with what was found out about the digest of its file.
fn with_judgement(made: Option<Made>, proven: bool, note: Option<String>, before: Option<&Live>) -> Option<Made> {
    let told = |live: Live| {
        let mut notes = live.notes.clone();
        notes.extend(note.clone().filter(|note| !live.notes.contains(note)));
        Live { notes, ..judged_as(live, proven) }
    };
    match (made, before) {
        (Some(made), _) => Some(Made { live: told(made.live), ..made }),
        // The image tells of the old judgement.
        (None, Some(before)) if before.proven != proven || note.iter().any(|note| !before.notes.contains(note)) => {
            Some(Made { live: Live { imaged: false, ..told(before.clone()) }, why: Why::Touched, change: None })
        }
        (None, _) => None,
    }
}

fn judged_as(mut live: Live, proven: bool) -> Live {
    live.proven = proven;
    if let Some(saved) = &mut live.saved {
        saved.proven = proven;
    }
    live
}

/// True where nothing of the file is asked that only the file can tell: what of its digest was not looked at, and whether a digest that is
/// no longer made for it is its own.
fn is_known(file: &FilePlan, before: &Live, zonemd: Zonemd) -> bool {
    let may_be_its_own = file.policy.as_ref().is_some_and(|policy| !policy.zonemd) && before.zone.apex_node().set(Rtype::ZONEMD).is_some();
    (zonemd == Zonemd::Off || before.proven) && !may_be_its_own
}

/// Puts exactly the DS records `wanted` at the delegations to zones that are ours.
fn with_ds(mut records: Records, wanted: &BTreeMap<Name, Vec<Vec<u8>>>) -> Result<Records, Full> {
    records.retain(|record| record.rtype != Rtype::DS || !wanted.contains_key(&record.owner.to_owned()));
    let ttl = Ttls::default().ds;
    for (apex, ds) in wanted {
        for rdata in ds {
            records.push(apex.as_ref(), Rtype::DS, ttl, rdata)?;
        }
    }
    Ok(records)
}
