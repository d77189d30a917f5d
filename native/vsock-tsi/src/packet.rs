//! Packets of virtio-vsock: the header of 44 bytes (virtio 1.2, 5.10.6), wherever in guest memory it lies.

#![forbid(unsafe_code)]

use crate::pages::{GuestBuffers, GuestBytes};
use vm_memory::VolatileSlice;

/// Bytes of a header.
pub const HEADER: usize = 44;
/// Streams are the only kind of socket here.
pub const STREAM: u16 = 1;
/// In SHUTDOWN: the sender takes no more.
pub const NO_MORE_RECEIVE: u32 = 1;
/// In SHUTDOWN: the sender sends no more.
pub const NO_MORE_SEND: u32 = 2;
/// In SHUTDOWN: both.
pub const NO_MORE: u32 = NO_MORE_RECEIVE | NO_MORE_SEND;

/// What a packet is for.
pub mod op {
    #![allow(missing_docs)]
    pub const REQUEST: u16 = 1;
    pub const RESPONSE: u16 = 2;
    pub const RST: u16 = 3;
    pub const SHUTDOWN: u16 = 4;
    pub const RW: u16 = 5;
    pub const CREDIT_UPDATE: u16 = 6;
    pub const CREDIT_REQUEST: u16 = 7;
}

/// A packet's header.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// CID of the sender.
    pub from_cid: u64,
    /// CID of the receiver.
    pub to_cid: u64,
    /// Port of the sender.
    pub from_port: u32,
    /// Port of the receiver.
    pub to_port: u32,
    /// Bytes of payload.
    pub length: u32,
    /// Kind of socket.
    pub kind: u16,
    /// What it is for, see [`op`].
    pub op: u16,
    /// Of SHUTDOWN.
    pub flags: u32,
    /// Bytes that the sender can hold for this stream.
    pub buffer: u32,
    /// Bytes that the sender's application has taken so far, modulo 2³².
    pub taken: u32,
}

impl Header {
    /// Reads the header at the beginning of a packet; `None` if it is too short.
    #[must_use]
    pub fn read(parts: &[VolatileSlice<'_>]) -> Option<Self> {
        let mut bytes = [0; HEADER];
        (GuestBytes::new(parts).copy_to(0, &mut bytes) == HEADER).then(|| Self::decode(&bytes))
    }

    /// Writes it to the beginning of a packet; whether there was room.
    #[must_use]
    pub fn write(&self, parts: &[VolatileSlice<'_>]) -> bool {
        GuestBuffers::new(parts).fill(&self.encode()) == HEADER
    }

    /// The header of these bytes.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER]) -> Self {
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        Self {
            from_cid: u64_at(0),
            to_cid: u64_at(8),
            from_port: u32_at(16),
            to_port: u32_at(20),
            length: u32_at(24),
            kind: u16_at(28),
            op: u16_at(30),
            flags: u32_at(32),
            buffer: u32_at(36),
            taken: u32_at(40),
        }
    }

    /// The bytes of this header.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..8].copy_from_slice(&self.from_cid.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.to_cid.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.from_port.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.to_port.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.length.to_le_bytes());
        bytes[28..30].copy_from_slice(&self.kind.to_le_bytes());
        bytes[30..32].copy_from_slice(&self.op.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.flags.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.buffer.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.taken.to_le_bytes());
        bytes
    }

    /// The answer to this packet by which its stream is ended.
    #[must_use]
    pub fn reset(&self) -> Self {
        Self {
            from_cid: self.to_cid,
            to_cid: self.from_cid,
            from_port: self.to_port,
            to_port: self.from_port,
            kind: self.kind,
            op: op::RST,
            ..Self::default()
        }
    }
}

/// Adds to `into` the part of `parts` that begins at byte `start` and is at most `length` long; how long it is.
pub fn cut<'m>(parts: &[VolatileSlice<'m>], start: usize, length: usize, into: &mut Vec<VolatileSlice<'m>>) -> usize {
    let (mut skip, mut left) = (start, length);
    for part in parts {
        if left == 0 {
            break;
        }
        if skip >= part.len() {
            skip -= part.len();
            continue;
        }
        let count = (part.len() - skip).min(left);
        if let Ok(piece) = part.subslice(skip, count) {
            into.push(piece);
        }
        (skip, left) = (0, left - count);
    }
    length - left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(bytes: [u8; 32], more: [u8; 12], split in 0..HEADER) {
            let mut packet = [0; HEADER];
            packet[..32].copy_from_slice(&bytes);
            packet[32..].copy_from_slice(&more);
            let header = Header::decode(&packet);
            prop_assert_eq!(header.encode(), packet);
            let (left, right) = packet.split_at_mut(split);
            let parts = [left.into(), right.into()];
            prop_assert_eq!(Header::read(&parts), Some(header));
            prop_assert!(header.write(&parts));
            prop_assert_eq!(Header::read(&parts[1..]).is_some(), split == 0);
        }

        #[test]
        fn a_cut_is_the_bytes_asked_for(sizes in proptest::collection::vec(0..9_usize, 0..6), start in 0..20_usize, length in 0..30_usize) {
            let mut number = 0;
            let mut pages: Vec<Vec<u8>> = sizes.iter().map(|&size| (0..size).map(|_| { number += 1; number }).collect()).collect();
            let whole: Vec<u8> = pages.concat();
            let parts: Vec<VolatileSlice<'_>> = pages.iter_mut().map(|page| page.as_mut_slice().into()).collect();
            let mut pieces = Vec::new();
            let counted = cut(&parts, start, length, &mut pieces);
            let mut found = vec![0; 64];
            let count = GuestBytes::new(&pieces).copy_to(0, &mut found);
            let expected: Vec<u8> = whole.into_iter().skip(start).take(length).collect();
            prop_assert_eq!(&found[..count], &expected[..]);
            prop_assert_eq!(counted, count);
        }
    }
}
