//! Every door through which bytes from outside come in, as one function each, with good input to start from.
//!
//! A door checks more than that nothing panics: what can be said of any input is asserted. `tests/mutation.rs` and the targets of
//! `fuzz/` go through the same doors.
#![allow(dead_code)]

pub mod catalog;
pub mod disk;
pub mod export;
pub mod inward;
pub mod orders;
pub mod peer;
pub mod state;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use saola::answer::{Face, Meta, Outcome, Transport, respond};
use saola::dns::master::{self, Options};
use saola::dns::{Name, NameRef, Records, UnixTime};
use saola::sign::{self, Denial, Key, Policy, ZoneKeys};
use saola::transfer::tsig;
use saola::zone::{Zone, ZoneSet};

/// When everything happens.
const NOW: UnixTime = UnixTime(1_800_000_000);

/// A zone with every kind of name there is.
pub const ZONE: &str = r#"$ORIGIN vn.
$TTL 3600
@ 900 IN SOA a.dns hostmaster 1 30m 10m 2w 900
 IN NS a.dns
 IN NS b.dns.example.
a.dns A 192.0.2.1
a.dns AAAA 2001:db8::1
com NS ns1.com
 DS 12345 13 2 49FD46E6C4B45C55D4AC69CBD3CD34AC1AFE51DE4A5F4C0AC0B3E4B5B7E0D6A1
ns1.com A 198.51.100.1
ins.ent NS ns.elsewhere.example.
many NS n0.many
$GENERATE 0-20 n$.many A 198.51.100.$
*.wild TXT "a wildcard" ; and a comment
*.wild A 192.0.2.9
x.exists.wild AAAA 2001:db8::9
c1 CNAME c2
c2 CNAME *.wild
loop1 CNAME loop2
loop2 CNAME loop1
d DNAME wild
dlong DNAME llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm
mail MX ( 10 a.dns ) 
_sip._tcp SRV 0 5 5060 a.dns
svc HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1
svc SVCB 0 a.dns
loc LOC 21 1 40.000 N 105 51 0.000 E 12.00m 1m 10000m 10m
naptr NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example!" .
unk TYPE65280 \# 4 0a000001
caa CAA 0 issue ";"
esc\.ap\032ed TLSA 3 1 1 ab12
uri URI 10 1 "https://example/"
sshfp SSHFP 4 2 cdcd
big TXT "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big TXT "1123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
"#;

/// The zone `vn.` unsigned and in each denial, as four sets; made once.
pub fn zones() -> &'static [ZoneSet] {
    static ZONES: OnceLock<Vec<ZoneSet>> = OnceLock::new();
    ZONES.get_or_init(|| {
        let apex = Name::parse("vn.").expect("a name");
        let unsigned =
            master::scan(ZONE.as_bytes(), "zone", &Options::new(apex.as_ref()), &mut |_, _| Err(String::new())).expect("good text");
        let policy = Policy { csk: true, ..Policy::default() };
        let signed = [Denial::NSEC3_OPT_OUT, Denial::NSEC3, Denial::Nsec].map(|denial| {
            let key = Key::from_text(ED25519[0], ED25519[1]).expect("a key");
            let keys = ZoneKeys::new(vec![key], true, NOW).expect("one key signs everything");
            sign::sign(unsigned.clone(), apex.as_ref(), &keys, &Policy { denial, ..policy.clone() }, NOW, 1).expect("a good zone")
        });
        let set = |records: Records| {
            let mut set = ZoneSet::new();
            set.insert(Arc::new(Zone::build(apex.as_ref(), records).expect("a good zone")));
            set
        };
        [unsigned].into_iter().chain(signed).map(set).collect()
    })
}

/// A request goes to every kind of zone, over UDP and TCP; what comes back is a reply to it within its limits.
pub fn query(request: &[u8]) {
    signed(request);
    thread_local!(static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 65_535]));
    let face = Face {
        identity: b"a1".to_vec(),
        hostname: b"host".to_vec(),
        version: b"1".to_vec(),
        cookie_secrets: vec![[7; 16]],
        report_channel: b"\x06report\x07example\0".to_vec(),
        ..Face::default()
    };
    for (zones, transport) in zones().iter().flat_map(|set| [(set, Transport::Udp), (set, Transport::Tcp)]) {
        let meta = Meta { transport, client: IpAddr::V4(Ipv4Addr::LOCALHOST) };
        BUFFER.with_borrow_mut(|buffer| {
            let Outcome::Reply { len, .. } = respond(zones, &face, NOW, &meta, request, buffer) else { return };
            assert!((12..=65_535).contains(&len), "{len} octets");
            assert_eq!(buffer[..2], request[..2], "the id is the request's");
            assert_eq!(request[2] & 0x80, 0, "a response is never answered");
            assert_eq!(buffer[2] & 0xf9, 0x80 | request[2] & 0x79, "QR is set, opcode and RD are the request's");
            assert_eq!(buffer[3] & 0xf0, 0, "RA, Z, AD and CD are clear");
            assert!(transport == Transport::Tcp || len <= 1232, "{len} octets over UDP");
        });
    }
}

/// Good requests.
pub fn query_seeds() -> Vec<Vec<u8>> {
    let question = |flags: u16, name: &str, qtype: u16, options: Option<&[u8]>| {
        let mut out = vec![0x12, 0x34];
        out.extend(flags.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 0, 0, u8::from(options.is_some())]);
        out.extend(Name::parse(name).expect("a name").as_ref().as_wire());
        out.extend(qtype.to_be_bytes());
        out.extend([0, 1]);
        if let Some(options) = options {
            out.extend([0, 0, 41, 4, 208, 0, 0, 128, 0, 0, u8::try_from(options.len()).expect("short")]);
            out.extend(options);
        }
        out
    };
    let mut out = Vec::new();
    for name in [
        "vn.",
        "www.com.vn.",
        "com.vn.",
        "nosuch.vn.",
        "q.wild.vn.",
        "exists.wild.vn.",
        "c1.vn.",
        "loop1.vn.",
        "a.d.vn.",
        "ent.vn.",
        "many.vn.",
        ".",
    ] {
        for qtype in [1, 43, 255] {
            out.push(question(0, name, qtype, Some(b"")));
        }
        out.push(question(0x0110, name, 2, None));
    }
    let long = format!("{}.dlong.vn.", ["l".repeat(60), "m".repeat(60), "n".repeat(60)].join("."));
    out.push(question(0, &long, 16, Some(b"")));
    out.push(question(0, "vn.", 48, Some(b"\0\x0a\0\x08\x01\x02\x03\x04\x05\x06\x07\x08\0\x03\0\0\0\x09\0\0\0\x13\0\0")));
    out.push(question(0, "id.server.", 16, Some(b"\0\x0b\0\0\0\x0c\0\x04\0\0\0\0")));
    out.push(question(0x2000, "vn.", 6, None));
    out.push(question(0x2800, "vn.", 6, None));
    out.push(question(0, "vn.", 252, None));
    let mut tsig = question(0, "vn.", 252, None);
    tsig[11] = 1;
    tsig.extend(b"\x03key\0\0\xfa\0\xff\0\0\0\0\0\x3d\x0bhmac-sha256\0\0\0\x65\x53\xf1\0\x01\x2c\0\x20");
    tsig.extend([7; 32]);
    tsig.extend([0x12, 0x34, 0, 0, 0, 0]);
    out.push(tsig);
    out
}

/// A message is judged by its TSIG, as a request and as an answer: nobody here has signed it.
fn signed(message: &[u8]) {
    let name = Name::parse("key.").expect("a name");
    let key = tsig::Key::new(name.as_ref(), tsig::Algorithm::HmacSha256, &[7; 32]);
    let keys: tsig::Keys = [key.clone()].into_iter().collect();
    match keys.judge(message, NOW) {
        tsig::Judged::Good(_) => panic!("whoever signed it has the secret"),
        tsig::Judged::Refused(refusal) => refusal.append(&mut vec![0; 12]),
        tsig::Judged::Unsigned | tsig::Judged::Malformed => {}
    }
    let mut request = vec![0; 12];
    assert!(key.sign_request(&mut request, NOW).take(message, NOW).is_err(), "the first message is signed");
}

/// Text goes through the scanner; what it takes is written, and read again as the same records.
///
/// Read in pieces it is the same, or left to be read as a whole.
pub fn master(text: &[u8]) {
    let fields = |records: &Records| {
        let each = records.iter().map(|r| (r.owner.as_wire().to_vec(), r.rtype, r.ttl, r.rdata.to_vec()));
        each.collect::<Vec<_>>()
    };
    let whole = scan(text);
    let mut streamed = Vec::new();
    let mut each = |records: &mut Records| {
        streamed.extend(fields(records));
        true
    };
    if master::stream(text, &bounds(Name::parse("vn.").expect("a name").as_ref()), 2, &mut each).is_some() {
        assert!(whole.as_ref().is_some_and(|whole| fields(whole) == streamed), "in pieces it is something else");
    }
    let Some(records) = whole else { return };
    let mut written = Vec::new();
    master::write(&records, 1, &mut written).expect("memory takes it");
    let again = scan(&written);
    let same = again.as_ref().is_some_and(|again| fields(again) == fields(&records));
    assert!(same, "written and read again it is something else:\n{}", String::from_utf8_lossy(&written));
}

/// Text that scans goes on: checked, verified, built, answered from.
pub fn zone(text: &[u8]) {
    let Some(mut records) = scan(text) else { return };
    let apex = Name::parse("vn.").expect("a name");
    records.sort();
    let _ = saola::zone::check(apex.as_ref(), &records);
    let _ = sign::verify(&records, apex.as_ref(), &[], NOW, 1);
    let Ok(zone) = Zone::build(apex.as_ref(), records) else { return };
    answer_from(&Arc::new(zone));
}

/// Asks a zone all the good requests; the replies.
pub fn answer_from(zone: &Arc<Zone>) -> Vec<Vec<u8>> {
    let mut set = ZoneSet::new();
    set.insert(Arc::clone(zone));
    let mut buffer = vec![0; 65_535];
    let meta = Meta { transport: Transport::Udp, client: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let mut replies = Vec::new();
    for request in query_seeds() {
        if let Outcome::Reply { len, .. } = respond(&set, &Face::default(), NOW, &meta, &request, &mut buffer) {
            replies.push(buffer[..len].to_vec());
        }
    }
    replies
}

fn bounds(origin: NameRef<'_>) -> Options<'_> {
    Options { max_generated: 1000, max_records: 10_000, ..Options::new(origin) }
}

fn scan(text: &[u8]) -> Option<Records> {
    let apex = Name::parse("vn.").expect("a name");
    // An include reads the same text again: loops and depth are bounded.
    master::scan(text, "file", &bounds(apex.as_ref()), &mut |_, _| Ok(text.to_vec())).ok()
}

/// The zone as text, unsigned and signed with each denial.
pub fn zone_seeds() -> Vec<Vec<u8>> {
    let apex = Name::parse("vn.").expect("a name");
    let signed = zones().iter().skip(1).map(|set| {
        let mut text = Vec::new();
        master::write(&set.get(apex.as_ref()).expect("it is there").records(), 1, &mut text).expect("memory takes it");
        text
    });
    std::iter::once(ZONE.as_bytes().to_vec()).chain(signed).collect()
}

/// The text of a master file.
pub fn master_seeds() -> Vec<Vec<u8>> {
    let more = "$INCLUDE x sub\n$ORIGIN a.b\n\\# A 192.0.2.1\n$TTL 1h30m\n@ 1 CH TXT ( \"a\" ; c\n b )\n* RRSIG A 13 2 60 20301121000000 20261121000000 1 vn. AAAA\n";
    vec![ZONE.as_bytes().to_vec(), more.as_bytes().to_vec()]
}

/// The two files of a key.
pub fn key(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let (public, private) = text.split_once("----\n").unwrap_or((&text, ""));
    if let Ok(key) = Key::from_text(public, private) {
        let again = Key::from_text(&key.public_text(), &key.private_text()).expect("what was written is read");
        assert_eq!(again.dnskey(), key.dnskey());
    }
}

/// Keys of two algorithms.
pub fn key_seeds() -> Vec<Vec<u8>> {
    [ED25519, P256].map(|[public, private]| format!("{public}----\n{private}Created: 20261121000000\n").into_bytes()).to_vec()
}

/// Keys that are written down, so that a case is the same in every run; Ed25519 signatures are too. They sign nothing anywhere.
const ED25519: [&str; 2] = [
    "vn. IN DNSKEY 257 3 15 ZacHtxepChHrvlHT7FxqHVXQoz9znbPQYFyuXjCYSfo=\n",
    "Private-key-format: v1.3\nAlgorithm: 15 (ED25519)\nPrivateKey: B+//gAtOtNd7n52niJd/1BW1qJdK6Dd0+9GcuHRYVqM=\n",
];
const P256: [&str; 2] = [
    "vn. 3600 IN DNSKEY 256 3 13 yG21+uyrH0UxExrJQnN+5XV1w6MaxplhGj4GDyP7wiUL8RfQ4//GA4qC t3Tgp29vAMWem4et0jF6EKEssgMNLw==\n",
    "Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: QqrBswXxtkyVlX3xL9cx4xyoGa3k399a/c6XhxYYlPY=\n",
];
