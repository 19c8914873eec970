//! The registry's export as an input: which deposit, what else counts, and what the compiler makes of it.

use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::plan::RegistryPlan;
use crate::dns::{Name, Records, UnixTime};
use crate::journal::Compiled;

/// What came out of a compile.
pub struct Export {
    /// The account for the journal and the operator.
    pub account: Compiled,
    /// The unsigned zones.
    pub zones: Vec<(Name, Records)>,
}

/// SHA-256 of everything that decides what a compile gives, hexadecimal.
///
/// # Errors
/// When there is no deposit, or a file cannot be read.
pub fn inputs(plan: &RegistryPlan, now: UnixTime) -> Result<String, String> {
    let deposit = newest_full(&plan.deposits)?;
    let mut hasher = Sha256::new();
    let mut add = |what: &str, bytes: &[u8]| {
        hasher.update(format!("{what} {}\n", bytes.len()));
        hasher.update(bytes);
    };
    // The header names every other file of the deposit with its SHA-256.
    let header = plan.deposits.join(&deposit).join("deposit.toml");
    add(&deposit, &read(&header)?);
    let mut beside: Vec<_> = files(&plan.deposits)?;
    beside.extend([plan.orders.clone(), plan.second_level.clone()]);
    beside.sort();
    beside.dedup();
    for path in beside {
        if path == plan.orders && !path.exists() {
            continue;
        }
        add(&path.to_string_lossy(), &read(&path)?);
    }
    add("profile", plan.profile.as_bytes());
    add("version", env!("CARGO_PKG_VERSION").as_bytes());
    if !plan.at_watermark {
        // Names expire and orders begin by the clock: once an hour is often enough for the first, and orders have a lane of their own.
        add("hour", &(now.0 / 3600).to_be_bytes());
    }
    Ok(HEXLOWER.encode(&hasher.finalize()))
}

/// Reads the newest FULL deposit and compiles it with the orders.
///
/// # Errors
/// Why the deposit is refused, with the reason's code.
pub fn compile(_plan: &RegistryPlan, _inputs: String, _now: UnixTime) -> Result<Export, String> {
    Err("exports are not compiled in this build".into())
}

/// The folder of the newest FULL deposit within `folder`, by date, sequence and resend of its name.
fn newest_full(folder: &Path) -> Result<String, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("'{}': {error}", folder.display()))?;
    let names = entries.flatten().filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().into_string().ok());
    newest(names).ok_or_else(|| {
        format!("'{}' has no FULL deposit, a folder such as vn_2026-11-21_full_S1_R0 is looked for", folder.display())
    })
}

/// The newest FULL deposit of some folder names.
fn newest(names: impl Iterator<Item = String>) -> Option<String> {
    names.filter_map(|name| Some((full_order(&name)?, name))).max().map(|(_, name)| name)
}

/// What orders FULL deposits: date, sequence, resend of `{tld}_{YYYY-MM-DD}_full_S{n}_R{resend}`; `None` for any other name.
fn full_order(name: &str) -> Option<([u32; 3], u32, u32)> {
    let mut parts = name.split('_').skip(1);
    let mut date = parts.next()?.split('-').map(|part| part.parse::<u32>());
    let date = [date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?];
    if parts.next()? != "full" {
        return None;
    }
    let sequence = parts.next()?.strip_prefix('S')?.parse().ok()?;
    let resend = parts.next()?.strip_prefix('R')?.parse().ok()?;
    parts.next().is_none().then_some((date, sequence, resend))
}

/// The plain files of a folder, not those of folders within.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("'{}': {error}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("'{}': {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn the_newest_full_deposit_is_taken() {
        for (names, expected) in [
            (&["vn_2026-11-21_full_S1_R0", "vn_2026-11-22_diff_S1_R0"][..], Some("vn_2026-11-21_full_S1_R0")),
            (&["vn_2026-11-21_full_S2_R0", "vn_2026-11-21_full_S10_R0"], Some("vn_2026-11-21_full_S10_R0")),
            (&["vn_2026-11-21_full_S1_R1", "vn_2026-11-21_full_S1_R0"], Some("vn_2026-11-21_full_S1_R1")),
            (&["vn_2027-01-01_full_S1_R0", "vn_2026-12-31_full_S9_R9"], Some("vn_2027-01-01_full_S1_R0")),
            (&["vn_2027-01-01_full_S1_R0.part", "vn_x_full_S1_R0", "full", "", "vn_2027-01-01_full_S1"], None),
        ] {
            assert_eq!(newest(names.iter().map(|name| name.to_string())).as_deref(), expected, "{names:?}");
        }
    }
}
