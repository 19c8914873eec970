//! Rust source as the checks see it: comments and the text of literals blanked out, and the paths that lead out of a room.

/// `text` with comments, strings and character literals replaced by spaces; line breaks stay, so line numbers hold.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let previous = out.last().copied().unwrap_or(b' ');
        let skipped = if rest.starts_with(b"//") {
            rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if let Some(len) = raw_string(rest).filter(|_| !is_word(previous)) {
            len
        } else if rest[0] == b'"' {
            quoted(rest)
        } else if rest[0] == b'\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(rest[0]);
            at += 1;
        } else {
            out.extend(rest[..skipped].iter().map(|&b| if b == b'\n' { b'\n' } else { b' ' }));
            at += skipped;
        }
    }
    String::from_utf8(out).expect("whole literals and comments were blanked, the rest is copied")
}

/// Block comments nest in Rust.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `r"..."`, `r#"..."#`, `br"..."` and so on; the length, if one starts here.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let start = if rest.starts_with(b"br") || rest.starts_with(b"cr") { 2 } else { usize::from(rest[0] == b'r') };
    if start == 0 {
        return None;
    }
    let hashes = rest[start..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(start + hashes) != Some(&b'"') {
        return None;
    }
    let body = start + hashes + 1;
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let end = rest[body..].windows(close.len()).position(|w| w == close).map_or(rest.len(), |p| body + p + close.len());
    Some(end)
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character literal; 0 for a lifetime, which also starts with an apostrophe.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return rest.iter().skip(3).position(|&b| b == b'\'').map_or(rest.len(), |p| p + 4);
    }
    // One character is at most four octets of UTF-8.
    let text = String::from_utf8_lossy(&rest[1..rest.len().min(6)]);
    let Some(first) = text.chars().next() else { return 0 };
    if rest.get(1 + first.len_utf8()) == Some(&b'\'') { first.len_utf8() + 2 } else { 0 }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// Where `word` stands alone in `code`: line numbers from 1.
pub fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    code.match_indices(word)
        .filter(|(at, _)| (*at == 0 || !is_word(bytes[at - 1])) && bytes.get(at + word.len()).is_none_or(|&b| !is_word(b)))
        .map(|(at, _)| line_of(code, at))
        .collect()
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Every room that `code` names: by `crate::room`, by `crate::{room, ...}`, or by so many `super::` that the path leaves
/// the file's own room. `depth` is the number of modules between the crate's root and the file (`src/dns/name.rs`: 2).
pub fn rooms_named(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if at == 0 || !is_word(code.as_bytes()[at - 1]) {
            heads(code, at + "crate::".len(), &mut |room| found.push((line_of(code, at), room)));
        }
    }
    let inner = inline_modules(code);
    let mut at = 0;
    while let Some(p) = code[at..].find("super::") {
        let start = at + p;
        let mut end = start;
        let mut climbs = 0;
        while code[end..].starts_with("super::") {
            climbs += 1;
            end += "super::".len();
        }
        let nested = inner.iter().filter(|(open, close)| (*open..*close).contains(&start)).count();
        if climbs == depth + nested && (start == 0 || !is_word(code.as_bytes()[start - 1])) {
            heads(code, end, &mut |room| found.push((line_of(code, start), room)));
        }
        at = end;
    }
    found
}

/// The first segments of the path or group of paths at `at`. Names that start with a capital are items of the root, `self` too.
fn heads(code: &str, at: usize, each: &mut dyn FnMut(String)) {
    let rest = &code[at..];
    let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    if !rest.trim_start().starts_with('{') {
        return each(word(rest));
    }
    let mut level = 0;
    let mut from = 0;
    for (i, c) in rest.char_indices() {
        match c {
            '{' => {
                level += 1;
                if level == 1 {
                    from = i + 1;
                }
            }
            '}' | ',' if level == 1 => {
                let head = word(&rest[from..i]);
                if !head.is_empty() {
                    each(head);
                }
                from = i + 1;
                if c == '}' {
                    return;
                }
            }
            '}' => level -= 1,
            _ => {}
        }
    }
}

/// Where the bodies of `mod name { ... }` begin and end.
fn inline_modules(code: &str) -> Vec<(usize, usize)> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("mod ") {
        if at > 0 && is_word(bytes[at - 1]) {
            continue;
        }
        let name = code[at + 4..].bytes().take_while(|&b| is_word(b)).count();
        let open = at + 4 + name + code[at + 4 + name..].bytes().take_while(|b| b.is_ascii_whitespace()).count();
        if name == 0 || bytes.get(open) != Some(&b'{') {
            continue;
        }
        let mut level = 0;
        let close = code[open..].char_indices().find_map(|(i, c)| {
            match c {
                '{' => level += 1,
                '}' => level -= 1,
                _ => {}
            }
            (level == 0).then_some(open + i)
        });
        found.push((open, close.unwrap_or(code.len())));
    }
    found
}

#[test]
fn comments_and_literals_are_blanked() {
    for (text, expected) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("f(\"a \\\" b\") + c", "f(        ) + c"),
        ("r#\"x \" y\"# z", "           z"),
        ("'a' 'b: &'c", "    'b: &'c"),
        ("'\\'' x '\\u{41}' y", "     x          y"),
        ("for\"x\"", "for   "),
    ] {
        assert_eq!(code_only(text), expected, "{text}");
    }
}

#[test]
fn rooms_are_found_in_every_form_of_path() {
    let check = |code: &str, depth: usize, expected: &[&str]| {
        let rooms: Vec<String> = rooms_named(&code_only(code), depth).into_iter().map(|(_, room)| room).collect();
        assert_eq!(rooms, expected, "{code}");
    };
    check("use crate::dns::Name;", 1, &["dns"]);
    check("use crate::{dns::{Name, Soa}, zone, sign as s};", 1, &["dns", "zone", "sign"]);
    check("fn f() { let x = crate::journal::open(); $crate::zone::x!() }", 1, &["journal", "zone"]);
    check("pub(crate) fn f() {} mycrate::x(); // crate::daemon\n\"crate::tool\"", 1, &[]);
    check("use super::sign::x;", 1, &["sign"]);
    check("use super::sibling;", 2, &[]);
    check("use super::super::sign;", 2, &["sign"]);
    check("mod tests { use super::thing; use super::super::sign; }", 1, &["sign"]);
    check("mod tests { mod deeper { use super::super::thing; } }", 1, &[]);
}
