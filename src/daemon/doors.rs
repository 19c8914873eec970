//! What operators see and do: the state of the daemon as the control socket tells it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Value, json};

use super::Event;
use super::builder::Work;
use super::catalogs::Catalogs;
use super::desk::{Ask, Desk};
use super::follow::Follower;
use super::secondary::{Line, Secondaries, Source};
use crate::config::{self, Config};
use crate::control::{Doors, DumpError};
use crate::dns::{Name, Serial, UnixTime, master};
use crate::journal::Compiled;
use crate::orders::{Filing, What, is_plain, is_same_person};
use crate::pipeline::{Pipeline, Report, Why, keys};
use crate::telemetry::{Telemetry, count};
use crate::transfer::catalog::Group;
use crate::transfer::notify::Status;
use crate::transport::{Notifier, Served};

/// What all threads of the daemon know.
pub struct Shared {
    /// What is answered from.
    pub served: Arc<ArcSwap<Served>>,
    /// The workers' counters.
    pub telemetry: Telemetry,
    /// Who tells secondaries.
    pub notifier: Notifier,
    /// Where orders are filed.
    pub desk: Desk,
    /// What becomes of them.
    pub follower: Follower,
    secondaries: OnceLock<Secondaries>,
    /// The control socket.
    pub control: PathBuf,
    listen: Listening,
    events: Sender<Event>,
    work: SyncSender<Work>,
    board: Mutex<Board>,
}

/// The addresses served.
pub struct Listening {
    /// Over UDP and TCP.
    pub plain: Vec<SocketAddr>,
    /// Over TLS.
    pub tls: Vec<SocketAddr>,
}

/// What is told, as of the last change.
struct Board {
    ready: bool,
    since: UnixTime,
    config: PathBuf,
    identity: String,
    keys: PathBuf,
    zones: Vec<ZoneLine>,
    compiled: Option<Compiled>,
    export_problem: Option<String>,
    start: Option<Start>,
    reload: Option<(UnixTime, Result<(), String>)>,
}

/// What the start took.
#[derive(Clone)]
pub struct Start {
    /// An export was compiled.
    pub compiled: bool,
    /// Zones made or read anew.
    pub n_made: usize,
    /// Signatures made.
    pub n_signatures: usize,
    /// How long it took.
    pub took: Duration,
}

/// One zone as it is told.
#[derive(Clone)]
pub struct ZoneLine {
    /// The apex.
    pub apex: Name,
    /// The serial of what is here, which may not be good to be served.
    pub serial: Option<u32>,
    /// It is answered from.
    pub is_served: bool,
    /// Where it comes from.
    pub source: String,
    /// Records, signatures, delegations.
    pub counts: [usize; 3],
    /// Signed here.
    pub signed: bool,
    /// When signatures are renewed.
    pub refresh_at: Option<UnixTime>,
    /// What is wrong.
    pub problem: Option<String>,
    /// The catalog that has it, and its groups there.
    pub catalog: Option<(Name, Vec<String>)>,
    /// The members that are had by it, where it is a catalog.
    pub n_members: Option<usize>,
    /// What an operator should know of the content.
    pub notes: Vec<String>,
}

/// How a zone that is had from others is told.
const PRIMARIES: &str = "primaries";

impl ZoneLine {
    /// But for where it comes from, and what it says where it is a catalog.
    fn new(apex: &Name, pipeline: &Pipeline, catalogs: &Catalogs) -> Self {
        let live = pipeline.live().get(apex);
        let counts = live.map(|live| live.zone.counts());
        let member = catalogs.member(apex);
        Self {
            apex: apex.clone(),
            serial: live.map(|live| live.zone.serial().0),
            is_served: pipeline.is_served(apex),
            source: String::new(),
            counts: counts.map_or([0; 3], |counts| [counts.records, counts.signatures, counts.cuts]),
            signed: live.is_some_and(|live| !live.signing.is_empty()),
            refresh_at: live.and_then(|live| live.refresh_at),
            problem: pipeline.problems().get(apex).cloned(),
            catalog: member.map(|member| (member.catalog.clone(), member.groups.iter().map(Group::to_string).collect())),
            n_members: None,
            notes: live.map(|live| live.notes.clone()).unwrap_or_default(),
        }
    }
}

impl Shared {
    /// Of a daemon that starts.
    pub fn new(
        config: &Config,
        listen: Listening,
        served: Arc<ArcSwap<Served>>,
        notifier: Notifier,
        events: Sender<Event>,
        work: SyncSender<Work>,
    ) -> Self {
        let board = Board {
            ready: false,
            since: UnixTime::now(),
            config: config.path.clone(),
            identity: config.server.identity.clone(),
            keys: config.server.keys.clone(),
            zones: Vec::new(),
            compiled: None,
            export_problem: None,
            start: None,
            reload: None,
        };
        let control = config.server.control.clone();
        Self {
            served,
            telemetry: Telemetry::new(),
            notifier,
            desk: Desk::new(work.clone()),
            follower: Follower::open(config),
            secondaries: OnceLock::new(),
            control,
            listen,
            events,
            work,
            board: Mutex::new(board),
        }
    }

    /// The workers answer.
    pub fn set_ready(&self) {
        self.board().ready = true;
    }

    /// The first run is done.
    pub fn started(&self, pipeline: &Pipeline, report: &Report, took: Duration) {
        let made = report.published.iter().filter(|zone| pipeline.live().get(&zone.apex).is_some_and(|live| live.saved.is_some()));
        let n_signatures = made.map(|zone| zone.n_signatures).sum();
        let n_made = report.published.iter().filter(|zone| zone.why != Why::Image).count();
        self.board().start = Some(Start { compiled: report.compiled, n_made, n_signatures, took });
    }

    /// Other names and folders are in force.
    pub fn renamed(&self, config: &Config) {
        let mut board = self.board();
        board.identity.clone_from(&config.server.identity);
        board.keys.clone_from(&config.server.keys);
    }

    /// A reload ended.
    pub fn reloaded(&self, result: Result<(), &str>) {
        self.board().reload = Some((UnixTime::now(), result.map_err(str::to_owned)));
    }

    /// Zones changed.
    pub fn update(&self, config: &Config, pipeline: &Pipeline, catalogs: &Catalogs) {
        let sources: BTreeMap<&Name, &config::Source> = config.zones.iter().map(|zone| (&zone.name, &zone.source)).collect();
        let source = |apex: &Name| match sources.get(apex) {
            Some(config::Source::File(file)) => file.display().to_string(),
            Some(config::Source::Primaries { .. }) => PRIMARIES.into(),
            Some(config::Source::Generated) => "catalog".into(),
            None => "registry".into(),
        };
        let followed = catalogs.followed();
        // Those that nobody has given yet are seen as well.
        let wanted = config.zones.iter().filter(|zone| zone.source.is_primaries()).map(|zone| &zone.name);
        let mut apexes: Vec<&Name> = pipeline.live().keys().chain(pipeline.problems().keys()).chain(wanted).collect();
        apexes.sort();
        apexes.dedup();
        let line = |apex: &Name| {
            let (n_members, broken) = followed.get(apex).cloned().map_or((None, None), |(n_members, broken)| (Some(n_members), broken));
            let line = ZoneLine { source: source(apex), n_members, ..ZoneLine::new(apex, pipeline, catalogs) };
            let never = (line.serial.is_none() && line.source == PRIMARIES).then(|| "no primary has given it yet".to_owned());
            ZoneLine { problem: line.problem.clone().or(broken).or(never), ..line }
        };
        let zones = apexes.into_iter().map(line).collect();
        let mut board = self.board();
        board.zones = zones;
        board.compiled = pipeline.compiled().cloned();
        board.export_problem = pipeline.export_problem().map(str::to_owned);
    }

    /// One zone that is no catalog changed, by others or by clients.
    pub fn update_zone(&self, apex: &Name, pipeline: &Pipeline, catalogs: &Catalogs) {
        let line = ZoneLine::new(apex, pipeline, catalogs);
        let zones = &mut self.board().zones;
        match zones.binary_search_by(|zone| zone.apex.cmp(apex)) {
            Ok(i) => zones[i] = ZoneLine { source: std::mem::take(&mut zones[i].source), ..line },
            Err(i) => zones.insert(i, ZoneLine { source: PRIMARIES.into(), ..line }),
        }
    }

    /// True for a zone that is served or should be.
    pub fn has_zone(&self, apex: &Name) -> bool {
        self.board().zones.iter().any(|zone| zone.apex == *apex)
    }

    /// Asks for a reload without waiting for it. When more than enough of them wait already, one more would change nothing.
    pub fn reload_later(&self) {
        let _ = self.work.try_send(Work::Reload { zone: None, reply: None });
    }

    /// Zones are had from others from now on.
    pub fn set_secondaries(&self, secondaries: Secondaries) {
        // Set once, before anything else can.
        let _ = self.secondaries.set(secondaries);
    }

    /// Zones are had from these from now on.
    pub fn replace_sources(&self, sources: Vec<Source>) {
        if let Some(secondaries) = self.secondaries.get() {
            secondaries.replace(sources);
        }
    }

    /// Gives the builder work, when it has time for it.
    pub fn do_later(&self, work: Work) {
        // Without a receiver the process is ending.
        let _ = self.work.send(work);
    }

    /// One line for the log.
    pub fn summary(&self) -> String {
        let board = self.board();
        let served = board.zones.iter().filter(|zone| zone.is_served).count();
        let sum = |i: usize| board.zones.iter().map(|zone| zone.counts[i]).sum::<usize>();
        let mut text = format!("{}, {}, {}", count(served, "zone"), count(sum(0), "record"), count(sum(1), "signature"));
        let unavailable = board.zones.len() - served;
        if unavailable > 0 {
            text.push_str(&format!(", {} unavailable", count(unavailable, "zone")));
        }
        text
    }

    /// What the operator's terminal shows at the start: addresses, zones, account of the start.
    pub fn for_show(&self) -> (&Listening, Vec<ZoneLine>, Option<Start>) {
        let board = self.board();
        (&self.listen, board.zones.clone(), board.start.clone())
    }

    /// The account of the export that is served, and why it is not the newest.
    pub fn export(&self) -> (Option<Compiled>, Option<String>) {
        let board = self.board();
        (board.compiled.clone(), board.export_problem.clone())
    }

    /// Values are whole after each statement, so a thread that panicked left nothing half done.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apex(text: &str) -> Result<Name, String> {
        Name::parse(text).map_err(|error| format!("'{text}' is no domain name: {error}"))
    }
}

impl Doors for Shared {
    fn server_status(&self) -> Value {
        let board = self.board();
        let served = board.zones.iter().filter(|zone| zone.is_served).count();
        let of_export = board.export_problem.iter().map(|problem| json!({"zone": null, "problem": problem}));
        let of_zones =
            board.zones.iter().filter_map(|zone| Some(json!({"zone": zone.apex.to_string(), "problem": zone.problem.as_ref()?})));
        let problems: Vec<Value> = of_export.chain(of_zones).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "state": if board.ready { "ready" } else { "starting" },
            "since": board.since.to_string(),
            "config": board.config,
            "identity": board.identity,
            "listen": self.listen.plain,
            "listen_tls": self.listen.tls,
            "zones": {"served": served, "unavailable": board.zones.len() - served},
            "export": board.compiled.as_ref().map(|compiled| json!({
                "deposit": compiled.deposit, "watermark": compiled.watermark,
                "in_zone": compiled.names[0], "excluded": compiled.names[1], "rejected": compiled.names[2],
            })),
            "last_reload": board.reload.as_ref().map(|(at, result)| json!({
                "at": at.to_string(), "ok": result.is_ok(), "error": result.as_ref().err(),
            })),
            "problems": problems,
        })
    }

    fn server_stats(&self) -> Value {
        let mut stats = serde_json::to_value(self.telemetry.snapshot()).unwrap_or(Value::Null);
        if let Some(stats) = stats.as_object_mut() {
            stats.insert("orders".into(), self.follower.stats());
        }
        stats
    }

    fn reload(&self, zone: Option<&str>) -> Result<Value, String> {
        let zone = zone.map(Self::apex).transpose()?;
        let (reply, answer) = mpsc::channel();
        self.work
            .try_send(Work::Reload { zone, reply: Some(reply) })
            .map_err(|_| "too many reloads wait already, try again later".to_owned())?;
        answer.recv().map_err(|_| "the daemon is ending".to_owned())?
    }

    fn zone_refresh(&self, zone: &str, whole: bool) -> Result<(), String> {
        let apex = Self::apex(zone)?.as_ref().to_lowercase();
        match self.secondaries.get().is_some_and(|secondaries| secondaries.ask(&apex, whole)) {
            true => Ok(()),
            false => Err(format!("'{apex}' is no zone that is had from primaries")),
        }
    }

    fn stop(&self) {
        // Without a receiver it is ending already.
        let _ = self.events.send(Event::Stop);
    }

    fn zone_status(&self, zone: Option<&str>) -> Result<Value, String> {
        let wanted = zone.map(Self::apex).transpose()?;
        let mut secondaries: BTreeMap<Name, Vec<Value>> = BTreeMap::new();
        for status in self.notifier.status(wanted.clone()) {
            secondaries.entry(status.apex.clone()).or_default().push(secondary(&status));
        }
        let primaries = self.secondaries.get().map(Secondaries::lines).unwrap_or_default();
        let primaries: BTreeMap<&Name, &Line> = primaries.iter().map(|line| (&line.apex, line)).collect();
        let line = |zone: &ZoneLine| primaries.get(&zone.apex);
        let board = self.board();
        let lines: Vec<Value> = board
            .zones
            .iter()
            .filter(|zone| wanted.as_ref().is_none_or(|wanted| *wanted == zone.apex))
            .map(|zone| {
                json!({
                    "zone": zone.apex.to_string(),
                    "state": if zone.is_served { "served" } else { "unavailable" },
                    "serial": zone.serial,
                    "source": zone.source,
                    "signed_here": zone.signed,
                    "records": zone.counts[0], "signatures": zone.counts[1], "delegations": zone.counts[2],
                    "refresh_at": zone.refresh_at.map(|at| at.to_string()),
                    "problem": zone.problem,
                    "catalog": zone.catalog.as_ref().map(|(catalog, _)| catalog.to_string()),
                    "groups": zone.catalog.as_ref().map(|(_, groups)| groups),
                    "members": zone.n_members,
                    "note": (!zone.notes.is_empty()).then(|| zone.notes.join("; ")),
                    "primary": line(zone).map(|line| line.primary),
                    "checked_at": line(zone).and_then(|line| line.status.checked).map(|at| at.to_string()),
                    "next_check_at": line(zone).and_then(|line| line.status.next).map(|at| at.to_string()),
                    "good_until": line(zone).and_then(|line| line.status.until).map(|at| at.to_string()),
                    "transfer_problem": line(zone).and_then(|line| line.problem.clone()),
                    "secondaries": secondaries.remove(&zone.apex).unwrap_or_default(),
                })
            })
            .collect();
        match wanted {
            Some(apex) if lines.is_empty() => Err(format!("there is no zone '{apex}' here")),
            _ => Ok(Value::Array(lines)),
        }
    }

    fn zone_dump(&self, zone: &str, mut out: &mut dyn Write) -> Result<(), DumpError> {
        let apex = Self::apex(zone).map_err(DumpError::Refused)?;
        let served = self.served.load_full();
        let Some(zone) = served.zones.get(apex.as_ref()) else {
            return Err(DumpError::Refused(format!("there is no zone '{apex}' here, or nothing is served of it")));
        };
        Ok(master::write(&zone.records(), 1, &mut out)?)
    }

    fn key_list(&self) -> Result<Value, String> {
        let folder = self.board().keys.clone();
        let keys = keys::load_all(&folder).map_err(|error| error.to_string())?;
        let time = |time: Option<UnixTime>| time.map(|time| time.to_string());
        let lines = keys.iter().map(|key| {
            json!({
                "zone": key.zone().to_string(),
                "tag": key.tag(),
                "algorithm": key.algorithm().to_string(),
                "flags": key.flags(),
                "bits": key.bits(),
                "file": keys::file_stem(key),
                "publish": time(key.timing.publish), "activate": time(key.timing.activate),
                "inactive": time(key.timing.inactive), "delete": time(key.timing.delete),
            })
        });
        Ok(lines.collect())
    }

    fn order_file(&self, orders: Vec<Filing>) -> Result<Value, String> {
        self.desk.ask(Ask::File(orders))
    }

    fn order_impact(&self, domain: String) -> Result<Value, String> {
        self.desk.ask(Ask::Impact(domain))
    }

    fn order_list(&self, domain: Option<String>, all: bool, after: u64) -> Result<Value, String> {
        self.desk.ask(Ask::List { domain, all, after })
    }

    fn order_show(&self, id: String) -> Result<Value, String> {
        let mut order = self.desk.ask(Ask::Show(id.clone()))?;
        order["record"] = self.follower.of(&id);
        Ok(order)
    }

    fn order_report(&self) -> Result<Value, String> {
        self.desk.ask(Ask::Report)
    }

    fn order_note(&self, id: String, approver: Option<String>, notified: Option<String>) -> Result<Value, String> {
        let order = self.desk.ask(Ask::Show(id.clone()))?;
        let is_word = |text: &str| !text.trim().is_empty() && text.chars().count() <= 200 && text.chars().all(is_plain);
        for what in approver.iter().chain(&notified) {
            if !is_word(what) {
                return Err("BAD_ORDER: an approver and a channel have 1 to 200 characters that can be printed".into());
            }
        }
        if let Some(approver) = approver {
            if !order["approver"].as_str().unwrap_or_default().is_empty() || self.follower.is_approved(&id) {
                return Err(format!("order '{id}' has its approver"));
            }
            if order["operator"].as_str().is_some_and(|operator| is_same_person(operator, &approver)) {
                return Err("TWO_PERSONS: the approver must be somebody other than the operator".into());
            }
            self.follower.note(&id, What::Approved { approver })?;
        }
        if let Some(channel) = notified {
            self.follower.note(&id, What::Notified { channel })?;
        }
        self.order_show(id)
    }
}

/// One secondary as it is told.
fn secondary(status: &Status) -> Value {
    let (serial, time) = (
        |seen: Option<(Serial, UnixTime)>| seen.map(|seen| seen.0.0),
        |seen: Option<(Serial, UnixTime)>| seen.map(|seen| seen.1.to_string()),
    );
    json!({
        "address": status.address,
        "state": status.state.as_str(),
        "notified": serial(status.notified), "notified_at": time(status.notified),
        "acknowledged": serial(status.acknowledged), "acknowledged_at": time(status.acknowledged),
        "seen": serial(status.seen), "seen_at": time(status.seen),
        "fault": status.fault,
    })
}
