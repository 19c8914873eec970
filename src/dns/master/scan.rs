//! Entries of a master file, one after the other: directives and records (RFC 1035 §5.1, RFC 2308 §4).
//!
//! Opens no file: the caller gives the bytes of what is included.

use std::ops::Range;

use super::cursor::{Cursor, Word, append_unescaped};
use super::generate::Pattern;
use super::read::{self, Scratch};
use super::{Fault, MasterError, Options, Parse, Reason, digits, fault, shown};
use crate::dns::name::{Name, NameRef};
use crate::dns::records::Records;
use crate::dns::rtype::{Class, Rtype};

/// The largest TTL (RFC 2181 §8).
const MAX_TTL: u32 = i32::MAX as u32;

/// Gives the bytes of an included file: asked with the path as written and the name of the file that includes.
pub type Include<'a> = dyn FnMut(&str, &str) -> Result<Vec<u8>, String> + 'a;

/// Reads all records of the master file `text`, in their order.
///
/// `file` names it in errors. `include` gives the bytes of an `$INCLUDE`; [`beside`] puts its two arguments together.
///
/// Cost: one pass, no allocation a record.
///
/// # Errors
/// The first thing that is wrong.
pub fn scan(text: &[u8], file: &str, options: &Options<'_>, include: &mut Include<'_>) -> Result<Records, MasterError> {
    // Lines of a delegation have 50 octets and more.
    let mut scanner = Scanner::new(options, include, Records::with_capacity((text.len() / 48).min(1 << 24)), None);
    scanner.file(text, file, &mut Place::new(options.origin))?;
    Ok(scanner.records)
}

/// Reads the data of one record from its text, as tests and tools have it.
///
/// # Errors
/// What is wrong; the file is named `data`.
pub fn parse_rdata(rtype: Rtype, text: &str, origin: NameRef<'_>) -> Result<Vec<u8>, MasterError> {
    let mut cur = Cursor::new(text.as_bytes());
    let mut out = Vec::new();
    read::rdata(rtype, &mut cur, origin, &mut Scratch::default(), &mut out)
        .and_then(|()| match cur.more()? {
            true => cur.end(),
            false => Ok(()),
        })
        .map_err(|fault| placed(*fault, text.as_bytes(), "data", None, Some(rtype)))?;
    Ok(out)
}

/// `path` as seen from the folder of the file `from`.
pub fn beside(path: &str, from: &str) -> String {
    match from.rfind('/') {
        Some(at) if !path.starts_with('/') => format!("{}{path}", &from[..=at]),
        _ => path.to_owned(),
    }
}

/// What takes records away when many are together; false when there is no going on.
pub(super) type Sink<'a> = dyn FnMut(&mut Records) -> bool + 'a;

pub(super) struct Scanner<'s> {
    records: Records,
    sink: Option<&'s mut Sink<'s>>,
    /// Records that were taken away.
    n_taken: usize,
    options: &'s Options<'s>,
    include: &'s mut Include<'s>,
    /// `$TTL`, or what stands for it.
    default_ttl: Option<u32>,
    /// The last TTL written on a record.
    last_ttl: Option<u32>,
    n_includes: usize,
    n_generated: usize,
    n_generated_octets: usize,
    /// The files being read, outermost first.
    files: Vec<String>,
    scratch: Scratch,
    rdata: Vec<u8>,
    subject: Subject,
    /// Heads of records that were read, each with its text from the blank in front of it to the blank behind it.
    heads: [Option<(Box<[u8]>, Head)>; HEADS],
    last_head: usize,
}

/// How many records are together before a sink gets them: few enough to stay near the processor.
const TOGETHER: usize = 4096;

/// How many heads of records are remembered: those of the types and TTLs that take turns.
const HEADS: usize = 8;

/// What stands between the owner and the data of a record.
#[derive(Clone, Copy)]
struct Head {
    ttl: Option<u32>,
    rtype: Rtype,
    /// Where the type stands in it.
    type_at: usize,
}

/// What an error would be about.
#[derive(Clone, Copy)]
enum Subject {
    Nothing,
    Owner,
    Record(Rtype),
}

/// What changes from line to line and comes back after an `$INCLUDE`.
pub(super) struct Place {
    origin: Name,
    /// The last owner in wire form; empty before the first.
    owner: Vec<u8>,
    /// Where its text stands, as long as the same text in this file is the same name.
    owner_text: Range<usize>,
}

impl Place {
    pub(super) fn new(origin: NameRef<'_>) -> Self {
        Self { origin: origin.to_owned(), owner: Vec::with_capacity(256), owner_text: 0..0 }
    }

    fn owner(&self) -> Option<NameRef<'_>> {
        NameRef::from_wire(&self.owner).ok()
    }
}

/// What the caller of an entry has left to do.
pub(super) enum Step {
    Done,
    Include { path: String, at: usize, origin: Name },
}

/// What the meaning of a part depends on that stands in front of it.
#[derive(PartialEq, Eq)]
pub(super) struct Bearings {
    origin: Name,
    default_ttl: Option<u32>,
}

/// A part that was read without what stands in front of it.
pub(super) struct Ahead {
    records: Records,
    place: Place,
    last_ttl: Option<u32>,
}

impl Ahead {
    /// Reads a part of a master file, whole lines of it, that begins with an owner. `None` where that cannot be done, because it has an
    /// error, a directive, a record without TTL, or ends within an entry.
    pub(super) fn read(text: &[u8], bearings: &Bearings, options: &Options<'_>) -> Option<Self> {
        if text.first() == Some(&b'$') || memchr::memmem::find(text, b"\n$").is_some() {
            return None;
        }
        let options = Options { default_ttl: bearings.default_ttl, ..options.clone() };
        let include: &mut Include<'_> = &mut |_, _| Err(String::new());
        let mut scanner = Scanner::new(&options, include, Records::with_capacity(text.len() / 48), None);
        let mut place = Place::new(bearings.origin.as_ref());
        scanner.part(text, &mut place)?;
        // A SOA may have given one.
        let stayed = scanner.default_ttl == bearings.default_ttl;
        stayed.then_some(Self { last_ttl: scanner.last_ttl, records: scanner.records, place })
    }
}

impl<'s> Scanner<'s> {
    pub(super) fn new(options: &'s Options<'s>, include: &'s mut Include<'s>, records: Records, sink: Option<&'s mut Sink<'s>>) -> Self {
        Self {
            records,
            sink,
            n_taken: 0,
            options,
            include,
            default_ttl: options.default_ttl,
            last_ttl: None,
            n_includes: 0,
            n_generated: 0,
            n_generated_octets: 0,
            files: Vec::new(),
            scratch: Scratch::default(),
            rdata: Vec::with_capacity(512),
            subject: Subject::Nothing,
            heads: Default::default(),
            last_head: 0,
        }
    }

    fn file(&mut self, text: &[u8], file: &str, place: &mut Place) -> Result<(), MasterError> {
        if text.starts_with(b"\xfe\xff") || text.starts_with(b"\xff\xfe") {
            return Err(placed(Fault { at: 0, reason: Reason::Utf16 }, text, file, None, None));
        }
        // A byte order mark of UTF-8 says nothing that matters here.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        self.files.push(file.to_owned());
        let mut cur = Cursor::new(text);
        while cur.peek().is_some() {
            self.subject = Subject::Nothing;
            let step = self.entry(&mut cur, place).map_err(|fault| self.placed(*fault, text, file, place))?;
            if let Step::Include { path, at, origin } = step {
                let refused = |reason| placed(Fault { at, reason }, text, file, None, None);
                let name = beside(&path, file);
                if self.files.contains(&name) {
                    return Err(refused(Reason::IncludeLoop(path)));
                }
                if self.files.len() > self.options.max_depth {
                    return Err(refused(Reason::TooMany { what: "levels of $INCLUDE", most: self.options.max_depth }));
                }
                self.n_includes += 1;
                if self.n_includes > self.options.max_includes {
                    return Err(refused(Reason::TooMany { what: "$INCLUDE in all", most: self.options.max_includes }));
                }
                let included = (self.include)(&path, file).map_err(|error| refused(Reason::Include { path, error }))?;
                let mut inner = Place { origin, owner: place.owner.clone(), owner_text: 0..0 };
                self.file(&included, &name, &mut inner)?;
            }
        }
        self.files.pop();
        Ok(())
    }

    fn placed(&self, fault: Fault, text: &[u8], file: &str, place: &Place) -> MasterError {
        let (owner, rtype) = match self.subject {
            Subject::Nothing => (None, None),
            Subject::Owner => (place.owner(), None),
            Subject::Record(rtype) => (place.owner(), Some(rtype)),
        };
        placed(fault, text, file, owner, rtype)
    }

    /// Gives the sink what is together; false when there is no going on.
    pub(super) fn flush(&mut self) -> bool {
        let Some(sink) = &mut self.sink else { return true };
        self.n_taken += self.records.len();
        let goes_on = self.records.is_empty() || sink(&mut self.records);
        self.records.clear();
        goes_on
    }

    /// Reads a part of a master file, whole lines of it. `None` where it has an error, an `$INCLUDE`, or ends within an entry.
    pub(super) fn part(&mut self, text: &[u8], place: &mut Place) -> Option<()> {
        place.owner_text = 0..0;
        let mut cur = Cursor::new(text);
        while cur.peek().is_some() {
            let Ok(Step::Done) = self.entry(&mut cur, place) else { return None };
        }
        Some(())
    }

    /// What a part that begins here depends on, if it begins with an owner and every record in it has a TTL.
    pub(super) fn bearings(&self, place: &Place) -> Bearings {
        Bearings { origin: place.origin.clone(), default_ttl: self.default_ttl }
    }

    /// Gives the sink a part that was read ahead from where things stand now; `None` when there is no going on.
    pub(super) fn adopt(&mut self, mut part: Ahead, place: &mut Place) -> Option<()> {
        if !self.flush() || self.n_taken + part.records.len() > self.options.max_records {
            return None;
        }
        std::mem::swap(&mut self.records, &mut part.records);
        *place = part.place;
        self.last_ttl = part.last_ttl.or(self.last_ttl);
        self.flush().then_some(())
    }

    pub(super) fn entry(&mut self, cur: &mut Cursor<'_>, place: &mut Place) -> Parse<Step> {
        if cur.peek() == Some(b'$') {
            return self.directive(cur, place);
        }
        let takes_over = cur.is_at_blank();
        if cur.more()? {
            self.record(cur, place, takes_over)?;
        }
        cur.end()?;
        Ok(Step::Done)
    }

    /// `[owner] [ttl] [class] type data`, TTL and class in either order.
    fn record(&mut self, cur: &mut Cursor<'_>, place: &mut Place, takes_over: bool) -> Parse<()> {
        if !takes_over {
            // Most names have several records, one after the other.
            if !cur.repeats(&place.owner_text) {
                place.owner.clear();
                cur.name(place.origin.as_ref(), "an owner name", &mut place.owner).inspect_err(|_| place.owner.clear())?;
                place.owner_text = cur.start()..cur.offset();
            }
        } else if place.owner.is_empty() {
            return fault(cur.offset(), Reason::NoOwner);
        }
        self.subject = Subject::Owner;
        let Head { ttl, rtype, .. } = self.head(cur)?;
        self.subject = Subject::Record(rtype);
        let type_at = cur.start();
        read::rdata(rtype, cur, place.origin.as_ref(), &mut self.scratch, &mut self.rdata)?;
        let ttl = match ttl {
            Some(ttl) => {
                self.last_ttl = Some(ttl);
                ttl
            }
            None => self.ttl_for(rtype, type_at)?,
        };
        let Some(owner) = place.owner() else { return fault(type_at, Reason::NoOwner) };
        if self.sink.is_some() && self.records.len() >= TOGETHER && self.records.last_owner() != Some(owner) && !self.flush() {
            return fault(type_at, Reason::Full);
        }
        if self.n_taken + self.records.len() >= self.options.max_records {
            return fault(type_at, Reason::TooMany { what: "records", most: self.options.max_records });
        }
        match self.records.push(owner, rtype, ttl, &self.rdata) {
            Ok(()) => Ok(()),
            Err(_) => fault(type_at, Reason::Full),
        }
    }

    /// What stands between owner and data. The few that a file has are known by their text once they were read.
    fn head(&mut self, cur: &mut Cursor<'_>) -> Parse<Head> {
        for i in (0..HEADS).map(|i| (self.last_head + i) % HEADS) {
            if let Some((words, head)) = &self.heads[i]
                && cur.skips(words, head.type_at)
            {
                self.last_head = i;
                return Ok(*head);
            }
        }
        let from = cur.offset();
        let (ttl, rtype) = read_head(cur)?;
        let head = Head { ttl, rtype, type_at: cur.start() - from };
        if let Some(words) = cur.plain_words(from) {
            self.last_head = (self.last_head + 1) % HEADS;
            self.heads[self.last_head] = Some((words.into(), head));
        }
        Ok(head)
    }

    /// The TTL of a record that has none; its data stands in `self.rdata`.
    fn ttl_for(&mut self, rtype: Rtype, at: usize) -> Parse<u32> {
        if let Some(ttl) = self.default_ttl {
            return Ok(ttl);
        }
        if let (Rtype::SOA, Some(minimum)) = (rtype, self.rdata.last_chunk::<4>()) {
            let ttl = u32::from_be_bytes(*minimum);
            if ttl > MAX_TTL {
                return fault(at, Reason::Rule("the minimum stands for the TTL here, which is at most 2147483647"));
            }
            self.default_ttl = Some(ttl);
            return Ok(ttl);
        }
        match self.last_ttl {
            Some(ttl) => Ok(ttl),
            None => fault(at, Reason::NoTtl),
        }
    }

    fn directive(&mut self, cur: &mut Cursor<'_>, place: &mut Place) -> Parse<Step> {
        let word = cur.plain("a directive")?;
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("$ORIGIN") {
            place.origin = read_origin(cur, place.origin.as_ref())?;
            place.owner_text = 0..0;
        } else if is("$TTL") {
            self.default_ttl = Some(read_ttl(cur)?);
        } else if is("$INCLUDE") {
            let mut path = Vec::new();
            match cur.word("the path of a file")? {
                Word::Plain(raw) | Word::Quoted(raw) => append_unescaped(raw, &mut path),
            }
            let at = cur.start();
            let Ok(path) = String::from_utf8(path) else { return cur.expected("a path in UTF-8") };
            let origin = match cur.more()? {
                true => read_origin(cur, place.origin.as_ref())?,
                false => place.origin.clone(),
            };
            cur.end()?;
            return Ok(Step::Include { path, at, origin });
        } else if is("$GENERATE") {
            self.generate(cur, place)?;
        } else {
            return fault(cur.start(), Reason::UnknownDirective(shown(word)));
        }
        cur.end()?;
        Ok(Step::Done)
    }

    /// Makes the records of `$GENERATE`, each from text of its own; an error points to the directive.
    fn generate(&mut self, cur: &mut Cursor<'_>, place: &mut Place) -> Parse<()> {
        let directive_at = cur.start();
        let pattern = Pattern::read(cur)?;
        let mut line = Vec::new();
        for number in pattern.numbers() {
            self.subject = Subject::Nothing;
            self.n_generated += 1;
            if self.n_generated > self.options.max_generated {
                return fault(directive_at, Reason::TooMany { what: "records by $GENERATE", most: self.options.max_generated });
            }
            line.clear();
            place.owner_text = 0..0;
            let made = match pattern.line(number, &mut line) {
                Ok(()) => {
                    self.n_generated_octets += line.len();
                    let most = self.options.max_generated_octets;
                    if self.n_generated_octets > most {
                        return fault(directive_at, Reason::TooMany { what: "octets by $GENERATE", most });
                    }
                    let mut inner = Cursor::new(&line);
                    self.record(&mut inner, place, false).and_then(|()| inner.end())
                }
                Err(text) => fault(0, Reason::Rule(text)),
            };
            if let Err(inner) = made {
                return fault(directive_at, Reason::Generated { number, reason: Box::new(inner.reason) });
            }
        }
        place.owner_text = 0..0;
        Ok(())
    }
}

fn placed(fault: Fault, text: &[u8], file: &str, owner: Option<NameRef<'_>>, rtype: Option<Rtype>) -> MasterError {
    let (line, column) = Cursor::line_column(text, fault.at);
    MasterError { file: file.to_owned(), line, column, owner: owner.map(NameRef::to_owned), rtype, reason: fault.reason }
}

/// `[ttl] [class] type`.
fn read_head(cur: &mut Cursor<'_>) -> Parse<(Option<u32>, Rtype)> {
    let (mut ttl, mut class) = (None, false);
    let rtype = loop {
        cur.more()?;
        match cur.peek() {
            Some(b'0'..=b'9') if ttl.is_none() => ttl = Some(read_ttl(cur)?),
            Some(b'I' | b'i' | b'C' | b'c' | b'H' | b'h' | b'A' | b'a' | b'N' | b'n') if !class => match class_or_type(cur)? {
                None => class = true,
                Some(rtype) => break rtype,
            },
            _ => break read::rtype(cur)?,
        }
    };
    if rtype.is_meta() {
        return fault(cur.start(), Reason::MetaType(rtype));
    }
    Ok((ttl, rtype))
}

/// A TTL of up to 2^31-1, units allowed.
fn read_ttl(cur: &mut Cursor<'_>) -> Parse<u32> {
    const WHAT: &str = "a TTL: seconds up to 2147483647, or with units like 1d12h";
    let raw = cur.plain(WHAT)?;
    match digits::period(raw) {
        Some(ttl) if ttl <= MAX_TTL => Ok(ttl),
        _ => cur.expected(WHAT),
    }
}

fn read_origin(cur: &mut Cursor<'_>, origin: NameRef<'_>) -> Parse<Name> {
    let mut wire = Vec::new();
    cur.name(origin, "a name", &mut wire)?;
    match Name::from_wire(&wire) {
        Ok(name) => Ok(name),
        Err(_) => cur.expected("a name"),
    }
}

/// A word that is the class IN (`None`) or a type; another class is an error.
fn class_or_type(cur: &mut Cursor<'_>) -> Parse<Option<Rtype>> {
    const NS: &[u8] = b"NS";
    let before = cur.mark();
    let raw = cur.plain("a record type")?;
    match raw {
        b"IN" => return Ok(None),
        NS | b"A" | b"AAAA" | b"NSEC3" => {}
        // ANY is a class and a type; as either it is refused, but as a type the message says more.
        _ if raw.eq_ignore_ascii_case(b"ANY") => {}
        _ => {
            if let Some(class) = std::str::from_utf8(raw).ok().and_then(|text| text.parse::<Class>().ok()) {
                return match class {
                    Class::IN => Ok(None),
                    _ => fault(cur.start(), Reason::Class(class.to_string())),
                };
            }
        }
    }
    cur.go_back(before);
    read::rtype(cur).map(Some)
}
