//! Makes one zone: from content to a signed, saved, ready zone; or leaves it as it is.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::content;
use super::decide::{self, Before, Why};
use crate::disk::Stamp;
use crate::dns::records::Full;
use crate::dns::{Name, NameRef, Records, Rtype, Serial, UnixTime, master};
use crate::journal::{Journal, SavedZone};
use crate::sign::{self, SignError, ZoneKeys};
use crate::telemetry::count;
use crate::zone::{Builder, Zone, ZoneError};

/// A zone that is, or is to be, served.
#[derive(Clone, Debug)]
pub struct Live {
    /// What is answered from.
    pub zone: Arc<Zone>,
    /// Digest of the content it was made from; empty when served as it stands.
    pub content: String,
    /// Digest of policy and keys; empty when served as it stands.
    pub signing: String,
    /// When signatures are to be renewed.
    pub refresh_at: Option<UnixTime>,
    /// DS records for the parent.
    pub ds: Vec<Vec<u8>>,
    /// Its snapshot; `None` for zones served as they stand, whose file is their record.
    pub saved: Option<SavedZone>,
    /// The master files that were read for it; none where the content comes from elsewhere.
    pub files: Vec<Stamp>,
    /// What an operator should know of the content.
    pub notes: Vec<String>,
    /// It has an image, or one is being written.
    pub imaged: bool,
}

/// What a zone is to be made from.
pub struct Job<'a> {
    /// The apex.
    pub apex: Name,
    /// The unsigned content; `None` = that of `before`, whose input did not change.
    pub content: Option<Records>,
    /// What is served, or was when the state was saved.
    pub before: Option<&'a Live>,
    /// The serial that was given last, also when nothing else is known of the zone.
    pub last_serial: Option<Serial>,
    /// The serials are ours; otherwise they are the file's as far as possible.
    pub dated: bool,
    /// How it is signed.
    pub signing: Option<Signing<'a>>,
}

/// How a zone is signed.
pub struct Signing<'a> {
    /// The policy.
    pub policy: &'a sign::Policy,
    /// The keys.
    pub keys: ZoneKeys,
    /// Digest of both.
    pub digest: String,
    /// Threads to sign on; 0 = one per core.
    pub threads: usize,
    /// What the policy asks for and the keys are not.
    pub note: Option<String>,
}

/// A zone made, and why.
pub struct Made {
    /// The zone.
    pub live: Live,
    /// The reason of the new serial.
    pub why: Why,
}

/// Why a zone could not be made. What was served before still is.
#[derive(Debug)]
pub enum MakeError {
    /// The records make no zone.
    Zone(ZoneError),
    /// They cannot be signed.
    Sign(SignError),
    /// They were signed, and the second crypto library, or the rules of a signed zone, say otherwise: nothing of it is published.
    Gate(Vec<sign::Fault>),
    /// There is too much of them.
    Full(Full),
    /// The snapshot cannot be written.
    Journal(io::Error),
}

impl fmt::Display for MakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(error) => error.fmt(f),
            Self::Sign(error) => write!(f, "signing failed: {error}"),
            Self::Gate(faults) => {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                write!(f, "the signed zone does not verify and is not published, {}, the first: {first}", count(faults.len(), "fault"))
            }
            Self::Full(error) => error.fmt(f),
            Self::Journal(error) => write!(f, "the snapshot cannot be written: {error}"),
        }
    }
}

impl From<ZoneError> for MakeError {
    fn from(error: ZoneError) -> Self {
        Self::Zone(error)
    }
}

impl From<SignError> for MakeError {
    fn from(error: SignError) -> Self {
        Self::Sign(error)
    }
}

impl From<Full> for MakeError {
    fn from(error: Full) -> Self {
        Self::Full(error)
    }
}

/// Carries out a job; `None` when the zone stays as it is.
///
/// A signed zone's snapshot is on the disk when this returns, and in force once the journal is committed.
///
/// # Errors
/// [`MakeError`].
pub fn make(job: Job<'_>, journal: &Journal, now: UnixTime) -> Result<Option<Made>, MakeError> {
    let apex = job.apex.as_ref();
    if job.signing.is_none() && !job.dated {
        return make_as_it_stands(job.content, apex, job.before);
    }
    let signing_digest = job.signing.as_ref().map_or("", |signing| &signing.digest);
    let mut content = job.content;
    let digest = match &mut content {
        Some(records) => {
            records.sort();
            content::digest(records, apex)
        }
        // Without anything before there is nothing to go by: the caller gives content then.
        None => job.before.map(|before| before.content.clone()).unwrap_or_default(),
    };
    let before = job.before.map(|live| Before {
        serial: live.zone.serial(),
        content: &live.content,
        signing: &live.signing,
        refresh_at: live.refresh_at,
    });
    // Who edits a file may raise nothing but its serial, so that secondaries look again.
    let raised = match (&content, job.before) {
        (Some(records), Some(live)) if !job.dated => {
            content::serial(records, apex).is_some_and(|file| decide::edited_serial(Some(live.zone.serial()), file) == file)
        }
        _ => false,
    };
    let Some(why) = decide::change(before, &digest, signing_digest, now).or(raised.then_some(Why::Content)) else { return Ok(None) };
    let mut records = match (content, job.before) {
        (Some(records), _) => records,
        (None, Some(before)) => {
            let mut records = before.zone.records();
            // A file may hold keys of other signers (RFC 8901); the registry's zones have ours alone.
            if job.dated {
                content::strip(&mut records, apex);
            }
            records
        }
        (None, None) => return Err(ZoneError::Soa.into()),
    };
    let previous = before.map(|before| before.serial).or(job.last_serial);
    let written = content::serial(&records, apex).ok_or(ZoneError::Soa)?;
    let serial = if job.dated { decide::dated_serial(previous, now) } else { decide::edited_serial(previous, written) };
    content::set_serial(&mut records, apex, serial)?;
    let mut refresh_at = None;
    let records = match &job.signing {
        Some(signing) => {
            let signed = sign::sign(records, apex, &signing.keys, signing.policy, now, signing.threads)?;
            // Nothing is published that does not verify.
            sign::verify(&signed, apex, &[], now, signing.threads).map_err(MakeError::Gate)?;
            refresh_at = content::first_expiration(&signed, now).map(|end| UnixTime(end.0.saturating_sub(signing.policy.refresh.into())));
            signed
        }
        None => records,
    };
    let ds = content::ds_of(&records, apex);
    let signing = signing_digest.to_owned();
    let (file, checksum) = journal.save(apex, serial, &records).map_err(MakeError::Journal)?;
    let saved = SavedZone {
        serial: serial.0,
        content: digest.clone(),
        signing: signing.clone(),
        refresh_at: refresh_at.map(|at| at.0),
        file,
        checksum,
    };
    let zone = Arc::new(Zone::build(apex, records)?);
    Ok(Some(Made { live: Live::new(zone, digest, signing, refresh_at, ds, Some(saved)), why }))
}

fn make_as_it_stands(records: Option<Records>, apex: NameRef<'_>, before: Option<&Live>) -> Result<Option<Made>, MakeError> {
    let Some(records) = records else { return Ok(None) };
    let ds = content::ds_of(&records, apex);
    let zone = Zone::build(apex, records)?;
    Ok(as_it_stands(zone, ds, before))
}

/// Makes the zone of a master file that is served as it stands, while the file is read: nothing is held but the zone. No zone when it is
/// what was served before; what the file can be known again by.
///
/// `None` where the file is to be read as a whole and given to [`make`], which then also says what is wrong: when its names are not in
/// order, when it includes others, when it has a ZONEMD to be checked, or an error.
pub fn from_file(file: &Path, apex: NameRef<'_>, before: Option<&Live>) -> Option<(Option<Made>, Stamp)> {
    let mut builder = Builder::new(apex);
    let mut ds = Vec::new();
    // What is answered already goes before.
    let threads = usize::from(before.is_some());
    let stamp = master::stream_file(file, apex, threads, &mut |records| {
        records.sort();
        ds.extend(content::ds_of(records, apex));
        builder.add(records).is_ok() && !records.rtypes().any(|rtype| rtype == Rtype::ZONEMD)
    })?;
    let made = as_it_stands(builder.finish().ok()?, ds, before);
    Some((made, stamp))
}

fn as_it_stands(zone: Zone, ds: Vec<Vec<u8>>, before: Option<&Live>) -> Option<Made> {
    if before.is_some_and(|before| before.signing.is_empty() && before.zone.is_same(&zone)) {
        return None;
    }
    let live = Live::new(Arc::new(zone), String::new(), String::new(), None, ds, None);
    Some(Made { live, why: if before.is_some() { Why::Content } else { Why::New } })
}

impl Live {
    fn new(
        zone: Arc<Zone>,
        content: String,
        signing: String,
        refresh_at: Option<UnixTime>,
        ds: Vec<Vec<u8>>,
        saved: Option<SavedZone>,
    ) -> Self {
        Self { zone, content, signing, refresh_at, ds, saved, files: Vec::new(), notes: Vec::new(), imaged: false }
    }
}

/// Brings a saved zone back to life from its snapshot.
///
/// # Errors
/// What is wrong with the snapshot; the zone is to be made anew then.
pub fn resume(apex: &Name, saved: &SavedZone, journal: &Journal) -> Result<Live, String> {
    let records = journal.load(apex.as_ref(), saved).map_err(|error| error.to_string())?;
    let ds = content::ds_of(&records, apex.as_ref());
    let zone = Zone::build(apex.as_ref(), records).map_err(|error| error.to_string())?;
    if zone.serial().0 != saved.serial {
        return Err("the snapshot has another serial than the state".into());
    }
    let refresh_at = saved.refresh_at.map(UnixTime);
    Ok(Live::new(Arc::new(zone), saved.content.clone(), saved.signing.clone(), refresh_at, ds, Some(saved.clone())))
}
