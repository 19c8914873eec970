//! What the verbs that talk to a daemon share: the socket's path, the way to ask, the way to print.

use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::Failure;
use crate::control::{Client, ClientError, Request};

/// Arguments of every verb that talks to a daemon.
#[derive(Debug, clap::Args)]
pub struct Online {
    /// The control socket of the daemon.
    #[arg(long, value_name = "PATH", default_value = "var/control.sock")]
    pub control: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

impl Online {
    /// Asks the daemon; a text in the reply goes to `text`.
    ///
    /// # Errors
    /// When no daemon answers, or it refuses.
    pub fn ask(&self, request: &Request, text: &mut dyn Write) -> Result<Value, Failure> {
        let refused = |error: ClientError| match error {
            ClientError::Text(error) => Failure::output(&error),
            error => Failure::Refused(error.to_string()),
        };
        Client::connect(&self.control).map_err(refused)?.ask(request, text).map_err(refused)
    }

    /// Asks and prints: JSON as it came, or what `show` makes of it.
    ///
    /// # Errors
    /// As [`Self::ask`], and when the output cannot be written.
    pub fn print(&self, request: &Request, show: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
        let value = self.ask(request, &mut std::io::sink())?;
        let text = if self.json { format!("{value:#}\n") } else { show(&value) };
        write(&text)
    }
}

/// Writes to standard output.
///
/// # Errors
/// When nobody takes it.
pub fn write(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

/// One `key value` a line, tables within with their key in front, lists by their length; what is null is left out.
pub fn lines(value: &Value) -> String {
    let mut out = String::new();
    append(&mut out, "", value);
    out
}

fn append(out: &mut String, key: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (name, value) in map {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                append(out, &key, value);
            }
        }
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            if !items.is_empty() {
                out.push_str(&format!("{key} {}\n", items.join(" ")));
            }
        }
        Value::Array(items) => {
            for item in items {
                append(out, key, item);
            }
        }
        Value::String(text) => out.push_str(&format!("{key} {text}\n")),
        value => out.push_str(&format!("{key} {value}\n")),
    }
}

/// Columns of a table, each as wide as its widest entry; two spaces between.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).chain([head[i].len()]).max();
    let widths: Vec<usize> = (0..head.len()).map(|i| width(i).unwrap_or(0)).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut out = line(head.to_vec());
    for row in rows {
        out.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    out
}

/// A field as text; empty where there is none.
pub fn field(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_lines() {
        let value = json!({"a": 1, "b": {"c": "x y", "d": null}, "e": ["p", "q"], "f": [], "g": [{"h": 1}, {"h": 2}]});
        assert_eq!(lines(&value), "a 1\nb.c x y\ne p q\ng.h 1\ng.h 2\n");
    }

    #[test]
    fn tables_have_columns() {
        let rows = [vec!["vn.".into(), "7".into()], vec!["com.vn.".into(), String::new()]];
        assert_eq!(table(&["zone", "serial"], &rows), "zone     serial\nvn.      7\ncom.vn.\n");
    }
}
