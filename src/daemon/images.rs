//! The thread that writes images of what is served, for the next start. Nothing waits for it, and nothing needs what it does.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use crate::journal::Images;
use crate::pipeline::{ImageJob, Written};
use crate::telemetry::count;
use crate::transport;

/// What changed in what is served.
pub struct Work {
    /// Zones without an image.
    pub jobs: Vec<ImageJob>,
    /// The stems of all zones that are served, where it may be fewer than before.
    pub keep: Option<BTreeSet<String>>,
}

/// How long to wait until a file that had just been changed is looked at again.
const REST: Duration = Duration::from_secs(1);
/// How often that is done. Our choice: past the coarsest clock of a file system, a file that never settles is not worth more.
const MOST_RESTS: usize = 5;

/// Starts the thread; it ends when nobody can send work any more.
pub fn start(images: Images) -> Sender<Work> {
    let (sender, work) = mpsc::channel();
    if let Err(error) = std::thread::Builder::new().name("images".into()).spawn(move || run(&images, &work)) {
        log::warn!("no images are written, there is no thread for them: {error}");
    }
    sender
}

fn run(images: &Images, work: &Receiver<Work>) {
    // Where it is not permitted, the builder has said so.
    let _ = transport::give_way();
    let mut waiting: Vec<ImageJob> = Vec::new();
    let mut rests = 0;
    loop {
        let received = if waiting.is_empty() { work.recv().map_err(|_| RecvTimeoutError::Disconnected) } else { work.recv_timeout(REST) };
        match received {
            Ok(first) => {
                // What has come meanwhile is written together, and said in one line.
                let keep = std::iter::once(first).chain(work.try_iter()).fold(None, |before, Work { jobs, keep }| {
                    waiting.extend(jobs);
                    keep.or(before)
                });
                // Those of zones that came since are not among what is in the folder before they are written here.
                keep.iter().for_each(|keep| images.keep(keep));
                rests = 0;
            }
            Err(RecvTimeoutError::Timeout) => rests += 1,
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let mut n_written = 0;
        let mut later = Vec::new();
        for job in waiting {
            match job.write(images) {
                Written::Done => n_written += 1,
                Written::Obsolete => {}
                Written::TooSoon(job) => later.push(job),
                Written::Failed(apex, error) => {
                    log::warn!("[{apex}] its image cannot be written, the next start reads what it is made from: {error}");
                }
            }
        }
        if rests == MOST_RESTS {
            for job in later.drain(..) {
                log::warn!("[{}] gets no image, its file seems to be of the future: 'touch' it and reload", job.apex());
            }
        }
        waiting = later;
        if n_written > 0 {
            log::info!("{} written", count(n_written, "image"));
        }
    }
}
