//! Time in nanoseconds as plain numbers.

use rustix::time::{ClockId, clock_gettime};

/// One second in ns.
pub const SECOND: u64 = 1_000_000_000;
/// One millisecond in ns.
pub const MILLISECOND: u64 = 1_000_000;

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}

/// Monotonic time in ns.
#[must_use]
pub fn now() -> u64 {
    read(ClockId::Monotonic)
}

/// CPU that this process has used so far, in ns.
#[must_use]
pub fn cpu() -> u64 {
    read(ClockId::ProcessCPUTime)
}

/// Seconds as ns; negative becomes 0.
#[must_use]
pub fn from_seconds(seconds: f64) -> u64 {
    (seconds * SECOND as f64).round() as u64
}

/// ns as seconds.
#[must_use]
pub fn to_seconds(ns: u64) -> f64 {
    ns as f64 / SECOND as f64
}
