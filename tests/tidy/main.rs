//! Keeps the house in order: rooms and floors, unsafe, size of files, unfinished work, links, paths of somebody's machine.
//!
//! Every rule is a function from a file's text to what is wrong with it, so that each is seen to fail below.

mod links;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the roof down; a room uses only rooms of lower floors. `lib.rs` only lists them.
const FLOORS: &[(u8, &[&str])] = &[
    (7, &["daemon", "tool"]),
    (6, &["config", "control"]),
    (5, &["pipeline", "transport"]),
    (4, &["publish", "transfer"]),
    (3, &["registry", "orders", "compile", "sign", "answer", "journal"]),
    (2, &["zone"]),
    (1, &["dns", "telemetry"]),
    (0, &["disk", "memory", "parallel"]),
];

/// Arrows along one floor that the plan allows: the inputs of the compiler.
const SIDEWAYS: &[(&str, &str)] = &[("compile", "registry"), ("compile", "orders")];

/// What a room does not know beyond the rooms above it.
const UNKNOWN: &[(&str, &[&str])] = &[
    ("answer", &["std::fs", "std::thread", "std::time", "UdpSocket", "TcpStream", "TcpListener", "SystemTime", "Instant", "File", "disk"]),
    ("zone", &["std::fs", "disk", "UdpSocket", "TcpStream", "TcpListener", "SystemTime", "Instant", "File"]),
    ("compile", &["std::fs", "disk", "std::net::UdpSocket", "SystemTime", "Instant", "File"]),
    ("sign", &["std::fs", "disk", "SystemTime", "Instant", "File"]),
    ("dns", &["UdpSocket", "TcpStream", "TcpListener", "Instant"]),
];

/// The files that may hold `unsafe`, each small and with a safe face.
const UNSAFE: &[&str] = &["src/memory.rs", "src/transport/sys.rs"];

/// Lines of one file; above it, a second story has usually begun.
const MAX_LINES: usize = 800;

/// Lines of a `main`: the mains put nothing together themselves.
const MAX_MAIN_LINES: usize = 40;

#[test]
fn arrows_point_down() {
    check_sources(arrows);
}

#[test]
fn rooms_do_not_know_what_they_must_not() {
    check_sources(unknowns);
}

#[test]
fn unsafe_stays_in_its_file() {
    check_sources(unsafe_words);
}

#[test]
fn every_source_file_says_what_it_is() {
    check_sources(head);
}

#[test]
fn files_are_short_and_finished() {
    check_all(&["rs", "py", "sh", "toml"], |path, text| [length(path, text), marks(path, text)].concat());
}

#[test]
fn no_path_of_a_machine() {
    check_all(&["rs", "md", "py", "sh", "toml", "service", "zone", "csv", "jsonl", "txt", "yml"], machine_paths);
}

#[test]
fn links_lead_somewhere() {
    check_all(&["md"], |path, text| links::broken(&root(), path, text));
}

#[test]
fn every_reason_is_explained() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let manual = read("docs/deposits.md");
    let sources = ["src/compile/outcome.rs", "src/registry/refusal.rs", "src/orders/ledger.rs"];
    let missing: Vec<String> = sources.iter().flat_map(|path| unexplained(&read(path), &manual)).collect();
    assert!(missing.is_empty(), "not in docs/deposits.md: {}", missing.join(", "));
}

/// The codes that `source` gives to operators (capitals in quotes) and `manual` does not name.
fn unexplained(source: &str, manual: &str) -> Vec<String> {
    let is_code = |text: &&str| {
        text.len() > 3
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    let quoted = source.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
    quoted.filter(is_code).filter(|code| !has_word(manual, code)).map(str::to_owned).collect()
}

fn arrows(path: &str, text: &str) -> Vec<String> {
    let Some(room) = room_of(path) else { return Vec::new() };
    let Some(floor) = floor_of(room) else { return vec![format!("{path}: the room '{room}' has no floor in tests/tidy/main.rs")] };
    let named = source::rooms_named(&source::code_only(text), depth_of(path));
    let up = |(line, other): (usize, String)| {
        let below = floor_of(&other).is_none_or(|f| f < floor);
        let allowed = other == room || below || SIDEWAYS.contains(&(room, other.as_str()));
        (!allowed).then(|| format!("{path}:{line}: '{room}' is on floor {floor} and must not know '{other}'"))
    };
    named.into_iter().filter_map(up).collect()
}

fn unknowns(path: &str, text: &str) -> Vec<String> {
    let Some(room) = room_of(path) else { return Vec::new() };
    let code = source::code_only(text);
    // What a room's tests use to set the scene is not the room's knowledge.
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let words = UNKNOWN.iter().filter(|(r, _)| *r == room).flat_map(|(_, words)| words.iter());
    words
        .flat_map(|word| {
            source::lines_with_word(code, word).into_iter().map(move |line| format!("{path}:{line}: '{room}' must not know {word}"))
        })
        .collect()
}

fn unsafe_words(path: &str, text: &str) -> Vec<String> {
    if UNSAFE.contains(&path) {
        return Vec::new();
    }
    source::lines_with_word(&source::code_only(text), "unsafe")
        .into_iter()
        .map(|line| format!("{path}:{line}: unsafe outside {UNSAFE:?}"))
        .collect()
}

fn head(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//!") {
        wrong.push(format!("{path}:1: the first line says what the file is for: //! ..."));
    }
    if path.starts_with("src/bin/") && text.lines().count() > MAX_MAIN_LINES {
        wrong.push(format!("{path}: a main has at most {MAX_MAIN_LINES} lines"));
    }
    wrong
}

fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > MAX_LINES { vec![format!("{path}: {lines} lines, more than {MAX_LINES}")] } else { Vec::new() }
}

fn marks(path: &str, text: &str) -> Vec<String> {
    // Written in pieces, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!"),
        concat!("unimple", "mented!"),
        concat!("db", "g!"),
    ];
    let at = |word: &str| text.lines().enumerate().filter(|(_, l)| has_word(l, word)).map(|(i, _)| i + 1).collect::<Vec<_>>();
    words.iter().flat_map(|word| at(word).into_iter().map(move |line| format!("{path}:{line}: {word} marks unfinished work"))).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let word_char = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let open = word.ends_with('!') || !word_char(line[at + word.len()..].chars().next());
        open && !word_char(line[..at].chars().next_back())
    })
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let roots = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/fa", "rm/"), concat!("/Us", "ers/")];
    let wrong = |(i, line): (usize, &str)| {
        roots.iter().find(|r| line.contains(*r)).map(|r| format!("{path}:{}: a path of somebody's machine ({r})", i + 1))
    };
    text.lines().enumerate().filter_map(wrong).collect()
}

/// `src/dns/name.rs` and `src/dns.rs` are of the room `dns`; the root and the mains are of none.
fn room_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let room = inner.split('/').next()?.trim_end_matches(".rs");
    (room != "lib" && room != "bin").then_some(room)
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

/// Modules between the crate's root and what the file holds.
fn depth_of(path: &str) -> usize {
    let parts = path.split('/').count() - 1;
    if path.ends_with("/mod.rs") { parts - 1 } else { parts }
}

#[track_caller]
fn check_sources(rule: impl Fn(&str, &str) -> Vec<String>) {
    check_all(&["rs"], |path, text| if path.starts_with("src/") { rule(path, text) } else { Vec::new() });
}

#[track_caller]
fn check_all(extensions: &[&str], rule: impl Fn(&str, &str) -> Vec<String>) {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    let mut wrong = Vec::new();
    let mut n_files = 0;
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| extensions.iter().any(|x| e == *x))) {
        let path = file.strip_prefix(root()).expect("collected below the root").to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"));
        wrong.extend(rule(&path, &text));
        n_files += 1;
    }
    assert!(n_files > 0, "no file to check: the walk is broken");
    assert!(wrong.is_empty(), "{} found:\n{}", wrong.len(), wrong.join("\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the project; not what is built, kept at run time, or git's own.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the project's folders are readable") {
        let path = entry.expect("the project's folders are readable").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let skipped =
            ["target", ".git", "var", "corpus", "artifacts", "__pycache__", ".venv"].contains(&name) || path == root().join("keys");
        if path.is_dir() && !skipped {
            collect(&path, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}

#[test]
fn each_rule_finds_what_it_is_for() {
    let check = |found: Vec<String>, expected: &str| assert_eq!(found.join(" | "), expected);
    check(arrows("src/zone/mod.rs", "use crate::answer::respond;"), "src/zone/mod.rs:1: 'zone' is on floor 2 and must not know 'answer'");
    check(
        arrows("src/dns/name.rs", "\nfn f() { crate::telemetry::x() }"),
        "src/dns/name.rs:2: 'dns' is on floor 1 and must not know 'telemetry'",
    );
    check(
        arrows("src/sign/mod.rs", "use crate::{dns::Name, registry::Deposit};"),
        "src/sign/mod.rs:1: 'sign' is on floor 3 and must not know 'registry'",
    );
    check(
        arrows("src/registry/mod.rs", "use crate::compile::Outcome;"),
        "src/registry/mod.rs:1: 'registry' is on floor 3 and must not know 'compile'",
    );
    check(arrows("src/sign/mod.rs", "use super::answer;"), "src/sign/mod.rs:1: 'sign' is on floor 3 and must not know 'answer'");
    check(arrows("src/attic/mod.rs", ""), "src/attic/mod.rs: the room 'attic' has no floor in tests/tidy/main.rs");
    check(arrows("src/compile/mod.rs", "use crate::{registry, orders, zone, dns, compile::x};"), "");
    check(arrows("src/publish.rs", "use crate::{journal, telemetry};"), "");
    check(unknowns("src/answer/mod.rs", "use std::net::UdpSocket;"), "src/answer/mod.rs:1: 'answer' must not know UdpSocket");
    check(unknowns("src/answer/mod.rs", "fn a() {}\n#[cfg(test)]\nmod tests { use std::fs; }"), "");
    check(unsafe_words("src/dns/name.rs", "fn f() { unsafe { g() } }"), &format!("src/dns/name.rs:1: unsafe outside {UNSAFE:?}"));
    check(unsafe_words("src/dns/name.rs", "#![deny(unsafe_code)] // unsafe\n\"unsafe\""), "");
    check(head("src/dns/mod.rs", "use x;"), "src/dns/mod.rs:1: the first line says what the file is for: //! ...");
    check(head("src/bin/saola.rs", &format!("//! A main.\n{}", "x\n".repeat(40))), "src/bin/saola.rs: a main has at most 40 lines");
    check(length("a.rs", &"x\n".repeat(801)), "a.rs: 801 lines, more than 800");
    check(marks("a.rs", concat!("fn f() { to", "do!() }")), concat!("a.rs:1: to", "do! marks unfinished work"));
    check(marks("a.rs", concat!("// TO", "DO: later")), concat!("a.rs:1: TO", "DO marks unfinished work"));
    check(unexplained("A = \"NO_NS\",\nB => \"FEE_DUE\"", "| NO_NS |"), "FEE_DUE");
    check(marks("a.rs", concat!("METHOD TO", "DOS")), "");
    check(machine_paths("a.md", concat!("see /ro", "ot/x")), concat!("a.md:1: a path of somebody's machine (/ro", "ot/)"));
}
