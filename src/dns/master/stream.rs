//! Master files read a piece at a time: neither the text nor the records of a zone have to be in memory as a whole.

use std::io::Read;

use super::cursor::Cursor;
use super::scan::{Place, Scanner, Sink, Step};
use super::{Include, Options};
use crate::dns::records::Records;

/// Octets of text in memory at a time.
const ROOM: usize = 1 << 20;

/// Octets of text that are there when an entry begins, unless the file ends before: hardly any entry is longer.
const AHEAD: usize = ROOM / 8;

/// Reads the master file `input` and gives its records in its order, some thousand at a time, never a name's in two parts where they
/// stand together. `each` says whether to go on.
///
/// What is not read here is to be read as a whole, with [`scan`](super::scan), which also says what is wrong: text with an error, an
/// `$INCLUDE` or an entry of more than 128 KiB, and whatever `each` refuses. `None` for all of these.
///
/// Cost: one pass, and little more than 1 MiB.
pub fn stream(mut input: impl Read, options: &Options<'_>, each: &mut Sink<'_>) -> Option<()> {
    let include: &mut Include<'_> = &mut |_, _| Err(String::new());
    let mut scanner = Scanner::new(options, include, Records::default(), Some(each));
    let mut place = Place::new(options.origin);
    let mut text = Vec::with_capacity(ROOM);
    let (mut is_first, mut is_last) = (true, false);
    while !is_last {
        let room = (ROOM - text.len()) as u64;
        is_last = (input.by_ref().take(room).read_to_end(&mut text).ok()? as u64) < room;
        let mut cur = Cursor::new(&text);
        if is_first && matches!(text.first(), Some(0xef | 0xfe | 0xff)) {
            // A byte order mark.
            return None;
        }
        is_first = false;
        while cur.peek().is_some() && (is_last || text.len() - cur.offset() >= AHEAD) {
            match scanner.entry(&mut cur, &mut place) {
                Ok(Step::Done) => {}
                Ok(Step::Include { .. }) | Err(_) => return None,
            }
        }
        // What was read to the end of the text might go on behind it.
        if !is_last && cur.peek().is_none() {
            return None;
        }
        let read = cur.offset();
        text.drain(..read);
        place.moved();
    }
    scanner.flush().then_some(())
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
    fn streamed(text: &str) -> Option<Vec<String>> {
        let origin = Name::parse("vn.").expect("a name");
        let mut all = Vec::new();
        let mut owners = Vec::new();
        let input = Steps(text.as_bytes(), fastrand::Rng::with_seed(3));
        let done = stream(input, &Options::new(origin.as_ref()), &mut |records| {
            all.extend(list(records));
            owners.extend(records.iter().next().map(|first| first.owner.to_owned()));
            true
        });
        owners.dedup();
        assert!(owners.len() < 2 || all.len() > 4096, "few records come at once");
        done.map(|()| all)
    }

    #[track_caller]
    fn is_as_a_whole(text: &str) {
        let origin = Name::parse("vn.").expect("a name");
        let whole = scan(text.as_bytes(), "t", &Options::new(origin.as_ref()), &mut |_, _| Err("none".into())).expect("good text");
        assert!(streamed(text).expect("read") == list(&whole));
    }

    #[test]
    fn pieces_are_the_whole() {
        is_as_a_whole("");
        is_as_a_whole("a 60 A 192.0.2.1");
        let mut rng = fastrand::Rng::with_seed(8);
        let mut text = String::from("$TTL 60\n");
        while text.len() < 5 * ROOM {
            let i = rng.u32(..1 << 20);
            match rng.u8(..6) {
                0 => text.push_str(&format!("n{i} NS ns.n{i}\n 60 IN NS b\n")),
                1 => text.push_str(&format!("n{i} TXT ( \"a;b\" ; why (\n \t c{i} )\n\n")),
                2 => text.push_str(&format!("$ORIGIN o{i}.vn.\n$TTL {}\n", i % 100)),
                3 => text.push_str(&format!("; {}\r\n", "-".repeat(rng.usize(..2000)))),
                4 => text.push_str(&format!("$GENERATE 1-{} g$ A 192.0.2.$\n", rng.u8(1..20))),
                _ => text.push_str(&format!("n{i}\tTYPE65534 \\# {} {}\n", i % 3000, "ab".repeat(i as usize % 3000))),
            }
        }
        is_as_a_whole(&text);
    }

    #[test]
    fn a_name_comes_in_one_part() {
        let mut text = String::from("$TTL 60\n");
        (0..3000).for_each(|i| text.push_str(&format!("n{i} A 192.0.2.1\n A 192.0.2.2\nn{i} TXT x\n")));
        let origin = Name::parse("vn.").expect("a name");
        let mut seen = std::collections::HashSet::new();
        let mut n_parts = 0;
        stream(text.as_bytes(), &Options::new(origin.as_ref()), &mut |records| {
            n_parts += 1;
            records.sort();
            records.names().all(|name| seen.insert(name.owner().to_owned()) && name.len() == 3)
        })
        .expect("read, and no name twice");
        assert!(n_parts > 1 && seen.len() == 3000);
    }

    #[test]
    fn what_is_not_for_pieces_is_left() {
        let long = format!("$TTL 60\n{}a TXT x ({}\n)\nb TXT x\n", "a A 192.0.2.1\n".repeat(70_000), " ".repeat(2 * ROOM));
        for text in ["a 60 A 192.0.2\n", "$INCLUDE x\n", "\u{feff}a 60 A 192.0.2.1\n", &long] {
            assert!(streamed(text).is_none(), "{}", &text[..20.min(text.len())]);
        }
        let origin = Name::parse("vn.").expect("a name");
        assert!(stream(&b"a 60 A 192.0.2.1\n"[..], &Options::new(origin.as_ref()), &mut |_| false).is_none(), "refused");
        let mut few = Options::new(origin.as_ref());
        few.max_records = 10_000;
        let text = "$TTL 60\n$GENERATE 1-10001 g$ A 192.0.2.1\n";
        assert!(stream(text.as_bytes(), &few, &mut |_| true).is_none(), "too many");
    }
}
