//! What RFC 9432 asks of who reads catalogs, case by case.

use std::collections::BTreeMap;

use super::*;
use crate::dns::{Name, Records, Rtype, UnixTime, master};

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

const HEAD: &str = "$ORIGIN c.\n$TTL 0\n@ SOA invalid. invalid. 1 600 60 600 0\n@ NS invalid.\n";

fn records(text: &str) -> Records {
    master::read_text(format!("{HEAD}{text}").as_bytes(), "test", name("c").as_ref()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn read(text: &str) -> Result<Catalog, Broken> {
    let records = records(text);
    let catalog = Catalog::of(name("c").as_ref(), &records);
    // What a server holds says the same.
    let zone = crate::zone::Zone::build(name("c").as_ref(), records).expect("a zone");
    assert_eq!(Catalog::read(&zone), catalog, "{text}");
    catalog
}

/// `member id [>coo] [group,group]`, one member a piece, in order of names.
fn show(catalog: &Catalog) -> String {
    let piece = |(member, Entry { id, coo, groups }): (&Name, &Entry)| {
        let coo = coo.as_ref().map_or(String::new(), |coo| format!(" >{coo}"));
        let groups: Vec<String> = groups.iter().map(Group::to_string).collect();
        format!("{member} {id}{coo}{}{}", if groups.is_empty() { "" } else { " " }, groups.join(","))
    };
    catalog.entries.iter().map(piece).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn says(text: &str, expected: &str) {
    let catalog = read(&format!("version TXT \"2\"\n{text}"));
    assert_eq!(catalog.map(|catalog| show(&catalog)), Ok(expected.to_owned()), "{text}");
}

#[track_caller]
fn is_broken(text: &str, expected: &str) {
    assert_eq!(read(text).expect_err(text).to_string(), expected, "{text}");
}

/// §4.2.1: exactly one TXT record, exactly "2".
#[test]
fn the_version_is_2_and_there_once() {
    is_broken("", "it has no TXT record at 'version.c.', so it is no catalog");
    is_broken("a.zones PTR a.", "it has no TXT record at 'version.c.', so it is no catalog");
    is_broken("x.version TXT \"2\"", "it has no TXT record at 'version.c.', so it is no catalog");
    is_broken("version PTR x.", "it has no TXT record at 'version.c.', so it is no catalog");
    is_broken("version TXT \"2\"\nversion TXT \"1\"", "there are 2 TXT records at 'version.c.', and there may be one");
    for (version, shown) in [("\"1\"", "1"), ("\"3\"", "3"), ("\"\"", ""), ("\"2\" \"2\"", "2 2"), ("\"2 \"", "2 "), ("\"02\"", "02")] {
        is_broken(&format!("version TXT {version}"), &format!("the version at 'version.c.' is \"{shown}\", and only \"2\" is known"));
    }
    says("", "");
    assert_eq!(read("VERSION TXT 2"), Ok(Catalog::default()));
}

/// §4.1.
#[test]
fn members_are_listed_below_zones() {
    says("a.zones PTR example.com.\nb.zones PTR example.NET.\n", "example.com. a; example.net. b");
    // TTLs have no meaning; case has none.
    says("X.ZONES 77 PTR Example.COM.", "example.com. x");
    says("a.zones PTR .", ". a");
    // Not a member: no PTR, another type, another depth, elsewhere.
    says(
        "a.zones TXT \"example.com\"\nzones PTR example.com.\nx.a.zones PTR example.com.\na.zonen PTR example.com.\na PTR example.com.",
        "",
    );
    is_broken("version TXT 2\na.zones PTR a.\na.zones PTR b.", "there is more than one PTR record at 'a.zones.c.'");
    is_broken("version TXT 2\na.zones PTR m.\nb.zones PTR M.", "the member 'm.' is there twice, at the labels 'a' and 'b'");
}

/// §4.3.1, §4.3.2, §4.4, §3: what is not known is passed over.
#[test]
fn members_have_properties() {
    says("a.zones PTR m.\ncoo.a.zones PTR New.\n", "m. a >new.");
    is_broken(
        "version TXT 2\na.zones PTR m.\ncoo.a.zones PTR x.\ncoo.a.zones PTR y.",
        "there is more than one PTR record at 'coo.a.zones.c.'",
    );
    // Of another type it is not the property.
    says("a.zones PTR m.\ncoo.a.zones TXT \"x\"\ngroup.a.zones PTR x.", "m. a");
    says("a.zones PTR m.\ngroup.a.zones TXT \"x\"\n", "m. a x");
    // Several, of several strings, in any order, of any octets; and case is kept.
    says("a.zones PTR m.\ngroup.a.zones TXT \"y\" \"bar\"\ngroup.a.zones TXT \"X\"\nGROUP.A.zones TXT \"\\200 \"", "m. a X,y bar,\\xc8 ");
    // Of nobody.
    says("coo.a.zones PTR x.\ngroup.b.zones TXT x", "");
    // The property of one and the node of the other.
    says("coo.zones PTR m.\ncoo.coo.zones PTR n.", "m. coo >n.");
    let unknown = "example.vendor.ext CNAME example.net.\nmetrics.ext.a.zones TXT x\ncoo.ext.a.zones PTR x.\nnew.a.zones TXT x\nx.coo.a.zones PTR z.\n\
                   colour TXT red\na.zones TXT x\na.zones A 192.0.2.1\n";
    says(&format!("a.zones PTR m.\n{unknown}"), "m. a");
}

/// Appendix A has these members; written in our own words.
#[test]
fn the_example_of_the_rfc_is_read() {
    let text = "example.vendor.ext CNAME example.net.\nnj2xg5b.zones PTR example.com.\nnvxxezj.zones PTR example.net.\n\
                group.nvxxezj.zones TXT \"operator-x-foo\"\nnfwxa33.zones PTR example.org.\ncoo.nfwxa33.zones PTR newcatz.invalid.\n\
                group.nfwxa33.zones TXT \"operator-y-bar\"\nmetrics.vendor.ext.nfwxa33.zones CNAME collector.example.net.\n";
    says(text, "example.com. nj2xg5b; example.net. nvxxezj operator-x-foo; example.org. nfwxa33 >newcatz.invalid. operator-y-bar");
}

#[test]
fn there_is_a_bound_on_members() {
    let catalog = |n: usize| {
        let mut records = Records::new();
        records.push(name("version.c").as_ref(), Rtype::TXT, 0, b"\x012").expect("room");
        for i in 0..n {
            records.push(name(&format!("{i}.zones.c")).as_ref(), Rtype::PTR, 0, name(&format!("m{i}")).as_ref().as_wire()).expect("room");
        }
        Catalog::of(name("c").as_ref(), &records).map(|catalog| catalog.entries.len())
    };
    assert_eq!(catalog(MOST_MEMBERS), Ok(MOST_MEMBERS));
    assert_eq!(catalog(MOST_MEMBERS + 1), Err(Broken::TooMany));
}

#[test]
fn what_is_written_is_read() {
    let listed = |member: &str, group: Option<&str>, coo: Option<&str>| {
        (name(member), Properties { group: group.map(str::to_owned), coo: coo.map(name) })
    };
    let members = BTreeMap::from([listed("com.vn", Some("x y"), None), listed("VN", None, Some("New.example")), listed(".", None, None)]);
    let records = write(name("c").as_ref(), &members).expect("room");
    let catalog = Catalog::of(name("c").as_ref(), &records).expect("a catalog");
    let id = |member: &str| label(name(member).as_ref());
    assert_eq!(show(&catalog), format!(". {}; vn. {} >new.example.; com.vn. {} x y", id("."), id("vn"), id("com.vn")));
    // A label outlives versions of the program and of the catalog: another would make every secondary begin anew.
    assert_eq!(id("VN").to_string(), "62d31f82e86a740ff1bd1690fbad3835");
    let soa = records.iter().find(|record| record.rtype == Rtype::SOA).expect("there");
    assert_eq!(soa.owner, name("c").as_ref());
    assert!(crate::zone::Zone::build(name("c").as_ref(), records).is_ok());
    let long = [&["a"; 120].join("."), "b"].join(".");
    assert_eq!(write(name(&long).as_ref(), &members).err(), Some(CannotWrite::TooLong));
}

#[test]
fn groups_are_compared_with_their_case() {
    let group = Group::new("Slow");
    assert!(group.is("Slow") && !group.is("slow") && !group.is("Slo") && !group.is("Slow "));
    assert!(!Group(b"\x01a\x01b".as_slice().into()).is("a") && !Group(Box::default()).is("") && Group::new("").is(""));
    assert_eq!(Group::new(&"x".repeat(300)).0.len(), 256);
    // Octets that no TXT record has.
    assert_eq!(Group(b"\x05ab".as_slice().into()).to_string(), "ab");
}

/// Catalogs as text: `NAME: member id [>coo] [group]`, or `NAME: -` for one that says nothing.
fn heard(text: &str) -> Vec<(Name, Option<Catalog>)> {
    let catalog = |text: &str| {
        let mut entries = BTreeMap::new();
        for piece in text.split(';').map(str::trim).filter(|piece| !piece.is_empty()) {
            let mut words = piece.split(' ');
            let (member, id) = (name(words.next().expect("a member")), Id::new(words.next().expect("an id").as_bytes()));
            let rest: Vec<&str> = words.collect();
            let coo = rest.iter().find_map(|word| word.strip_prefix('>')).map(name);
            let groups = rest.iter().filter(|word| !word.starts_with('>')).map(|word| Group::new(word)).collect();
            entries.insert(member, Entry { id, coo, groups });
        }
        Catalog { entries }
    };
    let line = |line: &str| {
        let (apex, says) = line.split_once(':').expect("a catalog");
        (name(apex), (says.trim() != "-").then(|| catalog(says)))
    };
    text.split('|').map(|text| line(text.trim())).collect()
}

/// A server that follows catalogs; `ours.` is a zone of its own, and so is each catalog.
#[derive(Default)]
struct World {
    members: BTreeMap<Name, Member>,
}

impl World {
    /// What is had after these catalogs were heard, and what changed, as the log has it.
    #[track_caller]
    fn check(&mut self, text: &str, members: &str, said: &[&str]) {
        let catalogs = heard(text);
        let heard: Vec<Heard<'_>> = catalogs.iter().map(|(apex, says)| Heard { apex, says: says.as_ref(), scope: &[] }).collect();
        let is_ours = |member: &Name| *member == name("ours") || catalogs.iter().any(|(apex, _)| apex == member);
        let settled = settle(is_ours, &heard, &self.members);
        let lines: Vec<String> =
            settled.changes.iter().map(ToString::to_string).chain(settled.clashes.iter().map(ToString::to_string)).collect();
        assert_eq!(lines, said, "{text}");
        let show = |(member, Member { catalog, id, groups }): (&Name, &Member)| {
            let groups: Vec<String> = groups.iter().map(|group| format!(" {group}")).collect();
            format!("{member} {catalog}{id}{}", groups.concat())
        };
        assert_eq!(settled.members.iter().map(show).collect::<Vec<_>>().join("; "), members, "{text}");
        self.members = settled.members;
        // The same again is no news.
        let again = settle(is_ours, &heard, &self.members);
        assert_eq!((&again.members, &again.clashes), (&self.members, &settled.clashes));
        assert_eq!(again.changes, [], "{text}");
    }
}

/// §5.1, §5.3, §5.4, §4.3.2.
#[test]
fn members_come_and_go_and_begin_anew() {
    let mut world = World::default();
    world.check("c: -", "", &[]);
    world.check("c: a 1; b 2 x", "a. c.1; b. c.2 x", &["[a.] added by the catalog c.", "[b.] added by the catalog c."]);
    world.check("c: a 1; b 2 y", "a. c.1; b. c.2 y", &["[b.] in other groups of the catalog c."]);
    world.check("c: a 1; b 3 y", "a. c.1; b. c.3 y", &["[b.] reset by the catalog c.: it has another label, and begins anew"]);
    // Broken, expired, not here: nothing happens.
    world.check("c: -", "a. c.1; b. c.3 y", &[]);
    world.check("c: b 3 y", "b. c.3 y", &["[a.] removed by the catalog c."]);
    world.check("c: ", "", &["[b.] removed by the catalog c."]);
    world.check("c: b 3", "b. c.3", &["[b.] added by the catalog c."]);
    // No longer followed.
    world.check("d: -", "", &["[b.] removed by the catalog c."]);
}

/// §5.2.
#[test]
fn no_catalog_takes_what_is_not_its_own() {
    let mut world = World::default();
    let ours = "its member 'ours.' is left out: a zone of that name is served here that is no catalog's";
    let of = |catalog: &str, other: &str| {
        format!("[{catalog}] its member 'a.' is left out: the catalog {other} has it, and has no coo property that gives it to {catalog}")
    };
    world.check("c: ours 1; a 1", "a. c.1", &["[a.] added by the catalog c.", &format!("[c.] {ours}")]);
    // Nor does the first in the order of the configuration.
    world.check("d: a 1 | c: a 1", "a. c.1", &[&of("d.", "c.")]);
    let catalog = "[c.] its member 'd.' is left out: a zone of that name is served here that is no catalog's";
    world.check("d: a 2 >c | c: a 1; d 1", "a. c.1", &[catalog]);
    // §5.3: what one catalog no longer lists stays where another has it.
    world.check("d: | c: a 1", "a. c.1", &[]);
    world.check("d: a 1 | c: -", "a. c.1", &[&of("d.", "c.")]);
    // §5.5: removed there and added here, it is another zone.
    world.check("d: a 1 | c: ", "a. d.1", &["[a.] moved from the catalog c. to d., begins anew"]);
    // A zone that is configured here now.
    world.check(
        "a: | d: a 1",
        "",
        &[
            "[a.] is configured here now, no catalog has a say in it",
            "[d.] its member 'a.' is left out: a zone of that name is served here that is no catalog's",
        ],
    );
}

/// §4.3.1.
#[test]
fn a_member_changes_its_owner_where_both_say_so() {
    let mut world = World::default();
    let clash = "[d.] its member 'a.' is left out: the catalog c. has it, and has no coo property that gives it to d.";
    world.check("c: a 1 | d:", "a. c.1", &["[a.] added by the catalog c."]);
    // The one that gives is not enough; nor the one that takes.
    world.check("c: a 1 >d | d:", "a. c.1", &[]);
    world.check("c: a 1 | d: a 1", "a. c.1", &[clash]);
    world.check("c: a 1 >e | d: a 1", "a. c.1", &[clash]);
    world.check("c: - | d: a 1", "a. c.1", &[clash]);
    world.check("c: a 1 >d | d: -", "a. c.1", &[]);
    world.check("c: a 1 >d | d: a 1 x", "a. d.1 x", &["[a.] moved from the catalog c. to d."]);
    // One that was turned down is looked at again when the owner lets go.
    let mut late = World::default();
    late.check("c: a 1 | d: a 1", "a. c.1", &["[a.] added by the catalog c.", clash]);
    late.check("c: | d: a 1", "a. d.1", &["[a.] moved from the catalog c. to d., begins anew"]);
    // It stays there, whatever the old owner says, and goes on without it.
    world.check("c: a 1 >d | d: a 1 x", "a. d.1 x", &[]);
    world.check("c: | d: a 1 x", "a. d.1 x", &[]);
    // Another label: its state is not taken over.
    world.check("d: a 1 >c | c: a 7", "a. c.7", &["[a.] moved from the catalog d. to c., begins anew"]);
    // Several hops at once; to a catalog that is not followed here; to itself.
    world.check("c: a 7 >d | d: a 7 >e | e: a 7 >x", "a. e.7", &["[a.] moved from the catalog c. to e."]);
    world.check("e: a 7 >e", "a. e.7", &[]);
    let circle = |catalog: &str| {
        format!("[{catalog}] its member 'a.' is left out: the coo properties of catalogs go in a circle, it stays where it was")
    };
    world.check("e: a 7 >d | d: a 7 >e", "a. e.7", &[&circle("e.")]);
}

#[test]
fn what_would_take_in_others_is_no_member() {
    let catalogs = heard("c: . 1; *.vn 2; zones.c 3; c 4; good 5");
    let (apex, says) = &catalogs[0];
    let heard = [Heard { apex, says: says.as_ref(), scope: &[name(".")] }];
    let settled = settle(|_| false, &heard, &BTreeMap::new());
    assert_eq!(settled.members.keys().map(ToString::to_string).collect::<Vec<_>>(), ["good."]);
    assert_eq!(settled.clashes.len(), 4);
    assert!(settled.clashes.iter().all(|clash| clash.why == WhyNot::NoZone));
}

#[test]
fn a_scope_bounds_members() {
    let catalogs = heard("c: vn 1; com.vn 2; example 3");
    let (apex, says) = &catalogs[0];
    let scope = [name("vn"), name("net")];
    let settled = settle(|_| false, &[Heard { apex, says: says.as_ref(), scope: &scope }], &BTreeMap::new());
    assert_eq!(settled.members.keys().map(ToString::to_string).collect::<Vec<_>>(), ["vn.", "com.vn."]);
    let clashes: Vec<String> = settled.clashes.iter().map(ToString::to_string).collect();
    assert_eq!(clashes, ["[c.] its member 'example.' is left out: it is not below any name of 'catalog-scope'"]);
    // One that was let in before goes.
    let scope = [name("com.vn")];
    let again = settle(|_| false, &[Heard { apex, says: says.as_ref(), scope: &scope }], &settled.members);
    assert_eq!(again.changes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["[vn.] removed by the catalog c."]);
}

/// What a machine of few cores does with a catalog of this size: not a bound, a figure (`--nocapture`).
#[test]
fn ten_thousand_members_are_settled() {
    let properties = Properties { group: Some("g".into()), coo: None };
    let listed: BTreeMap<Name, Properties> = (0..10_000).map(|i| (name(&format!("zone{i}.example")), properties.clone())).collect();
    let records = write(name("c").as_ref(), &listed).expect("room");
    let zone = crate::zone::Zone::build(name("c").as_ref(), records).expect("a zone");
    let begin = std::time::Instant::now();
    let catalog = Catalog::read(&zone).expect("a catalog");
    let read = begin.elapsed();
    let apex = name("c");
    let heard = [Heard { apex: &apex, says: Some(&catalog), scope: &[] }];
    let first = settle(|_| false, &heard, &BTreeMap::new());
    let settled = begin.elapsed();
    let again = settle(|_| false, &heard, &first.members);
    println!("read {read:?}, settled {:?}, again {:?} ({})", settled - read, begin.elapsed() - settled, UnixTime::now());
    assert_eq!((first.changes.len(), again.changes.len()), (10_000, 0));
}
