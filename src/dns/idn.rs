//! Internationalised labels of one repertoire: U-labels, A-labels and the ASCII fold.
//!
//! A repertoire is data: the code points that a registry takes. Knows no zone and no registration.
//! RFC 5890 §2.3.2.1 (A-label, U-label), RFC 5891 §4 (registration protocol), RFC 3492 (Punycode).

use std::fmt;

use idna::punycode;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::name::MAX_LABEL;

/// The prefix of an A-label (RFC 5890 §2.3.1).
pub const ACE_PREFIX: &str = "xn--";

/// The code points that labels may hold, each with the ASCII letter it folds to.
#[derive(Clone, Debug)]
pub struct Repertoire {
    /// Sorted by code point.
    points: Vec<(char, char)>,
}

/// Why a label is refused. The first rule that is broken decides, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdnReject {
    /// Not decodable, not the shortest form, or an A-label that hides plain ASCII.
    BadALabel,
    /// Not in Normalization Form C.
    NotNfc,
    /// An upper-case letter in a U-label.
    NotLowercase,
    /// A code point outside the repertoire.
    CodePoint,
    /// A hyphen at an end, or two at the third and fourth place (RFC 5891 §4.2.3.1).
    LdhHyphen,
}

impl IdnReject {
    /// The code that reports and tables use.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadALabel => "IDN_BAD_ALABEL",
            Self::NotNfc => "IDN_NOT_NFC",
            Self::NotLowercase => "IDN_NOT_LOWERCASE",
            Self::CodePoint => "IDN_CODEPOINT",
            Self::LdhHyphen => "LDH_HYPHEN",
        }
    }
}

impl fmt::Display for IdnReject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadALabel => "the A-label does not stand for a U-label",
            Self::NotNfc => "the label is not in normalization form C",
            Self::NotLowercase => "the label has an upper-case letter",
            Self::CodePoint => "the label has a code point outside the repertoire",
            Self::LdhHyphen => "the label has a hyphen at an end, or two at the third and fourth place",
        })
    }
}

impl std::error::Error for IdnReject {}

/// A line of a repertoire file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepertoireError {
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for RepertoireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: want 'U+XXXX ; character ; ascii fold ; ...'", self.line)
    }
}

impl std::error::Error for RepertoireError {}

impl Repertoire {
    /// Reads lines of `U+XXXX ; character ; ascii fold ; ...`; lines that start with `#` and empty ones are skipped.
    ///
    /// # Errors
    /// The first line that is of another form.
    pub fn parse(text: &str) -> Result<Self, RepertoireError> {
        let mut points = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            points.push(parse_point(line).ok_or(RepertoireError { line: i + 1 })?);
        }
        points.sort_unstable();
        points.dedup_by_key(|point| point.0);
        Ok(Self { points })
    }

    /// True if the code point may stand in a label.
    pub fn contains(&self, c: char) -> bool {
        self.fold_of(c).is_some()
    }

    /// `label` with every letter in its ASCII form; what the repertoire does not know stays.
    pub fn ascii_fold(&self, label: &str) -> String {
        label.chars().map(|c| self.fold_of(c).unwrap_or(c)).collect()
    }

    /// Turns a U-label (or a plain label) into the form that stands in the DNS.
    ///
    /// # Errors
    /// [`IdnReject`] says the first rule that the label breaks.
    pub fn to_a_label(&self, label: &str) -> Result<String, IdnReject> {
        self.check_u_label(label)?;
        let ascii = if label.is_ascii() {
            label.to_owned()
        } else {
            format!("{ACE_PREFIX}{}", punycode::encode_str(label).ok_or(IdnReject::BadALabel)?)
        };
        if ascii.is_empty() || ascii.len() > MAX_LABEL {
            return Err(IdnReject::BadALabel);
        }
        Ok(ascii)
    }

    /// The rules of a U-label but for its length.
    fn check_u_label(&self, label: &str) -> Result<(), IdnReject> {
        if !is_nfc(label) {
            return Err(IdnReject::NotNfc);
        }
        if label.chars().any(char::is_uppercase) {
            return Err(IdnReject::NotLowercase);
        }
        if !label.chars().all(|c| self.contains(c)) {
            return Err(IdnReject::CodePoint);
        }
        if has_misplaced_hyphen(label) {
            return Err(IdnReject::LdhHyphen);
        }
        Ok(())
    }

    /// Turns an A-label in lower case, prefix included, into its U-label.
    ///
    /// # Errors
    /// [`IdnReject::BadALabel`], [`IdnReject::NotNfc`] or [`IdnReject::CodePoint`]: an A-label of upper-case
    /// letters breaks the repertoire, one with misplaced hyphens is no A-label.
    pub fn to_u_label(&self, label: &str) -> Result<String, IdnReject> {
        let encoded = label.strip_prefix(ACE_PREFIX).ok_or(IdnReject::BadALabel)?;
        if label.len() > MAX_LABEL {
            return Err(IdnReject::BadALabel);
        }
        let decoded = punycode::decode_to_string(encoded).ok_or(IdnReject::BadALabel)?;
        if decoded.is_ascii() || punycode::encode_str(&decoded).as_deref() != Some(encoded) {
            return Err(IdnReject::BadALabel);
        }
        match self.check_u_label(&decoded) {
            Ok(()) => Ok(decoded),
            Err(IdnReject::NotLowercase) => Err(IdnReject::CodePoint),
            Err(IdnReject::LdhHyphen) => Err(IdnReject::BadALabel),
            Err(reject) => Err(reject),
        }
    }

    /// Turns what an operator typed into a name of A-labels: each label by itself, ASCII in lower case, no final dot.
    ///
    /// # Errors
    /// The first label that is refused.
    pub fn to_a_name(&self, name: &str) -> Result<String, IdnReject> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let mut out = String::with_capacity(name.len() + 8);
        for (i, label) in name.split('.').enumerate() {
            if i > 0 {
                out.push('.');
            }
            // Plain ASCII is folded as everywhere in the DNS; a U-label with an upper-case letter is a mistake to show.
            let lower = if label.is_ascii() { label.to_ascii_lowercase() } else { label.to_owned() };
            if lower.starts_with(ACE_PREFIX) {
                self.to_u_label(&lower)?;
                out.push_str(&lower);
            } else {
                out.push_str(&self.to_a_label(&lower)?);
            }
        }
        Ok(out)
    }

    fn fold_of(&self, c: char) -> Option<char> {
        let i = self.points.binary_search_by_key(&c, |point| point.0).ok()?;
        Some(self.points[i].1)
    }
}

/// Writes each label of a name in lower case and normalization form C as an A-label, whatever its repertoire.
///
/// `None` when a label is longer than a name can be, or Punycode overflows.
pub fn encode_name(name: &str) -> Option<String> {
    if name.is_ascii() {
        return Some(name.to_ascii_lowercase());
    }
    let label = |label: &str| {
        if label.is_ascii() {
            return Some(label.to_ascii_lowercase());
        }
        let encoded = format!("{ACE_PREFIX}{}", punycode::encode_str(&fold_case(label))?);
        (encoded.len() <= MAX_LABEL).then_some(encoded)
    };
    Some(name.split('.').map(label).collect::<Option<Vec<_>>>()?.join("."))
}

/// Text in lower case and normalization form C.
pub fn fold_case(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

fn parse_point(line: &str) -> Option<(char, char)> {
    let mut fields = line.split(" ; ");
    let code = fields.next()?.trim().strip_prefix("U+")?;
    let point = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
    let mut shown = fields.next()?.trim().chars();
    let mut fold = fields.next()?.trim().chars();
    let pair = (point, fold.next()?);
    (shown.next() == Some(point) && shown.next().is_none() && fold.next().is_none() && pair.1.is_ascii()).then_some(pair)
}

/// RFC 5891 §4.2.3.1. Counted in characters: in a U-label the third and fourth.
fn has_misplaced_hyphen(label: &str) -> bool {
    let mut chars = label.chars().skip(2);
    label.starts_with('-') || label.ends_with('-') || (chars.next() == Some('-') && chars.next() == Some('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vietnamese() -> Repertoire {
        Repertoire::parse(include_str!("../../zones/idn-vi.txt")).expect("the committed repertoire")
    }

    #[test]
    fn vectors_agree_both_ways() {
        let idn = vietnamese();
        let mut n = 0;
        for line in include_str!("../../zones/idn-vectors.csv").lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let [u_label, escaped, result, expected, fold] = fields[..] else { panic!("five fields: {line}") };
            // The file shows what it means: the escaped form is the one that no editor has normalised.
            let u_label = if escaped.contains("\\u03") { unescape(escaped) } else { u_label.to_owned() };
            match result {
                "accept" => {
                    assert_eq!(idn.to_a_label(&u_label).as_deref(), Ok(expected), "{line}");
                    assert_eq!(idn.to_u_label(expected).as_deref(), Ok(&u_label[..]), "{line}");
                    assert_eq!(idn.ascii_fold(&u_label), fold, "{line}");
                }
                _ => assert_eq!(idn.to_a_label(&u_label).map_err(IdnReject::code), Err(expected), "{line}"),
            }
            n += 1;
        }
        assert_eq!(n, 30);
    }

    fn unescape(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("\\u") {
            out.push_str(&rest[..at]);
            out.push(char::from_u32(u32::from_str_radix(&rest[at + 2..at + 6], 16).expect("hex")).expect("char"));
            rest = &rest[at + 6..];
        }
        out + rest
    }

    #[track_caller]
    fn refused(a_label: &str, expected: IdnReject) {
        assert_eq!(vietnamese().to_u_label(a_label), Err(expected), "{a_label}");
    }

    #[test]
    fn a_labels_are_judged_by_what_they_decode_to() {
        // Decomposed letters: canonical composition fails before the repertoire does.
        let decomposed = format!("xn--{}", punycode::encode_str("vie\u{323}\u{302}t").expect("encodes"));
        refused(&decomposed, IdnReject::NotNfc);
        refused(&format!("xn--{}", punycode::encode_str("straße").expect("encodes")), IdnReject::CodePoint);
        refused(&format!("xn--{}", punycode::encode_str("Đạilộ").expect("encodes")), IdnReject::CodePoint);
        refused(&format!("xn--{}", punycode::encode_str("-việt").expect("encodes")), IdnReject::BadALabel);
        // Plain ASCII in disguise, no Punycode, nothing at all, the prefix missing, an overflow.
        refused("xn--vidu-", IdnReject::BadALabel);
        refused("xn--a_b", IdnReject::BadALabel);
        refused("xn--", IdnReject::BadALabel);
        refused("vidu", IdnReject::BadALabel);
        refused("xn--99999999999999", IdnReject::BadALabel);
    }

    #[test]
    fn operators_may_type_either_form() {
        let idn = vietnamese();
        assert_eq!(idn.to_a_name("Tiếngviệt.vn"), Err(IdnReject::NotLowercase));
        assert_eq!(idn.to_a_name("tiếngviệt.COM.vn.").as_deref(), Ok("xn--tingvit-5t4cyc.com.vn"));
        assert_eq!(idn.to_a_name("XN--TINGVIT-5T4CYC.vn").as_deref(), Ok("xn--tingvit-5t4cyc.vn"));
        assert_eq!(idn.to_a_name("vi--du.vn"), Err(IdnReject::LdhHyphen));
        assert_eq!(idn.to_a_name("a..vn"), Err(IdnReject::BadALabel));
    }

    #[test]
    fn the_repertoire_has_104_points() {
        assert_eq!(vietnamese().points.len(), 104);
        assert_eq!(Repertoire::parse("U+0061 ; b ; a").expect_err("shown and code differ"), RepertoireError { line: 1 });
        assert_eq!(Repertoire::parse("# ok\n\nfoo").expect_err("no point"), RepertoireError { line: 3 });
    }
}
