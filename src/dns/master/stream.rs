//! Master files read a piece at a time: neither the text nor the records of a zone have to be in memory as a whole.
//!
//! The pieces are read by several threads. What stands in front of a piece can change what it means; so a thread reads on as if nothing
//! in between had, and a piece for which that was wrong is read again when its turn comes.

use std::io::Read;

use super::scan::{Ahead, Place, Scanner, Sink};
use super::{Include, Options};
use crate::dns::records::Records;
use crate::parallel;

/// Octets of a piece: enough that handing it over costs nothing.
const PIECE: usize = 1 << 18;

/// Octets of the longest piece, of which nothing can be cut off.
const MOST: usize = 1 << 20;

/// Reads the master file `input` and gives its records in its order, some thousand at a time, hardly ever a name's in two parts where
/// they stand together. `each`, which runs on the caller's thread, says whether to go on.
///
/// What is not read here is to be read as a whole, with [`scan`](super::scan), which also says what is wrong: text with an error, an
/// `$INCLUDE` or 1 MiB of which no name but one begins a line, and whatever `each` refuses. `None` for all of these.
///
/// Cost: one pass, on `threads` threads (0: one per core), and some MiB. Only with few directives do the threads help.
pub fn stream(input: impl Read + Send, options: &Options<'_>, threads: usize, each: &mut Sink<'_>) -> Option<()> {
    stream_pieces(Pieces { input, rest: Vec::new(), is_done: false, len: PIECE, most: MOST }, options, threads, each)
}

fn stream_pieces<R: Read + Send>(mut pieces: Pieces<R>, options: &Options<'_>, threads: usize, each: &mut Sink<'_>) -> Option<()> {
    let include: &mut Include<'_> = &mut |_, _| Err(String::new());
    let mut scanner = Scanner::new(options, include, Records::default(), Some(each));
    let mut place = Place::new(options.origin);
    let first = pieces.next()?.ok()?;
    if matches!(first.first(), Some(0xef | 0xfe | 0xff)) {
        // A byte order mark.
        return None;
    }
    scanner.part(&first, &mut place)?;
    let bearings = scanner.bearings(&place);
    let read_ahead = |text: Result<Vec<u8>, Uncut>| text.map(|text| (Ahead::read(&text, &bearings, options), text));
    let take = |(ahead, text): (Option<Ahead>, Vec<u8>)| match ahead {
        Some(ahead) if scanner.bearings(&place) == bearings => scanner.adopt(ahead, &mut place).ok_or(Uncut),
        _ => scanner.part(&text, &mut place).ok_or(Uncut),
    };
    parallel::in_order(pieces, threads, read_ahead, take).ok()?;
    scanner.flush().then_some(())
}

/// Text that is not for pieces.
struct Uncut;

/// The pieces of a text: lines, the first of which begins with another name than the line in front of it.
struct Pieces<R> {
    input: R,
    /// What was read and not given.
    rest: Vec<u8>,
    is_done: bool,
    len: usize,
    most: usize,
}

impl<R: Read> Iterator for Pieces<R> {
    type Item = Result<Vec<u8>, Uncut>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let mut text = Vec::with_capacity(self.len);
        text.append(&mut self.rest);
        for len in [self.len, self.most] {
            let room = len.saturating_sub(text.len()) as u64;
            let Ok(n) = self.input.by_ref().take(room).read_to_end(&mut text) else { break };
            if (n as u64) < room {
                self.is_done = true;
                return Some(Ok(text));
            }
            if let Some(at) = last_change(&text) {
                self.rest = text.split_off(at);
                return Some(Ok(text));
            }
        }
        self.is_done = true;
        Some(Err(Uncut))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Nobody is called for work that is not there.
        (0, self.is_done.then_some(0))
    }
}

/// Where the last line begins whose first word is another than that of the line in front of it; lines that begin with none do not count.
fn last_change(text: &[u8]) -> Option<usize> {
    let mut end = text.len();
    let mut below: Option<(usize, &[u8])> = None;
    while end > 0 {
        let at = memchr::memrchr(b'\n', &text[..end]).map_or(0, |at| at + 1);
        let line = &text[at..];
        let word = &line[..line.iter().position(|octet| b" \t\r\n;()\"".contains(octet)).unwrap_or(0)];
        if !word.is_empty() {
            match below {
                Some((below, other)) if other != word => return Some(below),
                _ => below = Some((at, word)),
            }
        }
        end = at.saturating_sub(1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;
    use crate::dns::master::scan;

    fn list(records: &Records) -> Vec<String> {
        records.iter().map(|r| format!("{} {} {} {:?}", r.owner, r.ttl, r.rtype, r.rdata)).collect()
    }

    /// Gives the text in steps that end where `rng` wants.
    struct Steps<'a>(&'a [u8], fastrand::Rng);

    impl Read for Steps<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.len().min(out.len()).min(self.1.usize(1..70_000));
            let (now, rest) = self.0.split_at(n);
            out[..n].copy_from_slice(now);
            self.0 = rest;
            Ok(n)
        }
    }

    #[track_caller]
    fn streamed(text: &str, len: usize, threads: usize) -> Option<Vec<String>> {
        let origin = Name::parse("vn.").expect("a name");
        let mut all = Vec::new();
        let input = Steps(text.as_bytes(), fastrand::Rng::with_seed(3));
        let pieces = Pieces { input, rest: Vec::new(), is_done: false, len, most: 4 * len };
        let done = stream_pieces(pieces, &Options::new(origin.as_ref()), threads, &mut |records| {
            all.extend(list(records));
            true
        });
        done.map(|()| all)
    }

    /// Reads `text` in pieces of several lengths; gives how many of them could be.
    #[track_caller]
    fn is_as_a_whole(text: &str) -> usize {
        let origin = Name::parse("vn.").expect("a name");
        let whole = scan(text.as_bytes(), "t", &Options::new(origin.as_ref()), &mut |_, _| Err("none".into())).map(|whole| list(&whole));
        let in_pieces = [(40, 1), (300, 3), (4000, 2), (PIECE, 1), (PIECE, 2)];
        let read: Vec<_> = in_pieces.iter().filter_map(|&(len, threads)| streamed(text, len, threads)).collect();
        read.iter().for_each(|read| assert!(whole.as_ref() == Ok(read), "{text}"));
        read.len()
    }

    #[test]
    fn pieces_are_the_whole() {
        assert_eq!(is_as_a_whole(""), 5);
        assert_eq!(is_as_a_whole("a 60 A 192.0.2.1"), 5);
        let mut rng = fastrand::Rng::with_seed(8);
        let mut text = String::from("$TTL 60\n");
        while text.len() < 5 * MOST {
            let i = rng.u32(..1 << 20);
            match rng.u8(..6) {
                0 => text.push_str(&format!("n{i} NS ns.n{i}\n 60 IN NS b\n")),
                1 => text.push_str(&format!("n{i} TXT ( \"a;b\" ; why (\n \t c{i} )\n\n")),
                2 => text.push_str(&format!("n{i} {} A 192.0.2.1\n", i % 100)),
                3 => text.push_str(&format!("; {}\r\n", "-".repeat(rng.usize(..2000)))),
                4 => text.push_str(&format!("n{i} MX 10 m\n; a note\n MX 20 m\nn{i} TXT x\n")),
                _ => text.push_str(&format!("n{i}\tTYPE65534 \\# {} {}\n", i % 3000, "ab".repeat(i as usize % 3000))),
            }
        }
        assert!(is_as_a_whole(&text) >= 2);
        // Directives on the way.
        for _ in 0..50 {
            let at = rng.usize(..text.len());
            let at = at + text[at..].find("\nn").map_or(0, |at| at + 1);
            let i = rng.u32(..1 << 20);
            text.insert_str(at, ["$ORIGIN o.vn.\n", "$TTL 7\n", &format!("$GENERATE 1-{} g$ A 192.0.2.$\n", i % 20 + 1)][rng.usize(..3)]);
        }
        assert!(is_as_a_whole(&text) >= 2);
    }

    /// Texts that mean something else where they are cut: whatever the place, what is read is the whole or nothing.
    #[test]
    fn no_cut_changes_what_is_read() {
        let lines = [
            "a 60 A 192.0.2.1\n",
            "a A 192.0.2.1\n",
            " A 192.0.2.2\n",
            "b TXT (\nc TXT\n)\n",
            "b TXT \\\n",
            "b\\\nc A 192.0.2.1\n",
            "b TXT \"x\n",
            "c 5 SOA m r 1 2 3 4 9\n",
            "c SOA m r 1 2 3 4 8\n",
            "$TTL 60\n",
            "$ORIGIN x\n",
            " $TTL 50\n",
            "\r\n",
            ")\n",
            "; d\n",
            "d. 1 A 192.0.2.4\n",
            "e.vn. 3 TXT \"; (\"\n",
        ];
        let mut rng = fastrand::Rng::with_seed(21);
        let (mut n_read, mut n_whole) = (0, 0);
        for _ in 0..4000 {
            let n = rng.usize(1..40);
            // Most lines are good, or nothing would be read.
            let text: String = (0..n).map(|_| lines[if rng.u8(..8) == 0 { rng.usize(..lines.len()) } else { rng.usize(..3) }]).collect();
            let text = if rng.bool() { format!("$TTL 9\n{text}") } else { text };
            n_read += is_as_a_whole(&text);
            n_whole += 5;
        }
        assert!(n_read > n_whole / 5 && n_read < n_whole, "{n_read} of {n_whole}");
    }

    #[test]
    fn a_name_comes_in_one_part() {
        let mut text = String::from("$TTL 60\n");
        (0..3000).for_each(|i| text.push_str(&format!("n{i} A 192.0.2.1\n A 192.0.2.2\nn{i} TXT x\n")));
        let origin = Name::parse("vn.").expect("a name");
        let mut seen = std::collections::HashSet::new();
        let mut n_parts = 0;
        stream(text.as_bytes(), &Options::new(origin.as_ref()), 2, &mut |records| {
            n_parts += 1;
            records.sort();
            records.names().all(|name| seen.insert(name.owner().to_owned()) && name.len() == 3)
        })
        .expect("read, and no name twice");
        assert!(n_parts > 1 && seen.len() == 3000);
    }

    #[test]
    fn what_is_not_for_pieces_is_left() {
        let long = format!("$TTL 60\n{}a TXT x ({}\n)\nb TXT x\n", "a A 192.0.2.1\n".repeat(70_000), " ".repeat(2 * MOST));
        let late = format!("$TTL 60\n{}c A 192.0.2\n", "a A 192.0.2.1\nb A 192.0.2.1\n".repeat(70_000));
        for text in ["a 60 A 192.0.2\n", "$INCLUDE x\n", "\u{feff}a 60 A 192.0.2.1\n", &long, &late] {
            assert!(streamed(text, PIECE, 2).is_none(), "{}", &text[..20.min(text.len())]);
        }
        let origin = Name::parse("vn.").expect("a name");
        assert!(stream(&b"a 60 A 192.0.2.1\n"[..], &Options::new(origin.as_ref()), 1, &mut |_| false).is_none(), "refused");
        let mut few = Options::new(origin.as_ref());
        few.max_records = 150_000;
        let many = "$TTL 60\n".to_owned() + &"a A 192.0.2.1\nb A 192.0.2.1\n".repeat(75_000);
        let read = |text: &str| stream(text.as_bytes(), &few, 2, &mut |_| true);
        assert!(read(&many).is_some(), "as many as there may be");
        assert!(read(&format!("{many}c A 192.0.2.1\n")).is_none(), "too many");
        assert!(read("$TTL 60\n$GENERATE 1-150001 g$ A 192.0.2.1\n").is_none(), "too many made");
    }
}
