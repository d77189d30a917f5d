//! Closed loop: each place sends its next request when its answer is in. For capacity, rr and crr.

use crate::LoadError;
use crate::clock;
use crate::connection::{Stage, Step};
use crate::fleet::{Fleet, events};
use crate::tally::{Kind, Tally, Times};
use crate::window::{Phase, Stopwatch};

/// Runs a firing to its end.
///
/// # Errors
/// When the server is gone before anything was measured.
pub fn run(fleet: &mut Fleet, tally: &mut Tally, watch: &mut Stopwatch<'_>) -> Result<(), LoadError> {
    let mut events = events();
    for slot in 0..fleet.len() {
        next(fleet, tally, slot, clock::now());
    }
    loop {
        let now = clock::now();
        watch.tick(now);
        if watch.phase == Phase::Over || watch.interrupted() {
            break;
        }
        while let Some((slot, step)) = fleet.retry(now) {
            follow(fleet, tally, slot, step, watch.window.end);
        }
        if let Some(error) = fleet.lost(now) {
            if tally.done == 0 {
                return Err(error);
            }
            break;
        }
        fleet.wait(&mut events, watch.next_edge())?;
        for event in &events {
            let (slot, step) = fleet.handle(event);
            follow(fleet, tally, slot, step, watch.window.end);
        }
    }
    let interrupted = watch.interrupted();
    watch.cut(clock::now());
    if !interrupted {
        drain(fleet, tally, watch)?;
    }
    tally.planned = tally.sent;
    Ok(())
}

/// Counts what an event led to, and sends the next request if it can; `end` is the end of the window.
fn follow(fleet: &mut Fleet, tally: &mut Tally, slot: usize, step: Step, end: u64) {
    let mut at = count(fleet, tally, slot, step);
    let ready = match fleet.connection(slot).stage {
        Stage::Idle => !matches!(step, Step::Nothing),
        Stage::Gone => matches!(step, Step::Ended | Step::Answered { .. } | Step::Opened) && fleet.fresh(),
        Stage::Connecting | Stage::Busy | Stage::Ending => false,
    };
    if ready {
        if at == 0 {
            at = clock::now();
        }
        if at < end {
            next(fleet, tally, slot, at);
        }
    }
}

fn next(fleet: &mut Fleet, tally: &mut Tally, slot: usize, now: u64) {
    let times = Times { planned: now, sent: now };
    tally.sent(times);
    if let Step::Failed(kind) | Step::Lost(kind) = fleet.send(slot, times) {
        tally.failed(kind, now);
    }
}

/// Counts what an event led to; returns the time of the answer, or 0.
fn count(fleet: &Fleet, tally: &mut Tally, slot: usize, step: Step) -> u64 {
    let times = fleet.connection(slot).times;
    match step {
        Step::Answered { at, ended } => {
            tally.answered(times, at);
            if ended && fleet.fresh() {
                tally.connections_done += u64::from(tally.window.contains(times.sent));
            } else if ended {
                tally.failed(Kind::Closed, at);
            }
            return at;
        }
        Step::Ended => tally.connections_done += u64::from(tally.window.contains(times.sent)),
        Step::Failed(kind) => tally.failed(kind, times.planned),
        Step::Lost(kind) => tally.failed(kind, clock::now()),
        Step::Nothing | Step::Opened => {}
    }
    0
}

/// Waits for the answers that are still under way; what does not come is a timeout.
fn drain(fleet: &mut Fleet, tally: &mut Tally, watch: &Stopwatch<'_>) -> Result<(), LoadError> {
    let mut events = events();
    loop {
        let under_way = (0..fleet.len()).filter(|&slot| {
            let connection = fleet.connection(slot);
            let busy = connection.stage == Stage::Busy || (fleet.fresh() && connection.stage == Stage::Connecting);
            busy && tally.window.contains(connection.times.planned)
        });
        let under_way = under_way.count() as u64;
        if under_way == 0 || watch.interrupted() {
            return Ok(());
        }
        if clock::now() >= watch.next_edge() {
            tally.add_errors(Kind::Timeout, under_way);
            return Ok(());
        }
        fleet.wait(&mut events, watch.next_edge())?;
        for event in &events {
            let (slot, step) = fleet.handle(event);
            count(fleet, tally, slot, step);
        }
    }
}
