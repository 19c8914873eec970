//! Signed zones before BIND's dnssec-verify, ldns-verify-zone, Knot's kzonecheck and our own verifier.
//!
//! A tool that is not installed is left out with a note, unless `SAOLA_TOOLS=all` is set; `KZONECHECK` and the like name a program elsewhere.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use saola::dns::{Records, UnixTime, master};
use saola::sign::{Algorithm, verify};

use super::{DENIALS, ORIGIN, keys, name, read, sign_with};

/// Signs with each kind of denial, by KSK and ZSK and by a CSK, and shows the result to everybody.
fn check(algorithm: Algorithm) {
    let now = UnixTime::now();
    for csk in [false, true] {
        let keys = keys(ORIGIN, algorithm, csk, now);
        for denial in DENIALS {
            let signed = sign_with(read("sign.zone"), ORIGIN, &keys, &denial, now);
            let what = format!("{algorithm} {denial} csk={csk}");
            let good = verify(&signed, name(ORIGIN).as_ref(), &[], now, 2);
            assert_eq!(good.as_ref().map(|good| good.zonemd).ok(), Some(1), "{what}");
            assert_eq!(good.map(|good| good.denial).map_err(|faults| faults[0].to_string()), Ok(denial), "{what}");
            accepted(&signed, csk, &what);
        }
    }
}

#[test]
fn ecdsa_p256_is_accepted() {
    check(Algorithm::EcdsaP256Sha256);
}

#[test]
fn ecdsa_p384_is_accepted() {
    check(Algorithm::EcdsaP384Sha384);
}

#[test]
fn ed25519_is_accepted() {
    check(Algorithm::Ed25519);
}

#[test]
fn rsa_is_accepted() {
    check(Algorithm::RsaSha256);
}

#[track_caller]
fn accepted(signed: &Records, csk: bool, what: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("signed.zone");
    master::write(signed, 1, &mut File::create(&path).expect("a file")).expect("written");
    let file = path.to_str().expect("a plain path");
    // -z: the KSK may sign everything.
    let csk: &[&str] = if csk { &["-z"] } else { &[] };
    run("dnssec-verify", &[csk, &["-q", "-o", ORIGIN, file]].concat(), what);
    // -ZZ: signed, and with a ZONEMD that holds.
    run("ldns-verify-zone", &["-V", "1", "-ZZ", file], what);
    run("kzonecheck", &["-o", ORIGIN, "-d", "on", file], what);
}

#[track_caller]
fn run(tool: &str, args: &[&str], what: &str) {
    let Some(program) = find(tool) else {
        assert!(std::env::var("SAOLA_TOOLS").as_deref() != Ok("all"), "{tool} is not installed");
        eprintln!("{tool} is not installed: left out");
        return;
    };
    let output = Command::new(program).args(args).output().expect("the tool starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{tool}: {what}\n{text}");
}

fn find(tool: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(tool.to_uppercase().replace('-', "_")) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).map(|dir| dir.join(tool)).find(|path| path.is_file())
}
