//! TSIG (RFC 8945): a shared secret proves who sent a message, and that it is whole.
//!
//! Pure: time is an argument, and messages are octets. A request is judged with [`Keys::judge`]; what is answered to a good one is
//! signed with the [`Signer`] it gives. Who asks signs with [`Key::sign_request`], and takes the answers through the [`Verifier`].

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use ring::hmac;

use crate::dns::message::{self, RawRecord};
use crate::dns::{Class, Name, NameRef, Rtype, UnixTime};

/// How far the clocks of both sides may be apart, in seconds (RFC 8945 §10 recommends it). It is what we write, and the most we take of
/// others: a message says itself how long it is good, and one with 65,535 could be sent again for 18 hours.
pub const FUDGE: u16 = 300;

/// How many messages of a sequence may stand between signed ones (RFC 8945 §5.3.1).
const MOST_UNSIGNED: usize = 99;

/// The response code of a request that its TSIG does not let in.
const NOT_AUTH: u8 = 9;

/// A keyed hash (RFC 8945 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// For peers that know nothing better.
    HmacSha1,
    /// What every implementation has.
    HmacSha256,
    /// Longer.
    HmacSha384,
    /// Longer still.
    HmacSha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::HmacSha1, Self::HmacSha256, Self::HmacSha384, Self::HmacSha512];

    /// As configurations write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::HmacSha384 => hmac::HMAC_SHA384,
            Self::HmacSha512 => hmac::HMAC_SHA512,
        }
    }

    /// As a message has it.
    fn name(self) -> Name {
        Name::parse(self.as_str()).expect("a label is a name")
    }
}

/// A shared secret and its name.
#[derive(Clone)]
pub struct Key {
    name: Name,
    algorithm: Algorithm,
    secret: hmac::Key,
}

impl fmt::Debug for Key {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.name, self.algorithm.as_str())
    }
}

impl Key {
    /// The key `name`; both sides have the same octets for it.
    pub fn new(name: NameRef<'_>, algorithm: Algorithm, secret: &[u8]) -> Self {
        Self { name: name.to_lowercase(), algorithm, secret: hmac::Key::new(algorithm.hmac(), secret) }
    }

    /// Its name, in lower case.
    pub fn name(&self) -> NameRef<'_> {
        self.name.as_ref()
    }

    /// Signs a request; what comes back goes through the verifier.
    ///
    /// # Panics
    /// When `request` has no whole header.
    pub fn sign_request(&self, request: &mut Vec<u8>, now: UnixTime) -> Verifier<'_> {
        let stamp = Stamp::new(self, now);
        let mac = stamp.mac(self, hmac::Context::with_key(&self.secret), request, true);
        stamp.append(request, mac.as_ref());
        Verifier { key: self, digest: started(self, mac.as_ref()), n_unsigned: 0, is_first: true, is_proved: false }
    }
}

/// A context that has begun with the MAC of the message before (RFC 8945 §4.3.1).
fn started(key: &Key, prior: &[u8]) -> hmac::Context {
    let mut digest = hmac::Context::with_key(&key.secret);
    digest.update(&(prior.len() as u16).to_be_bytes());
    digest.update(prior);
    digest
}

/// What a TSIG record says beside the MAC.
struct Stamp {
    key: Name,
    algorithm: Name,
    /// 48 bits.
    time: u64,
    fudge: u16,
    error: u16,
    other: Vec<u8>,
}

impl Stamp {
    fn new(key: &Key, now: UnixTime) -> Self {
        let (name, algorithm) = (key.name.clone(), key.algorithm.name());
        Self { key: name, algorithm, time: now.0, fudge: FUDGE, error: 0, other: Vec::new() }
    }

    fn timers(&self) -> [u8; 8] {
        let mut timers = [0; 8];
        timers[..6].copy_from_slice(&self.time.to_be_bytes()[2..]);
        timers[6..].copy_from_slice(&self.fudge.to_be_bytes());
        timers
    }

    /// What is hashed behind the message: all variables, or in later messages of a sequence the timers alone (RFC 8945 §4.3.3, §5.3.1).
    fn variables(&self, in_full: bool) -> Vec<u8> {
        let timers = self.timers();
        if !in_full {
            return timers.to_vec();
        }
        let name = |name: &Name| name.as_ref().to_lowercase().as_ref().as_wire().to_vec();
        let (error, other_len) = (self.error.to_be_bytes(), (self.other.len() as u16).to_be_bytes());
        [&name(&self.key)[..], &Class::ANY.0.to_be_bytes(), &[0; 4], &name(&self.algorithm), &timers, &error, &other_len, &self.other]
            .concat()
    }

    /// The MAC of `message`, which has no TSIG; `digest` holds what was hashed in front of it.
    fn mac(&self, key: &Key, mut digest: hmac::Context, message: &[u8], in_full: bool) -> hmac::Tag {
        debug_assert_eq!(self.key, key.name);
        digest.update(message);
        digest.update(&self.variables(in_full));
        digest.sign()
    }

    /// Appends the record to a message.
    fn append(&self, message: &mut Vec<u8>, mac: &[u8]) {
        let record = self.record([message[0], message[1]], mac);
        message.extend_from_slice(&record);
        count_one_more(message);
    }

    /// The record, for a message with this id.
    fn record(&self, id: [u8; 2], mac: &[u8]) -> Vec<u8> {
        let algorithm = self.algorithm.as_ref().as_wire();
        let (mac_len, other_len) = (mac.len() as u16, self.other.len() as u16);
        let rdata_len = (algorithm.len() + 16 + mac.len() + self.other.len()) as u16;
        let fixed = [Rtype::TSIG.0, Class::ANY.0, 0, 0, rdata_len].map(u16::to_be_bytes);
        let (timers, rest) = (self.timers(), [u16::from_be_bytes(id), self.error, other_len].map(u16::to_be_bytes));
        let key = self.key.as_ref().as_wire();
        [key, fixed.as_flattened(), algorithm, &timers, &mac_len.to_be_bytes(), mac, rest.as_flattened(), &self.other].concat()
    }
}

/// Counts one more record of additional data.
fn count_one_more(message: &mut [u8]) {
    let n = message::count(message, 3) + 1;
    message[10..12].copy_from_slice(&n.to_be_bytes());
}

/// A TSIG record of a message, and the message without it.
struct Signed {
    stamp: Stamp,
    mac: Vec<u8>,
    /// As it was hashed: without the record, under its first id.
    message: Vec<u8>,
}

impl Signed {
    /// Takes the TSIG record off a message; `Ok(None)` without one.
    fn read(octets: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut at = message::records_at(octets).ok_or(Malformed)?;
        let mut last = None;
        for section in 1..4 {
            for _ in 0..message::count(octets, section) {
                // It is the last record of the additional data (RFC 8945 §5.1).
                if last.as_ref().is_some_and(|last: &RawRecord<'_>| last.rtype == Rtype::TSIG) {
                    return Err(Malformed);
                }
                let record = RawRecord::read(octets, at).ok_or(Malformed)?;
                if record.rtype == Rtype::TSIG && section != 3 {
                    return Err(Malformed);
                }
                at = record.end;
                last = Some(record);
            }
        }
        match last.filter(|last| last.rtype == Rtype::TSIG) {
            Some(_) if at != octets.len() => Err(Malformed),
            Some(record) => Self::of(octets, &record).ok_or(Malformed).map(Some),
            None => Ok(None),
        }
    }

    fn of(octets: &[u8], record: &RawRecord<'_>) -> Option<Self> {
        if record.class != Class::ANY.0 || record.ttl != 0 {
            return None;
        }
        let algorithm = NameRef::from_wire(record.rdata).ok()?;
        let (timers, rest) = record.rdata[algorithm.as_wire().len()..].split_first_chunk::<8>()?;
        let (mac, rest) = take(rest)?;
        let (original_id, rest) = rest.split_first_chunk::<2>()?;
        let (error, rest) = rest.split_first_chunk::<2>()?;
        let (other, rest) = take(rest)?;
        if !rest.is_empty() {
            return None;
        }
        let mut message = octets[..record.start].to_vec();
        message[..2].copy_from_slice(original_id);
        let n = message::count(octets, 3) - 1;
        message[10..12].copy_from_slice(&n.to_be_bytes());
        let stamp = Stamp {
            key: record.owner()?.as_ref().to_lowercase(),
            algorithm: algorithm.to_lowercase(),
            time: timers[..6].iter().fold(0, |time, octet| time << 8 | u64::from(*octet)),
            fudge: u16::from_be_bytes([timers[6], timers[7]]),
            error: u16::from_be_bytes(*error),
            other: other.to_vec(),
        };
        Some(Self { stamp, mac: mac.to_vec(), message })
    }

    /// Judges MAC and time, in this order (RFC 8945 §5.2). A fudge above [`FUDGE`] counts as that one, in requests and in answers: §5.2.3
    /// lets the sender choose it, and §10 says why it should be small.
    fn judge(&self, key: &Key, digest: hmac::Context, in_full: bool, now: UnixTime) -> Result<(), Fault> {
        let whole = key.algorithm.hmac().digest_algorithm().output_len();
        // A MAC may be shortened, but not to nothing (RFC 8945 §5.2.2.1).
        if self.mac.len() > whole || self.mac.len() < 10.max(whole / 2) {
            return Err(Fault::Malformed);
        }
        let expected = self.stamp.mac(key, digest, &self.message, in_full);
        // In a time that does not depend on how much of it is right.
        verify_slices_are_equal(&self.mac, &expected.as_ref()[..self.mac.len()]).map_err(|_| Fault::BadSig)?;
        if now.0.abs_diff(self.stamp.time) > u64::from(self.stamp.fudge.min(FUDGE)) {
            return Err(Fault::BadTime);
        }
        // Nobody we speak with shortens MACs: who does is not let in.
        if self.mac.len() < whole { Err(Fault::BadTrunc) } else { Ok(()) }
    }
}

/// A length of two octets and what it counts.
fn take(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*len).into())
}

/// A message whose records, or whose TSIG, are not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// What is wrong with a signed message (RFC 8945 §3 and §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not well formed, or a MAC of an impossible length.
    Malformed,
    /// The MAC is not that of this message and key.
    BadSig,
    /// Nobody here has the key, or it is of another algorithm.
    BadKey,
    /// The clocks are too far apart, or somebody sent an old message again.
    BadTime,
    /// The MAC is shorter than we take.
    BadTrunc,
    /// A message of a sequence that should be signed is not.
    Unsigned,
    /// The other side says that something was wrong with ours: its TSIG error.
    Peer(u16),
}

impl Fault {
    /// The TSIG error of it.
    pub fn code(self) -> u16 {
        match self {
            Self::Malformed | Self::Unsigned => 0,
            Self::BadSig => 16,
            Self::BadKey => 17,
            Self::BadTime => 18,
            Self::BadTrunc => 22,
            Self::Peer(code) => code,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the TSIG record is malformed"),
            Self::BadSig => f.write_str("the TSIG signature is wrong (BADSIG): the secrets differ, or the message was changed"),
            Self::BadKey => f.write_str("the TSIG key is not known, or of another algorithm (BADKEY)"),
            Self::BadTime => f.write_str("the TSIG time is too far away (BADTIME): check the clocks"),
            Self::BadTrunc => f.write_str("the TSIG signature is shortened (BADTRUNC)"),
            Self::Unsigned => f.write_str("the message is not signed"),
            Self::Peer(16) => f.write_str("the peer says that our TSIG signature is wrong (BADSIG): the secrets differ"),
            Self::Peer(17) => f.write_str("the peer does not know our TSIG key, or has it with another algorithm (BADKEY)"),
            Self::Peer(18) => f.write_str("the peer says that our TSIG time is too far away (BADTIME): check the clocks"),
            Self::Peer(code) => write!(f, "the peer refuses our TSIG with error {code}"),
        }
    }
}

/// The keys that are known here.
#[derive(Clone, Debug, Default)]
pub struct Keys(BTreeMap<Name, Key>);

impl FromIterator<Key> for Keys {
    fn from_iter<T: IntoIterator<Item = Key>>(keys: T) -> Self {
        Self(keys.into_iter().map(|key| (key.name.clone(), key)).collect())
    }
}

/// What is to be thought of a request.
pub enum Judged {
    /// It has no TSIG.
    Unsigned,
    /// It is of who has the key, and whole: answers are signed with this.
    Good(Signer),
    /// It is not to be carried out: the answer is a refusal, with NOTAUTH and what [`Refusal::append`] appends.
    Refused(Refusal),
    /// FORMERR, without a TSIG.
    Malformed,
}

/// Signs what is answered to one request: one message, or a sequence of which every one is signed (RFC 8945 §5.3).
///
/// Holds its key: a sequence may take long, and keys may change while it goes on.
pub struct Signer {
    key: Key,
    prior: Vec<u8>,
    is_first: bool,
}

/// Why a request is refused, and what the answer has to say of it.
pub struct Refusal {
    /// What is wrong.
    pub fault: Fault,
    /// The key as the request named it.
    pub key: Name,
    stamp: Stamp,
    /// For a fault that is told under the key: after a good MAC alone.
    signer: Option<Signer>,
}

impl Keys {
    /// Judges a request (RFC 8945 §5.2): key, then MAC, then time.
    pub fn judge(&self, request: &[u8], now: UnixTime) -> Judged {
        let signed = match Signed::read(request) {
            Ok(None) => return Judged::Unsigned,
            Ok(Some(signed)) => signed,
            Err(Malformed) => return Judged::Malformed,
        };
        let known = self.0.get(&signed.stamp.key).filter(|key| key.algorithm.name() == signed.stamp.algorithm);
        let refused = |fault, stamp: Stamp, signer| {
            Judged::Refused(Refusal { fault, key: stamp.key.clone(), stamp: Stamp { error: Fault::code(fault), ..stamp }, signer })
        };
        let Some(key) = known else { return refused(Fault::BadKey, signed.stamp, None) };
        let judged = signed.judge(key, hmac::Context::with_key(&key.secret), true, now);
        let signer = Signer { key: key.clone(), prior: signed.mac, is_first: true };
        match judged {
            Ok(()) => Judged::Good(signer),
            Err(Fault::Malformed) => Judged::Malformed,
            // Who has the secret is told the time here (RFC 8945 §5.2.3).
            Err(fault @ Fault::BadTime) => refused(fault, Stamp { other: now.0.to_be_bytes()[2..].to_vec(), ..signed.stamp }, Some(signer)),
            Err(fault @ Fault::BadTrunc) => refused(fault, signed.stamp, Some(signer)),
            Err(fault) => refused(fault, signed.stamp, None),
        }
    }
}

impl Refusal {
    /// Gives the answer its response code, NOTAUTH, and a TSIG that says what is wrong: signed after a good MAC alone, so that nobody
    /// without the key gets anything signed (RFC 8945 §5.3.2).
    ///
    /// # Panics
    /// When `answer` has no whole header.
    pub fn append(self, answer: &mut Vec<u8>) {
        answer[3] = answer[3] & 0xf0 | NOT_AUTH;
        match self.signer {
            Some(Signer { key, prior, .. }) => {
                let mac = self.stamp.mac(&key, started(&key, &prior), answer, true);
                self.stamp.append(answer, mac.as_ref());
            }
            None => self.stamp.append(answer, &[]),
        }
    }
}

impl Signer {
    /// The name of the key.
    pub fn key(&self) -> NameRef<'_> {
        self.key.name()
    }

    /// Octets that [`Self::sign`] appends.
    pub fn size(&self) -> usize {
        let mac = self.key.algorithm.hmac().digest_algorithm().output_len();
        self.key.name.as_ref().as_wire().len() + 10 + self.key.algorithm.name().as_ref().as_wire().len() + 16 + mac
    }

    /// Signs the next message of the answer.
    ///
    /// # Panics
    /// When `message` has no whole header.
    pub fn sign(&mut self, message: &mut Vec<u8>, now: UnixTime) {
        let len = message.len();
        message.resize(len + self.size(), 0);
        self.sign_in(message, len, now);
    }

    /// As [`Self::sign`], for a message that is the first `len` octets of `buffer`; gives how many it is then.
    ///
    /// # Panics
    /// When there is no whole header, or no room for what is appended.
    pub fn sign_in(&mut self, buffer: &mut [u8], len: usize, now: UnixTime) -> usize {
        let stamp = Stamp::new(&self.key, now);
        let mac = stamp.mac(&self.key, started(&self.key, &self.prior), &buffer[..len], self.is_first);
        let record = stamp.record([buffer[0], buffer[1]], mac.as_ref());
        let end = len + record.len();
        buffer[len..end].copy_from_slice(&record);
        count_one_more(buffer);
        self.prior = mac.as_ref().to_vec();
        self.is_first = false;
        end
    }
}

/// Takes the answer to one signed request, message by message.
pub struct Verifier<'k> {
    key: &'k Key,
    /// What was hashed since the last signature: its MAC, and the messages without one.
    digest: hmac::Context,
    n_unsigned: usize,
    is_first: bool,
    is_proved: bool,
}

impl Verifier<'_> {
    /// Judges the next message; what it says is proved when [`Self::is_proved`].
    ///
    /// # Errors
    /// What is wrong: nothing of the answer is to be used then.
    pub fn take(&mut self, octets: &[u8], now: UnixTime) -> Result<(), Fault> {
        let Some(signed) = Signed::read(octets).map_err(|Malformed| Fault::Malformed)? else {
            // The first one always is signed (RFC 8945 §5.3.1).
            if self.is_first || self.n_unsigned == MOST_UNSIGNED {
                return Err(Fault::Unsigned);
            }
            self.n_unsigned += 1;
            self.is_proved = false;
            self.digest.update(octets);
            return Ok(());
        };
        if signed.stamp.key != self.key.name || signed.stamp.algorithm != self.key.algorithm.name() {
            return Err(Fault::BadKey);
        }
        // A peer that could not make out our signature cannot sign.
        if signed.mac.is_empty() && signed.stamp.error != 0 {
            return Err(Fault::Peer(signed.stamp.error));
        }
        let digest = std::mem::replace(&mut self.digest, started(self.key, &signed.mac));
        match signed.judge(self.key, digest, self.is_first, now) {
            // It tells its time in this way: ours is the one that is wrong, or its own.
            Err(Fault::BadTime) if signed.stamp.error == 18 => return Err(Fault::Peer(18)),
            judged => judged?,
        }
        if signed.stamp.error != 0 {
            return Err(Fault::Peer(signed.stamp.error));
        }
        (self.n_unsigned, self.is_first, self.is_proved) = (0, false, true);
        Ok(())
    }

    /// True when everything that was taken is signed: the last message of an answer has to be.
    pub fn is_proved(&self) -> bool {
        self.is_proved
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    const THEN: UnixTime = UnixTime(1_790_000_000);

    fn key(algorithm: Algorithm) -> Key {
        let name = Name::parse("xfr.EXAMPLE").expect("name");
        Key::new(name.as_ref(), algorithm, b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    }

    /// `vn. AXFR` with the id 0x1234; as an answer without records.
    fn question(is_answer: bool) -> Vec<u8> {
        let flags = if is_answer { 0x81 } else { 0x01 };
        [&[0x12, 0x34, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2], &b"vn\0\0\xfc\0\x01"[..]].concat()
    }

    /// The MACs that another implementation (dnspython 2) made of a request, of its answer and of the message behind that.
    const MACS: [(Algorithm, [&str; 3]); 4] = [
        (
            Algorithm::HmacSha256,
            [
                "fafd1d3461289edd0467fa46f5fa8433f69495ddc7151d706d894c364d7d8c3b",
                "fe1020c10565b0dc81f5954578895090ea78fb1717771aed7eeada5305694ce4",
                "a6658b08f632252f50efaaa6c111047baae8b492738510f72b5e9ebeed826526",
            ],
        ),
        (
            Algorithm::HmacSha384,
            [
                "97c709fefb386e8b2647675c4f13305ab2f0ec9a334f9856bee02680c6dc89b353ce9c4d896586e44414e22099164826",
                "dd9f9b1fe4e99b7b642d9e4d7c3c4e939d341644a7c1ef0b800a1b4d2a9d7d0575711c0b5f1577d52abaddab2ada73db",
                "45a2adf8dc74829764fcc61bca2cbad9aa56e3d28c3256279bca03d653db25c12ca2a1456e3f57267e0c26e082e8ea76",
            ],
        ),
        (
            Algorithm::HmacSha512,
            [
                "b43e547d7eff7ee9044b7763c66a72b7ee68269fd255386052c1609e756b155d3cbc51a257b6c563b8fc44c80c105c40c4f4b12c7b5a62aaa777436b2a329187",
                "2abd299b1b1c37ebcc3f07307df3d8da5729afa5ab8c6914e4c0ee385453b657339851bd417b4d0b06288abfab1fc2e4346af029603898c778ca8f575d92de9b",
                "aad5dbe91d69b66c8e677b791b7b6ad43c04316509ed7c0ea301cdd1fe21bf4079c5df7e46779b6da629e9ac5167ff7a269eb56179edc7c0aeea301a05914ba2",
            ],
        ),
        (
            Algorithm::HmacSha1,
            [
                "a2e143db467f0e6df49f3ab66fd736061ae1e40d",
                "a414601a5b41014c56f221c55a0b72d2fedd5503",
                "83ee0d59ccac702b4a355506468e6f8cc403d8ad",
            ],
        ),
    ];

    /// A message is not good for longer than five minutes, whatever it says; for less, where it says so.
    #[test]
    fn a_large_fudge_is_cut() {
        let key = key(Algorithm::HmacSha256);
        let keys = Keys::from_iter([key.clone()]);
        for (fudge, late, is_good) in
            [(65_535, 300, true), (65_535, 301, false), (300, 300, true), (300, 301, false), (10, 10, true), (10, 11, false)]
        {
            let stamp = Stamp { fudge, ..Stamp::new(&key, THEN) };
            let mut request = question(false);
            let mac = stamp.mac(&key, hmac::Context::with_key(&key.secret), &request, true);
            stamp.append(&mut request, mac.as_ref());
            for now in [THEN.0 + late, THEN.0 - late] {
                let found = match keys.judge(&request, UnixTime(now)) {
                    Judged::Good(_) => true,
                    Judged::Refused(refusal) => {
                        assert_eq!(refusal.fault, Fault::BadTime);
                        false
                    }
                    Judged::Unsigned | Judged::Malformed => panic!("it is signed"),
                };
                assert_eq!(found, is_good, "{fudge} {late}");
            }
            // Of a primary.
            let mut request = question(false);
            let mut verifier = key.sign_request(&mut request, THEN);
            let mut answer = question(true);
            let prior = Signed::read(&request).expect("whole").expect("signed").mac;
            let mac = stamp.mac(&key, started(&key, &prior), &answer, true);
            stamp.append(&mut answer, mac.as_ref());
            let expected = if is_good { Ok(()) } else { Err(Fault::BadTime) };
            assert_eq!(verifier.take(&answer, UnixTime(THEN.0 + late)), expected, "{fudge} {late}");
        }
    }

    fn mac_of(message: &[u8]) -> String {
        HEXLOWER.encode(&Signed::read(message).expect("whole").expect("signed").mac)
    }

    #[test]
    fn macs_are_those_of_others() {
        for (algorithm, [request_mac, first_mac, second_mac]) in MACS {
            let key = key(algorithm);
            let mut request = question(false);
            let mut verifier = key.sign_request(&mut request, THEN);
            assert_eq!(mac_of(&request), request_mac);
            let keys: Keys = [key.clone()].into_iter().collect();
            let Judged::Good(mut signer) = keys.judge(&request, THEN) else { panic!("good") };
            for mac in [first_mac, second_mac] {
                let mut answer = question(true);
                let before = answer.len();
                let expected = signer.size();
                signer.sign(&mut answer, THEN);
                assert_eq!(answer.len() - before, expected);
                assert_eq!(mac_of(&answer), mac);
                assert_eq!(verifier.take(&answer, THEN), Ok(()));
            }
            assert!(verifier.is_proved());
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let key = key(Algorithm::HmacSha256);
        let keys: Keys = [key.clone()].into_iter().collect();
        let mut request = question(false);
        let _ = key.sign_request(&mut request, THEN);
        assert!(matches!(keys.judge(&question(false), THEN), Judged::Unsigned));
        assert!(matches!(Keys::default().judge(&request, THEN), Judged::Refused(Refusal { fault: Fault::BadKey, .. })));
        for (seconds, is_good) in [(300, true), (301, false)] {
            for now in [UnixTime(THEN.0 + seconds), UnixTime(THEN.0 - seconds)] {
                assert_eq!(matches!(keys.judge(&request, now), Judged::Good(_)), is_good, "{now}");
            }
        }
        // Any other octet makes it another message; an id that a forwarder changed does not.
        for at in 0..request.len() {
            let mut other = request.clone();
            other[at] ^= 0x04;
            let is_let_in = matches!(keys.judge(&other, THEN), Judged::Good(_));
            assert_eq!(is_let_in, at < 2, "octet {at}");
            assert!(!matches!(keys.judge(&request[..at], THEN), Judged::Good(_)), "cut at {at}");
        }
    }

    #[test]
    fn refusals_are_signed_for_who_has_the_key() {
        let key = key(Algorithm::HmacSha256);
        let keys: Keys = [key.clone()].into_iter().collect();
        let other_secret: Keys = [Key::new(key.name(), key.algorithm, b"another")].into_iter().collect();
        for (keys, now, expected) in [
            (&keys, UnixTime(THEN.0 + 1000), Fault::Peer(18)),
            (&other_secret, THEN, Fault::Peer(16)),
            (&Keys::default(), THEN, Fault::Peer(17)),
        ] {
            let mut request = question(false);
            let mut verifier = key.sign_request(&mut request, THEN);
            let Judged::Refused(refusal) = keys.judge(&request, now) else { panic!("refused") };
            let mut answer = question(true);
            refusal.append(&mut answer);
            assert_eq!(answer[3] & 15, NOT_AUTH);
            let signed = Signed::read(&answer).expect("whole").expect("a TSIG");
            assert_eq!(signed.mac.is_empty(), expected != Fault::Peer(18), "{expected}");
            assert_eq!(signed.stamp.other.len(), if expected == Fault::Peer(18) { 6 } else { 0 });
            assert_eq!(verifier.take(&answer, THEN), Err(expected));
        }
    }

    #[test]
    fn shortened_macs_are_not_let_in() {
        let key = key(Algorithm::HmacSha256);
        let keys: Keys = [key.clone()].into_iter().collect();
        let shortened = |n: usize| {
            let mut request = question(false);
            let stamp = Stamp::new(&key, THEN);
            let mac = stamp.mac(&key, hmac::Context::with_key(&key.secret), &request, true);
            stamp.append(&mut request, &mac.as_ref()[..n]);
            request
        };
        assert!(matches!(keys.judge(&shortened(32), THEN), Judged::Good(_)));
        assert!(matches!(keys.judge(&shortened(16), THEN), Judged::Refused(Refusal { fault: Fault::BadTrunc, .. })));
        for n in [0, 1, 15] {
            assert!(matches!(keys.judge(&shortened(n), THEN), Judged::Malformed), "{n}");
        }
    }

    #[test]
    fn sequences_may_have_gaps_and_no_more() {
        let key = key(Algorithm::HmacSha256);
        let keys: Keys = [key.clone()].into_iter().collect();
        // Each letter a message of an answer: signed, unsigned, changed after it was signed.
        let taken = |letters: &str| {
            let mut request = question(false);
            let mut verifier = key.sign_request(&mut request, THEN);
            let Judged::Good(signer) = keys.judge(&request, THEN) else { panic!("good") };
            let (mut prior, mut is_first) = (signer.prior, true);
            let mut since: Vec<u8> = Vec::new();
            for letter in letters.chars() {
                let mut message = question(true);
                if letter == 'u' {
                    since.extend_from_slice(&message);
                } else {
                    let stamp = Stamp::new(&key, THEN);
                    let mut digest = started(&key, &prior);
                    digest.update(&std::mem::take(&mut since));
                    let mac = stamp.mac(&key, digest, &message, is_first);
                    stamp.append(&mut message, mac.as_ref());
                    (prior, is_first) = (mac.as_ref().to_vec(), false);
                }
                if letter == 'x' {
                    message[2] ^= 4;
                }
                verifier.take(&message, THEN)?;
            }
            Ok(verifier.is_proved())
        };
        assert_eq!(taken("sss"), Ok(true));
        assert_eq!(taken("suus"), Ok(true));
        assert_eq!(taken("suu"), Ok(false), "the end has to be signed");
        assert_eq!(taken("us"), Err(Fault::Unsigned), "so has the start");
        assert_eq!(taken(&format!("s{}s", "u".repeat(99))), Ok(true));
        assert_eq!(taken(&format!("s{}", "u".repeat(100))), Err(Fault::Unsigned));
        assert_eq!(taken("sx"), Err(Fault::BadSig));
        assert_eq!(taken("sux"), Err(Fault::BadSig));
    }
}
