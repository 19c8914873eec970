//! `saola key ds`: the DS records that the parent should have.

use std::path::PathBuf;

use super::Failure;
use crate::dns::{Name, Rtype, UnixTime, master};
use crate::pipeline::keys;

/// The arguments of `saola key ds`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of keys.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The zone.
    #[arg(long, value_name = "NAME")]
    zone: Name,
    /// The digest type: 2 is SHA-256, 4 is SHA-384; 1 (SHA-1) must not be used any more (RFC 8624 §3.3).
    #[arg(long, value_name = "TYPE", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=4))]
    digest: u8,
}

/// Prints one DS line for each KSK or CSK that has not been retired.
///
/// # Errors
/// Refused when there is no such key, or one cannot be read.
pub fn run(args: &Args) -> Result<(), Failure> {
    let now = UnixTime::now();
    super::key_folder(&args.keys)?;
    let keys = keys::load(&args.keys, args.zone.as_ref()).map_err(|error| Failure::Refused(error.to_string()))?;
    let ended = |time: Option<UnixTime>| time.is_some_and(|time| time <= now);
    let mut n = 0;
    for key in keys.iter().filter(|key| key.is_sep() && !ended(key.timing.inactive) && !ended(key.timing.delete)) {
        let rdata = key.ds(args.digest).ok_or_else(|| Failure::Usage(format!("digest type {} is not known, use 2 or 4", args.digest)))?;
        let mut text = Vec::new();
        master::write_rdata(Rtype::DS, &rdata, &mut text);
        super::say(format_args!("{} IN DS {}", key.zone(), String::from_utf8_lossy(&text)))?;
        n += 1;
    }
    match n {
        0 => Err(Failure::Refused(format!("no KSK or CSK for '{}' in {}", args.zone, args.keys.display()))),
        _ => Ok(()),
    }
}
