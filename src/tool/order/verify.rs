//! `saola order verify [FILE]...`: checks a ledger's chain of hashes.

use std::path::PathBuf;

use super::super::{Failure, say};
use super::default_ledgers;
use crate::disk;
use crate::orders::Orders;
use crate::pipeline::MAX_DATA;
use crate::telemetry::count;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ledgers [default: both copies of a daemon in this folder].
    files: Vec<PathBuf>,
}

/// Reads each ledger from its first line to its last.
///
/// # Errors
/// The first line of the first ledger that is not as it was written; where several are given, also where they are not the same.
pub fn run(args: &Args) -> Result<(), Failure> {
    let files = if args.files.is_empty() { default_ledgers() } else { args.files.clone() };
    let (mut heads, mut bad) = (Vec::new(), Vec::new());
    for path in &files {
        let read = disk::read(path, MAX_DATA)
            .map_err(|error| error.to_string())
            .and_then(|text| Orders::read(&text).map_err(|error| error.to_string()));
        match read {
            Ok(orders) => {
                let chain = orders.chain().clone();
                say(format_args!(
                    "{}: {}, whole, the last with SHA-256 {}",
                    path.display(),
                    count(chain.seq as usize, "line"),
                    chain.sha256
                ))?;
                for note in orders.notes() {
                    say(format_args!("{}: {note}", path.display()))?;
                }
                bad.extend(orders.notes().iter().filter(|note| note.contains("torn")).map(|note| format!("{}: {note}", path.display())));
                heads.push(chain);
            }
            Err(what) => bad.push(format!("{}: {what}", path.display())),
        }
    }
    if bad.is_empty() && heads.windows(2).any(|pair| pair[0] != pair[1]) {
        bad.push("the copies are not the same".into());
    }
    if bad.is_empty() { Ok(()) } else { Err(Failure::Refused(bad.join("\n"))) }
}
