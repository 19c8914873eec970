//! What primaries send is taken as it is meant, or not at all. RFC 1995, RFC 5936, RFC 7314, RFC 8945.

mod streams;

use saola::answer::Prepared;
use saola::dns::{Records, Rtype, Serial, UnixTime};
use saola::transfer::inward::{Ask, Fault, Incoming, Limits, Notice, Received, Wanted, ask, ask_soa};
use saola::transfer::tsig::{self, Algorithm, Judged, Key, Keys};
use streams::{Piece, letters, message, messages, name, piece, show, soa};

const NOW: UnixTime = UnixTime(1_795_305_600);

/// Feeds messages; what comes of them, and `more` when they are not the end.
fn feed(mut incoming: Incoming<'_>, messages: &[Vec<u8>]) -> Result<Option<Received>, Fault> {
    for (i, message) in messages.iter().enumerate() {
        if let Some(received) = incoming.take(message, NOW)? {
            // Nothing is read behind the end.
            assert_eq!(i + 1, messages.len(), "the end came early");
            return Ok(Some(received));
        }
    }
    Ok(None)
}

fn incoming(have: Option<u32>, limits: Limits) -> Incoming<'static> {
    let (apex, soa) = (name("VN"), have.map(soa));
    let wanted = soa.as_ref().map_or(Wanted::Whole, Wanted::Changes);
    ask(&Ask { apex: apex.as_ref(), id: 7, edns: true }, wanted, limits, None, NOW).1
}

fn outcome(have: Option<u32>, text: &str) -> String {
    let rtype = if have.is_some() { Rtype::IXFR } else { Rtype::AXFR };
    match feed(incoming(have, Limits::default()), &messages(rtype, text)) {
        Ok(Some(received)) => show(&received),
        Ok(None) => "more".into(),
        Err(fault) => fault.to_string(),
    }
}

#[track_caller]
fn check(have: Option<u32>, text: &str, expected: &str) {
    assert_eq!(outcome(have, text), expected, "have {have:?}: {text}");
}

#[test]
fn whole_zones() {
    for (text, expected) in [
        ("S5 a1 b2 S5", "whole S5 a1 b2"),
        ("S5 | b2 | a1 | S5", "whole S5 a1 b2"),
        ("S5 a1 a1 a2 S5", "whole S5 a1 a2"),
        ("S5 S5", "whole S5"),
        ("S5 ^a1 S5", "whole S5 ^a1"),
        ("S5 a1", "more"),
        ("S5", "more"),
        ("a1 S5 S5", "the answer does not begin with the SOA of the zone"),
        ("S5 a1 S6", "the answer begins with the SOA of serial 5 and ends with that of 6"),
        ("S5 a1 &S5", "the answer begins with the SOA of serial 5 and ends with that of 5"),
        ("S5 a1 S5 b1", "there are records behind the last SOA"),
        ("S5 a1 S5 S5", "there are records behind the last SOA"),
        ("S5 %S5 a1 S5", "'sub.vn.' has a SOA record beside the one of the zone"),
        ("%S5 a1 %S5", "'sub.vn.' has a SOA record beside the one of the zone"),
        ("S5 !a1 S5", "the A record of 'a.example.' is not in the zone"),
        ("S5 #a1 S5", "a record of 'a.vn.' has class 3, not IN"),
        ("S5 *a1 S5", "'a.vn.' has a record of type ANY, which no zone can have"),
        ("S5 ~a1 S5", "the data of a NS record is malformed"),
        ("S5 a1 | | S5", "a message has no record"),
    ] {
        check(None, text, expected);
        // The same, asked for as changes: with a newer serial, the form tells.
        if text != "S5 S5" && text != "S5" {
            check(Some(3), text, expected);
        }
    }
}

#[test]
fn changes_of_a_zone() {
    for (text, expected) in [
        ("S3", "current 3"),
        ("S2", "current 2"),
        ("S3 a1", "there are records behind the last SOA"),
        ("S5 S3 a1 S5 b1 S5", "- S3 a1 + S5 b1"),
        ("S5 S3 S5 S5", "- S3 + S5"),
        ("S5 | S3 | a1 | S5 | b1 | S5", "- S3 a1 + S5 b1"),
        ("S5 S3 a1 S4 b1 S4 b1 S5 b2 S5", "- S3 a1 + S4 b1; - S4 b1 + S5 b2"),
        ("S5 S3 a1 S4 b1 | S4 b1 S5 b2 S5", "- S3 a1 + S4 b1; - S4 b1 + S5 b2"),
        ("S5 S3 b2 a1 S5 d1 c1 S5", "- S3 a1 b2 + S5 c1 d1"),
        ("S5 S3 a1 a1 S5 b1 S5", "the change from serial 3 to 5 has a record twice"),
        ("S5 S3 a1 S5 b1 b1 S5", "the change from serial 3 to 5 has a record twice"),
        ("S5 S3 a1 S5 b1", "more"),
        ("S5 S3 a1 S4 b1 S4 b1", "more"),
        ("S5 S4 a1 S5 b1 S5", "the changes begin at serial 4, and ours is 3"),
        ("S5 S2 a1 S3 S3 S5 S5", "the changes begin at serial 2, and ours is 3"),
        ("S5 S3 a1 S4 b1 S3 S5 S5", "a change begins at serial 3, and the one before it leads to 4"),
        ("S5 S3 a1 S4 b1 S5", "a change begins at serial 5, and the one before it leads to 4"),
        ("S5 S3 a1 S2 b1 S2 S5 S5", "a change leads from serial 3 to 2, which is not forward"),
        ("S5 S3 a1 S3 b1 S3 S5 S5", "a change leads from serial 3 to 3, which is not forward"),
        ("S5 S3 a1 S6 b1 S6 S5 S5", "a change leads from serial 3 to 6, which is not forward"),
        ("S5 S3 a1 S5 b1 &S5", "the answer begins with the SOA of serial 5 and ends with that of 5"),
        ("S5 S3 a1 S5 b1 S5 c1", "there are records behind the last SOA"),
        ("S5 S3 a1 S5 b1 S5 S5", "there are records behind the last SOA"),
        ("S5 S3 !a1 S5 S5", "the A record of 'a.example.' is not in the zone"),
        ("S5 S3 S5 #a1 S5", "a record of 'a.vn.' has class 3, not IN"),
        ("S5 S3 %S4 S5 S5", "'sub.vn.' has a SOA record beside the one of the zone"),
        ("S5 S5", "whole S5"),
        ("S5", "more"),
    ] {
        check(Some(3), text, expected);
    }
    // Serials go round (RFC 1982).
    check(Some(4_294_967_290), "S5 S4294967290 a1 S2 b1 S2 S5 S5", "- S4294967290 a1 + S2 b1; - S2 + S5");
    check(Some(4_294_967_290), "S5 S4294967290 a1 S6 b1 S6 S5 S5", "a change leads from serial 4294967290 to 6, which is not forward");
    check(Some(2_147_483_653), "S5 a1 S5", "there are records behind the last SOA");
}

/// What is cut is never the end; what is reordered is refused, or does not fit, or is the same.
#[test]
fn cut_and_reordered_changes_never_make_another_zone() {
    let good = "S9 S3 a1 b1 c1 S4 a2 b2 S4 a2 S7 d1 d2 S7 b2 d1 S9 a1 e1 S9";
    let pieces: Vec<_> = good.split(' ').collect();
    let mut old = Records::new();
    for text in ["S3", "a1", "b1", "c1", "z1"] {
        let piece = piece(text);
        old.push(piece.owner.as_ref(), piece.rtype, piece.ttl, &piece.rdata).expect("room");
    }
    old.sort();
    let applied = |text: &str| {
        let received = feed(incoming(Some(3), Limits::default()), &messages(Rtype::IXFR, text));
        let Ok(Some(Received::Changes(diffs))) = received else { return None };
        let new = diffs.iter().try_fold(old.clone(), |zone, diff| diff.apply_to(&zone)).ok()?;
        Some(letters(&new))
    };
    let expected = Some("S9 a1 d2 e1 z1".to_owned());
    assert_eq!(applied(good), expected);
    for i in 1..pieces.len() {
        check(Some(3), &pieces[..i].join(" "), "more");
        check(Some(3), &pieces[..i].join(" | "), "more");
        // In two messages, wherever they part.
        assert_eq!(applied(&[pieces[..i].join(" "), pieces[i..].join(" ")].join(" | ")), expected);
    }
    let (mut refused, mut same) = (0, 0);
    for i in 0..pieces.len() {
        for j in 0..pieces.len() {
            let mut other = pieces.clone();
            let moved = other.remove(i);
            other.insert(j, moved);
            match applied(&other.join(" ")) {
                None => refused += 1,
                found => {
                    assert_eq!(found, expected, "{} to {j}: {}", pieces[i], other.join(" "));
                    same += 1;
                }
            }
        }
    }
    assert!(refused > 300 && same > 30, "{refused} refused, {same} the same");
}

#[test]
fn what_is_no_answer_to_us_is_refused() {
    let good = &messages(Rtype::AXFR, "S5 a1 S5")[0];
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut octets = good.clone();
        change(&mut octets);
        feed(incoming(None, Limits::default()), &[octets]).err().map(|fault| fault.to_string())
    };
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let cases: [(Change<'_>, &str); 17] = [
        (&|m| m[1] = 8, "the answer has another id than the question"),
        (&|m| m[2] = 0x04, "a message is no answer to a query"),
        (&|m| m[2] = 0xa4, "a message is no answer to a query"),
        (&|m| m[2] = 0x86, "the answer is truncated"),
        (&|m| m[3] = 5, "the primary answers REFUSED: it has to allow transfers to this server, or wants another key"),
        (&|m| m[3] = 9, "the primary answers NOTAUTH: it does not serve the zone, or does not take our key"),
        (&|m| m[3] = 2, "the primary answers SERVFAIL (2)"),
        (&|m| m[3] = 14, "the primary answers RCODE14 (14)"),
        (&|m| m[5] = 0, "the answer is to another question"),
        (&|m| m[5] = 2, "the answer is to another question"),
        (&|m| m[13] = b'x', "the answer is to another question"),
        (&|m| m[17] = 251, "the answer is to another question"),
        (&|m| m[19] = 3, "the answer is to another question"),
        (&|m| m[7] = 4, "a message is malformed"),
        (&|m| m[7] = 2, "a message is malformed"),
        (&|m| m.push(0), "a message is malformed"),
        (&|m| m.truncate(11), "a message is malformed"),
    ];
    for (i, (change, expected)) in cases.into_iter().enumerate() {
        assert_eq!(with(change).as_deref(), Some(expected), "case {i}");
    }
    // The question may be left out only behind the first message, and is the same where it is not.
    let second = |rtype| feed(incoming(None, Limits::default()), &[messages(Rtype::AXFR, "S5").remove(0), message(rtype, &[piece("S5")])]);
    assert!(second(None).is_ok_and(|received| received.is_some()) && second(Some(Rtype::AXFR)).is_ok());
    assert_eq!(second(Some(Rtype::IXFR)).err(), Some(Fault::OtherQuestion));
    assert_eq!(feed(incoming(None, Limits::default()), &[message(None, &[piece("S5")])]).err(), Some(Fault::OtherQuestion));
}

#[test]
fn limits_hold() {
    let octets: u64 = messages(Rtype::AXFR, "S5 | a1 | S5").iter().map(|message| message.len() as u64).sum();
    let exact = Limits { octets, records: 3, messages: 3 };
    let with = |limits| feed(incoming(None, limits), &messages(Rtype::AXFR, "S5 | a1 | S5")).map(|received| received.is_some());
    assert_eq!(with(exact), Ok(true));
    assert_eq!(with(Limits { octets: octets - 1, ..exact }), Err(Fault::TooMuch("octets", octets - 1)));
    assert_eq!(with(Limits { records: 2, ..exact }), Err(Fault::TooMuch("records", 2)));
    assert_eq!(with(Limits { messages: 2, ..exact }), Err(Fault::TooMuch("messages", 2)));
}

/// A record of sixteen octets may be five hundred in memory: the limit is for both, in a zone and in changes.
#[test]
fn what_is_kept_is_limited_too() {
    let long = format!("{0}.{0}.{0}.{1}.vn", "a".repeat(63), "b".repeat(58));
    for (have, text) in [(None, "S5"), (Some(3), "S5 S3"), (Some(3), "S5 S3 a1 S4"), (Some(3), "S5 S3 a1 S4 c1 S4")] {
        let rtype = if have.is_some() { Rtype::IXFR } else { Rtype::AXFR };
        let mut pieces: Vec<_> = text.split(' ').map(piece).collect();
        pieces.push(Piece { owner: name(&long), ..piece("a1") });
        let mut octets = message(Some(rtype), &pieces);
        let at = octets.len() - 14 - name(&long).as_ref().as_wire().len();
        let [high, low] = (0xc000 | at as u16).to_be_bytes();
        for _ in 0..1000 {
            // MINFO, whose names are two.
            octets.extend_from_slice(&[high, low, 0, 14, 0, 1, 0, 0, 0, 60, 0, 4, high, low, high, low]);
        }
        octets[6..8].copy_from_slice(&(pieces.len() as u16 + 1000).to_be_bytes());
        let with = |octets_at_most| {
            let limits = Limits { octets: octets_at_most, ..Limits::default() };
            feed(incoming(have, limits), std::slice::from_ref(&octets)).map(|received| received.is_some())
        };
        assert!(octets.len() < 20_000);
        assert_eq!(with(400_000), Err(Fault::TooMuch("octets of records", 400_000)), "{text}");
        assert_eq!(with(600_000), Ok(false), "{text}");
    }
}

/// What is asked, as another implementation reads it.
#[test]
fn requests_are_what_others_read() {
    let (apex, soa) = (name("vn"), soa(3));
    for edns in [true, false] {
        let asked = Ask { apex: apex.as_ref(), id: 0xbeef, edns };
        let key = key();
        let requests = [
            (ask(&asked, Wanted::Changes(&soa), Limits::default(), None, NOW).0, 251, 1),
            (ask(&asked, Wanted::Whole, Limits::default(), None, NOW).0, 252, 0),
            (ask_soa(&asked, None, NOW).0, 6, 0),
        ];
        for (octets, rtype, n_authorities) in requests {
            let read = hickory_proto::op::Message::from_vec(&octets).expect("decodes");
            assert_eq!((read.metadata.id, octets[2], octets[3]), (0xbeef, 0, 0));
            assert_eq!((read.queries.len(), read.queries[0].name().to_string()), (1, "vn.".into()));
            assert_eq!((u16::from(read.queries[0].query_type()), read.authorities.len()), (rtype, n_authorities));
            assert_eq!(read.edns.is_some(), edns);
            assert_eq!(octets.ends_with(&[0, 9, 0, 0]), edns, "EXPIRE without a value");
            if let Some(record) = read.authorities.first() {
                assert!(format!("{:?}", record.data).contains("serial: 3"), "{:?}", record.data);
            }
        }
        let (octets, _) = ask(&asked, Wanted::Changes(&soa), Limits::default(), Some(&key), NOW);
        assert!(matches!(keys().judge(&octets, NOW), Judged::Good(_)));
    }
}

fn key() -> Key {
    Key::new(name("xfr").as_ref(), Algorithm::HmacSha256, b"secret")
}

fn keys() -> Keys {
    [key()].into_iter().collect()
}

/// Messages of an answer to `request`, each signed.
fn signed(request: &[u8], keys: &Keys, text: &str) -> Vec<Vec<u8>> {
    let Judged::Good(mut signer) = keys.judge(request, NOW) else { panic!("good") };
    let mut messages = messages(Rtype::IXFR, text);
    messages.iter_mut().for_each(|message| signer.sign(message, NOW));
    messages
}

#[test]
fn signatures_hold_the_answer_together() {
    let (key, apex, soa) = (key(), name("vn"), soa(3));
    let asked = Ask { apex: apex.as_ref(), id: 7, edns: false };
    let text = "S5 | S3 a1 | S5 | b1 | S5";
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let (request, incoming) = ask(&asked, Wanted::Changes(&soa), Limits::default(), Some(&key), NOW);
        let mut messages = signed(&request, &keys(), text);
        change(&mut messages);
        feed(incoming, &messages).map(|received| received.map(|received| show(&received)))
    };
    let good = Ok(Some("- S3 a1 + S5 b1".to_owned()));
    assert_eq!(with(&|_| {}), good);
    let unsigned = messages(Rtype::IXFR, text);
    for i in 0..5 {
        // Changed after it was signed, at its last record.
        let at = unsigned[i].len() - 1;
        assert_eq!(with(&|messages| messages[i][at] ^= 1), Err(Fault::Tsig(tsig::Fault::BadSig)), "message {i}");
        // Without its signature: what is signed next covers it not, and the last has to be signed.
        let expected = if i == 0 || i == 4 { tsig::Fault::Unsigned } else { tsig::Fault::BadSig };
        assert_eq!(with(&|messages| messages[i] = unsigned[i].clone()), Err(Fault::Tsig(expected)), "message {i}");
        // Left out, and changed places with the one behind it.
        if i < 4 {
            let error = with(&|messages| _ = messages.remove(i)).expect_err("a message is missing");
            assert!(matches!(error, Fault::Tsig(_) | Fault::OtherQuestion), "{error}");
            let error = with(&|messages| messages.swap(i, i + 1)).expect_err("out of order");
            assert!(matches!(error, Fault::Tsig(_) | Fault::OtherQuestion), "{error}");
        }
    }
    let other = Key::new(name("other").as_ref(), Algorithm::HmacSha256, b"secret");
    let (request, _) = ask(&asked, Wanted::Changes(&soa), Limits::default(), Some(&other), NOW);
    let messages = signed(&request, &[other].into_iter().collect(), text);
    assert_eq!(with(&|all| all.clone_from(&messages)), Err(Fault::Tsig(tsig::Fault::BadKey)));
    // A refusal of who has no key is told as what it says.
    assert_eq!(with(&|messages| messages[0] = vec![0, 7, 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Fault::Rcode(5)));
}

#[test]
fn the_soa_alone() {
    let apex = name("vn");
    let take = |octets: &[u8]| ask_soa(&Ask { apex: apex.as_ref(), id: 7, edns: true }, None, NOW).1.take(octets, NOW);
    let good = messages(Rtype::SOA, "S5").remove(0);
    assert_eq!(take(&good), Ok((soa(5), None)));
    // With EXPIRE, beside another option.
    let mut with_expire = [&good[..], &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 14, 0, 3, 0, 2, 7, 7, 0, 9, 0, 4, 0, 0, 1, 2]].concat();
    with_expire[11] = 1;
    assert_eq!(take(&with_expire), Ok((soa(5), Some(258))));
    let mut short = with_expire.clone();
    short.truncate(good.len() + 24);
    (short[good.len() + 10], short[good.len() + 20]) = (13, 3);
    assert_eq!(take(&short), Ok((soa(5), None)), "EXPIRE of three octets is none");
    let mut other = good.clone();
    other[2] = 0x80;
    assert_eq!(take(&other), Err(Fault::NotAuthoritative));
    other[2] = 0x86;
    assert_eq!(take(&other), Err(Fault::Truncated));
    for text in ["a1", "", "%S5", "#S5"] {
        assert_eq!(take(&messages(Rtype::SOA, text)[0]), Err(Fault::NoSoa), "{text}");
    }
}

/// EXPIRE comes with changes as well, in whichever message.
#[test]
fn expire_comes_with_the_answer() {
    let mut incoming = incoming(Some(3), Limits::default());
    let mut messages = messages(Rtype::IXFR, "S5 S3 a1 | S5 b1 S5");
    messages[0].extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 8, 0, 9, 0, 4, 0, 0, 1, 0]);
    messages[0][11] = 1;
    assert!(incoming.take(&messages[0], NOW).is_ok_and(|received| received.is_none()));
    assert!(incoming.take(&messages[1], NOW).is_ok_and(|received| received.is_some()));
    assert_eq!((incoming.expire(), incoming.soa().map(|soa| Serial(soa.serial))), (Some(256), Some(Serial(5))));
    assert_eq!(incoming.counted().to_string(), format!("6 records in 2 messages, {} octets", messages[0].len() + messages[1].len()));
}

/// RFC 1996 §3.7: the SOA in the answer section is a hint; what else stands there is none.
#[test]
fn notices_are_read() {
    let read = |rtype: Rtype, text: &str| {
        let mut octets = messages(rtype, text).remove(0);
        octets[2] = 0x24;
        octets[12..16].copy_from_slice(b"\x02VN\0");
        let mut prepared = Prepared::unread();
        prepared.read(&octets);
        let (_, question) = prepared.asks().expect("well formed");
        Notice::read(&octets, &question)
    };
    for (text, serial) in [("", None), ("S5", Some(Serial(5))), ("a1", None), ("%S5", None), ("#S5", None), ("S5 S6", None)] {
        assert_eq!(read(Rtype::SOA, text), Some(Notice { apex: name("vn"), serial }), "{text}");
    }
    assert_eq!(read(Rtype::AXFR, "S5"), None);
}
