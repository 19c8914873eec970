//! What is wrong with a configuration: file, line, key, and what to do.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One mistake in a configuration file. The configuration before it stays in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1; 0 where no line is to blame (the file cannot be read).
    pub line: usize,
    /// The key with the tables around it, `registry.clock`; empty where the text is no TOML.
    pub key: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for ConfigError {}

/// The text that is read, to turn byte positions into lines.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

impl Source<'_> {
    /// The error of `key` at the bytes `span`.
    pub fn error(&self, span: Range<usize>, key: impl Into<String>, what: impl Into<String>) -> ConfigError {
        ConfigError { file: self.path.to_owned(), line: self.line(span.start), key: key.into(), what: what.into() }
    }

    /// What the TOML reader says, with the table it happened in.
    pub fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let what = error.message().replace("unknown field", "unknown key").replace("missing field", "missing key").replace('\n', ", ");
        let span = error.span().unwrap_or(0..0);
        let table = if what.starts_with("unknown key") || what.starts_with("missing key") { self.table(span.start) } else { "" };
        self.error(span, table, what)
    }

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1
    }

    /// The last table header at or above the byte `at`.
    fn table(&self, at: usize) -> &str {
        let end = self.text[at.min(self.text.len())..].find('\n').map_or(self.text.len(), |n| at + n);
        let mut headers = self.text[..end].lines().map(str::trim).filter(|line| line.starts_with('['));
        headers.next_back().and_then(|line| line.trim_start_matches('[').split(']').next()).map_or("", str::trim)
    }
}
