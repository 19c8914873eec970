//! The operators' door: requests and replies as lines of JSON, and the socket they come through.
//!
//! Knows nothing of zones or queries: what a request does is behind [`Doors`], which the daemon opens.
//!
//! One request is one line; one reply is one line, or, for text of any length, many lines with a last one:
//! `{"verb":"zone-status","zone":"vn."}` gives `{"ok":true,"data":..}`; `{"verb":"zone-dump","zone":"vn."}` gives `{"text":".."}`
//! lines and then `{"ok":true}`; a refusal is `{"ok":false,"error":".."}`.

mod client;
mod socket;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::orders::Filing;

pub use client::{Client, ClientError};
pub use socket::{ListenError, Listener};

/// What an operator asks for. Braces also where there is nothing in them: only so are unknown fields refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// What the server is and does.
    ServerStatus {},
    /// Its counters.
    ServerStats {},
    /// Read configuration, registry inputs and zones again.
    ServerReload {},
    /// End cleanly.
    ServerStop {},
    /// All zones, or one.
    ZoneStatus {
        /// The apex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
    },
    /// A zone's records as a master file.
    ZoneDump {
        /// The apex.
        zone: String,
    },
    /// Read one zone again, or all.
    ZoneReload {
        /// The apex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
    },
    /// Ask a zone's primaries now.
    ZoneRefresh {
        /// The apex.
        zone: String,
        /// For the whole zone, whatever its serial.
        #[serde(default)]
        whole: bool,
    },
    /// The keys in use.
    KeyList {},
    /// Take orders in.
    OrderFile {
        /// The orders; each has a line in the reply, in their order.
        orders: Vec<Filing>,
    },
    /// What else breaks when a name goes.
    OrderImpact {
        /// The name.
        domain: String,
    },
    /// The orders that are in force or to come, some at a time: ask again, behind the last one's `seq`, until there are none.
    OrderList {
        /// Of one name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
        /// Also those that have ended, and restores.
        #[serde(default)]
        all: bool,
        /// Those behind this line of the ledger.
        #[serde(default)]
        after: u64,
    },
    /// One order with what became of it.
    OrderShow {
        /// Its id.
        id: String,
    },
    /// What persons should do about orders.
    OrderReport {},
    /// Write down who approved an urgent order, or that the registrant was told.
    OrderNote {
        /// The order.
        id: String,
        /// Who approved it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approver: Option<String>,
        /// How the registrant was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notified: Option<String>,
    },
}

/// One line of a reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Set on the last line: whether the request was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// A part of a text; more lines follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Reply {
    fn done(data: Option<Value>) -> Self {
        Self { ok: Some(true), data, ..Self::default() }
    }

    fn refused(error: impl Into<String>) -> Self {
        Self { ok: Some(false), error: Some(error.into()), ..Self::default() }
    }
}

/// What the daemon does for operators. Each call may come from several threads at once; an error is what the operator reads.
pub trait Doors: Send + Sync {
    /// What the server is and does.
    fn server_status(&self) -> Value;
    /// Its counters.
    fn server_stats(&self) -> Value;
    /// Reads everything again (`None`) or one zone; returns when it is done.
    ///
    /// # Errors
    /// What could not be taken over; the old state of that stays.
    fn reload(&self, zone: Option<&str>) -> Result<Value, String>;
    /// Has the primaries of a zone asked; returns at once.
    ///
    /// # Errors
    /// When it is no zone that is had from others.
    fn zone_refresh(&self, zone: &str, whole: bool) -> Result<(), String>;
    /// Begins to stop; returns at once.
    fn stop(&self);
    /// All zones, or one.
    ///
    /// # Errors
    /// When there is no such zone.
    fn zone_status(&self, zone: Option<&str>) -> Result<Value, String>;
    /// Writes a zone as a master file.
    ///
    /// # Errors
    /// When there is no such zone, or of `out`.
    fn zone_dump(&self, zone: &str, out: &mut dyn Write) -> Result<(), DumpError>;
    /// The keys in use.
    ///
    /// # Errors
    /// When they cannot be read.
    fn key_list(&self) -> Result<Value, String>;
    /// Takes orders in; returns when those that hold now are in force, with a line for each, refusals among them.
    ///
    /// # Errors
    /// When none can be looked at.
    fn order_file(&self, orders: Vec<Filing>) -> Result<Value, String>;
    /// What else breaks when a name goes.
    ///
    /// # Errors
    /// When it is no name, or it is not known yet.
    fn order_impact(&self, domain: String) -> Result<Value, String>;
    /// The next orders behind the ledger's line `after`, of one name or of all; also ended ones where `all` is set. None where there are no more.
    ///
    /// # Errors
    /// When there is no ledger.
    fn order_list(&self, domain: Option<String>, all: bool, after: u64) -> Result<Value, String>;
    /// One order with what became of it.
    ///
    /// # Errors
    /// When there is none of that id.
    fn order_show(&self, id: String) -> Result<Value, String>;
    /// What persons should do about orders.
    ///
    /// # Errors
    /// When there is no ledger.
    fn order_report(&self) -> Result<Value, String>;
    /// Writes down who approved an urgent order, or how the registrant was told.
    ///
    /// # Errors
    /// When there is no such order, or it cannot be written.
    fn order_note(&self, id: String, approver: Option<String>, notified: Option<String>) -> Result<Value, String>;
}

/// Why a zone was not written to its end.
#[derive(Debug)]
pub enum DumpError {
    /// What the operator reads.
    Refused(String),
    /// Nobody reads any more.
    Io(io::Error),
}

impl From<io::Error> for DumpError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Carries out one request line; the reply goes to `out`, each line ended and flushed.
///
/// # Errors
/// Of `out` alone: whatever is wrong with the request is a reply.
pub fn handle(line: &str, doors: &dyn Doors, out: &mut dyn Write) -> io::Result<()> {
    let request: Request = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(error) => return send(&Reply::refused(format!("the request is not understood: {error}")), out),
    };
    let reply = match request {
        Request::ServerStatus {} => Ok(Some(doors.server_status())),
        Request::ServerStats {} => Ok(Some(doors.server_stats())),
        Request::ServerReload {} => doors.reload(None).map(Some),
        Request::ServerStop {} => {
            // First the reply, since nobody is sure to be there afterwards.
            send(&Reply::done(None), out)?;
            doors.stop();
            return Ok(());
        }
        Request::ZoneStatus { zone } => doors.zone_status(zone.as_deref()).map(Some),
        Request::ZoneReload { zone } => doors.reload(zone.as_deref()).map(Some),
        Request::ZoneRefresh { zone, whole } => doors.zone_refresh(&zone, whole).map(|()| None),
        Request::KeyList {} => doors.key_list().map(Some),
        Request::OrderFile { orders } => doors.order_file(orders).map(Some),
        Request::OrderImpact { domain } => doors.order_impact(domain).map(Some),
        Request::OrderList { domain, all, after } => doors.order_list(domain, all, after).map(Some),
        Request::OrderShow { id } => doors.order_show(id).map(Some),
        Request::OrderReport {} => doors.order_report().map(Some),
        Request::OrderNote { id, approver, notified } => doors.order_note(id, approver, notified).map(Some),
        Request::ZoneDump { zone } => {
            let mut text = TextLines { out, buffer: Vec::with_capacity(2 * TEXT_LEN) };
            match doors.zone_dump(&zone, &mut text).and_then(|()| Ok(text.flush()?)) {
                Ok(()) => Ok(None),
                Err(DumpError::Refused(error)) => Err(error),
                Err(DumpError::Io(error)) => return Err(error),
            }
        }
    };
    match reply {
        Ok(data) => send(&Reply::done(data), out),
        Err(error) => send(&Reply::refused(error), out),
    }
}

fn send(reply: &Reply, out: &mut dyn Write) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply).map_err(io::Error::other)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

/// Octets of text in one reply line; our choice.
const TEXT_LEN: usize = 32 << 10;

/// Puts written text into `text` lines, cut at ends of lines or at ASCII, so that no character is torn.
struct TextLines<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
}

impl TextLines<'_> {
    fn emit(&mut self, n: usize) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.buffer[..n]).into_owned();
        self.buffer.drain(..n);
        send(&Reply { text: Some(text), ..Reply::default() }, self.out)
    }
}

impl Write for TextLines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(TEXT_LEN);
        self.buffer.extend_from_slice(&bytes[..n]);
        if self.buffer.len() >= TEXT_LEN {
            let cut = self
                .buffer
                .iter()
                .rposition(|&b| b == b'\n')
                .map_or_else(|| self.buffer.iter().rposition(u8::is_ascii).map_or(self.buffer.len(), |at| at + 1), |at| at + 1);
            self.emit(cut)?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() { Ok(()) } else { self.emit(self.buffer.len()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    /// Doors that write down what was asked.
    #[derive(Default)]
    pub(super) struct Recorder(pub Mutex<Vec<String>>);

    impl Recorder {
        fn note(&self, what: impl Into<String>) {
            self.0.lock().expect("unpoisoned").push(what.into());
        }
    }

    impl Doors for Recorder {
        fn server_status(&self) -> Value {
            json!({"state": "ready"})
        }
        fn server_stats(&self) -> Value {
            json!({"queries": 1})
        }
        fn reload(&self, zone: Option<&str>) -> Result<Value, String> {
            self.note(format!("reload {zone:?}"));
            if zone == Some("bad.") { Err("line 3: no".into()) } else { Ok(json!({})) }
        }
        fn zone_refresh(&self, zone: &str, whole: bool) -> Result<(), String> {
            self.note(format!("refresh {zone} {whole}"));
            if zone == "vn." { Ok(()) } else { Err("no such zone".into()) }
        }
        fn stop(&self) {
            self.note("stop");
        }
        fn zone_status(&self, zone: Option<&str>) -> Result<Value, String> {
            zone.map_or(Ok(json!([1, 2])), |zone| if zone == "vn." { Ok(json!([1])) } else { Err("no such zone".into()) })
        }
        fn zone_dump(&self, zone: &str, out: &mut dyn Write) -> Result<(), DumpError> {
            if zone != "vn." {
                return Err(DumpError::Refused("no such zone".into()));
            }
            for i in 0..20_000 {
                writeln!(out, "{i}.vn. 3600 IN NS ä.vn.")?;
            }
            Ok(())
        }
        fn key_list(&self) -> Result<Value, String> {
            Ok(json!([]))
        }
        fn order_file(&self, orders: Vec<Filing>) -> Result<Value, String> {
            Ok(orders.iter().map(|order| order.domain.clone()).collect())
        }
        fn order_impact(&self, domain: String) -> Result<Value, String> {
            Ok(json!({"domain": domain}))
        }
        fn order_list(&self, domain: Option<String>, all: bool, after: u64) -> Result<Value, String> {
            Ok(json!([domain, all, after]))
        }
        fn order_show(&self, id: String) -> Result<Value, String> {
            Err(format!("there is no order '{id}'"))
        }
        fn order_report(&self) -> Result<Value, String> {
            Ok(json!([]))
        }
        fn order_note(&self, id: String, approver: Option<String>, _: Option<String>) -> Result<Value, String> {
            Ok(json!([id, approver]))
        }
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let mut out = Vec::new();
        handle(line, &Recorder::default(), &mut out).expect("written");
        assert_eq!(String::from_utf8(out).expect("text"), format!("{expected}\n"), "{line}");
    }

    #[test]
    fn requests_have_replies() {
        check(r#"{"verb":"server-status"}"#, r#"{"ok":true,"data":{"state":"ready"}}"#);
        check(r#"{"verb":"server-stats"}"#, r#"{"ok":true,"data":{"queries":1}}"#);
        check(r#"{"verb":"server-reload"}"#, r#"{"ok":true,"data":{}}"#);
        check(r#"{"verb":"server-stop"}"#, r#"{"ok":true}"#);
        check(r#"{"verb":"zone-status"}"#, r#"{"ok":true,"data":[1,2]}"#);
        check(r#"{"verb":"zone-status","zone":"vn."}"#, r#"{"ok":true,"data":[1]}"#);
        check(r#"{"verb":"zone-status","zone":"x."}"#, r#"{"ok":false,"error":"no such zone"}"#);
        check(r#"{"verb":"zone-refresh","zone":"vn."}"#, r#"{"ok":true}"#);
        check(r#"{"verb":"zone-refresh","zone":"com.","whole":true}"#, r#"{"ok":false,"error":"no such zone"}"#);
        check(r#"{"verb":"zone-reload","zone":"bad."}"#, r#"{"ok":false,"error":"line 3: no"}"#);
        check(r#"{"verb":"zone-dump","zone":"x."}"#, r#"{"ok":false,"error":"no such zone"}"#);
        check(r#"{"verb":"key-list"}"#, r#"{"ok":true,"data":[]}"#);
        let order = r#"{"type":"suspend","domain":"vidu.vn","authority":"A05","legal_ground":"UNPAID","evidence_ref":"E","operator":"a","approver":"b"}"#;
        check(&format!(r#"{{"verb":"order-file","orders":[{order}]}}"#), r#"{"ok":true,"data":["vidu.vn"]}"#);
        check(r#"{"verb":"order-impact","domain":"vidu.vn"}"#, r#"{"ok":true,"data":{"domain":"vidu.vn"}}"#);
        check(r#"{"verb":"order-list","all":true}"#, r#"{"ok":true,"data":[null,true,0]}"#);
        check(r#"{"verb":"order-list","domain":"a.vn","after":7}"#, r#"{"ok":true,"data":["a.vn",false,7]}"#);
        check(r#"{"verb":"order-show","id":"O-1"}"#, r#"{"ok":false,"error":"there is no order 'O-1'"}"#);
    }

    #[test]
    fn what_is_not_understood_is_refused_and_does_nothing() {
        for line in
            ["", "{}", "[]", "{\"verb\":\"format-disk\"}", "{\"verb\":\"server-stop\",\"now\":1}", "{\"verb\":\"zone-dump\"}", "\u{0}"]
        {
            let (mut out, doors) = (Vec::new(), Recorder::default());
            handle(line, &doors, &mut out).expect("written");
            let text = String::from_utf8(out).expect("text");
            assert!(text.starts_with(r#"{"ok":false,"error":"the request is not understood: "#), "{line}: {text}");
            assert!(doors.0.lock().expect("unpoisoned").is_empty());
        }
    }

    #[test]
    fn long_texts_come_in_whole_lines() {
        let mut out = Vec::new();
        handle(r#"{"verb":"zone-dump","zone":"vn."}"#, &Recorder::default(), &mut out).expect("written");
        let lines: Vec<Reply> =
            String::from_utf8(out).expect("text").lines().map(|line| serde_json::from_str(line).expect("reply")).collect();
        let (last, parts) = lines.split_last().expect("some");
        assert_eq!(*last, Reply::done(None));
        assert!(parts.len() > 10 && parts.iter().all(|part| part.text.as_ref().is_some_and(|text| text.ends_with('\n'))));
        let text: String = parts.iter().filter_map(|part| part.text.clone()).collect();
        let expected: String = (0..20_000).map(|i| format!("{i}.vn. 3600 IN NS ä.vn.\n")).collect();
        assert!(text == expected);
    }
}
