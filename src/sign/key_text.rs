//! The text of BIND's key files: `.key` (a DNSKEY in presentation form) and `.private` (format v1.3, v1.2 read too).
//!
//! Knows no file: text in, text out. Timing metadata is read from the private text and written to both.

use std::fmt;
use std::fmt::Write as _;

use data_encoding::BASE64;

use super::key::{Key, KeyError, PRIVATE_FIELD, RSA_FIELDS, SEP, Timing, ZONE};
use super::{Algorithm, dnskey};
use crate::dns::{Name, UnixTime};

/// What is wrong with the text of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTextError {
    /// The `.key` text holds no DNSKEY record.
    NoDnskey,
    /// The `.key` text is broken; says where.
    Dnskey(&'static str),
    /// Flags other than 256 and 257 (a revoked key is 384 or 385).
    Flags(u16),
    /// An algorithm that does not sign here.
    Algorithm(u8),
    /// The private text is of another format version.
    Format(String),
    /// A line of the private text (counted from 1) is broken.
    Line(usize),
    /// The private text lacks this field.
    Missing(&'static str),
    /// Public and private text name different algorithms.
    AlgorithmsDiffer(u8, String),
    /// The parts make no key.
    Key(KeyError),
}

impl fmt::Display for KeyTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDnskey => f.write_str("the public text holds no DNSKEY record"),
            Self::Dnskey(what) => write!(f, "the DNSKEY record has {what}"),
            Self::Flags(flags) => write!(f, "a key with flags {flags} does not sign here, only 256 (ZSK) and 257 (KSK, CSK)"),
            Self::Algorithm(number) => write!(f, "algorithm {number} does not sign here, only 8, 13, 14 and 15"),
            Self::Format(text) => write!(f, "the private text has format '{text}', v1.2 and v1.3 are understood"),
            Self::Line(line) => write!(f, "line {line} of the private text is broken"),
            Self::Missing(field) => write!(f, "the private text lacks '{field}'"),
            Self::AlgorithmsDiffer(public, private) => {
                write!(f, "the public text is of algorithm {public}, the private text of {private}")
            }
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyTextError {}

impl Key {
    /// Reads a key from the texts of its `.key` and `.private` files.
    ///
    /// The two must belong together; fields and metadata that are not known are kept for [`Self::private_text`].
    ///
    /// # Errors
    /// [`KeyTextError`].
    pub fn from_text(public: &str, private: &str) -> Result<Self, KeyTextError> {
        let record = DnskeyText::read(public)?;
        if record.flags & !SEP != ZONE {
            return Err(KeyTextError::Flags(record.flags));
        }
        let algorithm = Algorithm::from_number(record.algorithm).ok_or(KeyTextError::Algorithm(record.algorithm))?;

        let mut fields: Vec<(&'static str, Vec<u8>)> = Vec::new();
        let mut timing = Timing::default();
        let mut format = None;
        let mut named = None;
        for (i, line) in private.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(';') {
                continue;
            }
            let broken = || KeyTextError::Line(i + 1);
            let (field, value) = line.split_once(':').ok_or_else(broken)?;
            let value = value.trim();
            if let Some(name) = RSA_FIELDS.into_iter().chain([PRIVATE_FIELD]).find(|name| *name == field) {
                fields.push((name, BASE64.decode(value.as_bytes()).map_err(|_| broken())?));
                continue;
            }
            match field {
                "Private-key-format" => format = Some(value),
                "Algorithm" => named = Some(value),
                _ => match timing.slot(field) {
                    Some(slot) => *slot = Some(UnixTime::parse_rrsig(value.as_bytes()).ok_or_else(broken)?),
                    None => timing.other.push((field.to_owned(), value.to_owned())),
                },
            }
        }
        let format = format.ok_or(KeyTextError::Missing("Private-key-format"))?;
        if !matches!(format, "v1.2" | "v1.3") {
            return Err(KeyTextError::Format(format.to_owned()));
        }
        let named = named.ok_or(KeyTextError::Missing("Algorithm"))?;
        let number = named.split_whitespace().next().and_then(|number| number.parse().ok());
        if number != Some(record.algorithm) {
            return Err(KeyTextError::AlgorithmsDiffer(record.algorithm, named.to_owned()));
        }
        let needed = if algorithm == Algorithm::RsaSha256 { &RSA_FIELDS[..] } else { &[PRIVATE_FIELD] };
        for &field in needed {
            if !fields.iter().any(|(name, _)| *name == field) {
                return Err(KeyTextError::Missing(field));
            }
        }
        let mut key =
            Self::from_parts(record.owner.as_ref(), record.flags, algorithm, &record.public, fields).map_err(KeyTextError::Key)?;
        key.timing = timing;
        key.ttl = record.ttl;
        Ok(key)
    }

    /// The text of the `.key` file.
    pub fn public_text(&self) -> String {
        let kind = if self.is_sep() { "key" } else { "zone" };
        let mut text = format!("; This is a {kind}-signing key, keyid {}, for {}\n", self.tag(), self.zone());
        for (name, time) in self.timing.lines() {
            let _ = writeln!(text, "; {name}: {} ({time})", time.to_rrsig());
        }
        let _ = write!(text, "{} ", self.zone());
        if let Some(ttl) = self.ttl {
            let _ = write!(text, "{ttl} ");
        }
        let _ = writeln!(text, "IN DNSKEY {} 3 {} {}", self.flags(), self.algorithm().number(), BASE64.encode(&self.dnskey()[4..]));
        text
    }

    /// The text of the `.private` file: a secret.
    pub fn private_text(&self) -> String {
        let mut text = format!("Private-key-format: v1.3\nAlgorithm: {} ({})\n", self.algorithm().number(), self.algorithm());
        for (name, value) in self.fields() {
            let _ = writeln!(text, "{name}: {}", BASE64.encode(value));
        }
        for (name, time) in self.timing.lines() {
            let _ = writeln!(text, "{name}: {}", time.to_rrsig());
        }
        for (name, value) in &self.timing.other {
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }
}

impl Timing {
    fn slot(&mut self, field: &str) -> Option<&mut Option<UnixTime>> {
        Some(match field {
            "Created" => &mut self.created,
            "Publish" => &mut self.publish,
            "Activate" => &mut self.activate,
            "Inactive" => &mut self.inactive,
            "Delete" => &mut self.delete,
            "SyncPublish" => &mut self.sync_publish,
            "SyncDelete" => &mut self.sync_delete,
            _ => return None,
        })
    }

    /// The times that are set, with BIND's names.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, UnixTime)> {
        [
            ("Created", self.created),
            ("Publish", self.publish),
            ("Activate", self.activate),
            ("Inactive", self.inactive),
            ("Delete", self.delete),
            ("SyncPublish", self.sync_publish),
            ("SyncDelete", self.sync_delete),
        ]
        .into_iter()
        .filter_map(|(name, time)| Some((name, time?)))
    }
}

/// A DNSKEY record in presentation form, as it stands in a `.key` file or a trust anchor.
pub struct DnskeyText {
    /// The owner: the zone.
    pub owner: Name,
    /// The TTL, where given.
    pub ttl: Option<u32>,
    flags: u16,
    algorithm: u8,
    public: Vec<u8>,
}

impl DnskeyText {
    /// Reads the first DNSKEY record of `text`; comments and parentheses are understood.
    ///
    /// # Errors
    /// Says which part is missing or broken.
    pub fn read(text: &str) -> Result<Self, KeyTextError> {
        let mut tokens: Vec<&str> = Vec::new();
        for line in text.lines() {
            // An escaped semicolon is part of the name.
            let end = line.match_indices(';').map(|(at, _)| at).find(|&at| !line[..at].ends_with('\\')).unwrap_or(line.len());
            tokens.extend(line[..end].split(|c: char| c.is_whitespace() || c == '(' || c == ')').filter(|token| !token.is_empty()));
        }
        let mut tokens = tokens.into_iter();
        let owner = tokens.next().ok_or(KeyTextError::NoDnskey)?;
        let owner = Name::parse(owner).map_err(|_| KeyTextError::Dnskey("a broken owner name"))?;
        let mut ttl = None;
        loop {
            match tokens.next() {
                Some(token) if token.eq_ignore_ascii_case("DNSKEY") => break,
                Some(token) if token.eq_ignore_ascii_case("IN") => {}
                Some(token) if ttl.is_none() && token.parse::<u32>().is_ok() => ttl = token.parse().ok(),
                _ => return Err(KeyTextError::NoDnskey),
            }
        }
        let mut number = |what| tokens.next().and_then(|token| token.parse::<u16>().ok()).ok_or(KeyTextError::Dnskey(what));
        let flags = number("broken flags")?;
        if number("a broken protocol")? != 3 {
            return Err(KeyTextError::Dnskey("a protocol other than 3"));
        }
        let algorithm = u8::try_from(number("a broken algorithm")?).map_err(|_| KeyTextError::Dnskey("a broken algorithm"))?;
        let text: String = tokens.collect();
        let public = BASE64.decode(text.as_bytes()).map_err(|_| KeyTextError::Dnskey("a broken public key"))?;
        if public.is_empty() {
            return Err(KeyTextError::Dnskey("no public key"));
        }
        Ok(Self { owner, ttl, flags, algorithm, public })
    }

    /// The RDATA.
    pub fn rdata(&self) -> Vec<u8> {
        let mut rdata = self.flags.to_be_bytes().to_vec();
        rdata.extend_from_slice(&[3, self.algorithm]);
        rdata.extend_from_slice(&self.public);
        rdata
    }

    /// The key tag.
    pub fn tag(&self) -> u16 {
        dnskey::key_tag(&self.rdata())
    }
}
