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
    /// In its median chunk: frequency and a busy hyperthread show here, a moment off the CPU does not (steal and other
    /// processes are counted by the kernel).
    pub median: f64,
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
    let start = clock::now();
    let (mut before, mut chunk_ns) = (start, Vec::new());
    loop {
        for _ in 0..CHUNK {
            black_box(random.next_u64());
        }
        let now = clock::now();
        chunk_ns.push((now - before).max(1));
        before = now;
        if now - start >= ms * MILLISECOND {
            chunk_ns.sort_unstable();
            let speed = |ns: u64| (CHUNK * MILLISECOND) as f64 / ns as f64;
            return Ok(Spin { median: speed(chunk_ns[chunk_ns.len() / 2]), fastest: speed(chunk_ns[0]) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_chunk_is_no_slower_than_the_median() {
        let seen = spin(0, 5).unwrap();
        assert!(seen.median > 0.0 && seen.fastest >= seen.median);
    }

    #[test]
    fn a_cpu_that_is_not_there_is_refused() {
        assert!(matches!(spin(5_000, 1), Err(LoadError::Usage(_))));
        assert!(matches!(spin(1_000, 1), Err(LoadError::Usage(_))));
    }
}
