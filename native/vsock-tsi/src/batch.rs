//! Buffers of the guest, several at a time: one read of an uplink can fill many packets.

#![forbid(unsafe_code)]

use crate::packet::{self, HEADER, Header};
use vm_memory::VolatileSlice;

/// Packets that one read can fill.
pub const PACKETS: usize = 16;

/// Buffers for packets to the guest, in the order in which they are used.
#[derive(Debug, Default)]
pub struct Batch<'m> {
    parts: Vec<VolatileSlice<'m>>,
    /// Where the parts of each buffer end.
    ends: Vec<usize>,
    /// Lengths of the packets written so far.
    written: Vec<u32>,
}

impl<'m> Batch<'m> {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.ends.clear();
        self.written.clear();
    }

    /// Adds a buffer; it has room behind a header.
    pub fn add(&mut self, parts: &[VolatileSlice<'m>]) {
        self.parts.extend_from_slice(parts);
        self.ends.push(self.parts.len());
    }

    /// Lengths of the packets written, one for each of the first buffers.
    #[must_use]
    pub fn written(&self) -> &[u32] {
        &self.written
    }

    /// Writes a packet of nothing but a header into the next buffer.
    pub fn write(&mut self, header: &Header) {
        self.write_data(header, 0);
    }

    /// Collects the room for payload in all buffers, at most `most` bytes; how much it is.
    pub fn room(&self, most: usize, pieces: &mut Vec<VolatileSlice<'m>>) -> usize {
        pieces.clear();
        let mut room = 0;
        for number in self.written.len()..self.ends.len() {
            room += packet::cut(self.buffer(number), HEADER, most - room, pieces);
        }
        room
    }

    /// Makes packets of `length` bytes that have been put into the room for payload, each with its own length.
    pub fn write_data(&mut self, header: &Header, length: usize) {
        let mut left = length;
        loop {
            let parts = self.buffer(self.written.len());
            let room = parts.iter().map(VolatileSlice::len).sum::<usize>().saturating_sub(HEADER);
            let count = left.min(room);
            let written = Header { length: count as u32, ..*header }.write(parts);
            debug_assert!(written, "a buffer has room for a header");
            self.written.push((HEADER + count) as u32);
            left -= count;
            if left == 0 || self.written.len() == self.ends.len() {
                return;
            }
        }
    }

    fn buffer(&self, number: usize) -> &[VolatileSlice<'m>] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.parts[start..self.ends[number]]
    }
}
