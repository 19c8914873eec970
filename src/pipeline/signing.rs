//! The keys of a zone at the moment it is signed; made when there are none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::keys;
use super::make::Signing;
use crate::disk::Unchanged;
use crate::dns::{Name, UnixTime};
use crate::sign::{Algorithm, Key, Policy, ZoneKeys};

/// Zone key and secure entry point (RFC 4034 §2.1.1): KSK and CSK.
const KSK: u16 = 257;
/// Zone key alone.
const ZSK: u16 = 256;

/// What was served of a zone until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// Nothing, ever.
    New,
    /// Something, but not signed, or it is not known how.
    Known,
    /// It is signed: the parent may refer to its keys.
    Signed,
}

/// Reads the keys of `apex` in `folder`, or makes those that `policy` asks for when there are none at all.
///
/// # Errors
/// What is wrong with the keys; a zone is never signed with a part of its keys, nor with new ones because the old are gone.
pub fn signing<'a>(
    folder: &Path,
    apex: &Name,
    policy: &'a Policy,
    rsa_bits: u32,
    threads: usize,
    past: Past,
    now: UnixTime,
) -> Result<Signing<'a>, String> {
    let mut found = keys::load(folder, apex.as_ref()).map_err(|error| format!("keys: {error}"))?;
    let both: &[u16] = if policy.csk { &[KSK] } else { &[KSK, ZSK] };
    let wanted = match (&found[..], past) {
        ([], Past::Signed) => {
            return Err(format!(
                "its keys are gone from '{}': bring them back; to sign with others nonetheless, make them with `saola key generate`",
                folder.display()
            ));
        }
        ([], Past::New | Past::Known) => both,
        // A first start that was cut off between the two keys: nobody has seen the zone, so that the other can still be made.
        ([ksk], Past::New) if ksk.is_sep() && ksk.algorithm() == policy.algorithm => &both[1..],
        _ => &[],
    };
    if !wanted.is_empty() {
        // The other algorithms have keys of one size.
        let bits = (policy.algorithm == Algorithm::RsaSha256).then_some(rsa_bits);
        for &flags in wanted {
            let made = keys::generate(folder, apex.as_ref(), policy.algorithm, flags, bits, now);
            found.push(made.map_err(|error| format!("keys: {error}"))?);
        }
    }
    let note = keys::differs_from_policy(&found, policy, rsa_bits, now);
    let keys = ZoneKeys::new(found, policy.csk, now).map_err(|error| format!("keys in '{}': {error}", folder.display()))?;
    let digest = digest(policy, &keys);
    Ok(Signing { policy, keys: Arc::new(keys), digest, threads, note })
}

/// How a zone was signed: with this an order can change it also while another policy, or other roles of its keys, are asked for and a run is still signing
/// the whole of it anew.
pub struct SignedWith {
    policy: Policy,
    keys: Arc<ZoneKeys>,
    digest: String,
}

impl SignedWith {
    /// Of what it is signed with.
    pub fn of(signing: &Signing<'_>) -> Self {
        Self { policy: signing.policy.clone(), keys: Arc::clone(&signing.keys), digest: signing.digest.clone() }
    }

    /// The same once more.
    pub fn signing(&self) -> Signing<'_> {
        Signing { policy: &self.policy, keys: Arc::clone(&self.keys), digest: self.digest.clone(), threads: 0, note: None }
    }

    /// Digest of policy and keys.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Keys of zones that change one name at a time: read again only when a file of theirs, or the folder, is no longer what it was.
#[derive(Default)]
pub struct Keyring(BTreeMap<Name, Kept>);

/// Keys as they were read, and as long as they are good for that.
struct Kept {
    folder: PathBuf,
    files: Unchanged,
    rsa_bits: u32,
    /// From when until when no key begins or ceases to do something.
    from: UnixTime,
    until: UnixTime,
    with: SignedWith,
    note: Option<String>,
}

impl Keyring {
    /// As [`signing`], of a zone that is signed.
    ///
    /// Cost: some system calls where nothing has changed.
    ///
    /// # Errors
    /// As [`signing`].
    pub fn signing<'a>(
        &mut self,
        folder: &Path,
        apex: &Name,
        policy: &'a Policy,
        rsa_bits: u32,
        now: UnixTime,
    ) -> Result<Signing<'a>, String> {
        let is_good = |kept: &&Kept| {
            let is_same = kept.folder == folder && kept.with.policy == *policy && kept.rsa_bits == rsa_bits;
            is_same && kept.from <= now && now < kept.until && kept.files.holds()
        };
        if let Some(kept) = self.0.get(apex).filter(is_good) {
            return Ok(Signing { policy, note: kept.note.clone(), ..kept.with.signing() });
        }
        self.0.remove(apex);
        let begin = SystemTime::now();
        let signing = signing(folder, apex, policy, rsa_bits, 0, Past::Signed, now)?;
        let paths = signing.keys.iter().flat_map(|(key, _)| keys::files(folder, key)).chain([folder.to_owned()]);
        if let Some(files) = Unchanged::since(begin, paths) {
            let turns = signing.keys.iter().flat_map(|(key, _)| key.timing.turns());
            let until = turns.filter(|turn| *turn > now).min().unwrap_or(UnixTime(u64::MAX));
            let (with, note) = (SignedWith::of(&signing), signing.note.clone());
            let kept = Kept { folder: folder.to_owned(), files, rsa_bits, from: now, until, with, note };
            self.0.insert(apex.clone(), kept);
        }
        Ok(signing)
    }
}

/// SHA-256 of all that decides how a zone is signed, hexadecimal.
fn digest(policy: &Policy, keys: &ZoneKeys) -> String {
    let mut hasher = Sha256::new();
    // The text of a policy names every field, so that a new one counts at once.
    hasher.update(format!("{policy:?}"));
    let mut lines: Vec<String> = keys.iter().map(|(key, role): (&Key, _)| format!("{} {role:?}", HEXLOWER.encode(key.dnskey()))).collect();
    lines.sort();
    for line in lines {
        hasher.update(line);
    }
    HEXLOWER.encode(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    /// How long after a change a file is no longer taken as one that may change unseen.
    const SETTLED: Duration = Duration::from_millis(3100);

    #[test]
    fn keys_are_read_again_when_a_file_or_the_time_is_another() {
        let dir = tempfile::tempdir().expect("dir");
        let (folder, apex, policy) = (dir.path(), Name::parse("vidu.vn").expect("name"), Policy::default());
        let mut ring = Keyring::default();
        let now = UnixTime(1_800_000_000);
        let of = |ring: &mut Keyring, now: UnixTime| ring.signing(folder, &apex, &policy, 2048, now).map(|signing| signing.keys);
        assert!(of(&mut ring, now).is_err_and(|what| what.contains("its keys are gone")), "none are made");
        let made = UnixTime(now.0 - 1000);
        let make = |flags| keys::generate(folder, apex.as_ref(), policy.algorithm, flags, None, made).expect("a key");
        let (ksk, zsk) = (make(KSK), make(ZSK));

        let fresh = of(&mut ring, now).expect("keys");
        assert!(!Arc::ptr_eq(&fresh, &of(&mut ring, now).expect("keys")), "what has just changed is not relied upon");
        std::thread::sleep(SETTLED);
        let kept = of(&mut ring, now).expect("keys");
        assert!(Arc::ptr_eq(&kept, &of(&mut ring, UnixTime(now.0 + 1)).expect("keys")));
        assert!(!Arc::ptr_eq(&kept, &of(&mut ring, UnixTime(now.0 - 1)).expect("keys")), "a clock that went back");

        // Gone, back, and readable by others.
        let [public, private] = keys::files(folder, &zsk);
        let aside = folder.join("aside");
        fs::rename(&private, &aside).expect("moved");
        assert!(of(&mut ring, now).is_err_and(|what| what.contains("its .private file is missing")));
        fs::rename(&aside, &private).expect("moved");
        std::thread::sleep(SETTLED);
        let kept = of(&mut ring, now).expect("keys");
        assert!(Arc::ptr_eq(&kept, &of(&mut ring, now).expect("keys")));
        let mode = |mode| fs::set_permissions(&private, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("changed");
        mode(0o644);
        assert!(of(&mut ring, now).is_err_and(|what| what.contains("lets others read")));
        mode(0o600);

        // Another time in a key, from which on it does not sign: seen once written, and when the time comes.
        let text = fs::read_to_string(&private).expect("text");
        let end = UnixTime(now.0 + 100);
        make(ZSK);
        let mut ended = keys::load(folder, apex.as_ref()).expect("keys").into_iter().find(|key| key.tag() == zsk.tag()).expect("there");
        ended.timing.inactive = Some(end);
        fs::write(&private, ended.private_text()).expect("written");
        assert_ne!(fs::read_to_string(&private).expect("text"), text);
        std::thread::sleep(SETTLED);
        let signers = |keys: &ZoneKeys| keys.with(|role| role.signs_zone).count();
        let kept = of(&mut ring, now).expect("keys");
        assert_eq!((kept.iter().count(), signers(&kept)), (3, 2));
        assert!(Arc::ptr_eq(&kept, &of(&mut ring, UnixTime(end.0 - 1)).expect("keys")));
        assert_eq!(signers(&of(&mut ring, end).expect("keys")), 1);

        for key in [&ksk, &zsk] {
            keys::files(folder, key).iter().for_each(|file| fs::remove_file(file).expect("there"));
        }
        assert!(of(&mut ring, now).is_err(), "{}", public.display());
    }
}
