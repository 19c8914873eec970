//! Domain names in uncompressed wire form, compared without regard to ASCII case.
//!
//! Knows no zone and no message. RFC 1035 §3.1 (form and limits), RFC 4343 (case),
//! RFC 4034 §6.1 (canonical order).

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;

/// The longest wire form of a name, its root label included (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 255;
/// The longest label (RFC 1035 §2.3.4).
pub const MAX_LABEL: usize = 63;
/// The most labels a name can have, the root not counted.
pub const MAX_LABELS: usize = 127;

/// An absolute name that owns its bytes: uncompressed wire form, root label included.
///
/// The case given is kept; equality, order and hash disregard it. The order is the
/// canonical one of RFC 4034 §6.1.
#[derive(Clone)]
pub struct Name(Box<[u8]>);

/// A borrowed name: the same bytes and the same promises as [`Name`].
#[derive(Clone, Copy)]
pub struct NameRef<'a>(&'a [u8]);

/// Why text or bytes are no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Two dots in a row, or a dot at the start.
    EmptyLabel,
    /// A label of more than 63 octets.
    LabelTooLong,
    /// More than 255 octets.
    TooLong,
    /// A backslash that is not followed by a character or by three digits up to 255.
    BadEscape,
    /// The bytes end inside a name.
    Short,
    /// A compression pointer or another label type where a plain label has to stand.
    BadLabelType,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyLabel => "a label is empty",
            Self::LabelTooLong => "a label has more than 63 octets",
            Self::TooLong => "the name has more than 255 octets",
            Self::BadEscape => "a backslash must be followed by a character or by three digits up to 255",
            Self::Short => "the bytes end inside a name",
            Self::BadLabelType => "a label type other than a plain label",
        })
    }
}

impl std::error::Error for NameError {}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// Reads presentation form; without a final dot the name is still taken as absolute.
    ///
    /// Escapes are `\X` and `\DDD` (RFC 1035 §5.1).
    ///
    /// # Errors
    /// Says which limit of RFC 1035 the text breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(text.len() + 2);
        if text.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if !append_text(text.as_bytes(), &mut wire)? {
            wire.push(0);
        }
        if wire.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        Ok(Self(wire.into()))
    }

    /// Takes the name at the start of `wire`, which must be uncompressed.
    ///
    /// # Errors
    /// When the bytes are no complete plain name.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        NameRef::from_wire(wire).map(NameRef::to_owned)
    }

    /// The borrowed form.
    pub fn as_ref(&self) -> NameRef<'_> {
        NameRef(&self.0)
    }

    /// `label` in front of `rest`.
    ///
    /// # Errors
    /// When the label or the whole grows too long, or the label is empty.
    pub fn prepend(label: &[u8], rest: NameRef<'_>) -> Result<Self, NameError> {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if label.len() > MAX_LABEL {
            return Err(NameError::LabelTooLong);
        }
        if 1 + label.len() + rest.0.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        let mut wire = Vec::with_capacity(1 + label.len() + rest.0.len());
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
        wire.extend_from_slice(rest.0);
        Ok(Self(wire.into()))
    }
}

/// Appends the labels of presentation text to `wire`; a final dot appends the root label. True if it did.
///
/// Returns an error when a label breaks a limit; the limit of the whole name is the caller's.
fn append_text(text: &[u8], wire: &mut Vec<u8>) -> Result<bool, NameError> {
    if text == b"." {
        wire.push(0);
        return Ok(true);
    }
    let mut at = wire.len();
    wire.push(0);
    let mut i = 0;
    while i < text.len() {
        match text[i] {
            b'.' => {
                let n = wire.len() - at - 1;
                if n == 0 {
                    return Err(NameError::EmptyLabel);
                }
                wire[at] = n as u8;
                at = wire.len();
                wire.push(0);
                i += 1;
                continue;
            }
            b'\\' => {
                let (octet, used) = unescape(&text[i + 1..]).ok_or(NameError::BadEscape)?;
                wire.push(octet);
                i += 1 + used;
            }
            octet => {
                wire.push(octet);
                i += 1;
            }
        }
        if wire.len() - at - 1 > MAX_LABEL {
            return Err(NameError::LabelTooLong);
        }
        if wire.len() > 4 * MAX_NAME {
            return Err(NameError::TooLong);
        }
    }
    let n = wire.len() - at - 1;
    // After a final dot the open label is the root's, already written as 0.
    wire[at] = n as u8;
    Ok(n == 0)
}

/// The octet that an escape stands for and how much of `rest` (what follows the backslash) it takes.
pub fn unescape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            Some((u8::try_from(value).ok()?, 3))
        }
        [b'0'..=b'9', ..] | [] => None,
        [octet, ..] => Some((*octet, 1)),
    }
}

impl<'a> NameRef<'a> {
    /// The root, `.`.
    pub const ROOT: NameRef<'static> = NameRef(&[0]);

    /// Takes the name at the start of `wire`, which must be uncompressed; more may follow it.
    ///
    /// # Errors
    /// When the bytes are no complete plain name.
    pub fn from_wire(wire: &'a [u8]) -> Result<Self, NameError> {
        let mut at = 0;
        loop {
            let n = *wire.get(at).ok_or(NameError::Short)? as usize;
            at += 1;
            if n == 0 {
                break;
            }
            if n > MAX_LABEL {
                return Err(NameError::BadLabelType);
            }
            at += n;
            if at >= MAX_NAME {
                return Err(NameError::TooLong);
            }
        }
        Ok(Self(&wire[..at]))
    }

    /// Takes what is known to be one whole name, such as another name's wire form.
    #[inline]
    pub(super) fn from_whole(wire: &'a [u8]) -> Self {
        debug_assert_eq!(NameRef::from_wire(wire).map(|name| name.0.len()), Ok(wire.len()));
        Self(wire)
    }

    /// The wire form, root label included.
    pub fn as_wire(self) -> &'a [u8] {
        self.0
    }

    /// A copy that owns its bytes.
    pub fn to_owned(self) -> Name {
        Name(self.0.into())
    }

    /// A copy in lower case.
    pub fn to_lowercase(self) -> Name {
        let mut wire: Box<[u8]> = self.0.into();
        // Length octets are at most 63 and so no upper-case letters ('A' is 65).
        wire.make_ascii_lowercase();
        Name(wire)
    }

    /// True for `.`.
    pub fn is_root(self) -> bool {
        self.0.len() == 1
    }

    /// True if the first label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(self) -> bool {
        self.0.len() > 2 && self.0[0] == 1 && self.0[1] == b'*'
    }

    /// The labels from the left, without the root.
    pub fn labels(self) -> Labels<'a> {
        Labels(self.0)
    }

    /// How many labels there are, the root not counted.
    pub fn label_count(self) -> usize {
        self.labels().count()
    }

    /// The name without its first label; `None` for the root.
    pub fn parent(self) -> Option<NameRef<'a>> {
        let n = self.0[0] as usize;
        (n != 0).then(|| NameRef(&self.0[1 + n..]))
    }

    /// True if `self` is `other` or lies below it.
    pub fn is_at_or_below(self, other: NameRef<'_>) -> bool {
        self.prefix_of(other).is_some()
    }

    /// The labels of `self` that stand in front of `suffix`, in wire form without a root label;
    /// empty when both are equal, `None` when `self` is neither at nor below `suffix`.
    pub fn prefix_of(self, suffix: NameRef<'_>) -> Option<&'a [u8]> {
        let cut = self.0.len().checked_sub(suffix.0.len())?;
        // The length of the first label tells most names apart.
        if self.0[cut] != suffix.0[0] || !self.0[cut..].eq_ignore_ascii_case(suffix.0) {
            return None;
        }
        let mut at = 0;
        while at < cut {
            at += 1 + self.0[at] as usize;
        }
        (at == cut).then(|| &self.0[..cut])
    }

    /// The last `n` labels and the root.
    ///
    /// The whole name when it has no more than `n` labels.
    pub fn suffix(self, n: usize) -> NameRef<'a> {
        let mut skip = self.label_count().saturating_sub(n);
        let mut name = self;
        while skip > 0 {
            name = NameRef(&name.0[1 + name.0[0] as usize..]);
            skip -= 1;
        }
        name
    }

    /// Canonical order (RFC 4034 §6.1): label by label from the right, lower case, as unsigned octets.
    pub fn canonical_cmp(self, other: NameRef<'_>) -> Ordering {
        if self.0 == other.0 {
            return Ordering::Equal;
        }
        let (mut a, mut b) = ([0u8; MAX_LABELS + 1], [0u8; MAX_LABELS + 1]);
        let (mut i, mut j) = (self.offsets(&mut a), other.offsets(&mut b));
        while i > 0 && j > 0 {
            i -= 1;
            j -= 1;
            let (x, y) = (label_at(self.0, a[i]), label_at(other.0, b[j]));
            if x == y {
                continue;
            }
            let order = x.iter().map(u8::to_ascii_lowercase).cmp(y.iter().map(u8::to_ascii_lowercase));
            if order != Ordering::Equal {
                return order;
            }
        }
        i.cmp(&j)
    }

    /// Writes a key whose byte order is the canonical order of names.
    ///
    /// The labels from the right in lower case, each ended by 0; octets 0 and 1 become two octets,
    /// so that the end of a label sorts before any octet of it.
    pub fn append_sort_key(self, key: &mut Vec<u8>) {
        let mut at = [0u8; MAX_LABELS + 1];
        let n = self.offsets(&mut at);
        for &start in at[..n].iter().rev() {
            for octet in label_at(self.0, start) {
                match octet.to_ascii_lowercase() {
                    octet @ (0 | 1) => key.extend_from_slice(&[1, octet + 1]),
                    octet => key.push(octet),
                }
            }
            key.push(0);
        }
    }

    /// Where each label starts, from the left; returns how many there are.
    fn offsets(self, out: &mut [u8; MAX_LABELS + 1]) -> usize {
        let (mut at, mut n) = (0, 0);
        while self.0[at] != 0 {
            out[n] = at as u8;
            n += 1;
            at += 1 + self.0[at] as usize;
        }
        n
    }
}

fn label_at(wire: &[u8], start: u8) -> &[u8] {
    let start = start as usize;
    &wire[start + 1..start + 1 + wire[start] as usize]
}

/// The labels of a name from the left, without the root.
#[derive(Clone)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let n = self.0[0] as usize;
        if n == 0 {
            return None;
        }
        let label = &self.0[1..=n];
        self.0 = &self.0[1 + n..];
        Some(label)
    }
}

/// Writes one label in presentation form: what is not printable, or has a meaning in master files, is escaped.
pub fn write_label(label: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
    for &octet in label {
        match octet {
            b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                f.write_char('\\')?;
                f.write_char(octet as char)?;
            }
            0x21..=0x7e => f.write_char(octet as char)?,
            _ => write!(f, "\\{octet:03}")?,
        }
    }
    Ok(())
}

impl fmt::Display for NameRef<'_> {
    /// Absolute presentation form with the final dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            write_label(label, f)?;
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for NameRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for NameRef<'_> {}

impl PartialOrd for NameRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NameRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.canonical_cmp(*other)
    }
}

impl Hash for NameRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0 {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_ref().canonical_cmp(other.as_ref())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl<'a> From<&'a Name> for NameRef<'a> {
    fn from(name: &'a Name) -> Self {
        name.as_ref()
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// A name known to be in lower case; its bytes are a map key (`HashMap<LowerName, _>` asked with `&[u8]`).
#[derive(Clone, Debug)]
pub struct LowerName(Name);

impl LowerName {
    /// Lowers `name`.
    pub fn new(name: NameRef<'_>) -> Self {
        Self(name.to_lowercase())
    }
}

impl Borrow<[u8]> for LowerName {
    fn borrow(&self) -> &[u8] {
        &self.0.0
    }
}

impl Deref for LowerName {
    type Target = Name;

    fn deref(&self) -> &Name {
        &self.0
    }
}

impl PartialEq for LowerName {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

impl Eq for LowerName {}

impl Hash for LowerName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.0[..].hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("test name")
    }

    #[test]
    fn text_and_wire_agree() {
        for text in [".", "vn.", "com.vn.", r"sp\032ace.vn.", r"dot\.ted.vn.", r"nul\000l.vn.", r"hi\255gh.vn."] {
            assert_eq!(name(text).to_string(), text);
        }
        assert_eq!(name("COM.vn").as_ref().as_wire(), b"\x03COM\x02vn\0");
        assert_eq!(name("."), Name::root());
    }

    #[test]
    fn limits_are_kept() {
        // A label that ends with the octet 0 is not the root label.
        assert_eq!(Name::parse("a\\000").map(|name| name.to_string()), Ok("a\\000.".to_owned()));
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(".a"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(""), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameError::LabelTooLong));
        assert_eq!(Name::parse(r"a\25"), Err(NameError::BadEscape));
        assert_eq!(Name::parse(r"a\256"), Err(NameError::BadEscape));
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61));
        assert_eq!(name(&longest).as_ref().as_wire().len(), 255);
        assert_eq!(Name::parse(&format!("{longest}a")), Err(NameError::TooLong));
    }

    #[test]
    fn order_is_the_one_of_rfc_4034() {
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            r"\001.z.example.",
            "*.z.example.",
            r"\200.z.example.",
        ];
        for pair in sorted.windows(2) {
            let (a, b) = (name(pair[0]), name(pair[1]));
            assert!(a < b, "{a} < {b}");
            let (mut x, mut y) = (vec![], vec![]);
            a.as_ref().append_sort_key(&mut x);
            b.as_ref().append_sort_key(&mut y);
            assert!(x < y, "keys of {a} and {b}");
        }
    }

    #[test]
    fn suffixes_are_whole_labels() {
        let n = name("www.Com.vn");
        assert_eq!(n.as_ref().prefix_of(name("com.VN").as_ref()), Some(&b"\x03www"[..]));
        assert_eq!(n.as_ref().prefix_of(name("om.vn").as_ref()), None);
        assert!(!name("xcom.vn").as_ref().is_at_or_below(name("com.vn").as_ref()));
        assert_eq!(n.as_ref().suffix(1).to_string(), "vn.");
    }
}
