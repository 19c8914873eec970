//! The offline verbs of `saola` as an operator runs them: exit codes, what is said, what is read.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The apex of a good zone `vn.`; what is put behind it may be bad.
const APEX: &str = "$TTL 60\n@ NS ns.dns\n@ SOA ns.dns mail 1 2 3 4 5\nns.dns A 192.0.2.1\n";

fn saola(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_saola")).args(args).output().expect("the tool runs")
}

/// The exit code, and all that was said on stdout and stderr.
fn run(args: &[&str]) -> (i32, String) {
    let output = saola(args);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it ends by itself"), String::from_utf8(said).expect("text"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of the test")
}

#[track_caller]
fn check_zone(more: &str, code: i32, counts: &str) {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("zone");
    fs::write(&file, format!("{APEX}{more}")).expect("written");
    let (found, said) = run(&["zone", "check", "--origin", "vn", text(&file)]);
    assert_eq!(found, code, "{more}: {said}");
    assert!(said.trim_end().ends_with(counts), "{more}: {said}");
}

#[test]
fn zone_check_ends_with_1_on_errors_alone() {
    check_zone("", 0, "[vn.] 3 records, 3 after duplicates were dropped, 0 errors, 0 warnings");
    check_zone("a CNAME x.\nb MX 1 a\n", 0, "0 errors, 1 warning");
    check_zone("a CNAME x.\nb MX 1 a\nc MX 1 a\n", 0, "0 errors, 2 warnings");
    check_zone("a CNAME x.\na A 192.0.2.1\n", 1, "1 error, 0 warnings");
    check_zone("a CNAME x.\na TXT x\nb MX 1 a\n*.w NS x.\n", 1, "2 errors, 1 warning");
    // What is no master file is refused before it is a zone.
    check_zone("a A 192.0.2.256\n", 1, ":5:5: a.vn. A: '192.0.2.256' is not an IPv4 address");
    assert_eq!(run(&["zone", "check", "--origin", "vn", "no-such-file"]).0, 1);
    for wrong in [&["zone", "check", "file"][..], &["zone", "check", "--origin", "vn"], &["zone", "check", "--origin", "vn", "file", "x"]] {
        assert_eq!(run(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn a_malformed_name_is_asked_wrongly() {
    let long = "a".repeat(64);
    for name in ["a..b", "..", &long[..], "a\\", "\\999"] {
        for args in [
            &["zone", "check", "--origin", name, "file"][..],
            &["zone", "sign", "--keys", "keys", "--origin", name, "file"],
            &["zone", "verify", "--origin", name, "file"],
            &["zone", "status", name],
            &["zone", "dump", name],
            &["zone", "reload", name],
            &["key", "ds", "--keys", "keys", "--zone", name],
            &["key", "generate", "--keys", "keys", "--ksk", "--zone", name],
        ] {
            let (code, said) = run(args);
            assert_eq!(code, 2, "{args:?}: {said}");
            assert!(said.contains("invalid value"), "{args:?}: {said}");
        }
    }
}

#[test]
fn other_malformed_values_are_asked_wrongly_too() {
    let folder = TempDir::new().expect("a folder");
    let keys = text(folder.path());
    for args in [
        &["zone", "verify", "--origin", "vn", "--at", "yesterday", "file"][..],
        &["zone", "sign", "--origin", "vn", "--keys", keys, "--at", "2026-13-01T00:00:00Z", "file"],
        &["zone", "sign", "--origin", "vn", "--keys", keys, "--policy", "nsec4", "file"],
        &["zone", "verify", "--origin", "vn", "--anchor", "1 13 2 zz", "file"],
        // Before the deposit is looked for.
        &["zone", "compile", "no-such-folder", "--out", keys, "--at", "yesterday"],
        &["key", "generate", "--keys", keys, "--zone", "vn", "--ksk", "--algorithm", "rsasha256", "--bits", "1000"],
        &["key", "generate", "--keys", keys, "--zone", "vn", "--ksk", "--bits", "2048"],
        &["key", "generate", "--keys", keys, "--zone", "vn"],
        &["key", "ds", "--keys", keys, "--zone", "vn", "--digest", "9"],
    ] {
        let (code, said) = run(args);
        assert_eq!(code, 2, "{args:?}: {said}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is made");
}

#[test]
fn an_absent_folder_of_keys_is_said() {
    let folder = TempDir::new().expect("a folder");
    let (keys, zone) = (folder.path().join("keys"), folder.path().join("zone"));
    fs::write(&zone, APEX).expect("written");
    let verbs = [
        &["key", "ds", "--zone", "vn", "--keys", text(&keys)][..],
        &["key", "list", "--keys", text(&keys)],
        &["zone", "sign", "--origin", "vn", "--keys", text(&keys), text(&zone)],
    ];
    let all_say = |what: &str| {
        for args in verbs {
            let (code, said) = run(args);
            assert!(code == 1 && said.contains(what) && said.contains(text(&keys)), "{args:?}: {code} {said}");
        }
    };
    all_say("No such file or directory");
    fs::write(&keys, "").expect("written");
    // "not a folder" here, "not a directory" in the system's words.
    all_say("ot a ");
    fs::remove_file(&keys).expect("removed");
    fs::create_dir(&keys).expect("made");
    let (code, said) = run(verbs[0]);
    assert!(code == 1 && said.contains("no KSK or CSK for 'vn.'"), "{said}");
}

#[test]
fn what_nobody_would_serve_is_not_signed() {
    let folder = TempDir::new().expect("a folder");
    let (keys, zone) = (folder.path().join("keys"), folder.path().join("zone"));
    let sign = ["zone", "sign", "--origin", "vn", "--make-keys", "--keys", text(&keys), text(&zone)];
    for (more, what) in [
        ("a CNAME b\na A 192.0.2.1\n", "'a.vn.' has a CNAME record and other data"),
        ("a CNAME b\na CNAME c\n", "'a.vn.' has more than one CNAME record"),
        ("a SOA a b 1 2 3 4 5\n", "'a.vn.' has a SOA record beside the one of the zone"),
    ] {
        fs::write(&zone, format!("{APEX}{more}")).expect("written");
        let (code, said) = run(&sign);
        assert!(code == 1 && said.contains(what), "{code} {said}");
        assert!(!folder.path().join("zone.signed").exists());
    }
    let (code, said) = run(&[&sign[..], &["--validity", "0"]].concat());
    assert!(code == 2 && said.contains("3600"), "{code} {said}");
}

#[test]
fn the_soa_comes_first() {
    let folder = TempDir::new().expect("a folder");
    let (keys, zone, signed) = (folder.path().join("keys"), folder.path().join("zone"), folder.path().join("signed"));
    fs::write(&zone, APEX).expect("written");
    let first = |text: &str| {
        assert_eq!(text.matches(" IN SOA ").count(), 1, "{text}");
        assert!(text.lines().next().is_some_and(|line| line.contains(" IN SOA ")), "{text}");
    };
    let sign = ["zone", "sign", "--origin", "vn", "--make-keys", "--keys", text(&keys)];
    assert_eq!(run(&[&sign[..], &["--out", text(&signed), text(&zone)]].concat()).0, 0);
    first(&fs::read_to_string(&signed).expect("there"));
    // To a pipe as well, and from one.
    let piped = Command::new(env!("CARGO_BIN_EXE_saola")).args(sign).arg("-").stdin(fs::File::open(&zone).expect("there")).output();
    let piped = piped.expect("the tool runs");
    first(&String::from_utf8(piped.stdout).expect("text"));
    assert!(String::from_utf8_lossy(&piped.stderr).contains("signed, serial 1"));

    let deposit = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/example-export");
    let out = folder.path().join("out");
    assert_eq!(run(&["zone", "compile", text(&deposit), "--at", "watermark", "--out", text(&out)]).0, 0);
    let zones = fs::read_dir(&out).expect("made").map(|entry| entry.expect("entry").path());
    let zones: Vec<_> = zones.filter(|path| path.extension().is_some_and(|end| end == "zone")).collect();
    assert_eq!(zones.len(), 80);
    zones.iter().for_each(|path| first(&fs::read_to_string(path).expect("there")));
}

#[test]
fn what_is_no_regular_file_is_never_waited_for() {
    let folder = TempDir::new().expect("a folder");
    let (pipe, zone, keys) = (folder.path().join("pipe"), folder.path().join("zone"), folder.path().join("keys"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    fs::write(&zone, APEX).expect("written");
    fs::create_dir(&keys).expect("made");
    let deposit = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/example-export");
    let (zone, keys, deposit, out) = (text(&zone), text(&keys), text(&deposit), folder.path().join("out"));
    for bad in [text(&pipe), "/dev/zero", text(folder.path())] {
        let compile = ["zone", "compile", deposit, "--out", text(&out)];
        let options = [
            "--profiles",
            "--orders",
            "--second-level",
            "--infrastructure",
            "--idn",
            "--prohibited",
            "--delegated",
            "--deposit-key",
            "--state",
        ];
        let mut all: Vec<Vec<&str>> = options.iter().map(|option| [&compile[..], &[option, bad]].concat()).collect();
        all.push(vec!["zone", "check", "--origin", "vn", bad]);
        all.push(vec!["zone", "verify", "--origin", "vn", bad]);
        all.push(vec!["zone", "verify", "--origin", "vn", "--anchor", bad, zone]);
        all.push(vec!["zone", "sign", "--origin", "vn", "--keys", keys, bad]);
        all.push(vec!["config", "check", bad]);
        for args in all {
            let (code, said) = run(&args);
            assert!(code != 0 && said.contains("not a regular file"), "{args:?}: {code} {said}");
        }
    }
    // A key file too.
    let stem = format!("{keys}/Kvn.+013+00001");
    fs::write(format!("{stem}.key"), "").expect("written");
    assert!(Command::new("mkfifo").arg(format!("{stem}.private")).status().expect("mkfifo runs").success());
    let (code, said) = run(&["key", "list", "--keys", keys]);
    assert!(code == 1 && said.contains(".private: not a regular file"), "{code} {said}");
}

#[test]
fn the_help_of_every_verb_explains_every_option() {
    let verbs = |args: &[&str]| -> Vec<String> {
        let (code, help) = run(&[args, &["--help"]].concat());
        assert_eq!(code, 0);
        let list = help.split("Commands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
        let words = list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned);
        words.filter(|word| word != "help").collect()
    };
    let mut n_options = 0;
    for noun in verbs(&[]) {
        for verb in verbs(&[&noun]) {
            let (code, help) = run(&[&noun, &verb, "--help"]);
            assert_eq!(code, 0, "{noun} {verb}");
            let lines: Vec<&str> = help.lines().collect();
            for (i, line) in lines.iter().enumerate() {
                let option = line.trim_start();
                if option.len() == line.len() || !(option.starts_with(['-', '<']) || option.starts_with('[') && !option.contains(':')) {
                    continue;
                }
                n_options += 1;
                // Behind the option or in the next line, further in.
                let beside = option.split_once("  ").is_some_and(|(_, what)| !what.trim().is_empty());
                let below = lines.get(i + 1).is_some_and(|next| next.starts_with("          ") && !next.trim().is_empty());
                assert!(beside || below, "{noun} {verb}: no help for '{option}'");
            }
        }
    }
    assert!(n_options > 60, "{n_options}");
}

/// `head` had enough: that is no failure to speak of.
#[test]
fn who_reads_no_more_hears_no_more() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("zone");
    fs::write(&file, APEX).expect("written");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_saola"));
    let output = command.args(["zone", "check", "--origin", "vn", text(&file)]).stdout(writer).output().expect("the tool runs");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""));
}
