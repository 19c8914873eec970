//! The keys of a zone at the moment it is signed; made when there are none.

use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::keys;
use super::make::Signing;
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
    Ok(Signing { policy, keys, digest, threads, note })
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
