//! Knot, NSD and BIND as servers that have a zone from one of ours and give it to another.

use std::path::Path;

/// Of the key `xfr`, in base64.
pub const SECRET: &str = "bm9ib2R5IGtub3dzIHRoaXMgb25lIGJ1dCB1cw==";

/// The configuration of a program that has the zone `apex` from one port and gives it to another, and the arguments that it is started with.
pub fn configuration(program: &str, apex: &str, folder: &Path, [port, above, below]: [u16; 3]) -> (String, Vec<String>) {
    let at = folder.display();
    let conf = folder.join("conf").display().to_string();
    match program {
        "knotd" => (
            format!(
                "server:\n  rundir: {at}\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {at}\nlog:\n  - target: stderr\n    any: info\n\
                 key:\n  - id: xfr\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
                 remote:\n  - id: above\n    address: 127.0.0.1@{above}\n    key: xfr\n  - id: below\n    address: 127.0.0.1@{below}\n    key: xfr\n\
                 acl:\n  - id: any\n    address: 127.0.0.0/8\n    action: transfer\n  - id: keyed\n    key: xfr\n    action: [transfer, notify]\n\
                 template:\n  - id: default\n    storage: {at}\n\
                 zone:\n  - domain: {apex}\n    master: above\n    notify: below\n    acl: [any, keyed]\n    zonefile-sync: -1\n"
            ),
            vec!["-c".into(), conf, "-s".into(), folder.join("socket").display().to_string()],
        ),
        "nsd" => (
            format!(
                "server:\n  ip-address: 127.0.0.1@{port}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{at}\"\n  \
                 pidfile: \"{at}/pid\"\n  xfrdfile: \"{at}/xfrd\"\n  zonelistfile: \"{at}/list\"\n  xfrdir: \"{at}\"\n  database: \"\"\n  \
                 rrl-ratelimit: 0\n  xfrd-reload-timeout: 0\nremote-control:\n  control-enable: no\n\
                 key:\n  name: \"xfr\"\n  algorithm: hmac-sha256\n  secret: \"{SECRET}\"\n\
                 zone:\n  name: \"{apex}\"\n  zonefile: \"zone\"\n  request-xfr: 127.0.0.1@{above} xfr\n  allow-notify: 127.0.0.1 xfr\n  \
                 notify: 127.0.0.1@{below} xfr\n  provide-xfr: 127.0.0.0/8 xfr\n  provide-xfr: 127.0.0.0/8 NOKEY\n  store-ixfr: yes\n"
            ),
            vec!["-d".into(), "-c".into(), conf],
        ),
        _ => (
            format!(
                "options {{ directory \"{at}\"; pid-file none; session-keyfile none; lock-file none; managed-keys-directory \"{at}\";\n  \
                 listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; allow-transfer {{ 127.0.0.0/8; }};\n  \
                 dnssec-validation no; notify-delay 0; notify explicit; min-refresh-time 1; min-retry-time 1; }};\ncontrols {{ }};\n\
                 key xfr {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
                 zone \"{apex}\" {{ type secondary; primaries {{ 127.0.0.1 port {above} key xfr; }}; file \"zone\";\n  \
                 also-notify {{ 127.0.0.1 port {below} key xfr; }}; }};\n"
            ),
            vec!["-g".into(), "-n".into(), "1".into(), "-c".into(), conf],
        ),
    }
}
