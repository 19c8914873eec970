//! Orders as an operator files them: in force at once, and for good.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde_json::Value;

use super::house::{House, PATIENCE};

const LEDGERS: [&str; 2] = ["var/orders/ledger.jsonl", "var/orders-copy/ledger.jsonl"];

/// The arguments of an order.
fn order<'a>(kind: &'a str, name: &'a str, ground: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let common =
        ["order", kind, name, "--ground", ground, "--authority", "A05", "--evidence", "CV-1", "--operator", "op1", "--approver", "op2"];
    common.into_iter().chain(more.iter().copied()).collect()
}

fn suspend<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    order("suspend", name, "INVESTIGATION", more)
}

fn restore<'a>(name: &'a str, of: &'a str) -> Vec<&'a str> {
    order("restore", name, "RESTORE_13_4", &["--refers-to", of])
}

/// What `saola order verify` says of ledgers.
fn verify(house: &House, ledgers: &[&str]) -> Output {
    let paths = ledgers.iter().map(|ledger| house.path(ledger));
    Command::new(env!("CARGO_BIN_EXE_saola")).args(["order", "verify"]).args(paths).output().expect("run")
}

/// True if the name is delegated.
fn is_there(house: &House, name: &str) -> bool {
    let answer = house.ask(name, RecordType::NS);
    match answer.metadata.response_code {
        ResponseCode::NoError => !answer.authorities.is_empty() && !answer.metadata.authoritative,
        ResponseCode::NXDomain => false,
        other => panic!("{name}: {other}"),
    }
}

#[test]
fn an_order_is_in_force_at_once_and_for_good() {
    let mut house = House::with_export("");
    house.start();
    let before = house.serial("vn");
    assert!(is_there(&house, "vidu-congty.vn"));
    let text = house.tool_ok(&suspend("Vidu-Congty.vn.", &["--id", "T-1"]));
    assert!(text.starts_with(&format!("order T-1, published: vidu-congty.vn in vn., serial {before} -> {}, ", before + 1)), "{text}");
    assert!(text.contains("caches may keep what was there until "), "{text}");
    assert!(!is_there(&house, "vidu-congty.vn") && house.serial("vn") == before + 1);
    // Again is no change; another body is refused.
    assert!(house.tool_ok(&suspend("vidu-congty.vn", &["--id", "T-1"])).starts_with("order T-1, known"));
    house.tool_refuses(&suspend("vidu-congty.vn", &["--id", "T-1", "--document", "7"]), "ORDER_ID_TAKEN");
    house.tool_refuses(&suspend("com.vn", &[]), "PROTECTED_NAME");
    house.tool_refuses(&suspend("*.vidu-congty.vn", &[]), "BAD_ORDER_NAME");
    house.tool_refuses(&restore("vidu-congty.vn", "T-9"), "NOTHING_TO_RESTORE");
    assert_eq!(house.serial("vn"), before + 1);
    // A second order: the name is there again when both have ended.
    house.tool_ok(&suspend("vidu-congty.vn", &["--id", "T-2"]));
    assert!(house.tool_ok(&restore("vidu-congty.vn", "T-1")).contains("in force"));
    assert!(!is_there(&house, "vidu-congty.vn"));
    let shown: Value = serde_json::from_str(&house.tool_ok(&["order", "list", "vidu-congty.vn", "--all", "--json"])).expect("JSON");
    let states: Vec<&str> = shown.as_array().expect("a list").iter().filter_map(|order| order["state"].as_str()).collect();
    assert_eq!(states, ["restored", "in force", "restore"]);
    // Whatever is made anew, and whatever is gone but for the ledger.
    for touched in ["zones/infrastructure.toml", "zones/second-level.toml"] {
        house.write(touched, &(house.read(touched) + "\n"));
        house.tool_ok(&["server", "reload"]);
        assert!(!is_there(&house, "vidu-congty.vn"), "{touched}");
    }
    house.stop();
    house.start();
    assert!(house.read("out").contains("resumed, nothing was compiled or signed"), "{}", house.read("out"));
    assert!(!is_there(&house, "vidu-congty.vn"));
    let serial = house.serial("vn");
    house.kill();
    for gone in ["var/state", "var/state.amendments", "var/images", "var/journal"] {
        let path = house.path(gone);
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
    house.start();
    assert!(!is_there(&house, "vidu-congty.vn"));
    assert!(house.serial("vn") > serial);
    let text = house.tool_ok(&restore("vidu-congty.vn", "T-2"));
    assert!(text.contains("published"), "{text}");
    assert!(is_there(&house, "vidu-congty.vn"));
    let said = verify(&house, &LEDGERS);
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).matches("11 lines, whole").count() == 2, "{said:?}");
}

#[test]
fn an_order_begins_and_ends_by_itself() {
    let mut house = House::with_export("");
    house.start();
    let at = |secs: u64| saola::dns::UnixTime(saola::dns::UnixTime::now().0 + secs).to_string();
    let (begin, end) = (at(2), at(4));
    let text = house.tool_ok(&suspend("vidu-congty.vn", &["--id", "T-1", "--effective-at", &begin, "--expires-at", &end]));
    assert!(text.contains("order T-1, accepted") && text.contains(&format!("it holds from {begin} on")), "{text}");
    assert!(is_there(&house, "vidu-congty.vn"));
    house.wait_for("[vn.] publish");
    let wait = |is_wanted: bool| {
        for _ in 0..600 {
            if is_there(&house, "vidu-congty.vn") == is_wanted {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("it did not come about");
    };
    wait(false);
    wait(true);
    // The ledger says how it ended.
    house.wait_for("1 suspension expired");
    let shown = house.tool_ok(&["order", "list", "vidu-congty.vn", "--all", "--json"]);
    assert!(shown.contains("expiry of T-1") && shown.contains("\"refers_to\": \"T-1\""), "{shown}");
    house.tool_refuses(&restore("vidu-congty.vn", "T-1"), "NOTHING_TO_RESTORE");
}

#[test]
fn what_else_breaks_is_shown_first() {
    let mut house = House::with_export("");
    house.start();
    let text = house.tool_ok(&["order", "impact", "chachatreo.vn"]);
    assert!(text.contains("1 name with hosts at or below chachatreo.vn, 0 with no others") && text.contains("dungchung.vn"), "{text}");
    house.tool_refuses(&["order", "impact", "com.vn"], "PROTECTED_NAME: 'com.vn' is a zone");
    // What the registry may take back by its own data is listed, and no more than that.
    let report = house.tool_ok(&["order", "report"]);
    assert!(report.contains("REVOKE_CANDIDATE_60D     quahan60.vn") && report.contains("REVOKE_CANDIDATE_EXPIRY  hethan40.vn"), "{report}");
    let report: Value = serde_json::from_str(&house.tool_ok(&["order", "report", "--json"])).expect("JSON");
    assert_eq!(report["all_candidates"].as_u64(), report["candidates"].as_array().map(|all| all.len() as u64));
    // dns-ngoai.example is nobody's here; vidu.com.vn has hosts that others use.
    let shown: Value = serde_json::from_str(&house.tool_ok(&["order", "impact", "vidu.com.vn", "--json"])).expect("JSON");
    let names = shown["names"].as_u64().expect("a number");
    let order = suspend("vidu.com.vn", &["--id", "T-1"]);
    if names > 0 {
        house.tool_refuses(&order, "IMPACT");
    }
    let text = house.tool_ok(&suspend("vidu.com.vn", &["--id", "T-1", "--accept-impact"]));
    assert!(text.contains("order T-1, published"), "{text}");
    assert!(!is_there(&house, "vidu.com.vn"));
    let shown: Value = serde_json::from_str(&house.tool_ok(&["order", "show", "T-1", "--json"])).expect("JSON");
    assert_eq!(shown["impact"].as_array().map_or(0, Vec::len) as u64, names);
    assert_eq!(shown["snapshot"].as_str().map(str::len), Some(64));
}

#[test]
fn many_orders_go_out_together() {
    let mut house = House::with_export("");
    house.start();
    let before = house.serial("vn");
    let line = |name: &str, id: &str| {
        format!(
            r#"{{"order_id":"{id}","type":"suspend","domain":"{name}","authority":"A05","legal_ground":"INVESTIGATION","evidence_ref":"CV","operator":"op1","approver":"op2","accept_impact":true}}"#
        )
    };
    house.write("orders.jsonl", &[line("vidu-congty.vn", "F-1"), line("com.vn", "F-2"), line("tengiucho2.vn", "F-3")].join("\n"));
    let path = house.path("orders.jsonl");
    house.tool_refuses(&["order", "file", path.to_str().expect("a path")], "1 of 3 orders refused");
    assert!(!is_there(&house, "vidu-congty.vn") && !is_there(&house, "tengiucho2.vn"));
    assert_eq!(house.serial("vn"), before + 1, "one serial for all");
    // More than fit into one answer are listed, each once and in their order.
    let more: Vec<String> = (0..450).map(|n| line(&format!("khong-co-{n}.vn"), &format!("L-{n}"))).collect();
    house.write("orders.jsonl", &more.join("\n"));
    house.tool_ok(&["order", "file", path.to_str().expect("a path")]);
    let listed: Value = serde_json::from_str(&house.tool_ok(&["order", "list", "--json"])).expect("JSON");
    let ids: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|order| order["order_id"].as_str()).collect();
    let of_file: Vec<String> = (0..450).map(|n| format!("L-{n}")).collect();
    assert!(ids.ends_with(&of_file.iter().map(String::as_str).collect::<Vec<_>>()), "{ids:?}");
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    assert_eq!(house.tool_ok(&["order", "list", "khong-co-449.vn"]).lines().count(), 2);
    assert_eq!(house.tool_ok(&["order", "list"]).lines().count(), ids.len() + 1);
    // A line that is no order: nothing is filed.
    house.write("orders.jsonl", &[line("dungchung.vn", "F-4"), "{}".into()].join("\n"));
    house.tool_refuses(&["order", "file", path.to_str().expect("a path")], "line 2: missing field");
    assert!(is_there(&house, "dungchung.vn"));
}

#[test]
fn what_became_of_an_order_is_written_down() {
    let mut house = House::with_export("");
    house.start();
    house.tool_ok(&suspend("vidu-congty.vn", &["--id", "T-1", "--notice-sent-at", "2026-11-22T00:00:00Z"]));
    let urgent = [
        "order",
        "suspend",
        "dungchung.vn",
        "--ground",
        "INVESTIGATION",
        "--authority",
        "A05",
        "--evidence",
        "CV-1",
        "--operator",
        "op1",
        "--urgent",
    ];
    house.tool_ok(&[&urgent[..], &["--id", "T-2"]].concat());
    let events = |id: &str| -> Vec<String> {
        let shown: Value = serde_json::from_str(&house.tool_ok(&["order", "show", id, "--json"])).expect("JSON");
        shown["record"].as_array().expect("a list").iter().filter_map(|event| Some(event["event"].as_str()?.to_owned())).collect()
    };
    let wait = |id: &str, expected: &[&str]| {
        for _ in 0..1200 {
            if events(id) == expected {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{id}: {:?}", events(id));
    };
    wait("T-1", &["accepted", "published"]);
    // The other side takes what it was told of the first order.
    let outbox = house.path("var/outbox");
    let told: Vec<_> =
        super::house::files(&outbox).into_iter().filter(|(_, text)| String::from_utf8_lossy(text).contains("\"T-1\"")).collect();
    assert_eq!(told.len(), 1);
    let text: Value = serde_json::from_slice(&told[0].1).expect("JSON");
    assert_eq!((&text["state"], &text["domain"], &text["type"]), (&"published".into(), &"vidu-congty.vn".into(), &"suspend".into()));
    std::fs::remove_file(&told[0].0).expect("there");
    wait("T-1", &["accepted", "published", "acknowledged"]);
    let report = house.tool_ok(&["order", "report"]);
    assert!(report.contains("APPROVER_MISSING") && report.contains("T-2") && report.contains("NOTICE_MISSING"), "{report}");
    house.tool_refuses(&["order", "note", "T-2", "--approver", "op1"], "TWO_PERSONS");
    house.tool_refuses(&["order", "note", "T-2", "--approver", "Op-1"], "TWO_PERSONS");
    house.tool_refuses(&["order", "note", "T-2", "--approver", "a\u{202e}b"], "BAD_ORDER");
    house.tool_ok(&["order", "note", "T-2", "--approver", "op2"]);
    house.tool_refuses(&["order", "note", "T-2", "--approver", "op3"], "order 'T-2' has its approver");
    house.tool_refuses(&["order", "note", "T-9", "--approver", "op2"], "there is no order");
    let stats: Value = serde_json::from_str(&house.tool_ok(&["server", "stats", "--json"])).expect("JSON");
    assert!(stats["orders"]["published"]["count"].as_u64() >= Some(2), "{stats}");
    assert_eq!((stats["orders"]["ledger_copies"].as_u64(), stats["orders"]["refused"].as_u64()), (Some(2), Some(0)), "{stats}");
    house.tool_refuses(&suspend("com.vn", &[]), "PROTECTED_NAME");
    let stats: Value = serde_json::from_str(&house.tool_ok(&["server", "stats", "--json"])).expect("JSON");
    assert_eq!(stats["orders"]["refused"].as_u64(), Some(1), "{stats}");
    house.stop();
    house.start();
    assert!(!house.tool_ok(&["order", "report"]).contains("APPROVER_MISSING"));
    let shown: Value = serde_json::from_str(&house.tool_ok(&["order", "show", "T-1", "--json"])).expect("JSON");
    assert_eq!(shown["record"].as_array().map(Vec::len), Some(3));
    // What is damaged of it costs itself alone, and what is written down afterwards says so.
    house.stop();
    let (record, name) = (house.read("var/orders/record.jsonl"), "\"event\":\"published\",\"zone\":\"vn.\"");
    assert!(record.contains(name), "{record}");
    house.write("var/orders/record.jsonl", &record.replacen(name, &name.replace("vn.", "vm."), 1));
    house.start();
    house.wait_for("1 line of it cannot be used");
    let ms_of = |id: &str| -> Vec<Value> {
        let shown: Value = serde_json::from_str(&house.tool_ok(&["order", "show", id, "--json"])).expect("JSON");
        let events = shown["record"].as_array().expect("a list").iter();
        events.filter(|event| event["event"] == "published").map(|event| event["ms"].clone()).collect()
    };
    let hurt = if record.find("\"T-1\"") < record.find("\"T-2\"") { "T-1" } else { "T-2" };
    for _ in 0..1200 {
        if ms_of(hurt).len() == 1 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(ms_of(hurt), [Value::Null], "it is written down anew, and not when it was");
    assert!(!house.tool_ok(&["order", "report"]).contains("APPROVER_MISSING"));
    let aside = std::fs::read_dir(house.path("var/orders")).expect("there").flatten();
    assert_eq!(aside.filter(|file| file.file_name().to_string_lossy().contains("record.damaged-")).count(), 1);
}

#[test]
fn a_damaged_copy_is_told_and_put_right() {
    let mut house = House::with_export("");
    house.start();
    house.tool_ok(&suspend("vidu-congty.vn", &[]));
    house.stop();
    for copy in LEDGERS {
        let whole = house.read(copy);
        house.write(copy, &whole.replacen("A05", "A06", 1));
        let said = verify(&house, &[copy]);
        assert!(!said.status.success() && String::from_utf8_lossy(&said.stderr).contains("CHAIN_BROKEN: line 2"), "{said:?}");
        house.start();
        let err = house.read("err");
        assert!(err.contains("CHAIN_BROKEN: line 2") && err.contains("is written anew from the other copy: 8 lines"), "{err}");
        assert!(!is_there(&house, "vidu-congty.vn"));
        assert_eq!(house.read(copy), whole);
        house.stop();
    }
}

#[test]
fn a_copy_that_goes_while_it_runs_is_put_right_by_the_next_order() {
    let mut house = House::with_export("");
    house.start();
    let order = |house: &House, n: usize| _ = house.tool_ok(&suspend("vidu-congty.vn", &["--id", &format!("T-{n}")]));
    order(&house, 0);
    for (n, copy) in LEDGERS.into_iter().chain(LEDGERS).enumerate() {
        let (path, whole) = (house.path(copy), house.read(copy));
        if n < 2 {
            // As where another disk is put in the place of one that died.
            std::fs::remove_file(&path).expect("there");
        } else {
            let file = std::fs::OpenOptions::new().write(true).open(&path).expect("there");
            file.set_len(whole.len() as u64 / 2).expect("cut");
        }
        if n < 2 {
            house.wait_for(&format!("'{}' is gone, a copy of the ledger of orders", path.display()));
        }
        order(&house, n + 1);
        house.wait_for(&format!("'{}' was not the whole ledger any more, and is written anew: ", path.display()));
        assert!(house.read(copy).starts_with(&whole) && house.read(LEDGERS[0]) == house.read(LEDGERS[1]), "{n}");
        assert!(verify(&house, &LEDGERS).status.success(), "{n}");
    }
    assert_eq!(house.read("err").matches("was not the whole ledger any more").count(), 4);
    house.kill();
    house.start();
    assert!(!house.read("err").contains("ledger") && !is_there(&house, "vidu-congty.vn"));
}

#[test]
fn an_order_that_the_zones_have_not_is_carried_out_at_the_start() {
    let mut house = House::with_export("");
    house.start();
    // As after a crash between ledger and zones, or with a state that is older than the ledger.
    house.stop();
    let old = ["var/state", "var/state.amendments"].map(|file| (file, std::fs::read(house.path(file)).ok()));
    house.start();
    house.tool_ok(&suspend("vidu-congty.vn", &[]));
    let serial = house.serial("vn");
    house.kill();
    for (file, octets) in old {
        match octets {
            Some(octets) => std::fs::write(house.path(file), octets).expect("written"),
            None => _ = std::fs::remove_file(house.path(file)),
        }
    }
    std::fs::remove_dir_all(house.path("var/journal")).expect("there");
    house.start();
    assert!(!is_there(&house, "vidu-congty.vn"));
    assert!(house.serial("vn") >= serial);
}

/// A suspension on a ground that is told leads to the servers that tell of it, where there is a delegation to put in its place; a restart changes nothing of it.
#[test]
fn a_suspension_may_lead_to_a_notice() {
    let mut house = House::with_export("[orders]\nnotice-servers = [\"thongbao.example.\"]\nnotice-grounds = [\"UNPAID\"]\n");
    house.start();
    let ns = |house: &House, name: &str| {
        let answer = house.ask(name, RecordType::NS);
        answer.authorities.iter().filter(|r| r.record_type() == RecordType::NS).map(|r| r.data.to_string()).collect::<Vec<_>>()
    };
    for (name, id) in [("vidu-congty.vn", "N-0"), ("bigiu.vn", "N-1"), ("quahan60.vn", "N-2")] {
        house.tool_ok(&order("suspend", name, "UNPAID", &["--id", id]));
    }
    let serial = house.serial("vn");
    let check = |house: &House| {
        assert_eq!(ns(house, "vidu-congty.vn"), ["thongbao.example."]);
        for held in ["bigiu.vn", "quahan60.vn"] {
            assert!(!is_there(house, held), "'{held}' is not published, and no order publishes it");
        }
        assert_eq!(house.serial("vn"), serial);
    };
    check(&house);
    for _ in 0..2 {
        house.stop();
        house.start();
        // Until the registry's data is read, orders go by what is served; then by it.
        let begin = Instant::now();
        while !house.tool(&["order", "impact", "vidu-congty.vn"]).status.success() {
            check(&house);
            assert!(begin.elapsed() < PATIENCE);
        }
        check(&house);
    }
    // Other servers, by a reload; then none.
    for (rest, expected) in [("notice-servers = [\"khac.example.\"]\nnotice-grounds = [\"UNPAID\"]\n", &["khac.example."][..]), ("", &[])] {
        let text = house.read("saola.toml");
        let (before, _) = text.split_once("[orders]\n").expect("there");
        house.write("saola.toml", &format!("{before}[orders]\n{rest}"));
        house.tool_ok(&["server", "reload"]);
        let begin = Instant::now();
        while ns(&house, "vidu-congty.vn") != expected {
            assert!(begin.elapsed() < PATIENCE, "{:?}", ns(&house, "vidu-congty.vn"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    house.tool_ok(&restore("vidu-congty.vn", "N-0"));
    assert!(is_there(&house, "vidu-congty.vn") && ns(&house, "vidu-congty.vn") != ["thongbao.example."]);
}

/// An order that could not be put in force is said to be so, by a start as well.
#[test]
fn what_is_not_published_is_never_said_to_be() {
    let mut house = House::with_export("");
    house.start();
    std::fs::rename(house.path("keys"), house.path("away")).expect("moved");
    let text = house.tool_ok(&suspend("tengiucho2.vn", &["--id", "T-1"]));
    assert!(text.contains("order T-1, accepted") && text.contains("not yet published"), "{text}");
    // It was over before it came.
    house.tool_ok(&suspend(
        "dungchung.vn",
        &["--id", "T-2", "--effective-at", "2026-01-01T00:00:00Z", "--expires-at", "2026-02-01T00:00:00Z"],
    ));
    let shown =
        |house: &House, id: &str| -> Value { serde_json::from_str(&house.tool_ok(&["order", "show", id, "--json"])).expect("JSON") };
    let events = |house: &House, id: &str| -> Vec<String> {
        let shown = shown(house, id);
        shown["record"].as_array().expect("a list").iter().filter_map(|event| Some(event["event"].as_str()?.to_owned())).collect()
    };
    for restarts in [false, true] {
        if restarts {
            house.stop();
            house.start();
        }
        assert!(is_there(&house, "tengiucho2.vn"));
        assert_eq!(shown(&house, "T-1")["state"], "not published");
        assert!(house.tool_ok(&["order", "report"]).contains("NOT_PUBLISHED"));
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(events(&house, "T-1"), ["accepted"], "{restarts}");
        assert_eq!(events(&house, "T-2"), ["accepted"], "{restarts}");
    }
    std::fs::rename(house.path("away"), house.path("keys")).expect("moved");
    for _ in 0..1200 {
        if events(&house, "T-1").len() > 1 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(!is_there(&house, "tengiucho2.vn"));
    let shown = shown(&house, "T-1");
    assert_eq!((&shown["state"], &shown["record"][1]["zone"]), (&"in force".into(), &"vn.".into()), "{shown}");
}

/// Whoever loses both copies of the ledger with all that lies beside them begins no other one.
#[test]
fn a_ledger_that_is_lost_with_its_record_is_missed() {
    let mut house = House::with_export("");
    house.start();
    house.tool_ok(&suspend("vidu-congty.vn", &["--id", "T-1"]));
    house.stop();
    let kept = LEDGERS.map(|copy| house.read(copy));
    for folder in ["var/orders", "var/orders-copy"] {
        std::fs::remove_dir_all(house.path(folder)).expect("there");
    }
    house.start();
    house.wait_for("8 lines");
    house.tool_refuses(&suspend("dungchung.vn", &[]), "no ledger of orders can be read");
    // Nothing is compiled without it.
    let levels = house.path("zones/second-level.toml");
    if let Ok(text) = std::fs::read_to_string(&levels) {
        std::fs::write(&levels, text + "\n").expect("written");
    }
    house.tool(&["server", "reload"]);
    assert!(!is_there(&house, "vidu-congty.vn"));
    house.stop();
    std::fs::create_dir_all(house.path("var/orders")).expect("made");
    house.write(LEDGERS[0], &kept[0]);
    house.start();
    assert!(!is_there(&house, "vidu-congty.vn"));
    house.tool_ok(&suspend("dungchung.vn", &[]));
}
