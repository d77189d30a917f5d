//! Packets to the guest: whose turn it is, and what that stream has to say.

#![forbid(unsafe_code)]

use crate::batch::{self, Batch};
use crate::packet::op;
use crate::pages::GuestBuffers;
use crate::stream::{Owed, State};
use crate::traffic::Traffic;
use crate::uplink::{StreamId, Uplink};
use std::io::ErrorKind;
use vm_memory::VolatileSlice;

impl<A: Uplink, T: Uplink> Traffic<A, T> {
    /// There may be packets for a device.
    #[must_use]
    pub fn has_packets(&self, device: usize) -> bool {
        !self.resets[device].is_empty() || self.streams.has_turns(device)
    }

    /// Buffers that the next packets of a device could use at once.
    #[must_use]
    pub fn appetite(&self, device: usize) -> usize {
        if self.resets[device].is_empty() && self.streams.next_is_bulk(device) { batch::PACKETS } else { 1 }
    }

    /// Writes the next packets of a device into guest memory, into one buffer at least; none when there is no packet.
    /// `pieces` is room to work in.
    pub fn transmit<'m>(&mut self, device: usize, batch: &mut Batch<'m>, pieces: &mut Vec<VolatileSlice<'m>>) {
        if let Some(header) = self.resets[device].pop_front() {
            batch.write(&header);
        }
        while batch.written().is_empty()
            && let Some(index) = self.streams.turn(device)
        {
            self.take_turn(index, batch, pieces);
            self.streams.queue(index);
        }
        self.stats.packets_to_guest += batch.written().len() as u64;
    }

    fn take_turn<'m>(&mut self, index: u32, batch: &mut Batch<'m>, pieces: &mut Vec<VolatileSlice<'m>>) {
        let window = self.budget.window();
        let Some(stream) = self.streams.at(index) else { return };
        if stream.state == State::Ending {
            batch.write(&stream.header(self.cid, op::RST, 0));
            return self.remove(index);
        }
        for (owed, op) in [(Owed::REQUEST, op::REQUEST), (Owed::RESPONSE, op::RESPONSE)] {
            if stream.owed.take(owed) {
                return batch.write(&stream.header(self.cid, op, window));
            }
        }
        if stream.can_read() && self.data_turn(index, batch, pieces) {
            return;
        }
        let Some(stream) = self.streams.at(index) else { return };
        for (owed, op) in [(Owed::SHUTDOWN, op::SHUTDOWN), (Owed::CREDIT, op::CREDIT_UPDATE)] {
            if stream.owed.take(owed) {
                self.stats.credit_updates_sent += u64::from(op == op::CREDIT_UPDATE);
                return batch.write(&stream.header(self.cid, op, window));
            }
        }
    }

    /// Reads from the uplink into guest memory, behind the room for headers; whether there was something.
    fn data_turn<'m>(&mut self, index: u32, batch: &mut Batch<'m>, pieces: &mut Vec<VolatileSlice<'m>>) -> bool {
        let Some(stream) = self.streams.at(index) else { return false };
        let room = batch.room(stream.credit(), pieces);
        let (id, far, outbound) = (StreamId { index, generation: stream.generation }, stream.far, stream.outbound);
        let result = self.side(far).read(id, &mut GuestBuffers::new(pieces));
        let Some(stream) = self.streams.at(index) else { return false };
        match result {
            Ok(0) => {
                stream.tell_end(true);
                self.settle(index);
            }
            Ok(count) => {
                stream.bytes_to_guest += count as u64;
                stream.bulk = count == room;
                batch.write_data(&stream.header(self.cid, op::RW, self.budget.window()), count);
                self.flow(far, outbound).bytes_to_guest += count as u64;
                return true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => stream.readable = false,
            Err(_) => self.reset(index),
        }
        false
    }
}
