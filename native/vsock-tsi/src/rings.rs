//! One virtqueue: descriptor chains taken from it and given back, and who has to be woken.

#![forbid(unsafe_code)]

use crate::breach::Breach;
use crate::kick::Kick;
use crate::memory::{Map, Memory};
use crate::pages::PIECES;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::sync::atomic::Ordering;
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Address, Bytes, GuestAddress, GuestMemoryBackend, VolatileSlice};

/// Entries of the longest ring taken.
const LONGEST: u16 = 1024;
/// Descriptors of one chain, and pieces of memory; Linux uses up to 20 for a packet.
const CHAIN: usize = PIECES;

/// Which way the memory of a ring's chains is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The device writes.
    ToGuest,
    /// The device reads.
    FromGuest,
}

/// A chain taken from a ring, to be given back by `Ring::done`.
#[derive(Debug, Clone, Copy)]
pub struct Chain {
    head: u16,
    descriptors: u16,
}

/// Addresses of a ring in the front end.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Table of descriptors.
    pub table: u64,
    /// Ring of used entries.
    pub used: u64,
    /// Ring of available entries.
    pub available: u64,
}

/// One ring of a device.
#[derive(Debug)]
pub struct Ring {
    number: usize,
    queue: Queue,
    addresses: Option<Addresses>,
    /// By which the guest wakes the device.
    pub kick: Option<Kick>,
    /// By which the device interrupts the guest.
    pub call: Option<OwnedFd>,
    /// SET_VRING_ENABLE.
    pub enabled: bool,
    unsignalled: u16,
    unsignalled_descriptors: u16,
}

impl Ring {
    /// Ring `number` of a device, not set up.
    #[must_use]
    pub fn new(number: usize) -> Self {
        let queue = Queue::new(LONGEST).expect("a power of two");
        let (addresses, kick, call) = (None, None, None);
        Self { number, queue, addresses, kick, call, enabled: false, unsignalled: 0, unsignalled_descriptors: 0 }
    }

    /// Why the device is closed: something is wrong with this ring.
    #[must_use]
    pub fn fault(&self, what: impl ToString) -> Breach {
        Breach::Ring { ring: self.number, what: what.to_string() }
    }

    /// Takes the number of entries.
    ///
    /// # Errors
    /// When it is no power of two, or too great.
    pub fn set_size(&mut self, size: u32) -> Result<(), Breach> {
        let fault = self.fault(format!("{size} entries; a power of two up to {LONGEST} was offered"));
        let Ok(size) = u16::try_from(size) else { return Err(fault) };
        self.queue.try_set_size(size).map_err(|_| fault)
    }

    /// Takes the addresses of its parts.
    pub fn set_addresses(&mut self, addresses: Addresses) {
        self.addresses = Some(addresses);
        self.queue.set_ready(false);
    }

    /// Entries before this one have been dealt with.
    pub fn set_base(&mut self, base: u16) {
        self.queue.set_next_avail(base);
        self.queue.set_next_used(base);
    }

    /// Stops it and says which entry is next.
    pub fn stop(&mut self) -> u16 {
        self.kick = None;
        self.queue.set_ready(false);
        self.queue.next_avail()
    }

    /// Where it lies must be looked up anew: memory has changed.
    pub fn forget_memory(&mut self) {
        self.queue.set_ready(false);
    }

    /// Whether it can be used now; looks up where it lies when it has to.
    ///
    /// # Errors
    /// When it does not lie in the guest's memory.
    pub fn ready(&mut self, memory: &Memory, event_idx: bool) -> Result<bool, Breach> {
        if !self.enabled || self.kick.is_none() {
            return Ok(false);
        }
        if self.queue.ready() {
            return Ok(true);
        }
        let Some(addresses) = self.addresses else { return Ok(false) };
        let size = u64::from(self.queue.size());
        let place = |address, length| {
            memory.guest_address(address, length).ok_or_else(|| self.fault("it lies outside the guest's memory"))
        };
        let table = place(addresses.table, 16 * size)?;
        let available = place(addresses.available, 6 + 2 * size)?;
        let used = place(addresses.used, 6 + 8 * size)?;
        self.queue.try_set_desc_table_address(table).map_err(|error| self.fault(error))?;
        self.queue.try_set_avail_ring_address(available).map_err(|error| self.fault(error))?;
        self.queue.try_set_used_ring_address(used).map_err(|error| self.fault(error))?;
        self.queue.set_event_idx(event_idx);
        // The driver's view of the used ring is what counts, also after this process was started anew.
        let next_used = self.queue.used_idx(&memory.map, Ordering::Acquire).map_err(|error| self.fault(error))?;
        self.queue.set_next_used(next_used.0);
        self.queue.set_ready(true);
        Ok(true)
    }

    /// The next chain that the guest has made available, its memory into `parts`.
    ///
    /// # Errors
    /// When the chain, or the ring, is broken.
    pub fn take<'m>(
        &mut self,
        map: &'m Map,
        direction: Direction,
        parts: &mut Vec<VolatileSlice<'m>>,
    ) -> Result<Option<Chain>, Breach> {
        parts.clear();
        let next = self.queue.iter(map).map(|mut chains| chains.next()).map_err(|error| self.fault(error))?;
        let Some(mut chain) = next else { return Ok(None) };
        let (head, mut descriptors, mut more) = (chain.head_index(), 0, true);
        for descriptor in chain.by_ref() {
            if descriptors == CHAIN {
                return Err(self.fault(format!("a chain of more than {CHAIN} descriptors")));
            }
            if descriptor.is_write_only() != (direction == Direction::ToGuest) {
                return Err(self.fault("a descriptor for the other direction"));
            }
            let (address, length) = (descriptor.addr(), descriptor.len() as usize);
            // A piece of the guest's memory may lie in several regions.
            for slice in GuestMemoryBackend::get_slices(map, address, length) {
                let outside = |_| self.fault(format!("a descriptor outside memory, {:#x}+{length:#x}", address.0));
                parts.push(slice.map_err(outside)?);
            }
            if parts.len() > CHAIN {
                return Err(self.fault(format!("a chain in more than {CHAIN} pieces of memory")));
            }
            descriptors += 1;
            more = descriptor.has_next();
        }
        if more {
            return Err(self.fault(format!("the chain at {head} leads nowhere")));
        }
        // Indirect descriptors take one entry, which counting them all only overestimates.
        Ok(Some(Chain { head, descriptors: descriptors as u16 }))
    }

    /// Puts back the chain taken last.
    pub fn put_back(&mut self) {
        self.queue.go_to_previous_position();
    }

    /// Gives a chain back to the guest, with so many bytes written into it.
    ///
    /// # Errors
    /// When the ring is broken.
    pub fn done(&mut self, map: &Map, chain: Chain, written: u32) -> Result<(), Breach> {
        self.unsignalled += 1;
        self.unsignalled_descriptors = self.unsignalled_descriptors.saturating_add(chain.descriptors);
        self.queue.add_used(map, chain.head, written).map_err(|error| self.fault(error))
    }

    /// Chains given back since the guest was last considered for an interrupt.
    #[must_use]
    pub fn unsignalled(&self) -> u16 {
        self.unsignalled
    }

    /// The guest may soon wait for entries that it does not know to be free.
    #[must_use]
    pub fn runs_dry(&self) -> bool {
        self.queue.size() < 64 || self.unsignalled_descriptors >= self.queue.size() / 4
    }

    /// Interrupts the guest if it wants to hear of chains given back; whether it did.
    ///
    /// # Errors
    /// When the ring is broken.
    pub fn signal(&mut self, map: &Map) -> Result<bool, Breach> {
        if self.unsignalled == 0 {
            return Ok(false);
        }
        (self.unsignalled, self.unsignalled_descriptors) = (0, 0);
        let wanted = self.queue.needs_notification(map).map_err(|error| self.fault(error))?;
        if wanted {
            self.ring()?;
        }
        Ok(wanted)
    }

    /// Interrupts the guest.
    ///
    /// # Errors
    /// When that blocks, until the next alarm (see `fault`).
    pub fn ring(&self) -> Result<(), Breach> {
        let Some(call) = &self.call else { return Ok(()) };
        match rustix::io::write(call, &1_u64.to_ne_bytes()) {
            Err(Errno::INTR) => Err(Breach::Blocks),
            // A counter or pipe that takes no more is full of interrupts already.
            _ => Ok(()),
        }
    }

    /// Asks to be woken by the guest's next chain; whether one is there already.
    ///
    /// # Errors
    /// When the ring is broken.
    pub fn listen(&mut self, map: &Map) -> Result<bool, Breach> {
        self.queue.enable_notification(map).map_err(|error| self.fault(error))
    }

    /// Asks not to be woken.
    ///
    /// # Errors
    /// When the ring is broken.
    pub fn hush(&mut self, map: &Map) -> Result<(), Breach> {
        self.queue.disable_notification(map).map_err(|error| self.fault(error))
    }

    /// Chains are available.
    ///
    /// # Errors
    /// When the ring is broken.
    pub fn has_chains(&self, map: &Map) -> Result<bool, Breach> {
        let index = self.queue.avail_idx(map, Ordering::Acquire).map_err(|error| self.fault(error))?;
        Ok(index.0 != self.queue.next_avail())
    }

    /// The guest has not looked at the used ring since chains were last given back: it moves its wish for the next
    /// interrupt when it does. Only with EVENT_IDX.
    #[must_use]
    pub fn unnoticed(&self, map: &Map) -> bool {
        let size = self.queue.size();
        let wish = GuestAddress(self.queue.avail_ring()).checked_add(4 + 2 * u64::from(size));
        let wish = wish.and_then(|address| map.load::<u16>(address, Ordering::Acquire).ok());
        let behind = wish.map_or(0, |wish| self.queue.next_used().wrapping_sub(u16::from_le(wish)));
        self.queue.ready() && self.queue.event_idx_enabled() && (1..=size).contains(&behind)
    }
}

#[cfg(test)]
mod driver;
#[cfg(test)]
mod tests;
