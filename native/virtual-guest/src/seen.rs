//! What a guest has seen of its device.

#![forbid(unsafe_code)]

use crate::packet::Op;

/// Packets of each operation that came from the device, and such as belonged to no stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    counts: [u64; Op::ALL.len()],
    /// Packets for streams that do not exist.
    pub strays: u64,
    /// Packets that broke the rules and were dropped, by a guest that is not strict.
    pub malformed: u64,
    /// Times the guest slept until the device rang.
    pub sleeps: u64,
}

impl Seen {
    /// Packets of one operation.
    #[must_use]
    pub fn of(&self, op: Op) -> u64 {
        self.counts[op as usize - 1]
    }

    pub(crate) fn count(&mut self, op: Op) {
        self.counts[op as usize - 1] += 1;
    }
}
