//! `saola key list`: which keys are in a folder, and what they do now.

use std::path::PathBuf;

use super::Failure;
use crate::dns::UnixTime;
use crate::pipeline::keys;
use crate::sign::Key;

/// The arguments of `saola key list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of keys.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Prints one line a key: zone, flags, algorithm, bits, tag, state, times.
///
/// # Errors
/// Refused when a key cannot be read.
pub fn run(args: &Args) -> Result<(), Failure> {
    super::key_folder(&args.keys)?;
    let keys = keys::load_all(&args.keys).map_err(|error| Failure::Refused(error.to_string()))?;
    let now = UnixTime::now();
    if args.json {
        let list: Vec<_> = keys
            .iter()
            .map(|key| {
                let times: serde_json::Map<_, _> =
                    key.timing.lines().map(|(name, time)| (name.to_lowercase(), time.to_string().into())).collect();
                serde_json::json!({
                    "zone": key.zone().to_string(), "flags": key.flags(), "role": role(key), "algorithm": key.algorithm().to_string(),
                    "bits": key.bits(), "tag": key.tag(), "state": state(key, now), "times": times, "file": keys::file_stem(key),
                })
            })
            .collect();
        super::say(format_args!("{}", serde_json::Value::from(list)))?;
        return Ok(());
    }
    for key in &keys {
        let times: String = key.timing.lines().map(|(name, time)| format!(", {} {time}", name.to_lowercase())).collect();
        super::say(format_args!(
            "{} {} {} {} bits, tag {}, {}{times}",
            key.zone(),
            role(key),
            key.algorithm(),
            key.bits(),
            key.tag(),
            state(key, now)
        ))?;
    }
    Ok(())
}

fn role(key: &Key) -> &'static str {
    if key.is_sep() { "KSK" } else { "ZSK" }
}

/// The state by the key's times, in the words of RFC 7583 §3.1.
fn state(key: &Key, now: UnixTime) -> &'static str {
    let past = |time: Option<UnixTime>| time.is_some_and(|time| time <= now);
    let future = |time: Option<UnixTime>| time.is_some_and(|time| time > now);
    let timing = &key.timing;
    if past(timing.delete) {
        "removed"
    } else if past(timing.inactive) {
        "retired"
    } else if future(timing.activate) {
        if future(timing.publish) { "generated" } else { "published" }
    } else if future(timing.publish) {
        "signing, not published"
    } else {
        "active"
    }
}
