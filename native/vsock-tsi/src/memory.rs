//! A guest's memory: the regions that its front end shares, mapped here.

#![forbid(unsafe_code)]

use crate::fault::Guarded;
use rustix::fd::OwnedFd;
use rustix::fs::{SealFlags, fcntl_add_seals, fstat};
use std::fs::File;
use vm_memory::{FileOffset, GuestAddress, GuestMemoryMmap, GuestMemoryRegion, GuestRegionMmap, MmapRegion};

/// Memory by guest addresses, without a log of dirty pages.
pub type Map = GuestMemoryMmap<()>;

/// One region as SET_MEM_TABLE describes it.
#[derive(Debug)]
pub struct RegionRequest {
    /// Its address in the guest.
    pub guest: u64,
    /// Bytes.
    pub length: u64,
    /// Its address in the front end; rings are named by these.
    pub front_end: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// The file.
    pub file: OwnedFd,
}

/// All memory of a guest.
#[derive(Debug)]
pub struct Memory {
    /// Dropped first: see `fault`.
    guards: Vec<Guarded>,
    /// The mapped regions.
    pub map: Map,
    spans: Vec<Span>,
}

#[derive(Debug)]
struct Span {
    front_end: u64,
    guest: u64,
    length: u64,
}

impl Memory {
    /// Maps regions. The files are made unable to shrink where they can be, and are at least as long as the regions.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn map(requests: Vec<RegionRequest>) -> Result<Self, String> {
        let spans = requests
            .iter()
            .map(|region| Span { front_end: region.front_end, guest: region.guest, length: region.length })
            .collect();
        let mut regions = requests.into_iter().map(map_region).collect::<Result<Vec<_>, _>>()?;
        regions.sort_by_key(GuestMemoryRegion::start_addr);
        let guard = |region: &GuestRegionMmap| Guarded::new(region.as_ptr(), region.size());
        let guards = regions.iter().map(guard).collect::<Option<_>>().ok_or("too many regions in this process")?;
        let map = Map::from_regions(regions).map_err(|error| error.to_string())?;
        Ok(Self { guards, map, spans })
    }

    /// The front end has cut off a part of it that was used.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.guards.iter().any(Guarded::is_cut)
    }

    /// The guest's address of a piece of memory that the front end names by its own address.
    #[must_use]
    pub fn guest_address(&self, front_end: u64, length: u64) -> Option<GuestAddress> {
        self.spans.iter().find_map(|span| {
            let offset = front_end.checked_sub(span.front_end)?;
            let fits = offset < span.length && length <= span.length - offset;
            fits.then(|| GuestAddress(span.guest + offset))
        })
    }
}

fn map_region(region: RegionRequest) -> Result<GuestRegionMmap<()>, String> {
    let RegionRequest { guest, length, front_end, offset, file } = region;
    let name = format!("region {guest:#x}+{length:#x}");
    let end = offset.checked_add(length).filter(|_| guest.checked_add(length).is_some());
    let end = end.filter(|_| front_end.checked_add(length).is_some() && length > 0);
    let end = end.ok_or_else(|| format!("{name}: no such range of addresses"))?;
    // A memfd allows it; where it cannot be had (tmpfs files of User Mode Linux), `fault` deals with the consequence.
    let _may_fail = fcntl_add_seals(&file, SealFlags::SHRINK);
    let size = fstat(&file).map_err(|errno| format!("{name}: {errno}"))?.st_size;
    if u64::try_from(size).unwrap_or(0) < end {
        return Err(format!("{name}: its file of {size} bytes ends before"));
    }
    let length = usize::try_from(length).map_err(|error| format!("{name}: {error}"))?;
    let mapping = MmapRegion::from_file(FileOffset::new(File::from(file), offset), length);
    let mapping = mapping.map_err(|error| format!("{name}: {error}"))?;
    GuestRegionMmap::new(mapping, GuestAddress(guest)).ok_or_else(|| format!("{name}: no such range of addresses"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use vm_memory::Bytes;

    fn request(guest: u64, length: u64, front_end: u64) -> RegionRequest {
        let file = memfd_create("guest", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, 1 << 16).unwrap();
        RegionRequest { guest, length, front_end, offset: 0, file }
    }

    #[test]
    fn both_names_of_memory_lead_to_it() {
        let memory = Memory::map(vec![request(0x10_0000, 0x1000, 0x7000), request(0, 0x1000, 0x5000)]).unwrap();
        assert_eq!(memory.guest_address(0x7010, 0xff0), Some(GuestAddress(0x10_0010)));
        assert_eq!(memory.guest_address(0x7010, 0xff1), None);
        assert_eq!(memory.guest_address(0x5000, 1), Some(GuestAddress(0)));
        assert_eq!(memory.guest_address(0x4fff, 1), None);
        memory.map.write_obj(7_u32, GuestAddress(0x10_0010)).unwrap();
        assert!(memory.map.write_obj(7_u32, GuestAddress(0x2000)).is_err());
    }

    #[test]
    fn memory_that_would_fault_later_is_refused_and_shared_files_cannot_shrink() {
        let error = Memory::map(vec![request(0, 1 << 17, 0)]).unwrap_err();
        assert!(error.contains("ends before"), "{error}");
        assert!(Memory::map(vec![request(u64::MAX - 10, 0x1000, 0)]).is_err());
        assert!(Memory::map(vec![request(0, 0x1000, 0), request(0x800, 0x1000, 0x9000)]).is_err());
        assert!(Memory::map(vec![]).is_err());
        let region = request(0, 0x1000, 0);
        let file = region.file.try_clone().unwrap();
        let _memory = Memory::map(vec![region]).unwrap();
        assert!(ftruncate(&file, 0).is_err());
    }
}
