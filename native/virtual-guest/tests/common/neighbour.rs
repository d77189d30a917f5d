//! An honest guest beside a hostile one: it must not feel its neighbour.

use super::{Scene, far, round_trip};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use virtual_guest::peer::ECHO;
use virtual_guest::{Guest, Options};

/// A round trip takes about 0.05 ms; these bounds leave room for a loaded machine with two cores, not for a device that
/// waits for a guest.
const USUAL: Duration = Duration::from_millis(100);
const WORST: Duration = Duration::from_secs(1);

/// Round trips without pause, in a thread of their own.
pub struct Neighbour {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Neighbour {
    /// Starts and waits for the first ones.
    pub fn start(scene: &Scene, guest: usize) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let socket = scene.socket("vhost", guest);
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            let guest = Guest::attach_with(socket, Options::default()).expect("attaching the neighbour");
            let mut stream = guest.connect(far(ECHO)).expect("the neighbour's call");
            let mut times = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let begin = Instant::now();
                round_trip(&mut stream, b"are you there?").expect("the neighbour's round trip");
                times.push(begin.elapsed());
                counted.fetch_add(1, Ordering::Relaxed);
                // Leaves a core to the attack.
                std::thread::sleep(Duration::from_micros(200));
            }
            times
        });
        let neighbour = Self { stop, done, thread };
        neighbour.wait_for(10);
        neighbour
    }

    /// Waits for so many more round trips.
    pub fn wait_for(&self, count: u64) {
        let (goal, until) = (self.done.load(Ordering::Relaxed) + count, Instant::now() + Duration::from_secs(10));
        while self.done.load(Ordering::Relaxed) < goal {
            assert!(!self.thread.is_finished() && Instant::now() < until, "the neighbour stands still");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it, and judges its times.
    pub fn finish(self) {
        self.wait_for(10);
        self.stop.store(true, Ordering::Relaxed);
        let mut times = self.thread.join().expect("the neighbour was not disturbed");
        times.sort_unstable();
        let (usual, worst) = (times[times.len() * 95 / 100], times[times.len() - 1]);
        assert!(usual < USUAL && worst < WORST, "the neighbour waited: p95 {usual:?}, worst {worst:?}");
    }
}
