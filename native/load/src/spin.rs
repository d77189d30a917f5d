//! The spin test: how much integer work a CPU does in a millisecond of wall time. Sees frequency and neighbours where
//! the guest is not told of them.

use crate::LoadError;
use crate::clock::{self, MILLISECOND};
use crate::plan::SplitMix64;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::hint::black_box;

/// Iterations between two looks at the clock: some microseconds.
const CHUNK: u64 = 4096;

/// Spins on `cpu` for `ms` milliseconds; returns iterations per millisecond.
///
/// # Errors
/// When the process may not run on that CPU.
pub fn spin(cpu: usize, ms: u64) -> Result<f64, LoadError> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(LoadError::Usage(format!("--cpu {cpu}: there is no such CPU")));
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
        .map_err(|errno| LoadError::Usage(format!("--cpu {cpu}: cannot run there ({errno})")))?;
    let mut random = SplitMix64::new(black_box(1));
    let (start, mut iterations) = (clock::now(), 0);
    loop {
        for _ in 0..CHUNK {
            black_box(random.next_u64());
        }
        iterations += CHUNK;
        let elapsed = clock::now() - start;
        if elapsed >= ms * MILLISECOND {
            return Ok(iterations as f64 * MILLISECOND as f64 / elapsed as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_that_is_not_there_is_refused() {
        assert!(matches!(spin(5_000, 1), Err(LoadError::Usage(_))));
        assert!(matches!(spin(1_000, 1), Err(LoadError::Usage(_))));
    }
}
