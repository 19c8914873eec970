//! Master files: text to records and back (RFC 1035 §5, RFC 2308 §4, RFC 3597 §5).
//!
//! [`scan`] is strict: the first thing that is wrong ends it, with file, line and column. Knows no zone:
//! whether the records make one is `zone::check`'s question. Opens no file but in [`read_file`] and [`read_text`].
//!
//! Choices where software differs:
//! - A record without TTL takes `$TTL`; without `$TTL` the last TTL written (RFC 1035 §5.1); a SOA without
//!   either takes its own minimum field, for itself and for what follows, as BIND does; otherwise it is an error.
//! - A TTL above 2^31-1 is an error (RFC 2181 §8 would read it as 0, which nobody who wrote it meant).
//! - A quoted string ends on its line. Text beyond ASCII may stand in strings, not in names.
//! - `$TTL` goes on behind an `$INCLUDE`; origin and owner come back as they were (RFC 1035 §5.1).
//! - An `$INCLUDE` path is relative to the folder of the file that it stands in.

mod apl;
mod cursor;
mod digits;
mod fields;
mod file;
mod gateway;
mod generate;
mod loc;
mod read;
mod scan;
mod stream;
mod svcb;
mod write;

use std::fmt;

use super::name::{Name, NameError, NameRef};
use super::rtype::Rtype;

pub use file::{MAX_FILE, read_file, read_file_stamped, read_text, stream_file};
pub use scan::{Include, beside, parse_rdata, scan};
pub use stream::stream;
pub use write::{write, write_name, write_rdata, write_record};

/// How to scan, and the bounds of it.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// What relative names are relative to, until `$ORIGIN` says otherwise.
    pub origin: NameRef<'a>,
    /// As if `$TTL` stood in front of the text, in seconds.
    pub default_ttl: Option<u32>,
    /// How deep `$INCLUDE` may nest.
    pub max_depth: usize,
    /// How many `$INCLUDE` there may be in all: nested ones multiply.
    pub max_includes: usize,
    /// How many records all `$GENERATE` may make together.
    pub max_generated: usize,
    /// How many octets of text all `$GENERATE` may make together: one short line can ask for gigabytes.
    pub max_generated_octets: usize,
    /// How many records there may be in all.
    pub max_records: usize,
}

impl<'a> Options<'a> {
    /// The usual bounds: 8 deep, 4,096 `$INCLUDE`, 2^20 generated records of 128 MiB of text, 2^27 records.
    pub fn new(origin: NameRef<'a>) -> Self {
        // Our choice: a /12 of reverse names by $GENERATE, ten times the zone we plan for in all.
        Self {
            origin,
            default_ttl: None,
            max_depth: 8,
            max_includes: 4096,
            max_generated: 1 << 20,
            max_generated_octets: 128 << 20,
            max_records: 1 << 27,
        }
    }
}

/// What is wrong in a master file and where.
///
/// `Display` is one line, `file:line:column: owner type: what is wrong`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterError {
    /// The file, as it was named to the scanner.
    pub file: String,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The owner of the record, where it was known.
    pub owner: Option<Name>,
    /// The type of the record, where it was known.
    pub rtype: Option<Rtype>,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for MasterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        match (&self.owner, self.rtype) {
            (Some(owner), Some(rtype)) => write!(f, ": {owner} {rtype}: ")?,
            (Some(owner), None) => write!(f, ": {owner}: ")?,
            (None, _) => f.write_str(": ")?,
        }
        fmt::Display::fmt(&self.reason, f)
    }
}

impl std::error::Error for MasterError {}

impl MasterError {
    /// The place alone, without a word of the file.
    fn without_text(self) -> Self {
        Self { owner: None, rtype: None, reason: Reason::NotShown, ..self }
    }
}

/// What can be wrong in a master file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Something else stands where a certain thing has to.
    Expected {
        /// What has to stand there.
        what: &'static str,
        /// What stands there.
        found: String,
    },
    /// The entry ends where a certain thing has to stand.
    Missing {
        /// What has to stand there.
        what: &'static str,
    },
    /// More text than the entry takes.
    Extra(String),
    /// A name breaks a limit.
    Name {
        /// The name as written.
        found: String,
        /// The limit.
        error: NameError,
    },
    /// A string of more than 255 octets.
    StringTooLong,
    /// RDATA of more than 65,535 octets.
    RdataTooLong,
    /// The octets or fields contradict each other; says how.
    Rule(&'static str),
    /// A type that is none.
    UnknownType(String),
    /// A type that no zone holds (RFC 6895 §3.1).
    MetaType(Rtype),
    /// A type whose text we do not know.
    OnlyUnknownForm(Rtype),
    /// A class other than IN.
    Class(String),
    /// No owner before the first record.
    NoOwner,
    /// No TTL on the record and none to take over.
    NoTtl,
    /// A directive that is none.
    UnknownDirective(String),
    /// The `(` there is never closed.
    OpenParenthesis,
    /// A `)` without `(`.
    LoneParenthesis,
    /// The quote there is not closed on its line.
    OpenQuote,
    /// A quote inside a word, or a word right behind a quote.
    QuoteInWord,
    /// An octet that has to be escaped.
    Octet(u8),
    /// A backslash followed by no character and no three digits up to 255.
    BadEscape,
    /// The file is no single-octet text.
    Utf16,
    /// `$INCLUDE` of a file that could not be read.
    Include {
        /// The path as written.
        path: String,
        /// Why.
        error: String,
    },
    /// The file could not be read; says why.
    Unreadable(String),
    /// Something is wrong in an included file whose text is not for everybody.
    NotShown,
    /// A file includes itself, by itself or through others.
    IncludeLoop(String),
    /// A bound of [`Options`] is reached.
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// In the record that `$GENERATE` made of a number.
    Generated {
        /// The number.
        number: i64,
        /// What is wrong with the record.
        reason: Box<Reason>,
    },
    /// More than 4 GiB of records.
    Full,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected { what, found } => write!(f, "'{found}' is not {what}"),
            Self::Missing { what } => write!(f, "the record ends where {what} is expected"),
            Self::Extra(found) => write!(f, "'{found}' stands behind the end of the data"),
            Self::Name { found, error } => write!(f, "'{found}' is not a name: {error}"),
            Self::StringTooLong => f.write_str("a string has more than 255 octets; split it into several"),
            Self::RdataTooLong => f.write_str("the data has more than 65535 octets"),
            Self::Rule(text) => f.write_str(text),
            Self::UnknownType(found) => write!(f, "'{found}' is not a record type; unknown ones are written TYPEnnn"),
            Self::MetaType(rtype) => write!(f, "{rtype} is not a type that a zone can hold"),
            Self::OnlyUnknownForm(rtype) => write!(f, r"the data of {rtype} must be written as \# length hex"),
            Self::Class(found) => write!(f, "class {found}: only class IN is served"),
            Self::NoOwner => f.write_str("the line begins with a blank, but there is no owner to take over"),
            Self::NoTtl => f.write_str("no TTL: write one here, or $TTL above"),
            Self::UnknownDirective(found) => write!(f, "'{found}' is none of $ORIGIN, $TTL, $INCLUDE, $GENERATE"),
            Self::OpenParenthesis => f.write_str("this parenthesis is not closed"),
            Self::LoneParenthesis => f.write_str("this parenthesis was not opened"),
            Self::OpenQuote => f.write_str("this quote is not closed on its line"),
            Self::QuoteInWord => f.write_str("a quote within a word: put a blank between them or escape it"),
            Self::Octet(octet @ 0x80..) => write!(f, "octet {octet} in a name: write the A-label (xn--...) or \\{octet:03}"),
            Self::Octet(b'\r') => f.write_str("a carriage return without a line feed"),
            Self::Octet(octet) => write!(f, "control octet {octet}: write it as \\{octet:03}"),
            Self::BadEscape => f.write_str("a backslash must be followed by a character or by three digits up to 255"),
            Self::Utf16 => f.write_str("the file is UTF-16; save it as UTF-8"),
            Self::Include { path, error } => write!(f, "cannot include '{path}': {error}"),
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::NotShown => f.write_str("not a master file from here on; the text is not shown, as not everybody may read the file"),
            Self::IncludeLoop(path) => write!(f, "'{path}' includes itself"),
            Self::TooMany { what, most } => write!(f, "more than {most} {what}"),
            Self::Generated { number, reason } => write!(f, "$GENERATE at {number}: {reason}"),
            Self::Full => f.write_str("more than 4 GiB of records"),
        }
    }
}

/// Something wrong at an offset of the text; small on the road that is not taken.
#[derive(Debug)]
struct Fault {
    at: usize,
    reason: Reason,
}

type Parse<T> = Result<T, Box<Fault>>;

#[cold]
fn fault<T>(at: usize, reason: Reason) -> Parse<T> {
    Err(Box::new(Fault { at, reason }))
}

/// The start of a word, for messages; control characters never reach a terminal through one.
fn shown(raw: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(&raw[..raw.len().min(60)]).chars() {
        match c.is_control() {
            true => text.extend(c.escape_default()),
            false => text.push(c),
        }
    }
    if raw.len() > 60 { text + "..." } else { text }
}
