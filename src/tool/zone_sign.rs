//! `saola zone sign`: signs any master file with the keys of a directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::disk;
use crate::dns::rdata::Soa;
use crate::dns::{Name, NameRef, Records, Rtype, Serial, UnixTime, master};
use crate::pipeline::keys;
use crate::sign::{Algorithm, Denial, Policy, ZoneKeys, dropped_zonemd, key, sign};
use crate::telemetry::count;
use crate::zone::check_name;

/// The arguments of `saola zone sign`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of the zone.
    #[arg(long, value_name = "NAME")]
    origin: Name,
    /// The folder of the zone's keys (`K<zone>+<algorithm>+<tag>.key` and `.private`).
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The denial of existence: nsec3-opt-out, nsec3 or nsec.
    #[arg(long, value_name = "POLICY", default_value = "nsec3-opt-out")]
    policy: Denial,
    /// Make the keys that are missing: a KSK and a ZSK, or with --csk one key for both.
    #[arg(long)]
    make_keys: bool,
    /// The algorithm of keys that are made.
    #[arg(long, value_name = "ALGORITHM", default_value = "ecdsap256sha256", requires = "make_keys")]
    algorithm: Algorithm,
    /// Make one key that signs everything.
    #[arg(long, requires = "make_keys")]
    csk: bool,
    /// What becomes of the serial: keep, increment, unixtime or date (YYYYMMDDnn).
    #[arg(long, value_enum, default_value = "keep")]
    serial: SerialRule,
    /// How long signatures are valid, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(3600..=366 * 86400))]
    validity: Option<u32>,
    /// No CDS and CDNSKEY.
    #[arg(long)]
    no_cds: bool,
    /// Sign as of this time instead of now (RFC 3339).
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Threads; 0 is one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Where to write; absent: FILE.signed, or stdout for stdin.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The master file; `-` is stdin.
    file: PathBuf,
}

/// What becomes of the serial of the SOA.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SerialRule {
    /// As it is in the file.
    Keep,
    /// One more.
    Increment,
    /// The Unix time, or one more where that is no step forward.
    Unixtime,
    /// Today's date and two digits, or one more where that is no step forward.
    Date,
}

/// Signs and says what was done.
///
/// # Errors
/// Refused when the file, the keys or the zone do not allow it; nothing is written then.
pub fn run(args: &Args) -> Result<(), Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::Refused(format!("[{}] {error}", args.origin));
    let now = super::time(args.at.as_deref())?;
    let origin = args.origin.as_ref();
    let begun = std::time::Instant::now();
    let mut records = read(&args.file, origin)?;
    records.sort();
    let n_read = records.len();
    // What no server would take is not worth a signature.
    records.names().try_for_each(|name| check_name(&name, name.owner() == origin)).map_err(|error| refused(&error))?;
    let serial = set_serial(&mut records, origin, args.serial, now).map_err(|error| refused(&error))?;

    let mut policy = Policy { denial: args.policy.clone(), algorithm: args.algorithm, cds: !args.no_cds, ..Policy::default() };
    if let Some(validity) = args.validity {
        // Policy keeps its proportions.
        policy = Policy { validity, refresh: validity / 2, jitter: validity / 7, ..policy };
    }
    let mut keys = keys::load(&args.keys, origin).map_err(|error| refused(&error))?;
    if args.make_keys && keys.is_empty() {
        let flags: &[u16] = if args.csk { &[key::ZONE | key::SEP] } else { &[key::ZONE | key::SEP, key::ZONE] };
        for &flags in flags {
            keys.push(keys::generate(&args.keys, origin, args.algorithm, flags, None, now).map_err(|error| refused(&error))?);
        }
    }
    if keys.is_empty() {
        super::key_folder(&args.keys)?;
        return Err(refused(&format!("no key for this zone in {}: see `saola key generate`, or add --make-keys", args.keys.display())));
    }
    // A zone with KSKs alone means them to sign everything.
    let csk = keys.iter().all(|key| key.is_sep());
    let keys = ZoneKeys::new(keys, csk, now).map_err(|error| refused(&error))?;
    let read_ms = begun.elapsed().as_millis();

    for dropped in dropped_zonemd(&records, origin) {
        super::complain(&format!("[{}] warning: {dropped}", args.origin));
    }

    let begun = std::time::Instant::now();
    let signed = sign(records, origin, &keys, &policy, now, args.threads).map_err(|error| refused(&error))?;
    let sign_ms = begun.elapsed().as_millis();

    let begun = std::time::Instant::now();
    let out = match (&args.out, args.file.as_os_str() == "-") {
        (Some(path), _) => Some(path.clone()),
        (None, true) => None,
        (None, false) => {
            let mut path = args.file.clone().into_os_string();
            path.push(".signed");
            Some(PathBuf::from(path))
        }
    };
    match &out {
        Some(path) => write_file(&signed, args.threads, path).map_err(|error| refused(&format!("{}: {error}", path.display())))?,
        None => master::write(&signed, args.threads, &mut io::stdout().lock()).map_err(|error| Failure::output(&error))?,
    }
    let write_ms = begun.elapsed().as_millis();
    let n_signatures = signed.iter().filter(|record| record.rtype == Rtype::RRSIG).count();
    super::complain(&format!(
        "[{}] signed, serial {serial}, {}, {} in, {} out, {}; read {read_ms} ms, sign {sign_ms} ms, write {write_ms} ms",
        args.origin,
        policy.denial,
        count(n_read, "record"),
        signed.len(),
        count(n_signatures, "signature"),
    ));
    Ok(())
}

fn read(file: &Path, origin: NameRef<'_>) -> Result<Records, Failure> {
    if file.as_os_str() != "-" {
        return master::read_file(file, origin).map_err(|error| Failure::Refused(error.to_string()));
    }
    let text = disk::read_stream(io::stdin().lock(), master::MAX_FILE).map_err(|error| Failure::Refused(format!("stdin: {error}")))?;
    master::read_text(&text, "stdin", origin).map_err(|error| Failure::Refused(error.to_string()))
}

/// Changes the serial by the rule, never backwards (RFC 1982), and returns it.
fn set_serial(records: &mut Records, origin: NameRef<'_>, rule: SerialRule, now: UnixTime) -> Result<Serial, String> {
    let set = records.name(origin).and_then(|name| name.rrset(Rtype::SOA)).ok_or("the apex has no SOA record")?;
    let mut soa = set.rdata().next().and_then(Soa::read).ok_or("the SOA record is broken")?;
    let (old, ttl) = (Serial(soa.serial), set.ttl());
    let wanted = match rule {
        SerialRule::Keep => return Ok(old),
        SerialRule::Increment => old.next(),
        SerialRule::Unixtime => Serial(now.as_rrsig()),
        SerialRule::Date => Serial(now.to_rrsig()[..8].parse::<u32>().map_or(0, |date| date.wrapping_mul(100))),
    };
    let new = if wanted.is_newer_than(old) { wanted } else { old.next() };
    soa.serial = new.0;
    let mut changed = Records::new();
    let full = |error: crate::dns::records::Full| error.to_string();
    changed.push(origin, Rtype::SOA, ttl, &soa.to_rdata()).map_err(full)?;
    records.retain(|record| record.rtype != Rtype::SOA || record.owner != origin);
    records.merge(changed).map_err(full)?;
    Ok(new)
}

/// Writes beside the place and renames, so that nobody reads half a zone.
fn write_file(records: &Records, threads: usize, path: &Path) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // A pipe or a device, such as /dev/stdout.
        return master::write(records, threads, &mut fs::File::create(path)?);
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = fs::File::create(&temporary)
        .and_then(|mut file| master::write(records, threads, &mut file))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}
