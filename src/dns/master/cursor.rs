//! The words of master text: blanks, comments, parentheses, quotes and escapes (RFC 1035 §5.1).
//!
//! Knows no record. Positions are offsets; lines are counted only for the one message.

use std::ops::Range;

use super::{Fault, Parse, Reason, fault, shown};
use crate::dns::name::{MAX_LABEL, MAX_LABELS, MAX_NAME, NameError, NameRef, unescape};

/// A place in the text of one file.
pub(super) struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
    /// Where the last word began.
    start: usize,
    open: u32,
    opened_at: usize,
}

/// One word, escapes still in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word<'t> {
    Plain(&'t [u8]),
    /// What stands between the quotes.
    Quoted(&'t [u8]),
}

const PLAIN: u8 = 0;
const DOT: u8 = 1;
/// Up to this kind octets stand for themselves in a word.
const HIGH: u8 = 2;
const BLANK: u8 = 3;
const END: u8 = 4;
const ESCAPE: u8 = 5;
const QUOTE: u8 = 6;
const CONTROL: u8 = 7;

/// What each octet means to the scanner.
static KIND: [u8; 256] = {
    let mut kind = [PLAIN; 256];
    let mut i = 0;
    while i < 0x20 {
        kind[i] = CONTROL;
        i += 1;
    }
    i = 0x80;
    while i < 0x100 {
        kind[i] = HIGH;
        i += 1;
    }
    kind[0x7f] = CONTROL;
    kind[b' ' as usize] = BLANK;
    kind[b'\t' as usize] = BLANK;
    kind[b'\n' as usize] = END;
    kind[b'\r' as usize] = END;
    kind[b';' as usize] = END;
    kind[b'(' as usize] = END;
    kind[b')' as usize] = END;
    kind[b'\\' as usize] = ESCAPE;
    kind[b'"' as usize] = QUOTE;
    kind[b'.' as usize] = DOT;
    kind
};

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, start: 0, open: 0, opened_at: 0 }
    }

    /// The octet at the cursor.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn is_at_blank(&self) -> bool {
        matches!(self.peek(), Some(b' ' | b'\t'))
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Where the last word began.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The place, to come back to with [`Self::go_back`]; no parenthesis may open or close between.
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    /// Goes back to a mark in front of the last word.
    pub(super) fn go_back(&mut self, mark: usize) {
        self.at = mark;
    }

    /// The text from where the last word began to its end.
    pub(super) fn last(&self) -> &'t [u8] {
        &self.text[self.start..self.at]
    }

    /// True if the word `\\#` stands at the cursor (RFC 3597 §5).
    pub(super) fn is_at_unknown_form(&self) -> bool {
        matches!(&self.text[self.at..], [b'\\', b'#'] | [b'\\', b'#', b' ' | b'\t' | b'\n' | b'\r' | b';' | b'(' | b')', ..])
    }

    /// A complaint about the last word.
    pub(super) fn expected<T>(&self, what: &'static str) -> Parse<T> {
        fault(self.start, Reason::Expected { what, found: shown(self.last()) })
    }

    /// A complaint about the last word, that it breaks a rule.
    pub(super) fn rule<T>(&self, text: &'static str) -> Parse<T> {
        fault(self.start, Reason::Rule(text))
    }

    /// Goes over blanks, comments, parentheses and, inside those, ends of lines.
    fn skip(&mut self) -> Parse<()> {
        while let Some(octet) = self.peek() {
            match octet {
                b' ' | b'\t' => {}
                b'\n' if self.open > 0 => {}
                b'\r' if self.open > 0 && self.text.get(self.at + 1) == Some(&b'\n') => {}
                b'\r' if self.text.get(self.at + 1) == Some(&b'\n') => return Ok(()),
                b'\r' => return fault(self.at, Reason::Octet(b'\r')),
                b';' => {
                    let rest = &self.text[self.at..];
                    self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                    // A comment's carriage return belongs to the end of its line.
                    continue;
                }
                b'(' => {
                    if self.open == 0 {
                        self.opened_at = self.at;
                    }
                    self.open += 1;
                }
                b')' => match self.open.checked_sub(1) {
                    Some(open) => self.open = open,
                    None => return fault(self.at, Reason::LoneParenthesis),
                },
                _ => return Ok(()),
            }
            self.at += 1;
        }
        if self.open > 0 { fault(self.opened_at, Reason::OpenParenthesis) } else { Ok(()) }
    }

    /// True if a word of the entry is left.
    #[inline]
    pub(super) fn more(&mut self) -> Parse<bool> {
        let mut at = self.at;
        while let Some(b' ' | b'\t') = self.text.get(at) {
            at += 1;
        }
        self.at = at;
        match self.text.get(at) {
            Some(b'\n') if self.open == 0 => Ok(false),
            Some(&octet) if KIND[octet as usize] != END => Ok(true),
            _ => self.more_than_blanks(),
        }
    }

    fn more_than_blanks(&mut self) -> Parse<bool> {
        self.skip()?;
        Ok(!matches!(self.peek(), None | Some(b'\n' | b'\r')))
    }

    /// Ends the entry: nothing may be left on it.
    pub(super) fn end(&mut self) -> Parse<()> {
        if self.more()? {
            let _ = self.word("nothing")?;
            return fault(self.start, Reason::Extra(shown(self.last())));
        }
        if self.peek() == Some(b'\r') {
            self.at += 1;
        }
        if self.at < self.text.len() {
            self.at += 1;
        }
        Ok(())
    }

    /// The next word; `what` names what is missing when there is none.
    pub(super) fn word(&mut self, what: &'static str) -> Parse<Word<'t>> {
        if !self.more()? {
            return fault(self.at, Reason::Missing { what });
        }
        self.start = self.at;
        if self.text[self.at] == b'"' {
            self.at += 1;
            self.quoted(self.start)?;
            if self.peek().is_some_and(|octet| !matches!(KIND[octet as usize], BLANK | END)) {
                return fault(self.at, Reason::QuoteInWord);
            }
            return Ok(Word::Quoted(&self.text[self.start + 1..self.at - 1]));
        }
        loop {
            self.at += run(&self.text[self.at..], HIGH);
            let Some(octet) = self.peek() else { break };
            match KIND[octet as usize] {
                ESCAPE => self.escape()?,
                // A service parameter's value: key="value" is one word (RFC 9460 §2.1).
                QUOTE if self.at > self.start && self.text[self.at - 1] == b'=' => {
                    let quote = self.at;
                    self.at += 1;
                    self.quoted(quote)?;
                }
                QUOTE => return fault(self.at, Reason::QuoteInWord),
                CONTROL => return fault(self.at, Reason::Octet(octet)),
                _ => break,
            }
        }
        Ok(Word::Plain(&self.text[self.start..self.at]))
    }

    /// The next word, which must not be quoted.
    pub(super) fn plain(&mut self, what: &'static str) -> Parse<&'t [u8]> {
        match self.word(what)? {
            Word::Plain(raw) => Ok(raw),
            Word::Quoted(_) => self.expected(what),
        }
    }

    /// Goes to behind the closing quote; the cursor stands behind the opening one.
    fn quoted(&mut self, quote: usize) -> Parse<()> {
        loop {
            match self.peek() {
                None | Some(b'\n' | b'\r') => return fault(quote, Reason::OpenQuote),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                // A tab in a string is common and harmless.
                Some(octet) if octet != b'\t' && KIND[octet as usize] == CONTROL => return fault(self.at, Reason::Octet(octet)),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Parse<()> {
        match unescape(&self.text[self.at + 1..]) {
            None | Some((b'\n' | b'\r', 1)) => fault(self.at, Reason::BadEscape),
            Some((_, used)) => {
                self.at += 1 + used;
                Ok(())
            }
        }
    }

    /// The next word as a name in wire form behind `out`; relative ones are completed with `origin`.
    pub(super) fn name(&mut self, origin: NameRef<'_>, what: &'static str, out: &mut Vec<u8>) -> Parse<()> {
        if self.more()? {
            self.start = self.at;
            if let Some(length) = append_plain_name(&self.text[self.at..], origin, out) {
                self.at += length;
                return Ok(());
            }
        }
        let raw = self.plain(what)?;
        append_name(raw, origin, out).map_err(|(skip, reason)| Box::new(Fault { at: self.start + skip, reason }))
    }

    /// Goes over the next word if it is the same text as an earlier word of this file, and a blank ends it.
    #[inline]
    pub(super) fn repeats(&mut self, earlier: &Range<usize>) -> bool {
        let word = &self.text[earlier.clone()];
        let end = self.at + word.len();
        let is_same = !word.is_empty() && self.text[self.at..].starts_with(word) && matches!(self.text.get(end), Some(b' ' | b'\t'));
        if is_same {
            (self.start, self.at) = (self.at, end);
        }
        is_same
    }

    /// Goes over the words of `text`, which [`Self::plain_words`] gave, if they stand here; the last one begins `last` octets further on.
    #[inline]
    pub(super) fn skips(&mut self, text: &[u8], last: usize) -> bool {
        let is_same = self.text[self.at..].starts_with(text);
        if is_same {
            (self.start, self.at) = (self.at + last, self.at + text.len() - 1);
        }
        is_same
    }

    /// The text from `from` to the blank at the cursor, with it, if it is nothing but plain words and blanks: the same words wherever it stands.
    pub(super) fn plain_words(&self, from: usize) -> Option<&'t [u8]> {
        let words = self.text.get(from..=self.at)?;
        (self.is_at_blank() && run(words, BLANK) == words.len()).then_some(words)
    }

    /// Line and column, from 1, of an offset.
    pub(super) fn line_column(text: &[u8], at: usize) -> (usize, usize) {
        let before = &text[..at.min(text.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        // Continuation octets of UTF-8 are no columns.
        (line, 1 + before[line_start..].iter().filter(|&&b| b & 0xc0 != 0x80).count())
    }
}

/// How many octets at the start of `text` are of a kind up to `most`.
#[inline]
fn run(text: &[u8], most: u8) -> usize {
    let mut n = 0;
    while n < text.len() && KIND[text[n] as usize] <= most {
        n += 1;
    }
    n
}

/// Appends the name at the start of `text` if it has no escape and nothing is wrong with it; gives its length.
///
/// Nearly all names of a zone go this way. The text of a name differs from its wire form only in that each
/// dot stands behind its label and each length octet in front: copied one octet further, dots become lengths.
fn append_plain_name(text: &[u8], origin: NameRef<'_>, out: &mut Vec<u8>) -> Option<usize> {
    let mut lengths = [0u8; MAX_LABELS];
    let (mut n_labels, mut label) = (0, 0);
    let i = loop {
        let length = run(&text[label..], PLAIN);
        let end = label + length;
        let kind = text.get(end).map_or(END, |&octet| KIND[octet as usize]);
        if !matches!(kind, DOT | BLANK | END) {
            return None;
        }
        if length == 0 && label > 0 && kind != DOT {
            break end;
        }
        if length == 0 || length > MAX_LABEL {
            return None;
        }
        *lengths.get_mut(n_labels)? = length as u8;
        n_labels += 1;
        if kind != DOT {
            break end;
        }
        label = end + 1;
    };
    let raw = &text[..i];
    let rest = if label == i { &[][..] } else { origin.as_wire() };
    if 1 + i + rest.len() > MAX_NAME || raw == b"@" {
        return None;
    }
    let mut at = out.len();
    out.push(0);
    out.extend_from_slice(raw);
    out.extend_from_slice(rest);
    for &length in &lengths[..n_labels] {
        out[at] = length;
        at += 1 + length as usize;
    }
    if rest.is_empty() {
        out[at] = 0;
    }
    Some(i)
}

/// Appends a name written as `raw`; the error says how far into it something is wrong.
pub(super) fn append_name(raw: &[u8], origin: NameRef<'_>, out: &mut Vec<u8>) -> Result<(), (usize, Reason)> {
    if raw == b"@" {
        out.extend_from_slice(origin.as_wire());
        return Ok(());
    }
    if raw == b"." {
        out.push(0);
        return Ok(());
    }
    let limit = |error| (0, Reason::Name { found: shown(raw), error });
    let first = out.len();
    let mut label = first;
    out.push(0);
    let mut i = 0;
    loop {
        let run = i;
        while i < raw.len() && KIND[raw[i] as usize] == PLAIN {
            i += 1;
        }
        out.extend_from_slice(&raw[run..i]);
        let length = out.len() - label - 1;
        if length > MAX_LABEL {
            return Err(limit(NameError::LabelTooLong));
        }
        let Some(&octet) = raw.get(i) else {
            // No final dot: `length` octets of an open label, then the origin.
            out[label] = length as u8;
            if length == 0 {
                out.pop();
            }
            out.extend_from_slice(if length == 0 { &[0] } else { origin.as_wire() });
            break;
        };
        match KIND[octet as usize] {
            DOT => {
                if length == 0 {
                    return Err(limit(NameError::EmptyLabel));
                }
                out[label] = length as u8;
                label = out.len();
                if label - first >= MAX_NAME {
                    return Err(limit(NameError::TooLong));
                }
                out.push(0);
                i += 1;
            }
            ESCAPE => {
                let (octet, used) = unescape(&raw[i + 1..]).ok_or((i, Reason::BadEscape))?;
                out.push(octet);
                i += 1 + used;
                if length == MAX_LABEL {
                    return Err(limit(NameError::LabelTooLong));
                }
            }
            QUOTE => return Err((i, Reason::QuoteInWord)),
            _ => return Err((i, Reason::Octet(octet))),
        }
    }
    if out.len() - first > MAX_NAME {
        return Err(limit(NameError::TooLong));
    }
    Ok(())
}

/// Appends the octets that a word of text stands for.
pub(super) fn append_unescaped(raw: &[u8], out: &mut Vec<u8>) {
    let mut i = 0;
    while i < raw.len() {
        let run = i;
        while i < raw.len() && raw[i] != b'\\' {
            i += 1;
        }
        out.extend_from_slice(&raw[run..i]);
        if i < raw.len() {
            // Words leave the cursor only with whole escapes in them.
            let Some((octet, used)) = unescape(&raw[i + 1..]) else { return };
            out.push(octet);
            i += 1 + used;
        }
    }
}
