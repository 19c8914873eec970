//! `saola zone compile`: a deposit in, zone files and what became of every row and host out.

use std::cmp::Reverse;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;

use super::Failure;
use crate::compile::{
    Compiled, CompiledZone, DelegatedStats, HostOutcome, HostResult, Infrastructure, Mode, Notice, Outcome, Policy, Profile, Prohibited,
    SecondLevels, Ttls, Verdict,
};
use crate::disk;
use crate::dns::idn::Repertoire;
use crate::dns::{Name, Serial, UnixTime, master};
use crate::orders::Orders;
use crate::parallel;
use crate::pipeline::{MAX_DATA, delegated_beside};
use crate::registry::{
    Applied, Approval, DEFAULT_MAX_SHRINK_PERCENT, Deposit, DepositError, Newest, Objects, PublicKey, ReadOptions, SignaturePolicy,
    check_not_stale, check_shrink, csv, newest_full,
};
use crate::telemetry::count;

/// The arguments of `saola zone compile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of a FULL deposit, or one with deposits in it: then the newest FULL is taken.
    deposit: PathBuf,
    /// Where the zone files, outcomes.csv and hosts.csv are put; made when it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The legal profile.
    #[arg(long, value_name = "NAME", default_value = "92-2003")]
    profile: String,
    /// A file of legal profiles in place of the built-in ones.
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
    /// The ledger of orders [default: orders.jsonl beside the deposit's folder, if there].
    #[arg(long, value_name = "LEDGER")]
    orders: Option<PathBuf>,
    /// A name server that tells of suspensions; may be given several times.
    #[arg(long, value_name = "NAME", requires = "notice_ground")]
    notice_server: Vec<String>,
    /// A legal ground whose suspensions lead to the notice servers; may be given several times.
    #[arg(long, value_name = "CODE", requires = "notice_server")]
    notice_ground: Vec<String>,
    /// The time of evaluation: RFC 3339, `now`, or `watermark` for the deposit's own.
    #[arg(long, value_name = "TIME", default_value = "now")]
    at: String,
    /// The serial of every zone [default: the seconds of the time of evaluation].
    #[arg(long, value_name = "N")]
    serial: Option<u32>,
    /// The shared second-level names [default: built in].
    #[arg(long, value_name = "FILE")]
    second_level: Option<PathBuf>,
    /// The name servers of the zones [default: the example's, built in].
    #[arg(long, value_name = "FILE")]
    infrastructure: Option<PathBuf>,
    /// The code points of Vietnamese labels [default: built in].
    #[arg(long, value_name = "FILE")]
    idn: Option<PathBuf>,
    /// Forbidden phrases [default: prohibited.csv beside the deposit's folder, if there].
    #[arg(long, value_name = "FILE")]
    prohibited: Option<PathBuf>,
    /// Delegated statistics of addresses [default: the first delegated*.txt beside the deposit's folder, if there].
    #[arg(long, value_name = "FILE")]
    delegated: Option<PathBuf>,
    /// Whether a name server abroad rejects a gov.vn name [default: as the profile says].
    #[arg(long, value_name = "MODE")]
    gov_ns: Option<GovNs>,
    /// A public key that deposits must be signed with (base64, hex or PEM); may be given several times.
    #[arg(long, value_name = "FILE")]
    deposit_key: Vec<PathBuf>,
    /// What was applied last: read if there, written after success. Without it a deposit is judged as the first.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The share of a zone's published names that may go, in percent.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_SHRINK_PERCENT)]
    max_shrink_percent: u32,
    /// Let a deposit through that is held for a second person.
    #[arg(long)]
    approve: bool,
}

/// Whether a rule decides or only tells.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum GovNs {
    /// It rejects.
    Enforce,
    /// It leaves a finding.
    Report,
}

/// Compiles, writes, and says in one line what came out. Nothing is written when the deposit is refused.
///
/// # Errors
/// Refused with the code of the interface description; usage for options that cannot be understood.
pub fn run(args: &Args) -> Result<(), Failure> {
    let started = Instant::now();
    let at = time(&args.at)?;
    let Newest { folder, passed_over } = newest_full(&args.deposit).map_err(refused)?;
    passed_over.iter().for_each(|what| super::complain(&format!("warning: {what}")));
    let beside = folder.canonicalize().ok().and_then(|folder| folder.parent().map(Path::to_owned)).unwrap_or_default();
    let policy = read_policy(args, &beside)?;
    let keys = args.deposit_key.iter().map(|path| read_key(path)).collect::<Result<Vec<_>, _>>()?;
    let required = !keys.is_empty();
    let options = ReadOptions { signatures: SignaturePolicy { keys, required }, ..ReadOptions::default() };

    let deposit = Deposit::read(&folder, &options).map_err(refused)?;
    let at = at.unwrap_or(deposit.header.watermark);
    let orders = read_orders(args, &beside)?;
    let applied = read_state(args.state.as_deref())?;
    let approval = if args.approve { Approval::Given } else { Approval::None };
    check_not_stale(&deposit.header, applied.as_ref(), approval).map_err(refused)?;
    let compiled = crate::compile::compile(&deposit, &orders, &policy, at, None).map_err(|error| Failure::Refused(error.to_string()))?;
    let published = compiled.published();
    check_shrink(&deposit, applied.as_ref(), &published, args.max_shrink_percent, approval).map_err(refused)?;

    let notes = orders.notes().iter().map(|note| format!("orders: {note}")).chain(deposit.objects.notes().iter().cloned());
    notes.for_each(|note| super::complain(&note));
    let summary = summary(&deposit, &compiled, at);
    let serial = Serial(args.serial.unwrap_or(at.as_rrsig()));
    write_all(&args.out, &deposit, compiled, serial).map_err(|error| Failure::Refused(format!("{}: {error}", args.out.display())))?;
    if let Some(path) = &args.state {
        let text = serde_json::to_string_pretty(&Applied::after(&deposit, published)).expect("plain values");
        replace(path, |out| out.write_all(text.as_bytes())).map_err(|error| Failure::Refused(format!("{}: {error}", path.display())))?;
    }
    super::say(format_args!("{summary}, {} ms", started.elapsed().as_millis()))?;
    Ok(())
}

/// The time of evaluation; `None` is the deposit's own.
fn time(text: &str) -> Result<Option<UnixTime>, Failure> {
    match text {
        "now" => Ok(Some(UnixTime::now())),
        "watermark" => Ok(None),
        text => UnixTime::parse_rfc3339(text)
            .map(Some)
            .ok_or_else(|| Failure::Usage(format!("--at '{text}': want an RFC 3339 time, 'now' or 'watermark'"))),
    }
}

fn refused(error: DepositError) -> Failure {
    Failure::Refused(format!("refused {error}"))
}

fn summary(deposit: &Deposit, compiled: &Compiled, at: UnixTime) -> String {
    let rows = |result: &str| compiled.outcomes.iter().filter(|outcome| outcome.verdict.result() == result).count();
    let published: u64 = compiled.zones.iter().map(|zone| zone.published).sum();
    format!(
        "{} at {at} from deposit {}: {}, {} in zone ({}), {} excluded, {} rejected",
        count(compiled.zones.len(), "zone"),
        deposit.header.id,
        count(compiled.outcomes.len(), "row"),
        rows(Verdict::InZone.result()),
        count(published, "name"),
        rows("excluded"),
        rows("rejected"),
    )
}

fn read_policy(args: &Args, beside: &Path) -> Result<Policy, Failure> {
    let usage = |path: &Path, error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
    let text = |path: &Option<PathBuf>, built_in: &str| match path {
        None => Ok(built_in.to_owned()),
        Some(path) => disk::read_text(path, MAX_DATA).map_err(|error| usage(path, &error)),
    };
    let shown = |path: &Option<PathBuf>| path.clone().unwrap_or_else(|| "built in".into());

    let profiles = match &args.profiles {
        None => Profile::built_in(),
        Some(path) => Profile::parse_all(&text(&args.profiles, "")?).map_err(|error| usage(path, &error))?,
    };
    let mut profile = profiles.into_iter().find(|profile| profile.name == args.profile).ok_or_else(|| {
        let names: Vec<_> = Profile::built_in().into_iter().map(|profile| profile.name).collect();
        Failure::Usage(format!("--profile '{}' is not known; built in are {}", args.profile, names.join(", ")))
    })?;
    match args.gov_ns {
        Some(GovNs::Enforce) => profile.home_mode = Mode::Enforce,
        Some(GovNs::Report) => profile.home_mode = Mode::Report,
        None => {}
    }
    let second_levels = SecondLevels::parse(&text(&args.second_level, include_str!("../../zones/second-level.toml"))?)
        .map_err(|error| usage(&shown(&args.second_level), &error))?;
    let infrastructure = text(&args.infrastructure, include_str!("../../zones/infrastructure.toml"))?;
    let infrastructure = Infrastructure::parse(&infrastructure, second_levels.apexes()[0].as_ref())
        .map_err(|error| usage(&shown(&args.infrastructure), &error))?;
    let idn =
        Repertoire::parse(&text(&args.idn, include_str!("../../zones/idn-vi.txt"))?).map_err(|error| usage(&shown(&args.idn), &error))?;
    let prohibited = match args.prohibited.clone().or_else(|| existing(beside.join("prohibited.csv"))) {
        None => Prohibited::none(),
        Some(path) => {
            let bytes = disk::read(&path, MAX_DATA).map_err(|error| usage(&path, &error))?;
            Prohibited::parse(&bytes, &idn).map_err(|error| usage(&path, &error))?
        }
    };
    let delegated = match args.delegated.clone().or_else(|| delegated_beside(beside)) {
        None => DelegatedStats::none(),
        Some(path) => {
            let text = disk::read_text(&path, MAX_DATA).map_err(|error| usage(&path, &error))?;
            DelegatedStats::parse(&text).map_err(|error| usage(&path, &error))?
        }
    };
    let server = |text: &String| match Name::parse(text) {
        Ok(name) => Ok(name.as_ref().to_lowercase()),
        Err(error) => Err(Failure::Usage(format!("--notice-server '{text}': {error}"))),
    };
    let servers = args.notice_server.iter().map(server).collect::<Result<_, _>>()?;
    let notice = Notice { servers, grounds: args.notice_ground.iter().cloned().collect() };
    Ok(Policy { profile, second_levels, infrastructure, idn, prohibited, delegated, ttls: Ttls::default(), notice })
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.symlink_metadata().is_ok().then_some(path)
}

fn read_key(path: &Path) -> Result<PublicKey, Failure> {
    let text = disk::read_text(path, MAX_DATA).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    PublicKey::parse(&text).ok_or_else(|| Failure::Usage(format!("{}: want an Ed25519 public key as base64, hex or PEM", path.display())))
}

fn read_orders(args: &Args, beside: &Path) -> Result<Orders, Failure> {
    let Some(path) = args.orders.clone().or_else(|| existing(beside.join("orders.jsonl"))) else { return Ok(Orders::none()) };
    let text = disk::read(&path, MAX_DATA).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    Orders::read(&text).map_err(|error| {
        Failure::Refused(format!("refused {}: {} line {}: {}", error.fault.code(), path.display(), error.line, error.fault))
    })
}

fn read_state(path: Option<&Path>) -> Result<Option<Applied>, Failure> {
    let Some(path) = path.filter(|path| path.exists()) else { return Ok(None) };
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
    let text = disk::read_text(path, MAX_DATA).map_err(|error| usage(&error))?;
    serde_json::from_str(&text).map(Some).map_err(|error| usage(&error))
}

/// Writes everything beside `out` first and then moves it in, so that an error on the way leaves `out` as it was.
fn write_all(out: &Path, deposit: &Deposit, compiled: Compiled, serial: Serial) -> io::Result<()> {
    fs::create_dir_all(out)?;
    let staging = out.join(format!(".new-{}", std::process::id()));
    fs::create_dir(&staging)?;
    let result = write_files(&staging, deposit, compiled, serial).and_then(|()| {
        for entry in fs::read_dir(&staging)? {
            let entry = entry?;
            fs::rename(entry.path(), out.join(entry.file_name()))?;
        }
        Ok(())
    });
    fs::remove_dir_all(&staging)?;
    result
}

fn write_files(folder: &Path, deposit: &Deposit, compiled: Compiled, serial: Serial) -> io::Result<()> {
    let Compiled { mut zones, outcomes, hosts } = compiled;
    let apexes: Vec<String> = zones.iter().map(|zone| zone.apex.to_string().trim_end_matches('.').to_owned()).collect();
    let zone_file = |zone: CompiledZone| {
        let path = folder.join(format!("{}.zone", zone.apex.to_string().trim_end_matches('.')));
        let records = zone.into_records(serial).map_err(io::Error::other)?;
        master::write(&records, 1, &mut fs::File::create(path)?)
    };
    // The largest first, so that no core waits long for the last.
    zones.sort_by_key(|zone| Reverse(zone.published));
    let mut files: Vec<Box<dyn FnOnce() -> io::Result<()> + Send>> = Vec::new();
    files.extend(zones.into_iter().map(|zone| Box::new(|| zone_file(zone)) as _));
    files.push(Box::new(|| write_outcomes(&folder.join("outcomes.csv"), &deposit.objects, &outcomes, &apexes)));
    files.push(Box::new(|| write_hosts(&folder.join("hosts.csv"), &deposit.objects, &hosts, &apexes)));
    parallel::map(files, |write| write()).into_iter().collect()
}

fn write_outcomes(path: &Path, objects: &Objects, outcomes: &[Outcome], apexes: &[String]) -> io::Result<()> {
    let mut report = Report::create(path)?;
    report.add(&["domain", "result", "reason", "findings", "zone"])?;
    for (domain, outcome) in objects.domains().iter().zip(outcomes) {
        let findings = outcome.findings.to_string();
        let zone = outcome.zone.map_or("", |zone| &apexes[zone.0 as usize]);
        report.add(&[objects.text(domain.name), outcome.verdict.result(), outcome.verdict.reason(), &findings, zone])?;
    }
    report.finish()
}

fn write_hosts(path: &Path, objects: &Objects, hosts: &[HostOutcome], apexes: &[String]) -> io::Result<()> {
    let mut report = Report::create(path)?;
    report.add(&["host", "addresses", "result", "reason"])?;
    for outcome in hosts {
        let addresses: Vec<String> = objects.addresses(outcome.host).iter().map(|address| address.to_string()).collect();
        let reason = match outcome.result {
            HostResult::Glue(zone) => format!("{} in {}", outcome.result.reason(), apexes[zone.0 as usize]),
            _ => outcome.result.reason().to_owned(),
        };
        report.add(&[objects.text(objects.host(outcome.host).name), &addresses.join(" "), outcome.result.result(), &reason])?;
    }
    report.finish()
}

/// A file of comma-separated values that is being written.
struct Report {
    file: fs::File,
    rows: Vec<u8>,
}

impl Report {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: fs::File::create(path)?, rows: Vec::new() })
    }

    fn add(&mut self, values: &[&str]) -> io::Result<()> {
        csv::write_row(values, &mut self.rows);
        if self.rows.len() < 1 << 16 {
            return Ok(());
        }
        self.file.write_all(&self.rows)?;
        self.rows.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.write_all(&self.rows)
    }
}

/// Writes a file beside `path` and moves it there.
fn replace(path: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs::File::create(&new)?;
    write(&mut file)?;
    file.sync_all()?;
    fs::rename(&new, path)
}
