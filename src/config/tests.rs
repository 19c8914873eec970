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
        "line 3: server: unknown key `lisen`, expected one of `listen`, `listen-tls`, `identity`, `hostname`, `version`, `workers`, `udp-limit`, `udp-receive-buffer`, `transfers-in`, `transfer-in-size`, `transfer-in-time`, `state`, `keys`, `control`, `metrics`",
    );
    refused(
        "[server]\nlisten = [\"127.0.0.1\"]",
        "line 2: server.listen: '127.0.0.1' is not ADDRESS:PORT, write for example \"127.0.0.1:5300\" or \"[::1]:5300\"",
    );
    refused(
        &with("[orders]\nledger = [\"var/orders/ledger.jsonl\", \"var/orders/record.jsonl\"]"),
        "line 4: orders.ledger: is the file in which is written what becomes of orders: choose another name",
    );
    refused(
        &with("[orders]\noutbox = \"var/orders\""),
        "line 4: orders.outbox: is the folder of a copy of the ledger, and files are taken out of it: choose another",
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
        &with("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\ntransfer-in-size = 1"),
        "line 6: zone.transfer-in-size: 'a.vn.' does not come from primaries, remove transfer-in-size",
    );
    refused(&with(&format!("{primaries}transfer-in-size = 0")), "line 6: zone.transfer-in-size: 0 is out of range, write 1 to 1048576");
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\nallow-notify = []"),
        "line 6: zone.allow-notify: 'a.vn.' comes from a file, of which nobody can say that it has changed, remove allow-notify",
    );
    refused(
        &with(&format!("{primaries}allow-update = [{{ prefix = \"::1\", key = \"k\" }}]")),
        "line 6: zone.allow-update: 'a.vn.' comes from primaries and is changed there, remove allow-update",
    );
    refused(
        &with("[[zone]]\nname = \"a.vn\"\nfile = \"x\"\nallow-update = [{ prefix = \"::1\" }]"),
        "line 6: zone.allow-update: 'a.vn.' could be changed without a key, add key = \"...\": an address is easily forged",
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

/// A folder with `tls.pem` and `tls.key`, and others that are not as they should be.
fn folder_with_certificates() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("dir");
    let [one, other] = ["ns.example", "edge1.example"].map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).expect("made"));
    let put = |name: &str, text: &str, mode| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
    };
    put("tls.pem", &one.cert.pem(), 0o644);
    put("tls.key", &one.signing_key.serialize_pem(), 0o600);
    put("open.key", &one.signing_key.serialize_pem(), 0o644);
    put("other.key", &other.signing_key.serialize_pem(), 0o600);
    put("cut.pem", &one.cert.pem()[..200], 0o644);
    put("empty.pem", "", 0o600);
    put("no.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    dir
}

#[test]
fn tls_needs_a_certificate_and_its_key() {
    let dir = folder_with_certificates();
    let config = |rest: &str| Config::parse(&format!("[server]\nlisten = [\"127.0.0.1:53\"]\n{rest}"), &dir.path().join("saola.toml"));
    let good = "listen-tls = [\"127.0.0.1:853\"]\n[tls]\ncertificate = \"tls.pem\"\nkey = \"tls.key\"";
    let read = config(good).expect("good");
    assert!(read.tls.is_some() && read.server.listen_tls.len() == 1);
    assert!(format!("{:?}", read.tls).ends_with("Credentials(..))"));
    for (from, to, expected) in [
        (
            "853\"]\n[tls]\ncertificate = \"tls.pem\"\nkey = \"tls.key\"",
            "853\"]",
            "line 3: server.listen-tls: 127.0.0.1:853 needs a certificate: add a table [tls]",
        ),
        ("853", "53", "line 3: server.listen-tls: 127.0.0.1:53 is in server.listen too"),
        (
            "tls.pem",
            "none.pem",
            "line 5: tls.certificate: '*/none.pem' cannot be read: No such file or directory (os error 2), make both with 'openssl req -x509",
        ),
        (
            "tls.key",
            "none.key",
            "line 6: tls.key: '*/none.key' cannot be read: No such file or directory (os error 2), make both with 'openssl req -x509",
        ),
        ("tls.key", "open.key", "line 6: tls.key: '*/open.key' is open to others (mode 0644), do 'chmod o-rwx"),
        ("tls.key", "other.key", "line 6: tls.key: '*/other.key' is not the key of the certificate"),
        ("tls.key", "empty.pem", "line 6: tls.key: '*/empty.pem' holds no PEM text with '-----BEGIN PRIVATE KEY-----'"),
        ("tls.pem", "empty.pem", "line 5: tls.certificate: '*/empty.pem' holds no PEM text with '-----BEGIN CERTIFICATE-----'"),
        ("tls.pem", "cut.pem", "line 5: tls.certificate: '*/cut.pem' is cut: a section of the PEM text has no end"),
        ("tls.pem", "no.pem", "line 5: tls.certificate: '*/no.pem' holds a certificate that cannot be read"),
        ("\nkey = \"tls.key\"", "", "line 4: tls: missing key `key`"),
    ] {
        let error = config(&good.replace(from, to)).expect_err(expected).to_string().replace(&dir.path().display().to_string(), "*");
        assert!(error.starts_with(&format!("*/saola.toml: {expected}")), "{from} {to}: {error}");
    }
}

#[test]
fn who_comes_over_tls_is_a_key_or_a_name() {
    use crate::transfer::access::Demand;
    use crate::transfer::trust::Trust;
    const PIN: &str = "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let dir = folder_with_certificates();
    let config = |rest: &str| Config::parse(&with(&format!("[[zone]]\nname = \"a.vn\"\n{rest}")), &dir.path().join("saola.toml"));
    let allowed = |tls: &str| {
        let config = config(&format!("file = \"x\"\nallow-transfer = [{{ prefix = \"::1\"{tls} }}]"))?;
        Ok::<_, ConfigError>(config.zones[0].allow_transfer[0].tls.clone())
    };
    assert_eq!(allowed("").expect("good"), Demand::None);
    assert_eq!(allowed(", tls = false").expect("good"), Demand::None);
    assert_eq!(allowed(", tls = true").expect("good"), Demand::Tls);
    let Ok(Demand::Client(Trust::Pin(pin))) = allowed(&format!(", tls = {{ pin = \"{PIN}\" }}")) else { panic!("a pin") };
    assert_eq!(pin.to_string(), PIN);
    let Ok(Demand::Client(trust)) = allowed(", tls = { ca = \"tls.pem\", name = \"edge1.example\" }") else { panic!("a name") };
    assert_eq!(trust.to_string(), "edge1.example");
    let neither = "says not who is meant, write { pin = \"sha256:...\" } or { ca = \"FILE\", name = \"...\" }";
    for (tls, expected) in [
        ("1", "invalid type: integer `1`, expected true, { pin = \"sha256:...\" } or { ca = \"FILE\", name = \"...\" }"),
        ("{ pim = \"\" }", "unknown key `pim`, expected one of `pin`, `ca`, `name`"),
        ("{ }", neither),
        ("{ ca = \"tls.pem\" }", neither),
        ("{ ca = \"tls.pem\", name = \"a\", pin = \"x\" }", neither),
        (
            "{ pin = \"sha256:AAAA\" }",
            "'sha256:AAAA' is no pin, write \"sha256:\" and the base64 of the SHA-256 of a public key, see docs/operating.md",
        ),
        ("{ ca = \"none\", name = \"a\" }", "'*/none' cannot be read: No such file or directory (os error 2)"),
        ("{ ca = \"empty.pem\", name = \"a\" }", "'*/empty.pem' holds no PEM text with '-----BEGIN CERTIFICATE-----'"),
        ("{ ca = \"no.pem\", name = \"a\" }", "'a' is no name of a server, or '*/no.pem' holds what is no certificate"),
        ("{ ca = \"tls.pem\", name = \"a b\" }", "'a b' is no name of a server, or '*/tls.pem' holds what is no certificate"),
    ] {
        let error = allowed(&format!(", tls = {tls}")).expect_err(expected).to_string().replace(&dir.path().display().to_string(), "*");
        assert!(error.ends_with(expected) && error.contains("line 6: "), "{tls}: {error}");
    }
    // A server that has to prove nothing is none that strict TLS speaks with; NOTIFY knows no TLS.
    for (peers, expected) in [
        ("primaries = [{ address = \"192.0.2.1:853\", tls = true }]", "zone.primaries.tls: says not who has to be there, write "),
        ("file = \"x\"\nnotify = [{ address = \"192.0.2.1:53\", tls = true }]", "zone.notify.tls: NOTIFY goes over UDP"),
    ] {
        let error = config(peers).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let good = config(&format!("primaries = [{{ address = \"192.0.2.1:853\", tls = {{ pin = \"{PIN}\" }} }}]")).expect("good");
    let Source::Primaries { primaries, .. } = &good.zones[0].source else { panic!("primaries") };
    assert!(primaries[0].tls.is_some());
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

/// A catalog that is made here and what it lists; one that is followed, with templates.
#[test]
fn catalogs_are_understood() {
    let zone = |name: &str, rest: &str| format!("[[zone]]\nname = \"{name}\"\n{rest}\n");
    let from = |address: &str| format!("primaries = [{{ address = \"{address}:53\" }}]\n");
    let text = [
        zone("Made.", "catalog-role = \"generate\"\nallow-transfer = [{ prefix = \"::1\" }]"),
        zone("a.", "file = \"a\"\ncatalog-zone = \"MADE\"\ncatalog-group = \"G\"\ncatalog-coo = \"Other.\""),
        zone("plain.", &format!("{}catalog-role = \"interpret\"\nallow-transfer = [{{ prefix = \"::1\" }}]", from("192.0.2.1"))),
        zone(
            "by.",
            &format!(
                "{}catalog-role = \"interpret\"\ncatalog-template = [\"x\", \"y\", \"z\"]\ncatalog-scope = [\"VN\"]",
                from("192.0.2.2")
            ),
        ),
        format!(
            "[template.x]\ntransfer-in-size = 7\n[template.y]\n{}[template.z]\nallow-transfer = [{{ prefix = \"::2\" }}]\n",
            from("192.0.2.3")
        ),
    ];
    let config = parse(&with(&text.concat())).expect("good");
    let name = |text: &str| Name::parse(text).expect("a name");
    let [made, a, plain, by] = &config.zones[..] else { panic!("four zones") };
    assert_eq!((&made.source, &made.interpret), (&Source::Generated, &None));
    assert_eq!(a.member, Some(Membership { catalog: name("made"), group: Some("G".into()), coo: Some(name("other")), from: None }));
    let group = crate::transfer::catalog::Group::new;
    let same = plain.interpret.as_ref().expect("a catalog").template(&[group("x")]);
    assert_eq!((&same.source, &same.allow_transfer), (&plain.source, &plain.allow_transfer));
    let rules = by.interpret.as_ref().expect("a catalog");
    assert_eq!(rules.scope, [name("vn")]);
    let primary = |groups: &[&str]| {
        let template = rules.template(&groups.iter().map(|text| group(text)).collect::<Vec<_>>());
        let Source::Primaries { primaries, .. } = &template.source else { panic!("primaries") };
        (primaries[0].address.to_string(), template.allow_transfer.len())
    };
    for (groups, expected) in [(None, Some(7 << 20)), (Some("y"), None)] {
        let groups: Vec<_> = groups.into_iter().map(group).collect();
        let Source::Primaries { transfer_in_size, .. } = &rules.template(&groups).source else { panic!("primaries") };
        assert_eq!(*transfer_in_size, expected);
    }
    for (groups, expected) in [
        (&[][..], ("192.0.2.2:53", 0)),
        (&["Y"], ("192.0.2.2:53", 0)),
        (&["q", "y"], ("192.0.2.3:53", 0)),
        (&["z", "y"], ("192.0.2.3:53", 0)),
        (&["z"], ("192.0.2.2:53", 1)),
    ] {
        assert_eq!(primary(groups), (expected.0.to_owned(), expected.1), "{groups:?}");
    }
}

#[test]
fn what_makes_no_sense_of_catalogs_is_refused() {
    let check = |rest: &str, expected: &str| refused(&with(&format!("[[zone]]\nname = \"c.\"\n{rest}")), expected);
    let primaries = "primaries = [{ address = \"192.0.2.1:53\" }]";
    check("catalog-role = \"x\"", "line 5: zone.catalog-role: 'x' is not known, write one of generate, interpret");
    let made = "a catalog that is made here is made of the zones that name it in catalog-zone, remove this";
    check("catalog-role = \"generate\"\nfile = \"c\"", &format!("line 6: zone.file: {made}"));
    check(&format!("catalog-role = \"generate\"\n{primaries}"), &format!("line 6: zone.primaries: {made}"));
    check(
        "catalog-role = \"generate\"\nsign = \"default\"",
        "line 6: zone.sign: a catalog is for servers that are configured to have it, remove sign",
    );
    check(
        "catalog-role = \"generate\"\ncatalog-zone = \"d.\"",
        "line 6: zone.catalog-zone: a catalog that is made here is listed in none, remove it",
    );
    check(
        "catalog-role = \"interpret\"",
        "line 4: zone.file: 'c.' has no file, add file = \"...\", or primaries = [...] to have it from other servers",
    );
    let for_followed = "is for a catalog that members are taken from, remove it, or add catalog-role = \"interpret\"";
    check(&format!("{primaries}\ncatalog-template = [\"x\"]"), &format!("line 6: zone.catalog-template: {for_followed}"));
    check("catalog-role = \"generate\"\ncatalog-scope = []", &format!("line 6: zone.catalog-scope: {for_followed}"));
    check(
        &format!("{primaries}\ncatalog-role = \"interpret\"\ncatalog-template = [\"x\"]"),
        "line 7: zone.catalog-template: there is no template 'x', add a table [template.x]",
    );
    check(
        "file = \"c\"\ncatalog-role = \"interpret\"",
        "line 6: zone.catalog-role: comes from a file: add catalog-template = [\"...\"] with a template that has the primaries of the members",
    );
    check(
        "file = \"c\"\ncatalog-role = \"interpret\"\ncatalog-template = [\"x\"]\n[template.x]",
        "line 7: zone.catalog-template: the template 'x' has no primaries, and the catalog has none that members could come from, add them",
    );
    let alone = "is for a zone that a catalog lists, add catalog-zone, or remove it";
    check("file = \"c\"\ncatalog-group = \"x\"", &format!("line 6: zone.catalog-group: {alone}"));
    check("file = \"c\"\ncatalog-coo = \"x\"", &format!("line 6: zone.catalog-coo: {alone}"));
    check(
        "file = \"c\"\ncatalog-zone = \"x\"\ncatalog-coo = \"X.\"",
        "line 7: zone.catalog-coo: is the catalog that it is in, write the one that takes it over",
    );
    check("file = \"c\"\ncatalog-from = \"x\"", &format!("line 6: zone.catalog-from: {alone}"));
    check(
        "file = \"c\"\ncatalog-zone = \"x\"\ncatalog-from = \"X.\"",
        "line 7: zone.catalog-from: is the catalog that it is in, write the one that it comes from",
    );
    check(
        "file = \"c\"\ncatalog-zone = \"x\"\ncatalog-coo = \"y\"\ncatalog-from = \"z\"",
        "line 8: zone.catalog-from: and catalog-coo are two steps of a move, remove one of them",
    );
    check(
        "file = \"c\"\ncatalog-zone = \"b\"\ncatalog-from = \"y\"\n[[zone]]\nname = \"b\"\ncatalog-role = \"generate\"",
        "line 7: zone.catalog-from: no catalog 'y.' is made here, add a [[zone]] with this name and catalog-role = \"generate\"",
    );
    check(
        "file = \"c\"\ncatalog-zone = \"x\"",
        "line 6: zone.catalog-zone: no catalog 'x.' is made here, add a [[zone]] with this name and catalog-role = \"generate\"",
    );
    refused(
        &with("[template.x]\nallow-notify = []"),
        "line 4: template.x.allow-notify: says who may speak of changes in place of primaries that are not named, add primaries, or remove it",
    );
}
