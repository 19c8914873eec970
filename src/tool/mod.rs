//! The operator's verbs: `saola NOUN VERB`. Each verb is a file; this one only knows their names.

mod config_check;
mod key_ds;
mod key_generate;
mod key_list;
mod online;
mod order;
mod server_reload;
mod server_stats;
mod server_status;
mod server_stop;
mod zone_check;
mod zone_compile;
mod zone_dump;
mod zone_refresh;
mod zone_reload;
mod zone_sign;
mod zone_status;
mod zone_verify;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::dns::UnixTime;

/// Why a verb ended without success. `Display` is what the operator reads, one line or more.
#[derive(Debug)]
pub enum Failure {
    /// Refused or failed: exit code 1.
    Refused(String),
    /// Asked wrongly: exit code 2.
    Usage(String),
    /// Who read the output wants no more of it: not a word, and exit code 141, as of what ends by SIGPIPE.
    Unread,
}

impl Failure {
    /// What standard output failed with.
    fn output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::Unread } else { Self::Refused(format!("output: {error}")) }
    }
}

/// The operator's tool of Saola, the authoritative DNS of the .VN registry.
#[derive(Debug, Parser)]
#[command(name = "saola", version)]
struct Cli {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Work on zones.
    #[command(subcommand)]
    Zone(Zone),
    /// See and steer the daemon.
    #[command(subcommand)]
    Server(Server),
    /// Suspend, cancel and restore names by order.
    #[command(subcommand)]
    Order(order::Verb),
    /// Work on configuration files.
    #[command(subcommand)]
    Config(Config),
    /// Work on keys.
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Subcommand)]
enum Zone {
    /// Reads a master file and says what is wrong with the zone in it.
    Check(zone_check::Args),
    /// Compiles a deposit into zone files and says what became of every name.
    Compile(Box<zone_compile::Args>),
    /// Shows what is served of all zones, or of one.
    Status(zone_status::Args),
    /// Writes a zone that is served as a master file.
    Dump(zone_dump::Args),
    /// Reads one zone again, or everything.
    Reload(zone_reload::Args),
    /// Has the primaries of a zone asked now.
    Refresh(zone_refresh::Args),
    /// Signs a master file.
    Sign(zone_sign::Args),
    /// Verifies a signed zone: signatures, chain of denial, keys.
    Verify(zone_verify::Args),
}

#[derive(Debug, Subcommand)]
enum Server {
    /// Shows what the server is and does.
    Status(server_status::Args),
    /// Shows its counters.
    Stats(server_stats::Args),
    /// Reads configuration, registry inputs and zones again.
    Reload(server_reload::Args),
    /// Ends the daemon cleanly.
    Stop(server_stop::Args),
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Says what is wrong with a configuration.
    Check(config_check::Args),
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Prints the DS records that the parent should have.
    Ds(key_ds::Args),
    /// Makes a key.
    Generate(key_generate::Args),
    /// Lists keys.
    List(key_list::Args),
}

/// Carries out what the arguments of the process ask for.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result: Result<(), Failure> = match cli.noun {
        Noun::Zone(verb) => match verb {
            Zone::Check(args) => zone_check::run(&args),
            Zone::Compile(args) => zone_compile::run(&args),
            Zone::Status(args) => zone_status::run(&args),
            Zone::Dump(args) => zone_dump::run(&args),
            Zone::Reload(args) => zone_reload::run(&args),
            Zone::Refresh(args) => zone_refresh::run(&args),
            Zone::Sign(args) => zone_sign::run(&args),
            Zone::Verify(args) => zone_verify::run(&args),
        },
        Noun::Server(verb) => match verb {
            Server::Status(args) => server_status::run(&args),
            Server::Stats(args) => server_stats::run(&args),
            Server::Reload(args) => server_reload::run(&args),
            Server::Stop(args) => server_stop::run(&args),
        },
        Noun::Order(verb) => order::run(&verb),
        Noun::Config(verb) => match verb {
            Config::Check(args) => config_check::run(&args),
        },
        Noun::Key(verb) => match verb {
            Key::Ds(args) => key_ds::run(&args),
            Key::Generate(args) => key_generate::run(&args),
            Key::List(args) => key_list::run(&args),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Unread) => ExitCode::from(141),
        Err(Failure::Refused(text)) => {
            complain(&text);
            ExitCode::from(1)
        }
        Err(Failure::Usage(text)) => {
            complain(&text);
            ExitCode::from(2)
        }
    }
}

/// Writes a line to standard output, which may be a closed pipe or a full disk.
fn say(line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

/// Writes a line for the operator to standard error, as far as there is one.
fn complain(text: &str) {
    // Nobody is left to be told that this failed.
    let _ = writeln!(std::io::stderr().lock(), "saola: {text}");
}

/// Refuses a folder of keys that is not there: to say that a key is missing in it would send the operator the wrong way.
fn key_folder(path: &Path) -> Result<(), Failure> {
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => Err(Failure::Refused(format!("{}: not a folder", path.display()))),
        Err(error) => Err(Failure::Refused(format!("the folder of keys {}: {error}", path.display()))),
    }
}

/// The time that an argument gives in RFC 3339, or now.
fn time(text: Option<&str>) -> Result<UnixTime, Failure> {
    match text {
        None => Ok(UnixTime::now()),
        Some(text) => UnixTime::parse_rfc3339(text)
            .ok_or_else(|| Failure::Usage(format!("'{text}' is no time in RFC 3339, such as 2026-11-21T00:00:00Z"))),
    }
}
