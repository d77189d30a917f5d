//! Memory of a guest: one file, mapped here and by the device.

#![forbid(unsafe_code)]

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use vm_memory::{Bytes, FileOffset, MmapRegion, VolatileMemory, VolatileSlice};

/// Where the memory begins in the guest's own addresses; not 0, so that a forgotten address is none of them.
pub const BASE: u64 = 0x4000_0000;

/// A guest's memory. Places in it are named by their offset, in bytes.
#[derive(Debug)]
pub struct Memory {
    region: MmapRegion,
    file: File,
}

impl Memory {
    /// So many bytes of zeros; pages are taken when touched.
    ///
    /// # Errors
    /// As memfd_create(2) and mmap(2).
    pub fn new(bytes: usize) -> io::Result<Self> {
        let file = File::from(memfd_create("virtual-guest", MemfdFlags::CLOEXEC)?);
        ftruncate(&file, bytes as u64)?;
        let region = MmapRegion::from_file(FileOffset::new(file.try_clone()?, 0), bytes).map_err(io::Error::other)?;
        Ok(Self { region, file })
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.region.size()
    }

    /// The file behind it.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Address of a place for descriptors: as the guest counts.
    #[must_use]
    pub fn guest_address(&self, offset: usize) -> u64 {
        BASE + offset as u64
    }

    /// Address of a place for vhost-user: as this process counts.
    #[must_use]
    pub fn user_address(&self, offset: usize) -> u64 {
        self.region.as_ptr() as u64 + offset as u64
    }

    /// A piece of memory.
    ///
    /// # Panics
    /// When it lies outside: places are chosen by this crate and its tests, not by the device.
    #[must_use]
    pub fn slice(&self, offset: usize, length: usize) -> VolatileSlice<'_> {
        self.region.get_slice(offset, length).expect("place within the guest's memory")
    }

    /// Writes bytes.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        self.slice(offset, bytes.len()).copy_from(bytes);
    }

    /// Reads bytes.
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        self.slice(offset, into.len()).copy_to(into);
    }

    /// Reads a number that the device may be changing.
    #[must_use]
    pub fn load(&self, offset: usize) -> u16 {
        self.slice(offset, 2).load(0, Ordering::Acquire).expect("even place")
    }

    /// Writes a number for the device, after all that was written before.
    pub fn store(&self, offset: usize, value: u16) {
        self.slice(offset, 2).store(value, 0, Ordering::Release).expect("even place");
    }
}
