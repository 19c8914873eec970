//! Why a deposit is refused: one code an operator can look up, the file and line, and what is wrong.

use std::fmt;

/// The code of a refusal; the words are those of the registry's interface description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A file's size, CRC-32 or SHA-256 is not the one in `deposit.toml`.
    Checksum,
    /// A file has another number of rows than `deposit.toml` says.
    RowCount,
    /// The objects do not add up to `[totals]`.
    Totals,
    /// A FULL older than what is applied.
    Stale,
    /// Takes more of a zone away than one person may decide.
    MassChange,
    /// A file is missing, or is there without being listed.
    FileSet,
    /// Not UTF-8, a NUL, a wrong number of fields, or broken quoting.
    CsvSyntax,
    /// The signature is missing or wrong.
    Signature,
    /// Does not follow what was applied last.
    OutOfOrder,
    /// Deletes an object that is not there.
    UnknownObject,
    /// `deposit.toml` itself cannot be understood.
    Header,
    /// The file system said no.
    Unreadable,
}

impl Reason {
    /// The code as operators and reports see it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Checksum => "CHECKSUM",
            Self::RowCount => "ROW_COUNT",
            Self::Totals => "TOTALS",
            Self::Stale => "STALE",
            Self::MassChange => "MASS_CHANGE",
            Self::FileSet => "FILE_SET",
            Self::CsvSyntax => "CSV_SYNTAX",
            Self::Signature => "SIGNATURE",
            Self::OutOfOrder => "OUT_OF_ORDER",
            Self::UnknownObject => "UNKNOWN_OBJECT",
            Self::Header => "HEADER",
            Self::Unreadable => "UNREADABLE",
        }
    }

    /// True when a second person may still let the deposit through: it is held, not broken.
    pub fn is_hold(self) -> bool {
        matches!(self, Self::Stale | Self::MassChange)
    }
}

/// A refused deposit. `Display` is `CODE: file line N: what is wrong`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositError {
    /// The code.
    pub reason: Reason,
    /// The file within the deposit; empty when it concerns the whole.
    pub file: String,
    /// The line in that file, from 1; 0 when it concerns the whole file.
    pub line: u64,
    /// What is wrong and what to do.
    pub detail: String,
}

impl DepositError {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, file: String::new(), line: 0, detail: detail.into() }
    }

    pub(super) fn in_file(reason: Reason, file: &str, detail: impl Into<String>) -> Self {
        Self { file: file.to_owned(), ..Self::new(reason, detail) }
    }

    pub(super) fn at_line(reason: Reason, file: &str, line: u64, detail: impl Into<String>) -> Self {
        Self { line, ..Self::in_file(reason, file, detail) }
    }
}

impl fmt::Display for DepositError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.reason.code())?;
        match (self.file.is_empty(), self.line) {
            (true, _) => {}
            (false, 0) => write!(f, "{}: ", self.file)?,
            (false, line) => write!(f, "{} line {line}: ", self.file)?,
        }
        f.write_str(&self.detail)
    }
}

impl std::error::Error for DepositError {}
