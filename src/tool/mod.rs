//! The operator's verbs: `saola NOUN VERB`. Each verb is a file; this one only knows their names.

mod zone_check;
mod zone_compile;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Why a verb ended without success. `Display` is what the operator reads, one line or more.
#[derive(Debug)]
pub enum Failure {
    /// Refused or failed: exit code 1.
    Refused(String),
    /// Asked wrongly: exit code 2.
    Usage(String),
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
}

#[derive(Debug, Subcommand)]
enum Zone {
    /// Reads a master file and says what is wrong with the zone in it.
    Check(zone_check::Args),
    /// Turns a registry deposit into zone files, and says what became of every row.
    Compile(Box<zone_compile::Args>),
}

/// Carries out what the arguments of the process ask for.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result: Result<(), Failure> = match cli.noun {
        Noun::Zone(verb) => match verb {
            Zone::Check(args) => zone_check::run(&args),
            Zone::Compile(args) => zone_compile::run(&args),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused(text)) => {
            eprintln!("saola: {text}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(text)) => {
            eprintln!("saola: {text}");
            ExitCode::from(2)
        }
    }
}
