//! `deposit.toml`: what kind of deposit this is, what it holds, and how its files are recognised.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;

use super::refusal::{DepositError, Reason};
use crate::dns::UnixTime;

/// The name of the header's file.
pub(super) const HEADER_FILE: &str = "deposit.toml";

/// How a deposit relates to those before it (RFC 8909 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DepositKind {
    /// Every object of the registry.
    Full,
    /// All that changed since the last FULL.
    Incr,
    /// All that changed since the last deposit of any kind.
    Diff,
}

impl fmt::Display for DepositKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Incr => "INCR",
            Self::Diff => "DIFF",
        })
    }
}

/// The header of a deposit as understood.
#[derive(Clone, Debug)]
pub struct Header {
    /// FULL, INCR or DIFF.
    pub kind: DepositKind,
    /// The identity of the deposit.
    pub id: String,
    /// The deposit this one builds on; empty for a FULL.
    pub prev_id: String,
    /// Raised when the same content is sent again on purpose.
    pub resend: u32,
    /// The top-level domain, lower case.
    pub tld: String,
    /// The moment whose state the deposit shows.
    pub watermark: UnixTime,
    /// Objects in the registry once the deposit is applied.
    pub totals: Totals,
    /// The files, in the order listed.
    pub(super) files: Vec<FileEntry>,
}

/// Objects in the registry after the deposit; what is absent is not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Rows of domain.csv in a FULL.
    pub domain: u64,
    /// Rows of host.csv in a FULL.
    pub host: u64,
    /// Registrars.
    pub registrar: Option<u64>,
    /// Names not for registration.
    pub nndn: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    pub name: String,
    /// Rows without the header line.
    pub rows: u64,
    pub bytes: u64,
    /// CRC-32 of zlib, 8 hex digits.
    pub crc32: String,
    /// 64 hex digits.
    pub sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderFile {
    deposit: DepositTable,
    totals: Totals,
    #[serde(default)]
    file: Vec<FileEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DepositTable {
    format: String,
    r#type: DepositKind,
    id: String,
    #[serde(default)]
    prev_id: String,
    #[serde(default)]
    resend: u32,
    tld: String,
    watermark: String,
    csv_header: Option<bool>,
    encoding: Option<String>,
    separator: Option<String>,
}

impl Header {
    /// Reads the text of `deposit.toml`; a key that is not known refuses it.
    ///
    /// # Errors
    /// `HEADER` with the line where TOML gives one, `FILE_SET` when a file is listed twice.
    pub fn parse(text: &str) -> Result<Self, DepositError> {
        let refuse = |detail: String| DepositError::in_file(Reason::Header, HEADER_FILE, detail);
        let HeaderFile { deposit, totals, file: files } = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| 1 + text[..span.start.min(text.len())].matches('\n').count() as u64);
            DepositError::at_line(Reason::Header, HEADER_FILE, line, error.message())
        })?;
        if deposit.format != "vn-rde-1" {
            return Err(refuse(format!("format '{}' is not known, want 'vn-rde-1'", deposit.format)));
        }
        if deposit.csv_header == Some(false) {
            return Err(refuse("csv_header = false is not supported: each file starts with its header line".into()));
        }
        if deposit.encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("utf-8")) {
            return Err(refuse("the encoding must be UTF-8".into()));
        }
        if deposit.separator.is_some_and(|separator| separator != ",") {
            return Err(refuse("the separator must be a comma".into()));
        }
        let watermark = UnixTime::parse_rfc3339(&deposit.watermark)
            .ok_or_else(|| refuse(format!("watermark '{}' is no RFC 3339 time", deposit.watermark)))?;
        if deposit.id.is_empty() {
            return Err(refuse("the id is empty".into()));
        }
        // They are shown on terminals and in logs.
        if let Some(id) = [&deposit.id, &deposit.prev_id].into_iter().find(|id| id.chars().any(char::is_control)) {
            return Err(refuse(format!("the id '{}' holds control characters", id.escape_debug())));
        }
        let tld = deposit.tld.to_ascii_lowercase();
        let mut seen = HashSet::new();
        if let Some(twice) = files.iter().find(|file| !seen.insert(&file.name[..])) {
            return Err(DepositError::in_file(Reason::FileSet, HEADER_FILE, format!("'{}' is listed twice", twice.name)));
        }
        Ok(Self { kind: deposit.r#type, id: deposit.id, prev_id: deposit.prev_id, resend: deposit.resend, tld, watermark, totals, files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[deposit]\nformat = \"vn-rde-1\"\ntype = \"FULL\"\nid = \"1\"\ntld = \"VN\"\nwatermark = \"2026-11-21T07:00:00+07:00\"\n\
                        [totals]\ndomain = 1\nhost = 2\n";

    #[track_caller]
    fn refused(from: &str, to: &str, line: u64) {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD, "the case changes something");
        let error = Header::parse(&text).expect_err(to);
        assert_eq!((error.reason, error.line), (Reason::Header, line), "{error}");
    }

    #[test]
    fn reads_what_is_right_and_refuses_the_rest() {
        let header = Header::parse(GOOD).expect("good");
        assert_eq!((header.kind, &header.tld[..], header.resend), (DepositKind::Full, "vn", 0));
        assert_eq!(header.watermark.to_string(), "2026-11-21T00:00:00Z");
        refused("vn-rde-1", "vn-rde-2", 0);
        refused("FULL", "HALF", 3);
        refused("id = \"1\"", "id = \"\"", 0);
        refused("id = \"1\"", "id = \"1\\n\"", 0);
        refused("id = \"1\"", "id = \"1\"\nprev_id = \"\\u001b[2J\"", 0);
        refused("2026-11-21T", "2026-13-21T", 0);
        refused("host = 2", "host = 2\nhots = 3", 10);
        refused("host = 2", "host = -2", 9);
        refused("tld =", "tdl =", 5);
        refused("[totals]", "encoding = \"latin1\"\n[totals]", 0);
        refused("[totals]", "csv_header = false\n[totals]", 0);
        refused("[totals]", "separator = \";\"\n[totals]", 0);
        refused("[deposit]", "[deposit", 1);
    }
}
