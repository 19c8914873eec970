//! `saola config check FILE`: reads a configuration as the daemon would, and says what is wrong with it.

use std::path::PathBuf;

use super::Failure;
use super::online::write;
use crate::config::Config;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Reads the file and the secrets it names; warnings are printed and are no failure.
///
/// # Errors
/// The first mistake, with file, line and key.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = Config::read(&args.file).map_err(|error| Failure::Refused(error.to_string()))?;
    if args.json {
        return write(&format!("{:#}\n", serde_json::json!({"ok": true, "warnings": config.warnings})));
    }
    let mut text: String = config.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    text.push_str(&format!("{}: good\n", args.file.display()));
    write(&text)
}
