//! The thread that makes zones: one piece of work at a time, in the order asked for.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use serde_json::{Value, json};

use super::doors::Shared;
use super::{images, machine, plan, tell};
use crate::answer::Face;
use crate::config::Config;
use crate::dns::{Name, UnixTime};
use crate::journal::Log;
use crate::pipeline::{Pipeline, Problem, Report, Scope, Upkept};
use crate::telemetry::count;
use crate::transfer::access::Access;
use crate::transfer::notify::Announced;
use crate::transport::tls::Acceptor;
use crate::transport::{self, Served};
use crate::zone::ZoneSet;

/// Requests that may wait; our choice, far above what operators do.
pub const QUEUE: usize = 32;

/// How often signatures, and names where the clock judges them, are looked at. Our choice: signatures are due days before they end.
const TIMER: Duration = Duration::from_secs(3600);

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
}

/// Makes zones and puts them in force.
pub struct Builder {
    config: Config,
    face: Face,
    access: Arc<Access>,
    tls: Option<Acceptor>,
    pipeline: Pipeline,
    shared: Arc<Shared>,
    images: Sender<images::Work>,
}

impl Builder {
    /// With the configuration of the start.
    pub fn new(config: Config, pipeline: Pipeline, shared: Arc<Shared>, images: Sender<images::Work>) -> Self {
        let face = face(&config);
        let access = Arc::new(plan::access(&config));
        let tls = config.tls.as_ref().map(Acceptor::new);
        Self { config, face, access, tls, pipeline, shared, images }
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
        if let Err(error) = transport::give_way() {
            log::warn!("zones are made at the priority of the answers, to make them slower fails: {error}");
        }
        let mut next_timer = Instant::now() + TIMER;
        loop {
            match to_do.recv_timeout(next_timer.saturating_duration_since(Instant::now())) {
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
                Err(RecvTimeoutError::Timeout) => {
                    next_timer = Instant::now() + TIMER;
                    if let Err(error) = self.run(&Scope::Timer, UnixTime::now()) {
                        log::error!("{error}");
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
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
        (server.state, server.control) = (self.config.server.state.clone(), self.config.server.control.clone());
        self.config = Config { server, limits: self.config.limits.clone(), ..config };
        self.face = face(&self.config);
        self.access = Arc::new(plan::access(&self.config));
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

    /// Carries the plan out and logs what came of it.
    fn run(&mut self, scope: &Scope, now: UnixTime) -> Result<Report, String> {
        let plan = plan::plan(&self.config);
        let Self { shared, face, access, tls, pipeline, .. } = self;
        // A fault of the program in one input must not end the answering of all others. The pipeline takes nothing over before the
        // journal and the swap, so after a fault it is as it was.
        let report =
            catch_unwind(AssertUnwindSafe(|| pipeline.run(&plan, scope, now, |zones, logs| swap(shared, face, access, tls, zones, logs))));
        let report = report.map_err(|_| "a fault of the program ended the work, what is served stays; please report it".to_owned())?;
        for note in report.notes.iter().chain(&report.warnings) {
            log::warn!("{note}");
        }
        for zone in &report.published {
            let from = zone.from.map_or("none".to_owned(), |serial| serial.to_string());
            let (to, records, signatures) = (zone.to, count(zone.n_records, "record"), count(zone.n_signatures, "signature"));
            let why = zone.why.as_str();
            log::info!("[{}] publish, serial {from} -> {to}, {why}, {records}, {signatures}", zone.apex);
        }
        for apex in &report.removed {
            log::info!("[{apex}] removed");
        }
        for problem in &report.problems {
            log::error!("{problem}");
        }
        self.shared.update(&self.config, &self.pipeline);
        let secondaries = plan::secondaries(&self.config);
        let zones = self.pipeline.live().values().map(|live| Announced::new(&live.zone, secondaries(live.zone.apex())));
        self.shared.notifier.serve(zones.collect());
        self.look_after();
        Ok(report)
    }

    /// Takes what came of a job of [`Self::look_after`].
    fn upkept(&mut self, done: Upkept) {
        let Self { shared, face, access, tls, pipeline, .. } = self;
        for problem in pipeline.upkept(done, |zones, logs| swap(shared, face, access, tls, zones, logs)) {
            log::warn!("{problem}");
        }
        self.look_after();
    }

    /// Gives to others what is to be done beside the work.
    fn look_after(&mut self) {
        let jobs = self.pipeline.due_upkeep();
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
        let (jobs, keep) = self.pipeline.due_images();
        // Without its thread nothing is written, and nothing else is different.
        let _ = self.images.send(images::Work { jobs, keep });
    }
}

/// Puts zones, and what leads to them, in the place of what is served.
fn swap(shared: &Shared, face: &Face, access: &Arc<Access>, tls: &Option<Acceptor>, zones: ZoneSet, logs: BTreeMap<Name, Log>) {
    let served = Served { zones: Arc::new(zones), face: face.clone(), access: Arc::clone(access), logs: Arc::new(logs), tls: tls.clone() };
    Served::replace(&shared.served, served);
}

fn face(config: &Config) -> Face {
    let secrets = machine::cookie_secret(&config.server.state).map(|secret| vec![secret]).unwrap_or_else(|error| {
        log::warn!("no cookies are given, their secret cannot be kept: {error}");
        Vec::new()
    });
    plan::face(config, machine::hostname(), secrets)
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
