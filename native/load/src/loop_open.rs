//! Open loop: requests go out at their planned times, whatever became of the ones before.

use crate::LoadError;
use crate::clock;
use crate::connection::{Stage, Step};
use crate::fleet::{Fleet, events};
use crate::socket::Events;
use crate::tally::{Kind, Tally, Times};
use crate::window::{Phase, Stopwatch};
use std::collections::VecDeque;

/// One turn of the spin takes well under a microsecond; a longer one was spent off the CPU, in ns.
const TURN_NS: u64 = 20_000;

/// State of an open loop.
struct OpenLoop<'a> {
    fleet: &'a mut Fleet,
    tally: &'a mut Tally,
    /// Send times in monotonic ns.
    plan: &'a [u64],
    /// First of the plan that has not been sent.
    next: usize,
    /// Idle places, longest idle first.
    idle: VecDeque<usize>,
    /// The kernel's timers wake late, so this long before a send time the clock is watched, in ns.
    spin_ns: u64,
}

/// Runs a firing to its end. `plan` holds monotonic ns.
///
/// # Errors
/// When the server is gone before anything was measured.
pub fn run(
    fleet: &mut Fleet,
    tally: &mut Tally,
    watch: &mut Stopwatch<'_>,
    plan: &[u64],
    spin_ns: u64,
) -> Result<(), LoadError> {
    let idle = (0..fleet.len()).collect();
    let mut open = OpenLoop { fleet, tally, plan, next: 0, idle, spin_ns };
    let mut events = events();
    loop {
        let now = clock::now();
        watch.tick(now);
        if watch.phase == Phase::Over || watch.interrupted() {
            break;
        }
        open.reopen(now);
        if let Some(error) = open.fleet.lost(now) {
            if open.tally.done == 0 {
                return Err(error);
            }
            break;
        }
        open.send_due(now);
        open.wait(&mut events, watch)?;
        for event in &events {
            let (slot, step) = open.fleet.handle(event);
            open.follow(slot, step);
        }
    }
    let interrupted = watch.interrupted();
    let now = clock::now();
    if !interrupted {
        // What was planned just before the end, while this thread was looking elsewhere.
        open.send_due(now);
    }
    open.finish(if interrupted { now } else { watch.window.end });
    watch.cut(now);
    if interrupted { Ok(()) } else { open.drain(watch) }
}

impl OpenLoop<'_> {
    /// Sends what is due, as far as there are idle connections.
    fn send_due(&mut self, now: u64) {
        let mut now = now;
        while let Some(&planned) = self.plan.get(self.next) {
            if planned > now {
                return;
            }
            let Some(slot) = self.idle.pop_front() else { return };
            self.next += 1;
            let waited = self.fleet.connection(slot).idle_since > planned;
            let times = Times { planned, sent: now };
            self.tally.sent(times);
            if !waited && self.tally.window.contains(planned) {
                self.tally.lateness.record(now - planned);
            }
            let step = self.fleet.send(slot, times);
            self.follow(slot, step);
            now = clock::now();
        }
    }

    /// Waits for events: asleep while there is time, watching the clock shortly before a send.
    fn wait(&mut self, events: &mut Events, watch: &mut Stopwatch<'_>) -> Result<(), LoadError> {
        let edge = watch.next_edge();
        let planned = if self.idle.is_empty() { None } else { self.plan.get(self.next).copied() };
        let Some(planned) = planned else { return self.fleet.wait(events, edge) };
        let mut now = clock::now();
        if planned > now + self.spin_ns {
            return self.fleet.wait(events, edge.min(planned - self.spin_ns));
        }
        while now < planned {
            self.fleet.look(events)?;
            if !events.is_empty() {
                return Ok(());
            }
            let after = clock::now();
            watch.spun_ns += (after - now).min(TURN_NS);
            now = after;
        }
        events.clear();
        Ok(())
    }

    fn reopen(&mut self, now: u64) {
        while let Some((slot, step)) = self.fleet.retry(now) {
            self.follow(slot, step);
        }
    }

    /// Counts what an event led to.
    fn follow(&mut self, slot: usize, step: Step) {
        let times = self.fleet.connection(slot).times;
        match step {
            Step::Answered { at, ended } => {
                self.tally.answered(times, at);
                if ended {
                    self.tally.failed(Kind::Closed, at);
                }
            }
            Step::Failed(kind) => self.tally.failed(kind, times.planned),
            Step::Lost(kind) => {
                self.idle.retain(|&other| other != slot);
                self.tally.failed(kind, clock::now());
            }
            Step::Opened => {}
            Step::Nothing | Step::Ended => return,
        }
        if self.fleet.connection(slot).stage == Stage::Idle {
            self.idle.push_back(slot);
        }
    }

    /// Counts what was planned in the window up to `until`, and what of it was never sent.
    fn finish(&mut self, until: u64) {
        let window = self.tally.window;
        let within = |at: &&u64| window.contains(**at) && **at < until;
        self.tally.planned = self.plan.iter().filter(within).count() as u64;
        let unsent = self.plan[self.next..].iter().filter(within).count() as u64;
        self.tally.add_errors(Kind::Unsent, unsent);
    }

    /// Waits for the answers that are still under way; what does not come is a timeout.
    fn drain(&mut self, watch: &Stopwatch<'_>) -> Result<(), LoadError> {
        let mut events = events();
        loop {
            let busy = (0..self.fleet.len()).filter(|&slot| {
                let connection = self.fleet.connection(slot);
                connection.stage == Stage::Busy && self.tally.window.contains(connection.times.planned)
            });
            let busy = busy.count() as u64;
            if busy == 0 || watch.interrupted() {
                return Ok(());
            }
            if clock::now() >= watch.next_edge() {
                self.tally.add_errors(Kind::Timeout, busy);
                return Ok(());
            }
            self.fleet.wait(&mut events, watch.next_edge())?;
            for event in &events {
                let (slot, step) = self.fleet.handle(event);
                self.follow(slot, step);
            }
        }
    }
}
