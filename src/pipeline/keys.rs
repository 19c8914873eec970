//! Keys on disk: a directory of BIND's `K<zone>+<algorithm>+<tag>.key` and `.private` files.
//!
//! The private files are mode 0600 in a directory of mode 0700; a private file that others may read is refused.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::disk;
use crate::dns::{NameRef, UnixTime};
use crate::sign::{Algorithm, Key, KeyError, KeyTextError, Policy};

/// Reads the keys of `zone` in `dir`, in order of file name. No directory means no keys.
///
/// # Errors
/// [`KeyFileError`]: one bad key file refuses all, because a zone signed with some of its keys may be bogus.
pub fn load(dir: &Path, zone: NameRef<'_>) -> Result<Vec<Key>, KeyFileError> {
    let prefix = format!("{}+", stem(zone));
    load_where(dir, |name| name.starts_with(&prefix))?
        .into_iter()
        .map(|(path, key)| match key.zone() == zone {
            true => Ok(key),
            false => Err(KeyFileError::Misnamed(path)),
        })
        .collect()
}

/// Reads every key in `dir`, of whatever zone, in order of file name. No directory means no keys.
///
/// # Errors
/// As [`load`].
pub fn load_all(dir: &Path) -> Result<Vec<Key>, KeyFileError> {
    Ok(load_where(dir, |_| true)?.into_iter().map(|(_, key)| key).collect())
}

fn load_where(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<(PathBuf, Key)>, KeyFileError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(KeyFileError::Io(dir.to_owned(), error)),
    };
    let (mut public, mut private) = (Vec::new(), Vec::new());
    for entry in entries {
        let entry = entry.map_err(|error| KeyFileError::Io(dir.to_owned(), error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with('K') || !wanted(&name) {
            continue;
        }
        if let Some(stem) = name.strip_suffix(".key") {
            public.push(stem.to_owned());
        } else if let Some(stem) = name.strip_suffix(".private") {
            private.push(stem.to_owned());
        }
    }
    public.sort();
    private.sort();
    for stem in &public {
        if let Err(place) = private.binary_search(stem)
            && finish(dir, stem)?
        {
            private.insert(place, stem.clone());
        }
    }
    if let Some(alone) = public.iter().find(|stem| private.binary_search(stem).is_err()) {
        return Err(KeyFileError::PrivateMissing(dir.join(format!("{alone}.key"))));
    }
    if let Some(alone) = private.iter().find(|stem| public.binary_search(stem).is_err()) {
        return Err(KeyFileError::PublicMissing(dir.join(format!("{alone}.private"))));
    }
    public.into_iter().map(|stem| read(dir, &stem)).collect()
}

fn read(dir: &Path, stem: &str) -> Result<(PathBuf, Key), KeyFileError> {
    let path = dir.join(format!("{stem}.private"));
    let public = text(&dir.join(format!("{stem}.key")), false)?;
    let private = text(&path, true)?;
    let key = Key::from_text(&public, &private).map_err(|error| KeyFileError::Broken(path.clone(), error))?;
    if file_stem(&key) != stem {
        return Err(KeyFileError::Misnamed(path));
    }
    Ok((path, key))
}

/// Reads a small text file; a secret one must be readable by its owner alone.
fn text(path: &Path, secret: bool) -> Result<String, KeyFileError> {
    // An RSA key of 4096 bits has 3.3 kB.
    const LIMIT: u64 = 64 * 1024;
    let error = |error| KeyFileError::Io(path.to_owned(), error);
    let (text, mode) = disk::read_secret(path, LIMIT).map_err(error)?;
    if secret && mode & 0o077 != 0 {
        return Err(KeyFileError::ReadableByOthers(path.to_owned(), mode & 0o777));
    }
    Ok(text)
}

/// Writes `key` into `dir`, which is made if needed: `.key` with mode 0644, `.private` with mode 0600. Both are on disk afterwards.
///
/// A crash leaves either nothing that counts, or a `.key` beside the whole private part under another name, which the next
/// [`load`] puts in place.
///
/// # Errors
/// [`KeyFileError`]; a file that is there is never overwritten.
pub fn store(dir: &Path, key: &Key) -> Result<PathBuf, KeyFileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| KeyFileError::Io(dir.to_owned(), error))?;
    let stem = file_stem(key);
    let public = dir.join(format!("{stem}.key"));
    let private = dir.join(format!("{stem}.private"));
    if let Some(there) = [&public, &private].into_iter().find(|path| path.exists()) {
        return Err(KeyFileError::Exists(there.clone()));
    }
    let (new_public, new_private) = (dir.join(format!(".{stem}.key.new")), unfinished(dir, &stem));
    write_new(&new_private, &key.private_text(), 0o600)?;
    write_new(&new_public, &key.public_text(), 0o644)?;
    let sync = || File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| KeyFileError::Io(dir.to_owned(), error));
    sync()?;
    // Linking fails when the name is taken: whoever has the `.key` owns the pair.
    let linked = fs::hard_link(&new_public, &public);
    let _ = fs::remove_file(&new_public);
    if let Err(error) = linked {
        let _ = fs::remove_file(&new_private);
        return Err(match error.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists(public),
            _ => KeyFileError::Io(public, error),
        });
    }
    sync()?;
    finish(dir, &stem)?;
    sync()?;
    Ok(private)
}

/// Where the private part stands until the pair is whole. Hidden, so that nothing takes it for a key.
fn unfinished(dir: &Path, stem: &str) -> PathBuf {
    dir.join(format!(".{stem}.private.new"))
}

/// Puts the private part of a pair whose `.key` is there in its place; false when there is none to put there.
fn finish(dir: &Path, stem: &str) -> Result<bool, KeyFileError> {
    let (from, to) = (unfinished(dir, stem), dir.join(format!("{stem}.private")));
    match fs::rename(&from, &to) {
        Ok(()) => Ok(true),
        // Another process that reads the folder was quicker.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(to.exists()),
        Err(error) => Err(KeyFileError::Io(to, error)),
    }
}

/// Writes a whole new file and syncs it.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), KeyFileError> {
    let error = |error: io::Error| KeyFileError::Io(path.to_owned(), error);
    // Left behind by a crash that came before the pair counted.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(error)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|failed| {
        let _ = fs::remove_file(path);
        error(failed)
    })
}

/// Makes a key and stores it; tries again while its tag is one that another key of the zone has, so that a tag tells keys apart.
///
/// # Errors
/// [`KeyFileError`].
pub fn generate(
    dir: &Path,
    zone: NameRef<'_>,
    algorithm: Algorithm,
    flags: u16,
    bits: Option<u32>,
    now: UnixTime,
) -> Result<Key, KeyFileError> {
    let others = load(dir, zone)?;
    loop {
        let mut key = Key::generate(zone, algorithm, flags, bits).map_err(KeyFileError::NotMade)?;
        if others.iter().any(|other| other.tag() == key.tag()) {
            continue;
        }
        key.timing.created = Some(now);
        key.timing.publish = Some(now);
        key.timing.activate = Some(now);
        store(dir, &key)?;
        return Ok(key);
    }
}

/// What `policy` would make otherwise than these keys of one zone are, in the operator's words; `None` where they agree.
///
/// A policy makes keys only where there are none, so that a change in it says nothing to keys that are there. Keys that no longer sign
/// are passed over, and so are those of another algorithm while the policy's own algorithm signs too, as in a rollover.
pub fn differs_from_policy(keys: &[Key], policy: &Policy, rsa_bits: u32, now: UnixTime) -> Option<String> {
    let ended = |time: Option<UnixTime>| time.is_some_and(|time| time <= now);
    let in_use = |key: &&Key| !ended(key.timing.inactive) && !ended(key.timing.delete);
    let (of_policy, others): (Vec<&Key>, Vec<&Key>) = keys.iter().filter(in_use).partition(|key| key.algorithm() == policy.algorithm);
    let is_other_size = |key: &&&Key| key.algorithm() == Algorithm::RsaSha256 && key.bits() != rsa_bits as usize;
    let (asked, found): (String, Vec<&Key>) = if of_policy.is_empty() && !others.is_empty() {
        (format!("keys of {}", policy.algorithm), others)
    } else if policy.csk && of_policy.iter().any(|key| !key.is_sep()) {
        ("one key for everything (csk)".into(), of_policy)
    } else if of_policy.iter().any(|key| is_other_size(&key)) {
        (format!("RSA keys of {rsa_bits} bits"), of_policy)
    } else {
        return None;
    };
    let mut kinds: Vec<String> = found
        .iter()
        .map(|key| {
            let kind = if key.is_sep() { "KSK" } else { "ZSK" };
            let bits = if key.algorithm() == Algorithm::RsaSha256 { format!(" with {} bits", key.bits()) } else { String::new() };
            format!("{kind} of {}{bits}", key.algorithm())
        })
        .collect();
    kinds.sort();
    kinds.dedup();
    Some(format!(
        "the policy asks for {asked}, the keys that sign are {}: a policy makes keys only where there are none; replace them by hand \
         (docs/signing.md), or set the policy to what the keys are",
        kinds.join(" and ")
    ))
}

/// The files of a key in `dir`, public and private.
pub fn files(dir: &Path, key: &Key) -> [PathBuf; 2] {
    let stem = file_stem(key);
    ["key", "private"].map(|part| dir.join(format!("{stem}.{part}")))
}

/// `K<zone>+<algorithm>+<tag>`, as BIND names the files of a key.
pub fn file_stem(key: &Key) -> String {
    format!("{}+{:03}+{:05}", stem(key.zone()), key.algorithm().number(), key.tag())
}

/// `K` and the zone in lower case with its final dot; what is no letter, digit, hyphen or underscore is written `%XX`.
fn stem(zone: NameRef<'_>) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("K");
    for label in zone.labels() {
        for &octet in label {
            match octet.to_ascii_lowercase() {
                octet @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => text.push(octet as char),
                octet => {
                    let _ = write!(text, "%{octet:02X}");
                }
            }
        }
        text.push('.');
    }
    if zone.is_root() {
        text.push('.');
    }
    text
}

/// Why keys could not be read or written.
#[derive(Debug)]
pub enum KeyFileError {
    /// The system refused.
    Io(PathBuf, io::Error),
    /// A private key that others than its owner may read, with its mode.
    ReadableByOthers(PathBuf, u32),
    /// A `.key` without its `.private`.
    PrivateMissing(PathBuf),
    /// A `.private` without its `.key`.
    PublicMissing(PathBuf),
    /// The text makes no key.
    Broken(PathBuf, KeyTextError),
    /// The file name says another zone, algorithm or tag than the key has.
    Misnamed(PathBuf),
    /// A key file of that name is there.
    Exists(PathBuf),
    /// No key could be made.
    NotMade(KeyError),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::ReadableByOthers(path, mode) => {
                write!(f, "{}: mode {mode:04o} lets others read this private key, use `chmod 600`", path.display())
            }
            Self::PrivateMissing(path) => {
                write!(f, "{}: its .private file is missing: bring it back, or move this one away", path.display())
            }
            Self::PublicMissing(path) => write!(f, "{}: its .key file is missing: bring it back, or move this one away", path.display()),
            Self::Broken(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Misnamed(path) => {
                write!(f, "{}: the file name does not fit the zone, algorithm and tag of the key in it", path.display())
            }
            Self::Exists(path) => write!(f, "{}: is there already, key files are never overwritten", path.display()),
            Self::NotMade(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyFileError {}
