//! `saola zone dump NAME`: what is served of a zone, as a master file.

use std::io::Write;

use super::Failure;
use super::online::Online;
use crate::control::Request;
use crate::dns::Name;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The zone.
    name: Name,
    #[command(flatten)]
    online: Online,
}

/// Writes the zone to standard output; with `--json` as one JSON string.
///
/// # Errors
/// When no daemon answers, or it has no such zone.
pub fn run(args: &Args) -> Result<(), Failure> {
    let request = Request::ZoneDump { zone: args.name.to_string() };
    if args.online.json {
        let mut text = Vec::new();
        args.online.ask(&request, &mut text)?;
        return super::online::write(&format!(
            "{}\n",
            serde_json::json!({"zone": args.name.to_string(), "text": String::from_utf8_lossy(&text)})
        ));
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    args.online.ask(&request, &mut out)?;
    out.flush().map_err(|error| Failure::output(&error))
}
