//! Turns a deposit and the orders into zones: every name ends in a zone, excluded or rejected, with its reason.
//!
//! Pure: same inputs, same zones. Knows no file, no key, no serial and no clock. One bad row never stops a build.

mod check;
mod delegated;
mod host;
mod infrastructure;
mod name;
mod outcome;
mod profile;
mod prohibited;
mod register;
mod second_level;
mod zones;

pub use delegated::{DelegatedError, DelegatedStats, Location};
pub use infrastructure::{Infrastructure, NameServer};
pub use outcome::{Exclusion, Finding, Findings, HostOutcome, HostResult, Outcome, Rejection, Verdict, ZoneId};
pub use profile::{Eligibility, Mode, Profile, TargetMode};
pub use prohibited::Prohibited;
pub use register::{Candidate, Change, Dependant, Impact, Notice, Register};
pub use second_level::{Place, SecondLevels};
pub use zones::{Compiled, CompiledZone};

use std::fmt;

use crate::dns::idn::Repertoire;
use crate::dns::records::Full;
use crate::dns::{Name, NameRef, Records, UnixTime};
use crate::orders::Orders;
use crate::registry::{Deposit, DepositKind};

/// All that rules the compilation, beside the deposit and the orders.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What the law asks.
    pub profile: Profile,
    /// The shared second-level names.
    pub second_levels: SecondLevels,
    /// Who serves the zones.
    pub infrastructure: Infrastructure,
    /// The code points of Vietnamese labels.
    pub idn: Repertoire,
    /// Phrases that no name may hold.
    pub prohibited: Prohibited,
    /// Which country an address belongs to; without it every address is unknown.
    pub delegated: DelegatedStats,
    /// Times to live.
    pub ttls: Ttls,
    /// What stands in the place of some suspended names.
    pub notice: Notice,
}

/// Times to live and the timers of the SOA, in seconds. The defaults are the registry's choice, no RFC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttls {
    /// NS records, of delegations and at the apex.
    pub ns: u32,
    /// A and AAAA records.
    pub address: u32,
    /// DS records.
    pub ds: u32,
    /// The SOA record itself.
    pub soa: u32,
    /// How long a negative answer may be kept (the last field of the SOA, RFC 2308 §4).
    pub negative: u32,
    /// Refresh of secondaries.
    pub refresh: u32,
    /// Retry of secondaries.
    pub retry: u32,
    /// Expiry at secondaries.
    pub expire: u32,
}

impl Default for Ttls {
    fn default() -> Self {
        Self { ns: 3600, address: 3600, ds: 3600, soa: 3600, negative: 900, refresh: 1800, retry: 600, expire: 1_209_600 }
    }
}

/// What is published now, asked where an export contradicts itself about a name.
pub trait Live: Sync {
    /// The delegation of `name` in `zone` as it is served.
    fn delegation(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Option<LiveDelegation>;
}

/// All that is published now, asked where single names are judged anew.
pub trait Contents: Live {
    /// The records of `name` in `zone`, with whatever signing has put there.
    fn records_at(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Records;

    /// The names below `name` in `zone` that have records.
    fn below(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Vec<Name>;
}

/// The times at which an export is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Of registrations: what has expired, what is late.
    pub names: UnixTime,
    /// Of orders: what is in force.
    pub orders: UnixTime,
}

impl From<UnixTime> for At {
    fn from(time: UnixTime) -> Self {
        Self { names: time, orders: time }
    }
}

/// A delegation as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveDelegation {
    /// The name servers.
    pub ns: Vec<Name>,
    /// RDATA of the DS records.
    pub ds: Vec<Vec<u8>>,
}

/// Why nothing can be compiled at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// Only a FULL can stand alone.
    NotFull(DepositKind),
    /// The deposit is of another top-level domain than the list of second-level names.
    OtherTld {
        /// The deposit's.
        deposit: String,
        /// The list's.
        list: String,
    },
    /// More than 4 GiB of records in one zone.
    Full,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFull(kind) => write!(f, "a {kind} builds on another deposit, a FULL is needed"),
            Self::OtherTld { deposit, list } => write!(f, "the deposit is of '{deposit}', the list of second-level names of '{list}'"),
            Self::Full => Full.fmt(f),
        }
    }
}

impl std::error::Error for CompileError {}

impl From<Full> for CompileError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// Compiles a FULL deposit at the time `at`.
///
/// `live` is asked only for names that the export states twice and differently. Cost: one pass over the rows on
/// all cores, one over the hosts, one to write the records; some 100 octets a domain beside the deposit.
///
/// # Errors
/// [`CompileError`]; a bad row is never an error but an outcome.
pub fn compile(
    deposit: &Deposit,
    orders: &Orders,
    policy: &Policy,
    at: impl Into<At>,
    live: Option<&dyn Live>,
) -> Result<Compiled, CompileError> {
    check_whole(deposit, policy)?;
    let hosts = host::Hosts::new(&deposit.objects, policy);
    carry_out(&check::Checker { objects: &deposit.objects, orders, policy, hosts: &hosts, at: at.into() }, live)
}

fn carry_out(checker: &check::Checker<'_>, live: Option<&dyn Live>) -> Result<Compiled, CompileError> {
    let mut outcomes = checker.judge_all();
    let kept = checker.keep_live(&mut outcomes, live);
    zones::build(checker, outcomes, kept)
}

fn check_whole(deposit: &Deposit, policy: &Policy) -> Result<(), CompileError> {
    if deposit.header.kind != DepositKind::Full {
        return Err(CompileError::NotFull(deposit.header.kind));
    }
    let list = policy.second_levels.tld();
    if deposit.header.tld != list {
        return Err(CompileError::OtherTld { deposit: deposit.header.tld.clone(), list: list.to_owned() });
    }
    Ok(())
}
