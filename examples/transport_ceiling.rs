//! A server without zones: what the transport alone costs, to be measured with `bench/blast.c` beside `bench/echo_udp.c`.
//!
//! `transport_ceiling 127.0.0.1:5391 [workers]`; ends with its input, and prints what it counted.

use std::sync::Arc;

use saola::answer::Face;
use saola::telemetry::Telemetry;
use saola::transport::{Limits, Served, Server};

fn main() {
    let mut args = std::env::args().skip(1);
    let listen = [args.next().expect("an address").parse().expect("an address and a port")];
    let workers = args.next().map_or(1, |text| text.parse().expect("a number of workers"));
    let served =
        Served { zones: Arc::default(), face: Face::default(), access: Arc::default(), notices: Arc::default(), ..Served::default() };
    let telemetry = Telemetry::new();
    let server = Server::bind(&listen, workers, Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    let running = server.start(Arc::new(arc_swap::ArcSwap::from_pointee(served)), &telemetry).expect("threads");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("an end");
    running.stop(std::time::Duration::from_secs(5));
    print!("{}", telemetry.snapshot());
}
