//! Key files: BIND's read, ours read by BIND, what is refused; and what keys do by their times.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use saola::dns::UnixTime;
use saola::pipeline::keys::{self as files, KeyFileError, load, store};
use saola::sign::{Algorithm, Key, KeyError, KeyTextError, ZoneKeys, ZoneKeysError, key};

use super::{NOW, name};

const KSK: u16 = key::ZONE | key::SEP;

fn make(algorithm: Algorithm, flags: u16) -> Key {
    Key::generate(name("vn.").as_ref(), algorithm, flags, None).expect("a key")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn stored_keys_read_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let keys = dir.path().join("keys");
    assert_eq!(load(&keys, name("vn.").as_ref()).expect("no keys").len(), 0);
    for algorithm in Algorithm::ALL {
        for zone in ["vn.", r"Strange\046\032zone_x.com.vn.", "."] {
            let mut key = Key::generate(name(zone).as_ref(), algorithm, KSK, None).expect("a key");
            key.timing.created = Some(NOW);
            key.timing.inactive = Some(UnixTime(NOW.0 + 5));
            key.timing.other.push(("Successor".into(), "4711".into()));
            let path = store(&keys, &key).expect("stored");
            assert_eq!((mode(&keys), mode(&path), mode(&path.with_extension("key"))), (0o700, 0o600, 0o644));
            let read = load(&keys, name(zone).as_ref()).expect("read");
            let read = read.iter().find(|read| read.tag() == key.tag() && read.algorithm() == algorithm).expect("among them");
            assert_eq!((read.dnskey(), &read.timing, read.private_text()), (key.dnskey(), &key.timing, key.private_text()));
            assert!(matches!(store(&keys, &key), Err(KeyFileError::Exists(_))), "never overwritten");
        }
    }
    assert_eq!(files::load_all(&keys).expect("all").len(), 12);
    assert_eq!(fs::read_dir(&keys).expect("there").count(), 24, "no temporary file stays");
}

#[test]
fn bind_and_saola_read_each_others_keys() {
    let dir = tempfile::tempdir().expect("a directory");
    for (mnemonic, algorithm) in [("RSASHA256", 8), ("ECDSAP256SHA256", 13), ("ECDSAP384SHA384", 14), ("ED25519", 15)] {
        let made = Command::new("dnssec-keygen")
            .args(["-q", "-f", "KSK", "-L", "600", "-K"])
            .arg(dir.path())
            .args(["-a", mnemonic, r"Strange\.zone.vn"])
            .output();
        let Ok(made) = made else {
            eprintln!("dnssec-keygen is not installed: left out");
            return;
        };
        assert!(made.status.success());
        let stem = String::from_utf8(made.stdout).expect("a name").trim().to_owned();
        let keys = load(dir.path(), name(r"strange\.zone.vn.").as_ref()).expect("BIND's keys");
        let key = keys.iter().find(|key| key.algorithm().number() == algorithm).expect("the new one");
        assert_eq!(files::file_stem(key), stem);
        let own = tempfile::tempdir().expect("a directory");
        store(own.path(), key).expect("stored");
        // BIND reads both parts of what we wrote, and finds the same DS.
        let settime = Command::new("dnssec-settime").args(["-p", "all", "-K"]).arg(own.path()).arg(&stem).output().expect("BIND");
        assert!(settime.status.success(), "{}", String::from_utf8_lossy(&settime.stderr));
        let ds = Command::new("dnssec-dsfromkey").arg("-2").arg(own.path().join(&stem)).output().expect("BIND");
        let text = String::from_utf8(ds.stdout).expect("text").to_lowercase();
        let hex: String = key.ds(2).expect("SHA-256")[4..].iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(text.contains(&hex), "{text} {hex}");
    }
}

#[test]
fn a_pair_cut_off_by_a_crash_is_finished() {
    let dir = tempfile::tempdir().expect("a directory");
    let zone = name("vn.");
    let key = make(Algorithm::Ed25519, KSK);
    let private = store(dir.path(), &key).expect("stored");
    let unfinished = dir.path().join(format!(".{}.private.new", files::file_stem(&key)));
    // As if the process had ended between the two names.
    fs::rename(&private, &unfinished).expect("moved");
    let read = load(dir.path(), zone.as_ref()).expect("finished");
    assert_eq!((read.len(), mode(&private), unfinished.exists()), (1, 0o600, false));
    // Before either name: nothing of it counts, and nothing is in the way of a further try.
    fs::rename(&private, &unfinished).expect("moved");
    fs::remove_file(private.with_extension("key")).expect("removed");
    assert_eq!(load(dir.path(), zone.as_ref()).expect("no keys").len(), 0);
    store(dir.path(), &key).expect("stored");
    assert_eq!(load(dir.path(), zone.as_ref()).expect("whole").len(), 1);
    // The private part of another key does not make a pair.
    let other = make(Algorithm::Ed25519, KSK);
    fs::write(&unfinished, other.private_text()).expect("written");
    fs::remove_file(&private).expect("removed");
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o600)).expect("mode set");
    assert!(matches!(load(dir.path(), zone.as_ref()), Err(KeyFileError::Broken(..))));
}

#[test]
fn bad_key_files_are_refused() {
    let zone = name("vn.");
    let setup = || {
        let dir = tempfile::tempdir().expect("a directory");
        let path = store(dir.path(), &make(Algorithm::Ed25519, KSK)).expect("stored");
        (dir, path)
    };
    let (dir, path) = setup();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
    let error = load(dir.path(), zone.as_ref()).expect_err("readable by others");
    assert!(error.to_string().contains("mode 0640") && error.to_string().contains(&*path.to_string_lossy()), "{error}");

    let (dir, path) = setup();
    fs::remove_file(&path).expect("removed");
    assert!(matches!(load(dir.path(), zone.as_ref()), Err(KeyFileError::PrivateMissing(_))));
    let (dir, path) = setup();
    fs::remove_file(path.with_extension("key")).expect("removed");
    assert!(matches!(load(dir.path(), zone.as_ref()), Err(KeyFileError::PublicMissing(_))));
    let (dir, path) = setup();
    for extension in ["key", "private"] {
        fs::rename(path.with_extension(extension), dir.path().join(format!("Kvn.+015+00000.{extension}"))).expect("moved");
    }
    assert!(matches!(load(dir.path(), zone.as_ref()), Err(KeyFileError::Misnamed(_))));
    let (dir, path) = setup();
    fs::write(&path, "").expect("emptied");
    let error = load(dir.path(), zone.as_ref()).expect_err("empty");
    assert!(error.to_string().contains("Private-key-format"), "{error}");
}

#[test]
fn broken_texts_are_refused_and_never_panic() {
    let mut rng = fastrand::Rng::with_seed(13);
    for algorithm in Algorithm::ALL {
        let key = make(algorithm, KSK);
        let (public, private) = (key.public_text(), key.private_text());
        for n in 0..private.len() {
            // A text cut in the middle of its last line may still be whole.
            if let Ok(read) = Key::from_text(&public, &private[..n]) {
                assert_eq!(read.dnskey(), key.dnskey());
            }
        }
        for _ in 0..300 {
            let mut bytes = private.clone().into_bytes();
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(32..127);
            let _ = Key::from_text(&public, &String::from_utf8(bytes).expect("ASCII"));
        }
        let other = make(algorithm, KSK);
        let error = Key::from_text(&public, &other.private_text()).expect_err("of another key");
        assert_eq!(error, KeyTextError::Key(KeyError::Mismatch(algorithm)));
    }
    let key = make(Algorithm::Ed25519, KSK);
    let (public, private) = (key.public_text(), key.private_text());
    for (public, private, expected) in [
        (public.replace("257", "385"), private.clone(), KeyTextError::Flags(385)),
        (public.replace(" 3 15 ", " 3 5 "), private.clone(), KeyTextError::Algorithm(5)),
        (public.replace(" 3 15 ", " 4 15 "), private.clone(), KeyTextError::Dnskey("a protocol other than 3")),
        ("; nothing".into(), private.clone(), KeyTextError::NoDnskey),
        (public.clone(), private.replace("v1.3", "v2.0"), KeyTextError::Format("v2.0".into())),
        (public.clone(), private.replace("PrivateKey", "PrivKey"), KeyTextError::Missing("PrivateKey")),
        (public.clone(), private.replace("PrivateKey: ", "PrivateKey: !"), KeyTextError::Line(3)),
        (public.clone(), format!("{private}Publish: tomorrow\n"), KeyTextError::Line(4)),
        (public.clone(), private.replace("15 (", "13 ("), KeyTextError::AlgorithmsDiffer(15, "13 (ED25519)".into())),
    ] {
        assert_eq!(Key::from_text(&public, &private).map(|_| ()), Err(expected));
    }
    assert_eq!(Key::generate(name("vn.").as_ref(), Algorithm::RsaSha256, KSK, Some(1024)).map(|_| ()), Err(KeyError::Bits(1024)));
    assert_eq!(
        Key::generate(name("vn.").as_ref(), Algorithm::Ed25519, KSK, Some(256)).map(|_| ()),
        Err(KeyError::BitsNotRsa(Algorithm::Ed25519))
    );
}

/// Roles of a KSK and of keys with these times: `P` published, `K` signs keys, `Z` signs the zone, `S` in CDS.
#[track_caller]
fn roles(csk: bool, keys: &[(u16, &str)], expected: &str) {
    let time = |offset: &str| UnixTime(NOW.0.saturating_add_signed(offset.parse().expect("seconds")));
    let keys = keys
        .iter()
        .map(|(flags, times)| {
            let mut key = make(Algorithm::Ed25519, *flags);
            for setting in times.split_whitespace() {
                let (field, offset) = setting.split_once('=').expect("field=offset");
                match field {
                    "publish" => key.timing.publish = Some(time(offset)),
                    "activate" => key.timing.activate = Some(time(offset)),
                    "inactive" => key.timing.inactive = Some(time(offset)),
                    "delete" => key.timing.delete = Some(time(offset)),
                    "sync" => key.timing.sync_publish = Some(time(offset)),
                    "unsync" => key.timing.sync_delete = Some(time(offset)),
                    other => panic!("{other}"),
                }
            }
            key
        })
        .collect();
    let found = match ZoneKeys::new(keys, csk, NOW) {
        Ok(keys) => keys
            .iter()
            .map(|(_, role)| {
                [(role.published, 'P'), (role.signs_keys, 'K'), (role.signs_zone, 'Z'), (role.synced, 'S')]
                    .iter()
                    .map(|(yes, letter)| if *yes { *letter } else { '-' })
                    .collect::<String>()
            })
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => error.to_string().split(':').next().expect("one").to_owned(),
    };
    assert_eq!(found, expected);
}

#[test]
fn keys_act_by_their_times() {
    const ZSK: u16 = key::ZONE;
    roles(false, &[(KSK, ""), (ZSK, "")], "PK-S P-Z-");
    roles(true, &[(KSK, "")], "PKZS");
    roles(false, &[(KSK, "")], "no active ZSK of algorithm ED25519");
    roles(false, &[(ZSK, "")], "no active KSK of algorithm ED25519");
    roles(true, &[(KSK, ""), (ZSK, "")], "PK-S P-Z-");
    // ZSK pre-publication (RFC 6781 §4.1.1.1).
    roles(false, &[(KSK, ""), (ZSK, ""), (ZSK, "publish=-1 activate=1")], "PK-S P-Z- P---");
    roles(false, &[(KSK, ""), (ZSK, "inactive=0"), (ZSK, "publish=-9 activate=0")], "PK-S P--- P-Z-");
    roles(false, &[(KSK, ""), (ZSK, "inactive=-5 delete=0"), (ZSK, "")], "PK-S ---- P-Z-");
    // KSK double signature with CDS (RFC 6781 §4.1.2, RFC 7344).
    roles(false, &[(KSK, "unsync=0"), (KSK, "sync=0"), (ZSK, "")], "PK-- PK-S P-Z-");
    roles(false, &[(KSK, "publish=5 activate=5"), (KSK, ""), (ZSK, "")], "---- PK-S P-Z-");
    roles(false, &[(KSK, "activate=1"), (ZSK, "")], "no active KSK of algorithm ED25519");
    roles(false, &[(KSK, "delete=0"), (ZSK, "delete=0")], "no key is active now");
    roles(false, &[], "there is no key");
}

#[test]
fn keys_must_fit_together() {
    let error = |keys| ZoneKeys::new(keys, false, NOW).map(|_| ()).expect_err("refused");
    let other = Key::generate(name("com.vn.").as_ref(), Algorithm::Ed25519, KSK, None).expect("a key");
    let tag = other.tag();
    assert_eq!(
        error(vec![make(Algorithm::Ed25519, KSK), other]),
        ZoneKeysError::OtherZone { zone: name("vn."), other: name("com.vn."), tag }
    );
    let mixed = vec![make(Algorithm::RsaSha256, KSK), make(Algorithm::Ed25519, key::ZONE)];
    assert_eq!(error(mixed), ZoneKeysError::ZskMissing(Algorithm::RsaSha256));
    let key = make(Algorithm::Ed25519, KSK);
    let same = Key::from_text(&key.public_text(), &key.private_text()).expect("a key");
    let tag = key.tag();
    assert_eq!(error(vec![key, same]), ZoneKeysError::Twice(tag));
}
