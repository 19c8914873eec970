//! `saola config check FILE`: reads a configuration as the daemon would, and says what is wrong with it and where keys do not fit their policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Failure;
use super::online::write;
use crate::compile::{Profile, SecondLevels};
use crate::config::{self, Config};
use crate::disk;
use crate::dns::{Name, UnixTime};
use crate::orders::{Grounds, OrderKind};
use crate::pipeline::{MAX_DATA, keys};
use crate::sign::Key;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Reads the file, the secrets it names and the signing keys; warnings are printed and are no failure.
///
/// # Errors
/// The first mistake, with file, line and key.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = Config::read(&args.file).map_err(|error| Failure::Refused(error.to_string()))?;
    let mut warnings = config.warnings.clone();
    // The names of the registry's zones stand in a data file; what is wrong with that is found when it is compiled.
    let text = config.registry.as_ref().and_then(|registry| disk::read_text(&registry.second_level, MAX_DATA).ok());
    let of_registry = text.and_then(|text| SecondLevels::parse(&text).ok()).map(|levels| levels.apexes().to_vec()).unwrap_or_default();
    warnings.extend(missing_files(&config, &of_registry));
    warnings.extend(orders(&config.orders));
    warnings.extend(keys_and_policies(&config, &of_registry, UnixTime::now()));
    if args.json {
        return write(&format!("{:#}\n", serde_json::json!({"ok": true, "warnings": warnings})));
    }
    let mut text: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    text.push_str(&format!("{}: good\n", args.file.display()));
    write(&text)
}

/// What the daemon will not find, and names that it will not serve twice.
fn missing_files(config: &Config, of_registry: &[Name]) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut look = |what: String, path: &Path| {
        if let Err(error) = std::fs::metadata(path) {
            warnings.push(format!("{what}: '{}': {error}", path.display()));
        }
    };
    for zone in &config.zones {
        zone.source.file().into_iter().for_each(|file| look(format!("[[zone]] {}", zone.name), file));
    }
    let Some(registry) = &config.registry else { return warnings };
    look("[registry] deposits".into(), &registry.deposits);
    look("[registry] second-level".into(), &registry.second_level);
    look("[registry] infrastructure".into(), &registry.infrastructure);
    if registry.profiles.is_none() && Profile::named(&registry.profile).is_none() {
        let known: Vec<String> = Profile::built_in().into_iter().map(|profile| profile.name).collect();
        warnings.push(format!("[registry] profile: there is no '{}', write one of {}", registry.profile, known.join(", ")));
    }
    for zone in config.zones.iter().filter(|zone| of_registry.contains(&zone.name)) {
        warnings.push(format!("[[zone]] {}: this zone is made from the export, take it out of one", zone.name));
    }
    warnings
}

/// What of `[orders]` is not as somebody meant it.
fn orders(orders: &config::Orders) -> Vec<String> {
    let mut warnings = Vec::new();
    match Grounds::read(orders.legal_grounds.as_deref()) {
        Ok(grounds) => warnings.extend(orders.notice.grounds.iter().filter_map(|code| match grounds.kind(code) {
            Some(Some(OrderKind::Suspend)) => None,
            Some(_) => Some(format!("[orders] notice-grounds: '{code}' is no ground of a suspension, and a notice tells of nothing else")),
            None => Some(format!("[orders] notice-grounds: there is no '{code}' in the table of legal grounds")),
        })),
        Err(what) => warnings.push(format!("[orders] legal-grounds: {what}")),
    }
    let [a, b] = &orders.ledger;
    if disk::is_one_file(a, b) {
        warnings.push(format!("[orders] ledger: '{}' and '{}' are one file, and two copies are wanted", a.display(), b.display()));
    }
    warnings
}

/// Where keys that are there are not what the policy of their zone asks for; keys that cannot be read are told as well.
fn keys_and_policies(config: &Config, of_registry: &[Name], now: UnixTime) -> Vec<String> {
    let all = match keys::load_all(&config.server.keys) {
        Ok(all) => all,
        Err(error) => return vec![format!("keys: {error}")],
    };
    let mut by_zone: BTreeMap<Name, Vec<Key>> = BTreeMap::new();
    for key in all {
        by_zone.entry(key.zone().to_owned()).or_default().push(key);
    }
    let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (zone, keys) in &by_zone {
        let file = config.zones.iter().find(|file| file.name == *zone);
        let policy = match file {
            Some(file) => file.sign.as_ref(),
            None => config.registry.as_ref().filter(|_| of_registry.contains(zone)).and_then(|registry| registry.sign.as_ref()),
        };
        let Some(policy) = policy.and_then(|name| config.policies.get(name)) else { continue };
        if let Some(what) = keys::differs_from_policy(keys, &policy.sign, policy.rsa_bits, now) {
            notes.entry(what).or_default().push(zone.to_string());
        }
    }
    notes.into_iter().map(|(what, zones)| format!("[{}] {what}", zones.join(", "))).collect()
}
