//! The signer: its output before validators that others wrote, its verifier before zones damaged on purpose,
//! keys and signatures of the RFCs.

mod chain;
mod change;
mod damage;
mod keys;
mod policy;
mod tools;
mod vectors;
mod zonemd;

use std::path::Path;

use saola::dns::{Name, Records, UnixTime, master};
use saola::sign::{Algorithm, Denial, Key, Policy, ZoneKeys, key, sign};

/// The zone of `tests/zones/sign.zone`.
const ORIGIN: &str = "example.vn.";
/// When test zones are signed, where no tool of others asks the clock.
const NOW: UnixTime = UnixTime(1_795_305_600);

const DENIALS: [Denial; 3] = [Denial::Nsec, Denial::NSEC3, Denial::NSEC3_OPT_OUT];

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name in a test")
}

fn read(file: &str) -> Records {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones").join(file);
    master::read_file(&path, name(ORIGIN).as_ref()).unwrap_or_else(|error| panic!("{error}"))
}

/// Records of a zone `origin`, from lines without TTL.
fn scan(text: &str, origin: &str) -> Records {
    let origin = name(origin);
    let options = master::Options { default_ttl: Some(3600), ..master::Options::new(origin.as_ref()) };
    master::scan(text.as_bytes(), "test", &options, &mut |_, _| Err("no includes".into())).unwrap_or_else(|error| panic!("{error}"))
}

fn keys(origin: &str, algorithm: Algorithm, csk: bool, now: UnixTime) -> ZoneKeys {
    let flags: &[u16] = if csk { &[key::ZONE | key::SEP] } else { &[key::ZONE | key::SEP, key::ZONE] };
    let origin = name(origin);
    let keys = flags.iter().map(|&flags| Key::generate(origin.as_ref(), algorithm, flags, None).expect("a key")).collect();
    ZoneKeys::new(keys, csk, now).expect("keys of a zone")
}

fn sign_with(zone: Records, origin: &str, keys: &ZoneKeys, denial: &Denial, now: UnixTime) -> Records {
    let policy = Policy { denial: denial.clone(), ..Policy::default() };
    sign(zone, name(origin).as_ref(), keys, &policy, now, 2).unwrap_or_else(|error| panic!("{error}"))
}
