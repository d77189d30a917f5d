//! A split virtqueue from the driver's side, with nothing in the way: any descriptor, any head, any index.

#![forbid(unsafe_code)]

use crate::memory::Memory;
use std::rc::Rc;
use std::sync::atomic::{Ordering, fence};
use vmm_sys_util::eventfd::EventFd;

/// Descriptor flag: another follows.
pub const NEXT: u16 = 1;
/// Descriptor flag: the device writes, else it reads.
pub const WRITE: u16 = 2;
/// Descriptor flag: the memory is itself a table of descriptors.
pub const INDIRECT: u16 = 4;

/// One entry of a descriptor table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// The guest's address, see [`Memory::guest_address`].
    pub address: u64,
    /// Bytes.
    pub length: u32,
    /// [`NEXT`], [`WRITE`], [`INDIRECT`].
    pub flags: u16,
    /// Index of the next one.
    pub next: u16,
}

impl Descriptor {
    /// Bytes of an entry.
    pub const SIZE: usize = 16;

    /// As it stands in memory.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..8].copy_from_slice(&self.address.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.flags.to_le_bytes());
        bytes[14..].copy_from_slice(&self.next.to_le_bytes());
        bytes
    }
}

/// Where the parts of a ring lie in the guest's memory, as offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Descriptor table.
    pub descriptors: usize,
    /// Available ring: written by the guest.
    pub available: usize,
    /// Used ring: written by the device.
    pub used: usize,
}

impl Places {
    /// Lays a ring out from `offset` on.
    #[must_use]
    pub fn at(offset: usize, size: u16) -> Self {
        let available = offset + Descriptor::SIZE * usize::from(size);
        Self { descriptors: offset, available, used: (available + 6 + 2 * usize::from(size)).next_multiple_of(4096) }
    }

    /// First offset behind the ring.
    #[must_use]
    pub fn end(&self, size: u16) -> usize {
        (self.used + 6 + 8 * usize::from(size)).next_multiple_of(4096)
    }
}

/// A ring. Everything it does is visible to the device at once, but for heads not yet published.
pub struct Ring {
    memory: Rc<Memory>,
    places: Places,
    size: u16,
    event_idx: bool,
    /// Next place in the available ring.
    next: u16,
    /// What the device was last told of.
    published: u16,
    /// Next place in the used ring.
    seen: u16,
    kick: EventFd,
    call: EventFd,
}

impl Ring {
    pub(crate) fn new(memory: Rc<Memory>, places: Places, size: u16, event_idx: bool) -> std::io::Result<Self> {
        let bell = || EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
        Ok(Self { memory, places, size, event_idx, next: 0, published: 0, seen: 0, kick: bell()?, call: bell()? })
    }

    /// Entries.
    #[must_use]
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Where it lies.
    #[must_use]
    pub fn places(&self) -> Places {
        self.places
    }

    /// Rung by the guest.
    #[must_use]
    pub fn kick(&self) -> &EventFd {
        &self.kick
    }

    /// Rung by the device.
    #[must_use]
    pub fn call(&self) -> &EventFd {
        &self.call
    }

    /// Writes an entry of the descriptor table.
    pub fn describe(&self, index: u16, descriptor: Descriptor) {
        self.memory.write(self.places.descriptors + Descriptor::SIZE * usize::from(index), &descriptor.encode());
    }

    /// Puts a head into the available ring; the device sees it after [`Ring::publish`].
    pub fn push(&mut self, head: u16) {
        self.memory.store(self.places.available + 4 + 2 * usize::from(self.next % self.size), head);
        self.next = self.next.wrapping_add(1);
    }

    /// Shows the device all heads pushed so far; whether it asked to be woken for them.
    pub fn publish(&mut self) -> bool {
        if self.next == self.published {
            return false;
        }
        self.jump(self.next);
        fence(Ordering::SeqCst);
        let before = std::mem::replace(&mut self.published, self.next);
        if self.event_idx {
            let event = self.memory.load(self.places.used + 4 + 8 * usize::from(self.size));
            self.next.wrapping_sub(event).wrapping_sub(1) < self.next.wrapping_sub(before)
        } else {
            self.memory.load(self.places.used) & 1 == 0
        }
    }

    /// Writes any available index.
    pub fn jump(&self, index: u16) {
        self.memory.store(self.places.available + 2, index);
    }

    /// Wakes the device.
    pub fn ring(&self) {
        // A counter that is full has rung enough.
        let _full = self.kick.write(1);
    }

    /// The next chain that the device has given back: its head and the bytes written into it, unchecked.
    pub fn take_used(&mut self) -> Option<(u32, u32)> {
        if self.memory.load(self.places.used + 2) == self.seen {
            return None;
        }
        let mut entry = [0; 8];
        self.memory.read(self.places.used + 4 + 8 * usize::from(self.seen % self.size), &mut entry);
        self.seen = self.seen.wrapping_add(1);
        let [a, b, c, d, e, f, g, h] = entry;
        Some((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
    }

    /// Asks the device to ring at the next chain, or never; whether one is there already.
    pub fn listen(&self, wanted: bool) -> bool {
        if self.event_idx {
            let event = if wanted { self.seen } else { self.seen.wrapping_sub(1) };
            self.memory.store(self.places.available + 4 + 2 * usize::from(self.size), event);
        } else {
            self.memory.store(self.places.available, u16::from(!wanted));
        }
        fence(Ordering::SeqCst);
        self.memory.load(self.places.used + 2) != self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_asked_is_woken_once() {
        let memory = Rc::new(Memory::new(1 << 16).unwrap());
        let places = Places::at(0, 8);
        let mut ring = Ring::new(Rc::clone(&memory), places, 8, true).unwrap();
        ring.push(3);
        assert!(ring.publish(), "the device asked for index 0");
        ring.push(4);
        assert!(!ring.publish());
        memory.store(places.used + 4 + 64, 2);
        ring.push(5);
        assert!(ring.publish());
        assert_eq!(memory.load(places.available + 2), 3);
        assert_eq!(memory.load(places.available + 4 + 4), 5);
    }

    #[test]
    fn used_chains_are_taken_in_order() {
        let memory = Rc::new(Memory::new(1 << 16).unwrap());
        let places = Places::at(4096, 4);
        let mut ring = Ring::new(Rc::clone(&memory), places, 4, true).unwrap();
        assert!(!ring.listen(true));
        memory.write(places.used + 4, &[2, 0, 0, 0, 44, 0, 0, 0]);
        memory.store(places.used + 2, 1);
        assert!(ring.listen(true));
        assert_eq!(ring.take_used(), Some((2, 44)));
        assert_eq!(ring.take_used(), None);
        assert!(places.end(4) > places.used && places.used > places.available);
    }
}
