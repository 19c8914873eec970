//! A run from its begin to its end, and the orders that come meanwhile: they go before it, and are in what it proposes when that is put in force.
//!
//! A run takes as long as reading, signing and verifying do, and what it makes follows on the zones as they were when it began. An order changes a zone in
//! between. So at its end each step of the run is set upon what is served by then: what orders did is undone, the step is taken, and the names of the orders
//! are judged anew on what is there. All of it is one change, and nobody sees anything of it but its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::make::{self, Live};
use super::registry::Served;
use super::run::{Next, Run};
use super::signing::Past;
use super::{Pipeline, Plan, Problem, Scope, content, decide, registry, signing};
use crate::dns::{Name, Serial, UnixTime};
use crate::journal::{Compiled, Journal};
use crate::orders::Orders;
use crate::zone::Diff;

/// What a run goes by: everything as it was when the run began.
pub struct View {
    pub(super) live: BTreeMap<Name, Live>,
    pub(super) compiled: Option<Compiled>,
    pub(super) journal: Arc<Journal>,
    pub(super) logged: BTreeSet<Name>,
    pub(super) serials: BTreeMap<String, Serial>,
    pub(super) lost: BTreeSet<String>,
    pub(super) problems: BTreeMap<Name, String>,
    pub(super) export_problem: Option<String>,
    pub(super) orders: Result<Orders, String>,
    revived: Vec<Problem>,
    alarms: Vec<String>,
}

/// What a run made, not yet in force.
pub struct Proposal {
    pub(super) next: Next,
    /// What an operator should know of the ledger.
    pub(super) alarms: Vec<String>,
}

impl View {
    /// Makes what the plan asks for. Takes as long as that does, and touches nothing that is served.
    pub fn make(self, plan: &Plan, scope: &Scope, now: UnixTime) -> Proposal {
        let mut run = Run::new(&self, plan, scope, now);
        run.make_registry();
        run.make_files();
        run.make_catalogs();
        run.prove_secondaries();
        let mut next = run.finish();
        let Self { revived, alarms, .. } = self;
        next.report.problems.extend(revived);
        Proposal { next, alarms }
    }
}

impl Pipeline {
    /// Begins a run. Until [`Self::end`] nothing but orders may change zones.
    pub fn begin(&mut self, plan: &Plan, scope: &Scope) -> View {
        let revived = self.revive(plan);
        let alarms = match &plan.registry {
            Some(registry) if !scope.is_by_itself() => self.book.open(registry, self.press.saved().compiled.as_ref()),
            _ => Vec::new(),
        };
        self.book.begin_run();
        View {
            live: self.live.clone(),
            compiled: self.press.saved().compiled.clone(),
            journal: Arc::clone(self.press.journal()),
            logged: self.press.logged(),
            serials: self.serials.clone(),
            lost: self.lost.clone(),
            problems: self.problems.clone(),
            export_problem: self.export_problem.clone(),
            orders: self.book.orders().cloned().map_err(str::to_owned),
            revived,
            alarms,
        }
    }

    /// Sets what a run made upon what orders did since it began.
    pub(super) fn join_orders(&mut self, next: &mut Next, plan: &Plan, now: UnixTime) {
        let during = self.book.end_run();
        if during.names.is_empty() {
            return;
        }
        let Some(registry) = &plan.registry else { return };
        // The account of the export that is served has what orders did; that of a new one has not yet.
        if !next.report.compiled
            && let (Some(compiled), Some(current)) = (&mut next.compiled, &self.press.saved().compiled)
        {
            let inputs = std::mem::take(&mut compiled.inputs);
            *compiled = Compiled { inputs, ..current.clone() };
        }
        // What the run left alone is as orders made it.
        for (apex, published) in during.zones.iter().filter(|(apex, _)| !next.steps.contains_key(*apex)) {
            if let (Some(live), true) = (self.live.get(apex), next.live.contains_key(apex)) {
                next.live.insert(apex.clone(), live.clone());
                if let (Some(compiled), true) = (&mut next.compiled, next.report.compiled) {
                    super::orders::account(compiled, *published, None);
                }
            }
        }
        let register = next.register.as_ref().or(self.book.register());
        let changes = match (register, self.book.orders()) {
            (Some(register), Ok(orders)) => {
                let names = during.names.iter().map(String::as_bytes);
                register
                    .changes(names, orders, registry::at(registry, register, now), &Served(&next.live))
                    .map_err(|error| error.to_string())
            }
            (None, Ok(orders)) => Ok(super::orders::without(&next.live, &during.names, orders, &registry.notice, now)),
            (_, Err(what)) => Err(what.to_owned()),
        };
        let mut changes = match changes {
            Ok(changes) => changes.into_iter().map(|change| (change.apex.clone(), change)).collect::<BTreeMap<_, _>>(),
            Err(what) => {
                // Nothing of the run may bring a name back.
                let made: Vec<Name> = next.steps.keys().filter(|apex| during.zones.contains_key(*apex)).cloned().collect();
                for apex in made {
                    next.steps.remove(&apex);
                    next.take_back(&apex, self.live.get(&apex), &what);
                }
                return;
            }
        };
        let moved = |apex: &&Name| during.zones.contains_key(*apex);
        let made: BTreeSet<Name> = next.steps.keys().filter(|apex| moved(apex) || changes.contains_key(*apex)).cloned().collect();
        for apex in made {
            let change = changes.remove(&apex);
            let published = change.as_ref().map_or(0, |change| change.published);
            let change = change.map(|change| change.change).unwrap_or_default();
            match self.joined(next, plan, &apex, &change, during.zones.contains_key(&apex), now) {
                Ok(()) => {
                    if let (Some(compiled), true) = (&mut next.compiled, next.report.compiled) {
                        super::orders::account(compiled, published, None);
                    }
                }
                Err(what) => {
                    next.steps.remove(&apex);
                    next.take_back(
                        &apex,
                        self.live.get(&apex),
                        &format!("orders came while it was made, and it cannot be joined with them: {what}"),
                    );
                }
            }
        }
    }

    /// Sets the new version of one zone upon what is served, with a change of its content.
    fn joined(&self, next: &mut Next, plan: &Plan, apex: &Name, change: &Diff, has_moved: bool, now: UnixTime) -> Result<(), String> {
        let registry = plan.registry.as_ref().ok_or("it is none of the registry's")?;
        let made = next.live.get(apex).ok_or("it was not made")?;
        let served = self.live.get(apex);
        // Newer than both.
        let newest = served.map(|served| served.zone.serial()).filter(|serial| serial.is_newer_than(made.zone.serial()));
        let to = decide::dated_serial(Some(newest.unwrap_or(made.zone.serial())), now);
        let sign = |policy| signing::signing(&plan.keys, apex, policy, registry.rsa_bits, 1, Past::Signed, now);
        let signing = registry.policy.as_ref().map(sign).transpose()?;
        let (last, zone, refresh_at) = make::changed(made, change.clone(), to, signing.as_ref(), now).map_err(|error| error.to_string())?;
        let step = match (next.steps.get(apex), served) {
            (Some(Some(step)), Some(served)) if has_moved => {
                let began = step.serials(apex.as_ref()).ok_or("the change has no serials")?.0;
                let orders = self.press.since(apex, began)?;
                let undo = Diff { removed: orders.added, added: orders.removed };
                let joined = undo.then(step.clone()).and_then(|joined| joined.then(last)).map_err(|error| error.to_string())?;
                // What is served after it is what was verified.
                let check = served.zone.apply(&joined).map_err(|error| error.to_string())?;
                if check.serial() != to || check.counts().records != zone.counts().records {
                    return Err("the changes do not lead to one zone".into());
                }
                Some(joined)
            }
            (Some(Some(step)), _) => Some(step.clone().then(last).map_err(|error| error.to_string())?),
            (Some(None), _) => None,
            (None, _) => return Err("it was not made".into()),
        };
        let ds = content::ds_of(&zone.records_at(zone.apex()), zone.apex());
        let mut live = Live { zone: Arc::new(zone), content: String::new(), refresh_at, ds, upkeep: None, ..made.clone() };
        match (&step, served.and_then(|served| served.saved.clone())) {
            (Some(_), Some(saved)) => live.saved = Some(crate::journal::SavedZone { refresh_at: refresh_at.map(|at| at.0), ..saved }),
            _ => {
                // It is saved as a whole, and what was saved of it is of another serial.
                let before = live.saved.take().unwrap_or_default();
                let saved = make::save(self.press.journal(), apex.as_ref(), to, &live.zone.records()).map_err(|error| error.to_string())?;
                live.saved = Some(crate::journal::SavedZone { signing: before.signing, refresh_at: refresh_at.map(|at| at.0), ..saved });
            }
        }
        for published in next.report.published.iter_mut().filter(|published| published.apex == *apex) {
            published.from = served.map(|served| served.zone.serial());
            published.to = to;
            published.n_records = live.zone.counts().records;
            published.n_signatures = live.zone.counts().signatures;
        }
        next.steps.insert(apex.clone(), step);
        next.live.insert(apex.clone(), live);
        Ok(())
    }
}
