//! Whether a whole deposit may be applied after what was applied before: not older, and not taking too much away.
//!
//! Pure: the state is given and returned. Who keeps it is not known here.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::deposit::Deposit;
use super::header::{DepositKind, Header};
use super::refusal::{DepositError, Reason};
use crate::dns::UnixTime;
use crate::telemetry::count;

/// The share of a zone's published names that one deposit may take away before a second person is asked.
pub const DEFAULT_MAX_SHRINK_PERCENT: u32 = 5;

/// What was applied last. Kept between runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// The identity of the deposit.
    pub id: String,
    /// Its watermark.
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub watermark: UnixTime,
    /// Its resend counter.
    pub resend: u32,
    /// Published names of each zone, by apex without final dot.
    pub published: BTreeMap<String, u64>,
}

impl Applied {
    /// The state after `deposit` was applied and gave so many names in each zone.
    pub fn after(deposit: &Deposit, published: BTreeMap<String, u64>) -> Self {
        let Header { id, watermark, resend, .. } = &deposit.header;
        Self { id: id.clone(), watermark: *watermark, resend: *resend, published }
    }
}

/// What a second person has said about a deposit that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Nothing yet.
    None,
    /// Let it through.
    Given,
}

/// Refuses a FULL that is older than what is applied, unless its resend is raised and the operator confirms.
///
/// # Errors
/// `STALE`. `OUT_OF_ORDER` for an INCR or DIFF that does not follow the deposit applied last.
pub fn check_not_stale(header: &Header, applied: Option<&Applied>, approval: Approval) -> Result<(), DepositError> {
    match (header.kind, applied) {
        (DepositKind::Full, None) => Ok(()),
        (DepositKind::Full, Some(applied)) => {
            if header.watermark >= applied.watermark || (header.resend > applied.resend && approval == Approval::Given) {
                return Ok(());
            }
            let detail = format!(
                "the watermark {} is older than {} of '{}', which is applied; send a FULL with a newer one (an older one, its resend raised, needs an approval)",
                header.watermark, applied.watermark, applied.id
            );
            Err(DepositError::new(Reason::Stale, detail))
        }
        (DepositKind::Incr | DepositKind::Diff, Some(applied)) if header.prev_id == applied.id => Ok(()),
        (DepositKind::Incr | DepositKind::Diff, applied) => {
            let last = applied.map_or("nothing", |applied| &applied.id);
            let detail = format!("builds on '{}', applied last is {last}; send an INCR or a FULL", header.prev_id);
            Err(DepositError::new(Reason::OutOfOrder, detail))
        }
    }
}

/// Holds a deposit for a second person that would take more than `max_percent` of a zone's published names away.
///
/// `published` is what each zone would have (by apex without final dot); the count decides, so that a name that
/// makes place for another is no loss. The first FULL on an empty state is no shrink; an export without any
/// domain is always held.
///
/// # Errors
/// `MASS_CHANGE`, until approved.
pub fn check_shrink(
    deposit: &Deposit,
    applied: Option<&Applied>,
    published: &BTreeMap<String, u64>,
    max_percent: u32,
    approval: Approval,
) -> Result<(), DepositError> {
    if approval == Approval::Given {
        return Ok(());
    }
    if deposit.header.kind == DepositKind::Full && deposit.objects.domains().is_empty() {
        return Err(DepositError::new(Reason::MassChange, "the export has no domain at all"));
    }
    for (zone, &before) in applied.iter().flat_map(|applied| &applied.published) {
        let after = published.get(zone).copied().unwrap_or(0);
        let lost = before.saturating_sub(after);
        if u128::from(lost) * 100 > u128::from(before) * u128::from(max_percent) {
            let detail = format!(
                "{zone} would go from {} to {after}, more than {max_percent} percent; held for a second person",
                count(before, "published name")
            );
            return Err(DepositError::new(Reason::MassChange, detail));
        }
    }
    Ok(())
}

fn write_time<S: Serializer>(time: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    UnixTime::parse_rfc3339(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
}
