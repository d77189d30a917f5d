//! A byte queue that hands out room to write into, without clearing it again for every use.

#![forbid(unsafe_code)]

/// Bytes waiting to be taken from the front.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// Room kept by an empty buffer, bytes.
const KEPT: usize = 256 << 10;

impl Buffer {
    /// What is waiting.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// What is waiting, to be changed in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// How many bytes are waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether none is waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room behind what is waiting: at least `least` bytes, all there is.
    pub fn room(&mut self, least: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < least {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.bytes.len() - self.end < least {
                let grown = (self.end + least).next_power_of_two();
                self.bytes.resize(grown, 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// The first `count` bytes of the room were written.
    pub fn advance(&mut self, count: usize) {
        self.end += count;
        debug_assert!(self.end <= self.bytes.len());
    }

    /// The first `count` waiting bytes were taken.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.bytes.len() > KEPT {
                self.bytes = Vec::new();
            }
        }
    }

    /// Appends a copy.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.advance(bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_come_out_as_they_went_in(steps in proptest::collection::vec((0usize..3000, 0usize..3000), 0..40)) {
            let mut buffer = Buffer::default();
            let (mut written, mut read) = (0u64, 0u64);
            for (give, take) in steps {
                let bytes: Vec<u8> = (0..give as u64).map(|at| (written + at) as u8).collect();
                buffer.extend(&bytes);
                written += give as u64;
                let take = take.min(buffer.len());
                for &byte in &buffer.filled()[..take] {
                    prop_assert_eq!(byte, read as u8);
                    read += 1;
                }
                buffer.consume(take);
                prop_assert_eq!(buffer.len() as u64, written - read);
            }
        }
    }
}
