//! The spin test: how much integer work a CPU does in a millisecond of wall time. Sees frequency and neighbours where
//! the guest is not told of them.

use crate::LoadError;
use crate::clock::{self, MILLISECOND};
use crate::plan::SplitMix64;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::hint::black_box;

/// Iterations between two looks at the clock: a quarter of a millisecond or so.
const CHUNK: u64 = 1 << 18;

/// What a spin test saw, in iterations per millisecond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spin {
    /// Over the whole test.
    pub mean: f64,
    /// In its fastest chunk: what the CPU does when nobody is in the way.
    pub fastest: f64,
}

/// Spins on `cpu` for `ms` milliseconds, one chunk at least.
///
/// # Errors
/// When the process may not run on that CPU.
pub fn spin(cpu: usize, ms: u64) -> Result<Spin, LoadError> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(LoadError::Usage(format!("--cpu {cpu}: there is no such CPU")));
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
        .map_err(|errno| LoadError::Usage(format!("--cpu {cpu}: cannot run there ({errno})")))?;
    let mut random = SplitMix64::new(black_box(1));
    let speed = |iterations: u64, ns: u64| iterations as f64 * MILLISECOND as f64 / ns.max(1) as f64;
    let start = clock::now();
    let (mut before, mut iterations, mut fastest) = (start, 0, 0.0_f64);
    loop {
        for _ in 0..CHUNK {
            black_box(random.next_u64());
        }
        iterations += CHUNK;
        let now = clock::now();
        fastest = fastest.max(speed(CHUNK, now - before));
        before = now;
        if now - start >= ms * MILLISECOND {
            return Ok(Spin { mean: speed(iterations, now - start), fastest });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_chunk_is_no_slower_than_the_mean() {
        let seen = spin(0, 5).unwrap();
        assert!(seen.mean > 0.0 && seen.fastest >= seen.mean);
    }

    #[test]
    fn a_cpu_that_is_not_there_is_refused() {
        assert!(matches!(spin(5_000, 1), Err(LoadError::Usage(_))));
        assert!(matches!(spin(1_000, 1), Err(LoadError::Usage(_))));
    }
}
