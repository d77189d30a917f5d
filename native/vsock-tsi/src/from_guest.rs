//! Packets from the guest: what each does to its stream.

#![forbid(unsafe_code)]

use crate::config::Service;
use crate::hello;
use crate::packet::{self, Header, NO_MORE, NO_MORE_SEND, op};
use crate::pages::GuestBytes;
use crate::stats::address;
use crate::stream::{Far, Key, Owed, State, Stream};
use crate::traffic::{HOST_CID, Traffic};
use crate::uplink::{Opening, StreamId, Uplink};
use std::net::{Ipv4Addr, SocketAddrV4};
use vm_memory::VolatileSlice;

/// Resets of unknown streams that wait for room; the callers of a guest that floods run into their own timeouts.
const RESETS: usize = 1024;

impl<A: Uplink, T: Uplink> Traffic<A, T> {
    /// Takes a packet from a device's ring; `pieces` is room to work in.
    pub fn receive<'m>(&mut self, device: usize, parts: &[VolatileSlice<'m>], pieces: &mut Vec<VolatileSlice<'m>>) {
        self.stats.packets_from_guest += 1;
        // Too short for a header: there is nobody to answer.
        let Some(header) = Header::read(parts) else { return };
        pieces.clear();
        packet::cut(parts, packet::HEADER, header.length as usize, pieces);
        let payload = GuestBytes::new(pieces);
        let own = header.from_cid == u64::from(self.cid) && header.to_cid <= u64::from(u32::MAX);
        let whole = header.op != op::RW || payload.len() == header.length as usize;
        if !own || !whole || header.kind != packet::STREAM {
            return self.answer_reset(device, &header);
        }
        let key = Key { far_cid: header.to_cid as u32, far_port: header.to_port, guest_port: header.from_port };
        match self.streams.find(&key) {
            Some(index) if self.streams.at(index).is_some_and(|stream| usize::from(stream.device) == device) => {
                self.packet_of(device, index, &header, &payload);
            }
            Some(_) => self.answer_reset(device, &header),
            None if header.op == op::REQUEST => self.request(device, key, &header),
            None => self.answer_reset(device, &header),
        }
    }

    /// Answers a packet that belongs to no stream; resets are not answered.
    fn answer_reset(&mut self, device: usize, header: &Header) {
        let resets = &mut self.resets[device];
        if header.op != op::RST && resets.len() < RESETS {
            resets.push_back(header.reset());
        }
    }

    /// The guest calls.
    fn request(&mut self, device: usize, key: Key, header: &Header) {
        let tsi = self.services[device].contains(&Service::Tsi);
        let Some(far) = callee(&key).filter(|_| tsi) else { return self.answer_reset(device, header) };
        let mut stream = Stream::new(key, device as u8, far, true);
        stream.learn_credit(header);
        let Some(id) = self.streams.add(stream) else {
            self.flow(far, true).refused += 1;
            return self.answer_reset(device, header);
        };
        let from = SocketAddrV4::new(self.address, name_port(key.guest_port));
        let to = address(key.far_cid, key.far_port as u16);
        match self.side(far).open(id, from, to) {
            Ok(Opening::Done) => self.accept(id.index),
            Ok(Opening::Pending) => {}
            Err(_) => self.refuse(id.index),
        }
    }

    fn packet_of(&mut self, device: usize, index: u32, header: &Header, payload: &GuestBytes<'_>) {
        let Some(stream) = self.streams.at(index) else { return };
        stream.learn_credit(header);
        match header.op {
            op::RW => self.data(index, payload),
            op::CREDIT_UPDATE => self.stats.credit_updates_received += 1,
            op::CREDIT_REQUEST => stream.owed.add(Owed::CREDIT),
            op::RESPONSE => self.response(index),
            op::SHUTDOWN => self.shutdown(index, header.flags),
            op::RST => self.reset_by_guest(index),
            // The guest has forgotten the stream of this name; it was over here, too.
            op::REQUEST if matches!(stream.state, State::Lingering | State::Ending) => {
                let key = stream.key;
                self.remove(index);
                return self.request(device, key, header);
            }
            _ => self.reset(index),
        }
        self.streams.queue(index);
    }

    /// The guest has taken a call.
    fn response(&mut self, index: u32) {
        let Some(stream) = self.streams.at(index) else { return };
        if stream.state != State::Ringing {
            return self.reset(index);
        }
        (stream.state, stream.readable, stream.accepted) = (State::Open, true, true);
        let (id, far) = (StreamId { index, generation: stream.generation }, stream.far);
        self.flow(far, false).opened += 1;
        self.side(far).answered(id, true);
    }

    fn data(&mut self, index: u32, payload: &GuestBytes<'_>) {
        let Some(stream) = self.streams.at(index) else { return };
        match stream.state {
            State::Open if !stream.guest_finished => {}
            // Sent before the guest heard of the end.
            State::Lingering | State::Ending => return,
            _ => return self.reset(index),
        }
        // Not more than it was granted, whatever it says.
        if !self.budget.fits(stream.held.len(), payload.len()) {
            return self.reset(index);
        }
        if stream.broken || payload.is_empty() {
            return;
        }
        let mut taken = 0;
        if stream.held.is_empty() {
            let (id, far) = (StreamId { index, generation: stream.generation }, stream.far);
            match self.side(far).write(id, payload) {
                Ok(count) => taken = count,
                Err(_) => return self.broken(index),
            }
            self.count_taken(index, taken);
        }
        let Some(stream) = self.streams.at(index) else { return };
        if taken < payload.len() {
            stream.held.push(payload, taken);
            self.budget.add(payload.len() - taken);
        }
        if stream.far == Far::Hello {
            // It answers at once, and has nobody to say so.
            stream.readable = true;
        }
    }

    /// The guest ends a half, or closes its socket.
    fn shutdown(&mut self, index: u32, flags: u32) {
        let Some(stream) = self.streams.at(index) else { return };
        let closed = flags & NO_MORE == NO_MORE;
        match stream.state {
            State::Calling | State::Ringing => return self.reset(index),
            State::Lingering if closed => return self.owe_reset(index),
            State::Open | State::Draining => {}
            State::Lingering | State::Ending => return,
        }
        // A half that takes no more is left to its credit: the bytes it was sent before are its own affair.
        stream.guest_finished |= flags & NO_MORE_SEND != 0;
        if closed {
            (stream.guest_closed, stream.state) = (true, State::Draining);
        }
        self.settle(index);
    }

    fn reset_by_guest(&mut self, index: u32) {
        let Some(stream) = self.streams.at(index) else { return };
        stream.guest_gone = true;
        if stream.state == State::Draining {
            // Its socket waited long enough for its last bytes to be taken; they still will be.
            return self.streams.forget_key(index);
        }
        self.close(index, true);
        self.remove(index);
    }
}

/// Who is called: the device itself, or a TCP port somewhere.
fn callee(key: &Key) -> Option<Far> {
    let address = Ipv4Addr::from_bits(key.far_cid);
    if key.far_cid == HOST_CID {
        return (key.far_port == hello::PORT).then_some(Far::Hello);
    }
    // A pod's own loopback is not the node proxy's, and TSI moves calls to single hosts alone.
    let host = address.octets()[0] != 0 && !address.is_loopback() && !address.is_multicast() && !address.is_broadcast();
    (host && (1..=u32::from(u16::MAX)).contains(&key.far_port)).then_some(Far::Tsi)
}

/// The TCP port by which the guest's vsock port is known.
fn name_port(port: u32) -> u16 {
    u16::try_from(port).unwrap_or((1024 + port % 64_512) as u16)
}
