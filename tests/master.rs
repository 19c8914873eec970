//! Master files: every type from text to octets and back, every error with its place, and the same
//! zone read and written by BIND, Knot and ldns.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use saola::dns::master::{self, Options};
use saola::dns::{Name, Records, Rtype};

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn scan(text: &[u8], origin: &str) -> Result<Records, String> {
    let origin = name(origin);
    let options = Options { max_generated: 1000, ..Options::new(origin.as_ref()) };
    master::scan(text, "t", &options, &mut |path, _| match path {
        "sub/good" => Ok(b"in A 192.0.2.9\n@ A 192.0.2.8\n$ORIGIN elsewhere.\n$TTL 77\n".to_vec()),
        "sub/bad" => Ok(b"\n x A 1.2.3\n".to_vec()),
        "sub/loop" => Ok(b"$INCLUDE loop\n".to_vec()),
        "loop" => Ok(b"$INCLUDE sub/loop\n".to_vec()),
        _ => Err("no such file".into()),
    })
    .map_err(|error| error.to_string())
}

fn lines(records: &Records) -> Vec<String> {
    let mut out = Vec::new();
    master::write(records, 1, &mut out).expect("a Vec takes everything");
    String::from_utf8(out).expect("ASCII").lines().map(str::to_owned).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// One line a case: type, text, octets (from BIND's and dnspython's readers), the text we write.
fn table() -> impl Iterator<Item = [&'static str; 4]> {
    include_str!("zones/rdata.tsv").lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut fields = line.split("\t| ");
        [(); 4].map(|()| fields.next().expect("four fields").trim())
    })
}

#[test]
fn what_was_read_before_changes_nothing() {
    // Owners and heads that repeat are known by their text: no line may be read other than alone.
    let owners = ["a", "b.c", "a.example.", "@", "ab", r"a\.b", r"\097", " ", "*"];
    let heads = [
        "60 IN NS",
        "IN 60 NS",
        "60 NS",
        "in\tns",
        "NS",
        "60  IN MX",
        "MX",
        "1m A",
        "60 IN ( NS",
        "60 CH NS",
        "IN 70 NSEC",
        "60",
        "60 IN TYPE2",
    ];
    let data = ["ns1", "a.example.", "10 a", "192.0.2.1", "", "ns1 )", "a A", "; none", r"\# 3 016100", "ns1\n$ORIGIN b", "ns1\n$TTL 9"];
    let mut rng = fastrand::Rng::with_seed(3);
    let mut n_read = 0;
    for round in 0..4000 {
        let mut text = String::from("$TTL 7\n");
        // What precedes is right, and gives the scanner something to know.
        let (mut origin, mut ttl, mut owner, mut expected) = ("example.".to_owned(), 7, None, Vec::new());
        for _ in 0..rng.usize(1..8) {
            let pick = |rng: &mut fastrand::Rng, from: &[&str]| rng.choice(from.iter()).expect("some").to_string();
            let (name, head, data) = (pick(&mut rng, &owners), pick(&mut rng, &heads), pick(&mut rng, &data));
            let line = format!("{name} {head} {data}\n");
            // Alone, with what it takes from above written out.
            let above = owner.clone().map(|owner| format!("{owner} 60 A 192.0.2.9\n")).unwrap_or_default();
            let alone = scan(format!("$ORIGIN {origin}\n$TTL {ttl}\n{above}{line}").as_bytes(), "example.");
            let together = scan(format!("{text}{line}").as_bytes(), "example.");
            let Ok(alone) = alone else {
                assert!(together.is_err(), "round {round}: {text}{line}");
                continue;
            };
            let alone = lines(&alone);
            expected.extend_from_slice(&alone[usize::from(owner.is_some())..]);
            text.push_str(&line);
            assert_eq!(lines(&together.unwrap_or_else(|error| panic!("round {round}: {error}\n{text}"))), expected, "{text}");
            n_read += 1;
            if line.contains("$ORIGIN") {
                origin = if origin == "b.example." { "b.b.example.".into() } else { format!("b.{origin}") };
            }
            if line.contains("$TTL") {
                ttl = 9;
            }
            owner = expected.last().and_then(|line| line.split(' ').next()).map(str::to_owned);
        }
    }
    assert!(n_read > 2000, "{n_read} lines");
}

#[test]
fn every_type_from_text_to_octets_and_back() {
    let origin = name("example.");
    let mut types = BTreeSet::new();
    for [rtype, text, octets, written] in table() {
        let rtype: Rtype = rtype.parse().expect("a type");
        let rdata = master::parse_rdata(rtype, text, origin.as_ref()).unwrap_or_else(|error| panic!("{rtype} {text}: {error}"));
        assert_eq!(hex(&rdata), octets, "{rtype} {text}");
        let mut out = Vec::new();
        master::write_rdata(rtype, &rdata, &mut out);
        let out = String::from_utf8(out).expect("ASCII");
        assert_eq!(out, written, "{rtype} {text}");
        let again = master::parse_rdata(rtype, &out, origin.as_ref()).unwrap_or_else(|error| panic!("{rtype} {out}: {error}"));
        assert_eq!(again, rdata, "{rtype} {out}");
        // The same octets in the form of RFC 3597.
        let unknown = format!(r"\# {} {}", rdata.len(), hex(&rdata));
        assert_eq!(master::parse_rdata(rtype, &unknown, origin.as_ref()), Ok(rdata), "{rtype} {unknown}");
        types.insert(rtype);
    }
    for number in 1..=u16::MAX {
        let known = Rtype(number);
        // Mnemonics without a text of their own.
        let opaque = [Rtype::NXT, Rtype::EID, Rtype::NIMLOC, Rtype::ATMA, Rtype::A6, Rtype::SINK];
        if !known.is_meta() && !known.to_string().starts_with("TYPE") && !opaque.contains(&known) {
            assert!(types.contains(&known), "{known} has no line in rdata.tsv");
        }
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    // Random octets for every type: either they are written as text that gives them back, or in the form of RFC 3597,
    // and then, if the type's text is known, they are refused on the way in.
    let seed = 20_261_122;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let seeds: Vec<(Rtype, Vec<u8>)> = table()
        .map(|[rtype, text, _, _]| {
            let rtype: Rtype = rtype.parse().expect("a type");
            (rtype, master::parse_rdata(rtype, text, name("example.").as_ref()).expect("it was read above"))
        })
        .collect();
    let mut as_text = 0;
    for _ in 0..60_000 {
        let (rtype, mut rdata) = rng.choice(&seeds).expect("some").clone();
        for _ in 0..rng.usize(..4) {
            match (rng.u8(..4), rdata.len()) {
                (0, n) => rdata.insert(rng.usize(..=n), rng.u8(..)),
                (1, 1..) => drop(rdata.remove(rng.usize(..rdata.len()))),
                (2, 1..) => {
                    let at = rng.usize(..rdata.len());
                    rdata[at] = rng.u8(..);
                }
                (3, 1..) => {
                    let at = rng.usize(..rdata.len());
                    rdata[at] ^= 1 << rng.u8(..8);
                }
                _ => {}
            }
        }
        let mut out = Vec::new();
        master::write_rdata(rtype, &rdata, &mut out);
        let text = String::from_utf8(out).expect("ASCII");
        let again = master::parse_rdata(rtype, &text, name("other.").as_ref());
        if text.starts_with(r"\#") {
            assert!(again.is_err() || again == Ok(rdata), "{rtype} {text}");
        } else {
            assert_eq!(again, Ok(rdata), "{rtype} {text}");
            as_text += 1;
        }
    }
    assert!(as_text > 20_000, "{as_text} of 60000 written as text");
}

/// One zone text (origin `vn.`) and its records, as we write them.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    match scan(text.as_bytes(), "vn.") {
        Ok(records) => assert_eq!(lines(&records), expected, "{text:?}"),
        Err(error) => panic!("{text:?}: {error}"),
    }
}

#[test]
fn entries() {
    check("", &[]);
    check("\n\n ; nothing\n\t\n", &[]);
    check("a 60 IN A 192.0.2.1", &["a.vn. 60 IN A 192.0.2.1"]);
    check("a IN 60 A 192.0.2.1\r\n in A 192.0.2.2\r\n", &["a.vn. 60 IN A 192.0.2.1", "a.vn. 60 IN A 192.0.2.2"]);
    check("\u{feff}a 60 A 192.0.2.1\n", &["a.vn. 60 IN A 192.0.2.1"]);
    check("a 60 A 192.0.2.1;c\n;c\n  ; c\n 1h aaaa ::1 ; (\n", &["a.vn. 60 IN A 192.0.2.1", "a.vn. 3600 IN AAAA ::1"]);
    check("( a \n 60 ) A 192.0.2.1\n", &["a.vn. 60 IN A 192.0.2.1"]);
    check("a 60 TXT (a(\"b\")\n;x)\n c)\n", &[r#"a.vn. 60 IN TXT "a" "b" "c""#]);
    check("@ 60 NS @\n. 60 NS a.\n", &["vn. 60 IN NS vn.", ". 60 IN NS a."]);
    check("in 60 CLASS1 A 192.0.2.1\n", &["in.vn. 60 IN A 192.0.2.1"]);
    check("any 60 TYPE1 \\# 4 (C0 00\n02 01)\n", &["any.vn. 60 IN A 192.0.2.1"]);
    check("a 60 NULL \\# 0\n", &[r"a.vn. 60 IN NULL \# 0"]);
    check("\\$a\\@.\\\"b\\;\\(\\) 60 A 192.0.2.1\n", &[r#"\$a\@.\"b\;\(\).vn. 60 IN A 192.0.2.1"#]);
    check("a 60 TXT \"a;b\\\"c\\\\\" d\\ e \"\\1234\"\n", &[r#"a.vn. 60 IN TXT "a;b\"c\\" "d e" "{4""#]);
    check("a 60 TXT \"ü\"\n", &[r#"a.vn. 60 IN TXT "\195\188""#]);
}

#[test]
fn ttls() {
    check(
        "$TTL 5\na A 192.0.2.1\n 7 A 192.0.2.2\n A 192.0.2.3\n",
        &["a.vn. 5 IN A 192.0.2.1", "a.vn. 7 IN A 192.0.2.2", "a.vn. 5 IN A 192.0.2.3"],
    );
    check("a 7 A 192.0.2.2\n A 192.0.2.3\n", &["a.vn. 7 IN A 192.0.2.2", "a.vn. 7 IN A 192.0.2.3"]);
    check(
        "@ SOA a b 1 2 3 4 5\n NS a\n 8 NS b\n NS c\n",
        &["vn. 5 IN SOA a.vn. b.vn. 1 2 3 4 5", "vn. 5 IN NS a.vn.", "vn. 8 IN NS b.vn.", "vn. 5 IN NS c.vn."],
    );
    check("@ 9 SOA a b 1 2 3 4 5\n NS a\n", &["vn. 9 IN SOA a.vn. b.vn. 1 2 3 4 5", "vn. 9 IN NS a.vn."]);
    check("$TTL 1w2d3h4m5s\na A 192.0.2.1\n", &["a.vn. 788645 IN A 192.0.2.1"]);
}

#[test]
fn directives() {
    check("$ORIGIN com\na 60 A 192.0.2.1\n$origin b.\na A 192.0.2.1\n", &["a.com.vn. 60 IN A 192.0.2.1", "a.b. 60 IN A 192.0.2.1"]);
    check(
        "x 60 A 192.0.2.1\n$INCLUDE sub/good com ; c\n A 192.0.2.7\n",
        &["x.vn. 60 IN A 192.0.2.1", "in.com.vn. 60 IN A 192.0.2.9", "com.vn. 60 IN A 192.0.2.8", "x.vn. 77 IN A 192.0.2.7"],
    );
    check("x 60 A 192.0.2.1\n$INCLUDE \"sub/good\"\n", &["x.vn. 60 IN A 192.0.2.1", "in.vn. 60 IN A 192.0.2.9", "vn. 60 IN A 192.0.2.8"]);
    check(
        "$GENERATE 1-2 a$ 60 A 192.0.2.$\nb A 192.0.2.9\n",
        &["a1.vn. 60 IN A 192.0.2.1", "a2.vn. 60 IN A 192.0.2.2", "b.vn. 60 IN A 192.0.2.9"],
    );
    check(
        "$GENERATE 0-4/4 $ 60 CNAME ${1,3}.${0,0,x}.${10,2,X}.${8,0,o}$$\n",
        &[r"0.vn. 60 IN CNAME 001.0.0A.10\$.vn.", r"4.vn. 60 IN CNAME 005.4.0E.14\$.vn."],
    );
    check("$GENERATE 4095-4095 ${0,5,n}.${0,0,N}.${-4095} 60 IN MX \"10 m$\"\n", &["f.f.f.F.F.F.0.vn. 60 IN MX 10 m4095.vn."]);
    check(
        "$GENERATE 1-1 a 60 TXT \"x $\" y$\n$GENERATE 1-1 a 60 TXT \"\\\"x $\\\"\"\n",
        &[r#"a.vn. 60 IN TXT "x 1" "y1""#, r#"a.vn. 60 IN TXT "x 1""#],
    );
}

/// One zone text (origin `vn.`) and the message that refuses it.
#[track_caller]
fn refused(text: &str, expected: &str) {
    match scan(text.as_bytes(), "vn.") {
        Ok(records) => panic!("{text:?} was accepted: {:?}", lines(&records)),
        Err(error) => assert_eq!(error, expected, "{text:?}"),
    }
}

/// One record's data and the column and message that refuse it.
#[track_caller]
fn refused_data(rtype: &str, text: &str, column: usize, expected: &str) {
    let parsed: Rtype = rtype.parse().expect("a type");
    match master::parse_rdata(parsed, text, name("vn.").as_ref()) {
        Ok(rdata) => panic!("{rtype} {text} was accepted: {}", hex(&rdata)),
        Err(error) => {
            assert_eq!((error.line, error.column, error.reason.to_string().as_str()), (1, column, expected), "{rtype} {text}");
        }
    }
}

#[test]
fn errors_say_where_and_what() {
    refused(" A 192.0.2.1\n", "t:1:2: the line begins with a blank, but there is no owner to take over");
    refused("a A 192.0.2.1\n", "t:1:3: a.vn. A: no TTL: write one here, or $TTL above");
    refused("a 60 IN A 192.0.2.1\nb 60 IN A 300.0.2.1\n", "t:2:11: b.vn. A: '300.0.2.1' is not an IPv4 address");
    refused("a 60 A\n", "t:1:7: a.vn. A: the record ends where an IPv4 address is expected");
    refused("a 60 A 192.0.2.1 x\n", "t:1:18: a.vn. A: 'x' stands behind the end of the data");
    refused("a 60 (\nA\n192.0.2\n)", "t:3:1: a.vn. A: '192.0.2' is not an IPv4 address");
    refused("a 60 A ( 192.0.2.1\n\n", "t:1:8: a.vn. A: this parenthesis is not closed");
    refused("a 60 A 192.0.2.1 )\n", "t:1:18: a.vn. A: this parenthesis was not opened");
    refused("a 60\n", "t:1:5: a.vn.: the record ends where a record type is expected");
    refused("a\n", "t:1:2: a.vn.: the record ends where a record type is expected");
    refused("a 60 FOO x\n", "t:1:6: a.vn.: 'FOO' is not a record type; unknown ones are written TYPEnnn");
    refused("a 60 60 A 192.0.2.1\n", "t:1:6: a.vn.: '60' is not a record type; unknown ones are written TYPEnnn");
    refused("a 60 IN IN A 192.0.2.1\n", "t:1:9: a.vn.: 'IN' is not a record type; unknown ones are written TYPEnnn");
    refused("a 60 CH TXT x\n", "t:1:6: a.vn.: class CH: only class IN is served");
    refused("a 60 class3 TXT x\n", "t:1:6: a.vn.: class CH: only class IN is served");
    refused("a 60 CLASS9 TXT x\n", "t:1:6: a.vn.: class CLASS9: only class IN is served");
    for meta in ["ANY", "AXFR", "IXFR", "OPT", "TSIG", "TKEY", "MAILB"] {
        refused(&format!("a 60 {meta} x\n"), &format!("t:1:6: a.vn.: {meta} is not a type that a zone can hold"));
    }
    refused("a 60 TYPE0 \\# 0\n", "t:1:6: a.vn.: TYPE0 is not a type that a zone can hold");
    refused("a 2147483648 A 192.0.2.1\n", "t:1:3: a.vn.: '2147483648' is not a TTL: seconds up to 2147483647, or with units like 1d12h");
    refused("$TTL 1x\n", "t:1:6: '1x' is not a TTL: seconds up to 2147483647, or with units like 1d12h");
    refused("$TTL\n", "t:1:5: the record ends where a TTL: seconds up to 2147483647, or with units like 1d12h is expected");
    refused("$TTL 1 2\n", "t:1:8: '2' stands behind the end of the data");
    refused("@ SOA a b 1 2 3 4 2147483648\n", "t:1:3: vn. SOA: the minimum stands for the TTL here, which is at most 2147483647");
    refused("$FOO\n", "t:1:1: '$FOO' is none of $ORIGIN, $TTL, $INCLUDE, $GENERATE");
    refused(" $TTL 5\n", "t:1:2: the line begins with a blank, but there is no owner to take over");
    refused("a..b 60 A 192.0.2.1\n", "t:1:1: 'a..b' is not a name: a label is empty");
    refused(".a 60 A 192.0.2.1\n", "t:1:1: '.a' is not a name: a label is empty");
    let long = "l".repeat(64);
    let shown = "l".repeat(60);
    refused(&format!("a 60 NS {long}\n"), &format!("t:1:9: a.vn. NS: '{shown}...' is not a name: a label has more than 63 octets"));
    refused(
        &format!("a 60 NS {}\n", "\\108".repeat(64)),
        &format!("t:1:9: a.vn. NS: '{}...' is not a name: a label has more than 63 octets", "\\108".repeat(15)),
    );
    let name = "abcdefg.".repeat(32);
    refused(
        &format!("a 60 NS {name}\n"),
        &format!("t:1:9: a.vn. NS: '{}...' is not a name: the name has more than 255 octets", &name[..60]),
    );
    // 31 labels of 8 octets and the origin's 4: 252. One more label of 3 and it is 256.
    let name = "abcdefg.".repeat(31);
    check(&format!("{name}a 60 A 192.0.2.1\n"), &[&format!("{name}a.vn. 60 IN A 192.0.2.1")]);
    refused(
        &format!("{name}abc 60 A 192.0.2.1\n"),
        &format!("t:1:1: '{}...' is not a name: the name has more than 255 octets", &name[..60]),
    );
    refused("a 60 NS ü.vn.\n", "t:1:9: a.vn. NS: octet 195 in a name: write the A-label (xn--...) or \\195");
    refused("üa 60 A 192.0.2\n", "t:1:1: octet 195 in a name: write the A-label (xn--...) or \\195");
    refused("a 60 TXT ü \"x\n", "t:1:12: a.vn. TXT: this quote is not closed on its line");
    refused("a 60 TXT \"x\\\n\"", "t:1:12: a.vn. TXT: a backslash must be followed by a character or by three digits up to 255");
    refused("a 60 TXT \"x\ny\"\n", "t:1:10: a.vn. TXT: this quote is not closed on its line");
    refused("a 60 TXT \"x\"y\n", "t:1:13: a.vn. TXT: a quote within a word: put a blank between them or escape it");
    refused("a 60 TXT x\"y\"\n", "t:1:11: a.vn. TXT: a quote within a word: put a blank between them or escape it");
    refused("a 60 TXT x=\"y\"\n", "t:1:10: a.vn. TXT: a quote within a word: put a blank between them or escape it");
    refused("a 60 TXT \\256\n", "t:1:10: a.vn. TXT: a backslash must be followed by a character or by three digits up to 255");
    refused("a 60 TXT \\1\n", "t:1:10: a.vn. TXT: a backslash must be followed by a character or by three digits up to 255");
    refused("a 60 TXT \\", "t:1:10: a.vn. TXT: a backslash must be followed by a character or by three digits up to 255");
    refused("a 60 TXT \u{1}\n", "t:1:10: a.vn. TXT: control octet 1: write it as \\001");
    refused("a 60 A 192.0.2.1\rb", "t:1:17: a.vn. A: a carriage return without a line feed");
    refused("\"a\" 60 A 192.0.2.1\n", "t:1:1: '\"a\"' is not an owner name");
    refused("a 60 TYPE65280 x\n", "t:1:16: a.vn. TYPE65280: the data of TYPE65280 must be written as \\# length hex");
    refused("a 60 NXT x\n", "t:1:10: a.vn. NXT: the data of NXT must be written as \\# length hex");
    refused("\u{0}", "t:1:1: control octet 0: write it as \\000");
    assert_eq!(scan(b"\xff\xfea\0", "vn.").expect_err("UTF-16"), "t:1:1: the file is UTF-16; save it as UTF-8");
}

#[test]
fn included_and_generated_errors_say_where() {
    refused("$INCLUDE sub/bad\n", "sub/bad:2:2: the line begins with a blank, but there is no owner to take over");
    refused("y 60 A 192.0.2.1\n$INCLUDE sub/bad\n", "sub/bad:2:2: y.vn.: 'x' is not a record type; unknown ones are written TYPEnnn");
    refused("\n$INCLUDE none\n", "t:2:10: cannot include 'none': no such file");
    refused("$INCLUDE\n", "t:1:9: the record ends where the path of a file is expected");
    refused("$INCLUDE sub/good a b\n", "t:1:21: 'b' stands behind the end of the data");
    refused("$INCLUDE sub/loop\n", "sub/loop:1:10: 'loop' includes itself");
    refused("$GENERATE 1-3 a$ 60 A 192.0.$.256\n", "t:1:1: a1.vn. A: $GENERATE at 1: '192.0.1.256' is not an IPv4 address");
    refused(
        "x 60 A 192.0.2.1\n$GENERATE 255-257 a 60 A 192.0.2.$\n",
        "t:2:1: a.vn. A: $GENERATE at 256: '192.0.2.256' is not an IPv4 address",
    );
    refused("$GENERATE 3-1 a A 1\n", "t:1:11: '3-1' is not a range like 1-9 or 0-254/2");
    refused("$GENERATE 1-3/0 a A 1\n", "t:1:11: '1-3/0' is not a range like 1-9 or 0-254/2");
    refused("$GENERATE 1-2 ${-3} 60 A 192.0.2.1\n", "t:1:1: $GENERATE at 1: the offset makes the number negative");
    refused(
        "$GENERATE 1-2 ${0,1,q} 60 A 192.0.2.1\n",
        "t:1:1: $GENERATE at 1: not of the form ${offset,width,base} with base d, o, x, X, n or N",
    );
    refused("$GENERATE 1-2 ${0 60 A 192.0.2.1\n", "t:1:1: $GENERATE at 1: '${' without '}'");
    refused("$GENERATE 0-2147483647 a$ 60 A 192.0.2.1\n", "t:1:1: more than 1000 records by $GENERATE");
}

#[test]
fn data_that_does_not_fit_its_type_is_refused() {
    refused_data("AAAA", "192.0.2.1", 1, "'192.0.2.1' is not an IPv6 address");
    refused_data("AAAA", "fe80::1%eth0", 1, "'fe80::1%eth0' is not an IPv6 address");
    refused_data("A", "\"192.0.2.1\"", 1, "'\"192.0.2.1\"' is not an IPv4 address");
    refused_data("MX", "65536 a", 1, "'65536' is not a number from 0 to 65535");
    refused_data("MX", "10", 3, "the record ends where a name is expected");
    refused_data("SOA", "a b 4294967296 2 3 4 5", 5, "'4294967296' is not a number from 0 to 4294967295");
    refused_data("SOA", "a b 1 2 3 4", 12, "the record ends where a number of seconds, or one with units like 1d12h is expected");
    refused_data("TXT", "", 1, "the record ends where a string is expected");
    refused_data("TXT", &"x".repeat(256), 1, "a string has more than 255 octets; split it into several");
    refused_data("HINFO", "a", 2, "the record ends where a string is expected");
    refused_data("X25", "123", 1, "'123' is not an address of four or more digits");
    refused_data("DS", "1 13 2 0102", 8, "a SHA-256 digest has 32 octets");
    refused_data("DS", "1 13 9 010", 8, "'010' is not an even number of hex digits");
    refused_data("DS", "1 13 9", 7, "the record ends where hex digits is expected");
    refused_data("DS", "1 RSA 9 01", 3, "'RSA' is not an algorithm, by number or mnemonic");
    refused_data("ZONEMD", "1 1 1 01", 7, "a SHA-384 digest has 48 octets");
    refused_data("ZONEMD", "1 1 2 0102030405060708090a0b0c", 7, "a SHA-512 digest has 64 octets");
    refused_data("ZONEMD", "1 241 1 0102030405060708090a0b", 9, "a digest of a zone has at least 12 octets");
    refused_data("ZONEMD", "1 1 9 0102030405060708090a0b", 7, "a digest of a zone has at least 12 octets");
    refused_data("DNSKEY", "257 3 13 AQI", 10, "'AQI' is not base64");
    refused_data("DNSKEY", "257 3 13", 9, "the record ends where base64 is expected");
    refused_data("RRSIG", "A 13 2 60 20260229000000 20260101000000 1 @ AQID", 11, "'20260229000000' is not a time as YYYYMMDDHHmmSS");
    refused_data("RRSIG", "A 13 2 60 21060207062816 20260101000000 1 @ AQID", 11, "'21060207062816' is not a time as YYYYMMDDHHmmSS");
    refused_data("NSEC", "a", 2, "the record ends where a record type is expected");
    refused_data("NSEC", "a A B", 5, "'B' is not a record type; unknown ones are written TYPEnnn");
    refused_data("NSEC3", "1 0 0 - x A", 9, "'x' is not a hash in base32hex");
    refused_data("NSEC3PARAM", "1 0 0 abc", 7, "'abc' is not a salt of up to 255 octets in hex, or -");
    refused_data("LOC", "91 N 0 E 0", 1, "'91' is not degrees, minutes, seconds of latitude, then N or S");
    refused_data("LOC", "90 0 0.001 N 0 E 0", 12, "more degrees than there are");
    refused_data("LOC", "1 60 N 0 E 0", 3, "'60' is not degrees, minutes, seconds of latitude, then N or S");
    refused_data("LOC", "1 N 0 E -100001m", 9, "'-100001m' is not an altitude in metres from -100000.00 to 42849672.95");
    refused_data("LOC", "1 N 0 E 1 1e9", 11, "'1e9' is not a length in metres up to 90000000.00");
    refused_data("APL", "3:x/1", 1, "'3:x/1' is not an item like 1:192.0.2.0/24 or !2:2001:db8::/32");
    refused_data("APL", "1:192.0.2.0/33", 1, "'1:192.0.2.0/33' is not an item like 1:192.0.2.0/24 or !2:2001:db8::/32");
    refused_data("EUI48", "00-00-5e-00-53", 1, "'00-00-5e-00-53' is not six pairs of hex digits");
    refused_data("NID", "1 1:2:3", 3, "'1:2:3' is not four groups of up to four hex digits with ':' between");
    refused_data("CAA", "0 is-sue x", 3, "'is-sue' is not a property tag of letters and digits");
    refused_data("URI", "1 1 \"\"", 5, "the target of a URI is not empty");
    refused_data("IPSECKEY", "1 0 0 a", 7, "'a' is not '.' for no gateway");
    refused_data("IPSECKEY", "1 0 2 .", 8, "the record ends where base64 is expected");
    refused_data("IPSECKEY", "1 0 0 . AQID", 9, "algorithm 0 means that there is no key");
    refused_data("AMTRELAY", "1 2 0 .", 3, "'2' is not 0 or 1");
    refused_data("A", r"\# 3 c00002", 1, "these octets are not valid data of the type");
    refused_data("A", r"\# 4 c000020", 6, "'c000020' is not an even number of hex digits");
    refused_data("A", r"\# 5 c0000201", 4, "the length and the hex digits behind it differ");
    refused_data("NS", r"\# 2 c00c", 1, "these octets are not valid data of the type");
    refused_data("NSEC", r"\# 5 0000020100", 1, "these octets are not valid data of the type");
    refused_data("NXT", r"\# 2 c00c", 1, "these octets are not valid data of the type");
    refused_data("TYPE65280", r"\# 65536 00", 4, "'65536' is not a length of up to 65535");
}

#[test]
fn service_parameters_are_strict() {
    for (text, column, expected) in [
        ("1 . alpn=h2 alpn=h3", 13, "a service parameter stands there twice"),
        ("1 . alpn=h2 key1=\"\\002h3\"", 13, "a service parameter stands there twice"),
        ("0 . alpn=h2", 5, "priority 0 is an alias and takes no parameters (RFC 9460 section 2.4.2)"),
        ("1 . no-default-alpn", 5, "no-default-alpn needs alpn beside it"),
        ("1 . no-default-alpn=x alpn=h2", 5, "no-default-alpn and ohttp take no value"),
        ("1 . alpn", 5, "a protocol in alpn has from 1 to 255 octets"),
        ("1 . alpn=h2,,h3", 5, "a protocol in alpn has from 1 to 255 octets"),
        ("1 . alpn=\"h2\"x", 5, "a quote within a word: put a blank between them or escape it"),
        ("1 . alpn=\"\\\\x\"", 5, "'alpn=\"\\\\x\"' is not a list of protocols like alpn=h2,h3"),
        ("1 . port", 5, "'port' is not a port from 0 to 65535"),
        ("1 . port=65536", 5, "'port=65536' is not a port from 0 to 65535"),
        ("1 . ipv4hint", 5, "'ipv4hint' is not a list of IPv4 addresses"),
        ("1 . ipv4hint=192.0.2.1,", 5, "'ipv4hint=192.0.2.1,' is not a list of IPv4 addresses"),
        ("1 . ipv6hint=192.0.2.1", 5, "'ipv6hint=192.0.2.1' is not a list of IPv6 addresses"),
        ("1 . ech", 5, "ech is not empty"),
        ("1 . ech=x", 5, "'ech=x' is not ech and a value in base64"),
        ("1 . mandatory=alpn", 5, "a key listed in mandatory is not there"),
        ("1 . mandatory=alpn,alpn alpn=h2", 5, "mandatory lists other keys, each once"),
        ("1 . mandatory=mandatory", 5, "mandatory lists other keys, each once"),
        ("1 . mandatory=x", 5, "'mandatory=x' is not a list of keys like mandatory=alpn,port"),
        ("1 . dohpath=dns{?dns}", 5, "dohpath is a relative URI template with the variable dns, like /dns-query{?dns}"),
        ("1 . dohpath=/dns{?q}", 5, "dohpath is a relative URI template with the variable dns, like /dns-query{?dns}"),
        ("1 . key03=x", 5, "'key03=x' is not a service parameter: a known key or keyNNNNN"),
        ("1 . key65535=x", 5, "'key65535=x' is not a service parameter: a known key or keyNNNNN"),
        ("1 . key65536=x", 5, "'key65536=x' is not a service parameter: a known key or keyNNNNN"),
        ("1 . key3=x", 5, "a port has two octets"),
        ("1 . \"alpn=h2\"", 5, "'\"alpn=h2\"' is not a service parameter like alpn=h2"),
        ("1 . unknown=x", 5, "'unknown=x' is not a service parameter: a known key or keyNNNNN"),
        (r"\# 10 0001 00 0003000101 0001", 1, "these octets are not valid data of the type"),
        (r"\# 15 0001 00 0003 0002 0035 0001 0003 026832", 4, "the length and the hex digits behind it differ"),
        (r"\# 16 0001 00 0003 0002 0035 0001 0003 026832", 1, "these octets are not valid data of the type"),
    ] {
        refused_data("SVCB", text, column, expected);
    }
}

fn everything() -> (PathBuf, Records) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones/everything.zone");
    let records = master::read_file(&path, name("everything.example").as_ref()).unwrap_or_else(|error| panic!("{error}"));
    (path, records)
}

/// The records as sorted lines, to compare two zones.
fn sorted(mut records: Records) -> Vec<String> {
    records.sort();
    lines(&records)
}

#[track_caller]
fn same(ours: &[String], theirs: &[String]) {
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (ours.iter().collect(), theirs.iter().collect());
    let missing: Vec<_> = a.difference(&b).collect();
    let added: Vec<_> = b.difference(&a).collect();
    assert!(missing.is_empty() && added.is_empty(), "missing: {missing:#?}\nadded: {added:#?}");
}

#[test]
fn the_zone_of_everything_reads_back() {
    let (_, records) = everything();
    let written = lines(&records).join("\n");
    let again = scan(written.as_bytes(), "somewhere.else.").expect("what we write we read");
    assert_eq!(lines(&again), lines(&records));
    assert_eq!(records.len(), 132);
}

#[test]
fn damaged_zones_never_panic() {
    let (path, _) = everything();
    let text = fs::read(path).expect("it was read above");
    let origin = name("everything.example");
    let options = Options { max_generated: 20, ..Options::new(origin.as_ref()) };
    let scan = |text: &[u8]| master::scan(text, "t", &options, &mut |_, _| Err("none".into()));
    for end in 0..text.len() {
        let _ = scan(&text[..end]);
    }
    // Each line alone, so that damage in late lines is reached.
    let all: Vec<&[u8]> = text.split_inclusive(|&b| b == b'\n').collect();
    let seed = 2_026;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let from = rng.usize(..all.len());
        let mut piece = b"$TTL 5\nx A 192.0.2.1\n".to_vec();
        piece.extend_from_slice(&all[from..(from + 5).min(all.len())].concat());
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..piece.len());
            match rng.u8(..4) {
                0 => piece[at] = rng.u8(..),
                1 => drop(piece.remove(at)),
                2 => piece[at] = *rng.choice(b"\\\"();$@.\n\r\t 09-/:=,{}#").expect("some"),
                _ => piece.insert(at, *rng.choice(b"\\\"();$@.\n\r\t 09-/:=,{}#").expect("some")),
            }
        }
        if let Ok(records) = scan(&piece) {
            // What was accepted is written and read to the same.
            let written = lines(&records);
            let again = scan(written.join("\n").as_bytes()).unwrap_or_else(|error| panic!("{error}: {written:?}"));
            assert_eq!(lines(&again), written);
            accepted += 1;
        }
    }
    assert!((2_000..18_000).contains(&accepted), "{accepted} of 20000 accepted");
}

#[test]
fn files_include_each_other_from_their_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    };
    put("main.zone", "$TTL 60\n$INCLUDE sub/a.zone\nz A 192.0.2.3\n");
    put("sub/a.zone", "a A 192.0.2.1\n$INCLUDE b.zone b\n");
    put("sub/b.zone", "@ A 192.0.2.2\n");
    put("loop.zone", "$INCLUDE sub/../sub/loop.zone\n");
    put("sub/loop.zone", "$INCLUDE ../loop.zone\n");
    put("bad.zone", "$TTL 60\n$INCLUDE sub/bad.zone\n");
    put("sub/bad.zone", "a A x\n");
    let read = |path: &str| {
        master::read_file(&folder.path().join(path), name("vn").as_ref())
            .map(|records| lines(&records))
            .map_err(|error| error.to_string().replace(folder.path().to_str().expect("UTF-8"), "."))
    };
    assert_eq!(read("main.zone").expect("read"), ["a.vn. 60 IN A 192.0.2.1", "b.vn. 60 IN A 192.0.2.2", "z.vn. 60 IN A 192.0.2.3"]);
    assert_eq!(read("bad.zone").expect_err("bad"), "./sub/bad.zone:1:5: a.vn. A: 'x' is not an IPv4 address");
    assert!(read("none.zone").expect_err("none").starts_with("./none.zone: cannot be read: "));
    let error = read("loop.zone").expect_err("loop");
    assert!(error.contains("more than 8 levels of $INCLUDE") || error.contains("includes itself"), "{error}");
}

// The peers.

/// Runs a program that the test needs; without it the test ends, but not in CI.
fn run(program: &str, args: &[&str]) -> Option<String> {
    match Command::new(program).args(args).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => panic!("{program} {args:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {program}: {error}");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

fn text_of(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Lines for a reader that does not know the text of some types: those in the form of RFC 3597.
fn lines_without(records: &Records, unknown: &[Rtype]) -> String {
    let mut out = Vec::new();
    for record in records.iter() {
        if unknown.contains(&record.rtype) {
            master::write_name(record.owner, &mut out);
            let number = record.rtype.0;
            out.extend_from_slice(format!(" {} IN TYPE{number} \\# {} {}\n", record.ttl, record.rdata.len(), hex(record.rdata)).as_bytes());
        } else {
            master::write_record(&record, &mut out);
        }
    }
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn bind_reads_what_we_read_and_what_we_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, records) = everything();
    let ours = sorted(records.clone());
    let written = folder.path().join("ours.zone");
    fs::write(&written, lines(&records).join("\n") + "\n").expect("written");
    for input in [&source, &written] {
        for style in ["full", "relative"] {
            let dump = folder.path().join("bind.zone");
            let args = ["-q", "-i", "none", "-k", "ignore", "-n", "ignore", "-m", "ignore", "-s", style, "-o", text_of(&dump)];
            let args = [&args[..], &["everything.example", text_of(input)]].concat();
            if run("named-compilezone", &args).is_none() {
                return;
            }
            let theirs = master::read_file(&dump, name("everything.example").as_ref()).unwrap_or_else(|error| panic!("{error}"));
            same(&ours, &sorted(theirs));
        }
    }
}

#[test]
fn ldns_reads_what_we_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, records) = everything();
    let written = folder.path().join("ours.zone");
    let unknown = [Rtype::AMTRELAY, Rtype::RESINFO, Rtype::WALLET, Rtype::DSYNC, Rtype::DOA, Rtype::AVC, Rtype::NINFO];
    // ldns does not escape a quote in a name and takes NSAP-PTR for a string: nobody can read what it writes of those.
    let mut records = records;
    records.retain(|record| !record.owner.as_wire().contains(&b'"') && record.rtype != Rtype::NSAP_PTR);
    fs::write(&written, lines_without(&records, &unknown)).expect("written");
    let Some(theirs) = run("ldns-read-zone", &[text_of(&written)]) else { return };
    let theirs = scan(theirs.as_bytes(), ".").unwrap_or_else(|error| panic!("{error}"));
    same(&sorted(records), &sorted(theirs));
}

/// Types whose text Knot does not read.
const UNKNOWN_TO_KNOT: [Rtype; 24] = [
    Rtype::MB,
    Rtype::MG,
    Rtype::MR,
    Rtype::MD,
    Rtype::MF,
    Rtype::WKS,
    Rtype::X25,
    Rtype::ISDN,
    Rtype::NSAP,
    Rtype::NSAP_PTR,
    Rtype::PX,
    Rtype::GPOS,
    Rtype::AVC,
    Rtype::NINFO,
    Rtype::TALINK,
    Rtype::RKEY,
    Rtype::AMTRELAY,
    Rtype::HIP,
    Rtype::SIG,
    Rtype::RESINFO,
    Rtype::WALLET,
    Rtype::DSYNC,
    Rtype::DOA,
    Rtype::TA,
];

#[test]
fn knot_reads_what_we_write_and_we_read_what_it_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, records) = everything();
    let written = folder.path().join("everything.zone");
    fs::write(&written, lines_without(&records, &UNKNOWN_TO_KNOT)).expect("written");
    if run("kzonecheck", &["-o", "everything.example", "-d", "off", text_of(&written)]).is_none() {
        return;
    }
    // Its dump: a server without sockets that writes its zone out.
    let conf = folder.path().join("knot.conf");
    let at = text_of(folder.path());
    fs::write(
        &conf,
        format!(
            "server:\n  rundir: {at}\ndatabase:\n  storage: {at}\nlog:\n  - target: stderr\n    any: warning\n\
             zone:\n  - domain: everything.example\n    file: {}\n    semantic-checks: off\n    journal-content: none\n",
            text_of(&written)
        ),
    )
    .expect("written");
    let socket = folder.path().join("knot.sock");
    let mut server = match Command::new("knotd").args(["-c", text_of(&conf), "-s", text_of(&socket)]).stdin(Stdio::null()).spawn() {
        Ok(server) => server,
        Err(error) if std::env::var_os("CI").is_none() => return eprintln!("skipped: knotd: {error}"),
        Err(error) => panic!("knotd: {error}"),
    };
    let dump = folder.path().join("out/everything.zone");
    fs::create_dir(folder.path().join("out")).expect("a folder");
    let outdir = format!("{at}/out");
    // Until the server is up and has loaded the zone.
    let mut said = String::new();
    for _ in 0..200 {
        let args = ["-s", text_of(&socket), "-b", "-f", "zone-flush", "everything.example", "+outdir", &outdir];
        let output = Command::new("knotc").args(args).output().expect("knotc beside knotd");
        if output.status.success() && dump.exists() {
            break;
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        std::thread::sleep(Duration::from_millis(50));
    }
    server.kill().expect("it is ours");
    server.wait().expect("it is ours");
    let theirs = master::read_file(&dump, name("everything.example").as_ref()).unwrap_or_else(|error| panic!("{error} {said}"));
    // Knot keeps no case of owners.
    let lower = |lines: Vec<String>| -> Vec<String> {
        let (owner, rest): (Vec<_>, Vec<_>) = lines.iter().map(|line| line.split_once(' ').expect("an owner")).unzip();
        owner.iter().zip(rest).map(|(owner, rest)| format!("{} {rest}", owner.to_lowercase())).collect()
    };
    same(&lower(sorted(records)), &lower(sorted(theirs)));
}

#[test]
fn generated_text_is_bounded() {
    let origin = name("example.");
    let text = format!("$TTL 1\n$GENERATE 0-1000 h$ TXT {}\n", "a".repeat(100));
    for (most, is_good) in [(1 << 20, true), (50_000, false)] {
        let options = Options { max_generated_octets: most, ..Options::new(origin.as_ref()) };
        let scanned = master::scan(text.as_bytes(), "t", &options, &mut |_, _| Err("none".into()));
        let error = scanned.map(drop).map_err(|error| error.to_string());
        assert_eq!(error, if is_good { Ok(()) } else { Err("t:2:1: more than 50000 octets by $GENERATE".into()) });
    }
}
