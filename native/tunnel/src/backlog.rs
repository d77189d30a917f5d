//! Received bytes that cannot be handed on yet, in order.
//!
//! HTTP/2 counts payload only, and a peer may send its window byte by byte: a hundred bytes of memory for each. The `h2` crate
//! ends the whole connection, with all its tunnels, when too many small frames are waiting. So they are taken out and
//! joined; the window, which is not released before the bytes are handed on, bounds them.

#![forbid(unsafe_code)]

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// Frames below this many bytes are joined, others are kept as they are.
const SMALL: usize = 1024;

/// A queue of bytes.
#[derive(Debug, Default)]
pub struct Backlog {
    whole: VecDeque<Bytes>,
    joined: BytesMut,
}

impl Backlog {
    /// Appends a frame.
    pub fn push(&mut self, frame: Bytes) {
        if frame.len() < SMALL {
            self.joined.extend_from_slice(&frame);
        } else {
            self.end_joining();
            self.whole.push_back(frame);
        }
    }

    /// Takes bytes from the front.
    pub fn pop(&mut self) -> Option<Bytes> {
        if self.whole.is_empty() {
            self.end_joining();
        }
        self.whole.pop_front()
    }

    /// Puts back what was popped, but for the first `taken` bytes of it.
    pub fn put_back(&mut self, mut bytes: Bytes, taken: usize) {
        bytes.advance(taken);
        if !bytes.is_empty() {
            self.whole.push_front(bytes);
        }
    }

    fn end_joining(&mut self) {
        if !self.joined.is_empty() {
            self.whole.push_back(std::mem::take(&mut self.joined).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_keep_their_order(steps in proptest::collection::vec((0usize..3000, proptest::option::of(0usize..2000)), 1..40)) {
            let mut backlog = Backlog::default();
            let (mut written, mut read) = (0usize, 0usize);
            let mut check = |bytes: &[u8]| bytes.iter().all(|&byte| { read += 1; byte == (read - 1) as u8 });
            for (length, take) in steps {
                backlog.push((written..written + length).map(|at| at as u8).collect());
                written += length;
                let Some(take) = take else { continue };
                if let Some(bytes) = backlog.pop() {
                    let taken = take.min(bytes.len());
                    prop_assert!(check(&bytes[..taken]));
                    backlog.put_back(bytes, taken);
                }
            }
            while let Some(bytes) = backlog.pop() {
                prop_assert!(check(&bytes));
            }
            prop_assert_eq!(read, written);
        }

        #[test]
        fn small_frames_take_no_place_of_their_own(count in 1usize..2000) {
            let mut backlog = Backlog::default();
            (0..count).for_each(|_| backlog.push(Bytes::from_static(b"x")));
            prop_assert_eq!(backlog.pop().map(|bytes| bytes.len()), Some(count));
            prop_assert!(backlog.pop().is_none());
        }
    }
}
