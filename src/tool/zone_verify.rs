//! `saola zone verify`: is every signature, link and key of this signed zone in order?

use std::path::PathBuf;

use super::Failure;
use crate::disk;
use crate::dns::{Name, Rtype, master};
use crate::sign::{Anchor, DnskeyText, MAX_FAULTS, verify};
use crate::telemetry::count;
use crate::zone::{Severity, check};

/// The arguments of `saola zone verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of the zone.
    #[arg(long, value_name = "NAME")]
    origin: Name,
    /// Trust only keys that this names: `TAG ALGORITHM DIGEST-TYPE DIGEST` of a DS, or a file of DS or DNSKEY records. May be given more than once.
    #[arg(long, value_name = "DS|FILE")]
    anchor: Vec<String>,
    /// Verify as of this time instead of now (RFC 3339).
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Threads; 0 is one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// The signed zone as a master file.
    file: PathBuf,
}

/// Prints each fault, or what was found good.
///
/// # Errors
/// Refused when there is a fault, or a file cannot be read.
pub fn run(args: &Args) -> Result<(), Failure> {
    let now = super::time(args.at.as_deref())?;
    let mut anchors = Vec::new();
    for anchor in &args.anchor {
        anchors.extend(read_anchor(anchor, &args.origin)?);
    }
    let mut records = master::read_file(&args.file, args.origin.as_ref()).map_err(|error| Failure::Refused(error.to_string()))?;
    records.sort();
    // What is wrong with the zone whether it is signed or not, such as glue that is missing.
    let findings = check(args.origin.as_ref(), &records);
    let errors: Vec<_> = findings.iter().filter(|finding| finding.fault.severity() == Severity::Error).collect();
    if !errors.is_empty() && !args.json {
        for error in &errors {
            super::say(format_args!("{error}"))?;
        }
    }
    let result = verify(&records, args.origin.as_ref(), &anchors, now, args.threads);
    match result {
        Ok(_) if !errors.is_empty() => {
            Err(Failure::Refused(format!("[{}] rightly signed, but {}", args.origin, count(errors.len(), "error"))))
        }
        Ok(good) if args.json => {
            let value = serde_json::json!({
                "zone": args.origin.to_string(), "ok": true, "names": good.names, "signatures": good.signatures, "links": good.links,
                "denial": good.denial.to_string(), "keys": good.keys, "zonemd": good.zonemd, "expires": good.expires.to_string(),
            });
            super::say(format_args!("{value}"))?;
            Ok(())
        }
        Ok(good) => {
            let digests = if good.zonemd > 0 { format!(", {} ZONEMD", good.zonemd) } else { String::new() };
            super::say(format_args!(
                "[{}] good: {}, {}, {} of {}, {}{digests}, first expiration {}",
                args.origin,
                count(good.names, "name"),
                count(good.signatures, "signature"),
                count(good.links, "link"),
                good.denial,
                count(good.keys, "key"),
                good.expires
            ))?;
            Ok(())
        }
        Err(faults) => {
            if args.json {
                let list: Vec<_> = faults
                    .iter()
                    .map(|fault| serde_json::json!({"name": fault.name.to_string(), "type": fault.rtype.to_string(), "fault": fault.what.to_string()}))
                    .collect();
                super::say(format_args!("{}", serde_json::json!({"zone": args.origin.to_string(), "ok": false, "faults": list})))?;
            } else {
                for fault in &faults {
                    super::say(format_args!("{fault}"))?;
                }
            }
            let more = if faults.len() == MAX_FAULTS { ", perhaps more" } else { "" };
            Err(Failure::Refused(format!("[{}] {}{more}", args.origin, count(faults.len(), "fault"))))
        }
    }
}

/// The most octets of a file of anchors; our choice, far above any real one.
const MAX_ANCHOR: u64 = 1 << 20;

fn read_anchor(text: &str, origin: &Name) -> Result<Vec<Anchor>, Failure> {
    let broken = |what: &str| Failure::Usage(format!("--anchor {text}: {what}"));
    if text.split_whitespace().count() >= 4 {
        let rdata = master::parse_rdata(Rtype::DS, text, origin.as_ref()).map_err(|error| broken(&error.reason.to_string()))?;
        return Ok(vec![Anchor::Ds(rdata)]);
    }
    let content = disk::read_text(text.as_ref(), MAX_ANCHOR).map_err(|error| broken(&error.to_string()))?;
    if let Ok(key) = DnskeyText::read(&content) {
        return Ok(vec![Anchor::Dnskey(key.rdata())]);
    }
    // A master file without TTLs, as `dnssec-dsfromkey` writes it.
    let options = master::Options { default_ttl: Some(3600), ..master::Options::new(origin.as_ref()) };
    let records = master::scan(content.as_bytes(), text, &options, &mut |_, _| Err("not in an anchor file".into()));
    let anchors: Vec<Anchor> = records
        .map_err(|error| Failure::Usage(error.to_string()))?
        .iter()
        .filter(|record| record.owner == origin.as_ref())
        .filter_map(|record| match record.rtype {
            Rtype::DS => Some(Anchor::Ds(record.rdata.to_vec())),
            Rtype::DNSKEY => Some(Anchor::Dnskey(record.rdata.to_vec())),
            _ => None,
        })
        .collect();
    if anchors.is_empty() { Err(broken("holds no DS or DNSKEY of the zone")) } else { Ok(anchors) }
}
