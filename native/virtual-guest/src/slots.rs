//! Packets in a ring: each slot has a header, a payload and the descriptors for them.

#![forbid(unsafe_code)]

use crate::memory::Memory;
use crate::options::Options;
use crate::packet::{HEADER, Header};
use crate::ring::{Descriptor, INDIRECT, NEXT, Places, Ring, WRITE};
use std::io;
use std::rc::Rc;
use vm_memory::VolatileSlice;

/// Room in front of a payload: an indirect table, then the header right before the payload.
const HEAD_ROOM: usize = 128;

/// A ring whose descriptors are dealt out to slots for good.
pub struct Slots {
    /// The ring itself.
    pub ring: Ring,
    memory: Rc<Memory>,
    offset: usize,
    payload_bytes: u32,
    count: u16,
    writable: bool,
    indirect: bool,
    joined: bool,
    free: Vec<u16>,
}

/// What of a guest's options concerns its slots.
pub(crate) struct Shape {
    pub payload_bytes: u32,
    pub writable: bool,
}

impl Slots {
    /// Bytes that slots take in the guest's memory, their ring included.
    pub(crate) fn bytes(size: u16, payload_bytes: u32) -> usize {
        Places::at(0, size).end(size) + usize::from(size) * stride(payload_bytes)
    }

    pub(crate) fn new(memory: &Rc<Memory>, offset: usize, shape: &Shape, options: &Options) -> io::Result<Self> {
        let size = options.ring_size;
        let places = Places::at(offset, size);
        let ring = Ring::new(Rc::clone(memory), places, size, options.event_idx)?;
        let count = if options.indirect || options.joined { size } else { size / 2 };
        Ok(Self {
            ring,
            memory: Rc::clone(memory),
            offset: places.end(size),
            payload_bytes: shape.payload_bytes,
            count,
            writable: shape.writable,
            indirect: options.indirect,
            joined: options.joined,
            free: (0..count).rev().collect(),
        })
    }

    /// Largest payload, in bytes.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes as usize
    }

    /// Slots that the device does not have.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// A slot to fill, if one is free.
    pub(crate) fn take(&mut self) -> Option<u16> {
        self.free.pop()
    }

    /// Gives a slot's header and so much payload to the device; visible after the ring is published.
    pub(crate) fn offer(&mut self, slot: u16, payload: u32) {
        let head = if self.wide() { slot } else { slot * 2 };
        let (header_at, payload_at) = (self.header_at(slot), self.payload_at(slot));
        let flag = if self.writable { WRITE } else { 0 };
        let address = self.memory.guest_address(header_at);
        let header = Descriptor { address, length: HEADER as u32, flags: flag, next: 0 };
        let body = Descriptor { address: self.memory.guest_address(payload_at), length: payload, flags: flag, next: 0 };
        let chain = match (self.joined, payload) {
            (true, _) => [Descriptor { length: HEADER as u32 + payload, ..header }, Descriptor::default()],
            (false, 0) => [header, Descriptor::default()],
            (false, _) => [Descriptor { flags: flag | NEXT, next: 1, ..header }, body],
        };
        let length = if chain[0].flags & NEXT == 0 { 1 } else { 2 };
        if self.indirect {
            let table = self.slot_at(slot);
            for (index, descriptor) in chain.iter().take(length).enumerate() {
                self.memory.write(table + index * Descriptor::SIZE, &descriptor.encode());
            }
            let length = (length * Descriptor::SIZE) as u32;
            let address = self.memory.guest_address(table);
            self.ring.describe(head, Descriptor { address, length, flags: INDIRECT, next: 0 });
        } else {
            self.ring.describe(head, Descriptor { next: head + chain[0].next, ..chain[0] });
            if length == 2 {
                self.ring.describe(head + 1, chain[1]);
            }
        }
        self.ring.push(head);
    }

    /// The next slot that the device gave back, and the bytes it says to have written. Heads that were never given to
    /// it are an error of the device.
    pub(crate) fn take_used(&mut self) -> io::Result<Option<(u16, u32)>> {
        let Some((head, written)) = self.ring.take_used() else { return Ok(None) };
        let slot = if self.wide() { head } else { head / 2 };
        let fair = slot < u32::from(self.count) && (self.wide() || head % 2 == 0);
        if !fair {
            return Err(io::Error::other(format!("the device gave back head {head}, which it never had")));
        }
        Ok(Some((slot as u16, written)))
    }

    /// A slot may be filled again.
    pub(crate) fn release(&mut self, slot: u16) {
        self.free.push(slot);
    }

    pub(crate) fn write_header(&self, slot: u16, header: &Header) {
        self.memory.write(self.header_at(slot), &header.encode());
    }

    pub(crate) fn read_header(&self, slot: u16) -> Header {
        let mut bytes = [0; HEADER];
        self.memory.read(self.header_at(slot), &mut bytes);
        Header::decode(&bytes)
    }

    pub(crate) fn payload(&self, slot: u16, length: usize) -> VolatileSlice<'_> {
        self.memory.slice(self.payload_at(slot), length)
    }

    /// One head for each slot.
    fn wide(&self) -> bool {
        self.indirect || self.joined
    }

    fn slot_at(&self, slot: u16) -> usize {
        self.offset + usize::from(slot) * stride(self.payload_bytes)
    }

    fn payload_at(&self, slot: u16) -> usize {
        self.slot_at(slot) + HEAD_ROOM
    }

    fn header_at(&self, slot: u16) -> usize {
        self.payload_at(slot) - HEADER
    }
}

fn stride(payload_bytes: u32) -> usize {
    (HEAD_ROOM + payload_bytes as usize).next_multiple_of(64)
}
