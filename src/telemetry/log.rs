//! Log lines to stderr: `2026-11-22T01:02:03Z [info] [vn.] publish, serial 1 -> 2`. One line, one event; nothing per query.
//!
//! Who logs uses the macros of the `log` crate; this file only knows where a line goes and what stands before it.

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// From which severity on lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(log::LevelFilter);

impl Default for Level {
    /// `info`: what an operator acts on or looks up.
    fn default() -> Self {
        Self(log::LevelFilter::Info)
    }
}

impl FromStr for Level {
    type Err = LogError;

    /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
    fn from_str(text: &str) -> Result<Self, LogError> {
        text.parse().map(Self).map_err(|_| LogError::Level(text.to_owned()))
    }
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    /// No level of this name.
    Level(String),
    /// The process has a log already.
    Twice,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(text) => write!(f, "log level '{text}' is unknown, use off, error, warn, info, debug or trace"),
            Self::Twice => f.write_str("the log is already set up"),
        }
    }
}

impl std::error::Error for LogError {}

/// Sends what the process logs to stderr, from `level` on; `SAOLA_LOG` in the environment outranks `level` where it holds a level.
///
/// # Errors
/// [`LogError::Twice`] if the process has a logger.
pub fn init(level: Level) -> Result<(), LogError> {
    let level = std::env::var("SAOLA_LOG").ok().and_then(|text| text.parse().ok()).unwrap_or(level);
    log::set_logger(&Stderr).map_err(|_| LogError::Twice)?;
    log::set_max_level(level.0);
    Ok(())
}

struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            // In one piece, so that lines of several threads do not mix; a log that cannot be written must not stop the server.
            let _ = std::io::stderr().write_all(line(secs, record.level(), record.args()).as_bytes());
        }
    }

    fn flush(&self) {}
}

/// One line with its end. Line ends inside the text become spaces: one event stays one line, whatever a client's name holds.
fn line(unix_secs: u64, level: log::Level, text: &fmt::Arguments<'_>) -> String {
    let level = match level {
        log::Level::Error => "error",
        log::Level::Warn => "warn",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    };
    let (year, month, day) = date(unix_secs / 86_400);
    let (hour, minute, second) = (unix_secs / 3600 % 24, unix_secs / 60 % 60, unix_secs % 60);
    let mut line = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z [{level}] {text}");
    if line.contains(|c: char| c.is_control()) {
        line = line.replace(|c: char| c.is_control(), " ");
    }
    line.push('\n');
    line
}

/// Year, month and day of a number of days since 1970-01-01; goes through the years, which for a log is quick enough.
fn date(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    // The Gregorian calendar repeats every 400 years; so a mad clock cannot hold us here.
    year += days / 146_097 * 400;
    days %= 146_097;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for len in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < len {
            break;
        }
        days -= len;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_is_one_line() {
        for (secs, text, expected) in [
            (0, "ready", "1970-01-01T00:00:00Z [info] ready\n"),
            (951_868_799, "[vn.] publish", "2000-02-29T23:59:59Z [info] [vn.] publish\n"),
            (1_795_309_323, "serial 1 -> 2", "2026-11-22T01:02:03Z [info] serial 1 -> 2\n"),
            (1 << 32, "a\nb\r\0c", "2106-02-07T06:28:16Z [info] a b  c\n"),
        ] {
            assert_eq!(line(secs, log::Level::Info, &format_args!("{text}")), expected);
        }
        let _ = line(u64::MAX / 1000, log::Level::Error, &format_args!("a mad clock"));
    }

    #[test]
    fn levels_are_read() {
        assert_eq!("info".parse(), Ok(Level::default()));
        assert_eq!("loud".parse::<Level>(), Err(LogError::Level("loud".into())));
    }
}
