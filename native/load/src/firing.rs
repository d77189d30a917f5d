//! One firing: connections, plan, loop, result.

use crate::LoadError;
use crate::clock::{self, MILLISECOND};
use crate::connection::Shape;
use crate::fleet::Fleet;
use crate::options::{Options, Test};
use crate::report::{Event, Outcome};
use crate::tally::{Span, Tally};
use crate::window::{Edge, Stopwatch};
use crate::{loop_closed, loop_open, plan, stream};
use std::sync::atomic::AtomicBool;

/// From readiness to the first planned send, in ns.
const LEAD_NS: u64 = MILLISECOND;

/// Fires once. `emit` gets the events before the result; `interrupt` set ends it with what it has.
///
/// # Errors
/// When nothing could be measured.
pub fn fire(options: &Options, emit: &mut dyn FnMut(Event), interrupt: &AtomicBool) -> Result<Outcome, LoadError> {
    options.validate()?;
    let warmup = clock::from_seconds(options.warmup);
    let length = warmup + clock::from_seconds(options.duration);
    let times = match options.rate {
        Some(rate) if options.test == Test::Latency => plan::draw(options.seed, options.gaps, rate, length),
        _ => Vec::new(),
    };
    if options.streams() {
        return stream::fire(options, warmup, length, emit, interrupt);
    }
    let mut fleet = Fleet::open(Shape::new(options), options.connections as usize)?;
    emit(Event::Ready);
    // A closed loop sends at once; its first requests belong to the window when there is no warm-up.
    let start = clock::now() + if options.test == Test::Latency { LEAD_NS } else { 0 };
    let window = Span { start: start + warmup, end: start + length };
    let mut tally = Tally::new(Span { start, end: window.end }, window);
    let mut on_edge = |edge| {
        emit(match edge {
            Edge::Measuring => Event::Measuring,
            Edge::Measured => Event::Measured,
        });
    };
    let mut watch = Stopwatch::new(window, &mut on_edge, interrupt);
    if options.test == Test::Latency {
        let plan: Vec<u64> = times.into_iter().map(|at| start + at).collect();
        loop_open::run(&mut fleet, &mut tally, &mut watch, &plan, options.spin_us * 1_000)?;
    } else {
        loop_closed::run(&mut fleet, &mut tally, &mut watch)?;
    }
    Ok(Outcome::new(tally, &watch, fleet.traffic))
}
