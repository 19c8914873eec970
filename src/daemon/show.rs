//! What the terminal shows once the server answers: what was done, and what to try; and what the log says of a zone.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::doors::{Shared, Start, ZoneLine};
use crate::journal::Compiled;
use crate::pipeline::Published;
use crate::telemetry::count;

/// Prints it; nobody may be there to read, which is no error.
pub fn ready(shared: &Shared) {
    let (listening, zones, start) = shared.for_show();
    let (compiled, export_problem) = shared.export();
    let mut text = String::new();
    if let Some(compiled) = compiled {
        text.push_str(&export(&compiled));
    }
    if let Some(problem) = export_problem {
        text.push_str(&format!("{problem}\n"));
    }
    if let Some(start) = start {
        text.push_str(&made(&zones, &start));
    }
    for (addresses, transports) in [(&listening.plain, "UDP and TCP"), (&listening.tls, "TLS")] {
        if !addresses.is_empty() {
            let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
            text.push_str(&format!("listening on {} ({transports})\n", addresses.join(", ")));
        }
    }
    let tries = listening.plain.first().map(|address| tries(*address, &zones)).unwrap_or_default();
    if !tries.is_empty() {
        text.push_str("try:\n");
        for line in tries {
            text.push_str(&format!("  {line}\n"));
        }
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn export(compiled: &Compiled) -> String {
    let [in_zone, excluded, rejected] = compiled.names;
    let Compiled { deposit, watermark, .. } = compiled;
    let in_zone = count(in_zone, "name");
    format!("export {deposit} of {watermark}: {in_zone} in, {excluded} excluded, {rejected} rejected\n")
}

/// Zones without anything to serve that are shown; our choice: what is read at a glance.
const SHOWN: usize = 10;

fn made(zones: &[ZoneLine], start: &Start) -> String {
    let records: usize = zones.iter().map(|zone| zone.counts[0]).sum();
    let served = zones.iter().filter(|zone| zone.is_served).count();
    let ms = start.took.as_millis();
    let signatures = count(start.n_signatures, "signature");
    let mut text = format!("{}, {}; ", count(served, "zone"), count(records, "record"));
    match (start.compiled, start.n_made) {
        (_, 0) => text.push_str("resumed, nothing was compiled or signed"),
        (true, n) => text.push_str(&format!("compiled, {} made with {signatures}", count(n, "zone"))),
        (false, n) => text.push_str(&format!("{} made with {signatures}", count(n, "zone"))),
    }
    text.push_str(&format!(", {ms} ms\n"));
    let unavailable = || zones.iter().filter(|zone| !zone.is_served);
    for zone in unavailable().take(SHOWN) {
        text.push_str(&format!("zone {} is unavailable: {}\n", zone.apex, zone.problem.as_deref().unwrap_or("nothing to serve")));
    }
    let rest = unavailable().skip(SHOWN).count();
    if rest > 0 {
        text.push_str(&format!("and {} more, see `saola zone status`\n", count(rest, "zone")));
    }
    text
}

/// Three questions that show something: an apex, a child's DS or the keys, a name that does not exist.
fn tries(address: SocketAddr, zones: &[ZoneLine]) -> Vec<String> {
    let served: Vec<&ZoneLine> = zones.iter().filter(|zone| zone.is_served).collect();
    // The zone with the most delegations, and the shortest name of those.
    let Some(zone) = served.iter().max_by_key(|zone| (zone.counts[2], std::cmp::Reverse(zone.apex.as_ref().label_count()))) else {
        return Vec::new();
    };
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let dig = format!("dig @{ip} -p {} +norec +dnssec", address.port());
    let apex = &zone.apex;
    let missing = if apex.as_ref().is_root() { "nothing-here.".to_owned() } else { format!("nothing-here.{apex}") };
    let second = match served.iter().find(|other| other.apex != *apex && other.apex.as_ref().is_at_or_below(apex.as_ref())) {
        Some(child) => format!("{dig} {} DS", child.apex),
        None => format!("{dig} {apex} NS"),
    };
    vec![format!("{dig} {apex} SOA"), second, format!("{dig} {missing} A")]
}

/// Says in the log that a zone is served anew.
pub fn log_published(zone: &Published) {
    let from = zone.from.map_or("none".to_owned(), |serial| serial.to_string());
    let (to, records, signatures) = (zone.to, count(zone.n_records, "record"), count(zone.n_signatures, "signature"));
    let why = zone.why.as_str();
    log::info!("[{}] publish, serial {from} -> {to}, {why}, {records}, {signatures}", zone.apex);
}
