//! One stream as the guest's kernel keeps it: credit both ways, who has said what.

#![forbid(unsafe_code)]

use crate::packet::{Address, Header, NO_RECEIVE, NO_SEND, Op};
use std::collections::VecDeque;

/// Linux tells of credit as soon as the far side may believe that less than this is left, in bytes.
const LOW_CREDIT: u32 = 65_536;

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Called, not answered.
    Calling,
    /// Both ways, or half closed.
    Open,
    /// The call was answered by `RST`.
    Refused,
    /// The far side ended it by `RST`.
    Reset,
    /// Closed here; the far side has not confirmed by `RST`.
    Closing,
}

/// A stream of a guest.
#[derive(Debug)]
pub(crate) struct Connection {
    pub near: Address,
    pub far: Address,
    pub phase: Phase,
    /// Received and not read; the first one from `taken` on.
    pub chunks: VecDeque<Vec<u8>>,
    pub taken: usize,
    /// The far side sends no more.
    pub ended: bool,
    /// The far side takes no more.
    pub deaf: bool,
    /// This side sends no more.
    pub finished: bool,
    credit_bytes: u32,
    peer_alloc: u32,
    peer_forwarded: u32,
    sent: u32,
    received: u32,
    forwarded: u32,
    told: u32,
}

impl Connection {
    pub fn new(near: Address, far: Address, phase: Phase, credit_bytes: u32) -> Self {
        Self {
            near,
            far,
            phase,
            chunks: VecDeque::new(),
            taken: 0,
            ended: false,
            deaf: false,
            finished: false,
            credit_bytes,
            peer_alloc: 0,
            peer_forwarded: 0,
            sent: 0,
            received: 0,
            forwarded: 0,
            told: 0,
        }
    }

    /// A packet of this stream that tells of its credit.
    pub fn packet(&mut self, op: Op) -> Header {
        self.told = self.forwarded;
        Header { buf_alloc: self.credit_bytes, fwd_cnt: self.forwarded, ..Header::new(self.near, self.far, op) }
    }

    /// A packet that carries the next `length` bytes.
    pub fn data(&mut self, length: u32) -> Header {
        self.sent = self.sent.wrapping_add(length);
        Header { length, ..self.packet(Op::Data) }
    }

    /// Bytes that the far side has room for.
    pub fn credit(&self) -> u32 {
        self.peer_alloc.saturating_sub(self.sent.wrapping_sub(self.peer_forwarded))
    }

    /// Every packet tells of the sender's credit.
    pub fn learn(&mut self, header: &Header) {
        self.peer_alloc = header.buf_alloc;
        self.peer_forwarded = header.fwd_cnt;
    }

    /// Takes payload, if the far side had credit for it.
    pub fn receive(&mut self, chunk: Vec<u8>) -> Result<(), &'static str> {
        self.received = self.received.wrapping_add(chunk.len() as u32);
        if self.received.wrapping_sub(self.forwarded) > self.credit_bytes {
            return Err("it sent more than it had credit for");
        }
        if self.ended {
            return Err("it sent payload after it had said that it sends no more");
        }
        self.chunks.push_back(chunk);
        Ok(())
    }

    /// `SHUTDOWN` of the far side.
    pub fn shut(&mut self, flags: u32) {
        self.ended |= flags & NO_SEND != 0;
        self.deaf |= flags & NO_RECEIVE != 0;
    }

    /// The application has taken so many bytes; whether the far side has to be told.
    pub fn forward(&mut self, bytes: usize) -> bool {
        self.forwarded = self.forwarded.wrapping_add(bytes as u32);
        let believed = self.credit_bytes.saturating_sub(self.forwarded.wrapping_sub(self.told));
        believed < LOW_CREDIT.min(self.credit_bytes) && self.phase == Phase::Open && !self.ended
    }

    /// Copies what was received; how much, and whether the far side has to be told of the room.
    pub fn read(&mut self, into: &mut [u8], spare: &mut Vec<Vec<u8>>) -> (usize, bool) {
        let mut done = 0;
        while let (Some(chunk), true) = (self.chunks.front(), done < into.len()) {
            let part = &chunk[self.taken..];
            let length = part.len().min(into.len() - done);
            into[done..done + length].copy_from_slice(&part[..length]);
            done += length;
            self.taken += length;
            if self.taken == chunk.len() {
                self.taken = 0;
                spare.extend(self.chunks.pop_front());
            }
        }
        (done, self.forward(done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Connection {
        let mut connection = Connection::new(Address::new(3, 1024), Address::new(2, 9), Phase::Open, 100_000);
        connection.learn(&Header { buf_alloc: 1000, ..Header::new(connection.far, connection.near, Op::Response) });
        connection
    }

    #[test]
    fn credit_is_spent_and_comes_back_across_the_wrap() {
        let mut connection = open();
        connection.sent = u32::MAX - 99;
        connection.peer_forwarded = u32::MAX - 99;
        assert_eq!(connection.data(600).length, 600);
        assert_eq!(connection.credit(), 400);
        let told = Header { buf_alloc: 1000, fwd_cnt: 500, ..Header::new(connection.far, connection.near, Op::Data) };
        connection.learn(&told);
        assert_eq!(connection.credit(), 1000);
    }

    #[test]
    fn reading_tells_of_room_when_the_far_side_believes_in_little() {
        let mut connection = open();
        connection.receive(vec![7; 60_000]).unwrap();
        let (mut spare, mut buffer) = (Vec::new(), vec![0; 100_000]);
        assert_eq!(connection.read(&mut buffer[..34_464], &mut spare), (34_464, false));
        assert_eq!(connection.read(&mut buffer[..1], &mut spare), (1, true));
        assert_eq!(connection.packet(Op::CreditUpdate).fwd_cnt, 34_465);
        assert_eq!(connection.read(&mut buffer, &mut spare), (25_535, false));
        assert_eq!(spare.len(), 1);
    }

    #[test]
    fn a_device_that_sends_too_much_is_caught() {
        let mut connection = open();
        connection.receive(vec![0; 100_000]).unwrap();
        assert!(connection.receive(vec![0]).is_err());
        let mut connection = open();
        connection.shut(NO_SEND);
        assert!(connection.receive(vec![0]).is_err());
    }
}
