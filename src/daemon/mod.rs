//! The daemon: puts the parts together, keeps them together, takes them apart.
//!
//! Five threads beside the workers: this one waits for the end, `builder` makes zones, `images` writes them down for the next start,
//! `notifier` tells secondaries, `control` lets operators in. A signal is a
//! message to one of them. What is answered from is swapped as a whole, so no query ever sees a half.

mod builder;
mod catalogs;
mod clerk;
mod desk;
mod digests;
mod doors;
mod follow;
mod hush;
mod images;
mod machine;
mod plan;
mod queue;
pub mod secondary;
mod show;
mod updates;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::Parser;
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::config::Config;
use crate::control::{Doors, Listener};
use crate::dns::UnixTime;
use crate::journal::Journal;
use crate::memory;
use crate::pipeline::Pipeline;
use crate::telemetry::{self, Level, count};
use crate::transport::{self, Notifier, Served, Server};

use builder::{Builder, Work};
use doors::{Listening, Shared};
use updates::Updates;

/// Serves DNS zones authoritatively, in the foreground, until it is told to stop.
#[derive(Debug, Parser)]
#[command(name = "saolad", version)]
struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "saola.toml")]
    config: PathBuf,
}

/// What the main thread waits for.
enum Event {
    /// The first zones are made; what went wrong if there is nothing to serve at all.
    Built(Result<(), String>),
    /// Somebody wants the end.
    Stop,
}

/// How long requests in flight may take once the end was asked for. Our choice: below the 90 s after which systemd kills.
const DRAIN: Duration = Duration::from_secs(5);

/// Carries out the process: 0 after a clean end, 1 when it could not start, 2 when it was called wrongly.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A log that cannot be written must not change how this ends.
            let _ = writeln!(std::io::stderr(), "saolad: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), String> {
    memory::return_large_blocks();
    telemetry::init(Level::default()).map_err(|error| error.to_string())?;
    let config = Config::read(&args.config).map_err(|error| error.to_string())?;
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    // As many as the connections asked for, and room for the rest; the server cuts its limits to what is granted.
    let wanted = config.limits.connections.saturating_add(1024);
    if transport::descriptor_limit() < wanted {
        transport::set_descriptor_limit(wanted);
    }
    let journal = Journal::open(&config.server.state).map_err(|error| error.to_string())?;
    let server = Server::bind(&config.server.listen, config.server.workers, config.limits.clone())
        .and_then(|server| server.with_tls(&config.server.listen_tls))
        .map_err(|error| error.to_string())?;
    let control = Listener::bind(&config.server.control).map_err(|error| error.to_string())?;
    let listen = Listening { plain: server.local_addrs(), tls: server.tls_addrs() };

    let (events, waiting) = mpsc::channel();
    let (work, to_do) = mpsc::sync_channel(builder::QUEUE);
    let updates = Arc::new(Updates::new(work.clone()));
    let served = Arc::new(ArcSwap::from_pointee(Served { updater: Some(Arc::clone(&updates) as Arc<_>), ..Served::default() }));
    let notifier = Notifier::start().map_err(|error| format!("secondaries cannot be told: {error}"))?;
    let shared = Arc::new(Shared::new(&config, listen, Arc::clone(&served), notifier, events.clone(), work));
    let follower = Arc::clone(&shared);
    let follow = move || {
        // Where it is not permitted, the builder says so.
        let _ = transport::give_way();
        follower.follower.work(&follower.notifier);
    };
    std::thread::Builder::new().name("follower".into()).spawn(follow).map_err(|error| format!("no thread to follow orders: {error}"))?;
    signals(Arc::clone(&shared)).map_err(|error| format!("signals cannot be caught: {error}"))?;
    serve_control(control, Arc::clone(&shared)).map_err(|error| format!("no thread for the control socket: {error}"))?;
    start_builder(config, journal, Arc::clone(&shared), updates, to_do, events)
        .map_err(|error| format!("no thread to make zones: {error}"))?;

    match wait(&waiting) {
        Event::Built(result) => result?,
        Event::Stop => return end(None, &shared),
    }
    // Queries that came before this moment wait in the sockets.
    let running = server.start(served, &shared.telemetry).map_err(|error| format!("no threads to answer: {error}"))?;
    shared.set_ready();
    log::info!("ready, {}", shared.summary());
    show::ready(&shared);
    tell(&[NotifyState::Ready]);
    while !matches!(wait(&waiting), Event::Stop) {}
    end(Some(running), &shared)
}

fn wait(waiting: &Receiver<Event>) -> Event {
    // Without a sender left the builder and the signals are gone, and nothing but the end is left to do.
    waiting.recv().unwrap_or(Event::Stop)
}

fn end(running: Option<transport::Running>, shared: &Shared) -> Result<(), String> {
    tell(&[NotifyState::Stopping]);
    log::info!("stopping");
    if let Some(running) = running {
        running.stop(DRAIN);
    }
    shared.follower.finish();
    let counted = shared.telemetry.snapshot();
    // The listener lives in its thread to the end of the process, so its file is removed here.
    let _ = std::fs::remove_file(&shared.control);
    log::info!("stopped after {} s and {}", counted.uptime_secs, count(counted.queries(), "query"));
    Ok(())
}

/// SIGHUP reads everything again, SIGTERM and SIGINT end.
fn signals(shared: Arc<Shared>) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGTERM, SIGINT])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => shared.reload_later(),
                _ => shared.stop(),
            }
        }
    })?;
    Ok(())
}

fn serve_control(control: Listener, shared: Arc<Shared>) -> std::io::Result<()> {
    std::thread::Builder::new().name("control".into()).spawn(move || {
        let doors: Arc<dyn Doors> = shared;
        control.serve(&doors);
    })?;
    Ok(())
}

fn start_builder(
    config: Config,
    journal: Journal,
    shared: Arc<Shared>,
    updates: Arc<Updates>,
    to_do: Receiver<Work>,
    events: Sender<Event>,
) -> std::io::Result<()> {
    std::thread::Builder::new().name("builder".into()).spawn(move || {
        let (pipeline, problems) = Pipeline::open(journal);
        for problem in problems {
            log::warn!("{problem}");
        }
        let (resumed, from_images) = (pipeline.live().len(), pipeline.live().values().filter(|live| live.imaged).count());
        if resumed > 0 {
            log::info!("{} resumed, {from_images} from images", count(resumed, "zone"));
        }
        let images = images::start(pipeline.images());
        let mut builder = Builder::new(config, pipeline, shared, updates, images);
        let built = builder.start(UnixTime::now());
        // Nobody listens only when the process is ending.
        let _ = events.send(Event::Built(built));
        builder.work(&to_do);
    })?;
    Ok(())
}

/// Tells systemd, where it listens.
fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(false, state) {
        log::warn!("systemd cannot be told: {error}");
    }
}
