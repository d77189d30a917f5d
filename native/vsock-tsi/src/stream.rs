//! One stream between a guest and an uplink: its names, its credit, and how far its two halves have come.

#![forbid(unsafe_code)]

use crate::packet::{self, Header, NO_MORE_RECEIVE, NO_MORE_SEND, op};
use crate::pages::GuestBytes;
use vm_memory::VolatileSlice;

/// Who is at the host's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Far {
    /// The device itself, which says that it speaks TSI.
    Hello,
    /// The harness, by the hybrid socket.
    Agent,
    /// The node proxy.
    Tsi,
}

/// What tells one stream from another in its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// vsock address of the far end: an IPv4 address, or 2 for the host.
    pub far_cid: u32,
    /// Port of the far end.
    pub far_port: u32,
    /// Port in the guest.
    pub guest_port: u32,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The guest has called; the uplink has not yet answered.
    Calling,
    /// The guest is called; it has not yet answered.
    Ringing,
    /// Bytes flow, in one direction at least.
    Open,
    /// The guest has closed it, and the uplink has not yet taken all that the guest sent before.
    Draining,
    /// The uplink is gone from it; the guest has been told, and still has its socket.
    Lingering,
    /// The guest is owed a reset, and nothing else.
    Ending,
}

/// Packets that are owed to the guest, one bit each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Owed(u8);

impl Owed {
    /// A call.
    pub const REQUEST: u8 = 1;
    /// The acceptance of a call.
    pub const RESPONSE: u8 = 2;
    /// News of credit.
    pub const CREDIT: u8 = 4;
    /// The end of one or both halves.
    pub const SHUTDOWN: u8 = 8;

    /// Adds one.
    pub fn add(&mut self, packet: u8) {
        self.0 |= packet;
    }

    /// Removes one; whether it was owed.
    pub fn take(&mut self, packet: u8) -> bool {
        let owed = self.0 & packet != 0;
        self.0 &= !packet;
        owed
    }

    /// Nothing is owed.
    #[must_use]
    pub fn none(self) -> bool {
        self.0 == 0
    }
}

/// Bytes that the uplink could not take at once.
#[derive(Debug, Default)]
pub struct Held {
    bytes: Vec<u8>,
    start: usize,
}

impl Held {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// None.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies bytes behind those held.
    pub fn push(&mut self, bytes: &GuestBytes<'_>, start: usize) {
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let had = self.bytes.len();
        // No more than needed: there may be thousands.
        self.bytes.reserve_exact(bytes.len() - start);
        self.bytes.resize(had + bytes.len() - start, 0);
        bytes.copy_to(start, &mut self.bytes[had..]);
    }

    /// The bytes, as memory to offer.
    pub fn slice(&mut self) -> VolatileSlice<'_> {
        self.bytes[self.start..].as_mut().into()
    }

    /// Forgets the first bytes; an empty store keeps no memory.
    pub fn drop_front(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

/// One stream.
#[derive(Debug)]
pub struct Stream {
    /// Tells apart streams that had the same place in the table.
    pub generation: u32,
    /// Its names.
    pub key: Key,
    /// The guest's device that carries it.
    pub device: u8,
    /// Who is at the host's end.
    pub far: Far,
    /// The guest is the caller.
    pub outbound: bool,
    /// How far it has come.
    pub state: State,
    /// The called side has taken the call.
    pub accepted: bool,
    /// What the guest has to be sent before data.
    pub owed: Owed,
    /// Flags of the SHUTDOWN owed, or sent last.
    pub ended: u32,
    /// The uplink may have something to read.
    pub readable: bool,
    /// Its last read filled all room there was: the next can fill more.
    pub bulk: bool,
    /// The guest sends no more.
    pub guest_finished: bool,
    /// The uplink knows that the guest sends no more.
    pub finish_told: bool,
    /// The uplink takes no more.
    pub broken: bool,
    /// The guest has closed its socket and waits for a reset.
    pub guest_closed: bool,
    /// The guest knows nothing of it any more.
    pub guest_gone: bool,
    /// Bytes from the guest that the uplink has not taken.
    pub held: Held,
    /// Payload that the uplink has taken.
    pub bytes_from_guest: u64,
    /// Payload put into the guest's memory.
    pub bytes_to_guest: u64,
    taken_told: u32,
    window_told: u32,
    guest_buffer: u32,
    guest_taken: u32,
}

impl Stream {
    /// A stream that begins.
    #[must_use]
    pub fn new(key: Key, device: u8, far: Far, outbound: bool) -> Self {
        let state = if outbound { State::Calling } else { State::Ringing };
        Self {
            generation: 0,
            key,
            device,
            far,
            outbound,
            state,
            accepted: false,
            owed: Owed::default(),
            ended: 0,
            readable: false,
            bulk: false,
            guest_finished: false,
            finish_told: false,
            broken: false,
            guest_closed: false,
            guest_gone: false,
            held: Held::default(),
            bytes_from_guest: 0,
            bytes_to_guest: 0,
            taken_told: 0,
            window_told: 0,
            guest_buffer: 0,
            guest_taken: 0,
        }
    }

    /// Learns what the guest says of its buffer in every packet.
    pub fn learn_credit(&mut self, header: &Header) {
        (self.guest_buffer, self.guest_taken) = (header.buffer, header.taken);
    }

    /// Bytes that the guest can still hold. A guest that lies about it harms its own memory alone.
    #[must_use]
    pub fn credit(&self) -> usize {
        let under_way = (self.bytes_to_guest as u32).wrapping_sub(self.guest_taken);
        self.guest_buffer.saturating_sub(under_way) as usize
    }

    /// Bytes that the uplink has taken, modulo 2³², as headers say it.
    fn taken(&self) -> u32 {
        self.bytes_from_guest as u32
    }

    /// Counts bytes that are gone from the window; the guest is told when half of it would seem used up to it.
    pub fn take(&mut self, count: usize) {
        self.bytes_from_guest += count as u64;
        if self.taken().wrapping_sub(self.taken_told) >= self.window_told / 2 {
            self.owed.add(Owed::CREDIT);
        }
    }

    /// There is something for the guest: a packet that is owed, or data that it can hold.
    #[must_use]
    pub fn has_packet(&self) -> bool {
        self.state == State::Ending || !self.owed.none() || self.can_read()
    }

    /// The uplink can be read.
    #[must_use]
    pub fn can_read(&self) -> bool {
        self.state == State::Open && self.readable && !self.end_sent() && self.credit() > 0
    }

    /// The guest knows, or will know by what is owed, that the uplink sends no more.
    #[must_use]
    pub fn end_sent(&self) -> bool {
        self.ended & NO_MORE_SEND != 0
    }

    /// Owes the guest the news that the uplink sends no more, takes no more, or that both halves are over.
    pub fn tell_end(&mut self, sends_no_more: bool) {
        let mut flags = self.ended | if sends_no_more { NO_MORE_SEND } else { 0 };
        if self.broken || (self.finish_told && flags & NO_MORE_SEND != 0) {
            flags |= NO_MORE_RECEIVE;
        }
        if flags != self.ended {
            self.ended = flags;
            self.owed.add(Owed::SHUTDOWN);
        }
    }

    /// A header of this stream, without payload. What it says of credit is news to the guest.
    pub fn header(&mut self, guest_cid: u32, op: u16, window: u32) -> Header {
        (self.taken_told, self.window_told) = (self.taken(), window);
        self.owed.take(Owed::CREDIT);
        Header {
            from_cid: self.key.far_cid.into(),
            to_cid: guest_cid.into(),
            from_port: self.key.far_port,
            to_port: self.key.guest_port,
            length: 0,
            kind: packet::STREAM,
            op,
            flags: if op == op::SHUTDOWN { self.ended } else { 0 },
            buffer: window,
            taken: self.taken_told,
        }
    }
}
