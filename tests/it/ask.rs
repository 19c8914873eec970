//! Asks `respond` a question written as text and shows the reply as one line of text.
//!
//! Zones are the master files of `tests/zones/`, signed here where a test wants them signed. Replies are decoded by hickory-proto, and
//! what holds for every reply is checked with each of them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use saola::answer::{Face, Meta, Outcome, Prepared, Transport, warm};
use saola::dns::{Name, Records, Rtype, UnixTime, master};
use saola::journal::Log;
use saola::sign::{self, Algorithm, Denial, Key, Policy, ZoneKeys};
use saola::transfer::access::Access;
use saola::transfer::access::Channel;
use saola::transfer::inward::Notices;
use saola::transfer::service::{Answered, Site, respond};
use saola::zone::{NameMap, Zone, ZoneSet};

/// When everything happens.
pub const NOW: UnixTime = UnixTime(1_800_000_000);

/// A name as its labels in lower case from the right: their order is the canonical one (RFC 4034 §6.1).
pub type Labels = Vec<Vec<u8>>;

/// The labels of a name written as text.
pub fn labels(text: &str) -> Labels {
    labels_of(&Name::parse(text).expect("a name"))
}

/// The labels of a name.
pub fn labels_of(name: &Name) -> Labels {
    let mut labels: Labels = name.as_ref().labels().map(<[u8]>::to_ascii_lowercase).collect();
    labels.reverse();
    labels
}

/// The wire form of a name given by its labels.
pub fn wire(labels: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in labels.iter().rev() {
        wire.push(label.len() as u8);
        wire.extend(label);
    }
    wire.push(0);
    wire
}

/// The name as text.
pub fn text(labels: &[Vec<u8>]) -> String {
    Name::from_wire(&wire(labels)).expect("labels of a name").to_string()
}

/// Zones that are asked together, and the face of their server.
pub struct World {
    pub zones: ZoneSet,
    pub face: Face,
    pub access: Access,
    /// What has changed in the zones.
    pub logs: NameMap<Log>,
    /// What was said of zones that are had from others.
    pub notices: Notices,
    /// The records of each zone as they are served.
    pub records: Vec<(Labels, Records)>,
    /// Where questions come from.
    pub client: IpAddr,
}

/// The records of a master file in `tests/zones/`.
pub fn read(file: &str, apex: &str) -> Records {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/zones").join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    scan(&text, file, apex)
}

/// The records of a master file given as text.
pub fn scan(text: &[u8], file: &str, apex: &str) -> Records {
    let apex = Name::parse(apex).expect("a name");
    let mut records = master::scan(text, file, &master::Options::new(apex.as_ref()), &mut |_, _| Err("no".to_owned()))
        .unwrap_or_else(|error| panic!("{error}"));
    records.sort();
    records
}

/// The policy that test zones are signed with: ECDSA P-256, one key, no CDS.
pub fn policy(denial: Denial) -> Policy {
    Policy { denial, csk: true, cds: false, algorithm: Algorithm::EcdsaP256Sha256, ..Policy::default() }
}

/// Signs with one fresh key.
pub fn sign(records: Records, apex: &str, denial: &Denial) -> Records {
    let zone = Name::parse(apex).expect("a name");
    let key = Key::generate(zone.as_ref(), policy(denial.clone()).algorithm, 257, None).expect("a key");
    sign_with(records, apex, denial, key)
}

/// Signs with `key`.
pub fn sign_with(records: Records, apex: &str, denial: &Denial, key: Key) -> Records {
    let apex = Name::parse(apex).expect("a name");
    let keys = ZoneKeys::new(vec![key], true, NOW).expect("one key signs everything");
    sign::sign(records, apex.as_ref(), &keys, &policy(denial.clone()), NOW, 1).expect("a zone that can be signed")
}

/// The denials that every proof is tried with.
pub fn denials() -> [(&'static str, Denial); 4] {
    [
        ("nsec", Denial::Nsec),
        ("nsec3", Denial::NSEC3),
        ("nsec3-opt-out", Denial::NSEC3_OPT_OUT),
        ("nsec3 12 aabbccdd", Denial::Nsec3 { opt_out: false, salt: vec![0xaa, 0xbb, 0xcc, 0xdd], iterations: 12 }),
    ]
}

/// One unsigned zone.
pub fn unsigned(file: &str, apex: &str) -> World {
    World::new().with(apex, read(file, apex))
}

/// One zone signed with `denial`.
pub fn signed(file: &str, apex: &str, denial: &Denial) -> World {
    World::new().with(apex, sign(read(file, apex), apex, denial))
}

/// A reply, decoded.
pub struct Reply {
    pub bytes: Vec<u8>,
    pub rcode: u16,
    pub authoritative: bool,
    pub truncated: bool,
    pub answer: Vec<Rr>,
    pub authority: Vec<Rr>,
    pub additional: Vec<Rr>,
    pub opt: Option<Opt>,
}

/// A record of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rr {
    /// The owner as it came.
    pub owner: Name,
    pub labels: Labels,
    pub rtype: Rtype,
    pub ttl: u32,
    /// Without compression, case kept.
    pub rdata: Vec<u8>,
    /// In canonical form (RFC 4034 §6.2).
    pub canonical: Vec<u8>,
}

/// The OPT record of a reply.
#[derive(Clone, Debug)]
pub struct Opt {
    pub udp_size: u16,
    pub version: u8,
    pub dnssec_ok: bool,
    pub other_flags: u16,
    pub options: Vec<(u16, Vec<u8>)>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub name: Name,
    pub rtype: Rtype,
    pub class: u16,
    /// Octets after the id: flags.
    pub flags: u16,
    pub tcp: bool,
    /// UDP size, version, flags and options, where EDNS is used.
    pub edns: Option<(u16, u8, u16, Vec<u8>)>,
}

impl Question {
    /// Reads `NAME TYPE` and then any of `do`, `edns`, `tcp`, `rd`, `cd`, `ad`, `size=N`, `version=N`, `class=N`, `flags=HEX`, `option=CODE:HEX`.
    pub fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let name = Name::parse(words.next().expect("a name")).unwrap_or_else(|error| panic!("{line}: {error}"));
        let rtype = words.next().expect("a type").parse().unwrap_or_else(|_| panic!("{line}: no type"));
        let mut question = Self { name, rtype, class: 1, flags: 0, tcp: false, edns: None };
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hex");
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            if matches!(key, "do" | "edns" | "size" | "version" | "flags" | "option") {
                question.edns.get_or_insert((1232, 0, 0, Vec::new()));
            }
            let mut nothing = (0, 0, 0, Vec::new());
            let edns = question.edns.as_mut().unwrap_or(&mut nothing);
            match key {
                "do" => edns.2 |= 0x8000,
                "edns" => {}
                "size" => edns.0 = value.parse().expect("a size"),
                "version" => edns.1 = value.parse().expect("a version"),
                "flags" => edns.2 |= u16::from_str_radix(value, 16).expect("hex"),
                "option" => {
                    let (code, data) = value.split_once(':').expect("code:hex");
                    let data = hex(data);
                    edns.3.extend(code.parse::<u16>().expect("a code").to_be_bytes());
                    edns.3.extend((data.len() as u16).to_be_bytes());
                    edns.3.extend(data);
                }
                "tcp" => question.tcp = true,
                "rd" => question.flags |= 0x0100,
                "ad" => question.flags |= 0x0020,
                "cd" => question.flags |= 0x0010,
                "class" => question.class = value.parse().expect("a class"),
                _ => panic!("{line}: what is '{word}'"),
            }
        }
        question
    }

    /// The request.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut out = vec![0x5a, 0x0a];
        out.extend(self.flags.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        out.extend(self.name.as_ref().as_wire());
        out.extend(self.rtype.0.to_be_bytes());
        out.extend(self.class.to_be_bytes());
        if let Some((size, version, flags, options)) = &self.edns {
            out.extend([0, 0, 41]);
            out.extend(size.to_be_bytes());
            out.extend([0, *version]);
            out.extend(flags.to_be_bytes());
            out.extend((options.len() as u16).to_be_bytes());
            out.extend(options);
        }
        out
    }

    fn limit(&self, face: &Face) -> usize {
        match (&self.edns, self.tcp) {
            (_, true) => 65_535,
            (None, false) => 512,
            (Some((size, ..)), false) => (*size).clamp(512, face.udp_limit.max(512)).into(),
        }
    }
}

impl World {
    /// No zones.
    pub fn new() -> Self {
        Self {
            zones: ZoneSet::new(),
            face: Face::default(),
            access: Access::default(),
            logs: NameMap::new(),
            notices: Notices::default(),
            records: Vec::new(),
            client: "192.0.2.53".parse().expect("an address"),
        }
    }

    /// With one zone more.
    pub fn with(mut self, apex: &str, records: Records) -> Self {
        let name = Name::parse(apex).expect("a name");
        self.records.push((labels(apex), records.clone()));
        self.zones.insert(Arc::new(Zone::build(name.as_ref(), records).unwrap_or_else(|error| panic!("{apex}: {error}"))));
        self
    }

    /// Sends bytes; `None` when nothing comes back.
    pub fn send(&self, request: &[u8], transport: Transport) -> Option<Vec<u8>> {
        // What stood in the buffer before must not get into a reply.
        let mut buffer = vec![0xa5; 65_535];
        let meta = Meta { transport, client: self.client };
        let site = Site { zones: &self.zones, face: &self.face, access: &self.access, logs: &self.logs, notices: &self.notices };
        let once = |answered| match answered {
            Answered::Once(outcome) => outcome,
            Answered::Zone(_) | Answered::Later(_) => panic!("a whole zone is answered, or nothing yet"),
        };
        let mut alone = Prepared::unread();
        alone.read(request);
        let outcome = once(respond(site, Channel::Plain, NOW, &meta, &alone, &mut buffer));
        // A worker reads and warms before it answers: the reply must be the same.
        let mut prepared = [Prepared::unread(), Prepared::unread()];
        prepared[0].read(b"\0\0\0\0\0\x01\0\0\0\0\0\0\x03www\x07another\x02vn\0\0\x01\0\x01");
        prepared.iter_mut().for_each(|prepared| prepared.read(request));
        warm(&self.zones, prepared.iter_mut());
        let mut warmed = vec![0xa5; 65_535];
        assert_eq!(once(respond(site, Channel::Plain, NOW, &meta, &prepared[0], &mut warmed)), outcome);
        assert_eq!(warmed, buffer);
        match outcome {
            Outcome::Dropped => None,
            Outcome::Reply { len, .. } => Some(buffer[..len].to_vec()),
        }
    }

    /// Asks one question; see [`Question::parse`].
    #[track_caller]
    pub fn ask(&self, question: &str) -> Reply {
        self.ask_it(&Question::parse(question))
    }

    /// Asks one question and checks what holds for every reply.
    #[track_caller]
    pub fn ask_it(&self, question: &Question) -> Reply {
        let request = question.to_wire();
        let transport = if question.tcp { Transport::Tcp } else { Transport::Udp };
        let reply = self.send(&request, transport).expect("a question is answered");
        let reply = Reply::decode(&reply).unwrap_or_else(|error| panic!("{question:?}: {error}\n{}", hexes(&reply)));
        let problem = reply.problem(question, &request, question.limit(&self.face));
        assert!(problem.is_none(), "{} {}: {}\n{}", question.name, question.rtype, problem.unwrap_or_default(), reply.show(self));
        reply
    }

    /// Asks a question and compares all of the reply with text; white space between words is all one.
    #[track_caller]
    pub fn check(&self, question: &str, expected: &str) {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = self.ask(question).show(self);
        assert_eq!(words(&shown), words(expected), "question: {question}\n{shown}");
    }

    /// Names that may be behind a hash: those of the zone, their ancestors, and wildcards below them.
    fn preimages(&self, apex: &Labels) -> Vec<Labels> {
        let mut names = Vec::new();
        for (_, records) in self.records.iter().filter(|(a, _)| a == apex) {
            for name in records.names() {
                let name = labels_of(&name.owner().to_owned());
                for n in apex.len()..=name.len() {
                    names.push(name[..n].to_vec());
                }
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

fn hexes(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

impl Reply {
    /// Decodes with hickory-proto.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let message = Message::from_vec(bytes).map_err(|error| format!("does not decode: {error}"))?;
        let section = |records: &[hickory_proto::rr::Record]| records.iter().map(Rr::decode).collect::<Result<Vec<_>, _>>();
        let opt = message.edns.as_ref().map(|edns| Opt {
            udp_size: edns.max_payload(),
            version: edns.version(),
            dnssec_ok: edns.flags().dnssec_ok,
            other_flags: edns.flags().z,
            options: edns.options().options.iter().map(|(code, option)| (u16::from(*code), option_bytes(option))).collect(),
        });
        Ok(Self {
            bytes: bytes.to_vec(),
            rcode: u16::from(bytes[3] & 15) | message.edns.as_ref().map_or(0, |edns| u16::from(edns.rcode_high()) << 4),
            authoritative: message.metadata.authoritative,
            truncated: message.metadata.truncation,
            answer: section(&message.answers)?,
            authority: section(&message.authorities)?,
            additional: section(&message.additionals)?,
            opt,
        })
    }

    /// All records.
    pub fn records(&self) -> impl Iterator<Item = &Rr> {
        self.answer.iter().chain(&self.authority).chain(&self.additional)
    }

    /// An option of the OPT record.
    pub fn option(&self, code: u16) -> Option<&[u8]> {
        self.opt.as_ref()?.options.iter().find(|(c, _)| *c == code).map(|(_, value)| &value[..])
    }

    /// What is wrong with the reply, whatever the zone holds.
    fn problem(&self, question: &Question, request: &[u8], limit: usize) -> Option<String> {
        let bytes = &self.bytes;
        if bytes.len() > limit {
            return Some(format!("{} octets where {limit} are allowed", bytes.len()));
        }
        if bytes[..2] != request[..2] {
            return Some("another id".into());
        }
        if bytes[2] & 0xf9 != 0x80 | request[2] & 0x79 {
            return Some("QR is set, opcode and RD are the request's".into());
        }
        if bytes[3] & 0xf0 != 0 {
            return Some("RA, Z, AD and CD are clear in what an authoritative server says".into());
        }
        let end = 12 + question.name.as_ref().as_wire().len() + 4;
        if bytes[4..6] != [0, 1] || bytes.get(12..end) != request.get(12..end) {
            return Some("the question is not the one that was asked".into());
        }
        match (&self.opt, &question.edns) {
            (None, None) => {}
            (Some(opt), Some((_, _, flags, _))) => {
                if opt.version != 0 || opt.dnssec_ok != (flags & 0x8000 != 0) || opt.other_flags != 0 {
                    return Some("OPT has version 0, DO as asked and no other flag".into());
                }
            }
            _ => return Some("OPT is in the reply exactly when it is in the request".into()),
        }
        let records: Vec<_> = self.records().collect();
        for (i, rr) in records.iter().enumerate() {
            if records[..i].iter().any(|other| (&other.labels, other.rtype, &other.rdata) == (&rr.labels, rr.rtype, &rr.rdata)) {
                return Some(format!("{} {} is there twice", rr.owner, rr.rtype));
            }
            let dnssec = matches!(rr.rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3);
            let wanted = [rr.rtype, Rtype::ANY].contains(&question.rtype);
            if dnssec && !wanted && !self.opt.as_ref().is_some_and(|opt| opt.dnssec_ok) {
                return Some(format!("{} without DO", rr.rtype));
            }
        }
        for section in [&self.answer, &self.authority, &self.additional] {
            if let Some(problem) = uneven_ttls(section) {
                return Some(problem);
            }
        }
        None
    }

    /// One line of text: what an operator would look at.
    ///
    /// `#name` stands for the hash of a name, RRSIG is shown with the type it covers; TTLs are left out.
    pub fn show(&self, world: &World) -> String {
        let mut out = rcode_name(self.rcode);
        for (is, word) in [(self.authoritative, " aa"), (self.truncated, " tc")] {
            if is {
                out += word;
            }
        }
        for (name, section) in [("answer", &self.answer), ("auth", &self.authority), ("add", &self.additional)] {
            if section.is_empty() {
                continue;
            }
            out += &format!("\n  {name}:");
            for (i, rr) in section.iter().enumerate() {
                out += if i > 0 { " | " } else { " " };
                out += &rr.show(world);
            }
        }
        out
    }
}

/// RFC 2181 §5.2: the records of a set have one TTL.
fn uneven_ttls(section: &[Rr]) -> Option<String> {
    let set = |rr: &Rr| (rr.labels.clone(), rr.rtype, rr.covered());
    section.iter().enumerate().find_map(|(i, rr)| {
        let other = section[..i].iter().find(|other| set(other) == set(rr))?;
        (other.ttl != rr.ttl).then(|| format!("{} {} has TTLs {} and {}", rr.owner, rr.rtype, other.ttl, rr.ttl))
    })
}

fn option_bytes(option: &EdnsOption) -> Vec<u8> {
    let mut bytes = Vec::new();
    match option {
        EdnsOption::NSID(payload) => bytes.extend(payload.as_ref()),
        EdnsOption::Unknown(_, data) => bytes.extend(data),
        other => panic!("{other:?} is no option of ours"),
    }
    bytes
}

impl Rr {
    fn decode(record: &hickory_proto::rr::Record) -> Result<Self, String> {
        let mut wire = Vec::new();
        for label in record.name.iter() {
            wire.push(label.len() as u8);
            wire.extend(label);
        }
        wire.push(0);
        let owner = Name::from_wire(&wire).map_err(|error| error.to_string())?;
        let emit = |canonical: bool| {
            let mut bytes = Vec::new();
            let mut encoder = BinEncoder::new(&mut bytes);
            encoder.set_name_encoding(NameEncoding::Uncompressed);
            encoder.set_canonical_form(canonical);
            record.data.emit(&mut encoder).map_err(|error| error.to_string())?;
            Ok::<_, String>(bytes)
        };
        Ok(Self {
            labels: labels_of(&owner),
            owner,
            rtype: Rtype(record.record_type().into()),
            ttl: record.ttl,
            rdata: emit(false)?,
            canonical: emit(true)?,
        })
    }

    /// The type that a signature covers.
    pub fn covered(&self) -> Option<Rtype> {
        (self.rtype == Rtype::RRSIG).then(|| Rtype(u16::from_be_bytes([self.rdata[0], self.rdata[1]])))
    }

    fn show(&self, world: &World) -> String {
        match self.rtype {
            Rtype::RRSIG => format!("{} RRSIG {}", self.shown_owner(world), Rtype(u16::from_be_bytes([self.rdata[0], self.rdata[1]]))),
            Rtype::NSEC3 => {
                let mut words = format!("{} NSEC3", self.shown_owner(world));
                if self.rdata[1] & 1 != 0 {
                    words += "/opt-out";
                }
                let head = 5 + self.rdata[4] as usize;
                for rtype in saola::dns::rdata::bitmap_types(&self.rdata[head + 21..]) {
                    words += &format!(" {rtype}");
                }
                words
            }
            _ => {
                let mut text = Vec::new();
                master::write_rdata(self.rtype, &self.rdata, &mut text);
                format!("{} {} {}", self.owner, self.rtype, String::from_utf8_lossy(&text))
            }
        }
    }

    /// The owner; for a hash the name behind it.
    fn shown_owner(&self, world: &World) -> String {
        let hashed = self.rtype == Rtype::NSEC3 || self.covered() == Some(Rtype::NSEC3);
        let Some((label, apex)) = self.labels.split_last().filter(|_| hashed) else { return self.owner.to_string() };
        let apex = apex.to_vec();
        let params = world.records.iter().filter(|(a, _)| *a == apex).find_map(|(_, records)| {
            let params = records.rrsets().find(|set| set.rtype() == Rtype::NSEC3PARAM)?;
            params.rdata().next().map(<[u8]>::to_vec)
        });
        let Some(params) = params else { return self.owner.to_string() };
        let hash = |name: &Labels| crate::proof::hash_label(&wire(name), &params[5..], u16::from_be_bytes([params[2], params[3]]));
        let name = world.preimages(&apex).into_iter().find(|name| hash(name) == *label);
        name.map_or_else(|| self.owner.to_string(), |name| format!("#{}", text(&name)))
    }
}

fn rcode_name(rcode: u16) -> String {
    let name = match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        9 => "NOTAUTH",
        16 => "BADVERS",
        other => return format!("RCODE{other}"),
    };
    name.into()
}
