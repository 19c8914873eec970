//! Configurations good and bad, and what the reader says of them.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::transfer::access::Prefix;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/saola/saola.toml"))
}

/// `text` is refused with exactly this complaint.
#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = parse(text).expect_err("refused");
    assert_eq!(error.to_string(), format!("/etc/saola/saola.toml: {expected}"), "{text}");
}

/// One line of `[server]` that is good, then `rest` from line 3 on.
fn with(rest: &str) -> String {
    format!("[server]\nlisten = [\"127.0.0.1:5300\"]\n{rest}")
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let config = parse(&with("")).expect("good");
    assert_eq!(config.server.state, Path::new("/etc/saola/var"));
    assert_eq!(config.server.control, Path::new("/etc/saola/var/control.sock"));
    assert_eq!(config.server.keys, Path::new("/etc/saola/keys"));
    let config = parse(&with("state = \"/var/lib/saola\"\n[[zone]]\nname = \"example.org\"\nfile = \"z/e\"")).expect("good");
    assert_eq!(config.server.control, Path::new("/var/lib/saola/control.sock"));
    assert_eq!(config.zones[0].source.file(), Some(Path::new("/etc/saola/z/e")));
    let config = Config::parse(&with(""), Path::new("saola.toml")).expect("good");
    assert_eq!(config.server.state, Path::new("var"));
}

#[test]
fn everything_the_judges_write_is_understood() {
    let config = parse(
        r#"
        [server]
        listen = ["127.0.0.1:5399"]
        identity = "saola-peer"
        workers = 1
        state = "/tmp/x/state"
        control = "/tmp/x/control.sock"
        [[key]]
        name = "xfr"
        algorithm = "hmac-sha256"
        secret = "c2VjcmV0"
        [[zone]]
        name = "example.org."
        file = "/tmp/x/zone"
        allow-transfer = [{ prefix = "127.0.0.0/8", key = "xfr." }, { prefix = "::1/128", key = "XFR" }]
        "#,
    )
    .expect("good");
    assert_eq!(config.keys[0].secret, Secret(b"secret".to_vec()));
    assert_eq!(config.zones[0].allow_transfer.len(), 2);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(!format!("{config:?}").contains("115"), "secrets are not printed");
}

#[test]
fn mistakes_name_line_and_key() {
    refused("[server]\n", "line 1: server: missing key `listen`");
    refused(
        &with("lisen = 1"),
        "line 3: server: unknown key `lisen`, expected one of `listen`, `identity`, `hostname`, `version`, `workers`, `udp-limit`, `udp-receive-buffer`, `transfers-in`, `state`, `keys`, `control`, `metrics`",
    );
    refused(
        "[server]\nlisten = [\"127.0.0.1\"]",
        "line 2: server.listen: '127.0.0.1' is not ADDRESS:PORT, write for example \"127.0.0.1:5300\" or \"[::1]:5300\"",
    );
    refused("[server]\nlisten = []", "line 2: server.listen: is empty, write for example listen = [\"127.0.0.1:5300\"]");
    refused("[server]\nlisten = [\"[::1]:53\",\n\"[::1]:53\"]", "line 3: server.listen: [::1]:53 is there twice, remove one");
    refused(&with("udp-limit = 100"), "line 3: server.udp-limit: 100 is out of range, write 512 to 4096");
    refused(&with("state = \"\""), "line 3: server.state: is empty, write a path");
    refused(
        &with("\n[policy.a]\nalgorithm = \"rsasha1\""),
        "line 5: policy.a.algorithm: 'rsasha1' is not known, write one of ecdsap256sha256, ecdsap384sha384, ed25519, rsasha256",
    );
    refused(
        &with("[policy.a]\nvalidity = \"1d\"\nrefresh = \"2d\""),
        "line 5: policy.a.refresh: must be shorter than validity: signatures are renewed when so much of their validity is left",
    );
    refused(
        &with("[policy.a]\nvalidity = \"4d\"\nrefresh = \"2d\"\njitter = \"2d\""),
        "line 6: policy.a.jitter: must be shorter than validity less refresh, or signatures would be due as soon as they are made",
    );
    refused(
        &with("[policy.a]\nvalidity = \"soon\""),
        "line 4: policy.a.validity: 'soon' is no span of time, write seconds or text with units such as \"21d\" or \"1h30m\"",
    );
    refused(
        &with("[[zone]]\nname = \"a.vn\""),
        "line 4: zone.file: 'a.vn.' has no file, add file = \"...\", or primaries = [...] to have it from other servers",
    );
    refused(&with("[[zone]]\nname = \"a..vn\"\nfile = \"x\""), "line 4: zone.name: 'a..vn' is no domain name: a label is empty");
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\n[[zone]]\nname = \"A.VN.\"\nfile = \"x\""),
        "line 7: zone.name: the zone 'A.VN.' is there twice, remove one",
    );
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\nsign = \"strong\""),
        "line 6: zone.sign: there is no policy 'strong', add a table [policy.strong]",
    );
    let primaries = "[[zone]]\nname = \"a.vn\"\nprimaries = [{ address = \"192.0.2.1:53\" }]\n";
    refused(
        &with(&format!("{primaries}sign = \"default\"")),
        "line 6: zone.sign: 'a.vn.' comes from primaries and is served as they have it, remove sign: it is not signed again here",
    );
    refused(
        &with(&format!("{primaries}file = \"x\"")),
        "line 6: zone.file: 'a.vn.' has a file and primaries, remove one: a zone comes from one place",
    );
    refused(
        &with(&format!("{primaries}allow-notify = [{{ prefix = \"::1\", key = \"k\" }}]")),
        "line 6: zone.allow-notify.key: there is no key 'k', add a [[key]] with this name",
    );
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\nallow-notify = []"),
        "line 6: zone.allow-notify: 'a.vn.' comes from a file, of which nobody can say that it has changed, remove allow-notify",
    );
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nprimaries = []"),
        "line 5: zone.primaries: is empty, write for example [{ address = \"192.0.2.1:53\" }]",
    );
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nprimaries = [{ address = \"192.0.2.1:0\" }]"),
        "line 5: zone.primaries: 192.0.2.1:0 has port 0, write the port that it listens on",
    );
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\nallow-transfer = [{ prefix = \"192.0.2.1/24\" }]"),
        "line 6: zone.allow-transfer.prefix: '192.0.2.1/24' is no prefix, write for example \"192.0.2.0/24\" with no bits set after the length",
    );
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\nnotify = [{ address = \"192.0.2.1:53\", key = \"k\" }]"),
        "line 6: zone.notify.key: there is no key 'k', add a [[key]] with this name",
    );
    let twice = "notify = [{ address = \"192.0.2.1:53\" }, { address = \"192.0.2.1:53\" }]";
    refused(
        &with(&format!("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\n{twice}")),
        "line 6: zone.notify.address: 192.0.2.1:53 is there twice, remove one",
    );
    refused(
        &with(&format!("[registry]\ndeposits = \"x\"\nsecond-level = \"y\"\n{twice}")),
        "line 6: registry.notify.address: 192.0.2.1:53 is there twice, remove one",
    );
    refused(
        &with("[[key]]\nname = \"k\"\nalgorithm = \"hmac-sha256\"\nsecret = \"!\""),
        "line 6: key.secret: the secret is no base64, make one with 'openssl rand -base64 32'",
    );
    refused(
        &with("[[key]]\nname = \"k\"\nalgorithm = \"hmac-sha256\""),
        "line 4: key.secret-file: 'k.' has no secret, add secret-file = \"...\"",
    );
}

#[test]
fn a_secret_open_to_others_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("xfr.tsig");
    std::fs::write(&path, "c2VjcmV0\n").expect("written");
    let text = with("[[key]]\nname = \"k\"\nalgorithm = \"hmac-sha256\"\nsecret-file = \"xfr.tsig\"");
    let config = dir.path().join("saola.toml");
    for (mode, good) in [(0o604, false), (0o644, false), (0o666, false), (0o600, true), (0o640, true), (0o400, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        let result = Config::parse(&text, &config);
        assert_eq!(result.is_ok(), good, "{mode:o}: {result:?}");
    }
    std::fs::remove_file(&path).expect("removed");
    let error = Config::parse(&text, &config).expect_err("no file").to_string();
    assert!(error.contains("line 6: key.secret-file: ") && error.contains("xfr.tsig"), "{error}");
}

#[test]
fn prefixes_hold_what_is_in_them() {
    for (prefix, client, inside) in [
        ("192.0.2.0/24", "192.0.2.255", true),
        ("192.0.2.0/24", "192.0.3.0", false),
        ("192.0.2.0/24", "::ffff:192.0.2.7", true),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("0.0.0.0/0", "203.0.113.1", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("2001:db8::/32", "2001:db8:ffff::", true),
        ("2001:db8::/32", "2001:db9::", false),
        ("::1/128", "::1", true),
    ] {
        let found = Prefix::parse(prefix).expect(prefix).contains(client.parse().expect("address"));
        assert_eq!(found, inside, "{prefix} {client}");
    }
    for bad in ["", "/", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "::/129", "192.0.2.1/31", "x/8", "10/8"] {
        assert_eq!(Prefix::parse(bad), None, "{bad}");
    }
}

/// No text, however broken, makes the reader panic.
#[test]
fn cut_and_flipped_texts_are_errors_or_good() {
    let text = include_str!("../../docs/saola.toml.template");
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..2000 {
        let mut bytes = text.as_bytes().to_vec();
        bytes.truncate(rng.usize(..bytes.len()));
        for _ in 0..rng.usize(..4) {
            if !bytes.is_empty() {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
        }
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }
}
