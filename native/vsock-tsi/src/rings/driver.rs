//! A guest's driver for tests: writes a split ring by hand, so that it can also write a broken one.

use super::*;
use crate::memory::{Memory, RegionRequest};
use rustix::fd::AsFd;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

/// Bytes of the test guest's memory.
pub const MEMORY: u64 = 1 << 20;
/// Entries of its ring.
pub const SIZE: u16 = 64;
const TABLE: u64 = 0x1000;
const AVAILABLE: u64 = 0x2000;
const USED: u64 = 0x3000;
/// Where a test may put buffers.
pub const BUFFERS: u64 = 0x1_0000;

/// Descriptor flags: another follows, the device writes, it names a table of descriptors.
pub const NEXT: u16 = 1;
pub const WRITE: u16 = 2;
pub const INDIRECT: u16 = 4;

/// Memory and a ring in it.
pub struct Driver {
    pub memory: Memory,
    available: u16,
}

impl Driver {
    pub fn new() -> Self {
        let file = memfd_create("guest", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, MEMORY).unwrap();
        let region = RegionRequest { guest: 0, length: MEMORY, front_end: 0x7000_0000, offset: 0, file };
        Self { memory: Memory::map(vec![region]).unwrap(), available: 0 }
    }

    /// The device's side of the ring.
    pub fn ring(&self, event_idx: bool) -> Ring {
        let mut ring = Ring::new(1);
        ring.set_size(SIZE.into()).unwrap();
        let at = |offset| 0x7000_0000 + offset;
        ring.set_addresses(Addresses { table: at(TABLE), used: at(USED), available: at(AVAILABLE) });
        (ring.enabled, ring.kick) = (true, Some(Kick::new(std::io::stdin().as_fd().try_clone_to_owned().unwrap())));
        assert!(ring.ready(&self.memory, event_idx).unwrap());
        ring
    }

    pub fn describe(&self, index: u16, address: u64, length: u32, flags: u16, next: u16) {
        self.describe_at(TABLE + 16 * u64::from(index), address, length, flags, next);
    }

    pub fn describe_at(&self, at: u64, address: u64, length: u32, flags: u16, next: u16) {
        self.put(at, address);
        self.put(at + 8, length);
        self.put(at + 12, flags);
        self.put(at + 14, next);
    }

    /// Makes the chain that begins at a descriptor available.
    pub fn offer(&mut self, head: u16) {
        self.put(AVAILABLE + 4 + 2 * u64::from(self.available % SIZE), head);
        self.claim(self.available.wrapping_add(1));
    }

    /// Says that entries up to an index are available.
    pub fn claim(&mut self, index: u16) {
        self.available = index;
        self.put(AVAILABLE + 2, index);
    }

    /// Wishes for an interrupt after so many used entries.
    pub fn wish(&self, used: u16) {
        self.put(AVAILABLE + 4 + 2 * u64::from(SIZE), used);
    }

    /// The kick that the device has asked for.
    pub fn asked(&self) -> u16 {
        self.memory.map.read_obj(GuestAddress(USED + 4 + 8 * u64::from(SIZE))).unwrap()
    }

    /// Used entries: index, then head and length of the last.
    pub fn used(&self) -> (u16, u32, u32) {
        let index: u16 = self.memory.map.read_obj(GuestAddress(USED + 2)).unwrap();
        let last = USED + 4 + 8 * u64::from(index.wrapping_sub(1) % SIZE);
        let [head, length]: [u32; 2] = self.memory.map.read_obj(GuestAddress(last)).unwrap();
        (index, head, length)
    }

    pub fn put<T: vm_memory::ByteValued>(&self, at: u64, value: T) {
        self.memory.map.write_obj(value, GuestAddress(at)).unwrap();
    }
}
