//! A deposit read from its folder and proven whole: signature, file set, checksums, syntax, row counts, totals.
//!
//! Nothing of a deposit is used before all of it is proven.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::arena::{Arena, MAX_ARENA, Span};
use super::csv::{self, Field};
use super::header::{DepositKind, FileEntry, HEADER_FILE, Header};
use super::objects::{Builder, Objects};
use super::refusal::{DepositError, Reason};
use super::signature::{SIGNATURE_FILE, SignaturePolicy};
use crate::disk;
use crate::telemetry::count;

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

    /// False for what is proven and counted, but does not bear on publication.
    fn has_objects(self) -> bool {
        Self::NEEDED_IN_FULL.contains(&self)
    }

    fn belongs_to(self, kind: DepositKind) -> bool {
        match self {
            Self::DeletesDomain | Self::DeletesHost | Self::Changes => kind != DepositKind::Full,
            _ => true,
        }
    }
}

/// A listed file in its place within the arena.
struct Loaded<'a> {
    kind: FileKind,
    entry: &'a FileEntry,
    start: usize,
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
        let arena = load(folder, &mut files, options.max_bytes)?;
        let objects = scan(arena, &files)?;
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
        files.push(Loaded { kind, entry, start: 0 });
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

/// Reads all files into one arena and proves their sizes and checksums.
fn load(folder: &Path, files: &mut [Loaded<'_>], max_bytes: u64) -> Result<Arena, DepositError> {
    let mut total: u64 = 0;
    for file in files.iter() {
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
        total = total.saturating_add(len);
    }
    let max_bytes = max_bytes.min(MAX_ARENA);
    if total > max_bytes {
        return Err(DepositError::new(Reason::FileSet, format!("{total} octets, more than the limit of {max_bytes}")));
    }
    let mut bytes = Vec::with_capacity(total as usize);
    for file in files.iter_mut() {
        file.start = bytes.len();
        let want = file.entry.bytes;
        let unreadable = |error: std::io::Error| DepositError::in_file(Reason::Unreadable, &file.entry.name, error.to_string());
        let read =
            disk::open(&folder.join(&file.entry.name)).map_err(unreadable)?.take(want).read_to_end(&mut bytes).map_err(unreadable)?;
        if read as u64 != want {
            return Err(DepositError::in_file(Reason::Checksum, &file.entry.name, "the file changed while it was read"));
        }
    }
    check_sums(&bytes, files)?;
    Ok(Arena::new(bytes))
}

/// Both sums of every file; the first bad file in reading order decides.
fn check_sums(bytes: &[u8], files: &[Loaded<'_>]) -> Result<(), DepositError> {
    let check = |file: &Loaded<'_>| check_sum(&bytes[file.start..file.start + file.entry.bytes as usize], file.entry);
    each_file(files, check).into_iter().collect()
}

/// Does `work` for every file on two threads, the largest first; the results stand in the order of the files.
fn each_file<T: Send>(files: &[Loaded<'_>], work: impl Fn(&Loaded<'_>) -> T + Sync) -> Vec<T> {
    let mut by_size: Vec<usize> = (0..files.len()).collect();
    by_size.sort_by_key(|&i| std::cmp::Reverse(files[i].entry.bytes));
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        while let Some(&i) = by_size.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((i, work(&files[i])));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let other = scope.spawn(run);
        let mut done = run();
        done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        done
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

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

/// Scans every file into objects; proves syntax, then row counts.
fn scan(arena: Arena, files: &[Loaded<'_>]) -> Result<Objects, DepositError> {
    let mut scanned = Vec::with_capacity(files.len());
    for result in each_file(files, |file| scan_file(&arena, file)) {
        scanned.push(result?);
    }
    for (file, Scanned { rows, .. }) in files.iter().zip(&scanned) {
        if *rows != file.entry.rows {
            let detail = format!("{}, deposit.toml says {}", count(*rows, "row"), file.entry.rows);
            return Err(DepositError::in_file(Reason::RowCount, &file.entry.name, detail));
        }
    }
    let mut builder = Builder::new(arena);
    for (file, scanned) in files.iter().zip(scanned) {
        build(&mut builder, file, scanned)?;
    }
    Ok(builder.finish())
}

/// The rows of one file as places in its text.
struct Scanned {
    rows: u64,
    /// As many as there are columns for each row.
    spans: Vec<Span>,
    lines: Vec<u32>,
    /// Values that stand nowhere as they are, and which of `spans` lie in here.
    extra: Vec<u8>,
    in_extra: Vec<usize>,
}

fn scan_file(arena: &Arena, file: &Loaded<'_>) -> Result<Scanned, DepositError> {
    let columns = file.kind.columns();
    let text = arena.slice(file.start, file.entry.bytes as usize);
    let mut scanned = Scanned { rows: 0, spans: Vec::new(), lines: Vec::new(), extra: Vec::new(), in_extra: Vec::new() };
    scanned.rows = csv::scan(text, columns, |line, fields| {
        if !file.kind.has_objects() {
            return;
        }
        scanned.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        for field in fields {
            let span = match field {
                Field::Plain(range) => Arena::span(file.start + range.start, range.len()),
                Field::Doubled(_) => {
                    let value = field.value(text);
                    scanned.in_extra.push(scanned.spans.len());
                    scanned.extra.extend_from_slice(&value);
                    Arena::span(scanned.extra.len() - value.len(), value.len())
                }
            };
            scanned.spans.push(span);
        }
    })
    .map_err(|error| DepositError::at_line(Reason::CsvSyntax, &file.entry.name, error.line, error.detail))?;
    Ok(scanned)
}

/// Gives the rows of one file to the builder.
fn build(builder: &mut Builder, file: &Loaded<'_>, mut scanned: Scanned) -> Result<(), DepositError> {
    let end = builder.arena().len();
    let full = || DepositError::in_file(Reason::FileSet, &file.entry.name, "more than 4 GiB of text");
    builder.arena().append(&scanned.extra).ok_or_else(full)?;
    for &i in &scanned.in_extra {
        scanned.spans[i] = scanned.spans[i].shifted(end);
    }
    for (fields, &line) in scanned.spans.chunks_exact(file.kind.columns().len()).zip(&scanned.lines) {
        let line = u64::from(line);
        match file.kind {
            FileKind::Domain => builder.domain(fields),
            FileKind::DomainStatuses => builder.status(line, fields),
            FileKind::DomainNameServers => builder.name_server(line, fields),
            FileKind::Dnssec => builder.ds(line, fields),
            FileKind::Host => builder.host(fields),
            FileKind::HostAddresses => builder.address(line, fields),
            FileKind::Nndn => builder.reserved(fields),
            FileKind::HostStatuses | FileKind::Registrar | FileKind::Idn => {}
            FileKind::DeletesDomain | FileKind::DeletesHost | FileKind::Changes => {}
        }
    }
    if file.kind == FileKind::Domain {
        builder.index_domains();
    }
    Ok(())
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
