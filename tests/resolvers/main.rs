//! Real validating resolvers go through saolad: Unbound and BIND, from a private signed root, names in each of the 80 zones.
//!
//! Every case runs in a network namespace of its own, in which every address is local and nothing leads out. It needs root (or
//! user namespaces) and Debian's packages; without them it says so and is skipped, but never in CI.

#[path = "../peers/mod.rs"]
mod peers;
mod registry;
mod world;

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use registry::Deposit;
use world::{Expected, NAMED, Question, UNBOUND, World};

const RESOLVERS: [(&str, IpAddr); 2] = [("unbound", UNBOUND), ("named", NAMED)];

const NOERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;

#[test]
fn the_example_resolves_and_validates() {
    in_namespace("the_example_resolves_and_validates", || resolve(&Deposit::Example, "ecdsap256sha256", "nsec3-opt-out"));
}

#[test]
fn names_in_every_zone_with_opt_out() {
    in_namespace("names_in_every_zone_with_opt_out", || resolve(&Deposit::Generated, "ecdsap256sha256", "nsec3-opt-out"));
}

#[test]
fn names_in_every_zone_with_nsec3() {
    in_namespace("names_in_every_zone_with_nsec3", || resolve(&Deposit::Generated, "ed25519", "nsec3"));
}

#[test]
fn names_in_every_zone_with_nsec() {
    in_namespace("names_in_every_zone_with_nsec", || resolve(&Deposit::Generated, "rsasha256", "nsec"));
}

/// Builds the world, starts everything, asks both resolvers every question.
fn resolve(deposit: &Deposit, algorithm: &str, denial: &str) {
    let Some(programs) = peers::find_all(["unbound", "named", "nsd", "dnssec-keygen", "dnssec-signzone", "dnssec-dsfromkey", "dig", "ip"])
    else {
        return;
    };
    let world = World::build(programs, deposit, algorithm, denial);
    let mut questions = zone_questions(&world.zones, denial);
    questions.extend(deposit.questions(&world.zones));
    let _running = world.start();
    let mut resolvers = Vec::new();
    for (resolver, address) in RESOLVERS {
        resolvers.push(world.start_resolver(resolver, address));
        let wrong: Vec<String> = questions.iter().filter_map(|q| ask(resolver, SocketAddr::new(address, 53), q)).collect();
        assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), questions.len(), wrong[..wrong.len().min(40)].join("\n"));
        println!("{resolver}: {} answers as expected", questions.len());
    }
    if let Deposit::Generated = deposit {
        follow_orders(&world, resolvers, denial);
    }
}

/// Names that nobody has asked for are suspended, and no resolver finds them; they are restored, and one that has not asked before finds them as they were.
///
/// The resolvers have the zones' keys and many of their proofs by then. What they have cached of a name itself, its absence too, they keep for its TTL:
/// so each name is asked for once, and those that come back of resolvers that begin anew.
fn follow_orders(world: &World, resolvers: Vec<peers::Peer>, denial: &str) {
    // A proof that rests on an opt-out span MUST NOT have AD (RFC 5155 §9.2); any other has it.
    let absent = Expected { rcode: NXDOMAIN, authentic: Some(denial != "nsec3-opt-out"), n_answers: 0 };
    let secure = Expected { rcode: NOERROR, authentic: Some(true), n_answers: 1 };
    let insecure = Expected { authentic: Some(false), ..secure };
    let names = registry::for_orders(&world.zones);
    let check = |what: &str, questions: &[Question]| {
        for (resolver, address) in RESOLVERS {
            let wrong: Vec<String> = questions.iter().filter_map(|q| ask(resolver, SocketAddr::new(address, 53), q)).collect();
            assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
        }
    };
    for (name, _) in &names {
        world.order("suspend", name, &[]);
        check("suspended", &[Question::new(&format!("www.{name}"), "A", absent), Question::new(name, "DS", absent)]);
    }
    for (name, _) in &names {
        world.order("restore", name, &["--refers-to", &format!("suspend-{name}")]);
    }
    drop(resolvers);
    let _anew = RESOLVERS.map(|(resolver, address)| world.start_resolver(resolver, address));
    for (name, is_secure) in &names {
        let www = Question::new(&format!("www.{name}"), "A", if *is_secure { secure } else { insecure });
        // That there is no DS has AD where it is proved by a record of the name itself.
        let no_ds = Expected { rcode: NOERROR, authentic: Some(denial != "nsec3-opt-out"), n_answers: 0 };
        check("restored", &[www, Question::new(name, "DS", if *is_secure { secure } else { no_ds })]);
    }
    println!("{} names followed through orders", names.len());
}

/// What every zone of the registry must give, whatever is registered in it.
fn zone_questions(zones: &[String], denial: &str) -> Vec<Question> {
    let mut out = Vec::new();
    // A proof of absence that rests on an opt-out span proves nothing of unsigned delegations: no AD (RFC 5155 §9.2).
    let absent = Expected { rcode: NXDOMAIN, authentic: (denial != "nsec3-opt-out").then_some(true), n_answers: 0 };
    let present = Expected { rcode: NOERROR, authentic: Some(true), n_answers: 1 };
    for zone in zones {
        out.push(Question::new(zone, "SOA", present));
        out.push(Question::new(zone, "NS", present));
        out.push(Question::new(zone, "DNSKEY", present));
        out.push(Question::new(zone, "DS", present));
        // A shared name has no address (Decision 92/2003, article 8.2), and the proof is a matching record, not a span.
        out.push(Question::new(zone, "A", Expected { n_answers: 0, ..present }));
        out.push(Question::new(&format!("no-such-name.{zone}"), "A", absent));
        out.push(Question::new(&format!("a.b.no-such-name.{zone}"), "TXT", absent));
        out.push(Question::new(&format!("*.{zone}"), "A", absent));
    }
    out
}

/// Asks; what was wrong with the answer.
fn ask(resolver: &str, server: SocketAddr, question: &Question) -> Option<String> {
    let request = peers::question(4711, &question.name, question.qtype, true);
    // A resolver may think for long on a busy machine; a second attempt is what a stub does too.
    let limit = Duration::from_secs(15);
    let reply = peers::exchange_udp(server, &request, limit).or_else(|| peers::exchange_udp(server, &request, limit));
    let reply = match reply {
        Some(reply) if reply[2] & 2 != 0 => peers::exchange_tcp(server, &request, limit),
        other => other,
    };
    let Some(reply) = reply else { return Some(format!("{resolver}: {question}: no answer")) };
    let (rcode, authentic, n_answers) = (reply[3] & 15, reply[3] & 0x20 != 0, u16::from_be_bytes([reply[6], reply[7]]));
    let expected = question.expected;
    let good = rcode == expected.rcode
        && expected.authentic.is_none_or(|e| e == authentic)
        && if expected.n_answers == 0 { n_answers == 0 } else { n_answers >= expected.n_answers };
    (!good).then(|| format!("{resolver}: {question}: rcode {rcode}, AD {authentic}, {n_answers} records"))
}

/// Runs `case` in a namespace of its own: this test program starts itself again inside, for the one test `name`.
fn in_namespace(name: &str, case: impl Fn()) {
    const INSIDE: &str = "SAOLA_INSIDE_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        return case();
    }
    let enter = |map: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(map).arg("--net").arg("--");
        command
    };
    let allowed = |map: &[&str]| enter(map).arg("true").output().is_ok_and(|o| o.status.success());
    let map: &[&str] = if allowed(&[]) { &[] } else { &["--map-root-user"] };
    if !allowed(map) {
        assert!(std::env::var_os("CI").is_none(), "CI must be able to make network namespaces: run it as root");
        eprintln!("skipped: network namespaces need root");
        return;
    }
    let this = std::env::current_exe().expect("the test program has a path");
    let status = enter(map).arg(this).args(["--exact", name, "--nocapture"]).env(INSIDE, "1").status().expect("unshare just worked");
    assert!(status.success(), "the case failed inside its namespace, see above");
}
