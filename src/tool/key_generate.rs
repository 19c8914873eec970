//! `saola key generate`: makes one key.

use std::path::PathBuf;

use super::Failure;
use crate::dns::{Name, UnixTime};
use crate::pipeline::keys::{self, KeyFileError};
use crate::sign::{Algorithm, KeyError, key};

/// The arguments of `saola key generate`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("role").required(true).args(["ksk", "zsk", "csk"])))]
pub struct Args {
    /// The folder of keys; made with mode 0700 if it is not there.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The zone that the key will sign.
    #[arg(long, value_name = "NAME")]
    zone: Name,
    /// ecdsap256sha256, ecdsap384sha384, ed25519 or rsasha256.
    #[arg(long, value_name = "ALGORITHM", default_value = "ecdsap256sha256")]
    algorithm: Algorithm,
    /// A key-signing key: signs DNSKEY, the parent's DS refers to it.
    #[arg(long)]
    ksk: bool,
    /// A zone-signing key.
    #[arg(long)]
    zsk: bool,
    /// A key that signs everything: flags as a KSK.
    #[arg(long)]
    csk: bool,
    /// The size of an RSA key: 2048, 3072 or 4096.
    #[arg(long, value_name = "BITS")]
    bits: Option<u32>,
}

/// Prints the name of the key's files.
///
/// # Errors
/// Refused when the key cannot be made or written.
pub fn run(args: &Args) -> Result<(), Failure> {
    let flags = if args.zsk { key::ZONE } else { key::ZONE | key::SEP };
    let made = keys::generate(&args.keys, args.zone.as_ref(), args.algorithm, flags, args.bits, UnixTime::now());
    let key = made.map_err(|error| match error {
        KeyFileError::NotMade(why @ (KeyError::Bits(_) | KeyError::BitsNotRsa(_))) => Failure::Usage(format!("--bits: {why}")),
        error => Failure::Refused(error.to_string()),
    })?;
    super::say(format_args!("{}", keys::file_stem(&key)))?;
    Ok(())
}
