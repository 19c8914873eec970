//! The registry's export as an input: which deposit, what else counts, and what the compiler makes of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::Live;
use super::plan::RegistryPlan;
use crate::compile::{self, At, DelegatedStats, Infrastructure, LiveDelegation, Policy, Profile, Prohibited, Register, SecondLevels, Ttls};
use crate::disk;
use crate::dns::idn::Repertoire;
use crate::dns::records::Full;
use crate::dns::{Name, NameRef, Records, Serial, UnixTime};
use crate::journal::Compiled;
use crate::orders::{Order, Orders};
use crate::parallel;
use crate::registry::{
    Applied, Approval, Deposit, Newest, PublicKey, ReadOptions, SignaturePolicy, check_not_stale, check_shrink, newest_full,
};
use crate::zone::{Node, Set};

/// The most octets of an orders ledger or a data file: our choice, far above any real one.
pub const MAX_DATA: u64 = 1 << 30;

/// What came out of a compile.
pub struct Export {
    /// The account for the journal and the operator.
    pub account: Compiled,
    /// The unsigned zones, with serial 0.
    pub zones: Vec<(Name, Records)>,
    /// What an operator should look at.
    pub notes: Vec<String>,
    /// What single names are judged anew by.
    pub register: Arc<Register>,
}

/// Everything a compile reads, found and hashed.
pub struct Inputs {
    /// SHA-256 over all of it, hexadecimal.
    pub digest: String,
    /// Deposits that an operator may have meant instead of the one taken.
    pub passed_over: Vec<String>,
    deposit: PathBuf,
    pub(super) header: String,
    prohibited: Option<PathBuf>,
    delegated: Option<PathBuf>,
}

/// Finds and hashes everything that decides what a compile gives.
///
/// Cost: each file is read once.
///
/// # Errors
/// When there is no deposit, or a file cannot be read.
pub fn inputs(plan: &RegistryPlan, now: UnixTime) -> Result<Inputs, String> {
    let Newest { folder: deposit, passed_over } = newest_full(&plan.deposits).map_err(|error| error.to_string())?;
    let beside = deposit.parent().unwrap_or(Path::new("."));
    let prohibited = plan.prohibited.clone().or_else(|| Some(beside.join("prohibited.csv")).filter(|path| is_there(path)));
    let delegated = plan.delegated.clone().or_else(|| delegated_beside(beside));
    let header = file_digest(&deposit.join("deposit.toml"))?;

    let mut hasher = Sha256::new();
    let mut add = |what: &str, value: &str| hasher.update(format!("{} {what} {} {value}\n", what.len(), value.len()));
    let files = files(&deposit)?;
    for (path, digest) in files.iter().zip(parallel::map(files.iter().collect(), |path| file_digest(path))) {
        add(&path.file_name().unwrap_or_default().to_string_lossy(), &digest?);
    }
    let named = [
        ("second-level", Some(&plan.second_level)),
        ("infrastructure", Some(&plan.infrastructure)),
        ("profiles", plan.profiles.as_ref()),
        ("idn-table", plan.idn_table.as_ref()),
        ("prohibited", prohibited.as_ref()),
        ("delegated", delegated.as_ref()),
    ];
    for (what, path) in named {
        if let Some(path) = path {
            add(what, &file_digest(path)?);
        }
    }
    for path in &plan.deposit_keys {
        add("deposit-key", &file_digest(path)?);
    }
    add("profile", &plan.profile);
    // Another version may judge otherwise.
    add("version", env!("CARGO_PKG_VERSION"));
    if !plan.at_watermark {
        // Names expire by the clock; an hour is fine enough for that.
        add("hour", &(now.0 / 3600).to_string());
    }
    Ok(Inputs { digest: HEXLOWER.encode(&hasher.finalize()), passed_over, deposit, header, prohibited, delegated })
}

/// Reads the deposit that was found, and what it is compiled with.
///
/// # Errors
/// Why something of it is refused; with the reason's code where FORMAT.md gives one.
pub fn register(plan: &RegistryPlan, inputs: &Inputs) -> Result<Register, String> {
    let keys = plan.deposit_keys.iter().map(|path| public_key(path)).collect::<Result<Vec<_>, _>>()?;
    let required = !keys.is_empty();
    let options = ReadOptions { signatures: SignaturePolicy { keys, required }, ..ReadOptions::default() };
    let deposit = Deposit::read(&inputs.deposit, &options).map_err(|error| format!("'{}': {error}", inputs.deposit.display()))?;
    Register::new(deposit, policy(plan, inputs)?).map_err(|error| error.to_string())
}

/// The times at which the export is judged. Orders are of today, also where registrations are judged at the deposit's own time.
pub fn at(plan: &RegistryPlan, register: &Register, now: UnixTime) -> At {
    At { names: if plan.at_watermark { register.deposit().header.watermark } else { now }, orders: now }
}

/// Reads the newest FULL deposit and compiles it with the orders.
///
/// `applied` is the account of the last compile, `live` what is served: a deposit that is older, or takes too much away, is refused.
///
/// # Errors
/// Why the deposit, or something it is compiled with, is refused; with the reason's code where FORMAT.md gives one.
pub fn compile(
    plan: &RegistryPlan,
    inputs: Inputs,
    orders: &Orders,
    now: UnixTime,
    applied: Option<&Compiled>,
    live: &BTreeMap<Name, Live>,
) -> Result<Export, String> {
    let register = register(plan, &inputs)?;
    let deposit = register.deposit();
    // The guards are about a new deposit. The same one compiled again gives less only by orders and by the clock, which are not held.
    let applied = applied.filter(|applied| applied.header != inputs.header).and_then(|applied| as_applied(applied, orders, now));
    check_not_stale(&deposit.header, applied.as_ref(), Approval::None).map_err(|error| error.to_string())?;
    let compiled = register.compile(orders, at(plan, &register, now), Some(&Served(live))).map_err(|error| error.to_string())?;
    let published = compiled.published();
    check_shrink(deposit, applied.as_ref(), &published, plan.max_shrink_percent, Approval::None).map_err(|error| error.to_string())?;

    // Names, not rows: a name that two rows claim is one name.
    let count = |result: &str| {
        let rows = deposit.objects.domains().iter().zip(&compiled.outcomes);
        let of_result = rows.filter(|(_, outcome)| outcome.verdict.result() == result);
        of_result.map(|(domain, _)| deposit.objects.text(domain.name).to_ascii_lowercase()).collect::<HashSet<_>>().len() as u64
    };
    let names = [published.values().sum(), count("excluded"), count("rejected")];
    let notes = orders.notes().iter().map(|note| format!("orders: {note}")).chain(deposit.objects.notes().iter().cloned()).collect();
    let zones = parallel::map(compiled.zones, |zone| Ok((zone.apex.clone(), zone.into_records(Serial(0))?)))
        .into_iter()
        .collect::<Result<Vec<(Name, Records)>, Full>>()
        .map_err(|error| error.to_string())?;
    let account = Compiled {
        inputs: inputs.digest,
        header: inputs.header,
        deposit: deposit.header.id.clone(),
        watermark: deposit.header.watermark.to_string(),
        resend: deposit.header.resend,
        published,
        counted: orders.chain().seq,
        names,
        zones: zones.iter().map(|(apex, _)| apex.to_string()).collect(),
        orders: orders.chain().seq,
        orders_head: orders.chain().sha256.clone(),
    };
    Ok(Export { account, zones, notes, register: Arc::new(register) })
}

/// True for anything at the path, a dangling link as well.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// What the last deposit gave, without the names that orders have taken away since: that is no loss by the next one.
fn as_applied(compiled: &Compiled, orders: &Orders, now: UnixTime) -> Option<Applied> {
    let mut published = compiled.published.clone();
    // One that was to hold later was in the ledger before it took a name away.
    let is_newer = |order: &&Order| order.seq > compiled.counted || order.effective_at > order.received_at;
    let names: BTreeSet<&str> = orders.all().iter().filter(is_newer).map(|order| &order.domain[..]).collect();
    for name in names.into_iter().filter(|name| orders.in_force(name.as_bytes(), now).is_some()) {
        if let Some(count) = name.split_once('.').and_then(|(_, zone)| published.get_mut(zone)) {
            *count = count.saturating_sub(1);
        }
    }
    Some(Applied {
        id: compiled.deposit.clone(),
        watermark: UnixTime::parse_rfc3339(&compiled.watermark)?,
        resend: compiled.resend,
        published,
    })
}

fn policy(plan: &RegistryPlan, inputs: &Inputs) -> Result<Policy, String> {
    let profiles = match &plan.profiles {
        None => Profile::built_in(),
        Some(path) => Profile::parse_all(&text(path)?).map_err(|error| said(path, error))?,
    };
    let known: Vec<String> = profiles.iter().map(|profile| profile.name.clone()).collect();
    let profile = profiles
        .into_iter()
        .find(|profile| profile.name == plan.profile)
        .ok_or_else(|| format!("[registry] profile: there is no '{}', write one of {}", plan.profile, known.join(", ")))?;
    let second_levels = SecondLevels::parse(&text(&plan.second_level)?).map_err(|error| said(&plan.second_level, error))?;
    let tld = second_levels.apexes().first().ok_or_else(|| said(&plan.second_level, "has no top-level domain"))?;
    let infrastructure = &plan.infrastructure;
    let infrastructure = Infrastructure::parse(&text(infrastructure)?, tld.as_ref()).map_err(|error| said(infrastructure, error))?;
    let idn = match &plan.idn_table {
        None => Repertoire::parse(include_str!("../../zones/idn-vi.txt")).map_err(|error| error.to_string())?,
        Some(path) => Repertoire::parse(&text(path)?).map_err(|error| said(path, error))?,
    };
    let prohibited = match &inputs.prohibited {
        None => Prohibited::none(),
        Some(path) => Prohibited::parse(text(path)?.as_bytes(), &idn).map_err(|error| said(path, error))?,
    };
    let delegated = match &inputs.delegated {
        None => DelegatedStats::none(),
        Some(path) => DelegatedStats::parse(&text(path)?).map_err(|error| said(path, error))?,
    };
    Ok(Policy { profile, second_levels, infrastructure, idn, prohibited, delegated, ttls: Ttls::default(), notice: plan.notice.clone() })
}

/// What is served, for names that an export states twice and differently.
pub(super) struct Served<'a>(pub &'a BTreeMap<Name, Live>);

impl compile::Live for Served<'_> {
    fn delegation(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Option<LiveDelegation> {
        let zone = &self.0.get(&zone.to_owned())?.zone;
        let node = zone.node(name).filter(|node| node.is_cut())?;
        let rdata = |set: Set<'_>| {
            let mut all = Vec::new();
            set.records.expand(name, zone.apex(), |_, _, _, rdata| all.push(rdata.to_vec()));
            all
        };
        let cut = node.cut();
        let ns = rdata(cut.ns()).iter().filter_map(|rdata| Name::from_wire(rdata).ok()).collect();
        Some(LiveDelegation { ns, ds: cut.ds().map(rdata).unwrap_or_default() })
    }
}

impl compile::Contents for Served<'_> {
    fn records_at(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Records {
        self.0.get(&zone.to_owned()).map(|live| live.zone.records_at(name)).unwrap_or_default()
    }

    fn below(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Vec<Name> {
        let Some(live) = self.0.get(&zone.to_owned()) else { return Vec::new() };
        let has_records = |node: &Node<'_>| node.all_sets().next().is_some();
        live.zone.below(name).filter(has_records).map(|node| node.name(&live.zone.apex().to_owned())).collect()
    }
}

/// The delegated statistics in `folder`: the first `delegated*.txt` by name, so that the choice does not depend on the file system.
pub fn delegated_beside(folder: &Path) -> Option<PathBuf> {
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("delegated") && name.ends_with(".txt")
    };
    fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).filter(is_one).min()
}

/// The plain files of a folder in order of name, not those of folders within.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| said(folder, error))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

fn file_digest(path: &Path) -> Result<String, String> {
    let mut hasher = Sha256::new();
    let mut file = disk::open(path).map_err(|error| said(path, error))?;
    std::io::copy(&mut file, &mut hasher).map_err(|error| said(path, error))?;
    Ok(HEXLOWER.encode(&hasher.finalize()))
}

fn public_key(path: &Path) -> Result<PublicKey, String> {
    PublicKey::parse(&text(path)?).ok_or_else(|| said(path, "is no Ed25519 public key in base64, hex or PEM"))
}

fn text(path: &Path) -> Result<String, String> {
    disk::read_text(path, MAX_DATA).map_err(|error| said(path, error))
}

fn said(path: &Path, error: impl fmt::Display) -> String {
    format!("'{}': {error}", path.display())
}
