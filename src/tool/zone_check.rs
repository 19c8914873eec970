//! `saola zone check`: is this master file a zone that can be served?

use std::path::PathBuf;

use super::Failure;
use crate::dns::rdata::Soa;
use crate::dns::{Name, Records, Rtype, master};
use crate::sign::{ZonemdFault, check_zonemd};
use crate::telemetry::count;
use crate::zone::{Severity, Zone, check};

/// The arguments of `saola zone check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of the zone.
    #[arg(long, value_name = "NAME")]
    origin: Name,
    /// The master file.
    file: PathBuf,
}

/// Prints what is wrong, one finding a line, and a count.
///
/// # Errors
/// Refused when the file cannot be read as a master file or a finding is an error.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut records = master::read_file(&args.file, args.origin.as_ref()).map_err(|error| Failure::Refused(error.to_string()))?;
    let n_read = records.len();
    records.sort();
    let findings = check(args.origin.as_ref(), &records);
    for finding in &findings {
        super::say(format_args!("{finding}"))?;
    }
    let stale = stale_digests(&records, &args.origin);
    for fault in &stale {
        super::say(format_args!("warning: '{}' ZONEMD: {fault}", args.origin))?;
    }
    let mut n_errors = findings.iter().filter(|finding| finding.fault.severity() == Severity::Error).count();
    let n_warnings = findings.len() - n_errors + stale.len();
    let n_kept = records.len();
    // What the daemon would say, such as of a set that fits no message.
    if n_errors == 0
        && let Err(error) = Zone::build(args.origin.as_ref(), records)
    {
        super::say(format_args!("error: {}: {error}", args.origin))?;
        n_errors = 1;
    }
    let summary = format!(
        "[{}] {}, {n_kept} after duplicates were dropped, {}, {}",
        args.origin,
        count(n_read, "record"),
        count(n_errors, "error"),
        count(n_warnings, "warning"),
    );
    match n_errors {
        0 => {
            super::say(format_args!("{summary}"))?;
            Ok(())
        }
        _ => Err(Failure::Refused(summary)),
    }
}

/// What is wrong with the digests over the zone (RFC 8976 §4); signing makes them anew.
fn stale_digests(records: &Records, origin: &Name) -> Vec<ZonemdFault> {
    let apex = origin.as_ref();
    let soa = records.name(apex).and_then(|name| name.rrset(Rtype::SOA)).and_then(|set| set.rdata().next().and_then(Soa::read));
    soa.and_then(|soa| check_zonemd(records, apex, soa.serial).err()).unwrap_or_default()
}
