//! The thread that makes zones: one piece of work at a time, in the order asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use serde_json::{Value, json};

use super::catalogs::{self, Catalogs};
use super::clerk::{self, Clerk};
use super::digests::Pace;
use super::doors::Shared;
use super::secondary::{Holder, NotTaken, Secondaries, Source, Wanted};
use super::show::log_published;
use super::updates::Updates;
use super::{images, machine, plan, tell};
use crate::answer::{Expiry, Face};
use crate::compile::Register;
use crate::config::Config;
use crate::dns::{Name, UnixTime};
use crate::journal::Log;
use crate::pipeline::{self, Carried, Digested, NotChanged, Pipeline, Problem, Report, Scope, Touched, Upkept, Version, Zonemd};
use crate::telemetry::count;
use crate::transfer::access::Access;
use crate::transfer::inward::Received;
use crate::transfer::notify::Announced;
use crate::transfer::refresh::Kept;
use crate::transfer::{
    self,
    update::{Refused, Rules, Update},
};
use crate::transport::client::Times;
use crate::transport::tls::Acceptor;
use crate::transport::{self, Served};
use crate::zone::{NameMap, Zone, ZoneSet};

/// Requests that may wait; our choice, far above what operators do.
pub const QUEUE: usize = 32;

/// How often signatures, and names where the clock judges them, are looked at. Our choice: signatures are due days before they end.
const TIMER: Duration = Duration::from_secs(3600);

/// Changes of clients that are carried out before other work has its turn. Our choice: some tenths of a second.
const CHANGES: usize = 64;

/// After how long names are tried again that could not be put in force. Our choice.
const AGAIN: Duration = Duration::from_secs(1);

const SERVFAIL: u16 = 2;
const REFUSED: u16 = 5;

/// One piece of work.
pub enum Work {
    /// Inputs are read again.
    Reload {
        /// One zone; `None` = the configuration and everything it names.
        zone: Option<Name>,
        /// Who waits for the result.
        reply: Option<Sender<Result<Value, String>>>,
    },
    /// What had become long of a zone is short again.
    Upkept(Upkept),
    /// The digest over a zone was made, or could not be; `None` after a fault of the program.
    Digested(Name, Option<Box<Digested>>),
    /// All digests that were to be made have been given back.
    DigestsDone,
    /// A primary has sent a zone, or what has changed in it.
    Received(Name, Version, Wanted, Sender<Result<(), pipeline::NotTaken>>),
    /// A primary has confirmed a zone.
    Confirmed(Name, Kept),
    /// No primary has confirmed a zone for too long.
    Expired(Name),
    /// Clients ask for changes, which wait in [`Updates`].
    Updates,
    /// Orders, or questions about them, wait at the [`Desk`](super::desk::Desk).
    Orders,
    /// What the registry has was read, or could not be.
    Registered(Result<Arc<Register>, String>),
}

/// How long zones that have come are gathered before they are swapped in. Our choice: who asks for one in a hurry does not notice.
const TOGETHER: Duration = Duration::from_millis(5);

/// Makes zones and puts them in force.
pub struct Builder {
    /// As the file says.
    config: Config,
    catalogs: Catalogs,
    /// The same with the members of catalogs among its zones.
    serving: Config,
    /// The zones of it that are had from others, and what is asked of their digests.
    from_others: BTreeMap<Name, Zonemd>,
    face: Face,
    access: Arc<Access>,
    secondaries: Box<plan::SecondariesOf>,
    tls: Option<Acceptor>,
    pipeline: Pipeline,
    shared: Arc<Shared>,
    updates: Arc<Updates>,
    images: Sender<images::Work>,
    digests: Pace,
    clerk: Clerk,
    /// The workers answer: what takes long gives way to them.
    is_answering: bool,
}

impl Builder {
    /// With the configuration of the start.
    pub fn new(config: Config, pipeline: Pipeline, shared: Arc<Shared>, updates: Arc<Updates>, images: Sender<images::Work>) -> Self {
        let expiry = Arc::default();
        let face = face(&config, Arc::clone(&expiry));
        let access = Arc::new(plan::access(&config));
        let tls = config.tls.as_ref().map(Acceptor::new);
        let (catalogs, serving) = (Catalogs::open(&config.server.state), config.clone());
        let secondaries = Box::new(plan::secondaries(&config));
        let from_others = BTreeMap::new();
        let clerk = Clerk::new(&config.orders);
        let mut pipeline = pipeline;
        shared.follower.newest().into_iter().for_each(|line| pipeline.book().know(line));
        shared.follower.serials().iter().for_each(|(zone, serial)| pipeline.remember_serial(zone, *serial));
        Self {
            config,
            catalogs,
            serving,
            from_others,
            secondaries,
            face,
            access,
            tls,
            pipeline,
            shared,
            updates,
            images,
            digests: Pace::default(),
            clerk,
            is_answering: false,
        }
    }

    /// Makes everything for the first time.
    ///
    /// # Errors
    /// When the registry's zones are asked for and neither they nor any other zone can be served; when the state cannot be kept.
    pub fn start(&mut self, now: UnixTime) -> Result<(), String> {
        let begin = Instant::now();
        let report = self.run(&Scope::Start, now)?;
        self.shared.started(&self.pipeline, &report, begin.elapsed());
        if report.is_refused {
            return Err(lines(&report.problems));
        }
        // A zone whose file is bad is answered with SERVFAIL, as everywhere; but a registry server without one zone is a mistake that
        // whoever starts it should see at once.
        if self.config.registry.is_some() && self.pipeline.live().is_empty() {
            let first = report.problems.first().map(Problem::to_string).unwrap_or_default();
            let others = report.problems.len().saturating_sub(1);
            return Err(format!(
                "there is nothing to serve: {first}{}",
                if others > 0 { format!(" ({} in the log)", count(others, "more problem")) } else { String::new() }
            ));
        }
        Ok(())
    }

    /// Works until nobody can ask any more.
    pub fn work(&mut self, to_do: &Receiver<Work>) {
        // The workers answer by now; the start itself kept nobody waiting.
        self.is_answering = true;
        if let Err(error) = std::thread::scope(|scope| scope.spawn(transport::give_way).join().unwrap_or(Ok(()))) {
            log::warn!("zones are made at the priority of the answers, to make them slower fails: {error}");
        }
        let notices = Arc::clone(&self.shared.served.load().notices);
        let holder = Arc::new(Door(Arc::clone(&self.shared)));
        let times = Times { total: self.config.server.transfer_in_time, ..Times::default() };
        match Secondaries::start(self.sources(), holder, notices, self.config.server.transfers_in, times) {
            Ok(secondaries) => self.shared.set_secondaries(secondaries),
            Err(error) => log::error!("no zone is had from others, there are no threads for it: {error}"),
        }
        self.write_ends(UnixTime::now());
        self.read_register();
        let mut next_timer = Instant::now() + TIMER;
        let mut held = None;
        loop {
            self.serve_orders();
            self.make_digests();
            let wakes_at = self.digests.next().into_iter().chain(self.next_turn()).fold(next_timer, Instant::min);
            let work = match held.take() {
                Some(work) => Ok(work),
                None => to_do.recv_timeout(wakes_at.saturating_duration_since(Instant::now())),
            };
            match work {
                Ok(Work::Reload { zone, reply }) => {
                    tell(&reloading());
                    let result = match &zone {
                        None => self.reload(UnixTime::now()),
                        Some(zone) => self.reload_zone(zone, UnixTime::now()),
                    };
                    tell(&[NotifyState::Ready]);
                    if let Some(reply) = reply {
                        // Who asked may have gone.
                        let _ = reply.send(result);
                    }
                }
                Ok(Work::Upkept(done)) => self.upkept(done),
                Ok(Work::Digested(apex, done)) => self.digested(&apex, done, UnixTime::now()),
                Ok(Work::DigestsDone) => self.digests.done(Instant::now()),
                Ok(work @ (Work::Received(..) | Work::Confirmed(..))) => held = self.take_in(work, to_do),
                Ok(Work::Expired(apex)) => {
                    let Self { shared, face, access, tls, pipeline, .. } = self;
                    pipeline.expire(&apex, |zones, logs| swap(shared, face, access, tls, zones, logs));
                    self.looked_after(&apex);
                }
                // Behind every piece of work, below.
                Ok(Work::Updates | Work::Orders) => {}
                Ok(Work::Registered(result)) => self.registered(result, UnixTime::now()),
                Err(RecvTimeoutError::Timeout) if Instant::now() < next_timer => {}
                Err(RecvTimeoutError::Timeout) => {
                    next_timer = Instant::now() + TIMER;
                    if let Err(error) = self.run(&Scope::Timer, UnixTime::now()) {
                        log::error!("{error}");
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.change(UnixTime::now());
        }
    }

    /// Reads the configuration and everything it names again.
    fn reload(&mut self, now: UnixTime) -> Result<Value, String> {
        let begin = Instant::now();
        let config = Config::read(&self.config.path).map_err(|error| {
            let what = format!("the new configuration is refused, the old one stays: {error}");
            log::error!("reload, {what}");
            self.shared.reloaded(Err(&what));
            what
        })?;
        let mut warnings = config.warnings.clone();
        for key in plan::needs_restart(&self.config, &config) {
            warnings.push(format!("{key} changed: the change is taken over by a restart, not by a reload"));
        }
        for warning in &warnings {
            log::warn!("reload, {warning}");
        }
        // What needs a restart stays as it is, also in what is told of it and in the next comparison.
        let mut server = config.server.clone();
        (server.listen, server.workers) = (self.config.server.listen.clone(), self.config.server.workers);
        server.listen_tls = self.config.server.listen_tls.clone();
        (server.transfers_in, server.transfer_in_time) = (self.config.server.transfers_in, self.config.server.transfer_in_time);
        (server.state, server.control) = (self.config.server.state.clone(), self.config.server.control.clone());
        self.config = Config { server, limits: self.config.limits.clone(), ..config };
        self.face = face(&self.config, Arc::clone(&self.face.expiry));
        self.clerk = Clerk::new(&self.config.orders);
        self.shared.follower.configure(&self.config.orders);
        // Listeners stay until a restart, and so does what they need.
        self.tls = self.config.tls.as_ref().map(Acceptor::new).or(self.tls.take());
        let report = self.run(&Scope::All, now)?;
        self.shared.renamed(&self.config);
        self.reply(report, warnings, begin)
    }

    fn reload_zone(&mut self, zone: &Name, now: UnixTime) -> Result<Value, String> {
        let begin = Instant::now();
        if !self.shared.has_zone(zone) {
            return Err(format!("there is no zone '{zone}' here, add it to the configuration and do 'saola server reload'"));
        }
        let report = self.run(&Scope::Zone(zone.clone()), now)?;
        self.reply(report, Vec::new(), begin)
    }

    fn reply(&self, report: Report, mut warnings: Vec<String>, begin: Instant) -> Result<Value, String> {
        warnings.extend(report.warnings.iter().cloned());
        let millis = begin.elapsed().as_millis() as u64;
        let (published, removed, kept) = (report.published.len(), report.removed.len(), report.n_kept);
        if report.problems.is_empty() {
            let published = count(published, "zone");
            log::info!("reload, {published} published, {removed} removed, {kept} unchanged, {millis} ms");
            self.shared.reloaded(Ok(()));
            return Ok(json!({
                "published": report.published.iter().map(|zone| json!({
                    "zone": zone.apex.to_string(), "from": zone.from.map(|serial| serial.0), "to": zone.to.0, "why": zone.why.as_str(),
                })).collect::<Vec<_>>(),
                "removed": report.removed.iter().map(Name::to_string).collect::<Vec<_>>(),
                "unchanged": kept, "compiled": report.compiled, "warnings": warnings, "milliseconds": millis,
            }));
        }
        let what = lines(&report.problems);
        self.shared.reloaded(Err(&what));
        let (published, problems) = (count(published, "zone"), count(report.problems.len(), "problem"));
        Err(format!("{published} published, {kept} unchanged, and {problems}:\n{what}"))
    }

    /// Carries out what the configuration and the catalogs say.
    fn run(&mut self, scope: &Scope, now: UnixTime) -> Result<Report, String> {
        let report = self.settle(scope, true, now)?;
        // Catalogs may have come from files by then, and zones of the registry that have the name of a member.
        self.settle(&Scope::Members, false, now)?;
        Ok(report)
    }

    /// Settles what catalogs say; the plan is carried out then if it `is_asked`, or anything is different.
    ///
    /// What is here of a member that begins anew is gone from the disk before that is written down, and the member comes after.
    fn settle(&mut self, scope: &Scope, is_asked: bool, now: UnixTime) -> Result<Report, String> {
        let changes = self.catalogs.settle(&self.config, &self.pipeline);
        if changes.is_empty() && !is_asked {
            return Ok(Report::default());
        }
        let ended: BTreeSet<Name> = changes.into_iter().filter(|change| change.kind.ends_state()).map(|change| change.member).collect();
        let report = self.carry_out(scope, &ended, now)?;
        self.pipeline.erase(&ended);
        self.catalogs.save();
        if ended.iter().any(|apex| self.catalogs.member(apex).is_some()) {
            self.carry_out(&Scope::Members, &BTreeSet::new(), now)?;
        }
        Ok(report)
    }

    /// Carries the plan out, without these members, and logs what came of it.
    fn carry_out(&mut self, scope: &Scope, without: &BTreeSet<Name>, now: UnixTime) -> Result<Report, String> {
        self.serving = self.catalogs.with_members(&self.config, without);
        let from_others = self.serving.zones.iter().filter(|zone| zone.source.is_primaries());
        self.from_others = from_others.map(|zone| (zone.name.as_ref().to_lowercase(), zone.zonemd)).collect();
        self.access = Arc::new(plan::access(&self.serving));
        self.secondaries = Box::new(plan::secondaries(&self.serving));
        let plan = plan::plan(&self.serving);
        // A fault of the program in one input must not end the answering of all others. The pipeline takes nothing over before the
        // journal and the swap, so after a fault it is as it was.
        let fault = || "a fault of the program ended the work, what is served stays; please report it".to_owned();
        let view = self.pipeline.begin(&plan, scope);
        let proposal = self.beside(|| view.make(&plan, scope, now)).ok_or_else(fault)?;
        let Self { shared, face, access, tls, pipeline, .. } = self;
        let put = |zones, logs| swap(shared, face, access, tls, zones, logs);
        let report = catch_unwind(AssertUnwindSafe(|| pipeline.end(proposal, &plan, scope, now, put))).map_err(|_| fault())?;
        for note in report.notes.iter().chain(&report.warnings) {
            log::warn!("{note}");
        }
        report.published.iter().for_each(log_published);
        for apex in &report.removed {
            log::info!("[{apex}] removed");
        }
        for problem in &report.problems {
            log::error!("{problem}");
        }
        self.shared.update(&self.serving, &self.pipeline, &self.catalogs);
        self.shared.replace_sources(self.sources());
        self.follow_up();
        self.tell_follower(&Carried { published: report.published.clone(), problems: Vec::new() }, now);
        let known = self.pipeline.book().register();
        if plan.registry.as_ref().zip(known).is_some_and(|(registry, known)| *known.notice() != registry.notice) {
            // Suspended names lead where they should once it is there.
            self.pipeline.book().forget_register();
            self.read_register();
        }
        Ok(report)
    }

    /// Has work done that takes long, and takes orders in meanwhile, which wait for nothing. `None` after a fault of the program.
    fn beside<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> Option<T> {
        let (shared, is_answering) = (Arc::clone(&self.shared), self.is_answering);
        let is_done = AtomicBool::new(false);
        let work = || {
            // Where it is not permitted, that has been said.
            let _ = if is_answering { transport::give_way() } else { Ok(()) };
            let result = catch_unwind(AssertUnwindSafe(work));
            is_done.store(true, Ordering::Release);
            shared.desk.ring();
            result
        };
        std::thread::scope(|scope| {
            let worker = match std::thread::Builder::new().name("maker".into()).spawn_scoped(scope, work) {
                Ok(worker) => worker,
                Err(error) => {
                    log::error!("there is no thread to make zones: {error}");
                    return None;
                }
            };
            while !is_done.load(Ordering::Acquire) {
                self.serve_orders();
                let turn = self.next_turn().map_or(TIMER, |turn| turn.saturating_duration_since(Instant::now()));
                self.shared.desk.wait(turn, || is_done.load(Ordering::Acquire));
            }
            worker.join().ok()?.ok()
        })
    }

    /// Takes what primaries have sent or confirmed: the first, and what has come meanwhile, so that many zones are swapped in at once. Gives back
    /// work of another kind that was met.
    fn take_in(&mut self, first: Work, to_do: &Receiver<Work>) -> Option<Work> {
        let (begin, now) = (Instant::now(), UnixTime::now());
        let (mut taken, mut replies) = (Vec::new(), Vec::new());
        let mut work = Some(first);
        let held = loop {
            match work {
                Some(Work::Received(apex, version, wanted, reply)) => {
                    let result = self.received(&apex, version, &wanted, now);
                    taken.extend(result.is_ok().then_some(apex));
                    replies.push((reply, result));
                }
                Some(Work::Confirmed(apex, Kept { checked, until })) => {
                    let Self { shared, face, access, tls, pipeline, .. } = self;
                    face.expiry.set(&apex, until);
                    pipeline.confirm(&apex, checked, until, |zones, logs| swap(shared, face, access, tls, zones, logs));
                    self.looked_after(&apex);
                }
                other => break other,
            }
            // The first is not to wait for long zones that come behind it.
            work = if begin.elapsed() < TOGETHER { to_do.try_recv().ok() } else { None };
        };
        if !taken.is_empty() {
            let (zones, logs) = self.pipeline.served();
            swap(&self.shared, &self.face, &self.access, &self.tls, zones, logs);
            taken.iter().for_each(|apex| self.looked_after(apex));
            self.follow_up();
        }
        for (reply, result) in replies {
            // Who asked may have gone.
            let _ = reply.send(result);
        }
        held
    }

    /// Puts what a primary has sent in the journal, to be swapped in.
    fn received(&mut self, apex: &Name, version: Version, wanted: &Wanted, now: UnixTime) -> Result<(), pipeline::NotTaken> {
        // It may have been asked for before the configuration changed, which happens on this thread.
        let Some(&zonemd) = self.from_others.get(apex).filter(|_| wanted.is_wanted()) else {
            return Err(pipeline::NotTaken::Refused("it is no longer had from others, or from others than before".into()));
        };
        let put = || {
            let _ = transport::give_way();
            self.pipeline.put(apex, version, zonemd, now)
        };
        let fault =
            || Err(pipeline::NotTaken::Refused("a fault of the program ended the work, what is served stays; please report it".into()));
        // In a thread of its own, which gives way: a zone is built there.
        let put = std::thread::scope(|scope| std::thread::Builder::new().spawn_scoped(scope, put).ok()?.join().ok());
        let (_, notes) = put.unwrap_or_else(fault)?;
        for note in notes {
            log::warn!("[{apex}] {note}");
        }
        Ok(())
    }

    /// Takes in the orders that wait, and puts in force those that begin or end by themselves.
    fn serve_orders(&mut self) {
        let (asked, now) = (self.shared.desk.take(), UnixTime::now());
        let is_turn = self.pipeline.book().next_turn().is_some_and(|turn| turn <= now) || self.pipeline.book().has_open();
        if asked.is_empty() && !is_turn {
            return;
        }
        if is_turn {
            self.write_ends(now);
        }
        let plan = plan::plan(&self.serving);
        let Self { shared, face, access, tls, pipeline, clerk, .. } = self;
        let work = || {
            let put = |zones, logs| swap(shared, face, access, tls, zones, logs);
            // Nobody who asked waits for what begins by itself.
            let done = clerk.work(asked, pipeline, &plan, &shared.follower, now, put);
            let carried = if is_turn { pipeline.carry_out(&plan, [], now, put) } else { Carried::default() };
            (done, carried)
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok((done, carried)) => {
                // What follows on it nobody waits for.
                let done = done.reply();
                self.carried(&done);
                self.carried(&carried);
                if is_turn {
                    self.tell_follower(&carried, now);
                }
            }
            Err(_) => {
                log::error!("orders, a fault of the program ended the work, what is served stays; please report it");
                self.pipeline.book().recover();
            }
        }
    }

    /// Has the ledger say which suspensions have ended by themselves.
    fn write_ends(&mut self, now: UnixTime) {
        match self.pipeline.book().write_ends(now) {
            Ok(0) => {}
            Ok(n) => log::info!("orders, {} expired", count(n, "suspension")),
            Err(what) => log::error!("orders, {what}"),
        }
    }

    /// Has it written down which orders are in force that nobody has filed here just now: of another ledger, at their time, or tried again.
    fn tell_follower(&mut self, carried: &Carried, now: UnixTime) {
        let book = self.pipeline.book();
        let Ok(orders) = book.orders() else { return };
        let told =
            self.shared.follower.untold(orders, now).into_iter().map(|order| clerk::told(order, book, orders, carried, now)).collect();
        self.shared.follower.follow(told);
    }

    /// Logs what came of names that were judged anew, and tells others.
    fn carried(&mut self, carried: &Carried) {
        for problem in &carried.problems {
            log::error!("orders, {problem}");
        }
        if carried.published.is_empty() {
            return;
        }
        carried.published.iter().for_each(log_published);
        self.follow_up();
        for zone in &carried.published {
            self.looked_after(&zone.apex);
        }
    }

    /// When orders are to be looked at without being asked.
    fn next_turn(&mut self) -> Option<Instant> {
        let book = self.pipeline.book();
        if book.has_open() {
            return Some(Instant::now() + AGAIN);
        }
        let turn = book.next_turn()?;
        // Clocks are set; so none of it is waited for too long.
        let left = Duration::from_secs(turn.0.saturating_sub(UnixTime::now().0)).min(TIMER);
        Some(Instant::now() + left)
    }

    /// Has the registry's data read beside the work, if it is not known: single names are judged anew by it.
    fn read_register(&mut self) {
        let plan = plan::plan(&self.serving);
        let (Some(registry), Some(applied), None) = (plan.registry, self.pipeline.compiled().cloned(), self.pipeline.book().register())
        else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let work = move || {
            // Where it is not permitted, the builder has said so.
            let _ = transport::give_way();
            let read = catch_unwind(AssertUnwindSafe(|| Pipeline::read_register(&registry, &applied, UnixTime::now())));
            shared.do_later(Work::Registered(read.unwrap_or_else(|_| Err("a fault of the program, please report it".into()))));
        };
        if let Err(error) = std::thread::Builder::new().name("register".into()).spawn(work) {
            log::error!("no name can be restored, there is no thread to read the registry's data: {error}");
        }
    }

    fn registered(&mut self, result: Result<Arc<Register>, String>, now: UnixTime) {
        let plan = plan::plan(&self.serving);
        match result {
            // The configuration is another since it began to be read.
            Ok(register) if plan.registry.as_ref().is_some_and(|now| now.notice != *register.notice()) => return self.read_register(),
            // What a run has read meanwhile is newer.
            Ok(register) if self.pipeline.book().register().is_none() => self.pipeline.book().set_register(register),
            Ok(_) => return,
            Err(what) => return log::error!("no name can be restored until the next export, the registry's data cannot be read: {what}"),
        }
        let Self { shared, face, access, tls, pipeline, .. } = self;
        let carried = pipeline.carry_out_all(&plan, now, |zones, logs| swap(shared, face, access, tls, zones, logs));
        self.carried(&carried);
    }

    /// Carries out what clients ask for, some of it: what is left has its turn behind the next piece of work.
    fn change(&mut self, now: UnixTime) {
        for _ in 0..CHANGES {
            let Some(later) = self.updates.next() else { return };
            let begin = Instant::now();
            let (apex, who) = (later.wish().apex().to_owned(), later.wish().who());
            let rcode = match self.change_one(&apex, later.wish().update(), now) {
                Ok(what) => {
                    log::info!("[{apex}] update of {who}, {what}, {} ms", begin.elapsed().as_millis());
                    0
                }
                Err(not_changed) => {
                    // A prerequisite that is not met is an answer to the client's question, and as usual as a change.
                    let level = match &not_changed {
                        NotChanged::Asked(
                            Refused::NameMissing(_) | Refused::NameThere(_) | Refused::SetMissing(..) | Refused::SetThere(..),
                        ) => log::Level::Info,
                        NotChanged::Asked(_) | NotChanged::Fixed | NotChanged::Unavailable | NotChanged::Failed(_) => log::Level::Warn,
                    };
                    log::log!(level, "[{apex}] update refused, of {who}: {not_changed}");
                    match not_changed {
                        NotChanged::Asked(refused) => refused.rcode(),
                        NotChanged::Fixed => REFUSED,
                        NotChanged::Unavailable | NotChanged::Failed(_) => SERVFAIL,
                    }
                }
            };
            later.answer(rcode, now);
        }
        self.updates.ring();
    }

    /// What was done, in words.
    fn change_one(&mut self, apex: &Name, update: &Update, now: UnixTime) -> Result<String, NotChanged<Refused>> {
        let plan = plan::plan(&self.serving);
        let policy = plan.files.iter().find(|file| file.apex == *apex).and_then(|file| file.policy.as_ref());
        let is_digest_made_here = policy.is_some_and(|policy| policy.zonemd);
        let rules = Rules { is_signed_here: policy.is_some(), is_digest_made_here, ..Rules::default() };
        let Self { shared, face, access, tls, pipeline, .. } = self;
        let (mut n_added, mut n_removed) = (0, 0);
        let change = |zone: &Zone| {
            let change = transfer::update::update(zone, update, &rules)?;
            (n_added, n_removed) = (change.added.len(), change.removed.len());
            Ok(change)
        };
        let work = || pipeline.update(&plan, apex, change, now, |zones, logs| swap(shared, face, access, tls, zones, logs));
        let fault = |_| Err(NotChanged::Failed("a fault of the program ended the work, what is served stays; please report it".to_owned()));
        let Some(published) = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(fault)? else {
            return Ok("nothing to change".to_owned());
        };
        self.looked_after(apex);
        self.follow_up();
        let from = published.from.map_or("none".to_owned(), |serial| serial.to_string());
        let (added, to) = (count(n_added, "record"), published.to);
        Ok(format!("serial {from} -> {to}, {added} added, {n_removed} removed, {} signatures", published.n_signatures))
    }

    /// A zone is another one, by others or by clients, is good again, or is so no longer: it may be a catalog.
    fn looked_after(&mut self, apex: &Name) {
        if !catalogs::is_followed(&self.config, apex) {
            return self.shared.update_zone(apex, &self.pipeline, &self.catalogs);
        }
        if let Err(error) = self.settle(&Scope::Members, false, UnixTime::now()) {
            log::error!("{error}");
        }
        self.shared.update(&self.serving, &self.pipeline, &self.catalogs);
    }

    /// Takes what came of a job of [`Self::look_after`].
    fn upkept(&mut self, done: Upkept) {
        let Self { shared, face, access, tls, pipeline, .. } = self;
        for problem in pipeline.upkept(done, |zones, logs| swap(shared, face, access, tls, zones, logs)) {
            log::warn!("{problem}");
        }
        self.follow_up();
    }

    /// Gives the digests that zones lack to a thread beside the work, when their time has come.
    fn make_digests(&mut self) {
        if !self.config.policies.values().any(|policy| policy.sign.zonemd) {
            return;
        }
        let plan = plan::plan(&self.serving);
        let due = self.digests.due(self.pipeline.lacking_digests(&plan), Instant::now());
        let now = UnixTime::now();
        let jobs: Vec<_> = due.iter().filter_map(|apex| Some((apex.clone(), self.pipeline.digest_job(&plan, apex, now)?))).collect();
        if due.is_empty() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let work = move || {
            // Where it is not permitted, the builder has said so.
            let _ = transport::give_way();
            for (apex, job) in jobs {
                let done = catch_unwind(AssertUnwindSafe(|| Box::new(job.carry_out(now)))).ok();
                shared.do_later(Work::Digested(apex, done));
            }
            shared.do_later(Work::DigestsDone);
        };
        if let Err(error) = std::thread::Builder::new().name("digests".into()).spawn(work) {
            log::warn!("zones are served without their digests, there is no thread to make them: {error}");
            due.iter().for_each(|apex| self.digests.failed(apex, Instant::now()));
            self.digests.done(Instant::now());
        }
    }

    /// Takes what came of a job of [`Self::make_digests`].
    fn digested(&mut self, apex: &Name, done: Option<Box<Digested>>, now: UnixTime) {
        let Self { shared, face, access, tls, pipeline, .. } = self;
        let fault = || Err(format!("[{apex}] a fault of the program kept its digest from being made, please report it"));
        let put = |done: Box<Digested>| {
            pipeline.digested(*done, now, |zones, logs| swap(shared, face, access, tls, zones, logs)).map_err(|problem| problem.to_string())
        };
        match done.map_or_else(fault, put) {
            // The zone has changed meanwhile, and its turn comes again.
            Ok(None) => return,
            Ok(Some(published)) => log_published(&published),
            Err(what) => {
                log::error!("{what}");
                self.digests.failed(apex, Instant::now());
            }
        }
        self.looked_after(apex);
        self.follow_up();
    }

    /// What is to be done beside the work once zones were put in.
    fn follow_up(&mut self) {
        let touched = self.pipeline.take_touched();
        self.tell_secondaries(&touched);
        self.look_after(&touched);
    }

    /// Tells those who have our zones what is served now; who knows already is not told.
    fn tell_secondaries(&self, touched: &Touched) {
        let zones = self.pipeline.live_of(touched).map(|live| Announced::new(&live.zone, (self.secondaries)(live.zone.apex())));
        match touched {
            Touched::All => self.shared.notifier.serve(zones.collect()),
            Touched::Some(_) => self.shared.notifier.put(zones.collect()),
        }
    }

    /// Where zones come from, and what is here of them; servers further down are told from now on how long that is good.
    fn sources(&self) -> Vec<Source> {
        let held = |apex: &Name| {
            let live = self.pipeline.live().get(apex)?;
            let [checked, until] = live.saved.as_ref()?.good?.map(UnixTime);
            Some((live.zone.soa().clone(), Kept { checked, until }))
        };
        let sources = Source::all(&self.serving, held);
        let until = |source: &Source| Some((source.apex.clone(), source.held.as_ref()?.1.until));
        self.face.expiry.replace(sources.iter().filter_map(until).collect());
        sources
    }

    /// Gives to others what is to be done beside the work.
    fn look_after(&mut self, touched: &Touched) {
        let jobs = self.pipeline.due_upkeep(touched);
        if !jobs.is_empty() {
            let shared = Arc::clone(&self.shared);
            let work = move || {
                // Where it is not permitted, the builder has said so.
                let _ = transport::give_way();
                jobs.into_iter().for_each(|job| shared.do_later(Work::Upkept(job.carry_out())));
            };
            // Without a thread it becomes longer still, and slower.
            if let Err(error) = std::thread::Builder::new().name("upkeep".into()).spawn(work) {
                log::warn!("changes are not merged, there is no thread for it: {error}");
            }
        }
        let (jobs, keep) = self.pipeline.due_images(touched);
        if !jobs.is_empty() || keep.is_some() {
            // Without its thread nothing is written, and nothing else is different.
            let _ = self.images.send(images::Work { jobs, keep });
        }
    }
}

/// Where those who fetch zones give them in.
struct Door(Arc<Shared>);

impl Holder for Door {
    fn take(&self, apex: &Name, received: Received, is_asked: bool, wanted: &Wanted) -> Result<(), NotTaken> {
        let version = match received {
            Received::Current(_) => return Ok(()),
            Received::Whole(records) if is_asked => Version::Anew(records),
            Received::Whole(records) => Version::Whole(records),
            Received::Changes(changes) => Version::Changes(changes),
        };
        let (reply, answer) = mpsc::channel();
        self.0.do_later(Work::Received(apex.clone(), version, wanted.clone(), reply));
        match answer.recv() {
            Ok(result) => result.map_err(|not_taken| match not_taken {
                pipeline::NotTaken::DoesNotFit(why) => NotTaken::DoesNotFit(why),
                pipeline::NotTaken::Refused(why) => NotTaken::Refused(why),
            }),
            Err(_) => Err(NotTaken::Refused("the daemon is ending".into())),
        }
    }

    fn expire(&self, apex: &Name) {
        self.0.do_later(Work::Expired(apex.clone()));
    }

    fn checked(&self, apex: &Name, kept: Kept) {
        self.0.do_later(Work::Confirmed(apex.clone(), kept));
    }
}

/// Puts zones, and what leads to them, in the place of what is served.
fn swap(shared: &Shared, face: &Face, access: &Arc<Access>, tls: &Option<Acceptor>, zones: ZoneSet, logs: NameMap<Log>) {
    let before = shared.served.load();
    let (notices, updater) = (Arc::clone(&before.notices), before.updater.clone());
    drop(before);
    let served =
        Served { zones: Arc::new(zones), face: face.clone(), access: Arc::clone(access), logs, notices, tls: tls.clone(), updater };
    Served::replace(&shared.served, served);
}

fn face(config: &Config, expiry: Arc<Expiry>) -> Face {
    let secrets = machine::cookie_secret(&config.server.state).map(|secret| vec![secret]).unwrap_or_else(|error| {
        log::warn!("no cookies are given, their secret cannot be kept: {error}");
        Vec::new()
    });
    Face { expiry, ..plan::face(config, machine::hostname(), secrets) }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// systemd wants the time beside RELOADING=1.
fn reloading() -> Vec<NotifyState<'static>> {
    let mut state = vec![NotifyState::Reloading];
    state.extend(NotifyState::monotonic_usec_now().ok());
    state
}
