//! Packets to the guest: whose turn it is, and what that stream has to say.

#![forbid(unsafe_code)]

use crate::packet::{self, Header, op};
use crate::pages::GuestBuffers;
use crate::stream::{Owed, State};
use crate::traffic::{Traffic, WINDOW};
use crate::uplink::{StreamId, Uplink};
use std::io::ErrorKind;
use vm_memory::VolatileSlice;

impl<A: Uplink, T: Uplink> Traffic<A, T> {
    /// There may be packets for a device.
    #[must_use]
    pub fn has_packets(&self, device: usize) -> bool {
        !self.resets[device].is_empty() || self.streams.has_turns(device)
    }

    /// Writes the next packet of a device into guest memory; its length, or `None` when there is no packet.
    /// `parts` hold more than a header; `pieces` is room to work in.
    pub fn transmit<'m>(
        &mut self,
        device: usize,
        parts: &[VolatileSlice<'m>],
        pieces: &mut Vec<VolatileSlice<'m>>,
    ) -> Option<u32> {
        if let Some(header) = self.resets[device].pop_front() {
            return Some(self.write_header(&header, parts));
        }
        loop {
            let index = self.streams.turn(device)?;
            let written = self.take_turn(index, parts, pieces);
            self.streams.queue(index);
            if written.is_some() {
                return written;
            }
        }
    }

    fn take_turn<'m>(
        &mut self,
        index: u32,
        parts: &[VolatileSlice<'m>],
        pieces: &mut Vec<VolatileSlice<'m>>,
    ) -> Option<u32> {
        let stream = self.streams.at(index)?;
        if stream.state == State::Ending {
            let header = stream.header(self.cid, op::RST, 0, 0);
            self.remove(index);
            return Some(self.write_header(&header, parts));
        }
        for (owed, op) in [(Owed::REQUEST, op::REQUEST), (Owed::RESPONSE, op::RESPONSE)] {
            if stream.owed.take(owed) {
                let header = stream.header(self.cid, op, 0, WINDOW);
                return Some(self.write_header(&header, parts));
            }
        }
        if stream.can_read()
            && let Some(written) = self.data_turn(index, parts, pieces)
        {
            return Some(written);
        }
        let stream = self.streams.at(index)?;
        for (owed, op) in [(Owed::SHUTDOWN, op::SHUTDOWN), (Owed::CREDIT, op::CREDIT_UPDATE)] {
            if stream.owed.take(owed) {
                let header = stream.header(self.cid, op, 0, WINDOW);
                self.stats.credit_updates_sent += u64::from(op == op::CREDIT_UPDATE);
                return Some(self.write_header(&header, parts));
            }
        }
        None
    }

    /// Reads from the uplink into guest memory, behind the room for a header.
    fn data_turn<'m>(
        &mut self,
        index: u32,
        parts: &[VolatileSlice<'m>],
        pieces: &mut Vec<VolatileSlice<'m>>,
    ) -> Option<u32> {
        let stream = self.streams.at(index)?;
        packet::cut(parts, packet::HEADER, stream.credit(), pieces);
        let (id, far, outbound) = (StreamId { index, generation: stream.generation }, stream.far, stream.outbound);
        let result = self.side(far).read(id, &mut GuestBuffers::new(pieces));
        let stream = self.streams.at(index)?;
        match result {
            Ok(0) => {
                stream.tell_end(true);
                self.settle(index);
                None
            }
            Ok(count) => {
                stream.bytes_to_guest += count as u64;
                let header = stream.header(self.cid, op::RW, count, WINDOW);
                self.flow(far, outbound).bytes_to_guest += count as u64;
                Some(self.write_header(&header, parts) + count as u32)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.readable = false;
                None
            }
            Err(_) => {
                self.reset(index);
                None
            }
        }
    }

    fn write_header(&mut self, header: &Header, parts: &[VolatileSlice<'_>]) -> u32 {
        self.stats.packets_to_guest += 1;
        let written = header.write(parts);
        debug_assert!(written, "the device takes no chain shorter than a header");
        packet::HEADER as u32
    }
}
