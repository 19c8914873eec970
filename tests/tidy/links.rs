//! Links of the project's Markdown: relative ones lead to a file that is there, and to a heading of it.

use std::fs;
use std::path::Path;

/// Every relative link of `text` (the file `path` below `root`) that leads nowhere.
pub fn broken(root: &Path, path: &str, text: &str) -> Vec<String> {
    let folder = root.join(path).parent().expect("a file has a folder").to_owned();
    let dead = |(line, target): (usize, String)| {
        let (file, heading) = target.split_once('#').map_or((target.as_str(), ""), |(f, h)| (f, h));
        let full = folder.join(file);
        if !full.exists() {
            return Some(format!("{path}:{line}: '{target}' is not there"));
        }
        if heading.is_empty() || !file.is_empty() && !file.ends_with(".md") {
            return None;
        }
        let there = if file.is_empty() { text.to_owned() } else { fs::read_to_string(&full).unwrap_or_default() };
        (!headings(&there).iter().any(|h| h == heading)).then(|| format!("{path}:{line}: no heading '{heading}' in '{file}'"))
    };
    targets(text).into_iter().filter_map(dead).collect()
}

/// The targets of `[text](target)` with their lines; absolute addresses are somebody else's, code blocks are no links.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (at, _) in plain.match_indices("](") {
            let target: String = plain[at + 2..].chars().take_while(|c| *c != ')' && *c != ' ').collect();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((i + 1, target));
            }
        }
    }
    found
}

/// Headings as their anchors: lower case, spaces as hyphens, other marks dropped.
fn headings(text: &str) -> Vec<String> {
    let anchor = |title: &str| {
        let lower = title.trim().to_lowercase();
        let kept = lower.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
    };
    text.lines().filter(|l| l.starts_with('#')).map(|l| anchor(l.trim_start_matches('#'))).collect()
}

#[test]
fn dead_links_are_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = |text: &str, expected: &str| assert_eq!(broken(root, "x.md", text).join(" | "), expected, "{text}");
    check("[a](Cargo.toml) [b](https://example.org/x) `[c](nowhere)`", "");
    check("see [a](docs/none.md)", "x.md:1: 'docs/none.md' is not there");
    check("# The one\n[a](#the-one) [b](#the-two)", "x.md:2: no heading 'the-two' in ''");
    check("```\n[a](none)\n```", "");
}
