//! What the machine and the state folder give: the host name, the secret of cookies.

use std::path::Path;

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

use crate::disk;

/// The host name; empty where the system does not tell.
pub fn hostname() -> String {
    disk::read_text(Path::new("/proc/sys/kernel/hostname"), 1024).map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// The secret of server cookies (RFC 9018 §4.4), kept in `folder` so that clients' cookies outlive a restart; made when it is not there.
///
/// # Errors
/// When no secret can be kept; cookies are not given then.
pub fn cookie_secret(folder: &Path) -> Result<[u8; 16], String> {
    let path = folder.join("cookie-secret");
    if let Ok(text) = disk::read_text(&path, 64)
        && let Ok(octets) = HEXLOWER.decode(text.trim().as_bytes())
        && let Ok(secret) = octets.try_into()
    {
        return Ok(secret);
    }
    let mut secret = [0; 16];
    SystemRandom::new().fill(&mut secret).map_err(|_| "the system gives no random octets".to_owned())?;
    disk::replace(&path, 0o600, |out| out.write_all(HEXLOWER.encode(&secret).as_bytes()))
        .map_err(|error| format!("'{}': {error}", path.display()))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_secret_is_kept_and_closed_to_others() {
        let dir = tempfile::tempdir().expect("dir");
        let secret = cookie_secret(dir.path()).expect("made");
        assert_eq!(cookie_secret(dir.path()).expect("kept"), secret);
        let path = dir.path().join("cookie-secret");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        std::fs::write(&path, "zz").expect("written");
        assert_ne!(cookie_secret(dir.path()).expect("made anew"), secret);
    }
}
