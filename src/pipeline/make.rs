//! Makes one zone: from content to a signed, saved, ready zone; or leaves it as it is.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::content;
use super::decide::{self, Before, Why};
use super::digest;
use crate::disk::Stamp;
use crate::dns::rdata::Soa;
use crate::dns::records::Full;
use crate::dns::{Name, NameRef, Record, Records, Rtype, Serial, UnixTime, master};
use crate::journal::{Journal, SavedZone};
use crate::sign::{self, ChangeError, SignError, ZoneKeys};
use crate::telemetry::count;
use crate::zone::{Builder, Diff, Zone, ZoneError};

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
    /// A ZONEMD of what it was made from was found right: of its file, or of what its primary sent.
    pub proven: bool,
    /// What its primary has of it beside what is served.
    pub placeless: Placeless,
    /// It has an image, or one is being written.
    pub imaged: bool,
    /// Its parts are being made one, by the job of this number.
    pub upkeep: Option<u64>,
}

/// Records that a primary has and that have no place in what is served: changes are of them as well.
#[derive(Clone, Debug)]
pub enum Placeless {
    /// These.
    Known(Arc<Records>),
    /// There are some, and a start does not know them: the next change cannot be followed.
    Lost,
}

impl Placeless {
    /// At a start.
    pub fn of(saved: Option<&SavedZone>) -> Self {
        if saved.is_some_and(|saved| saved.placeless) { Self::Lost } else { Self::Known(Arc::default()) }
    }
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
    /// Whose the serials are.
    pub serials: Serials,
    /// A change of the zone can follow what is kept of it.
    pub has_log: bool,
    /// How it is signed.
    pub signing: Option<Signing<'a>>,
}

/// Whose the serials of a zone are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serials {
    /// Ours: date and number.
    Dated,
    /// The file's as far as possible; the zone is signed here, and so changes also where the file does not.
    Edited,
    /// The file's, whatever they are.
    AsItStands,
}

/// How a zone is signed.
pub struct Signing<'a> {
    /// The policy.
    pub policy: &'a sign::Policy,
    /// The keys.
    pub keys: Arc<ZoneKeys>,
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
    /// What leads to it from the version before; `None` = it is saved as a whole, or not kept at all.
    pub change: Option<Diff>,
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
    /// A change of it cannot be signed, or does not fit.
    Change(ChangeError),
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
            Self::Change(error) => write!(f, "signing the change failed: {error}"),
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
    let signing_digest = job.signing.as_ref().map_or("", |signing| &signing.digest);
    let makes_digest = job.signing.as_ref().is_some_and(|signing| signing.policy.zonemd);
    let is_changed = job.content.is_none() && job.before.and_then(|before| before.saved.as_ref()).is_some_and(|saved| saved.changed);
    let mut content = job.content;
    let digest = match &mut content {
        Some(records) => {
            records.sort();
            content::digest(records, apex)
        }
        // Without anything before there is nothing to go by: the caller gives content then.
        None => job.before.map(|before| before.content.clone()).unwrap_or_default(),
    };
    // A crash, or a state that could not be written, left the zone and not the account of it.
    let known =
        job.before.filter(|live| live.content.is_empty() && live.saved.is_some() && is_content(live, &digest, job.serials, makes_digest));
    let known = known.map(|live| Live { content: digest.clone(), ..live.clone() });
    let live = known.as_ref().or(job.before);
    let before =
        live.map(|live| Before { serial: live.zone.serial(), content: &live.content, signing: &live.signing, refresh_at: live.refresh_at });
    // Who edits a file may raise nothing but its serial, so that secondaries look again.
    let raised = match (&content, live) {
        (Some(records), Some(live)) if job.serials != Serials::Dated => {
            let (has, file) = (live.zone.serial(), content::serial(records, apex));
            file.is_some_and(|file| file != has && (job.serials == Serials::AsItStands || file.is_newer_than(has)))
        }
        _ => false,
    };
    let Some(why) = decide::change(before, &digest, signing_digest, now).or(raised.then_some(Why::Content)) else {
        return Ok(known.map(|live| Made { live, why: Why::Touched, change: None }));
    };
    // It was served as it stands, and nothing of it was kept.
    let was_not_kept =
        |live: &Live| live.saved.is_none() && live.signing.is_empty() && is_content(live, &digest, job.serials, makes_digest);
    let may_be_same = why == Why::Content && !raised && job.signing.is_none();
    let why = if may_be_same && live.is_some_and(was_not_kept) { Why::Kept } else { why };
    let mut records = match (content, live) {
        (Some(records), _) => records,
        (None, Some(before)) => {
            let mut records = before.zone.records();
            // A file may hold keys of other signers (RFC 8901); the registry's zones have ours alone. Where nobody signs any more, there are none.
            if job.serials == Serials::Dated || job.signing.is_none() && !before.signing.is_empty() {
                content::strip(&mut records, apex);
                content::strip_digest(&mut records, apex);
            }
            records
        }
        (None, None) => return Err(ZoneError::Soa.into()),
    };
    // A zone that was served as it stands may have gone back meanwhile.
    let previous = match (before.map(|before| before.serial), job.last_serial) {
        (Some(served), Some(last)) if last.is_newer_than(served) => Some(last),
        (served, last) => served.or(last),
    };
    let written = content::serial(&records, apex).ok_or(ZoneError::Soa)?;
    let serial = match job.serials {
        Serials::Dated => decide::dated_serial(previous, now),
        Serials::Edited => decide::edited_serial(previous, written),
        Serials::AsItStands => written,
    };
    content::set_serial(&mut records, apex, serial)?;
    records.sort();
    // What follows on what is kept can be written down as a change.
    let kept = live.filter(|before| job.has_log && serial.is_newer_than(before.zone.serial()));
    let kept = kept.and_then(|before| Some(Kept { live: before, saved: before.saved.as_ref()? }));
    let whole = |(records, refresh_at)| Version { form: Form::Whole(records), refresh_at };
    let version = match (&job.signing, &kept) {
        (Some(signing), Some(kept)) if why == Why::Content && kept.live.signing == signing.digest => {
            match sign_change(kept.live, &records, serial, signing, job.serials, now)? {
                Some(version) => version,
                None => whole(sign_whole(records, apex, signing, now)?),
            }
        }
        (Some(signing), _) => whole(sign_whole(records, apex, signing, now)?),
        (None, _) => Version { form: Form::Whole(records), refresh_at: None },
    };
    let refresh_at = version.refresh_at;
    let (zone, change) = match version.form {
        Form::Change(zone, change) => (zone, Some(change)),
        Form::Whole(records) => {
            let zone = Zone::build(apex, records)?;
            // Of what is served: TTLs are levelled there, and what has no place is left out.
            let change = kept.as_ref().map(|kept| Diff::between(&kept.live.zone.records(), &zone.records()));
            (zone, change)
        }
    };
    let change = change.filter(|change| change.n_records() <= zone.counts().records.max(ANY_CHANGE));
    let saved = match (&change, kept) {
        (Some(_), Some(kept)) => kept.saved.clone(),
        _ => save(journal, apex, serial, &zone.records())?,
    };
    let ds = content::ds_of(&zone.records_at(apex), apex);
    let signing = signing_digest.to_owned();
    let saved = SavedZone {
        made: serial.0,
        content: digest.clone(),
        signing: signing.clone(),
        refresh_at: refresh_at.map(|at| at.0),
        changed: is_changed,
        ..saved
    };
    // What is made one meanwhile can be taken over where the changes lead on from it; so can the image, which is of the snapshot.
    let (upkeep, imaged) = live.filter(|_| change.is_some()).map_or((None, false), |live| (live.upkeep, live.imaged));
    let live = Live { upkeep, imaged, ..Live::new(Arc::new(zone), digest, signing, refresh_at, ds, Some(saved)) };
    Ok(Some(Made { live, why, change }))
}

/// True if the zone is what content with this digest makes.
fn is_content(live: &Live, digest: &str, serials: Serials, makes_digest: bool) -> bool {
    let mut records = live.zone.records();
    if makes_digest || serials == Serials::Dated {
        content::strip_digest(&mut records, live.zone.apex());
    }
    if serials != Serials::AsItStands {
        content::strip(&mut records, live.zone.apex());
    }
    content::digest(&records, live.zone.apex()) == digest
}

/// Records that a change may have in any case; beyond, it is written down where the zone has more. Our choice: some 100 kB.
pub const ANY_CHANGE: usize = 1000;

/// What is served, and what is kept of it on the disk.
struct Kept<'a> {
    live: &'a Live,
    saved: &'a SavedZone,
}

/// A zone's next version.
struct Version {
    form: Form,
    refresh_at: Option<UnixTime>,
}

/// How it is known.
enum Form {
    /// All its records, sorted.
    Whole(Records),
    /// The zone, and what led to it from the one that is served.
    Change(Zone, Diff),
}

/// The signed records, and when signatures are to be renewed.
fn sign_whole(records: Records, apex: NameRef<'_>, signing: &Signing<'_>, now: UnixTime) -> Result<(Records, Option<UnixTime>), MakeError> {
    let mut records = sign::sign(records, apex, &signing.keys, signing.policy, now, signing.threads)?;
    records.sort();
    gate(&records, apex, signing, now)?;
    let refresh_at = refresh_at(&records, signing, now);
    Ok((records, refresh_at))
}

/// Signs what differs between what is served and the unsigned `records`, which are sorted; `None` where all has to be signed.
fn sign_change(
    before: &Live,
    records: &Records,
    serial: Serial,
    signing: &Signing<'_>,
    serials: Serials,
    now: UnixTime,
) -> Result<Option<Version>, MakeError> {
    let apex = before.zone.apex();
    let mut old = before.zone.records();
    content::strip(&mut old, apex);
    // Keys of other signers: whether these changed is for full signing to see.
    let is_key = |r: crate::dns::Record<'_>| r.owner == apex && matches!(r.rtype, Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY);
    if serials != Serials::Dated && records.iter().any(is_key) {
        return Ok(None);
    }
    let mut change = Diff::between(&old, records);
    content::strip(&mut change.added, apex);
    // Beyond, the zone is signed as soon from the start.
    if change.n_records() > records.len() / 4 + ANY_CHANGE {
        return Ok(None);
    }
    match signed_change(before, &change, serial, signing, now) {
        Ok((change, zone, refresh_at)) => Ok(Some(Version { form: Form::Change(zone, change), refresh_at })),
        Err(MakeError::Change(ChangeError::Sign(error))) => Err(error.into()),
        // Full signing says what is wrong with the content, if it is that.
        Err(MakeError::Change(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Signs a change of the content of a zone that is signed; gives the whole change, the zone after it and when signatures are to be renewed.
///
/// Where the policy makes a digest, it is in what comes out if the zone is so small that nobody would wait for it, and otherwise left out:
/// [`digest`](super::digest) follows with it.
///
/// # Errors
/// [`MakeError`].
fn signed_change(
    before: &Live,
    change: &Diff,
    serial: Serial,
    signing: &Signing<'_>,
    now: UnixTime,
) -> Result<(Diff, Zone, Option<UnixTime>), MakeError> {
    if !signing.policy.zonemd {
        return signed_as_it_is(before, change, serial, signing, now);
    }
    let is_small = before.zone.counts().records <= digest::AT_ONCE;
    let change = digest::with(change, &before.zone, is_small)?;
    signed_as_it_is(before, &change, serial, signing, now)
}

/// As [`signed_change`], with the digests that the change and the zone have.
pub fn signed_as_it_is(
    before: &Live,
    change: &Diff,
    serial: Serial,
    signing: &Signing<'_>,
    now: UnixTime,
) -> Result<(Diff, Zone, Option<UnixTime>), MakeError> {
    let change =
        sign::sign_diff(&before.zone, change, serial, &signing.keys, signing.policy, now, signing.threads).map_err(MakeError::Change)?;
    let zone = before.zone.apply(&change).map_err(|error| MakeError::Change(error.into()))?;
    sign::verify_change(&zone, &change, now, signing.threads).map_err(MakeError::Gate)?;
    let refresh_at = refresh_at(&change.added, signing, now).into_iter().chain(before.refresh_at).min();
    Ok((change, zone, refresh_at))
}

/// A change of the content of a zone, signed where it is signed, with the serial `to`: the whole change, the zone after it and when signatures are to be renewed.
///
/// Another minimum of the SOA is another TTL of the whole chain, or there are other keys: then all of it is signed.
///
/// # Errors
/// [`MakeError`].
pub fn changed(
    before: &Live,
    change: Diff,
    to: Serial,
    signing: Option<&Signing<'_>>,
    now: UnixTime,
) -> Result<(Diff, Zone, Option<UnixTime>), MakeError> {
    let Some(signing) = signing else {
        let change = with_serial(change, &before.zone, to)?;
        let zone = before.zone.apply(&change).map_err(|error| MakeError::Change(error.into()))?;
        return Ok((change, zone, None));
    };
    match signed_change(before, &change, to, signing, now) {
        Err(MakeError::Change(ChangeError::Anew(_))) => signed_anew(before, &change, to, signing, now),
        signed => signed,
    }
}

/// The change with the zone's SOA on both sides, the new one with this serial.
fn with_serial(mut change: Diff, zone: &Zone, to: Serial) -> Result<Diff, MakeError> {
    let apex = zone.apex();
    let at_apex = zone.records_at(apex);
    let is_soa = |record: &Record<'_>| record.rtype == Rtype::SOA;
    let mut soas = (Records::new(), Records::new());
    for record in at_apex.iter().filter(is_soa) {
        soas.0.push(apex, Rtype::SOA, record.ttl, record.rdata)?;
    }
    // A newer SOA than the zone's may be part of the change.
    let newer: Vec<(u32, Vec<u8>)> = change.added.iter().filter(is_soa).map(|record| (record.ttl, record.rdata.to_vec())).collect();
    let own = soas.0.iter().map(|record| (record.ttl, record.rdata.to_vec()));
    let wanted = newer.into_iter().next().or(own.into_iter().next());
    if let Some((ttl, soa)) = wanted.and_then(|(ttl, rdata)| Some((ttl, Soa::read(&rdata)?))) {
        soas.1.push(apex, Rtype::SOA, ttl, &Soa { serial: to.0, ..soa }.to_rdata())?;
    }
    for (side, soa) in [(&mut change.removed, &soas.0), (&mut change.added, &soas.1)] {
        side.retain(|record| record.rtype != Rtype::SOA);
        side.extend(soa)?;
        side.sort();
    }
    Ok(change)
}

/// As [`signed_change`], of a zone that has to be signed from the start with it: of its content and what every signature is made with, something is
/// another than it was.
///
/// Cost: that of signing the zone.
fn signed_anew(
    before: &Live,
    change: &Diff,
    serial: Serial,
    signing: &Signing<'_>,
    now: UnixTime,
) -> Result<(Diff, Zone, Option<UnixTime>), MakeError> {
    let apex = before.zone.apex();
    let old = before.zone.records();
    let mut records = change.apply_to(&old).map_err(|error| MakeError::Change(error.into()))?;
    content::set_serial(&mut records, apex, serial)?;
    let (records, refresh_at) = sign_whole(records, apex, signing, now)?;
    let zone = Zone::build(apex, records)?;
    Ok((Diff::between(&old, &zone.records()), zone, refresh_at))
}

/// Nothing is published that does not verify.
fn gate(records: &Records, apex: NameRef<'_>, signing: &Signing<'_>, now: UnixTime) -> Result<(), MakeError> {
    sign::verify(records, apex, &[], now, signing.threads).map(drop).map_err(MakeError::Gate)
}

fn refresh_at(records: &Records, signing: &Signing<'_>, now: UnixTime) -> Option<UnixTime> {
    content::first_expiration(records, now).map(|end| UnixTime(end.0.saturating_sub(signing.policy.refresh.into())))
}

/// Writes a snapshot; it is in force when the state names it.
pub fn save(journal: &Journal, apex: NameRef<'_>, serial: Serial, records: &Records) -> Result<SavedZone, MakeError> {
    let (file, checksum) = journal.save(apex, serial, records).map_err(MakeError::Journal)?;
    let (serial, made) = (serial.0, serial.0);
    Ok(SavedZone {
        serial,
        made,
        content: String::new(),
        signing: String::new(),
        refresh_at: None,
        good: None,
        proven: false,
        placeless: false,
        changed: false,
        log: None,
        file,
        checksum,
    })
}

/// Makes the zone of records that are served as they stand and of which nothing is kept; `None` when it is what was served before.
///
/// # Errors
/// When they make no zone.
pub fn as_they_stand(records: Records, apex: NameRef<'_>, before: Option<&Live>) -> Result<Option<Made>, MakeError> {
    let ds = content::ds_of(&records, apex);
    let zone = Zone::build(apex, records)?;
    Ok(as_it_stands(zone, ds, before))
}

/// Makes the zone of a master file that is served as it stands, while the file is read: nothing is held but the zone. No zone when it is
/// what was served before; what the file can be known again by.
///
/// `None` where the file is to be read as a whole and given to [`make`], which then also says what is wrong: when its names are not in
/// order, when it includes others, or an error.
pub fn from_file(file: &Path, apex: NameRef<'_>, before: Option<&Live>) -> Option<(Option<Made>, Stamp)> {
    let mut builder = Builder::new(apex);
    let mut ds = Vec::new();
    // What is answered already goes before.
    let threads = usize::from(before.is_some());
    let stamp = master::stream_file(file, apex, threads, &mut |records| {
        records.sort();
        ds.extend(content::ds_of(records, apex));
        builder.add(records).is_ok()
    })?;
    let made = as_it_stands(builder.finish().ok()?, ds, before);
    Some((made, stamp))
}

fn as_it_stands(zone: Zone, ds: Vec<Vec<u8>>, before: Option<&Live>) -> Option<Made> {
    let is_same = |before: &Live| {
        // What clients changed once, and the file has now, stands in two parts.
        let has_parts = before.zone.is_overlaid() && before.zone.serial() == zone.serial();
        before.signing.is_empty()
            && (before.zone.is_same(&zone) || has_parts && Diff::between(&before.zone.records(), &zone.records()).n_records() == 0)
    };
    if before.is_some_and(is_same) {
        return None;
    }
    let live = Live::new(Arc::new(zone), String::new(), String::new(), None, ds, None);
    Some(Made { live, why: if before.is_some() { Why::Content } else { Why::New }, change: None })
}

impl Live {
    /// What a primary has sent, and its snapshot.
    pub fn received(zone: Arc<Zone>, saved: SavedZone) -> Self {
        Self::new(zone, String::new(), String::new(), None, Vec::new(), Some(saved))
    }

    fn new(
        zone: Arc<Zone>,
        content: String,
        signing: String,
        refresh_at: Option<UnixTime>,
        ds: Vec<Vec<u8>>,
        saved: Option<SavedZone>,
    ) -> Self {
        let (files, notes, proven) = (Vec::new(), Vec::new(), saved.as_ref().is_some_and(|saved| saved.proven));
        let placeless = Placeless::of(saved.as_ref());
        Self { zone, content, signing, refresh_at, ds, saved, files, notes, proven, placeless, imaged: false, upkeep: None }
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

impl Live {
    /// The zone after the changes since its snapshot, which the log has.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn resumed(self, change: &Diff) -> Result<Self, String> {
        let zone = self.zone.apply(change).map_err(|error| error.to_string())?;
        let is_apex = |rtype| change.removed.iter().chain(change.added.iter()).any(|record| record.rtype == rtype);
        let ds = if is_apex(Rtype::DNSKEY) { content::ds_of(&zone.records_at(zone.apex()), zone.apex()) } else { self.ds };
        // What it was made from after the state was written is found out by making it again.
        let is_known = self.saved.as_ref().is_some_and(|saved| saved.made == zone.serial().0);
        let content = if is_known { self.content } else { String::new() };
        // Of a zone that others make each version is judged; a file may have become another.
        let proven = self.proven && (is_known || content.is_empty() && self.saved.as_ref().is_some_and(|saved| saved.content.is_empty()));
        // Its files were others at the time of the snapshot.
        Ok(Self { zone: Arc::new(zone), content, ds, files: Vec::new(), proven, ..self })
    }
}
