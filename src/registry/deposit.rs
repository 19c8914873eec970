//! A deposit read from its folder and proven whole: signature, file set, checksums, syntax, row counts, totals.
//!
//! Nothing of a deposit is used before all of it is proven.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::build::{Builder, Table};
use super::csv::{self, CsvError};
use super::header::{DepositKind, FileEntry, HEADER_FILE, Header};
use super::objects::Objects;
use super::refusal::{DepositError, Reason};
use super::signature::{SIGNATURE_FILE, SignaturePolicy};
use super::span::MAX_TEXT;
use crate::telemetry::count;
use crate::{disk, memory, parallel};

/// A deposit that is whole: its header and every object in it.
#[derive(Debug)]
pub struct Deposit {
    /// What it is.
    pub header: Header,
    /// What is in it.
    pub objects: Objects,
}

/// How a deposit is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Who must have signed.
    pub signatures: SignaturePolicy,
    /// The most octets of all files together; past it the deposit is refused before it is read.
    pub max_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        // Our choice: some ten million domains. The hard limit is 4 GiB.
        Self { signatures: SignaturePolicy::default(), max_bytes: 3 << 30 }
    }
}

/// The files of `vn-rde-1`, in the order in which they are read: objects before their children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FileKind {
    Domain,
    Host,
    HostAddresses,
    DomainStatuses,
    DomainNameServers,
    Dnssec,
    Nndn,
    HostStatuses,
    Registrar,
    Idn,
    DeletesDomain,
    DeletesHost,
    Changes,
}

impl FileKind {
    const ALL: [Self; 13] = [
        Self::Domain,
        Self::Host,
        Self::HostAddresses,
        Self::DomainStatuses,
        Self::DomainNameServers,
        Self::Dnssec,
        Self::Nndn,
        Self::HostStatuses,
        Self::Registrar,
        Self::Idn,
        Self::DeletesDomain,
        Self::DeletesHost,
        Self::Changes,
    ];

    /// What a FULL without would silently take out of the zones, or wrongly put into them.
    const NEEDED_IN_FULL: [Self; 7] =
        [Self::Domain, Self::DomainStatuses, Self::DomainNameServers, Self::Dnssec, Self::Host, Self::HostAddresses, Self::Nndn];

    fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain.csv",
            Self::DomainStatuses => "domainStatuses.csv",
            Self::DomainNameServers => "domainNameServers.csv",
            Self::Dnssec => "dnssec.csv",
            Self::Host => "host.csv",
            Self::HostStatuses => "hostStatuses.csv",
            Self::HostAddresses => "hostAddresses.csv",
            Self::Registrar => "registrar.csv",
            Self::Idn => "idn.csv",
            Self::Nndn => "nndn.csv",
            Self::DeletesDomain => "deletes_domain.csv",
            Self::DeletesHost => "deletes_host.csv",
            Self::Changes => "changes.csv",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Domain => &[
                "name",
                "roid",
                "u_name",
                "idn_table",
                "original_name",
                "registrant_class",
                "cl_id",
                "cr_date",
                "ex_date",
                "fee_state",
                "entitlement_ref",
                "target",
            ],
            Self::DomainStatuses => &["name", "roid", "status", "rgp_status"],
            Self::DomainNameServers => &["name", "roid", "host"],
            Self::Dnssec => &["name", "roid", "key_tag", "alg", "digest_type", "digest"],
            Self::Host => &["name", "roid", "cl_id", "cr_date"],
            Self::HostStatuses => &["name", "status"],
            Self::HostAddresses => &["name", "addr", "ver"],
            Self::Registrar => &["id", "name", "status"],
            Self::Idn => &["id", "language", "file"],
            Self::Nndn => &["name", "state", "reason", "article"],
            Self::DeletesDomain => &["name", "roid", "reason", "change_ref"],
            Self::DeletesHost => &["name", "roid"],
            Self::Changes => &["change_ref", "kind", "old_name", "new_name", "article"],
        }
    }

    fn belongs_to(self, kind: DepositKind) -> bool {
        match self {
            Self::DeletesDomain | Self::DeletesHost | Self::Changes => kind != DepositKind::Full,
            _ => true,
        }
    }
}

/// A listed file, and where in the text of the deposit it lies.
struct Loaded<'a> {
    kind: FileKind,
    entry: &'a FileEntry,
    start: usize,
    rows: Result<Rows, CsvError>,
}

/// Where the rows of a file lie.
#[derive(Default)]
struct Rows {
    /// How long the header line is.
    header: usize,
    /// How long each part is.
    parts: Vec<usize>,
}

impl Deposit {
    /// Reads and proves the deposit in `folder`.
    ///
    /// Checked in this order, the first failure decides: signature, header, file set, checksums, syntax,
    /// row counts, totals. Cost: the files are read once and kept; some 100 octets more a domain.
    ///
    /// # Errors
    /// [`DepositError`]; nothing of the deposit can be used then.
    pub fn read(folder: &Path, options: &ReadOptions) -> Result<Self, DepositError> {
        let present = list(folder)?;
        if !present.contains(HEADER_FILE) {
            return Err(DepositError::in_file(Reason::FileSet, HEADER_FILE, "the folder has no such file"));
        }
        let header = read_small(folder, HEADER_FILE)?;
        let signature = present.contains(SIGNATURE_FILE).then(|| read_small(folder, SIGNATURE_FILE)).transpose()?;
        options.signatures.check(&header, signature.as_deref())?;
        let text = std::str::from_utf8(&header).map_err(|_| DepositError::in_file(Reason::Header, HEADER_FILE, "the file is not UTF-8"))?;
        let header = Header::parse(text)?;
        let mut files = check_file_set(&header, present)?;
        let text = load(folder, &mut files, options.max_bytes)?;
        let objects = scan(text, &files)?;
        if header.kind == DepositKind::Full {
            check_totals(&header, &files)?;
        }
        Ok(Self { header, objects })
    }
}

/// The deposit to take, see [`newest_full`].
#[derive(Debug)]
pub struct Newest {
    /// Its folder.
    pub folder: PathBuf,
    /// Deposits that look newer by the names of their folders, and why they are not taken.
    pub passed_over: Vec<String>,
}

/// The folder itself when it is a deposit; else the newest FULL below it, by watermark and then resend.
///
/// Deposits whose header cannot be read are passed over: they would be refused anyway.
///
/// # Errors
/// `UNREADABLE` or `FILE_SET` when there is nothing to take.
pub fn newest_full(folder: &Path) -> Result<Newest, DepositError> {
    if folder.join(HEADER_FILE).exists() {
        return Ok(Newest { folder: folder.to_owned(), passed_over: Vec::new() });
    }
    let unreadable = |error: std::io::Error| DepositError::new(Reason::Unreadable, format!("{}: {error}", folder.display()));
    let mut newest = None;
    let mut others = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // Not a deposit at all.
        if path.join(HEADER_FILE).symlink_metadata().is_err() {
            continue;
        }
        let text = read_small(&path, HEADER_FILE)
            .and_then(|text| String::from_utf8(text).map_err(|_| DepositError::in_file(Reason::Header, HEADER_FILE, "not UTF-8")));
        match text.and_then(|text| Header::parse(&text)) {
            Ok(header) if header.kind == DepositKind::Full => {
                others.push((path.clone(), format!("its watermark {} is older", header.watermark)));
                let rank = (header.watermark, header.resend, path);
                if newest.as_ref().is_none_or(|best| *best < rank) {
                    newest = Some(rank);
                }
            }
            // Changes build on a FULL; they are not taken for one.
            Ok(_) => {}
            Err(error) => others.push((path, error.to_string())),
        }
    }
    let nothing = || DepositError::new(Reason::FileSet, format!("{}: neither a deposit nor a folder with a FULL", folder.display()));
    let (_, _, folder) = newest.ok_or_else(nothing)?;
    others.retain(|(path, _)| *path > folder);
    others.sort();
    let taken = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let passed_over = others.into_iter().map(|(path, why)| format!("'{}' is passed over for '{taken}': {why}", path.display())).collect();
    Ok(Newest { folder, passed_over })
}

/// The names in the folder.
fn list(folder: &Path) -> Result<BTreeSet<String>, DepositError> {
    let unreadable = |error: std::io::Error| DepositError::new(Reason::Unreadable, format!("{}: {error}", folder.display()));
    let mut present = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        present.insert(name.to_string_lossy().into_owned());
        // Our bound: a deposit has some ten files.
        if present.len() > 1000 {
            return Err(DepositError::new(Reason::FileSet, "more than 1000 files in the folder"));
        }
    }
    Ok(present)
}

/// A header or a signature: at most 1 MiB.
fn read_small(folder: &Path, name: &str) -> Result<Vec<u8>, DepositError> {
    const MAX: u64 = 1 << 20;
    disk::read(&folder.join(name), MAX).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => DepositError::in_file(Reason::FileSet, name, "larger than 1 MiB"),
        _ => DepositError::in_file(Reason::Unreadable, name, error.to_string()),
    })
}

fn check_file_set(header: &Header, mut present: BTreeSet<String>) -> Result<Vec<Loaded<'_>>, DepositError> {
    let refuse = |file: &str, detail: &str| Err(DepositError::in_file(Reason::FileSet, file, detail));
    present.remove(HEADER_FILE);
    present.remove(SIGNATURE_FILE);
    let mut files = Vec::new();
    for entry in &header.files {
        let Some(kind) = FileKind::ALL.into_iter().find(|kind| kind.name() == entry.name) else {
            return refuse(&entry.name, "listed in deposit.toml, but vn-rde-1 has no such file");
        };
        if !kind.belongs_to(header.kind) {
            return refuse(&entry.name, "listed in deposit.toml, but a FULL has no such file");
        }
        if !present.remove(&entry.name) {
            return refuse(&entry.name, "listed in deposit.toml, but not in the folder");
        }
        files.push(Loaded { kind, entry, start: 0, rows: Ok(Rows::default()) });
    }
    if let Some(name) = present.first() {
        return refuse(name, "in the folder, but not listed in deposit.toml");
    }
    if header.kind == DepositKind::Full
        && let Some(kind) = FileKind::NEEDED_IN_FULL.into_iter().find(|kind| files.iter().all(|file| file.kind != *kind))
    {
        return refuse(kind.name(), "a FULL needs this file, even if it has no rows");
    }
    files.sort_by_key(|file| file.kind);
    Ok(files)
}

/// Reads all files into one piece of memory, and proves their sizes and checksums.
fn load(folder: &Path, files: &mut [Loaded<'_>], max_bytes: u64) -> Result<Vec<u8>, DepositError> {
    let mut total: u64 = 0;
    for file in files.iter_mut() {
        let name = &file.entry.name;
        let path = folder.join(name);
        let len = disk::open(&path)
            .and_then(|opened| opened.metadata())
            .map_err(|error| DepositError::in_file(Reason::Unreadable, name, error.to_string()))?
            .len();
        if len != file.entry.bytes {
            return Err(DepositError::in_file(
                Reason::Checksum,
                name,
                format!("{}, deposit.toml says {}", count(len, "octet"), file.entry.bytes),
            ));
        }
        file.start = total as usize;
        total = total.saturating_add(len);
    }
    let max_bytes = max_bytes.min(MAX_TEXT);
    if total > max_bytes {
        return Err(DepositError::new(Reason::FileSet, format!("{total} octets, more than the limit of {max_bytes}")));
    }
    let mut text = vec![0; total as usize];
    memory::will_fill(&mut text);
    let mut rest = &mut text[..];
    let mut tasks = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let (text, behind) = std::mem::take(&mut rest).split_at_mut(file.entry.bytes as usize);
        tasks.push((i, file.kind, file.entry, text));
        rest = behind;
    }
    // The largest first, so that no core waits long for the last; the first bad file in the order of reading decides.
    tasks.sort_by_key(|(_, _, entry, _)| Reverse(entry.bytes));
    let read = |(i, kind, entry, text): (usize, FileKind, &FileEntry, &mut [u8])| {
        let result = read_file(folder, entry, text).and_then(|()| check_sum(text, entry));
        (i, result.map(|()| cut(text, kind.columns())))
    };
    let mut done = parallel::map(tasks, read);
    done.sort_by_key(|(i, _)| *i);
    for (file, (_, rows)) in files.iter_mut().zip(done) {
        file.rows = rows?;
    }
    Ok(text)
}

/// Fills `text` with a file.
fn read_file(folder: &Path, entry: &FileEntry, text: &mut [u8]) -> Result<(), DepositError> {
    disk::open(&folder.join(&entry.name)).and_then(|mut file| file.read_exact(text)).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => DepositError::in_file(Reason::Checksum, &entry.name, "the file changed while it was read"),
        _ => DepositError::in_file(Reason::Unreadable, &entry.name, error.to_string()),
    })
}

/// Proves both sums of a file.
fn check_sum(bytes: &[u8], entry: &FileEntry) -> Result<(), DepositError> {
    let refuse = |what: &str, is: String, says: &str| {
        Err(DepositError::in_file(Reason::Checksum, &entry.name, format!("{what} is {is}, deposit.toml says {says}")))
    };
    let crc32 = format!("{:08X}", crc32fast::hash(bytes));
    if !crc32.eq_ignore_ascii_case(&entry.crc32) {
        return refuse("crc32", crc32, &entry.crc32);
    }
    let sha256 = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    if !sha256.eq_ignore_ascii_case(&entry.sha256) {
        return refuse("sha256", sha256, &entry.sha256);
    }
    Ok(())
}

/// Where the rows of a file lie below its header line, in parts that can be scanned side by side.
fn cut(text: &mut [u8], columns: &[&str]) -> Result<Rows, CsvError> {
    // Small enough to stay in the nearer caches with what comes of it, large enough that a part costs nothing; our choice.
    const PART: usize = 1 << 16;
    csv::check(text)?;
    let header = csv::header(text, columns)?;
    Ok(Rows { header, parts: csv::parts(&text[header..], PART) })
}

/// Scans every file into objects; proves syntax, then row counts.
fn scan(text: Vec<u8>, files: &[Loaded<'_>]) -> Result<Objects, DepositError> {
    let mut builder = Builder::new(text);
    let mut counts = Vec::with_capacity(files.len());
    for file in files {
        let rows = file.rows.as_ref().map_err(CsvError::clone).and_then(|rows| {
            let table =
                Table { file: &file.entry.name, start: file.start + rows.header, parts: &rows.parts, width: file.kind.columns().len() };
            match file.kind {
                FileKind::Domain => builder.domains(&table),
                FileKind::DomainStatuses => builder.statuses(&table),
                FileKind::DomainNameServers => builder.name_servers(&table),
                FileKind::Dnssec => builder.ds(&table),
                FileKind::Host => builder.hosts(&table),
                FileKind::HostAddresses => builder.addresses(&table),
                FileKind::Nndn => builder.reserved(&table),
                FileKind::HostStatuses | FileKind::Registrar | FileKind::Idn => builder.count_only(&table),
                FileKind::DeletesDomain | FileKind::DeletesHost | FileKind::Changes => builder.count_only(&table),
            }
        });
        counts.push(rows.map_err(|error| DepositError::at_line(Reason::CsvSyntax, &file.entry.name, error.line, error.detail))?);
    }
    for (file, rows) in files.iter().zip(counts) {
        if rows != file.entry.rows {
            let detail = format!("{}, deposit.toml says {}", count(rows, "row"), file.entry.rows);
            return Err(DepositError::in_file(Reason::RowCount, &file.entry.name, detail));
        }
    }
    Ok(builder.finish())
}

/// What `[totals]` says of a FULL, in which every object is a row.
fn check_totals(header: &Header, files: &[Loaded<'_>]) -> Result<(), DepositError> {
    let totals = &header.totals;
    let wanted = [
        (FileKind::Domain, Some(totals.domain)),
        (FileKind::Host, Some(totals.host)),
        (FileKind::Registrar, totals.registrar),
        (FileKind::Nndn, totals.nndn),
    ];
    for (kind, want) in wanted {
        let rows = files.iter().find(|file| file.kind == kind).map_or(0, |file| file.entry.rows);
        if let Some(want) = want
            && want != rows
        {
            return Err(DepositError::in_file(Reason::Totals, kind.name(), format!("{}, [totals] says {want}", count(rows, "object"))));
        }
    }
    Ok(())
}
