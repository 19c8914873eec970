//! Key files: BIND's read, ours read by BIND, what is refused; and what keys do by their times.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use saola::dns::UnixTime;
use saola::pipeline::keys::{self as files, KeyFileError, load, store};
use saola::sign::{Algorithm, Key, KeyError, KeyTextError, Policy, ZoneKeys, ZoneKeysError, key};

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

/// RFC 8624 §3.1 lets sign with algorithm 8, and RFC 3110 with 1024 bits; neither crypto library does any more. Such a key is refused by
/// name, with what to do, and never passed over: a zone signed with a part of its keys may be bogus.
#[test]
fn rsa_of_1024_bits_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let stem = "Kexample.vn.+008+07174";
    fs::write(dir.path().join(format!("{stem}.key")), RSA_1024.0).expect("written");
    let private = dir.path().join(format!("{stem}.private"));
    fs::write(&private, RSA_1024.1).expect("written");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).expect("chmod");
    let zone = name("example.vn.");
    store(dir.path(), &Key::generate(zone.as_ref(), Algorithm::Ed25519, KSK, None).expect("a key")).expect("stored");
    let error = load(dir.path(), zone.as_ref()).expect_err("too small");
    assert!(matches!(error, KeyFileError::Broken(_, KeyTextError::Key(KeyError::RsaSize(1024)))), "{error:?}");
    let text = error.to_string();
    for part in [&*private.to_string_lossy(), "1024 bits does not sign here, only 2048 to 4096", "saola key generate"] {
        assert!(text.contains(part), "{text}");
    }
}

/// Made by `dnssec-keygen -a RSASHA256 -b 1024 -f KSK example.vn` for this test.
const RSA_1024: (&str, &str) = (
    "example.vn. IN DNSKEY 257 3 8 AwEAAcyF3ZQkqj+bDfKzx+FUrZNVuBLzepBC+Fw56meirjHyctaxhUY4 vcuWVqZCjLgurXz6TQAoFJSb3wKA/+RXqXWL/rG+o7nLGIkcjLmA7W7E QviOTgvLFEW+c8velihpNdoAvfoZatG8BjgtCVz6kw21CRm70tToQfuU b+VtRKmD\n",
    "Private-key-format: v1.3\n\
     Algorithm: 8 (RSASHA256)\n\
     Modulus: zIXdlCSqP5sN8rPH4VStk1W4EvN6kEL4XDnqZ6KuMfJy1rGFRji9y5ZWpkKMuC6tfPpNACgUlJvfAoD/5FepdYv+sb6jucsYiRyMuYDtbsRC+I5OC8sURb5zy96WKGk12gC9+hlq0bwGOC0JXPqTDbUJGbvS1OhB+5Rv5W1EqYM=\n\
     PublicExponent: AQAB\n\
     PrivateExponent: lA9E/X4dkbZaPp1P0hxPHB4uB+ojjFQvH/T9cNEgciAmaq5Q4SkqnTvUtr/ux1djWNqK69YYMA03QMTKey/LCHW28Qk9fKNgoprTEB0053RU0DajDTuFtg3E5DTPUkPXQvaM5U2I2ATpz0UWyGgRdrAkEoooQy+fslYb+DPi+wE=\n\
     Prime1: 9BHMzTqmFnvOqy3VVKA+Bg0+QDf7Op2qsCTNkUjHMh1jDE1A7q9Yu+xVWIdUNehF7uMSruhFpy01sAfo17V/4Q==\n\
     Prime2: 1oUxbvJ3ZPD1FnPgQ9fsrx8mDVGMkXvBbxKHHA03q/uSLukNHO3RdgXKfXOFrV5cR8NgkO0p9tcp4MoSCfDl4w==\n\
     Exponent1: feb8vdWGPczqBHWlOX1b4WVNenUmXMtedHTXsh1X3Cs6n+ruFvJPFMnKENvmfdRu1tc+GQnqfF2e90ptO3D+IQ==\n\
     Exponent2: eWpXiUkYxHwQ681YAG4k2xVRLzaZzfnyiJA/AmSEvwWbPovPTTFZXWh3rDuHTJHcvw1ZCY4CM2CipkUYoqHDKw==\n\
     Coefficient: A2gXQckkWRuH7cn2bcQ6CWev/tPq0RdcrPj1dDJS/yffwHuuCvlJFrl7tRpEUSEi0ATpaKupslU/dTWvM0A1dw==\n",
);

/// What a policy makes only where there are no keys, and what it would make otherwise than the keys are.
#[test]
fn keys_that_a_policy_would_not_make_are_told() {
    let policy = |algorithm, csk| Policy { algorithm, csk, ..Policy::default() };
    let differs = |keys: &[Key], policy: &Policy| files::differs_from_policy(keys, policy, 2048, NOW);
    let (p256, ed25519) = (Algorithm::EcdsaP256Sha256, Algorithm::Ed25519);
    let pair = |algorithm| vec![make(algorithm, KSK), make(algorithm, key::ZONE)];
    for algorithm in Algorithm::ALL {
        assert_eq!(differs(&pair(algorithm), &policy(algorithm, false)), None);
        assert_eq!(differs(&[make(algorithm, KSK)], &policy(algorithm, true)), None);
    }
    assert_eq!(differs(&[], &policy(p256, false)), None);
    let text = differs(&pair(p256), &policy(ed25519, false)).expect("told");
    for part in ["asks for keys of ED25519", "are KSK of ECDSAP256SHA256 and ZSK of ECDSAP256SHA256", "replace them by hand"] {
        assert!(text.contains(part), "{text}");
    }
    let text = differs(&pair(p256), &policy(p256, true)).expect("told");
    assert!(text.contains("asks for one key for everything (csk)"), "{text}");
    let rsa = pair(Algorithm::RsaSha256);
    let text = files::differs_from_policy(&rsa, &policy(Algorithm::RsaSha256, false), 3072, NOW).expect("told");
    assert!(text.contains("asks for RSA keys of 3072 bits") && text.contains("KSK of RSASHA256 with 2048 bits"), "{text}");
    // A rollover has both; what no longer signs does not count.
    let mut both = pair(p256);
    both.extend(pair(ed25519));
    assert_eq!(differs(&both, &policy(ed25519, false)), None);
    both.truncate(2);
    both.iter_mut().for_each(|key| key.timing.inactive = Some(NOW));
    assert_eq!(differs(&both, &policy(ed25519, false)), None);
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
