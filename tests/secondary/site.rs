//! A secondary for tests: the threads that follow primaries, and a shelf that holds what they bring.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use saola::daemon::secondary::{Holder, NotTaken, Secondaries, Source, Wanted};
use saola::dns::{Name, Records};
use saola::telemetry;
use saola::transfer::inward::{Limits, Notice, Notices, Received};
use saola::transfer::refresh::Kept;
use saola::transport::client::{Primary, Times};
use saola::zone::Zone;

use super::streams::{letters, name};

/// Far more than a loaded machine needs; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(120);

#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "no {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Holds zones as they come.
#[derive(Default)]
pub struct Shelf {
    zones: Mutex<BTreeMap<Name, Arc<Zone>>>,
    kept: Mutex<BTreeMap<Name, Kept>>,
    /// Whole zones and changes that came.
    pub came: Mutex<[usize; 2]>,
    /// Is told of each new version.
    swap: Option<Box<dyn Fn(Arc<Zone>) + Send + Sync>>,
}

impl Shelf {
    /// One that tells of each new version.
    pub fn telling(swap: impl Fn(Arc<Zone>) + Send + Sync + 'static) -> Self {
        Self { swap: Some(Box::new(swap)), ..Self::default() }
    }

    pub fn zone(&self, apex: &Name) -> Option<Arc<Zone>> {
        self.zones.lock().expect("whole").get(apex).cloned()
    }
}

impl Holder for Shelf {
    fn take(&self, apex: &Name, received: Received, _: bool, _: &Wanted) -> Result<(), NotTaken> {
        let (zone, i) = match received {
            Received::Current(_) => panic!("nothing is no news"),
            Received::Whole(records) => (Zone::build(apex.as_ref(), records).map_err(|error| NotTaken::Refused(error.to_string()))?, 0),
            Received::Changes(diffs) => {
                let old = self.zone(apex).ok_or_else(|| NotTaken::DoesNotFit("there is nothing here".into()))?;
                let fit = |zone: Zone, diff| zone.apply(diff).map_err(|error| NotTaken::DoesNotFit(error.to_string()));
                (diffs.iter().try_fold(Zone::clone(&old), fit)?, 1)
            }
        };
        let zone = Arc::new(zone);
        self.zones.lock().expect("whole").insert(apex.clone(), Arc::clone(&zone));
        self.came.lock().expect("whole")[i] += 1;
        if let Some(swap) = &self.swap {
            swap(zone);
        }
        Ok(())
    }

    fn expire(&self, apex: &Name) {
        self.zones.lock().expect("whole").remove(apex);
    }

    fn checked(&self, apex: &Name, kept: Kept) {
        self.kept.lock().expect("whole").insert(apex.clone(), kept);
    }
}

/// The secondary.
pub struct Site {
    pub shelf: Arc<Shelf>,
    pub notices: Arc<Notices>,
    secondaries: Secondaries,
}

fn sources(zones: Vec<(Name, Vec<Primary>)>) -> Vec<Source> {
    let source = |(apex, primaries)| Source { apex, primaries, limits: Limits::default(), held: None };
    zones.into_iter().map(source).collect()
}

impl Site {
    pub fn new(zones: Vec<(Name, Vec<Primary>)>, times: Times) -> Self {
        Self::with(Shelf::default(), Arc::default(), zones, times)
    }

    pub fn with(shelf: Shelf, notices: Arc<Notices>, zones: Vec<(Name, Vec<Primary>)>, times: Times) -> Self {
        // What the threads say is shown with a test that fails.
        let _ = telemetry::init(telemetry::Level::default());
        let shelf = Arc::new(shelf);
        let holder: Arc<dyn Holder> = Arc::clone(&shelf) as _;
        let secondaries = Secondaries::start(sources(zones), holder, Arc::clone(&notices), 4, times).expect("threads");
        Self { shelf, notices, secondaries }
    }

    pub fn replace(&self, zones: Vec<(Name, Vec<Primary>)>) {
        self.secondaries.replace(sources(zones));
    }

    pub fn tell(&self, notice: Notice, from: IpAddr) {
        self.notices.tell(notice, from);
    }

    /// What the last question failed of.
    pub fn problem(&self, zone: &str) -> Option<String> {
        let lines = self.secondaries.lines();
        lines.into_iter().find(|line| line.apex == name(zone)).and_then(|line| line.problem)
    }

    #[track_caller]
    pub fn wait_for_problem(&self, zone: &str, expected: Option<&str>) {
        wait_until(&format!("{expected:?} but {:?}", self.problem(zone)), || self.problem(zone).as_deref() == expected);
    }

    /// Waits until the zone is what it should be, in the letters of `streams`; and kept with its times.
    #[track_caller]
    pub fn wait_for_zone(&self, zone: &str, expected: &str) {
        let records = || self.shelf.zone(&name(zone)).map_or_else(Records::new, |zone| zone.records());
        let sorted = |text: String| {
            let mut pieces: Vec<_> = text.split(' ').map(str::to_owned).collect();
            pieces.sort();
            pieces
        };
        wait_until(&format!("{expected} but {}", letters(&records())), || sorted(letters(&records())) == sorted(expected.into()));
        wait_until("time of the transfer", || self.shelf.kept.lock().expect("whole").contains_key(&name(zone)));
    }
}
