//! Bytes from outside never panic: seeded mutations of good input go through every door. The seed is printed when a case fails.
//!
//! `fuzz/` has the same doors for coverage-guided runs of any length; this runs a fixed number in CI, so it always ends.

mod doors;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use saola::transfer::notify::State;

/// Runs `door` on mutations of `seeds`, `n_cases` unless SAOLA_MUTATIONS says otherwise. Each case has its own seed, counted from
/// SAOLA_SEED or 1, so that one can be run again alone.
#[track_caller]
fn check(name: &str, n_cases: u64, seeds: &[Vec<u8>], door: fn(&[u8])) {
    seeds.iter().for_each(|seed| door(seed));
    let number = |key: &str, default: u64| std::env::var(key).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let first = number("SAOLA_SEED", 1);
    for seed in first..first + number("SAOLA_MUTATIONS", n_cases) {
        let mut random = fastrand::Rng::with_seed(seed);
        let input = mutate(&seeds[random.usize(..seeds.len())], &mut random);
        let result = catch_unwind(|| door(&input));
        assert!(
            result.is_ok(),
            "{name}: SAOLA_SEED={seed} SAOLA_MUTATIONS=1 shows it; input {}\n{}",
            data_encoding::HEXLOWER.encode(&input),
            String::from_utf8_lossy(&input)
        );
    }
}

/// One to four changes of the kinds that break parsers: flipped bits, telling octets, cuts, repeats, foreign pieces.
fn mutate(good: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    const TELLING: &[u8] = &[0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff, b'\\', b'"', b'(', b'\n', b',', b';', b'$', b'@', b'9', b' '];
    let mut out = good.to_vec();
    for _ in 0..random.usize(1..5) {
        if out.is_empty() {
            out.push(random.u8(..));
        }
        let at = random.usize(..out.len());
        let to = random.usize(at..out.len().min(at + 40)) + 1;
        match random.u8(..10) {
            0 | 1 => out[at] ^= 1 << random.u8(..8),
            2 | 3 => out[at] = TELLING[random.usize(..TELLING.len())],
            4 => drop(out.drain(at..to)),
            5 => out.insert(at, TELLING[random.usize(..TELLING.len())]),
            6 => {
                let piece = out[at..to].to_vec();
                let place = random.usize(..out.len());
                out.splice(place..place, piece);
            }
            7 => out.truncate(at),
            8 => out.extend_from_slice(&[0xc0, 0x0c, 0, 1, 0, 1]),
            _ => {
                let from = random.usize(..out.len());
                out.swap(from, at);
            }
        }
    }
    out
}

#[test]
fn requests() {
    check("query", 20_000, &doors::query_seeds(), doors::query);
}

#[test]
fn zones_on_their_way_in() {
    check("inward", 20_000, &doors::inward::inward_seeds(), doors::inward::inward);
}

#[test]
fn catalogs() {
    check("catalog", 20_000, &doors::catalog::catalog_seeds(), doors::catalog::catalog);
}

#[test]
fn notices() {
    check("notice", 10_000, &doors::inward::notice_seeds(), doors::inward::notice);
}

#[test]
fn master_files() {
    check("master", 20_000, &doors::master_seeds(), doors::master);
}

#[test]
fn zones() {
    check("zone", 1_000, &doors::zone_seeds(), doors::zone);
}

#[test]
fn keys() {
    check("key", 2_000, &doors::key_seeds(), doors::key);
}

#[test]
fn deposits() {
    check("deposit", 300, &doors::export::deposit_seeds(), doors::export::deposit);
}

#[test]
fn deposit_headers() {
    check("header", 2_000, &doors::export::header_seeds(), doors::export::header);
}

#[test]
fn ledgers_of_orders() {
    check("orders", 2_000, &doors::export::orders_seeds(), doors::export::orders);
}

#[test]
fn orders_as_they_are_filed() {
    check("filing", 3_000, &doors::orders::filing_seeds(), doors::orders::filing);
}

#[test]
fn copies_of_a_ledger() {
    check("copies", 2_000, &doors::orders::copies_seeds(), doors::orders::copies);
}

#[test]
fn records_of_orders() {
    check("record", 5_000, &doors::orders::record_seeds(), doors::orders::record);
}

#[test]
fn configurations() {
    check("config", 2_000, &doors::state::config_seeds(), doors::state::config);
}

#[test]
fn control_requests() {
    check("line", 10_000, &doors::state::line_seeds(), doors::state::line);
}

#[test]
fn snapshots() {
    check("snapshot", 5_000, &doors::state::snapshot_seeds(), doors::state::snapshot);
}

#[test]
fn logs_of_changes() {
    check("log", 5_000, &doors::state::log_seeds(), doors::state::log);
}

#[test]
fn an_image_answers_like_its_zone() {
    for (set, seed) in doors::zones().iter().zip(doors::state::image_seeds()) {
        let (apex, zone) = set.iter().next().expect("a zone");
        let (zone, imaged) = (zone.expect("available"), doors::state::image(&seed));
        assert_eq!(imaged.len(), 2, "{apex}: as it is, and sealed again");
        for imaged in imaged {
            assert!(doors::answer_from(&Arc::new(imaged)) == doors::answer_from(zone), "{apex}");
        }
    }
}

#[test]
fn images() {
    // Whatever an image holds, reading it ends, and so does answering from it: a wrong answer or a panic that the worker catches.
    fn door(octets: &[u8]) {
        for zone in doors::state::image(octets) {
            let zone = Arc::new(zone);
            let ended = catch_unwind(AssertUnwindSafe(|| doors::answer_from(&zone)));
            let _ = catch_unwind(AssertUnwindSafe(|| zone.records()));
            drop(ended);
        }
    }
    check("image", 4_000, &doors::state::image_seeds(), door);
}

#[test]
fn answers_of_secondaries() {
    let seeds = doors::peer::answer_seeds();
    // They get as far as they can: damage is done to what is taken.
    let states = [false, true].map(|is_query| seeds.iter().map(|seed| doors::peer::state_after(is_query, seed)).collect::<Vec<_>>());
    assert_eq!(states[0], [State::Behind, State::Refused, State::Telling, State::Telling, State::Telling]);
    assert_eq!(states[1], [State::Silent, State::Silent, State::Current, State::Silent, State::Silent]);
    check("answer", 10_000, &doors::peer::answer_seeds(), doors::peer::answer);
}

#[test]
fn changes_that_clients_ask_for() {
    let seeds = doors::peer::change_seeds();
    assert!(seeds.iter().all(|seed| doors::peer::changes(seed)), "damage is done to what is carried out");
    check("change", 10_000, &seeds, doors::peer::change);
}

#[test]
fn times() {
    check("time", 20_000, &doors::state::time_seeds(), doors::state::time);
}
